"""How much footage flickers more than the clean one, and how far apart the two are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels.colour import KR_KB, code_scale
from postpipe_kernels.tiles import box_means

from benchmarks.faults import Footage

DARKEST = 0.03  # of white: tiles below count as this bright


def smooth(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Return the values blurred along time, edges repeated."""
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, sigma, axis=0, mode="nearest"))


def tiles_of(footage: Footage, kind: str) -> NDArray[np.float64]:
    """Return the logarithms of 8×8 tiles: luma, or R', G' and B' where temperature is the matter."""
    scale, zero = code_scale(footage.colour.range, 8)
    y, cb, cr = ((_tiles(p) - z) / s for p, z, s in zip(footage.planes, zero, scale, strict=True))
    if kind != "temperature":
        return np.log(np.maximum(y, DARKEST))[..., None]
    kr, kb = KR_KB[footage.colour.matrix]
    r, b = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return np.log(np.maximum(np.stack([r, g, b], -1), DARKEST))


def _tiles(plane: NDArray[np.uint8]) -> NDArray[np.float64]:
    box = plane.shape[1] // 8, plane.shape[2] // 8
    if max(box) > 64:  # in two steps
        small = [_boxes(frame, (box[0] // 8, box[1] // 8), (64, 64)) for frame in plane]
        return np.stack(small).reshape(-1, 8, 8, 8, 8).mean((2, 4), dtype=np.float64)
    return np.stack([_boxes(frame, box, (8, 8)) for frame in plane]).astype(np.float64)


def _boxes(frame: NDArray[np.uint8], box: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.float32]:
    out = np.empty(shape, np.float32)
    box_means(frame, box, out)
    return out


def flickers(footage: Footage, clean: Footage, kind: str) -> float:
    """Return the root mean square of what tiles do, faster than about half a second, that the clean ones do not."""
    ratio = tiles_of(footage, kind) - tiles_of(clean, kind)
    return float(np.sqrt(np.mean((ratio - smooth(ratio, 0.5 * footage.rate)) ** 2)))


def psnr(footage: Footage, clean: Footage) -> float:
    """Return the PSNR of luma in dB; 100 where all planes are equal."""
    if all(np.array_equal(a, b) for a, b in zip(footage.planes, clean.planes, strict=True)):
        return 100.0
    square = np.mean(
        [np.mean((a.astype(np.float32) - b) ** 2) for a, b in zip(footage.planes[0], clean.planes[0], strict=True)]
    )
    return float(min(99.0, 10 * np.log10(255**2 / max(float(square), 1e-9))))


def auc(positive: list[float], negative: list[float]) -> float:
    """Return how often a positive scores above a negative."""
    return float(np.mean([(p > n) + 0.5 * (p == n) for p in positive for n in negative]))
