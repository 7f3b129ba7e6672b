"""What shows an overlay, such as a generator's mark: edges that stay while the picture moves, and lasting changes."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import Plane, check_plane

CELL = 4
"""Pixels along the side of a cell."""

_at = np.uint64
_i32 = np.int32


class EdgeSums(NamedTuple):
    """What is summed up over pictures, int32, each of their shape.

    `across`, `down`: differences of the neighbours right and left, and below and above; `strength`: the sum of their
    absolute values. The outermost pixels stay 0.
    """

    across: NDArray[np.int32]
    down: NDArray[np.int32]
    strength: NDArray[np.int32]

    @classmethod
    def of(cls, shape: tuple[int, int]) -> EdgeSums:
        """Return sums of nothing."""
        return cls(*(np.zeros(shape, np.int32) for _ in range(3)))


def add_edges(picture: Plane, sums: EdgeSums) -> None:
    """Add a picture, C-contiguous, to sums. Raises `ValueError` when a shape or type does not fit."""
    check_plane(picture, "picture")
    if not picture.flags.c_contiguous:
        raise ValueError("picture must be C-contiguous")
    for array in sums:
        if array.shape != picture.shape or array.dtype != np.int32 or not array.flags.c_contiguous:
            raise ValueError(f"sums must be C-contiguous int32 {picture.shape}")
    _add_edges(picture.reshape(-1), *picture.shape, *(array.reshape(-1) for array in sums))


def find_changes(pictures: NDArray[np.uint8], middle: int, reach: int, out: NDArray[np.int8]) -> None:
    """Write by how much more each pixel changed than its surroundings, in code values, -127 to 127, cut to integers.

    The change is that from the average of the pictures before number `middle` to that of those after it, and the
    surroundings are the square that goes `reach` pixels to each side, as far as the picture goes. `pictures`:
    C-contiguous uint8 `(n, rows, columns)`, n up to 33, at least one before and one after the middle; `reach`: 1 to 16.
    `out`: C-contiguous int8 `(rows, columns)`. Raises `ValueError` when a shape, type or number does not fit.
    """
    if pictures.ndim != 3 or pictures.dtype != np.uint8 or not pictures.flags.c_contiguous or not pictures[0].size:
        raise ValueError(f"pictures must be C-contiguous uint8, 3-D, not {pictures.dtype} {pictures.shape}")
    if not 1 <= middle < len(pictures) - 1 or len(pictures) > 33 or not 1 <= reach <= 16:
        raise ValueError(f"middle or reach does not fit {len(pictures)} pictures: {middle}, {reach}")
    if out.shape != pictures.shape[1:] or out.dtype != np.int8 or not out.flags.c_contiguous:
        raise ValueError(f"out must be C-contiguous int8 {pictures.shape[1:]}")
    _find_changes(pictures.reshape(-1), len(pictures), middle, *out.shape, reach, out.reshape(-1))


def count_cells(
    steps: NDArray[np.uint8], picture: NDArray[Any], which: int, bright: int, out: NDArray[np.uint8]
) -> None:
    """Write to `out` how many pixels of each cell of `CELL`×`CELL` have the value `which` in `steps`.

    Only pixels count that have at least the code value `bright` in `picture`. `steps` and `picture`: C-contiguous, of
    one shape; `out`: C-contiguous uint8, `(rows // CELL, columns // CELL)`. Raises `ValueError` when a shape or type
    does not fit.
    """
    check_plane(steps, "steps")
    check_plane(picture, "picture", like=steps)
    if steps.dtype != np.uint8 or not steps.flags.c_contiguous or not picture.flags.c_contiguous:
        raise ValueError("steps must be uint8, and both C-contiguous")
    if out.shape != (steps.shape[0] // CELL, steps.shape[1] // CELL) or out.dtype != np.uint8:
        raise ValueError(f"out must be uint8, one for each cell of {CELL}×{CELL}, not {out.dtype} {out.shape}")
    if out.size:
        _count_cells(steps.reshape(-1), picture.reshape(-1), steps.shape[1], which, bright, out)


def find_groups(cells: NDArray[np.uint8], out: NDArray[np.int32]) -> int:
    """Write the bounds of each group of touching cells that are not 0 to `out`; return how many groups there are.

    `cells`: uint8 `(rows, columns)`, C-contiguous. `out`: int32 `(groups, 4)`, C-contiguous: top, left, bottom, right,
    the last two outside, in the order in which reading row by row meets them; groups beyond its length are counted
    alone. Cells touch at sides and corners. Raises `ValueError` when a shape or type does not fit.
    """
    if cells.ndim != 2 or cells.dtype != np.uint8 or not cells.size or not cells.flags.c_contiguous:
        raise ValueError(f"cells must be C-contiguous uint8, 2-D, not {cells.dtype} {cells.shape}")
    if out.ndim != 2 or out.shape[1] != 4 or out.dtype != np.int32 or not out.flags.c_contiguous:
        raise ValueError("out must be C-contiguous int32 (groups, 4)")
    return int(_find_groups(cells, out))


@kernel
def _count_cells(steps, picture, width, which, bright, out):
    rows, columns = out.shape
    for row in range(rows):
        for column in range(columns):
            count = 0
            for y in range(CELL):
                first = _at((row * CELL + y) * width + column * CELL)
                for x in range(first, first + _at(CELL)):
                    count += (steps[x] == which) & (picture[x] >= bright)
            out[row, column] = count


@kernel
def _find_groups(cells, out):
    rows, columns = cells.shape
    seen = np.zeros((rows, columns), np.uint8)
    stack = np.empty(rows * columns, np.int64)
    groups = 0
    for start in range(rows * columns):
        if cells[start // columns, start % columns] == 0 or seen[start // columns, start % columns]:
            continue
        seen[start // columns, start % columns] = 1
        stack[0] = start
        height = 1
        top = bottom = start // columns
        left = right = start % columns
        while height:
            height -= 1
            row, column = stack[height] // columns, stack[height] % columns
            top, bottom, left, right = min(top, row), max(bottom, row), min(left, column), max(right, column)
            for y in range(max(0, row - 1), min(rows, row + 2)):
                for x in range(max(0, column - 1), min(columns, column + 2)):
                    if cells[y, x] and not seen[y, x]:
                        seen[y, x] = 1
                        stack[height] = y * columns + x
                        height += 1
        if groups < len(out):
            out[groups, 0], out[groups, 1], out[groups, 2], out[groups, 3] = top, left, bottom + 1, right + 1
        groups += 1
    return groups


@kernel
def _add_edges(picture, height, width, across, down, strength):
    step = _at(width)
    for y in range(1, height - 1):
        first = _at(y * width)
        for x in range(first + _at(1), first + _at(max(1, width - 1))):
            right = _i32(picture[x + _at(1)]) - _i32(picture[x - _at(1)])
            below = _i32(picture[x + step]) - _i32(picture[x - step])
            across[x] += right
            down[x] += below
            strength[x] += abs(right) + abs(below)


@kernel
def _find_changes(pictures, count, middle, height, width, reach, out):
    before, after = middle, count - 1 - middle
    size = _at(height * width)
    change = np.zeros(height * width, np.int32)
    for y in range(height):
        row = _at(y * width)
        for k in range(count):
            if k == middle:
                continue
            share, start = _i32(before if k > middle else -after), _at(k) * size + row
            for x in range(_at(width)):
                change[row + x] += share * _i32(pictures[start + x])
    scale = np.float32(1 / (before * after))
    sums, totals = np.zeros(width, np.int32), np.zeros(width + 1, np.int32)
    for y in range(-reach, height):
        _add_row(change, y + reach, height, 1, sums)
        _add_row(change, y - reach - 1, height, -1, sums)
        if y >= 0:
            for x in range(_at(width)):
                totals[x + _at(1)] = totals[x] + sums[x]
            _write_changes(change, totals, y, min(height, y + reach + 1) - max(0, y - reach), reach, scale, out)


@kernel
def _add_row(change, y, height, sign, sums):
    if 0 <= y < height:
        row = _at(y * sums.size)
        for x in range(_at(sums.size)):
            sums[x] += _i32(sign) * change[row + x]


@kernel
def _write_changes(change, totals, y, rows, reach, scale, out):
    width = totals.size - 1
    row = _at(y * width)
    inner = min(width, reach), max(min(width, reach), width - reach)
    for first, last in ((0, inner[0]), (inner[1], width)):
        for x in range(first, last):
            left, right = max(0, x - reach), min(width, x + reach + 1)
            around = np.float32(totals[right] - totals[left]) / np.float32((right - left) * rows)
            value = (np.float32(change[row + _at(x)]) - around) * scale
            out[row + _at(x)] = np.int8(min(np.float32(127), max(np.float32(-127), value)))
    less = np.float32(1) / np.float32((2 * reach + 1) * rows)
    for x in range(_at(inner[0]), _at(inner[1])):
        around = np.float32(totals[x + _at(reach + 1)] - totals[x - _at(reach)]) * less
        value = (np.float32(change[row + x]) - around) * scale
        out[row + x] = np.int8(min(np.float32(127), max(np.float32(-127), value)))
