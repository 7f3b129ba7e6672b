"""Frame times and key frames from a file's packets, without decoding, and frames picked by number with their help."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from postpipe.delivery import FrameTimes
from postpipe.errors import TakeError
from postpipe.media.open import INDEXED, open_take
from postpipe.media.read import PictureReader
from postpipe.model import Clip, Frame

_ONE_PICTURE_A_PACKET = frozenset("h264 hevc vp9 av1 libdav1d prores dnxhd mjpeg ffv1".split())
"""Decoders that show exactly one picture for each packet of a container with an index."""


@dataclass(frozen=True, slots=True)
class PacketIndex:
    """When frames are shown, int64, rising, in units of the clip's `time_base`: of `keys` alone, and of all.

    `pts` is `None` where packets do not tell (several to a picture, pictures that are never shown, damage).
    """

    keys: NDArray[np.int64]
    pts: NDArray[np.int64] | None


def read_index(clip: Clip) -> PacketIndex | None:
    """Return the index of a clip's picture, or `None` for a container that has none to rely on.

    Of a clip that is not seen whole, of what is seen.
    """
    if clip.container not in INDEXED:
        return None
    times: list[int] = []
    keys: list[int] = []
    sound = clip.picture.codec in _ONE_PICTURE_A_PACKET and not clip.picture.interlaced
    try:
        with open_take(clip.picture_path) as container:
            for packet in container.demux(container.streams[clip.picture.index]):
                if not packet.size:
                    continue
                sound = sound and not packet.is_corrupt
                if packet.pts is None:
                    return None
                if packet.is_keyframe:
                    keys.append(packet.pts)
                if not packet.is_discard:
                    times.append(packet.pts)
    except (av.FFmpegError, IndexError):
        return None
    pts = np.array(sorted(times), np.int64)
    if clip.start_seconds is not None:
        pts = pts[pts >= math.ceil(clip.start_seconds / clip.picture.time_base)]
    pts = pts[: clip.first_frames]
    # pictures that are shown before the first key frame need what is not there
    sound = sound and len(pts) > 0 and bool((np.diff(pts) > 0).all()) and bool(keys) and keys[0] <= pts[0]
    return PacketIndex(np.array(sorted(keys), np.int64), pts if sound else None)


class FramePicker:
    """Gives frames of one clip by their number, decoding as little as it can.

    `times` say when each frame is shown. It seeks where a key frame lies between, and believes a seek only when
    the frame that comes has the time that was asked for; else it decodes from the start and counts. A context
    manager; `decoded` counts every picture that the decoder gave.
    """

    def __init__(self, clip: Clip, times: FrameTimes, *, threads: int = 1) -> None:
        self._clip = clip
        self._times = times
        self._reader = PictureReader(clip, threads=threads)
        self._frames: Iterator[Frame] = iter(())
        self._next: int | None = None  # the number of the frame that would come next, where one would
        self._exact = True

    def __enter__(self) -> FramePicker:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    @property
    def decoded(self) -> int:
        """Pictures decoded so far."""
        return self._reader.decoded

    def frames(self, wanted: Sequence[int]) -> Iterator[Frame]:
        """Yield the frames with these numbers, which rise. Raises `TakeError` where one cannot be had."""
        index = read_index(self._clip) if len(wanted) > 1 else None
        keys = index.keys if index is not None else np.empty(0, np.int64)
        for number in wanted:
            if self._exact and (self._next is None or self._key_between(keys, self._next, number)):
                self._seek(number)
            frame = self._forward(number)
            if frame is None and self._exact:
                self._exact = False
                self._frames, self._next = self._reader.frames(), 0
                frame = self._forward(number)
            if frame is None:
                raise TakeError(
                    self._clip.file,
                    f"frame {number} cannot be decoded again",
                    "check that the file is not being changed while postpipe runs",
                )
            yield frame

    def _key_between(self, keys: NDArray[np.int64], first: int, last: int) -> bool:
        """Whether a key frame stands among frames `first` (exclusive) to `last`."""
        after, until = (int(np.searchsorted(keys, self._times.pts[n], side="right")) for n in (first, last))
        return until > after

    def _seek(self, number: int) -> None:
        start: Fraction | None = self._times.seconds(number) if number else None
        self._frames, self._next = self._reader.frames(start, number), number

    def _forward(self, number: int) -> Frame | None:
        """Return frame `number` from the running decode, or `None` where it does not come with its time."""
        for frame in self._frames:
            self._next = frame.index + 1 if frame.index + 1 < self._times.frames else None
            if frame.index == number:
                sure = not self._exact or frame.pts_seconds == self._times.seconds(number)
                return frame if sure else None
        return None
