"""New pictures in an old clip's place: its own times and sound, taken over packet by packet."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Discard

from postpipe.delivery import FrameTimes
from postpipe.errors import DeliveryError
from postpipe.media.boxes import drop_trivial_edits
from postpipe.media.open import INDEXED, delivery_faults, discard_output, open_output, open_take
from postpipe.media.write import REORDER
from postpipe.model import Clip

_ONLY_MP4 = frozenset(("opus", "libopus", "flac", "truehd"))
"""Codecs that libav lists for MOV and then refuses."""
_PCM = {"u8": "pcm_s16le", "s16": "pcm_s16le", "s32": "pcm_s32le", "flt": "pcm_f32le", "dbl": "pcm_f64le"}
_LARGEST_TIMESCALE = 2**31 - 1

_Timed = tuple[Fraction, Any]
"""When a packet is decoded, in seconds, and the packet."""


@dataclass(frozen=True, slots=True)
class SoundKept:
    """A sound track of the clip in the new file: its codec there; `copied` packet by packet, or decoded to PCM."""

    codec: str
    copied: bool


def rewrap(
    unit: Path, clip: Clip, times: FrameTimes, out: Path, *, rate: Fraction, timecode: str | None = None
) -> list[SoundKept]:
    """Write the pictures of `unit` with the times and the sound of `clip` to `out`, .mov or .mp4 by its name.

    `unit` comes from `PictureWriter`, at `rate`, and has as many frames as `times`; its packets are copied. Every
    sound track is copied too, or decoded to PCM, sample for sample, where the container does not take its codec. Both
    keep their times on the file's clock, so that variable rates and late starts stay; recordings whose clock does not
    begin near zero (MPEG) are moved to zero as a whole. `timecode` is that of the first frame.

    Raises `DeliveryError` when the unit does not fit, `OSError` when the disk refuses. After an error there is no file.
    """
    base = times.time_base
    movie = out.suffix.lower() == ".mov"
    scale = math.lcm(base.denominator, *(sound.rate_hz for sound in clip.sounds))
    with open_take(unit) as pictures, open_take(clip.file) as source:
        container = open_output(
            out,
            "mov" if movie else "mp4",
            {
                "movflags": "+faststart+negative_cts_offsets",
                "video_track_timescale": str(base.denominator),
                "movie_timescale": str(scale if scale <= _LARGEST_TIMESCALE else base.denominator),
            },
        )
        try:
            if timecode is not None:
                container.metadata["timecode"] = timecode
            with delivery_faults(out):
                packets = _pictures(container, pictures, unit, times, rate)
                sounds = _Sounds(container, source, clip, movie=movie)
                shift = Fraction(0) if clip.container in INDEXED else _start(source, times)
                for _, packet in heapq.merge(packets, sounds.packets(), key=lambda timed: timed[0]):
                    moved = round(shift / packet.time_base)
                    packet.pts, packet.dts = packet.pts - moved, packet.dts - moved
                    container.mux(packet)
                container.close()
            drop_trivial_edits(out)
        except BaseException:
            discard_output(container, out)
            raise
    return sounds.kept


def _start(source: InputContainer, times: FrameTimes) -> Fraction:
    """Return when the file's first picture or sound is."""
    starts = [s.start_time * s.time_base for s in source.streams.audio if s.start_time is not None and s.time_base]
    return min([times.seconds(0), *starts])


def _pictures(
    container: OutputContainer, source: InputContainer, unit: Path, times: FrameTimes, rate: Fraction
) -> Iterator[_Timed]:
    """Add the picture track; return its packets with the clip's times, each with the time it is decoded at."""
    template = source.streams.video[0]
    stream = container.add_stream_from_template(template, opaque=True)
    stream.time_base = times.time_base
    stream.codec_context.framerate = times.rate
    stream.codec_context.codec_tag = template.codec_context.codec_tag
    shown = times.pts.tolist()
    gaps = [after - before for before, after in itertools.pairwise(shown)]
    gap = min([*gaps, times.last_duration])
    decoded = [*(shown[0] - (REORDER - number) * gap for number in range(REORDER)), *shown][: len(shown)]
    # the last one lasts until all frames together have lasted as long as they are shown
    ends = [*decoded[1:], decoded[0] + shown[-1] + times.last_duration - shown[0]]

    def packets() -> Iterator[_Timed]:
        count = 0
        for packet in source.demux(template):
            if not packet.size:
                continue
            number = None if packet.pts is None else packet.pts * packet.time_base * rate
            if number is None or number.denominator != 1 or not 0 <= number < len(shown) or count >= len(shown):
                raise DeliveryError(f"{unit} does not have the {len(shown)} frames of the clip")
            packet.stream, packet.time_base = stream, times.time_base
            packet.pts, packet.dts = shown[number.numerator], decoded[count]
            packet.duration = ends[count] - decoded[count]
            count += 1
            yield packet.dts * times.time_base, packet
        if count != len(shown):
            raise DeliveryError(f"{unit} has {count} frames, and the clip {len(shown)}")

    return packets()


