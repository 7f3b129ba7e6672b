"""The colour transform that takes one clip's colours to another's, fitted to pairs of colours of the same things.

The model is that of `postpipe.look.Look`: a curve for each channel, then slope, offset and power, then saturation.
Its parameters are fitted by maximum a posteriori estimation: Gauss-Newton steps, Cauchy weights against pairs that
show different things, and a prior that holds everything at doing nothing until the pairs say otherwise. What is
common to the channels may move further than what tells them apart, and fine curves least. Errors are CIEDE2000's
to first order, so that a code value counts where it is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe.look import LUMA_WEIGHTS, Cdl, Curves, Look

Reals = NDArray[np.float64]

WAVES = 5
"""Terms of each curve: x + Σ a_k sin(kπx). The second is the S of contrast; black and white stay where they are."""

_COMMON = {"saturation": 0.30, "slope": 0.15, "offset": 0.04, "power": 0.20}
_APART = {"slope": 0.08, "offset": 0.02, "power": 0.10}
_WAVE, _WAVE_APART = 0.05, 0.015
"""Standard deviations of the prior: logarithms of saturation, slope and power; offset and waves in R'G'B'. Waves
fall with their number squared from the second on."""

_KNOTS = np.linspace(0.0, 1.0, 17)
_STEP = 1e-4
_LEAST_SLOPE = 0.05


def _widths() -> Reals:
    falling = 1.0 / np.maximum(np.arange(1, WAVES + 1) / 2.0, 1.0) ** 2
    apart = [_APART["slope"]] * 2 + [_APART["offset"]] * 2 + [_APART["power"]] * 2
    waves = np.concatenate([_WAVE * falling, *[_WAVE_APART * falling] * 3])
    return np.concatenate([list(_COMMON.values()), apart, waves])


WIDTHS = _widths()
"""Standard deviation of each parameter, shape `(10 + 4 * WAVES,)`."""


@dataclass(frozen=True)
class Transform:
    """A colour transform by its parameters: 0 is doing nothing, half of them half the change."""

    parameters: Reals

    @classmethod
    def identity(cls) -> Transform:
        """Return the transform that changes nothing."""
        return cls(np.zeros_like(WIDTHS))

    def scaled(self, share: float) -> Transform:
        """Return a share of the change."""
        return Transform(self.parameters * share)

    def apply(self, rgb: Reals) -> Reals:
        """Return the transformed colours, `(n, 3)` of R'G'B' from 0 to 1."""
        return _apply(self.parameters, rgb)

    def look(self, **words: Any) -> Look:
        """Return the look that does the same; `words` are its other fields."""
        saturation, slope, offset, power, waves = _unpack(self.parameters)
        curves = None
        if np.any(waves):
            values = np.clip(_curved(waves, np.repeat(_KNOTS[:, None], 3, axis=1)), 0.0, 1.0)
            red, green, blue = (tuple(channel) for channel in np.maximum.accumulate(values).T.tolist())
            curves = Curves(tuple(_KNOTS.tolist()), (red, green, blue))
        cdl = Cdl(_triple(slope), _triple(offset), _triple(power), float(saturation))
        return Look(cdl=cdl, curves=curves, **words)


def _triple(values: Reals) -> tuple[float, float, float]:
    red, green, blue = values.tolist()
    return red, green, blue


def _unpack(parameters: Reals) -> tuple[float, Reals, Reals, Reals, Reals]:
    saturation, slope, offset, power = parameters[:4]
    apart = parameters[4:10].reshape(3, 2) @ np.array([[1.0, -1.0, 0.0], [0.0, -1.0, 1.0]])
    common, own = parameters[10 : 10 + WAVES], parameters[10 + WAVES :].reshape(3, WAVES)
    return (
        float(np.exp(saturation)),
        np.exp(slope + apart[0]),
        offset + apart[1],
        np.exp(power + apart[2]),
        common + own,
    )


def _curved(waves: Reals, rgb: Reals) -> Reals:
    numbers = np.arange(1, WAVES + 1)
    curved: Reals = rgb + np.einsum("nck,ck->nc", np.sin(np.pi * rgb[:, :, None] * numbers), waves)
    return curved


