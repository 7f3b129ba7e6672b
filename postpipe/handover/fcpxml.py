"""FCPXML 1.10, the format of Final Cut Pro 10.6 and later.

Source: Apple, Final Cut Pro XML Reference, document type definition 1.10, which fixes the order of all elements: Final
Cut Pro refuses a file that does not keep it. Times are rational seconds on frame boundaries. The lowest picture track
is the primary storyline; each other track is a connected storyline of its own. OpenTimelineIO's adapter writes 1.8 and
no transitions.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element

from postpipe.handover.markup import add, write_xml
from postpipe.handover.timeline import Cut, Film, Lane, Media
from postpipe.timing import parse_rate

VERSION = "1.10"
CROSS_DISSOLVE = "FxPlug:4731E73A-8DAC-4113-9A30-AE85B1761265"
AUDIO_CROSSFADE = "FFAudioTransition"
_RATES = {parse_rate(text) for text in "23.976 24 25 29.97 30 50 59.94 60".split()}
"""Of projects in Final Cut Pro."""
_SOUND_RATES = {32000: "32k", 44100: "44.1k", 48000: "48k", 88200: "88.2k", 96000: "96k", 176400: "176.4k"}


def write(film: Film, path: Path) -> list[str]:
    """Write a film; return sentences about what the format cannot carry."""
    return _Writer(film).write(path)


class _Writer:
    def __init__(self, film: Film) -> None:
        self._film = film
        self._formats: dict[tuple[Fraction, tuple[int, int]], str] = {}
        self._assets: dict[Media, str] = {}
        self._resources = Element("resources")
        self._losses: dict[str, None] = {}

    def write(self, path: Path) -> list[str]:
        film = self._film
        root = Element("fcpxml", version=VERSION)
        root.append(self._resources)
        format_ = self._format(film.rate, film.size)
        self._add_transitions()
        event = add(add(root, "library"), "event", name=film.name)
        sequence = add(
            add(event, "project", name=film.name),
            "sequence",
            format=format_,
            duration=self._time(film.frames),
            tcStart=self._time(film.start),
            tcFormat=_counting(film.drop),
            audioLayout="mono" if film.sound[1] == 1 else "stereo",
            audioRate=_SOUND_RATES.get(film.sound[0], "48k"),
        )
        if film.notes:
            add(sequence, "note", "\n".join(film.notes))
        self._add_storyline(sequence)
        self._sort_resources()
        self._say_losses()
        write_xml(path, root, "fcpxml")
        return list(self._losses)

    def _add_storyline(self, sequence: Element) -> None:
        film = self._film
        primary = film.pictures[0] if film.pictures else Lane("", ())
        spine = add(sequence, "spine")
        companion = next((lane for lane in film.sounds if _rides_along(lane, primary)), None)
        heard = {sound.heard for sound in companion.cuts} if companion else set()
        sources = {cut: "all" if cut.heard in heard else "video" for cut in primary.cuts}
        others = [(number, lane, "video") for number, lane in enumerate(film.pictures[1:], start=1)]
        sounds = [lane for lane in film.sounds if lane is not companion]
        others += [(-number, lane, "audio") for number, lane in enumerate(sounds, start=1)]
        items = self._add_items(spine, primary.cuts, film.start, film.frames, sources)
        if items:
            first, start = items[0]
            for lane_number, lane, source in others:
                self._add_connected(first, start, lane_number, lane, source)

    def _add_connected(self, parent: Element, start: str, number: int, lane: Lane, source: str) -> None:
        """Hang a track onto the first item of the primary storyline."""
        if not lane.cuts:
            return
        spine = Element("spine", lane=str(number), offset=start, name=lane.name)
        # connected storylines come before markers, and after a note
        place = next((i for i, child in enumerate(parent) if child.tag in ("marker", "metadata")), len(parent))
        parent.insert(place, spine)
        self._add_items(spine, lane.cuts, 0, lane.cuts[-1].end, dict.fromkeys(lane.cuts, source))

    def _add_items(
        self, spine: Element, cuts: Iterable[Cut], origin: int, end: int, sources: dict[Cut, str]
    ) -> list[tuple[Element, str]]:
        """Fill a storyline that begins at frame `origin`; return its clips and gaps with the time they begin with."""
        items: list[tuple[Element, str]] = []
        position = 0
        for cut in cuts:
            if cut.start > position:
                items.append(self._add_gap(spine, origin + position, cut.start - position))
            if cut.fade_in:
                self._add_transition(spine, origin + cut.start, cut.fade_in, sources[cut])
            elif cut.dissolve_in:
                self._add_transition(spine, origin + cut.start - cut.before, cut.dissolve_in.frames, sources[cut])
            items.append(self._add_clip(spine, cut, origin, sources[cut]))
            if cut.fade_out:
                self._add_transition(spine, origin + cut.end - cut.fade_out, cut.fade_out, sources[cut])
            position = cut.end
        if end > position:
            items.append(self._add_gap(spine, origin + position, end - position))
        return items

    def _add_gap(self, spine: Element, offset: int, frames: int) -> tuple[Element, str]:
        gap = add(spine, "gap", name="Gap", offset=self._time(offset), start="0s", duration=self._time(frames))
        return gap, "0s"

    def _add_transition(self, spine: Element, offset: int, frames: int, source: str) -> None:
        attributes = {"offset": self._time(offset), "duration": self._time(frames)}
        item = add(spine, "transition", name="Cross Dissolve", **attributes)
        if source != "audio":
            add(item, "filter-video", ref="e1", name="Cross Dissolve")
        if source != "video":
            add(item, "filter-audio", ref="e2", name="Audio Crossfade")

    def _add_clip(self, spine: Element, cut: Cut, origin: int, source: str) -> tuple[Element, str]:
        media, rate = cut.media, self._film.rate
        start = self._time(media.start + cut.first, media.rate)
        clip = add(
            spine,
            "asset-clip",
            ref=self._asset(media),
            offset=self._time(origin + cut.start),
            name=cut.name,
            start=start,
            duration=self._time(cut.frames),
            srcEnable=None if source == "all" else source,
            format=self._format(media.rate, media.size or self._film.size),
            tcFormat=_counting(media.drop),
        )
        notes = list(cut.notes)
        if cut.look is not None and not cut.look.baked:
            self._losses["looks: clips that have one name it in their note; apply it with the effect Custom LUT"] = None
            notes.append(f"Look: {cut.look.cube or cut.look.cdl_file or 'see the folder looks'}")
        if notes:
            add(clip, "note", "\n".join(notes))
        if media.rate != rate:
            add(clip, "conform-rate", scaleEnabled=0, srcFrameRate=_conform(media.rate))
        for mark in cut.marks if source != "audio" else ():
            add(
                clip,
                "marker",
                start=self._time(media.start + mark.frame, media.rate),
                duration=self._time(max(1, mark.frames), media.rate),
                value=mark.name,
                note=mark.comment or None,
            )
        return clip, start

    # Resources

    def _format(self, rate: Fraction, size: tuple[int, int]) -> str:
        key = rate, size
        if key not in self._formats:
            self._formats[key] = f"r{len(self._formats) + 1}"
            add(
                self._resources,
                "format",
                id=self._formats[key],
                frameDuration=self._time(1, rate),
                width=size[0],
                height=size[1],
                colorSpace="1-1-1 (Rec. 709)",
            )
        return self._formats[key]

    def _asset(self, media: Media) -> str:
        if media not in self._assets:
            self._assets[media] = f"a{len(self._assets) + 1}"
            sound = media.sound is not None
            asset = add(
                self._resources,
                "asset",
                id=self._assets[media],
                name=media.name,
                start=self._time(media.start, media.rate),
                duration=self._time(media.frames, media.rate),
                hasVideo=1,
                format=self._format(media.rate, media.size or self._film.size),
                hasAudio=1 if sound else None,
                videoSources=1,
                audioSources=1 if sound else None,
                audioChannels=media.sound[1] if media.sound else None,
                audioRate=media.sound[0] if media.sound else None,
            )
            add(asset, "media-rep", kind="original-media", src=media.url)
        return self._assets[media]

    def _add_transitions(self) -> None:
        lanes = (*self._film.pictures, *self._film.sounds)
        if any(cut.dissolve_in or cut.fade_in or cut.fade_out for lane in lanes for cut in lane.cuts):
            add(self._resources, "effect", id="e1", name="Cross Dissolve", uid=CROSS_DISSOLVE)
            add(self._resources, "effect", id="e2", name="Audio Crossfade", uid=AUDIO_CROSSFADE)

    def _sort_resources(self) -> None:
        self._resources[:] = sorted(self._resources, key=lambda one: ("format", "effect", "asset").index(one.tag))

    def _time(self, frames: int | Fraction, rate: Fraction | None = None) -> str:
        rate = rate or self._film.rate
        seconds = Fraction(frames) / rate
        if seconds.denominator == 1:
            return f"{seconds.numerator}s"
        if Fraction(frames).denominator == 1:  # as Final Cut Pro writes it: a multiple of the frame's duration
            return f"{int(frames) * rate.denominator}/{rate.numerator}s"
        return f"{seconds.numerator}/{seconds.denominator}s"

    def _say_losses(self) -> None:
        film = self._film
        if film.rate not in _RATES:
            self._losses[f"the rate: Final Cut Pro has no projects of {float(film.rate):.3f} frames per second"] = None
        if film.marks:
            self._losses["markers of the timeline itself: those of clips are in it"] = None
        if any(mark.colour for lane in film.pictures for cut in lane.cuts for mark in cut.marks):
            self._losses["the colours of markers"] = None
        if film.sound[0] not in _SOUND_RATES:
            self._losses[f"the sampling rate of {film.sound[0]} Hz: 48k is written"] = None


def _rides_along(sounds: Lane, pictures: Lane) -> bool:
    """Whether all sound of a track is that of clips of the picture track."""
    return bool(sounds.cuts) and {sound.heard for sound in sounds.cuts} <= {cut.heard for cut in pictures.cuts}


def _counting(drop: bool) -> str:
    return "DF" if drop else "NDF"


def _conform(rate: Fraction) -> str | None:
    """Return the name that the format has for a rate of the media."""
    text = f"{float(rate):.2f}".removesuffix(".00")
    return text if text in "23.98 24 25 29.97 30 60 47.95 48 50 59.94".split() else None
