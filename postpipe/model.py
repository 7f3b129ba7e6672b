"""The nouns of postpipe: clips, frames, blocks of sound and the base of everything that is stored.

All records are immutable, with units in their names. Times are exact (`fractions.Fraction`, seconds).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Artifact:
    """Base of every fact and decision that a stage makes and the store keeps.

    `schema` labels the stored form (`name.version`); raise the version when the fields change.
    Fields may be numbers, strings, booleans, `None`, `Fraction`, tuples, dicts, NumPy arrays and
    dataclasses of these.
    """

    schema: ClassVar[str]

    @property
    def final(self) -> bool:
        """Whether the store may keep it; what failed for now is tried again."""
        return True


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that an editor should see on a take: source frames `first` to `last`; `None` is all of it.

    `colour` is that of the marker: RED for what is wrong, YELLOW for what may be, GREEN for the rest.
    """

    name: str
    comment: str = ""
    first: int | None = None
    last: int | None = None
    colour: str = "GREEN"


class Facts(Artifact):
    """An artifact that the account of a take shows, in `takes.json` under `facts` → `name`."""

    name: ClassVar[str]

    def summary(self) -> Any:
        """Return what is shown: dicts, lists, numbers, strings, booleans and `None`."""
        raise NotImplementedError

    def warnings(self) -> tuple[str, ...]:
        """Return sentences for the user about what they should not miss."""
        return ()

    def remarks(self) -> tuple[Remark, ...]:
        """Return what becomes a marker or a note on a timeline for an editor."""
        return ()


@dataclass(frozen=True)
class Remarks(Artifact):
    """All remarks on one take, from whatever facts a run has of it, in the order of the frames that they are on."""

    schema: ClassVar[str] = "postpipe.remarks.1"
    remarks: tuple[Remark, ...]

    @classmethod
    def of(cls, artifacts: Iterable[Artifact]) -> Remarks:
        """Collect the remarks of those that are facts."""
        found = {remark for fact in artifacts if isinstance(fact, Facts) for remark in fact.remarks()}
        return cls(
            tuple(sorted(found, key=lambda one: (-1 if one.first is None else one.first, one.name, one.comment)))
        )


class FilmFacts(Facts):
    """Facts of a take that depend on the others of its film: a run tells them, `inspect` does not."""


class SequenceFacts(Facts):
    """Facts of the finished sequence, which `takes.json` shows under `sequence` → `name`."""


@dataclass(frozen=True)
class DeliveryFolder(Artifact):
    """Where the delivery goes: an absolute path. It is part of the keys of files that name others by their path."""

    schema: ClassVar[str] = "postpipe.delivery-folder.1"
    path: Path


