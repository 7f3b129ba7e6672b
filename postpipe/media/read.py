"""Read the pictures of a clip: upright, exactly timed, without a copy."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.filter import Graph
from av.stream import Discard
from av.video.stream import VideoStream

from postpipe.errors import TakeError
from postpipe.media.colourspec import MATRICES, RANGES
from postpipe.media.faults import AGAIN, blame
from postpipe.media.frames import upright_views
from postpipe.media.open import INDEXED, open_take
from postpipe.model import Clip, Frame
from postpipe.timing import round_half_up

_Timed = tuple[Fraction, av.VideoFrame]


class PictureReader:
    """Decodes the picture of one clip. Use it as a context manager, or call `close()`.

    `threads` are libav's decoder threads; 1 costs the least processor time, 0 lets libav choose.
    `decoded` counts every picture that the decoder gave, also those before the wanted start. Nothing is given
    before the clip's `start_seconds`, nor behind its `first_frames`.
    """

    def __init__(self, clip: Clip, *, threads: int = 1) -> None:
        self.clip = clip
        self.decoded = 0
        self._threads = threads
        self._container: InputContainer | None = None
        self._due: Fraction | None = None
        self._reached: Fraction | None = None

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

    @property
    def missing_seconds(self) -> Fraction:
        """How far the frames given so far end before the picture does by its header; after the last: what is lost.

        0 where the header says nothing. Headers round: less than two frames mean nothing.
        """
        if self._due is None:
            return Fraction(0)
        if self._reached is None:
            return self.clip.picture.declared_seconds or Fraction(0)
        return max(self._due - self._reached, Fraction(0))

    def frames(self, start_pts_seconds: Fraction | None = None, first_index: int = 0) -> Iterator[Frame]:
        """Yield the frames from the first whose time is `start_pts_seconds` or later, in presentation order.

        The first one yielded gets the number `first_index`. Times strictly increase. A file that is cut
        off yields what is there (see `missing_seconds`). Raises `TakeError` naming the frame when the
        picture cannot be decoded further although the file goes on, or changes its size on the way.
        """
        picture = self.clip.picture
        views = upright_views(picture.source_format, picture.pixel_format, picture.colour, picture.rotation)
        shape = (picture.coded_width, picture.coded_height, picture.source_format)
        length = 1 / picture.rate
        index = first_index
        try:
            for time, native in self._from(self.clip.start_seconds if start_pts_seconds is None else start_pts_seconds):
                if (native.width, native.height, native.format.name) != shape:
                    raise self._changed(native, index)
                planes, own = views(native)
                yield Frame(index, time, planes, picture.pixel_format, picture.colour, own, native.is_corrupt)
                self._reached = time + length
                index += 1
                if index == self.clip.first_frames:
                    break
        except av.FFmpegError as error:
            raise blame(
                self.clip.file, f"the picture cannot be decoded from frame {index} on ({error.strerror})", AGAIN
            ) from error

    def _changed(self, native: av.VideoFrame, index: int) -> TakeError:
        picture = self.clip.picture
        return TakeError(
            self.clip.file,
            f"at frame {index} the picture changes from {picture.coded_width} × {picture.coded_height} "
            f"{picture.source_format} to {native.width} × {native.height} {native.format.name}",
            "split the file there, or convert it to one size",
        )

    def _from(self, start: Fraction | None) -> Iterator[_Timed]:
        """Yield `(time, picture)` from `start` on, by seeking where that turns out exact."""
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

    def _sought(self, stream: VideoStream, start: Fraction) -> Iterator[_Timed] | None:
        """Return the pictures from a key frame at or before `start`, or `None` if that cannot be had."""
        picture = self.clip.picture
        if self._container is None or stream.time_base is None or self.clip.container not in INDEXED:
            return None
        # A deinterlacer looks at the frame before.
        target = start - 2 / picture.rate if picture.interlaced else start
        try:
            self._container.seek(round_half_up(target / stream.time_base), stream=stream)
        except av.FFmpegError:
            return None
        pictures = self._timed(stream)
        first = next(pictures, None)
        if first is None or first[0] > start:
            return None
        return _chain(first, pictures)

    def _open(self) -> VideoStream:
        self.close()
        picture = self.clip.picture
        self._container = container = open_take(self.clip.picture_path)
        stream = container.streams[picture.index] if picture.index < len(container.streams) else None
        if not isinstance(stream, VideoStream):
            raise TakeError(self.clip.file, "the file is not the one that was looked at", "run again")
        for other in container.streams:
            if other is not stream:
                other.discard = Discard.all
        stream.codec_context.thread_count = self._threads
        stream.codec_context.thread_type = ThreadType.AUTO
        if picture.declared_seconds is not None:
            self._due = (stream.start_time or 0) * picture.time_base + picture.declared_seconds
        return stream

    def _timed(self, stream: VideoStream) -> Iterator[_Timed]:
        """Yield `(time, picture)` with times that strictly increase; bad time stamps become even steps."""
        step = 1 / self.clip.picture.rate
        last: Fraction | None = None
        pictures = self._decoded(stream)
        if self.clip.picture.interlaced:
            pictures = self._deinterlaced(pictures)
        for native in pictures:
            ticks = native.pts if native.pts is not None else native.dts
            base = native.time_base
            time = None
            if ticks is not None and base is not None:
                time = Fraction(ticks * base.numerator, base.denominator)
            if last is None:
                time = time or Fraction(0)
            elif time is None or time <= last:
                time = last + step
            last = time
            yield time, native

    def _decoded(self, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """Yield what the decoder gives. Lets libav's error out unless it is about the very end of the file."""
        if self._container is None:
            return
        fault: av.FFmpegError | None = None
        for packet in self._container.demux(stream):
            if fault is not None and packet.size:  # an empty packet ends the decoding
                raise fault
            try:
                natives = stream.decode(packet)
            except av.error.EOFError:
                return
            except av.error.InvalidDataError as error:
                # The last packet of a file that is cut off is incomplete: only a further one makes it a fault.
                # A recording may begin with pieces of pictures whose beginning it does not have.
                if self.decoded or self.clip.container in INDEXED:
                    fault = error
                continue
            for native in natives:
                self.decoded += 1
                yield native

    def _deinterlaced(self, pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Yield one progressive picture per picture (libav's bwdif); those not marked interlaced pass as they are."""
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


def _chain(first: _Timed, rest: Iterator[_Timed]) -> Iterator[_Timed]:
    yield first
    yield from rest
