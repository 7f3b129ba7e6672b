"""Outside programs: what a pipe costs besides the pipe, memory and exactness of 4K, disk of folders, restarts.

`python -m benchmarks.outside` writes `results/outside.json`. The program is `cat`, which does nothing, so that what is
measured is the hook. Its peer writes and reads the same bytes through the same program with nothing around it.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import resource
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.common import BT709, POSTPIPE, footage, record, spend, workplace
from postpipe.media.frames import allocate
from postpipe.model import PIXEL_FORMATS, Frame
from postpipe.programs.folders import Batches, through_folders
from postpipe.programs.pipe import Stream, through_pipe
from postpipe.programs.process import Surroundings, surrounded
from postpipe.programs.wire import Shape, outgoing

SIZE = (1920, 1080)
LAYOUT = "yuv420p"
PIPE_BYTES, SET_PIPE_SIZE = 1 << 20, 1031


@functools.cache
def _noise() -> list[Frame]:
    """Return eight 1080p frames."""
    rng = np.random.default_rng(0)
    kept = []
    for index in range(8):
        frame = allocate(PIXEL_FORMATS[LAYOUT], *SIZE, index=index, colour=BT709)
        for plane in frame.planes:
            plane[:] = rng.integers(0, 256, plane.shape, np.uint8)
        kept.append(frame)
    return kept


def pictures(number: int) -> Iterator[Frame]:
    """Yield `number` 1080p frames, eight different ones in turn."""
    for index in range(number):
        frame = _noise()[index % 8]
        yield Frame(index, Fraction(index, 24), frame.planes, frame.pixel_format, frame.colour, frame.native)


def hook(number: int) -> None:
    """Send frames through `cat` by the hook."""
    shape = Shape(*SIZE, LAYOUT)
    stream = Stream("rawvideo", shape, shape, Fraction(24), one_to_one=True, timeout_seconds=60)
    assert sum(1 for _ in through_pipe("cat", ["cat"], Path.cwd(), pictures(number), stream)) == number


def bare(number: int, *, enlarged: bool, kept: bool = False) -> None:
    """Send the same bytes through `cat`: a thread writes, another reads into one buffer, or (`kept`) new memory."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        if enlarged:
            import fcntl

            for pipe in (child.stdin, child.stdout):
                fcntl.fcntl(pipe, SET_PIPE_SIZE, PIPE_BYTES)
        sink, source = child.stdin, child.stdout

        def write() -> None:
            for frame in pictures(number):
                for buffer in outgoing(frame, LAYOUT):
                    place = 0
                    while place < len(buffer):
                        place += sink.write(buffer[place:])
            sink.close()

        writer = threading.Thread(target=write)
        writer.start()
        size = Shape(*SIZE, LAYOUT).frame_bytes
        room = np.empty(size, np.uint8).data
        for _ in range(number):
            if kept:
                room = np.empty(size, np.uint8).data
            place = 0
            while place < len(room):
                place += source.readinto(room[place:])  # type: ignore[attr-defined]
        writer.join()


def pipe_cost(number: int, runs: int) -> dict[str, Any]:
    """Return the hook's CPU against a bare write and read, per 1080p frame, both processes together.

    In turns, in many short stretches, and the least of each: other work on the machine only ever adds.
    """
    ways: dict[str, Callable[[], None]] = {
        "hook": lambda: hook(number),
        "bare": lambda: bare(number, enlarged=False),
        "bare-enlarged": lambda: bare(number, enlarged=True),
        "bare-kept": lambda: bare(number, enlarged=True, kept=True),
    }
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(runs):
        for name, way in ways.items():
            start = _cpu_seconds()
            way()
            least[name] = min(least[name], (_cpu_seconds() - start) / number * 1000)
    return {
        "frames": number,
        "hook_ms_per_frame": round(least["hook"], 3),
        "bare_ms_per_frame": round(least["bare"], 3),
        "bare_with_larger_pipes_ms_per_frame": round(least["bare-enlarged"], 3),
        "bare_into_new_memory_ms_per_frame": round(least["bare-kept"], 3),
        "ratio": round(least["hook"] / least["bare"], 3),
        "ratio_to_larger_pipes": round(least["hook"] / least["bare-enlarged"], 3),
        "ratio_to_new_memory": round(least["hook"] / least["bare-kept"], 3),
    }


