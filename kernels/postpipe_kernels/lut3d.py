"""A colour look on planes: matrix, range and the whole way through R'G'B' in one look-up per sample.

What a triple (Y, Cb, Cr) of code values becomes is worked out, exactly, when it is first seen, and remembered.
Pictures hold few distinct triples (a frame of 1080p, 8 bits: 40,000 to 220,000), and the next frame holds nearly
the same ones, so that hardly a pixel goes to R'G'B'.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import empty_plane, packed, packed_target, samples
from postpipe_kernels.colour import Planes, check_affine, check_frame
from postpipe_kernels.transform import Transform, steps_within, way_of, work_out

_at = np.uint64
_i64 = np.int64
_u32 = np.uint32

Reals = NDArray[np.float64]

FINE = 1024
"""Levels of luma that 10 bits have, and that a curve is taken to."""

PLACES = 24576
"""Pairs (Cb, Cr) with `FINE` levels each that there is room for: 100 MB. When it is used up, all is forgotten."""

RUN = 8
"""Samples that are looked up in one go, before it is checked whether all of them were known."""

NEAR = 8
"""Neighbouring levels that are worked out with one that is not known: pictures soon want them too."""

_FIELD = _u32(0x3FF)

_ALWAYS = _u32(1 << 30)
"""Set in whatever is known with 256 levels: to join entries by `and` is the fastest way to find one that is not."""


@dataclass(frozen=True)
class _Memory:
    """What is known of a transform, for samples of one kind.

    `table`: an entry for each pair (Cb, Cr) and level of luma: what `transform.work_out` gives, or 0. With
    256 levels every pair has its own stretch of it; else that which `places` gives it, `used[0]` of which are taken.
    `way`: see `transform.way_of`.
    """

    way: Reals
    table: NDArray[np.uint32]
    places: NDArray[np.uint16] | None
    used: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Lut3d:
    """A transform, and what is known of it: one thread at a time may use it."""

    transform: Transform
    _memories: dict[tuple[Any, ...], _Memory] = field(default_factory=dict, init=False, repr=False)
    _followed: dict[int, tuple[Lut3d, Lut3d]] = field(default_factory=dict, init=False, repr=False)

    def then(self, other: Lut3d) -> Lut3d | None:
        """Return this transform and `other` after it as one, always the same object; `None` where that cannot be."""
        if id(other) not in self._followed:
            both = self.transform.then(other.transform)
            if both is None:
                return None
            self._followed[id(other)] = other, Lut3d(both)
        return self._followed[id(other)][1]


def apply_lut(
    planes: Planes,
    bits: int,
    out: Planes,
    out_bits: int,
    lut: Lut3d,
    *,
    curve: NDArray[Any] | None = None,
    matrix: Reals | None = None,
    offset: Reals | None = None,
) -> None:
    """Write what `lut` makes of `matrix @ (curve[Y], Cb, Cr) + offset` to `out`, rounded once.

    Arguments as for `point.apply_point`; what `matrix` gives is in the coding of `lut`, with `out_bits`. Luma is
    transformed with the chroma sample of its site, chroma with the mean of the luma samples at its site, rounded:
    nothing is interpolated. Rounding is half up. Before it, results are exact but for this:

    - With 8 bits and a curve, luma is taken to the nearest quarter of a code first.
    - With 10 bits, Cb and Cr are taken in steps of two codes, within which they change by one code, or not at all where
      the transform takes most of their distance away. A curve gives whole codes.

    Raises `ValueError` when a shape, type or the matrix does not fit.
    """
    check_frame(planes, bits, out, out_bits)
    scale = 2.0 ** (out_bits - bits)
    matrix, offset = check_affine(
        np.eye(3) * scale if matrix is None else matrix, np.zeros(3) if offset is None else offset
    )
    index = None if curve is None else _levels_of(curve, bits)
    levels = 1 << bits if index is None else FINE
    memory = _remembered(lut, bits, out_bits, levels, matrix, offset)
    coarse = max(bits - 9, 0)  # steps of Cb and Cr, as a shift
    finer = bits - out_bits if coarse else 0
    limits = tuple(_u32(limit) for limit in (coarse, finer, bits - coarse, levels - 1, (1 << bits) - 1))

    height, width = planes[0].shape
    work = _at_every_sample if planes[1].shape == planes[0].shape else _at_sites
    sources = [packed(plane) for plane in planes]
    targets = [packed_target(plane) for plane in out]
    for i in range(3):
        if np.may_share_memory(sources[i], targets[i]):  # samples whose entry is learnt are read again
            sources[i] = sources[i].copy()
    if work is _at_sites and width % 2:  # a site is two columns wide
        sources[0] = empty_plane(height, width + 1, planes[0].dtype)
        sources[0][:, :width], sources[0][:, width] = planes[0], planes[0][:, -1]
        targets[0] = empty_plane(height, width + 1, out[0].dtype)
    source, pitches = zip(*map(samples, sources), strict=True)
    target, new_pitches = zip(*(samples(plane, writable=True) for plane in targets), strict=True)
    shapes = height, *planes[1].shape
    known = memory.places, memory.table, memory.used, memory.way, lut.transform.tables
    work(source, pitches, target, new_pitches, shapes, index, limits, *known)
    for plane, worked in zip(out, targets, strict=True):
        if worked is not plane:
            plane[...] = worked[:, : plane.shape[1]]


def _levels_of(curve: NDArray[Any], bits: int) -> NDArray[np.uint16]:
    """Return the level that each value of a luma sample has after a curve."""
    if curve.shape != (1 << bits,):
        raise ValueError(f"curve has shape {curve.shape}, expected {(1 << bits,)}")
    index = np.empty(256 if bits == 8 else 65536, np.uint16)  # no look-up can leave it
    fine = np.asarray(curve, np.float64) * (FINE >> bits)
    index[: curve.size] = np.clip(np.floor(fine + 0.5), 0, FINE - 1)
    index[curve.size :] = index[curve.size - 1]
    return index


def _remembered(lut: Lut3d, bits: int, out_bits: int, levels: int, matrix: Reals, offset: Reals) -> _Memory:
    key = (bits, out_bits, levels, matrix.tobytes(), offset.tobytes())
    if key not in lut._memories:
        way = way_of(lut.transform, bits, out_bits, levels, matrix, offset)
        dense = levels == 256
        table = np.zeros(1 << 24 if dense else PLACES * FINE, np.uint32)
        places = None if dense else np.zeros(1 << 2 * min(bits, 9), np.uint16)
        lut._memories[key] = _Memory(way, table, places, np.ones(1, np.int64))
    return lut._memories[key]


@kernel
def _level(sample, index, highest):
    """Return the level of a luma sample."""
    if index is not None:
        return _u32(index[sample])
    return _u32(sample) & highest


@kernel
def _gap(entry):
    """Return a negative number for an entry that is not known."""
    return _i64(entry) - _i64(1)


@kernel
def _mean(first, second, third, fourth):
    return _u32(first + second + third + fourth + _u32(2)) >> _u32(2)


@kernel
def _settle(pair, places, table, used):
    """Give a pair (Cb, Cr) its place if it has none; forget everything when there is none left."""
    if places[pair] == 0:
        if used[0] * FINE == table.size:
            places[:] = 0
            table[:] = 0
            used[0] = 1
        places[pair] = used[0]
        used[0] += 1


@kernel
def _learn(table, at, level, blue, red, way, tables):
    """Make the entry of a triple known, and those around it."""
    if table[at | level] == _u32(0):
        first = level & ~_u32(NEAR - 1)
        steps = steps_within(level, blue, red, way, tables)
        for more in range(NEAR):
            near = first + _u32(more)
            table[at | near] = work_out(near, blue, red, steps, way, tables)


@kernel
def _pair(blue, red, limits, places, table, used):
    """Return the indices of a pair of chroma samples, and where its entries begin."""
    coarse, _, grid, _, top = limits
    u, v = (_u32(blue) & top) >> coarse, (_u32(red) & top) >> coarse
    if places is None:
        return u, v, u << _u32(16) | v << _u32(8)
    pair = u << grid | v
    _settle(pair, places, table, used)
    return u, v, _u32(places[pair]) << _u32(10)


@kernel
def _look_up_sites(source, rows, target, new_rows, begin, end, index, limits, places, table):
    """Look up a run of sites; return whether an entry is not known."""
    (luma, blue, red), (a, b, e, f) = source, rows
    (out, new_blue, new_red), (c, d, g, h) = target, new_rows
    coarse, finer, grid, highest, top = limits
    odd, one = (_u32(1) << coarse) - _u32(1), _at(1)
    missing, known = _i64(0), _ALWAYS
    for x in range(_at(begin), _at(end)):
        left = x + x
        cb, cr = _u32(blue[e + x]), _u32(red[f + x])
        if places is None:
            at = cb << _u32(16) | cr << _u32(8)
            first, second = _u32(luma[a + left]), _u32(luma[a + left + one])
            third, fourth = _u32(luma[b + left]), _u32(luma[b + left + one])
        else:
            at = _u32(places[(cb & top) >> coarse << grid | (cr & top) >> coarse]) << _u32(10)
            first, second = _level(luma[a + left], index, highest), _level(luma[a + left + one], index, highest)
            third, fourth = _level(luma[b + left], index, highest), _level(luma[b + left + one], index, highest)
        chroma = table[at | _mean(first, second, third, fourth)]
        first, second, third, fourth = table[at | first], table[at | second], table[at | third], table[at | fourth]
        if places is None:
            known &= first & second & third & fourth & chroma
        else:
            missing |= _gap(first) | _gap(second) | _gap(third) | _gap(fourth) | _gap(chroma)
        out[c + left] = first & _FIELD
        out[c + left + one] = second & _FIELD
        out[d + left] = third & _FIELD
        out[d + left + one] = fourth & _FIELD
        if places is None:
            new_blue[g + x] = chroma >> _u32(10) & _FIELD
            new_red[h + x] = chroma >> _u32(20) & _FIELD
        else:
            new_blue[g + x] = _u32((chroma >> _u32(10) & _FIELD) + (chroma >> _u32(30) & cb & odd)) >> finer
            new_red[h + x] = _u32((chroma >> _u32(20) & _FIELD) + (chroma >> _u32(31) & cr & odd)) >> finer
    return missing < 0 or known == 0


@kernel
def _at_sites(source, pitches, target, new_pitches, shapes, index, limits, places, table, used, way, tables):
    """Transform planes with subsampled chroma: a site is a chroma sample with the luma samples that it colours."""
    luma, blue, red = source
    height, chroma_height, chroma_width = shapes
    highest, one = limits[3], _at(1)
    for y in range(chroma_height):
        upper = y
        lower = y
        if chroma_height < height:
            upper = 2 * y
            lower = min(upper + 1, height - 1)
        a, b, e, f = rows = _rows(upper, lower, y, pitches)
        new_rows = _rows(upper, lower, y, new_pitches)
        for begin in range(0, chroma_width, RUN):
            end = min(begin + RUN, chroma_width)
            while _look_up_sites(source, rows, target, new_rows, begin, end, index, limits, places, table):
                for x in range(_at(begin), _at(end)):
                    left = x + x
                    u, v, at = _pair(blue[e + x], red[f + x], limits, places, table, used)
                    first, second = _level(luma[a + left], index, highest), _level(luma[a + left + one], index, highest)
                    third, fourth = _level(luma[b + left], index, highest), _level(luma[b + left + one], index, highest)
                    for level in (first, second, third, fourth, _mean(first, second, third, fourth)):
                        _learn(table, at, level, u, v, way, tables)


@kernel
def _rows(upper, lower, y, pitches):
    """Return where two rows of luma, and those of chroma that belong to them, begin."""
    return _at(upper * pitches[0]), _at(lower * pitches[0]), _at(y * pitches[1]), _at(y * pitches[2])


@kernel
def _look_up(source, rows, target, new_rows, begin, end, index, limits, places, table):
    """Look up a run of samples of 4:4:4; return whether an entry is not known."""
    (luma, blue, red), (a, _, e, f) = source, rows
    (out, new_blue, new_red), (b, _, g, h) = target, new_rows
    coarse, finer, grid, highest, top = limits
    odd = (_u32(1) << coarse) - _u32(1)
    missing, known = _i64(0), _ALWAYS
    for x in range(_at(begin), _at(end)):
        cb, cr = _u32(blue[e + x]), _u32(red[f + x])
        if places is None:
            at = cb << _u32(16) | cr << _u32(8)
            level = _u32(luma[a + x])
        else:
            at = _u32(places[(cb & top) >> coarse << grid | (cr & top) >> coarse]) << _u32(10)
            level = _level(luma[a + x], index, highest)
        entry = table[at | level]
        if places is None:
            known &= entry
        else:
            missing |= _gap(entry)
        out[b + x] = entry & _FIELD
        if places is None:
            new_blue[g + x] = entry >> _u32(10) & _FIELD
            new_red[h + x] = entry >> _u32(20) & _FIELD
        else:
            new_blue[g + x] = _u32((entry >> _u32(10) & _FIELD) + (entry >> _u32(30) & cb & odd)) >> finer
            new_red[h + x] = _u32((entry >> _u32(20) & _FIELD) + (entry >> _u32(31) & cr & odd)) >> finer
    return missing < 0 or known == 0


@kernel
def _at_every_sample(source, pitches, target, new_pitches, shapes, index, limits, places, table, used, way, tables):
    """Transform planes of 4:4:4."""
    luma, blue, red = source
    height, _, width = shapes
    for y in range(height):
        a, _, e, f = rows = _rows(y, y, y, pitches)
        new_rows = _rows(y, y, y, new_pitches)
        for begin in range(0, width, RUN):
            end = min(begin + RUN, width)
            while _look_up(source, rows, target, new_rows, begin, end, index, limits, places, table):
                for x in range(_at(begin), _at(end)):
                    u, v, at = _pair(blue[e + x], red[f + x], limits, places, table, used)
                    _learn(table, at, _level(luma[a + x], index, limits[3]), u, v, way, tables)
