"""Planes to pixels and back: constants of the standards, siting, and what comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from postpipe_kernels import pixels, reference

Planes = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

SAMPLINGS = {"444": (1, 1), "422": (1, 2), "420": (2, 2)}


def tame(height: int, width: int, bits: int, sampling: str, seed: int) -> Planes:
    """Return noise whose colours all lie inside R'G'B', so that nothing is clipped."""
    down, across = SAMPLINGS[sampling]
    dtype, unit = (np.uint8, 1) if bits == 8 else (np.uint16, 4)
    numbers = np.random.default_rng(seed)
    chroma = -(-height // down), -(-width // across)
    luma = numbers.integers(90 * unit, 160 * unit, (height, width)).astype(dtype)
    blue, red = (numbers.integers(108 * unit, 148 * unit, chroma).astype(dtype) for _ in range(2))
    return luma, blue, red


def there_and_back(planes: Planes, bits: int, pixel_bits: int, range_: str = "limited") -> Planes:
    height, width = planes[0].shape
    picture = np.zeros((height, width, 3), np.uint8 if pixel_bits == 8 else np.uint16)
    pixels.to_pixels(planes, bits, *pixels.pixel_matrix("bt709", range_, bits, pixel_bits), picture)
    luma, blue, red = (np.zeros_like(plane) for plane in planes)
    pixels.from_pixels(picture, *pixels.plane_matrix("bt709", range_, bits, pixel_bits), (luma, blue, red), bits)
    return luma, blue, red


def test_bars_have_the_colours_of_the_standard() -> None:
    bars = [(235, 128, 128), (219, 16, 138), (188, 154, 16), (63, 102, 240), (32, 240, 118), (16, 128, 128)]
    planes = tuple(np.array([bars], np.uint8)[..., i].copy() for i in range(3))
    out = np.zeros((1, 6, 3), np.uint8)
    pixels.to_pixels(planes, 8, *pixels.pixel_matrix("bt709", "limited", 8, 8), out)  # type: ignore[arg-type]
    expected = [(255, 255, 255), (0, 255, 255), (255, 255, 0), (0, 0, 255), (255, 0, 0), (0, 0, 0)]  # B, G, R
    assert np.abs(out[0].astype(int) - expected).max() <= 2  # the bars themselves are rounded


@pytest.mark.parametrize(("bits", "white"), [(8, 255), (16, 65535)])
def test_white_and_black_span_the_type(bits: int, white: int) -> None:
    grey = np.full((2, 2), 512, np.uint16)
    out = np.zeros((2, 2, 3), np.uint8 if bits == 8 else np.uint16)
    for luma, value in ((940, white), (64, 0)):
        planes = (np.full((2, 2), luma, np.uint16), grey, grey)
        pixels.to_pixels(planes, 10, *pixels.pixel_matrix("smpte170m", "limited", 10, bits), out)
        assert (out == value).all()


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 13).map(lambda n: 2 * n),
    width=st.integers(1, 37),
    bits=st.sampled_from([8, 10]),
    sampling=st.sampled_from(list(SAMPLINGS)),
    range_=st.sampled_from(["limited", "full"]),
    seed=st.integers(0, 1000),
)
def test_sixteen_bits_bring_every_code_back(
    height: int, width: int, bits: int, sampling: str, range_: str, seed: int
) -> None:
    planes = tame(height, width, bits, sampling, seed)
    for plane, again in zip(planes, there_and_back(planes, bits, 16, range_), strict=True):
        np.testing.assert_array_equal(plane, again)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_eight_bits_cost_little(sampling: str) -> None:
    planes = tame(64, 96, 8, sampling, 5)
    for plane, again in zip(planes, there_and_back(planes, 8, 8), strict=True):
        error = plane.astype(int) - again
        assert np.abs(error).max() <= 1
        assert 10 * np.log10(255**2 / max((error**2).mean(), 1e-9)) > 60


def test_filters_are_the_inverse_of_linear_interpolation_at_every_edge() -> None:
    for length in range(1, 12):
        for sited in (True, False):
            if not sited and length % 2:
                continue  # the last row of an odd height has no partner
            target = -(-length // 2)
            chroma = np.random.default_rng(length).random((target, 3))
            wide = reference.chroma_at_luma(chroma.T if sited else chroma, (3, length) if sited else (length, 3))
            taps = pixels.chroma_taps(length, target, sited=sited)
            again = reference._weighted(wide.T if sited else wide, taps)
            np.testing.assert_allclose(again, chroma, atol=1e-6)


def test_shapes_that_do_not_fit_are_refused() -> None:
    plane = np.zeros((4, 4), np.uint8)
    conversion = pixels.pixel_matrix("bt709", "limited", 8, 8)
    with pytest.raises(ValueError, match=r"pixels must be contiguous, uint8 or uint16, of shape \(4, 4, 3\)"):
        pixels.to_pixels((plane, plane, plane), 8, *conversion, np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(ValueError, match="does not go with luma"):
        pixels.to_pixels((plane, plane[:3], plane[:3]), 8, *conversion, np.zeros((4, 4, 3), np.uint8))
