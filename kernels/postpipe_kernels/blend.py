"""Two planes laid over each other, as a dissolve does."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

import numpy as np

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import Plane, check_plane, check_writable, packed, packed_target, samples

ONE = 1 << 15
"""Weights are fixed point with this as 1: equal samples stay exactly as they are."""

_at = np.uint64


def blend_planes(under: Plane, over: Plane, weight: float, out: Plane) -> None:
    """Write `(1 - weight) * under + weight * over` to `out`, rounded half up; `out` may be either of them.

    All three have one shape and type, uint8 or uint16, and any strides; `weight` is from 0 to 1, kept to 15 bits.
    Raises `ValueError` when a shape, type or the weight does not fit.
    """
    check_plane(under, "under")
    for plane, what in ((over, "over"), (out, "out")):
        check_plane(plane, what, like=under)
        if plane.dtype != under.dtype:
            raise ValueError(f"{what} is {plane.dtype}, under {under.dtype}")
    check_writable(out, "out")
    if not 0 <= weight <= 1:
        raise ValueError(f"weight is {weight}, not from 0 to 1")
    target = packed_target(out)
    height, width = under.shape
    _blend(*samples(packed(under)), *samples(packed(over)), fixed(weight), height, width, *samples(target, True))
    if target is not out:
        out[...] = target


def fixed(weight: float) -> np.uint32:
    """Return a weight as kernels take it."""
    return np.uint32(round(weight * ONE))


@kernel
def _blend(under, under_pitch, over, over_pitch, weight, height, width, out, out_pitch):
    rest = np.uint32(ONE) - weight
    half = np.uint32(ONE // 2)
    shift = np.uint32(15)
    for y in range(height):
        a, b, c = _at(y * under_pitch), _at(y * over_pitch), _at(y * out_pitch)
        for x in range(_at(width)):
            sum_ = np.uint32(np.uint32(under[a + x]) * rest + np.uint32(over[b + x]) * weight)
            out[c + x] = np.uint32(np.uint32(sum_ + half) >> shift)
