"""What shows an overlay, on pictures that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from postpipe_kernels import overlay


def test_edges_that_turn_cancel_out_and_others_add_up() -> None:
    lit, dark = np.zeros((3, 4), np.uint8), np.full((3, 4), 50, np.uint8)
    lit[:, 2:] = 50
    dark[:, 2:] = 0
    sums = overlay.EdgeSums.of((3, 4))
    overlay.add_edges(lit, sums)
    overlay.add_edges(dark, sums)
    assert sums.across[1].tolist() == [0, 0, 0, 0]
    assert sums.strength[1].tolist() == [0, 100, 100, 0]


def test_what_changes_stands_out_from_what_changes_around_it() -> None:
    pictures = np.full((6, 5, 5), 100, np.uint8)
    pictures[3:] = 140  # all of it becomes brighter,
    pictures[3:, 2, 2] = 190  # and one pixel more so
    pictures[2] = 0  # half done: not looked at
    out = np.empty((5, 5), np.int8)
    overlay.find_changes(pictures, 2, 1, out)
    assert out[2].tolist() == [0, -5, 44, -5, 0]  # 50 less a ninth, where the square has nine pixels
    assert out[0].tolist() == [0] * 5


def test_what_flashes_counts_for_little() -> None:
    pictures = np.full((11, 1, 3), 100, np.uint8)
    pictures[7, 0, 1] = 160
    out = np.empty((1, 3), np.int8)
    overlay.find_changes(pictures, 5, 1, out)
    assert out.tolist() == [[-6, 8, -6]]


def test_groups_touch_at_corners_and_are_counted_beyond_what_fits() -> None:
    cells = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1]], np.uint8)
    out = np.zeros((2, 4), np.int32)
    assert overlay.find_groups(cells, out) == 3
    assert out.tolist() == [[0, 0, 2, 2], [0, 3, 1, 4]]


def test_pixels_are_counted_where_they_are_bright() -> None:
    steps, picture = np.ones((4, 9), np.uint8), np.zeros((4, 9), np.uint8)
    picture[:2] = 200
    out = np.empty((1, 2), np.uint8)
    overlay.count_cells(steps, picture, 1, 150, out)
    assert out.tolist() == [[8, 8]]


def test_what_does_not_fit_is_refused() -> None:
    plane = np.zeros((4, 4), np.uint8)
    with pytest.raises(ValueError, match="sums must be"):
        overlay.add_edges(plane, overlay.EdgeSums.of((4, 5)))
    with pytest.raises(ValueError, match="C-contiguous"):
        overlay.add_edges(np.zeros((4, 8), np.uint8)[:, ::2], overlay.EdgeSums.of((4, 4)))
    with pytest.raises(ValueError, match="does not fit 4 pictures"):
        overlay.find_changes(np.zeros((4, 2, 2), np.uint8), 3, 1, np.zeros((2, 2), np.int8))
    with pytest.raises(ValueError, match="out must be C-contiguous int8"):
        overlay.find_changes(np.zeros((4, 2, 2), np.uint8), 2, 1, np.zeros((2, 3), np.int8))
    with pytest.raises(ValueError, match="one for each cell"):
        overlay.count_cells(plane, plane, 1, 0, np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="cells must be"):
        overlay.find_groups(plane.astype(bool), np.zeros((2, 4), np.int32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="groups, 4"):
        overlay.find_groups(plane, np.zeros((2, 3), np.int32))
