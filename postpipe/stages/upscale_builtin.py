"""The built-in upscalers: Lanczos, and one that keeps edges sharp."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from postpipe_kernels import resize
from postpipe_kernels.double import double_plane, learnt_bank

from postpipe.engine.stage import Canvas
from postpipe.model import Frame, PixelFormat, Plane
from postpipe.stages.fit import plane_axes
from postpipe.stages.upscaling import Enlargement, UpscaleSettings

ENOUGH = 1.25
"""What is left to enlarge by after doubling is resampled, up to this."""


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
                plans = [self._plan(plane, frame) for plane in range(3)]
            out = canvas(frame, pixel_format=self.pixel_format, width=self.size[0], height=self.size[1])
            for source, target, plan in zip(frame.planes, out.planes, plans, strict=True):
                plan.draw(source, target)
            yield out

    def _plan(self, plane: int, frame: Frame) -> _Plan:
        source, none = (frame.width, frame.height), (Fraction(0), Fraction(0))
        scale = Fraction(self.size[0], source[0]), Fraction(self.size[1], source[1])
        x, y = plane_axes(plane, (source, frame.pixel_format), (self.size, self.pixel_format), scale, none)
        return _Plan(x.taps, y.taps, frame.pixel_format.bits)


@dataclass(frozen=True)
class _Plan:
    x: resize.Taps
    y: resize.Taps
    bits: int

    def draw(self, source: Plane, target: Plane) -> None:
        resize.resample_plane(source, target, self.x, self.y, self.bits)


@dataclass(frozen=True)
class Sharp(Lanczos):
    """Luma doubled by filters learnt for edges, as often as it takes, then resampled to size; chroma by Lanczos."""

    def _plan(self, plane: int, frame: Frame) -> _Plan:
        plan = super()._plan(plane, frame)
        if plane:
            return plan
        doublings, width, height = 0, frame.width, frame.height
        while max(self.size[0] / width, self.size[1] / height) > ENOUGH:
            doublings, width, height = doublings + 1, 2 * width, 2 * height
        return _SharpPlan(
            resize.taps(width, self.size[0]), resize.taps(height, self.size[1]), frame.pixel_format.bits, doublings
        )


@dataclass(frozen=True)
class _SharpPlan(_Plan):
    doublings: int

    def draw(self, source: Plane, target: Plane) -> None:
        for _ in range(self.doublings):
            shape = 2 * source.shape[0], 2 * source.shape[1]
            wide = target if shape == target.shape else np.empty(shape, source.dtype)
            double_plane(source, wide, learnt_bank(), self.bits)
            source = wide
        if source is not target:
            super().draw(source, target)


def lanczos(wanted: Enlargement, settings: UpscaleSettings) -> Lanczos:
    """Return the upscaler `kind = "lanczos"`."""
    return Lanczos((wanted.target_width, wanted.target_height), wanted.target_format)


def sharp(wanted: Enlargement, settings: UpscaleSettings) -> Sharp:
    """Return the upscaler `kind = "sharp"`."""
    return Sharp((wanted.target_width, wanted.target_height), wanted.target_format)
