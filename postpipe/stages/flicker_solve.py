"""From the exposure of tiles to flicker: what all of them do together, what some do, and what is light.

The steps of a track are explained, frame by frame, by a gain of each channel and an exponent (gamma) that all tiles
share; robust least squares learns how far each tile can be trusted. Summed up they are exposure over time, of which a
smooth part is light and stays: it follows every change slower than about 1 Hz, and no faster than the clip's own
exposure asks for (restricted maximum likelihood). What is left is flicker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from postpipe.stages.exposure_over_time import (
    Reals,
    bridge,
    dominant_hz,
    least_correlation,
    reversing,
    smooth,
    split_light,
)
from postpipe.stages.flicker_parts import by_level, local_flicker
from postpipe.stages.flicker_steps import Steps, distinct_steps
from postpipe.stages.flicker_track import FlickerTrack

WINDOW = 240
"""Frames that are solved together. Longer shots go in windows that overlap by half."""

MANY = 24
"""Frames: in fewer, only what the whole picture does can be told from what moves: no gamma, nothing local."""

OUTLYING = 0.05
"""Steps that are further from what the frame does are not flicker, and count as being this far."""


@dataclass(frozen=True)
class Shared:
    """What all tiles do: steps of the logarithm of R', G', B' at level `pivot` `(3,)`, and of the exponent.

    `gain`: `(frames, 3)`. `gamma`: `(frames,)`. `weight`: `(frames, tiles, 3)`, one over the variance of what is left.
    """

    gain: Reals
    gamma: Reals
    pivot: Reals
    weight: Reals


def shared_steps(steps: Steps, *, gamma: bool = True, rounds: int = 6) -> Shared:
    """Return what the tiles of each frame do together, by robust weighted least squares.

    A tile's weight falls with what the model leaves of its steps in this frame and, smoothed, around it: what moves,
    glitters or flickers by itself loses its say.
    """
    change, level, known = steps.change, steps.level, steps.known[..., None]
    frames = len(change)
    median = np.array(
        [np.median(row[ok], axis=0) if ok.any() else np.zeros(3) for row, ok in zip(change, steps.known, strict=True)]
    )
    gain, exponent, pivot = median.reshape(frames, 3), np.zeros(frames), np.zeros(3)
    weight = known / steps.variance
    for _ in range(rounds):
        left = change - gain[:, None] - exponent[:, None, None] * (level - pivot)
        strange = np.minimum(left**2, OUTLYING**2)
        weight = known / (steps.variance + strange + smooth(strange, 3.0))
        total = np.maximum(weight.sum(1), 1e-9)
        gain = (weight * change).sum(1) / total
        if gamma:
            pivot = (weight * level).sum((0, 1)) / total.sum(0)
            exponent = _exponent(change, level, weight)
            gain = gain - exponent[:, None] * ((weight * level).sum(1) / total - pivot)
    believed = _agreement(steps, weight, exponent) if gamma else 0.0
    gain = gain + (1 - believed) * exponent[:, None] * ((weight * level).sum(1) / total - pivot)
    exponent = believed * exponent
    gain[:1], exponent[:1] = 0.0, 0.0
    return Shared(gain, exponent, pivot, weight)


def _agreement(steps: Steps, weight: Reals, exponent: Reals) -> float:
    """Return the share of the exponent's power that the quarters of the picture say alike: motion differs in each."""
    parts = [weight * (steps.quarter == number)[:, None] for number in range(4)]
    told = [(_exponent(steps.change, steps.level, part), _leverage(steps.level, part)) for part in parts]
    pairs = [(a * b, (x * y) ** 0.5) for n, (a, x) in enumerate(told) for b, y in told[:n]]
    alike = sum(share * float(np.mean(product)) for product, share in pairs) / (sum(s for _, s in pairs) + 1e-9)
    return float(np.clip(alike / (np.mean(exponent**2) + 1e-12), 0.0, 1.0))


def _leverage(level: Reals, weight: Reals) -> float:
    away = level - (weight * level).sum(1, keepdims=True) / np.maximum(weight.sum(1, keepdims=True), 1e-9)
    return float(np.median((weight * away**2).sum((1, 2))))


def _exponent(change: Reals, level: Reals, weight: Reals) -> Reals:
    """Return, for each frame, how much more bright tiles changed than dark ones: the slope of change over level."""
    total = np.maximum(weight.sum(1, keepdims=True), 1e-9)
    away = level - (weight * level).sum(1, keepdims=True) / total
    rest = change - (weight * change).sum(1, keepdims=True) / total
    slope: Reals = (weight * away * rest).sum((1, 2)) / np.maximum((weight * away**2).sum((1, 2)), 1e-9)
    slope[:1] = 0.0
    return slope


