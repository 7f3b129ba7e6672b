"""Follow the exposure of a clip tile by tile, its motion taken out: what flicker is measured and removed by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import colour, tiles

from postpipe.engine.stage import Analyser, Look
from postpipe.model import Artifact, Clip
from postpipe.stages.views import SMALL, SmallPicture

GRID = 12
"""Tiles along the long edge."""

LEAST_TILE = 8
"""Pixels of the small picture that a tile has at least along the long edge: what the flow looks for is as large."""

BAND_SCALE = 200
"""Code values that a step of one in luma's natural logarithm is for the flow: detail of 0.5 % just shows."""

LEAST_FLOW = 16
"""Pixels: a smaller picture gives a flow nothing to search in."""

LEVEL_STEP = 1 / 64
"""Levels are kept as logarithms in steps of this size: 1.6 %."""


@dataclass(frozen=True)
class FlickerTrack(Artifact):
    """By how much each tile became brighter from frame to frame. All arrays have one entry per frame.

    `steps`: float16 `(frames, down, across, 3)`, change of the logarithm of R', G' and B' since the frame before,
    along the motion (0 for the first). `spread`: float16 `(frames, down, across)`, its standard error, infinite
    where it is not known. `level`: uint8 like `steps`, minus the logarithm of the tile's R', G' and B' in units of
    `LEVEL_STEP`. `code`: one code value of luma as a share of the way from black to white.
    """

    schema: ClassVar[str] = "postpipe.flicker-track.1"
    steps: NDArray[np.float16]
    spread: NDArray[np.float16]
    level: NDArray[np.uint8]
    code: float

    def part(self, frames: NDArray[np.int64] | slice) -> FlickerTrack:
        """Return the track of some frames."""
        return FlickerTrack(self.steps[frames], self.spread[frames], self.level[frames], self.code)

    def shown(self, source: NDArray[np.int64]) -> FlickerTrack:
        """Return the track of a delivery that shows these frames, in order, repeated or left out as they may be."""
        part = self.part(source)
        steps = part.steps.copy()
        for position in np.flatnonzero(np.diff(source) != 1) + 1:
            passed = slice(source[position - 1] + 1, source[position] + 1)
            steps[position] = self.steps[passed].sum(0, dtype=np.float32)
        return FlickerTrack(steps, part.spread, part.level, part.code)


@dataclass
class _Following:
    to_rgb: NDArray[np.float32]
    code: float
    shape: tuple[int, int]
    flow: Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]
    band: Callable[[NDArray[np.float32]], NDArray[np.uint8]]
    before: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]] | None = None
    spare: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    steps: list[NDArray[np.float16]] = field(default_factory=list)
    spread: list[NDArray[np.float16]] = field(default_factory=list)
    level: list[NDArray[np.uint8]] = field(default_factory=list)


@dataclass(frozen=True)
class FollowExposure(Analyser[_Following, FlickerTrack]):
    """Compare each frame with the one before, tile by tile and along the motion."""

    id: ClassVar[str] = "exposure"
    summary: ClassVar[str] = "how much each part of the picture brightens or dims"
    views: ClassVar = (SMALL,)

    def start(self, clip: Clip) -> _Following:
        """Begin with the clip's own coding of colour."""
        picture = clip.picture
        scale, zero = colour.code_scale(picture.colour.range, picture.pixel_format.bits)
        core = np.linalg.inv(colour.rgb_to_ycbcr(picture.colour.matrix)) / scale
        to_rgb = np.column_stack([core, -core @ zero]).astype(np.float32)
        longest = max(picture.width, picture.height)
        most = min(GRID, max(1, longest // LEAST_TILE))
        shape = (max(1, round(most * picture.height / longest)), max(1, round(most * picture.width / longest)))
        return _Following(to_rgb, float(1 / scale[0]), shape, *_optical_flow())

    def step(self, state: _Following, item: Look) -> None:
        """Take in one frame."""
        small: SmallPicture = item[SMALL]
        rows, columns = small.luma.shape
        shape = min(state.shape[0], rows), min(state.shape[1], columns)
        now, weight = state.spare or (np.empty((4, rows, columns), np.float32), np.empty((rows, columns), np.float32))
        tiles.log_colours(small.luma, small.blue, small.red, state.to_rgb, now, weight)
        band = state.band(now[3])
        steps, level = np.zeros((*shape, 3), np.float32), np.zeros((*shape, 3), np.float32)
        spread = np.full(shape, np.inf, np.float32)
        before, weight_before, band_before = state.before or (now, weight, band)
        flow = state.flow(band, band_before)
        tiles.tile_steps(now, weight, before, weight_before, flow, steps, spread, level)
        state.steps.append(steps.astype(np.float16))
        state.spread.append(spread.astype(np.float16))
        state.level.append(np.clip(np.round(level / -LEVEL_STEP), 0, 255).astype(np.uint8))
        if state.before is not None:
            state.spare = state.before[:2]
        state.before = now, weight, band

    def finish(self, state: _Following) -> FlickerTrack:
        """Return the track."""
        shape = (0, *state.shape)
        return FlickerTrack(
            steps=np.array(state.steps) if state.steps else np.zeros((*shape, 3), np.float16),
            spread=np.array(state.spread) if state.spread else np.zeros(shape, np.float16),
            level=np.array(state.level) if state.level else np.zeros((*shape, 3), np.uint8),
            code=state.code,
        )


def _optical_flow() -> tuple[Any, Any]:
    """Return `(flow, band)`: where each pixel was a frame ago, and the picture to tell it by.

    Dense inverse search (Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016), on luma's
    logarithm less its mean around: a change of exposure looks like motion to a flow, and does not get through.
    """
    cv2: Any = import_module("cv2")
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def band(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
        around = cv2.boxFilter(grey, -1, (9, 9), borderType=cv2.BORDER_REFLECT)
        detail: NDArray[np.uint8] = cv2.convertScaleAbs(cv2.subtract(grey, around), alpha=BAND_SCALE, beta=128)
        return detail

    def flow(now: NDArray[np.uint8], before: NDArray[np.uint8]) -> NDArray[np.float32]:
        if min(now.shape) < LEAST_FLOW or now is before:
            return np.zeros((*now.shape, 2), np.float32)
        return np.ascontiguousarray(search.calc(now, before, None))

    return flow, band


STAGES = (FollowExposure,)
