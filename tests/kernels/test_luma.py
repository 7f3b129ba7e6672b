"""Luma measures with answers that can be worked out by hand."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from postpipe_kernels import luma, reference


def measure(plane: NDArray[Any], previous: NDArray[Any] | None = None, bits: int = 8) -> tuple[Any, ...]:
    out = luma.empty_measures(plane.shape[0], plane.shape[1], bits)
    return (*out, luma.measure_luma(plane, previous, bits, *out))


def test_flat_picture() -> None:
    histogram, tiles, small, _, change = measure(np.full((64, 128), 7, np.uint8), np.full((64, 128), 10, np.uint8))
    assert histogram[7] == 64 * 128
    assert histogram.sum() == 64 * 128
    assert (tiles == 7 * 8 * 16).all()
    assert (small == 7).all()
    assert small.shape == (8, 16)
    assert change == 3 * 64 * 128


def test_change_is_none_without_a_frame_before() -> None:
    assert measure(np.zeros((4, 4), np.uint8))[4] is None


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 10)])
def test_extremes_do_not_overflow(dtype: Any, bits: int) -> None:
    top = (1 << bits) - 1
    white, black = np.full((24, 40), top, dtype), np.zeros((24, 40), dtype)
    histogram, tiles, small, _, change = measure(white, black, bits)
    assert histogram[top] == 24 * 40
    assert tiles.sum() == 24 * 40 * top
    assert (small == top).all()
    assert change == 24 * 40 * top


def test_every_code_value_is_counted_once() -> None:
    plane = np.arange(1024, dtype=np.uint16).reshape(32, 32)
    assert (measure(plane, bits=10)[0] == 1).all()


def test_blocks_round_half_up_and_edges_use_what_they_have() -> None:
    plane = np.zeros((9, 9), np.uint8)
    plane[:4, :8] = 1  # mean 1/2 of the first block
    plane[8, :4] = 1  # 4 of the 8 pixels of the block below
    plane[8, 8] = 5
    assert measure(plane)[2].tolist() == [[1, 0], [1, 5]]


def test_tiles_begin_at_blocks() -> None:
    assert luma.tile_edges(1920) == [0, 240, 480, 720, 960, 1200, 1440, 1680, 1920]
    assert luma.tile_edges(1080) == [0, 128, 264, 400, 536, 672, 808, 944, 1080]
    assert luma.tile_edges(20) == [0, 0, 0, 8, 8, 8, 16, 16, 20]


def test_samples_out_of_range_stay_in_bounds() -> None:
    plane = np.full((8, 8), 1024 + 5, np.uint16)
    histogram, _, small, _, change = measure(plane, np.full((8, 8), 5, np.uint16), bits=10)
    assert histogram[5] == 64
    assert small.tolist() == [[5]]
    assert change == 0


@pytest.mark.parametrize("few_pixels", [0, 1 << 30], ids=["counting as in large planes", "as in small ones"])
@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_measures_are_those_of_the_twin(few_pixels: int, data: st.DataObject) -> None:
    dtype, bits = data.draw(st.sampled_from([(np.uint8, 8), (np.uint16, 10)]))
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    planes = hnp.arrays(dtype, shape, elements=st.integers(0, (1 << bits) - 1))
    current, before = data.draw(planes), data.draw(planes)
    every = data.draw(st.integers(1, 11))
    out, twin = luma.empty_measures(*shape, bits), luma.empty_measures(*shape, bits)
    with mock.patch.object(luma, "_FEW_PIXELS", few_pixels):
        change = luma.measure_luma(current, before, bits, *out, every)
    assert change == reference.measure_luma(current, before, bits, *twin, every)
    for ours, theirs in zip(out, twin, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert out[0].sum() == current[::every].size
    assert out[1].sum() == current.sum() == out[3].sum()


def test_sharpness_of_one_bright_pixel_is_the_most_there_is() -> None:
    plane = np.zeros((3, 3), np.uint8)
    plane[1, 1] = 255
    assert luma.sharpness(plane, 8) == 16.0
    assert luma.sharpness(plane.astype(np.uint16) * 4 + 3 * (plane > 0).astype(np.uint16), 10) == 16.0


def test_sharpness_of_a_ramp_is_zero() -> None:
    ramp = np.add.outer(np.arange(40), 2 * np.arange(60)).astype(np.uint8)
    assert luma.sharpness(ramp, 8, step=1) == 0.0


def test_sharpness_falls_with_blur_and_needs_inner_pixels() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64)).astype(np.uint8)
    blurred = ((noise.astype(np.uint16) + np.roll(noise, 1, axis=1)) // 2).astype(np.uint8)
    assert luma.sharpness(blurred, 8) < 0.7 * luma.sharpness(noise, 8)
    assert luma.sharpness(noise[:2], 8) == 0.0


def test_what_does_not_fit_is_refused() -> None:
    plane = np.zeros((8, 8), np.uint8)
    out = luma.empty_measures(8, 8, 8)
    with pytest.raises(ValueError, match="2-D plane"):
        luma.measure_luma(np.zeros((0, 8), np.uint8), None, 8, *out)
    with pytest.raises(ValueError, match="uint8 planes cannot have 10 bits"):
        luma.measure_luma(plane, None, 10, *out)
    with pytest.raises(ValueError, match=r"previous has shape \(8, 4\)"):
        luma.measure_luma(plane, plane[:, :4], 8, *out)
    with pytest.raises(ValueError, match="previous is uint16"):
        luma.measure_luma(plane, plane.astype(np.uint16), 8, *out)
    with pytest.raises(ValueError, match=r"histogram must be C-contiguous uint32 \(256,\)"):
        luma.measure_luma(plane, None, 8, out[0][:100], *out[1:])
    with pytest.raises(ValueError, match="count_every must be at least 1"):
        luma.measure_luma(plane, None, 8, *out, 0)
    with pytest.raises(ValueError, match="step must be at least 1"):
        luma.sharpness(plane, 8, step=0)
