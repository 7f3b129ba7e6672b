"""Where the log of the project is kept, and in whose name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta

from postpipe.engine.stage import Task
from postpipe.projectlog import Logbook


@dataclass(frozen=True)
class KeepLog(Task):
    """Settle where a run writes down what it decided."""

    id: ClassVar[str] = "logbook"
    summary: ClassVar[str] = "where the decisions of each run are written down"
    section: ClassVar[str] = "log"
    scope: ClassVar[str] = "project"

    file: Annotated[
        str,
        Meta(
            description='table that every run appends to, .jsonl or .csv, in OUT or anywhere; "": none',
            pattern=r"^$|\.(jsonl|csv)$",
            examples=["takes-log.csv"],
        ),
    ] = "takes-log.jsonl"
    who: Annotated[str | None, Meta(description="who runs postpipe; unset: the name of the account")] = None

    @property
    def delivers(self) -> bool:
        """Unless there is none."""
        return bool(self.file)

    def run(self) -> Logbook:
        """Return the log."""
        return Logbook(self.file, self.who)


STAGES = (KeepLog,)
