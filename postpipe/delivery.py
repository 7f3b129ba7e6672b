"""The decisions that shape a delivery: which takes, in what format, frame for frame, and what came of them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from postpipe.edit import Blend, Edit, Event, stretches
from postpipe.model import Artifact, ColourSpec, Facts, PixelFormat, Remark
from postpipe.timing import Position, format_timecode, is_drop_frame, parse_timecode, round_half_up

VideoCodec = Literal["h264", "h265", "lossless", "prores", "dnxhr"]
SoundCodec = Literal["aac", "pcm_s16le", "pcm_s24le"]


@dataclass(frozen=True)
class FrameTimes(Artifact):
    """When each decoded frame of a clip is shown.

    `pts`: int64, shape `(frames,)`, in units of `time_base` seconds, strictly increasing.
    `last_duration`: how long the last frame stays, in the same units. `damaged`: indices of frames that
    the decoder reported as damaged. `rate`: frames per second, exact where the frames are evenly spaced.
    """

    schema: ClassVar[str] = "postpipe.frame-times.1"
    time_base: Fraction
    pts: NDArray[np.int64]
    last_duration: int
    rate: Fraction
    vfr: bool
    damaged: tuple[int, ...]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.pts)

    def seconds(self, index: int) -> Fraction:
        """Return the presentation time of frame `index` on the container's clock."""
        return int(self.pts[index]) * self.time_base

    @property
    def duration_seconds(self) -> Fraction:
        """From the start of the first frame to the end of the last."""
        return (int(self.pts[-1]) - int(self.pts[0]) + self.last_duration) * self.time_base

    def frame_at(self, position: Position, start_timecode: str | None = None) -> int:
        """Return the frame that is on screen at a place in the clip; `frames` for its end and what lies behind.

        `start_timecode` is the clip's own. Raises `ValueError` for a timecode before it, or of another rate.
        """
        if position.frame is not None:
            return min(position.frame, self.frames)
        if position.timecode is not None:
            start = parse_timecode(start_timecode, self.rate) if start_timecode else 0
            number = parse_timecode(position.timecode, self.rate) - start
            if number < 0:
                raise ValueError(f"{position.timecode} lies before the clip, which starts at {start_timecode}")
            if not self.vfr:
                return min(number, self.frames)  # whatever the time base did to the times
            seconds = number / self.rate
        else:
            seconds = position.seconds or Fraction(0)
        if seconds >= self.duration_seconds:
            return self.frames
        # in whole ticks, exactly; a place between two ticks shows what the earlier one does
        ticks = seconds / self.time_base
        limit = int(self.pts[0]) + ticks.numerator // ticks.denominator
        return max(0, int(np.searchsorted(self.pts, limit, side="right")) - 1)

    def timecode(self, index: int, start_timecode: str | None = None) -> str:
        """Return the timecode of frame `index`, which names it in `frame_at`; of a variable rate, the next whole one.

        `start_timecode` is the clip's own; one that does not fit the rate counts as none.
        """
        start = 0
        if start_timecode:
            with contextlib.suppress(ValueError):
                start = parse_timecode(start_timecode, self.rate)
        number = math.ceil((self.seconds(index) - self.seconds(0)) * self.rate) if self.vfr else index
        drop = start_timecode is not None and is_drop_frame(start_timecode)
        return format_timecode(start + number, self.rate, drop=drop)


@dataclass(frozen=True, slots=True)
class Shot:
    """A run of frames between two changes of the picture, `first` to `last`; every frame is in exactly one shot.

    `entry`: how the shot begins. The frames of a dissolve or fade belong to the shot that they lead to: its first
    `entry_frames`; a cut has none, or one or two that show both shots where converting the rate smeared it.
    `exit_frames`: those of a fade-out at the end of the clip, else 0.
    """

    first: int
    last: int
    entry: Literal["start", "cut", "dissolve", "fade"]
    entry_frames: int = 0
    exit_frames: int = 0


