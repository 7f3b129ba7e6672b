"""Small pictures of planes, and how much brighter each tile of one is than what it was in the frame before."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import Plane, check_plane, packed, samples
from postpipe_kernels.robust import LEAST_KNOWN, LEAST_SCATTER, inflation, robust, slip

_at = np.uint64
_f32 = np.float32
_u16 = np.uint16
_u32 = np.uint32

MOST_BOX = 64
"""The largest box: 64 samples of 10 bits just fit 16."""

MANY_ROWS = 8
"""Boxes of so many rows are told by every other one."""

DARKEST = 0.02
"""Levels below this share of white count as this much: a logarithm of noise says nothing."""

CLIPPED = 0.97
"""From this share of white on, a channel may have been cut off."""

DIM = 0.10
"""Pixels whose three channels together stay below this are too dark to tell."""

STILLNESS = 1.2
"""A tile counts as moving where the flow makes it this much more alike: flow over noise costs more than it gives."""

Colours = NDArray[np.float32]


def box_means(plane: Plane, box: tuple[int, int], out: NDArray[np.float32]) -> None:
    """Write the mean of each box of samples of `plane` to `out`, float32 `(rows, columns)`, C-contiguous.

    `box`: rows and columns of one, 1 to 64 each. Of boxes of `MANY_ROWS` and more, every other row is read: reading
    is what this costs. Rows and columns of `plane` beyond the last whole box are left out. Raises `ValueError` when
    a shape or type does not fit.
    """
    check_plane(plane, "plane")
    down, across = box
    if not (1 <= down <= MOST_BOX and 1 <= across <= MOST_BOX):
        raise ValueError(f"a box must have 1 to {MOST_BOX} rows and columns, not {box}")
    rows, columns = out.shape
    if out.dtype != np.float32 or not out.flags.c_contiguous or not out.size:
        raise ValueError(f"out must be C-contiguous float32, not {out.dtype} {out.shape}")
    if rows * down > plane.shape[0] or columns * across > plane.shape[1]:
        raise ValueError(f"{rows}×{columns} boxes of {down}×{across} do not fit into {plane.shape}")
    step = 2 if down >= MANY_ROWS else 1
    _box_means(*samples(packed(plane)), down, across, step, rows, columns, out.reshape(-1))


@kernel
def _box_means(plane, pitch, down, across, step, rows, columns, out):
    width = columns * across
    sums = np.empty(width, np.uint16)
    scale = _f32(1.0 / (-(-down // step) * across))
    for row in range(rows):
        start = _at(row * down * pitch)
        for x in range(_at(width)):
            sums[x] = plane[start + x]
        for y in range(step, down, step):
            start = _at((row * down + y) * pitch)
            for x in range(_at(width)):
                sums[x] = _u16(sums[x] + _u16(plane[start + x]))
        for column in range(columns):
            total = _u32(0)
            for x in range(_at(column * across), _at((column + 1) * across)):
                total = _u32(total + _u32(sums[x]))
            out[row * columns + column] = scale * _f32(total)


def log_colours(
    luma: NDArray[np.float32], blue: NDArray[np.float32], red: NDArray[np.float32], to_rgb: NDArray[np.float32],
    out: Colours, weight: NDArray[np.float32],
) -> None:  # fmt: skip
    """Write the natural logarithms of R', G', B' and grey (1 is white) of a small picture, and what each pixel counts.

    `luma`, `blue`, `red`: Y', Cb, Cr in code values, float32 `(rows, columns)`. `to_rgb`: float32 `(3, 4)`, R', G'
    and B' from (Y', Cb, Cr, 1). `out`: float32 `(4, rows, columns)`, levels of at least `DARKEST`; grey is the mean
    of the three. `weight`: float32 `(rows, columns)`, the square of grey, as noise matters less where it is bright;
    0 where a channel is clipped or all are dark. All C-contiguous. Raises `ValueError` when a shape or type does not
    fit.
    """
    _check(luma, blue, red, weight, shape=luma.shape)
    _check(out, shape=(4, *luma.shape))
    _check(to_rgb, shape=(3, 4))
    flat = (array.reshape(-1) for array in (luma, blue, red))
    _log_colours(*flat, to_rgb, out.reshape(4, -1), weight.reshape(-1))


@kernel
def _log_colours(luma, blue, red, to_rgb, out, weight):
    darkest, clipped, dim = _f32(DARKEST), _f32(CLIPPED), _f32(DIM)
    for i in range(_at(luma.size)):
        y, b, r = luma[i], blue[i], red[i]
        first = to_rgb[0, 0] * y + to_rgb[0, 1] * b + to_rgb[0, 2] * r + to_rgb[0, 3]
        second = to_rgb[1, 0] * y + to_rgb[1, 1] * b + to_rgb[1, 2] * r + to_rgb[1, 3]
        third = to_rgb[2, 0] * y + to_rgb[2, 1] * b + to_rgb[2, 2] * r + to_rgb[2, 3]
        grey = (first + second + third) * _f32(1.0 / 3.0)
        most = max(first, second, third)
        out[0, i] = max(first, darkest)
        out[1, i] = max(second, darkest)
        out[2, i] = max(third, darkest)
        out[3, i] = max(grey, darkest)
        weight[i] = grey * grey if most < clipped and grey * _f32(3.0) > dim else _f32(0.0)
    for c in range(4):
        _log(out[c])


@kernel
def _log(values):
    # The exponent, and a polynomial for the mantissa from 1/√2 to √2: the logarithm of libm is one call per value,
    # this is SIMD. Cephes' single-precision coefficients (Moshier, "Methods and Programs for Mathematical
    # Functions", 1989); exact to 1e-7.
    bits = values.view(np.int32)
    for i in range(_at(values.size)):
        word = bits[i]
        exponent = np.int32((word - np.int32(0x3F3504F3)) >> np.int32(23))
        bits[i] = np.int32(word - (exponent << np.int32(23)))
        x = values[i] - _f32(1.0)
        z = x * x
        tail = _f32(7.0376836292e-2) * x - _f32(1.1514610310e-1)
        tail = tail * x + _f32(1.1676998740e-1)
        tail = tail * x - _f32(1.2420140846e-1)
        tail = tail * x + _f32(1.4249322787e-1)
        tail = tail * x - _f32(1.6668057665e-1)
        tail = tail * x + _f32(2.0000714765e-1)
        tail = tail * x - _f32(2.4999993993e-1)
        tail = tail * x + _f32(3.3333331174e-1)
        values[i] = x + (x * z * tail - _f32(0.5) * z) + _f32(exponent) * _f32(0.69314718)


def tile_steps(
    now: Colours, weight: NDArray[np.float32], before: Colours, weight_before: NDArray[np.float32],
    flow: NDArray[np.float32], steps: NDArray[np.float32], spread: NDArray[np.float32], level: NDArray[np.float32],
) -> None:  # fmt: skip
    """Write by how much each tile became brighter since the frame before, its motion taken out.

    `now`, `weight`, `before`, `weight_before`: as from `log_colours`, `(4, rows, columns)` and `(rows, columns)`.
    `flow`: float32 `(rows, columns, 2)`, for each pixel the way (x, y) to its place in the frame before, in pixels;
    used for a tile only where it makes the two frames clearly more alike than staying does.

    Filled, float32: `steps` `(tiles down, across, 3)`, the change of the logarithms of R', G' and B', a mean with
    Geman and McClure's weights around the change of grey, less what a displacement of usually `SLIP` pixels that the
    flow missed explains of it (least squares along the gradient, as in Negahdaripour, "Revised definition of optical
    flow", PAMI 20, 1998). `spread` `(tiles down, across)`: the standard error of the change of grey, larger where
    neighbouring pixels are off alike, infinite where fewer than 8 pixels can be compared. `level` like `steps`: the
    mean logarithm now, pixels counting by `weight`. Raises `ValueError` when a shape or type does not fit.
    """
    rows, columns = weight.shape
    _check(now, before, shape=(4, rows, columns))
    _check(weight, weight_before, shape=(rows, columns))
    _check(flow, shape=(rows, columns, 2))
    down, across = spread.shape
    _check(steps, level, shape=(down, across, 3))
    _check(spread, shape=(down, across))
    _tile_steps(now, weight, before, weight_before, flow, steps, spread, level)


def _check(*arrays: NDArray[Any], shape: tuple[int, ...]) -> None:
    for array in arrays:
        if array.shape != shape or array.dtype != np.float32 or not array.flags.c_contiguous:
            raise ValueError(f"expected C-contiguous float32 {shape}, not {array.dtype} {array.shape}")


@kernel
def _tile_steps(now, weight, before, weight_before, flow, steps, spread, level):
    # Grey first, staying and moving; R', G' and B' only along the better of the two.
    _, rows, columns = now.shape
    down, across = spread.shape
    room = (rows // down + 1) * (columns // across + 1)
    still = np.empty(room, np.float32)
    moved = np.empty(room, np.float32)
    counts = np.empty(room, np.float32)
    moved_counts = np.empty(room, np.float32)
    shares = np.empty(room, np.float32)
    moved_shares = np.empty(room, np.float32)
    for i in range(down):
        for j in range(across):
            top, bottom = i * rows // down, (i + 1) * rows // down
            left, right = j * columns // across, (j + 1) * columns // across
            _stay(now, weight, before, weight_before, top, bottom, left, right, still, counts)
            pixels = (bottom - top) * (right - left)
            scatter, error, known = robust(still, counts, pixels, shares)
            if known < LEAST_KNOWN:
                scatter, error = _f32(np.inf), _f32(np.inf)
            moved_scatter, moved_error, moved_known = scatter, error, np.int32(0)
            if scatter > _f32(LEAST_SCATTER * STILLNESS):  # else nothing can be clearly more alike
                _follow(now, weight, before, weight_before, flow, top, bottom, left, right, moved, moved_counts)
                moved_scatter, moved_error, moved_known = robust(moved, moved_counts, pixels, moved_shares)
            if moved_known >= LEAST_KNOWN and moved_scatter * _f32(STILLNESS) < scatter:
                _step_along(now, before, flow, top, bottom, left, right, moved_shares, steps[i, j])
                shift, slip_error = slip(now, top, bottom, left, right, moved, moved_shares, moved_scatter)
                error = moved_error * inflation(moved, moved_shares, bottom - top, right - left)
            else:
                _step(now, before, top, bottom, left, right, shares, steps[i, j])
                shift, slip_error = _f32(0.0), _f32(0.0)
                if known >= LEAST_KNOWN:
                    shift, slip_error = slip(now, top, bottom, left, right, still, shares, scatter)
                    error *= inflation(still, shares, bottom - top, right - left)
            spread[i, j] = np.sqrt(error * error + slip_error * slip_error)
            for c in range(3):
                steps[i, j, c] -= shift
            _levels(now, weight, top, bottom, left, right, level[i, j])


@kernel
def _stay(now, weight, before, weight_before, top, bottom, left, right, changes, counts):
    n = _at(0)
    for y in range(_at(top), _at(bottom)):
        for x in range(_at(left), _at(right)):
            changes[n] = now[3, y, x] - before[3, y, x]
            counts[n] = min(weight[y, x], weight_before[y, x])
            n += _at(1)


@kernel
def _follow(now, weight, before, weight_before, flow, top, bottom, left, right, changes, counts):
    _, rows, columns = now.shape
    last_x, last_y = _f32(columns - 1), _f32(rows - 1)
    n = 0
    for y in range(top, bottom):
        for x in range(left, right):
            across = _f32(x) + flow[y, x, 0]
            down = _f32(y) + flow[y, x, 1]
            changes[n] = _f32(0.0)
            counts[n] = _f32(0.0)
            if across >= 0 and down >= 0 and across <= last_x and down <= last_y:
                counts[n] = min(weight[y, x], weight_before[_at(down + _f32(0.5)), _at(across + _f32(0.5))])
                changes[n] = now[3, y, x] - _between(before, 3, across, down)
            n += 1


@kernel
def _between(picture, c, across, down):
    """Return a channel of a picture between its pixels, bilinear."""
    _, rows, columns = picture.shape
    u = _at(max(min(int(across), columns - 2), 0))
    v = _at(max(min(int(down), rows - 2), 0))
    right = min(u + _at(1), _at(columns - 1))
    below = min(v + _at(1), _at(rows - 1))
    a = across - _f32(u)
    b = down - _f32(v)
    upper = picture[c, v, u] + a * (picture[c, v, right] - picture[c, v, u])
    lower = picture[c, below, u] + a * (picture[c, below, right] - picture[c, below, u])
    return upper + b * (lower - upper)


@kernel
def _step(now, before, top, bottom, left, right, shares, out):
    known = _f32(1e-12)
    red, green, blue = _f32(0.0), _f32(0.0), _f32(0.0)
    n = _at(0)
    for y in range(_at(top), _at(bottom)):
        for x in range(_at(left), _at(right)):
            share = shares[n]
            known += share
            red += share * (now[0, y, x] - before[0, y, x])
            green += share * (now[1, y, x] - before[1, y, x])
            blue += share * (now[2, y, x] - before[2, y, x])
            n += _at(1)
    out[0], out[1], out[2] = red / known, green / known, blue / known


@kernel
def _step_along(now, before, flow, top, bottom, left, right, shares, out):
    known = _f32(1e-12)
    red, green, blue = _f32(0.0), _f32(0.0), _f32(0.0)
    n = 0
    for y in range(top, bottom):
        for x in range(left, right):
            share = shares[n]
            if share > _f32(0.0):
                across = _f32(x) + flow[y, x, 0]
                down = _f32(y) + flow[y, x, 1]
                known += share
                red += share * (now[0, y, x] - _between(before, 0, across, down))
                green += share * (now[1, y, x] - _between(before, 1, across, down))
                blue += share * (now[2, y, x] - _between(before, 2, across, down))
            n += 1
    out[0], out[1], out[2] = red / known, green / known, blue / known


@kernel
def _levels(now, weight, top, bottom, left, right, out):
    known = _f32(1e-12)
    red, green, blue = _f32(0.0), _f32(0.0), _f32(0.0)
    for y in range(_at(top), _at(bottom)):
        for x in range(_at(left), _at(right)):
            known += weight[y, x]
            red += weight[y, x] * now[0, y, x]
            green += weight[y, x] * now[1, y, x]
            blue += weight[y, x] * now[2, y, x]
    out[0], out[1], out[2] = red / known, green / known, blue / known
