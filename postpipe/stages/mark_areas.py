"""Areas of small pictures that may be marks: groups of pixels of the size and shape that marks have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import overlay, shrink

from postpipe.model import PictureStream, Plane

LONG_EDGE = 640
"""Pixels that the longer side of the small pictures has at most."""
MOST_GROUPS = 4096
"""Groups of cells that are looked at: with more, the picture is in pieces."""

MOST_WIDTH = 0.45  # of the picture's width
LEAST_HEIGHT, MOST_HEIGHT = 6, 0.2  # pixels, and share of the shorter side
FLATTEST, TALLEST = 14.0, 0.7  # width by height: from a line of text to an emblem
FRINGE = 0.12  # share of the fullest row or column: what has less at the edge of an area is not of it
CROWDED = 3  # pixels of a cell: from there on it belongs to a group
CROWD = 0.25  # share of all cells: where more of them do at once, everything moves

REACH = 8
"""Pixels around that a pixel is compared with: strokes stand out, patches of light do not."""

Patch = NDArray[np.float32]
Area = tuple[int, int, int, int]
"""Top, left, bottom, right in a small picture; the last two are outside."""


@dataclass(frozen=True, slots=True)
class Found:
    """A mark in one place: pictures `first` to `last` of those searched, and how it lies over them."""

    area: Area
    first: int
    last: int
    confidence: float
    pattern: NDArray[np.float32]


def shrink_factor(picture: PictureStream) -> int:
    """Return by how much small pictures are smaller: 1, 2, 4 or 8."""
    return next((side for side in (1, 2, 4) if max(picture.width, picture.height) <= LONG_EDGE * side), 8)


def small_luma(plane: Plane, side: int, bits: int) -> NDArray[np.uint8]:
    """Return luma at 1/`side`, in 8-bit code values."""
    if side == 1:
        small = plane
    else:
        small, sums = shrink.empty_small(plane, side, side)
        shrink.shrink_plane(plane, side, side, small, sums)
    return np.ascontiguousarray(small >> (bits - 8), dtype=np.uint8)


def areas(
    steps: NDArray[np.uint8], lit: NDArray[Any], which: int, bright: int, least_width: float, gap: int = 2
) -> Iterator[Area]:
    """Yield the areas, as large as marks are, of groups of pixels that have the value `which`, and are `bright`.

    Cells with some of them are put together across the gaps that letters have: `gap` cells to each side.
    """
    shape = steps.shape
    counts = np.empty((shape[0] // overlay.CELL, shape[1] // overlay.CELL), np.uint8)
    overlay.count_cells(steps, lit, which, bright, counts)
    cells = counts >= CROWDED
    if not cells.any() or cells.mean() > CROWD:
        return
    groups = np.empty((MOST_GROUPS, 4), np.int32)
    count = overlay.find_groups(_widened(cells, gap).view(np.uint8), groups)
    bounds = groups[:count] * overlay.CELL
    height, width = bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1]
    more = 6 * overlay.CELL  # what widening can have added
    likely = (width >= least_width) & (width <= MOST_WIDTH * shape[1] + more)
    likely &= (height >= LEAST_HEIGHT) & (height <= MOST_HEIGHT * min(shape) + more)
    for top, left, bottom, right in bounds[likely].tolist():
        inside = (steps[top:bottom, left:right] == which) & (lit[top:bottom, left:right] >= bright)
        down, across = (
            np.flatnonzero(sums >= FRINGE * sums.max()) for sums in (inside.sum(axis=1), inside.sum(axis=0))
        )
        area = top + int(down[0]), left + int(across[0]), top + int(down[-1]) + 1, left + int(across[-1]) + 1
        if _mark_like(area, shape, least_width):
            yield area


def _widened(cells: NDArray[np.bool_], gap: int) -> NDArray[np.bool_]:
    """Return cells with their neighbours, `gap` to each side, and one up and down if there is a gap."""
    if not gap:
        return cells
    across = cells.copy()
    for step in range(1, gap + 1):
        across[:, step:] |= cells[:, :-step]
        across[:, :-step] |= cells[:, step:]
    down = across.copy()
    down[1:] |= across[:-1]
    down[:-1] |= across[1:]
    return down


def _mark_like(area: Area, shape: tuple[int, ...], least_width: float) -> bool:
    """Whether an area has the size of a mark."""
    height, width = area[2] - area[0], area[3] - area[1]
    return (
        least_width <= width <= MOST_WIDTH * shape[1]
        and LEAST_HEIGHT <= height <= MOST_HEIGHT * min(shape)
        and TALLEST * height <= width <= FLATTEST * height
    )


def at_border(area: Area, shape: tuple[int, ...], rows: int, columns: int) -> bool:
    """Whether an area touches the border of the picture, so many rows and columns wide."""
    top, left, bottom, right = area
    return top <= rows or left <= columns or bottom >= shape[0] - rows or right >= shape[1] - columns


def ring_of(area: Area, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return the surroundings of an area, and a mask of them that leaves out the area itself."""
    top, left, bottom, right = area
    reach = max(6, (bottom - top) // 2)
    outer = max(0, top - reach), max(0, left - reach), min(shape[0], bottom + reach), min(shape[1], right + reach)
    ring = np.ones((outer[2] - outer[0], outer[3] - outer[1]), bool)
    ring[top - outer[0] : bottom - outer[0], left - outer[1] : right - outer[1]] = False
    if not ring.any():
        ring[:] = True
    return slices(outer), ring


def slices(area: Area) -> tuple[slice, slice]:
    """Return the rows and columns of an area."""
    return slice(area[0], area[2]), slice(area[1], area[3])


def meet(one: Area, other: Area) -> bool:
    """Whether two areas have pixels in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def centred(patch: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return a patch less its mean."""
    shifted: NDArray[np.float32] = (patch - patch.mean()).astype(np.float32)
    return shifted


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the correlation of two patches of one shape, −1 to 1."""
    first, second = one - one.mean(), other - other.mean()
    size = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / size if size > 0 else 0.0


def moved(area: Area, down: int, across: int) -> Area:
    """Return an area so many pixels further down and to the right."""
    return area[0] + down, area[1] + across, area[2] + down, area[3] + across


def outlined(patches: NDArray[Any], reach: int = REACH) -> Patch:
    """Return patches, `(…, rows, columns)`, less the mean of each pixel's surroundings.

    That is the square `reach` pixels to each side, as far as the patch goes.
    """
    *_, rows, columns = patches.shape
    totals = np.zeros((*patches.shape[:-2], rows + 1, columns + 1), np.float32)
    totals[..., 1:, 1:] = patches.cumsum(axis=-2, dtype=np.float32).cumsum(axis=-1)
    (top, bottom), (left, right) = (
        (np.maximum(0, np.arange(size) - reach), np.minimum(size, np.arange(size) + reach + 1))
        for size in (rows, columns)
    )
    down = totals[..., bottom, :] - totals[..., top, :]
    around = (down[..., right] - down[..., left]) / np.outer(bottom - top, right - left).astype(np.float32)
    less: Patch = patches - around
    return less


def resemble(patches: Patch, pattern: Patch) -> NDArray[np.float32]:
    """Return the correlation of each of the patches, `(n, rows, columns)`, with a pattern."""
    shifted, wanted = patches - patches.mean(axis=(1, 2), keepdims=True), pattern - pattern.mean()
    sizes = np.sqrt(np.einsum("nij,nij->n", shifted, shifted) * np.einsum("ij,ij->", wanted, wanted))
    products: NDArray[np.float32] = np.einsum("nij,ij->n", shifted, wanted)
    np.divide(products, sizes, out=products, where=sizes > 0)
    return products


def share(one: Area, other: Area) -> float:
    """Return the area that two have in common, by that of both together."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    if height <= 0 or width <= 0:
        return 0.0
    sizes = ((area[2] - area[0]) * (area[3] - area[1]) for area in (one, other))
    return height * width / (sum(sizes) - height * width)
