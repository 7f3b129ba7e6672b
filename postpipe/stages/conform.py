"""Conform every take to the project: its rate, size, pixel shape, chroma layout and colour coding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from postpipe_kernels import colour, resize

from postpipe.delivery import Admission, Cadence, Encoding, FrameTimes, ProjectFormat, Selection
from postpipe.draft import Draft
from postpipe.engine.stage import Canvas, Each, Filter, PointParams, Slot, Task
from postpipe.errors import TakeError
from postpipe.model import PIXEL_FORMATS, Clip, ColourSpec, Frame, PictureStream, PixelFormat, Plane
from postpipe.stages.consent import Consent
from postpipe.timing import nearest_standard_rate

KeyT = TypeVar("KeyT", bound=Hashable)
ProjectRate = Annotated[
    Fraction | None,
    Meta(description='frames per second: 24, 23.976, "30000/1001"; takes of another are named; unset: as most'),
]
ProjectSize = Annotated[
    Annotated[str, Meta(pattern=r"^[0-9]{1,5}x[0-9]{1,5}$", examples=["1920x1080"])] | None,
    Meta(description='"1920x1080"; takes of another are named; unset: as most of the footage'),
]
"""What the delivery conforms to and what takes have to keep: one key says both."""

DELIVERY_COLOUR = ColourSpec("bt709", "limited", "bt709", "bt709")
"""What players, editors and platforms take a delivery for, at any size."""


@dataclass(frozen=True)
class SetProject(Task):
    """Settle what every delivered picture and sound conforms to."""

    id: ClassVar[str] = "project"
    summary: ClassVar[str] = "size, rate, colour and sound of the delivery"
    section: ClassVar[str] = "project"
    scope: ClassVar[str] = "project"

    rate: ProjectRate = None
    size: ProjectSize = None
    fit: Annotated[
        Literal["letterbox", "crop"],
        Meta(description="a take of another shape gets bars, or is cropped; it is never stretched"),
    ] = "letterbox"

    def __post_init__(self) -> None:
        if self.size is not None:
            width, height = map(int, self.size.split("x"))
            if width % 2 or height % 2 or not 16 <= width <= 16384 or not 16 <= height <= 16384:
                raise ValueError(f"size = {self.size!r}: width and height must be even, from 16 to 16384")
        if self.rate is not None and not 1 <= self.rate <= 1000:
            raise ValueError(f"rate = {float(self.rate):g}: expected from 1 to 1000 frames per second")

    def run(
        self,
        selection: Selection,
        clips: Each[Clip],
        times: Each[FrameTimes],
        encoding: Encoding,
        draft: Draft | None,
    ) -> ProjectFormat:
        """Return the format; where a key is unset, the value with the most seconds among the selected takes.

        A draft has the shape of the film, and a whole fraction of its size.
        """
        seconds = {path: times[path].duration_seconds for path in selection.selected}
        if self.size is not None:
            width, height = map(int, self.size.split("x"))
        else:
            width, height = _most({path: _display_size(clips[path].picture) for path in seconds}, seconds)
        if draft is not None:
            divisor = -(-max(width, height) // draft.long_edge_px)
            width, height = (max(16, side // divisor // 2 * 2) for side in (width, height))
        rate = self.rate
        if rate is None:
            even = {path: times[path].rate for path in seconds if not times[path].vfr}
            rate = (
                _most(even, seconds)
                if even
                else nearest_standard_rate(_most({path: times[path].rate for path in seconds}, seconds))
            )
        return ProjectFormat(
            width=width,
            height=height,
            rate=rate,
            fit=self.fit,
            pixel_format=encoding.pixel_format,
            colour=DELIVERY_COLOUR,
        )


def _display_size(picture: PictureStream) -> tuple[int, int]:
    """Return the size in square pixels, even in both directions; the longer-in-pixels axis is kept."""
    width, height = Fraction(picture.width), Fraction(picture.height)
    if picture.pixel_aspect > 1:
        width *= picture.pixel_aspect
    else:
        height /= picture.pixel_aspect
    return int(width) // 2 * 2, int(height) // 2 * 2


def _most(values: Mapping[Path, KeyT], seconds: Mapping[Path, Fraction]) -> KeyT:
    """Return the value that the most seconds have; the first of equals."""
    totals: dict[KeyT, Fraction] = defaultdict(Fraction)
    for path, value in values.items():
        totals[value] += seconds[path]
    return max(totals, key=lambda value: totals[value])


@dataclass(frozen=True)
class SetCadence(Task):
    """Map each take's frames to the project's rate."""

    id: ClassVar[str] = "cadence"
    summary: ClassVar[str] = "which source frame is shown when, at the project's rate"

    def run(self, times: FrameTimes, project: ProjectFormat) -> Cadence:
        """Return the map of the whole take."""
        return Cadence.of(times, project.rate)


@dataclass(frozen=True)
class AdmitTake(Task):
    """Say which takes can be delivered at all."""

    id: ClassVar[str] = "admit"
    summary: ClassVar[str] = "refuses what cannot be delivered as SDR, and likenesses without consent"

    def run(self, clip: Clip, consent: Consent) -> Admission:
        """Return the admission. Raises `TakeError` without consent, and for HDR, which must not be treated as SDR."""
        if consent.refusal:
            raise TakeError(
                clip.path, consent.refusal, "ask for consent, or deliver the take by name with [consent] allow"
            )
        transfer = clip.picture.colour.transfer
        if clip.picture.colour.hdr:
            raise TakeError(
                clip.path,
                f"is HDR ({'HLG' if transfer == 'arib-std-b67' else 'PQ'}), and the delivery is SDR",
                "convert it to SDR (BT.709) with a tone mapping of your choice first",
            )
        return Admission()


# Filters


@dataclass(frozen=True)
class BoundRetime:
    """Show source frames as the time map says."""

    margin_frames: ClassVar[int] = 0
    rate: Fraction
    source: NDArray[np.int64]

    def apply(self, frames: Iterable[Frame], canvas: Canvas) -> Iterator[Frame]:
        """Yield each delivered frame; repeated ones share their planes."""
        position: int | None = None
        for frame in frames:
            if position is None:
                position = int(np.searchsorted(self.source, frame.index))
            while position < len(self.source) and self.source[position] <= frame.index:
                yield Frame(
                    index=position,
                    pts_seconds=position / self.rate,
                    planes=frame.planes,
                    pixel_format=frame.pixel_format,
                    colour=frame.colour,
                    native=frame.native,
                )
                position += 1


@dataclass(frozen=True)
class Retime(Filter):
    """Repeat or drop frames to reach the project's rate."""

    id: ClassVar[str] = "retime"
    summary: ClassVar[str] = "repeats or drops frames for an even rate"
    slot: ClassVar[Slot] = Slot.RETIME

    def bind(self, cadence: Cadence) -> BoundRetime | None:
        """Return the filter for one take, or `None` where each frame is shown once as it is."""
        return None if cadence.plain else BoundRetime(cadence.rate, cadence.source)


