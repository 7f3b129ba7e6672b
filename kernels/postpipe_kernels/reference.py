"""The plain NumPy twin of every kernel: same names, same signatures, written to be read, not to be fast.

What a kernel does is what its twin does; the tests hold them together (`specs.py` has the tolerances). Twins
take arrays of any strides and check nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._planes import Plane
from postpipe_kernels.blend import ONE
from postpipe_kernels.colour import Planes
from postpipe_kernels.luma import BLOCK, GRID, tile_edges
from postpipe_kernels.resize import Taps

Reals = NDArray[np.float64]


def measure_luma(
    luma: Plane,
    previous: Plane | None,
    bits: int,
    histogram: NDArray[np.uint32],
    tile_sums: NDArray[np.int64],
    small: Plane,
) -> int | None:
    """Measure a luma plane; see `luma.measure_luma`."""
    top = (1 << bits) - 1
    codes = luma.astype(np.int64) & top
    histogram[:] = np.bincount(codes.ravel(), minlength=top + 1)
    rows, columns = tile_edges(codes.shape[0]), tile_edges(codes.shape[1])
    for i in range(GRID):
        for j in range(GRID):
            tile_sums[i, j] = codes[rows[i] : rows[i + 1], columns[j] : columns[j + 1]].sum()
    for i in range(small.shape[0]):
        for j in range(small.shape[1]):
            block = codes[i * BLOCK : (i + 1) * BLOCK, j * BLOCK : (j + 1) * BLOCK]
            small[i, j] = (2 * block.sum() + block.size) // (2 * block.size)
    return None if previous is None else int(np.abs(codes - (previous.astype(np.int64) & top)).sum())


def sharpness(luma: Plane, bits: int, step: int = 24) -> float:
    """Return the energy of the Laplacian; see `luma.sharpness`."""
    height, width = luma.shape
    if height < 3 or width < 3:
        return 0.0
    step = min(step, height - 2)
    rows = np.arange((step + 1) // 2, height - 1, step)
    above, here, below = (luma[rows + shift].astype(np.float64) / ((1 << bits) - 1) for shift in (-1, 0, 1))
    laplacian = above[:, 1:-1] + below[:, 1:-1] + here[:, :-2] + here[:, 2:] - 4.0 * here[:, 1:-1]
    return float(np.mean(laplacian**2))


def blend_planes(under: Plane, over: Plane, weight: float, out: Plane) -> None:
    """Lay two planes over each other; see `blend.blend_planes`."""
    share = round(weight * ONE)
    out[...] = (under.astype(np.int64) * (ONE - share) + over.astype(np.int64) * share + ONE // 2) // ONE


def apply_curve(luma: Plane, curve: NDArray[Any], out: Plane) -> None:
    """Look every sample up; see `tone.apply_curve`."""
    out[...] = curve[np.minimum(luma, curve.size - 1)]


def convert_ycbcr(planes: Planes, bits: int, matrix: Reals, offset: Reals, out: Planes, out_bits: int) -> None:
    """Convert code values; see `colour.convert_ycbcr`."""
    apply_point(planes, bits, out, out_bits, matrix=matrix, offset=offset)


def apply_point(
    planes: Planes,
    bits: int,
    out: Planes,
    out_bits: int,
    *,
    curve: NDArray[Any] | None = None,
    matrix: Reals | None = None,
    offset: Reals | None = None,
) -> None:
    """Apply curve and matrix; see `point.apply_point`."""
    exact = exact_point(planes, bits, out_bits, curve=curve, matrix=matrix, offset=offset)
    for plane, target in zip(exact, out, strict=True):
        target[...] = np.clip(np.floor(plane + 0.5), 0, (1 << out_bits) - 1)


def exact_point(
    planes: Planes,
    bits: int,
    out_bits: int,
    *,
    curve: NDArray[Any] | None = None,
    matrix: Reals | None = None,
    offset: Reals | None = None,
) -> tuple[Reals, Reals, Reals]:
    """Return what `apply_point` rounds and clips, as float64 planes."""
    luma = planes[0].astype(np.float64) if curve is None else curve[np.minimum(planes[0], curve.size - 1)]
    blue, red = planes[1].astype(np.float64), planes[2].astype(np.float64)
    matrix = np.eye(3) * 2.0 ** (out_bits - bits) if matrix is None else matrix
    offset = np.zeros(3) if offset is None else offset
    wide = [chroma_at_luma(plane, luma.shape) for plane in (blue, red)]
    return (
        matrix[0, 0] * luma + matrix[0, 1] * wide[0] + matrix[0, 2] * wide[1] + offset[0],
        matrix[1, 1] * blue + matrix[1, 2] * red + offset[1],
        matrix[2, 1] * blue + matrix[2, 2] * red + offset[2],
    )


def chroma_at_luma(chroma: Reals, shape: tuple[int, ...]) -> Reals:
    """Return chroma at every luma sample: left-sited along rows, midway along columns, bilinear, edges repeated."""
    height, width = shape
    if chroma.shape[0] < height:
        chroma = _linear(chroma, np.arange(height) / 2.0 - 0.25)
    if chroma.shape[1] < width:
        chroma = _linear(chroma.T, np.arange(width) / 2.0).T
    return chroma


def _linear(rows: Reals, positions: Reals) -> Reals:
    """Return rows at fractional positions."""
    below = np.floor(positions).astype(np.int64)
    fraction = (positions - below)[:, None]
    last = rows.shape[0] - 1
    return (1.0 - fraction) * rows[np.clip(below, 0, last)] + fraction * rows[np.clip(below + 1, 0, last)]


def resample_plane(plane: Plane, out: Plane, x_taps: Taps, y_taps: Taps, bits: int | None = None) -> None:
    """Filter along rows, then along columns; see `resize.resample_plane`."""
    bits = (8 if plane.dtype == np.uint8 else 10) if bits is None else bits
    wide = _weighted(plane.T.astype(np.float64), x_taps).T
    exact = _weighted(wide, y_taps)
    out[...] = np.clip(np.floor(exact + 0.5), 0, (1 << bits) - 1)


def _weighted(rows: Reals, taps: Taps) -> Reals:
    """Return the weighted sums of rows."""
    total = np.zeros((taps.first.size, rows.shape[1]))
    for k in range(taps.weights.shape[1]):
        weight = taps.weights[:, k].astype(np.float64)
        total += weight[:, None] * rows[np.minimum(taps.first + k, rows.shape[0] - 1)]
    return total


def match_blocks(
    picture: Plane, other: Plane, side: int, reach: int, gain: float = 1.0, offset: float = 0.0, grain: float = 4.0
) -> tuple[float, float, float]:
    """Match blocks one displacement at a time, for all blocks together."""
    height, width = picture.shape
    if height < side or width < side:
        return 0.0, 0.0, 0.0
    tops, lefts = np.arange(0, height - side + 1, side // 2), np.arange(0, width - side + 1, side // 2)

    def blocks(plane: Plane, y: int, x: int) -> Reals:
        rows, columns = tops[:, None] + y + np.arange(side), lefts[:, None] + x + np.arange(side)
        rows, columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
        return plane[rows[:, None, :, None], columns[None, :, None, :]].astype(np.float64)

    here = blocks(picture, 0, 0)
    mean, variance = _moments(here)
    explained, residue = np.zeros(mean.shape), np.full(mean.shape, np.inf)
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            inside = ((tops + y >= 0) & (tops + y <= height - side))[:, None] & (
                (lefts + x >= 0) & (lefts + x <= width - side)
            )
            there = blocks(other, y, x)
            other_mean, other_variance = _moments(there)
            covariance = (here * there).sum((2, 3)) / side**2 - mean * other_mean
            share = np.maximum(covariance, 0) ** 2 / ((variance + grain) * (other_variance + grain))
            left_over = variance + gain**2 * other_variance - 2 * gain * covariance
            left_over += (mean - gain * other_mean - offset) ** 2
            explained = np.where(inside, np.maximum(explained, share), explained)
            residue = np.where(inside, np.minimum(residue, left_over), residue)
    lost = variance * (1 - explained)
    return float(variance.mean()), float(lost.mean()), float(np.maximum(residue, 0).mean())


def _moments(blocks: Reals) -> tuple[Reals, Reals]:
    mean = blocks.mean((2, 3))
    return mean, np.square(blocks).mean((2, 3)) - mean**2