# A shot


@dataclass(frozen=True)
class Solved:
    """What happens in a stretch of frames, as natural logarithms of factors, one entry for each frame.

    `exposure` `(frames,)`: what all channels and tiles do. `colour` `(frames, 3)`: what R', G', B' do besides.
    `gamma` `(frames,)`: change of the exponent around level `pivot` `(3,)`. `local` `(frames, down, across)`: what
    tiles do besides, `tone` `(frames, LEVELS, 3)`: what levels do. `light` `(frames, 3)`: the slow part, which is
    none of the others. `flashes`: single frames that jump away and back. `exposure_percent`, `colour_percent`,
    `gamma_percent`, `local_percent`: amplitudes, √2 times the root mean square. `hz`: of exposure, or `None` where
    no frequency stands out.
    """

    exposure: Reals
    colour: Reals
    gamma: Reals
    pivot: Reals
    local: Reals
    tone: Reals
    light: Reals
    flashes: tuple[int, ...]
    exposure_percent: float
    colour_percent: float
    gamma_percent: float
    local_percent: float
    hz: float | None


def solve(track: FlickerTrack, rate: float) -> Solved:
    """Return what happens in one shot of at most some hundred frames, at `rate` frames per second."""
    frames = len(track.steps)
    steps = distinct_steps(track)
    own_rate = rate * len(steps.frame) / frames
    enough = len(steps.frame) >= MANY
    shared = shared_steps(steps, gamma=enough)
    precision = np.median(shared.weight.sum(1), axis=0) + 1e-9
    exposure = np.cumsum(shared.gain @ (precision / precision.sum()))
    colour = np.cumsum(shared.gain, axis=0) - exposure[:, None]
    gamma = np.cumsum(shared.gamma)
    jumps = find_flashes(exposure)
    flashes = [jump for jump in jumps if _is_everywhere(steps, jump)]
    calm = bridge(exposure, jumps)
    _, stiffness = split_light(calm, own_rate)
    light = calm - split_light(calm, own_rate, stiffness)[0]
    warm = bridge((colour[:, 0] - colour[:, 2]) / 2, jumps)
    _, colour_stiffness = split_light(warm, own_rate)
    colour_light = bridge(colour, jumps)
    colour_light = colour_light - split_light(colour_light, own_rate, colour_stiffness)[0]
    gamma_flicker, gamma_stiffness = split_light(gamma, own_rate)
    gamma_flicker = reversing(gamma_flicker, gamma)

    left = steps.change - shared.gain[:, None] - shared.gamma[:, None, None] * (steps.level - shared.pivot)
    sure = sureness(shared.weight)
    sure[[jump for jump in jumps if jump not in flashes]] = 0.0  # something passed: no fault, and no guide
    steady = sure.copy()
    steady[jumps] = 0.0

    def strength(of: Reals, stiff: float) -> float:
        return common_percent(steps, of, shared.weight, own_rate, stiff, steady)

    error = np.median(shared.weight.sum(1).mean(1)) ** -0.5 if shared.weight.any() else np.inf

    total = left + shared.gain[:, None]
    warmth = np.stack([total[..., 0] - total[..., 2]] * 3, axis=-1) / 2
    local, local_percent = local_flicker(left, steps, own_rate)
    tone = by_level(left, steps, shared.weight, track.code, own_rate)
    spot = np.searchsorted(steps.frame, np.arange(frames), side="right") - 1  # repeats do as their first does
    return Solved(
        exposure=(sure * (exposure - calm + reversing(calm - light, calm)))[spot],
        colour=(sure[:, None] * (colour - colour_light))[spot],
        gamma=(sure * gamma_flicker)[spot],
        pivot=shared.pivot,
        local=(enough * sure[:, None, None] * local)[spot],
        tone=(sure[:, None, None] * tone)[spot],
        light=(light[:, None] + colour_light)[spot],
        flashes=tuple(int(steps.frame[flash]) for flash in flashes),
        exposure_percent=beyond(strength(total, stiffness), error),
        colour_percent=strength(warmth, colour_stiffness),
        gamma_percent=enough
        * beyond(
            gamma_percent(steps, shared, own_rate, gamma_stiffness, sure),
            (_leverage(steps.level, shared.weight) / 3 + 1e-9) ** -0.5,
        ),
        local_percent=enough * local_percent,
        hz=dominant_hz(calm, own_rate),
    )


UNSURE = 0.2
"""A frame of which so small a share of what the others tell is known, and all below, is believed less and less."""


