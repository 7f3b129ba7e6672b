"""The plain NumPy twin of `double`."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from postpipe_kernels._planes import Plane
from postpipe_kernels.double import DIRECTIONS, ONE, SIDE, TAN, Bank

REACH = SIDE // 2


def edge_classes(plane: Plane, bank: Bank, bits: int) -> NDArray[np.int64]:
    """Return the class of each sample: the row of its filters in the bank."""
    wide = np.pad(plane.astype(np.int64), 1, "edge")
    across, down = wide[1:-1, 2:] - wide[1:-1, :-2], wide[2:, 1:-1] - wide[:-2, 1:-1]
    xx, yy, xy = (_gathered(product) for product in (across**2, down**2, across * down))
    limits, coherence, noise = bank.limits(bits)
    u, v = (xx - yy).astype(np.float32), (2 * xy).astype(np.float32)
    spread = (xx + yy).astype(np.float32) + noise
    coherent = u * u + v * v > coherence * (spread * spread)
    flat, steep = np.abs(v) <= TAN * np.abs(u), np.abs(u) <= TAN * np.abs(v)
    axis = np.where(flat, np.where(u >= 0, 0, 4), np.where(v > 0, 2, 6))
    slant = np.where(v > 0, np.where(u > 0, 1, 3), np.where(u < 0, 5, 7))
    strength = sum((xx + yy > limit).astype(np.int64) for limit in limits)
    classes: NDArray[np.int64] = (strength * 2 + coherent) * DIRECTIONS + np.where(flat | steep, axis, slant)
    return classes


def _gathered(product: NDArray[np.int64]) -> NDArray[np.int64]:
    for axis in (0, 1):
        wide = np.pad(product, [(REACH, REACH) if axis == n else (0, 0) for n in (0, 1)], "edge")
        length = product.shape[axis]
        product = sum((wide.take(range(n, n + length), axis) for n in range(1, SIDE)), wide.take(range(length), axis))
    return product


def patches(plane: Plane, y: NDArray[np.int64], x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the samples under the filters of samples, columns first: `(samples, SIDE * SIDE)`."""
    windows = sliding_window_view(np.pad(plane.astype(np.int64), REACH, "edge"), (SIDE, SIDE))
    return windows[y, x].swapaxes(1, 2).reshape(-1, SIDE * SIDE)


def double_plane(plane: Plane, out: Plane, bank: Bank, bits: int) -> None:
    """Write the plane at twice its size; see `double.double_plane`."""
    filters = bank.weights[edge_classes(plane, bank, bits).ravel()].astype(np.int64)
    under = patches(plane, *(axis.ravel() for axis in np.indices(plane.shape)))
    sums = np.einsum("npk,nk->np", filters, under)
    four = ((sums + ONE // 2) >> (ONE.bit_length() - 1)).clip(0, (1 << bits) - 1)
    for place in range(4):
        out[place // 2 :: 2, place % 2 :: 2] = four[:, place].reshape(plane.shape)
