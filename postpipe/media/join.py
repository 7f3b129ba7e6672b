"""Put render units one after the other without encoding again, and encode the sound once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from postpipe.errors import DeliveryError
from postpipe.media.avc import ParameterSets, merged
from postpipe.media.boxes import drop_trivial_edits
from postpipe.media.open import delivery_faults, discard_output, open_output, open_take
from postpipe.media.sound import LAYOUTS
from postpipe.media.write import REORDER, track_timescale
from postpipe.model import SoundBlock

SoundCodec = Literal["aac", "pcm_s16le", "pcm_s24le"]

_PIECE = 1024
"""Samples handed to the sound encoder at a time: one AAC frame."""
_AAC_BITS_PER_CHANNEL = 160_000
_LARGEST_TIMESCALE = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Joined:
    """What was written: pictures, samples of sound per channel, and the exact length of the picture."""

    frames: int
    samples: int
    seconds: Fraction


def join(
    units: Sequence[Path],
    sound: Iterable[SoundBlock] | None,
    out: Path,
    *,
    rate: Fraction,
    sound_codec: SoundCodec = "aac",
    sound_rate_hz: int = 48000,
    channels: int = 2,
    sound_options: Mapping[str, str] | None = None,
    sound_samples: int = 0,
    timecode: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Joined:
    """Write the pictures of `units` in order, with `sound` under them, to `out`.

    `out` ends in .mp4, or in .mov for PCM sound, ProRes and DNxHR. The units come from `PictureWriter` with
    equal settings and rate `rate`; their packets are copied, so that the decoded pictures are those of the
    units, bit for bit. `sound` gives exactly `sound_samples` samples (float32, `channels` 1 or 2); `sound_options` are
    those of libav's encoder. `timecode`
    (`HH:MM:SS:FF`, `;FF` for drop frame) is that of the first frame. The index stands first, and nothing in
    the file depends on the time or the machine.

    Raises `DeliveryError` when units do not fit together or the sound has another length, `OSError` when
    the disk refuses. After an error there is no file.
    """
    if not units:
        raise DeliveryError(f"{out}: there is nothing to join")
    movie = out.suffix.lower() == ".mov"
    if sound is not None and sound_codec != "aac" and not movie:
        raise DeliveryError(f"{out}: {sound_codec} sound goes into .mov files")
    container = open_output(
        out,
        "mov" if movie else "mp4",
        {
            "movflags": "+faststart+negative_cts_offsets",
            "video_track_timescale": str(track_timescale(rate)),
            "movie_timescale": str(movie_timescale(rate, None if sound is None else sound_rate_hz)),
        },
    )
    try:
        container.metadata.update(metadata or {})
        if timecode is not None:
            container.metadata["timecode"] = timecode
        with delivery_faults(out):
            pictures = _Pictures(container, units, rate)
            track = None
            if sound is not None:
                track = _SoundTrack(container, sound_codec, sound_rate_hz, channels, sound_options or {})
                _interleave(container, pictures, track.packets(sound, sound_samples))
            else:
                for packet in pictures.packets():
                    container.mux(packet)
            container.close()
        drop_trivial_edits(out)
    except BaseException:
        discard_output(container, out)
        raise
    return Joined(pictures.frames, sound_samples if sound is not None else 0, pictures.frames / rate)


def movie_timescale(rate: Fraction, sound_rate_hz: int | None) -> int:
    """Return ticks per second that express frames at `rate` and samples exactly, as far as 31 bits allow."""
    picture = track_timescale(rate)
    both = math.lcm(picture, sound_rate_hz or 1)
    return both if both <= _LARGEST_TIMESCALE else picture


def _interleave(container: OutputContainer, pictures: _Pictures, sound_packets: Iterator[Packet[AudioStream]]) -> None:
    """Write both tracks side by side, so that the muxer need not hold either back."""
    reached = Fraction(0)
    for packet in pictures.packets():
        container.mux(packet)
        while reached <= pictures.seconds:
            sound_packet = next(sound_packets, None)
            if sound_packet is None:
                break
            if sound_packet.pts is not None:
                reached = sound_packet.pts * sound_packet.time_base
            container.mux(sound_packet)
    for sound_packet in sound_packets:
        container.mux(sound_packet)


class _Pictures:
    """The picture track: packets of all units, renumbered."""

    def __init__(self, container: OutputContainer, units: Sequence[Path], rate: Fraction) -> None:
        self.frames = 0
        self._units = units
        self._rate = rate
        with open_take(units[0]) as first:
            source = _picture_stream(first, units[0])
            self._parameters = _parameters(source)
            stream = container.add_stream_from_template(source, opaque=True)
            if source.codec_context.name == "h264":
                stream.codec_context.extradata = self._all_parameter_sets(source.codec_context.extradata)
            stream.time_base = 1 / rate
            stream.codec_context.framerate = rate
            stream.codec_context.codec_tag = source.codec_context.codec_tag
            self._stream = stream

    def _all_parameter_sets(self, first: bytes | None) -> bytes | None:
        """Return the header of a track that holds all units: copied ones have parameter sets of their own."""
        headers = dict.fromkeys([first])
        for unit in self._units[1:]:
            with open_take(unit) as container:
                headers.setdefault(self._alike(container, unit).codec_context.extradata)
        if len(headers) == 1:
            return first
        try:
            return merged(ParameterSets.parse(header) for header in headers).to_bytes()
        except ValueError as error:
            raise DeliveryError(f"{self._units[0]} and the units after it cannot be joined: {error}") from error

    def _alike(self, container: InputContainer, unit: Path) -> VideoStream:
        stream = _picture_stream(container, unit)
        if _parameters(stream) != self._parameters:
            raise DeliveryError(f"{unit} was encoded with other settings than {self._units[0]}: they cannot be joined")
        return stream

    @property
    def seconds(self) -> Fraction:
        """Length of what has been given out so far."""
        return self.frames / self._rate

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """Yield all packets in decoding order, with the times of the joined film."""
        for unit in self._units:
            start = self.frames
            with open_take(unit) as container:
                for packet in container.demux(self._alike(container, unit)):
                    if packet.size:
                        yield self._placed(packet, start, unit)

    def _placed(self, packet: Packet[VideoStream], start: int, unit: Path) -> Packet[VideoStream]:
        frame = None if packet.pts is None else packet.pts * packet.time_base * self._rate
        if frame is None or frame.denominator != 1:
            raise DeliveryError(f"{unit} was not written at {self._rate} frames per second")
        packet.stream = self._stream
        packet.time_base = 1 / self._rate
        packet.pts = start + frame.numerator
        # Each unit counts its decoding times from its own start: here one count goes through all of them.
        packet.dts = self.frames - REORDER
        packet.duration = 1
        self.frames += 1
        return packet


class _SoundTrack:
    """The sound track, encoded in one go."""

    def __init__(
        self, container: OutputContainer, codec: SoundCodec, rate_hz: int, channels: int, options: Mapping[str, str]
    ) -> None:
        self._codec = codec
        self._rate_hz = rate_hz
        self._layout = LAYOUTS[channels]
        stream = container.add_stream(codec, rate=rate_hz, options=dict(options))
        assert isinstance(stream, AudioStream)
        context = stream.codec_context
        context.layout = self._layout
        context.time_base = Fraction(1, rate_hz)
        context.flags |= Flags.bitexact
        if codec == "aac":
            context.bit_rate = _AAC_BITS_PER_CHANNEL * channels
        context.open()
        self._stream = stream

    def packets(self, sound: Iterable[SoundBlock], samples: int) -> Iterator[Packet[AudioStream]]:
        """Yield the encoded sound. Raises `DeliveryError` at its end unless it had exactly `samples` samples."""
        given = 0
        for piece in _in_pieces(sound):
            native = self._native(piece)
            native.pts = given
            given += len(piece)
            yield from self._stream.encode(native)
        if given != samples:
            raise DeliveryError(f"the sound has {given} samples instead of {samples}")
        yield from self._stream.encode(None)

    def _native(self, piece: NDArray[np.float32]) -> av.AudioFrame:
        if self._codec == "aac":
            native = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece.T), "fltp", self._layout)
        elif self._codec == "pcm_s16le":
            native = av.AudioFrame.from_ndarray(_integers(piece, 16).astype(np.int16), "s16", self._layout)
        else:
            # libav keeps 24-bit samples in the upper bits of 32.
            native = av.AudioFrame.from_ndarray(_integers(piece, 24) << 8, "s32", self._layout)
        native.sample_rate = self._rate_hz
        native.time_base = Fraction(1, self._rate_hz)
        return native


def _integers(piece: NDArray[np.float32], bits: int) -> NDArray[np.int32]:
    """Return the samples as interleaved integers, shape `(1, samples × channels)`; overload is clipped."""
    full = 2.0 ** (bits - 1)
    scaled = np.rint(piece.astype(np.float64) * full).clip(-full, full - 1)
    return scaled.astype(np.int32).reshape(1, -1)


def _in_pieces(sound: Iterable[SoundBlock]) -> Iterator[NDArray[np.float32]]:
    """Yield the samples of the blocks in pieces of `_PIECE`, the last one shorter."""
    held: list[NDArray[np.float32]] = []
    count = 0
    for block in sound:
        held.append(block.samples)
        count += len(block.samples)
        if count >= _PIECE:
            samples = np.concatenate(held)
            whole = count - count % _PIECE
            for begin in range(0, whole, _PIECE):
                yield samples[begin : begin + _PIECE]
            held, count = [samples[whole:]], count - whole
    if count:
        yield np.concatenate(held)


def _picture_stream(container: InputContainer, path: Path) -> VideoStream:
    if not container.streams.video:
        raise DeliveryError(f"{path} has no picture")
    return container.streams.video[0]


def _parameters(stream: VideoStream) -> tuple[object, ...]:
    """Return all that must be equal for packets to share one track."""
    context = stream.codec_context
    return (
        context.name,
        *(() if context.name == "h264" else (context.profile, context.extradata)),
        context.width,
        context.height,
        context.pix_fmt,
        context.colorspace,
        context.color_primaries,
        context.color_trc,
        context.color_range,
    )
