"""From a timeline file to what a run works on: the cut, its media found, no more of them read than it uses."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from postpipe.conformed import Conformed, Use
from postpipe.engine.conforming import Stretch, name_uses, read_header, read_used, used_part
from postpipe.engine.settings import Layer, setting
from postpipe.engine.stage import Stage
from postpipe.engine.store import Store
from postpipe.errors import TakeError
from postpipe.handover.find_media import Found, find_media
from postpipe.handover.read import read_content, read_cut, text_of
from postpipe.handover.read_edl import frames_base
from postpipe.handover.wanted import Wanted, WantedClip
from postpipe.model import Clip
from postpipe.timing import format_rate, timecode_base

HANDLE_SECONDS = 1.0


@dataclass(frozen=True)
class Cut:
    """A cut that was made in an editing program: its file, the file's content, the timeline in it and what that wants.

    An editor may export the cut again while it is worked on: nothing but `content` counts once that was read.
    """

    path: Path
    content: bytes
    timeline: Any
    wanted: Wanted

    @classmethod
    def read(cls, path: Path, files: Sequence[Path], rate: Fraction | None) -> Cut:
        """Read a timeline. Raises `DeliveryError` naming the file and what is wrong with it.

        An EDL does not say its rate: it is `rate`, else that of most of the `files` that it names, or of most at all.
        """
        content = read_content(path)
        if path.suffix.lower() == ".edl" and rate is None:
            rate = _rate_of_edl(text_of(content), files)
        return cls(path, content, *read_cut(path, rate, content))

    @property
    def settings(self) -> Layer:
        """What the cut says unless the user does: its rate, size and start, and handles for the editor."""
        start = {"start_timecode": self.wanted.start_timecode}
        project = {"rate": format_rate(self.wanted.rate)}
        if self.wanted.size:
            project["size"] = "{}x{}".format(*self.wanted.size)
        return Layer(
            self.path.name, {"project": project, "sequence": {"handle_seconds": HANDLE_SECONDS}, "handover": start}
        )

    def conform(self, files: Sequence[Path], stages: Sequence[Stage], store: Store, *, rehash: bool) -> Conformed:
        """Return the cut with the file of each clip, of those in the folder of takes and those that it names."""
        handle = Fraction(str(setting(stages, "sequence", "handle_seconds")))
        found, faults = find_media(self.wanted, files, self.path.parent, read_header)
        clips: dict[Path, Clip | TakeError] = {}
        for number, one in list(found.items()):
            path = one.clip.path
            clip = clips[path] if path in clips else clips.setdefault(path, read_used(path, store, rehash=rehash))
            if isinstance(clip, TakeError):
                faults[number] = f"{clip.fault}; {clip.remedy}"
                del found[number]
        names = dict(zip(found, name_uses([one.clip.path for one in found.values()]), strict=True))
        uses, parts = [], []
        for number, one in found.items():
            whole = clips[one.clip.path]
            assert isinstance(whole, Clip)
            use, part = _use(number, self.wanted.clips[number], one, whole, handle, names[number])
            uses.append(use)
            parts.append(part)
        return Conformed(
            source=self.path,
            content=self.content,
            rate=self.wanted.rate,
            uses=tuple(uses),
            clips=tuple(parts),
            missing=self._missing(faults),
            notes=tuple(f"{self.path.name}: {note}" for note in self.wanted.notes),
        )

    def _missing(self, faults: dict[int, str]) -> dict[str, str]:
        """Return what is wrong, once for each fault, with the places that stay black."""
        places: dict[tuple[str, str], list[str]] = {}
        for number, fault in sorted(faults.items()):
            clip = self.wanted.clips[number]
            places.setdefault((clip.media.name or "a clip without a name", fault), []).append(clip.where)
        missing: dict[str, str] = {}
        for (name, fault), where in places.items():
            key = f"{name} ({where[0]})".replace("/", "∕")  # no name of a take that is there
            missing[key] = f"{fault}; black at {', '.join(where)}"
        return missing


def _rate_of_edl(text: str, files: Sequence[Path]) -> Fraction | None:
    """Return the rate that most of the files of an EDL have, of those that its timecodes allow."""
    folded = text.casefold()
    whole = [file for file in files if file.name.casefold() in folded]
    stems = [file for file in files if re.search(rf"(?<!\w){re.escape(file.stem.casefold())}(?!\w)", folded)]
    named = whole or stems
    rates: Counter[Fraction] = Counter()
    for file in named or files:
        with contextlib.suppress(TakeError):
            rates[read_header(file).picture.rate] += 1
    least = frames_base(text)
    return next((rate for rate, _ in rates.most_common() if timecode_base(rate) >= least), None)


def _use(
    number: int, asked: WantedClip, found: Found, whole: Clip, handle_seconds: Fraction, name: Path
) -> tuple[Use, Clip]:
    """Return one use, and the part of its file that is seen."""
    seconds = (asked.end - asked.start) * asked.speed
    least = 1 / whole.picture.rate  # of a picture that stands still
    part, at = used_part(whole, Stretch(found.at, max(seconds, least), handle_seconds * asked.speed))
    if name != whole.path:
        part = replace(part, path=name, original=whole.path)
    use = Use(
        number=number,
        path=name,
        label=f"cut{number + 1:03d}",
        start_seconds=asked.start,
        end_seconds=asked.end,
        at_seconds=at,
        speed=asked.speed,
        dissolve_in_seconds=asked.dissolve_in,
        fade_in_seconds=asked.fade_in,
        fade_out_seconds=asked.fade_out,
        silent=asked.silent,
    )
    return use, part
