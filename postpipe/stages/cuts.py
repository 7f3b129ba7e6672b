"""The shots within a take: cuts, dissolves and fades. What follows something over time starts anew at each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from postpipe.delivery import FrameTimes, Shot, Shots
from postpipe.engine.stage import Analyser, Look, Task
from postpipe.model import Artifact, Clip, Facts, Plane
from postpipe.stages.gallery import Gallery, area_weights, small_size
from postpipe.stages.transitions import Change, find_changes
from postpipe.stages.views import CHROMA, LUMA


@dataclass(frozen=True)
class SmallPictures(Artifact):
    """Every frame of a clip as a small picture, 8-bit code values of limited range.

    `luma`: uint8, shape `(frames, height, width)`, about 576 pixels; `chroma`: uint8, shape
    `(frames, 2, height / 2, width / 2)`.
    """

    schema: ClassVar[str] = "postpipe.small-pictures.1"
    luma: NDArray[np.uint8]
    chroma: NDArray[np.uint8]


class _Shrinker:
    """Averages planes of one size into cells."""

    def __init__(self, shape: tuple[int, int], cells: tuple[int, int]) -> None:
        self._down, self._across = area_weights(cells[0], shape[0]), area_weights(cells[1], shape[1]).T

    def __call__(self, plane: Plane, gain: float, offset: float) -> NDArray[np.uint8]:
        means = self._down @ plane.astype(np.float32) @ self._across
        small: NDArray[np.uint8] = np.rint(means * gain + offset).astype(np.uint8)
        return small


@dataclass
class _Seen:
    luma_gain: float
    luma_offset: float
    chroma_gain: float
    cells: tuple[int, int]
    whole: bool
    shrink_luma: _Shrinker | None = None
    shrink_chroma: _Shrinker | None = None
    luma: list[NDArray[np.uint8]] = field(default_factory=list)
    chroma: list[NDArray[np.uint8]] = field(default_factory=list)


@dataclass(frozen=True)
class SeeSmall(Analyser[_Seen, SmallPictures]):
    """Keep a small picture of every frame."""

    id: ClassVar[str] = "small_pictures"
    summary: ClassVar[str] = "small pictures of all frames"
    views: ClassVar = (LUMA, CHROMA)

    def start(self, clip: Clip) -> _Seen:
        """Begin with the size of the small pictures of this clip, and what makes its code values 8-bit and limited."""
        picture = clip.picture
        scale = 1 / (1 << (picture.pixel_format.bits - 8))
        full = picture.colour.range == "full"
        cells = small_size(picture.height, picture.width)
        # the eighth that others have made already will do unless it is too coarse
        whole = -(-picture.height // 8) < 2 * cells[0] or -(-picture.width // 8) < 2 * cells[1]
        luma_gain, luma_offset, chroma_gain = (219 / 255, 16.0, 224 / 255) if full else (1.0, 0.0, 1.0)
        return _Seen(luma_gain * scale, luma_offset, chroma_gain * scale, cells, whole)

    def step(self, state: _Seen, item: Look) -> None:
        """Take in one frame."""
        luma, *chroma = item.frame.planes
        if not state.whole:
            luma, chroma = item[LUMA].small, [item[CHROMA].blue, item[CHROMA].red]
        if state.shrink_luma is None or state.shrink_chroma is None:
            state.shrink_luma = _Shrinker(luma.shape, state.cells)
            state.shrink_chroma = _Shrinker(chroma[0].shape, (state.cells[0] // 2, state.cells[1] // 2))
        neutral = 128 * (1 - state.chroma_gain * (1 << (item.frame.pixel_format.bits - 8)))
        state.luma.append(state.shrink_luma(luma, state.luma_gain, state.luma_offset))
        state.chroma.append(np.stack([state.shrink_chroma(plane, state.chroma_gain, neutral) for plane in chroma]))

    def finish(self, state: _Seen) -> SmallPictures:
        """Return the pictures."""
        rows, columns = state.cells
        return SmallPictures(
            luma=np.array(state.luma, np.uint8).reshape(-1, rows, columns),
            chroma=np.array(state.chroma, np.uint8).reshape(-1, 2, rows // 2, columns // 2),
        )


@dataclass(frozen=True)
class FindShots(Task):
    """Divide a take where one shot becomes the next."""

    id: ClassVar[str] = "shots"
    summary: ClassVar[str] = "cuts, dissolves and fades within a take"
    stored: ClassVar[bool] = True

    def run(self, pictures: SmallPictures, times: FrameTimes) -> Shots:
        """Return the shots."""
        changes = find_changes(Gallery(pictures.luma, pictures.chroma), float(times.rate))
        return Shots(shots_between(changes, times.frames))


def shots_between(changes: Sequence[Change], frames: int) -> tuple[Shot, ...]:
    """Return the shots of a clip of so many frames, from its changes in order."""
    firsts = [change.first for change in changes if change.first > 0 and change.pure < frames]
    entries = {change.first: change for change in changes if change.pure < frames}
    exit_frames = sum(change.frames for change in changes if change.pure >= frames)
    shots = []
    for first, end in zip([0, *firsts], [*firsts, frames], strict=True):
        change = entries.get(first)
        entry = change.kind if change else "start"
        shots.append(Shot(first, end - 1, entry, change.frames if change else 0, exit_frames if end == frames else 0))
    return tuple(shots)


@dataclass(frozen=True)
class Cuts(Facts):
    """The first frames of new shots after hard cuts."""

    schema: ClassVar[str] = "postpipe.cuts.1"
    name: ClassVar[str] = "cuts"
    frames: tuple[int, ...]

    def summary(self) -> list[int]:
        """Return the frames."""
        return list(self.frames)


@dataclass(frozen=True)
class ListCuts(Task):
    """List the hard cuts among the changes of shot."""

    id: ClassVar[str] = "cuts"
    summary: ClassVar[str] = "hard cuts within a take"

    def run(self, shots: Shots) -> Cuts:
        """Return the cuts."""
        return Cuts(tuple(shot.first for shot in shots.shots if shot.entry == "cut"))


STAGES = (SeeSmall, FindShots, ListCuts)
