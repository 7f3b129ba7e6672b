"""Chained clips: duplicates are counted and dropped with their sound, steps are measured, eased and rolled back."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import edits
from postpipe import api
from postpipe.delivery import ProjectFormat, TimeMap
from postpipe.engine.account import Account
from postpipe.model import Clip
from postpipe.stages.chained import EaseSteps, Joins
from postpipe.stages.cuts import SmallPictures
from postpipe.stages.join_kinds import AFTER, BEFORE, Meeting, meet
from postpipe.stages.join_pictures import JoinPictures
from tests.clips import make_clip
from tests.stages.helpers import decode_planes

SEEN = np.ones((18, 32), np.bool_)
FAST = {"preset": "ultrafast", "encoder_threads": 1}


def texture(seed: int = 1) -> Any:
    """Return a function from time, in frames, to a smooth texture in which two waves drift against each other."""
    random = np.random.default_rng(seed)
    turns = random.uniform(0.3, 0.9, (8, 2)) * random.choice([-1, 1], (8, 2))
    phases, speeds = random.uniform(0, 6.3, 8), random.uniform(0.1, 0.3, 8) * random.choice([-1, 1], 8)
    y, x = np.mgrid[:18, :32]

    def at(time: float) -> np.ndarray:
        waves = [np.sin(down * y + across * x + phase + speed * time) for (down, across), phase, speed in
                 zip(turns, phases, speeds, strict=True)]  # fmt: skip
        level = 0.45 + 0.04 * sum(waves)
        return np.stack([level, 0.9 * level, 0.8 * level], -1)

    return at


def met(before: list[np.ndarray], after: list[np.ndarray], *, noise: float = 0.0) -> Meeting:
    random = np.random.default_rng(7)
    sides = [np.array(side) + random.normal(0, noise, (len(side), 18, 32, 3)) for side in (before, after)]
    return meet(JoinPictures(sides[0], SEEN), JoinPictures(sides[1], SEEN))


def before(at: Any, last: int = 30) -> list[np.ndarray]:
    return [at(n) for n in range(last - BEFORE + 1, last + 1)]


def chained(at: Any, duplicates: int, last: int = 30) -> list[np.ndarray]:
    return [at(last)] * duplicates + [at(last + n) for n in range(1, AFTER - duplicates + 1)]


@given(
    seed=st.integers(0, 50),
    duplicates=st.integers(1, 3),
    step=st.tuples(*[st.floats(-0.08, 0.08)] * 3),
)
@settings(max_examples=25, deadline=None)
def test_duplicates_are_counted_and_the_step_is_measured(
    seed: int, duplicates: int, step: tuple[float, float, float]
) -> None:
    at = texture(seed)
    found = met(before(at), [picture * np.exp(step) for picture in chained(at, duplicates)], noise=0.001)
    assert (found.kind, found.duplicates) == ("chained", duplicates)
    assert found.step == pytest.approx(step, abs=0.003)
    if max(map(abs, step)) > 0.01:
        assert found.stands_out
    elif max(map(abs, step)) < 0.003:
        assert not found.stands_out


@given(seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_the_next_moment_is_no_duplicate(seed: int) -> None:
    at = texture(seed)
    found = met(before(at), [at(31 + n) for n in range(AFTER)], noise=0.001)
    assert (found.kind, found.duplicates, found.stands_out) == ("continuous", 0, False)


@given(seed=st.integers(0, 50), later=st.booleans())
@settings(max_examples=25, deadline=None)
def test_another_shot_and_the_same_one_later_are_cuts(seed: int, later: bool) -> None:
    other = texture(seed if later else seed + 100)
    found = met(before(texture(seed)), [other(45 + n) for n in range(AFTER)])
    assert (found.kind, found.duplicates, found.step) == ("cut", 0, None)


def test_of_a_picture_that_stands_still_nothing_is_counted() -> None:
    at = texture()
    found = met([at(30)] * BEFORE, [1.05 * at(30)] * AFTER, noise=0.0005)
    assert (found.kind, found.duplicates) == ("still", None)
    assert found.step == pytest.approx([np.log(1.05)] * 3, abs=0.002)


def test_a_picture_made_anew_may_sit_a_little_elsewhere() -> None:
    at = texture()
    y, x = np.mgrid[:18, :32]

    def moved(picture: np.ndarray) -> np.ndarray:
        from scipy.ndimage import map_coordinates

        places = (y - 8.5) * 0.99 + 8.6, (x - 15.5) * 0.99 + 15.3
        return np.stack([map_coordinates(picture[..., c], places, mode="nearest") for c in range(3)], -1)

    found = met(before(at), [moved(picture) for picture in chained(at, 2)])
    assert (found.kind, found.duplicates) == ("chained", 2)


def test_black_after_black_is_no_duplicate() -> None:
    at = texture()
    fading = [at(n) * max(0, BEFORE - 1 - n) / BEFORE for n in range(BEFORE)]
    assert met(fading, [0 * at(0)] * 3 + [at(n) * n / 8 for n in range(AFTER - 3)]).kind == "cut"


def test_bars_are_not_looked_at() -> None:
    at = texture()
    seen = SEEN.copy()
    seen[:4] = seen[14:] = False
    boxed = [np.where(seen[..., None], picture, 0.0) for picture in chained(at, 1)]
    found = meet(JoinPictures(np.array(before(at)), SEEN), JoinPictures(np.array(boxed), seen))
    assert (found.kind, found.duplicates) == ("chained", 1)
    assert found.step == pytest.approx([0, 0, 0], abs=0.002)
    tall = np.zeros_like(SEEN)
    tall[:, 14:18] = True
    assert meet(JoinPictures(np.array(before(at)), SEEN), JoinPictures(np.array(boxed), tall)).kind == "cut"


# Whole runs


def coded_takes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, numbers: dict[int, list[int]], rate: Fraction = Fraction(24)
) -> Path:
    """Write takes whose frames show these numbers; see `benchmarks.edits`."""
    folder.mkdir()
    honest = edits.coded
    for scene, shown in numbers.items():
        monkeypatch.setattr(edits, "coded", lambda _, frame, shown=shown: honest(1, shown[frame]))
        edits.write_take(folder, edits.Take(scene, len(shown), rate if scene == 2 else Fraction(24)))
    return folder


def run(takes: Path, out: Path, **sections: Any) -> Account:
    sound = {"sound_codec": "pcm_s16le", "sound_rate_hz": edits.SOUND_HZ, "sound_channels": 1, "crf": 8}
    given_ = {"project": {"rate": "24"}, "deliver": FAST | sound} | sections
    return api.run(takes, out, settings=given_)


CHAIN = {1: list(range(24)), 2: [23, 23, *range(24, 50)]}
DROP = {"duplicates": "drop"}


@pytest.mark.parametrize("handle_seconds", [0.0, 0.05, 1.0])
def test_a_dropped_duplicate_takes_its_sound_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handle_seconds: float
) -> None:
    takes = coded_takes(tmp_path / "takes", monkeypatch, CHAIN)
    account = run(takes, tmp_path / "out", chained=DROP, sequence={"handle_seconds": handle_seconds})
    sequence = account.document()["sequence"]
    (join,) = sequence["joins"]
    assert (join["kind"], join["duplicate_frames"], join["dropped_frames"], join["note"]) == ("chained", 2, 2, None)
    pictures, sound = edits._read(tmp_path / "out" / "sequence.mov")
    assert [edits.read_code(picture)[1] for picture in pictures] == list(range(50))
    assert len(sound) == sequence["audio_samples"] == round(50 * edits.SOUND_HZ / 24)
    at_join, dropped = 24 * edits.SOUND_HZ // 24, round(2 * edits.SOUND_HZ / 24)
    np.testing.assert_array_equal(sound[:at_join], np.arange(at_join))
    assert sound[at_join : at_join + 3] == pytest.approx([dropped, dropped + 1, dropped + 2], abs=1)
    event = sequence["events"][1]
    assert (event["source_in"], event["start_frame"], event["frames"]) == (2, 24, 26)
    assert event["head_frames"] == min(2, round(24 * handle_seconds))


def test_what_is_only_reported_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = coded_takes(tmp_path / "takes", monkeypatch, CHAIN)
    document = run(takes, tmp_path / "out").document()
    (join,) = document["sequence"]["joins"]
    assert (join["duplicate_frames"], join["dropped_frames"]) == (2, 0)
    assert document["frames"]["delivered"] == 24 + 28
    assert document["sequence"]["warnings"][:1] == [
        'scene02.mov shows the last frame of scene01.mov again 2 times: [chained] duplicates = "drop" takes it out'
    ]


@pytest.mark.parametrize(
    ("numbers", "sections", "dropped", "delivered"),
    [
        (CHAIN, {"edit": {"scene02": {"in": "2f"}}}, 0, 24 + 26),
        (CHAIN, {"edit": {"scene01": {"out": "9f"}}}, 0, 9 + 28),
        ({1: list(range(24)), 2: list(range(19, 40))}, {"edit": {"scene01": {"out": "20f"}}}, 1, 20 + 20),
        (CHAIN, {"sequence": {"order": ["scene02", "scene01"]}}, 0, 24 + 28),
        (CHAIN, {"edit": {"scene02": {"dissolve_seconds": 0.25}}}, 0, 24 + 28 - 6),
        (CHAIN, {"edit": {"scene02": {"out": "1f"}}}, 0, 24 + 1),
    ],
)  # fmt: skip
def test_only_what_the_trimmed_ends_show_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: Any, sections: Any, dropped: int, delivered: int
) -> None:
    takes = coded_takes(tmp_path / "takes", monkeypatch, numbers)
    document = run(takes, tmp_path / "out", chained=DROP, **sections).document()
    (join,) = document["sequence"]["joins"]
    assert (join["dropped_frames"], document["frames"]["delivered"]) == (dropped, delivered)
    if "dissolve_seconds" in str(sections):
        assert join["note"] == "not dropped: a dissolve or fade covers them"


def test_nothing_is_dropped_that_a_transition_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = {1: list(range(24)), 2: [23, 23, *range(24, 30)], 3: list(range(100, 120))}
    takes = coded_takes(tmp_path / "takes", monkeypatch, numbers)
    dissolve = {"scene03": {"dissolve_seconds": 0.3}}  # 7 of 8 frames
    document = run(takes, tmp_path / "out", chained=DROP, edit=dissolve).document()
    assert [join["dropped_frames"] for join in document["sequence"]["joins"]] == [0, 0]
    assert document["sequence"]["joins"][0]["note"] == "not dropped: too little of the take would be left"


def test_a_take_of_another_rate_loses_the_frames_that_show_duplicates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes = coded_takes(tmp_path / "takes", monkeypatch, {1: list(range(24)), 2: [23, *range(24, 40)]}, Fraction(12))
    document = run(takes, tmp_path / "out", chained=DROP).document()
    assert document["sequence"]["joins"][0]["dropped_frames"] == 2  # each frame is shown twice
    pictures, _ = edits._read(tmp_path / "out" / "sequence.mov")
    assert [edits.read_code(picture)[1] for picture in pictures] == [*range(24), *np.repeat(range(24, 40), 2)]


def test_scenes_that_are_not_joined_are_not_chained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = coded_takes(tmp_path / "takes", monkeypatch, CHAIN)
    document = run(takes, tmp_path / "out", chained=DROP, sequence={"join": False}).document()
    assert document["frames"]["delivered"] == 24 + 28


@pytest.fixture
def stepping(tmp_path: Path) -> Path:
    """Two takes, the second of which goes on from the last frame of the first, brighter."""
    folder = tmp_path / "takes"
    folder.mkdir()
    make_clip(folder / "scene01.mp4", frames=24)
    make_clip(folder / "scene02.mp4", frames=36, first=23, gains=dict.fromkeys(range(36), 1.06))
    return folder


def test_a_step_is_eased_and_fades_out(stepping: Path, tmp_path: Path) -> None:
    settings = {"deliver": FAST | {"crf": 4}, "colour": {"mode": "off"}}  # or all of the take would go without the step
    plain = api.run(stepping, tmp_path / "plain", settings=settings).document()
    assert plain["takes"][1]["fixes"] == []
    step = plain["sequence"]["joins"][0]["step_percent"]["exposure"]
    assert step == pytest.approx(7.0, abs=1.0)  # 6 % of the code values, black included
    ease = {"exposure": "ease", "ease_seconds": 1.0}
    document = api.run(stepping, tmp_path / "out", settings=settings | {"chained": ease}).document()
    (fix,) = document["takes"][1]["fixes"]
    assert fix["kept"]
    assert abs(fix["after"]["step_percent"]["exposure"]) < 0.3
    before_, after = (decode_planes(tmp_path / name / "sequence.mp4") for name in ("plain", "out"))
    means = [[planes[0].mean() for planes in film] for film in (before_, after)]
    np.testing.assert_allclose(means[0][:24], means[1][:24], atol=0.2)
    lost = 1 - (np.array(means[1][24:]) - 16) / (np.array(means[0][24:]) - 16)
    share = (1 - 1 / (1 + step / 100)) * (0.5 + 0.5 * np.cos(np.pi * np.minimum(np.arange(36) / 24, 1)))
    np.testing.assert_allclose(lost, share, atol=0.005)
    assert document["frames"]["rerendered"] == 0


def test_what_did_not_help_is_rolled_back(stepping: Path, tmp_path: Path) -> None:
    board = api.run(stepping, tmp_path / "out", settings={"deliver": FAST}).board
    path = stepping / "scene02.mp4"
    before_, time_map = board.get(SmallPictures, path), board.get(TimeMap, path)
    arguments = board.get(Clip, path), board.get(Joins), before_
    verdict = EaseSteps().judge(*arguments, before_, time_map, board.get(ProjectFormat))
    assert not verdict.kept
    assert verdict.after["step_percent"]["exposure"] == pytest.approx(
        verdict.before["step_percent"]["exposure"], abs=0.1
    )


def test_a_draft_does_not_judge_ends_that_it_does_not_see(stepping: Path, tmp_path: Path) -> None:
    document = api.run(stepping, tmp_path / "out", settings={"deliver": FAST}, draft=True).document()
    assert document["sequence"]["joins"] == []
