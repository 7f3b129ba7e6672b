"""Resampling: exact on what is known, in its place, and the same whichever way it is turned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from postpipe_kernels import reference, resize

KINDS = ["lanczos3", "bicubic", "bilinear", "area"]
lengths = st.integers(1, 60)
by_kind = pytest.mark.parametrize("kind", KINDS)


def resampled(plane: NDArray[Any], rows: int, columns: int, kind: str = "lanczos3") -> NDArray[Any]:
    out = np.zeros((rows, columns), plane.dtype)
    x_taps, y_taps = resize.taps(plane.shape[1], columns, kind=kind), resize.taps(plane.shape[0], rows, kind=kind)
    resize.resample_plane(plane, out, x_taps, y_taps)
    return out


@settings(deadline=None)
@given(lengths, lengths, st.sampled_from(KINDS), st.none() | st.floats(0.1, 8.0), st.none() | st.floats(-20.0, 70.0))
def test_weights_are_a_partition_of_one(
    source: int, target: int, kind: str, scale: float | None, phase: float | None
) -> None:
    taps = resize.taps(source, target, scale=scale, phase=phase, kind=kind)
    assert (taps.weights.astype(np.float64).sum(axis=1) == 1.0).all()
    assert (taps.first >= 0).all()
    assert (np.diff(taps.first) >= 0).all()
    used = taps.first + np.array([np.flatnonzero(row).max() for row in taps.weights])
    assert (used < source).all()


@by_kind
@given(source=st.integers(8, 60), target=lengths)
def test_mirrored_taps_are_the_taps_mirrored(kind: str, source: int, target: int) -> None:
    taps = resize.taps(source, target, kind=kind)
    dense = np.zeros((target, source + taps.weights.shape[1]))
    np.put_along_axis(dense, taps.first[:, None] + np.arange(taps.weights.shape[1]), taps.weights, axis=1)
    dense = dense[:, :source]
    np.testing.assert_allclose(dense, dense[::-1, ::-1], atol=1.01 / 65536)


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_flat_planes_stay_flat(data: st.DataObject) -> None:
    bits = data.draw(st.sampled_from([8, 10]))
    value = data.draw(st.integers(0, (1 << bits) - 1))
    height, width, rows, columns = (data.draw(st.integers(1, 40)) for _ in range(4))
    plane = np.full((height, width), value, np.uint8 if bits == 8 else np.uint16)
    assert (resampled(plane, rows, columns, data.draw(st.sampled_from(KINDS))) == value).all()


@by_kind
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_same_size_is_the_same_picture(kind: str, dtype: Any) -> None:
    plane = np.random.default_rng(0).integers(0, 256 if dtype == np.uint8 else 1024, (21, 34)).astype(dtype)
    np.testing.assert_array_equal(resampled(plane, 21, 34, kind), plane)


@pytest.mark.parametrize("kind", ["bicubic", "bilinear", "area"])
def test_enlarging_a_ramp_does_not_shift_it(kind: str) -> None:
    ramp = np.tile(np.arange(40, dtype=np.uint8) * 4 + 10, (40, 1))
    wanted = np.arange(80) * 2 + 9  # sample i lies at i/2 - 1/4
    inner = slice(6, -6)
    wide = resampled(ramp, 80, 80, kind)
    assert (wide[:, inner] == wanted[inner]).all()
    tall = resampled(ramp.T.copy(), 80, 80, kind)
    assert (tall[inner] == wanted[inner, None]).all()


def test_left_sited_chroma_stays_under_its_luma() -> None:
    # samples of chroma lie on even luma columns: sample j of twice the size lies at j/2 - 1/8
    chroma = np.tile(np.arange(30, dtype=np.uint8) * 8, (4, 1))
    taps = resize.taps(30, 60, phase=(1 / 2 - 1) / 4, kind="bicubic")
    out = np.zeros((4, 60), np.uint8)
    resize.resample_plane(chroma, out, taps, resize.taps(4, 4, kind="bicubic"))
    assert (out[:, 6:-6] == np.arange(60)[6:-6] * 4 - 1).all()


def test_cropping_is_a_phase() -> None:
    plane = np.random.default_rng(0).integers(0, 256, (40, 100)).astype(np.uint8)
    out = np.zeros((8, 20), np.uint8)
    x_taps, y_taps = resize.taps(100, 20, scale=1.0, phase=70.0), resize.taps(40, 8, scale=1.0, phase=31.0)
    resize.resample_plane(plane, out, x_taps, y_taps)
    np.testing.assert_array_equal(out, plane[31:39, 70:90])


def test_area_is_the_mean_of_blocks() -> None:
    plane = np.random.default_rng(0).integers(0, 256, (24, 36)).astype(np.uint8)
    means = plane.reshape(8, 3, 12, 3).astype(np.float64).mean(axis=(1, 3))
    assert np.abs(resampled(plane, 8, 12, "area") - means).max() <= 0.51


def test_shrinking_removes_what_cannot_be_shown() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 64))
    for kind in KINDS:
        assert np.abs(resampled(stripes, 32, 32, kind)[:, 4:-4].astype(int) - 128).max() <= 3


@by_kind
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("rows", "columns"), [(97, 300), (20, 17), (3, 5), (90, 33)])
def test_many_blocks_and_columns_agree_with_the_twin(kind: str, dtype: Any, rows: int, columns: int) -> None:
    plane = np.random.default_rng(0).integers(0, 256 if dtype == np.uint8 else 1024, (70, 41)).astype(dtype)
    ours, twin = np.zeros((rows, columns), dtype), np.zeros((rows, columns), dtype)
    x_taps, y_taps = resize.taps(41, columns, kind=kind), resize.taps(70, rows, kind=kind)
    resize.resample_plane(plane, ours, x_taps, y_taps)
    reference.resample_plane(plane, twin, x_taps, y_taps)
    assert np.abs(ours.astype(int) - twin).max() <= 1
    assert (ours != twin).mean() < 0.01  # float32 and float64 part at halves only


def test_overshoot_is_clipped() -> None:
    edge = np.where(np.arange(32) < 16, 0, 1023).astype(np.uint16)[None, :].repeat(4, axis=0)
    wide = resampled(edge, 4, 64)
    assert wide.max() == 1023
    assert wide.min() == 0
    assert (wide[:, 40:] >= 1000).all()


def test_what_does_not_fit_is_refused() -> None:
    plane = np.zeros((8, 10), np.uint8)
    x_taps, y_taps = resize.taps(10, 20), resize.taps(8, 16)
    with pytest.raises(ValueError, match="unknown filter 'sinc'; known: lanczos3, bicubic, bilinear, area"):
        resize.taps(10, 20, kind="sinc")
    with pytest.raises(ValueError, match="cannot resample 0 samples"):
        resize.taps(0, 20)
    with pytest.raises(ValueError, match="at scale 0"):
        resize.taps(10, 20, scale=0.0)
    with pytest.raises(ValueError, match=r"plane is \(8, 10\), taps \(10, 8\)"):
        resize.resample_plane(plane, np.zeros((20, 16), np.uint8), y_taps, x_taps)
    with pytest.raises(ValueError, match=r"out must be uint8 \(16, 20\)"):
        resize.resample_plane(plane, np.zeros((16, 20), np.uint16), x_taps, y_taps)
