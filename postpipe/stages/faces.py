"""The faces of a frame, found now and then and followed in between: a view that lips, and whoever asks, share.

Faces are found by the Haar cascade that comes with OpenCV (P. Viola and M. Jones, "Robust real-time face detection",
IJCV 57, 2004), on a small picture; from one search to the next the part of each that does not speak, from the
forehead to the nose, is followed by matching. A face that is searched for where it was costs a fraction of a search
of the whole picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe.engine.stage import Look, View
from postpipe.model import Clip, Plane

CASCADE = "haarcascade_frontalface_alt.xml"
MOST_FACES = 3
SMALLEST = 20  # pixels of a face, a side: the cascade's window
LARGE_EDGE, SMALL_EDGE = 200, 480  # pixels of the long edge of the picture that is searched for large faces, and small
LARGE_SECONDS = (0.5, 1.0, 4.0)  # between searches for large faces: at first, after `PATIENT` in vain, with a face
SMALL_EVERY = 4  # of the searches in vain, one is for small faces too
PATIENT = 8
AGAIN_SECONDS = (0.5, 1.0)  # at first, and after `SETTLED` finds: from one look for a face where it was to the next
SETTLED = 5
AGAIN_SIDE = 80  # pixels of the picture in which it is looked for again, twice the face's side but a tenth
NORMAL = 64  # pixels of a face that is followed, a side
FIXED = (6, 40, 10, 54)  # of these, rows and columns that speech does not move: forehead to nose
REACH = 9  # pixels of these that a face may move from one frame to the next
ALIKE = 0.5  # correlation below which a face is lost
EASE_SECONDS = 1.0  # what a new find says otherwise is taken over in this time: a jump of the box would look like a lip
APART = 0.1  # intersection over union below which two boxes are two faces
OVERLAP = 0.3  # intersection over union from which two boxes are one face

Box = tuple[float, float, float]
"""Centre across, centre down, side: pixels of the frame."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a frame: `track` numbers it within the clip.

    `x`, `y`: centre, `width`, `height`: sides, in pixels of the frame. `found` of the `sought` times it was looked
    for there was a face in this place.
    """

    track: int
    x: float
    y: float
    width: float
    height: float
    found: int
    sought: int


@dataclass
class _Track:
    number: int
    box: Box  # in pixels of the searched geometry: square pixels at full size
    pull: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    template: NDArray[np.uint8] | None = None
    found: int = 1
    sought: int = 1
    due: Fraction = Fraction(0)


FindFaces = Callable[[], tuple[Face, ...]]


@dataclass(frozen=True)
class Faces(View[FindFaces]):
    """The faces of each frame, at most three, the largest first: a function to call, once for every frame or never.

    A clip in which nobody asks for faces is not searched.
    """

    def start(self, clip: Clip) -> Callable[[Look], FindFaces]:
        """Return the function for one clip."""
        finder: _Finder | None = None

        def compute(look: Look) -> FindFaces:
            known: tuple[Face, ...] | None = None
            frame = look.frame  # not the look: it holds this function, and a circle would keep each picture alive

            def find() -> tuple[Face, ...]:
                nonlocal finder, known
                if known is None:
                    finder = finder or _Finder(float(clip.picture.pixel_aspect))
                    known = finder.step(frame.planes[0], clip.picture.pixel_format.bits, frame.pts_seconds)
                return known

            return find

        return compute


FACES = Faces()


class _Finder:
    """The faces of one clip, frame by frame."""

    def __init__(self, pixel_aspect: float) -> None:
        import cv2

        self._cv2: Any = cv2
        self._cascade = self._cv2.CascadeClassifier(self._cv2.data.haarcascades + CASCADE)
        self._aspect = pixel_aspect
        self._numbers = itertools.count()
        self._tracks: list[_Track] = []
        self._due: Fraction | None = None
        self._before: Fraction | None = None
        self._in_vain = 0

    def step(self, luma: Plane, bits: int, now: Fraction) -> tuple[Face, ...]:
        """Return the faces of the next frame."""
        passed = float(now - self._before) if self._before is not None else 0.0
        self._before = now
        for track in list(self._tracks):
            if not self._follow(track, luma, bits, passed):
                self._tracks.remove(track)
                self._due = None if self._due is None else min(self._due, now)
        for track in list(self._tracks):
            if now >= track.due:
                self._look_again(track, luma, bits)
                track.due = now + Fraction(AGAIN_SECONDS[track.found >= SETTLED])
                if track.sought >= 4 and track.found * 4 < track.sought:
                    self._tracks.remove(track)
        if self._due is None or now >= self._due:
            self._search(luma, bits, now)
        faces = sorted(self._tracks, key=lambda track: -track.box[2])[:MOST_FACES]
        return tuple(
            Face(t.number, t.box[0] / self._aspect, t.box[1], t.box[2] / self._aspect, t.box[2], t.found, t.sought)
            for t in faces
        )

    def _search(self, luma: Plane, bits: int, now: Fraction) -> None:
        """Search the whole picture for faces that are not known yet."""
        known = [track.box for track in self._tracks]
        found = self._in_picture(luma, bits, LARGE_EDGE)
        if not found and not known and self._in_vain % SMALL_EVERY == 0:
            found = self._in_picture(luma, bits, SMALL_EDGE)
        new = [box for box in found if all(_shared(box, one) < APART for one in known)]
        for box in sorted(new, key=lambda box: -box[2])[: max(0, MOST_FACES - len(known))]:
            track = _Track(next(self._numbers), box, due=now + Fraction(AGAIN_SECONDS[0]))
            self._remember(track, luma, bits)
            self._tracks.append(track)
        self._in_vain = 0 if self._tracks else self._in_vain + 1
        self._due = now + Fraction(LARGE_SECONDS[2 if self._tracks else int(self._in_vain >= PATIENT)])

    def _in_picture(self, luma: Plane, bits: int, long_edge: int) -> list[Box]:
        """Return the faces that are found in a small picture of the frame."""
        height, width = luma.shape[0], luma.shape[1] * self._aspect
        scale = min(1.0, long_edge / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small: NDArray[Any] = self._cv2.resize(luma, size, interpolation=self._cv2.INTER_AREA)
        return self._detect(np.asarray(small >> (bits - 8) if bits > 8 else small, np.uint8), SMALLEST, 1 / scale)

    def _detect(self, picture: NDArray[np.uint8], smallest: int, scale: float, largest: int = 0) -> list[Box]:
        """Return boxes in a picture, multiplied by `scale`."""
        found = self._cascade.detectMultiScale(
            picture, 1.2, 3, minSize=(smallest, smallest), maxSize=(largest, largest)
        )
        return [((x + w / 2) * scale, (y + h / 2) * scale, w * scale) for x, y, w, h in found]

    def _follow(self, track: _Track, luma: Plane, bits: int, passed: float) -> bool:
        """Move a track to where its face is now; return whether it is there."""
        if track.template is None:
            return False
        top, bottom, left, right = FIXED
        x, y, side = track.box
        unit = side / NORMAL
        area = self._patch(luma, bits, track.box, (top - REACH, bottom + REACH, left - REACH, right + REACH))
        if area is None or self._cv2.meanStdDev(area)[1][0, 0] < 1:
            return False
        scores = self._cv2.matchTemplate(area, track.template, self._cv2.TM_CCOEFF_NORMED)
        _, best, _, (column, row) = self._cv2.minMaxLoc(scores)
        if best < ALIKE:
            return False
        across = column + _vertex(scores[row], column) - REACH
        down = row + _vertex(scores[:, column], row) - REACH
        part = min(1.0, passed / EASE_SECONDS)
        step, track.pull = track.pull * part, track.pull * (1 - part)
        track.box = (x + across * unit + step[0], y + down * unit + step[1], side + step[2])
        if abs(step).max() > 0.002 * side:
            self._remember(track, luma, bits)
        return True

    def _look_again(self, track: _Track, luma: Plane, bits: int) -> None:
        """Look for a face where it is thought to be, and take over what differs, bit by bit."""
        x, y, side = track.box
        span = 0.9 * side
        picture = self._patch(luma, bits, (x, y, 2 * span), (0, AGAIN_SIDE, 0, AGAIN_SIDE), AGAIN_SIDE)
        track.sought += 1
        if picture is None:
            return
        unit = 2 * span / AGAIN_SIDE
        usual = side / unit
        boxes = self._detect(picture, int(0.75 * usual), unit, int(1.4 * usual))
        boxes = [(bx + x - span, by + y - span, bs) for bx, by, bs in boxes]
        nearest = max(boxes, key=lambda box: _shared(box, track.box), default=None)
        if nearest is not None and _shared(nearest, track.box) >= OVERLAP:
            track.found += 1
            track.pull = 0.5 * (np.asarray(nearest) - np.asarray(track.box))
            self._remember(track, luma, bits)

    def _remember(self, track: _Track, luma: Plane, bits: int) -> None:
        track.template = self._patch(luma, bits, track.box, FIXED)

    def _patch(
        self, luma: Plane, bits: int, box: Box, part: tuple[int, int, int, int], side: int = NORMAL
    ) -> NDArray[np.uint8] | None:
        """Return part of a box (top, bottom, left, right) in pixels of which it has `side`; `None` off the frame."""
        return cut_out(luma, bits, (box[0] / self._aspect, box[1], box[2] / self._aspect, box[2]), part, side)


def cut_out(
    luma: Plane, bits: int, face: tuple[float, float, float, float], part: tuple[int, int, int, int], scale: int
) -> NDArray[np.uint8] | None:
    """Return part of a face as uint8, one pixel for each of `scale` parts of the face's sides.

    `face`: centre across and down, width, height, in pixels of the frame. `part`: top, bottom, left, right, in
    parts of the face, from its upper left corner. Beyond the frame's edge its last pixels go on; `None` where more
    than half of the part lies outside.
    """
    import cv2

    x, y, width, height = face
    top, bottom, left, right = part
    units = width / scale, height / scale
    x0, y0 = x - width / 2 + left * units[0], y - height / 2 + top * units[1]
    x1, y1 = x - width / 2 + right * units[0], y - height / 2 + bottom * units[1]
    rows, columns = luma.shape
    seen = max(0.0, min(x1, columns) - max(x0, 0.0)) * max(0.0, min(y1, rows) - max(y0, 0.0))
    if seen < 0.5 * (x1 - x0) * (y1 - y0):
        return None
    # A first step by whole pixels where the face is large, so that every pixel counts; then to exact places. OpenCV
    # takes means of whole pixels at a fifth of the cost of others.
    shrink = max(1, int(min(units)))
    r0, c0 = max(0, int(y0) - 2), max(0, int(x0) - 2)
    high = (min(rows, int(y1) + 3 + shrink) - r0) // shrink
    wide = (min(columns, int(x1) + 3 + shrink) - c0) // shrink
    small: NDArray[Any] = luma[r0 : r0 + high * shrink, c0 : c0 + wide * shrink]
    if shrink > 1:
        small = cv2.resize(small, (wide, high), interpolation=cv2.INTER_AREA)
    place = np.array(
        [
            [units[0] / shrink, 0.0, (x0 - c0 + units[0] / 2) / shrink - 0.5],
            [0.0, units[1] / shrink, (y0 - r0 + units[1] / 2) / shrink - 0.5],
        ]
    )
    cut: NDArray[Any] = cv2.warpAffine(
        small,
        place,
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cut >> (bits - 8) if bits > 8 else cut, np.uint8)


def _shared(one: Box, other: Box) -> float:
    """Return intersection over union of two square boxes."""
    sides = [
        max(0.0, min(a + one[2] / 2, b + other[2] / 2) - max(a - one[2] / 2, b - other[2] / 2))
        for a, b in zip(one[:2], other[:2], strict=True)
    ]
    both = sides[0] * sides[1]
    return both / (one[2] ** 2 + other[2] ** 2 - both)


def _vertex(values: NDArray[np.float32], at: int) -> float:
    """Return how far from `at` the vertex of the parabola through it and its neighbours lies."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, here, after = (float(value) for value in values[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else 0.5 * (before - after) / bend
