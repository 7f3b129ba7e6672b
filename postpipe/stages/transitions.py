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
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import likeness

Reals = NDArray[np.float32] | NDArray[np.float64]
Kind = Literal["cut", "dissolve", "fade"]

# Pictures
BLOCK = 8  # side of the luma blocks that are looked for, in pixels of the small picture; half as much for chroma
REACH = 4  # how far they are looked for
COLOUR = 4.0  # weight of a chroma plane's mean square against luma's
GRAIN = 4.0  # variance, in code values squared, that is noise
FLAT = 0.5  # nine pixels in ten lie this close to the median of a picture of one colour, in code values

# Cuts
SAME = 0.03  # mean difference in code values below which a frame repeats the one before
LEAST_STEP = 1.5  # mean difference in code values, and
STEP_RATIO = 1.0
LEAST_RESIDUE = 2.5  # residue, below which nothing is a cut
LEAST_STRUCTURE = 0.16
LEAST_ISOLATION = 1.5
CUT = 1.05  # structure × isolation^0.8 of a cut
AROUND = 4  # distinct frames on either side that a cut has to stand out from
FLASH_SECONDS = 0.4  # what the old shot comes back after was no cut
ALIKE = 0.45  # of the change, what still differs when it came back

# Dissolves and fades
LENGTHS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 24, 29, 35, 42, 50, 60, 72, 86, 104, 125, 150)
LONGEST_SECONDS = 2.2  # of a dissolve, and
LONGEST_FADE_SECONDS = 5.0
SMEARED = 3  # frames from the last pure one to the next that still make a cut


@dataclass(frozen=True, slots=True)
class Change:
    """A change of shot: a cut to frame `first`, or a dissolve or fade whose frames are `first` to `last`.

    The frames of a cut that was smeared over a frame or two, as converting the rate does, are `first` to `last` too.
    """

    kind: Kind
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Unlikeness:
    """How two pictures differ: `structure`, the share of their detail that the other does not show (0 to 1);
    `residue` and `contrast`, RMS in code values: what is left of one when the other is moved and graded to match it, and the detail.
    """

    structure: float
    residue: float
    contrast: float


