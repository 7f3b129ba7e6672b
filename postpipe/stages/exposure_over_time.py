"""Series of exposure over time: what of them is light, what comes and goes, and how often."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

ORDER = 2
"""Order of the differences that light is smooth in: a steady change of exposure costs nothing."""

LIGHT_HZ = 1.0
"""Slower changes are light, whatever they look like: of a sine of this frequency `LIGHT_KEPT` stays."""
LIGHT_KEPT = 0.95

SWING = 6
"""Frames to either side within which flicker has to come back."""


@lru_cache(maxsize=8)
def _modes(frames: int) -> tuple[Reals, Reals]:
    """Return `(roughness, shapes)`: the eigenvalues and eigenvectors of the penalty on differences of light."""
    differences = np.diff(np.eye(frames), ORDER, axis=0)
    roughness, shapes = np.linalg.eigh(differences.T @ differences)
    roughness[:ORDER] = 0.0
    return np.maximum(roughness, 0.0), shapes


def least_stiffness(rate: float) -> float:
    """Return the stiffness at which a sine of `LIGHT_HZ` keeps `LIGHT_KEPT` of itself."""
    return float((1 / LIGHT_KEPT - 1) / (2 - 2 * np.cos(2 * np.pi * min(LIGHT_HZ / rate, 0.5))) ** ORDER)


def split_light(series: Reals, rate: float, stiffness: float | None = None) -> tuple[Reals, float]:
    """Return `(flicker, stiffness)`: series `(frames, …)` less its light, and how stiff light turned out to be.

    Light is Whittaker's smoother (1923; Eilers, "A perfect smoother", Analytical Chemistry 75, 2003); unless given,
    its stiffness is the likeliest for the first column (restricted maximum likelihood), and at least the one that
    keeps slow changes.
    """
    frames = len(series)
    if frames <= ORDER:
        return np.zeros_like(series), np.inf
    roughness, shapes = _modes(frames)
    parts = shapes.T @ series.reshape(frames, -1)
    if stiffness is None:
        stiffness = _likeliest(parts[ORDER:, 0], roughness[ORDER:], least_stiffness(rate))
    kept = stiffness * roughness / (1 + stiffness * roughness)
    flicker = shapes @ (kept[:, None] * parts)
    return flicker.reshape(series.shape), stiffness


def _likeliest(parts: Reals, roughness: Reals, least: float) -> float:
    candidates = least * 10.0 ** np.arange(0, 8, 0.5)
    spread = 1 + 1 / (candidates[:, None] * roughness)
    power = np.maximum((parts**2 / spread).mean(1), 1e-18)
    likelihood = -len(parts) * np.log(power) - np.log(spread).sum(1)
    return float(candidates[np.argmax(likelihood)])


def reversing(flicker: Reals, series: Reals) -> Reals:
    """Return flicker, nowhere larger than what the series goes one way and back in the frames around.

    What a ramp, a fade, a cut or the kink at the end of one leaves when light is taken out is none.
    """
    frames = len(series)
    swing = np.zeros(frames)
    for k in range(1, min(SWING + 1, (frames + 1) // 2)):
        back, ahead = series[k:-k] - series[: -2 * k], series[k:-k] - series[2 * k :]
        found = np.where(back * ahead > 0, np.minimum(abs(back), abs(ahead)), 0.0)
        swing[k:-k] = np.maximum(swing[k:-k], found)
    around = np.concatenate([np.zeros(SWING), swing, np.zeros(SWING)])
    most = np.lib.stride_tricks.sliding_window_view(around, 2 * SWING + 1).max(1)
    limited: Reals = np.clip(flicker, -most, most)
    return limited


def least_correlation(one: Reals, other: Reals) -> Reals:
    """Return the correlation along the first axis that two series have at least, in 95 of 100 cases (Fisher's z)."""
    power = np.sqrt((one**2).mean(0) * (other**2).mean(0))
    found = np.clip((one * other).mean(0) / (power + 1e-12), -0.9999, 0.9999)
    lowest: Reals = np.tanh(np.arctanh(found) - 1.645 / np.sqrt(max(len(one) - 3, 1)))
    return lowest


def bridge(series: Reals, frames: list[int]) -> Reals:
    """Return the series with the values at `frames` replaced by what lies between their neighbours."""
    if not frames:
        return series
    bridged = series.copy()
    rest = np.setdiff1d(np.arange(len(series)), frames)
    columns = bridged.reshape(len(series), -1)
    for column in columns.T:
        column[frames] = np.interp(frames, rest, column[rest])
    return bridged


def smooth(values: Reals, sigma: float) -> Reals:
    """Return the values blurred along the first axis, edges repeated (a Gaussian kernel, 3 sigma to either side)."""
    reach = min(round(3 * sigma), max(1, 4 * len(values)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.concatenate([values[:1].repeat(reach, 0), values, values[-1:].repeat(reach, 0)])
    total = np.zeros_like(values)
    for shift, share in enumerate(kernel / kernel.sum()):
        total += share * padded[shift : shift + len(values)]
    return total


def dominant_hz(exposure: Reals, rate: float) -> float | None:
    """Return the frequency from 1.2 Hz on that stands out, or `None`.

    It does where the peak of the periodogram holds most of its power.
    """
    frames = len(exposure)
    if frames < 12 or rate <= 3:
        return None
    series, _ = split_light(exposure, rate, 100 * least_stiffness(rate))
    window = np.hanning(frames + 2)[1:-1]
    size = 1 << (frames * 16).bit_length()
    power = np.abs(np.fft.rfft(series * window, size)) ** 2
    hertz = np.fft.rfftfreq(size, 1 / rate)
    power[hertz < 1.2] = 0
    peak = int(np.argmax(power))
    main = np.abs(hertz - hertz[peak]) <= 2 * rate / frames
    if not power.sum() or power[main].sum() < 0.6 * power.sum():
        return None
    return float(hertz[peak])
