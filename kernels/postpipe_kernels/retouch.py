"""Corrections that change from frame to frame: a curve of luma, chroma by luma, and a coarse grid of gains."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import packed, packed_target, samples
from postpipe_kernels.colour import Planes, check_frame, convert_luma
from postpipe_kernels.tone import apply_curve

ALIKE = 1e-6
"""Chroma curves that differ by less over all levels of luma are one."""

_at = np.uint64
_f32 = np.float32
_u32 = np.uint32


def retouch(
    planes: Planes,
    bits: int,
    out: Planes,
    *,
    curve: NDArray[np.float64],
    chroma: NDArray[np.float64],
    black: float,
    mixture: tuple[float, float] = (0.0, 0.0),
    grid: NDArray[np.float32] | None = None,
) -> None:
    """Write luma through `curve`, and chroma by what the luma around it asks for, times `grid`, to `out`.

    `planes`: 4:4:4, 4:2:2 or 4:2:0, uint8 (8 bits) or uint16 (9, 10 bits); `out`: likewise, any strides, may be
    `planes`. `curve`: `(2**bits,)`, new luma in code values for each code value. `chroma`: `(4, 2**bits)`, for each
    code value of luma the factor of Cb, the summand of Cb, the factor and the summand of Cr, in code values from
    neutral. The luma of a chroma sample is the mean of the pixels that it belongs to, rounded half up.
    `mixture`: what a code value of Cb and one of Cr from neutral add to luma, chroma between its samples being
    interpolated as by `colour.convert_ycbcr`. The way Cb and Cr follow from that is part of `chroma`, but for
    what Cr does to Cb and Cb to Cr, which is left out: it is less than half a code value where luma moves by one.
    `grid`: `(down, across)`, factors at the centres of as many equal tiles, bilinear in between, the outermost
    ones to the edges; they scale luma less `black` and chroma from neutral. Grid factors hold for a row of chroma.
    Results are rounded half up and clipped. Raises `ValueError` when a shape or type does not fit.
    """
    check_frame(planes, bits, out, bits)
    levels = 1 << bits
    if curve.shape != (levels,) or chroma.shape != (4, levels):
        raise ValueError(f"curve {curve.shape} and chroma {chroma.shape} must be ({levels},) and (4, {levels})")
    if grid is not None and (grid.ndim != 2 or grid.size == 0):
        raise ValueError(f"grid must be 2-D, not {grid.shape}")
    sources = [packed(plane) for plane in planes]
    targets = [packed_target(plane) for plane in out]
    if any(np.shares_memory(a, b) for a, b in zip(sources, targets, strict=True)):
        sources[0] = sources[0].copy()  # chroma still needs luma as it was
    entries = 256 if planes[0].dtype == np.uint8 else 65536  # no look-up can leave the tables
    rows, columns = planes[0].shape
    if any(mixture):
        row, constant = np.array([1.0, *mixture]), -sum(mixture) * (levels // 2)
        whole = (sources[0], sources[1], sources[2])
        convert_luma(whole, row, constant, targets[0], bits, levels=_table(curve[None], entries)[:, 0].copy())
    elif grid is None:
        apply_curve(sources[0], np.clip(np.floor(curve + 0.5), 0, levels - 1).astype(out[0].dtype), targets[0])
    if grid is not None:
        wide = _along_rows(grid, columns)
        luma = samples(targets[0] if any(mixture) else sources[0])
        now = np.arange(levels, dtype=np.float64) if any(mixture) else curve
        target = samples(targets[0], writable=True)
        table = _table(now[None] - black, entries)[:, 0].copy()
        _scaled_luma(*luma, rows, columns, table, _f32(black), wide, *target, _f32(levels - 1))
    neutral = levels // 2
    if grid is None and np.ptp(chroma, axis=1).max() < ALIKE:  # whatever luma is: no need to look
        codes = np.arange(levels) - float(neutral)
        for n, (factor, summand) in enumerate(chroma[:, 0].reshape(2, 2), start=1):
            new = np.clip(np.floor(factor * codes + summand + neutral + 0.5), 0, levels - 1)
            apply_curve(sources[n], new.astype(out[n].dtype), targets[n])
    else:
        wide = np.empty((0, 0), _f32) if grid is None else _along_rows(grid, planes[1].shape[1])
        source, shapes = samples(sources[0]), (rows, columns, *planes[1].shape)
        blues, reds = samples(sources[1]), samples(sources[2])
        new_planes = (*samples(targets[1], writable=True), *samples(targets[2], writable=True))
        tops = _f32(neutral), _f32(levels - 1)
        _chroma_by_luma(*source, *shapes, *blues, *reds, _table(chroma, entries), wide, *new_planes, *tops)
    for plane, target_plane in zip(out, targets, strict=True):
        if target_plane is not plane:
            plane[...] = target_plane


def _table(rows: NDArray[np.float64], entries: int) -> NDArray[Any]:
    """Return the rows as columns of float32, the last repeated to the end."""
    table = np.empty((entries, len(rows)), _f32)
    table[: rows.shape[1]] = rows.T
    table[rows.shape[1] :] = rows[:, -1]
    return table


def _along_rows(grid: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return the rows of a grid at `width` places: straight lines between the centres of tiles."""
    across = grid.shape[1]
    places = (np.arange(width) + 0.5) * across / width - 0.5
    wide = np.stack([np.interp(places, np.arange(across), row) for row in grid])
    return np.ascontiguousarray(wide, _f32)


