"""A film in whole frames for editing programs, made of what a run decided and delivered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from postpipe.delivery import Encoding, FrameTimes, ProjectFormat, RenderedClip, TimeMap
from postpipe.edit import Edit, Event, starts
from postpipe.handover.timeline import ClipLook, Cut, Dissolve, Film, Lane, Mark, Media
from postpipe.lipsync import SoundShift
from postpipe.look import LookFile
from postpipe.model import Clip, Remarks
from postpipe.timing import is_drop_frame, parse_timecode

MENDED = {
    "flicker": "flicker was taken out",
    "chained": "exposure was led over from the take before",
    "upscale": "enlarged",
}
"""What each fix is called. One that is not listed goes by its own name; looks and sound have words of their own."""


@dataclass(frozen=True)
class Shown:
    """A take that is delivered: its file below the delivery folder, with so many frames and its sound moved so."""

    clip: Clip
    times: FrameTimes
    time_map: TimeMap
    file: str
    frames: int
    shift: SoundShift | None


@dataclass(frozen=True)
class FilmMaker:
    """Makes the timelines of one edit."""

    edit: Edit
    shown: Mapping[Path, Shown]
    rendered: Mapping[Path, RenderedClip]
    looks: Mapping[Path, LookFile | None]
    remarks: Mapping[Path, Remarks]
    project: ProjectFormat
    encoding: Encoding
    folder: Path

    def baked(self, name: str | None, start: int, drop: bool) -> Film:
        """Return the film of finished clips, which have their looks."""
        cuts = []
        for number, event in enumerate(self.edit.events):
            shown = self.shown[event.path]
            cut = self._cut(number, self._delivered(shown.file, shown.frames), self._offset(event), baked=True)
            # Where scenes are not joined, each clip is what is seen, with its fades.
            cuts.append(cut if self.edit.joined else replace(cut, fade_in=0, fade_out=0))
        return self._film(name, start, drop, cuts, cuts)

    def ungraded(self, name: str | None, start: int, drop: bool, files: Mapping[Path, str | None]) -> Film:
        """Return the film of clips without looks; a file that is `None` is the take itself."""
        pictures, sounds = [], []
        for number, event in enumerate(self.edit.events):
            shown, file = self.shown[event.path], files[event.path]
            rendered = shown.time_map.rendered
            if file is None:
                unseen = shown.clip.first_frame
                cut = self._cut(number, _take(shown), -unseen, baked=False)
                heard = self._delivered(shown.file, shown.frames)
                first = cut.first - unseen - self._offset(event)
                sounds.append(replace(cut, name=heard.name, media=heard, first=first))
            else:
                cut = self._cut(number, self._delivered(file, len(rendered)), rendered.start, baked=False)
                sounds.append(cut)
            pictures.append(cut)
        film = self._film(name, start, drop, pictures, sounds)
        return replace(film, name=f"{film.name} ungraded")

    def _offset(self, event: Event) -> int:
        """Return the delivered frame that the finished clip of an event begins with."""
        return self.shown[event.path].time_map.rendered.start if self.edit.joined else event.first

    def _cut(self, number: int, media: Media, offset: int, *, baked: bool) -> Cut:
        """Return an event as a clip of a file whose first frame is delivered frame `offset`.

        A dissolve has its cut in its middle.
        """
        events = self.edit.events
        event, following = events[number], events[number + 1 :][:1]
        place = starts(events)[number]
        entering = _dissolve(event.dissolve_in)
        exiting = _dissolve(following[0].dissolve_in if following else 0)
        shift = entering.before if entering else 0
        path = event.path
        marks, notes = _remarks(self.remarks[path], self.shown[path].time_map, range(offset, offset + media.frames))
        return Cut(
            name=media.name,
            media=media,
            start=place + shift,
            end=place + event.frames - (exiting.after if exiting else 0),
            first=Fraction(event.first - offset + shift),
            dissolve_in=entering,
            dissolve_out=exiting,
            fade_in=event.fade_in,
            fade_out=event.fade_out,
            look=self._look(path, baked=baked),
            marks=tuple(replace(mark, frame=mark.frame - offset) for mark in marks),
            notes=(*self._fixes(path), *notes),
            scene=event.scene,
            take=path.name,
        )

    def _delivered(self, file: str, frames: int) -> Media:
        path = self.folder / file
        return Media(
            name=path.name,
            url=path.as_uri(),
            rate=self.project.rate,
            frames=frames,
            file=file,
            size=(self.project.width, self.project.height),
            sound=(self.encoding.sound_rate_hz, self.encoding.sound_channels),
        )

    def _look(self, path: Path, *, baked: bool) -> ClipLook | None:
        look = self.looks.get(path)
        if look is None or not look.files:
            return None
        files = {Path(file.path).suffix: file.path for file in look.files}
        return ClipLook(look.fit.cdl, look.fit.max_delta_e, files.get(".cube"), files.get(".cdl"), baked)

    def _fixes(self, path: Path) -> Iterator[str]:
        look = self.looks.get(path)
        if look is not None and look.files and look.description:
            yield f"colour: {look.description}"
        kept = [fix.stage for fix in self.rendered[path].fixes if fix.kept and fix.stage != "colour"]
        others = [MENDED.get(stage, stage) for stage in kept]
        shift = self.shown[path].shift
        if shift is not None and shift.delay_seconds:
            ms, way = abs(float(shift.delay_seconds)) * 1000, "later" if shift.delay_seconds > 0 else "earlier"
            others.append(f"sound was moved {ms:.0f} ms {way} to fit the lips")
        if shift is not None and shift.speed != 1:
            others.append(f"sound was played at {float(shift.speed):.4f} of its speed to stay with the lips")
        if others:
            yield f"mended: {', '.join(others)}"

    def _film(self, name: str | None, start: int, drop: bool, pictures: list[Cut], sounds: list[Cut]) -> Film:
        if drop:
            pictures, sounds = ([_counted_in_drop_frame(cut) for cut in cuts] for cuts in (pictures, sounds))
        heard = tuple(cut.heard for cut, event in zip(sounds, self.edit.events, strict=True) if not event.silent)
        film = Film(
            name=name or "",
            rate=self.project.rate,
            start=start,
            drop=drop,
            frames=max((cut.end for cut in pictures), default=0),
            pictures=(Lane("V1", tuple(pictures)),),
            sounds=(Lane("A1", heard),),
            size=(self.project.width, self.project.height),
            sound=(self.encoding.sound_rate_hz, self.encoding.sound_channels),
            folder=self.folder,
        )
        if name:
            return film
        # DaVinci Resolve takes no second timeline of one name: another edit has another.
        digest = hashlib.sha256(repr(film).encode()).hexdigest()[:6]
        return replace(film, name=f"{self.folder.name or 'film'} {digest}")


def _counted_in_drop_frame(cut: Cut) -> Cut:
    """Return a clip whose file, where it is a delivered one and so has no timecode, is counted as the film is."""
    return replace(cut, media=replace(cut.media, drop=True)) if cut.media.file else cut


def _dissolve(frames: int) -> Dissolve | None:
    """Return a transition around the cut in its middle, where Final Cut Pro and most programs put it."""
    return Dissolve(frames // 2, frames - frames // 2) if frames else None


def _take(shown: Shown) -> Media:
    """Return a take as it came, as far as it is seen."""
    clip, times = shown.clip, shown.times
    start, drop = 0, False
    if clip.start_timecode:
        with suppress(ValueError):  # one that does not fit the rate counts as none
            start = parse_timecode(clip.start_timecode, times.rate)
            drop = is_drop_frame(clip.start_timecode)
    sound = clip.sounds[0] if clip.sounds else None
    return Media(
        name=clip.file.name,
        url=clip.file.absolute().as_uri(),
        rate=times.rate,
        frames=clip.first_frame + times.frames,
        start=start and start - clip.first_frame,
        drop=drop,
        size=(clip.picture.width, clip.picture.height),
        sound=(sound.rate_hz, sound.channels) if sound else None,
    )


def _remarks(remarks: Remarks, time_map: TimeMap, inside: range) -> tuple[list[Mark], list[str]]:
    """Return markers at delivered frames of the take that lie `inside` the clip, and notes on all of it."""
    marks, notes = [], []
    for remark in remarks.remarks:
        if remark.first is None:
            notes.append(": ".join(filter(None, (remark.name, remark.comment))))
            continue
        first = time_map.cadence.frame_of(remark.first)
        last = time_map.cadence.frame_of((remark.last or remark.first) + 1)
        begin, end = max(first, inside.start), min(max(last, first + 1), inside.stop)
        if begin < end:
            marks.append(Mark(begin, end - begin, remark.name, remark.comment, remark.colour))
    return sorted(marks, key=lambda mark: (mark.frame, mark.name)), notes
