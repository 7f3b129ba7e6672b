"""Blocks whose means can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from postpipe_kernels import luma, reference, shrink


def small(plane: NDArray[np.uint8], rows: int, columns: int) -> list[list[int]]:
    out, sums = shrink.empty_small(plane, rows, columns)
    shrink.shrink_plane(plane, rows, columns, out, sums)
    values: list[list[int]] = out.tolist()
    return values


def test_blocks_round_half_up_and_edges_use_what_they_have() -> None:
    plane = np.zeros((5, 9), np.uint8)
    plane[:2, :4] = 1  # mean 1/2 of the first block
    plane[4, :2] = 1  # 2 of the 4 samples of the block below
    plane[:4, 8] = [10, 20, 30, 40]
    assert small(plane, 4, 4) == [[1, 0, 25], [1, 0, 0]]


@pytest.mark.parametrize(("shift_x", "shift_y"), [(1, 1), (1, 0), (0, 0)])
@pytest.mark.parametrize("size", [(1, 1), (16, 24), (17, 25), (270, 481)])
def test_chroma_lies_on_the_grid_of_luma(size: tuple[int, int], shift_x: int, shift_y: int) -> None:
    height, width = size
    chroma = np.zeros((-(-height >> shift_y), -(-width >> shift_x)), np.uint8)
    expected = luma.empty_measures(height, width, 8)[2].shape
    assert shrink.empty_small(chroma, *shrink.chroma_block(shift_x, shift_y))[0].shape == expected


def test_the_largest_samples_do_not_overflow() -> None:
    plane = np.full((16, 24), 1023, np.uint16)
    out, sums = shrink.empty_small(plane, 8, 8)
    shrink.shrink_plane(plane, 8, 8, out, sums)
    assert (out == 1023).all()
    assert (sums == 64 * 1023).all()


@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_means_are_those_of_the_twin(data: st.DataObject) -> None:
    dtype, top = data.draw(st.sampled_from([(np.uint8, 255), (np.uint16, 1023)]))
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    plane = data.draw(hnp.arrays(dtype, shape, elements=st.integers(0, top)))
    rows, columns = data.draw(st.sampled_from([1, 2, 4, 8])), data.draw(st.sampled_from([1, 2, 4, 8]))
    ours, theirs = (shrink.empty_small(plane, rows, columns) for _ in range(2))
    shrink.shrink_plane(plane, rows, columns, *ours)
    reference.shrink_plane(plane, rows, columns, *theirs)
    np.testing.assert_array_equal(ours, theirs)


def test_what_does_not_fit_is_refused() -> None:
    plane = np.zeros((8, 8), np.uint8)
    _, sums = shrink.empty_small(plane, 4, 4)
    with pytest.raises(ValueError, match="2-D plane"):
        shrink.shrink_plane(np.zeros((0, 8), np.uint8), 4, 4, plane, sums)
    with pytest.raises(ValueError, match="sides of 1, 2, 4 or 8 samples, not 3 and 4"):
        shrink.shrink_plane(plane, 3, 4, plane, sums)
    with pytest.raises(ValueError, match=r"out must be C-contiguous uint8 \(2, 2\), not uint8 \(8, 8\)"):
        shrink.shrink_plane(plane, 4, 4, plane, sums)
    with pytest.raises(ValueError, match=r"block_sums must be C-contiguous uint16 \(2, 2\)"):
        shrink.shrink_plane(plane, 4, 4, plane[:2, :2].copy(), sums[:1])


def test_changes_between_small_pictures() -> None:
    previous = np.full((4, 5), 100, np.uint8)
    small = previous.copy()
    small[0, :3] = [99, 102, 250]
    assert shrink.compare_small(small, previous, over=1) == (153, 2, 150)
    assert shrink.compare_small(small, small, over=0) == (0, 0, 0)
    with pytest.raises(ValueError, match="previous must be C-contiguous uint8"):
        shrink.compare_small(small, previous.astype(np.uint16), over=1)
