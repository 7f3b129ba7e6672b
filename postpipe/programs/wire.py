"""Frames as the bytes that go through a pipe: raw video, or YUV4MPEG2 (y4m)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe.media.frames import allocate, converted
from postpipe.media.images import Pixels, frame_pixels, keep_unchanged, pixels_to_frame
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame, PixelFormat

Buffer = memoryview
RGB_FORMATS: dict[str, tuple[type[np.generic], bool]] = {
    "rgb24": (np.uint8, True),
    "bgr24": (np.uint8, False),
    "rgb48le": (np.uint16, True),
    "bgr48le": (np.uint16, False),
    "rgbf32le": (np.float32, True),
}
"""Packed pixels by libav's names: the type of a sample, and whether red comes first. Floats go from 0 to 1."""

_Y4M_LAYOUTS = {
    "yuv420p": "420mpeg2",
    "yuv422p": "422",
    "yuv444p": "444",
    "yuv420p10le": "420p10",
    "yuv422p10le": "422p10",
    "yuv444p10le": "444p10",
}
_Y4M_LONGEST = 1024


@dataclass(frozen=True)
class Shape:
    """The pictures of one end of a pipe: size in pixels, and the layout of their bytes as libav names it."""

    width: int
    height: int
    layout: str

    @property
    def planar(self) -> PixelFormat | None:
        """The planes, or `None` for packed pixels."""
        return PIXEL_FORMATS.get(self.layout)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one picture."""
        if self.planar is None:
            return self.width * self.height * 3 * np.dtype(RGB_FORMATS[self.layout][0]).itemsize
        sizes = (self.planar.plane_size(plane, self.width, self.height) for plane in range(3))
        return sum(width * height for width, height in sizes) * (1 if self.planar.bits == 8 else 2)

    def __str__(self) -> str:
        return f"{self.width} × {self.height} {self.layout}"


def outgoing(frame: Frame, layout: str) -> Iterator[Buffer]:
    """Yield the bytes of a frame, plane by plane; what already lies in memory that way is not copied."""
    if layout in RGB_FORMATS:
        kind, red_first = RGB_FORMATS[layout]
        yield _bytes(_packed(frame_pixels(frame, 8 if kind is np.uint8 else 16), kind, red_first))
        return
    for plane in converted(frame, PIXEL_FORMATS[layout]).planes:
        yield _bytes(np.ascontiguousarray(plane))


def _packed(pixels: Pixels, kind: type[np.generic], red_first: bool) -> NDArray[np.generic]:
    ordered = pixels[..., ::-1] if red_first else pixels
    if kind is np.float32:
        return np.ascontiguousarray(ordered, np.float32) / np.float32(65535)
    return np.ascontiguousarray(ordered)


def _bytes(array: NDArray[np.generic]) -> Buffer:
    return array.reshape(-1).view(np.uint8).data


@dataclass(frozen=True, slots=True)
class Mark:
    """What is remembered of a frame that a program was given: number, time, notes, and the frame where that is needed.

    Programs may read far ahead, and pictures are large.
    """

    index: int
    pts_seconds: Fraction
    damaged: bool
    notes: Mapping[str, tuple[float, ...]]
    own: Frame | None

    @classmethod
    def of(cls, frame: Frame, *, keep: bool) -> Mark:
        """Return the mark of a frame."""
        return cls(frame.index, frame.pts_seconds, frame.damaged, frame.notes, frame if keep else None)


class Incoming:
    """One picture that is being read: fill its `buffers` with bytes, then take the `frame`.

    Planes are read straight into memory that an encoder takes, where its rows have no gaps.
    """

    def __init__(self, shape: Shape, layout: PixelFormat, colour: ColourSpec) -> None:
        self._shape = shape
        self._layout = layout
        self._colour = colour
        self._copies: list[tuple[NDArray[np.generic], NDArray[np.generic]]] = []
        self._pixels: NDArray[np.generic] | None = None
        if shape.planar is None:
            kind, _ = RGB_FORMATS[shape.layout]
            self._pixels = np.empty((shape.height, shape.width, 3), kind)
            self.buffers = [_bytes(self._pixels)]
            return
        self._read = allocate(shape.planar, shape.width, shape.height, colour=colour)
        self.buffers = []
        for plane in self._read.planes:
            straight = plane if plane.flags.c_contiguous else np.empty(plane.shape, plane.dtype)
            if straight is not plane:
                self._copies.append((plane, straight))
            self.buffers.append(_bytes(straight))

    def frame(self, mark: Mark) -> Frame:
        """Return the picture as a frame in the layout of the take, in the place of the one that `mark` is of.

        Raises `ValueError` in words for values that are no picture's.
        """
        if self._pixels is None:
            for plane, straight in self._copies:
                np.copyto(plane, straight)
            made = self._read
            depth = made.pixel_format.bits
            if depth > 8 and any(int(plane.max()) >> depth for plane in made.planes):
                raise ValueError(f"gives values above {(1 << depth) - 1} in {self._shape.layout}")
            made = converted(made, self._layout)
        else:
            made = taken_back(self._as_pixels(self._pixels), mark.own, self._layout, self._colour)
        made.index, made.pts_seconds, made.damaged, made.notes = mark.index, mark.pts_seconds, mark.damaged, mark.notes
        return made

    def _as_pixels(self, read: NDArray[Any]) -> Pixels:
        kind, red_first = RGB_FORMATS[self._shape.layout]
        pixels = read[..., ::-1] if red_first else read
        if kind is np.float32:
            if not np.isfinite(pixels).all():
                raise ValueError("gives values that are no numbers (NaN or infinite)")
            pixels = np.rint(np.clip(pixels, 0, 1) * np.float32(65535)).astype(np.uint16)
        return np.ascontiguousarray(pixels)


def taken_back(pixels: Pixels, own: Frame | None, layout: PixelFormat, colour: ColourSpec) -> Frame:
    """Return pixels that a program gave as a frame; wherever it changed nothing, with the samples of `own` itself."""
    height, width = pixels.shape[:2]
    if own is None or (own.width, own.height, own.pixel_format, own.colour) != (width, height, layout, colour):
        made = allocate(layout, width, height, colour=colour)
        pixels_to_frame(pixels, made)
        return made
    changed = (pixels != frame_pixels(own, 8 if pixels.itemsize == 1 else 16)).any(axis=2)
    if not changed.any():
        return replace(own)
    made = allocate(layout, width, height, colour=colour)
    pixels_to_frame(pixels, made)
    keep_unchanged(made, own, changed)
    return made


# YUV4MPEG2, as mjpegtools documents it (yuv4mpeg(5)) and libav writes it


def y4m_header(shape: Shape, rate: Fraction, range_: str) -> bytes:
    """Return the line that a stream of pictures begins with."""
    return (
        f"YUV4MPEG2 W{shape.width} H{shape.height} F{rate.numerator}:{rate.denominator} Ip "
        f"A1:1 C{_Y4M_LAYOUTS[shape.layout]} "
        f"XCOLORRANGE={'FULL' if range_ == 'full' else 'LIMITED'}\n"
    ).encode()


FRAME_LINE = b"FRAME\n"


def read_line(read: Callable[[int], bytes]) -> bytes | None:
    """Return the next line of a y4m stream, or `None` at its end. Raises `ValueError` in words for anything else."""
    line = b""
    while not line.endswith(b"\n"):
        byte = read(1)
        if not byte:
            if line:
                raise ValueError("ends in the middle of a line of its y4m stream")
            return None
        line += byte
        if len(line) > _Y4M_LONGEST:
            raise ValueError("gives no y4m stream")
    return line


def y4m_shape(line: bytes) -> Shape:
    """Return what a stream's first line says of its pictures. Raises `ValueError` in words."""
    text = line.decode("ascii", "replace").strip()
    found = {part[0]: part[1:] for part in re.split(r" +", text)[1:] if part and part[0] != "X"}
    if not text.startswith("YUV4MPEG2 ") or not {"W", "H"} <= found.keys():
        raise ValueError("gives no y4m stream")
    chroma = found.get("C", "420")
    layouts = {name: ours for ours, name in _Y4M_LAYOUTS.items()}
    layout = layouts.get(chroma) or ("yuv420p" if chroma in ("420", "420jpeg", "420paldv") else None)
    if layout is None or not found["W"].isdecimal() or not found["H"].isdecimal():
        raise ValueError(f"gives y4m in C{chroma[:20]}, which is not read; known: {', '.join(layouts)}")
    return Shape(int(found["W"]), int(found["H"]), layout)
