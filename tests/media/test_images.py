"""Single pictures as files: colours, depth, tags, and what is no picture."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from postpipe.media.frames import allocate
from postpipe.media.images import (
    encode_image,
    frame_pixels,
    image_size,
    keep_unchanged,
    pixels_to_frame,
    read_image,
    scaled,
    square_size,
)
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame
from tests.media.making import BT709

BT601 = ColourSpec("smpte170m", "full", "smpte170m", "bt709")


def frame_of(codes: tuple[int, int, int], colour: ColourSpec = BT709, layout: str = "yuv420p") -> Frame:
    """Return a small frame of one colour."""
    frame = allocate(PIXEL_FORMATS[layout], 8, 6, colour=colour)
    for plane, code in zip(frame.planes, codes, strict=True):
        plane[...] = code
    return frame


def noise(height: int = 12, width: int = 20, dtype: Any = np.uint8, seed: int = 0) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top + 1, (height, width, 3)).astype(dtype)


def chunks(png: bytes) -> dict[bytes, bytes]:
    """Return the chunks of a PNG by name, each checked against its sum."""
    found: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        (check,) = struct.unpack(">I", png[at + 8 + length : at + 12 + length])
        assert check == zlib.crc32(kind + content)
        found.setdefault(kind, content)
        at += 12 + length
    return found


@pytest.mark.parametrize(
    ("codes", "colour", "bgr"),
    [
        ((63, 102, 240), BT709, (0, 0, 255)),  # red of BT.709, limited range
        ((76, 85, 255), BT601, (0, 0, 254)),  # red of BT.601, full range
        ((235, 128, 128), BT709, (255, 255, 255)),
        ((16, 128, 128), BT709, (0, 0, 0)),
    ],
)
def test_the_matrix_and_range_of_the_clip_decide(codes: Any, colour: ColourSpec, bgr: Any) -> None:
    assert np.abs(frame_pixels(frame_of(codes, colour), 8).astype(int) - bgr).max() <= 1


def test_ten_bits_keep_their_precision() -> None:
    levels = [frame_pixels(frame_of((500 + step, 512, 512), layout="yuv420p10le"), 16)[0, 0, 1] for step in range(4)]
    assert np.diff(levels).tolist() == pytest.approx([65535 / 876] * 3, abs=1)
    for layout in ("yuv420p10le", "yuv422p", "yuv444p10le"):
        frame = frame_of((500, 520, 500) if "10" in layout else (120, 130, 120), layout=layout)
        again = allocate(frame.pixel_format, 8, 6, colour=BT709)
        pixels_to_frame(frame_pixels(frame, 16), again)
        for plane, other in zip(frame.planes, again.planes, strict=True):
            np.testing.assert_array_equal(plane, other)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("format_", ["png", "tiff"])
def test_files_come_back_exactly(tmp_path: Path, format_: Any, dtype: Any) -> None:
    path = tmp_path / "-näme: 100% 🎬"
    path.write_bytes(encode_image(noise(dtype=dtype), format_, BT709))
    read = read_image(path)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, noise(dtype=dtype))
    assert image_size(path) == (20, 12)


def test_jpeg_has_a_quality_and_full_chroma(tmp_path: Path) -> None:
    smooth = cv2.GaussianBlur(noise(64, 64), (9, 9), 3)
    files = {quality: encode_image(smooth, "jpeg", BT709, quality) for quality in (30, 95)}
    assert len(files[30]) < len(files[95])
    path = tmp_path / "still.jpg"
    path.write_bytes(files[95])
    assert np.abs(read_image(path).astype(int) - smooth).mean() < 2  # with every other chroma sample: 7


def test_png_says_what_its_colours_mean() -> None:
    found = chunks(encode_image(noise(), "png", BT709))
    assert list(found)[:3] == [b"IHDR", b"cICP", b"sRGB"]
    assert found[b"cICP"] == bytes([1, 13, 0, 1])
    found = chunks(encode_image(noise(), "png", BT601))
    assert found[b"cICP"] == bytes([6, 13, 0, 1])
    assert b"sRGB" not in found


@pytest.mark.parametrize(
    ("width", "height", "aspect", "size"),
    [
        (640, 360, Fraction(1), (640, 360)),
        (640, 360, Fraction(2, 3), (640, 540)),
        (720, 576, Fraction(16, 15), (768, 576)),
        (427, 241, Fraction(1), (427, 241)),
    ],
)
def test_square_pixels(width: int, height: int, aspect: Fraction, size: tuple[int, int]) -> None:
    assert square_size(width, height, aspect) == size
    assert scaled(np.zeros((height, width, 3), np.uint8), *size).shape == (size[1], size[0], 3)


def test_what_is_no_picture_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "frame.png"
    for content in (b"", b"no picture", encode_image(noise(), "png", BT709)[:200]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="damaged, or no picture"):
            read_image(path)
    for content in (b"", b"no picture"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="damaged, or no picture"):
            image_size(path)
    for read in (read_image, image_size):
        with pytest.raises(ValueError, match="No such file"):
            read(tmp_path / "none.png")
    path.write_bytes(cv2.imencode(".tiff", noise().astype(np.float32))[1].tobytes())
    with pytest.raises(ValueError, match="float32; 8 or 16 bits"):
        read_image(path)


def test_grey_and_transparent_pictures_are_read_as_colour(tmp_path: Path) -> None:
    for shape in ((6, 8), (6, 8, 4)):
        picture = np.full(shape, 77, np.uint16)
        path = tmp_path / "frame.png"
        path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        assert (read_image(path) == 77).all()
        assert read_image(path).shape == (6, 8, 3)


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p"])
def test_samples_are_kept_where_nothing_that_they_come_from_changed(layout: str) -> None:
    own, made = (allocate(PIXEL_FORMATS[layout], 16, 12, colour=BT709) for _ in range(2))
    for plane in own.planes:
        plane[...] = 1
    for plane in made.planes:
        plane[...] = 2
    changed = np.zeros((12, 16), bool)
    changed[6, 8] = True
    keep_unchanged(made, own, changed)
    assert np.argwhere(made.planes[0] == 2).tolist() == [[6, 8]]
    new = {
        "yuv420p": [[y, x] for y in (2, 3) for x in (3, 4, 5)],  # rows 2y-1 to 2y+2, columns 2x-2 to 2x+2
        "yuv422p": [[6, x] for x in (3, 4, 5)],
        "yuv444p": [[6, 8]],
    }[layout]
    assert np.argwhere(made.planes[1] == 2).tolist() == new
