"""The decisions that shape a delivery: which takes, in what format, frame for frame, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from postpipe.model import Artifact, ColourSpec, Facts, PixelFormat
from postpipe.timing import Position, parse_timecode, round_half_up

VideoCodec = Literal["h264", "h265", "prores", "dnxhr"]
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
            seconds = number / self.rate
        else:
            seconds = position.seconds or Fraction(0)
        if seconds >= self.duration_seconds:
            return self.frames
        # in whole ticks, exactly; a place between two ticks shows what the earlier one does
        ticks = seconds / self.time_base
        limit = int(self.pts[0]) + ticks.numerator // ticks.denominator
        return max(0, int(np.searchsorted(self.pts, limit, side="right")) - 1)


@dataclass(frozen=True, slots=True)
class Shot:
    """A run of frames between two changes of the picture, `first` to `last`; every frame is in exactly one shot.

    `entry`: how the shot begins. The frames of a dissolve or fade belong to the shot that they lead to: its first
    `entry_frames`. `exit_frames`: those of a fade-out at the end of the clip, else 0.
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


@dataclass(frozen=True)
class TimeMap(Artifact):
    """Which source frame is shown as each delivered frame of a clip; sound, stills and markers read only it.

    `source`: int64, shape `(delivered frames,)`, never decreasing, indices of source frames. `rate`:
    delivered frames per second. `start_seconds`: the container time at which delivered frame 0 starts;
    sound is taken from there.
    """

    schema: ClassVar[str] = "postpipe.time-map.1"
    rate: Fraction
    source: NDArray[np.int64]
    start_seconds: Fraction

    @property
    def frames(self) -> int:
        """Number of delivered frames."""
        return len(self.source)

    @property
    def duration_seconds(self) -> Fraction:
        """Exact length of the delivered picture."""
        return self.frames / self.rate

    @classmethod
    def regular(cls, times: FrameTimes, rate: Fraction) -> TimeMap:
        """Map a whole clip to an even rate: each delivered frame shows what is on screen at its middle.

        For a clip that already has that rate this is the identity; a slower one repeats frames, a faster
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
    """The scenes in the order in which they are joined."""

    schema: ClassVar[str] = "postpipe.selection.1"
    scenes: tuple[Choice, ...]

    @property
    def selected(self) -> tuple[Path, ...]:
        """The delivered takes in order."""
        return tuple(choice.selected for choice in self.scenes)


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
    """A rendered stretch of one clip in the store: `key` names it, `frames` delivered frames long."""

    key: str
    frames: int


@dataclass(frozen=True)
class RenderedClip(Artifact):
    """A take as it was rendered: its units in order and what became of each fix."""

    schema: ClassVar[str] = "postpipe.rendered-clip.1"
    units: tuple[Unit, ...]
    fixes: tuple[Fix, ...]

    @property
    def frames(self) -> int:
        """Number of delivered frames."""
        return sum(unit.frames for unit in self.units)


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A delivered file: where it is below OUT, and its content."""

    path: str
    digest: str


@dataclass(frozen=True)
class ClipFile(Artifact):
    """The finished picture and sound of one selected take, `clips/<stem>.mp4`.

    `warnings` are sentences about places where its sound was missing or damaged, and silence was put in.
    """

    schema: ClassVar[str] = "postpipe.clip-file.1"
    files: tuple[OutputFile, ...]
    frames: int
    sound_samples: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Sequence(Artifact):
    """The joined sequence. `loudness_lufs` and `true_peak_dbtp` are `None` where there is only silence."""

    schema: ClassVar[str] = "postpipe.sequence.1"
    files: tuple[OutputFile, ...]
    frames: int
    rate: Fraction
    audio_samples: int
    loudness_lufs: float | None
    true_peak_dbtp: float | None