@dataclass(frozen=True)
class Shots(Facts):
    """The shots within a take, in order. Nothing that is followed over time may be followed across their edges."""

    schema: ClassVar[str] = "postpipe.shots.1"
    name: ClassVar[str] = "shots"
    shots: tuple[Shot, ...]

    def summary(self) -> list[dict[str, Any]]:
        """Return each shot's first and last frame, and how it begins."""
        return [
            {"first": shot.first, "last": shot.last, "entry": shot.entry, "entry_frames": shot.entry_frames}
            for shot in self.shots
        ]

    def remarks(self) -> tuple[Remark, ...]:
        """Return where a new shot begins within the take."""
        later = (shot for shot in self.shots if shot.entry != "start")
        return tuple(
            Remark(shot.entry, "a new shot within the take", shot.first, shot.first + max(0, shot.entry_frames - 1))
            for shot in later
        )


@dataclass(frozen=True)
class Cadence(Artifact):
    """Which source frame is shown as each frame of a whole take at the project's rate.

    `source`: int64, shape `(delivered frames,)`, never decreasing, indices of source frames. `rate`:
    delivered frames per second. `start_seconds`: the container time at which delivered frame 0 starts.
    """

    schema: ClassVar[str] = "postpipe.cadence.1"
    rate: Fraction
    source: NDArray[np.int64]
    start_seconds: Fraction

    @property
    def frames(self) -> int:
        """Number of delivered frames."""
        return len(self.source)

    @property
    def plain(self) -> bool:
        """Whether every source frame is shown once, in order."""
        return bool(np.array_equal(self.source, np.arange(len(self.source))))

    @classmethod
    def of(cls, times: FrameTimes, rate: Fraction) -> Cadence:
        """Map a whole clip to an even rate: each delivered frame shows what is on screen at its middle.

        For a clip that already has that rate every frame is shown once; a slower one repeats frames, a faster
        one drops some, and a variable one is sampled where it stands.
        """
        frames = max(1, round_half_up(times.duration_seconds * rate))
        start = int(times.pts[0])
        tick = times.time_base * rate  # delivered frames per tick
        # frame n is on screen at the middle of k when (pts[n] - start) * tick <= k + 1/2, in integers:
        ends = np.arange(frames, dtype=np.int64) * 2 + 1
        limits = [int(end) * tick.denominator // (2 * tick.numerator) + start for end in ends]
        source = np.searchsorted(times.pts, np.array(limits, np.int64), side="right") - 1
        return cls(rate=rate, source=source.astype(np.int64), start_seconds=times.seconds(0))

    def frame_of(self, source: int) -> int:
        """Return the first delivered frame that shows source frame `source` or a later one."""
        return int(np.searchsorted(self.source, source, side="left"))


@dataclass(frozen=True)
class TimeMap(Artifact):
    """Which frames of a take are delivered, and what each shows; sound, stills and markers read only it.

    Delivered frames are counted from the start of the whole take (see `Cadence`), so that a trim moves no
    number. `first` to `end` (exclusive) are seen; `head` and `tail` more at either side are rendered as handles.
    """

    schema: ClassVar[str] = "postpipe.time-map.2"
    cadence: Cadence
    first: int
    end: int
    head: int = 0
    tail: int = 0

    @property
    def rate(self) -> Fraction:
        """Delivered frames per second."""
        return self.cadence.rate

    @property
    def source(self) -> NDArray[np.int64]:
        """The source frame that each delivered frame of the whole take shows."""
        return self.cadence.source

    @property
    def frames(self) -> int:
        """Number of frames that are seen."""
        return self.end - self.first

    @property
    def seen(self) -> range:
        """The frames that are seen."""
        return range(self.first, self.end)

    @property
    def rendered(self) -> range:
        """The frames that are rendered: those seen, and the handles."""
        return range(self.first - self.head, self.end + self.tail)

    def seconds(self, frame: int) -> Fraction:
        """Return the container time at which a delivered frame starts; sound is taken from there."""
        return self.cadence.start_seconds + frame / self.rate


@dataclass(frozen=True)
class TakeName(Artifact):
    """The scene and take that a file name says; `take` is `None` where the name has no number."""

    schema: ClassVar[str] = "postpipe.take-name.1"
    scene: str
    take: int | None


@dataclass(frozen=True)
class Admission(Artifact):
    """A take that can be delivered."""

    schema: ClassVar[str] = "postpipe.admission.1"


@dataclass(frozen=True, slots=True)
class Choice:
    """One scene of the sequence: its takes from best to worst, and the one that is delivered."""

    scene: str
    ranked: tuple[Path, ...]
    selected: Path


@dataclass(frozen=True)
class Selection(Artifact):
    """The scenes, each with its takes; `Edit` says in which order they are joined."""

    schema: ClassVar[str] = "postpipe.selection.1"
    scenes: tuple[Choice, ...]

    @property
    def selected(self) -> tuple[Path, ...]:
        """The delivered takes, in the natural order of their scenes."""
        return tuple(choice.selected for choice in self.scenes)

    def scene(self, label: str) -> str | None:
        """Return the scene that a key of the settings means, or `None`."""
        return next((choice.scene for choice in self.scenes if choice.scene in scene_names(label)), None)


def scene_names(label: str) -> tuple[str, ...]:
    """Return the scenes that a key of the settings can mean: by the name, or by the number alone."""
    return (label, f"scene{int(label):02d}") if label.isdecimal() else (label,)


@dataclass(frozen=True)
class ProjectFormat(Artifact):
    """What every delivered picture conforms to. Sizes in pixels (square), rate in frames per second."""

    schema: ClassVar[str] = "postpipe.project-format.1"
    width: int
    height: int
    rate: Fraction
    fit: str
    pixel_format: PixelFormat
    colour: ColourSpec


@dataclass(frozen=True)
class Encoding(Artifact):
    """How delivered pictures and sound are encoded; `threads` is part of it because it changes the bytes."""

    schema: ClassVar[str] = "postpipe.encoding.1"
    video_codec: VideoCodec
    pixel_format: PixelFormat
    container: str
    options: dict[str, str]
    threads: int
    unit_seconds: Fraction
    sound_codec: SoundCodec
    sound_rate_hz: int
    sound_channels: int
    sound_options: dict[str, str]


@dataclass(frozen=True)
class CopyPlan(Artifact):
    """Which takes may be copied instead of encoded, by their path.

    `groups`: the frames on which closed groups of pictures begin; `reasons`: why the others are encoded.
    `parameter_set_id` is left to the encoder, so that copied and encoded pictures can stand in one track.
    """

    schema: ClassVar[str] = "postpipe.copy-plan.1"
    groups: dict[str, tuple[int, ...]]
    reasons: dict[str, str]
    parameter_set_id: int


@dataclass(frozen=True, slots=True)
class Fix:
    """What became of one fix on one take: measured before, measured again after, kept or rolled back."""

    stage: str
    parameters: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    kept: bool


@dataclass(frozen=True, slots=True)
class Unit:
    """A rendered stretch of one clip in the store: `key` names it; delivered frames `first` to `end` (exclusive)."""

    key: str
    first: int
    end: int

    @property
    def frames(self) -> int:
        """Number of delivered frames."""
        return self.end - self.first


@dataclass(frozen=True)
class RenderedClip(Artifact):
    """A take as it was rendered: its units in order and what became of each fix.

    `ends`: the frames that it shares with its neighbours, finished but not yet encoded for delivery (lossless).
    `copied`: how many frames are the source's own packets; `encoded_because`: why not all, where that was asked for.
    """

    schema: ClassVar[str] = "postpipe.rendered-clip.3"
    units: tuple[Unit, ...]
    fixes: tuple[Fix, ...]
    ends: tuple[Unit, ...] = ()
    copied: int = 0
    encoded_because: str | None = None

    def between(self, first: int, end: int) -> tuple[Unit, ...]:
        """Return the units that make up delivered frames `first` to `end` (exclusive)."""
        return tuple(unit for unit in self.units if first <= unit.first and unit.end <= end)


@dataclass(frozen=True)
class RenderedBlends(Artifact):
    """The transitions as they were rendered: one unit for each of `Edit.blends`."""

    schema: ClassVar[str] = "postpipe.rendered-blends.1"
    units: tuple[Unit, ...]


def film_units(
    film: Iterable[Event], rendered: Mapping[Path, RenderedClip], edit: Edit, blends: RenderedBlends
) -> tuple[Unit, ...]:
    """Return the units that the picture of a film is made of, in order."""
    transitions = dict(zip(edit.blends, blends.units, strict=True))
    units: list[Unit] = []
    for piece in stretches(film):
        if isinstance(piece, Blend):
            units.append(transitions[piece])
        else:
            units += rendered[piece.path].between(piece.first, piece.end)
    return tuple(units)


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A delivered file: where it is below OUT, and its content."""

    path: str
    digest: str
