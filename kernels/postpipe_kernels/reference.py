"""The plain NumPy twin of every kernel: same names, same signatures, written to be read, not to be fast.

What a kernel does is what its twin does; the tests hold them together (`specs.py` has the tolerances). Twins
take arrays of any strides and check nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels import flash
from postpipe_kernels._planes import Plane
from postpipe_kernels.blend import ONE
from postpipe_kernels.colour import Planes
from postpipe_kernels.luma import BLOCK, GRID, tile_edges
from postpipe_kernels.lut3d import Lut3d
from postpipe_kernels.pixels import Pixels, chroma_taps
from postpipe_kernels.reference_point import chroma_at_luma, exact_point
from postpipe_kernels.resize import Taps
from postpipe_kernels.robust import LEAST_KNOWN, LEAST_SCATTER, MOST_ALIKE, ROUNDS, SLIP
from postpipe_kernels.tiles import CLIPPED, DARKEST, DIM, MANY_ROWS, STILLNESS

Reals = NDArray[np.float64]


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
    """Measure a luma plane; see `luma.measure_luma`."""
    top = (1 << bits) - 1
    codes = luma.astype(np.int64) & top
    histogram[:] = np.bincount(codes[::count_every].ravel(), minlength=top + 1)
    rows, columns = tile_edges(codes.shape[0]), tile_edges(codes.shape[1])
    for i in range(GRID):
        for j in range(GRID):
            tile_sums[i, j] = codes[rows[i] : rows[i + 1], columns[j] : columns[j + 1]].sum()
    for i in range(small.shape[0]):
        for j in range(small.shape[1]):
            block = codes[i * BLOCK : (i + 1) * BLOCK, j * BLOCK : (j + 1) * BLOCK]
            block_sums[i, j] = block.sum()
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


def shrink_plane(plane: Plane, rows: int, columns: int, out: Plane, block_sums: NDArray[np.uint16]) -> None:
    """Fill `out` with the means of blocks; see `shrink.shrink_plane`."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            block = plane[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns].astype(np.int64)
            block_sums[i, j] = block.sum()
            out[i, j] = (2 * block.sum() + block.size) // (2 * block.size)


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
    lut: Lut3d | None = None,
) -> None:
    """Apply curve, matrix and look; see `point.apply_point`."""
    exact = exact_point(planes, bits, out_bits, curve=curve, matrix=matrix, offset=offset, lut=lut)
    for plane, target in zip(exact, out, strict=True):
        target[...] = np.clip(np.floor(plane + 0.5), 0, (1 << out_bits) - 1)


def to_pixels(planes: Planes, bits: int, matrix: Reals, offset: Reals, out: Pixels) -> None:
    """Interpolate chroma and undo the matrix; see `pixels.to_pixels`."""
    shape = planes[0].shape
    wide = [planes[0].astype(np.float64), *(chroma_at_luma(plane.astype(np.float64), shape) for plane in planes[1:])]
    exact = np.stack(wide, axis=2) @ matrix.T + offset
    out[...] = np.clip(np.floor(exact + 0.5), 0, np.iinfo(out.dtype).max)


def from_pixels(pixels: Pixels, matrix: Reals, offset: Reals, out: Planes, out_bits: int) -> None:
    """Apply the matrix and filter chroma; see `pixels.from_pixels`."""
    exact = list(np.moveaxis(pixels.astype(np.float64) @ matrix.T + offset, 2, 0))
    rows, columns = out[1].shape
    x_taps = chroma_taps(pixels.shape[1], columns, sited=True)
    y_taps = chroma_taps(pixels.shape[0], rows, sited=False)
    exact[1:] = [_weighted(_weighted(plane.T, x_taps).T, y_taps) for plane in exact[1:]]
    for plane, target in zip(exact, out, strict=True):
        target[...] = np.clip(np.floor(plane + 0.5), 0, (1 << out_bits) - 1)


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


def compare_small(small: Plane, previous: Plane, over: int) -> tuple[int, int, int]:
    """Return sum, number above `over` and largest of the differences; see `shrink.compare_small`."""
    change = np.abs(small.astype(np.int64) - previous)
    return int(change.sum()), int((change > over).sum()), int(change.max())


