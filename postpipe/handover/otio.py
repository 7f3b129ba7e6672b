"""A film as an OpenTimelineIO timeline, and back, with conventions for what OpenTimelineIO leaves open.

| what | where |
|---|---|
| rate | that of `global_start_time`, and exact as `"30000/1001"` in `metadata["postpipe"]["rate"]` |
| start timecode | `global_start_time`; drop frame as `metadata["postpipe"]["drop_frame"]` |
| picture and sound | `metadata["postpipe"]`: `width`, `height`, `sound_rate_hz`, `sound_channels`, `pictures`, `notes` |
| order | video tracks from the lowest; then a sound track for each, with a clip for each clip that is heard |
| a clip | `name`: that of the media file, with its ending; `source_range`: in the time of the media (see below) |
| its media | `ExternalReference`, `target_url` an absolute `file:` URL, percent-encoded; `available_range`: all of it, from its embedded start timecode (0 without one), so that `source_range` is a timecode of the media |
| about the media | `media_reference.metadata["postpipe"]`: `file` (below the delivery folder, where it lies there), `rate`, `drop_frame`, `width`, `height`, `sound_rate_hz`, `sound_channels` |
| handles | what `available_range` has beyond `source_range` |
| a dissolve | `Transition` SMPTE_Dissolve: `in_offset` before the cut, `out_offset` after it; both clips have the frames |
| a fade | such a transition between a clip and the end of the track or a `Gap`, within the clip: `in_offset` 0 for one out of black, `out_offset` 0 for one into it; where no black lies between two clips, a `Gap` of length 0 |
| a marker | on the clip, in the time of the media; `comment` says more |
| a look | `clip.metadata["cdl"]` (`asc_sop`: `slope`, `offset`, `power`; `asc_sat`), as OpenTimelineIO's EDL adapter has it, and `clip.metadata["postpipe"]["look"]`: `cube` and `cdl` (files below the delivery folder), `baked` (whether the media has it already), `cdl_delta_e` (largest ΔE00 of the CDL from the cube) |
| more of a clip | `clip.metadata["postpipe"]`: `scene`, `take` (file name), `reel`, `notes` |
"""  # noqa: E501 - a table

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from postpipe.handover.timeline import ClipLook, Cut, Dissolve, Film, Lane, Mark, Media, url_path
from postpipe.look import Cdl
from postpipe.timing import format_rate, parse_rate, round_half_up

KEY = "postpipe"
SCHEMA = "postpipe.timeline.1"


# From whole frames to OpenTimelineIO


def build(film: Film) -> otio.schema.Timeline:
    """Return the OpenTimelineIO timeline of a film."""
    timeline = otio.schema.Timeline(film.name, global_start_time=_time(film.start, film.rate))
    timeline.metadata[KEY] = {
        "schema": SCHEMA,
        "rate": format_rate(film.rate),
        "drop_frame": film.drop,
        "width": film.size[0],
        "height": film.size[1],
        "sound_rate_hz": film.sound[0],
        "sound_channels": film.sound[1],
        "notes": list(film.notes),
    }
    timeline.tracks.markers.extend(_marker(mark, film.rate, 0) for mark in film.marks)
    kinds = ((otio.schema.TrackKind.Video, film.pictures), (otio.schema.TrackKind.Audio, film.sounds))
    for kind, lanes in kinds:
        for lane in lanes:
            track = otio.schema.Track(lane.name, kind=kind)
            track.extend(_items(lane.cuts, film.rate))
            timeline.tracks.append(track)
    return timeline


def _items(cuts: Iterable[Cut], rate: Fraction) -> list[Any]:
    items: list[Any] = []
    position, previous = 0, None
    for cut in cuts:
        leaving = previous.fade_out if previous else 0
        if leaving:
            items.append(_transition(Dissolve(leaving, 0), rate))
        empty = cut.start > position
        if empty or ((leaving or cut.fade_in) and previous):
            items.append(otio.schema.Gap(duration=_time(cut.start - position, rate)))
        if cut.fade_in:
            items.append(_transition(Dissolve(0, cut.fade_in), rate))
        elif cut.dissolve_in:
            items.append(_transition(cut.dissolve_in, rate))
        items.append(_clip(cut, rate))
        position, previous = cut.end, cut
    if previous and previous.fade_out:
        items.append(_transition(Dissolve(previous.fade_out, 0), rate))
    return items


