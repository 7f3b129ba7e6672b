"""Resampling of planes: separable filters at any scale and phase, so that chroma stays where it is sited."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import (
    Plane,
    check_bits,
    check_plane,
    check_writable,
    packed,
    packed_target,
    samples,
)

_at = np.uint64
_f32 = np.float32

_QUANTUM = 1 << 16
_ROWS = 32
"""Source rows that are filtered along x together, one SIMD lane each."""

_COLUMNS = 128
"""Target columns that are filtered along x before they are written, and bits of rows summed along y: they
and what they need stay in the first-level cache."""


@dataclass(frozen=True, slots=True)
class Taps:
    """How each target sample of one axis is weighted from source samples.

    Target sample `i` is the sum over `k` of `weights[i, k]` x source sample `first[i] + k`. `first` is int32
    `(n,)`, rising; `weights` float32 `(n, taps)`, multiples of 1/65536 that sum to exactly 1, zero where a
    source has fewer samples than there are taps. `source_length` is in samples.
    """

    first: NDArray[np.int32]
    weights: NDArray[np.float32]
    source_length: int


def _lanczos3(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 3.0, np.sinc(x) * np.sinc(x / 3.0), 0.0)


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _bilinear(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(0.0, 1.0 - np.abs(x))


FILTERS: dict[str, tuple[float, Callable[[NDArray[np.float64]], NDArray[np.float64]]]] = {
    "lanczos3": (3.0, _lanczos3),
    "bicubic": (2.0, _bicubic),
    "bilinear": (1.0, _bilinear),
}
"""Radius in samples, and function. lanczos3: C. E. Duchon, J. Appl. Meteor. 18 (1979); bicubic: R. G. Keys,
IEEE Trans. ASSP 29 (1981), a = -1/2; bilinear: the triangle. "area" is made apart, from overlaps."""


def taps(
    source_length: int,
    target_length: int,
    *,
    scale: float | None = None,
    phase: float | None = None,
    kind: str = "lanczos3",
) -> Taps:
    """Return the taps that resample one axis from `source_length` to `target_length` samples.

    Target sample `i` lies at `phase + i / scale` on the source, in samples from the centre of sample 0. `scale`
    is target samples per source sample (default: target by source length), `phase` by default such that both
    planes have the same outer edges: `(1 / scale - 1) / 2`. For left-sited chroma (4:2:0, 4:2:2) along rows,
    enlarged with its luma, it is `(1 / scale - 1) / 4`: samples lie on even luma columns in both.

    `kind` is lanczos3, bicubic, bilinear or area. Shrinking widens the filter by 1 / scale, as Pillow and
    swscale do, against aliasing; "area" weighs each source sample by its overlap with the target's cell, never
    narrower than one source cell. Beyond the edges, edge samples are repeated.
    Raises `ValueError` for lengths or a scale that are not positive, or an unknown `kind`.
    """
    if source_length < 1 or target_length < 1 or (scale is not None and not scale > 0.0):
        raise ValueError(f"cannot resample {source_length} samples to {target_length} at scale {scale}")
    step = source_length / target_length if scale is None else 1.0 / scale
    phase = (step - 1.0) / 2.0 if phase is None else phase
    centres = phase + np.arange(target_length) * step
    stretch = max(1.0, step)
    if kind == "area":
        radius = 0.5 * stretch + 0.5
    elif kind in FILTERS:
        radius = FILTERS[kind][0] * stretch
    else:
        raise ValueError(f"unknown filter {kind!r}; known: {', '.join(FILTERS)}, area")
    leftmost = np.floor(centres - radius).astype(np.int64) + 1
    count = math.ceil(2.0 * radius)
    indices = leftmost[:, None] + np.arange(count)
    distances = indices - centres[:, None]
    overlap = np.clip(radius - np.abs(distances), 0.0, 1.0)
    weights = overlap if kind == "area" else FILTERS[kind][1](distances / stretch)
    return folded(indices, weights, source_length)


def folded(indices: NDArray[np.int64], weights: NDArray[np.float64], source_length: int) -> Taps:
    """Give the weights of samples beyond an edge to the edge, and bring weights to a sum of exactly 1."""
    target_length, count = indices.shape
    width = max(4, count + count % 2)  # the kernel works on 4, then 2 taps at a time
    first = np.clip(indices[:, 0], 0, max(0, source_length - width))
    table = np.zeros((target_length, width))
    rows = np.arange(target_length)[:, None]
    np.add.at(table, (rows, np.clip(indices, 0, source_length - 1) - first[:, None]), weights)
    table /= table.sum(axis=1, keepdims=True)
    units = np.rint(table * _QUANTUM)
    # what rounding left over goes to the largest weight, in halves where two are equal: mirrored stays mirrored
    missing = _QUANTUM - units.sum(axis=1)
    left = units.argmax(axis=1)
    right = width - 1 - units[:, ::-1].argmax(axis=1)
    np.add.at(units, (rows[:, 0], left), np.ceil(missing / 2.0))
    np.add.at(units, (rows[:, 0], right), np.floor(missing / 2.0))
    return Taps(first.astype(np.int32), (units / _QUANTUM).astype(np.float32), source_length)


def resample_plane(plane: Plane, out: Plane, x_taps: Taps, y_taps: Taps, bits: int | None = None) -> None:
    """Write `plane`, filtered along rows with `x_taps` and along columns with `y_taps`, to `out`.

    `plane` is `(y_taps.source_length, x_taps.source_length)`, `out` has as many rows and columns as there are
    target samples, the same type and any strides, and may not overlap `plane`. `bits` per sample are 8 for
    uint8 and by default 10 for uint16. Between the two passes values are float32, neither rounded nor clipped;
    results are rounded half up and clipped to 0 to 2**bits - 1.
    Scratch memory: (taps along y + 64) rows of the target's width x 4 bytes.
    Raises `ValueError` when a shape, type or `bits` does not fit.
    """
    check_plane(plane, "plane")
    check_plane(out, "out")
    check_writable(out, "out")
    bits = (8 if plane.dtype == np.uint8 else 10) if bits is None else bits
    check_bits(plane, bits)
    if plane.shape != (y_taps.source_length, x_taps.source_length):
        raise ValueError(f"plane is {plane.shape}, taps {(y_taps.source_length, x_taps.source_length)}")
    if out.dtype != plane.dtype or out.shape != (y_taps.first.size, x_taps.first.size):
        raise ValueError(f"out must be {plane.dtype} {(y_taps.first.size, x_taps.first.size)}")
    target = packed_target(out)
    _resample(
        *samples(packed(plane)), *plane.shape, *samples(target, writable=True), _f32((1 << bits) - 1),
        x_taps.first, x_taps.weights, y_taps.first, y_taps.weights,
    )  # fmt: skip
    if target is not out:
        out[...] = target


@kernel
def _resample(plane, pitch, height, width, out, out_pitch, top, x_first, x_weights, y_first, y_weights):
    # Rows filtered along x wait in a ring until the rows of the target that need them are made: first as
    # many as can be, in columns of a few, so that a source row is fetched once for all of them.
    columns = x_first.size
    count = y_weights.shape[1]
    ring_rows = (count + 2 * _ROWS - 1) // _ROWS * _ROWS
    ring_pitch = ((columns + 15) // 16 | 1) * 16  # an odd number of cache lines: rows spread over all sets
    ring = np.zeros(ring_rows * ring_pitch, np.float32)
    widest = 0
    for left in range(0, columns, _COLUMNS):
        right = min(left + _COLUMNS, columns) - 1
        widest = max(widest, x_first[right] + x_weights.shape[1] - x_first[left])
    source = np.zeros(widest * _ROWS, np.float32)
    result = np.zeros(_COLUMNS * _ROWS, np.float32)
    sums = np.empty(_COLUMNS * 4, np.float32)
    ready = y_first[0] // _ROWS * _ROWS
    made = 0
    while made < y_first.size:
        rows = min(_ROWS, height - ready)
        for left in range(0, columns, _COLUMNS):
            right = min(left + _COLUMNS, columns)
            _gather_lanes(plane, pitch, ready, rows, width, x_first[left], source)
            _filter_lanes(source, x_first, x_weights, left, right, result)
            _scatter_lanes(result, rows, right - left, ring, ready % ring_rows * ring_pitch + left, ring_pitch)
        ready += rows
        stop = made
        while stop < y_first.size and (y_first[stop] + count <= ready or ready == height):
            stop += 1
        for left in range(0, columns, sums.size):
            width_here = min(sums.size, columns - left)
            for y in range(made, stop):
                _sum_rows(
                    ring, ring_rows, ring_pitch, left, width_here, y_first, y_weights, y, sums,
                    out, y * out_pitch + left, top,
                )  # fmt: skip
        made = stop


@kernel
def _gather_lanes(plane, pitch, top, rows, width, left, source):
    # source[x * 32 + lane] = row top + lane, column left + x; lanes without a row keep what they had
    columns = min(source.size // _ROWS, width - left)
    start = _at(top * pitch + left)
    if rows == _ROWS:
        for x in range(_at(columns)):
            for lane in range(_at(_ROWS)):
                source[x * _at(_ROWS) + lane] = plane[start + lane * _at(pitch) + x]
    else:
        for x in range(_at(columns)):
            for lane in range(_at(rows)):
                source[x * _at(_ROWS) + lane] = plane[start + lane * _at(pitch) + x]


@kernel
def _filter_lanes(source, first, weights, left, right, result):
    origin = first[left]
    for x in range(_at(right - left)):
        a = _at(first[_at(left) + x] - origin) * _at(_ROWS)
        b = a + _at(_ROWS)
        c = b + _at(_ROWS)
        d = c + _at(_ROWS)
        start = x * _at(_ROWS)
        t = _at(left) + x
        w0, w1, w2, w3 = weights[t, _at(0)], weights[t, _at(1)], weights[t, _at(2)], weights[t, _at(3)]
        for lane in range(_at(_ROWS)):
            outer = w0 * source[a + lane] + w3 * source[d + lane]
            inner = w1 * source[b + lane] + w2 * source[c + lane]
            result[start + lane] = outer + inner
        for k in range(_at(4), _at(weights.shape[1]), _at(2)):
            a = d + _at(_ROWS)
            d = a + _at(_ROWS)
            w0, w1 = weights[t, k], weights[t, k + _at(1)]
            for lane in range(_at(_ROWS)):
                result[start + lane] += w0 * source[a + lane] + w1 * source[d + lane]


@kernel
def _scatter_lanes(result, rows, columns, ring, start, pitch):
    for x in range(_at(columns)):
        for lane in range(_at(rows)):
            ring[_at(start) + lane * _at(pitch) + x] = result[x * _at(_ROWS) + lane]


@kernel
def _sum_rows(ring, ring_rows, pitch, left, width, firsts, weights, y, sums, out, start, top):
    first = firsts[y]
    a = _at(first % ring_rows * pitch + left)
    b = _at((first + 1) % ring_rows * pitch + left)
    c = _at((first + 2) % ring_rows * pitch + left)
    d = _at((first + 3) % ring_rows * pitch + left)
    w0, w1, w2, w3 = weights[y, 0], weights[y, 1], weights[y, 2], weights[y, 3]
    for x in range(_at(width)):
        outer = w0 * ring[a + x] + w3 * ring[d + x]
        inner = w1 * ring[b + x] + w2 * ring[c + x]
        sums[x] = outer + inner
    for k in range(4, weights.shape[1], 2):
        a = _at((first + k) % ring_rows * pitch + left)
        b = _at((first + k + 1) % ring_rows * pitch + left)
        w0, w1 = weights[y, k], weights[y, k + 1]
        for x in range(_at(width)):
            sums[x] += w0 * ring[a + x] + w1 * ring[b + x]
    for x in range(_at(width)):
        out[_at(start) + x] = np.int32(min(max(sums[x] + _f32(0.5), _f32(0.0)), top))
