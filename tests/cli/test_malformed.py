"""Over six hundred malformed sidecars, logs and settings: key, line, what was expected are told; never a traceback.

Each is made from a good one, with a fixed seed, by a slip whose place is known, and goes through the real entry. Every
kind of slip has its turn; of the good ones nothing is said.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from postpipe import api
from postpipe.engine.settings import Parameter, parameters, stage_types
from postpipe.engine.values import read_value
from postpipe.errors import SettingsError
from postpipe.stages.records import field_of
from tests.cli.inside import postpipe
from tests.clips import make_clip

SIDECARS, LOGS, SETTINGS = 300, 140, 200
AT_ONCE = 50  # takes in one run


class Case(NamedTuple):
    """A malformed file, and the words that have to stand together in one sentence about it."""

    data: bytes
    words: list[str]


Make = Callable[[random.Random], Case]


def line_of(text: str, part: str) -> str:
    """Return `line N`, where the only place begins at which a text holds `part` (without line breaks before it)."""
    assert text.count(part) == 1, part
    return f"line {text.count(chr(10), 0, text.index(part.lstrip(chr(10)), text.index(part))) + 1}"


def shortened(rng: random.Random, word: str) -> str:
    """Return a word without one of its inner letters."""
    place = rng.choice([place for place in range(1, len(word) - 1) if word[place].isalpha()])
    return word[:place] + word[place + 1 :]


def damaged(rng: random.Random, text: str) -> str:
    """Return a text with one structural character too many or too few, or cut off."""
    place = rng.choice([place for place, character in enumerate(text) if character in '{}[]",:='])
    return rng.choice(
        [text[:place] + text[place + 1 :], text[:place] + rng.choice('{}[]",:=') + text[place:], text[: max(1, place)]]
    )


def wrong_bytes(rng: random.Random, text: str) -> Case:
    """Return a text that is no UTF-8 in one place, or not at all."""
    data, place = text.encode(), rng.randrange(len(text.encode()))
    spoiled = data[:place] + rng.choice([b"\xe9", b"\xff", b"\x80"]) + data[place:]
    try:
        spoiled.decode()
    except UnicodeDecodeError as error:
        return Case(spoiled, [f"line {spoiled.count(10, 0, error.start) + 1}: expected UTF-8", "save it as UTF-8"])
    return Case(text.encode("utf-16-le"), ["line ", "expected", "save it as UTF-8"])


def damaged_json(rng: random.Random, text: str) -> Case:
    while True:
        spoiled = damaged(rng, text)
        try:
            json.loads(spoiled)
        except json.JSONDecodeError as error:
            return Case(spoiled.encode(), [f"line {error.lineno}, column {error.colno}: not valid JSON: "])


def foreign(rng: random.Random, case: Case) -> Case:
    """Return a case as other programs save it: with a byte order mark, in UTF-16, with line ends of Windows."""
    text = case.data.decode()
    saved = rng.choice([text.encode("utf-8-sig"), text.encode("utf-16"), text.replace("\n", "\r\n").encode()])
    return Case(saved, case.words)


def zero_byte(rng: random.Random, text: str) -> Case:
    place = rng.randrange(len(text))
    spoiled = f"{text[:place]}\0{text[place:]}"
    return Case(spoiled.encode(), [f"line {text.count(chr(10), 0, place) + 1}: expected text in UTF-8", "a zero byte"])


# Sidecars

RECORD = {
    "prompt": "a red kite over the sea\nslow push in",
    "negative_prompt": "words, logo",
    "generator": "Runway",
    "model": "Gen-4",
    "seed": 1234567,
    "settings": {"seed": 1, "cfg": [7.5, {"steps": 30}]},
    "cost": {"amount": 0.35, "currency": "USD"},
    "reference_images": ["kite.png", "café.jpg"],
    "created": "2026-05-04T12:30:00Z",
    "likenesses": ["Ada", {"name": "Ben"}],
    "notes": "best one so far 🎬",
}
WRONG: dict[str, list[Any]] = {
    "prompt": [3, ["a"], {"a": 1}, True],
    "negative_prompt": [3, ["a"], False],
    "generator": [1.5, {}, ["x"]],
    "model": [4, [], True],
    "seed": ["x", 1.5, True, [1], {"a": 1}, "12 34", 1 << 70],
    "settings": [3, [1], True],
    "cost": ["free", -1, True, {"amount": "x"}, {"currency": "USD"}, [1]],
    "reference_images": [3, [1], {"a": "b"}, [["a"]]],
    "created": ["yesterday", "2026-13-45", True, [], 1e300],
    "likenesses": [3, [1], [{"who": "x"}], {"name": "x"}],
    "notes": [3, ["a"], {}, False],
}


def pretty(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=1, ensure_ascii=False)


def wrong_value(rng: random.Random) -> Case:
    key = rng.choice(list(WRONG))
    text = pretty(RECORD | {key: rng.choice(WRONG[key])})
    return Case(text.encode(), [line_of(text, f'\n "{key}":'), repr(key), "expected "])


def slip_in_a_key(rng: random.Random) -> Case:
    key = rng.choice([key for key in RECORD if len(key) > 4])
    slip = shortened(rng, key)
    assert field_of(slip) is None
    text = pretty({slip if name == key else name: value for name, value in RECORD.items()})
    return Case(text.encode(), [line_of(text, f'\n "{slip}":'), repr(slip), "expected", f"did you mean {key!r}"])


def no_number(rng: random.Random) -> Case:
    literal = rng.choice(["NaN", "Infinity", "-Infinity", "1e999", "9" * 30])
    text = pretty(RECORD).replace("1234567", literal)
    return Case(text.encode(), [line_of(text, '\n "seed":'), "'seed': expected a "])


def endless_number(rng: random.Random) -> Case:
    key, literal = rng.choice([("seed", "1234567"), ("cost", "0.35"), ("settings.cfg.1.steps", "30")])
    text = pretty(RECORD)
    assert text.count(literal) == 1 or key == "settings.cfg.1.steps"
    spoiled = text.replace(f": {literal}", f": {rng.choice(['', '-'])}{'7' * rng.choice([25, 400, 5000])}", 1)
    key = "cost.amount" if key == "cost" else key
    place = line_of(text, f": {literal}" if key != "settings.cfg.1.steps" else '"steps": 30')
    return Case(spoiled.encode(), [place, repr(key), "expected a whole number of at most 64 bits"])


def by_hand(rng: random.Random) -> Case:
    text = pretty(RECORD)
    good, slip, words = rng.choice(
        [
            ('"\n}', '",\n}', "expected another entry after the comma; take the comma out"),
            ('\n "seed"', "\n 'seed'", "expected a double quote, found a single one"),
            ('\n "seed"', '\n // the seed\n "seed"', "found a comment, which JSON does not have"),
            ('\n "seed"', '\n # the seed\n "seed"', "found a comment, which JSON does not have"),
            (" 1234567", " None", "not valid JSON: expected "),
            (" 1234567", " .5", "not valid JSON: expected "),
            ('": "Gen-4"', '" = "Gen-4"', "not valid JSON: expected "),
            ("push in", "push\tin", "not valid JSON: expected "),
        ]
    )
    spoiled = text.replace(good, slip)
    assert text.count(good) == 1
    with pytest.raises(json.JSONDecodeError) as told:
        json.loads(spoiled)
    return Case(spoiled.encode(), [f"line {told.value.lineno}, column {told.value.colno}: ", words])


def key_twice(rng: random.Random) -> Case:
    key = rng.choice(list(RECORD))
    text = pretty(RECORD).removesuffix("\n}") + f',\n\n "{key}": null\n}}'
    return Case(text.encode(), [line_of(text, f'\n\n "{key}":'), repr(key), "stands twice"])


def half_a_pair(rng: random.Random) -> Case:
    text = pretty(RECORD).replace("🎬", rng.choice(["\\ud83c", "\\udfac", "\\udfac\\ud83c"]))
    return Case(text.encode(), [line_of(text, '\n "notes":'), "'notes' holds half of a surrogate pair"])


def not_a_record(rng: random.Random) -> Case:
    deep = pretty(RECORD | {"settings": {"a": json.loads("[" * 40 + "]" * 40)}})
    return rng.choice(
        [
            Case(deep.encode(), ["nested too deeply; expected at most 32 levels"]),
            Case(b"[" * 50_000, ["nested too deeply; expected at most 32 levels"]),
            Case(f"[{pretty(RECORD)}]".encode(), ["line 1: expected one table of keys"]),
            Case(rng.choice([b'"x"', b"3", b"null", b"[]"]), ["line 1: expected one table of keys"]),
            Case(rng.choice([b"", b"\n", b" "]), ["not valid JSON", "expected a value"]),
            Case(b"\x89PNG\r\n\x1a\n" + rng.randbytes(200), ["line 1: expected UTF-8, found the byte 0x89"]),
        ]
    )


SLIPS: list[Make] = [
    wrong_value,
    wrong_value,
    slip_in_a_key,
    lambda rng: damaged_json(rng, pretty(RECORD)),
    lambda rng: wrong_bytes(rng, pretty(RECORD)),
    lambda rng: foreign(rng, wrong_value(rng)),
    lambda rng: zero_byte(rng, pretty(RECORD)),
    no_number,
    endless_number,
    by_hand,
    key_twice,
    half_a_pair,
    not_a_record,
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("one") / "one.mp4", frames=2, sound_hz=None)


def test_malformed_sidecars(tmp_path: Path, store: Path, one: Path) -> None:
    rng = random.Random(1)
    takes = [tmp_path / f"scene{number:02d}_take01.mp4" for number in range(AT_ONCE)]
    for take in takes:
        shutil.copy(one, take)
    turns = itertools.cycle(SLIPS)
    for _ in range(SIDECARS // AT_ONCE):
        cases = [next(turns)(rng) for _ in takes]
        for take, case in zip(takes, cases, strict=True):
            take.with_suffix(".json").write_bytes(case.data)
        done = postpipe("inspect", "--json", "--store", store, tmp_path)
        assert done.returncode == 0
        for take, case in zip(json.loads(done.stdout), cases, strict=True):
            told = [text for text in take["warnings"] if text.startswith(take["file"].replace(".mp4", ".json"))]
            assert any(all(word in text for word in case.words) for text in told), (case, told)


# Logs

COLUMNS = ["file", "prompt", "seed", "cost", "created"]


def rows() -> list[list[str]]:
    return [[f"scene{n:02d}_take01.mp4", f'"a kite,\n{n}"', str(n), "$0.35", "2026-05-04"] for n in range(4)]


def table(cells: list[list[str]], columns: list[str] = COLUMNS) -> str:
    return "".join(",".join(row) + "\n" for row in [columns, *cells])


def wrong_cell(rng: random.Random) -> Case:
    cells, row, column = rows(), rng.randrange(4), rng.choice([2, 3, 4])
    cells[row][column] = "nonsense"
    words = [f"line {2 * row + 2}:", repr(COLUMNS[column]), "expected ", "found 'nonsense'"]
    return Case(table(cells).encode(), words)


def wrong_row(rng: random.Random) -> Case:
    cells, row = rows(), rng.randrange(4)
    line = f"line {2 * row + 2}"
    match rng.randrange(4):
        case 0:
            cells[row][0] = "gone.mp4"
            return Case(table(cells).encode(), ["no take for", f"{line} ('gone.mp4')"])
        case 1:
            cells[row].append("more")
            return Case(table(cells).encode(), [f"{line}: expected 5 cells, found 6"])
        case 2:
            cells[row][1] = '"a kite'
            return Case(table(cells[: row + 1]).encode(), [f"{line}: expected cells in closed double quotes"])
        case _:
            again = f"line 10: is about the same take as {line}"
            return Case(table([*cells, cells[row]]).encode(), [again])


def wrong_header(rng: random.Random) -> Case:
    key = rng.choice(["prompt", "created"])
    slip = shortened(rng, key)
    columns = [slip if column == key else column for column in COLUMNS]
    return rng.choice(
        [
            Case(table(rows(), columns).encode(), [f"line 1: {slip!r}: expected a known key, did you mean {key!r}"]),
            Case(table(rows(), [*COLUMNS[:4], "seed"]).encode(), ["line 1: the column 'seed' stands twice"]),
            Case(
                table(rows(), ["a", *COLUMNS[1:]]).encode(), ["line 1: expected the names of columns, among them file"]
            ),
            Case(b"\n", ["line 1: expected the names of columns"]),
        ]
    )


def entries() -> list[dict[str, Any]]:
    return [{"file": f"scene{n:02d}_take01.mp4", "prompt": f"a kite {n}", "seed": n} for n in range(4)]


def wrong_shape(rng: random.Random) -> Case:
    listed, number = entries(), rng.randrange(4)
    listed[number]["seed"] = f"x{number}"
    named = {entry["file"]: {key: value for key, value in entry.items() if key != "file"} for entry in listed}
    text = json.dumps(rng.choice([listed, {"takes": listed}, named]), indent=1)
    told = [line_of(text, f'"seed": "x{number}"'), "'seed': expected a whole number"]
    return rng.choice(
        [
            Case(text.encode(), told),
            Case(b'[\n3, "x"]', ["line 2: expected a table of keys for each take, found 3"]),
            Case(rng.choice([b"3", b'"x"', b"true", b"null"]), ["line 1: expected a table of keys for each take"]),
            Case(b'{\n"takes": 3}', ["line 2: expected a table of keys for each take, found 3"]),
            Case(b'[\n{"seed": 1}]', ["no take for line 2 (names no file)"]),
            Case(b'[\n\n{"file": 3}]', ["no take for line 3 ('3')"]),
        ]
    )


def other_cells(rng: random.Random) -> Case:
    """The cells of spreadsheets elsewhere: between semicolons or tabs."""
    case = wrong_cell(rng)
    return Case(case.data.decode().replace(",", rng.choice(";\t")).encode(), case.words)


def wrong_entry(rng: random.Random) -> Case:
    listed, number = entries(), rng.randrange(4)
    if rng.random() < 0.5:
        listed[number]["seed"] = f"x{number}"
        text = json.dumps(listed, indent=1)
        return Case(text.encode(), [line_of(text, f'"seed": "x{number}"'), "'seed': expected a whole number"])
    lines = [json.dumps(entry) for entry in listed]
    lines[number] = damaged_json(rng, lines[number]).data.decode()
    return Case("\n".join(["{}", *lines]).encode(), [f"line {number + 2}, column ", "not valid JSON: "])


LOG_SLIPS: list[tuple[str, Make]] = [
    ("csv", wrong_cell),
    ("csv", wrong_row),
    ("csv", wrong_header),
    ("jsonl", wrong_entry),
    ("json", lambda rng: damaged_json(rng, json.dumps(entries(), indent=1))),
    ("json", wrong_shape),
    ("csv", lambda rng: wrong_bytes(rng, table(rows()))),
    ("csv", lambda rng: zero_byte(rng, table(rows()))),
    ("csv", lambda rng: foreign(rng, wrong_cell(rng))),
    ("csv", other_cells),
]


def test_malformed_logs(tmp_path: Path, store: Path, one: Path) -> None:
    rng = random.Random(2)
    for number in range(4):
        shutil.copy(one, tmp_path / f"scene{number:02d}_take01.mp4")
    for number, (suffix, make) in zip(range(LOGS), itertools.cycle(LOG_SLIPS), strict=False):
        case, log = make(rng), tmp_path / f"log{number}.{suffix}"
        log.write_bytes(case.data)
        done = postpipe("inspect", "--store", store, "--project-log", log.name, tmp_path)
        assert done.returncode == 0
        told = [text for text in (done.stdout + done.stderr).splitlines() if log.name in text]
        assert any(all(word in text for word in case.words) for text in told), (case, told)


# Settings

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


def test_malformed_settings(tmp_path: Path, one: Path) -> None:
    rng = random.Random(3)
    path = tmp_path / "postpipe.toml"
    path.write_text(toml({}))
    assert postpipe("plan", "--config", path).returncode == 0
    for _, make in zip(range(SETTINGS), itertools.cycle(SETTING_SLIPS), strict=False):
        case = make(rng)
        path.write_bytes(case.data)
        command = rng.choice([["plan"], ["inspect", one], ["run", one.parent, "-o", tmp_path / "out"]])
        done = postpipe(*command, "--config", path)
        assert done.returncode == 2
        told = [text for text in done.stderr.splitlines() if "postpipe.toml" in text]
        assert any(all(word in text for word in case.words) for text in told), (case, done.stderr)
        with pytest.raises(SettingsError) as caught:
            api.plan(config=path)
        assert [f"postpipe: {problem}" for problem in caught.value.problems] == done.stderr.splitlines()
    assert not (tmp_path / "out").exists()


def test_of_good_ones_nothing_is_said(tmp_path: Path, store: Path, one: Path) -> None:
    for number in range(4):
        shutil.copy(one, tmp_path / f"scene{number:02d}_take01.mp4")
    (tmp_path / "scene00_take01.json").write_text(pretty(RECORD))
    (tmp_path / "postpipe.toml").write_text(toml({}))
    for name, text in (("log.csv", table(rows())), ("log.json", json.dumps({"takes": entries()}))):
        (tmp_path / name).write_text(text)
        done = postpipe("inspect", "--store", store, "--project-log", name, tmp_path)
        assert done.returncode == 0
        assert not [line for line in (done.stdout + done.stderr).splitlines() if "expected" in line or "line " in line]
