"""How much of one picture is found in another, wherever it moved and however it was exposed."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

import numpy as np

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import Plane, check_plane, packed, samples

_at = np.uint64
_i32 = np.int32
_i64 = np.int64


def match_blocks(
    picture: Plane, other: Plane, side: int, reach: int, gain: float = 1.0, offset: float = 0.0, grain: float = 4.0
) -> tuple[float, float, float]:
    """Look for the blocks of a picture in another picture; return their variance, what of it is lost, the residue.

    The planes have one shape and type. Blocks of `side` x `side` samples lie half a block apart; each is looked for
    up to `reach` samples away, whole inside the other picture. The means over all blocks are returned, in code values
    squared: the variance within a block; the part of it that correlation with no place explains, where variances
    below `grain` count as noise; and the least mean squared difference to a place of `gain` x `other` + `offset`.
    All are 0 for planes smaller than a block.

    The first two do not change with the exposure of either picture, the third not with that of the other one when it
    is graded. Normalised cross-correlation: J. P. Lewis, "Fast normalized cross-correlation", Vision Interface (1995).
    Raises `ValueError` when a shape, type or number does not fit.
    """
    check_plane(picture, "picture")
    check_plane(other, "other", like=picture)
    if other.dtype != picture.dtype:
        raise ValueError(f"other is {other.dtype}, picture {picture.dtype}")
    if side < 2 or side > 32 or side % 2 or reach < 0 or grain <= 0:
        raise ValueError(f"cannot match blocks of {side} samples up to {reach} away, grain {grain}")
    height, width = picture.shape
    if height < side or width < side:
        return 0.0, 0.0, 0.0
    found = _match(*samples(packed(picture)), *samples(packed(other)), height, width, side, reach, gain, offset, grain)
    return float(found[0]), float(found[1]), float(found[2])


@kernel
def _match(picture, pitch, other, other_pitch, height, width, side, reach, gain, offset, grain):
    # The other picture's sums are made once for each place. What is left to do for a block at a place is the sum of
    # products, in 32 bits: 32 x 32 products of 10 bits fit.
    down, across = height - side + 1, width - side + 1
    size = float(side * side)
    means = np.empty(down * across)
    variances = np.empty(down * across)
    for top in range(down):
        for left in range(across):
            total, squares = _sums(other, top * other_pitch + left, other_pitch, side)
            mean = total / size
            means[top * across + left] = mean
            variances[top * across + left] = squares / size - mean * mean
    all_variance, all_lost, all_residue = 0.0, 0.0, 0.0
    blocks = 0
    half = side // 2
    for top in range(0, down, half):
        for left in range(0, across, half):
            total, squares = _sums(picture, top * pitch + left, pitch, side)
            mean = total / size
            variance = squares / size - mean * mean
            explained, residue = 0.0, np.inf
            for y in range(max(0, top - reach), min(down, top + reach + 1)):
                for x in range(max(0, left - reach), min(across, left + reach + 1)):
                    product = _i64(0)
                    for row in range(side):
                        here = _at((top + row) * pitch + left)
                        there = _at((y + row) * other_pitch + x)
                        line = _i32(0)
                        for column in range(_at(side)):
                            line += _i32(picture[here + column]) * _i32(other[there + column])
                        product += _i64(line)
                    other_mean, other_variance = means[y * across + x], variances[y * across + x]
                    covariance = product / size - mean * other_mean
                    away = mean - gain * other_mean - offset
                    left_over = variance + gain * gain * other_variance - 2.0 * gain * covariance + away * away
                    residue = min(residue, left_over)
                    if covariance > 0.0:
                        share = covariance * covariance / ((variance + grain) * (other_variance + grain))
                        explained = max(explained, share)
            all_variance += variance
            all_lost += variance * (1.0 - explained)
            all_residue += max(residue, 0.0)
            blocks += 1
    return all_variance / blocks, all_lost / blocks, all_residue / blocks


@kernel
def _sums(plane, start, pitch, side):
    total, squares = _i64(0), _i64(0)
    for row in range(side):
        first = _at(start + row * pitch)
        for column in range(_at(side)):
            value = _i64(plane[first + column])
            total += value
            squares += value * value
    return total, squares
