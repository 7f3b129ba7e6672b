"""Read the sound of a clip onto an exact grid of samples, on the same clock as its pictures."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from functools import lru_cache
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from postpipe.errors import TakeError
from postpipe.media.open import INDEXED, open_take
from postpipe.model import Clip, SoundBlock
from postpipe.timing import round_half_up

Samples = NDArray[np.float32]

LAYOUTS = {1: "mono", 2: "stereo"}
"""The channel layouts that sound is delivered in, by number of channels."""

_BLOCK = 8192
"""Samples per block that is given out, at most."""
_JITTER_SECONDS = Fraction(1, 100)
"""Time stamps that are off by less than this are rounding, not gaps (Matroska counts milliseconds)."""
_DTYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}
_CUSTOMARY = {
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""The order of channels that a file does not name, where their number tells it (WAVE, 5.1 and 7.1)."""
_SIDE_GAIN = 0.5**0.5
"""Of the centre and surround channels in a stereo mix (ITU-R BS.775-4, annex 4)."""


class SoundReader:
    """Iterates over exactly the samples that were asked for, as `SoundBlock`s; made by `read_sound`.

    `warnings` fills with sentences while reading: what was damaged and is given as silence.
    """

    def __init__(
        self,
        clip: Clip,
        stream: int | None,
        *,
        rate_hz: int,
        channels: int,
        start_seconds: Fraction,
        samples: int,
        speed: Fraction,
    ) -> None:
        self.warnings: list[str] = []
        self._jumps = 0
        self._path = clip.file
        self._picture = clip.picture.index if clip.container in INDEXED and clip.remade is None else None
        self._stream_index = stream
        self._rate_hz = rate_hz
        self._channels = channels
        self._start = start_seconds
        self._samples = samples
        self._speed = speed
        self._blocks = self._run()

    def __iter__(self) -> Iterator[SoundBlock]:
        return self

    def __next__(self) -> SoundBlock:
        return next(self._blocks)

    def __enter__(self) -> SoundReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file. Happens by itself at the end of the iteration."""
        self._blocks.close()

    def _run(self) -> Generator[SoundBlock, None, None]:
        done = 0
        for piece in _exactly(self._on_grid(), self._samples, self._channels):
            yield SoundBlock(done, self._rate_hz, piece)
            done += len(piece)

    def _on_grid(self) -> Iterator[Samples]:
        """Yield samples at the wanted rate from the wanted start on, until the stream ends."""
        if self._stream_index is None:
            return
        with open_take(self._path, unseen=self._picture) as container:
            known = self._stream_index < len(container.streams)
            stream = container.streams[self._stream_index] if known else None
            if not isinstance(stream, AudioStream):
                raise TakeError(self._path, "the file is not the one that was looked at", "run again")
            for other in container.streams:
                if other is not stream:
                    other.discard = av.stream.Discard.all
            natives = self._decoded(container.demux(stream))
            opening = next(natives, None)
            if opening is None:
                return
            # What comes out of the decoder counts: headers understate the rate of HE-AAC.
            rate = opening.sample_rate
            placed = self._placed(_chain(opening, natives), rate)
            first = round_half_up(self._start * rate)
            consumed = round_half_up(self._speed * rate)  # of its samples in a second of what is given
            if consumed == self._rate_hz:
                yield from _continuous(placed, first)
                return
            # One second of lead-in is a whole number of samples at both rates, and settles the filter.
            lead_in = self._rate_hz
            source = _continuous(placed, first - consumed)
            for piece in _rate_converted(source, consumed, self._rate_hz, self._channels):
                yield piece[min(lead_in, len(piece)) :]
                lead_in -= min(lead_in, len(piece))

    def _placed(self, natives: Iterator[av.AudioFrame], rate: int) -> Iterator[tuple[int, Samples]]:
        """Yield `(number of the first sample on the source's own grid, samples)`.

        Sample 0 of that grid is at time 0 of the container's clock.
        """
        expected: int | None = None
        for native in natives:
            if native.sample_rate != rate:
                self.warnings.append(f"its sample rate changes at {native.time:.2f} s: silence from there on")
                return
            at = expected if expected is not None else 0
            base = native.time_base
            if native.pts is not None and base is not None:
                stamp = round_half_up(native.pts * base * rate)
                if expected is None or abs(stamp - expected) > max(_JITTER_SECONDS, 2 * base) * rate:
                    at = stamp
                    if expected is not None:
                        self._warn_of_jump(expected, stamp, rate)
            samples = _mixed(to_float(native), native.layout, self._channels)
            yield at, samples
            expected = at + len(samples)

    def _warn_of_jump(self, expected: int, stamp: int, rate: int) -> None:
        self._jumps += 1
        if self._jumps == 1:
            kind = "a gap, given as silence," if stamp > expected else "an overlap, cut away,"
            self.warnings.append(
                f"its sound has {kind} of {abs(stamp - expected) / rate * 1000:.0f} ms at {expected / rate:.2f} s"
            )
        elif self._jumps == 2:
            self.warnings.append("its sound has more gaps or overlaps")

    def _decoded(self, packets: Iterator[Any]) -> Iterator[av.AudioFrame]:
        """Yield what the decoder gives; packets that it cannot decode leave gaps."""
        damaged = False
        reached = 0.0
        try:
            for packet in packets:
                try:
                    natives = packet.decode()
                except av.error.EOFError:
                    return
                except av.FFmpegError:
                    if not damaged:
                        damaged = True
                        self.warnings.append(f"its sound is damaged from {reached:.2f} s on: silence where it is")
                    continue
                for native in natives:
                    reached = native.time or reached
                    yield native
        except av.FFmpegError as error:
            self.warnings.append(f"its sound breaks off at {reached:.2f} s ({error.strerror}): silence from there on")


def read_sound(
    clip: Clip,
    stream: int | None,
    *,
    rate_hz: int,
    channels: int,
    start_seconds: Fraction,
    samples: int,
    speed: Fraction = Fraction(1),
) -> SoundReader:
    """Return the iterator over exactly `samples` samples of sound stream `stream` (a stream index; `None`: silence).

    Sample 0 is at `start_seconds` on the container's clock, the one of the frames' times. What the file
    does not have (before its start, in gaps, after its end, in damaged places) is silence. At the source's
    own rate and channels the samples are the decoder's, bit for bit. `channels` is 1 or 2, or the source's
    own number: mono is copied to both, more are mixed down (ITU-R BS.775) without overload. Another rate
    is converted by libswresample, once over the whole stretch. So is another `speed`: so many of the source's seconds
    are heard in one, to a hertz of its rate, and their pitch changes with it as that of a tape does.
    """
    return SoundReader(
        clip,
        stream,
        rate_hz=rate_hz,
        channels=channels,
        start_seconds=start_seconds,
        samples=samples,
        speed=speed,
    )


def to_float(native: av.AudioFrame) -> Samples:
    """Return the samples of a decoded frame as float32, shape `(samples, channels)`, full scale ±1, exactly."""
    channels = native.layout.nb_channels
    dtype = np.dtype(_DTYPES[native.format.name.removesuffix("p")])
    data: NDArray[Any]
    # Not `to_ndarray`: with 8 planes PyAV looks for a ninth and crashes.
    if native.format.is_planar:
        planes = native.planes[:channels]
        data = np.stack([np.frombuffer(memoryview(plane), dtype, native.samples) for plane in planes], axis=1)
    else:
        data = np.frombuffer(memoryview(native.planes[0]), dtype, native.samples * channels).reshape(-1, channels)
    if data.dtype == np.uint8:
        data = (data.astype(np.float32) - 128) / np.float32(128)
    elif data.dtype.kind == "i":
        # Through float64, so that 32-bit samples are rounded once.
        data = data / float(2 ** (8 * data.dtype.itemsize - 1))
    return np.ascontiguousarray(data, np.float32)


def _mixed(samples: Samples, layout: av.AudioLayout, channels: int) -> Samples:
    if samples.shape[1] == channels:
        return samples
    if samples.shape[1] == 1:
        return np.repeat(samples, channels, axis=1)
    return np.ascontiguousarray(samples @ _mix(tuple(c.name for c in layout.channels), channels))


@lru_cache(maxsize=16)
def _mix(names: tuple[str, ...], channels: int) -> Samples:
    """Return the mixing matrix `(source channels, channels)`: to stereo (BS.775) and from there to mono.

    Scaled so that full scale in all channels stays full scale. Unnamed channels count half to each side.
    The LFE channel is left out, as BS.775 says.
    """
    if set(names) == {"NONE"}:
        names = _CUSTOMARY.get(len(names), names)
    if channels not in LAYOUTS:
        raise ValueError(f"{len(names)} channels are not mixed to {channels}, only to 1 or 2")
    stereo = np.zeros((len(names), 2))
    for row, name in zip(stereo, names, strict=True):
        side = _SIDE_GAIN if len(name) > 1 and name[0] in "BS" else 1.0
        if name.endswith("L"):
            row[:] = side, 0
        elif name.endswith("R"):
            row[:] = 0, side
        elif name == "FC":
            row[:] = _SIDE_GAIN
        elif not name.startswith("LFE"):
            row[:] = 0.5
    matrix = stereo / stereo.sum(axis=0).max()
    return np.asarray(matrix if channels == 2 else matrix.mean(axis=1, keepdims=True), np.float32)


def _continuous(placed: Iterator[tuple[int, Samples]], first: int) -> Iterator[Samples]:
    """Yield samples one after the other from number `first` on: gaps filled with silence, overlaps cut."""
    position = first
    for at, samples in placed:
        if at > position:
            yield from _silence(at - position, samples.shape[1])
            position = at
        if at + len(samples) > position:
            yield samples[position - at :]
            position = at + len(samples)


def _rate_converted(pieces: Iterator[Samples], rate: int, rate_hz: int, channels: int) -> Iterator[Samples]:
    layout = LAYOUTS[channels]
    resampler = AudioResampler("flt", layout, rate_hz)
    sent = 0
    for piece in pieces:
        native = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece).reshape(1, -1), "flt", layout)
        native.sample_rate = rate
        native.pts = sent
        native.time_base = Fraction(1, rate)
        sent += len(piece)
        for converted in resampler.resample(native):
            yield to_float(converted)
    for converted in resampler.resample(None):
        yield to_float(converted)


def _exactly(pieces: Iterator[Samples], samples: int, channels: int) -> Iterator[Samples]:
    """Yield pieces of at most `_BLOCK` samples, `samples` in all: the rest is cut, what is missing is silence."""
    for piece in pieces:
        for begin in range(0, min(len(piece), samples), _BLOCK):
            part = piece[begin : min(begin + _BLOCK, begin + samples)]
            yield part
            samples -= len(part)
        if samples <= 0:
            return
    yield from _silence(samples, channels)


def _silence(samples: int, channels: int) -> Iterator[Samples]:
    while samples > 0:
        yield np.zeros((min(samples, _BLOCK), channels), np.float32)
        samples -= _BLOCK


def _chain(first: av.AudioFrame, rest: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    yield first
    yield from rest
