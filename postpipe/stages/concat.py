"""Finished files: one for each selected take, and the sequence. Pictures are copied, sound is encoded once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from postpipe.delivery import (
    ClipFile,
    Encoding,
    OutputFile,
    ProjectFormat,
    RenderedClip,
    Selection,
    Sequence,
    TimeMap,
)
from postpipe.engine.stage import Desk, Each, Task
from postpipe.media.join import join
from postpipe.media.loudness import LoudnessMeter
from postpipe.media.sound import SoundReader, read_sound
from postpipe.model import Clip, SoundBlock
from postpipe.timing import sample_at_frame


@dataclass(frozen=True)
class WriteClips(Task):
    """Write each finished take to `clips/`."""

    id: ClassVar[str] = "clips"
    summary: ClassVar[str] = "writes clips/<take>.mp4"
    stored: ClassVar[bool] = True

    def run(
        self,
        clip: Clip,
        rendered: RenderedClip,
        time_map: TimeMap,
        project: ProjectFormat,
        encoding: Encoding,
        selection: Selection,
        desk: Desk,
    ) -> ClipFile:
        """Return the file with picture and sound of one take."""
        desk.progress(clip.path.name, 0, rendered.frames)
        samples = sample_at_frame(rendered.frames, project.rate, encoding.sound_rate_hz)
        temporary = desk.scratch(f".{encoding.container}")
        sound = _take_sound(clip, time_map, encoding, samples)
        join(
            [desk.unit(unit.key, encoding.container) for unit in rendered.units],
            _watched(sound, desk),
            temporary,
            rate=project.rate,
            sound_codec=encoding.sound_codec,
            sound_rate_hz=encoding.sound_rate_hz,
            channels=encoding.sound_channels,
            sound_samples=samples,
        )
        name = f"clips/{clip_stems(selection.selected)[clip.path]}.{encoding.container}"
        digest = desk.publish(temporary, name)
        return ClipFile((OutputFile(name, digest),), rendered.frames, samples, tuple(sound.warnings))


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
    summary: ClassVar[str] = "writes the sequence: pictures copied, sound joined as samples and encoded once"
    scope: ClassVar[str] = "project"
    stored: ClassVar[bool] = True

    def run(
        self,
        selection: Selection,
        clips: Each[Clip],
        rendered: Each[RenderedClip],
        time_maps: Each[TimeMap],
        project: ProjectFormat,
        encoding: Encoding,
        desk: Desk,
    ) -> Sequence:
        """Return the sequence; boundaries of sound are those of the frames, rounded once each."""
        frames = sum(rendered[path].frames for path in selection.selected)
        samples = sample_at_frame(frames, project.rate, encoding.sound_rate_hz)
        meter = LoudnessMeter(encoding.sound_rate_hz, encoding.sound_channels)
        name = f"sequence.{encoding.container}"
        desk.progress(name, 0, frames)

        def sound() -> Iterator[SoundBlock]:
            position = 0
            for path in selection.selected:
                end_frame = position + rendered[path].frames
                start, end = (
                    sample_at_frame(frame, project.rate, encoding.sound_rate_hz) for frame in (position, end_frame)
                )
                for block in _take_sound(clips[path], time_maps[path], encoding, end - start):
                    meter.add(block)
                    yield block
                position = end_frame

        temporary = desk.scratch(f".{encoding.container}")
        joined = join(
            [desk.unit(unit.key, encoding.container) for path in selection.selected for unit in rendered[path].units],
            _watched(sound(), desk),
            temporary,
            rate=project.rate,
            sound_codec=encoding.sound_codec,
            sound_rate_hz=encoding.sound_rate_hz,
            channels=encoding.sound_channels,
            sound_samples=samples,
        )
        loudness = meter.result()
        digest = desk.publish(temporary, name)
        return Sequence(
            files=(OutputFile(name, digest),),
            frames=joined.frames,
            rate=project.rate,
            audio_samples=joined.samples,
            loudness_lufs=_rounded(loudness.integrated_lufs),
            true_peak_dbtp=_rounded(loudness.true_peak_dbtp),
        )


def _take_sound(clip: Clip, time_map: TimeMap, encoding: Encoding, samples: int) -> SoundReader:
    """Return exactly `samples` of a take's first sound stream from its first delivered frame on, or silence."""
    stream = clip.sounds[0].index if clip.sounds else None
    return read_sound(
        clip,
        stream,
        rate_hz=encoding.sound_rate_hz,
        channels=encoding.sound_channels,
        start_seconds=time_map.start_seconds,
        samples=samples,
    )


def _watched(sound: Iterator[SoundBlock], desk: Desk) -> Iterator[SoundBlock]:
    for block in sound:
        desk.check()
        yield block


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


STAGES = (WriteClips, JoinSequence)
