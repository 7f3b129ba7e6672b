"""Swings of luminance and of saturated red, cell by cell: what flashes that may harm viewers are made of."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import Plane, check_bits
from postpipe_kernels.colour import code_scale, rgb_to_ycbcr

_at = np.uint64
_f32 = np.float32
_i16 = np.int16

UNIT = 32000
"""Levels are int16 with 1.0 as this many: twice as many cells at once as with float32, and half the memory."""

LUMINANCE_SWING = round(0.1 * UNIT)
DARK_LUMINANCE = round(0.8 * UNIT)
"""A flash changes relative luminance by at least 0.1 of white, and its darker image is below 0.8 of it."""

RED_SWING = round(20 / 320 * UNIT)
RED_SHARE = 0.8
"""A red flash changes (R - G - B) × 320, not below 0, by at least 20, where R / (R + G + B) is at least 0.8 before or
after. Both: WCAG 2.1, "general flash and red flash thresholds"; the former also ITU-R BT.1702 at 200 cd/m²."""

LINEAR = (0.00021726843, 0.049702419, 0.41324093, 0.92690993, -0.57899562, 0.1891426)
"""Coefficients, from the constant on, of a polynomial within 0.0003 of the sRGB transfer function (IEC 61966-2-1),
from non-linear to linear, 0 to 1: SIMD has no powers, and tables cost more."""


class Swings(NamedTuple):
    """What is remembered of each cell, int16 and bool of shape `(2, cells)`: of luminance, then of red.

    `low` and `high`: the extremes since the last swing (where it was up, only `high` counts, else `low`), in `UNIT`s.
    `sense`: 1 after a swing up, -1 after one down, 0 before any. `pure`, of red alone: whether `low`, then `high`,
    was saturated, 1 or 0. `events`, bool: whether the cell swung in this frame.
    """

    low: NDArray[np.int16]
    high: NDArray[np.int16]
    sense: NDArray[np.int16]
    pure: NDArray[np.int16]
    events: NDArray[np.bool_]

    @classmethod
    def of(cls, cells: int) -> Swings:
        """Return the state before the first frame."""
        low, high, sense, pure = np.zeros((4, 2, cells), np.int16)
        low[:], high[:] = np.iinfo(np.int16).max, -1
        return cls(low, high, sense, pure, np.zeros((2, cells), np.bool_))


def rgb_rows(matrix: str, range_: str, bits: int) -> NDArray[np.float32]:
    """Return `(3, 4)`: factors for (Y, Cb, Cr) code values and a constant that give R', G', B' (0 to 1).

    Raises `ValueError` for an unknown matrix or range.
    """
    scale, zero = code_scale(range_, bits)
    factors = np.linalg.inv(rgb_to_ycbcr(matrix)) / scale
    return np.column_stack([factors, -factors @ zero]).astype(np.float32)


def find_swings(
    luma: Plane, blue: Plane, red: Plane, bits: int, rows: NDArray[np.float32], weights: NDArray[np.float32],
    swings: Swings,
) -> None:  # fmt: skip
    """Follow luminance and red of every cell by one frame; `swings.events` says which cells swung.

    `luma`, `blue`, `red`: small pictures of one shape, C-contiguous, with `bits` per sample. `rows`: from
    `rgb_rows`; `weights`: of linear R, G, B in luminance. A swing is a change by `LUMINANCE_SWING` (`RED_SWING`)
    or more since the extreme after the last swing, against its sense, under the conditions for flashes above.
    Raises `ValueError` when a shape, type or `bits` does not fit.
    """
    for name, plane in (("luma", luma), ("blue", blue), ("red", red)):
        check_bits(plane, bits)
        if plane.shape != luma.shape or plane.dtype != luma.dtype or not plane.flags.c_contiguous:
            raise ValueError(f"{name} must be C-contiguous {luma.dtype} {luma.shape}, not {plane.dtype} {plane.shape}")
    if swings.events.shape != (2, luma.size):
        raise ValueError(f"swings are of {swings.events.shape[1]} cells, not {luma.size}")
    _find_swings(luma.reshape(-1), blue.reshape(-1), red.reshape(-1), rows, weights, *swings)


def tally_swings(cells: NDArray[np.int64], by: int, counts: NDArray[np.uint8], areas: NDArray[np.int64]) -> None:
    """Add `by` to the `counts` of some cells, and keep `areas[n]`, how many cells have the count `n`.

    `cells`: indices without repetition; `counts`: uint8 `(all cells,)`; `areas`: int64 `(256,)`. Counts stay from 0
    to 255. Raises `IndexError` for a cell that there is not, `ValueError` for `areas` of another length.
    """
    if areas.shape != (256,):
        raise ValueError(f"areas must have 256 entries, not {areas.shape}")
    if not _tally(cells, by, counts, areas):
        raise IndexError(f"cells are 0 to {counts.size - 1}")


@kernel
def _tally(cells, by, counts, areas):
    for i in range(cells.size):
        if cells[i] < 0 or cells[i] >= counts.size:
            return False
    for i in range(cells.size):
        before = counts[cells[i]]
        after = np.uint8(min(max(np.int64(before) + by, 0), 255))
        counts[cells[i]] = after
        areas[before] -= 1
        areas[after] += 1
    return True


@kernel
def _linear(value):
    x = min(max(value, _f32(0.0)), _f32(1.0))
    y = _f32(LINEAR[5])
    y = y * x + _f32(LINEAR[4])
    y = y * x + _f32(LINEAR[3])
    y = y * x + _f32(LINEAR[2])
    y = y * x + _f32(LINEAR[1])
    return y * x + _f32(LINEAR[0])


@kernel
def _find_swings(luma, blue, red, rows, weights, low, high, sense, pure, events):
    # A few thousand cells at a time, so that what goes from one loop to the next stays in the cache.
    step = 4096
    light = np.empty(step, np.int16)
    redness = np.empty(step, np.int16)
    saturated = np.empty(step, np.int16)
    for start in range(0, luma.size, step):
        end = min(start + step, luma.size)
        _see(luma[start:end], blue[start:end], red[start:end], rows, weights, light, redness, saturated)
        _swing(light, low[0, start:end], high[0, start:end], sense[0, start:end], events[0, start:end])
        _swing_red(
            redness, saturated, low[1, start:end], high[1, start:end], sense[1, start:end],
            pure[0, start:end], pure[1, start:end], events[1, start:end],
        )  # fmt: skip


@kernel
def _see(luma, blue, red, rows, weights, light, redness, saturated):
    unit = _f32(UNIT)
    for i in range(_at(luma.size)):
        y = _f32(luma[i])
        u = _f32(blue[i])
        v = _f32(red[i])
        r = _linear(rows[0, 0] * y + rows[0, 1] * u + rows[0, 2] * v + rows[0, 3])
        g = _linear(rows[1, 0] * y + rows[1, 1] * u + rows[1, 2] * v + rows[1, 3])
        b = _linear(rows[2, 0] * y + rows[2, 1] * u + rows[2, 2] * v + rows[2, 3])
        light[i] = np.int32((weights[0] * r + weights[1] * g + weights[2] * b) * unit + _f32(0.5))
        redness[i] = np.int32(max(r - g - b, _f32(0.0)) * unit + _f32(0.5))
        saturated[i] = r >= _f32(RED_SHARE) * (r + g + b)


@kernel
def _swing(light, low, high, sense, events):
    # `&` and `|`, not `and` and `or`: what leaves no branches becomes SIMD
    for i in range(_at(low.size)):
        level = light[i]
        lowest = min(low[i], level)
        highest = max(high[i], level)
        way = sense[i]
        up = (way <= _i16(0)) & (_i16(level - lowest) >= _i16(LUMINANCE_SWING)) & (lowest < _i16(DARK_LUMINANCE))
        down = (way >= _i16(0)) & (_i16(highest - level) >= _i16(LUMINANCE_SWING)) & (level < _i16(DARK_LUMINANCE))
        low[i] = level if down | (way > _i16(0)) else lowest
        high[i] = level if up | (way < _i16(0)) else highest
        sense[i] = _i16(1) if up else (_i16(-1) if down else way)
        events[i] = up | down


@kernel
def _swing_red(redness, saturated, low, high, sense, low_pure, high_pure, events):
    for i in range(_at(low.size)):
        level = redness[i]
        here = saturated[i]
        from_low = here if level <= low[i] else low_pure[i]
        from_high = here if level >= high[i] else high_pure[i]
        lowest = min(low[i], level)
        highest = max(high[i], level)
        way = sense[i]
        up = (way <= _i16(0)) & (_i16(level - lowest) >= _i16(RED_SWING)) & (_i16(here | from_low) > _i16(0))
        down = (way >= _i16(0)) & (_i16(highest - level) >= _i16(RED_SWING)) & (_i16(here | from_high) > _i16(0))
        anew_low = down | (way > _i16(0))
        anew_high = up | (way < _i16(0))
        low[i] = level if anew_low else lowest
        low_pure[i] = here if anew_low else from_low
        high[i] = level if anew_high else highest
        high_pure[i] = here if anew_high else from_high
        sense[i] = _i16(1) if up else (_i16(-1) if down else way)
        events[i] = up | down
