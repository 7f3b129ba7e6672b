"""Finished files: one for each selected take, and the sequence. Pictures are copied, sound is encoded once.

They wait below OUT until they are signed, or delivered as they are (`postpipe.stages.sign`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from postpipe.delivery import (
    Encoding,
    OutputFile,
    ProjectFormat,
    RenderedBlends,
    RenderedClip,
    Selection,
    TimeMap,
    Unit,
    film_units,
)
from postpipe.edit import Edit, Event
from postpipe.engine.stage import Desk, Each, Task
from postpipe.finished import UNSIGNED, Film, FinishedClip
from postpipe.lipsync import SoundShift
from postpipe.media.join import join
from postpipe.media.loudness import LoudnessMeter
from postpipe.model import Clip, SoundBlock
from postpipe.stages.film_sound import FilmSound


@dataclass(frozen=True)
class WriteClips(Task):
    """Finish each take: with its handles, or as a film of its own where scenes are not joined."""

    id: ClassVar[str] = "clips"
    summary: ClassVar[str] = "finishes the takes: pictures copied, sound encoded once"
    stored: ClassVar[bool] = True

    def run(
        self,
        clip: Clip,
        rendered: RenderedClip,
        time_map: TimeMap,
        edit: Edit,
        blends: RenderedBlends,
        project: ProjectFormat,
        encoding: Encoding,
        selection: Selection,
        shift: SoundShift | None,
        desk: Desk,
    ) -> FinishedClip:
        """Return the file with picture and sound of one take."""
        event = edit.event(clip.path)
        if edit.joined or event is None:
            shown = time_map.rendered
            units = rendered.between(shown.start, shown.stop)
            event = Event(clip.path, "", shown.start, shown.stop, silent=event is not None and event.silent)
        else:
            units = film_units((event,), {clip.path: rendered}, edit, blends)
        stem = clip_stems(selection.selected)[clip.path]
        return write_clip(f"{UNSIGNED}/clips/{stem}", event, units, clip, time_map, project, encoding, shift, desk)


def write_clip(
    stem: str,
    event: Event,
    units: Iterable[Unit],
    clip: Clip,
    time_map: TimeMap,
    project: ProjectFormat,
    encoding: Encoding,
    shift: SoundShift | None,
    desk: Desk,
) -> FinishedClip:
    """Write the units of one take, with the sound of `event`, to `stem` and the delivery's ending."""
    units = tuple(units)
    frames = sum(unit.frames for unit in units)
    desk.progress(clip.path.name, 0, frames)
    shifts = {clip.path: shift} if shift is not None else {}
    sound = FilmSound((event,), {clip.path: clip}, {clip.path: time_map}, encoding, project.rate, shifts)
    temporary = desk.scratch(f".{encoding.container}")
    join(
        [desk.unit(unit.key, encoding.container) for unit in units],
        _watched(sound.blocks(), desk),
        temporary,
        rate=project.rate,
        sound_codec=encoding.sound_codec,
        sound_rate_hz=encoding.sound_rate_hz,
        channels=encoding.sound_channels,
        sound_options=encoding.sound_options,
        sound_samples=sound.samples,
    )
    name = f"{stem}.{encoding.container}"
    return FinishedClip(
        (OutputFile(name, desk.publish(temporary, name)),), frames, sound.samples, tuple(sound.warnings)
    )


def clip_stems(selected: Iterable[Path]) -> dict[Path, str]:
    """Return the name without suffix of each take's finished file: the take's own, made unique where two share it.

    Case does not make a difference, since file systems exist on which it does not.
    """
    stems: dict[Path, str] = {}
    taken: set[str] = set()
    for path in selected:
        numbered = (f"{path.name} {number}" for number in itertools.count(2))
        stem = next(s for s in itertools.chain((path.stem, path.name), numbered) if s.casefold() not in taken)
        taken.add(stem.casefold())
        stems[path] = stem
    return stems


@dataclass(frozen=True)
class JoinSequence(Task):
    """Join the selected takes."""

    id: ClassVar[str] = "join"
    summary: ClassVar[str] = "joins the sequence: pictures copied, sound joined as samples and encoded once"
    scope: ClassVar[str] = "project"
    stored: ClassVar[bool] = True

    def run(
        self,
        edit: Edit,
        clips: Each[Clip],
        rendered: Each[RenderedClip],
        time_maps: Each[TimeMap],
        blends: RenderedBlends,
        project: ProjectFormat,
        encoding: Encoding,
        shifts: Each[SoundShift] | None,
        desk: Desk,
    ) -> Film:
        """Return the sequence; boundaries of sound are those of the frames, rounded once each."""
        if not edit.joined:
            frames = sum(event.frames for event in edit.events)
            return Film((), frames, project.rate, 0, None, None)
        (film,) = edit.films
        units = film_units(film, rendered, edit, blends)
        sound = FilmSound(film, clips, time_maps, encoding, project.rate, shifts or {})
        meter = LoudnessMeter(encoding.sound_rate_hz, encoding.sound_channels)
        name = f"sequence.{encoding.container}"
        desk.progress(name, 0, sum(unit.frames for unit in units))
        temporary = desk.scratch(f".{encoding.container}")
        joined = join(
            [desk.unit(unit.key, encoding.container) for unit in units],
            _watched(_metered(sound.blocks(), meter), desk),
            temporary,
            rate=project.rate,
            sound_codec=encoding.sound_codec,
            sound_rate_hz=encoding.sound_rate_hz,
            channels=encoding.sound_channels,
            sound_options=encoding.sound_options,
            sound_samples=sound.samples,
        )
        loudness = meter.result()
        name = f"{UNSIGNED}/{name}"
        digest = desk.publish(temporary, name)
        return Film(
            files=(OutputFile(name, digest),),
            frames=joined.frames,
            rate=project.rate,
            audio_samples=joined.samples,
            loudness_lufs=_rounded(loudness.integrated_lufs),
            true_peak_dbtp=_rounded(loudness.true_peak_dbtp),
        )


def _metered(sound: Iterator[SoundBlock], meter: LoudnessMeter) -> Iterator[SoundBlock]:
    for block in sound:
        meter.add(block)
        yield block


def _watched(sound: Iterator[SoundBlock], desk: Desk) -> Iterator[SoundBlock]:
    for block in sound:
        desk.check()
        yield block


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


STAGES = (WriteClips, JoinSequence)
