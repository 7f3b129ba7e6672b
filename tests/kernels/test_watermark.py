"""dwtDct: bit for bit what invisible-watermark writes and reads.

The vectors were made with that library (0.2.0) by `python -m benchmarks.watermark --library DIR --vectors`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postpipe_kernels import watermark

VECTORS = np.load(Path(__file__).parent / "data" / "dwt_dct.npz")
CASES = range(3)


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_is_the_librarys(case: int) -> None:
    plane = VECTORS[f"plane{case}"]
    out = np.empty_like(plane)
    watermark.write_dwt_dct(plane, VECTORS[f"bits{case}"], out)
    np.testing.assert_array_equal(out, VECTORS[f"marked{case}"])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("picture", ["plane", "marked"])
def test_what_is_read_is_the_librarys(case: int, picture: str) -> None:
    ones, blocks = np.zeros((2, len(VECTORS[f"bits{case}"])), np.int64)
    watermark.read_dwt_dct(VECTORS[f"{picture}{case}"], ones, blocks)
    np.testing.assert_array_equal(ones, VECTORS[f"{picture}_ones{case}"])
    np.testing.assert_array_equal(blocks, VECTORS[f"{picture}_blocks{case}"])


@given(seed=st.integers(0, 1000), bits=st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_most_blocks_say_the_bit_that_was_written(seed: int, bits: int) -> None:
    dice = np.random.default_rng(seed)
    plane = dice.integers(60, 190, (64, 80)).astype(np.uint8)
    message = dice.integers(0, 2, bits).astype(np.uint8)
    out = np.empty_like(plane)
    watermark.write_dwt_dct(plane, message, out)
    ones, blocks = np.zeros((2, bits), np.int64)
    watermark.read_dwt_dct(out, ones, blocks)
    assert blocks.sum() == 80
    right = np.where(message == 1, ones, blocks - ones).sum()
    assert right >= 0.8 * 80  # in the others, cut off values moved what was written, or another average is furthest


def test_a_plane_can_be_marked_where_it_is() -> None:
    plane = VECTORS["plane0"].copy()
    watermark.write_dwt_dct(plane, VECTORS["bits0"], plane)
    np.testing.assert_array_equal(plane, VECTORS["marked0"])


def test_what_does_not_fit_is_refused() -> None:
    plane, counts = np.zeros((16, 16), np.uint8), np.zeros(8, np.int64)
    with pytest.raises(ValueError, match="scale positive"):
        watermark.read_dwt_dct(plane, counts, counts.copy(), scale=0)
    with pytest.raises(ValueError, match="one count for each bit"):
        watermark.read_dwt_dct(plane, counts.astype(np.int32), counts)
    with pytest.raises(ValueError, match="at least one"):
        watermark.write_dwt_dct(plane, np.zeros(0, np.uint8), plane.copy())
    with pytest.raises(ValueError, match="out must be uint8"):
        watermark.write_dwt_dct(plane, np.ones(4, np.uint8), plane.astype(np.uint16))
