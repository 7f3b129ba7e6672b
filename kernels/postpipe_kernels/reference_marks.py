"""The plain NumPy twins of the kernels for marks, visible and hidden; see `reference`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels import overlay, spread
from postpipe_kernels._planes import Plane

HAAR = 0.7071067811865476


def _averages(plane: Plane) -> NDArray[np.float64]:
    """Return the 2×2 averages that the Haar transform of a plane begins with, filtered down, then across."""
    scaled = HAAR * plane
    down = scaled[::2] + scaled[1::2]
    return HAAR * down[:, ::2] + HAAR * down[:, 1::2]


def _blocks(averages: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = averages.shape[0] // 4, averages.shape[1] // 4
    cut = averages[: 4 * rows, : 4 * columns].reshape(rows, 4, columns, 4)
    return cut.transpose(0, 2, 1, 3).reshape(rows * columns, 16)


def read_dwt_dct(plane: Plane, ones: NDArray[np.int64], blocks: NDArray[np.int64], scale: float = 36.0) -> None:
    """Read bits; see `watermark.read_dwt_dct`."""
    height, width = plane.shape[0] // 4 * 4, plane.shape[1] // 4 * 4
    if not height or not width:
        return
    values = np.abs(_blocks(_averages(plane[:height, :width]))[:, 1:])
    said = values.max(axis=1, initial=0) % scale > 0.5 * scale
    np.add.at(ones, np.arange(len(said)) % ones.size, said)
    np.add.at(blocks, np.arange(len(said)) % ones.size, 1)


def write_dwt_dct(plane: Plane, bits: NDArray[np.uint8], out: Plane, scale: float = 36.0) -> None:
    """Write bits; see `watermark.write_dwt_dct`."""
    out[...] = plane
    height, width = plane.shape[0] // 4 * 4, plane.shape[1] // 4 * 4
    if not height or not width:
        return
    scaled = HAAR * plane[:height, :width]
    low, high = scaled[::2] + scaled[1::2], scaled[::2] - scaled[1::2]
    average, across = (HAAR * low[:, ::2] + sign * HAAR * low[:, 1::2] for sign in (1, -1))
    down, both = (HAAR * high[:, ::2] + sign * HAAR * high[:, 1::2] for sign in (1, -1))
    rows, columns = average.shape[0] // 4, average.shape[1] // 4
    blocks = _blocks(average)
    if len(blocks):
        place = np.abs(blocks[:, 1:]).argmax(axis=1) + 1
        value = np.abs(blocks[np.arange(len(blocks)), place])
        bit = bits[np.arange(len(blocks)) % bits.size]
        changed = (value // scale + 0.25 + 0.5 * bit) * scale
        blocks[np.arange(len(blocks)), place] = np.where(blocks[np.arange(len(blocks)), place] >= 0, changed, -changed)
        average[: 4 * rows, : 4 * columns] = (
            blocks.reshape(rows, columns, 4, 4).transpose(0, 2, 1, 3).reshape(4 * rows, 4 * columns)
        )
    wide, tall = np.empty((height // 2, width)), np.empty((height // 2, width))
    wide[:, ::2], wide[:, 1::2] = HAAR * average + HAAR * down, HAAR * average - HAAR * down
    tall[:, ::2], tall[:, 1::2] = HAAR * across + HAAR * both, HAAR * across - HAAR * both
    top = 255 if plane.dtype == np.uint8 else 65535
    out[:height:2, :width] = (HAAR * wide + HAAR * tall).astype(np.int64) & top
    out[1:height:2, :width] = (HAAR * wide - HAAR * tall).astype(np.int64) & top


def _cells(small: Plane, sides: NDArray[np.int8]) -> NDArray[np.float64]:
    rows, columns = sides.shape[:2]
    cut = small[: 8 * rows, : 8 * columns].reshape(rows, 8, columns, 8)
    return cut.transpose(0, 2, 1, 3).astype(np.float64)


def _strength(cells: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    total = np.abs(np.diff(cells, axis=2)).sum(axis=(2, 3)) + np.abs(np.diff(cells, axis=3)).sum(axis=(2, 3))
    activity = total / (112.0 * scale)
    strength = scale * np.minimum(spread.STRENGTH + spread.BY_ACTIVITY * activity, spread.MOST)
    return np.where(activity < spread.LEAST_ACTIVITY, 0.0, strength)[..., None]


def draw_mark(small: Plane, sides: NDArray[np.int8], scale: float, out: NDArray[np.float32]) -> None:
    """Draw a spread mark; see `spread.draw_mark`."""
    out[...] = 0
    cells, waves = _cells(small, sides), spread.cosines()
    coefficients = np.einsum("rcyx,kyx->rck", cells, waves)
    strength = _strength(cells, scale)
    moves = sides * np.clip(strength - sides * coefficients, 0, strength)
    drawn = np.einsum("rck,kyx->rycx", moves, waves)
    rows, columns = sides.shape[:2]
    out[: 8 * rows, : 8 * columns] = drawn.reshape(8 * rows, 8 * columns)


def weigh_mark(small: Plane, sides: NDArray[np.int8], scale: float, out: NDArray[np.float32]) -> None:
    """Weigh a spread mark; see `spread.weigh_mark`."""
    cells = _cells(small, sides)
    coefficients = np.einsum("rcyx,kyx->rck", cells, spread.cosines())
    out[...] = np.clip(sides * coefficients / (_strength(cells, scale) + 0.5 * scale), -1, 1)


def lay_mark(
    plane: Plane,
    pattern: NDArray[np.float32],
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    top: int,
    out: Plane,
) -> None:
    """Lay a pattern over a plane; see `spread.lay_mark`."""
    out[...] = np.clip(np.floor(plane + pattern[rows][:, columns] + np.float32(0.5)), 0, top)


def add_edges(picture: Plane, sums: overlay.EdgeSums) -> None:
    """Add a picture to sums; see `overlay.add_edges`."""
    wide = picture.astype(np.int32)
    right = wide[1:-1, 2:] - wide[1:-1, :-2]
    below = wide[2:, 1:-1] - wide[:-2, 1:-1]
    sums.across[1:-1, 1:-1] += right
    sums.down[1:-1, 1:-1] += below
    sums.strength[1:-1, 1:-1] += np.abs(right) + np.abs(below)


def find_changes(pictures: NDArray[np.uint8], middle: int, reach: int, out: NDArray[np.int8]) -> None:
    """Find what changed more than its surroundings; see `overlay.find_changes`."""
    wide = pictures.astype(np.float64)
    change = wide[middle + 1 :].mean(axis=0) - wide[:middle].mean(axis=0)
    rows, columns = change.shape
    totals = np.zeros((rows + 1, columns + 1))
    totals[1:, 1:] = change.cumsum(axis=0).cumsum(axis=1)
    (top, bottom), (left, right) = (
        (np.maximum(0, np.arange(size) - reach), np.minimum(size, np.arange(size) + reach + 1))
        for size in (rows, columns)
    )
    around = totals[bottom][:, right] - totals[top][:, right] - totals[bottom][:, left] + totals[top][:, left]
    around /= np.outer(bottom - top, right - left)
    out[...] = np.clip(change - around, -127, 127).astype(np.int8)


def count_cells(
    steps: NDArray[np.uint8], picture: NDArray[Any], which: int, bright: int, out: NDArray[np.uint8]
) -> None:
    """Count pixels by cell; see `overlay.count_cells`."""
    rows, columns = out.shape
    on = (steps == which) & (picture >= bright)
    side = overlay.CELL
    out[...] = on[: rows * side, : columns * side].reshape(rows, side, columns, side).sum(axis=(1, 3))


def find_groups(cells: NDArray[np.uint8], out: NDArray[np.int32]) -> int:
    """Find groups of cells; see `overlay.find_groups`."""
    left_over = dict.fromkeys(zip(*(axis.tolist() for axis in np.nonzero(cells)), strict=True))
    groups = 0
    while left_over:
        todo = [next(iter(left_over))]
        del left_over[todo[0]]
        members = []
        while todo:
            row, column = todo.pop()
            members.append((row, column))
            near = [(row + y, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (row + y, column + x) in left_over]
            for cell in near:
                del left_over[cell]
            todo += near
        if groups < len(out):
            places = np.array(members)
            out[groups] = [*places.min(axis=0), *(places.max(axis=0) + 1)]
        groups += 1
    return groups
