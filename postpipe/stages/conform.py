"""Conform every take to the project: its rate and colour coding. `fit` does it for size, pixel shape and layout."""

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
from postpipe_kernels import colour

from postpipe.conformed import Conformed
from postpipe.consent import Consent
from postpipe.delivery import Admission, Cadence, Encoding, FrameTimes, ProjectFormat, Selection
from postpipe.draft import Draft
from postpipe.engine.stage import Canvas, Each, Filter, PointParams, Slot, Task
from postpipe.errors import TakeError
from postpipe.model import Clip, ColourSpec, Frame, PictureStream
from postpipe.stages.upscaling import Enlarging
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

LARGEST = 16384
"""Pixels across or down: the limit of H.264 and H.265."""


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
            if width % 2 or height % 2 or not 16 <= width <= LARGEST or not 16 <= height <= LARGEST:
                raise ValueError(f"size = {self.size!r}: width and height must be even, from 16 to {LARGEST}")
        if self.rate is not None and not 1 <= self.rate <= 1000:
            raise ValueError(f"rate = {float(self.rate):g}: expected from 1 to 1000 frames per second")

    def run(
        self,
        selection: Selection,
        clips: Each[Clip],
        times: Each[FrameTimes],
        encoding: Encoding,
        draft: Draft | None,
        enlarging: Enlarging | None,
    ) -> ProjectFormat:
        """Return the format; where a key is unset, the value with the most seconds among the selected takes.

        A size that is not said is larger where an upscaled film is asked for. A draft has the shape of the film, and
        a whole fraction of its size.
        """
        seconds = {path: times[path].duration_seconds for path in selection.selected}
        if self.size is not None:
            width, height = map(int, self.size.split("x"))
        else:
            width, height = _most({path: _display_size(clips[path].picture) for path in seconds}, seconds)
            scale = enlarging.scale if enlarging is not None else 1
            width, height = (min(LARGEST, int(side * scale) // 2 * 2) for side in (width, height))
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

    def run(self, clip: Clip, times: FrameTimes, project: ProjectFormat, conformed: Conformed | None) -> Cadence:
        """Return the map of the whole take; in a cut that was made elsewhere, of a use as it is cut there."""
        use = conformed.use(clip.path) if conformed else None
        return use.cadence(times, project.rate) if use else Cadence.of(times, project.rate)


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


STAGES = (AdmitTake, SetProject, SetCadence, Retime, MatchCoding)
