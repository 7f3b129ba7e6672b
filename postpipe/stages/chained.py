"""Chained clips: the last frame of one take was given to the generator as the first of the next.

At the join the picture then stands still for a frame or a few, and its exposure and white balance often step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from postpipe.delivery import Cadence, ProjectFormat, TimeMap
from postpipe.draft import Draft
from postpipe.edit import Edit, Event, RoughCut
from postpipe.engine.stage import Each, FixFilter, Rendered, Slot, Task, Verdict
from postpipe.model import Clip, SequenceFacts
from postpipe.stages.cuts import SmallPictures
from postpipe.stages.deflicker import BoundDeflicker
from postpipe.stages.join_kinds import AFTER, BEFORE, Kind, meet
from postpipe.stages.join_pictures import LUMA, JoinPictures, delivered_pictures, exposure_step, match, source_pictures
from postpipe.timing import round_half_up

REMEDY = '[chained] duplicates = "drop" takes it out'


@dataclass(frozen=True, slots=True)
class Join:
    """Where two takes meet in the film.

    `kind`, `duplicates`, `step` and `stands_out` as in `join_kinds.Meeting`. `drop`: how many delivered frames are
    taken from the beginning of `incoming`. `note`: why what was asked for is not done, or cannot be told.
    """

    outgoing: Path
    incoming: Path
    kind: Kind
    duplicates: int | None
    step: tuple[float, float, float] | None
    stands_out: bool
    drop: int
    note: str | None

    @property
    def step_percent(self) -> dict[str, float] | None:
        """The step in percent: of luma, and of each channel."""
        return None if self.step is None else _percent(self.step)


@dataclass(frozen=True)
class Joins(SequenceFacts):
    """The joins of the film, in order."""

    schema: ClassVar[str] = "postpipe.joins.1"
    name: ClassVar[str] = "joins"
    joins: tuple[Join, ...]

    def of(self, incoming: Path) -> Join | None:
        """Return the join at which a take begins, or `None`."""
        return next((join for join in self.joins if join.incoming == incoming), None)

    def summary(self) -> list[dict[str, Any]]:
        """Return what was found at each join."""
        return [
            {
                "from": join.outgoing.name,
                "to": join.incoming.name,
                "kind": join.kind,
                "duplicate_frames": join.duplicates,
                "dropped_frames": join.drop,
                "step_percent": join.step_percent,
                "step_stands_out": join.stands_out,
                "note": join.note,
            }
            for join in self.joins
        ]

    def warnings(self) -> tuple[str, ...]:
        """Name the duplicate frames that stay."""
        return tuple(
            f"{join.incoming.name} shows the last frame of {join.outgoing.name} again "
            f"{'once' if join.duplicates == 1 else f'{join.duplicates} times'}: {join.note or REMEDY}"
            for join in self.joins
            if join.duplicates and not join.drop
        )


@dataclass(frozen=True)
class FindJoins(Task):
    """Find what stands still and what steps where takes meet."""

    id: ClassVar[str] = "joins"
    summary: ClassVar[str] = "duplicate frames and steps of exposure where takes meet"
    section: ClassVar[str] = "chained"
    scope: ClassVar[str] = "project"
    stored: ClassVar[bool] = True

    duplicates: Annotated[
        Literal["report", "drop"],
        Meta(description="frames at the beginning of a take that show the last one of the take before again"),
    ] = "report"

    def run(
        self,
        rough: RoughCut,
        clips: Each[Clip],
        cadences: Each[Cadence],
        pictures: Each[SmallPictures],
        project: ProjectFormat,
        draft: Draft | None,
    ) -> Joins:
        """Return the joins; none where scenes are not joined, nor in a draft, which does not see how takes end."""
        if not rough.joined or draft is not None:
            return Joins(())

        def shown(path: Path, frames: slice, most: slice) -> tuple[JoinPictures, NDArray[np.int64]]:
            numbers = np.unique(cadences[path].source[frames])[most]
            return source_pictures(pictures[path], numbers.tolist(), clips[path], project), numbers

        found = []
        for event, following, next_ in zip(rough.events, rough.events[1:], [*rough.events[2:], None], strict=False):
            if following.gap:
                continue  # they do not meet
            before, _ = shown(event.path, slice(event.first, event.end), slice(-BEFORE, None))
            after, numbers = shown(following.path, slice(following.first, following.end), slice(AFTER))
            meeting = meet(before, after)
            drop, note = 0, None
            if meeting.duplicates:
                cadence = cadences[following.path]
                end = cadence.frame_of(int(numbers[meeting.duplicates - 1]) + 1)
                tail = max(following.fade_out, next_.dissolve_in if next_ else 0)
                drop, note = self._drop(following, end - following.first, tail)
                if rough.fixed and drop:
                    drop, note = 0, "not dropped: the timeline says what is seen"
            elif meeting.duplicates is None:
                note = "too little moves to tell which frames are duplicates"
            found.append(
                Join(
                    outgoing=event.path,
                    incoming=following.path,
                    kind=meeting.kind,
                    duplicates=meeting.duplicates,
                    step=meeting.step,
                    stands_out=meeting.stands_out,
                    drop=drop,
                    note=note,
                )
            )
        return Joins(tuple(found))

    def _drop(self, event: Event, frames: int, tail: int) -> tuple[int, str | None]:
        """Return how many frames are dropped, and why not all; a transition needs the last `tail`."""
        if self.duplicates != "drop":
            return 0, None
        if event.dissolve_in or event.fade_in:
            return 0, "not dropped: a dissolve or fade covers them"
        if event.frames - frames < max(1, tail):
            return 0, "not dropped: too little of the take would be left"
        return frames, None


@dataclass(frozen=True)
class DropDuplicates(Task):
    """Make the edit of the rough cut, without the duplicate frames that are dropped."""

    id: ClassVar[str] = "edit"
    summary: ClassVar[str] = "the edit, without duplicate frames where they are dropped"
    scope: ClassVar[str] = "project"

    def run(self, rough: RoughCut, joins: Joins) -> Edit:
        """Return the edit. A take begins later by what is dropped of it, and so do its sound and its handle."""
        events = []
        for event in rough.events:
            join = joins.of(event.path)
            first = event.first + (join.drop if join else 0)
            events.append(replace(event, first=first, head=min(rough.handle_frames, first)))
        return Edit(tuple(events), rough.joined)


@dataclass(frozen=True)
class EaseSteps(FixFilter):
    """Begin a take with the exposure and white balance that the one before ended with, and lead it back to its own."""

    id: ClassVar[str] = "ease_steps"
    summary: ClassVar[str] = "eases steps of exposure where chained takes meet"
    section: ClassVar[str] = "chained"
    slot: ClassVar[Slot] = Slot.COLOUR
    fix: ClassVar[str] = "chained"

    exposure: Annotated[
        Literal["report", "ease"],
        Meta(description="a step of exposure or white balance from one chained take to the next"),
    ] = "report"
    ease_seconds: Annotated[
        float, Meta(gt=0, le=60, description="how long a take goes from the exposure of the one before to its own")
    ] = 1.0

    def bind(
        self, clip: Clip, joins: Joins, edit: Edit, cadence: Cadence, project: ProjectFormat
    ) -> BoundDeflicker | None:
        """Return what the take is to lose at each delivered frame, or `None` where nothing steps.

        It has faded out where the take ends, so that the next join is as it was measured.
        """
        join, event = joins.of(clip.path), edit.event(clip.path)
        if self.exposure != "ease" or join is None or event is None or event.dissolve_in or event.fade_in:
            return None
        if join.step is None or not join.stands_out:
            return None
        ramp = max(1, min(round_half_up(Fraction(str(self.ease_seconds)) * project.rate), event.frames))
        passed = np.clip((np.arange(cadence.frames) - event.first) / ramp, 0, 1)
        share = 0.5 + 0.5 * np.cos(np.pi * passed)
        gain = np.outer(share, join.step).astype(np.float32)
        return BoundDeflicker(gain, np.zeros(cadence.frames, np.float32), None)

    def judge(
        self,
        clip: Clip,
        joins: Joins,
        before: SmallPictures,
        after: Rendered[SmallPictures],
        time_map: TimeMap,
        project: ProjectFormat,
    ) -> Verdict:
        """Measure what became of the first frame that is seen, as it is handed to the encoder.

        Kept where the step became less by half at least.
        """
        join = joins.of(clip.path)
        step = join.step if join else None
        assert step is not None  # else there were no gains
        source = source_pictures(before, [int(time_map.source[time_map.first])], clip, project)
        delivered = delivered_pictures(after, [time_map.first - time_map.rendered.start], project)
        found = match(source.luma(source.seen)[0], delivered.luma(source.seen)[0], source.seen)
        left = np.array(step) + exposure_step(source.rgb[0], delivered.rgb[0], found)
        kept = float(np.abs(left).max()) <= max(map(abs, step)) / 2
        return Verdict(kept, {"step_percent": _percent(step)}, {"step_percent": _percent(left)})


def _percent(step: tuple[float, float, float] | NDArray[np.float64]) -> dict[str, float]:
    names = ("exposure", "red", "green", "blue")
    shown = (float(np.dot(LUMA, step)), *(float(value) for value in step))
    return {name: round(100 * float(np.expm1(value)), 2) for name, value in zip(names, shown, strict=True)}


STAGES = (FindJoins, DropDuplicates, EaseSteps)
