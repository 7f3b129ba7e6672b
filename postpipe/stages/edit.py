"""The edit: trims, order, dissolves, fades and handles, and the map of delivered frames that follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from postpipe.conformed import Conformed
from postpipe.delivery import Cadence, FrameTimes, ProjectFormat, Selection, TimeMap, scene_names
from postpipe.draft import Draft
from postpipe.edit import Edit, Event, RoughCut
from postpipe.engine.stage import Each, Task
from postpipe.errors import SettingsError
from postpipe.model import Artifact, Clip
from postpipe.timing import natural_key, parse_position, round_half_up

Seconds = Annotated[float, Meta(ge=0, le=60)]


class SceneEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `[edit.SCENE]` says; what is unset is as in `[sequence]`."""

    in_: Annotated[
        str | int | float | None, Meta(description='the first frame: seconds (1.5), "36f" or a timecode')
    ] = msgspec.field(default=None, name="in")
    out: Annotated[str | int | float | None, Meta(description="the frame after the last, written likewise")] = None
    dissolve_seconds: Annotated[
        Seconds | None, Meta(description="how long the scene before goes over into this one")
    ] = None
    fade_in_seconds: Annotated[Seconds | None, Meta(description="out of black at its start")] = None
    fade_out_seconds: Annotated[Seconds | None, Meta(description="into black at its end")] = None
    sound_offset_ms: Annotated[
        Annotated[float, Meta(ge=-10_000, le=10_000)] | None,
        Meta(description="how early its sound is (late: below 0): it is put right by this, whatever is measured"),
    ] = None

    def __post_init__(self) -> None:
        for place in (self.in_, self.out):
            if place is not None:
                parse_position(place)


@dataclass(frozen=True)
class Wishes(Artifact):
    """What is asked for single scenes, by the scene's name or its number alone, as it was written."""

    schema: ClassVar[str] = "postpipe.wishes.1"
    scenes: dict[str, SceneEdit]

    def of(self, scene: str) -> SceneEdit:
        """Return what is asked for a scene."""
        return next((wish for label, wish in self.scenes.items() if scene in scene_names(label)), SceneEdit())


@dataclass(frozen=True)
class SceneEdits(Artifact):
    """Wishes for single scenes, by the scene's name, and the used source frames of their takes."""

    schema: ClassVar[str] = "postpipe.scene-edits.1"
    wishes: dict[str, SceneEdit]
    used: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class ReadWishes(Task):
    """Hand on what is asked for single scenes."""

    id: ClassVar[str] = "wishes"
    summary: ClassVar[str] = "what is asked for single scenes"
    section: ClassVar[str] = "edit"
    open_field: ClassVar[str] = "scenes"
    scope: ClassVar[str] = "project"

    scenes: Annotated[
        dict[str, SceneEdit],
        Meta(description="a table for each scene that is trimmed or joined in another way than the rest"),
    ] = field(default_factory=dict)

    def run(self) -> Wishes:
        """Return the wishes."""
        return Wishes(self.scenes)


@dataclass(frozen=True)
class ReadEdits(Task):
    """Find the frames that in and out points mean."""

    id: ClassVar[str] = "in_out"
    summary: ClassVar[str] = "in and out points of scenes"
    scope: ClassVar[str] = "project"

    def run(self, wishes: Wishes, selection: Selection, clips: Each[Clip], times: Each[FrameTimes]) -> SceneEdits:
        """Return the wishes. Raises `SettingsError` naming each that cannot be met."""
        chosen = {choice.scene: choice.selected for choice in selection.scenes}
        problems: list[str] = []
        found: dict[str, SceneEdit] = {}
        used: dict[str, tuple[int, int]] = {}
        for label, wish in wishes.scenes.items():
            scene = selection.scene(label)
            if scene is None:
                problems.append(f"[edit.{label}]: there is no such scene; known: {', '.join(chosen)}")
                continue
            if scene in found:
                problems.append(f"[edit.{label}]: {scene} stands there twice; keep one")
            found[scene] = wish
            path = chosen[scene]
            try:
                used[scene] = _used(wish, clips[path], times[path])
            except ValueError as error:
                problems.append(f"[edit.{label}] ({path.name}): {error}")
        if problems:
            raise SettingsError(problems)
        return SceneEdits(found, used)


