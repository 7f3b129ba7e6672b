"""Single pictures as files: from a frame's planes to PNG, TIFF or JPEG, and back to planes."""

from __future__ import annotations

import warnings
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import pixels as kernels

from postpipe.media.colourspec import PRIMARIES, TRANSFERS
from postpipe.model import ColourSpec, Frame
from postpipe.timing import round_half_up

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""A picture as `(height, width, 3)`: blue, green, red, full range of its type, upright, pixels square."""

ImageFormat = Literal["png", "tiff", "jpeg"]

SUFFIXES: dict[ImageFormat, str] = {"png": ".png", "tiff": ".tif", "jpeg": ".jpg"}
READABLE = frozenset(".png .tif .tiff .jpg .jpeg .webp .bmp".split())
"""Suffixes of the files that `read_image` reads."""

_PNG_HEAD = 33
"""Bytes of a PNG's signature and its first chunk, the header."""


def frame_pixels(frame: Frame, bits: Literal[8, 16]) -> Pixels:
    """Return a frame as pixels of 8 or 16 bits, with the matrix and range of its own coding.

    Primaries and transfer function stay what they are. Pixels are as square as the frame's.
    """
    coding, depth = frame.colour, frame.pixel_format.bits
    shape = (frame.height, frame.width, 3)
    out: Pixels = np.empty(shape, np.uint8) if bits == 8 else np.empty(shape, np.uint16)
    kernels.to_pixels(frame.planes, depth, *kernels.pixel_matrix(coding.matrix, coding.range, depth, bits), out)
    return out


def pixels_to_frame(pixels: Pixels, frame: Frame) -> None:
    """Fill the planes of `frame`, in its own coding; the inverse of `frame_pixels`. Sizes must be equal."""
    if not pixels.flags.c_contiguous:
        pixels = pixels.copy()
    coding, depth = frame.colour, frame.pixel_format.bits
    conversion = kernels.plane_matrix(coding.matrix, coding.range, depth, 8 * pixels.itemsize)
    kernels.from_pixels(pixels, *conversion, frame.planes, depth)


def keep_unchanged(made: Frame, own: Frame, changed: NDArray[np.bool_]) -> None:
    """Put the samples of `own` into `made` wherever nothing changed. Both have one size, layout and coding.

    `changed` is `(height, width)`. A sample of chroma is kept where nothing changed that the filters of
    `pixels_to_frame` take it from.
    """
    import cv2

    layout = made.pixel_format
    across, down = layout.chroma_shift_x, layout.chroma_shift_y
    kept = ~changed
    reach = np.ones((4 if down else 1, 5 if across else 1), np.uint8)
    whole = cv2.erode(kept.astype(np.uint8), reach, anchor=(2 * across, down)).astype(bool)
    masks = kept, *[whole[:: 1 << down, :: 1 << across]] * 2
    for target, source, mask in zip(made.planes, own.planes, masks, strict=True):
        np.copyto(target, source, where=mask)


def square_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Return the size, even, at which a picture has square pixels; the axis with more detail is kept."""
    if aspect > 1:
        return 2 * round_half_up(width * aspect / 2), height
    if aspect < 1:
        return width, 2 * round_half_up(height / aspect / 2)
    return width, height


def scaled(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return the picture at another size (bicubic; by area where it shrinks), or itself."""
    if pixels.shape[:2] == (height, width):
        return pixels
    import cv2

    shrinks = height * width < pixels.shape[0] * pixels.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cast(Pixels, cv2.resize(pixels, (width, height), interpolation=way))


def encode_image(pixels: Pixels, format_: ImageFormat, colour: ColourSpec, quality: int = 95) -> bytes:
    """Return the bytes of an image file. `quality` (1 to 100) is for JPEG, which takes 8 bits alone.

    PNG says its colour: the primaries of `colour`, and the transfer function of sRGB, which is what players and
    editors show video with on a computer's screen.
    """
    import cv2

    options = {
        "png": [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP],
        "tiff": [cv2.IMWRITE_TIFF_COMPRESSION, cv2.IMWRITE_TIFF_COMPRESSION_LZW],
        "jpeg": [
            *(cv2.IMWRITE_JPEG_QUALITY, quality),
            *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
        ],
    }
    done, data = cv2.imencode(SUFFIXES[format_], pixels, options[format_])
    if not done:
        raise ValueError(f"a picture of {pixels.shape[1]} × {pixels.shape[0]} cannot be written as {format_}")
    encoded = data.tobytes()
    if format_ == "png":
        return encoded[:_PNG_HEAD] + _colour_chunks(colour) + encoded[_PNG_HEAD:]
    return encoded


def _colour_chunks(colour: ColourSpec) -> bytes:
    """Return the chunks that say what the numbers mean: cICP (PNG, third edition), and sRGB for older readers."""
    points = bytes([PRIMARIES[colour.primaries], TRANSFERS["iec61966-2-1"], 0, 1])  # RGB, full range
    chunks = _chunk(b"cICP", points)
    if colour.primaries == "bt709":
        chunks += _chunk(b"sRGB", b"\0")  # perceptual intent
    return chunks


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def image_size(path: Path) -> tuple[int, int]:
    """Return width and height from the header of an image file. Raises `ValueError` in words."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata that nobody asks for
            with Image.open(path) as image:
                return image.size
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        fault = error.strerror if isinstance(error, OSError) and error.strerror else "damaged, or no picture"
        raise ValueError(fault) from error


def read_image(path: Path) -> Pixels:
    """Return a picture file's pixels, 8 or 16 bits; grey becomes colour, transparency is dropped.

    Values are taken as they are, whatever profile the file carries. Raises `ValueError` in words.
    """
    import cv2

    pixels: Any = None
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION)
    except OSError as error:
        raise ValueError(error.strerror or "cannot be read") from error
    except cv2.error:
        pass  # as for any file that it does not know
    if pixels is None:
        raise ValueError("damaged, or no picture")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"its samples are {pixels.dtype}; 8 or 16 bits are read")
    return cast(Pixels, pixels)
