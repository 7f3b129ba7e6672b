"""The spread mark: moves no more than it may, leaves what is flat, and is read on the side where it was put."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postpipe_kernels import spread


def test_waves_are_orthonormal() -> None:
    waves = spread.cosines().reshape(3, 64)
    np.testing.assert_allclose(waves @ waves.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(waves.sum(axis=1), 0, atol=1e-12)  # none changes the mean


def test_flat_cells_are_left_alone() -> None:
    out = np.ones((16, 24), np.float32)
    spread.draw_mark(np.full((16, 24), 90, np.uint8), np.ones((2, 3, 3), np.int8), 1.0, out)
    assert not out.any()


@given(seed=st.integers(0, 10_000), ten_bits=st.booleans())
@settings(max_examples=25, deadline=None)
def test_each_coefficient_moves_to_its_side_by_no_more_than_it_may(seed: int, ten_bits: bool) -> None:
    dice = np.random.default_rng(seed)
    scale = 4.0 if ten_bits else 1.0
    small = (dice.normal(100, 6, (24, 32)).clip(0, 255) * scale).astype(np.uint16 if ten_bits else np.uint8)
    sides = (dice.integers(0, 2, (3, 4, 3)) * 2 - 1).astype(np.int8)
    out, before, after = np.empty(small.shape, np.float32), np.empty(sides.shape), np.empty(sides.shape)
    spread.draw_mark(small, sides, scale, out)
    cells = small[:24, :32].reshape(3, 8, 4, 8).transpose(0, 2, 1, 3)
    marked = (small + out).reshape(3, 8, 4, 8).transpose(0, 2, 1, 3)
    before = sides * np.einsum("rcyx,kyx->rck", cells.astype(np.float64), spread.cosines())
    after = sides * np.einsum("rcyx,kyx->rck", marked, spread.cosines())
    moved = after - before
    assert (moved > -1e-3 * scale).all()
    assert (moved <= (spread.MOST + 1e-3) * scale).all()
    assert (moved[before < 0] > 0).all()


def test_votes_say_what_was_drawn() -> None:
    dice = np.random.default_rng(3)
    small = dice.normal(120, 3, (64, 64)).astype(np.uint8)
    sides = (dice.integers(0, 2, (8, 8, 3)) * 2 - 1).astype(np.int8)
    pattern, votes, bare = np.empty(small.shape, np.float32), *np.empty((2, 8, 8, 3), np.float32)
    spread.draw_mark(small, sides, 1.0, pattern)
    spread.weigh_mark(np.rint(small + pattern).astype(np.uint8), sides, 1.0, votes)
    spread.weigh_mark(small, sides, 1.0, bare)
    assert votes.mean() > 0.7
    assert abs(bare.mean()) < 0.15


def test_a_pattern_is_laid_over_its_pixels_and_clipped() -> None:
    plane = np.array([[10, 20], [250, 3]], np.uint8)
    out = np.empty_like(plane)
    pattern = np.array([[1.4, -4.6]], np.float32)
    spread.lay_mark(plane, pattern, np.zeros(2, np.int32), np.array([0, 1], np.int32), 251, out)
    np.testing.assert_array_equal(out, [[11, 15], [251, 0]])


def test_what_does_not_fit_is_refused() -> None:
    small, sides = np.zeros((16, 16), np.uint8), np.ones((2, 2, 3), np.int8)
    with pytest.raises(ValueError, match="sides must be int8"):
        spread.draw_mark(small, sides[:1], 1.0, np.empty((16, 16), np.float32))
    with pytest.raises(ValueError, match="out must be"):
        spread.draw_mark(small, sides, 1.0, np.empty((16, 15), np.float32))
    with pytest.raises(ValueError, match="out must be"):
        spread.weigh_mark(small, sides, 1.0, np.empty((2, 2), np.float32))
    places = np.arange(16, dtype=np.int32)
    with pytest.raises(ValueError, match="columns must lie"):
        spread.lay_mark(small, np.zeros((16, 8), np.float32), places, places, 255, small.copy())
    with pytest.raises(ValueError, match="must fit the plane"):
        spread.lay_mark(small, np.zeros((16, 16), np.float32), places[:3], places, 255, small.copy())
