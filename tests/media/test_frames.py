"""Views share libav's memory; conversions keep matrix and range."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from postpipe.media.frames import allocate, allocate_like, is_native, nearest_layout
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.model import PIXEL_FORMATS, Frame

from .making import BT709, make, picture, store, values


def only_frame(path: Path) -> Frame:
    with PictureReader(probe(path, "")) as reader:
        (frame,) = reader.frames()
    return frame


def inside(view: np.ndarray, plane: av.video.plane.VideoPlane) -> bool:
    """Whether a view begins in the memory of a plane."""
    start = view.__array_interface__["data"][0]
    return plane.buffer_ptr <= start < plane.buffer_ptr + plane.buffer_size


@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_planes_are_the_decoders_memory(tmp_path: Path, name: str) -> None:
    frame = only_frame(make(tmp_path / "a.mkv", 1, codec="ffv1", pixel_format=name, size=(62, 46)))
    assert is_native(frame)
    for plane, own in zip(frame.planes, frame.native.planes, strict=True):
        assert inside(plane, own)
        assert not plane.flags.owndata


@pytest.mark.parametrize("name", PIXEL_FORMATS)
@pytest.mark.parametrize("size", [(64, 48), (61, 47), (17, 3)])
def test_allocated_frames_are_writable_and_go_to_an_encoder_as_they_are(name: str, size: tuple[int, int]) -> None:
    layout = PIXEL_FORMATS[name]
    frame = allocate(layout, *size, index=7, pts_seconds=Fraction(1, 3), colour=BT709)
    assert (frame.index, frame.pts_seconds, frame.width, frame.height) == (7, Fraction(1, 3), *size)
    assert is_native(frame)
    for number, plane in enumerate(frame.planes):
        plane[:] = values(0, number, layout, *size)
    for number, own in enumerate(frame.native.planes):
        stored = np.ndarray(
            (own.height, own.width), values(0, 0, layout, 1, 1).dtype, memoryview(own), 0,
            (own.line_size, layout.bits // 8 if layout.bits == 8 else 2),
        )  # fmt: skip
        assert np.array_equal(stored, values(0, number, layout, *size))


def test_allocate_like_keeps_what_is_not_given() -> None:
    frame = allocate(PIXEL_FORMATS["yuv422p"], 20, 10, index=3, pts_seconds=Fraction(1, 8), colour=BT709)
    frame.damaged = True
    other = allocate_like(frame, width=40, pixel_format=PIXEL_FORMATS["yuv422p10le"])
    assert (other.index, other.pts_seconds, other.width, other.height) == (3, Fraction(1, 8), 40, 10)
    assert (other.pixel_format.name, other.colour, other.damaged) == ("yuv422p10le", BT709, True)
    assert other.planes[0].dtype == np.uint16


def test_replaced_planes_are_not_native() -> None:
    frame = allocate(PIXEL_FORMATS["yuv420p"], 16, 16, colour=BT709)
    y, cb, cr = frame.planes
    assert is_native(frame)
    assert not is_native(replace(frame, planes=(y.copy(), cb, cr)))
    assert not is_native(replace(frame, planes=(y[::-1], cb, cr)))
    assert not is_native(replace(frame, planes=(y, cr, cb)))
    assert not is_native(replace(frame, native=None))


@pytest.mark.parametrize(
    ("source", "layout"),
    [
        ("yuv420p", "yuv420p"),
        ("yuvj420p", "yuv420p"),
        ("yuva420p", "yuv420p"),
        ("nv12", "yuv420p"),
        ("p010le", "yuv420p10le"),
        ("gray", "yuv420p"),
        ("gray10le", "yuv420p10le"),
        ("gray12le", "yuv420p10le"),
        ("yuv410p", "yuv420p"),
        ("yuv411p", "yuv422p"),
        ("yuyv422", "yuv422p"),
        ("yuv440p", "yuv444p"),
        ("yuv420p12le", "yuv420p10le"),
        ("yuv422p9le", "yuv422p10le"),
        ("yuv444p16le", "yuv444p10le"),
        ("yuva444p10le", "yuv444p10le"),
        ("rgb24", "yuv444p"),
        ("gbrp", "yuv444p"),
        ("bgra", "yuv444p"),
        ("pal8", "yuv444p"),
        ("gbrp10le", "yuv444p10le"),
        ("rgb48le", "yuv444p10le"),
    ],
)
def test_nearest_layout(source: str, layout: str) -> None:
    assert nearest_layout(source).name == layout


def test_422_on_its_side_becomes_444() -> None:
    assert nearest_layout("yuv422p", quarter_turn=True).name == "yuv444p"
    assert nearest_layout("yuv420p", quarter_turn=True).name == "yuv420p"


PATCHES = [(200, 40, 60), (255, 255, 255), (0, 0, 0), (30, 60, 220), (128, 128, 128), (250, 250, 10)]
COEFFICIENTS = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114), "bt2020nc": (0.2627, 0.0593)}


def code_values(rgb: tuple[int, int, int], matrix: str, bits: int) -> list[float]:
    """Return limited-range Y'CbCr of 8-bit R'G'B' (ITU-R BT.601, 709, 2020)."""
    kr, kb = COEFFICIENTS[matrix]
    r, g, b = (value / 255 for value in rgb)
    y = kr * r + (1 - kr - kb) * g + kb * b
    scale = 2 ** (bits - 8)
    return [
        (16 + 219 * y) * scale,
        (128 + 112 * (b - y) / (1 - kb)) * scale,
        (128 + 112 * (r - y) / (1 - kr)) * scale,
    ]


@pytest.mark.parametrize("matrix", COEFFICIENTS)
@pytest.mark.parametrize("name", ["gbrp", "bgr0", "gbrp10le", "gbrp12le"])
def test_rgb_becomes_444_with_the_clips_own_matrix(tmp_path: Path, name: str, matrix: str) -> None:
    native = av.VideoFrame(96, 16, name)
    strip = np.repeat(np.array(PATCHES), 16, axis=0)[None].repeat(16, axis=0)
    if name == "bgr0":
        store4(native.planes[0], strip)
    else:
        scale, kind = {
            "gbrp": (1, np.uint8),
            "gbrp10le": (1023 / 255, np.uint16),
            "gbrp12le": (4095 / 255, np.uint16),
        }[name]
        for plane, channel in zip(native.planes, (1, 2, 0), strict=True):
            store(plane, np.rint(strip[..., channel] * scale).astype(kind))
    codec = "libx264rgb" if name == "gbrp" else "ffv1"
    if name == "gbrp":
        native = native.reformat(format="rgb24")
    path = make(
        tmp_path / "rgb.mkv", [native], size=(96, 16), codec=codec, pixel_format=native.format.name,
        options={"qp": "0"} if codec == "libx264rgb" else None, tags={},
    )  # fmt: skip
    clip = probe(path, "")
    assert clip.picture.source_format == name
    clip = replace(clip, picture=replace(clip.picture, colour=replace(clip.picture.colour, matrix=matrix)))
    with PictureReader(clip) as reader:
        (frame,) = reader.frames()
    for number, rgb in enumerate(PATCHES):
        got = [int(plane[8, number * 16 + 8]) for plane in frame.planes]
        want = code_values(rgb, matrix, frame.pixel_format.bits)
        assert np.abs(np.array(got) - want).max() <= 1.01, (rgb, got, want)


def store4(plane: av.video.plane.VideoPlane, rgb: np.ndarray) -> None:
    """Store RGB as B, G, R, 0."""
    target = np.ndarray((*rgb.shape[:2], 4), np.uint8, memoryview(plane), 0, (plane.line_size, 4, 1))
    target[..., :3] = rgb[..., ::-1]
    target[..., 3] = 0


@pytest.mark.parametrize("range_", [1, 2])
@pytest.mark.parametrize("name", ["gray", "gray10le"])
def test_grey_is_not_rescaled(tmp_path: Path, name: str, range_: int) -> None:
    layout = nearest_layout(name)
    luma = values(3, 0, layout, 64, 48)
    native = av.VideoFrame(64, 48, name)
    store(native.planes[0], luma)
    path = make(tmp_path / "grey.mkv", [native], codec="ffv1", pixel_format=name, tags={"color_range": range_})
    frame = only_frame(path)
    assert np.array_equal(frame.planes[0], luma)
    for plane in frame.planes[1:]:
        assert plane.shape == (24, 32)
        assert np.all(plane == (128 if layout.bits == 8 else 512))


def test_full_range_is_read_without_touching_a_pixel(tmp_path: Path) -> None:
    path = make(tmp_path / "full.mkv", 1, codec="ffv1", pixel_format="yuv420p", tags={"color_range": 2})
    frame = only_frame(path)
    assert frame.colour.range == "full"
    assert np.array_equal(frame.planes[0], values(0, 0, PIXEL_FORMATS["yuv420p"], 64, 48))


def test_yuvj_is_full_range_by_name(tmp_path: Path) -> None:
    path = make(tmp_path / "jpeg.avi", 1, codec="mjpeg", pixel_format="yuvj420p", options={"q": "1"}, tags={})
    clip = probe(path, "")
    assert (clip.picture.source_format, clip.picture.pixel_format.name) == ("yuvj420p", "yuv420p")
    assert clip.picture.colour.range == "full"
    assert "range" not in clip.picture.colour.guessed
    frame = only_frame(path)
    assert np.abs(frame.planes[0].astype(int) - values(0, 0, frame.pixel_format, 64, 48)).mean() < 8


def test_twelve_bits_become_ten(tmp_path: Path) -> None:
    native = av.VideoFrame(64, 48, "yuv422p12le")
    ten = PIXEL_FORMATS["yuv422p10le"]
    for number, plane in enumerate(native.planes):
        store(plane, values(1, number, ten, 64, 48) * np.uint16(4))
    frame = only_frame(make(tmp_path / "12.mkv", [native], codec="ffv1", pixel_format="yuv422p12le"))
    assert frame.pixel_format == ten
    for number, plane in enumerate(frame.planes):
        assert np.array_equal(plane, values(1, number, ten, 64, 48))


def test_alpha_is_left_out(tmp_path: Path) -> None:
    native = av.VideoFrame(64, 48, "yuva444p")
    layout = PIXEL_FORMATS["yuv444p"]
    for number, plane in enumerate(native.planes):
        store(plane, values(0, min(number, 2), layout, 64, 48))
    frame = only_frame(make(tmp_path / "alpha.mkv", [native], codec="ffv1", pixel_format="yuva444p"))
    assert len(frame.planes) == 3
    assert np.array_equal(frame.planes[2], values(0, 2, layout, 64, 48))


def test_rows_of_a_plane_never_overlap() -> None:
    frame = allocate(PIXEL_FORMATS["yuv420p10le"], 33, 5, colour=BT709)
    for plane in frame.planes:
        starts = [row.__array_interface__["data"][0] for row in plane]
        assert all(second - first >= 2 * plane.shape[1] for first, second in pairwise(starts))


def test_making_is_lossless(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", 1)
    frame = only_frame(path)
    own = picture(0, "yuv420p", 64, 48)
    assert np.array_equal(frame.planes[1], values(0, 1, PIXEL_FORMATS["yuv420p"], 64, 48))
    assert own.format.name == "yuv420p"
