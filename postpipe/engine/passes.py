"""The two passes over the pixels: look (decode once, every analyser together) and render (decode once, encode once)."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from postpipe.delivery import Encoding, FrameTimes, ProjectFormat, TimeMap
from postpipe.engine.pieces import Piece
from postpipe.engine.points import point_pass
from postpipe.engine.stage import Analyser, FrameFilter, Look, PointOp, Scratch, Sound, View
from postpipe.errors import TakeError
from postpipe.media.copying import copy_frames
from postpipe.media.frames import allocate_like
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.media.sound import read_sound
from postpipe.media.write import PictureWriter
from postpipe.model import Artifact, Clip, Frame
from postpipe.programs.intermediate import LOSSLESS

Bound = PointOp | FrameFilter
Analysers = Sequence[Analyser[Any, Any]]
OnFrame = Callable[[int], None]
"""Called with the number of frames done so far; it may raise `Cancelled`."""


class Watcher:
    """A group of analysers stepped together through one stream of frames."""

    def __init__(self, analysers: Analysers, clip: Clip, scratch: Scratch | None = None) -> None:
        self._running = [(analyser, analyser.begin(clip, scratch)) for analyser in analysers]
        wanted = [view for analyser in analysers for view in analyser.views if isinstance(view, View)]
        self._views = [(view, view.start(clip)) for view in _in_order(wanted)]

    def step(self, frame: Frame) -> None:
        """Show the next frame to every analyser."""
        look = Look(frame)
        for view, compute in self._views:
            look.put(view, compute(look))
        for analyser, state in self._running:
            analyser.step(state, look)

    def finish(self) -> list[Artifact]:
        """Return the facts, in the order of the analysers."""
        return [analyser.finish(state) for analyser, state in self._running]


def _in_order(views: Iterable[View[Any]]) -> list[View[Any]]:
    """Return each view once, after the views it is derived from."""
    found: dict[View[Any], None] = {}
    for view in views:
        for needed in _in_order(view.needs):
            found.setdefault(needed)
        found.setdefault(view)
    return list(found)


def listens(analyser: Analyser[Any, Any]) -> Sound | None:
    """Return the `Sound` view of an analyser that listens, or `None` for one that looks."""
    return next((view for view in analyser.views if isinstance(view, Sound)), None)


# Look


def look(
    clip: Clip, analysers: Analysers, *, threads: int, on_frame: OnFrame, scratch: Scratch | None = None
) -> tuple[list[Artifact], int]:
    """Run the analysers over one clip in one decode; return their facts, in order, and the frames decoded.

    `scratch` is for recorders. Raises `TakeError` when the clip cannot be decoded or holds no frame.
    """
    lookers = [analyser for analyser in analysers if listens(analyser) is None]
    watcher = Watcher(lookers, clip, scratch)
    first = end = None
    with PictureReader(clip, threads=threads) as reader:
        for frame in reader.frames():
            watcher.step(frame)
            first = frame.pts_seconds if first is None else first
            end = frame.pts_seconds
            on_frame(frame.index + 1)
        decoded = reader.decoded
    facts: dict[str, Artifact] = dict(zip((a.id for a in lookers), watcher.finish(), strict=True))
    if first is not None and end is not None:
        listeners = [analyser for analyser in analysers if listens(analyser) is not None]
        facts |= _listen(clip, listeners, first, end - first + 1 / clip.picture.rate)
    return [facts[analyser.id] for analyser in analysers], decoded


def _listen(
    clip: Clip, analysers: Sequence[Analyser[Any, Any]], start: Fraction, seconds: Fraction
) -> dict[str, Artifact]:
    """Run the analysers that listen, one decode of the sound for each form in which it is asked for."""
    facts: dict[str, Artifact] = {}
    for sound in {listens(analyser) for analyser in analysers}:
        group = [(a, a.start(clip)) for a in analysers if listens(a) == sound]
        if sound is not None and clip.sounds:
            samples = int(seconds * sound.rate_hz)
            for block in read_sound(
                clip,
                clip.sounds[0].index,
                rate_hz=sound.rate_hz,
                channels=sound.channels,
                start_seconds=start,
                samples=samples,
            ):
                for analyser, state in group:
                    analyser.step(state, block)
        facts |= {analyser.id: analyser.finish(state) for analyser, state in group}
    return facts


# Render


@dataclass(frozen=True)
class Job:
    """One clip to render: what its frames go through, how they are encoded, and the pieces they are cut into."""

    clip: Clip
    times: FrameTimes
    time_map: TimeMap
    chain: tuple[Bound, ...]
    target: ProjectFormat
    encoding: Encoding
    pieces: tuple[Piece, ...]


def delivered_clip(job: Job, frames: int) -> Clip:
    """Return the clip as analysers of the delivered picture see it: `frames` of it."""
    target = job.target
    picture = replace(
        job.clip.picture,
        width=target.width,
        height=target.height,
        coded_width=target.width,
        coded_height=target.height,
        rotation=0,
        pixel_aspect=Fraction(1),
        source_format=target.pixel_format.name,
        pixel_format=target.pixel_format,
        colour=target.colour,
        rate=target.rate,
        time_base=1 / target.rate,
        interlaced=False,
        alpha=False,
        declared_frames=frames,
        declared_seconds=frames / target.rate,
    )
    return replace(job.clip, picture=picture)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a render gave: the facts of the delivered picture, and the frames that it took."""

    facts: list[Artifact]
    decoded: int
    encoded: int
    copied: int


