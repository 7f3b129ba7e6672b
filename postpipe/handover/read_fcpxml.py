"""Read FCPXML (Final Cut Pro, versions 1.8 to 1.13) into OpenTimelineIO.

Times are rational seconds. A clip in a storyline follows the one before it; a connected clip or storyline (`lane`)
hangs on its parent, at its `offset` in the time within the parent, and becomes part of a track of its own above or
below. Source: Apple, "FCPXML Reference" and the DTDs that come with Final Cut Pro.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from postpipe.errors import DeliveryError
from postpipe.handover.notes import add_notes
from postpipe.handover.read_fcpxml_resources import Resources, seconds
from postpipe.timing import format_rate

CLIPS = ("asset-clip", "clip", "video", "audio", "ref-clip", "sync-clip", "mc-clip", "title", "audition")
DISSOLVES = ("Cross Dissolve", "")


@dataclass(frozen=True)
class _Placed:
    """An item of a track: where it begins in seconds, how long it is, on which lane."""

    start: Fraction
    length: Fraction
    lane: int
    item: Any


def read(root: Element) -> otio.schema.Timeline:
    """Return the first project of a document. Raises `DeliveryError` in words for a document that has none."""
    projects = list(root.iter("project"))
    sequences = [(project.get("name", ""), project.find("sequence")) for project in projects]
    found = [(name, sequence) for name, sequence in sequences if sequence is not None]
    if not found:
        raise DeliveryError("holds no project with a sequence; export the project, not the event or its clips")
    name, sequence = found[0]
    reader = _Reader(Resources(root))
    timeline = reader.timeline(name, sequence)
    if len(found) > 1:
        others = ", ".join(repr(other) for other, _ in found[1:])
        reader.notes.append(f"the file holds several projects: {name!r} is used, not {others}")
    add_notes(timeline, reader.notes)
    return timeline


class _Reader:
    def __init__(self, resources: Resources) -> None:
        self.notes: list[str] = []
        self._resources = resources
        self._rate = Fraction(24)
        self._nested: list[str] = []

    def timeline(self, name: str, sequence: Element) -> otio.schema.Timeline:
        """Return the timeline of a sequence."""
        self._rate = self._resources.rate(sequence.get("format")) or Fraction(24)
        start = seconds(sequence.get("tcStart"))
        timeline = otio.schema.Timeline(name, global_start_time=self._time(start, self._rate))
        size = self._resources.size(sequence.get("format"))
        timeline.metadata["postpipe"] = {
            "rate": format_rate(self._rate),
            "drop_frame": sequence.get("tcFormat") == "DF",
            **({"width": size[0], "height": size[1]} if size else {}),
        }
        for track in self._tracks(sequence):
            timeline.tracks.append(track)
        return timeline

    # Tracks

    def _tracks(self, sequence: Element) -> list[Any]:
        """Return the tracks of a sequence: a picture track for each lane, and a sound track for each that is heard."""
        pictures: list[_Placed] = []
        sounds: list[_Placed] = []
        spine = sequence.find("spine")
        if spine is not None:
            self._storyline(spine, Fraction(0), 0, pictures, sounds)
        tracks: list[Any] = []
        for kind, placed in ((otio.schema.TrackKind.Video, pictures), (otio.schema.TrackKind.Audio, sounds)):
            lanes = sorted({one.lane for one in placed}) or [0]
            for lane in lanes if kind == otio.schema.TrackKind.Video or placed else ():
                tracks += self._laid_out(kind, [one for one in placed if one.lane == lane])
        return tracks

    def _laid_out(self, kind: str, placed: list[_Placed]) -> Iterator[Any]:
        """Yield tracks with items at their places; those that lie over others go into a further track."""
        rest = sorted(placed, key=lambda one: one.start)
        while rest:
            track = otio.schema.Track(kind=kind)
            position = Fraction(0)
            over: list[_Placed] = []
            for one in rest:
                if isinstance(one.item, otio.schema.Transition):
                    track.append(one.item)
                    continue
                if one.start < position:
                    over.append(one)
                    continue
                if one.start > position:
                    track.append(otio.schema.Gap(duration=self._time(one.start - position, self._rate)))
                track.append(one.item)
                position = one.start + one.length
            yield track
            rest = over

    def _storyline(
        self, spine: Element, start: Fraction, lane: int, pictures: list[_Placed], sounds: list[_Placed]
    ) -> None:
        """Lay out clips that follow each other from `start` on."""
        position = start
        first, end = True, None
        for element in spine:
            offset, clip = element.get("offset"), _picked(element)
            length = seconds(clip.get("duration"))
            if element.tag == "transition":
                before = Fraction(0) if first else length / 2
                if end is not None and offset is not None:
                    before = min(max(end - seconds(offset), Fraction(0)), length)
                pictures.append(_Placed(position, Fraction(0), lane, self._transition(element, before, length)))
            elif clip.tag == "gap" or clip.tag in CLIPS:
                self._place(clip, position, lane, pictures, sounds)
                position += length
                first, end = False, None if offset is None else seconds(offset) + length

    def _place(
        self, element: Element, start: Fraction, lane: int, pictures: list[_Placed], sounds: list[_Placed]
    ) -> None:
        """Put a clip where it begins, and what is connected to it."""
        length = seconds(element.get("duration"))
        if element.tag == "gap":
            gap = otio.schema.Gap(duration=self._time(length, self._rate))
            pictures.append(_Placed(start, length, lane, gap))
        else:
            picture, sound = self._item(element, length)
            if picture is not None:
                pictures.append(_Placed(start, length, lane, picture))
            if sound is not None:
                sounds.append(_Placed(start, length, lane, sound))
        own_start = self._local_start(element)
        for child in element:
            child_lane = int(child.get("lane", "0") or 0)
            if not child_lane:
                continue
            child_start = start + seconds(child.get("offset")) - own_start
            if child.tag == "spine":
                self._storyline(child, child_start, lane + child_lane, pictures, sounds)
            elif child.tag in CLIPS:
                self._place(_picked(child), child_start, lane + child_lane, pictures, sounds)
            elif child.tag != "caption":
                self.notes.append(f"{child.get('name') or child.tag}: is left out: {child.tag} is not read")

    def _transition(self, element: Element, before: Fraction, length: Fraction) -> Any:
        effect = element.find("filter-video")
        names = [element.get("name", ""), effect.get("name", "") if effect is not None else ""]
        kind = otio.schema.TransitionTypes
        dissolve = all(name in DISSOLVES for name in names)
        name = kind.SMPTE_Dissolve if dissolve else kind.Custom
        label = next((name for name in names if name), "")
        return otio.schema.Transition(
            label, name, self._time(before, self._rate), self._time(length - before, self._rate)
        )

    # Clips

    def _item(self, element: Element, length: Fraction) -> tuple[Any, Any]:
        """Return what is seen and what is heard of a clip, either `None`."""
        if element.tag in ("ref-clip", "mc-clip"):
            nested = self._nest(element, length)
            return nested, None
        source = self._source(element)
        if source is None:
            name = element.get("name") or element.tag
            if element.tag in ("title", "video"):
                reference = otio.schema.GeneratorReference(name=name, generator_kind=element.tag)
                shown = TimeRange(self._time(Fraction(0), self._rate), self._time(length, self._rate))
                return otio.schema.Clip(name, reference, shown), None
            if element.tag != "audio":
                self.notes.append(f"{name}: is left out: it has no single picture ({element.tag})")
            return None, None
        media, start = source
        silent = element.tag in ("clip", "sync-clip") and not any(
            child.tag in ("video", "asset-clip") for child in element.iter() if child is not element
        )
        seen = element.tag != "audio" and media.get("hasVideo", "1") != "0" and element.get("srcEnable") != "audio"
        seen = seen and not silent
        heard = self._is_heard(element, media)
        return (
            self._clip(element, media, start, length) if seen else None,
            self._clip(element, media, start, length) if heard else None,
        )

    def _source(self, element: Element) -> tuple[Element, Fraction] | None:
        """Return the asset of a clip and the time in it at which the clip begins."""
        media = self._resources.assets.get(element.get("ref", ""))
        if element.tag in ("asset-clip", "video", "audio"):
            if media is None:
                return None
            begin = element.get("start")
            return media, seconds(begin) if begin is not None else seconds(media.get("start"))
        inner = [child for child in element if child.tag in CLIPS and not int(child.get("lane", "0") or 0)]
        if not inner:  # sound by itself hangs on a gap
            audio = next((one for gap in element.findall("gap") for one in gap.findall("audio")), None)
            found = self._source(audio) if audio is not None else None
            return (found[0], found[1] + self._local_start(element)) if found else None
        if len(inner) != 1:
            return None
        found = self._source(inner[0])
        if found is None:
            return None
        return found[0], found[1] + self._local_start(element) - seconds(inner[0].get("offset"))

    def _local_start(self, element: Element) -> Fraction:
        """Return the time within a clip at which it begins: where its connected clips count from."""
        begin = element.get("start")
        if begin is not None:
            return seconds(begin)
        if element.tag in ("asset-clip", "video", "audio"):
            media = self._resources.assets.get(element.get("ref", ""))
            return seconds(media.get("start")) if media is not None else Fraction(0)
        return Fraction(0)

    def _is_heard(self, element: Element, media: Element) -> bool:
        if element.tag in ("clip", "sync-clip"):
            return any(child.tag in ("audio", "asset-clip") for child in element.iter() if child is not element)
        return element.tag != "video" and media.get("hasAudio") == "1" and element.get("srcEnable") != "video"

    def _clip(self, element: Element, media: Element, start: Fraction, length: Fraction) -> Any:
        rate = self._resources.rate(media.get("format")) or self._rate
        begin, whole = seconds(media.get("start")), seconds(media.get("duration"))
        url = self._resources.url(media)
        reference = otio.schema.ExternalReference(
            target_url=url,
            available_range=TimeRange(self._time(begin, rate), self._time(whole, rate)) if whole else None,
            metadata={"postpipe": {"rate": format_rate(rate)}},
        )
        reference.name = self._resources.file_name(media)
        name = element.get("name") or media.get("name") or ""
        clip = otio.schema.Clip(name, reference, metadata={"postpipe": {"reel": self._resources.reel(element, media)}})
        clip.enabled = element.get("enabled") != "0"
        start = self._speed(element, clip, start)
        clip.source_range = TimeRange(self._time(start, rate), self._time(length, rate))
        for marker in element.findall("marker"):
            marked = TimeRange(
                self._time(seconds(marker.get("start")), rate), self._time(seconds(marker.get("duration")), rate)
            )
            clip.markers.append(otio.schema.Marker(marker.get("value", ""), marked, comment=marker.get("note", "")))
        for child in element:
            if child.tag.startswith(("filter-video", "adjust-")) and child.tag != "adjust-volume":
                self.notes.append(f"{name}: {child.get('name') or child.tag} is not read")
        return clip

    def _speed(self, element: Element, clip: Any, start: Fraction) -> Fraction:
        """Give a clip its speed, and return where in the media it begins."""
        rate = element.find("conform-rate")
        if rate is not None and rate.get("scaleEnabled", "1") == "1" and rate.get("srcFrameRate"):
            self.notes.append(f"{clip.name}: its rate is converted; frames are taken by their time")
        time_map = element.find("timeMap")
        points = [(seconds(p.get("time")), seconds(p.get("value"))) for p in time_map] if time_map is not None else []
        if len(points) < 2:
            return start
        time, value = points[0]
        slopes = {(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(points) if b[0] > a[0]}
        if len(slopes) != 1:
            self.notes.append(f"{clip.name}: a speed that changes is not read; it plays at its own")
            return start
        (speed,) = slopes
        warp = otio.schema.LinearTimeWarp(time_scalar=float(speed)) if speed else otio.schema.FreezeFrame()
        clip.effects.append(warp)
        return value + (start - time) * speed

    def _nest(self, element: Element, length: Fraction) -> Any:
        """Return a compound or multicam clip as a timeline within the timeline."""
        name, reference = element.get("name") or element.tag, element.get("ref", "")
        media = self._resources.media.get(reference)
        sequence = media.find("sequence") if media is not None else None
        multicam = media.find("multicam") if media is not None else None
        if reference in self._nested or (sequence is None and multicam is None):
            self.notes.append(f"{name}: is left out: what it refers to is not in the file")
            return None
        self._nested.append(reference)
        stack = otio.schema.Stack(name)
        if sequence is not None:
            begin = seconds(sequence.get("tcStart"))
            stack.extend(self._tracks(sequence))
        elif multicam is not None:
            begin = seconds(multicam.get("tcStart"))
            sources = element.findall("mc-source")
            seen = [source.get("angleID") for source in sources if source.get("srcEnable", "all") in ("all", "video")]
            angle = next((a for a in multicam.findall("mc-angle") if a.get("angleID") in seen), None)
            pictures: list[_Placed] = []
            if angle is not None:
                self._storyline(angle, Fraction(0), 0, pictures, [])
            stack.extend(self._laid_out(otio.schema.TrackKind.Video, pictures))
        self._nested.pop()
        start = seconds(element.get("start")) - begin if element.get("start") is not None else Fraction(0)
        stack.source_range = TimeRange(self._time(start, self._rate), self._time(length, self._rate))
        stack.enabled = element.get("enabled") != "0"
        return stack

    @staticmethod
    def _time(time: Fraction, rate: Fraction) -> RationalTime:
        return RationalTime(float(time * rate), float(rate))


def _picked(element: Element) -> Element:
    """Return the clip of an audition that is seen, which is its first; it lies where the audition does."""
    if element.tag != "audition":
        return element
    return next((child for child in element if child.tag in CLIPS), element)
