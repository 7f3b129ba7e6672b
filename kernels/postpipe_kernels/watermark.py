"""The hidden mark of the invisible-watermark library (`dwtDct`): its bits written into and read from a plane.

The plane's 2×2 averages (one level of the Haar wavelet transform) are cut into blocks of 4×4. In each block the
average that is furthest from 0 after the first carries one bit: the remainder of its division by the scale is put at
a quarter or at three quarters of it. Bits follow each other block by block, row by row, again and again. The library
does this to the U of OpenCV's YUV, with a scale of 36.

Arithmetic is the library's to the last bit (PyWavelets' filters in float64, in its order), so that what one writes
the other reads, also where a remainder lies on the very edge.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import Plane, check_plane, check_writable, packed, packed_target, samples

SCALE = 36.0
"""The library's own."""

_BLOCK = 4
_CELL = 2 * _BLOCK
_C = 0.7071067811865476  # PyWavelets' filter of the Haar wavelet
_at = np.uint64


def read_dwt_dct(plane: Plane, ones: NDArray[np.int64], blocks: NDArray[np.int64], scale: float = SCALE) -> None:
    """Add to `ones` how many blocks say 1 for each bit of a message, and to `blocks` how many there are of each.

    The library takes a bit for 1 where `ones * 255 > 127 * blocks`. `ones` and `blocks` are int64, as long as the
    message has bits, C-contiguous. Rows and columns beyond a multiple of 4 are left out, and blocks that are not
    whole. Raises `ValueError` when a shape or type does not fit, or `scale` is not positive.
    """
    check_plane(plane, "plane")
    for name, counts in (("ones", ones), ("blocks", blocks)):
        if counts.dtype != np.int64 or counts.ndim != 1 or not counts.size or not counts.flags.c_contiguous:
            raise ValueError(f"{name} must be C-contiguous int64 with one count for each bit")
    if ones.shape != blocks.shape or not scale > 0:
        raise ValueError("ones and blocks must be of one length, and scale positive")
    _read(*samples(packed(plane)), plane.shape[0] // _CELL, plane.shape[1] // _CELL, scale, ones, blocks)


def write_dwt_dct(plane: Plane, bits: NDArray[np.uint8], out: Plane, scale: float = SCALE) -> None:
    """Write `plane` with `bits` (uint8, 0 or 1) hidden in it to `out`, which may be the same plane.

    As in the library, each 2×2 samples come back transposed and their values cut off to integers; values out of range
    wrap around. Raises `ValueError` when a shape or type does not fit, or `scale` is not positive.
    """
    check_plane(plane, "plane")
    check_plane(out, "out", like=plane)
    check_writable(out, "out")
    if bits.dtype != np.uint8 or bits.ndim != 1 or not bits.size or not scale > 0:
        raise ValueError("bits must be uint8, at least one, and scale positive")
    if out.dtype != plane.dtype:
        raise ValueError(f"out must be {plane.dtype}, not {out.dtype}")
    if out is not plane:
        out[...] = plane
    target = packed_target(out)
    if target is not out:
        target[...] = out
    top = 255 if plane.dtype == np.uint8 else 65535
    height, width = plane.shape[0] // _BLOCK * _BLOCK, plane.shape[1] // _BLOCK * _BLOCK
    _write(*samples(target, writable=True), height // 2, width // 2, np.ascontiguousarray(bits), scale, top)
    if target is not out:
        out[...] = target


@kernel
def _average(plane, place, pitch):
    upper = _C * plane[place] + _C * plane[place + pitch]
    lower = _C * plane[place + _at(1)] + _C * plane[place + pitch + _at(1)]
    return _C * upper + _C * lower


@kernel
def _read(plane, pitch, down, across, scale, ones, blocks):
    step = _at(pitch)
    bit = 0
    for row in range(_at(down)):
        for column in range(_at(across)):
            furthest = value = -1.0
            for index in range(1, 16):
                place = (row * _at(8) + _at(2 * (index // 4))) * step + column * _at(8) + _at(2 * (index % 4))
                average = _average(plane, place, step)
                if abs(average) > furthest:
                    furthest, value = abs(average), abs(average)
            ones[bit] += value % scale > 0.5 * scale
            blocks[bit] += 1
            bit = bit + 1 if bit + 1 < ones.size else 0


@kernel
def _write(plane, pitch, down, across, bits, scale, top):
    step = _at(pitch)
    width = across // 4 * 4
    averages = np.empty((4, width))
    chosen = np.full((4, width), -1.0)
    number = 0
    for band in range((down + 3) // 4):
        whole = 4 * band + 4 <= down
        chosen[:] = -1.0
        for column in range(across // 4 if whole else 0):
            furthest, at = -1.0, 0
            for index in range(16):
                y, x = index // 4, 4 * column + index % 4
                place = _at(8 * band + 2 * y) * step + _at(2 * x)
                average = _average(plane, place, step)
                averages[y, x] = average
                if index and abs(average) > furthest:
                    furthest, at = abs(average), index
            y, x = at // 4, 4 * column + at % 4
            rest = furthest % scale
            chosen[y, x] = (np.rint((furthest - rest) / scale) + 0.25 + 0.5 * bits[number % bits.size]) * scale
            number += 1
        for y in range(min(4, down - 4 * band)):
            for x in range(across):
                place = _at(8 * band + 2 * y) * step + _at(2 * x)
                a, b = _C * plane[place], _C * plane[place + _at(1)]
                c, d = _C * plane[place + step], _C * plane[place + step + _at(1)]
                upper, lower, rise, drop = a + c, b + d, a - c, b - d
                average = _C * upper + _C * lower
                if x < width and chosen[y, x] >= 0:
                    average = chosen[y, x]
                across_, down_, both = _C * upper - _C * lower, _C * rise + _C * drop, _C * rise - _C * drop
                # the library hands horizontal and vertical details back in each other's place
                left, right = _C * average + _C * down_, _C * average - _C * down_
                under, beside = _C * across_ + _C * both, _C * across_ - _C * both
                plane[place] = np.int64(_C * left + _C * under) & top
                plane[place + step] = np.int64(_C * left - _C * under) & top
                plane[place + _at(1)] = np.int64(_C * right + _C * beside) & top
                plane[place + step + _at(1)] = np.int64(_C * right - _C * beside) & top
