"""Artifacts survive the way to bytes and back; digests tell apart what differs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from postpipe.engine import pack
from postpipe.model import Artifact


@dataclass(frozen=True)
class Inner:
    ratio: Fraction
    name: str | None


@dataclass(frozen=True)
class Example(Artifact):
    schema: ClassVar[str] = "test.example.1"
    path: Path
    parts: tuple[Inner, ...]
    table: dict[str, float]
    curve: NDArray[np.float32]
    more: tuple[NDArray[np.int64], ...] = ()


def example(curve: NDArray[np.float32]) -> Example:
    inner = (Inner(Fraction(1, 3), None), Inner(Fraction(2), "two"))
    return Example(Path("a/b c.mp4"), inner, {"x": 1.5}, curve, (np.arange(3), np.arange(0)))


def test_round_trip() -> None:
    before = example(np.linspace(0, 1, 5, dtype=np.float32))
    text, arrays = pack.pack(before)
    after = pack.unpack(Example, text, pack.arrays_from_npz(pack.arrays_to_npz(arrays)))
    assert (after.path, after.parts, after.table) == (before.path, before.parts, before.table)
    np.testing.assert_array_equal(after.curve, before.curve)
    assert after.curve.dtype == np.float32
    assert [len(array) for array in after.more] == [3, 0]


def test_numbers_that_json_cannot_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        pack.pack(_Level(float("nan")))


@dataclass(frozen=True)
class _Level:
    decibels: float


@given(st.lists(st.one_of(st.text(max_size=5), st.integers(), st.binary(max_size=5)), max_size=4))
def test_digest_depends_on_every_boundary(parts: list[object]) -> None:
    assert pack.digest(*parts) == pack.digest(*parts)
    assert pack.digest(*parts) != pack.digest(*parts, "")
    assert pack.digest(*parts) != pack.digest(parts)
    if parts and isinstance(parts[0], str):
        assert pack.digest(*parts) != pack.digest(parts[0] + "x", *parts[1:])


def test_digest_sees_arrays_and_their_type() -> None:
    flat = example(np.zeros(4, np.float32))
    assert pack.digest(flat) == pack.digest(example(np.zeros(4, np.float32)))
    assert pack.digest(flat) != pack.digest(example(np.array([0, 0, 0, 1], np.float32)))
    assert pack.digest(flat) != pack.digest(example(np.zeros(4, np.float64)))  # type: ignore[arg-type]
