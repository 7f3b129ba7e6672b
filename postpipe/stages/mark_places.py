"""All the places of a mark that jumps, whose pattern is known: where and when it is seen, and its box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from postpipe.stages.mark_areas import Area, Found, Patch, centred, meet, moved, outlined, resemble, share, slices
from postpipe.stages.mark_changes import WINDOW, ChangedPatch, Changes

AGAIN, NEARLY = 0.5, 0.4  # correlation of a change with a known pattern, and of both at half the size
SHOWN, BEST = 0.3, 0.5  # correlation of pictures with it; share of the place's best
ALONE = 0.25  # the same share, of a picture that is not averaged with others
SMOOTH = 2  # pictures to each side that are averaged to tell when a mark is there
UNSEEN, STAY = 8, 4  # pictures that it may not be seen for in between, and that it stays for, at least
GAP, COMMON, IN_GAP = 8, 0.6, 0.55  # pictures without a mark that are asked again, for what share of it, how alike
PART, SIZED = 0.25, 0.1  # of the whole mark: what a part of it has at least, and by how much its sizes may differ


def find_sites(changes: Changes, area: Area, pattern: Patch) -> list[Area]:
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
            place = moved((0, 0, rows, columns), top + down, left + right)
            if score >= AGAIN and not any(meet(place, site) for site in sites):
                sites.append(place)
    return sites


def find_stays(pictures: NDArray[np.uint8], sites: list[Area], pattern: Patch, sure: float) -> list[Found]:
    """Return at which of the sites a mark is when, in order.

    That is where a picture, and the average of those around it, resemble the mark most.
    """
    count = len(pictures)
    likeness = np.empty((len(sites), count))
    for number, site in enumerate(sites):
        patches = outlined(pictures[:, *slices(site)])
        smooth = [patches[max(0, at - SMOOTH) : at + SMOOTH + 1].mean(axis=0) for at in range(count)]
        alone = resemble(patches, pattern)
        likeness[number] = (resemble(np.stack(smooth), pattern) + alone) / 2
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


def with_gaps(pictures: NDArray[np.uint8], stays: list[Found]) -> list[Found]:
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


def whole_boxes(pictures: NDArray[np.uint8], stays: list[Found], patches: list[ChangedPatch]) -> list[Area]:
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
            and share(patch.area, stay.area) > PART
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
        max((one for one in some if fits(one, likely)), key=lambda one: share(one, stay.area), default=None)
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


def in_box(pictures: NDArray[np.uint8], stay: Found, box: Area) -> Found:
    """Return a stay in the box of the whole mark, with the pattern that is seen there."""
    if box == stay.area:
        return stay
    shown = pictures[stay.first : stay.last + 1, *slices(box)]
    return replace(stay, area=box, pattern=outlined(shown.mean(axis=0)))
