"""What a timeline wants: which stretch of which file is seen when, and what of the timeline is not carried over.

Times are exact seconds: OpenTimelineIO's floating-point rates are read as the fractions that they stand for, and a
count of frames at 24 is taken as frames where the timeline runs at 23.976.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from postpipe.errors import DeliveryError
from postpipe.handover.notes import read_notes
from postpipe.handover.otio import exact_rate
from postpipe.handover.wanted_media import Stamp, WantedMedia, media_of, same_media, stamp, suffix_of
from postpipe.timing import format_timecode, parse_rate, round_half_up, timecode_base

STILLS = frozenset(".png .jpg .jpeg .tif .tiff .psd .exr .dpx .tga .bmp .gif .webp .heic .svg .pdf".split())
WHOLE = Fraction(1)
LONGEST_SECONDS = 24 * 3600
MOST_PLACES = 5
"""That a sentence names."""


@dataclass(frozen=True, slots=True)
class WantedClip:
    """A clip of the picture. Times are seconds of the film, `source` is the time in the media at `start`.

    With what it shares in dissolves; `dissolve_in` seconds with the clip before. `where` names it in messages; `item`
    is the clip in the timeline.
    """

    media: WantedMedia
    start: Fraction
    end: Fraction
    source: Stamp
    speed: Fraction
    where: str
    item: Any = field(repr=False, compare=False)
    dissolve_in: Fraction = Fraction(0)
    fade_in: Fraction = Fraction(0)
    fade_out: Fraction = Fraction(0)
    silent: bool = False


@dataclass(frozen=True)
class Wanted:
    """The picture of a timeline, in order, at `rate` frames per second. `notes`: what is not carried over.

    `size` of the picture in pixels, where it is said. `sounds`: items of sound tracks that are the sound of a clip,
    with the number of that clip.
    """

    rate: Fraction
    start_timecode: str
    clips: tuple[WantedClip, ...]
    notes: tuple[str, ...]
    size: tuple[int, int] | None = None
    sounds: tuple[tuple[Any, int], ...] = ()


@dataclass
class _Piece:
    """A clip in a track, as far as nothing lies over it. `first` is the frame of the media at `start`."""

    start: Fraction
    end: Fraction
    item: Any
    first: Fraction
    media_rate: Fraction
    speed: Fraction = WHOLE

    def part(self, start: Fraction, end: Fraction, rate: Fraction) -> _Piece:
        """Return the part between two times of the film."""
        passed = Stamp(self.first, self.media_rate).seconds(rate) + (start - self.start) * self.speed
        alike = timecode_base(rate) == timecode_base(self.media_rate)
        return replace(self, start=start, end=end, first=passed * (rate if alike else self.media_rate))


@dataclass(frozen=True)
class _Joint:
    """A transition of a track: so many seconds before and after the cut at `at`.

    `leaving` and `coming` are the items that it joins; `None` is black.
    """

    at: Fraction
    before: Fraction
    after: Fraction
    item: Any
    leaving: Any
    coming: Any


def wanted(timeline: otio.schema.Timeline) -> Wanted:
    """Return what the picture of a timeline is made of: of several tracks, the upper one is seen.

    Raises `DeliveryError` for a timeline without any picture.
    """
    reader = _Reader(timeline)
    pieces, joints = reader.pictures()
    clips = reader.clips(pieces, joints)
    if not clips:
        reasons = "".join(f"\n  {note}" for note in reader.sentences())
        raise DeliveryError(f"holds no clip whose picture can be used; export the cut again{reasons}")
    if max(clip.end for clip in clips) > LONGEST_SECONDS:
        raise DeliveryError("is longer than a day; export the cut alone")
    heard = tuple(reader.heard(clips))
    start = reader.timecode(Fraction(0))
    notes = (*read_notes(timeline), *reader.sentences())
    return Wanted(reader.rate, start, heard, notes, _size(timeline), tuple(reader.sounds))


def _size(timeline: otio.schema.Timeline) -> tuple[int, int] | None:
    """Return the size that a timeline says, even in both directions, as pictures are delivered."""
    own: Any = timeline.metadata.get("postpipe", {})
    width, height = (int(own.get(side, 0)) // 2 * 2 for side in ("width", "height"))
    return (width, height) if min(width, height) >= 16 and max(width, height) <= 16384 else None


def timeline_rate(timeline: otio.schema.Timeline) -> Fraction:
    """Return the frames per second of a timeline: those of its start, else what most of its clips are counted in."""
    written = timeline.metadata.get("postpipe", {}).get("rate")
    if written:
        return parse_rate(written)
    if timeline.global_start_time is not None:
        return exact_rate(timeline.global_start_time.rate)
    rates = Counter(
        item.source_range.duration.rate
        for track in timeline.video_tracks()
        for item in track
        if not isinstance(item, otio.schema.Transition) and item.source_range is not None
    )
    return exact_rate(rates.most_common(1)[0][0]) if rates else Fraction(24)


class _Reader:
    def __init__(self, timeline: otio.schema.Timeline) -> None:
        self.sounds: list[tuple[Any, int]] = []
        self._notes: dict[str, list[str]] = {}
        self.rate = timeline_rate(timeline)
        self._timeline = timeline
        start = timeline.global_start_time
        self._drop = bool(timeline.metadata.get("postpipe", {}).get("drop_frame", False))
        self._start = round_half_up(stamp(start).seconds(self.rate) * self.rate) if start else 0

    # Tracks

    def pictures(self) -> tuple[list[_Piece], list[_Joint]]:
        """Return what is seen, in order, and the transitions of all tracks."""
        return self._flat(self._tracks(self._timeline.tracks, otio.schema.TrackKind.Video))

    def _tracks(self, stack: Any, kind: str) -> list[tuple[list[_Piece], list[_Joint]]]:
        return [
            self._walk(track)
            for track in stack
            if (not isinstance(track, otio.schema.Track) or track.kind == kind) and track.enabled
        ]

    def _flat(self, tracks: Iterable[tuple[list[_Piece], list[_Joint]]]) -> tuple[list[_Piece], list[_Joint]]:
        seen: list[_Piece] = []
        joints: list[_Joint] = []
        for pieces, own in tracks:
            for piece in pieces:
                seen = [part for old in seen for part in self._beside(old, piece)]
            seen = sorted([*seen, *pieces], key=lambda piece: piece.start)
            joints += own
        return seen, joints

    def _beside(self, old: _Piece, over: _Piece) -> Iterator[_Piece]:
        """Yield what is seen of `old` when `over` lies over it."""
        if over.end <= old.start or old.end <= over.start:
            yield old
            return
        if old.start < over.start:
            yield old.part(old.start, over.start, self.rate)
        if over.end < old.end:
            yield old.part(over.end, old.end, self.rate)

    def _walk(self, track: Any) -> tuple[list[_Piece], list[_Joint]]:
        pieces: list[_Piece] = []
        joints: list[_Joint] = []
        position = Fraction(0)
        items = list(track) if isinstance(track, otio.schema.Track) else [track]
        for previous, item, following in zip([None, *items], items, [*items[1:], None], strict=False):
            if isinstance(item, otio.schema.Transition):
                before, after = (stamp(time).seconds(self.rate) for time in (item.in_offset, item.out_offset))
                joints.append(_Joint(position, before, after, item, _picture(previous), _picture(following)))
                continue
            try:
                shown = item.trimmed_range()
                length = stamp(shown.duration).seconds(self.rate)
                first = stamp(shown.start_time)
            except (otio.exceptions.OTIOError, ValueError) as error:
                self._note(position, item, f"is left out: it has no range ({error})")
                continue
            if item.enabled and length > 0:
                if isinstance(item, otio.schema.Clip):
                    pieces += self._clip(item, position, length, first)
                elif not isinstance(item, otio.schema.Gap):
                    nested, within = self._nested(item, position, length, first)
                    pieces += nested
                    joints += within
            position += length
        return pieces, joints

    def _clip(self, item: Any, position: Fraction, length: Fraction, first: Stamp) -> list[_Piece]:
        reference = item.media_reference
        if isinstance(reference, otio.schema.GeneratorReference):
            self._note(position, item, "is not carried over: it is made by the editing program (title, colour, bars)")
            return []
        if isinstance(reference, otio.schema.ImageSequenceReference) or suffix_of(item) in STILLS:
            self._note(position, item, "is not carried over: it is a still picture or a sequence of pictures")
            return []
        piece = _Piece(position, position + length, item, first.frames, first.rate, self._speed(item, position))
        return [piece]

    def _nested(
        self, item: Any, position: Fraction, length: Fraction, first: Stamp
    ) -> tuple[list[_Piece], list[_Joint]]:
        """Return what is seen of a timeline within the timeline."""
        if item.effects:
            self._note(position, item, "is carried over without its effects: it is a timeline within the timeline")
        tracks = [item] if isinstance(item, otio.schema.Track) else item
        pieces, joints = self._flat(self._tracks(tracks, otio.schema.TrackKind.Video))
        begin = first.seconds(self.rate)
        inside = [
            piece.part(max(piece.start, begin), min(piece.end, begin + length), self.rate)
            for piece in pieces
            if piece.start < begin + length and piece.end > begin
        ]
        moved = [
            replace(piece, start=piece.start - begin + position, end=piece.end - begin + position) for piece in inside
        ]
        return moved, [replace(joint, at=joint.at - begin + position) for joint in joints]

    def _speed(self, item: Any, position: Fraction) -> Fraction:
        speed = WHOLE
        for effect in item.effects:
            if isinstance(effect, otio.schema.FreezeFrame):
                speed = Fraction(0)
            elif isinstance(effect, otio.schema.LinearTimeWarp):
                speed *= Fraction(effect.time_scalar).limit_denominator(10_000)
            else:
                name = effect.effect_name or effect.name or type(effect).__name__
                self._note(position, item, f"the effect {name!r} is not carried over")
        if speed < 0:
            self._note(position, item, "plays forwards: reverse playback is not carried over")
            speed = -speed
        return speed

    # Clips

    def clips(self, pieces: Sequence[_Piece], joints: Iterable[_Joint]) -> list[WantedClip]:
        """Return the pieces with the transitions between them."""
        clips = [
            WantedClip(
                media=media_of(piece.item),
                start=piece.start,
                end=piece.end,
                source=Stamp(piece.first, piece.media_rate),
                speed=piece.speed,
                where=f"{self.timecode(piece.start)} {piece.item.name!r}",
                item=piece.item,
            )
            for piece in pieces
        ]
        for joint in sorted(joints, key=lambda joint: joint.at):
            fault = self._join(clips, joint)
            if fault:
                self._note(joint.at, joint.item, f"the transition is not carried over, {fault}")
        return clips

    def _join(self, clips: list[WantedClip], joint: _Joint) -> str | None:
        """Put a transition between its clips; return why not, where it does not go."""
        if joint.item.transition_type != otio.schema.TransitionTypes.SMPTE_Dissolve:
            return "it is a cut now: of transitions only dissolves are"
        begin, end = joint.at - joint.before, joint.at + joint.after
        leaving = next((n for n, clip in enumerate(clips) if clip.end == joint.at and _is(clip, joint.leaving)), None)
        coming = next((n for n, clip in enumerate(clips) if clip.start == joint.at and _is(clip, joint.coming)), None)
        crossed = [n for n, clip in enumerate(clips) if clip.start < end and clip.end > begin]
        hidden = (joint.leaving is not None and leaving is None) or (joint.coming is not None and coming is None)
        if begin == end or hidden or (leaving is None and coming is None):
            return "it is a cut now: not all is seen of what it joins"
        if set(crossed) - {leaving, coming}:
            return "it is a cut now: another clip lies there too"
        if leaving is not None and coming is not None:
            a, b = clips[leaving], clips[coming]
            if a.start + a.dissolve_in + a.fade_in > begin or b.end - b.fade_out < end:
                return "it is a cut now: it is longer than what it joins"
            clips[leaving] = replace(a, end=end)
            clips[coming] = replace(
                b, start=begin, source=self._earlier(b.source, joint.before * b.speed), dissolve_in=end - begin
            )
        elif coming is not None:
            b = clips[coming]
            source = self._earlier(b.source, joint.before * b.speed)
            clips[coming] = replace(b, start=begin, source=source, fade_in=end - begin)
        elif leaving is not None:
            clips[leaving] = replace(clips[leaving], end=end, fade_out=end - begin)
        return None

    def _earlier(self, source: Stamp, seconds: Fraction) -> Stamp:
        alike = timecode_base(self.rate) == timecode_base(source.rate)
        return replace(source, frames=source.frames - seconds * (self.rate if alike else source.rate))

    # Sound

    def heard(self, clips: list[WantedClip]) -> Iterator[WantedClip]:
        """Yield the clips, silent where the timeline has sound but not theirs; sound by itself is noted.

        A timeline without any sound track says nothing of it: each clip keeps its own.
        """
        tracks = self._tracks(self._timeline.tracks, otio.schema.TrackKind.Audio)
        sounds = [piece for pieces, _ in tracks for piece in pieces]
        used: set[int] = set()
        for number, clip in enumerate(clips):
            own = [n for n, piece in enumerate(sounds) if self._goes_with(piece, clip)]
            used.update(own)
            self.sounds += [(sounds[n].item, number) for n in own]
            if own:
                following = clips[number + 1].dissolve_in if number + 1 < len(clips) else Fraction(0)
                cut = [n for n in own if not self._together(sounds[n], clip, following)]
                if len(cut) == len(own):
                    self._note(clip.start, clip.item, "its sound is cut where its picture is, not earlier or later")
            if own and clip.speed != 1:
                self._note(clip.start, clip.item, "it is silent, since its speed is changed")
            yield replace(clip, silent=bool(sounds and not own) or clip.speed != 1)
        for number, piece in enumerate(sounds):
            if number not in used:
                self._note(piece.start, piece.item, "is sound by itself: it stays in the timeline, not in the film")

    def _goes_with(self, sound: _Piece, clip: WantedClip) -> bool:
        """Whether a sound is the clip's own, in step with its picture."""
        if sound.start >= clip.end or sound.end <= clip.start or not same_media(media_of(sound.item), clip.media):
            return False
        apart = sound.start * clip.speed - Stamp(sound.first, sound.media_rate).seconds(self.rate)
        own = clip.start * clip.speed - clip.source.seconds(self.rate)
        return abs(apart - own) < 1 / self.rate

    def _together(self, sound: _Piece, clip: WantedClip, following: Fraction) -> bool:
        """Whether a sound begins and ends with the picture, or in its dissolve and the one that is `following`."""
        before, after = clip.dissolve_in + clip.fade_in + 2 / self.rate, following + clip.fade_out + 2 / self.rate
        return abs(sound.start - clip.start) <= before and abs(sound.end - clip.end) <= after

    # Words

    def timecode(self, seconds: Fraction) -> str:
        """Return the timecode of a time of the film."""
        return format_timecode(self._start + round_half_up(seconds * self.rate), self.rate, drop=self._drop)

    def _note(self, seconds: Fraction, item: Any, text: str) -> None:
        name = f" {item.name!r}" if item.name else ""
        self._notes.setdefault(text, []).append(f"{self.timecode(seconds)}{name}")

    def sentences(self) -> Iterator[str]:
        """Yield what is not carried over, once for each kind, with the places."""
        for text, places in self._notes.items():
            more = f" and {len(places) - MOST_PLACES} more" if len(places) > MOST_PLACES else ""
            yield f"{', '.join(places[:MOST_PLACES])}{more}: {text}"


def _picture(item: Any) -> Any:
    """Return a neighbour of a transition, or `None` where it is black."""
    return None if item is None or isinstance(item, otio.schema.Gap) or not item.enabled else item


def _is(clip: WantedClip, item: Any) -> bool:
    """Whether a clip is an item of a track, or may be the end of a timeline that is nested there."""
    return item is not None and (clip.item is item or not isinstance(item, otio.schema.Clip))
