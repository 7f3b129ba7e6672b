"""MLT XML, for Shotcut, Kdenlive and the program melt.

Source: MLT documentation, "MLT XML" and the plug-ins `luma`, `mix` and `avfilter.lut3d`. Out points are inclusive.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element

from postpipe.handover.markup import add, write_xml
from postpipe.handover.timeline import Cut, Film, Lane, Media
from postpipe.timing import round_half_up

_COLOURS = {"RED": "#ff0000", "GREEN": "#00a000", "BLUE": "#0050ff", "YELLOW": "#ffdc00", "ORANGE": "#ff8c00"}


def write(film: Film, path: Path) -> list[str]:
    """Write a film; return sentences about what the format cannot carry."""
    return _Writer(film).write(path)


class _Writer:
    def __init__(self, film: Film) -> None:
        self._film = film
        self._root = Element("mlt", LC_NUMERIC="C", version="7.0.0", title=film.name, producer="main")
        self._producers: dict[Media, str] = {}
        self._blends = 0
        self._looks = itertools.count(1)

    def write(self, path: Path) -> list[str]:
        film = self._film
        self._add_profile()
        for media in film.media:
            self._add_producer(media)
        self._add_black()
        lanes = [(f"V{n}", lane, "audio") for n, lane in enumerate(film.pictures, start=1)]
        lanes += [(f"A{n}", lane, "video") for n, lane in enumerate(film.sounds, start=1)]
        for name, lane, hidden in lanes:
            self._add_playlist(name, lane, picture=hidden == "audio")
        main = add(self._root, "tractor", id="main", in_=0, out=max(0, film.frames - 1))
        _set(main, {"shotcut": 1, "shotcut:projectAudioChannels": film.sound[1]})
        add(main, "track", producer="background", hide="audio")
        for name, _, hidden in lanes:
            add(main, "track", producer=name, hide=hidden)
        for track in range(len(film.pictures) + 1, len(lanes) + 1):
            mix = add(main, "transition", id=f"mix{track}")
            _set(mix, {"mlt_service": "mix", "a_track": 0, "b_track": track, "always_active": 1, "sum": 1})
        self._add_markers(main)
        write_xml(path, self._root)
        return list(self._losses())

    def _add_profile(self) -> None:
        width, height = self._film.size
        shape = Fraction(width, height)
        add(
            self._root,
            "profile",
            description="postpipe",
            width=width,
            height=height,
            progressive=1,
            sample_aspect_num=1,
            sample_aspect_den=1,
            display_aspect_num=shape.numerator,
            display_aspect_den=shape.denominator,
            frame_rate_num=self._film.rate.numerator,
            frame_rate_den=self._film.rate.denominator,
            colorspace=709,
        )

    def _add_producer(self, media: Media) -> None:
        name = self._producers[media] = f"media{len(self._producers) + 1}"
        last = self._at_rate(media.frames, media) - 1
        producer = add(self._root, "producer", id=name, in_=0, out=last)
        _set(
            producer,
            {
                "resource": media.path,
                "mlt_service": "avformat",
                "length": last + 1,
                "eof": "pause",
                "seekable": 1,
                "shotcut:caption": media.name,
            },
        )

    def _add_black(self) -> None:
        last = max(0, self._film.frames - 1)
        producer = add(self._root, "producer", id="black", in_=0, out=last)
        _set(
            producer,
            {"resource": "black", "mlt_service": "color", "length": last + 1, "mlt_image_format": "yuv422"},
        )
        playlist = add(self._root, "playlist", id="background")
        add(playlist, "entry", producer="black", in_=0, out=last)

    def _add_playlist(self, name: str, lane: Lane, *, picture: bool) -> None:
        """Add a track, after the transitions in it."""
        pieces = list(_pieces(lane))
        blends = [self._add_blend(piece, picture=picture) if piece.blend else "" for piece in pieces]
        playlist = add(self._root, "playlist", id=name)
        _set(playlist, {"shotcut:name": lane.name or name, f"shotcut:{'video' if picture else 'audio'}": 1})
        position = 0
        for piece, blend in zip(pieces, blends, strict=True):
            if piece.start > position:
                add(playlist, "blank", length=piece.start - position)
            if piece.blend:
                add(playlist, "entry", producer=blend, in_=0, out=piece.frames - 1)
            else:
                self._add_entry(playlist, piece.under, piece, picture=picture)
            position = piece.end

    def _add_blend(self, piece: _Piece, *, picture: bool) -> str:
        """Add a transition: two tracks of one piece each, laid over each other."""
        self._blends += 1
        name = f"blend{self._blends}"
        for place, cut in enumerate((piece.under, piece.over)):
            playlist = add(self._root, "playlist", id=f"{name}-{place}")
            self._add_entry(playlist, cut, piece, picture=picture)
        tractor = add(self._root, "tractor", id=name, in_=0, out=piece.frames - 1)
        _set(tractor, {"shotcut:transition": "lumaMix"})
        for place in range(2):
            add(tractor, "track", producer=f"{name}-{place}", hide="audio" if picture else "video")
        # Its progress from -1 on: the first frame shows 1/(n+1) of what comes, the last n/(n+1), as in the delivery.
        blend = add(tractor, "transition", id=f"{name}-picture", in_=-1, out=piece.frames - 1)
        _set(blend, {"mlt_service": "luma", "a_track": 0, "b_track": 1, "factory": "loader"})
        sound = add(tractor, "transition", id=f"{name}-sound", in_=0, out=piece.frames - 1)
        _set(sound, {"mlt_service": "mix", "a_track": 0, "b_track": 1, "start": -1, "accepts_blanks": 1})
        return name

    def _add_entry(self, playlist: Element, cut: Cut | None, piece: _Piece, *, picture: bool) -> None:
        """Add what a cut shows during a piece; `None` is black."""
        if cut is None:
            add(playlist, "entry", producer="black", in_=0, out=piece.frames - 1)
            return
        first = self._at_rate(cut.first, cut.media) + piece.start - cut.start
        entry = add(playlist, "entry", producer=self._producers[cut.media], in_=first, out=first + piece.frames - 1)
        look, folder = cut.look, self._film.folder
        if picture and look is not None and not look.baked and look.cube and folder is not None:
            filter_ = add(entry, "filter", id=f"look{next(self._looks)}")
            _set(
                filter_,
                {"mlt_service": "avfilter.lut3d", "av.file": folder / look.cube, "av.interp": "tetrahedral"},
            )

    def _at_rate(self, frame: Fraction | int, media: Media) -> int:
        """Return a frame of a file as MLT counts it: at the timeline's rate."""
        return round_half_up(frame * self._film.rate / media.rate)

    def _add_markers(self, main: Element) -> None:
        film = self._film
        marks = [(mark.frame, mark) for mark in film.marks]
        for lane in film.pictures:
            for cut in lane.cuts:
                marks += [(cut.start + self._at_rate(mark.frame - cut.first, cut.media), mark) for mark in cut.marks]
        if not marks:
            return
        markers = add(main, "properties", name="shotcut:markers")
        for number, (frame, mark) in enumerate(sorted(marks, key=lambda one: one[0])):
            properties = add(markers, "properties", name=str(number))
            _set(
                properties,
                {
                    "text": ": ".join(filter(None, (mark.name, mark.comment))),
                    "start": _clock(frame / film.rate),
                    "end": _clock((frame + max(0, mark.frames - 1)) / film.rate),
                    "color": _COLOURS.get(mark.colour, "#00a000"),
                },
            )

    def _losses(self) -> Iterator[str]:
        film = self._film
        cuts = [cut for lane in (*film.pictures, *film.sounds) for cut in lane.cuts]
        if film.start:
            yield f"the start timecode {film.timecode(0)}: timelines begin at 0"
        if any(media.start for media in film.media):
            yield "start timecodes of files: places in them are counted from their first frame"
        if any(media.rate != film.rate for media in film.media):
            yield "frames of files of another rate: they are counted at the timeline's"
        if film.notes or any(cut.notes for cut in cuts):
            yield "notes"
        if any(cut.look and not cut.look.baked and not (cut.look.cube and film.folder) for cut in cuts):
            yield "looks of which there is no table"
        if any(cut.look and not cut.look.baked and cut.look.cube for cut in cuts):
            yield "looks as CDL: the tables are in it"
        if any(cut.dissolve_in for cut in cuts):
            yield "where the cut lies within a dissolve; every frame shows the same"
        if any(cut.dissolve_in or cut.fade_in or cut.fade_out for lane in film.sounds for cut in lane.cuts):
            yield "equal power of sound in dissolves and fades: MLT mixes it linearly"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of a track that shows one cut (`under`), or goes over from one to the next; `None` is black."""

    start: int
    end: int
    under: Cut | None
    over: Cut | None = None
    blend: bool = False

    @property
    def frames(self) -> int:
        return self.end - self.start


def _pieces(lane: Lane) -> Iterator[_Piece]:
    for cut, before in zip(lane.cuts, (None, *lane.cuts), strict=False):
        start, end = cut.start, cut.end
        if cut.fade_in:
            start += cut.fade_in
            yield _Piece(cut.start, start, None, cut, blend=True)
        elif cut.dissolve_in:
            start += cut.dissolve_in.after
            yield _Piece(cut.start - cut.dissolve_in.before, start, before, cut, blend=True)
        end -= cut.fade_out or (cut.dissolve_out.before if cut.dissolve_out else 0)
        if end > start:
            yield _Piece(start, end, cut)
        if cut.fade_out:
            yield _Piece(end, cut.end, cut, None, blend=True)


def _set(element: Element, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        add(element, "property", value, name=name)


def _clock(seconds: Fraction) -> str:
    whole, milliseconds = divmod(round_half_up(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{milliseconds:03d}"
