"""Real clips in memory, to be changed and written as generators deliver them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

SECONDS = 4  # of each clip, at most
SOUND_RATE = 48000
Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


@dataclass
class Material:
    """A clip in memory: 8-bit 4:2:0 planes of its frames at an even rate, and its sound, `(channels, samples)`."""

    frames: list[Planes]
    rate: Fraction
    sound: NDArray[np.float32] | None
    full_range: bool

    @property
    def black(self) -> Planes:
        """A black frame."""
        luma, blue, red = self.frames[0]
        return np.full_like(luma, 0 if self.full_range else 16), np.full_like(blue, 128), np.full_like(red, 128)

    def is_blank(self, index: int) -> bool:
        """Whether a frame shows nothing: its light hardly varies."""
        return bool(self.frames[index][0].std() < 2)

    def length(self, seconds: float) -> int:
        """Return seconds in frames, at least one."""
        return max(1, round(seconds * float(self.rate)))


def read(path: Path, seconds: int = SECONDS) -> Material:
    """Return the first seconds of a clip."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = Fraction(stream.average_rate or 25).limit_denominator(1001)
        frames = []
        for frame in container.decode(stream):
            planes = frame.reformat(format="yuv420p") if frame.format.name != "yuv420p" else frame
            frames.append(_planes(planes))
            if len(frames) >= seconds * rate:
                break
        full_range = frame.color_range == 2
    return Material(frames, rate, _sound(path, len(frames) / rate), full_range)


def _planes(frame: av.VideoFrame) -> Planes:
    luma, blue, red = (
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].copy()
        for plane in frame.planes
    )
    return luma, blue, red


def _sound(path: Path, seconds: Fraction) -> NDArray[np.float32] | None:
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        resampler = av.AudioResampler("fltp", "stereo", SOUND_RATE)
        pieces: list[NDArray[Any]] = []
        try:
            for frame in container.decode(audio=0):
                pieces += [piece.to_ndarray() for piece in resampler.resample(frame)]
        except av.FFmpegError:
            pass  # what comes before the damage will do
        if not pieces:
            return None
        return np.concatenate(pieces, axis=1)[:, : int(seconds * SOUND_RATE)].astype(np.float32)


def write(material: Material, path: Path, crf: int = 20) -> Path:
    """Encode a clip as generators deliver: H.264 and AAC."""
    height, width = (length // 2 * 2 for length in material.frames[0][0].shape)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=material.rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        stream.codec_context.color_range = 2 if material.full_range else 1
        stream.codec_context.thread_count = 1
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="stereo") if material.sound is not None else None
        for index, planes in enumerate(material.frames):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane, values in zip(frame.planes, planes, strict=True):
                rows = np.zeros((plane.height, plane.line_size), np.uint8)
                rows[:, : plane.width] = values[: plane.height, : plane.width]
                plane.update(rows.tobytes())
            frame.pts, frame.time_base = index, 1 / material.rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None and material.sound is not None:
            for start in range(0, material.sound.shape[1], 1024):
                block = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(material.sound[:, start : start + 1024]), "fltp", "stereo"
                )
                block.sample_rate, block.pts, block.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
                container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return path


def clips(media: Path) -> Iterator[Path]:
    """Yield the clips of a folder that show real or generated moving pictures, in order."""
    for folder in ("clean", "takes", "talking"):
        yield from sorted(
            path for path in (media / folder).iterdir() if path.suffix.lower() in (".mp4", ".avi", ".mpg", ".mov")
        )


def held_out(clips: Iterable[Path]) -> set[Path]:
    """Return every other clip: no threshold was set by looking at these."""
    return set(list(clips)[1::2])
