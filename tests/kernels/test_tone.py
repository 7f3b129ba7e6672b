"""Tone curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from postpipe_kernels import tone


@pytest.mark.parametrize(("dtype", "entries"), [(np.uint8, 256), (np.uint16, 1024)])
def test_inverting_twice_in_place_changes_nothing(dtype: Any, entries: int) -> None:
    plane = np.random.default_rng(0).integers(0, entries, (11, 37)).astype(dtype)
    turned = plane.copy()
    curve = np.arange(entries)[::-1].astype(dtype)
    tone.apply_curve(turned, curve, turned)
    np.testing.assert_array_equal(turned, entries - 1 - plane)
    tone.apply_curve(turned, curve, turned)
    np.testing.assert_array_equal(turned, plane)


def test_curve_may_change_the_type() -> None:
    plane = np.arange(256, dtype=np.uint8).reshape(16, 16)
    deeper = np.empty((16, 16), np.uint16)
    tone.apply_curve(plane, np.arange(256, dtype=np.uint16) * 4, deeper)
    np.testing.assert_array_equal(deeper, plane.astype(np.uint16) * 4)


def test_samples_beyond_the_curve_take_its_end() -> None:
    plane = np.array([[3, 4, 65535]], np.uint16)
    tone.apply_curve(plane, np.array([9, 8, 7, 6], np.uint16), plane)
    assert plane.tolist() == [[6, 6, 6]]


@settings(deadline=None, max_examples=20)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)), hnp.arrays(np.uint8, (256,)))
def test_any_curve_is_applied_exactly(plane: Any, curve: Any) -> None:
    out = np.empty(plane.shape[::-1], np.uint8).T
    tone.apply_curve(plane, curve, out)
    np.testing.assert_array_equal(out, curve[plane])


def test_what_does_not_fit_is_refused() -> None:
    plane = np.zeros((4, 4), np.uint8)
    curve = np.arange(256, dtype=np.uint8)
    fixed = plane.copy()
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        tone.apply_curve(plane, curve, fixed)
    with pytest.raises(ValueError, match="curve must be 1-D uint8, not uint16"):
        tone.apply_curve(plane, curve.astype(np.uint16), plane)
    with pytest.raises(ValueError, match="curve has 257 entries"):
        tone.apply_curve(plane, np.zeros(257, np.uint8), plane)
    with pytest.raises(ValueError, match="out has shape"):
        tone.apply_curve(plane, curve, plane[:2])
