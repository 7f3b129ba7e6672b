"""Visible marks found in small pictures of a take: overlays that stay while the picture moves, and those that jump.

A mark that stays has edges that add up over time where those of a moving picture cancel out. A mark that jumps goes
in one place, at once and wholly, and comes in another: the same pattern, which had stood still and stands still again.
On a picture that does not move, the first kind cannot be told from what is filmed; the second can.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import overlay

MOST_GROUPS = 4096
"""Groups of cells that are looked at: with more, the picture is in pieces."""
REST = 5
"""Pictures that a mark stands still before it goes, and after it came."""

LEAST_WIDTH, MOST_WIDTH = 0.045, 0.45  # of the picture's longer side, and of its width
LEAST_JUMPER, LEAST_PIXELS = 0.115, 30  # width of a mark that jumps: share of the shorter side, and pixels
LEAST_HEIGHT, MOST_HEIGHT = 8, 0.2  # pixels, and share of the shorter side
FLATTEST, TALLEST = 14.0, 0.7  # width by height: from a line of text to an emblem
APART = 0.12  # share of the band around it, at most, that does the same as the mark

EDGES = 40, 24, 12  # 8-bit code values: levels of a lasting edge,
LASTING = 0.6  # which keeps this share of what its parts add up to without regard to sign
DENSE, MANY = 0.15, 120  # share of the box, and number of pixels, that lasting edges have at least
ALONE = 0.3  # share of that density, at most, that is left around it
STRONG = 17.0  # code values: their mean
MOVING = 6.0  # code values that the picture around it changes by, within a second
STILL = 3.0  # where it changes by less, nothing can be told

FRINGE = 0.12  # share of the fullest row or column: what has less at the edge of an area is not of it
CROWDED = 3  # pixels of a cell: from there on it belongs to a group
CROWD = 0.25  # share of all cells: where more of them do at once, everything moves
MOST_PATCHES = 4  # of one picture, the largest, and the finest
PIXELS = 90  # that step at least,
FINE = 0.5  # with so many edges for each of them: strokes rather than patches
SAME_SHAPE, SAME_LIGHT = 0.45, 0.72  # overlap and correlation of what went and what came
LETTERS, LETTERS_SHAPE, LETTERS_LIGHT = 1.0, 0.55, 0.6  # edges for each pixel, and the same limits of such patches
FOUND_AGAIN = 0.6  # correlation with a pattern that is known already
SEEN, MOSTLY = 0.4, 0.6  # correlation with a picture that shows it, and share of pictures that have to
UNSEEN = 8  # pictures without it in which a mark is taken for gone, even where its going is not seen
THERE = 0.5  # share of the correlation at its best: below, the mark is gone

Area = tuple[int, int, int, int]
"""Top, left, bottom, right in a small picture; the last two are outside."""


@dataclass(frozen=True, slots=True)
class Found:
    """A mark in one place: pictures `first` to `last` of those searched, and how it lies over them."""

    area: Area
    first: int
    last: int
    confidence: float
    pattern: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Step:
    """A patch that came or went at once: `mask` where, `change` by how much; `strokes`: edges for each pixel."""

    area: Area
    mask: NDArray[np.bool_]
    change: NDArray[np.float32]
    strokes: float


def still_share(sums: overlay.EdgeSums, pictures: int) -> float:
    """Return the share of a picture that hardly changes within a second."""
    return float((sums.change / max(1, pictures) < STILL).mean())


# Marks that stay


def lasting(sums: overlay.EdgeSums, mean: NDArray[np.float32], pictures: int) -> list[Found]:
    """Return the marks that stay where they are over moving pictures; `mean` is the average of the pictures."""
    scale = 1 / max(1, pictures)
    strength = np.hypot(sums.across, sums.down) * scale
    # strength adds |across| and |down| up: at most √2 of the length of the two together
    edges = (strength >= EDGES[-1]) & (strength >= LASTING * np.sqrt(0.5) * 1.2 * scale * sums.strength)
    change = sums.change * scale
    steady, levels = edges.view(np.uint8), np.minimum(strength, 255).astype(np.uint8)
    found: list[Found] = []
    for level in EDGES:  # the strongest first: a mark near weaker edges of the scene is told by its own
        for area in _areas(steady, levels, 1, level, LEAST_WIDTH * max(edges.shape)):
            if _at_border(area, edges.shape) or any(_meet(area, one.area) for one in found):
                continue
            around, ring = _ring(area, edges.shape)
            there = edges[around] & (levels[around] >= level)
            inside = there[~ring]
            moving = float(np.median(change[around][ring]))
            if (
                inside.mean() < DENSE
                or inside.sum() < MANY
                or strength[around][~ring][inside].mean() < STRONG
                or there[ring].mean() > ALONE * inside.mean()
                or moving < MOVING
            ):
                continue
            sure = min(1.0, float(inside.mean()) / 0.3) * min(1.0, moving / 12)
            found.append(Found(area, 0, pictures - 1, 0.5 + 0.5 * sure, _centred(mean[_slices(area)])))
    return found


# Marks that jump


def jumping(pictures: NDArray[np.uint8]) -> list[list[Found]]:
    """Return the marks that jump, each as its places in order; `pictures`: `(n, rows, columns)`, in order."""
    gone: list[list[_Step]] = []
    come: list[list[_Step]] = []
    steps = np.empty(pictures.shape[1:], np.uint8)
    count = len(pictures)
    for index in range(count):
        inner = REST <= index < count - REST
        around = np.clip(np.arange(index - REST, index + REST + 1), 0, count - 1)
        window = pictures[index - REST : index + REST + 1] if inner else pictures[around]
        overlay.find_steps(window, 1, steps)
        before, after = pictures[max(index - 1, 0)], pictures[min(index + 1, count - 1)]
        change = after.astype(np.float32) - before
        gone.append(_step_patches(steps, overlay.WENT, before, change))
        come.append(_step_patches(steps, overlay.CAME, after, change))
    marks: list[list[Found]] = []
    for went, old in ((at, step) for at in range(count) for step in gone[at]):
        for later in range(max(0, went - 1), min(count, went + 4)):
            for new in come[later]:
                sure = _same_mark(old, new)
                if sure and not any(_known(mark, old.area, new.area) for mark in marks):
                    marks.append(_follow(pictures, old, went, new, later, sure))
    return marks


def _known(mark: list[Found], old: Area, new: Area) -> bool:
    """Whether a jump is one of a mark that is known already."""
    return any(_meet(place.area, old) or _meet(place.area, new) for place in mark)


def _step_patches(
    steps: NDArray[np.uint8], which: int, lit: NDArray[np.uint8], change: NDArray[np.float32]
) -> list[_Step]:
    """Return the patches of steps that can be a mark; one that is near other things may be told by its brightness."""
    found: dict[Area, _Step] = {}
    if np.count_nonzero(steps == which) < PIXELS:
        return []
    for bright in (150, 100, 0):
        for area in _areas(steps, lit, which, bright, max(LEAST_JUMPER * min(steps.shape), LEAST_PIXELS)):
            if area in found:
                continue
            around, ring = _ring(area, steps.shape)
            there = (steps[around] == which) & (lit[around] >= bright)
            own = there[~ring].reshape(area[2] - area[0], area[3] - area[1])
            pixels = int(own.sum())
            if pixels < PIXELS or not 0.06 <= pixels / own.size <= 0.9:
                continue
            strokes = np.count_nonzero(own[1:] != own[:-1]) + np.count_nonzero(own[:, 1:] != own[:, :-1])
            if strokes >= FINE * pixels and there[ring].mean() <= APART:
                found[area] = _Step(area, own, np.abs(change[_slices(area)]), strokes / pixels)
    patches = list(found.values())
    large = sorted(patches, key=lambda patch: -patch.mask.sum())[:MOST_PATCHES]
    fine = sorted(patches, key=lambda patch: -patch.strokes)[:MOST_PATCHES]
    return [patch for patch in patches if any(patch is one for one in (*large, *fine))]


def _same_mark(old: _Step, new: _Step) -> float:
    """Return how sure it is that what came is what went (0: it is not), also where its parts changed places."""
    (top, left, bottom, right), (top2, left2, bottom2, right2) = old.area, new.area
    ratios = (right2 - left2) / (right - left), (bottom2 - top2) / (bottom - top)
    if not all(0.75 < ratio < 1.33 for ratio in ratios) or not 0.5 < new.mask.sum() / old.mask.sum() < 2:
        return 0.0
    if _meet(old.area, new.area):
        return 0.0
    shape, light = _best_overlap(old, new)
    same = shape >= SAME_SHAPE and light >= SAME_LIGHT
    if min(old.strokes, new.strokes) >= LETTERS:  # thin strokes that lie on other pixels resemble each other less
        same |= shape >= LETTERS_SHAPE and light >= LETTERS_LIGHT
    return 0.5 + 0.5 * min(1.0, shape * light / 0.6) if same else 0.0


def _best_overlap(old: _Step, new: _Step) -> tuple[float, float]:
    """Return overlap and correlation of two patches, one laid over the other, or half of it, where they fit best.

    Shifts across are told by transforms of the rows, those up and down one by one.
    """
    (rows, columns), (rows2, columns2) = old.mask.shape, new.mask.shape
    length = 1 << (columns + columns2 - 1).bit_length()  # enough for every shift, so that none wraps around
    spectrum, spectrum2 = np.fft.rfft(old.mask, length), np.fft.rfft(new.mask, length)
    shifts = np.arange(-(columns // 2), columns2 // 2 + 1)
    left, right = np.maximum(0, shifts), np.minimum(columns2, columns + shifts)
    first = _between(old.mask, left - shifts, right - shifts)
    second = _between(new.mask, left, right)
    allowed = right - left >= 0.45 * max(columns, columns2)
    allowed &= (first >= 0.35 * old.mask.sum()) & (second >= 0.35 * new.mask.sum())
    best, where = 0.0, (0, 0)
    for down in range(-3, 4):
        top, bottom = max(0, down), min(rows2, rows + down)
        if bottom - top < 0.7 * min(rows, rows2) or not allowed.any():
            continue
        product = (np.conj(spectrum[top - down : bottom - down]) * spectrum2[top:bottom]).sum(axis=0)
        both = np.fft.irfft(product, length)[shifts]
        overlap = np.where(allowed, both / np.maximum(1, first + second - both), 0)
        at = int(overlap.argmax())
        if overlap[at] > best:
            best, where = float(overlap[at]), (down, int(shifts[at]))
    if not best:
        return 0.0, 0.0
    y, x = where
    top, bottom, first_column, end = max(0, y), min(rows2, rows + y), max(0, x), min(columns2, columns + x)
    there = old.change[top - y : bottom - y, first_column - x : end - x]
    return best, _correlation(there, new.change[top:bottom, first_column:end])


def _between(mask: NDArray[np.bool_], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many pixels of a mask lie between columns."""
    sums = np.concatenate([[0], np.cumsum(mask.sum(axis=0))])
    counts: NDArray[np.int64] = sums[end] - sums[start]
    return counts