class Gallery:
    """Small pictures of a clip's frames, compared with each other on demand.

    `luma`: uint8, shape `(frames, height, width)`; `chroma`: uint8, shape `(frames, 2, height / 2, width / 2)`.
    """

    def __init__(self, luma: NDArray[np.uint8], chroma: NDArray[np.uint8]) -> None:
        self.luma = luma
        self.chroma = chroma
        self._level = luma.mean((1, 2))
        self._deviation = luma.std((1, 2))
        self.unlike = lru_cache(maxsize=None)(self._compare)

    def __len__(self) -> int:
        return len(self.luma)

    def _compare(self, first: int, second: int) -> Unlikeness:
        luma_a, luma_b = self.luma[first], self.luma[second]
        gain = float(np.clip((self._deviation[first] + 1) / (self._deviation[second] + 1), 0.25, 4))
        grade = gain, float(self._level[first] - gain * self._level[second])
        back = 1 / gain, -grade[1] / gain
        there = likeness.match_blocks(luma_a, luma_b, BLOCK, REACH, *grade, GRAIN)
        here = likeness.match_blocks(luma_b, luma_a, BLOCK, REACH, *back, GRAIN)
        detail, missing, residue = np.add(there, here) / 2
        colour = sum(
            likeness.match_blocks(a, b, BLOCK // 2, REACH // 2)[2]
            for a, b in zip(self.chroma[first], self.chroma[second], strict=True)
        )
        return Unlikeness(missing / (detail + 1e-9), (residue + COLOUR * colour) ** 0.5, detail**0.5)


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
        around = [k for k in range(max(0, place - AROUND), min(len(moved), place + AROUND + 1)) if k != place]
        if step[frame] < STEP_RATIO * _second(step[moved[around]]):
            continue
        change = gallery.unlike(frame - 1, frame)
        if change.residue < LEAST_RESIDUE or change.structure < LEAST_STRUCTURE:
            continue
        isolation = (change.residue + 1) / (_second([gallery.unlike(k - 1, k).residue for k in moved[around].tolist()]) + 1)
        # a still picture ends with all the movement that it held back
        isolation /= min(max(1.0, held[place] / (2 * np.median(held[[*around, place]]))) ** 0.5, 3.0)
        if isolation > LEAST_ISOLATION and (change.structure + 0.05) * isolation**0.8 > CUT:
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


@dataclass(slots=True)
class _Blend:
    """Frames between the pure pictures `start` and `end` that may be mixtures of the two.

    `mixture`: the share of the change that mixing explains. `dip`: how far contrast falls on the way, against the
    fall when two pictures are blended. `travel`: mean square of the change. `even`: the one gives way to the other
    steadily.
    """

    start: int
    end: int
    mixture: float
    dip: float
    travel: float
    even: bool
    share: Reals

    @property
    def length(self) -> int:
        return self.end - self.start


def find_blends(gallery: Gallery, rate: float, cuts: Sequence[int]) -> list[_Blend]:
    """Return dissolves, halves of fades and smeared cuts, in order."""
    flat = flatness(gallery) < FLAT
    coarse = np.concatenate([_halved(planes).reshape(len(gallery), -1) for planes in (gallery.luma, gallery.chroma)], axis=1)
    found = [_blend(coarse, start, end) for start, end in _refined(coarse, flat, _windows(coarse, flat, rate))]
    found.sort(key=lambda blend: -blend.travel * max(1 - 2.5 * (1 - blend.mixture), 0.1 * blend.mixture))
    kept: list[_Blend] = []
    for blend in found:
        if not blend.even or any(blend.start + 1 < other.end and blend.end > other.start + 1 for other in kept):
            continue
        if _is_change(gallery, blend, flat, cuts) and (
            blend.length > SMEARED or not _is_taken_back(gallery, blend.start, blend.end, rate)
        ):
            kept.append(blend)
    return sorted(kept, key=lambda blend: blend.start)


def _is_change(gallery: Gallery, blend: _Blend, flat: NDArray[np.bool_], cuts: Sequence[int]) -> bool:
    """Return whether the ends of a blend are unlike, what lies between is mixed, and its surroundings change less."""
    start, end, length = blend.start, blend.end, blend.length
    if flat[[start, end]].any() and blend.mixture < 0.7:
        return False
    evidence = blend.mixture + 0.14 * blend.dip - 2.8 / length - BLENDED
    if length > SMEARED and evidence + 1.4 < 0:
        return False
    change = gallery.unlike(start, end)
    if change.residue < 4:
        return False
    if length <= SMEARED:
        return blend.mixture + 0.5 * change.structure > 1.2
    if change.structure < 0.4 or evidence + change.structure + 0.5 < 0:
        return False
    outside = max(
        gallery.unlike(max(0, start - length), start).residue if start else 0.0,
        gallery.unlike(end, min(len(gallery) - 1, end + length)).residue if end < len(gallery) - 1 else 0.0,
    )
    isolation = math.log((change.residue + 1) / (outside + 1))
    if evidence + change.structure + 0.2 * isolation < 0:
        return False
    return not any(start + 1 < cut < end and gallery.unlike(cut - 1, cut).residue > 0.4 * change.residue for cut in cuts)


BLENDED = 1.16


def flatness(gallery: Gallery) -> Reals:
    """Return what nine pixels in ten differ from their plane's median at most, in code values, for each frame."""
    spread = []
    for planes in (gallery.luma[:, None], gallery.chroma):
        pixels = planes.reshape(*planes.shape[:2], -1).astype(np.float32)
        away = np.abs(pixels - np.median(pixels, axis=-1, keepdims=True))
        spread.append(np.percentile(away, 90, axis=-1).max(1))
    return np.maximum(*spread)


def _halved(planes: NDArray[np.uint8]) -> Reals:
    *_, height, width = planes.shape
    even = planes[..., : height // 2 * 2, : width // 2 * 2].astype(np.float32)
    return (even[..., ::2, ::2] + even[..., 1::2, ::2] + even[..., ::2, 1::2] + even[..., 1::2, 1::2]) / 4


def _blend(pictures: Reals, start: int, end: int) -> _Blend:
    """Measure a run of frames against mixtures of its ends."""
    a, b, between = pictures[start], pictures[end], pictures[start + 1 : end]
    step = b - a
    distance = float(step @ step) + 1e-9
    share = (between - a) @ step / distance
    from_a, from_b = np.square(between - a).sum(1), np.square(between - b).sum(1)
    travel = float(np.minimum(from_a, from_b).sum()) + 1e-9
    rest = float(np.maximum(from_a - share * share * distance, 0).sum())
    contrast = [np.square(plane - plane.mean(-1, keepdims=True)).sum(-1) for plane in (a, b, between)]
    fall = ((1 - share) * contrast[0] + share * contrast[1] - contrast[2]).sum()
    inside = np.clip(share, 0, 1)
    dip = float(np.clip(fall / ((inside * (1 - inside)).sum() * distance + 1e-9), -1, 2))
    pace = np.diff(share, prepend=0, append=1)
    return _Blend(start, end, 1 - rest / travel, dip, travel / len(a), _is_even(pace), share)


def _is_even(pace: Reals) -> bool:
    drift = np.cumsum(pace)[:-1] - np.arange(1, len(pace)) / len(pace)
    return bool(pace.max() < min(0.75, 4 / len(pace) + 0.1) and pace.min() > -0.15 and np.abs(drift).max() < 0.3)


def _windows(pictures: Reals, flat: NDArray[np.bool_], rate: float) -> list[tuple[int, int]]:
    """Return runs of frames worth a closer look, of several lengths; the best first."""
    frames = len(pictures)
    found: list[tuple[float, int, int]] = []
    x = (pictures - pictures.mean(0)).astype(np.float64) / math.sqrt(pictures.shape[1])
    square = np.square(x).sum(1)
    products: dict[int, Reals] = {}

    def apart(lag: int, first: NDArray[np.intp]) -> Reals:
        """Squared distances between frames `first` and `first + lag`."""
        if lag not in products:
            products[lag] = square[:-lag] + square[lag:] - 2 * np.einsum("ij,ij->i", x[:-lag], x[lag:])
        return products[lag][first]

    for length in LENGTHS:
        if length > max(6, LONGEST_SECONDS * rate) or length >= frames:
            break
        first = np.arange(frames - length)
        distance = apart(length, first) + 1e-9
        travel, rest, before = np.zeros(len(first)), np.zeros(len(first)), np.zeros(len(first))
        fits = distance > 4
        inner = sorted({round(k * length / 16) for k in range(1, 16)} & set(range(1, length))) if length > 16 else range(1, length)
        for k in inner:
            from_a, from_b = apart(k, first), apart(length - k, first + k)
            share = (distance + from_a - from_b) / (2 * distance)
            travel += np.minimum(from_a, from_b)
            rest += np.maximum(from_a - share * share * distance, 0)
            fits &= (np.abs(share - k / length) < 0.3) & (share - before > -0.15)
            before = share
        worth = np.where(fits & (rest < 0.75 * travel), travel - 1.5 * rest, 0) * length / max(1, len(inner))
        reach = max(1, length // 4)
        best = np.lib.stride_tricks.sliding_window_view(np.pad(worth, reach), 2 * reach + 1).max(1)
        found += [(float(worth[k]), k, k + length) for k in np.flatnonzero((worth > 0) & (worth >= best)).tolist()]
    found.sort(reverse=True)
    return [(start, end) for _, start, end in found] + list(_beside_flat(flat, rate))


def _beside_flat(flat: NDArray[np.bool_], rate: float) -> Iterator[tuple[int, int]]:
    """Yield runs of frames of many lengths that end where a picture of one colour begins, or begin where it ends."""
    for first, last in runs(flat):
        for length in LENGTHS:
            if length > LONGEST_FADE_SECONDS * rate:
                break
            if first - length >= 0 and not flat[first - length : first].any():
                yield first - length, first
            if last + length < len(flat) and not flat[last + 1 : last + length + 1].any():
                yield last, last + length


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (first, last) of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _refined(pictures: Reals, flat: NDArray[np.bool_], windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the windows, each set to the frames in which it really changes, without those that are much alike."""
    refined: dict[tuple[int, int], None] = {}
    seen: list[tuple[int, int]] = []
    for start, end in windows:
        if any(5 * (min(end, b) - max(start, a)) > 4 * (max(end, b) - min(start, a)) for a, b in seen):
            continue
        seen.append((start, end))
        share = _blend(pictures, start, end).share
        first, last = _ramp(share)
        a, b = start + first, start + last
        a, b = _to_flat(flat, a, -1), _to_flat(flat, b, 1)
        if b - a >= 2:
            refined[a, b] = None
    return list(refined)


def _ramp(share: Reals) -> tuple[int, int]:
    """Return where a straight line through the rise from 0 to 1 begins and ends; `share` is that of frames 1, 2, …"""
    length = len(share) + 1
    place = np.arange(1, length)
    rising = (share > 0.1) & (share < 0.9)
    if rising.sum() < 2 or length <= SMEARED:
        return 0, length
    slope, offset = np.polyfit(place[rising], share[rising], 1)
    if slope <= 0:
        return 0, length
    first, last = round(-offset / slope), round((1 - offset) / slope)
    return (max(0, first), min(length, last)) if last - first >= 2 else (0, length)


def _to_flat(flat: NDArray[np.bool_], frame: int, way: int) -> int:
    """Return the edge of a picture of one colour if it is within three frames, else the frame itself."""
    for there in (frame, frame + way, frame + 2 * way, frame + 3 * way):
        if 0 <= there < len(flat) and flat[there]:
            while 0 <= there - way < len(flat) and flat[there - way]:
                there -= way
            return there
    return frame


# Together


def find_changes(gallery: Gallery, rate: float) -> list[Change]:
    """Return the changes of shot of a clip, in order; `rate` in frames per second."""
    if len(gallery) < 2:
        return []
    cuts = find_cuts(gallery, rate)
    flat = flatness(gallery) < FLAT
    changes = []
    blends = find_blends(gallery, rate, cuts)
    for blend in blends:
        kind: Kind = "dissolve"
        if flat[blend.start] != flat[blend.end]:
            kind = "fade"
        elif blend.length <= SMEARED:
            kind = "cut"
        changes.append(Change(kind, blend.start + 1, blend.end - 1))
    changes += [Change("cut", cut, cut) for cut in cuts if not any(b.start < cut <= b.end for b in blends)]
    changes.sort(key=lambda change: change.first)
    return _joined_fades(changes, flat)


def _joined_fades(changes: Sequence[Change], flat: NDArray[np.bool_]) -> list[Change]:
    """Join a fade-out and the fade-in after it, and take pictures of one colour at either end to their fades."""
    joined: list[Change] = []
    for change in changes:
        before = joined[-1] if joined else None
        if change.kind == "fade":
            first, last = change.first, change.last
            if flat[:first].all():
                first = 0
            if flat[last + 1 :].all():
                last = len(flat) - 1
            between = flat[before.last + 1 : first] if before else flat[:0]
            if before and before.kind == "fade" and len(between) and between.all():
                joined.pop()
                first = before.first
            change = Change("fade", first, last)
        joined.append(change)
    return joined