def _clip(cut: Cut, rate: Fraction) -> Any:
    media = cut.media
    own: dict[str, Any] = {"rate": format_rate(media.rate), "drop_frame": media.drop}
    own |= {"file": media.file} if media.file else {}
    own |= {"width": media.size[0], "height": media.size[1]} if media.size else {}
    own |= {"sound_rate_hz": media.sound[0], "sound_channels": media.sound[1]} if media.sound else {}
    reference = otio.schema.ExternalReference(
        target_url=media.url,
        available_range=TimeRange(_time(media.start, media.rate), _time(media.frames, media.rate)),
        metadata={KEY: own},
    )
    reference.name = media.name
    begin = _time(media.start + cut.first, media.rate)
    duration = cut.frames * media.rate / rate
    clip = otio.schema.Clip(cut.name, reference, TimeRange(begin, _time(duration, media.rate)))
    clip.metadata[KEY] = {
        "scene": cut.scene,
        "take": cut.take,
        "reel": cut.reel,
        "notes": list(cut.notes),
        "look": _look_metadata(cut.look),
    }
    if cut.look:
        clip.metadata["cdl"] = _cdl_metadata(cut.look.cdl)
    clip.markers.extend(_marker(mark, media.rate, media.start) for mark in cut.marks)
    return clip


def _look_metadata(look: ClipLook | None) -> dict[str, Any] | None:
    if look is None:
        return None
    return {
        "cube": look.cube,
        "cdl": look.cdl_file,
        "cdl_delta_e": look.cdl_delta_e,
        "baked": look.baked,
    }


def _cdl_metadata(cdl: Cdl) -> dict[str, Any]:
    sop = {name: list(getattr(cdl, name)) for name in ("slope", "offset", "power")}
    return {"asc_sop": sop, "asc_sat": cdl.saturation}


def _marker(mark: Mark, rate: Fraction, start: int) -> Any:
    marked = TimeRange(_time(start + mark.frame, rate), _time(mark.frames, rate))
    return otio.schema.Marker(mark.name, marked, mark.colour, comment=mark.comment)


def _transition(dissolve: Dissolve, rate: Fraction) -> Any:
    kind = otio.schema.TransitionTypes.SMPTE_Dissolve
    return otio.schema.Transition("", kind, _time(dissolve.before, rate), _time(dissolve.after, rate))


def _time(frames: int | Fraction, rate: Fraction) -> RationalTime:
    return RationalTime(float(frames), float(rate))


# From OpenTimelineIO to whole frames


def read(timeline: otio.schema.Timeline) -> Film:
    """Return a timeline in whole frames; `losses` says what there is no place for."""
    own = _own(timeline)
    start = timeline.global_start_time
    rate = _rate(own, start.rate if start else _first_rate(timeline))
    reader = _Reader(rate)
    lanes = {
        kind: tuple(reader.lane(track) for track in timeline.tracks if track.kind == kind)
        for kind in (otio.schema.TrackKind.Video, otio.schema.TrackKind.Audio)
    }
    pictures, sounds = lanes[otio.schema.TrackKind.Video], lanes[otio.schema.TrackKind.Audio]
    return Film(
        name=timeline.name,
        rate=rate,
        start=round_half_up(_frames(start, rate)) if start else 0,
        drop=bool(own.get("drop_frame", False)),
        frames=max((reader.length(track) for track in timeline.tracks), default=0),
        pictures=pictures,
        sounds=sounds,
        size=_pair(own, "width", "height") or (1920, 1080),
        sound=_pair(own, "sound_rate_hz", "sound_channels") or (48000, 2),
        marks=tuple(_mark(marker, rate, 0) for marker in timeline.tracks.markers),
        notes=tuple(own.get("notes", ())),
        losses=tuple(dict.fromkeys(reader.losses)),
    )


