"""What parts of the picture do besides the whole: by place (local flicker), and by level (tone)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from postpipe.stages.exposure_over_time import Reals, least_correlation, least_stiffness, split_light
from postpipe.stages.flicker_steps import FLOOR, ROUNDED, Steps

LOCAL_REACH = 0.6
"""How far a tile listens to its neighbours, in tiles (sigma)."""

LOCAL_TRUST = 0.015
"""A tile's step is believed by a quarter where its standard error is this, and soon not at all where it is larger."""

LOCAL_LEAP = 2.0
"""Where there is local flicker, steps of this much larger an error are followed too: they are what is the likeliest."""

LOCAL_ALIKE = (0.7, 0.87)
"""Correlation of a tile with its neighbours below which it moves, and from which on it flickers.

Light that falls on a region is smooth there, and all tiles of it go up and down together. What a flow has got wrong
comes and goes at each place in its own time, as pattern after pattern passes.
"""

LOCAL_STRETCH = 8
"""Local flicker is there in most stretches of this many frames; what only passes through is not flicker."""


def local_flicker(left: Reals, steps: Steps, rate: float) -> tuple[Reals, float]:
    """Return `(local, percent)`: what tiles do besides the whole, `(frames, down, across)`, and how strong it is.

    A tile is believed as far as its neighbours do the same: what they tell of it, without itself, is compared with
    what it does, and for the strength, stretch by stretch, of which the middle one counts.
    """
    frames, tiles = left.shape[:2]
    weight = steps.known[..., None] / steps.variance
    grey = (weight * left).sum(2) / np.maximum(weight.sum(2), 1e-9)

    def followed(trusted: float) -> Reals:
        return np.cumsum(grey * (trusted**2 / (trusted**2 + steps.error**2)) ** 2, axis=0)

    place = np.stack(np.divmod(np.arange(tiles), steps.shape[1]), axis=1)
    distance = ((place[:, None] - place[None]) ** 2).sum(-1)
    noise = np.median(steps.error, axis=0) ** 2 + FLOOR**2
    trust = np.exp(-distance / (2 * LOCAL_REACH**2)) * (distance <= 9) / noise
    alone = trust - np.diag(np.diag(trust))
    trust /= np.maximum(trust.sum(1, keepdims=True), 1e-9)
    alone /= np.maximum(alone.sum(1, keepdims=True), 1e-9)

    quick, _ = split_light(followed(LOCAL_TRUST), rate, 3 * least_stiffness(rate))
    around = quick @ alone.T
    flickers = np.interp(least_correlation(quick, around), LOCAL_ALIKE, (0, 1))
    stretches = np.array_split(quick * around, max(1, frames // LOCAL_STRETCH))
    alike = np.maximum(np.median([stretch.mean(0) for stretch in stretches], axis=0), 0.0) * flickers**2
    strongest = np.sort(alike)[-max(1, tiles // 10) :]

    whole, _ = split_light(followed(LOCAL_LEAP * LOCAL_TRUST), rate, 10 * least_stiffness(rate))
    smoothed = whole @ trust.T
    said = np.maximum((whole * (whole @ alone.T)).mean(0), 0.0)
    believed = said / np.maximum(np.maximum((smoothed**2).mean(0), said), 1e-12)
    return (smoothed * believed).reshape(frames, *steps.shape), 100 * (2 * float(strongest.mean())) ** 0.5


LEVELS = np.linspace(0.06, 0.94, 9)
"""Levels of grey, 1 is white, that tone is told at: straight lines in between."""

QUICK = 3
"""Tone is rounding, and comes and goes: it is followed this much less into slow changes than light is."""


def by_level(left: Reals, steps: Steps, weight: Reals, code: float, rate: float) -> Reals:
    """Return what levels of grey do besides gain and exponent: `(frames, levels, 3)`, natural logarithms.

    A change of exposure rounded to whole code values errs alike wherever the picture is alike. Regularised least
    squares: the error has the variance of two roundings; it is believed as far as the squares of a chessboard of
    tiles say the same of it.
    """
    grey = np.exp(steps.level).mean(2)
    place = np.interp(grey, LEVELS, np.arange(len(LEVELS)))
    near = np.maximum(0.0, 1 - np.abs(place[..., None] - np.arange(len(LEVELS))))
    usual = code**2 / 6 * ROUNDED / LEVELS[:, None] ** 2

    def told(tiles: NDArray[np.bool_]) -> Reals:
        series = np.empty((len(left), len(LEVELS), 3))
        for channel in range(3):
            share = np.where(tiles, weight[..., channel], 0.0)[..., None] * near
            normal = near.transpose(0, 2, 1) @ share + np.diag(1 / usual[:, channel])
            right = (share * left[..., channel, None]).sum(1)
            series[..., channel] = np.linalg.solve(normal, right[..., None])[..., 0]
        return split_light(np.cumsum(series, axis=0), rate, QUICK * least_stiffness(rate))[0]

    whole, one, other = told(np.ones_like(steps.white)), told(steps.white), told(~steps.white)
    said = np.maximum((one * other).mean(0), 0.0)
    believed: Reals = whole * (said / np.maximum(np.maximum((whole**2).mean(0), said), 1e-12))
    return believed
