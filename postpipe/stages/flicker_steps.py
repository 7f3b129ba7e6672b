"""The steps of a track, frame by frame, with how far each can be off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from postpipe.stages.exposure_over_time import Reals
from postpipe.stages.flicker_track import LEVEL_STEP, FlickerTrack

STILL = 2e-4
"""A frame whose tiles all change by less is the one before again."""

FLOOR = 3e-4
"""Standard error that every tile has at least: coding, and motion that the flow did not see."""

ROUNDED = 1 + np.array([1.57, 0.5, 1.86]) ** 2
"""Variance of R', G', B' where Y', Cb, Cr are rounded, as a multiple of that of Y': chroma's reaches them enlarged."""


@dataclass(frozen=True)
class Steps:
    """Steps of the distinct frames of a shot, as float64.

    `change`, `level`: `(frames, tiles, 3)`, `level` as natural logarithms. `variance`: likewise, how far a tile's
    step may be off by itself, and `error` `(frames, tiles)`, that of grey as measured. `known`: `(frames, tiles)`.
    `frame`: `(frames,)`, their indices in the shot. `shape`: tiles down and across.
    """

    change: Reals
    level: Reals
    variance: Reals
    error: Reals
    known: NDArray[np.bool_]
    frame: NDArray[np.int64]
    shape: tuple[int, int]

    @property
    def quarter(self) -> NDArray[np.int64]:
        """For each tile, 0 to 3: the quarter of the picture that it lies in."""
        row, column = np.divmod(np.arange(self.shape[0] * self.shape[1]), self.shape[1])
        return np.asarray(2 * (row * 2 // self.shape[0]) + column * 2 // self.shape[1])

    @property
    def white(self) -> NDArray[np.bool_]:
        """For each tile, whether it is a white square of a chessboard."""
        row, column = np.divmod(np.arange(self.shape[0] * self.shape[1]), self.shape[1])
        return np.asarray((row + column) % 2 == 0)


def distinct_steps(track: FlickerTrack) -> Steps:
    """Return the steps of a shot without the frames that repeat the one before (generators deliver many)."""
    frames = len(track.steps)
    change = track.steps.reshape(frames, -1, 3).astype(np.float64)
    spread = track.spread.reshape(frames, -1).astype(np.float64)
    known = np.isfinite(spread)
    moved = np.where(known[..., None], np.abs(change), 0.0).max(axis=(1, 2), initial=0.0)
    kept = moved > STILL
    kept[:1] = True
    frame = np.flatnonzero(kept)
    change, spread, known = change[frame], spread[frame], known[frame]
    change[:1] = 0.0
    level = track.level.reshape(frames, -1, 3)[frame].astype(np.float64) * -LEVEL_STEP
    rounding = track.code**2 / 6 * ROUNDED / np.exp(2 * level)
    level -= change / 2  # halfway: a tile is bright because it has just become so, which would pass for gamma
    error = np.where(known, spread, 1.0)
    variance = error[..., None] ** 2 + FLOOR**2 + rounding
    shape = (track.spread.shape[1], track.spread.shape[2])
    return Steps(np.where(known[..., None], change, 0.0), level, variance, error, known, frame, shape)
