"""What a person reads of takes on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from postpipe.cli.summary import findings, print_summary, print_takes


def take(**changes: Any) -> dict[str, Any]:
    return {
        "file": "a.mp4",
        "scene": "a",
        "take": None,
        "selected": True,
        "rank": 1,
        "skipped": None,
        "media": {"width": 64, "height": 48, "rate": "24/1", "vfr": False},
        "facts": {"sound": {"silent": False}},
        "fixes": [],
        "sound_shift": None,
        "render": {},
        "warnings": [],
    } | changes


def test_what_became_of_late_sound_is_said_of_delivered_takes() -> None:
    facts = {"sound": {"silent": False}, "lipsync": {"offset_ms": -278.3}}
    moved = {"stage": "lipsync", "kept": True, "parameters": {"mode": "auto"}}
    own = moved | {"parameters": {"mode": "own number"}}
    left = {"left_because": "its halves say different things: 190 ms late and 300 ms late"}
    assert findings(take(facts=facts, fixes=[moved])) == ["sound 278 ms late, put right"]
    assert findings(take(facts=facts, fixes=[own])) == ["sound 278 ms late, moved by your own number"]
    assert findings(take(facts=facts, fixes=[moved | {"kept": False}], sound_shift=left)) == [
        f"sound 278 ms late, left so: {left['left_because']}"
    ]
    assert findings(take(facts=facts)) == ["sound 278 ms late, left so"]  # no fix of that kind was asked for
    assert findings(take(facts=facts, selected=False, render=None)) == ["sound 278 ms late"]


def test_an_offset_that_is_likely_and_a_drift_are_said_too() -> None:
    def told(**lipsync: Any) -> list[str]:
        return findings(take(facts={"sound": {"silent": False}, "lipsync": lipsync}, selected=False))

    unsure = {"reason": "unsure", "offset_ms": None, "guess_ms": 120.0}
    assert told(**unsure, confidence=0.6) == ["sound perhaps 120 ms early"]
    assert told(**unsure, confidence=0.4) == []
    assert told(offset_ms=10.0, drift_ms_per_second=-7.25) == ["sound gets later by 7.2 ms a second"]


def test_marks_are_told_once_for_each_kind() -> None:
    marks = [{"kind": kind} for kind in ("static", "static", "moving", "hidden")]
    facts = {"sound": {"silent": False}, "marks": marks}
    assert findings(take(facts=facts)) == ["visible mark", "visible mark that moves", "hidden mark"]


def test_what_is_said_of_many_takes_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    print_takes([take(file=f"{name}.mp4", warnings=["no colour tags"]) for name in "abcde"])
    assert "a.mp4, b.mp4, c.mp4 and 2 more: no colour tags\n" in capsys.readouterr().out


def test_takes_of_a_scene_are_told_together(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    names = {"-odd.mp4": "scene10", "b.mp4": "scene2", "c.mp4": "scene10", "d.mp4": None}
    frames = dict.fromkeys(("decoded_look", "decoded_render", "encoded", "rerendered", "delivered"), 0)
    takes = [take(file=file, scene=scene, take={"-odd.mp4": 3, "c.mp4": 1}.get(file)) for file, scene in names.items()]
    print_summary({"takes": takes, "sequence": None, "frames": frames, "draft": None}, tmp_path)
    told = capsys.readouterr().out
    assert sorted(names, key=told.index) == ["d.mp4", "b.mp4", "c.mp4", "-odd.mp4"]
