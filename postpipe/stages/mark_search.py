"""Marks that stay while the picture moves, found in small pictures of a take.

Their edges add up over time, where those of a moving picture cancel out (T. Dekel et al., On the effectiveness of
visible watermarks, CVPR 2017, find a mark's outline by the median of gradients). Little of the picture shines through
what is laid over it, which so varies less than what is around it, where the edges of what is filmed vary more than what
they lie on. On a picture in which nothing varies, a mark cannot be told from what is filmed.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import overlay

from postpipe.stages.mark_areas import Area, Found, areas, at_border, centred, correlation, meet, ring_of, slices

LEAST_WIDTH = 0.03  # of the picture's longer side
LASTING = 0.6  # share of what the parts of a lasting edge add up to without regard to sign, at least
EDGES = 40, 24, 12  # 8-bit code values, the strongest first: a mark near weaker edges is told by its own
# Cells across that are put together, and the ratio of the powers of edges in two directions, at least: letters have
# edges all around, and the more so what is torn from a larger group.
GAPS = (2, 0.3), (1, 0.3), (0, 0.6)
DENSE, MANY = 0.15, 60  # share of the box, and number of pixels, that lasting edges have at least
ALONE = 0.3  # share of that density, at most, that is left around it
STRONG = 17.0  # code values: their mean
MARGIN = 0.13  # share of height and of width that it is from a corner at most: what lasts elsewhere is filmed
BORDER = 0.012  # the same share, of what is the edge of the picture itself
VARIES, MOVING = 0.4, 6.0  # code values that its surroundings vary by at least; and where they move
WORD, BRIGHT_WORD = 1.5, 2.5  # width by height, at least, where they do not move, and where nothing is to be told
PARTLY = 0.9  # share of the picture that may stand still there: what stands still all over is a title
QUICK, SLOW = 0.8, 0.95  # shares of that by which its strokes vary at most, from picture to picture and over all
STILL = 3.0  # code values: where a picture changes by less within a second, little can be told
SEEN, MOSTLY = 0.4, 0.6  # correlation with a picture that shows it, and share of pictures that have to
LAG = 5  # pictures to look back for change: a second


def still_share(pictures: NDArray[np.uint8]) -> float:
    """Return the share of a picture that hardly changes within a second; every fourth pixel is asked."""
    few = pictures[:, ::4, ::4].astype(np.int16)
    return float((np.abs(few[LAG:] - few[:-LAG]).mean(axis=0) < STILL).mean()) if len(few) > LAG else 1.0


def in_corner(area: Area, shape: tuple[int, ...]) -> bool:
    """Whether an area is near a corner, where generators put the marks that stay."""
    top, left, bottom, right = area
    return min(top, shape[0] - bottom) <= MARGIN * shape[0] and min(left, shape[1] - right) <= MARGIN * shape[1]


def lasting(sums: overlay.EdgeSums, pictures: NDArray[np.uint8]) -> list[Found]:
    """Return the marks that stay where they are in pictures `(n, rows, columns)`; `sums` are theirs."""
    scale, shape = 1 / len(pictures), pictures.shape[1:]
    strength = np.hypot(sums.across, sums.down) * scale
    levels = np.minimum(strength, 255).astype(np.uint8)
    # strength adds |across| and |down| up: at most √2 of the length of the two together
    kept = strength / np.maximum(np.sqrt(0.5) * 1.2 * scale * sums.strength, 1e-3)
    rows, columns = (max(3, round(BORDER * side)) for side in shape)
    for border in (kept[:rows], kept[-rows:], kept[:, :columns], kept[:, -columns:]):
        border[:] = 0  # the edges of the picture itself are none
    edges, still = kept >= LASTING, still_share(pictures)
    found: list[Found] = []
    for level, (gap, crossed) in product(EDGES, GAPS):
        for area in areas(edges.view(np.uint8), levels, 1, level, LEAST_WIDTH * max(shape), gap):
            if not in_corner(area, shape) or at_border(area, shape, rows, columns):
                continue
            if any(meet(area, one.area) for one in found):
                continue
            around, ring = ring_of(area, shape)
            there = edges[around] & (levels[around] >= level)
            inside = there[~ring]
            if (
                inside.mean() < DENSE
                or inside.sum() < MANY
                or strength[around][~ring][inside].mean() < STRONG
                or there[ring].mean() > ALONE * inside.mean()
                or _crossed(sums, area) < crossed
            ):
                continue
            patches, wide = pictures[:, *around].astype(np.float32), (area[3] - area[1]) / (area[2] - area[0])
            moving, quick, slow = _variation(patches, ring)
            if moving < VARIES:
                told = still <= PARTLY and wide >= BRIGHT_WORD and _is_bright(patches, ring)
            else:
                told = quick <= QUICK and slow <= SLOW and (moving >= MOVING or wide >= WORD)
            if not told:
                continue
            pattern = centred(pictures[:, *slices(area)].mean(axis=0))
            if _seen_share(pictures, area, pattern) >= MOSTLY:
                sure = min(1.0, float(inside.mean()) / 0.3) * min(1.0, moving / 12)
                found.append(Found(area, 0, len(pictures) - 1, 0.5 + 0.5 * sure, pattern))
    return found


def _crossed(sums: overlay.EdgeSums, area: Area) -> float:
    """Return the ratio of the eigenvalues of the structure tensor: 0 for parallel edges, 1 for edges all around."""
    across, down = (plane[slices(area)].astype(np.float64) for plane in (sums.across, sums.down))
    total = float((across * across + down * down).sum())
    apart = float(np.hypot((across * across - down * down).sum(), 2 * (across * down).sum()))
    return (total - apart) / (total + apart) if total else 0.0


def _variation(pictures: NDArray[np.float32], ring: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return how much the surroundings of an area vary, and its bright strokes as a share of that, in two measures.

    The first is the standard deviation over time; the shares are of the mean differences from one picture to the next,
    and of standard deviations.
    """
    mean, slow, quick = pictures.mean(axis=0), pictures.std(axis=0), np.abs(np.diff(pictures, axis=0)).mean(axis=0)
    ground = float(np.median(mean[ring]))
    strokes = ~ring & (mean > (ground + float(np.percentile(mean[~ring], 95))) / 2)
    if not strokes.any():
        return 0.0, 1.0, 1.0
    quick_share, slow_share = (float(of[strokes].mean()) / max(float(of[ring].mean()), 0.1) for of in (quick, slow))
    return float(np.median(slow[ring])), quick_share, slow_share


def _is_bright(pictures: NDArray[np.float32], ring: NDArray[np.bool_]) -> bool:
    """Whether an area stands out from what is around it more by what is bright in it than by what is dark."""
    mean = pictures.mean(axis=0)
    dark, light = np.percentile(mean[~ring], (5, 95)) - np.median(mean[ring])
    return bool(light >= -dark)


def _seen_share(pictures: NDArray[np.uint8], area: Area, pattern: NDArray[np.float32]) -> float:
    """Return in which share of pictures a mark is seen: edges of one shot alone are not a mark of all."""
    likeness = (correlation(picture[slices(area)].astype(np.float32), pattern) for picture in pictures)
    return float(np.mean([like >= SEEN for like in likeness]))
