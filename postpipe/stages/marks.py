"""Visible marks: found in a take, kept clear of crops, and looked for again in what is delivered. None is removed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from postpipe_kernels import overlay

from postpipe.delivery import FrameTimes, ProjectFormat, RenderedClip, Selection, TimeMap
from postpipe.engine.stage import Analyser, Look, PerUnit, Task
from postpipe.errors import TakeError
from postpipe.marks import (
    Box,
    HiddenMarks,
    KeptMark,
    MarkRegion,
    Marks,
    MarkSearch,
    MarksKept,
    VisibleMark,
    VisibleMarks,
)
from postpipe.model import Artifact, Clip
from postpipe.stages import mark_survival
from postpipe.stages.fit import Fit
from postpipe.stages.mark_areas import Found, shrink_factor, small_luma
from postpipe.stages.mark_jumps import jumping
from postpipe.stages.mark_search import lasting, still_share

RATE_HZ = 5.0
"""How many frames of each second are looked at."""
CHUNK = 80
"""Pictures that are searched together: memory is that of so many."""
OVERLAP = 12
"""Pictures that the next chunk begins with again, so that no jump falls between two."""
LEAST_PICTURES = 8
"""Fewer say nothing of what lasts."""
SOME = 12
"""Pictures of a stay that its likeness is taken from."""


@dataclass
class _Chunk:
    """Pictures that are searched together, and what is summed up over them."""

    pictures: list[NDArray[np.uint8]] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    sums: overlay.EdgeSums | None = None

    def add(self, picture: NDArray[np.uint8], frame: int) -> None:
        """Take in the next picture."""
        if self.sums is None:
            self.sums = overlay.EdgeSums.of(picture.shape)
        self.pictures.append(picture)
        self.frames.append(frame)
        overlay.add_edges(picture, self.sums)


@dataclass
class _Watched:
    every: int
    side: int
    bits: int
    chunk: _Chunk = field(default_factory=_Chunk)
    marks: list[VisibleMark] = field(default_factory=list)
    still: list[tuple[float, int]] = field(default_factory=list)
    frames: int = 0


@dataclass(frozen=True)
class WatchMarks(Analyser[_Watched, VisibleMarks]):
    """Find the visible marks of a clip."""

    id: ClassVar[str] = "visible_marks"
    version: ClassVar[int] = 3
    summary: ClassVar[str] = "visible marks that stay while the picture moves, or that jump"

    def start(self, clip: Clip) -> _Watched:
        """Begin with no picture."""
        picture = clip.picture
        return _Watched(max(1, round(float(picture.rate) / RATE_HZ)), shrink_factor(picture), picture.pixel_format.bits)

    def step(self, state: _Watched, item: Look) -> None:
        """Take in one frame."""
        index = item.frame.index
        state.frames = index + 1
        if index % state.every:
            return
        chunk = state.chunk
        chunk.add(small_luma(item.frame.planes[0], state.side, state.bits), index)
        if len(chunk.pictures) == CHUNK:
            _search(state, last=False)
            state.chunk = _Chunk()
            for picture, frame in zip(chunk.pictures[-OVERLAP:], chunk.frames[-OVERLAP:], strict=True):
                state.chunk.add(picture, frame)

    def finish(self, state: _Watched) -> VisibleMarks:
        """Return the marks."""
        if state.chunk.pictures:
            _search(state, last=True)
        pictures = sum(count for _, count in state.still)
        still = sum(share * count for share, count in state.still) / max(1, pictures)
        return VisibleMarks(tuple(state.marks), still)


def _search(state: _Watched, *, last: bool) -> None:
    """Search a chunk and put what it shows to what is known."""
    chunk, count = state.chunk, len(state.chunk.pictures)
    if chunk.sums is None:
        return
    pictures = np.stack(chunk.pictures)
    state.still.append((still_share(pictures), count))
    if count < LEAST_PICTURES:
        return
    known = tuple(_region(state, place, last) for place in jumping(pictures))
    moving = [VisibleMark("moving", known)] if known else []
    static = [_region(state, found, last) for found in lasting(chunk.sums, pictures)]
    static = [region for region in static if all(region.box.overlap(other.box) < 0.3 for other in known)]
    _join(state.marks, [*moving, *(VisibleMark("static", (region,)) for region in static)])


def _region(state: _Watched, found: Found, last: bool) -> MarkRegion:
    """Return a find in pixels and frames of the clip: a picture stands for the frames half way to its neighbours."""
    frames, half = state.chunk.frames, state.every // 2
    end = len(frames) - 1
    top, left, bottom, right = found.area
    stay = range(found.first, found.last + 1, max(1, (found.last - found.first) // SOME))
    patches = [state.chunk.pictures[index][top:bottom, left:right] for index in stay]
    return MarkRegion(
        Box(*(edge * state.side for edge in (left, top, right, bottom))),
        frames[0] if found.first == 0 else max(0, frames[found.first] - half),
        state.frames - 1 if found.last == end and last else frames[found.last] + half,
        found.confidence,
        found.pattern,
        state.side,
        mark_survival.liken(found.pattern, patches),
    )


def _join(marks: list[VisibleMark], more: list[VisibleMark]) -> None:
    """Put marks of the next chunk to those that they go on with."""
    for new in more:
        for number, old in enumerate(marks):
            here, there = old.regions[-1], new.regions[0]
            if old.kind == new.kind and here.box.overlap(there.box) >= 0.5 and there.first <= here.last + 1:
                sure = max(here.confidence, there.confidence)
                joined = replace(here, last=there.last, confidence=sure)
                marks[number] = VisibleMark(old.kind, (*old.regions[:-1], joined, *new.regions[1:]))
                break
        else:
            marks.append(new)


# What is said of them


@dataclass(frozen=True)
class ListMarks(Task):
    """Put together the marks of a take."""

    id: ClassVar[str] = "marks"
    summary: ClassVar[str] = "the marks of a take, visible and hidden"

    def run(self, visible: VisibleMarks, hidden: HiddenMarks) -> Marks:
        """Return all marks."""
        return Marks(visible.marks, hidden.marks)


@dataclass(frozen=True)
class TellSearch(Task):
    """Say how far the search for marks went."""

    id: ClassVar[str] = "mark_search"
    summary: ClassVar[str] = "which marks were looked for, and where none can be told"

    def run(self, visible: VisibleMarks, hidden: HiddenMarks) -> MarkSearch:
        """Return what could be told."""
        return MarkSearch(visible.still_share, hidden.looked_for)


# Framing


@dataclass(frozen=True)
class MarkPlaces(Artifact):
    """Where the visible marks of a delivered take lie in the delivered picture: `boxes` by mark and region.

    `left`, `top`, `right`, `bottom` in pixels, exact; `shares`, likewise: how much of each is inside the picture.
    """

    schema: ClassVar[str] = "postpipe.mark-places.1"
    boxes: tuple[tuple[tuple[Fraction, Fraction, Fraction, Fraction], ...], ...]
    shares: tuple[tuple[float, ...], ...]


WHOLE = 0.98
"""A mark of which less is inside the picture is cut."""


@dataclass(frozen=True)
class GuardMarks(Task):
    """Refuse to cut a visible mark off, unless the settings insist."""

    id: ClassVar[str] = "mark_places"
    summary: ClassVar[str] = "where visible marks lie in the delivered picture; refuses to crop them"
    section: ClassVar[str] = "marks"

    allow_crop: Annotated[
        bool, Meta(description="deliver takes whose visible mark a crop cuts off; they are reported")
    ] = False

    def run(
        self, clip: Clip, selection: Selection, project: ProjectFormat, time_map: TimeMap, found: VisibleMarks
    ) -> MarkPlaces:
        """Return the places. Raises `TakeError` for a selected take whose mark would be cut."""
        scale_x = scale_y = Fraction(1)
        left = top = Fraction(0)
        fit = Fit().bind(clip, project)
        if fit is not None:
            scale_x, scale_y, left, top = fit.scale_x, fit.scale_y, fit.left, fit.top
        boxes, shares = [], []
        for mark in found.marks:
            placed = [
                (
                    region.box.left * scale_x + left,
                    region.box.top * scale_y + top,
                    region.box.right * scale_x + left,
                    region.box.bottom * scale_y + top,
                )
                for region in mark.regions
            ]
            inside = [_share_inside(box, project) for box in placed]
            boxes.append(tuple(placed))
            shares.append(tuple(inside))
            shown = [
                share
                for share, region in zip(inside, mark.regions, strict=True)
                if mark_survival.delivered(region, time_map)
            ]
            if clip.path in selection.selected and not self.allow_crop and min(shown, default=1.0) < WHOLE:
                raise TakeError(
                    clip.path,
                    f"its visible mark would be cut off: {100 * min(shown):.0f} % of it lies in the delivered picture",
                    'use fit = "letterbox" or another size, or insist with [marks] allow_crop = true',
                )
        return MarkPlaces(tuple(boxes), tuple(shares))


def _share_inside(box: tuple[Fraction, Fraction, Fraction, Fraction], project: ProjectFormat) -> float:
    left, top, right, bottom = box
    wide = max(Fraction(0), min(right, Fraction(project.width)) - max(left, Fraction(0)))
    high = max(Fraction(0), min(bottom, Fraction(project.height)) - max(top, Fraction(0)))
    return float(wide * high / ((right - left) * (bottom - top)))


# After rendering


@dataclass(frozen=True)
class UnitPictures(Artifact):
    """Small pictures of a rendered unit, `shape` `(pictures, rows, columns)`; `frames` count from its first.

    `packed`: their luma in 64 levels, as differences from row to row, deflated: a third of what it was.
    """

    schema: ClassVar[str] = "postpipe.unit-pictures.2"
    frames: tuple[int, ...]
    shape: tuple[int, int, int]
    packed: NDArray[np.uint8]
    shrink: int

    @classmethod
    def of(cls, frames: Sequence[int], pictures: NDArray[np.uint8], shrink: int) -> UnitPictures:
        """Return pictures packed."""
        steps = np.diff(pictures >> 2, axis=1, prepend=np.uint8(0))
        packed = np.frombuffer(zlib.compress(steps.tobytes(), 1), np.uint8)
        return cls(tuple(frames), pictures.shape, packed, shrink)

    def pictures(self) -> NDArray[np.uint8]:
        """Return luma, uint8 `shape`."""
        steps = np.frombuffer(zlib.decompress(self.packed.tobytes()), np.uint8).reshape(self.shape)
        levels: NDArray[np.uint8] = np.cumsum(steps, axis=1, dtype=np.uint8)
        return levels * np.uint8(4) + np.uint8(2)


@dataclass
class _Kept:
    every: int
    side: int
    bits: int
    seen: int = 0
    frames: list[int] = field(default_factory=list)
    pictures: list[NDArray[np.uint8]] = field(default_factory=list)


@dataclass(frozen=True)
class KeepPictures(Analyser[_Kept, UnitPictures]):
    """Keep a small picture of each second of what is delivered."""

    id: ClassVar[str] = "unit_pictures"
    summary: ClassVar[str] = "a small picture of each second, to look for marks again"

    def start(self, clip: Clip) -> _Kept:
        """Begin with no picture."""
        picture = clip.picture
        return _Kept(max(1, round(float(picture.rate))), shrink_factor(picture), picture.pixel_format.bits)

    def step(self, state: _Kept, item: Look) -> None:
        """Take in one frame."""
        if state.seen % state.every == state.every // 2 or not state.frames:
            state.frames.append(state.seen)
            state.pictures.append(small_luma(item.frame.planes[0], state.side, state.bits))
        state.seen += 1

    def finish(self, state: _Kept) -> UnitPictures:
        """Return the pictures."""
        return UnitPictures.of(state.frames, np.stack(state.pictures), state.side)


@dataclass(frozen=True)
class CheckMarks(Task):
    """Look for the marks of a take in what is delivered of it."""

    id: ClassVar[str] = "marks_delivered"
    summary: ClassVar[str] = "whether the marks of a take are still there and readable"
    stored: ClassVar[bool] = True

    def run(
        self,
        found: Marks,
        places: MarkPlaces,
        rendered: RenderedClip,
        time_map: TimeMap,
        times: FrameTimes,
        pictures: PerUnit[UnitPictures],
        hidden: PerUnit[HiddenMarks],
    ) -> MarksKept:
        """Return what became of them."""
        shown = [
            (unit.first + frame, picture, pictures[unit.key].shrink)
            for unit in rendered.units
            if unit.key in pictures and found.visible
            for frame, picture in zip(pictures[unit.key].frames, pictures[unit.key].pictures(), strict=True)
        ]
        visible = []
        for mark, boxes, shares in zip(found.visible, places.boxes, places.shares, strict=True):
            visible.append(
                tuple(
                    _place(region, box, share, shown, time_map)
                    for region, box, share in zip(mark.regions, boxes, shares, strict=True)
                )
            )
        return MarksKept(tuple(visible), tuple(_hidden(found, rendered, hidden)))


def _place(
    region: MarkRegion,
    box: tuple[Fraction, Fraction, Fraction, Fraction],
    share: float,
    shown: Iterable[tuple[int, NDArray[np.uint8], int]],
    time_map: TimeMap,
) -> KeptMark:
    """Return what became of a mark in one place."""
    if not mark_survival.delivered(region, time_map):
        return KeptMark(region.first, region.last, "out", 0.0, 0.0)
    if share < WHOLE:
        return KeptMark(region.first, region.last, "cropped", 0.0, share)
    left, top, right, bottom = (float(edge) for edge in box)
    patches = [
        mark_survival.cut_out(picture, (left / side, top / side, right / side, bottom / side), region.pattern.shape)
        for frame, picture, side in shown
        if region.first <= time_map.source[frame] <= region.last
    ]
    state, alike, strength = mark_survival.compare(region, patches)
    return KeptMark(region.first, region.last, state, alike, strength)


def _hidden(found: Marks, rendered: RenderedClip, units: Mapping[str, HiddenMarks]) -> Iterable[tuple[str, str, bool]]:
    """Return each hidden mark of a take, and whether a unit of its delivery has it too."""
    delivered = {
        (mark.binding.algorithm, mark.binding.value)
        for unit in rendered.units
        if unit.key in units
        for mark in units[unit.key].marks
    }
    for mark in found.hidden:
        key = mark.binding.algorithm, mark.binding.value
        yield (*key, key in delivered)


STAGES: tuple[Any, ...] = (WatchMarks, ListMarks, TellSearch, GuardMarks, KeepPictures, CheckMarks)