def _cpu_seconds() -> float:
    """Return the processor time of this process, and of those that it has waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def folder_cost(folder: Path) -> dict[str, Any]:
    """Return what folders of pictures cost with a program that copies them, and the most that it was given at once."""
    number, most = 48, 0
    batches = Batches(frames=16, context=0, bits=8, size=SIZE, layout=PIXEL_FORMATS[LAYOUT], timeout_seconds=60)
    names = itertools.count()
    place = folder / "batches"
    place.mkdir()

    def command(given: Path, back: Path, count: int) -> list[str]:
        nonlocal most
        most = max(most, sum(1 for _ in place.rglob("*.png")))
        return ["cp", "-r", f"{given}/.", str(back)]

    with surrounded(Surroundings(lambda: None, lambda suffix: place / f"{next(names)}{suffix}")):
        start = _cpu_seconds()
        made = list(map(_sums, through_folders("cp", command, pictures(number), batches)))
        cpu = _cpu_seconds() - start
    assert made == list(map(_sums, pictures(number)))
    return {
        "frames": number,
        "batch": 16,
        "cpu_ms_per_frame": round(cpu / number * 1000, 1),
        "most_given_at_once": most,
    }


def _sums(frame: Frame) -> list[int]:
    return [zlib.crc32(np.ascontiguousarray(plane).data) for plane in frame.planes]


def upscaled(folder: Path, seconds: int) -> dict[str, Any]:
    """Return memory and exactness of 1080p enlarged to 4K by a program on a pipe (ffmpeg's scaler)."""
    takes, out = folder / "takes", folder / "out"
    takes.mkdir()
    footage(takes / "scene01_take01.mp4", seconds)
    raw = "-f rawvideo -pix_fmt {pixel_format}".split()
    command = ["ffmpeg", "-v", "error", *raw, "-s", "{width}x{height}", "-i", "-",
               "-vf", "scale={out_width}:{out_height}", *raw, "-"]  # fmt: skip
    listed = ", ".join(json.dumps(word) for word in command)
    (takes / "postpipe.toml").write_text(
        f'[upscale]\nkind = "pipe"\nscale = 2\ncommand = [{listed}]\n[deliver]\npreset = "ultrafast"\n'
    )
    spent = spend([*POSTPIPE, "run", takes, "-o", out, "--jobs", "1"])
    document = json.loads((out / "takes.json").read_text())
    with av.open(str(out / "sequence.mp4")) as film:
        video, sound = film.streams.video[0], film.streams.audio[0]
        size, frames = f"{video.width}x{video.height}", sum(1 for _ in film.demux(video) if _.size)
        lengths = [float(stream.duration * stream.time_base) for stream in (video, sound)]
    return {
        "exit_code": spent.exit_code,
        "seconds": seconds,
        "size": size,
        "frames": frames,
        "expected_frames": seconds * 24,
        "picture_seconds": lengths[0],
        "sound_seconds": lengths[1],
        "peak_mb": round(spent.peak_mb),
        "audio_samples": document["sequence"]["audio_samples"],
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=100, help="of a stretch")
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--seconds", type=int, default=30)
    given = parser.parse_args()
    with workplace() as folder:
        figures = {
            "pipe": pipe_cost(given.frames, given.runs),
            "folders": folder_cost(folder),
            "upscaled": upscaled(folder, given.seconds),
        }
        record("outside", "python -m benchmarks.outside", figures)


if __name__ == "__main__":
    main()
