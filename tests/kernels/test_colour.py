"""Colour conversion and the point operation, against constants of the standards and exact arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from postpipe_kernels import colour, point, reference

BARS_601 = [(235, 128, 128), (210, 16, 146), (170, 166, 16), (145, 54, 34)]
BARS_601 += [(106, 202, 222), (81, 90, 240), (41, 240, 110), (16, 128, 128)]
BARS_709 = [(235, 128, 128), (219, 16, 138), (188, 154, 16), (173, 42, 26)]
BARS_709 += [(78, 214, 230), (63, 102, 240), (32, 240, 118), (16, 128, 128)]
"""100 % colour bars, 8 bits, limited range: white, yellow, cyan, green, magenta, red, blue, black."""

Planes = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def frame(height: int, width: int, bits: int, subsampling: tuple[int, int] = (2, 2), seed: int = 0) -> Planes:
    """Return noise over all code values; subsampling is (down, across)."""
    dtype = np.uint8 if bits == 8 else np.uint16
    chroma = -(-height // subsampling[0]), -(-width // subsampling[1])
    numbers = np.random.default_rng(seed)
    luma, blue, red = (numbers.integers(0, 1 << bits, shape) for shape in ((height, width), chroma, chroma))
    return luma.astype(dtype), blue.astype(dtype), red.astype(dtype)


def like(planes: Planes, bits: int) -> Planes:
    dtype = np.uint8 if bits == 8 else np.uint16
    luma, blue, red = (np.zeros(plane.shape, dtype) for plane in planes)
    return luma, blue, red


@pytest.mark.parametrize("bits", [8, 10])
def test_colour_bars_go_from_601_to_709(bits: int) -> None:
    dtype = np.uint8 if bits == 8 else np.uint16
    scale = 1 << (bits - 8)
    planes = tuple((np.array([BARS_601])[..., i] * scale).astype(dtype) for i in range(3))
    out = like(planes, bits)  # type: ignore[arg-type]
    conversion = colour.ycbcr_matrix("smpte170m", "limited", bits, "bt709", "limited", bits)
    colour.convert_ycbcr(planes, bits, *conversion, out, bits)  # type: ignore[arg-type]
    for i in range(3):  # the bars themselves are rounded
        assert np.abs(out[i].astype(int) - np.array([BARS_709])[..., i] * scale).max() <= scale


@pytest.mark.parametrize("matrix", colour.KR_KB)
def test_white_red_and_grey_have_the_codes_of_the_standard(matrix: str) -> None:
    to_ycbcr = colour.rgb_to_ycbcr(matrix)
    np.testing.assert_allclose(to_ycbcr @ [1.0, 1.0, 1.0], [1.0, 0.0, 0.0], atol=1e-15)
    assert (to_ycbcr @ [1.0, 0.0, 0.0])[2] == pytest.approx(0.5)
    assert (to_ycbcr @ [0.0, 0.0, 1.0])[1] == pytest.approx(0.5)
    scale, zero = colour.code_scale("limited", 10)
    assert (scale * (1.0, 0.5, 0.5) + zero).tolist() == [940.0, 960.0, 960.0]


@settings(max_examples=40)
@given(st.data())
def test_conversions_undo_each_other_and_keep_grey(data: st.DataObject) -> None:
    matrices, ranges = st.sampled_from(list(colour.KR_KB)), st.sampled_from(["limited", "full"])
    codings = st.tuples(matrices, ranges, st.sampled_from([8, 10]))
    first, second = data.draw(codings), data.draw(codings)
    there, back = colour.ycbcr_matrix(*first, *second), colour.ycbcr_matrix(*second, *first)
    np.testing.assert_allclose(back[0] @ there[0], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(back[0] @ there[1] + back[1], 0.0, atol=1e-9)
    assert there[0][1, 0] == there[0][2, 0] == 0.0
    grey = np.array([50.0, 128.0 * (1 << (first[2] - 8)), 128.0 * (1 << (first[2] - 8))])
    np.testing.assert_allclose((there[0] @ grey + there[1])[1:], 128.0 * (1 << (second[2] - 8)), atol=1e-9)


def test_full_range_ends_at_the_limits() -> None:
    chroma = np.array([[0, 128, 255]], np.uint8)
    planes = (np.array([[0, 255, 128]], np.uint8), chroma, chroma)
    out = like(planes, 8)
    colour.convert_ycbcr(planes, 8, *colour.ycbcr_matrix("bt709", "full", 8, "bt709", "limited", 8), out, 8)
    assert out[0].tolist() == [[16, 235, 126]]
    assert out[1].tolist() == [[16, 128, 240]]


@pytest.mark.parametrize("subsampling", [(1, 1), (1, 2), (2, 2)], ids=["444", "422", "420"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (5, 7), (16, 18)])
@pytest.mark.parametrize(("bits", "out_bits"), [(8, 8), (8, 10), (10, 8), (10, 10)])
@pytest.mark.parametrize("curved", [False, True])
def test_results_are_within_half_a_code_of_exact(
    subsampling: tuple[int, int], height: int, width: int, bits: int, out_bits: int, curved: bool
) -> None:
    planes = frame(height, width, bits, subsampling)
    out = like(planes, out_bits)
    matrix, offset = colour.ycbcr_matrix("bt709", "full", bits, "bt2020nc", "limited", out_bits)
    curve = np.linspace(0.0, 1.0, 1 << bits) ** 0.7 * ((1 << bits) - 1) if curved else None
    point.apply_point(planes, bits, out, out_bits, curve=curve, matrix=matrix, offset=offset)
    exact = reference.exact_point(planes, bits, out_bits, curve=curve, matrix=matrix, offset=offset)
    for plane, wanted in zip(out, exact, strict=True):
        assert np.abs(plane - np.clip(wanted, 0, (1 << out_bits) - 1)).max() <= 0.51


def test_chroma_is_read_where_it_is_sited() -> None:
    blue = np.array([[0, 40, 80], [100, 140, 180]], np.uint8)
    planes = (np.zeros((4, 6), np.uint8), blue, np.zeros_like(blue))
    out = like(planes, 8)
    colour.convert_ycbcr(planes, 8, np.array([[0, 1, 0], [0, 1, 0], [0, 0, 1]]), np.zeros(3), out, 8)
    across = np.array([[0, 20, 40, 60, 80, 80], [100, 120, 140, 160, 180, 180]])  # even columns, and between
    down = [across[0], 0.75 * across[0] + 0.25 * across[1], 0.25 * across[0] + 0.75 * across[1], across[1]]
    assert out[0].tolist() == np.array(down, int).tolist()


def test_odd_width_and_height_repeat_the_edge() -> None:
    blue = np.array([[10, 30], [50, 70]], np.uint8)
    planes = (np.zeros((3, 3), np.uint8), blue, blue)
    out = like(planes, 8)
    colour.convert_ycbcr(planes, 8, np.array([[0, 1, 0], [0, 1, 0], [0, 0, 1]]), np.zeros(3), out, 8)
    assert out[0].tolist() == [[10, 20, 30], [20, 30, 40], [40, 50, 60]]


@pytest.mark.parametrize("matrix", [None, np.eye(3)])
def test_depth_changes_by_exact_powers_of_two(matrix: Any) -> None:
    planes = frame(6, 10, 8)
    deep = like(planes, 10)
    point.apply_point(planes, 8, deep, 10)
    for plane, other in zip(planes, deep, strict=True):
        np.testing.assert_array_equal(other, plane.astype(np.uint16) * 4)
    back = like(planes, 8)
    point.apply_point(deep, 10, back, 8)
    for plane, other in zip(planes, back, strict=True):
        np.testing.assert_array_equal(other, plane)


def test_ten_bits_round_half_up_to_eight_and_clip() -> None:
    luma = np.array([[0, 1, 2, 5, 6, 1021, 1022, 1023]], np.uint16)
    planes = (luma, luma.copy(), luma.copy())
    out = like(planes, 8)
    point.apply_point(planes, 10, out, 8)
    for plane in out:
        assert plane.tolist() == [[0, 0, 1, 1, 2, 255, 255, 255]]


def test_point_operation_in_place_is_the_same() -> None:
    planes, again = frame(10, 14, 8, seed=4), frame(10, 14, 8, seed=4)
    out = like(planes, 8)
    curve = np.linspace(20.0, 220.0, 256)
    matrix, offset = colour.ycbcr_matrix("smpte170m", "limited", 8, "bt709", "limited", 8)
    point.apply_point(planes, 8, out, 8, curve=curve, matrix=matrix, offset=offset)
    point.apply_point(again, 8, again, 8, curve=curve, matrix=matrix, offset=offset)
    for plane, other in zip(out, again, strict=True):
        np.testing.assert_array_equal(plane, other)


def test_curve_alone_rounds_once_and_leaves_chroma() -> None:
    planes = frame(8, 8, 8)
    out = like(planes, 8)
    point.apply_point(planes, 8, out, 8, curve=np.arange(256) * 0.5)
    np.testing.assert_array_equal(out[0], (planes[0].astype(int) + 1) // 2)
    np.testing.assert_array_equal(out[1], planes[1])


def test_what_does_not_fit_is_refused() -> None:
    planes = frame(8, 8, 8)
    eye, zero = np.eye(3), np.zeros(3)
    with pytest.raises(ValueError, match="unknown matrix 'rgb'; known: bt709"):
        colour.ycbcr_matrix("rgb", "full", 8, "bt709", "full", 8)
    with pytest.raises(ValueError, match="unknown range 'tv'"):
        colour.ycbcr_matrix("bt709", "tv", 8, "bt709", "full", 8)
    with pytest.raises(ValueError, match="must not depend on luma"):
        colour.convert_ycbcr(planes, 8, np.ones((3, 3)), zero, like(planes, 8), 8)
    with pytest.raises(ValueError, match=r"must be \(3, 3\)"):
        colour.convert_ycbcr(planes, 8, eye[:2], zero, like(planes, 8), 8)
    with pytest.raises(ValueError, match="uint8 planes cannot have 10 bits"):
        colour.convert_ycbcr(planes, 8, eye, zero, like(planes, 8), 10)
    odd = (planes[0], planes[1][:, :3], planes[2][:, :3])
    with pytest.raises(ValueError, match="does not go with luma"):
        colour.convert_ycbcr(odd, 8, eye, zero, like(odd, 8), 8)
    with pytest.raises(ValueError, match=r"curve has shape \(100,\), expected \(256,\)"):
        point.apply_point(planes, 8, like(planes, 8), 8, curve=np.zeros(100))
