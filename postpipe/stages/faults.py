"""Where a take goes wrong: still, repeated and replayed frames, jumps, drifts and soft stretches, from its track.

All thresholds are in 8-bit code values. They were set on one half of the real clips that `benchmarks.quality` names,
with faults planted in them, and are judged on the other half; but for soft stretches, which were made relative to
their shot after two clips of the other half had been seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Series = NDArray[np.float32]
Run = tuple[int, int]
"""First and last frame."""

WHITE_CODE = 219  # of tiles, whose white is 1
FOOT = 16.0  # code values that are added before levels are compared: what is nearly black has none

STILL_LARGEST = 2.0  # no cell of 8 × 8 pixels of a repeated picture changes by more than coding makes it,
STILL_MOVED = 0.001  # hardly any by more than one code,
STILL_SHARE = 0.12  # and pixels by less than this share of what they do in the clip at large,
STILL_CODES = (0.03, 0.25)  # within these bounds
HICCUP = 0.2  # a frame shown twice changes less than this share of what the frames around it do,
HICCUP_CODES = 0.25  # in cells, whose changes are at least this
REPLAY = 0.7, 1.0  # pictures that are shown again are nearer than a step from one frame to the next: surely, at least
REPLAY_STEP = 0.04  # where steps, means over the tiles, are at least this,
REPLAY_AWAY = 3.0  # and in between the picture was this many times as far away
REPLAY_SECONDS = (0.25, 30.0)  # how long a replay is at least, and how far back one is looked for
JUMP = 1.8, 2.6  # a jump changes cells and tiles this many times as much as any frame near it,
JUMP_CODES = 1.0  # tiles by this,
JUMP_FRAMES = 4  # so many on either side are near,
JUMP_LIKENESS = 0.5  # and what is seen stays the same, unlike at a cut: correlation of the tiles
DRIFT_SECONDS = 1.0  # a drift lies between the means of the first and the last second,
DRIFT_STEADY = 0.7  # is most of what the take goes through,
DRIFT_LIKENESS = 0.8  # and the view stays
DARK = 0.02  # of the range: darker tiles say nothing about exposure
SOFT = 0.4  # a soft stretch has less than this share of its shot's fine detail,
SOFT_SECONDS = 0.3  # for at least this long,
SOFT_EDGE = 3  # and so many frames before (or after) it
SOFT_LIKENESS = 0.8  # the picture shows the same
LEAST_CONTRAST = 0.01  # standard deviation of the tiles: where it is less there is nothing to be sharp


def runs(mask: Mask) -> Iterator[Run]:
    """Yield (first, last) of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield first, end - 1


def still_frames(difference: Series, moved: Series, largest: Series) -> Mask:
    """Return which frames only repeat the one before.

    Encoders refine a still picture now and then, which changes one frame a little: between still frames that is
    still too.
    """
    limit = np.clip(STILL_SHARE * np.percentile(difference, 75), *STILL_CODES)
    calm = (moved <= STILL_MOVED) & (largest <= STILL_LARGEST)
    still = calm & (difference <= limit)
    still[:1] = False
    refined = (largest <= 2 * STILL_LARGEST) & (difference <= 2 * STILL_CODES[1])
    between = refined[2:-2] & still[:-4] & still[1:-3] & still[3:-1] & still[4:]
    still[2:-2] |= between
    return still


def hiccups(difference: Series, change: Series, longest: int) -> tuple[int, ...]:
    """Return the frames, fewer than `longest` in a row, that only repeat the one before amid motion."""
    found: list[int] = []
    frames = len(change)
    for length in range(1, min(longest, frames - 2)):
        low = np.ones(frames - length - 1, np.bool_)  # by the frame before the first repeated one
        for series in (difference, change):
            inside = np.lib.stride_tricks.sliding_window_view(series[1:-1], length).max(axis=1)
            low &= inside <= HICCUP * np.minimum(series[: -length - 1], series[length + 1 :])
        low &= np.minimum(change[: -length - 1], change[length + 1 :]) >= HICCUP_CODES
        for before in np.flatnonzero(low).tolist():
            found += range(before + 1, before + 1 + length)
    return tuple(sorted(set(found)))


def replays(tiles: Series, rate: float) -> tuple[tuple[int, int, int], ...]:
    """Return stretches that show an earlier one again as (first, last, first frame of the earlier one).

    `tiles`: shape (frames, tiles), from black 0 to white 1. For a while, each frame must be nearer to the one so many
    frames before than to its neighbours, though the picture went away in between.
    """
    shortest = max(5, round(REPLAY_SECONDS[0] * rate))
    if len(tiles) < 2 * shortest:
        return ()
    codes = _levelled(tiles * np.float32(WHITE_CODE))
    step = np.abs(np.diff(codes, axis=0)).mean(axis=1)
    half = codes.shape[1] // 2
    tilt = (codes[:, :half].sum(axis=1) - codes[:, half:].sum(axis=1)) / codes.shape[
        1
    ]  # never changes more than `step`
    pace = _running(step, shortest - 1)  # by the first frame of a window
    surely, likely = REPLAY
    found: list[tuple[int, int, int]] = []
    taken = np.zeros(len(codes), np.bool_)
    for gap in range(shortest, min(len(codes) - shortest, round(REPLAY_SECONDS[1] * rate)) + 1):
        limit = pace[: len(codes) - gap - shortest + 1]
        moving = limit >= REPLAY_STEP
        if not (moving & (_running(np.abs(tilt[gap:] - tilt[:-gap]), shortest) <= surely * limit)).any():
            continue
        distance = np.abs(codes[gap:] - codes[:-gap]).mean(axis=1)
        near = _running(distance, shortest)
        for start, end in runs(moving & (near <= likely * limit)):
            if (near[start : end + 1] > surely * limit[start : end + 1]).all():
                continue
            alike = start + np.flatnonzero(distance[start : end + shortest] <= likely * limit[start : end + 1].max())
            first, last = int(alike[0]) + gap, int(alike[-1]) + gap
            away = np.abs(codes[first - gap : first + 1] - codes[first - gap]).mean(axis=1).max()
            far = away >= REPLAY_AWAY * distance[first - gap : last - gap + 1].mean()
            if far and last - first + 1 >= shortest and not taken[first : last + 1].any():
                found.append((first, last, first - gap))
                taken[first : last + 1] = True
    return tuple(sorted(found))


