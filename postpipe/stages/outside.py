"""Outside tools: which programs of the user's every take goes through before anything looks at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from msgspec import Meta

from postpipe.engine.stage import Task
from postpipe.programs import tooling
from postpipe.tools import Tool, Toolchain


@dataclass(frozen=True)
class SetTools(Task):
    """Settle which programs each take goes through, in the order in which they are written down.

    What one makes of a take is kept without loss, and looked at as a clip of its own by all that follows.
    """

    id: ClassVar[str] = "outside"
    summary: ClassVar[str] = "the programs that each take goes through first"
    section: ClassVar[str] = "outside"
    open_field: ClassVar[str] = "tools"
    open_entry: ClassVar[str] = "name"
    scope: ClassVar[str] = "project"

    tools: Annotated[
        dict[str, Tool], Meta(description="a table for each program that takes go through, in this order")
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, tool in self.tools.items():
            try:
                tooling.check(tool)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error

    def run(self) -> Toolchain:
        """Return the tools."""
        return Toolchain(self.tools)


STAGES = (SetTools,)