def _used(wish: SceneEdit, clip: Clip, times: FrameTimes) -> tuple[int, int]:
    """Return the first source frame and the one after the last. Raises `ValueError` in words."""
    first, end = 0, times.frames
    if wish.in_ is not None:
        first = times.frame_at(parse_position(wish.in_), clip.start_timecode)
        if first >= times.frames:
            raise ValueError(f"in = {wish.in_!r} lies behind its end ({_length(times)})")
    if wish.out is not None:
        end = times.frame_at(parse_position(wish.out), clip.start_timecode)
    if end <= first:
        raise ValueError(f"out = {wish.out!r} is not behind in = {wish.in_!r}")
    return first, end


def _length(times: FrameTimes) -> str:
    return f"{times.frames} frames, {float(times.duration_seconds):.3f} s"


@dataclass(frozen=True)
class PlanEdit(Task):
    """Put the chosen takes in order, cut to what is used, with the transitions between them."""

    id: ClassVar[str] = "rough_cut"
    summary: ClassVar[str] = "order, trims, dissolves, fades, handles"
    section: ClassVar[str] = "sequence"
    scope: ClassVar[str] = "project"

    join: Annotated[bool, Meta(description="one film of all scenes; false: a finished file for each scene")] = True
    order: Annotated[
        tuple[str, ...], Meta(description="scenes in the order in which they are joined; the others follow")
    ] = ()
    dissolve_seconds: Annotated[
        Seconds, Meta(description="how long one scene goes over into the next; the two share these frames")
    ] = 0.0
    fade_in_seconds: Annotated[Seconds, Meta(description="out of black at the start of the film")] = 0.0
    fade_out_seconds: Annotated[Seconds, Meta(description="into black at the end of the film")] = 0.0
    handle_seconds: Annotated[
        Seconds, Meta(description="more of each take at either side of its trim, in clips/, for the editor")
    ] = 0.0

    def __post_init__(self) -> None:
        if not self.join and self.dissolve_seconds:
            raise ValueError("dissolve_seconds joins scenes: it does not go with join = false")

    def run(
        self,
        selection: Selection,
        edits: SceneEdits,
        cadences: Each[Cadence],
        project: ProjectFormat,
        draft: Draft | None,
        conformed: Conformed | None,
    ) -> RoughCut:
        """Return the cut. Raises `SettingsError` where a transition is longer than what it joins.

        In a draft transitions are as long as its short takes have room for. A cut that was made elsewhere is kept.
        """
        problems: list[str] = []
        if conformed is not None:
            return self._as_cut(conformed, edits, cadences, project)
        chosen = {choice.scene: choice.selected for choice in selection.scenes}
        order = self._ordered(selection, problems)
        wishes = {scene: edits.wishes.get(scene, SceneEdit()) for scene in order}

        def frames(own: float | None, general: float) -> int:
            return round_half_up(Fraction(str(general if own is None else own)) * project.rate)

        events = []
        handle = frames(None, self.handle_seconds)
        for position, scene in enumerate(order):
            wish, cadence = wishes[scene], cadences[chosen[scene]]
            first, end = _delivered(cadence, edits.used.get(scene))
            opens, closes = not self.join or position == 0, not self.join or position == len(order) - 1
            if opens and wish.dissolve_seconds:
                problems.append(f"[edit.{scene}] dissolve_seconds: there is no scene before it that it is joined to")
            events.append(
                Event(
                    path=chosen[scene],
                    scene=scene,
                    first=first,
                    end=end,
                    head=min(handle, first),
                    tail=min(handle, cadence.frames - end),
                    dissolve_in=0 if opens else frames(wish.dissolve_seconds, self.dissolve_seconds),
                    fade_in=frames(wish.fade_in_seconds, self.fade_in_seconds if opens else 0),
                    fade_out=frames(wish.fade_out_seconds, self.fade_out_seconds if closes else 0),
                )
            )
        if draft is not None:
            events = _with_room(events)
        problems += _clashes(events)
        if problems:
            raise SettingsError(problems)
        return RoughCut(tuple(events), self.join, handle)

    def _as_cut(
        self, conformed: Conformed, edits: SceneEdits, cadences: Each[Cadence], project: ProjectFormat
    ) -> RoughCut:
        """Return a cut that was made elsewhere, frame for frame; what cannot be used is black.

        Raises `SettingsError` where the settings want another cut.
        """
        asked = {"join": not self.join, "order": self.order, "dissolve_seconds": self.dissolve_seconds}
        asked |= {"fade_in_seconds": self.fade_in_seconds, "fade_out_seconds": self.fade_out_seconds}
        problems = [f"[sequence] {key}: {conformed.name} says that; leave it out" for key in asked if asked[key]]
        if edits.wishes:
            problems.append(f"[edit]: {conformed.name} says what is seen of each clip; leave it out")
        if problems:
            raise SettingsError(problems)

        def frame(seconds: Fraction) -> int:
            return round_half_up(seconds * project.rate)

        handle = frame(Fraction(str(self.handle_seconds)))
        events: list[Event] = []
        position = 0
        usable = [use if use.path in cadences else None for use in conformed.uses]
        for use, before, after, following in zip(
            usable, [None, *usable], [*usable[1:], None], [*conformed.uses[1:], None], strict=False
        ):
            if use is None:
                continue
            cadence, first = cadences[use.path], use.head(project.rate)
            start, end = frame(use.start_seconds), frame(use.end_seconds)
            length = max(1, min(end - start, cadence.frames - first))
            opening = frame(use.start_seconds + use.dissolve_in_seconds) - start
            closing = frame(following.dissolve_in_seconds) if following and not after else 0
            dissolves = bool(before and opening and position > start)
            events.append(
                Event(
                    path=use.path,
                    scene=use.label,
                    first=first,
                    end=first + length,
                    head=min(handle, first),
                    tail=min(handle, cadence.frames - first - length),
                    dissolve_in=position - start if dissolves else 0,
                    fade_in=0 if dissolves else max(opening, frame(use.fade_in_seconds)),
                    fade_out=max(closing, frame(use.fade_out_seconds)),
                    gap=0 if dissolves else max(0, start - position),
                    silent=use.silent,
                )
            )
            position = start + length
        return RoughCut(tuple(events), True, handle, fixed=True)

    def _ordered(self, selection: Selection, problems: list[str]) -> list[str]:
        known = [choice.scene for choice in selection.scenes]
        named: list[str] = []
        for label in self.order:
            scene = selection.scene(label)
            if scene is None:
                problems.append(f"[sequence] order: there is no scene {label!r}; known: {', '.join(known)}")
            elif scene in named:
                problems.append(f"[sequence] order: {label!r} stands there twice")
            else:
                named.append(scene)
        return [*named, *sorted(set(known) - set(named), key=natural_key)]


