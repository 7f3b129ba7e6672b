"""Outside tools: programs of the user's that takes go through, before anything looks at them or as the last thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from postpipe.delivery import ProjectFormat
from postpipe.draft import Draft
from postpipe.engine.stage import Canvas, Filter, Slot, Stage, Task
from postpipe.errors import FilterFailed, ProgramError
from postpipe.model import Clip, Frame
from postpipe.programs import tooling
from postpipe.programs.command import identity_if_there
from postpipe.tools import FINISH, Tool, Toolchain

Tools = Annotated[dict[str, Tool], Meta(description="a table for each program that takes go through, in this order")]


@dataclass(frozen=True)
class _Tools(Stage):
    """The section `[outside]`, which two stages read."""

    section: ClassVar[str] = "outside"
    open_field: ClassVar[str] = "tools"
    open_entry: ClassVar[str] = "name"

    tools: Tools = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, tool in self.tools.items():
            try:
                tooling.check(tool)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error

    def of(self, slot: str) -> dict[str, Tool]:
        """Return the tools of one place, in order."""
        return {name: tool for name, tool in self.tools.items() if tool.slot == slot}


@dataclass(frozen=True)
class SetTools(_Tools, Task):
    """Settle which programs each take goes through first, in the order in which they are written down.

    What one makes of a take is kept without loss, and looked at as a clip of its own by all that follows.
    """

    id: ClassVar[str] = "outside"
    summary: ClassVar[str] = "the programs that each take goes through first"
    scope: ClassVar[str] = "project"

    def run(self) -> Toolchain:
        """Return the tools."""
        return Toolchain(self.of("source"), tuple(self.of("finish")))


@dataclass(frozen=True)
class BoundTool:
    """One tool for one take. `program` is a digest of it: see `programs.command.identity`.

    Its time limit, and what becomes of a take on which it fails, change no picture, so that they are no fields.
    """

    name: str
    tool: Tool
    program: str
    handed: tooling.Handed
    timeout_seconds: InitVar[float]

    def __post_init__(self, timeout_seconds: float) -> None:
        limited = msgspec.structs.replace(self.tool, timeout_seconds=timeout_seconds)
        object.__setattr__(self, "_limited", limited)

    def apply(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield what the tool gives. Raises `ProgramError`."""
        return tooling.fed(self.name, vars(self)["_limited"], self.handed, frames)


@dataclass(frozen=True)
class BoundFinish:
    """The finishing tools of one take, one after the other."""

    tools: tuple[BoundTool, ...]

    @property
    def margin_frames(self) -> int:
        """All the neighbours that they are shown."""
        return sum(bound.tool.context_frames for bound in self.tools)

    def apply(self, frames: Iterable[Frame], canvas: Canvas) -> Iterator[Frame]:
        """Yield the finished frames. Raises `FilterFailed` in the words of the tool that failed."""
        for bound in self.tools:
            frames = bound.apply(frames)
        try:
            yield from frames
        except ProgramError as error:
            raise FilterFailed(Finish.id, error.fault, error.remedy) from error


@dataclass(frozen=True)
class Finish(_Tools, Filter):
    """Send what is delivered through the programs of `slot = "finish"`. They stand or fall together."""

    id: ClassVar[str] = FINISH
    summary: ClassVar[str] = "programs that what is delivered goes through last"
    slot: ClassVar[Slot] = Slot.FINISH

    @property
    def dispensable(self) -> bool:
        """Whether a take on which one fails can do without: where all say so."""
        return all(tool.fallback == "leave" for tool in self.of("finish").values())

    def bind(self, clip: Clip, project: ProjectFormat, draft: Draft | None) -> BoundFinish | None:
        """Return the filter, or `None` where there is no such tool, and in a draft."""
        tools = self.of("finish") if draft is None else {}
        known = self._programs if tools else {}
        bound = tuple(_bound(name, tool, known[name], clip, project) for name, tool in tools.items())
        return BoundFinish(bound) if bound else None

    @cached_property
    def _programs(self) -> dict[str, str]:
        """What each tool is, asked once for all takes."""
        tools = self.of("finish").items()
        return {name: identity_if_there(name, tool.command, tool.version_arguments) for name, tool in tools}


def _bound(name: str, tool: Tool, program: str, clip: Clip, project: ProjectFormat) -> BoundTool:
    take = clip.path.stem if any("{take}" in part for part in tool.command) else ""
    handed = tooling.Handed(project.width, project.height, project.pixel_format, project.colour, project.rate, take)
    lasting = msgspec.structs.replace(tool, timeout_seconds=1.0, fallback="fail")
    return BoundTool(name, lasting, program, handed, tool.timeout_seconds)


STAGES = (SetTools, Finish)
