"""Marks that jump from place to place, found in small pictures of a take.

What stood still and goes at once leaves its pattern, upside down, in the difference between the pictures after and
before; what comes and stays leaves it upright. Averaged over a second and more, a moving picture leaves little. A mark
is told by the same pattern going in one place and coming in another. Then it is looked for everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import overlay

from postpipe.stages.mark_areas import Area, Found, areas, centred, correlation, meet, ring_of, slices

Patch = NDArray[np.float32]

WINDOW = 8
"""Pictures before and after a change that are averaged."""
LEAST_WINDOW = 3
"""Fewer say nothing."""
HOP = 3
"""Pictures from one change that is looked at to the next."""
REACH = 8
"""Pixels around that a pixel's change is compared with: strokes stand out, patches of light do not."""

WIDTH, PIXELS_WIDE = 0.07, 16  # of a mark, at least: share of the shorter side, and pixels
LEVELS = 10, 20, 40  # 8-bit code values that strokes stand out by
PIXELS = 80  # of a patch that do so, at least
FILLED = 0.06, 0.9  # share of its box that does
CLEAR = 0.25  # share of that, at most, that is left around it
STROKES = 0.5  # edges for each pixel: letters rather than patches
SAME = 0.5  # of two patches' areas that they have in common: above, they are one that lasts
SIZES = 0.5  # ratio of the sides of two patches, and of their numbers of pixels, at least
OVERLAP = 0.3  # correlation of their details, one laid over the other
FITS = 3  # ways to lay one over the other that are tried
GAP, COMMON, IN_GAP = 8, 0.6, 0.55  # pictures without a mark that are asked again, for what share of it, how alike
PART, SIZED = 0.25, 0.1  # of the whole mark: what a part of it has at least, and by how much its sizes may differ
COMMON_HEIGHT, COMMON_WIDTH = 0.5, 0.4  # share of the larger one's box that is common to both
ALIKE, FINE, TOGETHER = 0.5, 0.62, 1.25  # correlation of their changes, of their detail alone, and the sum of both
EQUAL = 0.5  # the strength of one by the other's,
SURE, FAINT = 0.88, 0.15  # which may be less where they are so much alike: white on white is faint
THERE, GONE = 0.5, 0.25  # median correlation with pictures that show it; by how much less, with those that do not
INVERSE = -0.35  # correlation with those, at least: below, the pattern is of what was there before
AGAIN, NEARLY = 0.5, 0.4  # correlation of a change with a known pattern, and of both at half the size
SHOWN, BEST = 0.3, 0.5  # correlation of pictures with it; share of the place's best
ALONE = 0.25  # the same share, of a picture that is not averaged with others
SMOOTH = 2  # pictures to each side that are averaged to tell when a mark is there
UNSEEN, STAY = 8, 4  # pictures that it may not be seen for in between, and that it stays for, at least


@dataclass(frozen=True, slots=True)
class _Patch:
    """A patch that came (`sign` 1) or went (−1) around picture `at`: `mask` where, `change` by how much."""

    area: Area
    at: int
    sign: int
    mask: NDArray[np.bool_]
    change: NDArray[np.float32]
    strength: float


class _Changes:
    """What came and went around every `HOP`th picture: `maps`, int8, by picture."""

    def __init__(self, pictures: NDArray[np.uint8]) -> None:
        self.pictures = pictures
        self.maps: dict[int, NDArray[np.int8]] = {}
        for at in range(LEAST_WINDOW, len(pictures) - LEAST_WINDOW, HOP):
            first, last = max(0, at - WINDOW), min(len(pictures), at + 1 + WINDOW)
            self.maps[at] = np.empty(pictures.shape[1:], np.int8)
            overlay.find_changes(pictures[first:last], at - first, REACH, self.maps[at])

    def of(self, at: int, sign: int, area: Area) -> Patch:
        """Return what came (sign 1) or went (−1) in an area."""
        return np.float32(sign) * self.maps[at][slices(area)].astype(np.float32)

    def shown(self, pattern: Patch, at: int, sign: int, area: Area) -> bool:
        """Whether the pictures on one side of a change show a pattern, and those on the other do not."""
        rows, columns = slices(area)
        before, after = self.pictures[max(0, at - WINDOW) : at], self.pictures[at + 1 : at + 1 + WINDOW]
        with_it, without = (
            float(np.median(_resemble(outlined(part[:, rows, columns]), pattern)))
            for part in ((after, before) if sign > 0 else (before, after))
        )
        return with_it >= THERE and INVERSE <= without <= with_it - GONE


