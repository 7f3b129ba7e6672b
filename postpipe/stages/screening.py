"""Screening for viewers with photosensitive epilepsy, of each take and of the finished sequence. It certifies nothing.

The rules are those of ITU-R BT.1702-2 and of WCAG 2.1, success criterion 2.3.1 (three flashes or below threshold).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from postpipe.delivery import FrameTimes, ProjectFormat, RenderedBlends, RenderedClip, film_units
from postpipe.edit import Edit
from postpipe.engine.stage import Each, PerUnit, Task
from postpipe.model import Facts, SequenceFacts
from postpipe.stages.flashes import PERMITTED, SECOND, FlashCount, FlashCounter, FlashTrack

NOTE = "screening, not certification"
Outcome = Literal["pass", "warn", "fail"]
FREQUENT = 4  # changes in a second: two flashes; three are permitted, but not for long
LASTING_SECONDS = Fraction(4)  # with two or three flashes in each second,
WINDOW_SECONDS = Fraction(5)  # within this time: flashing that lasts is a risk of its own (BT.1702, annex 1)


@dataclass(frozen=True, slots=True)
class Rule:
    """What came of one rule. `frames`: stretches in which the flashes lie that break it, as (first, last)."""

    result: Outcome
    frames: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of all rules.

    `general`, `red`: more than three flashes in a second on a quarter of the screen (BT.1702), `warn` from two on.
    `lasting`: two or three flashes a second for most of five seconds. `field`: more than three flashes in a second
    that fill a quarter of some field of 10 degrees, 341 × 256 pixels of a screen of 1024 × 768 (WCAG).
    `most_general`, `most_red`: most flashes in one second.
    """

    general: Rule
    red: Rule
    lasting: Rule
    field: Rule
    most_general: float
    most_red: float

    @property
    def result(self) -> Outcome:
        """The worst of all rules."""
        results = {rule.result for rule in (self.general, self.red, self.lasting, self.field)}
        return next(result for result in ("fail", "warn", "pass") if result in results)

    def summary(self) -> dict[str, Any]:
        """Return the rules by name, and the findings in words."""
        shown: dict[str, Any] = {"note": NOTE, "result": self.result}
        for name in ("general", "red", "lasting", "field"):
            rule: Rule = getattr(self, name)
            shown[name] = {"result": rule.result, "frames": [list(stretch) for stretch in rule.frames]}
        shown["general"]["most_flashes_per_second"] = self.most_general
        shown["red"]["most_flashes_per_second"] = self.most_red
        return shown | {"words": list(self.words())}

    def words(self) -> Iterator[str]:
        """Yield a sentence for each rule that is broken."""
        kinds = (self.general, self.most_general, "flashes"), (self.red, self.most_red, "red flashes")
        for rule, most, what in kinds:
            if rule.result == "fail":
                limit = "more than three (ITU-R BT.1702, WCAG 2.1)"
                yield f"{most:g} {what} in a second, frames {_stretches(rule)}: {limit}"
        if self.lasting.result == "fail":
            yield f"flashing goes on for more than 4 s, frames {_stretches(self.lasting)} (ITU-R BT.1702)"
        if self.field.result == "fail" and self.general.result != "fail" and self.red.result != "fail":
            yield f"a small part flashes more than three times in a second, frames {_stretches(self.field)} (WCAG 2.1)"


def _stretches(rule: Rule) -> str:
    shown = [f"{first}–{last}" for first, last in rule.frames[:3]]
    return ", ".join(shown) + (" …" if len(rule.frames) > 3 else "")


