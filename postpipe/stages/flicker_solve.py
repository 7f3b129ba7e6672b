"""From the exposure of tiles to flicker: what all of them do together, what some do, and what is light.

The steps of a track are explained, frame by frame, by a gain of each channel and an exponent (gamma) that all tiles
share; robust least squares learns how far each tile can be trusted. Summed up they are exposure over time, of which a
smooth part is light and stays: it follows every change slower than about 1 Hz, and no faster than the clip's own
exposure asks for (restricted maximum likelihood). What is left is flicker.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from postpipe.stages.flicker_track import LEVEL_STEP, FlickerTrack

Reals = NDArray[np.float64]

ORDER = 2
"""Order of the differences that light is smooth in: a steady change of exposure costs nothing."""

LIGHT_HZ = 1.0
"""Slower changes are light, whatever they look like: of a sine of this frequency `LIGHT_KEPT` stays."""
LIGHT_KEPT = 0.95

WINDOW = 240
"""Frames that are solved together. Longer shots go in windows that overlap by half."""

STILL = 2e-4
"""A frame whose tiles all change by less is the one before again."""

FLOOR = 3e-4
"""Standard error that every tile has at least: coding, and motion that the flow did not see."""

OUTLYING = 0.05
"""Steps that are further from what the frame does are not flicker, and count as being this far."""


@dataclass(frozen=True)
class Steps:
    """Steps of the distinct frames of a shot, as float64.

    `change`, `level`: `(frames, tiles, 3)`, `level` as natural logarithms. `variance`: likewise, how far a tile's
    step may be off by itself, and `error` `(frames, tiles)`, that of grey as measured. `known`: `(frames, tiles)`.
    `frame`: `(frames,)`, their indices in the shot.
    """

    change: Reals
    level: Reals
    variance: Reals
    error: Reals
    known: NDArray[np.bool_]
    frame: NDArray[np.int64]


@dataclass(frozen=True)
class Shared:
    """What all tiles do: steps of the logarithm of R', G', B' at level `pivot` `(3,)`, and of the exponent.

    `gain`: `(frames, 3)`. `gamma`: `(frames,)`. `weight`: `(frames, tiles, 3)`, one over the variance of what is left.
    """

    gain: Reals
    gamma: Reals
    pivot: Reals
    weight: Reals


def distinct_steps(track: FlickerTrack) -> Steps:
    """Return the steps of a shot without the frames that repeat the one before (generators deliver many)."""
    frames = len(track.steps)
    change = track.steps.reshape(frames, -1, 3).astype(np.float64)
    spread = track.spread.reshape(frames, -1).astype(np.float64)
    known = np.isfinite(spread)
    moved = np.where(known[..., None], np.abs(change), 0.0).max(axis=(1, 2), initial=0.0)
    kept = moved > STILL
    kept[:1] = True
    frame = np.flatnonzero(kept)
    change, spread, known = change[frame], spread[frame], known[frame]
    change[:1] = 0.0
    level = track.level.reshape(frames, -1, 3)[frame].astype(np.float64) * -LEVEL_STEP
    # Two roundings to whole code values, of variance 1/12 each; chroma's reach R' and B' enlarged.
    rounding = track.code**2 / 6 * (1 + np.array([1.57, 0.5, 1.86]) ** 2) / np.exp(2 * level)
    error = np.where(known, spread, 1.0)
    variance = error[..., None] ** 2 + FLOOR**2 + rounding
    return Steps(np.where(known[..., None], change, 0.0), level, variance, error, known, frame)


def shared_steps(steps: Steps, *, gamma: bool = True, rounds: int = 6) -> Shared:
    """Return what the tiles of each frame do together, by robust weighted least squares.

    A tile's weight falls with what the model leaves of its steps in this frame and, smoothed, around it: what moves,
    glitters or flickers by itself loses its say.
    """
    change, level, known = steps.change, steps.level, steps.known[..., None]
    frames = len(change)
    median = np.array([np.median(row[ok], axis=0) if ok.any() else np.zeros(3) for row, ok in zip(change, steps.known)])
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
    gain[:1], exponent[:1] = 0.0, 0.0
    return Shared(gain, exponent, pivot, weight)


def _exponent(change: Reals, level: Reals, weight: Reals) -> Reals:
    """Return, for each frame, how much more bright tiles changed than dark ones: the slope of change over level."""
    total = np.maximum(weight.sum(1, keepdims=True), 1e-9)
    away = level - (weight * level).sum(1, keepdims=True) / total
    rest = change - (weight * change).sum(1, keepdims=True) / total
    slope: Reals = (weight * away * rest).sum((1, 2)) / np.maximum((weight * away**2).sum((1, 2)), 1e-9)
    slope[:1] = 0.0
    return slope


def smooth(values: Reals, sigma: float) -> Reals:
    """Return the values blurred along the first axis, edges repeated (a Gaussian kernel, 3 sigma to either side)."""
    reach = min(round(3 * sigma), max(1, 4 * len(values)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.concatenate([values[:1].repeat(reach, 0), values, values[-1:].repeat(reach, 0)])
    total = np.zeros_like(values)
    for shift, share in enumerate(kernel / kernel.sum()):
        total += share * padded[shift : shift + len(values)]
    return total


# Light and flicker


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


# A shot


@dataclass(frozen=True)
class Solved:
    """What happens in a stretch of frames, as natural logarithms of factors, one entry for each frame.

    `exposure` `(frames,)`: what all channels and tiles do. `colour` `(frames, 3)`: what R', G', B' do besides.
    `gamma` `(frames,)`: change of the exponent around level `pivot` `(3,)`. `local` `(frames, down, across)`: what
    tiles do besides. `light` `(frames, 3)`: the slow part, which is none of the others. `flashes`: single frames that
    jump away and back. `exposure_percent`, `colour_percent`, `gamma_percent`, `local_percent`: amplitudes, √2 times
    the root mean square. `hz`: of exposure, or `None` where no frequency stands out.
    """

    exposure: Reals
    colour: Reals
    gamma: Reals
    pivot: Reals
    local: Reals
    light: Reals
    flashes: tuple[int, ...]
    exposure_percent: float
    colour_percent: float
    gamma_percent: float
    local_percent: float
    hz: float | None


def solve(track: FlickerTrack, rate: float) -> Solved:
    """Return what happens in one shot of at most some hundred frames, at `rate` frames per second."""
    frames, (down, across) = len(track.steps), track.spread.shape[1:]
    steps = distinct_steps(track)
    own_rate = rate * len(steps.frame) / frames
    shared = shared_steps(steps)
    precision = np.median(shared.weight.sum(1), axis=0) + 1e-9
    exposure = np.cumsum(shared.gain @ (precision / precision.sum()))
    colour = np.cumsum(shared.gain, axis=0) - exposure[:, None]
    gamma = np.cumsum(shared.gamma)
    flashes = find_flashes(exposure)
    calm = bridge(exposure, flashes)
    _, stiffness = split_light(calm, own_rate)
    light = calm - split_light(calm, own_rate, stiffness)[0]
    warm = bridge((colour[:, 0] - colour[:, 2]) / 2, flashes)
    _, colour_stiffness = split_light(warm, own_rate)
    colour_light = bridge(colour, flashes)
    colour_light = colour_light - split_light(colour_light, own_rate, colour_stiffness)[0]
    gamma_flicker, gamma_stiffness = split_light(gamma, own_rate)
    gamma_flicker = reversing(gamma_flicker, gamma)

    left = steps.change - shared.gain[:, None] - shared.gamma[:, None, None] * (steps.level - shared.pivot)
    steady = np.ones(len(steps.frame), bool)
    steady[list(flashes)] = False

    def strength(of: Reals, stiff: float) -> float:
        return common_percent(of, shared.weight, (down, across), own_rate, stiff, steady)

    total = left + shared.gain[:, None]
    warmth = np.stack([total[..., 0] - total[..., 2]] * 3, axis=-1) / 2
    local, local_percent = local_flicker(left, steps, (down, across), own_rate)
    spot = np.searchsorted(steps.frame, np.arange(frames), side="right") - 1  # repeats do as their first does
    return Solved(
        exposure=(exposure - calm + reversing(calm - light, calm))[spot],
        colour=(colour - colour_light)[spot],
        gamma=gamma_flicker[spot],
        pivot=shared.pivot,
        local=local[spot],
        light=(light[:, None] + colour_light)[spot],
        flashes=tuple(int(steps.frame[flash]) for flash in flashes),
        exposure_percent=strength(total, stiffness),
        colour_percent=strength(warmth, colour_stiffness),
        gamma_percent=gamma_percent(steps, shared, (down, across), own_rate, gamma_stiffness),
        local_percent=local_percent,
        hz=dominant_hz(calm, own_rate),
    )


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


def common_percent(
    change: Reals, weight: Reals, shape: tuple[int, int], rate: float, stiffness: float, steady: NDArray[np.bool_]
) -> float:
    """Return the amplitude in percent of what the quarters of the picture do alike: √2 times its root mean square.

    Each quarter is followed by itself. What is due to motion in one has nothing to do with the others, so that the
    mean product of two is free of it; the middle one of the six pairs is taken.
    """
    down, across = shape
    rows = np.arange(down * across) // across * 2 // down
    columns = np.arange(down * across) % across * 2 // across
    quarters = []
    for quarter in range(4):
        share = weight * (rows * 2 + columns == quarter)[:, None]
        if share.sum() > 0.02 * weight.sum():
            step = (share * change).sum((1, 2)) / np.maximum(share.sum((1, 2)), 1e-9)
            series = np.cumsum(step)
            quarters.append(reversing(split_light(series, rate, stiffness)[0], series)[steady])
    if len(quarters) < 2:
        quarters *= 2
    products = [float(np.mean(a * b)) for n, a in enumerate(quarters) for b in quarters[:n]]
    return 100 * max(0.0, 2 * float(np.median(products)) if products else 0.0) ** 0.5


def gamma_percent(steps: Steps, shared: Shared, shape: tuple[int, int], rate: float, stiffness: float) -> float:
    """Return the amplitude of the exponent in percent, from what the squares of a chessboard of tiles say alike."""
    place = np.arange(shape[0] * shape[1])
    white = ((place // shape[1] + place % shape[1]) % 2 == 0)[:, None]
    halves = []
    for half in (white, ~white):
        series = np.cumsum(_exponent(steps.change, steps.level, shared.weight * half))
        halves.append(reversing(split_light(series, rate, stiffness)[0], series))
    return 100 * max(0.0, 2 * float(np.mean(halves[0] * halves[1]))) ** 0.5


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


SWING = 6
"""Frames to either side within which flicker has to come back."""


LOCAL_REACH = 0.6
"""How far a tile listens to its neighbours, in tiles (sigma)."""

LOCAL_TRUST = 0.006
"""A tile's step is believed by half where its standard error is this."""

