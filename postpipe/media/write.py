"""Write the picture of one render unit: the same frames and settings give the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal

import av
import numpy as np
from av.codec.context import Flags, ThreadType
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from postpipe.errors import DeliveryError
from postpipe.media.colourspec import tag
from postpipe.media.encoders import PICTURE_CODECS, PictureCodec, encoder_options
from postpipe.media.frames import allocate, convert_native, is_native
from postpipe.media.open import delivery_faults, discard_output, open_output
from postpipe.model import ColourSpec, Frame, PixelFormat

Codec = Literal["h264", "h265", "lossless", "prores", "dnxhr"]

REORDER = 2
"""Pictures by which decoding runs ahead of showing: what x264 and x265 need with pyramids of B-frames, the
deepest that they make. The file stores times relative to the first picture, so more does no harm."""


class PictureWriter:
    """Encodes frames into one file, picture only, at a constant rate; frame n is shown at n ÷ `rate` seconds.

    The first picture is an IDR frame and groups of pictures are closed, so that units can be joined
    without encoding again. `colour` is tagged in the bitstream and in the container. `threads` is fixed,
    since x264 writes other bytes for other thread counts. `options` go to the encoder (`crf`, `preset`,
    `profile`, …). The file is MP4 for h264, h265 and lossless, MOV for prores and dnxhr, whatever its name.

    Leave the `with` block without an exception, or call `close()`, and the file is whole; after an
    exception there is no file. Raises `ValueError` for a layout, size or colour that the codec does not
    take, `DeliveryError` when the encoder refuses its options, `OSError` when the disk refuses.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        height: int,
        rate: Fraction,
        pixel_format: PixelFormat,
        colour: ColourSpec,
        codec: Codec = "h264",
        options: Mapping[str, str] | None = None,
        threads: int = 1,
    ) -> None:
        self.path = path
        self.frames = 0
        self._packets = 0
        self._size = (width, height)
        self._pixel_format = pixel_format
        self._colour = colour
        self._tick = 1 / rate
        self._reformatter = VideoReformatter()
        choice = PICTURE_CODECS[codec]
        choice.check(pixel_format, width, height, colour)
        self._container: OutputContainer | None = open_output(
            path,
            choice.container,
            {"movflags": "+negative_cts_offsets", "video_track_timescale": str(track_timescale(rate))},
        )
        try:
            made_by = encoder_options(codec, pixel_format, threads, options or {}, width * height)
            self._stream = self._add_stream(self._container, choice, made_by, threads)
        except BaseException:
            self.abort()
            raise

    def __enter__(self) -> PictureWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def write(self, frame: Frame) -> None:
        """Encode `frame` as the next one; its own number and time are not looked at.

        A frame in libav's memory (as read, or from `frames.allocate`) goes to the encoder without a copy;
        any other is copied once. Another pixel format is converted. Raises `ValueError` for a frame of
        another size, matrix or range: those are for filters to change.
        """
        container = self._container
        if container is None:
            raise ValueError("the writer is closed")
        if (frame.width, frame.height) != self._size:
            raise ValueError(f"a frame of {frame.width} × {frame.height} in a film of {self._size}")
        if (frame.colour.matrix, frame.colour.range) != (self._colour.matrix, self._colour.range):
            raise ValueError(f"a frame in {frame.colour} in a film in {self._colour}")
        native = self._native(frame)
        native.pts = self.frames
        native.time_base = self._tick
        native.pict_type = 0  # the encoder chooses, not the source's group of pictures
        tag(native, self._colour)
        self.frames += 1
        with delivery_faults(self.path):
            self._mux(container, self._stream.encode(native))

    def close(self) -> None:
        """Encode what is pending and finish the file."""
        container = self._container
        if container is None:
            return
        try:
            if not self.frames:
                raise DeliveryError(f"{self.path}: no frame was written")
            with delivery_faults(self.path):
                self._mux(container, self._stream.encode(None))
                container.close()
        except BaseException:
            self.abort()
            raise
        self._container = None

    def abort(self) -> None:
        """Give up and remove the unfinished file."""
        container, self._container = self._container, None
        if container is not None:
            discard_output(container, self.path)

    def _add_stream(
        self, container: OutputContainer, choice: PictureCodec, options: dict[str, str], threads: int
    ) -> VideoStream:
        stream = container.add_stream(choice.encoder, rate=1 / self._tick)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height = self._size
        context.pix_fmt = self._pixel_format.name
        context.time_base = self._tick
        context.sample_aspect_ratio = Fraction(1)
        context.thread_count = threads
        # PyAV's own setting makes x264 cut every picture into slices.
        context.thread_type = ThreadType.AUTO
        context.flags |= Flags.bitexact
        tag(context, self._colour)
        if choice.fourcc:
            context.codec_tag = choice.fourcc
        context.options = dict(options)
        try:
            context.open()
        except av.FFmpegError as error:
            raise DeliveryError(f"the encoder {choice.encoder} does not take {options}: {error.strerror}") from error
        # What the encoder did not know is left over.
        if context.options:
            raise DeliveryError(f"the encoder {choice.encoder} knows no option {', '.join(context.options)}")
        return stream

    def _native(self, frame: Frame) -> av.VideoFrame:
        native: av.VideoFrame = frame.native
        if not is_native(frame):
            copy = allocate(frame.pixel_format, frame.width, frame.height, colour=frame.colour)
            for target, plane in zip(copy.planes, frame.planes, strict=True):
                np.copyto(target, plane)
            native = copy.native
        if frame.pixel_format != self._pixel_format:
            native = convert_native(native, self._pixel_format.name, frame.colour, self._reformatter)
        return native

    def _mux(self, container: OutputContainer, packets: Iterable[Packet[VideoStream]]) -> None:
        """Write packets with decoding times of our own: x265 leaves those of very short units undefined."""
        for packet in packets:
            packet.dts = self._packets - REORDER
            packet.duration = 1
            self._packets += 1
            container.mux(packet)


def track_timescale(rate: Fraction) -> int:
    """Return ticks per second in which every frame time at `rate` is a whole number (24 → 24000)."""
    return rate.numerator * (1000 if rate.numerator < 1000 else 1)
