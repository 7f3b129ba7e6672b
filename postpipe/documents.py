"""Text documents that people write, JSON and TOML: read with care, and the line on which a key stands."""

from __future__ import annotations

import bisect
import codecs
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

LIMIT_BYTES = 4 << 20
LIMIT_DEPTH = 32

Route = tuple[str | int, ...]
"""The way to a value from the top of a document: keys and indices."""


class DocumentError(ValueError):
    """A document that cannot be read; its text says what is wrong, on which line, and what was expected."""


def in_file(path: Path, fault: str) -> str:
    """Return a sentence about a document with its name before it: `NAME, line 3: …` or `NAME: …`."""
    return f"{path.name}{', ' if fault.startswith('line ') else ': '}{fault}"


_TOO_DEEP = f"is nested too deeply; expected at most {LIMIT_DEPTH} levels"

# Text

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """Return the text of a file: UTF-8, or what its byte order mark says (spreadsheets write UTF-16).

    Raises `DocumentError` for what is no text, and `OSError` where the file cannot be read.
    """
    if not path.is_file():  # a pipe would never end
        path.stat()
        raise DocumentError("is no file; expected a text")
    with path.open("rb") as file:
        data = file.read(LIMIT_BYTES + 1)
    if len(data) > LIMIT_BYTES:
        raise DocumentError(f"is larger than {LIMIT_BYTES >> 20} MB; expected a text of a few pages")
    data = data.removeprefix(codecs.BOM_UTF8)
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        place = f"line {line}: " if encoding == "utf-8" else ""
        found = f"the byte 0x{data[error.start]:02X}"
        raise DocumentError(f"{place}expected {encoding.upper()}, found {found}; save it as UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DocumentError(f"line {line}: expected text in UTF-8, found a zero byte; save it as UTF-8")
    return text


# JSON


def parse_json(text: str, first_line: int = 1) -> tuple[Any, list[str]]:
    """Return the value of a JSON text, and a sentence with line and key for each thing that had to be mended.

    Mended are: NaN and numbers without bounds (read as `null`), whole numbers of more than 64 bits (kept as
    text), halves of surrogate pairs (replaced), keys that stand twice (the last one counts). Raises
    `DocumentError` naming line, column and what was expected. `first_line` is the line on which the text begins.
    """
    odd = False

    def real(literal: str) -> float | None:
        nonlocal odd
        value = float(literal)
        odd |= not math.isfinite(value)
        return value if math.isfinite(value) else None

    def whole(literal: str) -> int | str:
        nonlocal odd
        odd |= _is_long(literal)
        return literal if _is_long(literal) else int(literal)

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal odd
        found = dict(pairs)
        odd |= len(found) < len(pairs)
        return found

    try:
        value = json.loads(text, parse_constant=real, parse_float=real, parse_int=whole, object_pairs_hook=table)
    except json.JSONDecodeError as error:
        line = error.lineno + first_line - 1
        raise DocumentError(f"line {line}, column {error.colno}: not valid JSON: {_fault(error)}") from None
    except RecursionError:
        raise DocumentError(_TOO_DEEP) from None
    mended = _mend(value)
    return mended, list(_oddities(text, first_line)) if odd or mended != value else []


def json_lines(text: str, first_line: int = 1) -> dict[Route, int]:
    """Return the line on which each key, and each item of a list, of a valid JSON text stands."""
    lines: dict[Route, int] = {}
    for token in _walk(text, first_line):
        if token.is_key or token.route not in lines:  # of a key that stands twice, the last one counts
            lines[token.route] = token.line
    return lines


def _fault(error: json.JSONDecodeError) -> str:
    """Return what is wrong, in words for the slips that are made by hand."""
    here, before = error.doc[error.pos : error.pos + 1], error.doc[: error.pos].rstrip()[-1:]
    if not here:
        return "the text ends too early; expected a value, a quote or a bracket"
    if here == "'":
        return "expected a double quote, found a single one"
    if here in "}]" and before == ",":
        return "expected another entry after the comma; take the comma out"
    if here in "#/":
        return "expected a value or a key, found a comment, which JSON does not have"
    return next((words for start, words in _FAULTS if error.msg.startswith(start)), error.msg)


_FAULTS = (
    ("Expecting property name", "expected a key in double quotes"),
    ("Expecting ',' delimiter", "expected a comma or a closing bracket"),
    ("Expecting ':' delimiter", "expected a colon after the key"),
    ("Expecting value", "expected a value: a text in double quotes, a number, true, false, null, [ or {"),
    ("Invalid control character", "expected the text to go on, found a line break or tab in it; write \\n or \\t"),
    ("Invalid \\", 'expected one of " \\ / b f n r t u after a backslash; a backslash itself is written twice'),
    ("Unterminated string", "expected a double quote at the end of the text that begins here"),
    ("Extra data", "expected the end, found more after the first value"),
)


_SURROGATE = "[\ud800-\udfff]"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def _is_long(literal: str) -> bool:
    return len(literal) > 20 or not -(1 << 63) <= int(literal) < 1 << 64


def _mend(value: Any, depth: int = 1) -> Any:
    """Return the value without halves of surrogate pairs, which no file can hold. Raises `DocumentError`."""
    if isinstance(value, str):
        return re.sub(_SURROGATE, _REPLACEMENT, value)
    if isinstance(value, dict | list) and depth > LIMIT_DEPTH:
        raise DocumentError(_TOO_DEEP)
    if isinstance(value, dict):
        return {_mend(key): _mend(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_mend(item, depth + 1) for item in value]
    return value


class _Token(NamedTuple):
    route: Route
    line: int
    word: str
    is_key: bool


_WORD = r"""(?P<key>"(?:[^"\\]|\\.)*")\s*:  |  (?P<word>"(?:[^"\\]|\\.)*"  |  [{}\[\],]  |  [^\s"{}\[\],:]+)"""


def _walk(text: str, line: int) -> Iterator[_Token]:
    """Yield the keys, single values and opening brackets of a valid JSON text, each with its route and line."""
    route: list[str | int] = []
    position = 0
    for match in re.finditer(_WORD, text, re.VERBOSE):
        line += text.count("\n", position, match.start())
        position = match.start()
        key, word = match["key"], match["word"]
        if key is not None:
            route[-1] = json.loads(key)
            yield _Token(tuple(route), line, key, is_key=True)
        elif word in ("}", "]"):
            route.pop()
        elif word == ",":
            if isinstance(route[-1], int):
                route[-1] += 1
        else:
            yield _Token(tuple(route), line, word, is_key=False)
            if word in ("{", "["):
                route.append("" if word == "{" else 0)


def _oddities(text: str, first_line: int) -> Iterator[str]:
    """Yield a sentence for each thing in a valid JSON text that `parse_json` mends."""
    known: set[Route] = set()
    for route, line, word, is_key in _walk(text, first_line):
        name = ".".join(map(str, route))
        if word.startswith('"') and re.search(_SURROGATE, json.loads(word)):
            yield f"line {line}: {name!r} holds half of a surrogate pair; read as {_REPLACEMENT}"
        if is_key:
            if route in known:
                yield f"line {line}: {name!r} stands twice; the last one counts"
                known = {other for other in known if other[: len(route)] != route}
            known.add(route)
        elif word.lstrip("-").isdecimal():
            if _is_long(word):
                yield f"line {line}: {name!r}: expected a whole number of at most 64 bits; kept as text"
        elif word[0] not in '"{[tfn' and not math.isfinite(float(word)):
            yield f"line {line}: {name!r}: expected a number, found {word[:24]}; read as null"


# TOML


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text. Raises `DocumentError`, which names the line where it is known."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise DocumentError(_TOO_DEEP) from None
    except tomllib.TOMLDecodeError as error:
        raise DocumentError(f"not valid TOML: {error}") from None
    except ValueError:  # Python reads no whole number of more than 4300 digits
        digits = _ENDLESS.search(text)
        place = f"line {text.count(chr(10), 0, digits.start()) + 1}: " if digits else ""
        raise DocumentError(f"{place}expected a whole number of at most 64 bits, found thousands of digits") from None


_ENDLESS = re.compile(r"[0-9](?:_?[0-9]){4300,}")


def toml_line(text: str, route: Sequence[str]) -> int | None:
    """Return the line of a valid TOML text on which a key or table first stands, or `None` where it does not.

    A text that is cut off between two statements is valid too, and holds the key or does not yet: halving finds
    the line.
    """
    lines = text.replace("\r\n", "\n").split("\n")

    def holds(count: int) -> bool:
        for end in range(count, len(lines) + 1):  # cut off within a statement it is not valid: go on to its end
            try:
                table: Any = tomllib.loads("\n".join(lines[:end]))
            except ValueError:
                continue
            for key in route:
                if not isinstance(table, Mapping) or key not in table:
                    return False
                table = table[key]
            break
        return True

    line = bisect.bisect_left(range(len(lines) + 1), True, key=holds)
    return line if line <= len(lines) else None
