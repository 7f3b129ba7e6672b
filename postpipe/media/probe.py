"""What a clip is, from its header and its first picture."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from postpipe.media.colourspec import MATRICES, PRIMARIES, ColourTags, resolve
from postpipe.media.faults import AGAIN, blame, missing_bytes
from postpipe.media.frames import nearest_layout
from postpipe.media.open import INDEXED, open_take
from postpipe.model import Clip, PictureStream, SoundStream

_NOT_THE_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_FASTEST = 480
"""Frames per second above which a nominal rate is a time base in disguise (90000 in phone recordings)."""


def probe(path: Path, digest: str) -> Clip:
    """Return the description of the clip at `path`; `digest` is the SHA-256 of its content.

    Reads the header and decodes at most one picture. Raises `TakeError` when there is no picture to work on.
    """
    with open_take(path) as container:
        warnings: list[str] = []
        if missing := missing_bytes(path):
            warnings.append(f"the file is cut off: at least {missing} bytes are missing at its end")
        stream = _film(container, path)
        native = _first_picture(container, stream, path)
        picture = _picture(container, stream, native, warnings)
        sounds = _sounds(container, warnings)
        _warn_of_timing(stream, picture, warnings)
        timecode = _timecode(container)
        name = container.format.name.split(",")[0]
    return Clip(path, digest, path.stat().st_size, name, picture, sounds, timecode, tuple(warnings))


def packet_bytes(path: Path) -> list[int]:
    """Return the size of each packet of the picture of a film of ours, in the order of the file."""
    with av.open(str(path)) as container:
        return [packet.size for packet in container.demux(video=0) if packet.size]


def _film(container: InputContainer, path: Path) -> VideoStream:
    """Return the picture stream that is the film: neither cover art nor a thumbnail track."""
    films = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & _NOT_THE_FILM
    ]
    if not films:
        if any(stream.codec_context is None for stream in container.streams.video):
            raise blame(path, "its picture is of a kind that cannot be read", "convert it to H.264")
        raise blame(path, "there is no moving picture in it", "give a video file")
    return max(films, key=lambda stream: (bool(stream.disposition & Disposition.default), stream.frames))


def _first_picture(container: InputContainer, stream: VideoStream, path: Path) -> av.VideoFrame:
    context = stream.codec_context
    context.thread_count = 1
    recording = container.format.name.split(",")[0] not in INDEXED
    try:
        for packet in container.demux(stream):
            try:
                # Draining after each packet gets a picture out of it without decoding the ones shown later.
                natives = stream.decode(packet) or context.decode(None)
            except av.error.InvalidDataError:
                if not recording:
                    raise
                natives = []
            if natives:
                return natives[0]
            context.flush_buffers()
    except av.FFmpegError as error:
        raise blame(path, f"its first picture cannot be decoded ({error.strerror})", AGAIN) from error
    raise blame(path, "there is no picture in it that can be decoded", AGAIN)


def _picture(
    container: InputContainer, stream: VideoStream, native: av.VideoFrame, warnings: list[str]
) -> PictureStream:
    source = native.format.name
    rotation = _rotation(native, warnings)
    sideways = rotation in (90, 270)
    width, height = native.width, native.height
    tags = ColourTags(native.colorspace, native.color_range, native.color_primaries, native.color_trc)
    if native.format.is_rgb or native.format.has_palette:
        # RGB has neither matrix nor range: these are the ones that its frames are converted to.
        tags = replace(tags, matrix=MATRICES["bt2020nc" if tags.primaries == PRIMARIES["bt2020"] else "bt709"], range=1)
    colour, notes = resolve(
        tags,
        width=width,
        height=height,
        full_by_format=source.startswith("yuvj"),
    )
    warnings += notes
    if colour.hdr:
        warnings.append(f"high dynamic range picture ({colour.transfer})")
    layout = nearest_layout(source, quarter_turn=sideways)
    alpha = any(part.is_alpha for part in native.format.components) or stream.metadata.get("alpha_mode") == "1"
    if alpha:
        warnings.append("its transparency (alpha) is ignored")
    interlaced = native.interlaced_frame or stream.codec_context.field_order > 1
    if interlaced:
        warnings.append("interlaced picture: it is deinterlaced, one frame per frame")
    aspect = _pixel_aspect(stream, sideways, warnings)
    declared = _seconds(stream.duration, stream.time_base)
    if declared is None and container.duration is not None:
        declared = Fraction(container.duration, av.time_base)
    return PictureStream(
        index=stream.index,
        codec=stream.codec_context.name,
        width=height if sideways else width,
        height=width if sideways else height,
        coded_width=width,
        coded_height=height,
        rotation=rotation,
        pixel_aspect=aspect,
        source_format=source,
        pixel_format=layout,
        colour=colour,
        rate=_rate(stream, warnings),
        time_base=stream.time_base or Fraction(1, av.time_base),
        interlaced=interlaced,
        alpha=alpha,
        declared_frames=stream.frames or None,
        declared_seconds=declared,
    )


def _rotation(native: av.VideoFrame, warnings: list[str]) -> int:
    """Return the clockwise rotation, in whole quarter turns, that makes the picture upright."""
    clockwise = -native.rotation % 360
    quarter = (clockwise + 45) // 90 * 90 % 360
    if quarter != clockwise:
        warnings.append(f"turned by {clockwise}°: shown turned by {quarter}°")
    side_data: Any = native.side_data
    if "DISPLAYMATRIX" in side_data:
        matrix = np.frombuffer(side_data["DISPLAYMATRIX"], np.int32, 9).astype(np.float64)
        if matrix[0] * matrix[4] - matrix[1] * matrix[3] < 0:
            warnings.append("marked as mirrored: the mirroring is ignored")
    return quarter


def _pixel_aspect(stream: VideoStream, sideways: bool, warnings: list[str]) -> Fraction:
    aspect = stream.sample_aspect_ratio
    if aspect is None or aspect <= 0:
        return Fraction(1)
    if aspect != 1:
        warnings.append(f"pixels are not square ({aspect.numerator}:{aspect.denominator})")
    return 1 / aspect if sideways else aspect


def _rate(stream: VideoStream, warnings: list[str]) -> Fraction:
    for rate in (stream.guessed_rate, stream.average_rate):
        if rate is not None and 0 < rate <= _FASTEST:
            return exact_rate(rate)
    warnings.append("the file does not say its frame rate: taken as 25")
    return Fraction(25)


def exact_rate(rate: Fraction) -> Fraction:
    """Return `rate`, or the NTSC rate (×1000/1001) that it is a rounded form of (59.94 → 60000/1001)."""
    ntsc = Fraction(round(rate * 1001 / 1000) * 1000, 1001)
    return ntsc if ntsc and abs(rate / ntsc - 1) < Fraction(1, 100_000) else rate


def _warn_of_timing(stream: VideoStream, picture: PictureStream, warnings: list[str]) -> None:
    average = stream.average_rate
    nominal = picture.rate
    if average and not math.isclose(average, nominal, rel_tol=0.01):
        warnings.append(f"frames are not evenly spaced (about {float(average):.3f} per second on average)")
    start = _seconds(stream.start_time, stream.time_base)
    if start:
        warnings.append(f"the picture starts at {float(start):.3f} s on the file's clock")
    if (picture.width | picture.height) & 1:
        warnings.append(f"odd size ({picture.width} × {picture.height})")


def _sounds(container: InputContainer, warnings: list[str]) -> tuple[SoundStream, ...]:
    sounds = []
    for stream in container.streams.audio:
        context = stream.codec_context
        if context is None or not context.sample_rate or not context.channels:
            warnings.append(f"sound track {stream.index} is of a kind that cannot be read: ignored")
            continue
        sounds.append(
            SoundStream(
                index=stream.index,
                codec=context.name,
                rate_hz=context.sample_rate,
                channels=context.channels,
                layout=context.layout.name,
                declared_seconds=_seconds(stream.duration, stream.time_base),
            )
        )
    if len(sounds) > 1:
        warnings.append(f"{len(sounds)} sound tracks: the first is used")
    return tuple(sounds)


def _timecode(container: InputContainer) -> str | None:
    for metadata in (*(stream.metadata for stream in container.streams), container.metadata):
        if text := metadata.get("timecode"):
            return text
    return None


def _seconds(ticks: int | None, time_base: Fraction | None) -> Fraction | None:
    return None if ticks is None or time_base is None else ticks * time_base
