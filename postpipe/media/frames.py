"""Frames over libav's own memory: views without a copy, fresh frames to write into, and layout conversion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from postpipe.media.colourspec import LUMA_WEIGHTS, MATRICES, RANGES, SWS_MATRICES
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame, PixelFormat, Plane

_Planes = tuple[Plane, Plane, Plane]

_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@lru_cache(maxsize=64)
def nearest_layout(source_format: str, quarter_turn: bool = False) -> PixelFormat:
    """Return the layout that frames of libav's `source_format` are read as.

    Chroma is never thrown away and 8-bit stays 8-bit: 4:4:0 and RGB become 4:4:4, more than 10 bits become 10.
    A `quarter_turn` (90° or 270°) makes 4:2:2 into 4:4:4, since 4:2:2 on its side is no layout we work on.
    """
    layout = av.VideoFormat(source_format, 16, 16)
    colour = [part for part in layout.components if not part.is_alpha]
    bits = 8 if max(part.bits for part in colour) <= 8 else 10
    if layout.is_rgb or layout.has_palette:
        sampling = "444"
    elif len(colour) < 3:
        sampling = "420"  # grey: chroma is constant
    else:
        halved_x, halved_y = layout.chroma_width(16) < 16, layout.chroma_height(16) < 16
        sampling = {(True, True): "420", (True, False): "422"}.get((halved_x, halved_y), "444")
    if sampling == "422" and quarter_turn:
        sampling = "444"
    return PIXEL_FORMATS[f"yuv{sampling}p" + ("10le" if bits == 10 else "")]


def upright_views(
    source_format: str, layout: PixelFormat, colour: ColourSpec, rotation: int
) -> Callable[[av.VideoFrame], tuple[_Planes, av.VideoFrame | None]]:
    """Return the function that takes a decoded frame to its upright planes in `layout`.

    Its second result is the frame itself where the planes are exactly its own, else `None`. Nothing is
    copied unless the pixel format has to be converted. `rotation` is in degrees clockwise.
    """
    own = source_format.replace("yuvj", "yuv").replace("yuva", "yuv")
    grey = "gray" if layout.bits == 8 else "gray10le"
    deep_rgb = layout.bits > 8 and av.VideoFormat(source_format).is_rgb
    reformatter = VideoReformatter()
    turns = -(rotation // 90) % 4

    def views(native: av.VideoFrame) -> tuple[_Planes, av.VideoFrame | None]:
        if own == layout.name:
            planes = native_planes(native, layout)
        elif source_format == grey:
            planes = _with_neutral_chroma(native, layout)
        elif deep_rgb:
            native = _from_deep_rgb(reformatter.reformat(native, format="gbrp16le", threads=1), colour)
            planes = native_planes(native, layout)
        else:
            native = convert_native(native, layout.name, colour, reformatter)
            planes = native_planes(native, layout)
        if turns:
            planes = (np.rot90(planes[0], turns), np.rot90(planes[1], turns), np.rot90(planes[2], turns))
            return planes, None
        return planes, native if native.format.name == layout.name else None

    return views


def native_planes(native: av.VideoFrame, layout: PixelFormat) -> _Planes:
    """Return views of the three planes of `native`, cropped to the picture, with libav's strides."""
    y, cb, cr = native.planes[:3]
    return _view(y, layout.bits), _view(cb, layout.bits), _view(cr, layout.bits)


def _view(plane: av.video.plane.VideoPlane, bits: int) -> Plane:
    stride = plane.line_size
    # Some decoders store pictures bottom up: the buffer starts at the last line then.
    offset = (plane.height - 1) * -stride if stride < 0 else 0
    memory = memoryview(plane)
    if bits == 8:
        return np.ndarray((plane.height, plane.width), np.uint8, memory, offset, (stride, 1))
    return np.ndarray((plane.height, plane.width), np.uint16, memory, offset, (stride, 2))


def _with_neutral_chroma(native: av.VideoFrame, layout: PixelFormat) -> _Planes:
    chroma = _neutral(layout, native.width, native.height)
    return _view(native.planes[0], layout.bits), chroma, chroma


