"""The change of a tile, from pixels of which some belong to something else: robust means and their errors."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

import numpy as np

from postpipe_kernels._jit import kernel

_at = np.uint64
_f32 = np.float32

LEAST_KNOWN = 8
"""Pixels that a tile needs to say anything."""

ROUNDS = 4
"""Rounds of reweighting: the fifth changes a step by less than a hundredth of a per cent."""

LEAST_SCATTER = 0.002
"""Pixels that are this far apart are alike: where there is no noise, a slow change moves few whole code values."""

SLIP = 0.3
"""Pixels by which the flow is usually off (standard deviation)."""

MOST_ALIKE = 0.8
"""Correlation of neighbouring pixels from which on a tile is one sample or two, however many pixels it has."""


@kernel(fastmath=True)
def robust(changes, counts, pixels, shares):
    """Fill `shares` with what each pixel counts; return the scatter of changes, their mean's error, and how many."""
    total = _f32(0.0)
    sums = _f32(0.0)
    known = np.int32(0)
    for k in range(_at(pixels)):
        total += counts[k]
        sums += counts[k] * changes[k]
        known += np.int32(counts[k] > _f32(0.0))
    scatter = _f32(0.0)
    if known < LEAST_KNOWN:
        for k in range(_at(pixels)):
            shares[k] = _f32(0.0)
        return scatter, scatter, known
    centre = sums / total
    weights = _f32(1.0)
    squares = _f32(1.0)
    for _ in range(ROUNDS):
        apart = _f32(0.0)
        for k in range(_at(pixels)):
            apart += counts[k] * abs(changes[k] - centre)
        scatter = apart / total + _f32(LEAST_SCATTER)
        inverse = _f32(1.0) / (_f32(2.0) * scatter * scatter)
        weights = _f32(0.0)
        squares = _f32(0.0)
        sums = _f32(0.0)
        for k in range(_at(pixels)):
            away = changes[k] - centre
            near = _f32(1.0) / (_f32(1.0) + away * away * inverse)
            share = near * near * counts[k]
            shares[k] = share
            weights += share
            squares += share * share
            sums += share * changes[k]
        centre = sums / weights
    return scatter, scatter * np.sqrt(squares) / weights, known


@kernel(fastmath=True)
def slip(now, top, bottom, left, right, changes, shares, scatter):
    """Return how much of a tile's change a displacement that the flow missed explains, and the error that leaves."""
    _, rows, columns = now.shape
    total, squares = _f32(1e-12), _f32(1e-24)
    x1, y1, r1 = _f32(0.0), _f32(0.0), _f32(0.0)
    xx, xy, yy, xr, yr = _f32(0.0), _f32(0.0), _f32(0.0), _f32(0.0), _f32(0.0)
    n = _at(0)
    for y in range(_at(top), _at(bottom)):
        above = max(y, _at(1)) - _at(1)
        below = min(y + _at(1), _at(rows - 1))
        for x in range(_at(left), _at(right)):
            before_x = max(x, _at(1)) - _at(1)
            after_x = min(x + _at(1), _at(columns - 1))
            steep_x = _f32(0.5) * (now[3, y, after_x] - now[3, y, before_x])
            steep_y = _f32(0.5) * (now[3, below, x] - now[3, above, x])
            share, change = shares[n], changes[n]
            total += share
            squares += share * share
            x1 += share * steep_x
            y1 += share * steep_y
            r1 += share * change
            xx += share * steep_x * steep_x
            xy += share * steep_x * steep_y
            yy += share * steep_y * steep_y
            xr += share * steep_x * change
            yr += share * steep_y * change
            n += _at(1)
    mean_x, mean_y, mean_r = x1 / total, y1 / total, r1 / total
    # normal equations of the displacement, which is within SLIP pixels (a Gaussian prior)
    noise = scatter * scatter * squares / (total * total)
    prior = noise / _f32(SLIP * SLIP)
    a = xx / total - mean_x * mean_x + prior
    b = xy / total - mean_x * mean_y
    c = yy / total - mean_y * mean_y + prior
    u = xr / total - mean_x * mean_r
    v = yr / total - mean_y * mean_r
    inverse = _f32(1.0) / (a * c - b * b)
    across = (c * u - b * v) * inverse
    down = (a * v - b * u) * inverse
    error = noise * (c * mean_x * mean_x - _f32(2.0) * b * mean_x * mean_y + a * mean_y * mean_y) * inverse
    return mean_x * across + mean_y * down, np.sqrt(max(error, _f32(0.0)))


@kernel(fastmath=True)
def inflation(changes, shares, rows, columns):
    """Return by what the standard error grows because neighbouring pixels are off alike.

    Noise differs from pixel to pixel; what a flow has got wrong hangs together. The effective number of samples of
    an autoregressive process of first order, across and down (Bartlett 1946).
    """
    total, sums = _f32(1e-12), _f32(0.0)
    for k in range(_at(rows * columns)):
        total += shares[k]
        sums += shares[k] * changes[k]
    mean = sums / total
    power, power_known = _f32(1e-12), _f32(1e-12)
    across, across_known = _f32(0.0), _f32(1e-12)
    down, down_known = _f32(0.0), _f32(1e-12)
    for y in range(_at(rows)):
        for x in range(_at(columns)):
            k = y * _at(columns) + x
            here = shares[k] * (changes[k] - mean)
            power += here * here
            power_known += shares[k] * shares[k]
            if x > 0:
                across += here * shares[k - _at(1)] * (changes[k - _at(1)] - mean)
                across_known += shares[k] * shares[k - _at(1)]
            if y > 0:
                above = k - _at(columns)
                down += here * shares[above] * (changes[above] - mean)
                down_known += shares[k] * shares[above]
    usual = power / power_known
    a = min(max(across / across_known / usual, _f32(0.0)), _f32(MOST_ALIKE))
    b = min(max(down / down_known / usual, _f32(0.0)), _f32(MOST_ALIKE))
    return np.sqrt((_f32(1.0) + a) / (_f32(1.0) - a) * (_f32(1.0) + b) / (_f32(1.0) - b))
