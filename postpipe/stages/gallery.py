"""Small pictures of a clip's frames, and how unlike two of them are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import likeness

Reals = NDArray[np.float32] | NDArray[np.float64]

PIXELS = 576  # of a small picture's luma, about: 32 × 18 of a wide frame
BLOCK = 8  # side of the luma blocks that are looked for, in pixels of the small picture; half as much for chroma
REACH = 4  # how far they are looked for
COLOUR = 4.0  # weight of a chroma plane's mean square against luma's
GRAIN = 4.0  # variance, in code values squared, that is noise
FLAT = 0.5  # nine pixels in ten lie this close to the median of a picture of one colour, in code values,
FLAT_SHARE = 0.02  # or at this share of what they do in most of the clip
PLAIN = 3.0  # below this a picture has too little detail to be known by it: its colour decides


def small_size(height: int, width: int) -> tuple[int, int]:
    """Return height and width of the small pictures of a frame: even, pixels about square, none below 8."""
    columns = (PIXELS * width / height) ** 0.5
    return max(8, 2 * round(PIXELS / columns / 2)), max(8, 2 * round(columns / 2))


def area_weights(cells: int, length: int) -> NDArray[np.float32]:
    """Return the matrix, shape `(cells, length)`, that averages `length` samples into equal cells by overlap."""
    edges = np.arange(cells + 1)[:, None] * (length / cells)
    sample = np.arange(length)
    overlap = np.minimum(edges[1:], sample + 1) - np.maximum(edges[:-1], sample)
    weights: NDArray[np.float32] = (np.maximum(overlap, 0) * (cells / length)).astype(np.float32)
    return weights


@dataclass(frozen=True, slots=True)
class Unlikeness:
    """How two pictures differ, whatever moved a little and however the exposure changed.

    `structure`: the share of their luma's detail that the other does not show, 0 to 1. `residue`: what is left of the
    one when the other is moved and graded to match it, luma and chroma, RMS in code values.
    """

    structure: float
    residue: float


class Gallery:
    """The small pictures of a clip, compared with each other on demand.

    `luma`: uint8, shape `(frames, height, width)`; `chroma`: uint8, shape `(frames, 2, height / 2, width / 2)`.
    `flat`: which frames are of one colour.
    """

    def __init__(self, luma: NDArray[np.uint8], chroma: NDArray[np.uint8]) -> None:
        self.luma = luma
        self.chroma = chroma
        spread = np.maximum(_spread(luma[:, None]), _spread(chroma))
        usual = float(np.percentile(spread, 75))
        self.flat: NDArray[np.bool_] = spread < max(FLAT, FLAT_SHARE * usual)
        self._plain = spread < PLAIN
        self._level = luma.mean((1, 2))
        self._deviation = luma.std((1, 2))
        self._known: dict[tuple[int, int], Unlikeness] = {}

    def __len__(self) -> int:
        return len(self.luma)

    def unlike(self, first: int, second: int) -> Unlikeness:
        """Compare two frames."""
        if (first, second) not in self._known:
            self._known[first, second] = self._compare(first, second)
        return self._known[first, second]

    def _compare(self, first: int, second: int) -> Unlikeness:
        luma_a, luma_b = self.luma[first], self.luma[second]
        gain = float(np.clip((self._deviation[first] + 1) / (self._deviation[second] + 1), 0.25, 4))
        grade = gain, float(self._level[first] - gain * self._level[second])
        back = 1 / gain, -grade[1] / gain
        there = likeness.match_blocks(luma_a, luma_b, BLOCK, REACH, *grade, GRAIN)
        here = likeness.match_blocks(luma_b, luma_a, BLOCK, REACH, *back, GRAIN)
        detail, missing, residue = np.add(there, here) / 2
        colour = COLOUR * sum(
            likeness.match_blocks(a, b, BLOCK // 2, REACH // 2)[2]
            for a, b in zip(self.chroma[first], self.chroma[second], strict=True)
        )
        structure = float(missing / (detail + 1e-9))
        if self._plain[first] and self._plain[second]:
            structure = max(structure, colour / (colour + GRAIN))
        return Unlikeness(structure, float(residue + colour) ** 0.5)


def _spread(planes: NDArray[np.uint8]) -> Reals:
    """Return what nine pixels in ten differ from their plane's median at most, in code values, for each frame."""
    pixels = planes.reshape(*planes.shape[:2], -1).astype(np.float32)
    away = np.abs(pixels - np.median(pixels, axis=-1, keepdims=True))
    spread: Reals = np.percentile(away, 90, axis=-1).max(1)
    return spread
