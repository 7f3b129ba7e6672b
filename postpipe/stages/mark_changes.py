"""What came and went in small pictures of a take, from the average of those before to that of those after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import overlay

from postpipe.stages.mark_areas import REACH, Area, Patch, areas, outlined, resemble, ring_of, share, slices

WINDOW = 8
"""Pictures before and after a change that are averaged."""
LEAST_WINDOW = 3
"""Fewer say nothing."""
HOP = 3
"""Pictures from one change that is looked at to the next."""

WIDTH, PIXELS_WIDE = 0.07, 16  # of a mark, at least: share of the shorter side, and pixels
PIXELS_HIGH = 8
LEVELS = 10, 20, 40  # 8-bit code values that strokes stand out by
PIXELS = 80  # of a patch that do so, at least
FILLED = 0.06, 0.9  # share of its box that does
CLEAR = 0.25  # share of that, at most, that is left around it
STROKES = 0.5  # edges for each pixel: letters rather than patches
SAME = 0.5  # of two patches' areas that they have in common: above, they are one that lasts
THERE, GONE = 0.5, 0.25  # median correlation with pictures that show it; by how much less, with those that do not
INVERSE = -0.35  # correlation with those, at least: below, the pattern is of what was there before


@dataclass(frozen=True, slots=True)
class ChangedPatch:
    """A patch that came (`sign` 1) or went (−1) around picture `at`: `mask` where, `change` by how much."""

    area: Area
    at: int
    sign: int
    mask: NDArray[np.bool_]
    change: NDArray[np.float32]
    strength: float


class Changes:
    """What came and went around every `HOP`th picture: `maps`, int8, by picture."""

    def __init__(self, pictures: NDArray[np.uint8]) -> None:
        self.pictures = pictures
        self.maps: dict[int, NDArray[np.int8]] = {}
        for at in range(LEAST_WINDOW, len(pictures) - LEAST_WINDOW, HOP):
            first, last = max(0, at - WINDOW), min(len(pictures), at + 1 + WINDOW)
            self.maps[at] = np.empty(pictures.shape[1:], np.int8)
            overlay.find_changes(pictures[first:last], at - first, REACH, self.maps[at])

    def of(self, at: int, sign: int, area: Area) -> Patch:
        """Return what came (sign 1) or went (−1) in an area."""
        return np.float32(sign) * self.maps[at][slices(area)].astype(np.float32)

    def shown(self, pattern: Patch, at: int, sign: int, area: Area) -> bool:
        """Whether the pictures on one side of a change show a pattern, and those on the other do not."""
        rows, columns = slices(area)
        before, after = self.pictures[max(0, at - WINDOW) : at], self.pictures[at + 1 : at + 1 + WINDOW]
        with_it, without = (
            float(np.median(resemble(outlined(part[:, rows, columns]), pattern)))
            for part in ((after, before) if sign > 0 else (before, after))
        )
        return with_it >= THERE and INVERSE <= without <= with_it - GONE


def changed_patches(changes: Changes) -> list[ChangedPatch]:
    """Return the patches of changes that can be marks, the strongest first, and each where it is strongest."""
    found = [
        patch
        for at, change in changes.maps.items()
        for sign in (1, -1)
        for patch in _patches_of((change > 0) == (sign > 0), np.abs(change).view(np.uint8), at, sign)
    ]
    found.sort(key=lambda patch: -patch.strength)
    kept: list[ChangedPatch] = []
    for patch in found:
        near = (one for one in kept if one.sign == patch.sign and 0 < abs(one.at - patch.at) <= WINDOW // 2)
        if not any(share(one.area, patch.area) > SAME for one in near):
            kept.append(patch)
    return kept


def _patches_of(side: NDArray[np.bool_], depth: NDArray[np.uint8], at: int, sign: int) -> Iterator[ChangedPatch]:
    """Yield the patches of one picture that came, or that went."""
    known = set()
    for level in LEVELS:
        for area in areas(side.view(np.uint8), depth, 1, level, max(WIDTH * min(depth.shape), PIXELS_WIDE)):
            if area in known or area[2] - area[0] < PIXELS_HIGH:
                continue
            known.add(area)
            around, ring = ring_of(area, depth.shape)
            there = side[around] & (depth[around] >= level)
            own = there[~ring].reshape(area[2] - area[0], area[3] - area[1])
            pixels = int(own.sum())
            if pixels < PIXELS or not FILLED[0] * own.size <= pixels <= FILLED[1] * own.size:
                continue
            edges = np.count_nonzero(own[1:] != own[:-1]) + np.count_nonzero(own[:, 1:] != own[:, :-1])
            if edges < STROKES * pixels or there[ring].mean() > CLEAR * own.mean():
                continue
            change = np.where(side[slices(area)], depth[slices(area)], -depth[slices(area)].astype(np.float32))
            yield ChangedPatch(area, at, sign, own, change.astype(np.float32), float(np.linalg.norm(change)))
