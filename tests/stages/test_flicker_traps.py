"""What moves finely, fast or often is no flicker: it comes out bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from postpipe import api
from postpipe.media.frames import allocate
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame
from postpipe.stages.deflicker import Deflicker
from tests.clips import make_clip, picture
from tests.stages.helpers import decode_planes
from tests.stages.test_flicker import find, grey, random_gains, track

FRAMES = 40
HEIGHT, WIDTH = 90, 160
Moving = Callable[[int], np.ndarray]


def clip(luma: Moving, frames: int = FRAMES) -> list[Frame]:
    """Return frames whose luma is what `luma` says of each, with a little noise."""
    random = np.random.default_rng(1)
    made = []
    for n in range(frames):
        values = luma(n)
        frame = allocate(
            PIXEL_FORMATS["yuv420p"], values.shape[1], values.shape[0], index=n, pts_seconds=Fraction(n, 24),
            colour=ColourSpec("bt709", "limited", "bt709", "bt709"),
        )  # fmt: skip
        frame.planes[0][...] = np.clip(np.round(values + random.normal(0, 0.6, values.shape)), 16, 235)
        for chroma in frame.planes[1:]:
            chroma[...] = 128
        made.append(frame)
    return made


def pan(grain: float, speed: int) -> Moving:
    """Return a camera that moves over a texture of this fineness, some pixels a frame."""
    wide = gaussian_filter(np.random.default_rng(3).normal(0, 1, (HEIGHT, WIDTH + speed * FRAMES)), grain)
    wide = 115 + 40 * wide / wide.std()
    return lambda n: wide[:, n * speed : n * speed + WIDTH]


def water(n: int) -> np.ndarray:
    """Return forty trains of waves in all directions, each as fast as waves of its length are."""
    random = np.random.default_rng(4)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    height = np.zeros((HEIGHT, WIDTH))
    for _ in range(40):
        length, angle, phase = random.uniform(4, 40), *random.uniform(0, 2 * np.pi, 2)
        k = 2 * np.pi / length
        way = k * (x * np.cos(angle) + y * np.sin(angle))
        height += np.sqrt(length) * np.cos(way + phase - 1.2 * np.sqrt(k) * n)
    return 110 + 4 * height + 30 * np.maximum(height / 12, 0) ** 2


def text(speed: int) -> Moving:
    """Return lines of text that scroll up."""
    page = np.full((HEIGHT + speed * FRAMES, WIDTH), 30, np.uint8)
    for row in range(0, len(page), 14):
        words = "The quick brown fox jumps over the lazy dog"[row % 20 :]
        cv2.putText(page, words, (5 + row % 30, row), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 220.0, 1)
    return lambda n: page[n * speed : n * speed + HEIGHT].astype(float)


def turning(square: float) -> Moving:
    """Return a chessboard that turns about a point off its middle."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] - np.array([20.0, 110.0])[:, None, None]

    def board(n: int) -> np.ndarray:
        u, v = x * np.cos(0.05 * n) + y * np.sin(0.05 * n), y * np.cos(0.05 * n) - x * np.sin(0.05 * n)
        return np.asarray(60 + 120 * ((np.floor(u / square) + np.floor(v / square)) % 2))

    return board


def noise(n: int) -> np.ndarray:
    return np.asarray(110 + np.random.default_rng(n).normal(0, 30, (HEIGHT, WIDTH)))


CASES: dict[str, Moving] = {
    "two textures, one over the other": lambda n: picture(n, 64, 48, 0),
    "the same, larger": lambda n: picture(n, WIDTH, HEIGHT, 1),
    "slow pan over fine texture": pan(0.7, 1),
    "pan over fine texture": pan(0.7, 4),
    "whip pan": pan(3.0, 12),
    "water": water,
    "text": text(1),
    "text, faster": text(3),
    "text, fast": text(8),
    "small squares that turn": turning(6),
    "large squares that turn": turning(30),
    "noise": noise,
}


@pytest.mark.parametrize("name", CASES)
def test_what_moves_is_no_flicker(name: str) -> None:
    found = find(clip(CASES[name]))
    assert Deflicker().bind(found) is None, found.summary()
    assert found.flashes == ()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("frames", [8, 10, 12, 16, 24])
def test_nor_is_it_in_a_short_take(frames: int, seed: int) -> None:
    found = find(clip(lambda n: picture(n, 64, 48, seed), frames))
    assert Deflicker().bind(found) is None, found.summary()


def test_exposure_that_flickers_is_found_over_what_moves() -> None:
    moving, gains = pan(3.0, 2), random_gains()
    found = find(clip(lambda n: 16 + (moving(n) - 16) * gains[n]))
    assert found.global_percent == pytest.approx(100 * 2**0.5 * gains[:FRAMES].std(), rel=0.25)
    assert found.percent("local") == 0


def test_a_tile_that_the_flow_explains_is_surer_than_one_that_it_does_not() -> None:
    still, boiling = track(clip(lambda n: pan(3.0, 2)(0))), track(clip(noise))
    assert np.median(boiling.spread[1:]) > 5 * np.median(still.spread[1:])


def test_the_verdict_holds_on_the_decoded_file(tmp_path: Path) -> None:
    """A clean take comes out as it is; one that flickers less than before, after the encoder too."""
    takes = tmp_path / "takes"
    takes.mkdir()
    gains = dict(enumerate(random_gains(4.0)[:36]))
    make_clip(takes / "a.mp4", frames=36, size=(128, 96))
    make_clip(takes / "b.mp4", frames=36, size=(128, 96), gains=gains)
    settings = {"deliver": {"preset": "ultrafast", "crf": 10}}
    for mode in ("auto", "off"):
        out = tmp_path / mode
        document = api.run(takes, out, settings=settings | {"flicker": {"mode": mode}}).document()
        clean, bad = document["takes"]
        assert clean["fixes"] == []
        assert [fix["kept"] for fix in bad["fixes"]] == ([True] if mode == "auto" else [])
    levels = {
        mode: np.array([frame[0].astype(float).mean() for frame in decode_planes(tmp_path / mode / "clips" / "b.mp4")])
        for mode in ("auto", "off")
    }
    assert np.diff(levels["auto"]).std() < 0.4 * np.diff(levels["off"]).std()
    assert (tmp_path / "auto/clips/a.mp4").read_bytes() == (tmp_path / "off/clips/a.mp4").read_bytes()


def test_tiles_of_a_picture_too_small_for_twelve() -> None:
    small = track(clip(lambda n: picture(n, 64, 48, 0), 8))
    assert small.spread.shape[1:] == (6, 8)


def test_grey_flicker_has_no_colour() -> None:
    moving = pan(3.0, 1)
    gains = grey(random_gains())[:, 0]
    assert find(clip(lambda n: 16 + (moving(n) - 16) * gains[n])).percent("colour") == 0


@pytest.mark.parametrize("dark", [True, False], ids=["somebody passes", "a lamp flashes"])
def test_what_is_somewhere_for_one_frame_is_no_flash_of_the_picture(dark: bool) -> None:
    still = pan(3, 1)

    def passing(n: int) -> np.ndarray:
        values = still(n).copy()
        if n == 20:
            values[:, :90] = values[:, :90] * 0.3 + 12 if dark else np.minimum(values[:, :90] * 1.5, 230)
        return values

    found = find(clip(passing))
    assert found.flashes == ()
    bound = Deflicker(mode="auto").bind(found)
    assert bound is None or not np.any(bound.gain[20])