@dataclass(frozen=True)
class BoundFit:
    """Scale into a picture of another size or chroma layout, with bars or a crop where the shapes differ.

    `scale_x`, `scale_y`: delivered pixels per source pixel. `left`, `top`: where the scaled picture starts
    in the delivered one, in pixels, negative when cropped. `width`, `height`: delivered size.
    """

    margin_frames: ClassVar[int] = 0
    width: int
    height: int
    scale_x: Fraction
    scale_y: Fraction
    left: Fraction
    top: Fraction
    pixel_format: PixelFormat
    source_size: tuple[int, int]
    limited: bool

    def apply(self, frames: Iterable[Frame], canvas: Canvas) -> Iterator[Frame]:
        """Yield each frame in the delivered size."""
        plans = None
        last: tuple[object, Frame] | None = None
        for frame in frames:
            if plans is None:
                plans = [self._plan(plane, frame) for plane in range(3)]
            if last is not None and last[0] is frame.planes:  # a repeated frame is scaled once
                out = last[1]
                yield Frame(frame.index, frame.pts_seconds, out.planes, out.pixel_format, out.colour, out.native)
                continue
            out = canvas(frame, pixel_format=self.pixel_format, width=self.width, height=self.height)
            for source, target, plan in zip(frame.planes, out.planes, plans, strict=True):
                plan.draw(source, target)
            last = (frame.planes, out)
            yield out

    def _plan(self, plane: int, frame: Frame) -> _PlanePlan:
        """Work out the taps of one plane, once per clip.

        Positions are those of luma pixel centres; chroma is sited left (H.273 type 0) and between lines,
        so that a scaled chroma plane keeps its place under the luma.
        """
        source_format, target_format = frame.pixel_format, self.pixel_format
        target_width, target_height = target_format.plane_size(plane, self.width, self.height)
        source_width, source_height = source_format.plane_size(plane, *self.source_size)
        shifts = (0, 0, 0, 0)
        if plane:
            shifts = (
                source_format.chroma_shift_x, target_format.chroma_shift_x,
                source_format.chroma_shift_y, target_format.chroma_shift_y,
            )  # fmt: skip
        x = _axis(target_width, source_width, self.scale_x, self.left, shifts[0], shifts[1], sited=True)
        y = _axis(target_height, source_height, self.scale_y, self.top, shifts[2], shifts[3], sited=False)
        scale = 1 << (target_format.bits - 8)
        background = 128 * scale if plane else (16 * scale if self.limited else 0)
        return _PlanePlan(x, y, background, source_format.bits)


@dataclass(frozen=True)
class _Axis:
    """One direction of a plane: the delivered stretch that shows picture, and its resampling taps."""

    start: int
    stop: int
    taps: resize.Taps


