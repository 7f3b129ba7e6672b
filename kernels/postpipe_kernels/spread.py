"""A mark spread over the whole picture: a little of it in every cell, to be added up again.

Cells are 8×8 samples of a small picture of luma. In each, `COEFFICIENTS` of its cosine transform are moved towards
the side that a table of signs asks for, by no more than is hidden by how much goes on in the cell. Whoever has the
table weighs each coefficient by its side and adds up: what the picture itself has there cancels out, the mark does not.
After I. J. Cox et al., Secure spread spectrum watermarking, IEEE Trans. Image Processing 6 (1997), with the picture's
own part taken into account where it is known, as H. S. Malvar and D. A. F. Florêncio, Improved spread spectrum, IEEE
Trans. Signal Processing 51 (2003).
"""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import Plane, check_plane, check_writable, packed, packed_target, samples

SIDE = 8
"""Samples along the side of a cell."""

COEFFICIENTS = ((1, 2), (2, 1), (2, 2))
"""Down and across, of the cosine transform: waves of 8 samples and longer, which encoders keep."""

STRENGTH, BY_ACTIVITY, MOST = 3.0, 1.2, 11.0
"""8-bit code values that a coefficient is moved by: at least, more for each of activity, and at most."""

LEAST_ACTIVITY = 0.02
"""Mean difference of neighbours in 8-bit code values: a cell with less is flat, and is left alone."""

_HALF = 0.5  # code values: what keeps the votes of quiet cells from being those of noise


def cosines() -> NDArray[np.float64]:
    """Return the waves of `COEFFICIENTS`, orthonormal, shape `(3, 8, 8)`."""
    place = np.arange(SIDE)
    waves = np.sqrt(2 / SIDE) * np.cos((2 * place + 1) * np.arange(SIDE)[:, None] * np.pi / (2 * SIDE))
    waves[0] /= np.sqrt(2)
    return np.array([np.outer(waves[down], waves[across]) for down, across in COEFFICIENTS])


_WAVES = cosines().reshape(len(COEFFICIENTS), SIDE * SIDE)


def draw_mark(small: Plane, sides: NDArray[np.int8], scale: float, out: NDArray[np.float32]) -> None:
    """Write to `out` what is to be added to `small` to mark it, in its code values; 0 outside the cells.

    `small`: 2-D, uint8 or uint16, `scale`: its code values per 8-bit one. `sides`: int8 `(rows, columns, 3)`, −1 or 1,
    for each whole cell. `out`: float32 of the shape of `small`, C-contiguous. Raises `ValueError` when a shape or type
    does not fit.
    """
    _check(small, sides)
    if out.shape != small.shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(f"out must be C-contiguous float32 {small.shape}, not {out.dtype} {out.shape}")
    out[...] = 0
    _draw(*samples(packed(small)), *small.shape, np.ascontiguousarray(sides), float(scale), _WAVES, out.reshape(-1))


def weigh_mark(small: Plane, sides: NDArray[np.int8], scale: float, out: NDArray[np.float32]) -> None:
    """Write to `out` how much each coefficient says for its side: −1 against it, 1 for it.

    `out`: float32 of the shape of `sides`, C-contiguous; the others as `draw_mark` takes them. Raises `ValueError` when
    a shape or type does not fit.
    """
    _check(small, sides)
    if out.shape != sides.shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(f"out must be C-contiguous float32 {sides.shape}, not {out.dtype} {out.shape}")
    _weigh(*samples(packed(small)), *small.shape, np.ascontiguousarray(sides), float(scale), _WAVES, out)


