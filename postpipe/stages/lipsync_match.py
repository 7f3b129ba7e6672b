"""How alike lips and sound are at each offset, where that is greatest, and how sure it is.

Positive offsets are sound that is early: what the lips do now was heard before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from postpipe.stages.lipsync_tracks import STEP_HZ, MouthTrack

Floats = NDArray[np.float64]

REACH = 40
"""Steps of offset that are tried to either side: 800 ms."""
LAGS = np.arange(-REACH, REACH + 1)
LAGS_MS = LAGS * 1000.0 / STEP_HZ
GAP_SECONDS = 0.3  # lips that are not seen for longer are followed anew
LEAST_SECONDS = 1.0  # of lips seen without a gap
SLOW_SECONDS = 1.2  # what takes longer is no speech: head, light, exposure
FORETOLD = 0.8  # of a step by the one before, in lips and in sound; chosen on the clips that the maps come from
NEAR = 5  # steps around a peak that belong to it


@dataclass(frozen=True)
class Lips:
    """The lips of one face every 20 ms: `steps`, int64, counted from the take's first frame; `parts` `(steps, parts)`.

    `seconds` of the take without a gap longer than `GAP_SECONDS`; each stretch has its slow changes taken out.
    """

    steps: NDArray[np.int64]
    parts: Floats

    @property
    def seconds(self) -> float:
        """How long lips are seen."""
        return len(self.steps) / STEP_HZ

    def between(self, start: int, end: int) -> Lips:
        """Return what lies between two steps."""
        first, last = np.searchsorted(self.steps, (start, end))
        return Lips(self.steps[first:last], self.parts[first:last])


Opinion = Callable[[Lips], Floats | None]
"""Tells by other means how alike lips and sound are at each of `LAGS`, -1 to 1; `None` where it cannot."""


@dataclass(frozen=True)
class Match:
    """Where lips and sound are most alike: `offset_ms`, and `curve`, the likeness at each of `LAGS`, -1 to 1.

    `evidence`: what `confidence` is told from.
    """

    offset_ms: float
    curve: Floats
    evidence: tuple[float, ...]


def lips_of(track: int, mouths: MouthTrack) -> Lips:
    """Return the lips of one face on even steps."""
    rows = mouths.tracks == track
    seconds, lips = mouths.seconds[rows], mouths.lips[rows].astype(np.float64)
    steps, parts = [np.zeros(0, np.int64)], [np.zeros((0, lips.shape[1]))]
    edges = np.flatnonzero(np.diff(seconds) > GAP_SECONDS) + 1
    for times, values in zip(np.split(seconds, edges), np.split(lips, edges), strict=True):
        if len(times) < 2 or times[-1] - times[0] < LEAST_SECONDS:
            continue
        grid = np.arange(int(np.ceil(times[0] * STEP_HZ)), int(times[-1] * STEP_HZ) + 1)
        even = np.stack([np.interp(grid / STEP_HZ, times, column) for column in values.T], axis=1)
        steps.append(grid)
        parts.append(without_slow(even))
    return Lips(np.concatenate(steps), np.concatenate(parts))


def together(faces: Sequence[Lips]) -> Lips:
    """Return the lips of faces that follow each other, the first ones first where two are seen at once."""
    steps, parts = faces[0].steps, faces[0].parts
    for lips in faces[1:]:
        new = ~np.isin(lips.steps, steps)
        steps, parts = np.concatenate([steps, lips.steps[new]]), np.concatenate([parts, lips.parts[new]])
    order = np.argsort(steps, kind="stable")
    return Lips(steps[order], parts[order])


def without_slow(values: NDArray[np.floating]) -> Floats:
    """Return `(steps, parts)` without changes slower than `SLOW_SECONDS`: less a mean under a Hann window."""
    width = int(SLOW_SECONDS * STEP_HZ) | 1
    if not len(values):
        return np.asarray(values, np.float64)
    window = np.hanning(width + 2)[1:-1]
    window /= window.sum()
    padded = np.pad(values, ((width // 2, width // 2), (0, 0)), "reflect" if len(values) > width else "edge")
    slow = np.stack([np.convolve(column, window, "valid") for column in padded.T], axis=1)
    return np.asarray(values - slow, np.float64)


def likeness(lips: Lips, sound: Floats, weights: Floats) -> Floats:
    """Return how alike lips and sound are at each of `LAGS`: the weighted mean of the parts' correlations.

    What changes slowly is like itself for a while and so correlates with anything: both are taken without what each
    step foretells of the next (pre-whitening; G. E. P. Box, G. M. Jenkins, "Time series analysis: forecasting and
    control", 1970). Chance correlates the more the fewer steps there are: a correlation counts by the root of the share
    of steps that lie beside each other, so that chance is as high at each lag.

    `sound`: `(steps, parts)`, slow changes taken out; where lips have no sound beside them they are left out.
    """
    curve = np.zeros(len(LAGS))
    if not len(lips.steps):
        return curve
    first, last = int(lips.steps[0]), int(lips.steps[-1])
    here = lips.steps - first
    heard = np.arange(first - REACH, last + REACH + 1)
    inside = (heard >= 0) & (heard < len(sound))
    y, z = np.zeros((last - first + 1, len(weights))), np.zeros((len(heard), len(weights)))
    y[here], z[inside] = lips.parts, sound[heard[inside]]
    seen = np.zeros(len(y), bool)
    seen[here] = True
    (y, of_lips), (z, of_sound) = _whitened(y, seen), _whitened(z, inside)
    count = _sums(of_lips, of_sound)
    enough = count >= STEP_HZ
    count = np.maximum(count, 1.0)
    for one, other, weight in zip(y.T, z.T, weights, strict=True):
        mean_y, mean_z = _sums(one, of_sound) / count, _sums(of_lips, other) / count
        of_y = _sums(one * one, of_sound) / count - mean_y**2
        of_z = _sums(of_lips, other * other) / count - mean_z**2
        both = _sums(one, other) / count - mean_y * mean_z
        curve += weight * both / np.sqrt(np.maximum(of_y, 1e-12) * np.maximum(of_z, 1e-12))
    return np.where(enough, curve * np.sqrt(count / count.max()), 0.0)


def _whitened(values: Floats, there: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return each step of `values` less what the one before foretells, and 1.0 where both are `there`, else 0.0."""
    new, both = np.zeros_like(values), np.zeros(len(values))
    both[1:] = there[1:] & there[:-1]
    new[1:] = values[1:] - FORETOLD * values[:-1]
    return new * both[:, None], both


def _sums(seen: Floats, heard: Floats) -> Floats:
    """Return the sum of products at each of `LAGS`; `heard` has `REACH` steps more than `seen` at either end."""
    return np.correlate(heard, seen, "valid")[::-1]


def match(lips: Lips, sound: Floats, weights: Floats, opinion: Opinion | None = None) -> Match:
    """Return the offset at which lips and sound are most alike, by a second opinion too where there is one."""
    return _match(lips, len(sound), lambda part: _both(part, sound, weights, opinion))


def match_by(opinion: Opinion, lips: Lips, heard: int) -> Match:
    """Return the offset at which lips and sound are most alike by that opinion alone; `heard`: steps of sound."""
    nothing = np.zeros(len(LAGS))
    return _match(lips, heard, lambda part: nothing if (told := opinion(part)) is None else told)


def _match(lips: Lips, heard: int, likeness_of: Callable[[Lips], Floats]) -> Match:
    curve = likeness_of(lips)
    peak = int(curve.argmax())
    halves = [likeness_of(half) for half in _halves(lips)]
    beside = lips.steps - LAGS[peak]
    seconds = np.count_nonzero((beside >= 0) & (beside < heard)) / STEP_HZ
    return Match(_between_steps(curve, peak), curve, _evidence(curve, halves, seconds))


def _halves(lips: Lips) -> tuple[Lips, Lips]:
    middle = len(lips.steps) // 2
    return Lips(lips.steps[:middle], lips.parts[:middle]), Lips(lips.steps[middle:], lips.parts[middle:])


def _both(lips: Lips, sound: Floats, weights: Floats, opinion: Opinion | None) -> Floats:
    """Return how alike they are at each of `LAGS`: the mean of what two say of it."""
    own, other = likeness(lips, sound, weights), opinion(lips) if opinion else None
    return own if other is None else (own + other) / 2


def halves_ms(lips: Lips, sound: Floats, weights: Floats, opinion: Opinion | None = None) -> tuple[float, float]:
    """Return the offsets of the first and the second half."""
    curves = [_both(half, sound, weights, opinion) for half in _halves(lips)]
    first, second = (_between_steps(curve, int(curve.argmax())) for curve in curves)
    return first, second


def _between_steps(curve: Floats, peak: int) -> float:
    """Return the offset in ms of the vertex of the parabola through a peak and its neighbours."""
    shift = 0.0
    if 0 < peak < len(curve) - 1:
        before, here, after = curve[peak - 1 : peak + 2]
        bend = before - 2 * here + after
        shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float((LAGS[peak] + shift) * 1000 / STEP_HZ)


def _evidence(curve: Floats, halves: Sequence[Floats], seconds: float) -> tuple[float, ...]:
    """Return what tells a true peak from a chance one, each for so much sound.

    How high it is; how far above the next best offset; and how high either half is there, whichever is lower.
    """
    peak = int(curve.argmax())
    near = np.abs(LAGS - LAGS[peak]) <= NEAR
    height = float(np.arctanh(np.clip(curve[peak], 0, 0.99)))
    margin = float(curve[peak] - curve[~near].max())
    agree = min(float(half[near].max()) for half in halves)
    root = float(np.sqrt(seconds))
    return height * root, margin * root, agree * root


def confidence(evidence: Sequence[float], weights: Sequence[float]) -> float:
    """Return how likely an offset is right to 80 ms: a logistic function of the evidence and a constant."""
    score = weights[0] + float(np.dot(weights[1:], evidence))
    return float(1 / (1 + np.exp(-np.clip(score, -30, 30))))
