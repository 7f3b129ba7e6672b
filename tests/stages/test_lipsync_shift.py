"""What is done about an offset: drift, the words for what is left, uses of one file, and the shift itself."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from postpipe import inspect, run
from postpipe.delivery import FrameTimes, TakeName
from postpipe.edit import Edit, Event
from postpipe.errors import SettingsError
from postpipe.lipsync import Course, LipSync, OffsetWindow, SoundShift
from postpipe.stages.edit import Wishes
from postpipe.stages.lipsync import ShiftSound
from postpipe.stages.lipsync_decide import Mode, contradiction, decide, helped, surest
from postpipe.stages.lipsync_tracks import STEP_HZ, SpeechTrack
from tests.stages.test_lipsync import TALKING, found, lips, sound, utterance


def answer_of(offset_ms: float | None, confidence: float = 0.99, halves: tuple[float, float] | None = None) -> LipSync:
    none = np.zeros(0, np.float32)
    halves = halves or (offset_ms or 0.0, offset_ms or 0.0)
    return LipSync(None, offset_ms, confidence, offset_ms, halves, (), none, none, none, none, none)


# Drift


def drifting(seconds: float, offset_ms: float, drift: float) -> SpeechTrack:
    """The sound of the utterance, early by `offset_ms` at first and by `drift` ms more each second."""
    heard = np.arange(int(seconds * STEP_HZ)) / STEP_HZ
    said = (heard + offset_ms / 1000) / (1 - drift / 1000)
    return replace(sound(seconds=seconds), parts=utterance(said).astype(np.float32))


@pytest.mark.parametrize(
    ("seconds", "offset_ms", "drift"), [(16.0, 60.0, -14.0), (24.0, -150.0, 9.0), (60.0, 0.0, 4.0)]
)
def test_a_drift_is_told_from_the_windows(seconds: float, offset_ms: float, drift: float) -> None:
    answer = found(lips(seconds=seconds), drifting(seconds, offset_ms, drift))
    assert answer.drift is not None
    assert answer.drift.offset_ms == pytest.approx(offset_ms, abs=15)
    assert answer.drift.drift_ms_per_second == pytest.approx(drift, abs=1)
    assert answer.summary()["drift_ms_per_second"] == pytest.approx(drift, abs=1)
    assert decide(answer, "auto") == answer.drift
    (warning,) = answer.warnings()
    assert "drifts" in warning


def windows_of(offsets: list[float], confidence: float = 0.95) -> tuple[OffsetWindow, ...]:
    return tuple(OffsetWindow(2.5 * number, 5.0, offset, confidence) for number, offset in enumerate(offsets))


@pytest.mark.parametrize(("unsure", "drifts"), [(5, True), (6, False)])
def test_windows_that_are_not_sure_do_not_speak_against_a_drift(unsure: int, drifts: bool) -> None:
    windows = windows_of([16.0 * 2.5 * number for number in range(10)])
    answer = replace(answer_of(100), windows=tuple(
        replace(window, confidence=0.3, offset_ms=-700.0) if number in range(1, 1 + unsure) else window
        for number, window in enumerate(windows)
    ))  # fmt: skip
    assert (answer.drift is not None) == drifts


@pytest.mark.parametrize(
    ("offsets", "drifts"),
    [
        ([0, 40, 80, 120, 160], True),
        ([0, 40, 80, 120, 160, 700, 240, 280, 320, 360], True),  # one window is wrong
        ([0, 40, 80, 120], False),  # twelve seconds
        ([0, 20, 40, 60, 80], False),  # as little as halves of a speaker differ
        ([0, 0, 0, 150, 150], False),  # a jump
        ([0, 0, 0, 0, 0, 200, 200, 200, 200, 200], False),
        ([0, 90, -40, 160, 30], False),
        ([0, 100, 200, 300, 400], False),  # within a window that would be a blur
    ],
)
def test_only_a_line_is_a_drift(offsets: list[float], drifts: bool) -> None:
    answer = replace(answer_of(100), windows=windows_of(offsets))
    assert (answer.drift is not None) == drifts
    assert replace(answer, windows=windows_of(offsets, confidence=0.7)).drift is None
    if drifts:
        assert answer.drift.drift_ms_per_second == pytest.approx(16)
        assert answer.drift.at(0) == pytest.approx(-40)


# What is done


@pytest.mark.parametrize(
    ("answer", "auto", "on"),
    [
        (answer_of(41), 41, 41),
        (answer_of(40), None, 40),  # EBU R37
        (answer_of(-60), None, -60),
        (answer_of(-61), -61, -61),
        (answer_of(200, confidence=0.89), None, 200),
        (answer_of(200, halves=(159, 220)), None, 200),
        (answer_of(200, halves=(160, 240)), 200, 200),
        (answer_of(5), None, None),
        (answer_of(None), None, None),
    ],
)
def test_when_sound_is_shifted(answer: LipSync, auto: float | None, on: float | None) -> None:
    assert ShiftSound().wanted(answer) == auto
    assert ShiftSound("on").wanted(answer) == on
    assert ShiftSound("off").wanted(answer) is None


CHANGING = replace(answer_of(200), windows=(OffsetWindow(0.0, 5.0, 200.0, 0.9), OffsetWindow(5.0, 5.0, 0.0, 0.9)))


@pytest.mark.parametrize(
    ("answer", "mode", "words"),
    [
        (answer_of(200), "off", 'switched off: [lipsync] mode = "off"'),
        (replace(answer_of(None), reason="no face"), "auto", "not measurable: no face"),
        (answer_of(-60), "auto", "within what EBU R37 allows: 40 ms early to 60 ms late"),
        (answer_of(200, 0.85), "auto", "unsure: the offset is 85% likely to be right, and 90% is asked for"),
        (answer_of(200, halves=(120, 230)), "auto", "its halves say different things: 120 ms early and 230 ms early"),
        (CHANGING, "auto", "its offset changes within the take: 200 ms early around 2.5 s and in sync around 7.5 s"),
        (answer_of(5), "on", "in sync"),
    ],
)
def test_what_is_left_as_it_was_is_said_why(answer: LipSync, mode: Mode, words: str) -> None:
    assert decide(answer, mode) == words


def test_what_came_of_a_shift_is_judged_by_what_is_measured_then() -> None:
    moved, late = Course(-200), answer_of(-200)
    assert helped(late, answer_of(150), moved) is None
    assert helped(late, answer_of(-230), moved) == "it was no better after the shift: 230 ms late"
    assert helped(late, replace(answer_of(None), reason="unsure"), moved) == (
        "it could not be measured after the shift: unsure"
    )
    stretched, unsure = Course(-100, 8.0), answer_of(None)
    assert helped(unsure, answer_of(-30), stretched) is None
    for after in (answer_of(-80), answer_of(0, 0.85), replace(answer_of(0), windows=CHANGING.windows)):
        assert helped(unsure, after, stretched) is not None


def test_uses_of_one_file_that_say_different_things_are_left() -> None:
    first, second, third = Path("a.mp4"), Path("a_use2.mp4"), Path("a_use3.mp4")
    uses = {first: answer_of(-180, 0.95), second: answer_of(-150, 0.99), third: answer_of(300, 0.6)}
    assert surest(uses) == second
    assert contradiction(uses) is None
    assert contradiction(uses | {third: answer_of(-100, 0.95)}) == (
        "the uses of its file say different things: 100 ms late in a_use3.mp4 and 180 ms late in a.mp4"
    )


TIMES = FrameTimes(Fraction(1, 25), np.arange(200, 400), 1, Fraction(25), False, ())
"""Of eight seconds that begin at 8 s of the container's clock."""


