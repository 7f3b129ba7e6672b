"""Slips in files that people write, whose places are known: of texts of any kind."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import NamedTuple


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
