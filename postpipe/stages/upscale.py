"""Enlarge takes that are smaller than the film, with an upscaler of the user's choice, and score what came of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.metadata import entry_points
from typing import Any, ClassVar

from postpipe.delivery import ProjectFormat
from postpipe.engine.stage import Canvas, FixFilter, Rendered, Slot, Task, Verdict
from postpipe.errors import FilterFailed, SettingsError
from postpipe.model import PIXEL_FORMATS, Clip, Frame, PixelFormat
from postpipe.stages.fit import fit_scale
from postpipe.stages.upscale_score import UpscaleTrack, WatchUpscale, comparer, faults
from postpipe.stages.upscaling import FIX, UPSCALERS, Enlargement, Enlarging, Make, Scale, Upscaler, UpscaleSettings


@dataclass(frozen=True)
class SetEnlarging(Task):
    """Say by how much the film is larger than its footage."""

    id: ClassVar[str] = "enlarging"
    summary: ClassVar[str] = "by how much the film is larger than its footage"
    section: ClassVar[str] = "upscale"
    scope: ClassVar[str] = "project"

    scale: Scale = 1.0

    def run(self) -> Enlarging:
        """Return the scale; 1 where it is off."""
        return Enlarging(Fraction(1) if self.scale == "off" else Fraction(str(self.scale)))


@dataclass(frozen=True)
class BoundUpscale:
    """One take's upscaler, with checks of all that it gives. `kind` tells upscalers of the same content apart."""

    kind: str
    upscaler: Any  # an `Upscaler`

    @property
    def margin_frames(self) -> int:
        """As the upscaler has it."""
        upscaler: Upscaler = self.upscaler
        return upscaler.margin_frames

    def apply(self, frames: Iterable[Frame], canvas: Canvas) -> Iterator[Frame]:
        """Yield the enlarged frames; one that is shown again is enlarged once."""
        upscaler: Upscaler = self.upscaler
        waiting: deque[tuple[Frame, bool]] = deque()  # that went in, and whether something comes of each

        def fresh() -> Iterator[Frame]:
            last = None
            for frame in frames:
                waiting.append((frame, frame.planes is not last))
                if frame.planes is not last:
                    last = frame.planes
                    yield frame

        made: Frame | None = None
        compare = None
        enlarged = upscaler.enlarge(fresh(), canvas)
        with closing(enlarged):
            for out in enlarged:
                while waiting and not waiting[0][1] and made is not None:
                    yield _again(made, waiting.popleft()[0])
                if not waiting:
                    raise self._failed("it gave more frames than it got", "check what the program does to frames")
                source = waiting.popleft()[0]
                self._check(source, out)
                compare = compare or comparer(source, out)
                made = replace(out, notes={**source.notes, FIX: compare(source, out)})
                yield made
            while waiting:
                source, new = waiting.popleft()
                if new or made is None:
                    raise self._failed(f"it gave no frame for frame {source.index}", "check that it gives one for each")
                yield _again(made, source)

    def _check(self, source: Frame, out: Frame) -> None:
        """Raise `FilterFailed` for a frame that is not what its upscaler promised."""
        size = tuple(self.upscaler.size)
        if (out.width, out.height) != size:
            raise self._failed(
                f"it gave a picture of {out.width}x{out.height} for frame {source.index}, not {size[0]}x{size[1]}",
                "check the scale that it is told",
            )
        if (out.pixel_format.bits, out.colour) != (source.pixel_format.bits, source.colour):
            raise self._failed(f"it gave another coding for frame {source.index}", "let it keep bits and colour")
        if out.index != source.index:
            raise self._failed(f"it gave frame {out.index} for frame {source.index}", "let it keep the order")

    def _failed(self, fault: str, remedy: str) -> FilterFailed:
        return FilterFailed(FIX, f"the upscaler {self.kind} failed: {fault}", remedy)


def _again(made: Frame, shown: Frame) -> Frame:
    return replace(made, index=shown.index, pts_seconds=shown.pts_seconds)


@dataclass(frozen=True)
class Upscale(UpscaleSettings, FixFilter):
    """Enlarge a take that is smaller than the film."""

    id: ClassVar[str] = "upscale"
    summary: ClassVar[str] = "enlarges takes that are smaller than the film"
    section: ClassVar[str] = "upscale"
    slot: ClassVar[Slot] = Slot.SCALE
    fix: ClassVar[str] = FIX

    def __post_init__(self) -> None:
        known = sorted(entry_points(group=UPSCALERS).names)
        if self.kind not in known:
            raise ValueError(f"kind = {self.kind!r}: expected {', '.join(known)}")
        if self.kind == "onnx" and not self.model:
            raise ValueError('model is not set: kind = "onnx" needs the file of a model')

    @property
    def dispensable(self) -> bool:
        """Whether plain resampling will do where the upscaler fails."""
        return self.fallback == "built-in"

    def bind(self, clip: Clip, project: ProjectFormat) -> BoundUpscale | None:
        """Return the filter, or `None` for a take that is large enough."""
        picture = clip.picture
        scale = fit_scale(picture, project)
        if self.scale == "off" or scale <= 1:
            return None
        across, down = picture.width * picture.pixel_aspect * scale, picture.height * scale
        asked = Fraction(str(self.scale))
        layout = picture.pixel_format, project.pixel_format
        wanted = Enlargement(
            width=picture.width,
            height=picture.height,
            pixel_format=picture.pixel_format,
            colour=picture.colour,
            rate=project.rate,
            target_width=max(2, round(across / 2) * 2),
            target_height=max(2, round(down / 2) * 2),
            target_format=_layout(layout[0].bits, layout[1]),
            scale=asked if asked > 1 else Fraction(math.ceil(scale)),
        )
        return BoundUpscale(self.kind, _maker(self.kind)(wanted, self))

    def judge(self, clip: Clip, after: Rendered[UpscaleTrack]) -> Verdict:
        """Score the enlarged take against its source. Where there is no fallback, a bad score is only told."""
        score = after.summary()
        found = faults(score)
        return Verdict(not found or not self.dispensable, {}, {**score, "faults": found})


def _layout(bits: int, like: PixelFormat) -> PixelFormat:
    shifts = like.chroma_shift_x, like.chroma_shift_y
    formats = PIXEL_FORMATS.values()
    return next(one for one in formats if (one.bits, one.chroma_shift_x, one.chroma_shift_y) == (bits, *shifts))


def _maker(kind: str) -> Make:
    """Return the maker of upscalers of a kind. Raises `SettingsError` for a plug-in that does not load."""
    (entry,) = entry_points(group=UPSCALERS, name=kind)
    try:
        make: Make = entry.load()
    except Exception as error:  # a plug-in may fail in any way; its name is what the user needs
        raise SettingsError([f"the upscaler {entry.name} ({entry.value}) does not load: {error}"]) from error
    return make


STAGES = (SetEnlarging, WatchUpscale, Upscale)
