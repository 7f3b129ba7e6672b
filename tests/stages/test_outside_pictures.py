"""What outside tools make of takes, in size, rate, coding and content, and of what is delivered."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from postpipe import api
from tests.programs.helpers import rogue
from tests.stages.tools import (
    FAST,
    FFMPEG_RAW,
    FRAME_BYTES,
    PIPE,
    commands,
    digest,
    folder,
    misbehaving,
    run,
)


def test_an_interpolator_changes_the_rate_and_keeps_time(tmp_path: Path) -> None:
    takes = folder(tmp_path, {"rate": Fraction(8), "frames": 16})
    plain = run(takes, tmp_path / "plain", {})
    for kind, command in {
        "pipe": [*FFMPEG_RAW, "-vf", "minterpolate=fps={out_rate}", "-f", "rawvideo", "-"],
        "file": [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            "{input}",
            "-vf",
            "minterpolate=fps={out_rate}",
            "-qp",
            "0",
            "{output}",
        ],
    }.items():
        document = run(takes, tmp_path / kind, {"smooth": {"kind": kind, "command": command, "rate": 24}})
        assert document["sequence"]["frames"] == 48
        assert document["sequence"]["rate"] == "24/1"
        assert document["sequence"]["seconds"] == plain["sequence"]["seconds"] == 2
        assert document["sequence"]["audio_samples"] == plain["sequence"]["audio_samples"]
        assert document["takes"][0]["outside"] == [
            {"tool": "smooth", "kind": kind, "decoded": 16, "encoded": 48, "size": "64x48", "failed": None}
        ]
        assert document["takes"][0]["media"]["rate"] == "24/1"


def test_a_rate_that_the_tool_does_not_keep_is_told(tmp_path: Path) -> None:
    takes = folder(tmp_path, {"rate": Fraction(8), "frames": 16})
    tools = {"smooth": {"kind": "pipe", "command": PIPE, "rate": 24}}
    with pytest.raises(api.DeliveryError, match="gave 16 frames of 16, and 48 at 24/1 last as long"):
        run(takes, tmp_path / "out", tools)


def test_a_tool_may_enlarge_and_is_held_to_it(tmp_path: Path) -> None:
    takes = folder(tmp_path)
    command = [*FFMPEG_RAW, "-vf", "scale={out_width}:{out_height}", "-f", "rawvideo", "-"]
    document = run(takes, tmp_path / "out", {"up": {"kind": "pipe", "command": command, "scale": 2}})
    assert {take["outside"][0]["size"] for take in document["takes"]} == {"128x96"}
    assert document["takes"][0]["media"]["width"] == 128
    command = ["ffmpeg", "-v", "error", "-i", "{input}", "-vf", "scale=96:72", "-qp", "0", "{output}"]
    with pytest.raises(api.DeliveryError, match="gave pictures of 96 × 72, and 128 × 96 are expected; check its scale"):
        run(takes, tmp_path / "out", {"up": {"kind": "file", "command": command, "scale": 2}})


def test_what_a_tool_changes_is_what_is_looked_at(tmp_path: Path) -> None:
    takes = folder(tmp_path, {"black": range(0, 8)})
    plain = run(takes, tmp_path / "plain", {})
    command = [*FFMPEG_RAW, "-vf", "eq=brightness=0.4", "-f", "rawvideo", "-"]
    changed = run(takes, tmp_path / "out", {"grade": {"kind": "pipe", "command": command}})
    assert plain["takes"][0]["facts"]["quality"]["black_frames"] == [*range(8)]
    assert changed["takes"][0]["facts"]["quality"]["black_frames"] == []


def test_a_file_that_says_another_coding_is_converted_from_that(tmp_path: Path) -> None:
    takes = folder(tmp_path, {})
    out = "ffmpeg -v error -i {input} -vf scale=out_color_matrix=bt601:out_range=full -colorspace smpte170m".split()
    command = [*out, "-color_range", "pc", "-qp", "0", "{output}"]
    document = run(takes, tmp_path / "out", {"it": {"kind": "file", "command": command}})
    assert document["takes"][0]["media"]["colour"]["matrix"] == "smpte170m"
    assert document["takes"][0]["media"]["colour"]["range"] == "full"


def test_finishing_tools_work_on_what_is_delivered(tmp_path: Path) -> None:
    takes, out = folder(tmp_path), tmp_path / "out"
    run(takes, tmp_path / "plain", {})
    same = {
        "one": {"kind": "frames", "command": commands("frames", "same"), "batch_frames": 5, "context_frames": 2},
        "two": {"kind": "pipe", "command": PIPE},
    }
    same = {name: {**tool, "slot": "finish"} for name, tool in same.items()}
    document = run(takes, out, same)
    assert digest(out / "sequence.mp4") == digest(tmp_path / "plain" / "sequence.mp4")
    assert document["frames"]["encoded_outside"] == 0
    same["two"]["timeout_seconds"] = 77
    assert run(takes, out, same)["frames"]["encoded"] == 0
    bright = [*FFMPEG_RAW, "-vf", "eq=brightness=0.2", "-f", "rawvideo", "-"]
    graded = run(takes, out, {"grade": {"kind": "pipe", "command": bright, "slot": "finish"}})
    assert graded["frames"]["encoded"] == 44
    assert digest(out / "sequence.mp4") != digest(tmp_path / "plain" / "sequence.mp4")


def test_a_finishing_tool_that_fails(tmp_path: Path) -> None:
    takes, out = folder(tmp_path), tmp_path / "out"
    bad = {**misbehaving("pipe", "exit1"), "slot": "finish"}
    document = run(takes, out, {"bad": bad})
    assert "cannot allocate the model" in document["takes"][0]["skipped"]["reason"]
    assert document["sequence"]["frames"] == 20
    left = run(takes, out, {"bad": {**bad, "fallback": "leave"}})
    assert left["sequence"]["frames"] == 44
    (fix,) = left["takes"][0]["fixes"]
    assert (fix["stage"], fix["kept"]) == ("finish", False)
    assert "cannot allocate the model" in fix["after"]["failed"]


def test_a_draft_of_a_program_that_is_not_there(tmp_path: Path) -> None:
    tools = {"bad": {"kind": "pipe", "command": ["no such program"], "slot": "finish"}}
    document = api.run(folder(tmp_path), tmp_path / "out", settings={**FAST, "outside": tools}, draft=True).document()
    assert document["draft"]["estimate"]["encoded"] == 44


@pytest.mark.parametrize("kind", ["pipe", "frames"])
def test_an_upscaler_is_scored_though_a_finishing_tool_follows(kind: str, tmp_path: Path) -> None:
    takes = folder(tmp_path, {"frames": 12})
    settings = {"upscale": {"scale": 2, "kind": "lanczos"}}
    plain = run(takes, tmp_path / "plain", {}, **settings)
    same = rogue("same", "pipe", 4 * FRAME_BYTES) if kind == "pipe" else commands("frames", "same")
    tools = {"grain": {"kind": kind, "command": same, "slot": "finish"}}
    finished = run(takes, tmp_path / "out", tools, **settings)
    assert "sharpness_ratio" in plain["takes"][0]["fixes"][0]["after"]
    assert finished["takes"][0]["fixes"] == plain["takes"][0]["fixes"]
