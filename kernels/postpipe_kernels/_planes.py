"""Planes as the kernels want them: one contiguous run of samples and a pitch.

A plane that libav decoded has rows of neighbouring samples with padding between them. To numba such a 2-D
array has layout 'A', whose inner stride is unknown, and no loop over it becomes SIMD. So a kernel gets the
memory from the first to the last sample as a 1-D contiguous array, and walks it with the pitch. One signature
then serves frames from libav, NumPy arrays and crops alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Plane = NDArray[np.uint8] | NDArray[np.uint16]

_ALIGNMENT = 8
"""Bytes: kernels read several samples as one word of up to this size."""

_PADDING = 64
"""Bytes: pitch of copied planes, a cache line."""


def check_plane(plane: NDArray[Any], what: str, like: NDArray[Any] | None = None) -> None:
    """Raise `ValueError` unless `plane` is 2-D, uint8 or uint16, not empty, and shaped as `like` (if given)."""
    if plane.ndim != 2 or plane.dtype not in (np.uint8, np.uint16) or plane.size == 0:
        raise ValueError(f"{what} must be a 2-D plane of uint8 or uint16, not {plane.dtype} {plane.shape}")
    if like is not None and plane.shape != like.shape:
        raise ValueError(f"{what} has shape {plane.shape}, expected {like.shape}")


def check_bits(plane: NDArray[Any], bits: int) -> None:
    """Raise `ValueError` unless `bits` is 8 for uint8 or 9 to 10 for uint16."""
    if (bits != 8) if plane.dtype == np.uint8 else (bits not in (9, 10)):
        raise ValueError(f"{plane.dtype} planes cannot have {bits} bits per sample")


def check_writable(plane: NDArray[Any], what: str) -> None:
    """Raise `ValueError` when `plane` is read-only."""
    if not plane.flags.writeable:
        raise ValueError(f"{what} is read-only")


def is_packed(plane: NDArray[Any]) -> bool:
    """Return whether kernels can walk `plane` where it is: rows of neighbours, every row aligned."""
    row, sample = plane.strides
    return bool(
        sample == plane.itemsize
        and row >= plane.shape[1] * sample
        and row % _ALIGNMENT == 0
        and plane.__array_interface__["data"][0] % _ALIGNMENT == 0
    )


def empty_plane(height: int, width: int, dtype: Any) -> NDArray[Any]:
    """Return a new plane with padded rows, as kernels (and libav) like them; its samples are undefined."""
    itemsize = np.dtype(dtype).itemsize
    pitch = -(-width * itemsize // _PADDING) * _PADDING // itemsize
    return np.empty((height, pitch), dtype)[:, :width]


def packed(plane: NDArray[Any]) -> NDArray[Any]:
    """Return `plane`, or a packed copy of it where its strides are unfit (rotated, flipped, odd views)."""
    if is_packed(plane):
        return plane
    copy = empty_plane(plane.shape[0], plane.shape[1], plane.dtype)
    copy[...] = plane
    return copy


def packed_target(out: NDArray[Any]) -> NDArray[Any]:
    """Return `out`, or a packed plane to work in where its strides are unfit; then copy that to `out`."""
    return out if is_packed(out) else empty_plane(out.shape[0], out.shape[1], out.dtype)


def samples(plane: NDArray[Any], writable: bool = False) -> tuple[NDArray[Any], int]:
    """Return a packed plane as `(memory, pitch)`: row `y` starts at sample `y * pitch` of the 1-D memory."""
    pitch = plane.strides[0] // plane.itemsize
    length = (plane.shape[0] - 1) * pitch + plane.shape[1]
    return as_strided(plane, (length,), (plane.itemsize,), writeable=writable), pitch