class _Sounds:
    """The sound tracks: copied where the container takes them, else decoded to PCM."""

    def __init__(self, container: OutputContainer, source: InputContainer, clip: Clip, *, movie: bool) -> None:
        self.kept: list[SoundKept] = []
        self._source = source
        self._tracks: dict[int, tuple[AudioStream, AudioResampler | None]] = {}
        known = container.supported_codecs - (_ONLY_MP4 if movie else frozenset())
        wanted = {sound.index for sound in clip.sounds}
        stream: Any
        track: Any
        for stream in source.streams:
            if not isinstance(stream, AudioStream) or stream.index not in wanted:
                stream.discard = Discard.all
                continue
            context = stream.codec_context
            if context.name in known:
                track = container.add_stream_from_template(stream, opaque=True)
                resampler = None
            else:
                sample = context.format.name.removesuffix("p")
                track = container.add_stream(_PCM[sample], rate=context.sample_rate)
                track.codec_context.layout = context.layout
                track.codec_context.time_base = Fraction(1, context.sample_rate)
                resampler = AudioResampler(track.codec_context.format.name, context.layout, context.sample_rate)
            if language := stream.metadata.get("language"):
                track.metadata["language"] = language
            self._tracks[stream.index] = track, resampler
            self.kept.append(SoundKept(track.codec_context.name, resampler is None))

    def packets(self) -> Iterator[_Timed]:
        """Yield the packets of all tracks as they lie in the file."""
        if not self._tracks:
            return
        ends: dict[int, int] = {}
        for packet in self._source.demux([self._source.streams[index] for index in self._tracks]):
            index = packet.stream.index
            track, resampler = self._tracks[index]
            if resampler is not None:
                yield from self._encoded(packet, track, resampler)
            elif packet.size and not (packet.is_discard and (packet.pts or 0) >= 0):
                if packet.pts is None:
                    packet.pts = packet.dts if packet.dts is not None else ends.get(index, 0)
                _put_on_samples(packet, ends.get(index))
                ends[index] = packet.pts + (packet.duration or 0)
                packet.dts = packet.pts
                packet.stream = track
                yield packet.dts * packet.time_base, packet

    def _encoded(self, packet: Any, track: AudioStream, resampler: AudioResampler) -> Iterator[_Timed]:
        """Yield what a packet holds as PCM; what is damaged is left out, and so a gap."""
        try:
            natives = packet.decode()
        except (av.error.InvalidDataError, av.error.EOFError):
            natives = []
        for native in natives:
            for piece in resampler.resample(native):
                yield from (((made.dts or 0) * made.time_base, made) for made in track.encode(piece))


def _put_on_samples(packet: Any, end: int | None) -> None:
    """Give a packet its time in samples where the file counts in something coarser (Matroska: milliseconds).

    `end` is where the packet before ended. Times are believed to one tick of the file: within that, packets follow
    each other without a gap, and the first begins as far before 0 as its samples are to be skipped.
    """
    context = packet.stream.codec_context
    tick = packet.time_base * context.sample_rate
    if tick <= 1:
        return
    stamp, samples = round(packet.pts * tick), round((packet.duration or 0) * tick)
    if abs(samples - context.frame_size) <= tick:
        samples = context.frame_size
    if end is None and packet.has_sidedata("skip_samples"):
        end = -int.from_bytes(bytes(packet.get_sidedata("skip_samples"))[:4], "little")
    exact = end is not None and (context.frame_size or context.name.endswith("opus")) and abs(stamp - end) <= tick
    packet.time_base = Fraction(1, context.sample_rate)
    packet.pts, packet.duration = end if exact else stamp, samples