class Transient(Artifact):
    """An artifact of one run: it is not stored, and what is made with it does not depend on it."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """Layout of planar YCbCr: `name` as libav writes it, `bits` per sample (8 or 10), chroma subsampling as shifts."""

    name: str
    bits: int
    chroma_shift_x: int
    chroma_shift_y: int

    def plane_size(self, plane: int, width: int, height: int) -> tuple[int, int]:
        """Return `(width, height)` of plane 0 (luma), 1 or 2 of a picture of the given size, rounded up."""
        if plane == 0:
            return width, height
        return -(-width >> self.chroma_shift_x), -(-height >> self.chroma_shift_y)


PIXEL_FORMATS: dict[str, PixelFormat] = {
    format_.name: format_
    for format_ in (
        PixelFormat("yuv420p", 8, 1, 1),
        PixelFormat("yuv422p", 8, 1, 0),
        PixelFormat("yuv444p", 8, 0, 0),
        PixelFormat("yuv420p10le", 10, 1, 1),
        PixelFormat("yuv422p10le", 10, 1, 0),
        PixelFormat("yuv444p10le", 10, 0, 0),
    )
}
"""The layouts that kernels and filters work on; the reader converts anything else to the nearest of these."""


@dataclass(frozen=True, slots=True)
class ColourSpec:
    """How code values mean colour, in libav's names for the code points of ITU-T H.273.

    `matrix`: bt709, smpte170m, bt470bg, bt2020nc · `range`: limited, full · `primaries`: bt709, smpte170m,
    bt470bg, bt2020 · `transfer`: bt709, smpte170m, iec61966-2-1, smpte2084 (PQ), arib-std-b67 (HLG).
    `guessed` names the fields that the file did not say and that were assumed.
    """

    matrix: str
    range: str
    primaries: str
    transfer: str
    guessed: tuple[str, ...] = ()

    @property
    def hdr(self) -> bool:
        """Whether the transfer function is a high-dynamic-range one (PQ or HLG)."""
        return self.transfer in ("smpte2084", "arib-std-b67")


@dataclass(frozen=True, slots=True)
class PictureStream:
    """The picture stream of a clip, as an upright viewer sees it.

    `width`, `height` in pixels after `rotation` (degrees clockwise: 0, 90, 180, 270) was applied;
    `coded_width`, `coded_height` as stored. `pixel_aspect` is width ÷ height of one pixel, upright.
    `rate` is the container's nominal rate; the frames' own times decide (see `FrameTimes`).
    `source_format` is the file's own pixel format, `pixel_format` the one its frames are read as.
    `declared_frames` and `declared_seconds` are what the header says, or `None`.
    """

    index: int
    codec: str
    width: int
    height: int
    coded_width: int
    coded_height: int
    rotation: int
    pixel_aspect: Fraction
    source_format: str
    pixel_format: PixelFormat
    colour: ColourSpec
    rate: Fraction
    time_base: Fraction
    interlaced: bool
    alpha: bool
    declared_frames: int | None
    declared_seconds: Fraction | None


@dataclass(frozen=True, slots=True)
class SoundStream:
    """One sound stream of a clip. `declared_seconds` is what the header says, or `None`."""

    index: int
    codec: str
    rate_hz: int
    channels: int
    layout: str
    declared_seconds: Fraction | None


@dataclass(frozen=True)
class Clip(Artifact):
    """One source file that can be read: what its header says, and the digest of its content.

    `digest` is the SHA-256 of the file. `warnings` are sentences for the user about what had to be
    guessed or ignored. `first_frames`: no more of it is seen than these, by a draft or a cut; `None` is all.
    `start_seconds`: it is seen from this time of the container's clock on, its frame `first_frame`; `None`: from
    the first. `file_frames`: how many frames the file has, where a cut uses a part of them. `original`: the file,
    where `path` is but the name of one of several uses that a cut makes of it. `remade`: the file with the pictures
    that an outside tool made of it, which `container` and `picture` describe then, and its digest.
    """

    schema: ClassVar[str] = "postpipe.clip.4"
    path: Path
    digest: str
    size_bytes: int
    container: str
    picture: PictureStream
    sounds: tuple[SoundStream, ...]
    start_timecode: str | None
    warnings: tuple[str, ...]
    first_frames: int | None = None
    start_seconds: Fraction | None = None
    first_frame: int = 0
    file_frames: int | None = None
    original: Path | None = None
    remade: Path | None = None
    remade_digest: str | None = None

    @property
    def file(self) -> Path:
        """The file that it is read from."""
        return self.original or self.path

    @property
    def picture_path(self) -> Path:
        """The file that its pictures are read from; its sound is always that of `file`."""
        return self.remade or self.file

    @property
    def content(self) -> tuple[object, ...]:
        """What is seen and heard of the file, for keys: a part of a take is not the take."""
        parts = (self.digest, self.first_frames, self.start_seconds, self.remade_digest)
        return tuple(part for part in parts if part is not None)


@dataclass(slots=True)
class Frame:
    """One picture. Treat it as read-only: `planes` are views into the decoder's own memory.

    `index` counts from 0 in presentation order; `pts_seconds` is the exact presentation time on the
    container's clock. `planes` are luma, Cb, Cr: 2-D arrays, uint8 or (10-bit) uint16, with any strides,
    upright. `native` is the media layer's own handle, kept alive as long as the planes are. `notes` are what filters
    measured while they made it, by the filter's name; what is made of the frame keeps them.
    """

    index: int
    pts_seconds: Fraction
    planes: tuple[Plane, Plane, Plane]
    pixel_format: PixelFormat
    colour: ColourSpec
    native: Any = field(default=None, repr=False)
    damaged: bool = False
    notes: Mapping[str, tuple[float, ...]] = field(default_factory=dict, repr=False)

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.planes[0].shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.planes[0].shape[0])


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """A run of sound: `samples` is float32, shape `(samples, channels)`, full scale ±1.

    `start_sample` counts from the start of the stretch that was asked for, at `rate_hz`.
    """

    start_sample: int
    rate_hz: int
    samples: NDArray[np.float32]