def judge(track: FlashTrack, pts: NDArray[np.int64], time_base: Fraction, last_duration: int) -> Verdict:
    """Return what came of the rules; `pts` are the times of the track's frames, as in `FrameTimes`."""

    def within(seconds: Fraction) -> NDArray[np.int64]:
        """Return, for each frame, the first one that is less than `seconds` before it, in whole ticks."""
        ticks = seconds / time_base
        return np.searchsorted(pts * ticks.denominator, pts * ticks.denominator - ticks.numerator, side="right")

    def stretches(broken: NDArray[np.bool_], before: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
        merged: list[tuple[int, int]] = []
        for last in np.flatnonzero(broken).tolist():
            first = int(before[last])
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = merged[-1][0], last
            else:
                merged.append((first, last))
        return tuple(merged)

    second, window = within(SECOND), within(WINDOW_SECONDS)
    durations = np.append(np.diff(pts), last_duration)
    lasting = np.zeros(len(pts), np.bool_)
    for changes in (track.general, track.red):
        frequent = (changes >= FREQUENT) & (changes <= PERMITTED)
        passed = np.concatenate(([0], np.cumsum(np.where(frequent, durations, 0))))
        lasting |= frequent & ((passed[1:] - passed[window]) * time_base >= LASTING_SECONDS)

    def rule(changes: NDArray[np.uint8]) -> Rule:
        if (changes > PERMITTED).any():
            return Rule("fail", stretches(changes > PERMITTED, second))
        frequent = changes >= FREQUENT
        return Rule("warn" if frequent.any() else "pass", stretches(frequent, second))

    def plain(broken: NDArray[np.bool_], before: NDArray[np.int64]) -> Rule:
        return Rule("fail" if broken.any() else "pass", stretches(broken, before))

    return Verdict(
        general=rule(track.general),
        red=rule(track.red),
        lasting=plain(lasting, window),
        field=plain((track.general_field | track.red_field) > 0, second),
        most_general=int(track.general.max(initial=0)) / 2,
        most_red=int(track.red.max(initial=0)) / 2,
    )


@dataclass(frozen=True)
class Screening(Facts):
    """What screening for photosensitive viewers found in a take; `verdict` is `None` for HDR, which is not measured."""

    schema: ClassVar[str] = "postpipe.screening.1"
    name: ClassVar[str] = "screening"
    verdict: Verdict | None

    def summary(self) -> dict[str, Any]:
        """Return the rules by name."""
        if self.verdict is None:
            return {"note": NOTE, "result": None, "words": ["flashes of HDR pictures are not measured"]}
        return self.verdict.summary()


@dataclass(frozen=True)
class ScreenTake(Task):
    """Judge the flashes of a take."""

    id: ClassVar[str] = "screening"
    summary: ClassVar[str] = "flashes that may harm photosensitive viewers (screening, not certification)"

    def run(self, track: FlashTrack, times: FrameTimes) -> Screening:
        """Return the verdict."""
        if not len(track.general):
            return Screening(None)
        return Screening(judge(track, times.pts, times.time_base, times.last_duration))


# The finished sequence


@dataclass(frozen=True)
class SequenceScreening(SequenceFacts):
    """What screening found in the delivered pictures, one after the other; frames count from the sequence's first."""

    schema: ClassVar[str] = "postpipe.sequence-screening.1"
    name: ClassVar[str] = "screening"
    verdict: Verdict

    def summary(self) -> dict[str, Any]:
        """Return the rules by name."""
        return self.verdict.summary()

    def warnings(self) -> tuple[str, ...]:
        """Say what is broken: whoever publishes must know."""
        return tuple(f"may harm photosensitive viewers: {words} ({NOTE})" for words in self.verdict.words())


@dataclass(frozen=True)
class ScreenSequence(Task):
    """Judge the flashes of the whole sequence, with those that joins make."""

    id: ClassVar[str] = "sequence_screening"
    summary: ClassVar[str] = "flashes of the whole sequence, across joins (screening, not certification)"
    scope: ClassVar[str] = "project"
    stored: ClassVar[bool] = True

    def run(
        self,
        edit: Edit,
        rendered: Each[RenderedClip],
        blends: RenderedBlends,
        tracks: PerUnit[FlashTrack],
        project: ProjectFormat,
    ) -> SequenceScreening:
        """Return the verdict on the delivered frames in order, transitions as they are rendered."""
        units = [unit for film in edit.films for unit in film_units(film, rendered, edit, blends)]
        track = joined_track([tracks[unit.key] for unit in units], project)
        frames = np.arange(len(track.general), dtype=np.int64)
        return SequenceScreening(judge(track, frames, 1 / project.rate, 1))


def joined_track(parts: Sequence[FlashTrack], project: ProjectFormat) -> FlashTrack:
    """Return one track for units that are shown one after the other.

    Each was counted from its own first frame on. In the second after a join the flashes on both sides count: there
    the pictures of the second before and after are followed once more, at the few cells that are kept of them.
    """
    starts = list(itertools.accumulate((len(part.general) for part in parts), initial=0))
    counts = {name: np.concatenate([getattr(part, name) for part in parts]) for name in FlashCount._fields}
    kept: dict[int, NDArray[Any]] = {}
    for part, start, end in zip(parts, starts, starts[1:], strict=False):
        kept |= dict(enumerate(part.opening, start))
        kept |= dict(enumerate(part.closing, end - len(part.closing)))
    joins, known = np.array(starts[1:-1]), np.array(sorted(kept), np.int64)
    for stretch in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        _, *shape = kept[int(stretch[0])].shape
        width, height = Fraction(project.width), Fraction(project.height)
        counter = FlashCounter((shape[0], shape[1]), width, height, project.pixel_format.bits, project.colour)
        for index in stretch.tolist():
            luma, blue, red = kept[index]
            count = counter.step((luma, blue, red), index / project.rate)
            if ((stretch[0] < joins) & (joins <= index) & (index < joins + project.rate)).any():
                for name, value in count._asdict().items():
                    counts[name][index] = max(counts[name][index], value)
    return FlashTrack(**counts, opening=parts[0].opening, closing=parts[-1].closing)


STAGES = (ScreenTake, ScreenSequence)