def _apply(parameters: Reals, rgb: Reals) -> Reals:
    saturation, slope, offset, power, waves = _unpack(parameters)
    levels = np.clip(_curved(waves, rgb), 0.0, 1.0)
    levels = np.clip(levels * slope + offset, 1e-6, 1.0) ** power
    luma = levels @ np.asarray(LUMA_WEIGHTS)
    saturated: Reals = np.clip(luma[:, None] + saturation * (levels - luma[:, None]), 0.0, 1.0)
    return saturated


# Perception


def to_lab(rgb: Reals) -> Reals:
    """Return CIELAB (D65) of R'G'B' from 0 to 1 as a display shows it (IEC 61966-2-1), shape `(n, 3)`."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0.0) + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


_TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
) / np.array([[0.95047], [1.0], [1.08883]])


def seen(rgb: Reals) -> Reals:
    """Return for each colour the `(3, 3)` that takes a small difference of R'G'B' to one of length ΔE00.

    Source: Sharma, Wu, Dalal, Color Res. Appl. 30 (2005), without the rotation term, which matters for blues alone.
    """
    rgb = np.clip(rgb, 0.0, 1.0)
    lab = to_lab(rgb)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    wider = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    step = np.where(rgb > 0.5, -1e-3, 1e-3)
    slopes = np.empty((len(rgb), 3, 3))
    for channel in range(3):
        moved = rgb.copy()
        moved[:, channel] += step[:, channel]
        slopes[:, :, channel] = (to_lab(moved) - lab) / step[:, channel, None]
    slopes[:, 1] *= wider[:, None]
    chroma = np.hypot(lab[:, 1] * wider, lab[:, 2])
    hue = np.arctan2(lab[:, 2], lab[:, 1] * wider)
    light = (lab[:, 0] - 50.0) ** 2
    weights = np.zeros((len(rgb), 3, 3))
    weights[:, 0, 0] = 1.0 / (1.0 + 0.015 * light / np.sqrt(20.0 + light))
    cos, sin = np.cos(hue), np.sin(hue)
    by_hue = 1.0 - 0.17 * np.cos(hue - np.pi / 6) + 0.24 * np.cos(2 * hue)
    by_hue += 0.32 * np.cos(3 * hue + np.radians(6)) - 0.20 * np.cos(4 * hue - np.radians(63))
    along, across = 1.0 / (1.0 + 0.045 * chroma), 1.0 / (1.0 + 0.015 * chroma * by_hue)
    weights[:, 1, 1], weights[:, 1, 2] = cos * along, sin * along
    weights[:, 2, 1], weights[:, 2, 2] = -sin * across, cos * across
    product: Reals = weights @ slopes
    return product


# Fit


def fit(
    source: Reals, target: Reals, weight: Reals, *, floor: float = 0.7, start: Transform | None = None
) -> Transform:
    """Return the transform that takes `source` to `target`, both `(n, 3)`.

    `weight` `(n,)` from 0 to 1: how much a pair counts. `floor`: the ΔE that a pair may be off by anyway.
    """
    metric = seen(target)
    parameters = (start or Transform.identity()).parameters.copy()
    steps = np.eye(len(WIDTHS)) * _STEP
    for _ in range(10):
        miss = np.einsum("nij,nj->ni", metric, _apply(parameters, source) - target)
        size = np.linalg.norm(miss, axis=1)
        scale = max(1.4826 * float(np.median(size)), floor)
        certainty = np.sqrt(weight / (1.0 + (size / (1.25 * scale)) ** 2)) / scale
        slopes = np.stack(
            [(_apply(parameters + step, source) - _apply(parameters - step, source)) / (2 * _STEP) for step in steps],
            axis=-1,
        )
        weighted = (np.einsum("nij,njp->nip", metric, slopes) * certainty[:, None, None]).reshape(-1, len(WIDTHS))
        normal = weighted.T @ weighted + np.diag(1.0 / WIDTHS**2)
        downhill = weighted.T @ (miss * certainty[:, None]).ravel() + parameters / WIDTHS**2
        step = np.linalg.solve(normal, downhill)
        parameters -= step
        if np.abs(step / WIDTHS).max() < 1e-2:
            break
    return Transform(parameters)