class _Reader:
    def __init__(self, rate: Fraction) -> None:
        self._rate = rate
        self.losses: list[str] = []

    def length(self, track: Any) -> int:
        """Return the frames that a track takes."""
        return sum(self._whole(item.duration(), item.name) for item in track if not _is_transition(item))

    def lane(self, track: Any) -> Lane:
        """Return a track."""
        cuts: list[Cut] = []
        position = 0
        items = [None, *track, None]
        for before, item, after in zip(items, items[1:], items[2:], strict=False):
            if item is None or _is_transition(item):
                continue
            frames = self._whole(item.duration(), item.name)
            if isinstance(item, otio.schema.Clip):
                cut = self._cut(item, position, frames)
                cuts.append(self._joined(cut, before, after, track))
            elif not isinstance(item, otio.schema.Gap):
                self.losses.append(f"{track.name}: {item.name or 'a nested timeline'} is left empty: it is no clip")
            position += frames
        return Lane(track.name, tuple(cuts))

    def _cut(self, clip: Any, position: int, frames: int) -> Cut:
        media = _media(clip)
        own = _own(clip)
        source = clip.trimmed_range().start_time
        if clip.effects:
            names = ", ".join(effect.effect_name or effect.name or "an effect" for effect in clip.effects)
            self.losses.append(f"{clip.name}: {names} is left out: effects are not handed on")
        return Cut(
            name=clip.name,
            media=media,
            start=position,
            end=position + frames,
            first=_frames(source, media.rate) - media.start,
            look=self._look(clip, own),
            marks=tuple(_mark(marker, media.rate, media.start) for marker in clip.markers),
            notes=tuple(own.get("notes", ())),
            scene=own.get("scene", ""),
            take=own.get("take", ""),
            reel=own.get("reel", ""),
        )

    def _look(self, clip: Any, own: Mapping[str, Any]) -> ClipLook | None:
        try:
            return _look(clip, own)
        except (ValueError, TypeError, AttributeError):  # whatever a program writes there
            self.losses.append(f"{clip.name}: its CDL is left out: it has values that no CDL has")
            return None

    def _joined(self, cut: Cut, before: Any, after: Any, track: Any) -> Cut:
        """Return a cut with the transitions beside it."""
        if _is_transition(before):
            dissolve = self._dissolve(before)
            if _is_clip(_neighbour(track, before, -1)):
                cut = replace(cut, dissolve_in=dissolve)
            else:
                cut = replace(self._extended(cut, dissolve.before, 0), fade_in=dissolve.frames)
        if _is_transition(after):
            dissolve = self._dissolve(after)
            if _is_clip(_neighbour(track, after, 1)):
                cut = replace(cut, dissolve_out=dissolve)
            else:
                cut = replace(self._extended(cut, 0, dissolve.after), fade_out=dissolve.frames)
        return cut

    def _extended(self, cut: Cut, before: int, after: int) -> Cut:
        """Return a cut that is seen so much longer, on black."""
        first = cut.first - before * cut.media.rate / self._rate
        return replace(cut, start=cut.start - before, end=cut.end + after, first=first)

    def _dissolve(self, transition: Any) -> Dissolve:
        if transition.transition_type != otio.schema.TransitionTypes.SMPTE_Dissolve:
            self.losses.append(f"the transition {transition.name or transition.transition_type} becomes a dissolve")
        return Dissolve(
            self._whole(transition.in_offset, "a transition"), self._whole(transition.out_offset, "a transition")
        )

    def _whole(self, time: RationalTime, what: str) -> int:
        frames = _frames(time, self._rate)
        whole = round_half_up(frames)
        if abs(frames - whole) > Fraction(1, 1000):
            self.losses.append(f"{what}: its {float(frames):.3f} frames become {whole}")
        return whole


