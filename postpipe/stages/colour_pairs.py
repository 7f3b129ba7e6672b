"""Colours of the same things in two clips: found by registering their stills, or where one goes on beyond the other.

Registration is by SIFT (Lowe, IJCV 60, 2004) with the square root of its descriptors (Arandjelović and Zisserman,
CVPR 2012) and a homography (MAGSAC++, Barath et al., CVPR 2020). Inside what overlaps, only colours count whose
surroundings look alike (normalised cross-correlation of luma), or are smooth in both. Whatever moved in between is
left to the robust fit.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe.stages.colour_fit import Transform

Reals = NDArray[np.float64]
Picture = NDArray[np.float32]

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
FEATURES = 500
SCOUTS = 150  # corners by which pictures are sorted out that have nothing in common
SCOUTED = 15  # matches of these below which they have nothing in common
RATIO = 0.85  # a match is this much nearer than the next best
INLIERS = 12  # fewer matches on one homography happen by chance
ALIKE = 0.8  # correlation of luma around a colour that is the same thing in both
SMOOTH = 0.0065  # standard deviation of luma below which there is nothing to correlate
STEEP = 0.03  # difference per pixel above which a colour is not that of one thing
SHARE = 0.25  # of the overlap that has to be usable, or the registration is not believed


@dataclass(frozen=True)
class Still:
    """One small picture: R'G'B' in 8 bits, uint8 `(height, width, 3)`. Only its features are kept besides."""

    picture: NDArray[np.uint8]

    @property
    def rgb(self) -> Picture:
        """R'G'B' from 0 to 1, float32 `(height, width, 3)`."""
        return self.picture.astype(np.float32) / np.float32(255)

    @property
    def luma(self) -> Picture:
        """Luma, stretched from its first to its last percentile, so that a grade hardly shows."""
        luma = self.rgb @ LUMA
        low, high = np.percentile(luma, (1, 99))
        stretched: Picture = np.clip((luma - low) / max(high - low, 0.02), 0.0, 1.0).astype(np.float32)
        return stretched

    @cached_property
    def features(self) -> tuple[Picture, Picture, Picture]:
        """Where there are corners, `(n, 2)` in pixels, what they look like, `(n, 128)` of unit length, how strong."""
        cv2: Any = import_module("cv2")
        found, what = cv2.SIFT_create(FEATURES, contrastThreshold=0.02).detectAndCompute(
            (self.luma * 255).astype(np.uint8), None
        )
        if what is None:
            return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32), np.zeros(0, np.float32)
        where = np.array([point.pt for point in found], np.float32)
        strength = np.array([point.response for point in found], np.float32)
        return where, np.sqrt(what / np.maximum(what.sum(axis=1, keepdims=True), 1.0)), strength

    @cached_property
    def strongest(self) -> Picture:
        """What the strongest corners look like."""
        _, what, strength = self.features
        return what[np.sort(np.argsort(-strength, kind="stable")[:SCOUTS])]


@dataclass(frozen=True)
class Pairs:
    """Colours of the same things: `source` and `target`, `(n, 3)` of R'G'B'; `region` `(n,)`: where in the picture.

    `share`: of what two stills both show, how much could be used; or how alike the edges are that meet.
    """

    source: Reals
    target: Reals
    region: NDArray[np.intp]
    share: float

    def towards(self, transform: Transform) -> Pairs:
        """Return the pairs with the `transform`ed target: where that clip goes over to a third."""
        return replace(self, target=transform.apply(self.target))

    def part(self, chosen: NDArray[np.bool_]) -> Pairs:
        """Return some of the pairs."""
        return Pairs(self.source[chosen], self.target[chosen], self.region[chosen], self.share)


def related(source: Sequence[Still], target: Sequence[Still]) -> bool:
    """Return whether some stills of both may show the same, by few stills and corners: before all are compared."""
    ours, theirs = (stills[1::3] or stills for stills in (source, target))
    return any(len(_matches(one.strongest, other.strongest)[0]) >= SCOUTED for one in ours for other in theirs)


