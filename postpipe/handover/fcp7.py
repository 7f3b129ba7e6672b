"""Final Cut Pro 7 XML (xmeml 4), which DaVinci Resolve and Premiere Pro read frame by frame.

Source: Apple, Final Cut Pro XML Interchange Format, chapters "Encoding a Sequence" and "Elements Catalog".

OpenTimelineIO's adapter reads this; it is not used to write, since it gives a sequence no size, links no sound to its
picture, counts `in` points back beyond the media where a clip begins in a dissolve,
and passes URLs on as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element

from postpipe.handover.markup import add, write_xml
from postpipe.handover.timeline import Cut, Film, Lane, Mark, Media
from postpipe.timing import format_timecode, round_half_up, timecode_base

_RGB = {
    "RED": (255, 0, 0),
    "GREEN": (0, 160, 0),
    "BLUE": (0, 80, 255),
    "YELLOW": (255, 220, 0),
    "ORANGE": (255, 140, 0),
    "PURPLE": (150, 0, 220),
    "CYAN": (0, 200, 220),
    "MAGENTA": (255, 0, 200),
    "PINK": (255, 150, 180),
    "WHITE": (255, 255, 255),
    "BLACK": (0, 0, 0),
}


def write(film: Film, path: Path) -> list[str]:
    """Write a film; return sentences about what the format cannot carry."""
    return _Writer(film).write(path)


class _Writer:
    def __init__(self, film: Film) -> None:
        self._film = film
        self._files: dict[Media, str] = {}
        self._described: set[Media] = set()
        self._losses: dict[str, None] = {}
        self._sounds = [(lane, _channels(lane)) for lane in film.sounds]
        self._linked = self._find_links()

    def write(self, path: Path) -> list[str]:
        film = self._film
        root = Element("xmeml", version="4")
        sequence = add(root, "sequence", id="sequence-1")
        add(sequence, "name", film.name)
        add(sequence, "duration", film.frames)
        _add_rate(sequence, film.rate)
        _add_timecode(sequence, film.start, film.rate, film.drop)
        media = add(sequence, "media")
        self._add_video(add(media, "video"))
        self._add_audio(add(media, "audio"))
        for mark in film.marks:
            _add_marker(sequence, mark)
        if film.notes:
            self._lose("notes on the timeline are left out: they stand in HANDOVER.txt")
        write_xml(path, root, "xmeml")
        return list(self._losses)

    def _lose(self, sentence: str) -> None:
        self._losses[sentence] = None

    def _add_video(self, video: Element) -> None:
        film = self._film
        format_ = add(add(video, "format"), "samplecharacteristics")
        _add_rate(format_, film.rate)
        _add_size(format_, film.size)
        for number, lane in enumerate(film.pictures, start=1):
            self._add_track(video, lane, f"v{number}", None)

    def _add_audio(self, audio: Element) -> None:
        rate_hz, channels = self._film.sound
        add(audio, "numOutputChannels", channels)
        format_ = add(add(audio, "format"), "samplecharacteristics")
        add(format_, "depth", 16)
        add(format_, "samplerate", rate_hz)
        for number, (lane, channels) in enumerate(self._sounds, start=1):
            for channel in range(1, channels + 1):
                self._add_track(audio, lane, f"a{number}-{channel}", (channel, channels))

    def _add_track(self, parent: Element, lane: Lane, key: str, channel: tuple[int, int] | None) -> None:
        exploded: dict[str, object] = {}
        if channel is not None and channel[1] > 1:
            exploded = {
                "currentExplodedTrackIndex": channel[0] - 1,
                "totalExplodedTrackCount": channel[1],
                "premiereTrackType": "Stereo",
            }
        track = add(parent, "track", **exploded)
        for number, cut in enumerate(lane.cuts, start=1):
            if cut.fade_in:
                self._add_transition(track, cut.start, cut.start + cut.fade_in, "start-black", channel)
            elif cut.dissolve_in:
                start, end = cut.start - cut.dissolve_in.before, cut.start + cut.dissolve_in.after
                self._add_transition(track, start, end, self._alignment(cut), channel)
            self._add_clip(track, cut, f"{key}-{number}", channel)
            if cut.fade_out:
                self._add_transition(track, cut.end - cut.fade_out, cut.end, "end-black", channel)
        add(track, "enabled", "TRUE")
        add(track, "locked", "FALSE")
        if channel is not None:
            add(track, "outputchannelindex", channel[0])

    def _alignment(self, cut: Cut) -> str:
        dissolve = cut.dissolve_in
        assert dissolve is not None
        if dissolve.before == 0 or dissolve.after == 0:
            return "start" if dissolve.before == 0 else "end"
        if dissolve.before != dissolve.frames // 2:
            self._lose("the cut point of an uneven dissolve moves to its middle; every frame shows the same")
        return "center"

    def _add_clip(self, track: Element, cut: Cut, key: str, channel: tuple[int, int] | None) -> None:
        media, rate = cut.media, self._film.rate
        item = add(track, "clipitem", id=key)
        add(item, "masterclipid", f"master-{self._file_id(media)}")
        add(item, "name", cut.name)
        add(item, "enabled", "TRUE")
        add(item, "duration", round_half_up(media.frames * rate / media.rate))
        _add_rate(item, rate)
        first = round_half_up(cut.first * rate / media.rate)
        if media.rate != rate:
            self._lose("clips of another rate are counted at the timeline's: their in points are rounded to a frame")
        add(item, "start", -1 if cut.dissolve_in or cut.fade_in else cut.start)
        add(item, "end", -1 if cut.dissolve_out or cut.fade_out else cut.end)
        add(item, "in", first - cut.before)
        add(item, "out", first + cut.frames + cut.after)
        self._add_file(item, media)
        if channel is not None:
            source = add(item, "sourcetrack")
            add(source, "mediatype", "audio")
            add(source, "trackindex", min(channel[0], media.sound[1] if media.sound else 1))
        for mark in cut.marks if channel is None else ():
            _add_marker(item, mark)
        comment = "; ".join(cut.notes)
        if comment and channel is None:
            add(add(item, "comments"), "mastercomment1", comment)
        if cut.look is not None and not cut.look.baked and channel is None:
            self._lose("looks are left out: apply those of the folder looks")
        for link in self._linked.get(key, ()):
            self._add_link(item, *link)

    def _add_file(self, item: Element, media: Media) -> None:
        file = add(item, "file", id=self._file_id(media))
        if media in self._described:
            return
        self._described.add(media)
        add(file, "name", media.name)
        add(file, "pathurl", media.url)
        _add_rate(file, media.rate)
        add(file, "duration", media.frames)
        _add_timecode(file, media.start, media.rate, media.drop)
        streams = add(file, "media")
        format_ = add(add(streams, "video"), "samplecharacteristics")
        _add_rate(format_, media.rate)
        _add_size(format_, media.size or self._film.size)
        if media.sound is not None:
            audio = add(streams, "audio")
            characteristics = add(audio, "samplecharacteristics")
            add(characteristics, "depth", 16)
            add(characteristics, "samplerate", media.sound[0])
            add(audio, "channelcount", media.sound[1])

    def _file_id(self, media: Media) -> str:
        return self._files.setdefault(media, f"file-{len(self._files) + 1}")

    def _add_transition(
        self, track: Element, start: int, end: int, alignment: str, channel: tuple[int, int] | None
    ) -> None:
        item = add(track, "transitionitem")
        _add_rate(item, self._film.rate)
        add(item, "start", start)
        add(item, "end", end)
        add(item, "alignment", alignment)
        effect = add(item, "effect")
        picture = channel is None
        add(effect, "name", "Cross Dissolve" if picture else "Cross Fade (+3dB)")
        add(effect, "effectid", "Cross Dissolve" if picture else "KGAudioTransCrossFade3dB")
        if picture:
            add(effect, "effectcategory", "Dissolve")
        add(effect, "effecttype", "transition")
        add(effect, "mediatype", "video" if picture else "audio")
        if picture:
            add(effect, "wipecode", 0)
            add(effect, "wipeaccuracy", 100)
            add(effect, "startratio", 0)
            add(effect, "endratio", 1)
            add(effect, "reverse", "FALSE")

    def _find_links(self) -> dict[str, list[tuple[str, str, int, int]]]:
        """Return, for the id of a clip item, all items that are moved with it: the same stretch of the same media."""
        groups: dict[tuple[str, int, int, Fraction], list[tuple[str, str, int, int]]] = {}
        for key, kind, index, number, cut in self._items():
            place = (cut.media.url, cut.start, cut.end, cut.first)
            groups.setdefault(place, []).append((key, kind, index, number))
        return {member[0]: group for group in groups.values() if len(group) > 1 for member in group}

    def _items(self) -> Iterator[tuple[str, str, int, int, Cut]]:
        for index, lane in enumerate(self._film.pictures, start=1):
            for number, cut in enumerate(lane.cuts, start=1):
                yield f"v{index}-{number}", "video", index, number, cut
        track = 0
        for index, (lane, channels) in enumerate(self._sounds, start=1):
            for channel in range(1, channels + 1):
                track += 1
                for number, cut in enumerate(lane.cuts, start=1):
                    yield f"a{index}-{channel}-{number}", "audio", track, number, cut

    @staticmethod
    def _add_link(item: Element, key: str, kind: str, track: int, number: int) -> None:
        link = add(item, "link")
        add(link, "linkclipref", key)
        add(link, "mediatype", kind)
        add(link, "trackindex", track)
        add(link, "clipindex", number)
        if kind == "audio":
            add(link, "groupindex", 1)


def _channels(lane: Lane) -> int:
    """Return 1 or 2: each channel has a track of its own, and stereo is a pair."""
    return min(2, max((cut.media.sound[1] for cut in lane.cuts if cut.media.sound), default=1))


def _add_rate(parent: Element, rate: Fraction) -> None:
    element = add(parent, "rate")
    add(element, "timebase", timecode_base(rate))
    add(element, "ntsc", "TRUE" if rate.denominator == 1001 else "FALSE")


def _add_timecode(parent: Element, start: int, rate: Fraction, drop: bool) -> None:
    element = add(parent, "timecode")
    _add_rate(element, rate)
    add(element, "string", format_timecode(start, rate, drop=drop))
    add(element, "frame", start)
    add(element, "displayformat", "DF" if drop else "NDF")


def _add_size(parent: Element, size: tuple[int, int]) -> None:
    add(parent, "width", size[0])
    add(parent, "height", size[1])
    add(parent, "anamorphic", "FALSE")
    add(parent, "pixelaspectratio", "square")
    add(parent, "fielddominance", "none")


def _add_marker(parent: Element, mark: Mark) -> None:
    marker = add(parent, "marker")
    add(marker, "name", mark.name)
    add(marker, "comment", mark.comment)
    add(marker, "in", mark.frame)
    add(marker, "out", mark.frame + mark.frames if mark.frames > 1 else -1)
    colour = add(marker, "color")
    for name, value in zip(("red", "green", "blue"), _RGB.get(mark.colour, _RGB["GREEN"]), strict=True):
        add(colour, name, value)
