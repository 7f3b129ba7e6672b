"""The timeline that came in goes out again, pointing at the finished clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from postpipe.conformed import Conformed, RelinkedTimeline
from postpipe.delivery import Encoding, OutputFile, ProjectFormat, TimeMap
from postpipe.engine.stage import Desk, Each, Task
from postpipe.finished import ClipFile

FORMATS = {".xml": ("fcp7",), ".fcpxml": ("fcpxml",), ".fcpxmld": ("fcpxml",), ".edl": ("edl",)}
"""In which a timeline goes out again, by its ending, besides `.otio`, which keeps all of it."""


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
        from postpipe.handover import otio
        from postpipe.handover.export import write_all
        from postpipe.handover.read import read_timeline, whole_frames
        from postpipe.handover.relink import Processed, relink
        from postpipe.handover.wanted import wanted

        timeline = read_timeline(conformed.source, conformed.rate, conformed.content)
        about: dict[str, Any] = {"width": project.width, "height": project.height}
        about |= {"sound_rate_hz": encoding.sound_rate_hz, "sound_channels": encoding.sound_channels}
        about["drop_frame"] = bool(timeline.metadata.get("postpipe", {}).get("drop_frame", False))
        processed = {}
        for use in conformed.uses:
            if use.path not in files:
                continue
            file, time_map = files[use.path], time_maps[use.path]
            (output,) = file.files
            processed[use.number] = Processed(
                name=output.path.rpartition("/")[2],
                url=desk.output(output.path).as_uri(),
                rate=project.rate,
                frames=file.frames,
                first=time_map.first - time_map.rendered.start,
                metadata=about,
            )
        relink(timeline, wanted(timeline), processed)
        timeline.metadata.setdefault("postpipe", {}).update(about)
        plain = desk.scratch(".otio")
        otio.save(timeline, plain)
        written: dict[str, tuple[Path, list[str]]] = {".otio": (plain, [])}
        formats = FORMATS.get(conformed.source.suffix.lower())
        if formats:
            written |= write_all(whole_frames(timeline, conformed.source), formats, desk.scratch)
        notes: list[str] = []
        outputs = []
        for ending, (temporary, losses) in written.items():
            name = f"relinked/{conformed.source.stem}{ending}"
            outputs.append(OutputFile(name, desk.publish(temporary, name)))
            notes += [f"{name}: {loss}" for loss in losses]
        return RelinkedTimeline(tuple(outputs), tuple(notes))


STAGES = (RelinkTimeline,)
