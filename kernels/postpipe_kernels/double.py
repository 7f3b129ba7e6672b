"""Planes of twice the size, every sample weighed by filters learnt for edges like those that it stands on.

After Y. Romano, J. Isidoro and P. Milanfar, RAISR: Rapid and Accurate Image Super Resolution, IEEE Trans. Comp. Imaging
3 (2017): pixels are told apart by direction, strength and coherence of the gradients around them, and each class has
its own filters, one for each of the four samples that a sample becomes. Here they work on the small picture itself.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import Plane, check_bits, check_plane, check_writable, packed, packed_target, samples
from postpipe_kernels._vector import SCALE_BITS, TAPS, four_dots

_at = np.uint64
_f32 = np.float32
_i32 = np.int32

SIDE = 5
"""Samples across and down that a filter weighs, and over which gradients are gathered."""

DIRECTIONS = 8
"""Of gradients, over half a turn."""

ONE = 1 << SCALE_BITS
TAN = _f32(np.tan(np.pi / 8))
_REACH = SIDE // 2
_EDGE = _REACH + 1
_RING = 8
"""Lines that are held: a power of two, no fewer than a filter and its gradients need."""


@dataclass(frozen=True, slots=True)
class Bank:
    """Filters by class. `weights`: int16, `(strengths x coherences x DIRECTIONS, 4, SIDE * SIDE)`.

    Multiples of 1 / 2**13 that sum to 1; the four are for the samples at the upper left, upper right, lower left and
    lower right; columns first, from the left. `strength`: limits between classes, root mean square of half the
    difference between neighbours at either side, in 8-bit code values. `coherence`: limit, 0 to 1.
    """

    weights: NDArray[np.int16]
    strength: tuple[float, ...]
    coherence: float

    def packed_weights(self) -> NDArray[np.int16]:
        """Return the weights as the kernel reads them: 1-D, every filter filled up with zeros to `TAPS`."""
        wide = np.zeros((*self.weights.shape[:2], TAPS), np.int16)
        wide[..., : SIDE * SIDE] = self.weights
        return wide.ravel()

    def limits(self, bits: int) -> tuple[NDArray[np.int32], np.float32, np.float32]:
        """Return the limits for sums of squared differences over `SIDE`², and coherence squared with its noise."""
        unit = 4.0 * SIDE * SIDE * (1 << 2 * (bits - 8))
        squares = np.array([round(unit * limit * limit) for limit in self.strength], np.int32)
        return squares, _f32(self.coherence**2), _f32(0.5 * unit)


@cache
def learnt_bank() -> Bank:
    """Return the bank that comes with the package; `benchmarks/upscale_bank.py` makes it, and says from what."""
    with np.load(Path(__file__).with_name("double.npz"), allow_pickle=False) as file:
        return Bank(file["weights"], tuple(file["strength"].tolist()), float(file["coherence"]))


def double_plane(plane: Plane, out: Plane, bank: Bank, bits: int | None = None) -> None:
    """Write `plane`, twice as wide and high, to `out`: of the same type, any strides, not overlapping `plane`.

    Both have the same outer edges. `bits` per sample are 8 for uint8 and by default 10 for uint16. Beyond the edges,
    edge samples are repeated; results are rounded half up and clipped to 0 to 2**bits - 1. Raises `ValueError` when a
    shape, type or `bits` does not fit.
    """
    check_plane(plane, "plane")
    check_plane(out, "out")
    check_writable(out, "out")
    bits = (8 if plane.dtype == np.uint8 else 10) if bits is None else bits
    check_bits(plane, bits)
    height, width = plane.shape
    if out.dtype != plane.dtype or out.shape != (2 * height, 2 * width):
        raise ValueError(f"out must be {plane.dtype} {(2 * height, 2 * width)}, not {out.dtype} {out.shape}")
    target = packed_target(out)
    _double(
        *samples(packed(plane)), height, width, *samples(target, writable=True), _i32((1 << bits) - 1),
        *bank.limits(bits), bank.packed_weights(),
    )  # fmt: skip
    if target is not out:
        out[...] = target


@kernel
def _double(plane, pitch, height, width, out, out_pitch, top, limits, coherence, noise, weights):
    # A ring of lines and of their gradients, so that each is read and made once.
    lines = np.zeros((_RING, width + 2 * _EDGE), np.int16)
    wide = width + 2 * _REACH
    products = np.zeros((_RING, 3 * wide), np.int32)  # across, down and both, one after the other
    nothing, sums = np.zeros(3 * wide, np.int32), np.zeros(3 * wide, np.int32)
    energy = np.zeros(width, np.int32)
    classes = np.zeros(width, np.int32)
    strip = np.zeros((width + 2 * _REACH) * SIDE + TAPS, np.int16)
    last = height - 1
    read = made = 0
    for y in range(height):
        while read <= min(y + _EDGE, last):
            _read_line(plane, read * pitch, width, lines[read % _RING])
            read += 1
        while made <= min(y + _REACH, last):
            above, below = lines[max(made - 1, 0) % _RING], lines[min(made + 1, last) % _RING]
            _multiply_gradients(above, lines[made % _RING], below, width, products[made % _RING])
            made += 1
        a, b, c = max(y - 2, 0) % _RING, max(y - 1, 0) % _RING, y % _RING
        d, e = min(y + 1, last) % _RING, min(y + 2, last) % _RING
        for row in range(-_REACH if y == 0 else _REACH, _REACH + 1):
            left = nothing if y == 0 else products[max(y - 1 - _REACH, 0) % _RING]
            _move_sums(left, products[min(max(y + row, 0), last) % _RING], sums)
        _classify(sums, width, limits, coherence, noise, energy, classes)
        _interleave(lines[a], lines[b], lines[c], lines[d], lines[e], width, strip)
        _draw(strip, classes, weights, width, top, out, 2 * y * out_pitch, out_pitch)


@kernel
def _read_line(plane, start, width, line):
    for x in range(_at(width)):
        line[x + _at(_EDGE)] = plane[_at(start) + x]
    for x in range(_EDGE):
        line[x] = line[_EDGE]
        line[width + _EDGE + x] = line[width + _EDGE - 1]


@kernel
def _multiply_gradients(above, here, below, width, products):
    wide = width + 2 * _REACH
    across, down, both = _at(_REACH), _at(wide + _REACH), _at(2 * wide + _REACH)
    for x in range(_at(width)):
        dx = _i32(here[x + _at(_EDGE + 1)]) - _i32(here[x + _at(_EDGE - 1)])
        dy = _i32(below[x + _at(_EDGE)]) - _i32(above[x + _at(_EDGE)])
        products[across + x] = dx * dx
        products[down + x] = dy * dy
        products[both + x] = dx * dy
    for start in range(0, 3 * wide, wide):
        for x in range(_REACH):
            products[start + x] = products[start + _REACH]
            products[start + width + _REACH + x] = products[start + width + _REACH - 1]


@kernel
def _move_sums(left, entered, sums):
    for x in range(_at(sums.size)):
        sums[x] += entered[x] - left[x]


@kernel
def _classify(sums, width, limits, coherence, noise, energy, classes):
    wide = _at(width + 2 * _REACH)
    for x in range(_at(width)):
        xx = sums[x] + sums[x + _at(1)] + sums[x + _at(2)] + sums[x + _at(3)] + sums[x + _at(4)]
        y = wide + x
        yy = sums[y] + sums[y + _at(1)] + sums[y + _at(2)] + sums[y + _at(3)] + sums[y + _at(4)]
        z = wide + y
        xy = sums[z] + sums[z + _at(1)] + sums[z + _at(2)] + sums[z + _at(3)] + sums[z + _at(4)]
        u, v = _f32(xx - yy), _f32(xy + xy)
        energy[x] = xx + yy
        spread = _f32(xx + yy) + noise
        coherent = _i32(u * u + v * v > coherence * (spread * spread))
        flat, steep = abs(v) <= TAN * abs(u), abs(u) <= TAN * abs(v)
        axis = (_i32(0) if u >= 0 else _i32(4)) if flat else (_i32(2) if v > 0 else _i32(6))
        slant = (_i32(1) if u > 0 else _i32(3)) if v > 0 else (_i32(5) if u < 0 else _i32(7))
        classes[x] = coherent * _i32(DIRECTIONS) + (axis if flat or steep else slant)
    for limit in limits:
        for x in range(_at(width)):
            classes[x] += _i32(energy[x] > limit) * _i32(2 * DIRECTIONS)


@kernel
def _interleave(a, b, c, d, e, width, strip):
    # columns one after the other, so that the samples under a filter are neighbours
    for x in range(_at(width + 2 * _REACH)):
        start, column = x * _at(SIDE), x + _at(_EDGE - _REACH)
        strip[start] = a[column]
        strip[start + _at(1)] = b[column]
        strip[start + _at(2)] = c[column]
        strip[start + _at(3)] = d[column]
        strip[start + _at(4)] = e[column]


@kernel
def _draw(strip, classes, weights, width, top, out, start, pitch):
    for x in range(_at(width)):
        four = four_dots(strip, x * _at(SIDE), weights, _at(classes[x]) * _at(4 * TAPS), top)
        above = _at(start) + x + x
        below = above + _at(pitch)
        out[above] = four & 0xFFFF
        out[above + _at(1)] = (four >> 16) & 0xFFFF
        out[below] = (four >> 32) & 0xFFFF
        out[below + _at(1)] = four >> 48
