"""Point a timeline at processed media: the same cut, each clip at the same frame of its finished file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from postpipe.handover.wanted import Wanted, WantedClip
from postpipe.handover.wanted_media import stamp
from postpipe.timing import format_rate, round_half_up


@dataclass(frozen=True, slots=True)
class Processed:
    """A finished file: `frames` at `rate`, of which number `first` is seen where the clip begins.

    `name` and `url` are the file's; `metadata` goes into the reference. Speed is in the pictures already.
    """

    name: str
    url: str
    rate: Fraction
    frames: int
    first: int
    metadata: dict[str, Any]


def relink(timeline: Any, wanted: Wanted, processed: Mapping[int, Processed]) -> None:
    """Change a timeline so that its clips are those of the processed files, by the number of the wanted clip.

    `wanted` was made from this very timeline. A clip of which only parts are seen becomes these parts, with gaps for
    what lies under other tracks and was not processed. Sound that goes with a clip is that of the file, as far as it
    has it. Whatever has no processed file stays as it is.
    """
    parts: dict[int, tuple[Any, list[int]]] = {}
    for number, clip in enumerate(wanted.clips):
        if number in processed:
            parts.setdefault(id(clip.item), (clip.item, []))[1].append(number)
    for item, numbers in parts.values():
        pieces = list(_pieces(item, [(wanted.clips[n], processed[n]) for n in sorted(numbers)], wanted.rate))
        track = item.parent()
        place = track.index(item)
        track[place : place + 1] = pieces
    for item, number in dict(wanted.sounds and {id(item): (item, n) for item, n in reversed(wanted.sounds)}).values():
        if number in processed:
            _relink_sound(item, wanted.clips[number], processed[number], wanted.rate)


def _pieces(item: Any, uses: list[tuple[WantedClip, Processed]], rate: Fraction) -> Iterator[Any]:
    """Yield what an item of a track becomes: its parts that are seen, and gaps between them."""
    length = stamp(item.trimmed_range().duration).seconds(rate)
    position = Fraction(0)
    for clip, file in sorted(uses, key=lambda use: use[0].start):
        offset = _offset(item, clip, rate)
        begin, end = max(offset, position), min(offset + clip.end - clip.start, length)
        if begin > position:
            yield otio.schema.Gap(duration=_time(begin - position, rate))
        yield _piece(item, clip, file, begin, end, offset)
        position = end
    if position < length:
        yield otio.schema.Gap(duration=_time(length - position, rate))


def _piece(item: Any, clip: WantedClip, file: Processed, begin: Fraction, end: Fraction, offset: Fraction) -> Any:
    """Return the part of an item from `begin` to `end` seconds after its start, on the processed file."""
    piece = item.deepcopy()
    old = stamp(piece.trimmed_range().start_time)
    first = file.first + (begin - offset) * file.rate
    piece.source_range = TimeRange(_frames(first, file.rate), _frames((end - begin) * file.rate, file.rate))
    markers = [marker.deepcopy() for marker in piece.markers]
    del piece.markers[:]
    for marker in markers:
        at = stamp(marker.marked_range.start_time)
        if clip.speed and begin <= (since := (at.frames / at.rate - old.frames / old.rate) / clip.speed) < end:
            length = stamp(marker.marked_range.duration)
            marked = file.first + (since - offset) * file.rate
            marker.marked_range = TimeRange(
                _frames(marked, file.rate), _frames(length.frames / length.rate * file.rate, file.rate)
            )
            piece.markers.append(marker)
    effects = [effect for effect in piece.effects if not isinstance(effect, otio.schema.LinearTimeWarp)]
    piece.effects[:] = [effect.deepcopy() for effect in effects]
    _refer(piece, file)
    return piece


def _relink_sound(item: Any, clip: WantedClip, file: Processed, rate: Fraction) -> None:
    """Point the sound of a clip at the processed file, where that holds all of it."""
    shown = item.trimmed_range()
    frames = round_half_up(stamp(shown.duration).seconds(rate) * file.rate)
    since = stamp(shown.start_time).seconds(rate) - clip.source.seconds(rate)
    first = file.first + round_half_up(since * file.rate)
    if clip.speed == 1 and first >= 0 and first + frames <= file.frames:
        item.source_range = TimeRange(_frames(Fraction(first), file.rate), _frames(Fraction(frames), file.rate))
        _refer(item, file)


def _refer(item: Any, file: Processed) -> None:
    before = getattr(item.media_reference, "target_url", "")
    item.media_reference = otio.schema.ExternalReference(
        target_url=file.url,
        available_range=TimeRange(_frames(Fraction(0), file.rate), _frames(Fraction(file.frames), file.rate)),
        metadata={"postpipe": {**file.metadata, "rate": format_rate(file.rate), "processed_from": before}},
    )
    item.media_reference.name = file.name
    item.name = file.name  # clips are found again by their names


def _offset(item: Any, clip: WantedClip, rate: Fraction) -> Fraction:
    """Return how many seconds after an item's start a clip of it begins to be seen; before it, in a dissolve: less."""
    if not clip.speed:
        return Fraction(0)
    begin = stamp(item.trimmed_range().start_time)
    return (clip.source.seconds(rate) - begin.seconds(rate)) / clip.speed


def _time(seconds: Fraction, rate: Fraction) -> RationalTime:
    return _frames(seconds * rate, rate)


def _frames(frames: Fraction, rate: Fraction) -> RationalTime:
    whole = round_half_up(frames)
    return RationalTime(whole if abs(frames - whole) < Fraction(1, 1000) else float(frames), float(rate))
