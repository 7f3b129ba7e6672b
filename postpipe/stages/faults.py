"""Where a take goes wrong: still, repeated and replayed frames, jumps, drifts and soft stretches, from its track.

All thresholds are in 8-bit code values. They were set on one half of the real clips that `benchmarks.quality` names,
with faults planted in them, and are judged on the other half.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Series = NDArray[np.float32]
Run = tuple[int, int]
"""First and last frame."""

STILL_LARGEST = 2.0  # no cell of 8 × 8 pixels of a repeated picture changes by more than coding makes it,
STILL_MOVED = 0.001  # hardly any by more than one code,
STILL_SHARE = 0.12  # and pixels by less than this share of what they do in the clip at large,
STILL_CODES = (0.03, 0.25)  # within these bounds
HICCUP = 5.0  # a frame shown twice is a fault where the frames around it change this many times as much,
HICCUP_CODES = 0.3  # and by this
REPLAY_CODES = 0.4  # in a picture that is shown again, no tile's mean differs by more
REPLAY_AWAY = 2.0  # from it, some tile had gone this far in between
REPLAY_SECONDS = (0.12, 30.0)  # how long a replay is at least, and how far back one is looked for
JUMP = 3.0  # a jump changes the picture this many times as much as any frame near it,
JUMP_CODES = 3.0  # by this,
JUMP_FRAMES = 4  # so many on either side are near,
JUMP_LIKENESS = 0.6  # and what is seen stays the same, unlike at a cut: correlation of the tiles
DRIFT_SECONDS = 1.0  # a drift lies between the means of the first and the last second,
DRIFT_STEADY = 0.7  # and is most of what the take goes through
DARK = 0.02  # of the range: darker tiles say nothing about exposure
SOFT = 0.45  # a soft stretch has less than this share of the take's fine detail,
SOFT_SECONDS = 0.2  # for at least this long


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


def hiccups(still: Mask, difference: Series, longest: int) -> tuple[int, ...]:
    """Return the frames of short still runs amid motion: frames shown more than once."""
    found: list[int] = []
    for first, last in runs(still):
        if last - first + 1 >= longest or first < 2 or last + 1 >= len(still):
            continue
        around = min(float(difference[first - 1]), float(difference[last + 1]))
        if around >= max(HICCUP_CODES, HICCUP * float(difference[first : last + 1].max())):
            found += range(first, last + 1)
    return tuple(found)


def replays(tiles: Series, rate: float) -> tuple[tuple[int, int, int], ...]:
    """Return stretches that show an earlier one again as (first, last, first frame of the earlier one).

    `tiles`: shape (frames, tiles), from black 0 to white 1. Pictures that never went away are none: in between,
    some tile must have changed by `REPLAY_AWAY`, and within the stretch too.
    """
    codes = tiles * np.float32(219)
    mean = codes.mean(axis=1)
    shortest = max(3, round(REPLAY_SECONDS[0] * rate))
    found: list[tuple[int, int, int]] = []
    taken = np.zeros(len(codes), np.bool_)
    for gap in range(shortest, min(len(codes), round(REPLAY_SECONDS[1] * rate))):
        alike = np.abs(mean[gap:] - mean[:-gap]) <= REPLAY_CODES
        near = np.flatnonzero(alike)
        if len(near) < shortest:
            continue
        alike[near] = (np.abs(codes[near + gap] - codes[near]) <= REPLAY_CODES).all(axis=1)
        for first, last in runs(alike & ~taken[gap:]):
            if last - first + 1 < shortest:
                continue
            between = np.abs(codes[first : last + gap + 1] - codes[first]).max(axis=1)
            if between[: last - first + 1].max() > REPLAY_AWAY and between[: gap + 1].max() > REPLAY_AWAY:
                found.append((first + gap, last + gap, first))
                taken[first + gap : last + gap + 1] = True
    return tuple(sorted(found))


def jumps(change: Series, tiles: Series, excepted: Mask) -> tuple[int, ...]:
    """Return the frames at which the picture jumps though what it shows stays the same.

    `change`: mean change of the small picture since the frame before. `excepted`: frames that begin a shot or are
    faulty in another way; none is told twice.
    """
    found = []
    for frame in np.flatnonzero(change >= JUMP_CODES).tolist():
        near = range(max(1, frame - JUMP_FRAMES), min(len(change), frame + JUMP_FRAMES + 1))
        if len(near) <= JUMP_FRAMES or excepted[near.start - 1 : near.stop].any():
            continue
        if change[frame] < JUMP * max(change[other] for other in near if other != frame):
            continue
        if np.corrcoef(tiles[frame - 1], tiles[frame])[0, 1] >= JUMP_LIKENESS:
            found.append(frame)
    return tuple(found)


def exposure(tiles: Series) -> Series:
    """Return the log exposure of each frame against the first: the median over the tiles of their log ratios.

    What moves through some tiles does not count.
    """
    steps = np.median(np.diff(np.log(np.maximum(tiles, DARK)), axis=0), axis=1)
    return np.concatenate(([0.0], np.cumsum(steps))).astype(np.float32)


def drift_percent(logarithm: Series, rate: float) -> float:
    """Return by how much a quantity, given as its logarithm, drifts from the first to the last second, in per cent.

    0 where it goes to and fro, or the take is shorter than two seconds.
    """
    length = max(1, round(DRIFT_SECONDS * rate))
    if len(logarithm) < 2 * length:
        return 0.0
    smooth = np.convolve(logarithm, np.full(length, 1 / length), "valid")
    drift = float(smooth[-1] - smooth[0])
    if abs(drift) < DRIFT_STEADY * float(np.ptp(smooth)):
        return 0.0
    return 100 * float(np.expm1(drift))


def soft_stretches(sharpness: Series, excepted: Mask, rate: float) -> tuple[Run, ...]:
    """Return stretches that are much less sharp than the rest of the take."""
    usual = float(np.median(sharpness[~excepted])) if not excepted.all() else 0.0
    soft = (sharpness < SOFT * usual) & ~excepted
    return tuple(run for run in runs(soft) if run[1] - run[0] + 1 >= max(3, round(SOFT_SECONDS * rate)))
