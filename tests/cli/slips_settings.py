"""Slips in `postpipe.toml`."""

from __future__ import annotations

import json
import random
import tomllib

import pytest

from postpipe.engine.settings import Parameter, parameters, stage_types
from postpipe.engine.values import read_value
from tests.cli.slips import Case, Make, damaged, foreign, line_of, shortened, wrong_bytes, zero_byte

KEYS = [parameter for parameter in parameters(stage_types()) if not parameter.is_table]
LITERALS = ["[[1]]", "{a = 1}", "true", "-1000000000", '"@"', "2026-05-04", "nan", "1e300", '""', "[1, 2]", "0.5"]
LITERALS += ["0x" + "f" * 5000, "9" * 400, "1979-05-27T07:32:00Z", "07:32:00", "{a = {b = [1]}}", '"\\u0000"']
TOGETHER = [  # of the right type, and yet impossible
    ("project", 'size = "641x360"', "must be even"),
    ("project", "rate = 0.5", "expected from 1 to 1000"),
    ("project", 'aspect = "16:0"', "expected width to height"),
    ("project", 'pattern = "("', "not a regular expression"),
    ("project", 'pattern = "a{99999999999}(?P<scene>b)"', "not a regular expression"),
]


def toml(changed: dict[tuple[str, str], str]) -> str:
    """Return a file with every key that has a default, some at other values, each on a line of its own."""
    lines = ["# settings", ""]
    for section in sorted({parameter.section for parameter in KEYS}):
        lines += [f"[{section}]  # a section"]
        for parameter in KEYS:
            value = changed.get((section, parameter.key))
            if value is None and parameter.default not in (None, ()):
                value = json.dumps(parameter.default)
            if parameter.section == section and value is not None:
                lines += [f"{parameter.key} = {value}"]
        lines += [""]
    return "\n".join(lines)


def refuses(parameter: Parameter, literal: str) -> bool:
    try:
        read_value(parameter.type, tomllib.loads(f"x = {literal}")["x"])
    except ValueError:
        return True
    return False


def wrong_setting(rng: random.Random) -> Case:
    parameter = rng.choice(KEYS)
    literal = rng.choice([literal for literal in LITERALS if refuses(parameter, literal)])
    text = toml({(parameter.section, parameter.key): literal})
    place = line_of(text[text.index(f"[{parameter.section}]") :], f"\n{parameter.key} = {literal}")
    before = text.count("\n", 0, text.index(f"[{parameter.section}]"))
    line = int(place.split()[1]) + before
    return Case(text.encode(), [f"line {line}: [{parameter.section}] {parameter.key} = ", ": expected "])


def unknown_setting(rng: random.Random) -> Case:
    parameter = rng.choice([parameter for parameter in KEYS if len(parameter.key) > 4])
    text, header = toml({}), f"[{parameter.section}]  # a section"
    slip = shortened(rng, parameter.key)
    text = text.replace(header, f"{header}\n\n{slip} = 1")
    words = [f"{line_of(text, chr(10) + f'{slip} = 1')}: [{parameter.section}] has no key {slip!r}; did you mean "]
    return Case(text.encode(), words)


def wrong_table(rng: random.Random) -> Case:
    name = rng.choice(["project", "quality", "deliver"])
    written, part, words = rng.choice(
        [
            (f"{name} = 3", f"{name} = 3", f"expected [{name}] and keys below it, found 3"),
            (f"[[{name}]]\nrate = 24", f"[[{name}]]", f"expected [{name}] and keys below it, found "),
            ("[project.rate]\nvalue = 24", "[project.rate]", "[project] rate = {'value': 24}: expected a rate"),
            ("project.rate.value = 24", "project.rate.value", "[project] rate = {'value': 24}: expected a rate"),
            ("project = {rate = [24]}", "project = ", "[project] rate = [24]: expected a rate"),
            ('["pro\\u001bject"]\nrate = 24', '["pro', "there is no section [pro\\x1bject]; did you mean 'project'"),
            ('[project]\n"r\\nate" = 24', '"r\\nate"', "[project] has no key 'r\\nate'; did you mean 'rate'"),
        ]
    )
    text = f"# settings\n{written}\n"
    return Case(text.encode(), [f"{line_of(text, part)}: {words}"])


def said_twice(rng: random.Random) -> Case:
    text = toml({})
    key = rng.choice(["\nfit = ", "\ncrf = "])
    start = text.index(key) + 1
    line = text[start : text.index("\n", start)]
    spoiled = text.replace(line, f"{line}\n{line}") if rng.random() < 0.5 else f"{text}\n[project]\nfit = 1\n"
    with pytest.raises(tomllib.TOMLDecodeError) as told:
        tomllib.loads(spoiled)
    return Case(spoiled.encode(), ["not valid TOML: Cannot ", str(told.value).rpartition("(")[2]])


def endless_setting(rng: random.Random) -> Case:
    text = toml({("deliver", "crf"): "4_3" * 3000})
    return Case(text.encode(), [f"{line_of(text, chr(10) + 'crf = 4_3')}: expected a whole number of at most 64 bits"])


def unknown_section(rng: random.Random) -> Case:
    name = shortened(rng, rng.choice(["project", "deliver", "quality", "select"]))
    text = toml({}) + f"\n[{name}]\nx = 1\n"
    return Case(text.encode(), [f"{line_of(text, f'[{name}]')}: there is no section [{name}]; did you mean "])


def impossible_setting(rng: random.Random) -> Case:
    section, setting, words = rng.choice(TOGETHER)
    key, _, value = setting.partition(" = ")
    text = toml({(section, key): value})
    return Case(text.encode(), [f"{line_of(text, chr(10) + setting)}: [{section}] {key} = ", words])


def wrong_edit(rng: random.Random) -> Case:
    setting, words = rng.choice(
        [
            ("in = true", "expected "),
            ('out = "x:1"', "is no place in a clip"),
            ("inn = 1", "there is no such key; expected in, out, "),
            ("fade_in_seconds = -1", "expected a number from 0 to 60"),
        ]
    )
    text = toml({}) + f'\n[edit."scene 1"]\n{setting}\n'
    return Case(text.encode(), [f"{line_of(text, chr(10) + setting)}: [edit] scene 1.{setting.split()[0]} = ", words])


def damaged_toml(rng: random.Random) -> Case:
    while True:
        spoiled = damaged(rng, toml({}))
        try:
            tomllib.loads(spoiled)
        except tomllib.TOMLDecodeError as error:
            return Case(spoiled.encode(), ["not valid TOML: ", str(error).rpartition("(")[2]])


SETTING_SLIPS: list[Make] = [
    wrong_setting,
    wrong_setting,
    unknown_setting,
    unknown_section,
    impossible_setting,
    wrong_edit,
    damaged_toml,
    wrong_table,
    said_twice,
    endless_setting,
    lambda rng: foreign(rng, wrong_setting(rng)),
    lambda rng: zero_byte(rng, toml({})),
    lambda rng: wrong_bytes(rng, toml({})),
    lambda rng: Case(b"x = " + b"[" * 50_000, ["nested too deeply"]),
]
