"""Programs on a pipe: exact when they do nothing, told in words when they do the wrong thing."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest

from postpipe.errors import Cancelled, ProgramError
from postpipe.programs.pipe import Stream, through_pipe
from postpipe.programs.process import Surroundings, surrounded
from postpipe.programs.wire import Shape
from tests.programs.helpers import frames, rogue, same


def stream(
    layout: str = "yuv420p", kind: str = "rawvideo", timeout: float = 20, size: tuple[int, int] = (64, 48)
) -> Stream:
    shape = Shape(*size, layout)
    return Stream(kind, shape, shape, Fraction(24), one_to_one=True, timeout_seconds=timeout)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"])
@pytest.mark.parametrize("size", [(64, 48), (62, 46), (33, 21)])
def test_doing_nothing_is_exact(layout: str, size: tuple[int, int], tmp_path: Path) -> None:
    one = stream(layout, size=size)
    made = list(
        through_pipe("it", rogue("same", "pipe", one.given.frame_bytes), tmp_path, frames(6, size, layout), one)
    )
    assert len(made) == 6
    assert all(same(a, b) for a, b in zip(made, frames(6, size, layout), strict=True))


@pytest.mark.parametrize("layout", ["rgb24", "bgr24", "rgb48le", "bgr48le", "rgbf32le"])
@pytest.mark.parametrize("own", ["yuv420p", "yuv422p10le"])
def test_doing_nothing_to_pixels_is_exact_too(layout: str, own: str, tmp_path: Path) -> None:
    one = stream(layout)
    made = list(through_pipe("it", rogue("same", "pipe", one.given.frame_bytes), tmp_path, frames(4, layout=own), one))
    assert all(same(a, b) for a, b in zip(made, frames(4, layout=own), strict=True))


def test_y4m_is_exact_and_what_ffmpeg_reads_and_writes(tmp_path: Path) -> None:
    argv = ["ffmpeg", "-v", "error", "-i", "-", "-f", "yuv4mpegpipe", "-"]
    made = list(through_pipe("ffmpeg", argv, tmp_path, frames(), stream(kind="y4m")))
    assert all(same(a, b) for a, b in zip(made, frames(), strict=True))


def test_what_the_program_changes_arrives(tmp_path: Path) -> None:
    one = stream()
    made = list(through_pipe("it", rogue("invert", "pipe", one.given.frame_bytes), tmp_path, frames(2), one))
    for got, own in zip(made, frames(2), strict=True):
        assert all((a == 255 - b).all() for a, b in zip(got.planes, own.planes, strict=True))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("hang", "has not given frame 3 within 1 s"),
        ("slow", "has not given frame 1 within 1 s"),
        ("exit1", "ended with exit code 1: it gave 3 frames.*cannot allocate the model"),
        ("exit-late", "ended with exit code 3"),
        ("short", "gave 3 frames, and was given"),
        ("half", "ends within a picture of 64 × 48 yuv420p: it has 2304 of 4608 bytes, after 3 frames"),
        ("extra", "gave more than 8 frames of 64 × 48 yuv420p"),
        ("double", "gave more than . frames"),
        ("wrong-size", "gave 6 frames, and was given 8"),
        ("killed", "was ended by SIGKILL"),
        ("lingers", "has not ended after its last frame within 1 s"),
    ],
)
def test_what_goes_wrong_is_said(name: str, says: str, tmp_path: Path) -> None:
    one = stream(timeout=1)
    threads = threading.active_count()
    with pytest.raises(ProgramError, match=says):
        list(through_pipe("it", rogue(name, "pipe", one.given.frame_bytes), tmp_path, frames(), one))
    deadline = time.monotonic() + 2
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == threads


def test_nothing_is_believed_before_the_program_has_ended_well(tmp_path: Path) -> None:
    one = stream()
    program = through_pipe("it", rogue("exit-late", "pipe", one.given.frame_bytes), tmp_path, frames(), one)
    assert sum(1 for _ in itertools.islice(program, 7)) == 7
    with pytest.raises(ProgramError, match="exit code 3"):
        next(program)


def test_not_a_number_is_found(tmp_path: Path) -> None:
    one = stream("rgbf32le")
    with pytest.raises(ProgramError, match=r"no numbers \(NaN or infinite\), in frame 3"):
        list(through_pipe("it", rogue("nan", "pipe", one.given.frame_bytes), tmp_path, frames(), one))


def test_values_beyond_ten_bits_are_found(tmp_path: Path) -> None:
    one = stream("yuv420p10le")
    with pytest.raises(ProgramError, match="values above 1023 in yuv420p10le"):
        list(
            through_pipe(
                "it", rogue("invert", "pipe", one.given.frame_bytes), tmp_path, frames(layout="yuv420p10le"), one
            )
        )


def test_endless_messages_block_nothing_and_the_last_are_kept(tmp_path: Path) -> None:
    one = stream()
    shown = frames(25)
    program = rogue("chatty", "pipe", one.given.frame_bytes)
    assert sum(1 for _ in through_pipe("it", program, tmp_path, shown, one)) == 25


def test_y4m_of_another_size_is_told_at_once(tmp_path: Path) -> None:
    argv = ["ffmpeg", "-v", "error", "-i", "-", "-vf", "scale=32:24", "-f", "yuv4mpegpipe", "-"]
    with pytest.raises(ProgramError, match="gives pictures of 32 × 24 yuv420p where 64 × 48 yuv420p are expected"):
        list(through_pipe("ffmpeg", argv, tmp_path, frames(), stream(kind="y4m")))


def test_what_is_no_y4m_is_told(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "print('loading model')"]
    with pytest.raises(ProgramError, match="gives no y4m stream"):
        list(through_pipe("it", argv, tmp_path, frames(), stream(kind="y4m")))


def test_no_such_program(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"cannot be started.*No such file"):
        list(through_pipe("it", ["/no/such/program"], tmp_path, frames(), stream()))


def test_a_fault_of_the_frames_ends_the_program(tmp_path: Path) -> None:
    def faulty():  # type: ignore[no-untyped-def]
        yield from frames(3)
        raise RuntimeError("the take is damaged")

    with pytest.raises(RuntimeError, match="the take is damaged"):
        list(through_pipe("it", rogue("same", "pipe", 4608), tmp_path, faulty(), stream()))
    assert not _alive(str(tmp_path))


def test_who_stops_reading_ends_the_program(tmp_path: Path) -> None:
    made = through_pipe("it", rogue("same", "pipe", 4608, tmp_path), tmp_path, frames(5000), stream())
    next(made)
    assert _alive(str(tmp_path))
    made.close()
    gc.collect()
    assert not _alive(str(tmp_path))


def test_a_run_that_is_stopped_ends_the_program_at_once(tmp_path: Path) -> None:
    start = time.monotonic()

    def check() -> None:
        if time.monotonic() > start + 0.5:
            raise Cancelled

    with surrounded(Surroundings(check, lambda suffix: tmp_path / suffix)), pytest.raises(Cancelled):
        list(through_pipe("it", rogue("hang", "pipe", 4608, tmp_path), tmp_path, frames(), stream(timeout=60)))
    assert time.monotonic() < start + 5
    assert not _alive(str(tmp_path))


@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX")
def test_what_the_program_started_ends_with_it(tmp_path: Path) -> None:
    child = f"import subprocess, sys; subprocess.Popen(['sleep', '600.25']); sys.stdin.read(); sys.exit('{tmp_path}')"
    with pytest.raises(ProgramError):
        list(through_pipe("it", [sys.executable, "-c", child], tmp_path, frames(), stream(timeout=2)))
    assert not _alive("600.25")


def _alive(mark: str) -> list[str]:
    listed = subprocess.run(["ps", "-eww", "-o", "stat,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if mark in line and not line.startswith("Z")]
