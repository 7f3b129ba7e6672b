"""From the clips of a timeline that were found in files to the clips of a run: no more of a file than is used."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from postpipe.engine.ingest import read_clip
from postpipe.engine.store import Store
from postpipe.errors import TakeError
from postpipe.media.index import read_index
from postpipe.media.open import check_regular
from postpipe.media.probe import probe
from postpipe.model import Clip
from postpipe.timing import format_timecode, is_drop_frame, parse_timecode

SLACK = Fraction(1, 20)
"""Of a frame: less is the rounding of time stamps."""


def read_header(path: Path) -> Clip:
    """Return what a file says of itself; its content is not read. Raises `TakeError`."""
    check_regular(path)
    return probe(path, "")


def read_used(path: Path, store: Store, *, rehash: bool) -> Clip | TakeError:
    """Return the clip of a file that is used, or why it cannot be."""
    try:
        return read_clip(path, store, rehash=rehash)
    except TakeError as error:
        return error


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is used of a file: `seconds` from `at` seconds after its first frame on, and `handle_seconds` around it."""

    at: Fraction
    seconds: Fraction
    handle_seconds: Fraction


def used_part(clip: Clip, stretch: Stretch) -> tuple[Clip, Fraction]:
    """Return a clip of which no more is seen than is used, and where in it the stretch begins, in seconds.

    That takes a file whose index tells when its frames are shown; of any other all is seen.
    """
    index = read_index(clip)
    if index is None or index.pts is None:
        return clip, stretch.at
    picture = clip.picture
    ticks, base = index.pts, picture.time_base

    def frame(seconds: Fraction) -> int:
        """Return the frame that is on screen so long after the first one appeared."""
        place = math.floor(int(ticks[0]) + seconds / base)
        return max(0, int(np.searchsorted(ticks, place, side="right")) - 1)

    slack = SLACK / picture.rate
    first = frame(stretch.at - stretch.handle_seconds + slack)
    last = frame(stretch.at + stretch.seconds + stretch.handle_seconds - slack)
    count = max(1, last + 1 - first)
    if first == 0 and count == len(ticks):
        return clip, stretch.at
    start = int(ticks[first]) * base
    part = replace(
        clip,
        picture=replace(picture, declared_frames=count, declared_seconds=count / picture.rate),
        start_timecode=_later(clip, first),
        first_frames=count,
        start_seconds=start if first else None,
        first_frame=first,
        file_frames=len(ticks),
    )
    return part, stretch.at - _since_start(first, start - int(ticks[0]) * base, picture.rate)


def _since_start(frames: int, seconds: Fraction, rate: Fraction) -> Fraction:
    """Return how long after the first frame another one is shown, free of the rounding of time stamps."""
    even = frames / rate
    return even if abs(even - seconds) < 1 / (2 * rate) else seconds


def _later(clip: Clip, frames: int) -> str | None:
    """Return the timecode so many frames after a clip's start."""
    text = clip.start_timecode
    if text is None:
        return None
    try:
        number = parse_timecode(text, clip.picture.rate)
    except ValueError:
        return text
    return format_timecode(number + frames, clip.picture.rate, drop=is_drop_frame(text))


def name_uses(files: Sequence[Path]) -> list[Path]:
    """Return a path for each use of a file: its own for the first, `NAME_use2.mp4` and so on for those after it."""
    taken = {str(file).casefold() for file in files}
    seen: Mapping[Path, itertools.count[int]] = {file: itertools.count(1) for file in files}
    names = []
    for file in files:
        path = file
        while (number := next(seen[file])) > 1:
            path = file.with_name(f"{file.stem}_use{number}{file.suffix}")
            if str(path).casefold() not in taken:
                break
        taken.add(str(path).casefold())
        names.append(path)
    return names
