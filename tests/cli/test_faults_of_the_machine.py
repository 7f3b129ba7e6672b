"""Kills, full disks, places that cannot be written: clear words, nothing half-written, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from postpipe.finished import UNSIGNED
from tests.clips import make_clip

FAST = ["--deliver-preset", "medium", "--deliver-encoder-threads", "2", "--deliver-unit-seconds", "1"]
RECORDS = (".json", ".jsonl", ".lock")
COMMAND = [sys.executable, "-m", "postpipe", "run"]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals and limits")


@pytest.fixture
def long_takes(tmp_path: Path) -> Path:
    """Two takes of some units each."""
    takes = tmp_path / "takes"
    takes.mkdir()
    for scene in (1, 2):
        make_clip(takes / f"scene{scene:02d}_take01.mp4", frames=96, size=(320, 240), seed=scene)
    return takes


def delivered(out: Path) -> dict[str, bytes]:
    files = [path for path in out.rglob("*") if path.is_file() and ".postpipe" not in path.parts]
    found = {str(path.relative_to(out)): path.read_bytes() for path in files if path.suffix not in RECORDS}
    if "sequence.mp4" in found:  # signatures are random
        found["sequence.mp4"] = (out / UNSIGNED / "sequence.mp4").read_bytes()
    return found


def units(out: Path) -> set[str]:
    return {path.name for path in (out / ".postpipe" / "store" / "units").rglob("*.json")}


def test_a_killed_run_goes_on_where_it_stopped(long_takes: Path, tmp_path: Path) -> None:
    killed = tmp_path / "out"
    subprocess.run([*COMMAND, long_takes, "-o", killed, *FAST], check=True, capture_output=True)
    whole = delivered(killed)
    shutil.rmtree(killed)  # timelines say where they lie: the same place again
    with subprocess.Popen(
        [*COMMAND, long_takes, "-o", killed, *FAST], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        until = time.monotonic() + 60
        while len(units(killed)) < 2 and time.monotonic() < until and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    finished = units(killed)
    assert 2 <= len(finished) < 8
    assert delivered(killed) == {}
    done = subprocess.run([*COMMAND, long_takes, "-o", killed, "--json", *FAST], check=True, capture_output=True)
    assert json.loads(done.stdout)["frames"]["encoded"] == 24 * (8 - len(finished))
    assert delivered(killed) == whole
    assert list((killed / ".postpipe").rglob("tmp/*")) == []


def test_a_disk_that_takes_no_more_is_named(long_takes: Path, tmp_path: Path) -> None:
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000));"
        "sys.argv = ['postpipe', *sys.argv[1:]]; runpy.run_module('postpipe', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "run", long_takes, "-o", tmp_path / "out", *FAST],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert "larger than this disk or account allows" in done.stderr
    assert delivered(tmp_path / "out") == {}
    again = subprocess.run([*COMMAND, long_takes, "-o", tmp_path / "out", *FAST], capture_output=True, check=False)
    assert again.returncode == 0
    assert "sequence.mp4" in delivered(tmp_path / "out")


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder that nobody can write: /proc")
def test_a_place_that_cannot_be_written_is_named(long_takes: Path) -> None:
    done = subprocess.run(
        [*COMMAND, long_takes, "-o", "/proc/postpipe-out", *FAST], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert "/proc/postpipe-out" in done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