@lru_cache(maxsize=4)
def _neutral(layout: PixelFormat, width: int, height: int) -> Plane:
    columns, rows = layout.plane_size(1, width, height)
    if layout.bits == 8:
        return np.full((rows, columns), 128, np.uint8)
    return np.full((rows, columns), 512, np.uint16)


def _from_deep_rgb(native: av.VideoFrame, colour: ColourSpec) -> av.VideoFrame:
    """Return 10-bit 4:4:4 made from 16-bit planar RGB, rounded once (libswscale is 3 of 1023 off at white)."""
    converted = av.VideoFrame(native.width, native.height, "yuv444p10le")
    green, blue, red = (_view(plane, 16).astype(np.float32) / np.float32(65535) for plane in native.planes)
    kr, kb = LUMA_WEIGHTS[colour.matrix]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    black, luma_span, chroma_span = (64, 876, 896) if colour.range == "limited" else (0, 1023, 1023)
    for target, signal, zero, span in zip(
        native_planes(converted, PIXEL_FORMATS["yuv444p10le"]),
        (luma, (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)),
        (black, 512, 512),
        (luma_span, chroma_span, chroma_span),
        strict=True,
    ):
        target[:] = np.rint(signal * span + zero).clip(0, 1023)
    return converted


def convert_native(
    native: av.VideoFrame, to_format: str, colour: ColourSpec, reformatter: VideoReformatter
) -> av.VideoFrame:
    """Return `native` in another pixel format, with the matrix and range of `colour` before and after.

    RGB goes in as full range and comes out with that matrix and range. libswscale's own guess (BT.601)
    is never used.
    """
    if not (native.format.is_rgb or native.format.has_palette):
        native.colorspace = MATRICES[colour.matrix]
        native.color_range = RANGES[colour.range]
    return reformatter.reformat(
        native,
        format=to_format,
        dst_colorspace=SWS_MATRICES[colour.matrix],
        dst_color_range=RANGES[colour.range],
        interpolation=_SCALING,
        threads=1,
    )


def allocate(
    pixel_format: PixelFormat,
    width: int,
    height: int,
    *,
    index: int = 0,
    pts_seconds: Fraction = Fraction(0),
    colour: ColourSpec,
) -> Frame:
    """Return a frame whose planes are writable views of fresh memory that an encoder takes without a copy.

    The planes hold whatever the memory held: fill all of them. Rows are padded, so strides exceed widths.
    """
    native = av.VideoFrame(width, height, pixel_format.name)
    return Frame(index, pts_seconds, native_planes(native, pixel_format), pixel_format, colour, native)


def allocate_like(
    frame: Frame,
    *,
    pixel_format: PixelFormat | None = None,
    width: int | None = None,
    height: int | None = None,
    colour: ColourSpec | None = None,
) -> Frame:
    """Return a fresh frame (see `allocate`) with the index, time and, unless given, the shape of `frame`."""
    fresh = allocate(
        pixel_format or frame.pixel_format,
        width or frame.width,
        height or frame.height,
        index=frame.index,
        pts_seconds=frame.pts_seconds,
        colour=colour or frame.colour,
    )
    fresh.damaged, fresh.notes = frame.damaged, frame.notes
    return fresh


def is_native(frame: Frame) -> bool:
    """Return whether the planes of `frame` are exactly those of its native frame, so that it can go as it is."""
    native = frame.native
    if native is None or native.format.name != frame.pixel_format.name:
        return False
    return all(
        plane.__array_interface__["data"][0] == own.buffer_ptr
        and plane.shape == (own.height, own.width)
        and plane.strides == (own.line_size, plane.itemsize)
        for plane, own in zip(frame.planes, native.planes, strict=True)
    )


def converted(frame: Frame, pixel_format: PixelFormat) -> Frame:
    """Return a frame in another of our layouts, with the same coding (libswscale, bicubic chroma); or itself."""
    if frame.pixel_format == pixel_format:
        return frame
    native: av.VideoFrame = frame.native
    if not is_native(frame):
        copy = allocate_like(frame)
        for target, plane in zip(copy.planes, frame.planes, strict=True):
            np.copyto(target, plane)
        native = copy.native
    native = convert_native(native, pixel_format.name, frame.colour, VideoReformatter())
    planes = native_planes(native, pixel_format)
    return replace(frame, planes=planes, pixel_format=pixel_format, native=native)