def jumping(pictures: NDArray[np.uint8]) -> list[Found]:
    """Return the places of the mark that jumps, in order, if there is one; `pictures`: `(n, rows, columns)`.

    Of what resembles such marks the one is believed that is seen most and whose places resemble each other most.
    """
    changes = _Changes(pictures)
    patches = _patches(changes)
    known: list[Area] = []
    best: list[Found] = []
    for jump in _jumps(changes, patches):
        if all(any(meet(area, place) for area in known) for place in (jump.one, jump.other)):
            continue
        area, pattern = _whole(changes, jump)
        stays = _stays(pictures, _sites(changes, area, pattern), pattern, 0.5 + 0.5 * jump.alike)
        known += [stay.area for stay in stays]
        if len({stay.area for stay in stays}) > 1 and _worth(stays) > _worth(best):
            best = stays
    best = _with_gaps(pictures, best)
    return [_in_box(pictures, stay, box) for stay, box in zip(best, _boxes(pictures, best, patches), strict=True)]


def _worth(stays: list[Found]) -> float:
    """Return for how many pictures a mark is seen, by how sure it is."""
    return sum((stay.last - stay.first + 1) * (stay.confidence - 0.5) for stay in stays)


# The first jump


def _patches(changes: _Changes) -> list[_Patch]:
    """Return the patches of changes that can be marks, the strongest first, and each where it is strongest."""
    found = [
        patch
        for at, change in changes.maps.items()
        for sign in (1, -1)
        for patch in _patches_of((change > 0) == (sign > 0), np.abs(change).view(np.uint8), at, sign)
    ]
    found.sort(key=lambda patch: -patch.strength)
    kept: list[_Patch] = []
    for patch in found:
        near = (one for one in kept if one.sign == patch.sign and 0 < abs(one.at - patch.at) <= WINDOW // 2)
        if not any(_share(one.area, patch.area) > SAME for one in near):
            kept.append(patch)
    return kept


def _patches_of(side: NDArray[np.bool_], depth: NDArray[np.uint8], at: int, sign: int) -> Iterator[_Patch]:
    """Yield the patches of one picture that came, or that went."""
    known = set()
    for level in LEVELS:
        for area in areas(side.view(np.uint8), depth, 1, level, max(WIDTH * min(depth.shape), PIXELS_WIDE)):
            if area in known:
                continue
            known.add(area)
            around, ring = ring_of(area, depth.shape)
            there = side[around] & (depth[around] >= level)
            own = there[~ring].reshape(area[2] - area[0], area[3] - area[1])
            pixels = int(own.sum())
            if pixels < PIXELS or not FILLED[0] * own.size <= pixels <= FILLED[1] * own.size:
                continue
            edges = np.count_nonzero(own[1:] != own[:-1]) + np.count_nonzero(own[:, 1:] != own[:, :-1])
            if edges < STROKES * pixels or there[ring].mean() > CLEAR * own.mean():
                continue
            change = np.where(side[slices(area)], depth[slices(area)], -depth[slices(area)].astype(np.float32))
            yield _Patch(area, at, sign, own, change.astype(np.float32), float(np.linalg.norm(change)))


@dataclass(frozen=True, slots=True)
class _Jump:
    """What changed around picture `at` by `sign` in area `one`, and around `other_at` the other way in area `other`."""

    one: Area
    at: int
    sign: int
    other: Area
    other_at: int
    alike: float


def _jumps(changes: _Changes, patches: list[_Patch]) -> Iterator[_Jump]:
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


def _laid_over(one: _Patch, other: _Patch) -> Iterator[tuple[Area, Area]]:
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
        if bottom - top < COMMON_HEIGHT * max(height, height2) or right - left < COMMON_WIDTH * max(width, width2):
            continue
        there = _moved((top, left, bottom, right), other.area[0], other.area[1])
        yield _moved((top, left, bottom, right), one.area[0] - down, one.area[1] - across), there


def _whole(changes: _Changes, jump: _Jump) -> tuple[Area, Patch]:
    """Return where the whole mark is, of which a jump may show a part, and its pattern.

    That is what came in one place as it went in the other: their backgrounds do not agree.
    """
    shape = changes.pictures.shape[1:]
    down, across = jump.other[0] - jump.one[0], jump.other[1] - jump.one[1]
    outer = max(0, -down), max(0, -across), min(shape[0], shape[0] - down), min(shape[1], shape[1] - across)
    one = changes.of(jump.at, jump.sign, outer)
    other = changes.of(jump.other_at, -jump.sign, _moved(outer, down, across))
    both = np.zeros(shape, np.uint8)
    both[slices(outer)] = np.clip(np.minimum(one, other), 0, 127)
    least = jump.one[3] - jump.one[1]
    found = areas((both > 0).view(np.uint8), both, 1, LEVELS[0], 0.8 * least)
    area = max(found, key=lambda area: _share(area, jump.one), default=jump.one)
    here = slices(_moved(area, -outer[0], -outer[1]))
    if _share(area, jump.one) < 0.3 or not _alike(one[here], other[here]):
        area, here = jump.one, slices(_moved(jump.one, -outer[0], -outer[1]))
    return area, (one[here] + other[here]) * np.float32(0.5)


# All its places


def _sites(changes: _Changes, area: Area, pattern: Patch) -> list[Area]:
    """Return where a pattern comes or goes, and the area it is known from."""
    import cv2  # only takes with such a mark need it

    rows, columns = pattern.shape
    half = cv2.resize(pattern, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    sites = [area]
    for at, change in changes.maps.items():
        small = cv2.resize(change.astype(np.float32), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        scores = cv2.matchTemplate(small, half, cv2.TM_CCOEFF_NORMED)
        for sign in (1, -1):
            _, score, _, (left, top) = cv2.minMaxLoc(sign * scores)
            if score < NEARLY:
                continue
            top, left = max(0, 2 * top - 2), max(0, 2 * left - 2)
            near = changes.of(at, sign, (top, left, top + rows + 5, left + columns + 5))
            _, score, _, (right, down) = cv2.minMaxLoc(cv2.matchTemplate(near, pattern, cv2.TM_CCOEFF_NORMED))
            place = _moved((0, 0, rows, columns), top + down, left + right)
            if score >= AGAIN and not any(meet(place, site) for site in sites):
                sites.append(place)
    return sites


def _stays(pictures: NDArray[np.uint8], sites: list[Area], pattern: Patch, sure: float) -> list[Found]:
    """Return at which of the sites a mark is when, in order.

    That is where a picture, and the average of those around it, resemble the mark most.
    """
    count = len(pictures)
    likeness = np.empty((len(sites), count))
    for number, site in enumerate(sites):
        patches = outlined(pictures[:, *slices(site)])
        smooth = [patches[max(0, at - SMOOTH) : at + SMOOTH + 1].mean(axis=0) for at in range(count)]
        alone = _resemble(patches, pattern)
        likeness[number] = (_resemble(np.stack(smooth), pattern) + alone) / 2
        likeness[number, alone < ALONE * alone.max()] = 0
    there: list[int] = likeness.argmax(axis=0).tolist()
    least = np.maximum(SHOWN, BEST * likeness.max(axis=1))
    places: list[Found] = []
    for at, number in enumerate(there):
        if likeness[number, at] < least[number]:
            continue
        if places and places[-1].area == sites[number] and at - places[-1].last <= UNSEEN:
            places[-1] = replace(places[-1], last=at)
        else:
            places.append(Found(sites[number], at, at, sure, centred(pattern)))
    # one that is cut short by the first or last picture may be shorter
    return [
        place
        for place in places
        if place.last - place.first + 1 >= (2 if place.first == 0 or place.last == count - 1 else STAY)
    ]


def _with_gaps(pictures: NDArray[np.uint8], stays: list[Found]) -> list[Found]:
    """Return stays, and those in between that show a part of the pattern: its emblem may be on the other side there."""
    import cv2

    found = list(stays)
    ends = [-1, *(stay.last for stay in stays)], [*(stay.first for stay in stays), len(pictures)]
    for before, after in zip(*ends, strict=True) if stays else ():
        if after - before - 1 < GAP:
            continue
        inside = np.zeros(len(pictures), bool)
        inside[before + 2 : after - 1] = True
        with_it, without = (pictures[some].mean(axis=0, dtype=np.float32) for some in (inside, ~inside))
        change = outlined(with_it - without)
        pattern = stays[0].pattern
        rows, columns = pattern.shape[0], round(COMMON * pattern.shape[1])
        parts = [np.ascontiguousarray(part) for part in (pattern[:, :columns], pattern[:, -columns:])]
        scores = [cv2.minMaxLoc(cv2.matchTemplate(change, part, cv2.TM_CCOEFF_NORMED)) for part in parts]
        _, score, _, (left, top) = max(scores, key=lambda one: one[1])
        if score >= IN_GAP:
            area = top, left, top + rows, left + columns
            found.append(Found(area, before + 1, after - 1, stays[0].confidence, centred(change[slices(area)])))
    return sorted(found, key=lambda stay: stay.first)


def _boxes(pictures: NDArray[np.uint8], stays: list[Found], patches: list[_Patch]) -> list[Area]:
    """Return the box of the whole mark at each of its stays.

    What is known of a mark may be a part: where its emblem is now left and now right of its word, that is the word
    alone. The whole came as a stay began, or went as it ended; it is what has one size at most of them. Where it is
    known of others alone, it goes as far beyond the part to the side where more edges last.
    """
    whole = [
        [
            patch.area
            for patch in patches
            if abs(patch.at - (stay.first if patch.sign > 0 else stay.last)) <= WINDOW // 2
            and _share(patch.area, stay.area) > PART
        ]
        for stay in stays
    ]

    def fits(area: Area, other: Area) -> bool:
        return all(abs(one - two) <= max(2, SIZED * two) for one, two in zip(_size(area), _size(other), strict=True))

    def support(area: Area) -> tuple[int, int]:
        return sum(any(fits(one, area) for one in some) for some in whole), _size(area)[0] * _size(area)[1]

    likely = max((area for some in whole for area in some), key=support, default=None)
    if likely is None or support(likely)[0] < 2:
        return [stay.area for stay in stays]
    return [
        max((one for one in some if fits(one, likely)), key=lambda one: _share(one, stay.area), default=None)
        or _extended(pictures, stay, *_size(likely))
        for stay, some in zip(stays, whole, strict=True)
    ]


def _extended(pictures: NDArray[np.uint8], stay: Found, rows: int, columns: int) -> Area:
    """Return the box of a size that goes beyond a part of a mark to the side where more edges last."""
    (height, width), (top, left, bottom, right) = pictures.shape[1:], stay.area
    if rows < bottom - top - 2 or columns < right - left - 2:
        return stay.area
    middle = (top + bottom - rows) // 2
    mean = pictures[stay.first : stay.last + 1].mean(axis=0)
    boxes = [(middle, start, middle + rows, start + columns) for start in (left, right - columns)]
    inside = [box for box in boxes if box[0] >= 0 <= box[1] and box[2] <= height and box[3] <= width]
    return max(inside, key=lambda box: float(np.abs(np.diff(mean[slices(box)], axis=1)).sum()), default=stay.area)


def _size(area: Area) -> tuple[int, int]:
    return area[2] - area[0], area[3] - area[1]


def _in_box(pictures: NDArray[np.uint8], stay: Found, box: Area) -> Found:
    """Return a stay in the box of the whole mark, with the pattern that is seen there."""
    if box == stay.area:
        return stay
    shown = pictures[stay.first : stay.last + 1, *slices(box)]
    return replace(stay, area=box, pattern=outlined(shown.mean(axis=0)))


# Patches


def outlined(patches: NDArray[Any], reach: int = REACH) -> Patch:
    """Return patches, `(…, rows, columns)`, less the mean of each pixel's surroundings.

    That is the square `reach` pixels to each side, as far as the patch goes.
    """
    *_, rows, columns = patches.shape
    totals = np.zeros((*patches.shape[:-2], rows + 1, columns + 1), np.float32)
    totals[..., 1:, 1:] = patches.cumsum(axis=-2, dtype=np.float32).cumsum(axis=-1)
    (top, bottom), (left, right) = (
        (np.maximum(0, np.arange(size) - reach), np.minimum(size, np.arange(size) + reach + 1))
        for size in (rows, columns)
    )
    down = totals[..., bottom, :] - totals[..., top, :]
    around = (down[..., right] - down[..., left]) / np.outer(bottom - top, right - left).astype(np.float32)
    less: Patch = patches - around
    return less


def _resemble(patches: Patch, pattern: Patch) -> NDArray[np.float32]:
    """Return the correlation of each of the patches, `(n, rows, columns)`, with a pattern."""
    shifted, wanted = patches - patches.mean(axis=(1, 2), keepdims=True), pattern - pattern.mean()
    sizes = np.sqrt(np.einsum("nij,nij->n", shifted, shifted) * np.einsum("ij,ij->", wanted, wanted))
    products: NDArray[np.float32] = np.einsum("nij,ij->n", shifted, wanted)
    np.divide(products, sizes, out=products, where=sizes > 0)
    return products


def _share(one: Area, other: Area) -> float:
    """Return the area that two have in common, by that of both together."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    if height <= 0 or width <= 0:
        return 0.0
    sizes = ((area[2] - area[0]) * (area[3] - area[1]) for area in (one, other))
    return height * width / (sum(sizes) - height * width)


def _holds(area: Area, inner: Area) -> bool:
    """Whether an area has another within it, but for two pixels."""
    return all(area[side] <= inner[side] + 2 for side in (0, 1)) and all(
        area[side] >= inner[side] - 2 for side in (2, 3)
    )


def _moved(area: Area, down: int, across: int) -> Area:
    return area[0] + down, area[1] + across, area[2] + down, area[3] + across
