"""A colour transform of R'G'B' as numbers: curves, a matrix, a lattice; applied in NumPy, or triple by triple."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels.colour import code_scale, rgb_to_ycbcr

Reals = NDArray[np.float64]

_MIX, _BACK, _CURVES, _LATTICE, _HIGHEST, _ROUNDING, _PAIRS = 12, 21, 33, 39, 45, 48, 51
"""Where the parts of a way begin, after its first map."""


@dataclass(frozen=True, eq=False)
class Transform:
    """A transform of R'G'B', from 0 to 1, for pictures of one YCbCr coding. In this order:

    - `shaper` `(3, n)`: a curve per channel, its points evenly spaced over 0 to 1;
    - `mix` `(3, 3)`: a matrix on columns of R'G'B', the result clipped to 0 to 1;
    - `curves` `(3, m)`, if given: curves like `shaper`, over `curves_domain` `(2, 3)`: lowest and highest R'G'B';
    - `lattice` `(size, size, size, 3)`, if given: R'G'B' by red, green, blue, over `lattice_domain` `(2, 3)`,
      interpolated in tetrahedra (Kasson, Nin, Plouffe, Hafner: J. Electronic Imaging 4, 1995).

    Curves and lattice end level beyond their domains. Colours beyond 0 to 1 become what the nearest inside becomes,
    and stay as far beyond that. `matrix` and `range_` name the coding, as in `colour.ycbcr_matrix`.
    Raises `ValueError` for other shapes, and for a domain whose lowest is not below its highest.
    """

    shaper: Reals
    mix: Reals
    matrix: str
    range_: str
    curves: Reals | None = None
    curves_domain: Reals | None = None
    lattice: NDArray[np.float32] | None = None
    lattice_domain: Reals | None = None

    def __post_init__(self) -> None:
        for name in ("shaper", "curves"):
            points = getattr(self, name)
            if points is not None and (points.ndim != 2 or points.shape[0] != 3 or points.shape[1] < 2):
                raise ValueError(f"{name} {points.shape} must be (3, n) with two points or more")
        if self.mix.shape != (3, 3):
            raise ValueError(f"mix {self.mix.shape} must be (3, 3)")
        if self.lattice is not None:
            size = self.lattice.shape[0]
            if size < 2 or self.lattice.shape != (size, size, size, 3):
                raise ValueError(f"lattice {self.lattice.shape} must be (n, n, n, 3) with two points or more")
        for domain in (self.curves_domain, self.lattice_domain):
            if domain is not None and not (domain[0] < domain[1]).all():
                raise ValueError(f"domain {domain.tolist()} must rise")

    @cached_property
    def tables(self) -> tuple[Reals, Reals, NDArray[np.float32]]:
        """Shaper, curves and lattice, as kernels want them: empty where there is none."""
        curves = np.empty((3, 0)) if self.curves is None else np.ascontiguousarray(self.curves, np.float64)
        lattice = np.empty((0, 0, 0, 3), np.float32) if self.lattice is None else self.lattice
        return np.ascontiguousarray(self.shaper, np.float64), curves, np.ascontiguousarray(lattice, np.float32)

    def then(self, other: Transform) -> Transform | None:
        """Return this and `other` after it as one; `None` unless this ends with `mix` and `other` begins after it."""
        ends = self.curves is None and self.lattice is None
        plain = np.array_equal(other.mix, np.eye(3)) and np.array_equal(other.shaper, _straight())
        if not ends or not plain or (self.matrix, self.range_) != (other.matrix, other.range_):
            return None
        return replace(other, shaper=self.shaper, mix=self.mix)

    def apply(self, rgb: Reals) -> Reals:
        """Return transformed colours, shape `(..., 3)`: what kernels do, in NumPy."""
        inside = np.clip(rgb, 0.0, 1.0)
        shaped = _along(self.shaper, inside * (self.shaper.shape[1] - 1))
        colours = np.clip(shaped @ self.mix.T, 0.0, 1.0)
        if self.curves is not None:
            scale, shift = _counted(self.curves_domain, self.curves.shape[1])
            colours = _along(self.curves, colours * scale + shift)
        if self.lattice is not None:
            scale, shift = _counted(self.lattice_domain, self.lattice.shape[0])
            colours = _within(self.lattice, colours * scale + shift)
        result: Reals = colours + (rgb - inside)
        return result


def _straight() -> Reals:
    """Return a shaper that changes nothing."""
    return np.array([[0.0, 1.0]] * 3)


def only(curves: Any, curves_domain: Any, lattice: Any, lattice_domain: Any, matrix: str, range_: str) -> Transform:
    """Return the transform that is curves and a lattice alone."""
    return Transform(_straight(), np.eye(3), matrix, range_, curves, curves_domain, lattice, lattice_domain)


def _along(curves: Reals, places: Reals) -> Reals:
    """Return the values of three curves at places counted in points."""
    points = np.arange(curves.shape[1])
    return np.stack([np.interp(places[..., c], points, curves[c]) for c in range(3)], axis=-1)


def _within(lattice: NDArray[np.float32], places: Reals) -> Reals:
    """Return a lattice at places counted in points: between corners of a cell, from the near one to the far one."""
    last = lattice.shape[0] - 1
    places = np.clip(places, 0.0, last)
    corner = np.minimum(places.astype(np.int64), last - 1)
    share = places - corner
    order = np.argsort(-share, axis=-1, kind="stable")
    ordered = np.take_along_axis(share, order, axis=-1)
    result: Reals = (1.0 - ordered[..., :1]) * lattice[tuple(np.moveaxis(corner, -1, 0))]
    for step in range(3):
        corner = corner + (np.arange(3) == order[..., step : step + 1])
        below = ordered[..., step + 1 : step + 2] if step < 2 else 0.0
        result = result + (ordered[..., step : step + 1] - below) * lattice[tuple(np.moveaxis(corner, -1, 0))]
    return result


def to_rgb(transform: Transform, bits: int) -> Reals:
    """Return the `(3, 4)` affine map from code values in a transform's coding to R'G'B'."""
    scale, zero = code_scale(transform.range_, bits)
    matrix = np.linalg.inv(rgb_to_ycbcr(transform.matrix)) / scale
    return np.column_stack([matrix, -matrix @ zero])


def from_rgb(transform: Transform, bits: int) -> Reals:
    """Return the `(3, 4)` affine map from R'G'B' to code values in a transform's coding."""
    scale, zero = code_scale(transform.range_, bits)
    return np.column_stack([scale[:, None] * rgb_to_ycbcr(transform.matrix), zero])


def _counted(domain: Reals | None, points: int) -> tuple[Reals, Reals]:
    """Return `(scale, shift)`, `(3,)` each: `scale * R'G'B' + shift` is counted in points of a curve or lattice."""
    low, high = (np.zeros(3), np.ones(3)) if domain is None else np.asarray(domain, np.float64)
    scale = (points - 1) / (high - low)
    return scale, -scale * low


def way_of(transform: Transform, bits: int, out_bits: int, levels: int, matrix: Reals, offset: Reals) -> Reals:
    """Return the numbers of the whole way from (level of luma, index of Cb, index of Cr) to the fields of an entry.

    `levels` divide the code values of luma with `bits`; indices of chroma are code values, of 10 bits every second.
    `matrix` and `offset` lead from these code values to those of the transform's coding with `out_bits`.

    An affine map to R'G'B' (12), the transform's matrix (9), an affine map from R'G'B' to fields (12), the domains of
    curves (6) and lattice (6), the highest values of the fields (3), what rounds them (3), and whether an index stands
    for two codes of chroma (1). Fields are code values; those of Cb and Cr in the finer of the two bit depths.
    """
    coarse = max(bits - 9, 0)
    steps = np.array([(1 << bits) / levels, 1 << coarse, 1 << coarse])
    middle = np.array([0.0, 0.5, 0.5]) * ((1 << coarse) - 1)
    inverse = to_rgb(transform, out_bits)
    into = inverse[:, :3] @ np.column_stack([matrix * steps, matrix @ middle + offset])
    into[:, 3] += inverse[:, 3]
    finer = 1 << (bits - out_bits if coarse else 0)
    back = from_rgb(transform, out_bits)
    back[1:] *= finer
    chroma = (finer << out_bits) - 1
    curves = _counted(transform.curves_domain, transform.tables[1].shape[1])
    lattice = _counted(transform.lattice_domain, transform.tables[2].shape[0])
    highest = np.array([(1 << out_bits) - 1, chroma, chroma])
    rounding = np.array([0.5, finer / 2, finer / 2])
    parts = (into, transform.mix, back, *curves, *lattice, highest, rounding, np.array([coarse]))
    return np.concatenate([np.ravel(part) for part in parts])


# Triple by triple


@kernel
def _curve(points, channel, place):
    """Return a channel's curve at a place counted in points; its ends beyond them."""
    last = points.shape[1] - 1
    place = min(max(place, 0.0), float(last))
    i = min(int(place), last - 1)
    return points[channel, i] + (place - i) * (points[channel, i + 1] - points[channel, i])


