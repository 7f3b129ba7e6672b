"""The built-in upscalers."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from postpipe_kernels import resize

from postpipe.engine.stage import Canvas
from postpipe.model import Frame, PixelFormat
from postpipe.stages.fit import plane_axes
from postpipe.stages.upscaling import Enlargement, UpscaleSettings


@dataclass(frozen=True)
class Lanczos:
    """Every plane resampled by Lanczos, over six by six samples."""

    margin_frames: ClassVar[int] = 0
    size: tuple[int, int]
    pixel_format: PixelFormat

    def enlarge(self, frames: Iterable[Frame], canvas: Canvas) -> Generator[Frame, None, None]:
        """Yield each frame in the size that was asked for."""
        plans = None
        for frame in frames:
            if plans is None:
                plans = [self._taps(plane, frame) for plane in range(3)]
            out = canvas(frame, pixel_format=self.pixel_format, width=self.size[0], height=self.size[1])
            for source, target, (x, y) in zip(frame.planes, out.planes, plans, strict=True):
                resize.resample_plane(source, target, x, y, frame.pixel_format.bits)
            yield out

    def _taps(self, plane: int, frame: Frame) -> tuple[resize.Taps, resize.Taps]:
        source, none = (frame.width, frame.height), (Fraction(0), Fraction(0))
        scale = Fraction(self.size[0], source[0]), Fraction(self.size[1], source[1])
        axes = plane_axes(plane, (source, frame.pixel_format), (self.size, self.pixel_format), scale, none)
        return axes[0].taps, axes[1].taps


def lanczos(wanted: Enlargement, settings: UpscaleSettings) -> Lanczos:
    """Return the upscaler `kind = "lanczos"`."""
    return Lanczos((wanted.target_width, wanted.target_height), wanted.target_format)
