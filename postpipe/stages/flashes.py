"""Flashes counted: how often, in the second up to each frame, how much of the screen flashed.

After ITU-R BT.1702 and WCAG 2.1: a flash is a pair of opposing changes of relative luminance by at least a tenth of
white, whose darker image is below 0.8 of it, or of opposing changes to and from a saturated red. Each cell of a small
picture is followed for itself, so that areas that flash in turns are not averaged away.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import flash, shrink

from postpipe.engine.stage import Analyser, Look
from postpipe.model import Artifact, Clip, ColourSpec, PictureStream, Plane
from postpipe.stages.views import CHROMA, LUMA

SECOND = Fraction(1)
PERMITTED = 6  # changes in a second: three flashes, each there and back (BT.1702, WCAG)
SHARE_OF = 4  # a quarter, of the screen (BT.1702) or of any field of 10 degrees (WCAG)
FIELD = (341, 256)  # pixels of a field of 10 degrees on
SCREEN = (1024, 768)  # a screen of this size, which the picture fills: WCAG's estimate of usual viewing
CELLS = 160  # at least, along the longer side: a rectangle's area is then right to half a per cent of the picture
JOIN_CELLS = 64  # the same for what is kept of the frames at either end
LUMINANCE = {"bt2020": (0.2627, 0.6780, 0.0593)}  # weights of linear R, G, B by primaries; others: BT.709's
_BT709 = (0.2126, 0.7152, 0.0722)

Cells = tuple[Plane, Plane, Plane]
"""A small picture: luma, Cb and Cr of one shape."""


@dataclass(frozen=True)
class FlashTrack(Artifact):
    """Flashes, frame by frame; all arrays but the last two are as long as the clip has frames, or empty for HDR.

    `general`, `red`: uint8, changes of luminance, or to and from saturated red, in the second up to the frame, that
    at least a quarter of the screen went through. `general_field`, `red_field`: uint8, 1 where more than three
    flashes in that second filled a quarter of some field of 10 degrees. `opening`, `closing`: the frames of the
    first and the last second, small, shape `(frames, 3, rows, columns)`, code values of luma, Cb and Cr.
    """

    schema: ClassVar[str] = "postpipe.flash-track.1"
    general: NDArray[np.uint8]
    red: NDArray[np.uint8]
    general_field: NDArray[np.uint8]
    red_field: NDArray[np.uint8]
    opening: NDArray[Any]
    closing: NDArray[Any]


class FlashCount(NamedTuple):
    """What stands in a `FlashTrack` for one frame."""

    general: int
    red: int
    general_field: bool
    red_field: bool


class FlashCounter:
    """Counts changes cell by cell over frames that follow each other.

    `shape`: rows and columns of the cells. `width` and `height` of the picture, in any unit, as it is displayed.
    `bits` and `colour` say what the code values mean.
    """

    def __init__(
        self, shape: tuple[int, int], width: Fraction, height: Fraction, bits: int, colour: ColourSpec
    ) -> None:
        cells = shape[0] * shape[1]
        self._shape, self._field, self._bits = shape, field_cells(shape, width, height), bits
        self._rows = flash.rgb_rows(colour.matrix, colour.range, bits)
        self._weights = np.array(LUMINANCE.get(colour.primaries, _BT709), np.float32)
        self._swings = flash.Swings.of(cells)
        self._counts = np.zeros((2, cells), np.uint8)
        self._areas = np.zeros((2, 256), np.int64)
        self._areas[:, 0] = cells
        self._recent: deque[tuple[Fraction, int, NDArray[np.int64]]] = deque()

    def step(self, cells: Cells, seconds: Fraction) -> FlashCount:
        """Take in the frame that is shown at `seconds`; return the counts of the second up to it."""
        flash.find_swings(*cells, self._bits, self._rows, self._weights, self._swings)
        while self._recent and seconds - self._recent[0][0] >= SECOND:
            _, kind, swung = self._recent.popleft()
            flash.tally_swings(swung, -1, self._counts[kind], self._areas[kind])
        for kind in range(2):
            swung = np.flatnonzero(self._swings.events[kind])
            if swung.size:
                flash.tally_swings(swung, 1, self._counts[kind], self._areas[kind])
                self._recent.append((seconds, kind, swung))
        return FlashCount(self._most(0), self._most(1), self._fills_field(0), self._fills_field(1))

    def _most(self, kind: int) -> int:
        """Return how many changes at least a quarter of all cells went through."""
        cells = self._counts.shape[1]
        if SHARE_OF * (cells - int(self._areas[kind, 0])) < cells:
            return 0
        reached = np.cumsum(self._areas[kind, ::-1])[::-1]  # cells with at least so many
        return int(np.count_nonzero(SHARE_OF * reached[1:] >= cells))

    def _fills_field(self, kind: int) -> bool:
        rows, columns = self._field
        moved = self._counts.shape[1] - int(self._areas[kind, 0])
        if SHARE_OF * moved < rows * columns or SHARE_OF * self._areas[kind, PERMITTED + 1 :].sum() < rows * columns:
            return False
        sums = np.zeros((self._shape[0] + 1, self._shape[1] + 1), np.int64)
        sums[1:, 1:] = (self._counts[kind].reshape(self._shape) > PERMITTED).cumsum(axis=0).cumsum(axis=1)
        fields = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
        return bool(SHARE_OF * fields.max() >= rows * columns)


def cell_block(width: int, height: int) -> int:
    """Return the side in pixels of a cell of a picture of this size: 2, 4, 8 or 16."""
    return next((block for block in (16, 8, 4) if max(width, height) >= CELLS * block), 2)


def field_cells(shape: tuple[int, int], width: Fraction, height: Fraction) -> tuple[int, int]:
    """Return rows and columns of a field of 10 degrees, in cells of a picture that has `shape` of them."""
    scale = min(SCREEN[0] / width, SCREEN[1] / height)
    rows, columns = shape[0] * FIELD[1] / (height * scale), shape[1] * FIELD[0] / (width * scale)
    return min(shape[0], max(1, round(rows))), min(shape[1], max(1, round(columns)))


@dataclass
class _State:
    picture: PictureStream
    block: int
    chroma_block: tuple[int, int]
    counter: FlashCounter | None = None
    thinning: int = 1
    counts: list[FlashCount] = field(default_factory=list)
    opening: list[NDArray[Any]] = field(default_factory=list)
    closing: deque[tuple[Fraction, NDArray[Any]]] = field(default_factory=deque)
    start: Fraction | None = None


@dataclass(frozen=True)
class WatchFlashes(Analyser[_State, FlashTrack]):
    """Count flashes through a clip."""

    id: ClassVar[str] = "flashes"
    summary: ClassVar[str] = "flashes of light and of saturated red in each second, cell by cell"
    views: ClassVar = (LUMA, CHROMA)

    def start(self, clip: Clip) -> _State:
        """Begin with no frame; the cells are made for the size of this clip."""
        picture = clip.picture
        block = cell_block(picture.width, picture.height)
        form = picture.pixel_format
        return _State(picture, block, shrink.chroma_block(form.chroma_shift_x, form.chroma_shift_y, min(block, 8)))

    def step(self, state: _State, item: Look) -> None:
        """Take in one frame."""
        if state.picture.colour.hdr:
            return
        cells = _cells(state, item)
        shape = cells[0].shape
        if state.counter is None:
            picture = state.picture
            width, height = picture.width * picture.pixel_aspect, Fraction(picture.height)
            state.counter = FlashCounter(shape, width, height, picture.pixel_format.bits, picture.colour)
            state.thinning = max(1, max(shape) // JOIN_CELLS)
        seconds = item.frame.pts_seconds
        state.start = seconds if state.start is None else state.start
        state.counts.append(state.counter.step(cells, seconds))
        first = (state.thinning - 1) // 2
        kept = np.stack([plane[first :: state.thinning, first :: state.thinning] for plane in cells])
        if seconds - state.start < SECOND:
            state.opening.append(kept)
        state.closing.append((seconds, kept))
        while seconds - state.closing[0][0] >= SECOND:
            state.closing.popleft()

    def finish(self, state: _State) -> FlashTrack:
        """Return the track."""
        general, red, general_field, red_field = np.array(state.counts, np.uint8).reshape(-1, 4).T.copy()
        none = np.zeros((0, 3, 0, 0), np.uint8)
        return FlashTrack(
            general=general,
            red=red,
            general_field=general_field,
            red_field=red_field,
            opening=np.stack(state.opening) if state.opening else none,
            closing=np.stack([kept for _, kept in state.closing]) if state.closing else none,
        )


def _cells(state: _State, item: Look) -> Cells:
    """Return the frame at one pixel per cell, from the small views where these are not smaller already."""
    if state.block < 8:
        luma, blue, red = item.frame.planes
        return (
            _shrunk(luma, state.block, state.block),
            _shrunk(blue, *state.chroma_block),
            _shrunk(red, *state.chroma_block),
        )
    luma, blue, red = item[LUMA].small, item[CHROMA].blue, item[CHROMA].red
    if state.block == 8:
        return luma, blue, red
    return _shrunk(luma, 2, 2), _shrunk(blue, 2, 2), _shrunk(red, 2, 2)


def _shrunk(plane: Plane, rows: int, columns: int) -> Plane:
    out, sums = shrink.empty_small(plane, rows, columns)
    shrink.shrink_plane(plane, rows, columns, out, sums)
    return out


STAGES = (WatchFlashes,)
