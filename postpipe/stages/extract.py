"""Stills of takes: which frames, from the look pass where it comes by them, and their files."""

from __future__ import annotations

import heapq
import itertools
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from postpipe.delivery import FrameTimes, OutputFile, Shot, Shots
from postpipe.engine.stage import Desk, Each, Look, Recorder, Stage, Task
from postpipe.media.images import SUFFIXES, encode_image, frame_pixels, scaled, square_size
from postpipe.media.index import FramePicker
from postpipe.media.sheet import CELLS, draw_sheet
from postpipe.model import Artifact, Clip, Frame, Transient
from postpipe.stages.quality import PictureTrack
from postpipe.stills import Still, StillPlan, Stills, frame_timecode, sheet_name, still_name, unique_labels
from postpipe.timing import Position, parse_position, parse_timecode


@dataclass(frozen=True)
class _Extract(Stage):
    """The settings that the stages of this file share."""

    section: ClassVar[str] = "extract"

    first: Annotated[bool, Meta(description="the first frame of each take")] = False
    last: Annotated[bool, Meta(description="the last frame of each take")] = False
    every: Annotated[str | None, Meta(description='a frame every so often: "2s" (seconds) or "24f" (frames)')] = None
    cuts: Annotated[bool, Meta(description="the first frame of each shot that shows it alone")] = False
    sharpest: Annotated[bool, Meta(description="the sharpest frame of each shot")] = False
    at: Annotated[
        tuple[str, ...], Meta(description='places: seconds ("1.5"), frame numbers ("36f") or timecodes ("00:00:01:12")')
    ] = ()
    format: Annotated[Literal["png", "tiff", "jpeg"], Meta(description="of the files")] = "png"
    bits: Annotated[
        Literal[8, 16] | None, Meta(description="bits per channel; unset: 8, or 16 for takes of more than 8 bits")
    ] = None
    quality: Annotated[int, Meta(ge=1, le=100, description="of JPEG files")] = 95
    sheet: Annotated[bool, Meta(description="a contact sheet of all stills as well")] = False
    folder: Annotated[str, Meta(pattern=r"^([^/\\:.][^/\\:]*)?$", description="where the stills are, below OUT")] = (
        "stills"
    )

    @property
    def wanted(self) -> bool:
        """Whether any stills are asked for."""
        return bool(self.first or self.last or self.every or self.cuts or self.sharpest or self.at)

    def encoded(self, frame: Frame, clip: Clip) -> bytes:
        """Return a frame as an image file: upright, with square pixels."""
        deep = clip.picture.pixel_format.bits > 8 and self.format != "jpeg"
        pixels = frame_pixels(frame, self.bits or (16 if deep else 8))
        pixels = scaled(pixels, *square_size(frame.width, frame.height, clip.picture.pixel_aspect))
        return encode_image(pixels, self.format, frame.colour, self.quality)

    @property
    def suffix(self) -> str:
        """The suffix of the files."""
        return SUFFIXES[self.format]

    def place(self, name: str) -> str:
        """Return where a file of this name is below OUT."""
        return f"{self.folder}/{name}" if self.folder else name


@dataclass(frozen=True)
class ChooseStills(_Extract, Task):
    """Say which frames of a take become stills."""

    id: ClassVar[str] = "choose_stills"
    summary: ClassVar[str] = "which frames become stills"

    def __post_init__(self) -> None:
        if self.format == "jpeg" and self.bits == 16:
            raise ValueError('bits = 16 does not go with format = "jpeg"')
        for place in self.at:
            parse_position(place)
        if self.every is not None:
            _interval(self.every)

    def uses(self, kind: type[Artifact]) -> bool:
        """Shots and sharpness are measured where they decide."""
        return self.sharpest or (self.cuts and kind is Shots)

    def run(self, clip: Clip, times: FrameTimes, shots: Shots | None, track: PictureTrack | None) -> StillPlan:
        """Return the frames; without shots the take is one. A place that the take does not have is a warning."""
        chosen: dict[int, list[str]] = defaultdict(list)
        warnings: list[str] = []
        if self.first:
            chosen[0].append("first")
        if self.last:
            chosen[times.frames - 1].append("last")
        if self.every is not None:
            for frame in _regular(_interval(self.every), times):
                chosen[frame].append(f"every {self.every}")
        whole = (Shot(0, times.frames - 1, "start"),)
        for shot in shots.shots if shots else whole:
            own = range(min(shot.first + shot.entry_frames, shot.last), shot.last - shot.exit_frames + 1)
            own = own or range(shot.first, shot.last + 1)
            if self.cuts:
                chosen[own.start].append("cut")
            if self.sharpest and track is not None:
                chosen[own.start + int(np.argmax(track.sharpness[own.start : own.stop]))].append("sharpest")
        for place in self.at:
            try:
                frame = times.frame_at(parse_position(place), clip.start_timecode)
            except ValueError as error:
                warnings.append(f"no still at {place}: {error}")
                continue
            if frame < times.frames:
                chosen[frame].append(f"at {place}")
            else:
                length = f"{times.frames} frames, {float(times.duration_seconds):.3f} s"
                warnings.append(f"no still at {place}: that lies behind its end ({length})")
        return StillPlan(tuple((frame, tuple(chosen[frame])) for frame in sorted(chosen)), tuple(warnings))


