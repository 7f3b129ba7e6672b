"""Texts that people write: what is read, and what is said of what is not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postpipe.documents import LIMIT_BYTES, DocumentError, json_lines, parse_json, parse_toml, read_text, toml_line

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAVES = (
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | WORDS
)  # fmt: skip
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)


def routes(tree: Any, route: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the way to everything in a tree, in the order of its text."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [route, *(found for key, item in items for found in routes(item, (*route, key)))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_what_a_byte_order_mark_says_is_believed(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"prompt": "vögel 🎬"}', encoding=encoding)
    assert read_text(path) == '{"prompt": "vögel 🎬"}'


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{\n"notes": "caf\xe9"}', "line 2: expected UTF-8, found the byte 0xE9; save it as UTF-8"),
        ('{"notes": 1}'.encode("utf-16-le"), "line 1: expected text in UTF-8, found a zero byte"),
        (b"\xff\xfe{", "expected UTF-16, found the byte"),
        (b"\xef\xbb\xbf\n\xff", "line 2: expected UTF-8"),
        (b" " * (LIMIT_BYTES + 1), "is larger than 4 MB"),
    ],
)
def test_what_is_no_text_is_told(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(DocumentError) as caught:
        read_text(path)
    assert words in str(caught.value)


def test_only_files_are_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "none.json")
    with pytest.raises(DocumentError, match="is no file"):
        read_text(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.json")
        with pytest.raises(DocumentError, match="is no file"):
            read_text(tmp_path / "pipe.json")


@given(TREES, st.sampled_from([None, 1, "\t"]))
def test_sound_json_is_read_as_it_is_with_a_line_for_everything(tree: Any, indent: int | str | None) -> None:
    text = json.dumps(tree, indent=indent)
    assert parse_json(text) == (tree, [])
    lines = json_lines(text)
    assert list(lines) == routes(tree)
    if indent and tree:
        # pretty-printed, each entry begins on a line of its own
        starts = sorted(lines.values())
        assert starts[0] == 1
        assert len(set(starts)) == len(starts)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1, column 1: not valid JSON: the text ends too early"),
        ('{"a": 1,\n "b"', "line 2, column 5: not valid JSON: the text ends too early"),
        ("{'a': 1}", "line 1, column 2: not valid JSON: expected a double quote, found a single one"),
        ('{"a": 1,\n}', "line 2, column 1: not valid JSON: expected another entry after the comma; take the comma out"),
        ('{"a": 1 // b\n}', "column 9: not valid JSON: expected a value or a key, found a comment"),
        ('{"a": }', "expected a value"),
        ('{"a" 1}', "expected a colon after the key"),
        ('{"a": 1 "b": 2}', "expected a comma or a closing bracket"),
        ('{a: 1}', "expected a key in double quotes"),
        ('{"a": "one\ntwo"}', r"found a line break or tab in it; write \n or \t"),
        ('{"a": "C:\\clips"}', "a backslash itself is written twice"),
        ('{"a": "x}', "line 1, column 7: not valid JSON: expected a double quote at the end of the text"),
        ("{} {}", "expected the end, found more after the first value"),
        ("[" * 33 + "]" * 33, "nested too deeply; expected at most 32 levels"),
        ("[" * 100_000, "nested too deeply"),
    ],
)  # fmt: skip
def test_slips_in_json_are_told_with_their_place(text: str, words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_json(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value", "words"),
    [
        ('{\n"seed": NaN}', {"seed": None}, "line 2: 'seed': expected a number, found NaN; read as null"),
        ('{"a": {"b":\n [-Infinity]}}', {"a": {"b": [None]}}, "line 2: 'a.b.0': expected a number, found -Infinity"),
        ('{"cost": 1e999}', {"cost": None}, "'cost': expected a number, found 1e999"),
        ('{"seed": 18446744073709551616}', {"seed": "18446744073709551616"}, "at most 64 bits; kept as text"),
        ('{"seed": ' + "9" * 5000 + "}", {"seed": "9" * 5000}, "at most 64 bits; kept as text"),
        ('{"a": 1,\n"a": 2}', {"a": 2}, "line 2: 'a' stands twice; the last one counts"),
        ('{"a": "\\ud83d!"}', {"a": "\N{REPLACEMENT CHARACTER}!"}, "line 1: 'a' holds half of a surrogate pair"),
    ],
)
def test_what_is_mended_is_told(text: str, value: Any, words: str) -> None:
    mended, notes = parse_json(text)
    assert mended == value
    assert len(notes) == 1
    assert words in notes[0]
    json.dumps(mended).encode()
    assert parse_json(text, first_line=5)[1][0].startswith(f"line {int(notes[0].split()[1][:-1]) + 4}:")


TOML = '''# settings
top = 1
[deliver]  # of the film
crf = 18
list = [
    1,  # one
]
text = """
[project]
rate = 3
"""
after = "#"

[project]
rate = 24
[edit.scene01]
in = 3
[edit."scene 2"]
"out" = 4
'''


@pytest.mark.parametrize(
    ("route", "line"),
    [
        (["top"], 2), (["deliver"], 3), (["deliver", "crf"], 4), (["deliver", "list"], 5), (["deliver", "text"], 8),
        (["deliver", "after"], 12), (["project"], 14), (["project", "rate"], 15), (["edit"], 16),
        (["edit", "scene01", "in"], 17), (["edit", "scene 2", "out"], 19), (["none"], None), (["top", "none"], None),
    ],
)  # fmt: skip
def test_the_line_of_a_key_is_found(route: list[str], line: int | None) -> None:
    assert toml_line(TOML, route) == line


@given(st.lists(st.sampled_from([*TOML.splitlines(), "'''", "x = [", "]", '"', "a.b = 1"]), max_size=12))
def test_no_toml_text_is_more_than_an_error(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        tables = parse_toml(text)
    except DocumentError:
        return
    for key in tables:
        line = toml_line(text, [key])
        assert line is not None
        assert key in lines[line - 1]


@pytest.mark.parametrize("text", ["x = " + "[" * 100_000, "x = " + "9" * 5000, "x = 2026-02-30"])
def test_what_python_refuses_in_toml_is_told(text: str) -> None:
    with pytest.raises(DocumentError):
        parse_toml(text)
