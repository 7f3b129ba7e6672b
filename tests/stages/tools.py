"""Runs with outside tools, well-behaved and other."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from postpipe import api
from tests.clips import make_clip
from tests.programs.helpers import rogue

FAST = {"deliver": {"preset": "ultrafast", "encoder_threads": 1}, "provenance": {"sign": "off"}}
FRAME_BYTES = 64 * 48 * 3 // 2
PIPE = rogue("same", "pipe", FRAME_BYTES)
FFMPEG_RAW = "ffmpeg -v error -f rawvideo -pix_fmt {pixel_format} -s {width}x{height} -r {rate} -i -".split()


def folder(tmp_path: Path, *makes: dict[str, Any]) -> Path:
    takes = tmp_path / "takes"
    takes.mkdir()
    for number, make in enumerate(makes or ({}, {"frames": 20}), 1):
        make_clip(takes / f"scene{number:02}_take01.mp4", **{"seed": number, **make})
    return takes


def run(takes: Path, out: Path, tools: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return api.run(takes, out, settings={**FAST, "outside": tools, **settings}).document()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def commands(kind: str, name: str) -> list[str]:
    return rogue(name, "pipe", FRAME_BYTES) if kind == "pipe" else rogue(name, kind, "{input}", "{output}")


def left_behind(out: Path) -> list[Path]:
    hidden = out / ".postpipe"
    return [path for path in hidden.rglob("*") if "tmp" in path.relative_to(hidden).parts[:-1]]


SWITCH = """
import runpy, sys
first = sys.argv[1] == "scene01_take01"
sys.argv = sys.argv[2:]
sys.argv[1] = sys.argv[1] if first else "same"
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def misbehaving(kind: str, name: str) -> dict[str, Any]:
    """Return a tool that misbehaves with the first take alone."""
    command = rogue(name, "pipe", 64 * 48 * 3 * 4) if name == "nan" else commands(kind, name)
    tool: dict[str, Any] = {"kind": kind, "command": [sys.executable, "-c", SWITCH, "{take}", *command[1:]]}
    return {**tool, "timeout_seconds": 2, **({"pixel_format": "rgbf32le"} if name == "nan" else {})}