def sureness(weight: Reals) -> Reals:
    """Return, from 0 to 1, how far each frame can be told: less where it goes into black, or all of it moves."""
    total = weight.sum((1, 2))
    usual = UNSURE * float(np.median(total)) + 1e-9
    around = np.minimum(total, np.minimum(np.roll(total, 1), np.roll(total, -1)))
    around[[0, -1]] = total[[0, -1]]
    share: Reals = np.minimum(around / usual, 1.0)
    return share


FLASH = 0.03
"""A frame that is not off by this much is no flash."""
FLASH_TIMES = 6.0
"""And it stands out by this much from what the other frames do."""


def find_flashes(exposure: Reals) -> list[int]:
    """Return the frames whose exposure jumps away from both neighbours and back."""
    if len(exposure) < 4:
        return []
    jump = exposure[1:-1] - (exposure[:-2] + exposure[2:]) / 2
    apart = np.abs(exposure[2:] - exposure[:-2])
    usual = np.median(np.abs(jump)) * 1.4826
    stands_out = (np.abs(jump) > max(FLASH, FLASH_TIMES * usual)) & (apart < 0.4 * np.abs(jump))
    return [int(frame) + 1 for frame in np.flatnonzero(stands_out)]


def beyond(percent: float, error: float) -> float:
    """Return an amplitude in percent less what comes of the standard error of a frame's step."""
    return float(np.sqrt(max(0.0, percent**2 - 2 * (100 * error) ** 2)))


FLASH_QUARTERS = 3
"""Quarters of the picture that have to show a flash, there and back,"""
FLASH_ALIKE = 0.5, 1.6
"""each by so much of what the middle one shows. What passes before the camera, and a lamp, are somewhere."""


def _is_everywhere(steps: Steps, flash: int) -> bool:
    """Return whether a jump of exposure is one of the whole picture."""
    grey, quarter = steps.change.mean(2), steps.quarter
    for frame in (flash, flash + 1):
        known = [steps.known[frame] & (quarter == number) for number in range(4)]
        told = [
            float(np.median(grey[frame, tiles]))
            for number, tiles in enumerate(known)
            if 4 * np.count_nonzero(tiles) >= np.count_nonzero(quarter == number)
        ]
        middle = float(np.median(told)) if told else 0.0
        low, high = FLASH_ALIKE[0] * abs(middle), FLASH_ALIKE[1] * abs(middle)
        if len(told) < FLASH_QUARTERS or not all(low <= np.sign(middle) * one <= high for one in told):
            return False
    return True


def common_percent(steps: Steps, change: Reals, weight: Reals, rate: float, stiffness: float, sure: Reals) -> float:
    """Return the amplitude in percent of what the quarters of the picture do alike: √2 times its root mean square.

    Each quarter is followed by itself. What is due to motion in one has nothing to do with the others, so that the
    mean product of two is free of it; the middle one of the six pairs is taken.
    """
    quarters = []
    for quarter in range(4):
        share = weight * (steps.quarter == quarter)[:, None]
        if share.sum() > 0.02 * weight.sum():
            step = (share * change).sum((1, 2)) / np.maximum(share.sum((1, 2)), 1e-9)
            series = np.cumsum(step)
            quarters.append(sure * reversing(split_light(series, rate, stiffness)[0], series))
    return _common_amplitude(quarters, ALIKE)


def gamma_percent(steps: Steps, shared: Shared, rate: float, stiffness: float, sure: Reals) -> float:
    """Return the amplitude of the exponent in percent, from what the quarters of the picture say alike."""
    parts = [shared.weight * (steps.quarter == number)[:, None] for number in range(4)]
    total = sum(_leverage(steps.level, part) for part in parts)
    told = []
    for part in parts:
        if _leverage(steps.level, part) > 0.02 * total:
            series = np.cumsum(_exponent(steps.change, steps.level, part))
            told.append(sure * reversing(split_light(series, rate, stiffness)[0], series))
    return _common_amplitude(told, GAMMA_ALIKE)


ALIKE = (0.0, 0.25)
"""Correlation of the quarters below which there is no flicker, and from which on it is believed."""
GAMMA_ALIKE = (0.6, 0.85)
"""The same of the exponent: a slope over tiles follows what moves more easily than their mean does."""


def _common_amplitude(series: list[Reals], correlated: tuple[float, float]) -> float:
    """Return √2 times the root mean square of what series have in common, in percent: the median of their pairs."""
    if len(series) < 2:
        series = series * 2
    pairs = [(a, b) for n, a in enumerate(series) for b in series[:n]]
    if not pairs:
        return 0.0
    common = float(np.median([np.mean(a * b) for a, b in pairs]))
    alike = float(np.median([least_correlation(a, b) for a, b in pairs]))
    return 100 * float(np.sqrt(max(0.0, 2 * common))) * float(np.interp(alike, correlated, (0, 1)))
