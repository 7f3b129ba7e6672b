"""The views of a frame that analysers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import luma

from postpipe.engine.stage import Look, View
from postpipe.model import Clip, Frame, Plane


@dataclass(frozen=True, slots=True)
class LumaMeasures:
    """What one pass over a frame's luma gives.

    `histogram`: counts per code value, shape `(2**bits,)`. `tile_means`: mean code value in an 8×8 grid
    over the frame, float64. `small`: the frame at one eighth, same type as the plane; valid until the next
    frame. `difference`: mean absolute difference to the previous frame in code values, `None` for the first.
    `bits`: bit depth.
    """

    histogram: NDArray[np.int64]
    tile_means: NDArray[np.float64]
    small: Plane
    difference: float | None
    bits: int


@dataclass(frozen=True)
class Luma(View[LumaMeasures]):
    """Histogram, tiles, difference and a small picture of luma, from one fused pass."""

    def start(self, clip: Clip) -> Callable[[Look], LumaMeasures]:
        """Return the function for one clip; it keeps the previous frame alive for the difference."""
        height, width = clip.picture.height, clip.picture.width
        bits = clip.picture.pixel_format.bits
        histogram = np.zeros(1 << bits, np.int64)
        tile_sums = np.zeros((8, 8), np.int64)
        small = np.zeros((-(-height // 8), -(-width // 8)), np.uint8 if bits == 8 else np.uint16)
        tile_pixels = luma.tile_pixels(height, width)
        previous: Frame | None = None

        def compute(look: Look) -> LumaMeasures:
            nonlocal previous
            plane = look.frame.planes[0]
            before = previous.planes[0] if previous is not None else None
            total = luma.measure_luma(plane, before, histogram, tile_sums, small)
            previous = look.frame
            difference = None if before is None else total / plane.size
            return LumaMeasures(histogram.copy(), tile_sums / tile_pixels, small, difference, bits)

        return compute


LUMA = Luma()
