"""The look: ASC CDL's own arithmetic, monotone curves, and what lies beyond 0 to 1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postpipe.engine.pack import pack, unpack
from postpipe.look import Cdl, Curves, Look, sample_colours

RISING = Curves((0.0, 0.25, 0.6, 1.0), ((0.0, 0.2, 0.7, 1.0), (0.1, 0.1, 0.5, 0.9), (0.0, 0.3, 0.6, 1.0)))


def test_a_cdl_is_slope_offset_power_then_saturation() -> None:
    cdl = Cdl((2.0, 1.0, 0.5), (0.1, 0.0, -0.1), (1.0, 2.0, 1.0), 0.5)
    rgb = np.array([[0.2, 0.5, 0.6], [0.9, 0.0, 0.1]])
    red, green, blue = 0.5, 0.25, 0.2
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    np.testing.assert_allclose(cdl.apply(rgb)[0], luma + 0.5 * (np.array([red, green, blue]) - luma))
    luma = 0.2126  # red is clamped to 1 and blue to 0 before saturation
    np.testing.assert_allclose(cdl.apply(rgb)[1], luma + 0.5 * (np.array([1.0, 0.0, 0.0]) - luma))


@pytest.mark.parametrize("wrong", [{"slope": (-1.0, 1.0, 1.0)}, {"power": (0.0, 1.0, 1.0)}, {"saturation": -0.1}])
def test_a_cdl_that_the_standard_forbids_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must not be below 0"):
        Cdl(**wrong)  # type: ignore[arg-type]


def test_curves_pass_through_their_points_and_never_fall() -> None:
    at = np.array(RISING.knots)[:, None].repeat(3, axis=1)
    np.testing.assert_allclose(RISING.apply(at), np.array(RISING.values).T, atol=1e-12)
    ramp = np.linspace(-0.2, 1.2, 1000)[:, None].repeat(3, axis=1)
    assert (np.diff(RISING.apply(ramp), axis=0) >= -1e-12).all()


def test_curves_are_those_of_scipy_between_their_outer_knots() -> None:
    from scipy.interpolate import PchipInterpolator

    knots = (0.0, 0.1, 0.25, 0.4, 0.6, 0.8, 1.0)
    values = (0.0, 0.05, 0.2, 0.42, 0.7, 0.88, 1.0)
    at = np.linspace(0.1, 0.8, 100)
    ours = Curves(knots, (values,) * 3).apply(at[:, None].repeat(3, axis=1))
    np.testing.assert_allclose(ours[:, 0], PchipInterpolator(knots, values)(at), atol=1e-12)


@pytest.mark.parametrize(
    "points",
    [((0.0,), (0.0,)), ((0.0, 0.5), (0.0, 1.0)), ((0.0, 1.0), (0.5, 0.4)), ((0.0, 1.0), (0.0, 0.5, 1.0))],
    ids=str,
)
def test_points_that_make_no_curve_are_refused(points: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
    with pytest.raises(ValueError, match=r"knots|values"):
        Curves(points[0], (points[1],) * 3)


@given(st.lists(st.floats(-0.2, 1.2), min_size=3, max_size=3))
def test_what_lies_beyond_stays_as_far_beyond(rgb: list[float]) -> None:
    look = Look(Cdl((1.2, 0.9, 1.0), (0.02, 0.0, -0.01), (1.1, 1.0, 0.9), 0.8), RISING)
    colour = np.array(rgb)
    inside = np.clip(colour, 0.0, 1.0)
    np.testing.assert_allclose(look.apply(colour) - look.apply(inside), colour - inside, atol=1e-12)
    np.testing.assert_array_equal(Look().apply(colour), colour)


def test_identity_is_what_changes_nothing() -> None:
    assert Look(description="none").identity
    assert not Look(Cdl(saturation=1.1)).identity
    assert not Look(curves=RISING).identity


def test_the_nearest_cdl_of_a_look_that_nearly_is_one() -> None:
    power = Cdl(power=(1.3, 1.2, 1.1), saturation=0.9)
    knots = tuple(np.linspace(0.0, 1.0, 17).tolist())
    curves = Curves(knots, tuple(tuple(k**p for k in knots) for p in power.power))  # type: ignore[arg-type]
    fit = Look(Cdl(saturation=0.9), curves).nearest_cdl()
    np.testing.assert_allclose(fit.cdl.power, power.power, atol=0.05)
    assert fit.cdl.saturation == pytest.approx(0.9, abs=0.02)
    assert fit.mean_delta_e < 0.2
    assert fit.mean_delta_e <= fit.max_delta_e
    exact = Look(power).nearest_cdl()
    assert (exact.cdl, exact.mean_delta_e, exact.max_delta_e) == (power, 0.0, 0.0)


def test_the_sample_has_more_muted_colours_than_pure_ones() -> None:
    colours = sample_colours()
    assert colours.shape == (1029, 3)
    assert colours.min() >= -1e-12
    assert colours.max() <= 1 + 1e-12


def test_a_look_comes_back_from_the_store() -> None:
    look = Look(Cdl(saturation=0.7), RISING, "less saturated", 0.8, "scene01", "scene01_take01.mp4")
    assert unpack(Look, *pack(look)) == look
