"""Upscalers that are programs, in a run: what they give is delivered, what goes wrong costs one take at most."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest

from postpipe import api
from postpipe.errors import SettingsError
from tests.clips import make_clip

FAST = {"preset": "ultrafast", "encoder_threads": 1, "unit_seconds": 1}
PROGRAM = """
import os, sys, time
name, width, height, scale = sys.argv[1], *map(int, sys.argv[2:5])
def enlarge(plane, width):
    rows = [plane[start : start + width] for start in range(0, len(plane), width)]
    wide = [b"".join(row[x : x + 1] * scale for x in range(width)) for row in rows]
    return b"".join(row * scale for row in wide)
sizes = [width * height, width * height // 4, width * height // 4]
number = 0
while luma := sys.stdin.buffer.read(sizes[0]):
    planes = [luma, *(sys.stdin.buffer.read(size) for size in sizes[1:])]
    made = b"".join(enlarge(plane, width if n == 0 else width // 2) for n, plane in enumerate(planes))
    if number == 30:
        if name == "exit1": sys.exit("the model is broken")
        if name == "short": sys.exit(0)
        if name == "hang": time.sleep(600)
    sys.stdout.buffer.write(made[:-100] if name == "small" else made)
    sys.stdout.buffer.flush()
    number += 1
if name == "extra": sys.stdout.buffer.write(made)
if name == "late": sys.exit(5)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One take that is as large as the film, and one that is half as large."""
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", size=(128, 96), frames=12)
    make_clip(takes / "scene02_take01.mp4", frames=36)
    (tmp_path / "nearest.py").write_text(PROGRAM)
    return takes


def run(takes: Path, out: Path, name: str, **keys: Any) -> dict[str, Any]:
    program = [sys.executable, str(takes.parent / "nearest.py"), name, "{width}", "{height}", "{scale}"]
    upscale = {"kind": "pipe", "command": program, "timeout_seconds": 2, **keys}
    settings = {"project": {"size": "128x96"}, "deliver": FAST, "upscale": upscale, "provenance": {"sign": "off"}}
    return api.run(takes, out, settings=settings).document()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def units(out: Path) -> int:
    return sum(1 for _ in (out / ".postpipe" / "store" / "units").rglob("*.mp4"))


def test_a_program_enlarges_the_takes_that_are_too_small(folder: Path, tmp_path: Path) -> None:
    document = run(folder, tmp_path / "out", "nearest")
    large, small = document["takes"]
    assert large["fixes"] == []
    assert small["fixes"][0]["stage"] == "upscale"
    assert "failed" not in small["fixes"][0]["after"]
    assert document["sequence"]["frames"] == document["frames"]["encoded"] == 48
    again = run(folder, tmp_path / "out", "nearest", timeout_seconds=50)
    assert again["frames"]["encoded"] == again["frames"]["decoded_render"] == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("exit1", "the upscaler ended with exit code 1: it gave 30 frames.*the model is broken"),
        ("short", "the upscaler gave 30 frames, and was given"),
        ("hang", "the upscaler has not given frame 30 within 2 s"),
        ("extra", "the upscaler gave more than 36 frames of 128 × 96 yuv420p"),
        ("small", "the upscaler ends within a picture of 128 × 96 yuv420p"),
        ("late", "the upscaler ended with exit code 5"),
    ],
)
def test_one_that_misbehaves_costs_its_take_alone_and_leaves_nothing(
    name: str, says: str, folder: Path, tmp_path: Path
) -> None:
    """It does so late, when most units of the take are finished: none of them may be kept."""
    import re

    out = tmp_path / "out"
    failed = run(folder, out, name)
    assert failed["takes"][0]["skipped"] is None
    assert re.search(says, failed["takes"][1]["skipped"]["reason"])
    assert failed["sequence"]["frames"] == 12
    assert units(out) == 1
    made_up = run(folder, out, name, fallback="built-in")
    (fix,) = made_up["takes"][1]["fixes"]
    assert not fix["kept"]
    assert re.search(says, fix["after"]["failed"])
    assert made_up["sequence"]["frames"] == 48
    run(folder, tmp_path / "off", name, scale="off")
    assert digest(out / "sequence.mp4") == digest(tmp_path / "off" / "sequence.mp4")


def test_settings_are_checked(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="command is empty"):
        run(folder, tmp_path / "out", "x", command=[])
    with pytest.raises(SettingsError, match=r"command does not name \{output\}"):
        run(folder, tmp_path / "out", "x", kind="frames", command=["x", "{input}"])
