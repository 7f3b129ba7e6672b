"""Read the pictures of a clip: upright, exactly timed, without a copy."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType

import av
from av.container import InputContainer
from av.filter import Graph
from av.video.stream import VideoStream

from postpipe.errors import TakeError
from postpipe.media.colourspec import MATRICES, RANGES
from postpipe.media.faults import explain
from postpipe.media.frames import upright_views
from postpipe.media.open import open_take
from postpipe.model import Clip, Frame
from postpipe.timing import round_half_up

_INDEXED = ("mov", "matroska")
"""Containers whose key frames can be found by time. All others are decoded from the start."""


class PictureReader:
    """Decodes the picture of one clip. Use it as a context manager, or call `close()`.

    `threads` are libav's decoder threads; 1 costs the least processor time, 0 lets libav choose.
    `decoded` counts every picture that the decoder gave, also those before the wanted start.
    """

    def __init__(self, clip: Clip, *, threads: int = 1) -> None:
        self.clip = clip
        self.decoded = 0
        self._threads = threads
        self._container: InputContainer | None = None

    def __enter__(self) -> PictureReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file and the decoder. Frames already given stay valid."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def frames(self, start_pts_seconds: Fraction | None = None, first_index: int = 0) -> Iterator[Frame]:
        """Yield the frames from the first whose time is `start_pts_seconds` or later, in presentation order.

        The first one yielded gets the number `first_index`. Times strictly increase. A file that is cut
        off yields what is there (compare with `clip.picture.declared_frames`). Raises `TakeError` naming
        the frame when the picture cannot be decoded further although the file goes on.
        """
        picture = self.clip.picture
        views = upright_views(picture.source_format, picture.pixel_format, picture.colour, picture.rotation)
        index = first_index
        for ticks, native in self._from(start_pts_seconds):
            if (native.width, native.height, native.format.name) != (
                picture.coded_width,
                picture.coded_height,
                picture.source_format,
            ):
                raise TakeError(
                    self.clip.path,
                    f"the picture changes from {picture.coded_width} × {picture.coded_height} "
                    f"{picture.source_format} to {native.width} × {native.height} {native.format.name} "
                    f"at frame {index}",
                    "split the file there, or convert it to one size",
                )
            damaged = native.is_corrupt
            planes, own = views(native)
            yield Frame(index, ticks, planes, picture.pixel_format, picture.colour, own, damaged)
            index += 1

    def _from(self, start: Fraction | None) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """Yield `(time, picture)` from `start` on, by seeking where that is known to be exact."""
        stream = self._open()
        if start is None:
            yield from self._timed(stream)
            return
        pictures = self._sought(stream, start)
        if pictures is None:
            pictures = self._timed(self._open())
        for time, native in pictures:
            if time >= start:
                yield time, native

    def _sought(self, stream: VideoStream, start: Fraction) -> Iterator[tuple[Fraction, av.VideoFrame]] | None:
        """Return the pictures from a key frame at or before `start`, or `None` if the container has no such index."""
        picture = self.clip.picture
        container = self._container
        if container is None or self.clip.container not in _INDEXED or stream.time_base is None:
            return None
        # A deinterlacer needs the frame before.
        target = start - 2 / picture.rate if picture.interlaced else start
        try:
            container.seek(round_half_up(target / stream.time_base), stream=stream, backward=True)
        except av.FFmpegError:
            return None
        pictures = self._timed(stream)
        first = next(pictures, None)
        if first is None or first[0] > start:
            return None
        return _chain(first, pictures)

    def _open(self) -> VideoStream:
        self.close()
        self._container = container = open_take(self.clip.path)
        stream = container.streams[self.clip.picture.index]
        if not isinstance(stream, VideoStream):
            raise TakeError(self.clip.path, "the file is not the one that was looked at", "run again")
        for other in container.streams:
            if other is not stream:
                other.discard = av.stream.Discard.all
        stream.codec_context.thread_count = self._threads
        stream.codec_context.thread_type = av.codec.context.ThreadType.AUTO
        return stream

    def _timed(self, stream: VideoStream) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """Yield `(time, picture)` with times that strictly increase."""
        step = 1 / self.clip.picture.rate
        last: Fraction | None = None
        pictures = self._decoded(stream)
        if self.clip.picture.interlaced:
            pictures = self._deinterlaced(pictures)
        for native in pictures:
            ticks = native.pts if native.pts is not None else native.dts
            base = native.time_base
            if ticks is None or base is None:
                time = Fraction(0) if last is None else last + step
            else:
                time = Fraction(ticks * base.numerator, base.denominator)
                if last is not None and time <= last:
                    time = last + step
            last = time
            yield time, native

    def _decoded(self, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """Yield what the decoder gives. An error that is not at the very end of the file is raised."""
        container = self._container
        if container is None:
            return
        fault: av.FFmpegError | None = None
        context = stream.codec_context
        try:
            for packet in container.demux(stream):
                flush = packet.dts is None and packet.pts is None and not packet.size
                if not packet.size and not flush:
                    continue  # "nothing new" in AVI: an empty packet would end the decoding
                try:
                    natives = context.decode(packet)
                except av.error.EOFError:
                    return
                except av.FFmpegError as error:
                    # The last packet of a file that is cut off is incomplete: only more packets make it a fault.
                    if fault is None:
                        fault = error
                        continue
                    raise
                if fault is not None and not flush:
                    raise fault
                for native in natives:
                    self.decoded += 1
                    yield native
        except av.FFmpegError as error:
            raise explain(
                self.clip.path, error, f"the picture cannot be decoded after frame {self.decoded - 1}"
            ) from error

    def _deinterlaced(self, pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Yield one deinterlaced picture per picture (bwdif: Weston 3-field with motion-adaptive weave)."""
        graph: Graph | None = None
        for native in pictures:
            if graph is None:
                graph = self._deinterlacer(native)
            graph.vpush(native)
            yield from _pulled(graph)
        if graph is not None:
            graph.vpush(None)
            yield from _pulled(graph)

    def _deinterlacer(self, native: av.VideoFrame) -> Graph:
        picture = self.clip.picture
        graph = Graph()
        graph.threads = max(self._threads, 1)
        source = graph.add(
            "buffer",
            f"video_size={native.width}x{native.height}:pix_fmt={native.format.name}"
            f":time_base={native.time_base}:colorspace={MATRICES[picture.colour.matrix]}"
            f":range={RANGES[picture.colour.range]}",
        )
        graph.link_nodes(source, graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink"))
        graph.configure()
        return graph


def _pulled(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _chain(
    first: tuple[Fraction, av.VideoFrame], rest: Iterator[tuple[Fraction, av.VideoFrame]]
) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    yield first
    yield from rest
