"""What one frame's luma says: histogram, tile sums, difference to the frame before, a small picture, focus."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel, prefetch
from postpipe_kernels._planes import Plane, check_bits, check_plane, packed, samples

GRID = 8
"""Tiles across and down."""

BLOCK = 8
"""Side in pixels of the blocks that become one pixel of the small picture."""

_at = np.uint64
"""Type of indices: numba tests a signed index for being negative at every access, an unsigned one never."""

_u16 = np.uint16
_u32 = np.uint32
_ONE = np.uint32(1)

_PAIR_BINS = 65536
_PAIR_STRIDE = _PAIR_BINS + 400
_SAMPLE_STRIDE = 1024 + 272
"""Distances between sub-histograms, in bins of 4 bytes. A store and a load whose addresses agree in their low
12 bits wait for each other, so that the same bin must lie at different such bits in each sub-histogram."""

_FEW_PIXELS = 1 << 19
"""Below this, clearing and summing three joint histograms costs more than they save over one."""


def tile_edges(length: int) -> list[int]:
    """Return where the tiles of an axis of `length` pixels begin, and `length`: 9 rising pixel positions.

    Tile `t` starts at block `t * blocks // 8` of the `ceil(length / 8)` blocks of 8 pixels (the last may be
    narrower), so that tiles differ by one block at most. Below 8 blocks some tiles are empty.
    """
    blocks = -(-length // BLOCK)
    return [min(length, tile * blocks // GRID * BLOCK) for tile in range(GRID + 1)]


def empty_measures(
    height: int, width: int, bits: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[Any], NDArray[np.uint16]]:
    """Return `(histogram, tile_sums, small, block_sums)` for `measure_luma` to fill; the contents are undefined."""
    small = np.empty((-(-height // BLOCK), -(-width // BLOCK)), np.uint8 if bits == 8 else np.uint16)
    return np.empty(1 << bits, np.uint32), np.empty((GRID, GRID), np.int64), small, np.empty(small.shape, np.uint16)


def measure_luma(
    luma: Plane,
    previous: Plane | None,
    bits: int,
    histogram: NDArray[np.uint32],
    tile_sums: NDArray[np.int64],
    small: Plane,
    block_sums: NDArray[np.uint16],
    count_every: int = 1,
) -> int | None:
    """Measure a luma plane in one pass; return the sum of absolute differences to `previous`, in code values.

    `luma` and `previous` (or `None`, then `None` is returned) are planes of one shape with `bits` per sample;
    of a sample only the low `bits` count. Filled, all C-contiguous:

    - `histogram`, uint32 `(2**bits,)`: how many pixels have each code value, in every `count_every`-th row, from
      the first on;
    - `tile_sums`, int64 `(8, 8)`: sum of the code values in each tile of the grid of `tile_edges`;
    - `small`, the plane's type, `(ceil(height / 8), ceil(width / 8))`: mean of each block of 8x8 pixels, or of
      as many as there are at the right and lower edge, rounded half up;
    - `block_sums`, uint16 like `small`: what the means are made of.

    Raises `ValueError` when a shape, type, `bits` or `count_every` does not fit.
    """
    check_plane(luma, "luma")
    check_bits(luma, bits)
    if count_every < 1:
        raise ValueError(f"count_every must be at least 1, not {count_every}")
    if previous is not None:
        check_plane(previous, "previous", like=luma)
        if previous.dtype != luma.dtype:
            raise ValueError(f"previous is {previous.dtype}, luma {luma.dtype}")
    height, width = luma.shape
    names = ("histogram", "tile_sums", "small", "block_sums")
    filled: tuple[NDArray[Any], ...] = (histogram, tile_sums, small, block_sums)
    wanted: tuple[NDArray[Any], ...] = empty_measures(height, width, bits)
    for name, given, fitting in zip(names, filled, wanted, strict=True):
        if given.shape != fitting.shape or given.dtype != fitting.dtype or not given.flags.c_contiguous:
            raise ValueError(f"{name} must be C-contiguous {fitting.dtype} {fitting.shape}")
    current, pitch = samples(packed(luma))
    # without a frame before, the plane is compared to itself: the same code, at the price of one frame per shot
    before, before_pitch = (current, pitch) if previous is None else samples(packed(previous))
    if luma.dtype == np.uint8:
        measure, stride = _measure_by_pairs, 0 if luma.size // count_every < _FEW_PIXELS else _PAIR_STRIDE
        counters = np.empty(_PAIR_BINS + 2 * stride, np.uint32)
    else:
        measure, stride = _measure_by_samples, _SAMPLE_STRIDE
        counters = np.empty(4 * stride, np.uint32)
    source = current, pitch, before, before_pitch, height, width
    flat = histogram, tile_sums, small.reshape(-1), block_sums.reshape(-1)
    difference = measure(*source, counters, stride, *flat, count_every)
    return None if previous is None else int(difference)


@kernel
def _measure_by_pairs(
    luma, pitch, previous, previous_pitch, height, width, counters, stride, histogram, tile_sums, small, block_sums,
    count_every,
):  # fmt: skip
    # Counting is what this pass costs: one read-modify-write per sample keeps a core's address units busy.
    # So two neighbours are counted at once in a joint histogram (65,536 bins), whose sums over either
    # neighbour give the histogram. Neighbours are alike, so the bins in use stay in the cache. Three joint
    # histograms take turns, at three places of the row: in flat areas the same bin would otherwise be read
    # back from the store buffer, over and over. With a stride of 0 all three are one.
    blocks_across = (width + 7) // 8
    blocks_down = (height + 7) // 8
    counters[:] = 0
    histogram[:] = 0
    first = counters[:_PAIR_BINS]
    second = counters[stride : stride + _PAIR_BINS]
    third = counters[2 * stride : 2 * stride + _PAIR_BINS]
    pairs = luma[: luma.size // 2 * 2].view(np.uint16)
    third_of_row = width // 6
    columns = np.zeros(blocks_across * 8, np.uint16)
    changes = np.zeros(blocks_across * 8, np.uint16)
    blocks = np.zeros(blocks_across, np.uint32)
    total = 0
    for tile in range(8):
        blocks[:] = 0
        for band in range(tile * blocks_down // 8, (tile + 1) * blocks_down // 8):
            rows = min(8, height - band * 8)
            total += _band_columns(
                luma, previous, band * 8, rows, pitch, previous_pitch, width, np.uint8(255), columns, changes
            )
            _band_blocks(columns, changes, rows, width, small, block_sums, band * blocks_across, blocks)
            for y in range(band * 8 + (-band * 8) % count_every, band * 8 + rows, count_every):
                a = _at(y * pitch // 2)
                b = a + _at(third_of_row)
                c = b + _at(third_of_row)
                for x in range(_at(third_of_row)):
                    first[pairs[a + x]] += _ONE
                    second[pairs[b + x]] += _ONE
                    third[pairs[c + x]] += _ONE
                start = _at(y * pitch)
                for x in range(_at(third_of_row * 6), _at(width)):
                    histogram[luma[start + x]] += _ONE
        _sum_tiles(blocks, tile_sums[tile])
    for value in range(256):
        start = _at(value * 256)
        count = _u32(0)
        for other in range(_at(256)):
            both = first[start + other]
            if stride != 0:
                both = _u32(both + second[start + other] + third[start + other])
            histogram[other] += both
            count = _u32(count + both)
        histogram[value] += count
    return total


@kernel
def _measure_by_samples(
    luma, pitch, previous, previous_pitch, height, width, counters, stride, histogram, tile_sums, small, block_sums,
    count_every,
):  # fmt: skip
    # Pairs of 10-bit samples would need a million bins. Four histograms take turns instead; two samples are
    # read at once, and masked, so that a sample out of range cannot write out of bounds.
    blocks_across = (width + 7) // 8
    blocks_down = (height + 7) // 8
    counters[:] = 0
    bins = histogram.size
    first = counters[:bins]
    second = counters[stride : stride + bins]
    third = counters[2 * stride : 2 * stride + bins]
    fourth = counters[3 * stride : 3 * stride + bins]
    mask = _u32(bins - 1)
    upper = _u32(16)
    words = luma[: luma.size // 2 * 2].view(np.uint32)
    lines = width // 32
    columns = np.zeros(blocks_across * 8, np.uint16)
    changes = np.zeros(blocks_across * 8, np.uint16)
    blocks = np.zeros(blocks_across, np.uint32)
    total = 0
    for tile in range(8):
        blocks[:] = 0
        for band in range(tile * blocks_down // 8, (tile + 1) * blocks_down // 8):
            rows = min(8, height - band * 8)
            total += _band_columns(
                luma, previous, band * 8, rows, pitch, previous_pitch, width, _u16(bins - 1), columns, changes
            )
            _band_blocks(columns, changes, rows, width, small, block_sums, band * blocks_across, blocks)
            for y in range(band * 8 + (-band * 8) % count_every, band * 8 + rows, count_every):
                start = _at(y * pitch // 2)
                ahead = y + 8 if y + 8 < height else 0
                next_luma = _at(ahead * pitch)
                next_previous = _at(ahead * previous_pitch)
                for line in range(_at(lines)):
                    # counting leaves the memory idle: let it fetch the next band, a cache line at a time
                    prefetch(luma, next_luma + line * _at(32))
                    prefetch(previous, next_previous + line * _at(32))
                    for step in range(_at(8)):
                        x = start + line * _at(16) + _at(2) * step
                        a = words[x]
                        b = words[x + _at(1)]
                        first[a & mask] += _ONE
                        second[(a >> upper) & mask] += _ONE
                        third[b & mask] += _ONE
                        fourth[(b >> upper) & mask] += _ONE
                start = _at(y * pitch)
                for x in range(_at(lines * 32), _at(width)):
                    first[luma[start + x] & _u16(mask)] += _ONE
        _sum_tiles(blocks, tile_sums[tile])
    histogram[:] = first + second + third + fourth
    return total


@kernel
def _band_columns(luma, previous, top, rows, pitch, previous_pitch, width, mask, columns, changes):
    # Sums down each column of a band of up to 8 rows: 8 samples of 10 bits fit 16. The first loop is the
    # second one with a known count, which lets LLVM keep both sums in registers.
    first = _at(top * pitch)
    before = _at(top * previous_pitch)
    if rows == 8:
        for x in range(_at(width)):
            level = _u16(0)
            change = _u16(0)
            for row in range(_at(8)):
                a = luma[first + row * _at(pitch) + x] & mask
                b = previous[before + row * _at(previous_pitch) + x] & mask
                level = _u16(level + _u16(a))
                change = _u16(change + _u16(max(a, b) - min(a, b)))
            columns[x] = level
            changes[x] = change
    else:
        for x in range(_at(width)):
            level = _u16(0)
            change = _u16(0)
            for row in range(_at(rows)):
                a = luma[first + row * _at(pitch) + x] & mask
                b = previous[before + row * _at(previous_pitch) + x] & mask
                level = _u16(level + _u16(a))
                change = _u16(change + _u16(max(a, b) - min(a, b)))
            columns[x] = level
            changes[x] = change
    total = _u32(0)
    for x in range(_at(width)):
        total = _u32(total + _u32(changes[x]))
    return np.int64(total)


@kernel
def _band_blocks(columns, spare, rows, width, small, block_sums, start, blocks):
    # Blocks from column sums by halves, to and fro between two buffers: 64 samples of 10 bits just fit 16.
    # Summing eight at once, or as 64-bit lanes, makes LLVM shuffle 512-bit registers, and processors that
    # slow down for those then do so for the whole frame (14 % measured on Cascade Lake).
    count = blocks.size
    for x in range(_at(width), _at(count * 8)):
        columns[x] = 0
    for x in range(_at(count * 4)):
        spare[x] = _u16(columns[_at(2) * x] + columns[_at(2) * x + _at(1)])
    for x in range(_at(count * 2)):
        columns[x] = _u16(spare[_at(2) * x] + spare[_at(2) * x + _at(1)])
    for x in range(_at(count)):
        spare[x] = _u16(columns[_at(2) * x] + columns[_at(2) * x + _at(1)])
    for x in range(_at(count)):
        blocks[x] = _u32(blocks[x] + _u32(spare[x]))
        block_sums[_at(start) + x] = spare[x]
    whole = width // 8 if rows == 8 else 0
    for x in range(_at(whole)):
        small[_at(start) + x] = _u16(spare[x] + _u16(32)) >> _u16(6)
    for x in range(whole, count):
        pixels = rows * min(8, width - 8 * x)
        small[start + x] = (2 * np.int64(spare[x]) + pixels) // (2 * pixels)


@kernel
def _sum_tiles(blocks, sums):
    for tile in range(8):
        total = 0
        for x in range(_at(tile * blocks.size // 8), _at((tile + 1) * blocks.size // 8)):
            total += np.int64(blocks[x])
        sums[tile] = total


def sharpness(luma: Plane, bits: int, step: int = 24) -> float:
    """Return how much fine detail a luma plane has: the energy of its Laplacian, 0 (flat) to 16.

    The mean, over every `step`-th inner row and all inner columns, of the squared 4-neighbour Laplacian of
    luma on a scale of 0 to 1 (code value ÷ (2**bits - 1)); 0.0 for planes without inner pixels. It ranks
    takes of one scene; values of different scenes do not compare.

    Source: S. Pertuz, D. Puig, M. A. Garcia, "Analysis of focus measure operators for shape-from-focus",
    Pattern Recognition 46 (2013), operator LAP1. Raises `ValueError` for a wrong plane, `bits` or `step`.
    """
    check_plane(luma, "luma")
    check_bits(luma, bits)
    if step < 1:
        raise ValueError(f"step must be at least 1, not {step}")
    height, width = luma.shape
    if height < 3 or width < 3:
        return 0.0
    energy, rows = _laplacian_energy(*samples(packed(luma)), height, width, min(step, height - 2))
    return float(energy / (rows * (width - 2) * ((1 << bits) - 1) ** 2))


@kernel
def _laplacian_energy(luma, pitch, height, width, step):
    total = 0
    rows = 0
    for y in range((step + 1) // 2, height - 1, step):
        above = _at((y - 1) * pitch)
        here = _at(y * pitch)
        below = _at((y + 1) * pitch)
        for left in range(1, width - 1, 256):
            energy = np.uint32(0)  # room for 256 squares of up to 4 x 1023
            for x in range(_at(left), _at(min(left + 256, width - 1))):
                sides = np.int32(luma[here + x - _at(1)]) + np.int32(luma[here + x + _at(1)])
                ends = np.int32(luma[above + x]) + np.int32(luma[below + x])
                curvature = np.int32(sides + ends - np.int32(4) * np.int32(luma[here + x]))
                energy = np.uint32(energy + np.uint32(curvature * curvature))
            total += np.int64(energy)
        rows += 1
    return total, rows
