"""The timeline that came in goes out again, pointing at the finished clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from postpipe.conformed import Conformed, RelinkedTimeline
from postpipe.delivery import ClipFile, Encoding, OutputFile, ProjectFormat, TimeMap
from postpipe.engine.stage import Desk, Each, Task


@dataclass(frozen=True)
class RelinkTimeline(Task):
    """Write the cut that a run followed with its clips relinked: `relinked/NAME.otio`, and in its own format."""

    id: ClassVar[str] = "relink"
    summary: ClassVar[str] = "writes relinked/: the timeline that came in, on the finished clips"
    scope: ClassVar[str] = "project"

    def run(
        self,
        conformed: Conformed,
        files: Each[ClipFile],
        time_maps: Each[TimeMap],
        project: ProjectFormat,
        encoding: Encoding,
        desk: Desk,
    ) -> RelinkedTimeline:
        """Return the files, and what the format cannot carry."""
        from postpipe.handover import edl, fcp7, fcpxml, otio
        from postpipe.handover.read import read_timeline
        from postpipe.handover.relink import Processed, relink
        from postpipe.handover.wanted import wanted

        timeline = read_timeline(conformed.source, conformed.rate)
        about: dict[str, Any] = {"width": project.width, "height": project.height}
        about |= {"sound_rate_hz": encoding.sound_rate_hz, "sound_channels": encoding.sound_channels}
        processed = {}
        for use in conformed.uses:
            if use.path not in files:
                continue
            file, time_map = files[use.path], time_maps[use.path]
            (written,) = file.files
            processed[use.number] = Processed(
                name=written.path.rpartition("/")[2],
                url=desk.output(written.path).as_uri(),
                rate=project.rate,
                frames=file.frames,
                first=time_map.first - time_map.rendered.start,
                metadata=about,
            )
        relink(timeline, wanted(timeline), processed)
        timeline.metadata.setdefault("postpipe", {}).update(about)
        film = otio.read(timeline)
        writers = {".xml": fcp7.write, ".fcpxml": fcpxml.write, ".fcpxmld": fcpxml.write, ".edl": edl.write}
        suffix = conformed.source.suffix.lower()
        notes: list[str] = []
        outputs = []
        for kind in dict.fromkeys((".otio", suffix.removesuffix("d") if suffix == ".fcpxmld" else suffix)):
            temporary = desk.scratch(kind)
            if kind == ".otio":
                otio.save(timeline, temporary)
            else:
                losses = writers[kind](film, temporary)
                notes += [f"{conformed.name}: {loss}" for loss in (*film.losses, *losses)]
            name = f"relinked/{conformed.source.stem}{kind}"
            outputs.append(OutputFile(name, desk.publish(temporary, name)))
        return RelinkedTimeline(tuple(outputs), tuple(notes))


STAGES = (RelinkTimeline,)
