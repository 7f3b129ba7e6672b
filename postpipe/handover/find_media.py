"""Find the files that a timeline wants: by path, name, reel and timecode. What is ambiguous is never guessed."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote, urlsplit

from postpipe.errors import TakeError
from postpipe.handover.wanted import Wanted, WantedClip
from postpipe.handover.wanted_media import WantedMedia
from postpipe.model import Clip
from postpipe.timing import format_timecode, parse_timecode, round_half_up, timecode_base

LOST = "put it into the folder of takes, or relink it in the editing program"
LEAST_REEL = 8
"""Letters from which on the beginning of a name counts as its reel: CMX 3600 cuts reels to so many."""


@dataclass(frozen=True, slots=True)
class Found:
    """A clip of a timeline and its file: `at` seconds from the file's first frame are seen at the clip's start."""

    clip: Clip
    at: Fraction


def find_media(
    wanted: Wanted, files: Sequence[Path], folder: Path, header: Callable[[Path], Clip]
) -> tuple[dict[int, Found], dict[int, str]]:
    """Return the file of each clip by the clip's number, and of the others what is wrong and what to do.

    `files` are those of the folder of takes. Besides them only those that the timeline names by a path are looked at;
    a relative one counts from `folder`. `header` reads what a file says of itself and may raise `TakeError`.
    """
    search = _Search(files, folder, header)
    media = dict.fromkeys(clip.media for clip in wanted.clips)
    ranges: dict[WantedMedia, list[WantedClip]] = {one: [] for one in media}
    for clip in wanted.clips:
        ranges[clip.media].append(clip)
    named = {one: search.named(one) for one in media}
    chosen = {one: search.choose(one, named[one], ranges[one], wanted.rate) for one in media}
    taken = {file for file in chosen.values() if isinstance(file, Path)}
    for one in media:
        if not named[one]:  # renamed: its timecode may tell, of files that no other name claims
            chosen[one] = search.by_timecode(one, ranges[one], taken, wanted.rate)
    chosen = search.without_doubles(chosen)
    found: dict[int, Found] = {}
    faults: dict[int, str] = {}
    for number, clip in enumerate(wanted.clips):
        file = chosen[clip.media]
        if isinstance(file, str):
            faults[number] = file
            continue
        try:
            header_clip = search.header(file)
            found[number] = Found(header_clip, place(clip, header_clip, wanted.rate))
        except TakeError as error:
            faults[number] = f"{error.fault}; {error.remedy}"
        except ValueError as error:
            faults[number] = str(error)
    return found, faults


class _Search:
    def __init__(self, files: Sequence[Path], folder: Path, header: Callable[[Path], Clip]) -> None:
        self._files = files
        self._folder = folder
        self._header = header
        self._known: dict[Path, Clip | TakeError] = {}

    def header(self, path: Path) -> Clip:
        """Return what a file says of itself. Raises `TakeError`."""
        if path not in self._known:
            try:
                self._known[path] = self._header(path)
            except TakeError as error:
                self._known[path] = error
        known = self._known[path]
        if isinstance(known, TakeError):
            raise known
        return known

    def named(self, media: WantedMedia) -> list[Path]:
        """Return the files that the path, the name or the reel of a media can mean; the surest way that finds any."""
        path = local_path(media.url, self._folder)
        with contextlib.suppress(OSError, ValueError):  # a name that this system cannot have
            if path is not None and path.is_file():
                same = [file for file in self._files if file.name == path.name and file.samefile(path)]
                return same or [path]
        address = PureWindowsPath(_unquoted(media.url)).name
        if address:  # then the clip may be called anything: only the whole name of a file counts
            ways = [(address, _folded), (address, _stem), (media.name, _folded)]
        else:
            ways = [(media.name, _folded), (media.name, _stem)]
        for name, alike in ways:
            found = [file for file in self._files if name and alike(file.name) == alike(name)]
            if found:
                return found
        reel = _letters(media.reel)
        if not reel or reel in ("ax", "bl", "black"):
            return []
        whole = [file for file in self._files if _letters(file.stem) == reel or _letters(file.name) == reel]
        cut = [file for file in self._files if len(reel) >= LEAST_REEL and _letters(file.stem).startswith(reel)]
        return whole or cut

    def choose(
        self, media: WantedMedia, candidates: list[Path], clips: Sequence[WantedClip], rate: Fraction
    ) -> Path | str:
        """Return the one file that is meant, or what is wrong."""
        if not candidates:
            return f"{_words(media)}: no such file was found; {LOST}"
        if len(candidates) == 1:
            return candidates[0]
        fitting = [file for file in candidates if self._holds(file, clips, rate)]
        if len(fitting) == 1:
            return fitting[0]
        names = ", ".join(file.name for file in (fitting or candidates))
        return f"{_words(media)}: it may be any of {names}; keep one of them in the folder of takes, or relink it"

    def by_timecode(
        self, media: WantedMedia, clips: Sequence[WantedClip], taken: set[Path], rate: Fraction
    ) -> Path | str:
        """Return the one file, of those that no name claims, whose timecode is the media's.

        A timecode that begins on a whole hour is a default and tells nothing. Start and length have to be the media's
        own: cameras that ran side by side have the same timecode. An EDL does not say them, so names and reels alone
        find its files.
        """
        found = [file for file in self._files if file not in taken and self._is_by_timecode(file, media, clips, rate)]
        if len(found) == 1:
            return found[0]
        if not found:
            return f"{_words(media)}: no such file was found; {LOST}"
        names = ", ".join(file.name for file in found)
        return f"{_words(media)}: no file has this name, and the timecode of several would fit: {names}; {LOST}"

    def without_doubles(self, chosen: Mapping[WantedMedia, Path | str]) -> dict[WantedMedia, Path | str]:
        """Return the choices without files that two different media of a timeline would both be.

        Two addresses that end in the same name are two files: with one at hand, whose path is neither, there is no
        telling which it is.
        """
        claims: dict[Path, set[str]] = {}
        for media, file in chosen.items():
            if isinstance(file, Path) and media.url:
                claims.setdefault(file, set()).add(_address(media.url))
        result = dict(chosen)
        for media, file in chosen.items():
            if isinstance(file, Path) and len(claims.get(file, ())) > 1 and not self._is_at(media, file):
                others = ", ".join(sorted(claims[file]))
                result[media] = f"{_words(media)}: {file.name} may be any of {others}; relink it, or rename the files"
        return result

    def _is_at(self, media: WantedMedia, file: Path) -> bool:
        path = local_path(media.url, self._folder)
        with contextlib.suppress(OSError, ValueError):
            return path is not None and path.samefile(file)
        return False

    def _is_by_timecode(self, file: Path, media: WantedMedia, clips: Sequence[WantedClip], rate: Fraction) -> bool:
        try:
            clip = self.header(file)
        except TakeError:
            return False
        start = file_start(clip)
        own_rate = clip.picture.rate
        if not start or round_half_up(start) % 3600 == 0:
            return False
        if any(timecode_base(one.source.rate) != timecode_base(own_rate) for one in clips):
            return False
        length = _length(clip)
        if media.start is None or media.length is None or length is None:
            return False
        apart = abs(media.start.seconds(own_rate) - start)
        longer = abs(media.length.seconds(own_rate) - length)
        if apart >= 1 / (2 * own_rate) or longer > 2 / own_rate:
            return False
        return all(fits(one, clip, one.source.seconds(own_rate) - start, rate) for one in clips)

    def _holds(self, file: Path, clips: Iterable[WantedClip], rate: Fraction) -> bool:
        try:
            for clip in clips:
                place(clip, self.header(file), rate)
        except (TakeError, ValueError):
            return False
        return True


def place(wanted: WantedClip, clip: Clip, rate: Fraction) -> Fraction:
    """Return how many seconds after a file's first frame a wanted clip begins.

    The timecode in the file decides where file and timeline both have one; a timeline that gives its media no start
    counts in timecode, or from 0 where the file has none. Raises `ValueError` where the file does not hold the clip.
    """
    own_rate = clip.picture.rate
    source = wanted.source.seconds(own_rate)
    begin = wanted.media.start.seconds(own_rate) if wanted.media.start is not None else None
    start = file_start(clip)
    starts = [begin] if begin is not None else [start or Fraction(0)]
    if begin and start and abs(begin - start) >= 1 / (2 * own_rate):
        starts = [start]
    elif begin is None and start and wanted.media.url:
        starts.append(Fraction(0))
    for first in starts:
        at = source - first
        if fits(wanted, clip, at, rate):
            return max(at, Fraction(0))
    has = f"from {clip.start_timecode}" if start else "without a timecode"
    first_frame = format_timecode(round_half_up(source * own_rate), own_rate)
    length = _length(clip)
    holds = f"{float(length):.3f} s" if length is not None else "what it has"
    raise ValueError(
        f"{clip.path.name} ({holds} {has}) does not hold what is wanted, {float(_used(wanted)):.3f} s "
        f"from {first_frame}; {LOST}"
    )


def fits(wanted: WantedClip, clip: Clip, at: Fraction, rate: Fraction) -> bool:
    """Whether a file holds a wanted clip from `at` on, within a frame."""
    frame = 1 / clip.picture.rate
    length = _length(clip)
    return at > -frame / 2 and (length is None or at + _used(wanted) <= length + frame + 1 / (2 * rate))


def file_start(clip: Clip) -> Fraction | None:
    """Return the start timecode of a file in seconds, or `None` for one that has none that fits its rate."""
    if clip.start_timecode is None:
        return None
    with contextlib.suppress(ValueError):
        return parse_timecode(clip.start_timecode, clip.picture.rate) / clip.picture.rate
    return None


def local_path(url: str, folder: Path) -> Path | None:
    """Return the local file that an address or a bare path names, or `None`; a relative one counts from `folder`."""
    if not url or "\0" in url:
        return None
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme == "file" and parts.netloc in ("", "localhost"):
            text = unquote(parts.path)
            return Path(re.sub(r"^/([A-Za-z]:[/\\])", r"\1", text))
        if len(parts.scheme) > 1:
            return None
    bare = folder / url
    return bare if "%" not in url or bare.is_file() else folder / unquote(url)


def _address(url: str) -> str:
    return re.sub(r"^file:(//(localhost)?)?", "", _unquoted(url))


def _unquoted(url: str) -> str:
    return unquote(url) if url.startswith("file:") or "%" in url else url


def _used(wanted: WantedClip) -> Fraction:
    return (wanted.end - wanted.start) * wanted.speed


def _length(clip: Clip) -> Fraction | None:
    picture = clip.picture
    if picture.declared_frames is not None:
        return picture.declared_frames / picture.rate
    return picture.declared_seconds


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _stem(name: str) -> str:
    return _folded(PureWindowsPath(name).stem if re.search(r"\.\w{2,4}$", name) else name)


def _letters(text: str) -> str:
    return "".join(letter for letter in _folded(text) if letter.isalnum())


def _words(media: WantedMedia) -> str:
    name = PureWindowsPath(_unquoted(media.url)).name or media.name
    return f"{name or 'a clip without a name'}{f' (reel {media.reel})' if media.reel else ''}"