def find_swings(
    luma: Plane, blue: Plane, red: Plane, bits: int, rows: NDArray[np.float32], weights: NDArray[np.float32],
    swings: flash.Swings,
) -> None:  # fmt: skip
    """Follow luminance and red of every cell; see `flash.find_swings`."""
    planes = [plane.ravel().astype(np.float32) for plane in (luma, blue, red)]
    linear = []
    for row in rows:
        signal = np.clip(row[0] * planes[0] + row[1] * planes[1] + row[2] * planes[2] + row[3], 0.0, 1.0)
        value = np.full_like(signal, flash.LINEAR[-1])
        for coefficient in flash.LINEAR[-2::-1]:
            value = value * signal + np.float32(coefficient)
        linear.append(value)
    r, g, b = linear
    light = weights[0] * r + weights[1] * g + weights[2] * b
    redness = np.maximum(r - g - b, np.float32(0.0))
    saturated = (r >= np.float32(flash.RED_SHARE) * (r + g + b)).astype(np.int16)
    kinds = (light, flash.LUMINANCE_SWING), (redness, flash.RED_SWING)
    for kind, (value, least) in enumerate(kinds):
        level = np.floor(value * np.float32(flash.UNIT) + np.float32(0.5)).astype(np.int16)
        low, high, sense = swings.low[kind], swings.high[kind], swings.sense[kind].copy()
        low_pure, high_pure = swings.pure
        if kind == 1:
            low_pure[:] = np.where(level <= low, saturated, low_pure)
            high_pure[:] = np.where(level >= high, saturated, high_pure)
        low[:], high[:] = np.minimum(low, level), np.maximum(high, level)
        if kind == 0:
            up_counts, down_counts = (dark < flash.DARK_LUMINANCE for dark in (low, level))
        else:
            up_counts, down_counts = ((saturated | pure) > 0 for pure in (low_pure, high_pure))
        up = (sense <= 0) & (level - low >= least) & up_counts
        down = (sense >= 0) & (high - level >= least) & down_counts
        low[:] = np.where(down | (sense > 0), level, low)
        high[:] = np.where(up | (sense < 0), level, high)
        if kind == 1:
            low_pure[:] = np.where(down | (sense > 0), saturated, low_pure)
            high_pure[:] = np.where(up | (sense < 0), saturated, high_pure)
        swings.sense[kind] = np.where(up, 1, np.where(down, -1, sense))
        swings.events[kind] = up | down


def tally_swings(cells: NDArray[np.int64], by: int, counts: NDArray[np.uint8], areas: NDArray[np.int64]) -> None:
    """Add `by` to the counts of some cells; see `flash.tally_swings`."""
    counts[cells] = np.clip(counts[cells].astype(np.int64) + by, 0, 255)
    areas[:] = np.bincount(counts, minlength=256)


def box_means(plane: Plane, box: tuple[int, int], out: NDArray[np.float32]) -> None:
    """Average boxes; see `tiles.box_means`."""
    (rows, columns), (down, across) = out.shape, box
    boxes = plane[: rows * down, : columns * across].reshape(rows, down, columns, across)
    out[...] = boxes[:, :: 2 if down >= MANY_ROWS else 1].mean((1, 3))


def log_colours(
    luma: Reals, blue: Reals, red: Reals, to_rgb: Reals, out: NDArray[np.float32], weight: NDArray[np.float32]
) -> None:
    """Take logarithms; see `tiles.log_colours`."""
    rgb = np.einsum("cj,jyx->cyx", to_rgb, np.stack([luma, blue, red, np.ones_like(luma)]))
    grey = rgb.mean(0)
    out[...] = np.log(np.maximum(np.concatenate([rgb, grey[None]]), DARKEST))
    weight[...] = np.where((rgb.max(0) < CLIPPED) & (3 * grey > DIM), grey**2, 0)


