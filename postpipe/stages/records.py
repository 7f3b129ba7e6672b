"""What people write down about a take, in their own spellings, to the names and types that are kept."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from postpipe.documents import DocumentError, parse_json
from postpipe.sidecar import Cost, Sidecar

_SPELLINGS = {
    "file": "file filename filepath path clip clipname clipfile video videofile videopath output outputfile name",
    "scene": "scene sceneno scenenumber sceneid",
    "take": "take takeno takenumber takeid",
    "prompt": "prompt positiveprompt textprompt prompttext positive",
    "negative_prompt": "negativeprompt negative negprompt",
    "model": "model modelname modelid modelversion checkpoint",
    "generator": "generator service provider platform tool",
    "seed": "seed noiseseed randomseed",
    "settings": "settings parameters params options generationsettings",
    "cost": "cost costs price credits",
    "currency": "currency",
    "reference_images": "referenceimages referenceimage references reference refs images image inputimages inputimage",
    "notes": "notes note comments comment remarks remark",
    "created": "created createdat createdon creationdate date datetime timestamp",
    "likenesses": "likenesses likeness people persons",
}
_FIELDS = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_RANK = {spelling: rank for rank, spelling in enumerate(_FIELDS)}
_COST_IN = r"(?:costs?|price)(?:in)?(usd|eur|gbp|jpy|cny|krw|inr|chf|cad|aud|credits)"
PLACES = ("file", "scene", "take")
"""The names that say which take is meant."""


def field_of(key: str) -> str | None:
    """Return the name under which a key or column is kept: `Negative prompt` is `negative_prompt`, else `None`."""
    plain = _plain(key)
    return _FIELDS.get(plain) or ("cost" if re.fullmatch(_COST_IN, plain) else None)


def place_of(record: Mapping[str, Any], name: str) -> str | None:
    """Return what a record says about its `file`, `scene` or `take`, by its usual spelling first."""
    given = sorted((_RANK[_plain(key)], key) for key in record if field_of(key) == name)
    values = (record[key] for _, key in given if isinstance(record[key], str | int))
    return next((text for value in values if (text := str(value).strip())), None)


def read_record(record: Mapping[str, Any], source: str, line: Callable[[str], str], *, hints: bool = True) -> Sidecar:
    """Return what a record says. What cannot be taken in stays in `extra`, and `warnings` say so.

    `source` names where the record stands, `line` returns where a key of it does, for messages. With `hints`, a key
    that is nearly one that is known is among the warnings.
    """
    kept: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    warnings: list[str] = []
    for key in sorted(record, key=lambda key: _RANK.get(_plain(key), len(_RANK))):
        value, name = record[key], field_of(key)
        if value is None or value == "":
            continue
        if name in _READERS and name not in kept:
            try:
                kept[name] = _READERS[name](value)
                continue
            except ValueError as error:
                warnings.append(
                    f"{line(key)}: {_brief(key)}: expected {error}, found {_brief(value)}; kept under extra"
                )
        elif name in kept:
            warnings.append(f"{line(key)}: {_brief(key)}: expected {name} once, found it again; kept under extra")
        elif hints and (hint := near_miss(key, record)):
            warnings.append(f"{line(key)}: {hint}")
        extra[key] = value
    currency = kept.pop("currency", None) or next(filter(None, map(_currency_in, record)), None)
    if "cost" in kept and kept["cost"].currency is None:
        kept["cost"] = Cost(kept["cost"].amount, currency)
    return Sidecar(sources=(source,), extra=extra, warnings=tuple(warnings), **kept)


def near_miss(key: str, keys: Iterable[str]) -> str | None:
    """Return a hint where a key of `keys` is unknown, and near to one that is known and not among them."""
    if field_of(key) is not None:
        return None
    given = {field_of(other) for other in keys}
    known = {_plain(name): name for name in _SPELLINGS if name not in given}
    plain = _plain(key)
    swapped = [name for name in known if sorted(name) == sorted(plain)]
    near = swapped or difflib.get_close_matches(plain, known, n=1, cutoff=0.81)  # 0.8 is one other letter of five
    return f"{_brief(key)}: expected a known key, did you mean {known[near[0]]!r}? Kept under extra" if near else None


def _plain(key: str) -> str:
    return "".join(character for character in key.casefold() if character.isalnum())


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 48 else text[:47] + "…"


# One reader for each name: it returns the value, or raises `ValueError` with what it expected.


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    raise ValueError("a text")


def _seed(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,20}(\.0+)?", value.strip()):
        value = int(value.strip().partition(".")[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 64:
        return value
    raise ValueError("a whole number of at most 64 bits")


def _settings(value: object) -> dict[str, Any]:
    if isinstance(value, str):  # a cell of a table: JSON, or words
        try:
            table = parse_json(value)[0]
        except DocumentError:
            table = None
        return table if isinstance(table, dict) else {"text": value.strip()}
    if isinstance(value, dict):
        return value
    raise ValueError('a table such as {"steps": 30}')


_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
_COST = r"(?P<before>[^\d\s.,-]{1,8})?\s*(?P<amount>\d[\d.,' \u00a0]{0,20})\s*(?P<after>[^\d\s.,-]{1,8})?"


def _cost(value: object) -> Cost:
    expected = '0 or more, a number or a text such as "0.35 USD"'
    if isinstance(value, dict):
        amount, currency = value.get("amount", value.get("value")), value.get("currency")
        if isinstance(amount, dict) or not isinstance(currency, str | None):
            raise ValueError('a table such as {"amount": 0.35, "currency": "USD"}')
        return Cost(_cost(amount).amount, currency)
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return Cost(Fraction(str(value)))
    match = re.fullmatch(_COST, value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(expected)
    currency = match["before"] or match["after"]
    try:
        return Cost(Fraction(_decimal(match["amount"])), _SIGNS.get(currency, currency) if currency else None)
    except ValueError:
        raise ValueError(expected) from None


def _decimal(text: str) -> str:
    """Return a number with a decimal point from `1,234.50`, `1.234,50`, `0,35` or `1 234`. Raises `ValueError`."""
    digits = re.sub(r"[' \u00a0]", "", text)
    if re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?", digits):
        return digits.replace(",", "")
    if re.fullmatch(r"[1-9]\d{0,2}((\.\d{3})+,\d+|(\.\d{3}){2,})", digits):
        return digits.replace(".", "").replace(",", ".")
    if re.fullmatch(r"\d+([.,]\d+)?", digits):
        return digits.replace(",", ".")
    raise ValueError(text)


def _currency_in(key: str) -> str | None:
    """Return the currency that the name of a column says: `cost_usd`, `credits`."""
    plain = _plain(key)
    match = re.fullmatch(_COST_IN, plain)
    named = match[1] if match else plain if plain == "credits" else None
    return named if named in (None, "credits") else named.upper()


def _images(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = re.split(r"[;|\n]", value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(item.strip() for item in value if item.strip())
    raise ValueError("a list of file names")


def _created(value: object) -> str:
    expected = "a time such as 2026-05-04T12:30:00Z"
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):  # since 1970, in seconds or milliseconds
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC).isoformat()
        datetime.fromisoformat(_text(value))
        return _text(value)
    except (ValueError, OverflowError, OSError):
        raise ValueError(expected) from None


def _likenesses(value: object) -> tuple[dict[str, Any], ...]:
    if isinstance(value, str):
        value = [name.strip() for name in re.split(r"[;|\n]", value) if name.strip()]
    items = [{"name": item} if isinstance(item, str) else item for item in value] if isinstance(value, list) else [None]
    if all(isinstance(item, dict) and isinstance(item.get("name"), str) and item["name"] for item in items):
        return tuple(item for item in items if isinstance(item, dict))
    raise ValueError('a list of names, or of tables such as {"name": "…"}')


_READERS: dict[str, Callable[[object], Any]] = {
    "prompt": _text,
    "negative_prompt": _text,
    "model": _text,
    "generator": _text,
    "seed": _seed,
    "settings": _settings,
    "cost": _cost,
    "currency": _text,
    "reference_images": _images,
    "notes": _text,
    "created": _created,
    "likenesses": _likenesses,
}
