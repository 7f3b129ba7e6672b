"""When each frame is shown: the first thing to know about a take."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from postpipe.delivery import FrameTimes
from postpipe.engine.stage import Analyser, Look
from postpipe.errors import TakeError
from postpipe.media.index import read_index
from postpipe.model import Clip
from postpipe.timing import nearest_standard_rate


@dataclass
class _State:
    clip: Clip
    seconds: list[Fraction] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Clock(Analyser[_State, FrameTimes]):
    """Collect the presentation times of all frames, and whether they are evenly spaced."""

    id: ClassVar[str] = "clock"
    summary: ClassVar[str] = "frame times, rate, damaged frames"

    def start(self, clip: Clip) -> _State:
        """Begin with no frame."""
        return _State(clip)

    def from_index(self, clip: Clip) -> FrameTimes | None:
        """Return the times as the packets of the file have them; which frames are damaged is not known then."""
        index = read_index(clip)
        return None if index is None or index.pts is None else _times(clip, index.pts, ())

    def step(self, state: _State, item: Look) -> None:
        """Note the time of a frame."""
        state.seconds.append(item.frame.pts_seconds)
        if item.frame.damaged:
            state.damaged.append(item.frame.index)

    def finish(self, state: _State) -> FrameTimes:
        """Return the times. Raises `TakeError` for a clip without a frame."""
        if not state.seconds:
            raise TakeError(state.clip.path, "holds no picture that can be decoded", "export or download it again")
        ticks = [round(second / state.clip.picture.time_base) for second in state.seconds]
        return _times(state.clip, np.array(ticks, np.int64), tuple(state.damaged))


def _times(clip: Clip, pts: NDArray[np.int64], damaged: tuple[int, ...]) -> FrameTimes:
    picture = clip.picture
    rate, vfr = measured_rate(pts, picture.time_base, picture.rate)
    return FrameTimes(
        time_base=picture.time_base,
        pts=pts,
        last_duration=max(1, round(1 / (rate * picture.time_base))),
        rate=rate,
        vfr=vfr,
        damaged=damaged,
    )


def measured_rate(pts: np.ndarray, time_base: Fraction, nominal: Fraction) -> tuple[Fraction, bool]:
    """Return the frame rate and whether it varies.

    A rate is constant when every frame lies within one tick of the time base (at least 1 ms, which MKV and
    WebM round to) of an even grid. The grid's own rate is tried at the nominal rate, the nearest standard
    rate and the mean of the times; a variable one is described by its mean.
    """
    if len(pts) < 2:
        return nominal, False
    mean = (len(pts) - 1) / ((int(pts[-1]) - int(pts[0])) * time_base)
    tolerance = max(float(time_base), 1e-3) * 1.05
    offsets = (pts - pts[0]).astype(np.float64) * float(time_base)
    for rate in (nominal, nearest_standard_rate(mean), mean.limit_denominator(1001)):
        drift = np.abs(offsets - np.arange(len(pts)) / float(rate))
        if drift.max() <= tolerance:
            return rate, False
    return mean.limit_denominator(1001), True


STAGES = (Clock,)
