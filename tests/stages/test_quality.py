"""Faults of a take: found where they were planted, silent where there are none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from postpipe import api
from postpipe.delivery import FrameTimes
from postpipe.stages.quality import CheckQuality, MeasureFlicker, PictureTrack
from tests.clips import make_clip

FRAMES = 48


def facts(path: Path) -> dict[str, Any]:
    (take,) = api.inspect([path]).takes()
    return dict(take["facts"])


def track(exposure: np.ndarray, difference: float = 3.0) -> PictureTrack:
    """A track whose tiles all follow `exposure`."""
    frames = len(exposure)
    base = np.linspace(0.2, 0.7, 64)
    ones = np.ones(frames, np.float32)
    return PictureTrack(0 * ones, difference * ones, ones, np.outer(exposure, base).astype(np.float32))


def flicker(exposure: np.ndarray) -> float:
    return MeasureFlicker().run(track(exposure)).global_percent


def test_flicker_of_a_known_strength() -> None:
    """Exposure that jumps by ±a from frame to frame goes back by 2a each time."""
    sign = np.where(np.arange(FRAMES) % 2, 1.0, -1.0)
    assert flicker(np.exp(0.01 * sign)) == pytest.approx(2.0, rel=0.01)
    assert flicker(np.exp(0.04 * sign)) == pytest.approx(8.0, rel=0.01)


def test_what_goes_one_way_is_no_flicker() -> None:
    time = np.arange(FRAMES) / FRAMES
    assert flicker(np.ones(FRAMES)) == 0
    assert flicker(1 - 0.9 * time) == pytest.approx(0, abs=1e-4)
    cut = np.where(np.arange(FRAMES) < 20, 0.3, 1.0)
    assert flicker(cut) == pytest.approx(0, abs=1e-4)


def test_something_that_moves_through_some_tiles_is_no_flicker() -> None:
    moving = track(np.ones(FRAMES))
    random = np.random.default_rng(1)
    tiles = moving.tiles.copy()
    tiles[:, :20] *= random.uniform(0.5, 1.5, (FRAMES, 20)).astype(np.float32)
    assert MeasureFlicker().run(
        PictureTrack(moving.black_share, moving.difference, moving.sharpness, tiles)
    ).global_percent == pytest.approx(0, abs=1e-4)


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
    still = np.full(FRAMES, 3.0, np.float32)
    still[10:15] = 0
    moving = track(np.ones(FRAMES))
    moving = PictureTrack(moving.black_share, still, moving.sharpness, moving.tiles)
    times = FrameTimes(Fraction(1, 24), np.arange(FRAMES), 1, Fraction(24), False, ())
    clip = _clip_of(FRAMES)
    short = CheckQuality(frozen_seconds=0.2).run(clip, moving, times)
    long = CheckQuality(frozen_seconds=0.3).run(clip, moving, times)
    assert (short.frozen, short.duplicate) == (((9, 14),), ())
    assert (long.frozen, long.duplicate) == ((), (10, 11, 12, 13, 14))


def _clip_of(frames: int) -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(picture=SimpleNamespace(declared_seconds=Fraction(frames, 24)))
