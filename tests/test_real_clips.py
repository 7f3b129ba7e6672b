"""Whole runs over real clips: `pytest --media DIR`."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

FAST = ["--deliver-preset", "ultrafast", "--deliver-crf", "30"]
SUFFIXES = {".mp4", ".mov", ".avi", ".mpg", ".webm", ".mkv", ".m4v"}


def postpipe(*arguments: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "postpipe", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def clips(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


RUN = "takes", "odd"
"""Folders that become sequences; the others are looked at."""


def assert_read_or_refused(takes: list[dict[str, Any]]) -> None:
    for take in takes:
        if take["skipped"]:
            assert ";" in take["skipped"]["reason"]
        else:
            assert take["media"]["frames"] > 0


def test_every_clip_is_read_or_refused_in_words(media: Path) -> None:
    others = [path for path in clips(media) if path.relative_to(media).parts[0] not in RUN]
    done = postpipe("inspect", "--json", *others)
    entries = json.loads(done.stdout)
    assert len(entries) == len(others)
    assert done.returncode in (0, 3)
    assert_read_or_refused(entries)


@pytest.mark.parametrize("folder", RUN)
def test_folders_become_sequences(media: Path, tmp_path: Path, folder: str) -> None:
    if not (media / folder).is_dir():
        pytest.skip(f"there is no folder {folder}")
    done = postpipe("run", media / folder, "-o", tmp_path / "out", "--json", *FAST)
    assert done.returncode in (0, 3), done.stderr
    document = json.loads(done.stdout)
    assert_read_or_refused(document["takes"])
    frames = document["frames"]
    with av.open(str(tmp_path / "out" / "sequence.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == frames["delivered"] == frames["encoded"]
    looked_at = sum(take["media"]["frames"] for take in document["takes"] if take["media"])
    assert frames["decoded_look"] >= looked_at
    assert len([take for take in document["takes"] if take["selected"]]) > 5
    again = json.loads(postpipe("run", media / folder, "-o", tmp_path / "out", "--json", *FAST).stdout)
    assert (again["frames"]["decoded_look"], again["frames"]["decoded_render"]) == (0, 0)


@pytest.mark.parametrize("fault", ["cut", "flipped"])
def test_damaged_copies_are_survived(media: Path, tmp_path: Path, fault: str) -> None:
    dice = random.Random(fault)
    takes = tmp_path / "takes"
    takes.mkdir()
    small = [path for path in clips(media) if path.stat().st_size < 500_000]
    for path in dice.sample(small, min(10, len(small))):
        data = bytearray(path.read_bytes())
        if fault == "cut":
            del data[int(len(data) * dice.uniform(0.05, 0.95)) :]
        else:
            for _ in range(20):
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        (takes / path.name).write_bytes(data)
    done = postpipe("run", takes, "-o", tmp_path / "out", "--json", *FAST)
    assert done.returncode in (0, 3, 4), done.stderr
    if done.returncode != 4:
        document = json.loads(done.stdout)
        for take in document["takes"]:
            assert take["skipped"] is None or len(take["skipped"]["reason"]) > 20
