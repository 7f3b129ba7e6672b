"""Slips in sidecars and logs of takes."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from postpipe.stages.records import field_of
from tests.cli.slips import Case, Make, damaged_json, foreign, line_of, shortened, wrong_bytes, zero_byte

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