def overlap(source: Sequence[Still], target: Sequence[Still]) -> list[Pairs]:
    """Return the pairs of each still of `source` with the still of `target` that it registers with best."""
    found = []
    for still in source:
        tries = [(_matches(still.features[1], other.features[1]), other) for other in target]
        tries.sort(key=lambda one: -len(one[0][0]))
        best: tuple[int, NDArray[np.float64], Still] | None = None
        for (ours, theirs), other in tries[:2]:
            homography, inliers = _homography(other.features[0][theirs], still.features[0][ours])
            if homography is not None and inliers >= INLIERS and (best is None or inliers > best[0]):
                best = inliers, homography, other
        if best is not None:
            pairs = _laid_over(still, best[2], best[1])
            if pairs.share >= SHARE and len(pairs.source) >= 60:
                found.append(pairs)
    return found


def _matches(ours: Picture, theirs: Picture) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of features that are each other's best match by far."""
    if min(len(ours), len(theirs)) < INLIERS:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    likeness = ours @ theirs.T
    rows = np.arange(len(ours))
    best, back = likeness.argmax(axis=1), likeness.argmax(axis=0)
    distance = 2.0 - 2.0 * likeness[rows, best]
    likeness[rows, best] = -1.0
    second = 2.0 - 2.0 * likeness.max(axis=1)
    good = np.flatnonzero((back[best] == rows) & (distance < RATIO**2 * second))
    return good, best[good]


def _homography(origin: Picture, goal: Picture) -> tuple[NDArray[np.float64] | None, int]:
    cv2: Any = import_module("cv2")
    if len(origin) < INLIERS:
        return None, 0
    homography, inliers = cv2.findHomography(origin, goal, cv2.USAC_MAGSAC, 3.0, maxIters=2000, confidence=0.999)
    if homography is None:
        return None, 0
    area = np.linalg.det(homography[:2, :2])
    if not 1 / 16 < area < 16 or np.abs(homography[2, :2]).max() > 2e-3:  # no camera move does that
        return None, 0
    return homography, int(inliers.sum())