class _Unfinished:
    """A piece that is being written, and what is measured on it."""

    def __init__(self, job: Job, piece: Piece, path: Path, watch: Sequence[Analyser[Any, Any]]) -> None:
        lossless = piece.kind == "lossless"
        self.writer = open_writer(job.target, job.encoding, path, lossless=lossless)
        self.watcher = Watcher(() if lossless else watch, delivered_clip(job, piece.end - piece.start))

    def add(self, frame: Frame) -> None:
        """Take in the next frame."""
        self.watcher.step(frame)
        self.writer.write(frame)


def render(
    job: Job,
    *,
    have: Callable[[int], bool],
    scratch: Callable[[], Path],
    keep: Callable[[int, Path, list[Artifact]], None],
    watch: Sequence[Analyser[Any, Any]],
    watch_units: Sequence[Analyser[Any, Any]],
    threads: int,
    on_frame: OnFrame,
) -> Rendered:
    """Render the pieces of a job that are not there yet.

    `have(n)` says whether piece `n` is finished, `keep(n, file, facts)` takes a finished one and what `watch_units`
    found in it. Where the whole picture is watched every frame is rendered again, but finished pieces are not
    encoded again.
    """
    missing = {number: piece for number, piece in enumerate(job.pieces) if not have(number)}
    watcher = Watcher(watch, delivered_clip(job, len(job.time_map.rendered)))
    decoded = encoded = copied = 0
    for number, piece in list(missing.items()):
        if piece.kind == "copied":
            path = scratch()
            copy_frames(job.clip, job.times, piece.start, piece.end, path, job.target.rate, job.target.colour)
            facts, looked_at = measure(path, watch_units)
            keep(number, path, facts)
            decoded += looked_at
            copied += piece.end - piece.start
            del missing[number]
    for run in [job.time_map.rendered] if watch else _runs(missing.values()):
        with (
            PictureReader(job.clip, threads=threads) as reader,
            contextlib.closing(delivered_frames(job, reader, run)) as frames,
        ):
            unfinished: dict[int, _Unfinished] = {}
            try:
                for position in run:
                    frame = next(frames, None)
                    if frame is None:
                        raise TakeError(
                            job.clip.path,
                            f"only {position} of {run.stop} frames came in the render pass",
                            "check that the file is not being changed while postpipe runs",
                        )
                    watcher.step(frame)
                    for number, piece in missing.items():
                        if piece.start == position:
                            unfinished[number] = _Unfinished(job, piece, scratch(), watch_units)
                    for number, one in unfinished.items():
                        one.add(frame)
                        encoded += job.pieces[number].kind == "encoded"
                    on_frame(position + 1 - job.time_map.rendered.start)
                    if position + 1 == run.stop:
                        deque(frames, maxlen=0)  # at its very end a program may still turn out to have failed
                    for number in [n for n in unfinished if job.pieces[n].end == position + 1]:
                        one = unfinished.pop(number)
                        one.writer.close()
                        keep(number, one.writer.path, one.watcher.finish())
                        del one  # gives its memory back before the next one takes its own
            except BaseException:
                for one in unfinished.values():
                    one.writer.abort()
                raise
            decoded += reader.decoded
    return Rendered(watcher.finish(), decoded, encoded, copied)


def measure(unit: Path, watch: Sequence[Analyser[Any, Any]]) -> tuple[list[Artifact], int]:
    """Return what analysers find in a finished unit, and the frames decoded for it."""
    if not watch:
        return [], 0
    clip = probe(unit, "")
    watcher = Watcher(watch, clip)
    with PictureReader(clip) as reader:
        for frame in reader.frames():
            watcher.step(frame)
        return watcher.finish(), reader.decoded


def _runs(pieces: Iterable[Piece]) -> list[range]:
    """Return the stretches that the pieces cover, without those between them."""
    found: list[range] = []
    for piece in sorted(pieces, key=lambda piece: piece.start):
        if found and piece.start <= found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, piece.end))
        else:
            found.append(range(piece.start, piece.end))
    return found


def open_writer(target: ProjectFormat, encoding: Encoding, path: Path, *, lossless: bool = False) -> PictureWriter:
    """Return a writer for a piece, in the delivery's own encoding or without loss."""
    return PictureWriter(
        path,
        width=target.width,
        height=target.height,
        rate=target.rate,
        pixel_format=target.pixel_format,
        colour=target.colour,
        codec="h264" if lossless else encoding.video_codec,
        options=LOSSLESS if lossless else encoding.options,
        threads=encoding.threads,
    )


def delivered_frames(job: Job, reader: PictureReader, run: range) -> Generator[Frame, None, None]:
    """Yield the finished frames of a job with the numbers in `run`, through its chain of filters."""
    # each works on what the one before it gives: neighbours of neighbours
    margin = sum(bound.margin_frames for bound in job.chain if isinstance(bound, FrameFilter))
    source = job.time_map.source
    source_first = max(0, int(source[max(0, run.start - margin)]) - margin)
    source_last = min(job.times.frames - 1, int(source[min(len(source), run.stop + margin) - 1]) + margin)
    start = None if source_first == 0 else job.times.seconds(source_first)
    frames: Iterator[Frame] = reader.frames(start_pts_seconds=start, first_index=source_first)
    for frame in through(job, itertools.islice(frames, source_last - source_first + 1)):
        if frame.index in run:
            frame.pts_seconds = frame.index / job.target.rate
            yield frame


def through(job: Job, frames: Iterator[Frame]) -> Iterator[Frame]:
    """Yield frames of the source after the filters of a job."""
    for is_point, group in itertools.groupby(job.chain, key=lambda bound: isinstance(bound, PointOp)):
        if is_point:
            frames = point_pass(frames, tuple(group))  # type: ignore[arg-type]
        else:
            for bound in group:
                frames = bound.apply(frames, allocate_like)  # type: ignore[union-attr]
    return frames