def shifts(
    monkeypatch: pytest.MonkeyPatch, offsets: dict[Path, LipSync], after: LipSync, silent: tuple[Path, ...] = ()
) -> dict[Path, SoundShift]:
    """Return what becomes of the uses of one file whose offsets are these, where all that is heard again is `after`."""
    clips: dict[Path, Any] = {
        path: SimpleNamespace(path=path, file=Path("a.mp4"), sounds=(SimpleNamespace(rate_hz=48000),))
        for path in offsets
    }
    monkeypatch.setattr("postpipe.stages.lipsync.listen_again", lambda *_: after)
    edit = Edit(tuple(Event(path, path.stem, 0, 100, silent=path in silent) for path in offsets), joined=True)
    everyone = clips, offsets, dict.fromkeys(offsets, lips()), dict.fromkeys(offsets, TIMES)
    return {
        path: ShiftSound().run(clip, edit, Wishes({}), TakeName(path.stem, None), *everyone, None)
        for path, clip in clips.items()
    }


FIRST, SECOND, THIRD = Path("a.mp4"), Path("a_use2.mp4"), Path("a_use3.mp4")


def test_uses_of_one_file_are_shifted_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    uses = {
        FIRST: answer_of(-180, 0.95),
        SECOND: answer_of(-150, 0.99),
        THIRD: replace(answer_of(None, 0.0), reason="no face"),
    }
    made = shifts(monkeypatch, uses, answer_of(5))
    assert {shift.delay_seconds for shift in made.values()} == {Fraction(-150, 1000)}
    assert [shift.fix.parameters.get("measured_on") for shift in made.values() if shift.fix] == [
        "a_use2.mp4", None, "a_use2.mp4"
    ]  # fmt: skip
    assert {shift.delay_seconds for shift in shifts(monkeypatch, uses, answer_of(-170)).values()} == {0}
    assert len({shift.left_because for shift in shifts(monkeypatch, uses, answer_of(-170)).values()}) == 1
    apart = shifts(monkeypatch, uses | {THIRD: answer_of(90, 0.95)}, answer_of(5))
    assert all("say different things" in (shift.left_because or "") for shift in apart.values())
    allowed = shifts(monkeypatch, {FIRST: answer_of(-70, 0.95), SECOND: answer_of(-55, 0.99)}, answer_of(5))
    (here, there) = (shift.left_because or "" for shift in allowed.values())
    assert here == f"{there} (measured on a_use2.mp4)"
    heard = shifts(monkeypatch, uses, answer_of(5), silent=(SECOND,))
    assert [shift.delay_seconds * 1000 for shift in heard.values()] == [-180, 0, -180]


