"""What a draft sees of each take."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Annotated, ClassVar

from msgspec import Meta

from postpipe.delivery import TakeName
from postpipe.draft import Draft
from postpipe.engine.stage import Each, Task
from postpipe.model import Clip
from postpipe.stages.edit import Wishes
from postpipe.timing import parse_position, parse_timecode


@dataclass(frozen=True)
class MakeDraft(Task):
    """Say how much of each take a draft sees.

    A share rather than so many seconds, so that scenes keep their proportions: the film's rhythm, and the size and
    rate that most of the footage has.
    """

    id: ClassVar[str] = "draft"
    summary: ClassVar[str] = "what --draft sees of each take"
    section: ClassVar[str] = "draft"
    scope: ClassVar[str] = "project"

    share: Annotated[
        float, Meta(gt=0, le=1, description="how much of each take is looked at and shown, from its in point on")
    ] = 0.2
    least_seconds: Annotated[float, Meta(gt=0, description="at least this much of each take")] = 0.5
    long_edge_px: Annotated[int, Meta(ge=64, le=16384, description="largest width or height of the draft")] = 640

    def run(self, clips: Each[Clip], names: Each[TakeName], wishes: Wishes) -> Draft:
        """Return what is seen of the takes."""
        seen: list[Clip] = []
        frames: dict[str, int] = {}
        seconds: dict[str, Fraction] = {}
        film_seconds: dict[str, Fraction] = {}
        for path, clip in clips.items():
            rate, length = _measures(clip)
            wish = wishes.of(names[path].scene)
            begin = _seconds(wish.in_, clip, rate) or Fraction(0)
            end = min(length / rate, _seconds(wish.out, clip, rate) or length / rate)
            used = max(Fraction(0), end - begin)
            shown = max(Fraction(str(self.least_seconds)), used * Fraction(str(self.share)))
            needed = max(1, math.ceil((begin + shown) * rate))
            seen.append(replace(clip, first_frames=needed) if needed < length else clip)
            frames[str(path)], seconds[str(path)], film_seconds[str(path)] = length, length / rate, used
        return Draft(tuple(seen), frames, seconds, film_seconds, self.long_edge_px)


def _measures(clip: Clip) -> tuple[Fraction, int]:
    """Return frames per second on average, and the number of frames, as far as the header tells.

    Of a recording that does not tell its length ten seconds are taken for all of it.
    """
    picture = clip.picture
    if not picture.declared_seconds:
        return picture.rate, picture.declared_frames or int(10 * picture.rate)
    frames = picture.declared_frames or max(1, round(picture.declared_seconds * picture.rate))
    return frames / picture.declared_seconds, frames


def _seconds(place: str | int | float | None, clip: Clip, rate: Fraction) -> Fraction | None:
    """Return about when a place in a take is, or `None`; what cannot be read is reported with the edit."""
    if place is None:
        return None
    position = parse_position(place)
    if position.seconds is not None:
        return position.seconds
    if position.frame is not None:
        return position.frame / rate
    try:
        start = parse_timecode(clip.start_timecode, clip.picture.rate) if clip.start_timecode else 0
        return max(0, parse_timecode(position.timecode or "", clip.picture.rate) - start) / clip.picture.rate
    except ValueError:
        return None


STAGES = (MakeDraft,)