@kernel
def _row(way, start, x, y, z):
    return way[start] * x + way[start + 1] * y + way[start + 2] * z


@kernel
def _unit(value):
    return min(max(value, 0.0), 1.0)


@kernel
def _tetrahedron(lattice, red, green, blue):
    """Return the lattice at a place counted in points; see `_within`."""
    last = lattice.shape[0] - 1
    r, g, b = min(max(red, 0.0), float(last)), min(max(green, 0.0), float(last)), min(max(blue, 0.0), float(last))
    i, j, k = min(int(r), last - 1), min(int(g), last - 1), min(int(b), last - 1)
    r, g, b = r - i, g - j, b - k
    most, least = max(r, g, b), min(r, g, b)
    middle = r + g + b - most - least
    i1, j1, k1 = i, j, k  # the corner after the first step, along the axis on which the place is farthest
    if r == most:
        i1 += 1
    elif g == most:
        j1 += 1
    else:
        k1 += 1
    i2, j2, k2 = i + 1, j + 1, k + 1  # and before the last, along that on which it is nearest
    if b == least:
        k2 = k
    elif g == least:
        j2 = j
    else:
        i2 = i
    w0, w1, w2, w3 = 1.0 - most, most - middle, middle - least, least
    near, far = lattice[i, j, k], lattice[i + 1, j + 1, k + 1]
    first, second = lattice[i1, j1, k1], lattice[i2, j2, k2]
    return (
        w0 * near[0] + w1 * first[0] + w2 * second[0] + w3 * far[0],
        w0 * near[1] + w1 * first[1] + w2 * second[1] + w3 * far[1],
        w0 * near[2] + w1 * first[2] + w2 * second[2] + w3 * far[2],
    )


