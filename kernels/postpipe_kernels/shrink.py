"""Small pictures: the mean of each block of samples, and what changed from one to the next."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import Plane, check_plane, check_writable, packed, samples
from postpipe_kernels.luma import BLOCK

_at = np.uint64
_u16 = np.uint16


def chroma_block(shift_x: int, shift_y: int, luma_block: int = BLOCK) -> tuple[int, int]:
    """Return `(rows, columns)` of the blocks of chroma that lie under a block of luma, by default the small picture's.

    `shift_x`, `shift_y`: how chroma is subsampled, as shifts: (1, 1) for 4:2:0, (1, 0) for 4:2:2, (0, 0) for 4:4:4.
    """
    return luma_block >> shift_y, luma_block >> shift_x


def empty_small(plane: Plane, rows: int, columns: int) -> tuple[Plane, NDArray[np.uint16]]:
    """Return `(out, block_sums)` for `shrink_plane` to fill; the contents are undefined."""
    height, width = plane.shape
    shape = -(-height // rows), -(-width // columns)
    return np.empty(shape, plane.dtype), np.empty(shape, np.uint16)


def shrink_plane(plane: Plane, rows: int, columns: int, out: Plane, block_sums: NDArray[np.uint16]) -> None:
    """Fill `out` with the mean of each block of `rows` × `columns` samples, rounded half up, `block_sums` with its sum.

    At the right and lower edge a block has as many samples as there are. `plane`: uint8, or uint16 with up to 10
    bits; `out`: its type, `(ceil(height / rows), ceil(width / columns))`, and `block_sums`, uint16, like it, both
    C-contiguous. Raises `ValueError` when a shape or type does not fit, or a block's side is not 1, 2, 4 or 8.
    """
    check_plane(plane, "plane")
    if rows not in (1, 2, 4, 8) or columns not in (1, 2, 4, 8):
        raise ValueError(f"blocks have sides of 1, 2, 4 or 8 samples, not {rows} and {columns}")
    fitting, _ = empty_small(plane, rows, columns)
    if out.shape != fitting.shape or out.dtype != fitting.dtype or not out.flags.c_contiguous:
        raise ValueError(f"out must be C-contiguous {fitting.dtype} {fitting.shape}, not {out.dtype} {out.shape}")
    check_writable(out, "out")
    if block_sums.shape != out.shape or block_sums.dtype != np.uint16 or not block_sums.flags.c_contiguous:
        raise ValueError(f"block_sums must be C-contiguous uint16 {out.shape}")
    _shrink(*samples(packed(plane)), *plane.shape, rows, columns, out.reshape(-1), block_sums.reshape(-1))


def compare_small(small: Plane, previous: Plane, over: int) -> tuple[int, int, int]:
    """Return `(total, many, largest)` of the absolute differences of two small pictures, in code values.

    `total`: their sum; `many`: how many are larger than `over`. Both pictures are of one shape and type, C-contiguous.
    Averages of blocks hardly change by noise or coding, so that what changes, moved. Raises `ValueError` when a shape
    or type does not fit.
    """
    for name, plane in (("small", small), ("previous", previous)):
        check_plane(plane, name, like=small)
        if plane.dtype != small.dtype or not plane.flags.c_contiguous:
            raise ValueError(f"{name} must be C-contiguous {small.dtype}")
    total, many, largest = _compare(small.reshape(-1), previous.reshape(-1), over)
    return int(total), int(many), int(largest)


@kernel
def _compare(small, previous, over):
    total = 0
    many = 0
    largest = np.uint16(0)
    limit = _u16(over)
    for start in range(0, small.size, 4096):
        part = np.uint32(0)
        above = np.uint32(0)
        for x in range(_at(start), _at(min(start + 4096, small.size))):
            a = _u16(small[x])
            b = _u16(previous[x])
            change = _u16(max(a, b) - min(a, b))
            part = np.uint32(part + np.uint32(change))
            above = np.uint32(above + np.uint32(change > limit))
            largest = max(largest, change)
        total += np.int64(part)
        many += np.int64(above)
    return total, many, largest


@kernel
def _shrink(plane, pitch, height, width, rows, columns, out, block_sums):
    # Rows are summed first; 64 samples of 10 bits just fit 16. Four neighbouring sums are then a word of 64 bits,
    # folded twice to their total: halving them by strides took three times as long.
    across = (width + columns - 1) // columns
    sums = np.zeros((across * columns + 3) // 4 * 4, np.uint16)
    words = sums.view(np.uint64)
    totals = np.empty(across, np.uint16)
    half_word, quarter, low = np.uint64(32), np.uint64(16), np.uint64(0xFFFF)
    bits = _u16(0)
    while 1 << bits < rows * columns:
        bits += _u16(1)
    half = _u16(rows * columns // 2)
    for band in range((height + rows - 1) // rows):
        here = min(rows, height - band * rows)
        start = _at(band * rows * pitch)
        for x in range(_at(width)):
            sums[x] = _u16(plane[start + x])
        for row in range(_at(1), _at(here)):
            first = start + row * _at(pitch)
            for x in range(_at(width)):
                sums[x] = _u16(sums[x] + _u16(plane[first + x]))
        if columns >= 4:
            step, second = _at(columns // 4), np.uint64(columns // 8)
            for x in range(_at(across)):
                word = words[step * x] + words[step * x + second] * second
                word += word >> half_word
                totals[x] = _u16((word + (word >> quarter)) & low)
        else:
            for x in range(_at(across)):
                totals[x] = _u16(sums[_at(columns) * x] + sums[_at(columns) * x + _at(columns - 1)] * _u16(columns - 1))
        target = _at(band * across)
        for x in range(_at(across)):
            block_sums[target + x] = totals[x]
        whole = width // columns if here == rows else 0
        for x in range(_at(whole)):
            out[target + x] = _u16(totals[x] + half) >> bits
        for x in range(whole, across):
            pixels = here * min(columns, width - columns * x)
            out[target + _at(x)] = (2 * np.int64(totals[x]) + pixels) // (2 * pixels)
