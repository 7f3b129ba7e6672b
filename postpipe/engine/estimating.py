"""What the whole job would cost, said by a draft: frames from headers and settings, time and size from samples.

A few frames of some takes of the film are decoded, looked at and encoded as the whole job would do it, and what
that took is scaled by pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from postpipe.delivery import CopyPlan, Encoding, ProjectFormat, RenderedClip, SoundCodec, TimeMap
from postpipe.draft import Draft, Estimate
from postpipe.edit import Edit
from postpipe.engine import passes
from postpipe.engine.board import Board
from postpipe.engine.plan import Plan, produced
from postpipe.engine.rendering import take_job
from postpipe.media.probe import packet_bytes
from postpipe.media.read import PictureReader
from postpipe.model import Clip, Frame
from postpipe.timing import round_half_up

SAMPLE_FRAMES = 10
"""Of a take that is sampled; the middle of each, half as wide and high, is encoded. Against the same pictures
encoded at length (H.264, medium, crf 16; nine clips of all kinds) that gave 0.8 to 1.3 of the processor time and
0.6 to 1.7 of the bytes per pixel."""
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
    deliver_seconds: float,
    rerendered: float,
) -> Estimate:
    """Return what the job costs in full, from the board of a finished draft and the plan of the whole job.

    `start_seconds`: processor time of what costs the same in both; `deliver_seconds`: of joining and sound in the
    draft. `rerendered`: the share of frames that were rendered a second time.
    """
    draft: Draft = board.get(Draft)
    edit: Edit = board.get(Edit)
    whole = _whole(board, full)
    encoding: Encoding = whole.get(Encoding)
    target: ProjectFormat = whole.get(ProjectFormat)
    seconds = [draft.film_seconds[str(event.path)] for event in edit.events]
    shared = sum(event.dissolve_in for event in edit.events)
    encoded = sum(round_half_up(length * target.rate) for length in seconds) - shared
    film = encoded / target.rate
    number = max(1, min(MOST_SAMPLES, len(edit.events), int(film) // FILM_SECONDS_PER_SAMPLE))
    paths = [edit.events[(2 * n + 1) * len(edit.events) // (2 * number)].path for n in range(number)]
    samples = [_sample(whole.get(Clip, path), whole, full, scratch, check) for path in dict.fromkeys(paths)]
    look = sum(draft.frames[str(path)] * _pixels(whole.get(Clip, path)) for path in whole.clips)
    pixels = target.width * target.height
    shown = sum(event.frames for event in edit.events) / target.rate
    cpu = (
        start_seconds
        + look * fmean(sample.look_seconds for sample in samples)
        + encoded * pixels * fmean(sample.render_seconds for sample in samples) * (1 + rerendered)
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
        disk_bytes=round(3 * picture + 2 * sound),
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
    def on_frame(done: int) -> None:
        check()

    def looking(frames: int) -> float:
        start = time.process_time()
        passes.look(replace(clip, first_frames=frames), full.look, threads=1, on_frame=on_frame)
        return time.process_time() - start

    # the difference between two lengths, which takes out what opening a file costs
    look = max(0.0, looking(SAMPLE_FRAMES) - looking(1)) / (SAMPLE_FRAMES - 1)
    job = take_job(clip, whole, full)
    time_map: TimeMap = whole.get(TimeMap, clip.path)
    run = range(time_map.first, min(time_map.end, time_map.first + SAMPLE_FRAMES))
    rendered: RenderedClip = whole.get(RenderedClip, clip.path)
    watch = (*full.watch_units, *(full.watch if rendered.fixes else ()))
    watcher = passes.Watcher(watch, passes.delivered_clip(job, len(run)))
    frames: list[Frame] = []
    start = time.process_time()
    with PictureReader(clip) as reader:
        for frame in passes.delivered_frames(job, reader, run):
            check()
            watcher.step(frame)
            frames.append(middle(frame))
    render = (time.process_time() - start) / len(run)
    target = replace(job.target, width=frames[0].width, height=frames[0].height)
    path = scratch(f".{job.encoding.container}")
    start = time.process_time()
    with passes.open_writer(target, job.encoding, path) as writer:
        for frame in frames:
            writer.write(frame)
    small = target.width * target.height
    encode = (time.process_time() - start) / len(frames) / small
    first, *rest = packet_bytes(path)
    return _Sample(
        look_seconds=look / _pixels(clip),
        render_seconds=render / (job.target.width * job.target.height) + encode,
        first_bytes=first / small,
        bytes=(fmean(rest) if rest else first) / small,
    )


def middle(frame: Frame) -> Frame:
    """Return the middle of a frame, half as wide and half as high, as views of its planes."""
    width, height = max(16, frame.width // 4 * 2), max(16, frame.height // 4 * 2)
    left, top = (frame.width - width) // 4 * 2, (frame.height - height) // 4 * 2
    chroma = frame.pixel_format.chroma_shift_x, frame.pixel_format.chroma_shift_y
    y, cb, cr = (
        plane[top >> down : (top + height) >> down, left >> across : (left + width) >> across]
        for plane, (across, down) in zip(frame.planes, ((0, 0), chroma, chroma), strict=True)
    )
    return Frame(frame.index, frame.pts_seconds, (y, cb, cr), frame.pixel_format, frame.colour)


def _pixels(clip: Clip) -> int:
    return clip.picture.width * clip.picture.height
