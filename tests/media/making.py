"""Small clips of every odd kind, written with PyAV alone and without loss, so that each code value is known."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from postpipe.model import PIXEL_FORMATS, ColourSpec, PixelFormat, SoundBlock

BT709 = ColourSpec("bt709", "limited", "bt709", "bt709")
NTSC = Fraction(30000, 1001)
TAGS_709 = {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}
LOSSLESS = {"qp": "0", "preset": "ultrafast"}
B_FRAMES = {
    "qp": "0",
    "preset": "ultrafast",
    "bf": "3",
    "b_strategy": "0",
    "g": "12",
    "x264-params": "b-pyramid=normal",
}


def values(index: int, plane: int, layout: PixelFormat, width: int, height: int) -> np.ndarray:
    """Return the code values of one plane of picture `index`: every picture and plane has its own pattern."""
    columns, rows = layout.plane_size(plane, width, height)
    y, x = np.mgrid[0:rows, 0:columns]
    if layout.bits == 8:
        return (16 + (x * (3 + plane) + y * (5 + 2 * plane) + index * 7) % 219).astype(np.uint8)
    return (64 + (x * (13 + plane) + y * (5 + 2 * plane) + index * 29) % 876).astype(np.uint16)


def picture(index: int, name: str, width: int, height: int) -> av.VideoFrame:
    """Return picture `index` in libav's pixel format `name` (one of ours, or a yuvj twin)."""
    layout = PIXEL_FORMATS[name.replace("yuvj", "yuv")]
    frame = av.VideoFrame(width, height, name)
    for number, plane in enumerate(frame.planes):
        store(plane, values(index, number, layout, width, height))
    return frame


def store(plane: av.video.plane.VideoPlane, data: np.ndarray) -> None:
    """Copy an array into a plane with padded rows."""
    np.ndarray(data.shape, data.dtype, memoryview(plane), 0, (plane.line_size, data.itemsize))[:] = data


def make(
    path: Path,
    pictures: Sequence[av.VideoFrame] | int = 6,
    *,
    rate: Fraction = Fraction(24),
    size: tuple[int, int] = (64, 48),
    pixel_format: str = "yuv420p",
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
    pts: Sequence[int] | None = None,
    tick: Fraction | None = None,
    rotation: int | None = None,
    aspect: Fraction | None = None,
    sounds: Sequence[tuple[str, int, np.ndarray, Fraction]] = (),
    timecode: str | None = None,
    container_format: str | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a clip. `pictures` may be how many of `picture()` to make.

    `pts` are the pictures' times in units of `tick` (default: one picture). `rotation` is what a viewer has
    to turn counter-clockwise. `sounds` are tracks: codec, rate in Hz, float32 `(samples, channels)`, start in seconds.
    """
    width, height = size
    if isinstance(pictures, int):
        pictures = [picture(index, pixel_format, width, height) for index in range(pictures)]
    tick = tick or 1 / rate
    with av.open(str(path), "w", format=container_format, container_options=container_options) as container:
        if timecode is not None:
            container.metadata["timecode"] = timecode
        stream = container.add_stream(codec, rate=rate)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, pixel_format
        context.time_base = tick
        context.thread_count = 1
        context.options = dict(LOSSLESS if options is None and codec == "libx264" else options or {})
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for name, value in (TAGS_709 if tags is None else tags).items():
            setattr(context, name, value)
        tracks = [(_add_sound(container, *sound[:3]), sound) for sound in sounds]
        for index, frame in enumerate(pictures):
            frame.pts = index if pts is None else pts[index]
            frame.time_base = tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for track, (_, rate_hz, samples, start) in tracks:
            _write_sound(container, track, rate_hz, samples, start)
    return path


def _add_sound(
    container: av.container.OutputContainer, codec: str, rate_hz: int, samples: np.ndarray
) -> av.AudioStream:
    stream = container.add_stream(codec, rate=rate_hz)
    stream.codec_context.layout = {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[1]]
    stream.codec_context.time_base = Fraction(1, rate_hz)
    return stream


def _write_sound(
    container: av.container.OutputContainer, stream: av.AudioStream, rate_hz: int, samples: np.ndarray, start: Fraction
) -> None:
    kind = stream.codec_context.format.name
    for begin in range(0, len(samples), 1024):
        piece = samples[begin : begin + 1024]
        if kind == "fltp":
            data = np.ascontiguousarray(piece.T)
        else:
            full = {"s16": 2.0**15, "s32": 2.0**31, "flt": 1.0}[kind]
            data = (
                (piece.astype(np.float64) * full).astype({"s16": "i2", "s32": "i4", "flt": "f4"}[kind]).reshape(1, -1)
            )
        frame = av.AudioFrame.from_ndarray(data, kind, stream.codec_context.layout.name)
        frame.sample_rate = rate_hz
        frame.pts = int(start * rate_hz) + begin
        frame.time_base = Fraction(1, rate_hz)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def sine(samples: int, *, hertz: float = 440, rate_hz: int = 48000, channels: int = 2) -> np.ndarray:
    """Return a sine at half of full scale, float32 `(samples, channels)`; channel n is n+1 times as high."""
    time = np.arange(samples) / rate_hz
    return np.stack(
        [0.5 * np.sin(2 * np.pi * hertz * (channel + 1) * time) for channel in range(channels)], axis=1
    ).astype(np.float32)


def in_blocks(samples: np.ndarray, size: int = 3000, rate_hz: int = 48000) -> list[SoundBlock]:
    """Return the samples cut into blocks whose size fits no codec's frames."""
    return [SoundBlock(at, rate_hz, samples[at : at + size]) for at in range(0, len(samples), size)]