def _interval(text: str) -> Position:
    """Return what stands between two stills. Raises `ValueError` in words."""
    try:
        interval = parse_position(text)
    except ValueError:
        interval = Position()
    if not interval.frame and not interval.seconds:
        raise ValueError(f'every = {text!r}: write seconds ("2s") or frames ("24f"), more than 0')
    return interval


def _regular(interval: Position, times: FrameTimes) -> Iterator[int]:
    """Yield the frames on screen at the start and after each interval."""
    if interval.frame:
        yield from range(0, times.frames, interval.frame)
    else:
        step = interval.seconds or Fraction(1)
        places = itertools.takewhile(lambda place: place < times.duration_seconds, _multiples(step))
        yield from dict.fromkeys(times.frame_at(Position(seconds=place)) for place in places)


def _multiples(step: Fraction) -> Iterator[Fraction]:
    return (number * step for number in itertools.count())


# From the look pass


@dataclass(frozen=True)
class Grabbed(Transient):
    """Stills that the look pass wrote on its way: the file of each frame. More than are wanted may be there."""

    schema: ClassVar[str] = "postpipe.grabbed-stills.1"
    files: dict[int, Path]


@dataclass
class _Grab:
    clip: Clip
    scratch: Callable[[str], Path]
    numbers: frozenset[int] = frozenset()
    step: int | None = None
    due: Iterator[Fraction] = field(default_factory=lambda: iter(()))
    next_due: Fraction | None = None
    start: Fraction | None = None
    shown: Frame | None = None
    files: dict[int, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class GrabStills(_Extract, Recorder[_Grab, Grabbed]):
    """Write the stills whose place is known before the clip is."""

    id: ClassVar[str] = "grab_stills"
    summary: ClassVar[str] = "stills at places known in advance"

    def record(self, clip: Clip, scratch: Callable[[str], Path]) -> _Grab:
        """Begin with the places; those in timecode are guessed from the nominal rate."""
        state = _Grab(clip, scratch)
        places = [parse_position(place) for place in self.at]
        numbers = {place.frame for place in places if place.frame is not None}
        numbers |= {_number(place.timecode, clip) for place in places if place.timecode is not None}
        state.numbers = frozenset(numbers | ({0} if self.first else set()))
        seconds = sorted(place.seconds for place in places if place.seconds is not None)
        interval = _interval(self.every) if self.every is not None else Position()
        state.step = interval.frame
        step = interval.seconds
        state.due = heapq.merge(seconds, _multiples(step)) if step else iter(seconds)
        state.next_due = next(state.due, None)
        return state

    def step(self, state: _Grab, item: Look) -> None:
        """Take in one frame: the one before it is on screen until now."""
        frame = item.frame
        state.start = frame.pts_seconds if state.start is None else state.start
        elapsed = frame.pts_seconds - state.start
        while state.next_due is not None and state.next_due < elapsed:
            self._grab(state, state.shown)
            state.next_due = next(state.due, None)
        if frame.index in state.numbers or (state.step and frame.index % state.step == 0):
            self._grab(state, frame)
        state.shown = frame

    def finish(self, state: _Grab) -> Grabbed:
        """Return the files; the last frame is on screen to the end."""
        if state.shown is not None and state.start is not None:
            end = state.shown.pts_seconds - state.start + 1 / state.clip.picture.rate
            if self.last or (state.next_due is not None and state.next_due < end):
                self._grab(state, state.shown)
        return Grabbed(state.files)

    def _grab(self, state: _Grab, frame: Frame | None) -> None:
        if frame is not None and frame.index not in state.files and not state.clip.picture.colour.hdr:
            state.files[frame.index] = path = state.scratch(self.suffix)
            path.write_bytes(self.encoded(frame, state.clip))


def _number(timecode: str, clip: Clip) -> int:
    """Return the frame number of a timecode at the nominal rate, or one that no frame has."""
    try:
        start = parse_timecode(clip.start_timecode, clip.picture.rate) if clip.start_timecode else 0
        return parse_timecode(timecode, clip.picture.rate) - start
    except ValueError:
        return -1


# Files


@dataclass(frozen=True)
class TakeLabel(Artifact):
    """What the names of a take's stills begin with."""

    schema: ClassVar[str] = "postpipe.take-label.1"
    label: str


@dataclass(frozen=True)
class LabelTakes(Task):
    """Give each take a name that may stand in a file name, and that no other take has."""

    id: ClassVar[str] = "label_takes"
    summary: ClassVar[str] = "names for stills"

    def run(self, clip: Clip, clips: Each[Clip]) -> TakeLabel:
        """Return the label of one take."""
        return TakeLabel(unique_labels(clips)[clip.path])


@dataclass(frozen=True)
class WriteStills(_Extract, Task):
    """Write the stills of a take."""

    id: ClassVar[str] = "stills"
    summary: ClassVar[str] = "writes the stills; decodes those that the look pass did not come by"
    stored: ClassVar[bool] = True

    @property
    def delivers(self) -> bool:
        """Whether any stills are asked for."""
        return self.wanted

    def run(
        self, clip: Clip, times: FrameTimes, chosen: StillPlan, name: TakeLabel, grabbed: Grabbed | None, desk: Desk
    ) -> Stills:
        """Return the stills. HDR is never written as if it were SDR: such a take has none."""
        if clip.picture.colour.hdr:
            words = "no stills: it is HDR, and a still is SDR; convert it to SDR (BT.709) with a tone mapping first"
            return Stills((), (), (words,))
        # those that were published already are gone: a take that is dropped later makes tasks run once more
        files = {frame: path for frame, path in grabbed.files.items() if path.exists()} if grabbed else {}
        files |= self._decoded([frame for frame, _ in chosen.frames if frame not in files], clip, times, desk)
        stills, written = [], []
        for frame, reasons in chosen.frames:
            timecode = frame_timecode(times, frame, clip.start_timecode)
            path = self.place(still_name(name.label, frame, timecode, self.suffix))
            written.append(OutputFile(path, desk.publish(files[frame], path)))
            stills.append(Still(path, frame, times.seconds(frame), timecode, reasons))
        return Stills(tuple(written), tuple(stills), chosen.warnings)

    def _decoded(self, wanted: list[int], clip: Clip, times: FrameTimes, desk: Desk) -> dict[int, Path]:
        """Return the files of frames that are decoded now, written side by side."""
        files: dict[int, Path] = {}
        if not wanted:
            return files
        workers = min(os.cpu_count() or 1, 8)
        pending: deque[tuple[int, Future[Path]]] = deque()

        def write(frame: Frame) -> Path:
            path = desk.scratch(self.suffix)
            path.write_bytes(self.encoded(frame, clip))
            return path

        with ThreadPoolExecutor(workers) as pool, FramePicker(clip, times, threads=min(workers, 4)) as picker:
            for frame in picker.frames(wanted):
                desk.check()
                pending.append((frame.index, pool.submit(write, frame)))
                if len(pending) > workers + 2:  # frames wait in memory
                    number, done = pending.popleft()
                    files[number] = done.result()
                desk.progress(clip.path.name, len(files), len(wanted))
            files |= {number: done.result() for number, done in pending}
            desk.decoded(picker.decoded)
        return files


@dataclass(frozen=True)
class ContactSheet(Artifact):
    """The pages of the contact sheet."""

    schema: ClassVar[str] = "postpipe.contact-sheet.1"
    files: tuple[OutputFile, ...]


@dataclass(frozen=True)
class DrawSheet(_Extract, Task):
    """Put all stills on a contact sheet."""

    id: ClassVar[str] = "sheet"
    summary: ClassVar[str] = "writes the contact sheet"
    scope: ClassVar[str] = "project"
    stored: ClassVar[bool] = True

    @property
    def delivers(self) -> bool:
        """Whether a sheet of any stills is asked for."""
        return self.sheet and self.wanted

    def run(self, every: Each[Stills], labels: Each[TakeLabel], desk: Desk) -> ContactSheet:
        """Return the pages."""
        cells = [
            (
                desk.output(still.path),
                (labels[path].label, f"{still.frame} · {still.timecode} · {', '.join(still.reasons)}"),
            )
            for path, stills in every.items()
            for still in stills.stills
        ]
        files = []
        for page, cut in enumerate(range(0, len(cells), CELLS), start=1):
            desk.check()
            temporary = desk.scratch(".jpg")
            temporary.write_bytes(draw_sheet(cells[cut : cut + CELLS]))
            name = self.place(sheet_name(page))
            files.append(OutputFile(name, desk.publish(temporary, name)))
        return ContactSheet(tuple(files))


STAGES = (ChooseStills, GrabStills, LabelTakes, WriteStills, DrawSheet)