@kernel
def _fields(level, blue, red, way, tables):
    """Return the fields of a triple of indices, not rounded."""
    shaper, curves, lattice = tables
    r = _row(way, 0, level, blue, red) + way[3]
    g = _row(way, 4, level, blue, red) + way[7]
    b = _row(way, 8, level, blue, red) + way[11]
    last = shaper.shape[1] - 1
    x, y, z = _curve(shaper, 0, r * last), _curve(shaper, 1, g * last), _curve(shaper, 2, b * last)
    x, y, z = _row(way, _MIX, x, y, z), _row(way, _MIX + 3, x, y, z), _row(way, _MIX + 6, x, y, z)
    x, y, z = _unit(x), _unit(y), _unit(z)
    if curves.shape[1] > 0:
        x = _curve(curves, 0, x * way[_CURVES] + way[_CURVES + 3])
        y = _curve(curves, 1, y * way[_CURVES + 1] + way[_CURVES + 4])
        z = _curve(curves, 2, z * way[_CURVES + 2] + way[_CURVES + 5])
    if lattice.shape[0] > 0:
        x = x * way[_LATTICE] + way[_LATTICE + 3]
        y = y * way[_LATTICE + 1] + way[_LATTICE + 4]
        z = z * way[_LATTICE + 2] + way[_LATTICE + 5]
        x, y, z = _tetrahedron(lattice, x, y, z)
    x, y, z = x + (r - _unit(r)), y + (g - _unit(g)), z + (b - _unit(b))
    return (
        _row(way, _BACK, x, y, z) + way[_BACK + 3],
        _row(way, _BACK + 4, x, y, z) + way[_BACK + 7],
        _row(way, _BACK + 8, x, y, z) + way[_BACK + 11],
    )


@kernel
def _whole(value, field, way):
    """Return a field rounded."""
    return np.uint32(min(max(value + way[_ROUNDING + field], 0.0), way[_HIGHEST + field]))


@kernel
def steps_within(level, blue, red, way, tables):
    """Return how much Cb and Cr grow from the lower to the upper of the codes that an index stands for."""
    if way[_PAIRS] == 0:
        return 0.0, 0.0
    _, u, v = _fields(level, blue - 0.25, red - 0.25, way, tables)
    _, u1, v1 = _fields(level, blue + 0.25, red + 0.25, way, tables)
    return u1 - u, v1 - v


@kernel
def _two(middle, step, field, way):
    """Return a field of chroma for the lower of two codes, and 1 where it is larger by one for the upper, or 0."""
    lower, upper = _whole(middle - 0.5 * step, field, way), _whole(middle + 0.5 * step, field, way)
    grows = np.uint32(upper > lower)
    if upper != lower + grows:  # there is no more than one to give: in the middle
        lower = _whole(middle - 0.5 * grows, field, way)
    return lower, grows


@kernel
def work_out(level, blue, red, steps, way, tables):
    """Return what a triple of indices becomes, never 0: the fields Y, Cb and Cr, whole numbers of 10 bits each, as one.

    Bit 30 is set. But where an index stands for two codes of chroma, Cb and Cr are those of the lower codes, and bits
    30 and 31 say whether they are larger by one for the upper codes; `steps`: see `steps_within`.
    """
    y, u, v = _fields(level, blue, red, way, tables)
    new_blue, blue_grows = _two(u, steps[0], 1, way)
    new_red, red_grows = _two(v, steps[1], 2, way)
    grows = blue_grows | red_grows << np.uint32(1)
    if way[_PAIRS] == 0:
        grows = np.uint32(1)
    entry = _whole(y, 0, way) | new_blue << np.uint32(10) | new_red << np.uint32(20) | grows << np.uint32(30)
    return max(entry, np.uint32(1))
