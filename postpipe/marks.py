"""The nouns of marks: what generators and makers put on a picture, visibly or hidden in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from postpipe.model import Artifact, Clip, Facts, FilmFacts, Frame


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright picture; `right` and `bottom` are outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """Pixels in it."""
        return max(0, self.right - self.left) * max(0, self.bottom - self.top)

    def overlap(self, other: Box) -> float:
        """Return intersection over union, 0 to 1."""
        inside = Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )
        both = self.area + other.area - inside.area
        return inside.area / both if both and inside.right > inside.left and inside.bottom > inside.top else 0.0


@dataclass(frozen=True, slots=True)
class Likeness:
    """How a patch of a picture resembles the pattern of a mark.

    `alike`: their correlation, −1 to 1. `strength`: how much of the pattern is in it, 1 being all; `fine`: the same
    of its detail alone.
    """

    alike: float
    strength: float
    fine: float


@dataclass(frozen=True, slots=True)
class MarkRegion:
    """Where a mark is seen from frame `first` to `last` (inclusive); `confidence` from 0 to 1.

    `pattern`: the mark as it lies over the picture there, float32, mean 0, shape `(rows, columns)`: the box at
    1/`shrink` of the picture, in 8-bit code values. It is what is looked for again after rendering; `own`: how the
    take's own pictures resemble it.
    """

    box: Box
    first: int
    last: int
    confidence: float
    pattern: NDArray[np.float32]
    shrink: int
    own: Likeness


@dataclass(frozen=True, slots=True)
class VisibleMark:
    """One mark: `static` in one place, or `moving` from place to place; its regions in order of time."""

    kind: Literal["static", "moving"]
    regions: tuple[MarkRegion, ...]

    @property
    def confidence(self) -> float:
        """That of its surest region."""
        return max(region.confidence for region in self.regions)


@dataclass(frozen=True)
class VisibleMarks(Artifact):
    """The visible marks of a take. `still_share`: of the picture, where nothing moves and none could be told."""

    schema: ClassVar[str] = "postpipe.visible-marks.1"
    marks: tuple[VisibleMark, ...]
    still_share: float


MOSTLY_STILL = 0.5
"""From this share of the picture on, nothing found says little."""

STILL_NOTE = "much of the picture stands still: a mark that stays in place there may not be told from what is filmed"


@dataclass(frozen=True, slots=True)
class SoftBinding:
    """A hidden mark as C2PA's soft binding names it.

    `algorithm`: its name, in the form of C2PA's list of soft binding algorithms. `value`: the payload in hexadecimal
    digits. `first`, `last`: the frames that it was read from, or written to.
    """

    algorithm: str
    value: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class HiddenMark:
    """A hidden mark that a detector has found: `words` say whose it is, `confidence` from 0 to 1."""

    binding: SoftBinding
    words: str
    confidence: float


@dataclass(frozen=True)
class HiddenMarks(Artifact):
    """The hidden marks of a take, or of a rendered unit. `looked_for`: the names of the detectors that looked."""

    schema: ClassVar[str] = "postpipe.hidden-marks.1"
    marks: tuple[HiddenMark, ...]
    looked_for: tuple[str, ...]


UNCHECKABLE = ("SynthID",)
"""Hidden marks that are in use, and that only their makers can read."""


class DetectorPass(Protocol):
    """One detector at work on one clip."""

    def step(self, frame: Frame) -> None:
        """Take in the next of the frames that it is shown; its planes are valid during the call only."""

    def finish(self) -> Iterable[HiddenMark]:
        """Return the marks found; none where there is doubt."""


class WatermarkDetector(Protocol):
    """Looks for one kind of hidden mark: what the entry-point group `postpipe.watermarks` gives by name.

    `name` is what `[watermark] detect` calls it, `rate_hz` how many frames of each second it wants to see. When its
    answers change, raise the version of its distribution: that is part of what results are kept under.
    """

    name: str
    rate_hz: float

    def start(self, clip: Clip) -> DetectorPass:
        """Begin with a clip."""


@dataclass(frozen=True)
class Marks(Facts):
    """All marks of a take, visible and hidden."""

    schema: ClassVar[str] = "postpipe.marks.1"
    name: ClassVar[str] = "marks"
    visible: tuple[VisibleMark, ...]
    hidden: tuple[HiddenMark, ...]

    def summary(self) -> list[dict[str, Any]]:
        """Return one entry for each mark."""
        visible: list[dict[str, Any]] = [
            {
                "kind": mark.kind,
                "confidence": round(mark.confidence, 2),
                "regions": [
                    {
                        "first": region.first,
                        "last": region.last,
                        "box": [region.box.left, region.box.top, region.box.right, region.box.bottom],
                        "confidence": round(region.confidence, 2),
                    }
                    for region in mark.regions
                ],
            }
            for mark in self.visible
        ]
        return visible + [
            {
                "kind": "hidden",
                "confidence": round(mark.confidence, 3),
                "algorithm": mark.binding.algorithm,
                "value": mark.binding.value,
                "words": mark.words,
            }
            for mark in self.hidden
        ]


@dataclass(frozen=True)
class MarkSearch(Facts):
    """How far the search for marks went: what it could not tell is as much an answer as what it found."""

    schema: ClassVar[str] = "postpipe.mark-search.1"
    name: ClassVar[str] = "mark_search"
    still_share: float
    looked_for: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """Return what was looked for, and what cannot be told."""
        return {
            "still_share": round(self.still_share, 3),
            "note": STILL_NOTE if self.still_share >= MOSTLY_STILL else None,
            "hidden_looked_for": list(self.looked_for),
            "hidden_cannot_be_checked_here": list(UNCHECKABLE),
        }


DetectorMaker = Callable[[], WatermarkDetector]
"""What an entry point names: called without arguments, it gives the detector."""


@dataclass(frozen=True, slots=True)
class KeptMark:
    """What became of one place of a visible mark: `state`, and how alike it is (0 to 1) and how strong (1: as it was).

    `kept`: there and readable. `lost`: not there, or covered. `altered`: much weaker or blurred. `cropped`: cut off.
    `unchecked`: delivered for less than a second, between the pictures that are kept. `out`: those frames are not
    delivered.
    """

    first: int
    last: int
    state: Literal["kept", "lost", "altered", "cropped", "unchecked", "out"]
    alike: float
    strength: float


@dataclass(frozen=True)
class MarksKept(FilmFacts):
    """What became of a take's marks in the delivered picture.

    `visible`: for each mark, its places. `hidden`: for each hidden mark found in the take, its algorithm, value, and
    whether it is read from the delivered picture too.
    """

    schema: ClassVar[str] = "postpipe.marks-kept.1"
    name: ClassVar[str] = "marks_delivered"
    visible: tuple[tuple[KeptMark, ...], ...]
    hidden: tuple[tuple[str, str, bool], ...]

    def summary(self) -> dict[str, Any]:
        """Return the states by mark."""
        return {
            "visible": [
                [
                    {
                        "first": place.first,
                        "last": place.last,
                        "state": place.state,
                        "alike": round(place.alike, 2),
                        "strength": round(place.strength, 2),
                    }
                    for place in places
                ]
                for places in self.visible
            ],
            "hidden": [
                {"algorithm": algorithm, "value": value, "kept": kept} for algorithm, value, kept in self.hidden
            ],
        }

    def warnings(self) -> tuple[str, ...]:
        """Name what is no longer there: whoever publishes must know."""
        words = {
            "lost": "is not readable in the delivered picture",
            "altered": "is much weaker or blurred in the delivered picture",
            "cropped": "is cut off in the delivered picture",
        }
        found = [
            f"the visible mark in frames {place.first}–{place.last} {words[place.state]}"
            for places in self.visible
            for place in places
            if place.state in words
        ]
        found += [
            f"the hidden mark {algorithm} {value} is not readable in the delivered picture"
            for algorithm, value, kept in self.hidden
            if not kept
        ]
        return tuple(found)
