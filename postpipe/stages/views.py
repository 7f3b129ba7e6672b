"""The views of a frame that analysers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import luma, shrink

from postpipe.engine.stage import Look, View
from postpipe.model import Clip, Frame, Plane


@dataclass(frozen=True, slots=True)
class LumaMeasures:
    """What one pass over a frame's luma gives.

    `histogram`: uint32, counts per code value, shape `(2**bits,)`. `tile_means`: mean code value in an 8×8
    grid over the frame, float64. `small`: the frame at one eighth, same type as the plane. `histogram` and
    `small` are valid until the next frame. `difference`: mean absolute difference to the previous frame in
    code values, `None` for the first. `bits`: bit depth.
    """

    histogram: NDArray[np.uint32]
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
        histogram, tile_sums, small = luma.empty_measures(height, width, bits)
        tile_pixels = np.outer(np.diff(luma.tile_edges(height)), np.diff(luma.tile_edges(width)))
        previous: Frame | None = None

        def compute(look: Look) -> LumaMeasures:
            nonlocal previous
            plane = look.frame.planes[0]
            before = previous.planes[0] if previous is not None else None
            total = luma.measure_luma(plane, before, bits, histogram, tile_sums, small)
            previous = look.frame
            means = np.full((8, 8), tile_sums.sum() / plane.size)  # what a tile without pixels shows
            np.divide(tile_sums, tile_pixels, out=means, where=tile_pixels > 0)
            difference = None if total is None else total / plane.size
            return LumaMeasures(histogram, means, small, difference, bits)

        return compute


LUMA = Luma()


@dataclass(frozen=True, slots=True)
class SmallChroma:
    """Cb and Cr at one eighth of the picture, on the grid of `LumaMeasures.small`; valid until the next frame."""

    blue: Plane
    red: Plane


@dataclass(frozen=True)
class Chroma(View[SmallChroma]):
    """Small pictures of Cb and Cr: the companions of luma's."""

    def start(self, clip: Clip) -> Callable[[Look], SmallChroma]:
        """Return the function for one clip."""
        form = clip.picture.pixel_format
        block = shrink.chroma_block(form.chroma_shift_x, form.chroma_shift_y)
        small: SmallChroma | None = None

        def compute(look: Look) -> SmallChroma:
            nonlocal small
            _, blue, red = look.frame.planes
            if small is None:
                small = SmallChroma(shrink.empty_small(blue, *block), shrink.empty_small(red, *block))
            shrink.shrink_plane(blue, *block, small.blue)
            shrink.shrink_plane(red, *block, small.red)
            return small

        return compute


CHROMA = Chroma()