@kernel
def _gains_of_row(wide, y, rows, out):
    down = wide.shape[0]
    place = min(max((y + 0.5) * down / rows - 0.5, 0.0), down - 1.0)
    upper = int(place)
    lower = min(upper + 1, down - 1)
    share = _f32(place - upper)
    for x in range(_at(out.size)):
        out[x] = wide[upper, x] + share * (wide[lower, x] - wide[upper, x])


@kernel
def _scaled_luma(luma, pitch, rows, columns, table, black, gains, out, out_pitch, top):
    factors = np.empty(columns, np.float32)
    levels = np.empty(columns, np.float32)
    half = _f32(black + _f32(0.5))
    for y in range(rows):
        if y % 2 == 0:
            _gains_of_row(gains, y, rows, factors)
        a = _at(y * pitch)
        b = _at(y * out_pitch)
        for x in range(_at(columns)):  # looking up is scalar: on its own, the rest stays SIMD
            levels[x] = table[luma[a + x]]
        for x in range(_at(columns)):
            out[b + x] = np.int32(min(max(levels[x] * factors[x] + half, _f32(0.0)), top))


@kernel
def _chroma_by_luma(
    luma, pitch, rows, columns, chroma_rows, chroma_columns, blue, blue_pitch, red, red_pitch, table, gains,
    new_blue, new_blue_pitch, new_red, new_red_pitch, neutral, top,
):  # fmt: skip
    factors = np.ones(chroma_columns, np.float32)
    around = np.empty(chroma_columns, np.uint32)
    half = _f32(neutral + _f32(0.5))
    for y in range(chroma_rows):
        if gains.size > 0:
            _gains_of_row(gains, y, chroma_rows, factors)
        first = 2 * y if chroma_rows < rows else y
        second = min(first + 1, rows - 1) if chroma_rows < rows else first
        a = _at(first * pitch)
        b = _at(second * pitch)
        if chroma_columns < columns:
            pairs = columns // 2
            for x in range(_at(pairs)):
                left = _at(2) * x
                right = left + _at(1)
                above = _u32(_u32(luma[a + left]) + _u32(luma[a + right]))
                below = _u32(_u32(luma[b + left]) + _u32(luma[b + right]))
                around[x] = _u32(_u32(above + below) + _u32(2)) >> _u32(2)
            for x in range(_at(pairs), _at(chroma_columns)):
                end = _at(columns - 1)
                around[x] = _u32(_u32(luma[a + end]) + _u32(luma[b + end]) + _u32(1)) >> _u32(1)
        else:
            for x in range(_at(columns)):
                around[x] = _u32(_u32(luma[a + x]) + _u32(luma[b + x]) + _u32(1)) >> _u32(1)
        c = _at(y * blue_pitch)
        d = _at(y * red_pitch)
        e = _at(y * new_blue_pitch)
        f = _at(y * new_red_pitch)
        for x in range(_at(chroma_columns)):
            level = around[x]
            u = table[level, 0] * (_f32(blue[c + x]) - neutral) + table[level, 1]
            v = table[level, 2] * (_f32(red[d + x]) - neutral) + table[level, 3]
            new_blue[e + x] = np.int32(min(max(u * factors[x] + half, _f32(0.0)), top))
            new_red[f + x] = np.int32(min(max(v * factors[x] + half, _f32(0.0)), top))
