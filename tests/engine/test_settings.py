"""Settings in words: which line, which key, what was expected."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from postpipe.engine.settings import Layer, configure, read_config, stage_types
from postpipe.engine.values import expectation, faults, read_value
from postpipe.errors import SettingsError


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """A table of a table."""

    seconds: Annotated[float, Meta(ge=0)] = 0
    name: str = msgspec.field(default="", name="in")

    def __post_init__(self) -> None:
        if self.name == "odd":
            raise ValueError("odd is no name")


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        (int, "expected a whole number"),
        (Annotated[int, Meta(ge=0, le=51)], "expected a whole number from 0 to 51"),
        (Annotated[float, Meta(ge=0)], "expected a number, 0 or more"),
        (Annotated[float, Meta(le=0)] | Literal["any"], "expected a number, 0 or less or 'any'"),
        (Annotated[float, Meta(gt=0)] | None, "expected a number, above 0"),
        (Annotated[str, Meta(pattern="x", examples=["16:9"])] | None, "expected a text such as '16:9'"),
        (Annotated[Literal["a", "b"] | None, Meta(description="d")], "expected 'a' or 'b'"),
        (bool, "expected true or false"),
        (Fraction | None, "expected a rate such as 24, 23.976 or 24000/1001"),
        (tuple[str, ...], "expected a list of texts"),
        (int | str, "expected a whole number or a text"),
        (Entry, "expected a table of keys"),
        (bytes, None),
        (bytes | int, None),
    ],
)
def test_types_have_words(type_: Any, words: str | None) -> None:
    assert expectation(type_) == words


@pytest.mark.parametrize(
    ("type_", "value", "told"),
    [
        (int, "x", [((), "x", "expected a whole number")]),
        (int, {"a": 1}, [((), {"a": 1}, "expected a whole number")]),
        (float, float("inf"), [((), float("inf"), "expected a number")]),
        (dict[str, int], {"a": 1, "b": "x", "c": []}, [
            (("b",), "x", "expected a whole number"), (("c",), [], "expected a whole number"),
        ]),
        (dict[str, Entry], {"a": {"in": "x"}, "b": {"seconds": -1, "in": 3}, "c": 4}, [
            (("b", "seconds"), -1, "expected a number, 0 or more"),
            (("b", "in"), 3, "expected a text"),
            (("c",), 4, "expected a table of keys"),
        ]),
        (dict[str, Entry], {"a": {"name": "x"}}, [
            (("a", "name"), "x", "there is no such key; expected seconds, in"),
        ]),
        (dict[str, Entry], {"a": {"in": "odd"}}, [(("a", "in"), "odd", "odd is no name")]),
    ],
)  # fmt: skip
def test_faults_are_found_where_they_are(type_: Any, value: Any, told: list[Any]) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError)) as caught:
        read_value(type_, value)
    if value != float("inf"):
        assert [tuple(fault) for fault in faults(type_, value, (), caught.value)] == told


def test_each_place_is_named(tmp_path: Path) -> None:
    path = tmp_path / "postpipe.toml"
    path.write_text(
        '# mine\n[deliver]\ncrf = 99\n\n[selct]\n\n[project]\nrate = 24\nsize = "641x360"\n', encoding="utf-8"
    )
    layers = [
        read_config(path),
        Layer("settings", {"deliver": {"bits": 9, 3: 4}, "project": 5}),
        Layer("command line", {"deliver": {"crf": "x"}}, text=True),
    ]
    with pytest.raises(SettingsError) as caught:
        configure(stage_types(), layers)
    assert caught.value.problems == [
        "postpipe.toml, line 3: [deliver] crf = 99: expected a whole number from 0 to 51",
        "postpipe.toml, line 5: there is no section [selct]; did you mean 'select'?",
        "settings: [deliver] bits = 9: expected 8 or 10",
        caught.value.problems[3],
        "settings: expected [project] and keys below it, found 5",
        "command line: [deliver] crf = 'x': expected a whole number from 0 to 51",
        "postpipe.toml, line 9: [project] size = '641x360': width and height must be even, from 16 to 16384",
    ]
    assert caught.value.problems[3].startswith("settings: [deliver] has no key 3; known: ")


def test_a_later_layer_may_mend_an_earlier_one_but_not_hide_it(tmp_path: Path) -> None:
    path = tmp_path / "postpipe.toml"
    path.write_text('[project]\nsize = "641x360"\n', encoding="utf-16")
    configure(stage_types(), [read_config(path), Layer("command line", {"project": {"size": "640x360"}}, text=True)])
    path.write_text("[deliver]\ncrf = 99\n", encoding="utf-8-sig")
    with pytest.raises(SettingsError, match=r"line 2: \[deliver\] crf = 99"):
        configure(stage_types(), [read_config(path), Layer("command line", {"deliver": {"crf": "16"}}, text=True)])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[deliver\n", "not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 9)"),
        (b"[deliver]\npreset = 'caf\xe9'\n", "line 2: expected UTF-8, found the byte 0xE9; save it as UTF-8"),
        (b"x = " + b"9" * 5000, "line 1: expected a whole number of at most 64 bits, found thousands of digits"),
    ],
)
def test_what_is_no_settings_file_is_told(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "postpipe.toml"
    path.write_bytes(data)
    with pytest.raises(SettingsError) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: {words}")
