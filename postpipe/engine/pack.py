"""Artifacts to bytes and back: JSON for the fields, npz for the arrays, and digests of both.

No pickle: what is read back is checked against the artifact's type, field by field.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from postpipe.model import Artifact

T = TypeVar("T", bound=Artifact)

_reading = threading.Lock()
"""NumPy reads the head of an array with Python's parser, and that of 3.11 fails now and then in two threads at once."""


def _encode_hook(arrays: list[np.ndarray[Any, Any]]) -> Any:
    def hook(value: object) -> object:
        match value:
            case Fraction():
                return f"{value.numerator}/{value.denominator}"
            case Path():
                return str(value)
            case np.ndarray():
                arrays.append(value)
                return {"array": len(arrays) - 1}
            case np.integer() | np.floating() | np.bool_():
                return value.item()
        raise TypeError(f"{type(value).__name__} cannot be stored")

    return hook


def pack(value: object) -> tuple[bytes, list[np.ndarray[Any, Any]]]:
    """Return the canonical JSON of a dataclass and its arrays in the order in which they occur."""
    arrays: list[np.ndarray[Any, Any]] = []
    tree = msgspec.to_builtins(value, enc_hook=_encode_hook(arrays), str_keys=True, order="deterministic")
    return msgspec.json.encode(_finite(tree), order="deterministic"), arrays


def _finite(tree: Any) -> Any:
    """JSON has no NaN or infinity: they are stored as `null`, so refuse them early instead."""
    if isinstance(tree, float) and not math.isfinite(tree):
        raise ValueError("a fact holds a number that is not finite; use None for 'not measurable'")
    if isinstance(tree, dict):
        return {key: _finite(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_finite(value) for value in tree]
    return tree


def unpack(kind: type[T], text: bytes, arrays: list[np.ndarray[Any, Any]]) -> T:
    """Rebuild an artifact of type `kind`. Raises `msgspec.ValidationError` or `IndexError` on any mismatch."""

    def hook(expected: Any, value: Any) -> Any:
        if expected is Fraction:
            return Fraction(value)
        if isinstance(expected, type) and issubclass(expected, Path):
            return Path(value)
        return arrays[value["array"]]  # the only other stored type

    return msgspec.convert(msgspec.json.decode(text), kind, dec_hook=hook)


def arrays_to_npz(arrays: list[np.ndarray[Any, Any]]) -> bytes:
    """Return the arrays as the bytes of an `.npz` file."""
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    return buffer.getvalue()


def arrays_from_npz(data: bytes) -> list[np.ndarray[Any, Any]]:
    """Return the arrays of an `.npz` file, in order. Object arrays (pickles) are refused."""
    with _reading, np.load(io.BytesIO(data), allow_pickle=False) as file:
        return [file[f"arr_{number}"] for number in range(len(file.files))]


def digest(*parts: object) -> str:
    """Return a SHA-256 over strings, bytes, numbers, dataclasses and tuples of these, in order.

    Each part is tagged with its type and length, so that no two sequences of parts collide.
    """
    state = hashlib.sha256()
    for part in parts:
        _feed(state, part)
    return state.hexdigest()


def _feed(state: Any, part: object) -> None:
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        text, arrays = pack(part)
        _feed(state, type(part).__qualname__)
        _feed(state, text)
        for array in arrays:
            _feed(state, f"{array.dtype.str}{array.shape}")
            _feed(state, np.ascontiguousarray(array).tobytes())
    elif isinstance(part, list | tuple):
        state.update(f"({len(part)}:".encode())
        for item in part:
            _feed(state, item)
    elif isinstance(part, bytes):
        state.update(f"b{len(part)}:".encode() + part)
    else:
        text_form = f"{type(part).__name__}:{part}".encode()
        state.update(f"s{len(text_form)}:".encode() + text_form)
