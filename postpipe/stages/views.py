"""The views of a frame that analysers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import luma, shrink, tiles

from postpipe.engine.stage import Look, View
from postpipe.model import Clip, Frame, Plane

SMALL_EDGE = 96
"""Pixels that the long edge of a small picture has at least, if the frame has them."""

COUNTED_ROWS = 270
"""Rows that a histogram counts at least, if the frame has them: counting costs more than all else of the pass."""


@dataclass(frozen=True, slots=True)
class LumaMeasures:
    """What one pass over a frame's luma gives.

    `histogram`: uint32, pixels of each code value, shape `(2**bits,)`, on rows spread over the frame.
    `tile_means`: mean code value in an 8×8 grid over the frame, float64. `small`: the frame at one eighth, same
    type as the plane, and `block_sums`, uint16, the sums of the blocks whose means it has. `histogram`, `small` and
    `block_sums` are valid until the next frame. `difference`: mean absolute difference to the previous frame in code
    values, `None` for the first. `bits`: bit depth.
    """

    histogram: NDArray[np.uint32]
    tile_means: NDArray[np.float64]
    small: Plane
    block_sums: NDArray[np.uint16]
    difference: float | None
    bits: int


@dataclass(frozen=True)
class Luma(View[LumaMeasures]):
    """Histogram, tiles, difference and a small picture of luma, from one fused pass."""

    def start(self, clip: Clip) -> Callable[[Look], LumaMeasures]:
        """Return the function for one clip; it keeps the previous frame alive for the difference."""
        height, width = clip.picture.height, clip.picture.width
        bits = clip.picture.pixel_format.bits
        histogram, tile_sums, small, block_sums = luma.empty_measures(height, width, bits)
        every = max(1, height // COUNTED_ROWS)
        tile_pixels = np.outer(np.diff(luma.tile_edges(height)), np.diff(luma.tile_edges(width)))
        previous: Frame | None = None

        def compute(look: Look) -> LumaMeasures:
            nonlocal previous
            plane = look.frame.planes[0]
            before = previous.planes[0] if previous is not None else None
            total = luma.measure_luma(plane, before, bits, histogram, tile_sums, small, block_sums, every)
            previous = look.frame
            means = np.full((8, 8), tile_sums.sum() / plane.size)  # what a tile without pixels shows
            np.divide(tile_sums, tile_pixels, out=means, where=tile_pixels > 0)
            difference = None if total is None else total / plane.size
            return LumaMeasures(histogram, means, small, block_sums, difference, bits)

        return compute


LUMA = Luma()


@dataclass(frozen=True, slots=True)
class SmallChroma:
    """Cb and Cr at one eighth of the picture, on the grid of `LumaMeasures.small`; valid until the next frame.

    `blue_sums`, `red_sums`: uint16, the sums of the `samples` of the blocks whose means `blue` and `red` have.
    """

    blue: Plane
    red: Plane
    blue_sums: NDArray[np.uint16]
    red_sums: NDArray[np.uint16]
    samples: int


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
                blue_means, blue_sums = shrink.empty_small(blue, *block)
                red_means, red_sums = shrink.empty_small(red, *block)
                small = SmallChroma(blue_means, red_means, blue_sums, red_sums, block[0] * block[1])
            shrink.shrink_plane(blue, *block, small.blue, small.blue_sums)
            shrink.shrink_plane(red, *block, small.red, small.red_sums)
            return small

        return compute


CHROMA = Chroma()


@dataclass(frozen=True, slots=True)
class SmallPicture:
    """A frame at about a hundred pixels: means of square boxes in code values, float32, all of one shape.

    `luma`, `blue`, `red`: Y', Cb, Cr. Valid until the next frame.
    """

    luma: NDArray[np.float32]
    blue: NDArray[np.float32]
    red: NDArray[np.float32]


@dataclass(frozen=True)
class Small(View[SmallPicture]):
    """The frame in boxes of a power of two pixels, so large that the long edge has 96 to 191 of them."""

    needs: ClassVar = (LUMA, CHROMA)

    def start(self, clip: Clip) -> Callable[[Look], SmallPicture]:
        """Return the function for one clip."""
        picture = clip.picture
        shortest = min(picture.width, picture.height)
        box = 1
        while max(picture.width, picture.height) // (2 * box) >= SMALL_EDGE and 2 * box <= shortest:
            box *= 2
        box = min(box, tiles.MOST_BOX)
        rows, columns = picture.height // box, picture.width // box
        layout = picture.pixel_format
        small = SmallPicture(*(np.empty((rows, columns), np.float32) for _ in range(3)))

        def from_blocks(look: Look) -> SmallPicture:
            measures, chroma = look[LUMA], look[CHROMA]
            side = box // luma.BLOCK
            _average_blocks(measures.block_sums, side, luma.BLOCK**2, small.luma)
            _average_blocks(chroma.blue_sums, side, chroma.samples, small.blue)
            _average_blocks(chroma.red_sums, side, chroma.samples, small.red)
            return small

        def from_planes(look: Look) -> SmallPicture:
            y, *chroma = look.frame.planes
            tiles.box_means(y, (box, box), small.luma)
            chroma_box = box >> layout.chroma_shift_y, box >> layout.chroma_shift_x
            for plane, out in zip(chroma, (small.blue, small.red), strict=True):
                if min(chroma_box) > 0:
                    tiles.box_means(plane, chroma_box, out)
                else:  # a picture so small that it is taken as it is
                    wide = np.repeat(plane, 1 << layout.chroma_shift_y, axis=0)[:rows]
                    out[...] = np.repeat(wide, 1 << layout.chroma_shift_x, axis=1)[:, :columns]
            return small

        return from_blocks if box >= luma.BLOCK else from_planes


def _average_blocks(block_sums: NDArray[np.uint16], side: int, samples: int, out: NDArray[np.float32]) -> None:
    """Fill `out` with the means of squares of blocks, `side` (1, 2, 4 or 8) a side, each a sum of `samples`."""
    sums = block_sums[: out.shape[0] * side, : out.shape[1] * side].astype(np.float32)
    scale = 1 / (samples * side * side)
    while side > 1:
        sums = sums[::2] + sums[1::2]
        sums = sums[:, ::2] + sums[:, 1::2]
        side //= 2
    np.multiply(sums, scale, out=out)


SMALL = Small()
