"""Smart rendering: what needs no change is copied, packet by packet, instead of being encoded again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta

from postpipe.delivery import Cadence, CopyPlan, Encoding, FrameTimes, ProjectFormat
from postpipe.edit import Edit
from postpipe.engine.stage import Each, Task
from postpipe.media.avc import ParameterSets, free_id
from postpipe.media.copying import closed_groups
from postpipe.model import Clip


@dataclass(frozen=True)
class PlanCopies(Task):
    """Find the takes whose pictures can be copied."""

    id: ClassVar[str] = "copies"
    summary: ClassVar[str] = "which takes can be copied instead of encoded"
    section: ClassVar[str] = "deliver"
    scope: ClassVar[str] = "project"
    stored: ClassVar[bool] = True

    smart_render: Annotated[
        bool, Meta(description="copy pictures that need no change bit by bit instead of encoding them again (h264)")
    ] = False

    def run(
        self,
        edit: Edit,
        clips: Each[Clip],
        times: Each[FrameTimes],
        cadences: Each[Cadence],
        project: ProjectFormat,
        encoding: Encoding,
    ) -> CopyPlan:
        """Return where the takes of the film can be cut, or why not.

        The parameter sets of all that stands in one track have to go together; the first take in the film counts.
        """
        groups: dict[str, tuple[int, ...]] = {}
        reasons: dict[str, str] = {}
        sets: list[ParameterSets] = []
        for event in edit.events if self.smart_render else ():
            name = str(event.path)
            try:
                if encoding.video_codec != "h264":
                    raise ValueError(f"the delivery is {encoding.video_codec}; H.264 alone is copied")
                if clips[event.path].remade is not None:
                    raise ValueError("its pictures are those that an outside tool made")
                if not cadences[event.path].plain:
                    raise ValueError("its frames are repeated or dropped to reach the project's rate")
                found = closed_groups(clips[event.path], times[event.path], project.colour)
                if edit.joined and any(found.sets.clashes(other) for other in sets):
                    raise ValueError("its encoder's settings do not go together with those of a take before it")
            except ValueError as error:
                reasons[name] = str(error)
                continue
            groups[name] = found.starts
            sets.append(found.sets)
        return CopyPlan(groups, reasons, free_id(sets))


STAGES = (PlanCopies,)