def _media(clip: Any) -> Media:
    reference = clip.media_reference
    own = _own(reference) if reference else {}
    available = getattr(reference, "available_range", None) or clip.trimmed_range()
    media_rate = _rate(own, available.start_time.rate)
    url = getattr(reference, "target_url", None) or ""
    return Media(
        name=(reference.name if reference else "") or url_path(url).name or clip.name,
        url=url,
        rate=media_rate,
        frames=round_half_up(_frames(available.duration, media_rate)),
        start=round_half_up(_frames(available.start_time, media_rate)),
        drop=bool(own.get("drop_frame", False)),
        file=own.get("file"),
        size=_pair(own, "width", "height"),
        sound=_pair(own, "sound_rate_hz", "sound_channels"),
    )


def _look(clip: Any, own: Mapping[str, Any]) -> ClipLook | None:
    cdl, look = clip.metadata.get("cdl"), own.get("look") or {}
    if not cdl:
        return None
    none = Cdl()  # either half may be missing: programs leave out what changes nothing
    sop: Mapping[str, Any] = cdl.get("asc_sop") or {}
    triples = (sop.get(name, getattr(none, name)) for name in ("slope", "offset", "power"))
    slope, offset, power = ((a, b, c) for a, b, c in triples)
    return ClipLook(
        cdl=Cdl(slope, offset, power, cdl.get("asc_sat", none.saturation)),
        cdl_delta_e=look.get("cdl_delta_e", 0.0),
        cube=look.get("cube"),
        cdl_file=look.get("cdl"),
        baked=look.get("baked", False),
    )


def _mark(marker: Any, rate: Fraction, start: int) -> Mark:
    marked = marker.marked_range
    return Mark(
        frame=round_half_up(_frames(marked.start_time, rate)) - start,
        frames=round_half_up(_frames(marked.duration, rate)),
        name=marker.name,
        comment=marker.comment,
        colour=marker.color,
    )


def _neighbour(track: Any, transition: Any, step: int) -> Any:
    index = track.index(transition) + step
    return track[index] if 0 <= index < len(track) else None


def _is_transition(item: Any) -> bool:
    return isinstance(item, otio.schema.Transition)


def _is_clip(item: Any) -> bool:
    return isinstance(item, otio.schema.Clip)


def _own(thing: Any) -> Mapping[str, Any]:
    own: Mapping[str, Any] = thing.metadata.get(KEY) or {}
    return own


def _pair(own: Mapping[str, Any], first: str, second: str) -> tuple[int, int] | None:
    return (int(own[first]), int(own[second])) if own.get(first) and own.get(second) else None


def _rate(own: Mapping[str, Any], rate: float) -> Fraction:
    return parse_rate(own["rate"]) if "rate" in own else exact_rate(rate)


def _first_rate(timeline: otio.schema.Timeline) -> float:
    return next((float(clip.trimmed_range().duration.rate) for clip in timeline.find_clips()), 24.0)


def _frames(time: RationalTime, rate: Fraction) -> Fraction:
    """Return a time in frames, exactly: OpenTimelineIO keeps a whole number at a rate that stands for a fraction."""
    frames = Fraction(time.value) * rate / exact_rate(time.rate)
    whole = round_half_up(frames)
    return Fraction(whole) if abs(frames - whole) < Fraction(1, 10_000) else frames


def write(film: Film, path: Path) -> list[str]:
    """Write a film as `.otio`; nothing is lost."""
    save(build(film), path)
    return []


def save(timeline: otio.schema.Timeline, path: Path) -> None:
    """Write an OpenTimelineIO timeline as `.otio`."""
    otio.adapters.write_to_file(timeline, str(path), adapter_name="otio_json")


def exact_rate(rate: float) -> Fraction:
    """Return the rate that a floating-point number stands for: 23.976 and 23.976024 are 24000/1001."""
    return parse_rate(f"{rate:.6f}")
