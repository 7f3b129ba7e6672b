"""A cut that was made in an editing program, conformed: which stretch of which file is seen when."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import numpy as np

from postpipe.delivery import Cadence, FrameTimes, OutputFile
from postpipe.model import Artifact, Clip
from postpipe.timing import round_half_up

HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Use:
    """One clip of a timeline, found in a file. Times are exact, in seconds.

    `number` is that of the clip among those that are seen of the timeline. `path` is the clip in this run (see
    `Clip.original`), `label` its scene. It is seen from `start_seconds` to
    `end_seconds` of the film, with what it shares in a dissolve; `dissolve_in_seconds` of it with the use before.
    `at_seconds`: from the first frame that is read of the file to the one that is seen at its start. `speed`: seconds
    of the file for a second of the film; 0 stands still. A `silent` use is not heard.
    """

    number: int
    path: Path
    label: str
    start_seconds: Fraction
    end_seconds: Fraction
    at_seconds: Fraction
    speed: Fraction = Fraction(1)
    dissolve_in_seconds: Fraction = Fraction(0)
    fade_in_seconds: Fraction = Fraction(0)
    fade_out_seconds: Fraction = Fraction(0)
    silent: bool = False

    def head(self, rate: Fraction) -> int:
        """Return how many delivered frames of the file lie before the first one that is seen."""
        return math.floor(self.at_seconds * rate / self.speed + HALF) if self.speed else 0

    def cadence(self, times: FrameTimes, rate: Fraction) -> Cadence:
        """Return which frames are shown, on a grid that begins a frame exactly where the use begins.

        Each delivered frame shows what is on screen in the file at its middle. Of a picture that stands still there
        are as many as are seen.
        """
        head = self.head(rate)
        if self.speed:
            tail = math.ceil((times.duration_seconds - self.at_seconds) * rate / self.speed - HALF)
            middle = self.speed / (2 * rate)
        else:
            tail = round_half_up((self.end_seconds - self.start_seconds) * rate)
            middle = 1 / (2 * times.rate)
        first = self.at_seconds - head * self.speed / rate
        start, step = int(times.pts[0]) + (first + middle) / times.time_base, self.speed / rate / times.time_base
        shown = [math.floor(start + number * step) for number in range(head + max(1, tail))]
        source = np.searchsorted(times.pts, np.array(shown, np.int64), side="right") - 1
        return Cadence(rate, np.clip(source, 0, times.frames - 1).astype(np.int64), times.seconds(0) + first)


@dataclass(frozen=True)
class Conformed(Artifact):
    """The picture of a timeline: its uses in order, and the clips that they are of.

    `source` is the timeline's file, `content` what was read of it, `rate` its frames per second. `clips` are seen no
    further than the uses and their handles go. `missing`: clips of which no file was found, with what is wrong and what
    to do; their place stays black. `notes`: sentences about what the timeline holds and is not carried over.
    """

    schema: ClassVar[str] = "postpipe.conformed.2"
    source: Path
    content: bytes
    rate: Fraction
    uses: tuple[Use, ...]
    clips: tuple[Clip, ...]
    missing: dict[str, str]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file name of the timeline."""
        return self.source.name

    @property
    def files(self) -> list[Path]:
        """Every clip by its name in this run, those that were not found last."""
        return [*(clip.path for clip in self.clips), *map(Path, self.missing)]

    def use(self, path: Path) -> Use | None:
        """Return the use that a clip of this run is, or `None`."""
        return next((use for use in self.uses if use.path == path), None)


@dataclass(frozen=True)
class RelinkedTimeline(Artifact):
    """The timeline that came in, pointing at the finished clips; `notes` say what its format cannot carry."""

    schema: ClassVar[str] = "postpipe.relinked-timeline.1"
    files: tuple[OutputFile, ...]
    notes: tuple[str, ...]