def _laid_over(still: Still, other: Still, homography: NDArray[np.float64]) -> Pairs:
    cv2: Any = import_module("cv2")
    height, width = still.picture.shape[:2]
    warped = cv2.warpPerspective(other.rgb, homography, (width, height), borderValue=(-1.0, -1.0, -1.0))
    inside = cv2.erode((warped.min(axis=2) >= 0).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    ours, theirs = (cv2.GaussianBlur(picture, (0, 0), 1.5) for picture in (still.rgb, warped))
    likeness, smooth = _likeness(ours @ LUMA, theirs @ LUMA)
    steep = np.maximum(_steepness(ours), _steepness(theirs))
    usable = inside & ((likeness > ALIKE) | smooth) & (steep < STEEP)
    rows, columns = np.mgrid[1:height:3, 1:width:3]
    shown, chosen = inside[1::3, 1::3], usable[1::3, 1::3]
    rows, columns = rows[chosen], columns[chosen]
    return Pairs(
        source=ours[rows, columns].astype(np.float64),
        target=theirs[rows, columns].astype(np.float64),
        region=(2 * rows // height) * 2 + 2 * columns // width,
        share=float(chosen.sum() / max(shown.sum(), 1)),
    )


def _likeness(one: Picture, other: Picture) -> tuple[Picture, NDArray[np.bool_]]:
    """Return the normalised cross-correlation around each pixel, and whether both are smooth there."""
    cv2: Any = import_module("cv2")

    def mean(values: Picture) -> Picture:
        blurred: Picture = cv2.boxFilter(values, -1, (15, 15))
        return blurred

    first, second = mean(one), mean(other)
    spread = np.maximum(mean(one * one) - first * first, 0.0), np.maximum(mean(other * other) - second * second, 0.0)
    likeness = (mean(one * other) - first * second) / np.sqrt(spread[0] * spread[1] + 1e-8)
    even: NDArray[np.bool_] = (spread[0] < SMOOTH**2) & (spread[1] < SMOOTH**2)
    return likeness.astype(np.float32), even


def _steepness(rgb: Picture) -> Picture:
    cv2: Any = import_module("cv2")
    along, down = (cv2.Sobel(rgb, cv2.CV_32F, dx, dy, scale=1 / 8) for dx, dy in ((1, 0), (0, 1)))
    steepest: Picture = (np.abs(along) + np.abs(down)).max(axis=2)
    return steepest


# Pictures that go on where the other ends

EDGES = (("left", "right"), ("right", "left"), ("top", "bottom"), ("bottom", "top"))
CONTINUES = 0.72  # correlation of the detail along two edges that meet
DEPTH = 2  # pixels of each edge


def adjoining(source: Sequence[Still], target: Sequence[Still]) -> list[Pairs]:
    """Return the pairs along an edge where stills of the two clips meet, as crops of one picture do.

    The detail along both edges has to agree far beyond chance (see `CONTINUES`).
    """
    meetings = []
    for ours, theirs in EDGES:
        first = [_detail(_edge(still, ours, 0)) for still in source]
        second = [_detail(_edge(still, theirs, 0)) for still in target]
        meetings += [
            (float(one @ other), i, j, ours, theirs)
            for (i, one), (j, other) in itertools.product(enumerate(first), enumerate(second))
            if len(one) == len(other)
        ]
    meetings.sort(key=lambda meeting: -meeting[0])
    if not meetings or meetings[0][0] < CONTINUES:
        return []
    best, sides = meetings[0][0], meetings[0][3:]
    along = [m for m in meetings if m[3:] == sides and m[0] >= max(CONTINUES - 0.1, best - 0.15)][:6]
    return [_met(source[i], target[j], ours, theirs, likeness) for likeness, i, j, ours, theirs in along]


def _edge(still: Still, side: str, depth: int) -> Picture:
    """Return the mean colours `(n, 3)` of a strip along one side, `depth` pixels inside."""
    rgb = still.rgb
    rgb = rgb if side in ("top", "bottom") else rgb.swapaxes(0, 1)
    from_there = rgb if side in ("top", "left") else rgb[::-1]
    strip: Picture = from_there[depth : depth + DEPTH].mean(axis=0)
    return strip


def _detail(edge: Picture) -> Picture:
    """Return the fine detail along an edge, its outliers held back, as a vector of unit length."""
    cv2: Any = import_module("cv2")
    fine = edge - cv2.GaussianBlur(edge, (1, 0), sigmaX=1e-6, sigmaY=5.0)
    fine = fine[len(fine) // 40 + 1 : -(len(fine) // 40) - 1]
    spread = 1.4826 * np.median(np.abs(fine - np.median(fine, axis=0))) + 0.004
    held = np.tanh(fine / (3.0 * spread)).ravel()
    held = held - held.mean()
    unit: Picture = held / max(float(np.linalg.norm(held)), 1e-6)
    return unit


def _met(still: Still, other: Still, ours: str, theirs: str, likeness: float) -> Pairs:
    cv2: Any = import_module("cv2")

    def along(of: Still, side: str, depth: int) -> Picture:
        blurred: Picture = cv2.GaussianBlur(_edge(of, side, depth), (1, 0), sigmaX=1e-6, sigmaY=1.5)
        return blurred

    source, target = along(still, ours, 0), along(other, theirs, 0)
    even = np.maximum(
        np.abs(source - along(still, ours, DEPTH)).max(axis=1), np.abs(target - along(other, theirs, DEPTH)).max(axis=1)
    )
    chosen = np.flatnonzero(even < 0.02)
    return Pairs(
        source=source[chosen].astype(np.float64),
        target=target[chosen].astype(np.float64),
        region=4 * chosen // len(even),
        share=likeness,
    )
