"""Take packets of a source over as they are: where they can be cut, and whether they fit into a delivery."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from postpipe.delivery import FrameTimes
from postpipe.errors import TakeError
from postpipe.media.avc import IDR_SLICE, PPS, SPS, ParameterSets, nal_units
from postpipe.media.colourspec import MATRICES, PRIMARIES, TRANSFERS
from postpipe.media.open import INDEXED, delivery_faults, discard_output, open_output, open_take
from postpipe.media.write import REORDER, track_timescale
from postpipe.model import Clip, ColourSpec


@dataclass(frozen=True)
class Groups:
    """The closed groups of pictures of a clip: the frame on which each begins, and their parameter sets.

    A stretch from one start to another (or to the end of the clip) can be decoded by itself.
    """

    starts: tuple[int, ...]
    sets: ParameterSets


def closed_groups(clip: Clip, times: FrameTimes, colour: ColourSpec) -> Groups:
    """Return where an H.264 clip can be cut without encoding. Reads all packets, decodes nothing.

    `colour` is how the copy will be tagged. Raises `ValueError` saying why it cannot be copied.
    """
    picture = clip.picture
    if picture.codec != "h264" or clip.container not in INDEXED:
        raise ValueError(f"its pictures are {picture.codec} in {clip.container}, not H.264 in MP4, MOV or MKV")
    if picture.interlaced or picture.rotation or picture.alpha or picture.source_format != picture.pixel_format.name:
        raise ValueError("its pictures are turned or converted when they are read")
    if times.damaged:
        raise ValueError("some of its frames are damaged")
    if clip.start_seconds is not None or clip.first_frames is not None:
        raise ValueError("only a part of the file is seen")
    index_of = {int(pts): index for index, pts in enumerate(times.pts)}
    groups: list[list[int]] = []
    with open_take(clip.picture_path) as container:
        stream = _film(container, clip)
        sets = ParameterSets.parse(stream.codec_context.extradata)
        for count, packet in enumerate(_packets(container, stream)):
            index = None if packet.pts is None or packet.is_discard else index_of.get(packet.pts)
            if index is None:
                raise ValueError("its packets and its frames do not match one for one (an edit list, or odd times)")
            if count - index > REORDER:
                raise ValueError("its B-frames are decoded too far ahead")
            kinds = _kinds(packet, sets)
            if IDR_SLICE in kinds or not groups:
                groups.append([])
            groups[-1].append(index)
        with av.open(io.BytesIO(), "w", format="mp4") as nowhere:
            sets = ParameterSets.parse(_tagged(nowhere, stream, colour).codec_context.extradata)
    return Groups(_starts(groups, times.frames), sets)


def _kinds(packet: Packet[VideoStream], sets: ParameterSets) -> set[int]:
    kinds = set()
    for kind, unit in nal_units(bytes(packet), sets.length_size):
        kinds.add(kind)
        if kind in (SPS, PPS) and unit not in (*sets.sps.values(), *sets.pps.values()):
            raise ValueError("its parameter sets change on the way")
    return kinds


def _starts(groups: list[list[int]], frames: int) -> tuple[int, ...]:
    starts = []
    position = 0
    for group in groups:
        if sorted(group) != list(range(position, position + len(group))):
            raise ValueError("its groups of pictures are not closed")
        starts.append(position)
        position += len(group)
    if position != frames:
        raise ValueError("some of its packets give no frame")
    return tuple(starts)


def copy_frames(
    clip: Clip, times: FrameTimes, first: int, end: int, path: Path, rate: Fraction, colour: ColourSpec
) -> None:
    """Write frames `first` to `end` (exclusive; both as `closed_groups` allows) to `path`, their packets as they are.

    The file is of the form that `PictureWriter` writes, at `rate`, tagged with `colour`: only the parameter set
    that names the colour is written anew, so that decoded frames are those of the source, bit for bit.
    Raises `TakeError` when the file is not the one that was looked at, `OSError` when the disk refuses.
    """
    index_of = {int(pts): index for index, pts in enumerate(times.pts)}
    with open_take(clip.picture_path) as source:
        stream = _film(source, clip)
        length_size = ParameterSets.parse(stream.codec_context.extradata).length_size
        container = open_output(
            path, "mp4", {"movflags": "+negative_cts_offsets", "video_track_timescale": str(track_timescale(rate))}
        )
        try:
            with delivery_faults(path):
                target = _tagged(container, stream, colour)
                target.time_base = 1 / rate
                target.codec_context.framerate = rate
                written = 0
                for packet in _from(source, stream, int(times.pts[first])):
                    if written == end - first:
                        break
                    index = index_of.get(-1 if packet.pts is None else packet.pts, -1)
                    copy = _without_sets(packet, length_size)
                    copy.stream, copy.time_base = target, 1 / rate
                    copy.pts, copy.dts, copy.duration = index - first, written - REORDER, 1
                    copy.is_keyframe = packet.is_keyframe
                    container.mux(copy)
                    written += 1
                if written != end - first:
                    raise TakeError(clip.file, "the file is not the one that was looked at", "run again")
                container.close()
        except BaseException:
            discard_output(container, path)
            raise


def _film(container: InputContainer, clip: Clip) -> VideoStream:
    streams = container.streams
    stream = streams[clip.picture.index] if clip.picture.index < len(streams) else None
    if not isinstance(stream, VideoStream):
        raise TakeError(clip.file, "the file is not the one that was looked at", "run again")
    for other in streams:
        if other is not stream:
            other.discard = Discard.all
    return stream


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    return (packet for packet in container.demux(stream) if packet.size)


def _from(container: InputContainer, stream: VideoStream, pts: int) -> Iterator[Packet[VideoStream]]:
    """Yield packets from the one shown at `pts` on."""
    container.seek(pts, stream=stream)
    packets = _packets(container, stream)
    for packet in packets:
        if packet.pts == pts:
            yield packet
            yield from packets


def _without_sets(packet: Packet[VideoStream], length_size: int) -> Packet[Any]:
    """Return a packet without parameter sets of its own: those in the header say the same, and the colour."""
    units = list(nal_units(bytes(packet), length_size))
    if not any(kind in (SPS, PPS) for kind, _ in units):
        return packet
    kept = (unit for kind, unit in units if kind not in (SPS, PPS))
    return Packet(b"".join(len(unit).to_bytes(length_size, "big") + unit for unit in kept))


def _tagged(container: OutputContainer, stream: VideoStream, colour: ColourSpec) -> VideoStream:
    """Add a stream like `stream` whose parameter sets name `colour`."""
    target = container.add_stream_from_template(stream, opaque=True)
    context = target.codec_context
    sets = ParameterSets.parse(stream.codec_context.extradata)
    BitStreamFilterContext(
        f"h264_metadata=colour_primaries={PRIMARIES[colour.primaries]}"
        f":transfer_characteristics={TRANSFERS[colour.transfer]}:matrix_coefficients={MATRICES[colour.matrix]}"
        f":video_full_range_flag={int(colour.range == 'full')}",
        stream,
        target,
    )
    context.extradata = sets.with_units(context.extradata or b"").to_bytes()  # the filter gives a byte stream
    context.codec_tag = "avc1"
    return target
