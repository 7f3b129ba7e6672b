"""The edit: which frames of which takes follow each other in a film, and how one goes over into the next."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from postpipe.model import Artifact


@dataclass(frozen=True, slots=True)
class Event:
    """One take in a film. All numbers are delivered frames, counted from the start of the whole take.

    `first` to `end` (exclusive) are seen. `head` and `tail` more before and after them are rendered as handles.
    The first `dissolve_in` are seen together with as many of the event before, the first `fade_in` come out of
    black, the last `fade_out` go into it; 0 is a cut. `gap` frames of black and silence come before all of them.
    A `silent` event is seen and not heard.
    """

    path: Path
    scene: str
    first: int
    end: int
    head: int = 0
    tail: int = 0
    dissolve_in: int = 0
    fade_in: int = 0
    fade_out: int = 0
    gap: int = 0
    silent: bool = False

    @property
    def frames(self) -> int:
        """Number of frames that are seen."""
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class Body:
    """Frames of one take as they are: `first` to `end` (exclusive) of its delivered frames."""

    path: Path
    first: int
    end: int

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class Blend:
    """`frames` frames of two takes laid over each other; each is named with its first one. `None` is black.

    Two of these are black: a gap.
    """

    outgoing: tuple[Path, int] | None
    incoming: tuple[Path, int] | None
    frames: int


@dataclass(frozen=True)
class RoughCut(Artifact):
    """The events in order as they were asked for; an `Edit` is what becomes of them.

    `handle_frames` are asked for at either side of each take. A `fixed` cut was made frame by frame in an editing
    program: nothing is dropped from it.
    """

    schema: ClassVar[str] = "postpipe.rough-cut.2"
    events: tuple[Event, ...]
    joined: bool
    handle_frames: int
    fixed: bool = False


@dataclass(frozen=True)
class Edit(Artifact):
    """The events in order. `joined`: all in one film; else each is a film of its own."""

    schema: ClassVar[str] = "postpipe.edit.2"
    events: tuple[Event, ...]
    joined: bool

    def event(self, path: Path) -> Event | None:
        """Return the event that shows a take, or `None`."""
        return next((event for event in self.events if event.path == path), None)

    @property
    def films(self) -> tuple[tuple[Event, ...], ...]:
        """The events of each film."""
        return (self.events,) if self.joined else tuple((event,) for event in self.events)

    @property
    def blends(self) -> tuple[Blend, ...]:
        """Every transition, in order."""
        return tuple(piece for film in self.films for piece in stretches(film) if isinstance(piece, Blend))


def starts(film: Sequence[Event]) -> list[int]:
    """Return the frame of the film on which each event starts, and the frame after its end."""
    position = 0
    found = []
    for event in film:
        position += event.gap - event.dissolve_in
        found.append(position)
        position += event.frames
    return [*found, position]


def stretches(film: Iterable[Event]) -> Iterator[Body | Blend]:
    """Yield what the picture of a film is made of, in order and without a gap."""
    events = list(film)
    for event, following in itertools.zip_longest(events, events[1:]):
        trail = event.fade_out or (following.dissolve_in if following else 0)
        if event.gap:
            yield Blend(None, None, event.gap)
        if event.fade_in:
            yield Blend(None, (event.path, event.first), event.fade_in)
        body = Body(event.path, event.first + (event.fade_in or event.dissolve_in), event.end - trail)
        if body.frames:
            yield body
        if event.fade_out:
            yield Blend((event.path, event.end - trail), None, trail)
        elif trail:
            yield Blend((event.path, event.end - trail), (following.path, following.first), trail)
