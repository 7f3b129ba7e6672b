"""The values of settings: read as their parameter's type, and told in words where they are not of it."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

from postpipe.timing import parse_rate


def read_value(type_: Any, value: Any, *, text: bool = False) -> Any:
    """Return a setting as its parameter's type. Raises `ValueError` or `msgspec.ValidationError`."""

    def hook(expected: Any, raw: Any) -> Any:
        if expected is Fraction and isinstance(raw, str | int | float) and not isinstance(raw, bool):
            return parse_rate(str(raw))
        raise ValueError(f"expected {expected.__name__}")

    if text and isinstance(value, str) and words(type_)[0].endswith(",…"):
        value = [part.strip() for part in value.split(",") if part.strip()]
    result = msgspec.convert(value, type_, strict=not text, dec_hook=hook)
    if isinstance(result, float) and not math.isfinite(result):
        raise ValueError("expected a number that is finite")
    return result


def words(type_: Any) -> list[str]:
    """Return what may stand for a value of this type on a command line."""
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is typing.Annotated:
        return words(arguments[0])
    if origin is typing.Literal:
        return [str(argument) for argument in arguments]
    if origin in (typing.Union, types.UnionType):
        found = (word for argument in arguments if argument is not type(None) for word in words(argument))
        return list(dict.fromkeys(found))
    if origin is tuple:
        return [f"{word},…" for word in words(arguments[0])]
    short = {str: "TEXT", int: "NUMBER", float: "NUMBER", bool: "true|false", Fraction: "RATE"}
    return [short.get(type_, "VALUE")]


def entry_type(type_: Any) -> Any:
    """Return what the entries of a table are: `dict[str, T]` → `T`."""
    plain = typing.get_args(type_)[0] if typing.get_origin(type_) is typing.Annotated else type_
    return typing.get_args(plain)[1]


# Faults in words


class Fault(NamedTuple):
    """A value that is not what its key takes: the keys that lead to it, the value, and what was expected."""

    route: tuple[str, ...]
    value: Any
    expected: str


def faults(type_: Any, value: Any, route: tuple[str, ...], error: Exception, *, text: bool = False) -> Iterator[Fault]:
    """Yield what is wrong with a value that `read_value` refused with `error`; in a table, key by key."""
    inner: list[Fault] = []
    known = _keys(type_, value) if isinstance(value, Mapping) else {}
    for key, item in value.items() if known else ():
        try:
            read_value(type_, {key: item}, text=text)
        except (msgspec.ValidationError, ValueError) as fault:
            at = (*route, str(key))
            if key in known:
                inner += faults(known[key], item, at, fault, text=text)
            else:
                inner.append(Fault(at, item, f"there is no such key; expected {', '.join(known)}"))
    if inner:
        yield from inner
        return
    try:
        read_value(type_, value, text=text)
    except (msgspec.ValidationError, ValueError):
        yield Fault(route, value, expectation(type_) or _plain(error))
    else:  # its type lets it pass: what it stands in does not
        yield Fault(route, value, _plain(error))


def _keys(type_: Any, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that a table of this type takes, with their types; none where it is no table."""
    plain = typing.get_args(type_)[0] if typing.get_origin(type_) is typing.Annotated else type_
    if typing.get_origin(plain) is dict:
        return dict.fromkeys(value, entry_type(plain))
    if not (isinstance(plain, type) and issubclass(plain, msgspec.Struct)):
        return {}
    hints = typing.get_type_hints(plain, include_extras=True)
    return {field.encode_name: hints[field.name] for field in msgspec.structs.fields(plain)}


def _plain(error: Exception) -> str:
    """Return an error's text without the path that msgspec ends it with."""
    return str(error).partition(" - at `")[0]


def expectation(type_: Any, meta: tuple[msgspec.Meta, ...] = ()) -> str | None:
    """Return in words what a parameter of this type takes, or `None` for a type that has no words."""
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is typing.Annotated:
        return expectation(arguments[0], tuple(m for m in arguments[1:] if isinstance(m, msgspec.Meta)))
    if origin is typing.Literal:
        return "expected " + " or ".join(map(repr, arguments))
    if origin in (typing.Union, types.UnionType):
        each = [expectation(argument, meta) for argument in arguments if argument is not type(None)]
        return None if None in each else " or ".join(filter(None, each)).replace(" or expected", " or")
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return "expected a table of keys"
    name = _NAMES.get(type_)
    if name is None:
        return None
    bounds = [bound for one in meta if (bound := _bounds(one))]
    examples = [f"such as {example!r}" for one in meta for example in (one.examples or [])[:1]]
    return " ".join(["expected", name, *bounds, *examples]).replace(" ,", ",")


def _bounds(meta: msgspec.Meta) -> str:
    if meta.ge is not None and meta.le is not None:
        return f"from {meta.ge} to {meta.le}"
    limits = (("{} or more", meta.ge), ("above {}", meta.gt), ("{} or less", meta.le), ("below {}", meta.lt))
    return "".join(f", {form.format(limit)}" for form, limit in limits if limit is not None)


_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Fraction: "a rate such as 24, 23.976 or 24000/1001",
    tuple[str, ...]: "a list of texts",
}


def brief(value: object) -> str:
    """Return a value of the user's for a message, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        text = "a whole number of thousands of digits"
    return text if len(text) <= 60 else text[:59] + "…"


def printable(name: str) -> str:
    """Return a name of the user's for a message: as it stands, or with escapes where it would not show."""
    return name if name.isprintable() else repr(name)[1:-1]
