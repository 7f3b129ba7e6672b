"""How one shot becomes the next, read off small pictures of the frames: cuts, dissolves and fades.

The method, in short. Two pictures are *unlike* where blocks of the one are found nowhere near in the other, however
its exposure changed. A cut is a pair of neighbours that are much more unlike than the pairs around them and are not
taken back by what follows, as a flash is. A dissolve is a run of frames that are mixtures of the two unlike pictures
at its ends: a blend of A and B has less contrast than either, by a known amount, which movement does not imitate.
A fade is a dissolve from or to a picture of one colour.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from postpipe.stages.gallery import Gallery, Reals

Kind = Literal["cut", "dissolve", "fade"]

# Cuts
SAME = 0.03  # mean difference in code values below which a frame repeats the one before
LEAST_STEP = 1.5  # mean difference in code values,
LEAST_RESIDUE = 2.5  # and residue below which nothing is a cut
CUT = 2.0  # structure × isolation^0.7 × newness^0.75, a logistic regression's weights, from which on it is one
AROUND = 4  # distinct frames on either side that a cut stands out from
FLASH_SECONDS = 0.4  # a shot that comes back after this time was not cut
ALIKE = 0.45  # of the change, what may differ still when it came back

# Dissolves and fades
LENGTHS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 24, 29, 35, 42, 50, 60, 72, 86, 104, 125, 150)
LONGEST_SECONDS = 2.2  # of a dissolve, and
LONGEST_FADE_SECONDS = 5.0
SMEARED = 3  # frames from the last pure one to the next that still make a cut
DISTANCE = 4.0  # mean square in code values below which the ends of a dissolve are the same picture
LEAST_CHANGE = 4.0  # residue between its ends,
LEAST_NEW = 0.4  # and structure
FADED = 0.7  # mixture that a fade has at least
SMEAR = 1.2  # mixture + structure / 2 of a smeared cut
BLENDED = 1.16  # the evidence for a dissolve; its weights are those of a logistic regression, see `_is_change`


@dataclass(frozen=True, slots=True)
class Change:
    """A change of shot. `first`: the first frame that is not of the old shot alone; `frames`: how many show both.

    A cut has no such frames, or one or two where converting the rate smeared it.
    """

    kind: Kind
    first: int
    frames: int

    @property
    def pure(self) -> int:
        """The first frame of the new shot alone."""
        return self.first + self.frames


def find_changes(gallery: Gallery, rate: float) -> list[Change]:
    """Return the changes of shot of a clip in order; `rate` in frames per second."""
    if len(gallery) < 2:
        return []
    cuts = find_cuts(gallery, rate)
    blends = _find_blends(gallery, rate, cuts)
    changes = [Change("cut", cut, 0) for cut in cuts if not any(blend.start < cut <= blend.end for blend in blends)]
    for blend in blends:
        kind: Kind = "dissolve"
        if gallery.flat[blend.start] != gallery.flat[blend.end]:
            kind = "fade"
        elif blend.length <= SMEARED:
            kind = "cut"
        changes.append(Change(kind, blend.start + 1, blend.length - 1))
    return _joined_fades(sorted(changes, key=lambda change: change.first), gallery.flat)


def _joined_fades(changes: Sequence[Change], flat: NDArray[np.bool_]) -> list[Change]:
    """Join a fade-out and the fade-in after it, and give pictures of one colour at either end to their fades."""
    joined: list[Change] = []
    for change in changes:
        if change.kind != "fade":
            joined.append(change)
            continue
        first, pure = change.first, change.pure
        if flat[:first].all():
            first = 0
        if flat[pure:].all():
            pure = len(flat)
        before = joined[-1] if joined else None
        if before and before.kind == "fade" and before.pure < first and flat[before.pure : first].all():
            first = joined.pop().first
        joined.append(Change("fade", first, pure - first))
    return joined


# Cuts


def find_cuts(gallery: Gallery, rate: float) -> list[int]:
    """Return the first frames after hard cuts, in order; `rate` in frames per second."""
    return [frame for frame in _cut_candidates(gallery) if not _is_taken_back(gallery, frame - 1, frame, rate)]


def _cut_candidates(gallery: Gallery) -> Iterator[int]:
    """Yield frames that are much more unlike the one before than their neighbours are: fast movement lasts longer."""
    step = np.maximum(_steps(gallery.luma), _steps(gallery.chroma))
    moved = np.flatnonzero(step > SAME)  # what repeats the frame before takes no part
    held = np.diff(moved, prepend=0)
    for place in np.flatnonzero(step[moved] > LEAST_STEP).tolist():
        frame = int(moved[place])
        near = range(max(0, place - AROUND), min(len(moved), place + AROUND + 1))
        reach = AROUND * (np.median(held[near]) + 1)  # what moves long before or after has nothing to do with it
        around = [k for k in near if k != place and abs(moved[k] - frame) <= reach]
        if step[frame] < _second(step[moved[around]]):
            continue
        change = gallery.unlike(frame - 1, frame)
        if change.residue < LEAST_RESIDUE:
            continue
        others = [gallery.unlike(k - 1, k) for k in moved[around].tolist()]
        isolation = (change.residue + 1) / (_second([other.residue for other in others]) + 1)
        # a still picture ends with all the movement that it held back
        isolation /= min(max(1.0, held[place] / (2 * np.median(held[[*around, place]]))) ** 0.5, 3.0)
        newness = (change.structure + 0.02) / (_second([other.structure for other in others]) + 0.02)
        if (change.structure + 0.05) * isolation**0.7 * newness**0.75 > CUT:
            yield frame


def _steps(planes: NDArray[np.uint8]) -> Reals:
    """Return how far each picture is from the one before: mean absolute difference, 0 for the first."""
    return np.array([0.0, *(np.abs(a.astype(np.int16) - b).mean() for a, b in itertools.pairwise(planes))])


def _second(values: Sequence[float] | Reals) -> float:
    """Return the second largest value: the largest may be another cut."""
    return float(np.sort(values)[-2]) if len(values) > 1 else 0.0


def _is_taken_back(gallery: Gallery, before: int, after: int, rate: float) -> bool:
    """Return whether the old shot soon comes back, or the new one was there shortly before: then it was a flash."""
    change = gallery.unlike(before, after)
    for away in range(1, max(3, round(FLASH_SECONDS * rate)) + 1):
        for a, b in ((before, after + away), (before - away, after)):
            if a >= 0 and b < len(gallery):
                other = gallery.unlike(a, b)
                if max(other.residue / change.residue, other.structure / change.structure) < ALIKE:
                    return True
    return False


# Dissolves and fades


@dataclass(frozen=True, slots=True)
class _Blend:
    """Frames between the pure pictures `start` and `end` that may be mixtures of the two.

    `share`: how much of `end` each has. `mixture`: the share of the change that mixing explains. `dip`: how far
    contrast falls on the way, as a share of its fall when two still pictures are mixed. `travel`: the change to be
    explained, a mean square summed over the frames.
    """

    start: int
    end: int
    share: Reals
    mixture: float
    dip: float
    travel: float

    @property
    def length(self) -> int:
        """Frames from one pure picture to the other."""
        return self.end - self.start

    @property
    def even(self) -> bool:
        """Whether the one picture gives way to the other steadily."""
        pace = np.diff(np.concatenate(([0.0], self.share, [1.0])))
        drift = np.cumsum(pace)[:-1] - np.arange(1, self.length) / self.length
        return bool(pace.max() < min(0.75, 4 / self.length + 0.1) and pace.min() > -0.15 and np.abs(drift).max() < 0.3)

    @property
    def weight(self) -> float:
        """How much the blend explains: of two that overlap, the heavier one counts."""
        return self.travel * max(1 - 2.5 * (1 - self.mixture), 0.1 * self.mixture)


def _find_blends(gallery: Gallery, rate: float, cuts: Sequence[int]) -> list[_Blend]:
    """Return dissolves, fades to or from a picture of one colour, and smeared cuts, in order."""
    planes = (_halved(gallery.luma), _halved(gallery.chroma))
    coarse = np.concatenate([plane.reshape(len(gallery), -1) for plane in planes], axis=1)
    windows = [*_windows(coarse, rate), *_beside_flat(gallery.flat, rate)]
    blends = [_blend(coarse, start, end) for start, end in _refined(coarse, gallery.flat, windows)]
    kept: list[_Blend] = []
    for blend in sorted(blends, key=lambda blend: -blend.weight):
        free = all(blend.start + 1 >= other.end or blend.end <= other.start + 1 for other in kept)
        if free and blend.even and _is_change(gallery, blend, cuts):
            is_smeared = blend.length <= SMEARED
            if not (is_smeared and _is_taken_back(gallery, blend.start, blend.end, rate)):
                kept.append(blend)
    return sorted(kept, key=lambda blend: blend.start)


def _is_change(gallery: Gallery, blend: _Blend, cuts: Sequence[int]) -> bool:
    """Return whether the ends of a blend are unlike, what lies between is mixed, and its surroundings change less."""
    start, end, length = blend.start, blend.end, blend.length
    if gallery.flat[[start, end]].any() and blend.mixture < FADED:
        return False
    evidence = blend.mixture + 0.14 * blend.dip - 2.8 / length - BLENDED
    if length > SMEARED and evidence < -1.4:
        return False  # the most that comparing the ends could add
    change = gallery.unlike(start, end)
    if change.residue < LEAST_CHANGE:
        return False
    if length <= SMEARED:
        return blend.mixture + 0.5 * change.structure > SMEAR
    evidence += change.structure
    if change.structure < LEAST_NEW or evidence < -0.5:
        return False
    last = len(gallery) - 1
    before = gallery.unlike(max(0, start - length), start).residue if start else 0.0
    after = gallery.unlike(end, min(last, end + length)).residue if end < last else 0.0
    evidence += 0.2 * math.log((change.residue + 1) / (max(before, after) + 1))
    abrupt = any(
        start + 1 < cut < end and gallery.unlike(cut - 1, cut).residue > 0.4 * change.residue for cut in cuts
    )  # fmt: skip
    return evidence > 0 and not abrupt


def _halved(planes: NDArray[np.uint8]) -> Reals:
    """Return planes at half the size, as float32."""
    height, width = planes.shape[-2:]
    even = planes[..., : height // 2 * 2, : width // 2 * 2].astype(np.float32)
    halved: Reals = (even[..., ::2, ::2] + even[..., 1::2, ::2] + even[..., ::2, 1::2] + even[..., 1::2, 1::2]) / 4
    return halved


def _blend(pictures: Reals, start: int, end: int) -> _Blend:
    """Measure a run of frames against mixtures of its ends."""
    a, b, between = pictures[start], pictures[end], pictures[start + 1 : end]
    step = b - a
    distance = float(step @ step) + 1e-9
    share = (between - a) @ step / distance
    from_a, from_b = np.square(between - a).sum(1), np.square(between - b).sum(1)
    travel = float(np.minimum(from_a, from_b).sum()) + 1e-9
    rest = float(np.maximum(from_a - share * share * distance, 0).sum())
    contrast_a, contrast_b, contrast = (np.square(x - x.mean(-1, keepdims=True)).sum(-1) for x in (a, b, between))
    fall = float(((1 - share) * contrast_a + share * contrast_b - contrast).sum())
    inside = np.clip(share, 0, 1)
    dip = fall / (float((inside * (1 - inside)).sum()) * distance + 1e-9)
    return _Blend(start, end, share, 1 - rest / travel, min(max(dip, -1.0), 2.0), travel / len(a))


def _windows(pictures: Reals, rate: float) -> list[tuple[int, int]]:
    """Return runs of frames of several lengths that mixing explains better than their neighbours; the best first."""
    frames = len(pictures)
    found: list[tuple[float, int, int]] = []
    x = (pictures - pictures.mean(0)).astype(np.float64) / math.sqrt(pictures.shape[1])
    square = np.square(x).sum(1)
    known: dict[int, Reals] = {}

    def apart(lag: int) -> Reals:
        """Mean squares of the difference between each frame and the one `lag` later."""
        if lag not in known:
            known[lag] = square[:-lag] + square[lag:] - 2 * np.einsum("ij,ij->i", x[:-lag], x[lag:])
        return known[lag]

    for length in LENGTHS:
        if length > max(6, LONGEST_SECONDS * rate) or length >= frames:
            break
        count = frames - length
        distance = apart(length) + 1e-9
        travel: Reals = np.zeros(count)
        rest: Reals = np.zeros(count)
        before: Reals = np.zeros(count)
        fits = distance > DISTANCE
        inner = sorted({round(k * length / min(length, 16)) for k in range(1, min(length, 16))})
        for k in inner:
            from_a, from_b = apart(k)[:count], apart(length - k)[k : k + count]
            share = (distance + from_a - from_b) / (2 * distance)
            travel += np.minimum(from_a, from_b)
            rest += np.maximum(from_a - share * share * distance, 0)
            fits &= (np.abs(share - k / length) < 0.3) & (share - before > -0.15)
            before = share
        worth = np.where(fits & (rest < 0.75 * travel), travel - 1.5 * rest, 0) * (length / len(inner))
        reach = max(1, length // 4)
        best = np.lib.stride_tricks.sliding_window_view(np.pad(worth, reach), 2 * reach + 1).max(1)
        found += [(float(worth[k]), k, k + length) for k in np.flatnonzero((worth > 0) & (worth >= best)).tolist()]
    return [(start, end) for _, start, end in sorted(found, reverse=True)]


def _beside_flat(flat: NDArray[np.bool_], rate: float) -> Iterator[tuple[int, int]]:
    """Yield runs of many lengths that end where a picture of one colour begins, or begin where it ends."""
    edges = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0, append=0))
    for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        for length in itertools.takewhile(lambda length: length <= LONGEST_FADE_SECONDS * rate, LENGTHS):
            if first >= length and not flat[first - length : first].any():
                yield first - length, first
            if after - 1 + length < len(flat) and not flat[after : after + length].any():
                yield after - 1, after - 1 + length


def _refined(pictures: Reals, flat: NDArray[np.bool_], windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the windows without those that are much alike, each set to the frames in which it really changes."""
    refined: dict[tuple[int, int], None] = {}
    tried = np.empty((len(windows), 2), np.int64)
    count = 0
    for start, end in windows:
        firsts, lasts = tried[:count].T
        common = np.minimum(end, lasts) - np.maximum(start, firsts)
        if (5 * common > 4 * (np.maximum(end, lasts) - np.minimum(start, firsts))).any():
            continue
        tried[count] = start, end
        count += 1
        first, last = _ramp(_blend(pictures, start, end).share)
        a, b = _to_flat(flat, start + first, -1), _to_flat(flat, start + last, 1)
        if b - a >= 2:
            refined[a, b] = None
    return list(refined)


def _ramp(share: Reals) -> tuple[int, int]:
    """Return where a straight line through the rise from 0 to 1 begins and ends; `share` is that of frames 1, 2, …"""
    length = len(share) + 1
    rising = np.flatnonzero((share > 0.1) & (share < 0.9))
    if len(rising) < 2 or length <= SMEARED:
        return 0, length
    place, height = rising + 1.0, share[rising]
    centred = place - place.mean()
    slope = float(centred @ height / (centred @ centred))
    if slope <= 0:
        return 0, length
    middle = float(place.mean() - height.mean() / slope)
    first, last = round(middle), round(middle + 1 / slope)
    return (max(0, first), min(length, last)) if last - first >= 2 else (0, length)


def _to_flat(flat: NDArray[np.bool_], frame: int, way: int) -> int:
    """Return the nearer edge of a picture of one colour that is at most three frames on, else the frame itself."""
    there = next((n for n in range(frame, frame + 4 * way, way) if 0 <= n < len(flat) and flat[n]), None)
    if there is None:
        return frame
    while 0 <= there - way < len(flat) and flat[there - way]:
        there -= way
    return there
