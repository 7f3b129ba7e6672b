"""Doubling by learnt filters: what holds for every picture, whatever the filters are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postpipe_kernels import double, resize
from postpipe_kernels.reference_double import edge_classes


def doubled(plane: np.ndarray) -> np.ndarray:
    out = np.zeros((2 * plane.shape[0], 2 * plane.shape[1]), plane.dtype)
    double.double_plane(plane, out, double.learnt_bank())
    return out


def test_every_filter_of_the_bank_sums_to_one() -> None:
    bank = double.learnt_bank()
    assert bank.weights.shape == ((len(bank.strength) + 1) * 2 * double.DIRECTIONS, 4, double.SIDE**2)
    assert (bank.weights.astype(int).sum(axis=2) == double.ONE).all()


@given(level=st.integers(0, 255), shape=st.tuples(st.integers(1, 9), st.integers(1, 9)))
@settings(max_examples=30, deadline=None)
def test_what_is_flat_stays_as_it_is(level: int, shape: tuple[int, int]) -> None:
    np.testing.assert_array_equal(doubled(np.full(shape, level, np.uint8)), level)
    np.testing.assert_array_equal(doubled(np.full(shape, 4 * level, np.uint16)), 4 * level)


def test_a_filter_that_takes_the_middle_repeats_samples() -> None:
    learnt = double.learnt_bank()
    weights = np.zeros_like(learnt.weights)
    weights[..., double.SIDE**2 // 2] = double.ONE
    plane = np.random.default_rng(1).integers(0, 256, (7, 11), dtype=np.uint8)
    out = np.zeros((14, 22), np.uint8)
    double.double_plane(plane, out, double.Bank(weights, learnt.strength, learnt.coherence))
    np.testing.assert_array_equal(out, plane.repeat(2, axis=0).repeat(2, axis=1))


def test_edges_are_told_by_direction_strength_and_coherence() -> None:
    bank = double.Bank(np.zeros((80, 4, 25), np.int16), (2.0, 6.0, 16.0, 45.0), 0.4)
    across = np.repeat(np.where(np.arange(16) < 8, 20, 220).astype(np.uint8)[None], 16, axis=0)
    both = edge_classes(across, bank, 8), edge_classes(np.ascontiguousarray(across.T), bank, 8)
    strong = (4 * 2 + 1) * double.DIRECTIONS  # the strongest, coherent
    assert both[0][8, 8] == strong  # light changes along x
    assert both[1][8, 8] == strong + 4  # along y: half of the turn
    assert both[0][8, 1] == 0  # flat
    np.testing.assert_array_equal(edge_classes(across.astype(np.uint16) * 4, bank, 10), both[0])


def test_a_slanted_edge_comes_out_nearer_to_what_it_was_than_by_interpolation() -> None:
    y, x = np.mgrid[:512, :512]
    fine = np.where(3 * x + y > 1000, 200.0, 40.0)  # eight times as fine as what is reduced
    original = fine.reshape(64, 8, 64, 8).mean(axis=(1, 3))
    small = np.rint(original.reshape(32, 2, 32, 2).mean(axis=(1, 3))).astype(np.uint8)
    smooth = np.zeros((64, 64), np.uint8)
    resize.resample_plane(small, smooth, *[resize.taps(32, 64, kind="bicubic")] * 2)
    errors = [float(np.mean((made - original) ** 2)) for made in (doubled(small), smooth)]
    assert errors[0] < 0.8 * errors[1]


@pytest.mark.parametrize(
    ("plane", "out"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((8, 7), np.uint8)),
        (np.zeros((4, 4), np.uint8), np.zeros((8, 8), np.uint16)),
        (np.zeros((4, 4), np.float32), np.zeros((8, 8), np.float32)),
    ],
)
def test_what_does_not_fit_is_refused(plane: np.ndarray, out: np.ndarray) -> None:
    with pytest.raises(ValueError, match="must be"):
        double.double_plane(plane, out, double.learnt_bank())
