"""Faults of a take: found where they were planted, silent where there are none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from postpipe import api
from postpipe.delivery import FrameTimes
from postpipe.stages import faults
from postpipe.stages.borders import BarFinder
from postpipe.stages.quality import CheckQuality, PictureTrack
from postpipe.stages.sound_levels import missing_sound
from tests.clips import make_clip, picture

FRAMES = 48


def facts(path: Path) -> dict[str, Any]:
    (take,) = api.inspect([path]).takes()
    return dict(take["facts"])


def track(exposure: np.ndarray, difference: float = 3.0) -> PictureTrack:
    """A track whose tiles all follow `exposure`."""
    ones = np.ones(len(exposure), np.float32)
    return PictureTrack(
        black_share=0 * ones,
        difference=difference * ones,
        sharpness=ones,
        tiles=np.outer(exposure, np.linspace(0.2, 0.7, 64)).astype(np.float32),
        white_share=0 * ones,
        change=difference * ones,
        moved=0.1 * ones,
        largest=20 * ones,
        saturation=0.1 * ones,
        bars=(0, 0, 0, 0),
    )


@pytest.mark.parametrize("length", [1, 2, 3])
def test_clips_of_a_few_frames_are_measured(tmp_path: Path, length: int) -> None:
    found = facts(make_clip(tmp_path / "short.mp4", frames=length, sound_hz=None))
    assert found["flicker"]["global_percent"] < 0.2
    assert found["quality"]["frozen"] == []


def test_planted_faults_are_found(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "faulty.mp4",
        frames=FRAMES,
        still={5, *range(20, 32)},
        black={40, 41},
        options={"crf": "8", "preset": "medium"},
    )
    quality = facts(path)["quality"]
    ((first, last),) = quality["frozen"]
    assert 19 <= first <= 21
    assert last == 31
    assert quality["duplicate_frames"] == [5]  # the second black frame repeats the first, but it is black
    assert quality["black_frames"] == [40, 41]
    assert quality["damaged_frames"] == []
    assert quality["missing_seconds"] == 0


def test_a_clean_take_has_no_fault(tmp_path: Path) -> None:
    found = facts(make_clip(tmp_path / "clean.mp4", frames=FRAMES))
    assert found["quality"]["frozen"] == found["quality"]["black_frames"] == []
    assert found["quality"]["duplicate_frames"] == []
    assert found["sound"]["rms_dbfs"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.3)
    assert found["sound"]["silent"] is False


def test_sharper_takes_have_more_detail(tmp_path: Path) -> None:
    sharp = facts(make_clip(tmp_path / "sharp.mp4", size=(128, 96)))["scores"]["detail"]
    soft = facts(make_clip(tmp_path / "soft.mp4", size=(128, 96), options={"crf": "45"}))["scores"]["detail"]
    assert sharp > 1.2 * soft


def test_a_file_that_was_cut_off_says_so(tmp_path: Path) -> None:
    from tests.stages.helpers import faststart

    path = faststart(make_clip(tmp_path / "whole.mp4", frames=96, sound_hz=None, options={"crf": "4"}))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    (take,) = api.inspect([cut]).takes()
    assert take["facts"]["quality"]["missing_seconds"] == pytest.approx(1.6, abs=0.5)
    assert take["facts"]["scores"]["complete"] == pytest.approx(0.6, abs=0.15)
    assert any("cut off" in warning for warning in take["warnings"])


def test_how_long_is_frozen_is_a_setting() -> None:
    still = track(np.ones(FRAMES))
    for series in (still.difference, still.change, still.moved, still.largest):
        series[10:15] = 0
    clip = _clip_of(FRAMES)
    times = FrameTimes(Fraction(1, 24), np.arange(FRAMES), 1, Fraction(24), False, ())
    short = CheckQuality(frozen_seconds=0.2).run(clip, still, times, None)
    long = CheckQuality(frozen_seconds=0.3).run(clip, still, times, None)
    assert (short.frozen, short.duplicate) == (((9, 14),), ())
    assert (long.frozen, long.duplicate) == ((), (10, 11, 12, 13, 14))


def _clip_of(frames: int) -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(picture=SimpleNamespace(declared_seconds=Fraction(frames, 24)), first_frames=None)


def test_white_frames_and_bars_are_named(tmp_path: Path) -> None:
    def boxed(index: int, width: int, height: int, seed: int) -> np.ndarray:
        luma = np.full((height, width), 16, np.uint8)
        luma[24:-16, 32:] = picture(index, width - 32, height - 40, seed)
        return np.full_like(luma, 235) if index in (9, 10) else luma

    with mock.patch("tests.clips.picture", boxed):
        path = make_clip(tmp_path / "boxed.mp4", size=(160, 120), options={"crf": "8"}, sound_hz=None)
    quality = facts(path)["quality"]
    assert quality["white_frames"] == [9, 10]
    assert quality["black_bars"] == {"left": 32, "top": 24, "right": 0, "bottom": 16}


def test_a_dark_corner_is_no_bar() -> None:
    finder = BarFinder(16.0, 1.0)
    picture_ = np.full((96, 160), 16, np.uint8)
    picture_[40:, 60:100] = 120  # someone before a black wall
    finder.look(picture_, picture_[::8, ::8])
    assert finder.bars(160, 96) == (0, 0, 0, 0)


def test_bars_of_one_width_are_bars_where_one_of_them_borders_on_the_dark() -> None:
    finder = BarFinder(16.0, 1.0)
    picture_ = np.full((96, 160), 120, np.uint8)
    picture_[:16] = picture_[-16:] = 16
    picture_[60:, 80:] = 20  # a shadow, darker than what is lit, over half of the picture's foot
    finder.look(picture_, picture_[::8, ::8])
    assert finder.bars(160, 96) == (0, 16, 0, 16)
    picture_[:16] = 120
    finder = BarFinder(16.0, 1.0)
    finder.look(picture_, picture_[::8, ::8])
    assert finder.bars(160, 96) == (0, 0, 0, 0)


def test_a_refined_still_picture_is_still() -> None:
    """Encoders improve a still picture now and then."""
    moving = track(np.ones(FRAMES))
    difference, change, moved, largest = moving.difference, moving.change, moving.moved, moving.largest
    difference[10:30], change[10:30], moved[10:30], largest[10:30] = 0.02, 0.02, 0, 1
    difference[20], change[20], moved[20], largest[20] = 0.2, 0.2, 0.01, 3
    still = faults.still_frames(difference, moved, largest)
    assert list(faults.runs(still)) == [(10, 29)]
    assert faults.hiccups(difference, change, longest=6) == ()


def test_frames_shown_twice_amid_motion() -> None:
    moving = track(np.ones(FRAMES))
    for frame in (10, 20, 21, *range(30, 36)):
        moving.difference[frame] = moving.change[frame] = 0.1
    assert faults.hiccups(moving.difference, moving.change, longest=6) == (10, 20, 21)
    slow = track(np.ones(FRAMES), difference=0.2)
    slow.difference[10] = slow.change[10] = 0.0
    assert faults.hiccups(slow.difference, slow.change, longest=6) == ()  # too slow to tell


def test_a_stretch_shown_again_is_found_once() -> None:
    random = np.random.default_rng(1)
    tiles = np.cumsum(random.normal(0, 0.02, (120, 64)), axis=0).astype(np.float32)
    tiles[80:95] = tiles[30:45]
    assert faults.replays(tiles, 24.0) == ((80, 94, 30),)
    assert faults.replays(tiles[:80], 24.0) == ()


def test_a_take_that_begins_twice_is_found_through_coding_noise() -> None:
    random = np.random.default_rng(2)
    tiles = np.cumsum(random.normal(0, 0.005, (60, 64)), axis=0).astype(np.float32)
    tiles[12:24] = tiles[:12] + random.normal(0, 0.002, (12, 64)).astype(np.float32)
    assert faults.replays(tiles, 24.0) == ((12, 23, 0),)


def test_light_that_flickers_is_no_replay() -> None:
    random = np.random.default_rng(3)
    drifting = 0.4 + np.cumsum(random.normal(0, 0.0002, (72, 64)), axis=0) + random.uniform(-0.2, 0.2, 64)
    light = 1 + 0.08 * np.sin(2 * np.pi * np.arange(72) / 13)
    assert faults.replays((drifting * light[:, None]).astype(np.float32), 24.0) == ()


def test_what_never_went_away_is_no_replay() -> None:
    assert faults.replays(np.full((60, 64), 0.5, np.float32), 24.0) == ()


def test_a_jump_is_neither_a_cut_nor_a_flash() -> None:
    change = np.full(40, 1.0, np.float32)
    change[20] = 8.0
    base = np.linspace(0.2, 0.7, 64)
    alike = np.tile(base, (40, 1)).astype(np.float32)
    alike[20:] += 0.03
    cut = alike.copy()
    cut[20:] = np.random.default_rng(1).permutation(base)
    none = np.zeros(40, np.bool_)
    assert faults.jumps(change, alike, none) == (20,)
    assert faults.jumps(change, cut, none) == ()
    flash, back = change.copy(), alike.copy()
    flash[21], back[21:] = 8.0, alike[0]
    assert faults.jumps(flash, back, none) == ()
    excepted = none.copy()
    excepted[20] = True
    assert faults.jumps(change, alike, excepted) == ()


def test_drifts_are_told_from_waves_and_from_other_views() -> None:
    time = np.arange(96) / 95
    tiles = track(1 - 0.4 * time).tiles
    darker = faults.exposure(tiles)
    first, last = (1 - 0.4 * time)[:24].mean(), (1 - 0.4 * time)[-24:].mean()
    assert faults.drift_percent(darker, tiles, 24.0) == pytest.approx(100 * (last / first - 1), abs=1)
    assert faults.drift_percent(np.sin(2 * np.pi * time).astype(np.float32), tiles, 24.0) == 0
    assert faults.drift_percent(darker[:40], tiles[:40], 24.0) == 0
    night = tiles.copy()
    night[:, :40] = 0.001  # tiles without light say nothing
    assert faults.drift_percent(faults.exposure(night), night, 24.0) == pytest.approx(100 * (last / first - 1), abs=1)
    elsewhere = np.concatenate([tiles[:48], tiles[48:, ::-1]])
    assert faults.drift_percent(darker, elsewhere, 24.0) == 0


def test_soft_stretches() -> None:
    sharpness = np.ones(48, np.float32)
    sharpness[10:20], sharpness[30:32] = 0.2, 0.2
    none, tiles = np.zeros(48, np.bool_), track(np.ones(48)).tiles
    assert faults.soft_stretches(sharpness, tiles, none, 24.0, [(0, 47)]) == [(10, 19)]
    assert faults.soft_stretches(sharpness, tiles, none, 24.0, [(0, 9), (10, 19), (20, 47)]) == []  # a soft shot
    dark = tiles.copy()
    dark[10:20] *= np.sqrt(0.2)  # less light has less detail
    assert faults.soft_stretches(sharpness, dark, none, 24.0, [(0, 47)]) == []
    tiles[10:20] = tiles[10:20, ::-1]  # another view may be softer
    assert faults.soft_stretches(sharpness, tiles, none, 24.0, [(0, 47)]) == []


# Sound


def levels(*stretches: tuple[float, int]) -> np.ndarray:
    return np.concatenate([np.full(count, float(level)) for level, count in stretches])


def test_sound_that_drops_out_or_stops() -> None:
    assert missing_sound(levels((-20, 100), (-120, 30), (-22, 100))) == (((1.0, 1.3),), None)
    assert missing_sound(levels((-20, 100), (-90, 60))) == ((), 1.0)
    assert missing_sound(levels((-20, 100), (-90, 20))) == ((), None)
    assert missing_sound(levels((-120, 100))) == ((), None)
    fading = [(-20.0 - 8 * step, 2) for step in range(6)]
    in_a_pause = levels((-20, 100), *fading, (-66, 50), (-120, 60))
    assert missing_sound(in_a_pause) == ((), 1.62)


def test_a_fade_to_nothing_is_no_end_of_sound() -> None:
    fade = [(-24.0 - 4 * step, 2) for step in range(20)]
    assert missing_sound(levels((-20, 100), *fade, (-120, 60))) == ((), None)


def test_a_pause_is_no_dropout() -> None:
    fading = [(-20.0 - 8 * step, 2) for step in range(6)]
    assert missing_sound(levels((-20, 100), *fading, (-90, 30), (-20, 100))) == ((), None)
    assert missing_sound(levels((-20, 100), (-62, 30), (-20, 100))) == ((), None)  # a quiet room
    assert missing_sound(levels((-20, 100), (-120, 4), (-20, 100))) == ((), None)  # a plosive


def test_dropped_sound_is_found_in_a_file(tmp_path: Path) -> None:
    from tests import clips

    def gappy(seconds: Fraction, hertz: float, rate_hz: int) -> np.ndarray:
        samples = tone(seconds, hertz, rate_hz)
        samples[:, rate_hz // 2 : rate_hz * 7 // 10] = 0
        return samples

    tone = clips.tone
    with mock.patch("tests.clips.tone", gappy):
        path = make_clip(tmp_path / "gap.mp4", frames=48)
    ((start, end),) = facts(path)["sound"]["dropouts"]
    assert (start, end) == (pytest.approx(0.5, abs=0.03), pytest.approx(0.7, abs=0.03))
