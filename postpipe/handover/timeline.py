"""The timeline that goes to an editor, and comes back from one: a film in whole frames.

This is what every format is written from and read into. `postpipe.handover.otio` makes an OpenTimelineIO timeline of
it and back, and says how each thing is kept there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from postpipe.look import Cdl
from postpipe.timing import format_timecode


@dataclass(frozen=True, slots=True)
class Media:
    """A media file. `start` is its first frame's timecode as a number of frames at `rate`, `frames` its length.

    `url` is absolute; `file` its place below the delivery folder, or `None`. `size` is width and height in pixels,
    `sound` the sampling rate in Hz and the number of channels; `None`: not known, or none.
    """

    name: str
    url: str
    rate: Fraction
    frames: int
    start: int = 0
    drop: bool = False
    file: str | None = None
    size: tuple[int, int] | None = None
    sound: tuple[int, int] | None = None

    @property
    def path(self) -> Path:
        """The file that `url` names."""
        return url_path(self.url)

    @property
    def start_timecode(self) -> str:
        """The timecode of the first frame."""
        return format_timecode(self.start, self.rate, drop=self.drop)


@dataclass(frozen=True, slots=True)
class Mark:
    """A marker: `frame` counts from the first of the media or the timeline. `colour` is OpenTimelineIO's name."""

    frame: int
    frames: int
    name: str
    comment: str = ""
    colour: str = "GREEN"


@dataclass(frozen=True, slots=True)
class ClipLook:
    """The look of a clip: a CDL, and files below the delivery folder. `baked`: the media has it already."""

    cdl: Cdl
    cdl_delta_e: float = 0.0
    cube: str | None = None
    cdl_file: str | None = None
    baked: bool = False


@dataclass(frozen=True, slots=True)
class Dissolve:
    """A transition around a cut: so many frames `before` it and `after` it."""

    before: int
    after: int

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.before + self.after


@dataclass(frozen=True, slots=True)
class Cut:
    """A clip in a track, from frame `start` to `end` (exclusive) of the timeline.

    `first` is the frame of the media, counted from its first and at its own rate, that is seen at `start`; a fraction
    where the rates differ and no frame begins there. `dissolve_in` and `dissolve_out` are shared with the neighbours;
    `fade_in` and `fade_out` frames come out of black and go into it.
    """

    name: str
    media: Media
    start: int
    end: int
    first: Fraction
    dissolve_in: Dissolve | None = None
    dissolve_out: Dissolve | None = None
    fade_in: int = 0
    fade_out: int = 0
    look: ClipLook | None = None
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    scene: str = ""
    take: str = ""
    reel: str = ""

    @property
    def frames(self) -> int:
        """Frames of the timeline from cut to cut."""
        return self.end - self.start

    @property
    def before(self) -> int:
        """Frames that are seen before `start`, in a dissolve."""
        return self.dissolve_in.before if self.dissolve_in else 0

    @property
    def after(self) -> int:
        """Frames that are seen after `end`, in a dissolve."""
        return self.dissolve_out.after if self.dissolve_out else 0

    @property
    def heard(self) -> Cut:
        """The same without what is said of its picture: equal for picture and sound that are cut and joined alike."""
        return replace(self, look=None, marks=(), notes=())


@dataclass(frozen=True, slots=True)
class Lane:
    """A track, with its cuts in order; what lies between them is empty."""

    name: str
    cuts: tuple[Cut, ...]


@dataclass(frozen=True)
class Film:
    """A timeline in whole frames. `start` is the timecode of its first frame as a number of frames.

    `folder` is the delivery that names of looks stand below, where it is known.
    `losses` are sentences about what stands in the OpenTimelineIO timeline and could not be read.
    """

    name: str
    rate: Fraction
    start: int
    drop: bool
    frames: int
    pictures: tuple[Lane, ...]
    sounds: tuple[Lane, ...]
    size: tuple[int, int] = (1920, 1080)
    sound: tuple[int, int] = (48000, 2)
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    folder: Path | None = field(default=None, compare=False)
    losses: tuple[str, ...] = field(default=(), compare=False)

    @property
    def media(self) -> tuple[Media, ...]:
        """Every media file once, in the order of its first use."""
        lanes = (*self.pictures, *self.sounds)
        return tuple(dict.fromkeys(cut.media for lane in lanes for cut in lane.cuts))

    def timecode(self, frame: int) -> str:
        """Return the timecode of a frame of the timeline."""
        return format_timecode(self.start + frame, self.rate, drop=self.drop)


# URLs


_DRIVE = re.compile(r"^/?[A-Za-z]:[/\\]")


def url_path(url: str) -> Path:
    """Return the file that a `file:` URL, or a bare path, names."""
    if url.startswith("file:"):
        parts = urlsplit(url)
        text = unquote(parts.path)
        return Path(url2pathname(parts.path)) if not _DRIVE.match(text) else Path(text.lstrip("/"))
    return Path(unquote(url)) if "%" in url and not Path(url).exists() else Path(url)
