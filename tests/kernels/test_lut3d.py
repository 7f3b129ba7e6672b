"""The colour look on planes: exact, in every layout and depth, without banding, and with a bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postpipe_kernels import lut3d, point, reference
from postpipe_kernels.colour import Planes, ycbcr_matrix
from postpipe_kernels.lut3d import Lut3d, apply_lut
from postpipe_kernels.transform import Transform, only

LAYOUTS = {"4:4:4": (1, 1), "4:2:2": (1, 2), "4:2:0": (2, 2)}
by_layout = pytest.mark.parametrize("layout", LAYOUTS)
by_depth = pytest.mark.parametrize("bits", [8, 10])


def grade() -> Transform:
    """Contrast, warmer, less saturated: every part of a transform but the lattice."""
    ramp = np.linspace(0.0, 1.0, 1025)
    shaper = np.stack([1.1 * ramp**1.1, ramp**0.9 + 0.02, 0.9 * ramp]).clip(0, 1)
    mix = 0.8 * np.eye(3) + 0.2 * np.array([0.2126, 0.7152, 0.0722])
    curves = np.stack([ramp**1.05] * 3)
    return Transform(shaper, mix, "bt709", "limited", curves, np.array([[0.0] * 3, [1.0] * 3]))


def with_lattice(size: int = 5) -> Transform:
    axis = np.linspace(0.0, 1.0, size, dtype=np.float32)
    red, green, blue = np.meshgrid(axis, axis, axis, indexing="ij")
    lattice = np.stack([red**1.2, 0.9 * green + 0.1 * blue, blue], axis=-1)
    return only(None, None, lattice, None, "bt709", "limited")


def frame(bits: int, layout: str, shape: tuple[int, int] = (10, 14), seed: int = 0) -> Planes:
    """Return noise over all codes."""
    random = np.random.default_rng(seed)
    down, across = LAYOUTS[layout]
    chroma = -(-shape[0] // down), -(-shape[1] // across)
    kind = np.uint8 if bits == 8 else np.uint16
    y, u, v = (random.integers(0, 1 << bits, size).astype(kind) for size in (shape, chroma, chroma))
    return y, u, v


def empty(planes: Planes, bits: int) -> Planes:
    y, u, v = (np.zeros(plane.shape, np.uint8 if bits == 8 else np.uint16) for plane in planes)
    return y, u, v


def rounded(planes: tuple[Any, ...], bits: int) -> list[Any]:
    return [np.clip(np.floor(plane + 0.5), 0, (1 << bits) - 1) for plane in planes]


def worst(planes: Planes, exact: tuple[Any, ...], bits: int) -> float:
    """Return the largest distance from exact results that can be written."""
    limits = 0, (1 << bits) - 1
    return max(float(np.abs(a - np.clip(b, *limits)).max()) for a, b in zip(planes, exact, strict=True))


@by_layout
@pytest.mark.parametrize("out_bits", [8, 10])
@pytest.mark.parametrize("transform", [grade(), with_lattice()], ids=["curves", "lattice"])
def test_eight_bits_are_exact(layout: str, out_bits: int, transform: Transform) -> None:
    planes = frame(8, layout)
    out = empty(planes, out_bits)
    lut = Lut3d(transform)
    apply_lut(planes, 8, out, out_bits, lut)
    exact = reference.exact_point(planes, 8, out_bits, lut=lut)
    np.testing.assert_array_equal(out[0], rounded(exact, out_bits)[0])
    if layout == "4:4:4":
        np.testing.assert_array_equal(out[1:], rounded(exact, out_bits)[1:])
    else:  # the mean of luma is a whole code
        assert worst(out, exact, out_bits) < 0.5 + 0.5 * 0.5 * (1 << out_bits - 8)


@by_layout
@pytest.mark.parametrize("out_bits", [8, 10])
@pytest.mark.parametrize("transform", [grade(), with_lattice()], ids=["curves", "lattice"])
def test_ten_bits_are_within_a_code(layout: str, out_bits: int, transform: Transform) -> None:
    planes = frame(10, layout)
    out = empty(planes, out_bits)
    lut = Lut3d(transform)
    apply_lut(planes, 10, out, out_bits, lut)
    assert worst(out, reference.exact_point(planes, 10, out_bits, lut=lut), out_bits) <= 1.0


@by_layout
@pytest.mark.parametrize("bits", [8, 9, 10])
@pytest.mark.parametrize("range_", ["limited", "full"])
def test_a_transform_that_changes_nothing_changes_no_code(layout: str, bits: int, range_: str) -> None:
    planes = frame(bits, layout)
    out = empty(planes, bits)
    apply_lut(planes, bits, out, bits, Lut3d(only(None, None, None, None, "bt709", range_)))
    for plane, target in zip(planes, out, strict=True):
        np.testing.assert_array_equal(target, plane)


def test_codes_beyond_black_and_white_stay_beyond() -> None:
    lut = Lut3d(Transform(np.array([[0.0, 0.52]] * 3), np.eye(3), "bt709", "limited"))
    luma = np.array([[4, 16, 235, 250]], np.uint8)
    neutral = np.full_like(luma, 128)
    out = empty((luma, neutral, neutral), 8)
    apply_lut((luma, neutral, neutral), 8, out, 8, lut)
    assert out[0].tolist() == [[4, 16, 130, 145]]  # 16 + 0.52 · 219, and 15 more
    assert (out[1] == 128).all()


@by_depth
def test_curve_and_matrix_come_first_and_are_rounded_with_the_rest(bits: int) -> None:
    planes = frame(bits, "4:2:0")
    matrix, offset = ycbcr_matrix("smpte170m", "full", bits, "bt709", "limited", 8)
    curve = np.linspace(0.0, 1.0, 1 << bits) ** 0.8 * ((1 << bits) - 1)
    lut = Lut3d(grade())
    out = empty(planes, 8)
    point.apply_point(planes, bits, out, 8, curve=curve, matrix=matrix, offset=offset, lut=lut)
    exact = reference.exact_point(planes, bits, 8, lut=lut, curve=curve, matrix=matrix, offset=offset)
    assert worst(out, exact, 8) < 0.9  # a quarter of a code before, half a code after


@by_depth
def test_ramps_keep_their_steps(bits: int) -> None:
    """Smooth ramps through a look: none turns back, and no step is lost but those that rounding takes (8 bits)."""
    codes = np.arange(1 << bits)
    kind = np.uint8 if bits == 8 else np.uint16
    lut = Lut3d(grade())
    neutral = 1 << bits - 1
    for plane in range(3):
        for level in (0.3, 0.5, 0.7):
            still = [
                np.full((1, codes.size), int(level * (1 << bits)), kind),
                *[np.full((1, codes.size), neutral, kind)] * 2,
            ]
            still[plane] = codes[None].astype(kind)
            planes = still[0], still[1], still[2]
            out = empty(planes, bits)
            apply_lut(planes, bits, out, bits, lut)
            ideal = rounded(reference.exact_point(planes, bits, bits, lut=lut), bits)
            ours, exact = (np.diff(one[plane][0].astype(np.int64)) for one in (out, ideal))
            lost = np.count_nonzero(exact) - np.count_nonzero(ours)
            assert lost <= (0 if bits == 8 else 0.01 * codes.size)
            assert np.abs(ours).max() <= np.abs(exact).max() + (bits == 10)
            assert not ((ours < 0) & (exact >= 0)).any()


@by_depth
def test_without_colour_chroma_is_neutral(bits: int) -> None:
    grey = np.array([0.2126, 0.7152, 0.0722])[None].repeat(3, axis=0)
    planes = frame(bits, "4:2:0")
    out = empty(planes, bits)
    inside = tuple((plane // 4 + (3 << bits - 3)).astype(plane.dtype) for plane in planes)
    apply_lut((inside[0], inside[1], inside[2]), bits, out, bits, Lut3d(Transform(straight(), grey, "bt709", "full")))
    assert (out[1] == 1 << bits - 1).all()
    assert (out[2] == 1 << bits - 1).all()


def straight() -> Any:
    return np.array([[0.0, 1.0]] * 3)


@by_layout
def test_when_memory_is_full_it_starts_anew_with_the_same_results(layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planes = frame(10, layout, (16, 60))
    roomy, tight = empty(planes, 10), empty(planes, 10)
    apply_lut(planes, 10, roomy, 10, Lut3d(grade()))
    monkeypatch.setattr(lut3d, "PLACES", 2 * lut3d.RUN)
    lut = Lut3d(grade())
    apply_lut(planes, 10, tight, 10, lut)
    (memory,) = lut._memories.values()
    assert memory.table.size == 2 * lut3d.RUN * lut3d.FINE
    for one, other in zip(roomy, tight, strict=True):
        np.testing.assert_array_equal(one, other)


@by_layout
@by_depth
def test_in_place(layout: str, bits: int) -> None:
    planes = frame(bits, layout, (17, 23))
    out = empty(planes, bits)
    apply_lut(planes, bits, out, bits, Lut3d(grade()))
    apply_lut(planes, bits, planes, bits, Lut3d(grade()))
    for plane, target in zip(planes, out, strict=True):
        np.testing.assert_array_equal(plane, target)


def test_samples_beyond_ten_bits_do_no_harm() -> None:
    planes = frame(10, "4:2:0")
    for plane in planes:
        plane[:2] = 65535
    out = empty(planes, 10)
    apply_lut(planes, 10, out, 10, Lut3d(grade()))
    apply_lut(planes, 10, out, 10, Lut3d(grade()), curve=np.arange(1024.0))
    assert all((plane < 1024).all() for plane in out)


def test_two_looks_in_a_row_are_one() -> None:
    first, second = Lut3d(replace_curves(grade())), Lut3d(with_lattice())
    both = first.then(second)
    assert both is not None
    assert first.then(second) is both
    rgb = np.random.default_rng(0).random((500, 3))
    np.testing.assert_allclose(
        both.transform.apply(rgb), second.transform.apply(first.transform.apply(rgb)), atol=1e-12
    )
    assert second.then(first) is None  # a lattice ends a transform
    assert first.then(first) is None
    assert first.then(Lut3d(only(None, None, None, None, "smpte170m", "limited"))) is None


def replace_curves(transform: Transform) -> Transform:
    return Transform(transform.shaper, transform.mix, transform.matrix, transform.range_)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-0.1, 1.1), min_size=3, max_size=3), st.integers(2, 9))
def test_tetrahedra_reproduce_what_is_straight(rgb: list[float], size: int) -> None:
    axis = np.linspace(-0.5, 2.0, size)
    colours = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    matrix = np.array([[0.5, 0.2, 0.1], [0.0, 0.7, 0.2], [0.3, 0.0, 0.6]])
    domain = np.array([[-0.5] * 3, [2.0] * 3])
    transform = only(None, None, (colours @ matrix.T).astype(np.float32), domain, "bt709", "full")
    colour = np.array(rgb)
    inside = colour.clip(0, 1)
    np.testing.assert_allclose(transform.apply(colour), matrix @ inside + colour - inside, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_kernel_and_numpy_agree_in_any_lattice(seed: int) -> None:
    random = np.random.default_rng(seed)
    lattice = random.random((3, 3, 3, 3)).astype(np.float32)
    domain = np.array([random.uniform(-0.2, 0.4, 3), random.uniform(0.6, 1.3, 3)])
    lut = Lut3d(only(random.random((3, 7)).cumsum(axis=1) / 7, domain, lattice, domain[::1], "bt709", "full"))
    planes = frame(8, "4:4:4", (5, 6), seed)
    out = empty(planes, 8)
    apply_lut(planes, 8, out, 8, lut)
    assert worst(out, reference.exact_point(planes, 8, 8, lut=lut), 8) <= 0.5 + 1e-4


def test_what_does_not_fit_is_refused() -> None:
    planes = frame(8, "4:2:0")
    with pytest.raises(ValueError, match=r"curve has shape \(255,\)"):
        apply_lut(planes, 8, planes, 8, Lut3d(grade()), curve=np.arange(255.0))
    with pytest.raises(ValueError, match="cannot have 10 bits"):
        apply_lut(planes, 10, planes, 10, Lut3d(grade()))
    with pytest.raises(ValueError, match="Cb and Cr must not depend on luma"):
        apply_lut(planes, 8, planes, 8, Lut3d(grade()), matrix=np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"shaper \(2, 5\)"):
        Transform(np.zeros((2, 5)), np.eye(3), "bt709", "full")
    with pytest.raises(ValueError, match=r"mix \(2, 2\)"):
        Transform(straight(), np.eye(2), "bt709", "full")
    with pytest.raises(ValueError, match=r"lattice \(3, 3, 2, 3\)"):
        only(None, None, np.zeros((3, 3, 2, 3), np.float32), None, "bt709", "full")
    with pytest.raises(ValueError, match="must rise"):
        only(straight(), np.array([[0.0] * 3, [0.0] * 3]), None, None, "bt709", "full")
    with pytest.raises(ValueError, match="unknown matrix"):
        apply_lut(planes, 8, planes, 8, Lut3d(only(None, None, None, None, "bt2021", "full")))
