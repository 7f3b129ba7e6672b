"""The log of a project: one row for each take and each time that something about it changed, never rewritten.

Rows are only ever appended, one line each, under a lock and flushed to the disk: two writers do not mix, and a crash
loses at most the line that was being written. What is read again is CSV or JSON lines, as the name says.
"""

from __future__ import annotations

import contextlib
import csv
import getpass
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock, Timeout

from postpipe.errors import DeliveryError
from postpipe.model import Artifact

COLUMNS = (
    "when",
    "who",
    "file",
    "scene",
    "take",
    "generator",
    "model",
    "prompt",
    "negative_prompt",
    "seed",
    "settings",
    "cost",
    "decision",
    "because",
    "verdicts",
    "fixes",
)
"""What a row says, in order; the first two say when it was written, and who ran postpipe."""

STAMPS = COLUMNS[:2]
LOCK_SECONDS = 60

Row = dict[str, str]

_FORMULA = re.compile(r"'*\s*([=@]|[+\-](?![\d.,]*$))")
"""What a spreadsheet would take for a formula, also one that was made harmless; numbers are none."""


@dataclass(frozen=True)
class Logbook(Artifact):
    """Where a run writes down what it decided, relative to OUT, and in whose name (`None`: that of the account)."""

    schema: ClassVar[str] = "postpipe.logbook.1"
    file: str
    who: str | None

    def keep(self, out: Path, document: Mapping[str, Any]) -> None:
        """Append what a run found and decided. Raises `DeliveryError` where that cannot be written."""
        path = out / self.file
        when = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            append(path, rows_of(document, when, self.who or _account()))
        except (OSError, Timeout) as error:
            raise DeliveryError(
                f"{path}: the log cannot be written ({error}); name another place: [log] file"
            ) from None


def _account() -> str:
    """Return the name of the account; none where the system knows none, as in a container."""
    with contextlib.suppress(KeyError, ImportError, OSError):
        return getpass.getuser()
    return ""


def append(path: Path, rows: Sequence[Mapping[str, str]]) -> int:
    """Append those rows that say something else than the last row of the same file; return how many.

    Raises `OSError`, and `filelock.Timeout` where another writer does not let go.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.open("ab").close()  # a place that cannot be written is told at once: the lock would be waited for
    with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS):
        last = {row.get("file"): _said(row) for row in read(path)}
        new = [row for row in rows if last.get(row.get("file")) != _said(row)]
        if new:
            with path.open("ab") as file:
                file.write(_mended(path) + b"".join(_line(path, row) for row in _with_header(path, new)))
                file.flush()
                os.fsync(file.fileno())
    return len(new)


def read(path: Path) -> list[Row]:
    """Return the rows in the order in which they were written; a line that was cut off is left out."""
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    whole = text[: text.rfind("\n") + 1]
    if _is_csv(path):
        columns, *table = [[plain_cell(cell) for cell in _cells(line)] for line in whole.split("\n")]
        return [dict(zip(columns, cells, strict=True)) for cells in table if cells and len(cells) == len(columns)]
    found = (_parsed(line) for line in whole.split("\n"))
    return [row for row in found if row is not None]


def _cells(line: str) -> list[str]:
    """Return the cells of one line of a table; none where it is none."""
    with contextlib.suppress(csv.Error):
        return next(csv.reader([line]), [])
    return []


def harmless_cell(text: str) -> str:
    """Return a cell that no spreadsheet calculates: with an apostrophe before what begins like a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def plain_cell(text: str) -> str:
    """Return what a cell says, without the apostrophe of `harmless_cell`."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _parsed(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return {str(key): str(value) for key, value in row.items()} if isinstance(row, dict) else None


def _said(row: Mapping[str, str]) -> dict[str, str]:
    return {key: _flat(value) for key in COLUMNS if key not in STAMPS and (value := row.get(key))}


def _flat(text: str) -> str:
    """Return a text on one line."""
    return " ".join(text.splitlines())


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _mended(path: Path) -> bytes:
    """Return what ends a line that a crash cut off, so that the next one begins anew."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        if not file.tell():
            return b""
        file.seek(-1, os.SEEK_END)
        return b"" if file.read(1) == b"\n" else b"\n"


def _with_header(path: Path, rows: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the rows, after the names of the columns where a table has none yet."""
    begins = _is_csv(path) and not path.stat().st_size
    return [dict(zip(COLUMNS, COLUMNS, strict=True)), *rows] if begins else list(rows)


def _line(path: Path, row: Mapping[str, str]) -> bytes:
    if not _is_csv(path):
        return (json.dumps({key: row[key] for key in COLUMNS if row.get(key)}, ensure_ascii=False) + "\n").encode()
    text = io.StringIO(newline="")
    # One line for each row, whatever stands in a prompt: what is cut off then is one row, and no more.
    csv.writer(text, lineterminator="\n").writerow([harmless_cell(_flat(row.get(key, ""))) for key in COLUMNS])
    return text.getvalue().encode()


def rows_of(document: Mapping[str, Any], when: str, who: str) -> list[Row]:
    """Return the rows of a run, from what `takes.json` says."""
    return [_row(take, when, who) for take in document["takes"]]


def _row(take: Mapping[str, Any], when: str, who: str) -> Row:
    sidecar: Mapping[str, Any] = take["sidecar"] or {}
    cost = sidecar.get("cost") or {}
    decision, because = _decision(take)
    row = {
        "when": when,
        "who": who,
        "file": take["file"],
        "scene": take["scene"],
        "take": take["take"],
        **{key: sidecar.get(key) for key in ("generator", "model", "prompt", "negative_prompt", "seed")},
        "settings": json.dumps(sidecar["settings"], ensure_ascii=False) if sidecar.get("settings") else None,
        "cost": " ".join(str(cost[key]) for key in ("amount", "currency") if cost.get(key) is not None),
        "decision": decision,
        "because": because,
        "verdicts": json.dumps(verdicts, ensure_ascii=False) if (verdicts := _verdicts(take["facts"])) else None,
        "fixes": ", ".join(f"{fix['stage']} {'kept' if fix['kept'] else 'rolled back'}" for fix in take["fixes"]),
    }
    return {key: str(value) for key, value in row.items() if value not in (None, "")}


def _decision(take: Mapping[str, Any]) -> tuple[str, str | None]:
    if take["skipped"]:
        return "skipped", take["skipped"]["reason"]
    consent = take["facts"].get("consent", {}).get("decision")
    allowed = "without consent, allowed by name" if consent == "allowed by name" else None
    return ("delivered" if take["selected"] else "not chosen"), allowed or f"rank {take['rank']} of its scene"


def _verdicts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the verdicts on a take: those of one word or number."""
    found = {
        "quality": facts.get("scores", {}).get("quality"),
        "gate": "passes" if facts.get("gate", {}).get("passes") else "fails",
        "screening": facts.get("screening", {}).get("result"),
        "provenance": facts.get("provenance", {}).get("state"),
        "consent": facts.get("consent", {}).get("decision"),
    }
    return {key: value for key, value in found.items() if value is not None} if facts else {}