def _follow(pictures: NDArray[np.uint8], old: _Step, went: int, new: _Step, came: int, sure: float) -> list[Found]:
    """Return the places of a mark, from one of its jumps on, and before."""
    count = len(pictures)
    first = _lengthened(pictures, Found(old.area, 0, max(0, went - 1), sure, _centred(old.change)))
    second = Found(new.area, min(came + 1, count - 1), count - 1, sure, _centred(new.change))
    later = _onwards(pictures, _lengthened(pictures, second), [first])
    earlier = _onwards(pictures[::-1], _turned(first, count), later)
    return [_turned(place, count) for place in reversed(earlier)] + later


def _onwards(pictures: NDArray[np.uint8], place: Found, known: list[Found]) -> list[Found]:
    """Return a place, ended where it ends, and those that the mark goes to afterwards."""
    places = [_until_gone(pictures, place)]
    while places[-1].last < len(pictures) - REST:
        following = _look_again(pictures, [*known, *places], places[-1].last + 1)
        if following is None:
            break
        places.append(_until_gone(pictures, _lengthened(pictures, following)))
    return places


def _turned(place: Found, count: int) -> Found:
    """Return a place as it is where time runs the other way."""
    return replace(place, first=count - 1 - place.last, last=count - 1 - place.first)


def _lengthened(pictures: NDArray[np.uint8], place: Found) -> Found:
    """Return a place with the pictures right before and after it in which it is seen too, while it fades."""
    first, last = place.first, place.last
    seen = [_likeness(pictures[index], place) for index in range(first, last + 1)]
    level = THERE * float(np.median(seen))
    while first > max(0, place.first - 2) and _likeness(pictures[first - 1], place) >= level:
        first -= 1
    while last < min(len(pictures) - 1, place.last + 2) and _likeness(pictures[last + 1], place) >= level:
        last += 1
    return replace(place, first=first, last=last)


