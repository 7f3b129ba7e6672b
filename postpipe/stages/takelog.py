"""Logs of many takes as people keep them, and which take each of their entries is about."""

from __future__ import annotations

import csv
import dataclasses
import io
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postpipe.delivery import TakeName
from postpipe.documents import DocumentError, Route, in_file, json_lines, parse_json, read_text
from postpipe.projectlog import plain_cell
from postpipe.sidecar import Sidecar
from postpipe.stages.records import PLACES, field_of, near_miss, place_of, read_record

DELIMITERS = ",;\t|"
LISTS = ("takes", "clips", "shots", "videos")
SHOWN = 8


@dataclass(frozen=True)
class Row:
    """One entry of a log: what it says, the line it begins on, the lines of its keys, and what is odd about it."""

    record: Mapping[str, Any]
    line: int
    key_lines: Mapping[str, int] = field(default_factory=dict)
    fault: str | None = None
    hints: bool = True


def read_log(path: Path) -> tuple[list[Row], list[str]]:
    """Return the entries of a log (CSV with any delimiter, JSON, JSON lines), and sentences about what is left out.

    A name that ends in `.json` or `.jsonl` is believed, else the first character decides. An account that postpipe
    wrote is no log and has no entry. Raises `DocumentError` for what is none of these, and `OSError`.
    """
    text = read_text(path)
    if path.suffix.lower() not in (".json", ".jsonl") and text.lstrip()[:1] not in ("{", "["):
        rows, faults = _csv_rows(text)
    else:
        rows, faults = (_line_rows if _is_json_lines(text) else _json_rows)(text)
    return rows, [in_file(path, fault) for fault in faults]


# JSON


def _json_rows(text: str, first_line: int = 1) -> tuple[list[Row], list[str]]:
    value, faults = parse_json(text, first_line)
    if isinstance(value, dict) and str(value.get("schema")).startswith("postpipe."):
        return [], []
    lines = json_lines(text, first_line)
    rows = []
    for route, record in _records(value, ()):
        line = lines.get(route, first_line)
        if isinstance(record, dict):
            rows.append(Row(record, line, {key: lines.get((*route, key), line) for key in record}))
        else:
            faults.append(f"line {line}: expected a table of keys for each take, found {record!r:.40}")
    return rows, faults


def _records(value: Any, route: Route) -> Iterator[tuple[Route, Any]]:
    """Yield the entries of a list, of a table by file, of a table that holds one of these, or of one take alone."""
    if isinstance(value, list):
        yield from (((*route, index), item) for index, item in enumerate(value))
    elif not isinstance(value, dict) or any(place_of(value, name) for name in PLACES):
        yield route, value
    elif not route and (inner := next((key for key in LISTS if isinstance(value.get(key), dict | list)), None)):
        yield from _records(value[inner], (inner,))
    else:
        for name, item in value.items():
            yield (*route, name), {"file": name} | item if isinstance(item, dict) else item


def _is_json_lines(text: str) -> bool:
    first, _, rest = text.strip().partition("\n")
    if not rest:
        return False
    try:
        return isinstance(parse_json(first)[0], dict)
    except DocumentError:
        return False


def _line_rows(text: str) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    faults: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                more, odd = _json_rows(line, number)
            except DocumentError as error:
                more, odd = [], [str(error)]
            rows += more
            faults += odd
    return rows, faults


# CSV


def _csv_rows(text: str) -> tuple[list[Row], list[str]]:
    """Read a table whose first line names its columns, with the delimiter that makes most of them known."""
    lines = text.split("\n")
    skipped = next((number for number, line in enumerate(lines) if line.strip() and not line.startswith("sep=")), 0)
    header = max((_cells(lines[skipped], delimiter) for delimiter in DELIMITERS), key=lambda pair: _known(pair[1]))
    delimiter, columns = header
    if not any(field_of(column) in PLACES[:2] for column in columns):
        raise DocumentError(
            f"line {skipped + 1}: expected the names of columns, among them file (or scene and take), "
            f"found {lines[skipped].strip()!r:.60}"
        )
    rows: list[Row] = []
    faults = [f"line {skipped + 1}: the column {c!r} stands twice; the last one counts" for c in _twice(columns)]
    faults += [f"line {skipped + 1}: {hint}" for column in columns if (hint := near_miss(column, columns))]
    reader = csv.reader(io.StringIO("\n".join(lines[skipped + 1 :]), newline=""), delimiter=delimiter, strict=True)
    line = skipped + 2
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                record = dict(zip(columns, map(plain_cell, cells), strict=False))
                rows.append(Row(record, line, fault=_surplus(columns, cells), hints=False))
            line = skipped + 2 + reader.line_num
    except csv.Error as error:
        faults.append(f"line {line}: expected cells in closed double quotes ({error}); no more of it is read")
    return rows, faults


