"""Sidecars and logs: what was written down about each take, beside it or in one file for many takes."""

from __future__ import annotations

import dataclasses
import errno
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta

from postpipe.delivery import TakeName
from postpipe.documents import DocumentError, in_file, json_lines, parse_json, read_text
from postpipe.engine.stage import Each, Task
from postpipe.errors import SettingsError
from postpipe.model import Clip
from postpipe.sidecar import Sidecar, TakeLog

LOG_NAMES = ("takes.csv", "takes.tsv", "takes.jsonl", "takes.json")
"""Names by which a log is found in the folder of takes without being named; the first that exists is used."""


@dataclasses.dataclass(frozen=True)
class ReadLogs(Task):
    """Read the log of many takes that lies in the folder of takes, where there is one."""

    id: ClassVar[str] = "log"
    summary: ClassVar[str] = "log of many takes: CSV, JSON or JSON lines"
    section: ClassVar[str] = "project"
    scope: ClassVar[str] = "project"

    log: Annotated[
        str | None,
        Meta(description='log of many takes, in their folder; unset: takes.csv, .tsv, .jsonl or .json there; "": none'),
    ] = None

    def run(self, clips: Each[Clip], names: Each[TakeName]) -> TakeLog:
        """Return what the logs say. Raises `SettingsError` when the one that was named does not exist."""
        takes: dict[str, Sidecar] = {}
        warnings: list[str] = []
        for folder in dict.fromkeys(path.parent for path in clips):
            here = {path: names[path] for path in clips if path.parent == folder}
            log = self._find(folder, here)
            if log is not None:
                found, faults = _read(log, folder, here)
                if self.log and not found and not faults:
                    faults = [f"{log.name}: expected an entry for each take, found none"]
                takes |= {str(take): sidecar for take, sidecar in found.items()}
                warnings += faults
        return TakeLog(takes, tuple(warnings))

    def _find(self, folder: Path, takes: Mapping[Path, TakeName]) -> Path | None:
        if self.log is not None:
            if self.log and not (folder / self.log).is_file():
                raise SettingsError(
                    [f"[project] log = {self.log!r}: expected a file in the folder of takes, found none in {folder}"]
                )
            return folder / self.log if self.log else None
        own = {take.with_suffix(".json").name for take in takes}  # of a take that is called "takes"
        return next((folder / name for name in LOG_NAMES if name not in own and (folder / name).is_file()), None)


def _read(log: Path, folder: Path, takes: Mapping[Path, TakeName]) -> tuple[dict[Path, Sidecar], list[str]]:
    """Return what a log says of the takes in a folder, and sentences about the log."""
    from postpipe.stages.takelog import match_rows, read_log  # most folders have none: they start the faster

    try:
        rows, faults = read_log(log)
        found, unmatched = match_rows(rows, takes, folder, log.name)
    except (OSError, DocumentError) as error:
        return {}, [in_file(log, f"{_reason(error)}; it is not used")]
    return found, [*faults, *unmatched]


@dataclasses.dataclass(frozen=True)
class ReadSidecar(Task):
    """Read what lies beside a take (`NAME.mp4.json`, `NAME.json`); the log fills in what it does not say."""

    id: ClassVar[str] = "sidecar"
    summary: ClassVar[str] = "prompt, model, seed and cost, from a file beside the take"

    def run(self, clip: Clip, log: TakeLog) -> Sidecar:
        """Return what was written down; a broken sidecar is a warning in it."""
        logged = log.takes.get(str(clip.file), Sidecar())
        own = _beside(clip.file)
        said = {field.name: getattr(own, field.name) for field in dataclasses.fields(own)}
        merged = {name: value for name, value in said.items() if value not in (None, (), {})}
        return dataclasses.replace(
            logged,
            **merged
            | {
                "sources": own.sources + logged.sources,
                "extra": logged.extra | own.extra,
                "warnings": own.warnings + logged.warnings,
            },
        )


def _beside(take: Path) -> Sidecar:
    """Return what the sidecar of a take says; the one with its full name comes first."""
    for path in (take.with_name(f"{take.name}.json"), take.with_suffix(".json")):
        try:
            text = read_text(path)
            record, notes = parse_json(text)
        except FileNotFoundError:
            continue
        except (OSError, DocumentError) as error:
            if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
                continue
            return Sidecar(warnings=(in_file(path, f"{_reason(error)}; it is not used"),))
        notes = [in_file(path, note) for note in notes]
        if not isinstance(record, dict):
            fault = f'{path.name}, line 1: expected one table of keys, such as {{"prompt": "…"}}; it is not used'
            return Sidecar(warnings=(*notes, fault))
        from postpipe.stages.records import read_record  # most takes have none

        sidecar = read_record(record, path.name, functools.partial(_place, path.name, text))
        return dataclasses.replace(sidecar, warnings=(*notes, *sidecar.warnings))
    return Sidecar()


def _place(name: str, text: str, key: str) -> str:
    line = json_lines(text).get((key,))
    return name if line is None else f"{name}, line {line}"


def _reason(error: Exception) -> str:
    return f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)


STAGES = (ReadLogs, ReadSidecar)
