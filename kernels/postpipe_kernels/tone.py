"""Tone curves: one table, applied to every sample of a plane."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import Plane, check_plane, check_writable, packed, packed_target, samples

_at = np.uint64
_LOW = np.uint32(0xFFFF)
_HALF = np.uint32(16)


def apply_curve(luma: Plane, curve: NDArray[Any], out: Plane) -> None:
    """Write `curve[sample]` for every sample of `luma` to `out`, which may be `luma` itself.

    `curve` is 1-D and of `out`'s type, with 256 entries for uint8 planes and 2**bits for uint16; samples
    beyond its end take its last entry. `out` has `luma`'s shape, any strides, uint8 or uint16.
    Raises `ValueError` when a shape or type does not fit.
    """
    check_plane(luma, "luma")
    check_plane(out, "out", like=luma)
    check_writable(out, "out")
    if curve.ndim != 1 or curve.size == 0 or curve.dtype != out.dtype:
        raise ValueError(f"curve must be 1-D {out.dtype}, not {curve.dtype} {curve.shape}")
    entries = 256 if luma.dtype == np.uint8 else 65536
    if curve.size > entries:
        raise ValueError(f"curve has {curve.size} entries, {luma.dtype} samples have {entries} values")
    table = np.empty(entries, out.dtype)  # as long as the type has values: no look-up can leave it
    table[: curve.size] = curve
    table[curve.size :] = curve[-1]
    target = packed_target(out)
    height, width = luma.shape
    source = samples(packed(luma))
    look_up = _look_up
    if luma.dtype == out.dtype:
        look_up = _look_up_bytes if luma.dtype == np.uint8 else _look_up_words
    look_up(*source, height, width, table, *samples(target, writable=True))
    if target is not out:
        out[...] = target


@kernel
def _look_up_bytes(luma, pitch, height, width, table, out, out_pitch):
    # Two neighbours in one look-up: a table of 65,536 pairs takes a few microseconds to fill, and of it only
    # what a picture's alike neighbours touch has to stay in the cache. Four samples per read and write.
    pairs = np.empty(65536, np.uint16)
    for upper in range(256):
        for lower in range(256):
            pairs[upper * 256 + lower] = np.uint16(table[upper]) << np.uint16(8) | np.uint16(table[lower])
    words = luma[: luma.size // 4 * 4].view(np.uint32)
    out_words = out[: out.size // 4 * 4].view(np.uint32)
    fours = width // 4
    for y in range(height):
        a = _at(y * pitch // 4)
        b = _at(y * out_pitch // 4)
        for x in range(_at(fours)):
            word = words[a + x]
            upper_pair = np.uint32(np.uint32(pairs[word >> _HALF]) << _HALF)
            out_words[b + x] = np.uint32(np.uint32(pairs[word & _LOW]) | upper_pair)
        a = _at(y * pitch)
        b = _at(y * out_pitch)
        for x in range(_at(fours * 4), _at(width)):
            out[b + x] = table[luma[a + x]]


@kernel
def _look_up_words(luma, pitch, height, width, table, out, out_pitch):
    # Two samples per read and write.
    words = luma[: luma.size // 2 * 2].view(np.uint32)
    out_words = out[: out.size // 2 * 2].view(np.uint32)
    twos = width // 2
    for y in range(height):
        a = _at(y * pitch // 2)
        b = _at(y * out_pitch // 2)
        for x in range(_at(twos)):
            word = words[a + x]
            upper = np.uint32(np.uint32(table[word >> _HALF]) << _HALF)
            out_words[b + x] = np.uint32(np.uint32(table[word & _LOW]) | upper)
        if width % 2:
            out[_at(y * out_pitch + width - 1)] = table[luma[_at(y * pitch + width - 1)]]


@kernel
def _look_up(luma, pitch, height, width, table, out, out_pitch):
    for y in range(height):
        a = _at(y * pitch)
        b = _at(y * out_pitch)
        for x in range(_at(width)):
            out[b + x] = table[luma[a + x]]