def test_a_drift_is_taken_out_by_another_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    drifts = replace(answer_of(None), reason="unsure", windows=windows_of([0, 40, 80, 120, 160]))
    (shift,) = shifts(monkeypatch, {FIRST: drifts}, answer_of(4)).values()
    assert (shift.delay_seconds, shift.speed) == (Fraction(-40, 1000), Fraction(48000 - 768, 48000))
    assert shift.fix is not None
    assert shift.fix.before["drift_ms_per_second"] == 16
    for seconds in (0, 10):  # what the lips do then is heard so much earlier in the file: -40 ms + 16 ms a second
        assert shift.heard_at(Fraction(8 + seconds)) == 8 + seconds - Fraction(-40 + 16 * seconds, 1000)


def entry(out: Path, name: str) -> dict[str, object]:
    takes = json.loads((out / "takes.json").read_text(encoding="utf-8"))["takes"]
    return next(take for take in takes if take["file"] == name)


def test_a_run_puts_a_take_right_and_measures_it_again(tmp_path: Path) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()
    (folder / TALKING.name).symlink_to(TALKING)
    run(folder, tmp_path / "out", settings={"deliver": {"preset": "ultrafast"}})
    (fix,) = entry(tmp_path / "out", TALKING.name)["fixes"]
    assert (fix["stage"], fix["kept"]) == ("lipsync", True)
    assert fix["before"]["offset_ms"] == pytest.approx(-200, abs=20)
    assert fix["after"]["offset_ms"] == pytest.approx(0, abs=20)
    assert fix["parameters"] == {"mode": "auto", "delay_ms": pytest.approx(-200, abs=20)}
    moved = entry(tmp_path / "out", TALKING.name)["sound_shift"]
    assert moved == {"delay_ms": fix["parameters"]["delay_ms"], "speed": 1, "left_because": None}
    delivered = inspect([tmp_path / "out" / "clips" / TALKING.name]).takes()[0]["facts"]["lipsync"]
    assert delivered["offset_ms"] == pytest.approx(0, abs=20)

    again = run(folder, tmp_path / "out", settings={"deliver": {"preset": "ultrafast"}})
    assert (again.counts.decoded_look, again.counts.encoded) == (0, 0)
    run(folder, tmp_path / "out", settings={"deliver": {"preset": "ultrafast"}}, only=[])
    assert entry(tmp_path / "out", TALKING.name)["fixes"] == []
    own = {"deliver": {"preset": "ultrafast"}, "edit": {"scene04": {"sound_offset_ms": -120}}}
    run(folder, tmp_path / "out", settings=own, only=["lipsync"])
    (fix,) = entry(tmp_path / "out", TALKING.name)["fixes"]
    assert fix["parameters"] == {"mode": "own number", "delay_ms": -120}
    assert fix["after"]["offset_ms"] == pytest.approx(-80, abs=20)
    assert fix["kept"]


def test_a_shift_that_does_not_help_is_rolled_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()
    (folder / TALKING.name).symlink_to(TALKING)
    monkeypatch.setattr("postpipe.stages.lipsync_decide.decide", lambda found, mode: Course(150.0))  # the wrong way
    run(folder, tmp_path / "out", settings={"deliver": {"preset": "ultrafast"}})
    (fix,) = entry(tmp_path / "out", TALKING.name)["fixes"]
    assert not fix["kept"]
    left = entry(tmp_path / "out", TALKING.name)["sound_shift"]
    assert left["delay_ms"] == 0
    assert left["left_because"].startswith("it was no better after the shift: 3")
    delivered = inspect([tmp_path / "out" / "clips" / TALKING.name]).takes()[0]["facts"]["lipsync"]
    assert delivered["offset_ms"] == pytest.approx(-200, abs=20)


def test_a_number_that_is_none_is_named(takes: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="sound_offset_ms"):
        run(takes, tmp_path / "out", settings={"edit": {"scene01": {"sound_offset_ms": 20_000}}})
