"""Lossless clips between a take and what is made of it: the pictures alone, each with its own time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from postpipe.delivery import FrameTimes
from postpipe.media.rewrap import rewrap
from postpipe.media.write import PictureWriter
from postpipe.model import Clip, Frame

LOSSLESS = {"qp": "0", "preset": "ultrafast"}
"""Options of x264 for pictures that are read again: decoded, they are what was written."""
CONTAINER = "mp4"


def write_lossless(frames: Iterable[Frame], clip: Clip, out: Path) -> int:
    """Write frames to `out` (.mp4) bit-exactly, with their times and coding, without sound; return their number.

    `clip` is the take that they are made of. All have one size, even in both directions (see `even_size`), one layout
    and one coding. Raises `ValueError` where there is none, and whatever `frames` raises: then there is no file.
    """
    rate, unit = clip.picture.rate, out.with_suffix(".unit")
    seconds: list[Fraction] = []
    for frame in also_written(frames, unit, rate):
        seconds.append(frame.pts_seconds)
    if not seconds:
        raise ValueError("there is no frame")
    try:
        # as if its clock began near zero, since the sound stays where it is
        alone = replace(clip, sounds=(), container="mov")
        rewrap(unit, alone, _times(seconds, clip), out, rate=rate)
    finally:
        unit.unlink(missing_ok=True)
    return len(seconds)


def also_written(frames: Iterable[Frame], out: Path, rate: Fraction = Fraction(24)) -> Iterator[Frame]:
    """Yield frames, and write them to `out` (.mp4) bit-exactly, at an even rate; after an exception it is gone."""
    source = iter(frames)
    first = next(source, None)
    if first is None:
        return
    with PictureWriter(
        out,
        width=first.width,
        height=first.height,
        rate=rate,
        pixel_format=first.pixel_format,
        colour=first.colour,
        codec="h264",
        options=LOSSLESS,
        threads=1,  # other numbers make other bytes
    ) as writer:
        for frame in itertools.chain([first], source):
            writer.write(frame)
            yield frame


def _times(seconds: list[Fraction], clip: Clip) -> FrameTimes:
    base = 1 / Fraction(math.lcm(clip.picture.time_base.denominator, *{time.denominator for time in seconds}))
    if base.denominator > 1_000_000:  # times that no clock has ticks for: to the nearest millionth
        base = Fraction(1, 1_000_000)
    pts = np.array([round(time / base) for time in seconds], np.int64)
    rate = clip.picture.rate
    if len(pts) > 1:
        rate = ((len(pts) - 1) / (seconds[-1] - seconds[0])).limit_denominator(1001)
    return FrameTimes(base, pts, max(1, round(1 / rate / base)), rate, vfr=False, damaged=())


def even_size(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield frames without an odd row or column at their end."""
    for frame in frames:
        width, height = frame.width & ~1, frame.height & ~1
        if (width, height) == (frame.width, frame.height):
            yield frame
            continue
        layout = frame.pixel_format
        sizes = [layout.plane_size(number, width, height) for number in range(3)]
        y, cb, cr = (plane[:rows, :columns] for plane, (columns, rows) in zip(frame.planes, sizes, strict=True))
        yield replace(frame, planes=(y, cb, cr), native=None)