def _cells(line: str, delimiter: str) -> tuple[str, list[str]]:
    try:
        return delimiter, [cell.strip() for cell in next(csv.reader([line.rstrip("\r")], delimiter=delimiter), [])]
    except csv.Error:
        return delimiter, []


def _known(columns: Sequence[str]) -> int:
    return sum(field_of(column) is not None for column in columns)


def _twice(columns: Sequence[str]) -> list[str]:
    return [column for number, column in enumerate(columns) if column and column in columns[:number]]


def _surplus(columns: Sequence[str], cells: Sequence[str]) -> str | None:
    if any(cell.strip() for cell in cells[len(columns) :]):
        return f"expected {len(columns)} cells, found {len(cells)}; put texts that hold the delimiter in double quotes"
    return None


# Which take an entry is about


def match_rows(
    rows: Sequence[Row], takes: Mapping[Path, TakeName], folder: Path, log: str
) -> tuple[dict[Path, Sidecar], list[str]]:
    """Return what the entries of a log say by take, and sentences about those that fit no take, or several.

    An entry names its take by `file` (any case, folder or suffix left out) or by `scene` and `take`. `takes` are
    those of the run, which lie in `folder`.
    """
    index = _index(takes)
    found: dict[Path, Sidecar] = {}
    seen: dict[Path, int] = {}
    warnings: list[str] = []
    lost: list[str] = []
    others = [path for path in folder.iterdir() if path not in takes]  # an entry may be about one of these
    present = {_fold(name) for path in others for name in (path.name, path.stem)}
    whole = not {path.suffix.lower() for path in others} & {path.suffix.lower() for path in takes}
    for row in rows:
        keys, label = _keys(row.record)
        fits = next((index[key] for key in keys if key in index), [])
        if len(fits) > 1:
            names = ", ".join(path.name for path in fits)
            warnings.append(f"{log}, line {row.line}: {label} fits several takes, expected one: {names}")
        elif fits:
            (take,) = fits
            again = f"is about the same take as line {seen[take]}; the last one counts" if take in seen else None
            seen[take] = row.line
            found[take] = _sidecar(row, log, again)
        elif whole if isinstance(keys[0], tuple) else not present.intersection(keys):
            lost.append(f"line {row.line} ({label})")
    if lost:
        more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
        warnings.append(f"{log}: no take for {', '.join(lost[:SHOWN])}{more}")
    return found, warnings


def _sidecar(row: Row, log: str, again: str | None) -> Sidecar:
    def place(key: str) -> str:
        return f"{log}, line {row.key_lines.get(key, row.line)}"

    record = {key: value for key, value in row.record.items() if field_of(key) not in PLACES}
    source = f"{log}, line {row.line}"
    sidecar = read_record(record, source, place, hints=row.hints)
    notes = tuple(f"{source}: {text}" for text in (again, row.fault) if text)
    return dataclasses.replace(sidecar, warnings=notes + sidecar.warnings)


Key = str | tuple[str, int | None]


def _index(takes: Mapping[Path, TakeName]) -> dict[Key, list[Path]]:
    """Return the takes by every way to name them: file name, its stem, scene and take, scene alone."""
    index: dict[Key, list[Path]] = defaultdict(list)
    for path, name in takes.items():
        scene = _scene(name.scene)
        keys: tuple[Key, ...] = (_fold(path.name), _fold(path.stem), (scene, name.take), (scene, None))
        for key in dict.fromkeys(keys):
            index[key].append(path)
    return index


def _keys(record: Mapping[str, Any]) -> tuple[list[Key], str]:
    """Return the ways in which an entry names its take, best first, and how messages call it."""
    file = place_of(record, "file")
    if file is not None:
        name = file.replace("\\", "/").rpartition("/")[2]
        return [_fold(name), _fold(Path(name).stem)], repr(file)
    scene, take = place_of(record, "scene"), place_of(record, "take")
    if scene is None:
        return [""], "names no file"
    number = "".join(filter(str.isdecimal, take or ""))
    label = f"scene {scene}" + (f", take {take}" if take else "")
    return [(_scene(scene), int(number) if number else None)], label


def _fold(name: str) -> str:
    """Return a file name without what systems change in it: case, and how accents are composed."""
    return unicodedata.normalize("NFC", name).casefold()


def _scene(label: str) -> str:
    """Return `1` for `scene01`, `Scene 1` and `1`, so that a log may write it as it likes."""
    plain = _fold(label).removeprefix("scene").strip(" _-#")
    return str(int(plain)) if plain.isdecimal() else plain
