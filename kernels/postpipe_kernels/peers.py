"""The same work done with OpenCV, as well as it can be told to: what the benchmark compares kernels to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels.colour import Planes
from postpipe_kernels.double import Bank
from postpipe_kernels.resize import Taps


def measure_luma(
    luma: Any, previous: Any, bits: int, histogram: Any, tile_sums: Any, small: NDArray[Any], block_sums: Any
) -> None:
    """Histogram, both reductions by area, and the L1 norm: four calls, four passes."""
    import cv2

    cv2.calcHist([luma], [0], None, [1 << bits], [0, 1 << bits])
    cv2.resize(luma, small.shape[::-1], dst=small, interpolation=cv2.INTER_AREA)
    cv2.resize(luma, (8, 8), interpolation=cv2.INTER_AREA)
    cv2.norm(luma, previous, cv2.NORM_L1)


def shrink_plane(plane: Any, rows: int, columns: int, out: NDArray[Any], block_sums: Any) -> None:
    """`cv2.resize` by area, exact where the blocks fit."""
    import cv2

    cv2.resize(plane, out.shape[::-1], dst=out, interpolation=cv2.INTER_AREA)


def apply_curve(luma: Any, curve: NDArray[Any], out: Any) -> None:
    """`cv2.LUT`, which wants a table for every value of the type."""
    import cv2

    entries = 1 << 8 * luma.itemsize
    table = curve if curve.size == entries else np.pad(curve, (0, entries - curve.size), "edge")
    cv2.LUT(luma, table, dst=out)


def blend_planes(under: Any, over: Any, weight: float, out: NDArray[Any]) -> None:
    """`cv2.addWeighted`."""
    import cv2

    cv2.addWeighted(under, 1 - weight, over, weight, 0, dst=out)


def convert_ycbcr(
    planes: Planes, bits: int, matrix: NDArray[Any], offset: NDArray[Any], out: Planes, out_bits: int
) -> None:
    """Chroma enlarged and interleaved with luma for one `cv2.transform`, and another one for chroma alone."""
    import cv2

    luma, blue, red = planes
    rows = np.column_stack([matrix, offset])
    size = luma.shape[::-1]
    wide = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in (blue, red)]
    results = [cv2.transform(cv2.merge([luma, *wide]), rows[:1])]
    results += cv2.split(cv2.transform(cv2.merge([blue, red]), rows[1:, 1:]))
    for result, target in zip(results, out, strict=True):
        np.minimum(result, (1 << out_bits) - 1, out=target)


def convert_range(
    planes: Planes, bits: int, matrix: NDArray[Any], offset: NDArray[Any], out: Planes, out_bits: int
) -> None:
    """One `cv2.transform` per plane, as none depends on another."""
    import cv2

    for index, (plane, target) in enumerate(zip(planes, out, strict=True)):
        cv2.transform(plane, np.array([[matrix[index, index], offset[index]]]), dst=target)


def resize_lanczos4(plane: Any, out: NDArray[Any], x_taps: Taps, y_taps: Taps) -> None:
    """`cv2.resize`, Lanczos over 8x8."""
    import cv2

    cv2.resize(plane, out.shape[::-1], dst=out, interpolation=cv2.INTER_LANCZOS4)


def double_lanczos4(plane: Any, out: NDArray[Any], bank: Bank, bits: int) -> None:
    """`cv2.resize`, Lanczos over 8x8."""
    import cv2

    cv2.resize(plane, out.shape[::-1], dst=out, interpolation=cv2.INTER_LANCZOS4)


def resize_cubic(plane: Any, out: NDArray[Any], x_taps: Taps, y_taps: Taps) -> None:
    """`cv2.resize`, bicubic."""
    import cv2

    cv2.resize(plane, out.shape[::-1], dst=out, interpolation=cv2.INTER_CUBIC)


def resize_area(plane: Any, out: NDArray[Any], x_taps: Taps, y_taps: Taps) -> None:
    """`cv2.resize`, by area."""
    import cv2

    cv2.resize(plane, out.shape[::-1], dst=out, interpolation=cv2.INTER_AREA)