def _levelled(codes: Series) -> Series:
    """Return pictures as if all were exposed alike: one that flickers comes back in light, and not in what it shows."""
    level = codes.mean(axis=1, keepdims=True) + FOOT
    levelled: Series = (codes + FOOT) * (level.mean() / level)
    return levelled


def _running(series: Series, length: int) -> Series:
    """Return the means of all windows of `length` values, by their first."""
    return np.convolve(series, np.full(length, 1 / length, series.dtype), "valid")


def jumps(change: Series, tiles: Series, excepted: Mask) -> tuple[int, ...]:
    """Return the frames at which the picture jumps though what it shows stays the same.

    `change`: mean change of the small picture since the frame before. `excepted`: frames that begin a shot or are
    faulty in another way; none is told twice.
    """
    found = []
    coarse = np.concatenate(([0.0], np.abs(np.diff(tiles * np.float32(WHITE_CODE), axis=0)).mean(axis=1)))
    for frame in np.flatnonzero(coarse >= JUMP_CODES).tolist():
        near = range(frame - JUMP_FRAMES, frame + JUMP_FRAMES + 1)
        if near.start < 1 or near.stop > len(change) or excepted[near.start - 1 : near.stop].any():
            continue
        others = [other for other in near if other != frame]
        if any(
            series[frame] < least * series[others].max() for series, least in zip((change, coarse), JUMP, strict=True)
        ):
            continue
        if likeness(tiles[frame - 1], tiles[frame]) >= JUMP_LIKENESS:
            found.append(frame)
    return tuple(found)


def likeness(one: Series, other: Series) -> float:
    """Return the correlation of two pictures' tiles: near 1 where they show the same, whatever their exposure."""
    one, other = one - one.mean(), other - other.mean()
    product = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / product if product > 0 else 1.0


def exposure(tiles: Series) -> Series:
    """Return the log exposure of each frame against the first: the median over the tiles of their log ratios.

    What moves through some tiles does not count.
    """
    logarithms = np.where(tiles > DARK, np.log(np.maximum(tiles, DARK)), np.nan)
    steps = np.diff(logarithms, axis=0)
    steps[np.isnan(steps).all(axis=1)] = 0.0
    return np.concatenate(([0.0], np.cumsum(np.nanmedian(steps, axis=1)))).astype(np.float32)


def drift_percent(logarithm: Series, tiles: Series, rate: float) -> float:
    """Return by how much a quantity, given as its logarithm, drifts from the first to the last second, in per cent.

    0 where it goes to and fro, where the take ends on another view than it began with, or is shorter than two seconds.
    """
    length = max(1, round(DRIFT_SECONDS * rate))
    if len(logarithm) < 2 * length:
        return 0.0
    if likeness(tiles[:length].mean(axis=0), tiles[-length:].mean(axis=0)) < DRIFT_LIKENESS:
        return 0.0
    smooth = _running(logarithm, length)
    drift = float(smooth[-1] - smooth[0])
    if abs(drift) < DRIFT_STEADY * float(np.ptp(smooth)):
        return 0.0
    return 100 * float(np.expm1(drift))


def soft_stretches(sharpness: Series, tiles: Series, excepted: Mask, rate: float, shots: Sequence[Run]) -> list[Run]:
    """Return stretches that are much less sharp than the rest of their shot, though they show the same.

    Detail is taken relative to contrast, both as energies, so that a fade is not taken for a blur.
    """
    detail = sharpness / np.maximum(tiles.std(axis=1), LEAST_CONTRAST) ** 2
    found = []
    for start, end in shots:
        shot = slice(start, end + 1)
        if excepted[shot].all():
            continue
        soft = (detail[shot] < SOFT * np.median(detail[shot][~excepted[shot]])) & ~excepted[shot]
        for first, last in ((start + one, start + other) for one, other in runs(soft)):
            before = first - SOFT_EDGE >= start
            outside, inside = (first - SOFT_EDGE, first + 1) if before else (last + SOFT_EDGE, last - 1)
            long_enough = last - first + 1 >= max(3, round(SOFT_SECONDS * rate)) and outside <= end
            if long_enough and likeness(tiles[outside], tiles[inside]) >= SOFT_LIKENESS:
                found.append((first, last))
    return found
