"""The shots within a take: changes are found where they were made, and nothing else is taken for one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from postpipe import api
from postpipe.delivery import Shot, Shots
from postpipe.engine import plan as planning
from postpipe.engine.settings import configure, stage_types
from postpipe.engine.stage import Look
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame
from postpipe.stages.cuts import FindShots, ListCuts, SeeSmall, SmallPictures, shots_between
from postpipe.stages.gallery import Gallery, area_weights, small_size
from postpipe.stages.transitions import Change, find_changes
from tests.clips import make_clip

HEIGHT, WIDTH = 18, 32
RATE = 24.0


def scene(seed: int, frames: int, pan: float = 0.1) -> np.ndarray:
    """A smooth texture in a colour that pans by so many pixels a frame, shape `(frames, 3, 18, 32)`."""
    random = np.random.default_rng(seed)
    waves = random.uniform(-0.9, 0.9, (6, 2)), random.uniform(0, 6.3, 6), random.uniform(10, 25, 6)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    level, colour = random.uniform(90, 150), random.uniform(100, 156, 2)
    pictures = np.empty((frames, 3, HEIGHT, WIDTH))
    pictures[:, 1:] = colour[:, None, None]
    for n in range(frames):
        places = zip(*waves, strict=True)
        moved = [size * np.sin(down * y + across * (x + pan * n) + phase) for (down, across), phase, size in places]
        pictures[n, 0] = level + sum(moved)
    return pictures


def gallery(pictures: np.ndarray) -> Gallery:
    codes = np.clip(np.rint(pictures), 16, 235).astype(np.uint8)
    return Gallery(codes[:, 0], codes[:, 1:, ::2, ::2])


def changes(pictures: np.ndarray, rate: float = RATE) -> list[Change]:
    return find_changes(gallery(pictures), rate)


def lit(pictures: np.ndarray, gain: Any) -> np.ndarray:
    black = np.array([16, 128, 128])[:, None, None]
    return black + (pictures - black) * np.asarray(gain, float).reshape(-1, 1, 1, 1)


def mix(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """A dissolve over as many frames as both have."""
    share = ((np.arange(len(before)) + 1) / (len(before) + 1)).reshape(-1, 1, 1, 1)
    return before * (1 - share) + after * share


# Cuts


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 35), st.sampled_from([1.0, 0.35]), st.sampled_from([8.0, 24.0, 60.0]))
def test_a_cut_is_found_on_its_frame(seed: int, at: int, gain: float, rate: float) -> None:
    film = lit(np.concatenate([scene(seed, at), scene(seed + 1, 40 - at)]), gain)
    assert changes(film, rate) == [Change("cut", at, 0)]


def test_every_cut_of_quick_ones_is_found() -> None:
    film = np.concatenate([scene(seed, 8) for seed in range(6)])
    assert [change.first for change in changes(film)] == [8, 16, 24, 32, 40]


def test_a_cut_that_was_smeared_over_a_frame_is_one_cut() -> None:
    a, b = scene(1, 20), scene(2, 20)
    film = np.concatenate([a[:19], (a[19:] + b[:1]) / 2, b[1:]])
    assert changes(film) == [Change("cut", 19, 1)]


def test_a_cut_between_frames_that_are_held_is_found() -> None:
    film = np.repeat(np.concatenate([scene(3, 10, pan=0.8), scene(4, 10, pan=0.8)]), 3, axis=0)
    assert changes(film) == [Change("cut", 30, 0)]


def test_cards_of_one_colour_are_cut_where_the_colour_changes() -> None:
    film = np.concatenate([np.full((20, 3, HEIGHT, WIDTH), 90.0), np.full((20, 3, HEIGHT, WIDTH), 90.0)])
    film[20:, 1] = 150
    film[:20, 2] = 110
    assert [change.first for change in changes(film)] == [20]


# What is no cut


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("kind", ["gain", "white"])
def test_a_flash_is_no_cut(length: int, kind: str) -> None:
    film = scene(5, 50, pan=0.2)
    flash = slice(20, 20 + length)
    film[flash] = lit(film[flash], np.full(length, 2.2)) if kind == "gain" else 0.2 * film[flash] + 0.8 * 235
    film[flash, 1:] = film[0, 1:]
    assert changes(film) == []


@pytest.mark.parametrize(
    "gain",
    [
        np.where(np.arange(60) < 30, 1.0, 0.55),
        np.interp(np.arange(60), [20, 35], [1.0, 0.4]),
        1 + 0.1 * np.random.default_rng(0).uniform(-1, 1, 60),
        np.where(np.arange(60) // 3 % 2, 1.6, 1.0),
    ],
    ids=["switch", "ramp", "flicker", "strobe"],
)
def test_exposure_is_no_change_of_shot(gain: np.ndarray) -> None:
    assert changes(lit(scene(6, 60), gain)) == []


@pytest.mark.parametrize("length", [4, 6, 9])
def test_a_whip_pan_is_no_cut(length: int) -> None:
    place = np.interp(np.arange(50), [20, 20 + length], [0, 40])
    wide = scene(7, 1)[0]
    random = np.random.default_rng(7)
    wide = np.concatenate([wide, *(scene(int(random.integers(1e6)), 1)[0] for _ in range(2))], axis=2)
    film = np.stack([wide[:, :, round(x) : round(x) + WIDTH] for x in place])
    film[:, 1:] = wide[1:, :1, :1]
    assert changes(film) == []


def test_a_still_stretch_and_the_jump_after_it_are_no_cut() -> None:
    film = scene(8, 60, pan=0.3)
    film[20:34] = film[20]
    assert changes(film) == []


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_a_shot_that_pans_is_one_shot(seed: int, pan: float) -> None:
    assert changes(scene(seed, 40, pan)) == []


# Dissolves and fades


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 30))
def test_a_dissolve_is_found_with_its_ends(seed: int, length: int) -> None:
    a, b = scene(seed, 20 + length, 0.05), scene(seed + 1, 20 + length, 0.05)
    (found,) = changes(np.concatenate([a[:20], mix(a[20:], b[:length]), b[length:]]))
    assert found.kind == "dissolve"
    assert abs(found.first - 20) <= 2
    assert abs(found.pure - (20 + length)) <= 2


@pytest.mark.parametrize("level", [16.0, 235.0])
def test_a_fade_through_one_colour_is_one_change(level: float) -> None:
    a, b = scene(10, 32), scene(11, 32)
    card = np.zeros((12, 3, HEIGHT, WIDTH)) + np.array([level, 128, 128])[:, None, None]
    film = np.concatenate([a[:20], mix(a[20:], card), card[:4], mix(card, b[:12]), b[12:]])
    (found,) = changes(film)
    assert found.kind == "fade"
    assert abs(found.first - 20) <= 1
    assert abs(found.pure - 48) <= 1


def test_fades_at_the_ends_belong_to_the_shot() -> None:
    ramp = np.concatenate([np.zeros(4), np.linspace(0, 1, 10), np.ones(30), np.linspace(1, 0, 10), np.zeros(6)])
    found = changes(lit(scene(12, 60), ramp))
    assert [change.kind for change in found] == ["fade", "fade"]
    (shot,) = shots_between(found, 60)
    assert shot.entry == "fade"
    assert abs(shot.entry_frames - 13) <= 2
    assert abs(shot.exit_frames - 15) <= 2


def test_a_cut_to_black_and_a_fade_from_it_are_two_changes() -> None:
    black = np.zeros((15, 3, HEIGHT, WIDTH)) + np.array([16, 128, 128])[:, None, None]
    film = np.concatenate([scene(13, 20), black, lit(scene(14, 40), np.interp(np.arange(40), [0, 12], [0.08, 1]))])
    first, second = changes(film)
    assert first == Change("cut", 20, 0)
    assert second.kind == "fade"
    assert abs(second.first - 35) <= 1


# Shots


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 12), st.just(3), st.just(10), st.just(12))))
def test_every_frame_is_in_exactly_one_shot_whatever_the_pictures(pictures: np.ndarray) -> None:
    small = SmallPictures(pictures[:, 0], np.ascontiguousarray(pictures[:, 1:, ::2, ::2]))
    times: Any = SimpleNamespace(rate=Fraction(24), frames=len(pictures))
    shots = FindShots().run(small, times).shots
    frames = [frame for shot in shots for frame in range(shot.first, shot.last + 1)]
    assert frames == list(range(times.frames))
    for shot in shots:
        assert 0 <= shot.entry_frames + shot.exit_frames <= shot.last - shot.first + 1


def test_shots_follow_from_changes() -> None:
    found = [Change("fade", 0, 5), Change("cut", 20, 0), Change("dissolve", 40, 10), Change("fade", 90, 10)]
    assert shots_between(found, 100) == (
        Shot(0, 19, "fade", 5),
        Shot(20, 39, "cut", 0),
        Shot(40, 99, "dissolve", 10, 10),
    )
    assert shots_between([], 3) == (Shot(0, 2, "start"),)
    assert ListCuts().run(Shots(shots_between(found, 100))).summary() == [20]


def test_shots_can_be_measured_again_on_the_delivered_picture() -> None:
    assert Shots in planning.plan(configure(stage_types(), []), [Shots]).facts


# Small pictures


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_small_pictures_have_even_sides_that_blocks_fit_in(height: int, width: int) -> None:
    rows, columns = small_size(height, width)
    assert rows % 2 == columns % 2 == 0
    assert min(rows, columns) >= 8


@given(st.integers(1, 40), st.integers(1, 300))
def test_cells_average_all_that_they_cover(cells: int, length: int) -> None:
    weights = area_weights(cells, length)
    assert weights.sum(1) == pytest.approx(np.ones(cells), abs=1e-4)
    assert weights.sum(0) == pytest.approx(np.full(length, cells / length), rel=1e-3)


@pytest.mark.parametrize(("bits", "range_"), [(8, "limited"), (8, "full"), (10, "limited"), (10, "full")])
@pytest.mark.parametrize("size", [(37, 61), (720, 1280)])
def test_code_values_become_eight_bits_of_limited_range(bits: int, range_: str, size: tuple[int, int]) -> None:
    height, width = size
    name = "yuv420p" if bits == 8 else "yuv420p10le"
    colour = ColourSpec("bt709", range_, "bt709", "bt709")
    dtype, scale = (np.uint8, 1) if bits == 8 else (np.uint16, 4)
    planes = [np.full(shape, value * scale, dtype) for shape, value in _flat_planes(height, width)]
    frame = Frame(0, Fraction(0), (planes[0], planes[1], planes[2]), PIXEL_FORMATS[name], colour)
    picture = SimpleNamespace(pixel_format=PIXEL_FORMATS[name], colour=colour, height=height, width=width)
    clip: Any = SimpleNamespace(picture=picture)
    seen = SeeSmall().start(clip)
    look = Look(frame)
    for view in SeeSmall.views:
        look.put(view, view.start(clip)(look))
    SeeSmall().step(seen, look)
    facts = SeeSmall().finish(seen)
    expected = [100.0, 110.0, 180.0]
    if range_ == "full":
        expected = [16 + 100 * 219 / 255, *(128 + (value - 128) * 224 / 255 for value in (110, 180))]
    assert facts.luma[0] == pytest.approx(expected[0], abs=0.51)
    for plane, value in zip(facts.chroma[0], expected[1:], strict=True):
        assert plane == pytest.approx(value, abs=0.51)


def _flat_planes(height: int, width: int) -> list[tuple[tuple[int, int], int]]:
    half = -(-height // 2), -(-width // 2)
    return [((height, width), 100), (half, 110), (half, 180)]


def test_a_take_tells_its_cuts(tmp_path: Path) -> None:
    (take,) = api.inspect([make_clip(tmp_path / "one shot.mp4", frames=24, sound_hz=None)]).takes()
    assert take["facts"]["cuts"] == []
    assert take["facts"]["shots"] == [{"first": 0, "last": 23, "entry": "start", "entry_frames": 0}]


REAL = {
    "clean/bikes.mp4": [30, 76, 137, 187, 242],
    "clean/testvideo.mp4": [30, 180],
    "takes/origin_video_0.mp4": [275],
    "takes/luma_watermarked.mp4": [],
    "flicker/concert_lighting.mp4": [],
    "odd/goldeneye-vfr-drop3.mp4": [60, 140],
    "odd/counter.mp4": [10, 20],
    "odd/fire2.mp4": [],
}
"""By eye."""


@pytest.mark.parametrize("file", REAL)
def test_cuts_of_real_clips(media: Path, file: str) -> None:
    if not (media / file).is_file():
        pytest.skip(f"there is no {file}")
    (take,) = api.inspect([media / file]).takes()
    assert take["facts"]["cuts"] == REAL[file]