def _delivered(cadence: Cadence, used: tuple[int, int] | None) -> tuple[int, int]:
    """Return the delivered frames of a stretch of source frames: at least one, however short it is."""
    if used is None:
        return 0, cadence.frames
    first = min(cadence.frame_of(used[0]), cadence.frames - 1)
    return first, max(first + 1, cadence.frame_of(used[1]))


def _with_room(events: list[Event]) -> list[Event]:
    """Return events whose transitions take at most half of what each shows."""
    room = [event.frames // 2 for event in events]
    return [
        replace(
            event,
            dissolve_in=min(event.dissolve_in, here, before),
            fade_in=min(event.fade_in, here),
            fade_out=min(event.fade_out, here),
        )
        for event, here, before in zip(events, room, [0, *room], strict=False)
    ]


def _clashes(events: list[Event]) -> Iterator[str]:
    """Yield what does not fit: every frame of a scene can take part in one transition alone."""
    for event, following in zip(events, [*events[1:], None], strict=True):
        leaving = following.dissolve_in if following else 0
        if event.fade_in and event.dissolve_in:
            yield f"[edit.{event.scene}]: it begins with a dissolve and a fade; set one of them to 0"
        if event.fade_out and leaving:
            yield (
                f"[edit.{event.scene}]: it ends with a fade and a dissolve into {following and following.scene}; "
                "set one of them to 0"
            )
        needed = max(event.fade_in, event.dissolve_in) + max(event.fade_out, leaving)
        if needed > event.frames:
            yield (
                f"[edit.{event.scene}]: its {event.frames} frames are too few for transitions of {needed}; "
                "shorten dissolve_seconds or the fades, or use more of it"
            )


@dataclass(frozen=True)
class MapTime(Task):
    """Say which frames of each take are delivered, and what each shows."""

    id: ClassVar[str] = "time_map"
    summary: ClassVar[str] = "which source frame is delivered when"

    def run(self, clip: Clip, cadence: Cadence, edit: Edit) -> TimeMap:
        """Return the map of one take; of one that is not in the film, all of it."""
        event = edit.event(clip.path)
        if event is None:
            return TimeMap(cadence, 0, cadence.frames)
        return TimeMap(cadence, event.first, event.end, event.head, event.tail)


STAGES = (ReadWishes, ReadEdits, PlanEdit, MapTime)
