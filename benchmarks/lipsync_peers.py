"""Other ways to find the offset between lips and sound, on the same faces and sounds.

Each returns the offset in ms (positive: sound early) at which its measure is greatest, within ±800 ms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from postpipe.stages.lipsync_match import LAGS, LAGS_MS, Lips, without_slow
from postpipe.stages.lipsync_tracks import STEP_HZ

Floats = NDArray[np.float64]
Measure = Callable[[Floats, Floats], float]

DARK = slice(51, 67)
"""Of a mouth's numbers: how dark it is, cell by cell. An open mouth is dark."""


def _best(lips: Lips, values: Floats, sound: Floats, measure: Measure) -> float:
    curve = np.zeros(len(LAGS))
    for number, lag in enumerate(LAGS):
        beside = lips.steps - lag
        inside = (beside >= 0) & (beside < len(sound))
        if inside.sum() >= STEP_HZ:
            curve[number] = measure(values[inside], sound[beside[inside]])
    return float(LAGS_MS[int(curve.argmax())])


def _correlation(one: Floats, other: Floats) -> float:
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum() + 1e-12))


def _information(one: Floats, other: Floats, bins: int = 8) -> float:
    """Return the mutual information of two series, in bins that hold equally many values."""
    ranks = [np.argsort(np.argsort(values)) * bins // len(values) for values in (one, other)]
    joint = np.zeros((bins, bins))
    np.add.at(joint, tuple(ranks), 1.0 / len(one))
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    some = joint > 0
    return float((joint[some] * np.log(joint[some] / apart[some])).sum())


def _canonical(mouth: Floats, sound: Floats, ridge: float = 0.1) -> float:
    """Return the greatest canonical correlation of two sets of series."""
    mouth, sound = mouth - mouth.mean(axis=0), sound - sound.mean(axis=0)
    roots = []
    for values in (mouth, sound):
        covariance = values.T @ values
        size = len(covariance)
        own, vectors = np.linalg.eigh(covariance + ridge * np.trace(covariance) / size * np.eye(size))
        roots.append((vectors / np.sqrt(own)) @ vectors.T)
    return float(np.linalg.svd(roots[0] @ mouth.T @ sound @ roots[1], compute_uv=False)[0])


def _principal(values: Floats, parts: int) -> Floats:
    values = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9)
    left, strength, _ = np.linalg.svd(values, full_matrices=False)
    return np.asarray(left[:, :parts] * strength[:parts])


def peers(lips: Lips, mel: NDArray[np.float32]) -> dict[str, float]:
    """Return the offset that each peer finds. `lips.parts`: a mouth's numbers; `mel`: `(steps, bands)`."""
    opening = lips.parts[:, DARK].mean(axis=1)
    loudness = np.log(np.exp(mel.astype(np.float64)).sum(axis=1) + 1e-6)
    envelope = without_slow(loudness[:, None])[:, 0]
    onsets = np.maximum(0.0, np.diff(mel.astype(np.float64), axis=0, prepend=mel[:1])).mean(axis=1)
    opens = np.maximum(0.0, np.gradient(opening))
    bands = _principal(without_slow(mel), 6)
    shapes = _principal(lips.parts, 6)
    return {
        "mouth area and envelope, correlation": _best(lips, opening, envelope, _correlation),
        "onsets, correlation": _best(lips, opens, onsets, _correlation),
        "canonical correlation within the clip": _best(lips, shapes, bands, _canonical),
        "mouth area and envelope, mutual information": _best(lips, opening, envelope, _information),
    }
