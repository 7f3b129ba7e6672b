"""How timelines name times and files."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from postpipe.handover.otio import exact_rate
from postpipe.timing import timecode_base


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time as it is written in a timeline: so many frames at a rate."""

    frames: Fraction
    rate: Fraction

    def seconds(self, rate: Fraction) -> Fraction:
        """Return the time in seconds; a rate that counts like `rate` (24 and 23.976) counts its frames."""
        alike = timecode_base(rate) == timecode_base(self.rate)
        return self.frames / (rate if alike else self.rate)


@dataclass(frozen=True, slots=True)
class WantedMedia:
    """How a timeline names a file: its address, name and reel, and the timecode and length that it gives it."""

    name: str
    url: str
    reel: str
    start: Stamp | None
    length: Stamp | None


def stamp(time: otio.opentime.RationalTime) -> Stamp:
    """Return an OpenTimelineIO time, exactly."""
    value = Fraction(time.value).limit_denominator(100_000)
    return Stamp(value, exact_rate(time.rate))


def media_of(item: Any) -> WantedMedia:
    """Return how a clip of a timeline names its file."""
    reference = item.media_reference
    url = getattr(reference, "target_url", None) or ""
    available = getattr(reference, "available_range", None)
    return WantedMedia(
        name=(reference.name if reference is not None else "") or item.name or "",
        url=url,
        reel=_reel(item),
        start=stamp(available.start_time) if available is not None else None,
        length=stamp(available.duration) if available is not None else None,
    )


def _reel(item: Any) -> str:
    """Return the reel of a clip, where OpenTimelineIO's readers and ours put it."""
    for holder, keys in ((item, ("cmx_3600", "postpipe")), (item.media_reference, ("postpipe",))):
        metadata: Any = holder.metadata if holder is not None else {}
        for key in keys:
            found = metadata.get(key)
            reel = found.get("reel") if hasattr(found, "get") else None
            if reel:
                return str(reel)
    return ""


def suffix_of(item: Any) -> str:
    """Return the ending of the file that a clip names, in small letters, or nothing."""
    url = getattr(item.media_reference, "target_url", None) or ""
    _, dot, suffix = url.rpartition("/")[2].rpartition(".")
    return (dot + suffix).lower() if dot else ""


def same_media(one: WantedMedia, other: WantedMedia) -> bool:
    """Whether two clips name the same file."""
    if one.url and other.url:
        return one.url == other.url
    return one.name == other.name and one.reel == other.reel
