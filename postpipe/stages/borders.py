"""Black bars around the picture: letterbox, pillarbox, or at one side alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from postpipe.model import Plane

BAR_MEAN = 3.0  # 8-bit code values above black: the mean of a line of a bar is darker,
BAR_LARGEST = 24.0  # and so is all of it, with the ringing of its edge
LIT = 16.0  # beyond the bar, picture is brighter than this
LIT_SHARE = 0.65  # over this share of the line, in some frame: a dark corner is no bar
TWIN_SHARE = 0.3  # this share will do where the bar at the other side has the same width
TWIN = 2  # pixels, within
LEAST = 8, 0.01  # a bar is at least so many pixels wide (a block of the small picture), and this share of the picture
INSET = 3  # lines from the bar to where the picture is surely itself

SIDES = ("left", "top", "right", "bottom")


@dataclass
class BarFinder:
    """Follows how far each side of the picture stays black; `black` is the code value, `scale` 1 for 8 bits."""

    black: float
    scale: float
    width: list[int | None] = field(default_factory=lambda: [None] * 4)
    lit: list[float] = field(default_factory=lambda: [0.0] * 4)

    def look(self, luma: Plane, small: Plane) -> None:
        """Take in a frame; `small` is its 1/8 picture, by which most frames are found to have no bars at once."""
        limit = self.black + (BAR_MEAN + 1) * self.scale
        edges = small[:, 0], small[0], small[:, -1], small[-1]
        for side, edge in enumerate(edges):
            if self.width[side] == 0:
                continue
            if edge.mean() > limit:
                self.width[side] = 0
                continue
            lines = np.moveaxis(luma, 1, 0) if side % 2 == 0 else luma
            self._measure(side, lines[::-1] if side > 1 else lines)

    def _measure(self, side: int, lines: NDArray[np.generic]) -> None:
        """Find how many of the first lines are black, reading no more of them than needed."""
        known = self.width[side]
        end = len(lines) if known is None else known
        count = 0
        while count < end:
            block = lines[count : min(end, count + 32)].astype(np.float32) - np.float32(self.black)
            dark = (block.mean(axis=1) <= BAR_MEAN * self.scale) & (block.max(axis=1) <= BAR_LARGEST * self.scale)
            run = int(np.argmin(dark)) if not dark.all() else len(dark)
            count += run
            if run < len(dark):
                break
        if known is None or count < known:
            self.width[side], self.lit[side] = count, 0.0
        if count == self.width[side] and count + INSET < len(lines):
            inside = lines[count + INSET].astype(np.float32) - np.float32(self.black)
            self.lit[side] = max(self.lit[side], float((inside > LIT * self.scale).mean()))

    def bars(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return the width in pixels of the bars at the left, top, right and bottom; 0 where there is none."""
        found = [0, 0, 0, 0]
        for side, length in enumerate((width, height, width, height)):
            bar, other = self.width[side] or 0, self.width[side ^ 2] or 0
            twin = abs(bar - other) <= TWIN and self.lit[side ^ 2] >= LIT_SHARE
            lit = self.lit[side] >= (TWIN_SHARE if twin else LIT_SHARE)
            if bar >= max(LEAST[0], LEAST[1] * length) and bar < length and lit:
                found[side] = bar
        return found[0], found[1], found[2], found[3]