def lay_mark(
    plane: Plane,
    pattern: NDArray[np.float32],
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    top: int,
    out: Plane,
) -> None:
    """Write `plane` with `pattern` added to `out`, rounded half up and clipped to 0 … `top`.

    `pattern`: float32, C-contiguous; `rows` and `columns` (int32): which of its samples lies over each row and column
    of `plane`. `out` is of the shape and type of `plane`, or is it. Raises `ValueError` when a shape or type does not
    fit.
    """
    check_plane(plane, "plane")
    check_plane(out, "out", like=plane)
    check_writable(out, "out")
    if out.dtype != plane.dtype or rows.shape != plane.shape[:1] or columns.shape != plane.shape[1:]:
        raise ValueError("out, rows and columns must fit the plane")
    if pattern.ndim != 2 or pattern.dtype != np.float32 or not pattern.flags.c_contiguous or not pattern.size:
        raise ValueError("pattern must be C-contiguous float32, 2-D")
    if not (rows.min() >= 0 and rows.max() < pattern.shape[0] and columns.min() >= 0):
        raise ValueError("rows must lie in the pattern")
    if columns.max() >= pattern.shape[1]:
        raise ValueError("columns must lie in the pattern")
    target = packed_target(out)
    _lay(*samples(packed(plane)), pattern, rows, columns, np.float32(top), *samples(target, writable=True))
    if target is not out:
        out[...] = target


def _check(small: NDArray[Any], sides: NDArray[Any]) -> None:
    check_plane(small, "small")
    cells = small.shape[0] // SIDE, small.shape[1] // SIDE, len(COEFFICIENTS)
    if sides.shape != cells or sides.dtype != np.int8:
        raise ValueError(f"sides must be int8 {cells}, not {sides.dtype} {sides.shape}")


@kernel
def _strength(cell, scale):
    total = 0.0
    for y in range(8):
        for x in range(7):
            total += abs(cell[8 * y + x + 1] - cell[8 * y + x])
            total += abs(cell[8 * (x + 1) + y] - cell[8 * x + y])
    activity = total / (112.0 * scale)
    if activity < LEAST_ACTIVITY:
        return 0.0
    return scale * min(STRENGTH + BY_ACTIVITY * activity, MOST)


@kernel
def _fill(small, pitch, row, column, cell):
    for y in range(8):
        first = (8 * row + y) * pitch + 8 * column
        for x in range(8):
            cell[8 * y + x] = float(small[first + x])


@kernel
def _draw(small, pitch, height, width, sides, scale, waves, out):
    cell = np.empty(64)
    drawn = np.empty(64)
    for row in range(sides.shape[0]):
        for column in range(sides.shape[1]):
            _fill(small, pitch, row, column, cell)
            strength = _strength(cell, scale)
            if strength == 0.0:
                continue
            drawn[:] = 0.0
            for k in range(sides.shape[2]):
                coefficient = 0.0
                for i in range(64):
                    coefficient += waves[k, i] * cell[i]
                side = float(sides[row, column, k])
                move = side * min(max(strength - side * coefficient, 0.0), strength)
                for i in range(64):
                    drawn[i] += move * waves[k, i]
            for y in range(8):
                first = (8 * row + y) * width + 8 * column
                for x in range(8):
                    out[first + x] = drawn[8 * y + x]


@kernel
def _weigh(small, pitch, height, width, sides, scale, waves, out):
    cell = np.empty(64)
    for row in range(sides.shape[0]):
        for column in range(sides.shape[1]):
            _fill(small, pitch, row, column, cell)
            strength = _strength(cell, scale) + _HALF * scale
            for k in range(sides.shape[2]):
                coefficient = 0.0
                for i in range(64):
                    coefficient += waves[k, i] * cell[i]
                vote = float(sides[row, column, k]) * coefficient / strength
                out[row, column, k] = min(max(vote, -1.0), 1.0)


@kernel
def _lay(plane, pitch, pattern, rows, columns, top, out, out_pitch):
    line = np.empty(columns.size, np.float32)
    half, least = np.float32(0.5), np.float32(0.0)
    last = -1
    for y in range(rows.size):
        if rows[y] != last:
            last = rows[y]
            for x in range(columns.size):
                line[x] = pattern[last, columns[x]]
        first, target = np.uint64(y * pitch), np.uint64(y * out_pitch)
        for x in range(np.uint64(columns.size)):
            value = np.float32(plane[first + x]) + line[x] + half
            out[target + x] = np.int32(min(max(value, least), top))