def seen_share(pictures: list[NDArray[np.uint8]], found: Found) -> float:
    """Return in which share of pictures a mark is seen: edges of one shot alone are not a mark of all."""
    return float(np.mean([_likeness(picture, found) >= SEEN for picture in pictures]))


def _likeness(picture: NDArray[np.uint8], place: Found) -> float:
    return _correlation(picture[_slices(place.area)].astype(np.float32), place.pattern)


def _until_gone(pictures: NDArray[np.uint8], place: Found) -> Found:
    """Return a place that ends when its pattern goes from there."""
    seen = [_likeness(picture, place) for picture in pictures]
    level = THERE * float(np.median(seen[place.first + 1 : place.first + 1 + REST] or [0.0]))
    last = place.first + 1
    for index in range(place.first + 1, len(pictures)):
        # what covers or outshines it for a while does not end it: its going does, where the step is seen
        if seen[index] < level and _darker(pictures, place.area, place.pattern, index):
            break
        if max(seen[index : index + UNSEEN]) < level:
            break
        last = index
    return replace(place, last=min(last, len(pictures) - 1))


def _darker(pictures: NDArray[np.uint8], area: Area, pattern: NDArray[np.float32], index: int) -> bool:
    """Whether what makes up the pattern went at this picture: the change resembles the pattern, upside down."""
    count = len(pictures)
    after = pictures[min(index + 1, count - 1)][_slices(area)].astype(np.float32)
    before = pictures[max(index - 2, 0)][_slices(area)]
    return _correlation(after - before, pattern) < -FOUND_AGAIN


