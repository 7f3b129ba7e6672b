"""Marks that jump from place to place, found in small pictures of a take.

What stood still and goes at once leaves its pattern, upside down, in the difference between the pictures after and
before; what comes and stays leaves it upright. Averaged over a second and more, a moving picture leaves little. A mark
is told by the same pattern going in one place and coming in another. Then it is looked for everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from postpipe.stages.mark_areas import Area, Found, Patch, areas, correlation, meet, moved, outlined, share, slices
from postpipe.stages.mark_changes import HOP, LEVELS, PIXELS_HIGH, ChangedPatch, Changes, changed_patches
from postpipe.stages.mark_places import find_sites, find_stays, in_box, whole_boxes, with_gaps

SIZES = 0.5  # ratio of the sides of two patches, and of their numbers of pixels, at least
OVERLAP = 0.3  # correlation of their details, one laid over the other
FITS = 3  # ways to lay one over the other that are tried
COMMON_HEIGHT, COMMON_WIDTH = 0.5, 0.4  # share of the larger one's box that is common to both
ALIKE, FINE, TOGETHER = 0.5, 0.62, 1.25  # correlation of their changes, of their detail alone, and the sum of both
EQUAL = 0.5  # the strength of one by the other's,
SURE, FAINT = 0.88, 0.15  # which may be less where they are so much alike: white on white is faint


def jumping(pictures: NDArray[np.uint8]) -> list[Found]:
    """Return the places of the mark that jumps, in order, if there is one; `pictures`: `(n, rows, columns)`.

    Of what resembles such marks the one is believed that is seen most and whose places resemble each other most.
    """
    changes = Changes(pictures)
    patches = changed_patches(changes)
    known: list[Area] = []
    best: list[Found] = []
    for jump in _jumps(changes, patches):
        if all(any(meet(area, place) for area in known) for place in (jump.one, jump.other)):
            continue
        area, pattern = _whole(changes, jump)
        stays = find_stays(pictures, find_sites(changes, area, pattern), pattern, 0.5 + 0.5 * jump.alike)
        known += [stay.area for stay in stays]
        if len({stay.area for stay in stays}) > 1 and _worth(stays) > _worth(best):
            best = stays
    best = with_gaps(pictures, best)
    boxes = whole_boxes(pictures, best, patches)
    return [in_box(pictures, stay, box) for stay, box in zip(best, boxes, strict=True)]


def _worth(stays: list[Found]) -> float:
    """Return for how many pictures a mark is seen, by how sure it is."""
    return sum((stay.last - stay.first + 1) * (stay.confidence - 0.5) for stay in stays)


@dataclass(frozen=True, slots=True)
class _Jump:
    """What changed around picture `at` by `sign` in area `one`, and around `other_at` the other way in area `other`."""

    one: Area
    at: int
    sign: int
    other: Area
    other_at: int
    alike: float


def _jumps(changes: Changes, patches: list[ChangedPatch]) -> Iterator[_Jump]:
    """Yield what went in one place as it came in another."""
    for number, one in enumerate(patches):
        for other in patches[number + 1 :]:
            if one.sign == other.sign or abs(one.at - other.at) > HOP or meet(one.area, other.area):
                continue
            for here, there in _laid_over(one, other):
                alike = _alike(changes.of(one.at, one.sign, here), changes.of(other.at, other.sign, there))
                pattern = changes.of(one.at, one.sign, here) + changes.of(other.at, other.sign, there)
                if (
                    alike
                    and changes.shown(pattern, one.at, one.sign, here)
                    and changes.shown(pattern, other.at, other.sign, there)
                ):
                    yield _Jump(here, one.at, one.sign, there, other.at, alike)


def _alike(one: Patch, other: Patch) -> float:
    """Return the correlation of two changes that may be one mark's, 0 where they are not."""
    alike, fine = correlation(one, other), correlation(outlined(one, 2), outlined(other, 2))
    if alike < ALIKE or fine < FINE or alike + fine < TOGETHER:
        return 0.0
    least = FAINT if min(alike, fine) >= SURE else EQUAL
    return alike if least <= float(other.std() / one.std()) <= 1 / least else 0.0


def _laid_over(one: ChangedPatch, other: ChangedPatch) -> Iterator[tuple[Area, Area]]:
    """Yield the parts of two patches that lie on each other where their details agree most.

    Parts, since a patch may have more to it than the mark, and since some marks have their emblem now left, now right.
    """
    sizes = zip((*one.mask.shape, one.mask.sum()), (*other.mask.shape, other.mask.sum()), strict=True)
    if not all(SIZES <= first / second <= 1 / SIZES for first, second in sizes):
        return
    rows, columns = (
        1 << (first + second).bit_length() for first, second in zip(one.mask.shape, other.mask.shape, strict=True)
    )
    fine = [outlined(patch.change, 2) for patch in (one, other)]
    first, second = (np.fft.rfft2(detail / np.linalg.norm(detail), (rows, columns)) for detail in fine)
    both = np.fft.irfft2(np.conj(first) * second, (rows, columns))
    for _ in range(FITS):
        down, across = (int(place) for place in np.unravel_index(int(both.argmax()), both.shape))
        if both[down, across] < OVERLAP:
            return
        both[max(0, down - 2) : down + 3, max(0, across - 4) : across + 5] = 0
        down -= rows * (down > rows // 2)
        across -= columns * (across > columns // 2)
        (height, width), (height2, width2) = one.mask.shape, other.mask.shape
        top, bottom, left, right = (
            max(0, down),
            min(height2, height + down),
            max(0, across),
            min(width2, width + across),
        )
        if bottom - top < max(PIXELS_HIGH, COMMON_HEIGHT * max(height, height2)) or right - left < COMMON_WIDTH * max(
            width, width2
        ):
            continue
        there = moved((top, left, bottom, right), other.area[0], other.area[1])
        yield moved((top, left, bottom, right), one.area[0] - down, one.area[1] - across), there


def _whole(changes: Changes, jump: _Jump) -> tuple[Area, Patch]:
    """Return where the whole mark is, of which a jump may show a part, and its pattern.

    That is what came in one place as it went in the other: their backgrounds do not agree.
    """
    shape = changes.pictures.shape[1:]
    down, across = jump.other[0] - jump.one[0], jump.other[1] - jump.one[1]
    outer = max(0, -down), max(0, -across), min(shape[0], shape[0] - down), min(shape[1], shape[1] - across)
    one = changes.of(jump.at, jump.sign, outer)
    other = changes.of(jump.other_at, -jump.sign, moved(outer, down, across))
    both = np.zeros(shape, np.uint8)
    both[slices(outer)] = np.clip(np.minimum(one, other), 0, 127)
    least = jump.one[3] - jump.one[1]
    found = areas((both > 0).view(np.uint8), both, 1, LEVELS[0], 0.8 * least)
    area = max(found, key=lambda area: share(area, jump.one), default=jump.one)
    here = slices(moved(area, -outer[0], -outer[1]))
    if share(area, jump.one) < 0.3 or not _alike(one[here], other[here]):
        area, here = jump.one, slices(moved(jump.one, -outer[0], -outer[1]))
    return area, (one[here] + other[here]) * np.float32(0.5)
