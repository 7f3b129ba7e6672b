"""Read an EDL (CMX 3600, as SMPTE ST 258 describes it and as editing programs write it) into OpenTimelineIO.

Out-points are exclusive. A dissolve begins where its event begins in the record, and is as long as it says, at the
rate of the list; clips keep the source timecodes of the list. An EDL does not say its rate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from postpipe.errors import DeliveryError
from postpipe.handover.notes import add_notes
from postpipe.timing import format_rate, is_drop_frame, parse_timecode, timecode_base

_TC = r"(\d\d[:;.]\d\d[:;.]\d\d[:;.,]\d\d\d?)"
_EVENT = re.compile(
    rf"(?P<number>\w+)\s+(?P<reel>\S.*?)\s+(?P<channels>(?:B|NONE|(?:V\d*|A+\d*)(?:/(?:V\d*|A+\d*))*|A\d*V\d*))\s+"
    rf"(?P<kind>C|D|W\d+|K\w*(?:\s+[BO])?)\s+(?:(?P<length>\d+)\s+)?{_TC}\s+{_TC}\s+{_TC}\s+{_TC}\s*$"
)
_SPEED = re.compile(rf"M2\s+(?P<reel>\S.*?)\s+(?P<rate>-?\d+(?:\.\d+)?)\s+{_TC}\s*$")
_COMMENT = re.compile(r"\*?\s*(?P<key>FROM CLIP NAME|TO CLIP NAME|FROM CLIP|TO CLIP|SOURCE FILE|FROM FILE)\s*:\s*(.*)")
_TRIPLE = r"\(\s*([-+.\deE]+)[\s,]+([-+.\deE]+)[\s,]+([-+.\deE]+)\s*\)"
_SOP = re.compile(rf"\*?\s*ASC[_ ]SOP\s*:?\s*{_TRIPLE}\s*{_TRIPLE}\s*{_TRIPLE}", re.IGNORECASE)
_SAT = re.compile(r"\*?\s*ASC[_ ]SAT\s*:?\s*([-+.\deE]+)", re.IGNORECASE)
BLACK = ("BL", "BLK", "BLACK")
RATES = tuple(Fraction(number) for number in (24, 25, 30, 50, 60))


@dataclass
class _Event:
    """One line of an EDL and what belongs to it; times are numbers of frames."""

    line: int
    reel: str
    channels: str
    kind: str
    length: int
    source_in: int
    source_out: int
    record_in: int
    record_out: int
    comments: dict[str, str] = field(default_factory=dict)
    speed: Fraction | None = None
    cdl: dict[str, Any] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        return self.record_out - self.record_in

    @property
    def pictures(self) -> bool:
        return "V" in self.channels or self.channels == "B"

    @property
    def sounds(self) -> bool:
        return "A" in self.channels or self.channels == "B"


def read(text: str, rate: Fraction | None = None) -> otio.schema.Timeline:
    """Return the timeline of an EDL. Raises `DeliveryError` naming the line that is wrong."""
    lines = text.splitlines()
    drop = _is_drop(lines)
    rate = rate or _rate(text, drop)
    events, notes, title = _events(lines, rate, drop)
    pictures = [event for event in events if event.pictures]
    if not pictures:
        raise DeliveryError("holds no event with a picture; export the cut of the video track")
    start = min(event.record_in for event in pictures)
    timeline = otio.schema.Timeline(title, global_start_time=RationalTime(start, float(rate)))
    timeline.metadata["postpipe"] = {"rate": format_rate(rate), "drop_frame": drop}
    kinds = otio.schema.TrackKind
    for kind, chosen in ((kinds.Video, pictures), (kinds.Audio, [event for event in events if event.sounds])):
        for lane in _lanes(chosen):
            track = otio.schema.Track(kind=kind)
            _fill(track, lane, start, rate, notes)
            timeline.tracks.append(track)
    add_notes(timeline, notes)
    return timeline


def frames_base(text: str) -> int:
    """Return how many frames a second at least has by the timecodes of an EDL."""
    numbers = [int(re.split(r"[:;.,]", code)[-1]) for code in re.findall(_TC, text)]
    return max(numbers, default=0) + 1


def _is_drop(lines: Iterable[str]) -> bool:
    """Whether the record counts in drop frame: the `FCM` in force where it begins, or how its timecodes are written."""
    for line in lines:
        if line.upper().startswith("FCM:"):
            return "NON" not in line.upper()
        match = _EVENT.match(line.strip())
        if match:
            return is_drop_frame(match[match.lastindex or 0])
    return False


def _rate(text: str, drop: bool) -> Fraction:
    base = frames_base(text)
    if drop:
        return Fraction(30000 if base <= 30 else 60000, 1001)
    return next((rate for rate in RATES if rate >= base), RATES[-1])


def _events(lines: list[str], rate: Fraction, drop: bool) -> tuple[list[_Event], list[str], str]:
    events: list[_Event] = []
    notes: list[str] = []
    title = ""
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        upper = line.upper()
        if upper.startswith("TITLE:"):
            title = title or line[6:].strip()
        elif match := _EVENT.match(line):
            events.append(_event(match, number, rate, drop))
        elif upper.startswith("FCM:"):
            continue
        elif match := _SPEED.match(line):
            event = next((event for event in reversed(events) if event.reel == match["reel"]), None)
            if event is None:
                notes.append(f"line {number}: the speed is left out: no event before it is of the reel {match['reel']}")
            else:  # 0 is a picture that stands still
                event.speed = Fraction(match["rate"]) / timecode_base(rate)
        elif events:
            _comment(events[-1], line, number, notes)
    if not events:
        raise DeliveryError("holds no event; is it an EDL in the CMX 3600 format?")
    return events, notes, title


def _event(match: re.Match[str], line: int, rate: Fraction, drop: bool) -> _Event:
    last = match.lastindex or 0
    try:
        # where the record is not marked, the marks tell nothing of the source either: the mode holds for both
        marked = is_drop_frame(match[last])
        modes = (drop and not marked,) * 2 + (drop,) * 2
        codes = match.group(last - 3, last - 2, last - 1, last)
        points = [_frames(code, rate, mode) for code, mode in zip(codes, modes, strict=True)]
    except ValueError as error:
        raise DeliveryError(f"line {line}: {error}; say its rate with --project-rate, or export it again") from error
    kind = match["kind"]
    source_in, source_out, record_in, record_out = points
    if record_out < record_in:
        raise DeliveryError(f"line {line}: ends in the record before it begins; export it again")
    return _Event(
        line=line,
        reel=match["reel"].strip(),
        channels=match["channels"],
        kind=kind,
        length=int(match["length"] or 0),
        source_in=source_in,
        source_out=source_out,
        record_in=record_in,
        record_out=record_out,
    )


def _frames(code: str, rate: Fraction, drop: bool) -> int:
    digits = re.split(r"[:;.,]", code)
    fits = rate.denominator == 1001 and rate.numerator in (30000, 60000)
    dropped = fits and (drop or is_drop_frame(code))
    return parse_timecode(":".join(digits[:3]) + (";" if dropped else ":") + digits[3], rate)


def _comment(event: _Event, line: str, number: int, notes: list[str]) -> None:
    try:
        if match := _SOP.match(line):
            values = [float(value) for value in match.groups()]
            event.cdl["asc_sop"] = {"slope": values[:3], "offset": values[3:6], "power": values[6:]}
            return
        if match := _SAT.match(line):
            event.cdl["asc_sat"] = float(match[1])
            return
    except ValueError:
        notes.append(f"line {number}: the CDL is left out: its numbers cannot be read")
        return
    if match := _COMMENT.match(line):
        event.comments.setdefault(match["key"].upper(), match[2].strip())


def _lanes(events: Iterable[_Event]) -> list[list[_Event]]:
    """Return events in tracks, those that lie over others in the record in tracks of their own above."""
    lanes: list[list[_Event]] = []
    for event in sorted(events, key=lambda event: (event.record_in, event.line)):
        for lane in lanes:
            if lane[-1].record_out <= event.record_in:
                lane.append(event)
                break
        else:
            lanes.append([event])
    return lanes


def _fill(track: Any, lane: list[_Event], start: int, rate: Fraction, notes: list[str]) -> None:
    """Put the events of a track into it. An event of no length only says what a dissolve comes from."""

    def time(frames: int) -> RationalTime:
        return RationalTime(frames, float(rate))

    position = start
    for number, event in enumerate(lane):
        follower = lane[number + 1] if number + 1 < len(lane) else None
        if event.frames == 0:
            if follower is None or follower.kind == "C":
                notes.append(f"line {event.line}: the event is left out: it has no length")
            continue
        if event.record_in > position:
            track.append(otio.schema.Gap(duration=time(event.record_in - position)))
        transition = _transition(event, time, notes)
        if transition is not None:
            track.append(transition)
        if event.reel.upper() in BLACK:
            track.append(otio.schema.Gap(duration=time(event.frames)))
        else:
            track.append(_clip(event, time, notes))
        position = event.record_out


def _transition(event: _Event, time: Any, notes: list[str]) -> Any:
    if event.kind == "C" or event.length == 0:
        return None
    kind = otio.schema.TransitionTypes
    if event.kind != "D":
        notes.append(f"line {event.line}: the {'wipe' if event.kind[0] == 'W' else 'key'} {event.kind} is not read")
    name = kind.SMPTE_Dissolve if event.kind == "D" else kind.Custom
    return otio.schema.Transition(event.kind, name, time(0), time(min(event.length, event.frames)))


def _clip(event: _Event, time: Any, notes: list[str]) -> Any:
    said = event.comments
    dissolves = event.kind != "C"
    name = said.get("TO CLIP NAME") if dissolves else None
    name = name or said.get("FROM CLIP NAME") or ""
    file = (said.get("TO CLIP") if dissolves else None) or said.get("FROM FILE") or said.get("SOURCE FILE")
    file = file or said.get("FROM CLIP") or ""
    reference: Any = otio.schema.MissingReference(name=re.split(r"[/\\]", file)[-1] or name)
    if re.search(r"[/\\]", file):
        reference = otio.schema.ExternalReference(target_url=file)
        reference.name = re.split(r"[/\\]", file)[-1]
    clip = otio.schema.Clip(name or event.reel, reference, TimeRange(time(event.source_in), time(event.frames)))
    clip.metadata["cmx_3600"] = {"reel": event.reel}
    if event.cdl:
        clip.metadata["cdl"] = event.cdl
    if event.speed is not None:
        warp = otio.schema.LinearTimeWarp(time_scalar=float(event.speed)) if event.speed else otio.schema.FreezeFrame()
        clip.effects.append(warp)
    elif event.source_out - event.source_in != event.frames:
        notes.append(
            f"line {event.line}: source and record differ in length: {event.frames} frames are used from the in-point"
        )
    return clip
