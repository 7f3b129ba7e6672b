"""What the whole job would cost, said by a draft: frames from headers and settings, time and size from samples.

A few frames of some takes of the film are decoded, looked at and encoded as the whole job would do it, and what
that took is scaled by pixels.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from postpipe.delivery import CopyPlan, Encoding, ProjectFormat, RenderedClip, SoundCodec
from postpipe.draft import Draft, Estimate
from postpipe.edit import Edit
from postpipe.engine import passes
from postpipe.engine.board import Board
from postpipe.engine.plan import Plan, produced
from postpipe.engine.rendering import take_job
from postpipe.errors import FilterFailed
from postpipe.media.probe import packet_bytes
from postpipe.media.read import PictureReader
from postpipe.model import Clip, Frame
from postpipe.timing import round_half_up

SAMPLE_FRAMES = 8
"""Of a take that is sampled; the middle of each, half as wide and high, is encoded. Against the same pictures
encoded at length (H.264, medium, crf 16; nine clips of all kinds) that gave 0.8 to 1.3 of the processor time and
0.6 to 1.7 of the bytes per pixel."""
LOADING_SECONDS = 0.2
"""Of kernels and libraries that are loaded when a run first needs them."""
FILM_SECONDS_PER_SAMPLE, MOST_SAMPLES = 10, 6
SOUND_BITS_PER_SECOND: dict[SoundCodec, Callable[[Encoding], int]] = {
    "aac": lambda encoding: 160_000 * encoding.sound_channels,
    "pcm_s16le": lambda encoding: 16 * encoding.sound_rate_hz * encoding.sound_channels,
    "pcm_s24le": lambda encoding: 24 * encoding.sound_rate_hz * encoding.sound_channels,
}


@dataclass(frozen=True)
class Drafting:
    """What makes a run a draft: the plan that cuts its takes short, and the plan of the whole job."""

    shorten: Plan
    full: Plan


@dataclass(frozen=True)
class _Sample:
    """What a few frames of one take took: processor seconds per pixel, and bytes per pixel.

    `first_bytes`: of a picture that stands for itself, on which a unit begins.
    """

    look_seconds: float
    render_seconds: float
    first_bytes: float
    bytes: float


def estimate(
    board: Board,
    full: Plan,
    *,
    scratch: Callable[[str], Path],
    check: Callable[[], None],
    start_seconds: float,
    decide_seconds: float,
    deliver_seconds: float,
    rerendered: float,
) -> Estimate:
    """Return what the job costs in full, from the board of a finished draft and the plan of the whole job.

    Processor time of the draft: `start_seconds` until all headers were read, `decide_seconds` of what follows from the
    facts, `deliver_seconds` of joining and sound. `rerendered`: the share of frames that were rendered a second time.
    """
    draft: Draft = board.get(Draft)
    edit: Edit = board.get(Edit)
    whole = _whole(board, full)
    encoding: Encoding = whole.get(Encoding)
    target: ProjectFormat = whole.get(ProjectFormat)
    seconds = [draft.film_seconds[str(event.path)] for event in edit.events]
    shared = sum(event.dissolve_in for event in edit.events)
    rendered = sum(round_half_up(length * target.rate) for length in seconds)
    encoded = rendered + shared  # a transition is encoded besides the takes that it lies over
    film = (rendered - shared) / target.rate
    number = max(1, min(MOST_SAMPLES, len(edit.events), int(film) // FILM_SECONDS_PER_SAMPLE))
    paths = [edit.events[(2 * n + 1) * len(edit.events) // (2 * number)].path for n in range(number)]
    samples = [_sample(whole.get(Clip, path), whole, full, scratch, check) for path in dict.fromkeys(paths)]
    look = sum(
        draft.frames[str(path)] * picture.width * picture.height
        for path in whole.clips
        if (picture := whole.get(Clip, path).picture)
    )
    seen = sum(min(draft.frames[str(clip.path)], clip.first_frames or math.inf) for clip in draft.clips)
    pixels = target.width * target.height
    shown = sum(event.frames for event in edit.events) / target.rate
    cpu = (
        start_seconds
        + LOADING_SECONDS
        + look * fmean(sample.look_seconds for sample in samples)
        + encoded * pixels * fmean(sample.render_seconds for sample in samples) * (1 + rerendered)
        + decide_seconds * sum(draft.frames.values()) / seen
        + deliver_seconds * float(film / shown)
    )
    units = sum(max(1, round_half_up(length / encoding.unit_seconds)) for length in seconds)
    picture = pixels * (
        units * fmean(sample.first_bytes for sample in samples)
        + (encoded - units) * fmean(sample.bytes for sample in samples)
    )
    sound = float(film) * SOUND_BITS_PER_SECOND[encoding.sound_codec](encoding) / 8
    return Estimate(
        width=target.width,
        height=target.height,
        film_seconds=film,
        decoded_look=sum(draft.frames[str(path)] for path in whole.clips),
        decoded_render=sum(
            round_half_up(length * draft.frames[str(event.path)] / draft.seconds[str(event.path)])
            for event, length in zip(edit.events, seconds, strict=True)
        ),
        encoded=encoded,
        cpu_seconds=cpu,
        sequence_bytes=round(picture + sound),
        disk_bytes=round(4 * picture + 3 * sound),  # units, clips, the film before and after it was signed
    )


def _whole(board: Board, full: Plan) -> Board:
    """Return a board with the decisions of the draft, but takes, size and encoding as in the whole job."""
    whole = board.copy(without=Draft)
    for path in whole.clips:
        whole.put(replace(whole.get(Clip, path), first_frames=None), path)
    for step in full.before:
        if produced(step.task) in (Encoding, ProjectFormat, CopyPlan):
            arguments = whole.arguments(step.task.run, None)
            if arguments is not None:
                whole.put(step.task.run(**arguments))
    return whole


def _sample(clip: Clip, whole: Board, full: Plan, scratch: Callable[[str], Path], check: Callable[[], None]) -> _Sample:
    """Return what some frames of a take cost, without a program that cannot do its work."""
    try:
        return _sampled(clip, whole, full, scratch, check)
    except FilterFailed as failure:
        able = tuple(filter_ for filter_ in full.filters if filter_.name != failure.fix)
        return _sample(clip, whole, replace(full, filters=able), scratch, check)


def _sampled(
    clip: Clip, whole: Board, full: Plan, scratch: Callable[[str], Path], check: Callable[[], None]
) -> _Sample:
    job = take_job(clip, whole, full)
    first = int(job.time_map.source[job.time_map.first])
    rendered: RenderedClip = whole.get(RenderedClip, clip.path)
    lookers = [analyser for analyser in full.look if passes.listens(analyser) is None]
    looking = passes.Watcher(lookers, clip)
    watching = passes.Watcher(
        (*full.watch_units, *(full.watch if rendered.fixes else ())), passes.delivered_clip(job, SAMPLE_FRAMES)
    )
    with PictureReader(clip) as reader:
        frames = reader.frames(job.times.seconds(first) if first else None, first)
        sources = [next(frames)]  # with it comes what opening a file takes
        start = time.process_time()
        sources += itertools.islice(frames, min(SAMPLE_FRAMES, job.times.frames - first) - 1)
        decode = (time.process_time() - start) / max(1, len(sources) - 1)
    start = time.process_time()
    for source in sources:
        looking.step(source)
    look = (time.process_time() - start) / len(sources)
    start = time.process_time()
    pieces = []
    for frame in passes.through(job, iter(sources)):
        watching.step(frame)
        pieces.append(middle(frame))
    change = (time.process_time() - start) / len(pieces)
    check()
    path = scratch(f".{job.encoding.container}")
    small = replace(job.target, width=pieces[0].width, height=pieces[0].height)
    start = time.process_time()
    with passes.open_writer(small, job.encoding, path) as writer:
        for piece in pieces:
            writer.write(piece)
    encode = (time.process_time() - start) / len(pieces)
    source_pixels = clip.picture.width * clip.picture.height
    pixels, small_pixels = (one.width * one.height for one in (job.target, small))
    key_frame, *others = packet_bytes(path)
    return _Sample(
        look_seconds=(decode + look) / source_pixels,
        render_seconds=(decode + change) / pixels + encode / small_pixels,
        first_bytes=key_frame / small_pixels,
        bytes=(fmean(others) if others else key_frame) / small_pixels,
    )


def middle(frame: Frame) -> Frame:
    """Return the middle of a frame as views of its planes: half as wide and high, but no smaller than DNxHR takes."""
    width, height = min(frame.width, max(256, frame.width // 4 * 2)), min(frame.height, max(120, frame.height // 4 * 2))
    left, top = (frame.width - width) // 4 * 2, (frame.height - height) // 4 * 2
    chroma = frame.pixel_format.chroma_shift_x, frame.pixel_format.chroma_shift_y
    y, cb, cr = (
        plane[top >> down : (top + height) >> down, left >> across : (left + width) >> across]
        for plane, (across, down) in zip(frame.planes, ((0, 0), chroma, chroma), strict=True)
    )
    return Frame(frame.index, frame.pts_seconds, (y, cb, cr), frame.pixel_format, frame.colour)