def _look_again(pictures: NDArray[np.uint8], places: list[Found], index: int) -> Found | None:
    """Return where a known mark comes next, around picture `index`, or `None`."""
    import cv2  # only takes with such a mark need it

    count = len(pictures)
    best: Found | None = None
    for at in range(max(1, index - 1), min(count - 1, index + 3)):
        change = pictures[min(at + 1, count - 1)].astype(np.float32) - pictures[max(0, at - 1)]
        for pattern in (place.pattern for place in places):
            scores = cv2.matchTemplate(change, pattern, cv2.TM_CCOEFF_NORMED)
            _, score, _, (left, top) = cv2.minMaxLoc(scores)
            if score >= FOUND_AGAIN and (best is None or score > best.confidence):
                area = top, left, top + pattern.shape[0], left + pattern.shape[1]
                best = Found(area, min(at + 1, count - 1), count - 1, float(score), _centred(change[_slices(area)]))
    return best


# Areas


def _areas(steps: NDArray[np.uint8], lit: NDArray[Any], which: int, bright: int, least_width: float) -> Iterator[Area]:
    """Yield the areas, as large as marks are, of groups of pixels that have the value `which`, and are `bright`.

    Cells with some of them are put together across the gaps that letters have.
    """
    shape = steps.shape
    counts = np.empty((shape[0] // overlay.CELL, shape[1] // overlay.CELL), np.uint8)
    overlay.count_cells(steps, lit, which, bright, counts)
    cells = counts >= CROWDED
    if not cells.any() or cells.mean() > CROWD:
        return
    groups = np.empty((MOST_GROUPS, 4), np.int32)
    count = overlay.find_groups(_widened(cells).view(np.uint8), groups)
    bounds = groups[:count] * overlay.CELL
    height, width = bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1]
    gap = 6 * overlay.CELL  # what widening can have added
    likely = (width >= least_width) & (width <= MOST_WIDTH * shape[1] + gap)
    likely &= (height >= LEAST_HEIGHT) & (height <= MOST_HEIGHT * min(shape) + gap)
    for top, left, bottom, right in bounds[likely].tolist():
        inside = (steps[top:bottom, left:right] == which) & (lit[top:bottom, left:right] >= bright)
        down, across = (
            np.flatnonzero(sums >= FRINGE * sums.max()) for sums in (inside.sum(axis=1), inside.sum(axis=0))
        )
        area = top + int(down[0]), left + int(across[0]), top + int(down[-1]) + 1, left + int(across[-1]) + 1
        if _mark_like(area, shape, least_width):
            yield area


def _widened(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return cells with their neighbours, two across and one up and down."""
    across = cells.copy()
    for step in (1, 2):
        across[:, step:] |= cells[:, :-step]
        across[:, :-step] |= cells[:, step:]
    down = across.copy()
    down[1:] |= across[:-1]
    down[:-1] |= across[1:]
    return down


def _mark_like(area: Area, shape: tuple[int, ...], least_width: float) -> bool:
    """Whether an area has the size of a mark."""
    height, width = area[2] - area[0], area[3] - area[1]
    return (
        least_width <= width <= MOST_WIDTH * shape[1]
        and LEAST_HEIGHT <= height <= MOST_HEIGHT * min(shape)
        and TALLEST * height <= width <= FLATTEST * height
    )


def _at_border(area: Area, shape: tuple[int, ...]) -> bool:
    return area[0] <= 1 or area[1] <= 1 or area[2] >= shape[0] - 1 or area[3] >= shape[1] - 1


def _ring(area: Area, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return the surroundings of an area, and a mask of them that leaves out the area itself."""
    top, left, bottom, right = area
    reach = max(6, (bottom - top) // 2)
    outer = max(0, top - reach), max(0, left - reach), min(shape[0], bottom + reach), min(shape[1], right + reach)
    ring = np.ones((outer[2] - outer[0], outer[3] - outer[1]), bool)
    ring[top - outer[0] : bottom - outer[0], left - outer[1] : right - outer[1]] = False
    if not ring.any():
        ring[:] = True
    return _slices(outer), ring


def _slices(area: Area) -> tuple[slice, slice]:
    return slice(area[0], area[2]), slice(area[1], area[3])


def _meet(one: Area, other: Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _centred(patch: NDArray[np.floating]) -> NDArray[np.float32]:
    centred: NDArray[np.float32] = (patch - patch.mean()).astype(np.float32)
    return centred


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the correlation of two patches of one shape, −1 to 1."""
    first, second = one - one.mean(), other - other.mean()
    size = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / size if size > 0 else 0.0