LOCAL_STRETCH = 8
"""Local flicker is there in most stretches of this many frames; what only passes through is not flicker."""


def local_flicker(left: Reals, steps: Steps, shape: tuple[int, int], rate: float) -> tuple[Reals, float]:
    """Return `(local, percent)`: what tiles do besides the whole, `(frames, down, across)`, and how strong it is.

    A tile is believed as far as its neighbours do the same: what they tell of it, without itself, is compared with
    what it does, and for the strength, stretch by stretch, of which the middle one counts.
    """
    frames, tiles = left.shape[:2]
    weight = steps.known[..., None] / steps.variance
    step = (weight * left).sum(2) / np.maximum(weight.sum(2), 1e-9)
    step = step * LOCAL_TRUST**2 / (LOCAL_TRUST**2 + steps.error**2)
    place = np.stack(np.divmod(np.arange(tiles), shape[1]), axis=1)
    distance = ((place[:, None] - place[None]) ** 2).sum(-1)
    noise = np.median(steps.error, axis=0) ** 2 + FLOOR**2
    trust = np.exp(-distance / (2 * LOCAL_REACH**2)) * (distance <= 9) / noise
    alone = trust - np.diag(np.diag(trust))
    trust /= np.maximum(trust.sum(1, keepdims=True), 1e-9)
    alone /= np.maximum(alone.sum(1, keepdims=True), 1e-9)
    series = np.cumsum(step, axis=0)

    quick, _ = split_light(series, rate, 3 * least_stiffness(rate))
    stretches = np.array_split(quick * (quick @ alone.T), max(1, frames // LOCAL_STRETCH))
    alike = np.maximum(np.median([stretch.mean(0) for stretch in stretches], axis=0), 0.0)
    strongest = np.sort(alike)[-max(1, tiles // 10) :]

    whole, _ = split_light(series, rate, 10 * least_stiffness(rate))
    smoothed = whole @ trust.T
    said = np.maximum((whole * (whole @ alone.T)).mean(0), 0.0)
    believed = said / np.maximum(np.maximum((smoothed**2).mean(0), said), 1e-12)
    return (smoothed * believed).reshape(frames, *shape), 100 * (2 * float(strongest.mean())) ** 0.5


def dominant_hz(exposure: Reals, rate: float) -> float | None:
    """Return the frequency from 1.2 Hz on that stands out, or `None`.

    It does where the periodogram's peak holds a quarter of the power (Fisher's test would ask for less).
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