def tile_steps(
    now: Reals, weight: Reals, before: Reals, weight_before: Reals, flow: Reals,
    steps: NDArray[np.float32], spread: NDArray[np.float32], level: NDArray[np.float32],
) -> None:  # fmt: skip
    """Compare tile by tile; see `tiles.tile_steps`."""
    rows, columns = weight.shape
    down, across = spread.shape
    y, x = np.mgrid[:rows, :columns]
    place_x, place_y = x + flow[..., 0].astype(np.float64), y + flow[..., 1].astype(np.float64)
    inside = (place_x >= 0) & (place_y >= 0) & (place_x <= columns - 1) & (place_y <= rows - 1)
    place_x, place_y = np.where(inside, place_x, 0), np.where(inside, place_y, 0)
    left, top = (
        np.maximum(np.minimum(place_x.astype(int), columns - 2), 0),
        np.maximum(np.minimum(place_y.astype(int), rows - 2), 0),
    )
    right, below = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
    a, b = place_x - left, place_y - top
    upper = before[:, top, left] + a * (before[:, top, right] - before[:, top, left])
    lower = before[:, below, left] + a * (before[:, below, right] - before[:, below, left])
    nearest = weight_before[(place_y + 0.5).astype(int), (place_x + 0.5).astype(int)]
    choices = (
        (now - before, np.minimum(weight, weight_before)),
        (now - (upper + b * (lower - upper)), np.where(inside, np.minimum(weight, nearest), 0)),
    )
    padded = np.pad(now[3].astype(np.float64), 1, "edge")
    steep = np.stack([padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1]]) / 2
    for i in range(down):
        for j in range(across):
            tile = (
                slice(i * rows // down, (i + 1) * rows // down),
                slice(j * columns // across, (j + 1) * columns // across),
            )
            level[i, j] = (weight[tile] * now[(slice(3), *tile)]).sum((1, 2)) / (weight[tile].sum() + 1e-12)
            changes = [change[(slice(None), *tile)] for change, _ in choices]
            still, moved = (_robust_step(c, known[tile]) for c, (_, known) in zip(changes, choices, strict=True))
            best, change = (moved, changes[1]) if moved[1] * STILLNESS < still[1] else (still, changes[0])
            steps[i, j], _, spread[i, j], share = best
            if np.isfinite(spread[i, j]):
                slip, slip_error = _slip(steep[(slice(None), *tile)], change[3], share, best[2])
                steps[i, j] -= slip
                spread[i, j] = np.hypot(best[2] * _inflation(change[3], share), slip_error)


def _robust_step(change: Reals, known: Reals) -> tuple[Reals, float, float, Reals]:
    """Return the mean change of R', G', B', grey's scatter, that mean's standard error, and what pixels count."""
    change, known = change.astype(np.float64), known.astype(np.float64)
    if (known > 0).sum() < LEAST_KNOWN:
        return np.zeros(3), np.inf, np.inf, np.zeros(known.shape)
    grey = change[3]
    centre = np.average(grey, weights=known)
    for _ in range(ROUNDS):
        scatter = np.average(np.abs(grey - centre), weights=known) + LEAST_SCATTER
        share = known / (1 + (grey - centre) ** 2 / (2 * scatter**2)) ** 2
        centre = np.average(grey, weights=share)
    mean = np.array([np.average(channel, weights=share) for channel in change[:3]])
    return mean, scatter, scatter * np.sqrt((share**2).sum()) / share.sum(), share


def _slip(steep: Reals, grey: Reals, share: Reals, error: float) -> tuple[float, float]:
    """Return the part of a tile's change that a displacement of usually `SLIP` pixels explains, and its error."""
    mean = np.array([np.average(one, weights=share) for one in steep])
    away = steep - mean[:, None, None]
    normal = (share * away[:, None] * away[None]).sum((2, 3)) / share.sum() + np.eye(2) * error**2 / SLIP**2
    way = np.linalg.solve(normal, (share * away * grey).sum((1, 2)) / share.sum())
    return float(mean @ way), float(np.sqrt(error**2 * mean @ np.linalg.solve(normal, mean)))


def _inflation(grey: Reals, share: Reals) -> float:
    """Return by what an error grows where pixels are off like their neighbours."""
    away = share * (grey - np.average(grey, weights=share))
    factor = 1.0
    for axis in (0, 1):
        one, other = (np.delete(away, end, axis) for end in (0, -1))
        both = np.delete(share, 0, axis) * np.delete(share, -1, axis)
        alike = ((one * other).sum() / (both.sum() + 1e-12)) / ((away**2).sum() / (share**2).sum())
        alike = min(max(alike, 0.0), MOST_ALIKE)
        factor *= (1 + alike) / (1 - alike)
    return float(np.sqrt(factor))


def retouch(
    planes: Planes,
    bits: int,
    out: Planes,
    *,
    curve: Reals,
    chroma: Reals,
    black: float,
    mixture: tuple[float, float] = (0.0, 0.0),
    grid: NDArray[np.float32] | None = None,
) -> None:
    """Apply curves, mixture and grid; see `retouch.retouch`."""
    neutral, top = 1 << (bits - 1), (1 << bits) - 1
    (rows, columns), (chroma_rows, chroma_columns) = planes[0].shape, planes[1].shape
    codes = np.minimum(planes[0], top)
    blue, red = (plane.astype(np.float64) - neutral for plane in planes[1:])
    luma = curve[codes]
    if any(mixture):
        luma = luma + sum(m * chroma_at_luma(plane, codes.shape) for m, plane in zip(mixture, (blue, red), strict=True))
        if grid is not None:
            luma = np.clip(np.floor(luma + 0.5), 0, top)
    down = -(-rows // chroma_rows)
    below = codes[np.minimum(np.arange(chroma_rows) * down + down - 1, rows - 1)].astype(np.int64)
    both = codes[np.arange(chroma_rows) * down].astype(np.int64) + below
    if chroma_columns < columns:
        both = np.concatenate([both, both[:, -1:]], axis=1)[:, : 2 * chroma_columns]
        both = both[:, ::2] + both[:, 1::2]
        around = (both + 2) >> 2
    else:
        around = (both + 1) >> 1
    blue = chroma[0][around] * blue + chroma[1][around]
    red = chroma[2][around] * red + chroma[3][around]
    if grid is not None:
        of_rows = _grid_at(grid, np.arange(rows) // 2 * 2, rows, columns)
        luma = (luma - black) * of_rows + black
        gains = _grid_at(grid, np.arange(chroma_rows), chroma_rows, chroma_columns)
        blue, red = blue * gains, red * gains
    for plane, target in zip((luma, blue + neutral, red + neutral), out, strict=True):
        target[...] = np.clip(np.floor(plane + 0.5), 0, top)


def _grid_at(grid: NDArray[np.float32], at_rows: NDArray[Any], rows: int, columns: int) -> Reals:
    """Return a grid at some rows and all columns of a plane, bilinear between the centres of its tiles."""
    down, across = grid.shape
    places = (np.arange(columns) + 0.5) * across / columns - 0.5
    wide = np.stack([np.interp(places, np.arange(across), row) for row in grid])
    heights = (at_rows + 0.5) * down / rows - 0.5
    return np.stack([np.interp(heights, np.arange(down), column) for column in wide.T], axis=1)


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
