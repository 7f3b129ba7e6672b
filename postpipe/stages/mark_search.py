"""Marks that stay while the picture moves, found in small pictures of a take.

Their edges add up over time, where those of a moving picture cancel out. On a picture that does not move, a mark cannot
be told from what is filmed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import overlay

from postpipe.stages.mark_areas import Area, Found, areas, at_border, centred, correlation, meet, ring_of, slices

LEAST_WIDTH = 0.045  # of the picture's longer side
EDGES = 40, 24, 12  # 8-bit code values: levels of a lasting edge,
LASTING = 0.6  # which keeps this share of what its parts add up to without regard to sign
DENSE, MANY = 0.15, 120  # share of the box, and number of pixels, that lasting edges have at least
ALONE = 0.3  # share of that density, at most, that is left around it
STRONG = 17.0  # code values: their mean
MOVING = 6.0  # code values that the picture around it changes by, within a second
# Share of height and of width: a mark that stays has its middle so near a corner; what lasts elsewhere is filmed.
CORNER = 0.3, 0.35
STILL = 3.0  # where it changes by less, nothing can be told
SEEN, MOSTLY = 0.4, 0.6  # correlation with a picture that shows it, and share of pictures that have to


def still_share(sums: overlay.EdgeSums, pictures: int) -> float:
    """Return the share of a picture that hardly changes within a second."""
    return float((sums.change / max(1, pictures) < STILL).mean())


def in_corner(area: Area, shape: tuple[int, ...]) -> bool:
    """Whether the middle of an area is near a corner, where generators put the marks that stay."""
    middle = (area[0] + area[2]) / 2 / shape[0], (area[1] + area[3]) / 2 / shape[1]
    return all(min(at, 1 - at) <= most for at, most in zip(middle, CORNER, strict=True))


def lasting(sums: overlay.EdgeSums, mean: NDArray[np.float32], pictures: int) -> list[Found]:
    """Return the marks that stay where they are over moving pictures; `mean` is the average of the pictures."""
    scale = 1 / max(1, pictures)
    strength = np.hypot(sums.across, sums.down) * scale
    # strength adds |across| and |down| up: at most √2 of the length of the two together
    edges = (strength >= EDGES[-1]) & (strength >= LASTING * np.sqrt(0.5) * 1.2 * scale * sums.strength)
    change = sums.change * scale
    steady, levels = edges.view(np.uint8), np.minimum(strength, 255).astype(np.uint8)
    found: list[Found] = []
    for level in EDGES:  # the strongest first: a mark near weaker edges of the scene is told by its own
        for area in areas(steady, levels, 1, level, LEAST_WIDTH * max(edges.shape)):
            if (
                not in_corner(area, edges.shape)
                or at_border(area, edges.shape)
                or any(meet(area, one.area) for one in found)
            ):
                continue
            around, ring = ring_of(area, edges.shape)
            there = edges[around] & (levels[around] >= level)
            inside = there[~ring]
            moving = float(np.median(change[around][ring]))
            if (
                inside.mean() < DENSE
                or inside.sum() < MANY
                or strength[around][~ring][inside].mean() < STRONG
                or there[ring].mean() > ALONE * inside.mean()
                or moving < MOVING
            ):
                continue
            sure = min(1.0, float(inside.mean()) / 0.3) * min(1.0, moving / 12)
            found.append(Found(area, 0, pictures - 1, 0.5 + 0.5 * sure, centred(mean[slices(area)])))
    return found


def seen_share(pictures: list[NDArray[np.uint8]], found: Found) -> float:
    """Return in which share of pictures a mark is seen: edges of one shot alone are not a mark of all."""
    likeness = (correlation(picture[slices(found.area)].astype(np.float32), found.pattern) for picture in pictures)
    return float(np.mean([like >= SEEN for like in likeness]))