def _axis(
    target: int, source: int, scale: Fraction, offset: Fraction, shift_in: int, shift_out: int, *, sited: bool
) -> _Axis:
    """Return the taps for one axis of one plane.

    A target sample i has its centre at luma position (i · 2^shift_out) + site, in pixels of the delivered
    picture; the source sample under it follows from `scale` and `offset`.
    """

    def site(shift: int) -> Fraction:
        # distance of a plane's first sample from the picture's edge, in luma pixels
        return Fraction(1, 2) if sited else Fraction(1 << shift, 2)

    step_in, step_out = 1 << shift_in, 1 << shift_out
    plane_scale = scale * step_in / step_out  # delivered samples per source sample
    # position of target sample 0 in source samples
    phase = ((site(shift_out) - offset) / scale - site(shift_in)) / step_in
    begin = max(0, -(-offset // step_out))
    end = min(target, -(-(offset + source * step_in * scale) // step_out))
    first = phase + begin / plane_scale
    return _Axis(
        start=int(begin),
        stop=int(end),
        taps=resize.taps(source, int(end - begin), scale=float(plane_scale), phase=float(first)),
    )


@dataclass(frozen=True)
class _PlanePlan:
    x: _Axis
    y: _Axis
    background: int
    bits: int

    def draw(self, source: Plane, target: Plane) -> None:
        """Resample `source` into its place in `target`; fill the rest."""
        rows, columns = slice(self.y.start, self.y.stop), slice(self.x.start, self.x.stop)
        target[: rows.start] = self.background
        target[rows.stop :] = self.background
        target[rows, : columns.start] = self.background
        target[rows, columns.stop :] = self.background
        resize.resample_plane(source, target[rows, columns], self.x.taps, self.y.taps, self.bits)


@dataclass(frozen=True)
class Fit(Filter):
    """Scale, letterbox or crop to the project's size."""

    id: ClassVar[str] = "fit"
    summary: ClassVar[str] = "scales to the project's size, with bars or a crop"
    slot: ClassVar[Slot] = Slot.SCALE

    def bind(self, clip: Clip, project: ProjectFormat) -> BoundFit | None:
        """Return the filter for one take, or `None` where size, pixel shape and layout fit already."""
        picture = clip.picture
        source, target = picture.pixel_format, project.pixel_format
        layout = PixelFormat(source.name, source.bits, target.chroma_shift_x, target.chroma_shift_y)
        same_size = (picture.width, picture.height) == (project.width, project.height)
        if same_size and picture.pixel_aspect == 1 and source == layout:
            return None
        across = Fraction(project.width) / (picture.width * picture.pixel_aspect)
        down = Fraction(project.height, picture.height)
        scale = min(across, down) if project.fit == "letterbox" else max(across, down)
        if abs(picture.width * picture.pixel_aspect - project.width) < 2 and abs(picture.height - project.height) < 2:
            scale = Fraction(1)  # an odd row or column is cut off rather than the whole picture softened
        scale_x, scale_y = scale * picture.pixel_aspect, scale
        return BoundFit(
            width=project.width,
            height=project.height,
            scale_x=scale_x,
            scale_y=scale_y,
            left=_even((project.width - picture.width * scale_x) / 2),
            top=_even((project.height - picture.height * scale_y) / 2),
            pixel_format=_layout_like(layout),
            source_size=(picture.width, picture.height),
            limited=picture.colour.range == "limited",
        )


def _even(value: Fraction) -> Fraction:
    """Return the even number next to `value` on the way to 0: bars and crops begin on a chroma sample.

    Towards 0, so that a crop never uncovers the far edge.
    """
    return Fraction(int(value / 2) * 2)


def _layout_like(layout: PixelFormat) -> PixelFormat:
    return next(
        other
        for other in PIXEL_FORMATS.values()
        if (other.bits, other.chroma_shift_x, other.chroma_shift_y)
        == (layout.bits, layout.chroma_shift_x, layout.chroma_shift_y)
    )


@dataclass(frozen=True)
class BoundMatchCoding:
    """The affine map between two YCbCr codings."""

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]
    bits: int
    colour: ColourSpec

    def at(self, frame: Frame) -> PointParams:
        """Return the same map for every frame."""
        return PointParams(matrix=self.matrix, offset=self.offset, bits=self.bits, colour=self.colour)


@dataclass(frozen=True)
class MatchCoding(Filter):
    """Convert to the project's YCbCr matrix, range and bit depth."""

    id: ClassVar[str] = "coding"
    summary: ClassVar[str] = "converts matrix, range and bit depth"
    slot: ClassVar[Slot] = Slot.COLOUR

    def bind(self, clip: Clip, project: ProjectFormat) -> BoundMatchCoding | None:
        """Return the filter for one take, or `None` where the coding fits."""
        source, target = clip.picture.colour, project.colour
        bits_in, bits_out = clip.picture.pixel_format.bits, project.pixel_format.bits
        if (source.matrix, source.range, bits_in) == (target.matrix, target.range, bits_out):
            return None
        matrix, offset = colour.ycbcr_matrix(
            source.matrix, source.range, bits_in, target.matrix, target.range, bits_out
        )
        return BoundMatchCoding(matrix, offset, bits_out, target)


STAGES = (AdmitTake, SetProject, SetCadence, Retime, Fit, MatchCoding)
