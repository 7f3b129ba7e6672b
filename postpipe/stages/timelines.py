"""Timelines for editing programs: the film as it was cut, with its handles, looks and remarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta

from postpipe.delivery import (
    Encoding,
    FrameTimes,
    OutputFile,
    ProjectFormat,
    RenderedClip,
    Selection,
    TimeMap,
)
from postpipe.edit import Edit, Event
from postpipe.engine.stage import Desk, Each, Stage, Task
from postpipe.errors import SettingsError
from postpipe.finished import ClipFile
from postpipe.lipsync import SoundShift
from postpipe.look import LookFile, UngradedClip
from postpipe.model import Artifact, Clip, DeliveryFolder, Remarks
from postpipe.stages.concat import clip_stems, write_clip
from postpipe.stages.films import FilmMaker, Shown
from postpipe.timing import format_rate, parse_timecode


@dataclass(frozen=True)
class _Handover(Stage):
    """The settings that the stages of this file share."""

    section: ClassVar[str] = "handover"

    timelines: Annotated[bool, Meta(description="write timeline.otio, .xml, .fcpxml, .edl, .mlt and HANDOVER.txt")] = (
        True
    )
    ungraded: Annotated[
        bool,
        Meta(description="a second timeline of pictures without their looks, to be graded with what is in looks/"),
    ] = False
    start_timecode: Annotated[
        str,
        Meta(
            pattern=r"^\d{2}:[0-5]\d:[0-5]\d[:;]\d{2,3}$",
            description='of the first frame of the film; "01:00:00;00" counts in drop frame',
        ),
    ] = "01:00:00:00"
    name: Annotated[
        str | None,
        Meta(description="of the timeline; unset: the delivery's folder and a number for the edit"),
    ] = None


@dataclass(frozen=True)
class UngradedFile(Artifact):
    """The picture of one take without its look; no files where the take itself is that."""

    schema: ClassVar[str] = "postpipe.ungraded-file.1"
    files: tuple[OutputFile, ...]
    frames: int


@dataclass(frozen=True)
class WriteUngraded(_Handover, Task):
    """Write the takes that have a look without it, for those who apply it in their own program."""

    id: ClassVar[str] = "ungraded"
    summary: ClassVar[str] = "writes ungraded/<take>.mp4"
    stored: ClassVar[bool] = True

    def run(
        self,
        clip: Clip,
        bare: UngradedClip,
        rendered: RenderedClip,
        delivered: ClipFile,
        time_map: TimeMap,
        edit: Edit,
        project: ProjectFormat,
        encoding: Encoding,
        selection: Selection,
        shift: SoundShift | None,
        desk: Desk,
    ) -> UngradedFile:
        """Return the file: that of the delivery where the two are one."""
        shown = time_map.rendered
        if not bare.units:
            return UngradedFile((), len(shown))
        if bare.units == rendered.units and edit.joined:
            return UngradedFile(delivered.files, len(shown))
        event = Event(clip.path, "", shown.start, shown.stop)
        stem = f"ungraded/{clip_stems(selection.selected)[clip.path]}"
        written = write_clip(stem, event, bare.units, clip, time_map, project, encoding, shift, desk)
        return UngradedFile(written.files, written.frames)


@dataclass(frozen=True)
class TimelineFiles(Artifact):
    """The timelines that were written; `losses` says of each ending what the format cannot carry."""

    schema: ClassVar[str] = "postpipe.timeline-files.1"
    files: tuple[OutputFile, ...]
    losses: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class WriteTimelines(_Handover, Task):
    """Write the film as a timeline in every format, and words for the editor."""

    id: ClassVar[str] = "timelines"
    summary: ClassVar[str] = "writes timeline.otio, .xml, .fcpxml, .edl, .mlt and HANDOVER.txt"
    scope: ClassVar[str] = "project"
    stored: ClassVar[bool] = True

    @property
    def delivers(self) -> bool:
        """Unless they are switched off."""
        return self.timelines

    def uses(self, kind: type[Artifact]) -> bool:
        """Pictures without looks are rendered where they are asked for."""
        return self.ungraded if kind is UngradedFile else True

    def run(
        self,
        edit: Edit,
        clips: Each[Clip],
        times: Each[FrameTimes],
        time_maps: Each[TimeMap],
        delivered: Each[ClipFile],
        ungraded: Each[UngradedFile | None],
        rendered: Each[RenderedClip],
        looks: Each[LookFile | None],
        remarks: Each[Remarks],
        shifts: Each[SoundShift] | None,
        project: ProjectFormat,
        encoding: Encoding,
        folder: DeliveryFolder,
        desk: Desk,
    ) -> TimelineFiles:
        """Return the files. Raises `SettingsError` for a start timecode that the project's rate does not have."""
        from postpipe.handover.export import ALL, write_all
        from postpipe.handover.guide import handover_text

        start = self._start(project)
        shown = {
            path: Shown(
                clips[path], times[path], time_maps[path], file.files[0].path, file.frames, (shifts or {}).get(path)
            )
            for path, file in delivered.items()
        }
        maker = FilmMaker(edit, shown, rendered, looks, remarks, project, encoding, folder.path)
        films = {"timeline": maker.baked(self.name, start, ";" in self.start_timecode)}
        files: list[OutputFile] = []
        losses: dict[str, tuple[str, ...]] = {}
        if self.ungraded:
            bare = {path: file.files[0].path if file.files else None for path, file in ungraded.items() if file}
            films["timeline-ungraded"] = maker.ungraded(self.name, start, ";" in self.start_timecode, bare)
        for stem, film in films.items():
            for ending, (path, lost) in write_all(film, ALL, desk.scratch).items():
                name = f"{stem}{ending}"
                files.append(OutputFile(name, desk.publish(path, name)))
                losses[name] = tuple(lost)
        words = desk.scratch(".txt")
        words.write_text(handover_text(films, losses), encoding="utf-8", newline="\n")
        files.append(OutputFile("HANDOVER.txt", desk.publish(words, "HANDOVER.txt")))
        return TimelineFiles(tuple(files), losses)

    def _start(self, project: ProjectFormat) -> int:
        try:
            return parse_timecode(self.start_timecode, project.rate)
        except ValueError as error:
            rate = format_rate(project.rate)
            raise SettingsError([f"[handover] start_timecode: {error}; the film runs at {rate}"]) from error


STAGES = (WriteUngraded, WriteTimelines)
