"""CMX 3600 edit decision lists, with long reel names and ASC CDL comments.

Source: CMX Systems, 3600 EDL format; the comments are those that Avid, DaVinci Resolve and Premiere Pro write and read.
Points are exclusive: an event's out is the frame after its last. A dissolve is an event from the frame on which it
begins; before it stands the outgoing clip with no length. Black is the reel BL. A gap is what no event covers.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path, PurePosixPath

from postpipe.handover.cdl import edl_comments
from postpipe.handover.timeline import Cut, Film, Media
from postpipe.timing import format_timecode, round_half_up, timecode_base

REEL_LENGTH = 32
"""Characters of a reel name; the eight of CMX 3600 are too few to tell takes apart."""
_EVENTS = 999
_COLOURS = {"RED", "GREEN", "BLUE", "YELLOW", "CYAN", "MAGENTA", "WHITE", "BLACK"}


def write(film: Film, path: Path) -> list[str]:
    """Write the lowest picture track, with the sound that is cut as it is; return what the format cannot carry."""
    lines = [f"TITLE: {_line(film.name)}", f"FCM: {'DROP FRAME' if film.drop else 'NON-DROP FRAME'}", ""]
    cuts = film.pictures[0].cuts if film.pictures else ()
    names = reels(cut.media for cut in cuts)
    events = [
        event for cut, before in zip(cuts, (None, *cuts), strict=False) for event in _events(film, cut, before, names)
    ]
    for number, (points, comments) in enumerate(events, start=1):
        lines += [*(f"{number:03d}  {line}" for line in points), *(f"* {comment}" for comment in comments)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return list(_losses(film, len(events)))


def reels(media: Iterable[Media]) -> dict[Media, str]:
    """Return a reel name for each file: its own name as far as an EDL takes it, and no two alike."""
    found: dict[Media, str] = {}
    taken: set[str] = {"BL", "AX", "BLACK", "BARS"}
    for one in dict.fromkeys(media):
        plain = unicodedata.normalize("NFKD", PurePosixPath(one.name).stem).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_") or "reel"
        numbered = (f"{stem[: REEL_LENGTH - len(str(n)) - 1]}_{n}" for n in itertools.count(2))
        reel = next(r for r in itertools.chain([stem[:REEL_LENGTH]], numbered) if r.upper() not in taken)
        taken.add(reel.upper())
        found[one] = reel
    return found


def _events(film: Film, cut: Cut, before: Cut | None, names: dict[Media, str]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the events of a clip: lines of points, two where it is a transition, and comments."""
    channels = _channels(film, cut)
    head = cut.start - cut.before
    end = cut.end - (cut.dissolve_out.before if cut.dissolve_out else cut.fade_out)

    def points(reel: str, source: tuple[str, str], record: tuple[int, int], transition: int = 0) -> str:
        times = " ".join((*source, *map(film.timecode, record)))
        return f"{reel:<8} {channels:<5} {f'D    {transition:03d}' if transition else 'C':<8} {times}"

    transition = cut.fade_in or (cut.dissolve_in.frames if cut.dissolve_in else 0)
    own = points(names[cut.media], _source(film, cut, head, end), (head, end), transition)
    name = f"CLIP NAME: {_line(cut.name)}"
    comments = list(_comments(film, cut))
    if cut.dissolve_in and before is not None:
        outgoing = points(names[before.media], _source(film, before, head, head), (head, head))
        yield [outgoing, own], [f"FROM CLIP NAME: {_line(before.name)}", f"TO {name}", *comments]
    elif cut.fade_in:
        yield [points("BL", _black(film, 0), (head, head)), own], [f"TO {name}", *comments]
    else:
        yield [own], [f"FROM {name}", *comments]
    if cut.fade_out:
        last = points(names[cut.media], _source(film, cut, end, end), (end, end))
        black = points("BL", _black(film, cut.fade_out), (end, cut.end), cut.fade_out)
        yield [last, black], [f"FROM {name}"]


def _source(film: Film, cut: Cut, first: int, end: int) -> tuple[str, str]:
    """Return the source points of a stretch of the timeline."""
    media = cut.media
    begin = media.start * film.rate / media.rate + cut.first * film.rate / media.rate + (first - cut.start)
    frames = round_half_up(Fraction(begin))
    drop = media.drop and media.rate == film.rate
    points = (format_timecode(frame, film.rate, drop=drop) for frame in (frames, frames + end - first))
    return next(points), next(points)


def _black(film: Film, frames: int) -> tuple[str, str]:
    return format_timecode(0, film.rate, drop=film.drop), format_timecode(frames, film.rate, drop=film.drop)


def _channels(film: Film, cut: Cut) -> str:
    """Return V, or with the sound of the same stretch of the same file AA/V (stereo) or B (mono)."""
    sound = next((one for one in film.sounds[0].cuts if one.heard == cut.heard), None) if film.sounds else None
    if sound is None:
        return "V"
    return "B" if sound.media.sound is not None and sound.media.sound[1] == 1 else "AA/V"


def _comments(film: Film, cut: Cut) -> Iterator[str]:
    yield f"SOURCE FILE: {_line(cut.media.name)}"
    if cut.look is not None and not cut.look.baked:
        yield from edl_comments(cut.look.cdl)
    for mark in cut.marks:
        frame = cut.start + round_half_up((mark.frame - cut.first) * film.rate / cut.media.rate)
        colour = mark.colour if mark.colour in _COLOURS else "GREEN"
        yield f"LOC: {film.timecode(frame)} {colour:<7} {_line(' - '.join(filter(None, (mark.name, mark.comment))))}"
    yield from (f"COMMENT: {_line(note)}" for note in cut.notes)


def _line(text: str) -> str:
    """Return text that stays on its line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _losses(film: Film, events: int) -> Iterator[str]:
    rate = film.rate
    if rate.denominator != 1:
        yield (
            f"the rate: an EDL counts {timecode_base(rate)} frames to a second and does not say that they are "
            f"{float(rate):.3f}; set it in the project before importing"
        )
    else:
        yield f"the rate: set the project to {float(rate):g} frames per second before importing"
    yield "the picture size, and where files lie: they are found by reel, name and timecode"
    if len(film.pictures) > 1:
        yield f"{len(film.pictures) - 1} of {len(film.pictures)} picture tracks: an EDL has one"
    pictures = film.pictures[0].cuts if film.pictures else ()
    own = {cut.heard for cut in pictures}
    lost = [cut for lane in film.sounds for cut in lane.cuts if cut.heard not in own]
    if lost:
        yield f"the sound of {len(lost)} clips, which is not cut as the picture is"
    if any(cut.look and not cut.look.baked and cut.look.cube for cut in pictures):
        yield "the looks as LUTs: the CDLs are in it; the tables are in the folder looks"
    if any(cut.dissolve_in for cut in pictures):
        yield "where the cut lies within a dissolve; every frame shows the same"
    if any(cut.media.rate != rate for cut in pictures):
        yield "clips of another rate: their timecode is converted to the timeline's"
    if any(cut.media.drop != film.drop for cut in pictures):
        yield "drop frame of single clips: FCM speaks for all"
    if film.marks or film.notes:
        yield "markers and notes of the timeline itself: those of clips are in it"
    if events > _EVENTS:
        yield f"{events} events: some programs read no more than {_EVENTS}"
