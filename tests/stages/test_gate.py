"""The gate: every rule catches its fault, lets pass what it is told to, and says what it expects and found."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from postpipe.delivery import FrameTimes
from postpipe.stages.gate import Gate, GateVerdict
from postpipe.stages.locks import LockedSettings, Miss
from postpipe.stages.quality import PictureTrack
from postpipe.stages.select import Scores
from postpipe.stages.sound_levels import SoundLevels
from tests.stages.helpers import clean_checks, flicker_of

FRAMES = 100
CHECKS = clean_checks(FRAMES)

FAULTS: dict[str, tuple[dict[str, Any], Any, str, str]] = {
    # rule: what the take is like, a limit that catches it, what is expected, what is found
    "settings": (
        {"settings": LockedSettings(("rate",), (Miss("rate", "24", "30"),))}, True, "24", "30",
    ),
    "black_frames": ({"checks": {"black": (24, 25)}}, 1, "at most 1", "2, the first is frame 24 at 1.00 s"),
    "white_frames": ({"checks": {"white": (40, 41, 42)}}, 2, "at most 2", "3, the first is frame 40 at 1.67 s"),
    "frozen_seconds": (
        {"checks": {"frozen": ((2, 8), (24, 47))}}, 0.5, "at most 0.5", "1.00, frames 24 to 47 from 1.00 s",
    ),
    "duplicate_percent": ({"checks": {"duplicate": (3, 9)}}, 1, "at most 1", "2.0"),
    "damaged_frames": ({"checks": {"damaged": (12,)}}, 0, "at most 0", "1, the first is frame 12 at 0.50 s"),
    "missing_seconds": ({"checks": {"missing_seconds": 1.5}}, 1, "at most 1", "1.50 cut off the end"),
    "flicker_percent": ({"flicker": flicker_of(2.0)}, 1.5, "at most 1.5", "2.00"),
    "motion_percent": ({"difference": 0.255}, 0.2, "at least 0.2", "0.100"),
    "peak_dbfs": ({"sound": SoundLevels(-0.05, -12.0, False)}, -0.1, "at most -0.1", "-0.05"),
    "quality": ({"quality": 0.7}, 0.8, "at least 0.8", "0.700"),
}  # fmt: skip

LENIENT = Gate(
    settings=False, black_frames="any", white_frames="any", frozen_seconds="any", damaged_frames="any",
    missing_seconds="any",
)  # fmt: skip


def judge(gate: Gate, take: dict[str, Any]) -> GateVerdict:
    difference = np.full(FRAMES, take.get("difference", 5.0), np.float32)
    difference[0] = 0
    still, tiles = np.zeros(FRAMES, np.float32), np.zeros((FRAMES, 64), np.float32)
    return gate.run(
        times=FrameTimes(Fraction(1, 24), np.arange(7, 7 + FRAMES), 1, Fraction(24), False, ()),
        settings=take.get("settings", LockedSettings((), ())),
        checks=replace(CHECKS, **take.get("checks", {})),
        track=PictureTrack(still, difference, still, tiles, *[still] * 5, (0, 0, 0, 0)),
        flicker=take.get("flicker", flicker_of(0.0)),
        sound=take.get("sound", SoundLevels(None, None, None)),
        scores=Scores(take.get("quality", 1.0), 1, 1, 1, 1, 1, 1),
    )


def test_every_rule_is_tried_here() -> None:
    assert {field.name for field in fields(Gate)} == set(FAULTS)


def test_a_good_take_passes() -> None:
    assert judge(Gate(), {}).summary() == {"passes": True, "failures": []}


@pytest.mark.parametrize("rule", FAULTS)
def test_each_rule_catches_its_fault_and_nothing_else(rule: str) -> None:
    take, limit, expected, found = FAULTS[rule]
    name = "rate" if rule == "settings" else rule
    assert judge(replace(LENIENT, **{rule: limit}), take).failures == (Miss(name, expected, found),)
    assert judge(replace(LENIENT, **{rule: limit}), {}).failures == ()
    assert judge(LENIENT, take).failures == ()


def test_broken_settings_and_plain_faults_fail_unless_told_otherwise() -> None:
    caught = {rule for rule, (take, *_) in FAULTS.items() if judge(Gate(), take).failures}
    assert caught == {
        "settings", "black_frames", "white_frames", "frozen_seconds", "damaged_frames", "missing_seconds"
    }  # fmt: skip


def test_a_clip_of_one_frame_is_judged() -> None:
    gate = replace(LENIENT, motion_percent=1.0)
    one = np.zeros(1, np.float32)
    verdict = gate.run(
        times=FrameTimes(Fraction(1, 24), np.arange(1), 1, Fraction(24), False, ()),
        settings=LockedSettings((), ()),
        checks=replace(CHECKS, frames=1),
        track=PictureTrack(one, one, one, np.zeros((1, 64), np.float32), *[one] * 5, (0, 0, 0, 0)),
        flicker=flicker_of(0.0),
        sound=SoundLevels(None, None, None),
        scores=Scores(1, 1, 1, 1, 1, 1, 1),
    )
    assert [miss.name for miss in verdict.failures] == ["motion_percent"]
