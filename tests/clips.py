"""Tiny clips with known content, written with PyAV alone so that the writer under test is not its own judge."""

from __future__ import annotations

from collections.abc import Container, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def picture(index: int, width: int, height: int, seed: int) -> np.ndarray:
    """Return luma of a moving texture: a smooth field that drifts, with blocks of detail."""
    y, x = np.mgrid[0:height, 0:width]
    drift = index * 2 + seed * 7
    field = 90 + 40 * np.sin((x + drift) / 9.0) + 30 * np.cos((y - drift) / 7.0)
    field += 25 * (((x + drift) // 8 + (y + seed) // 8) % 2)
    return np.clip(field, 16, 235).astype(np.uint8)


def make_clip(
    path: Path,
    *,
    frames: int = 24,
    rate: Fraction = Fraction(24),
    size: tuple[int, int] = (64, 48),
    seed: int = 0,
    first: int = 0,
    gains: dict[int, float] | None = None,
    still: Container[int] = (),
    black: Container[int] = (),
    sound_hz: int | None = 440,
    sound_rate_hz: int = 48000,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pixel_format: str = "yuv420p",
    tags: dict[str, int] | None = None,
    pts: list[int] | None = None,
) -> Path:
    """Write a clip: `still` frames repeat the one before, `gains` scale luma, `black` frames are black.

    `first` is the number of the first picture. `pts` gives each frame's time in units of 1/1000 s instead of an even
    rate.
    """
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.thread_count = 1
        if pts is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = options or {"crf": "12", "preset": "ultrafast"}
        for name, value in (tags or {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}).items():
            setattr(stream.codec_context, name, value)
        sound = container.add_stream("aac", rate=sound_rate_hz) if sound_hz is not None else None
        if sound is not None:
            sound.codec_context.layout = "mono"
        shown = 0
        for index in range(frames):
            shown = shown if index in still else index
            luma = picture(first + shown, width, height, seed).astype(np.float64) * (gains or {}).get(index, 1.0)
            luma = np.full_like(luma, 16) if index in black else luma
            frame = av.VideoFrame(width, height, pixel_format)
            for number, plane in enumerate(frame.planes):
                value = np.clip(luma, 0, 255) if number == 0 else np.full((plane.height, plane.width), 128.0)
                _fill(plane, value, 4 if "10" in pixel_format else 1)
            frame.pts = pts[index] if pts is not None else index
            frame.time_base = Fraction(1, 1000) if pts is not None else 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            for packet in _sound_packets(sound, frames / rate, sound_hz or 0, sound_rate_hz):
                container.mux(packet)
    return path


def _sound_packets(stream: av.AudioStream, seconds: Fraction, hertz: int, rate_hz: int) -> Iterator[av.Packet]:
    samples = tone(seconds, hertz, rate_hz)
    for start in range(0, samples.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, start : start + 1024]), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _fill(plane: av.video.plane.VideoPlane, values: np.ndarray, scale: int) -> None:
    kind = np.uint8 if scale == 1 else np.uint16
    rows = np.zeros((plane.height, plane.line_size // kind().itemsize), kind)
    rows[:, : plane.width] = np.round(values * scale)
    plane.update(rows.tobytes())


def tone(seconds: Fraction, hertz: float, rate_hz: int) -> np.ndarray:
    """Return a sine at half of full scale, float32, shape `(1, samples)`."""
    samples = int(seconds * rate_hz)
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(samples) / rate_hz)).astype(np.float32)[None]
