"""The chain of filters in the middle of a take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from postpipe.delivery import Cadence, ProjectFormat, TimeMap
from postpipe.engine.passes import Job, delivered_frames
from postpipe.engine.stage import Canvas
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.model import Frame
from postpipe.stages.clock import Clock
from tests.clips import make_clip


@dataclass(frozen=True)
class WithNeighbours:
    """Adds up a frame and the frame at either side; the first and last have one alone."""

    margin_frames: ClassVar[int] = 1

    def apply(self, frames: Iterable[Frame], canvas: Canvas) -> Iterator[Frame]:
        shown = list(frames)
        planes = [frame.planes[0].copy() for frame in shown]
        for number, frame in enumerate(shown):
            frame.planes[0][:] = sum(planes[max(0, number - 1) : number + 2])
            yield frame


def test_a_chain_taken_up_in_the_middle_gives_what_it_gives_from_the_start(tmp_path: Path) -> None:
    clip = probe(make_clip(tmp_path / "a.mp4", frames=24), "")
    times = Clock().from_index(clip)
    picture: Any = clip.picture
    target = ProjectFormat(picture.width, picture.height, picture.rate, "crop", picture.pixel_format, picture.colour)
    time_map = TimeMap(Cadence(Fraction(24), np.arange(24), Fraction(0)), 0, 24)
    job = Job(clip, times, time_map, (WithNeighbours(),) * 4, target, None, ())

    def lumas(run: range) -> list[np.ndarray]:
        with PictureReader(clip) as reader:
            return [frame.planes[0].copy() for frame in delivered_frames(job, reader, run)]

    np.testing.assert_array_equal(lumas(range(10, 14)), lumas(range(24))[10:14])
