"""Real clips with one fault planted in each, where and how strong being drawn from a fixed seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

SECONDS = 6  # of each clip, at most
SOUND_RATE = 48000
Random = np.random.Generator
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

    def length(self, seconds: float) -> int:
        """Return seconds in frames, at least one."""
        return max(1, round(seconds * float(self.rate)))


@dataclass(frozen=True)
class Planted:
    """A fault and the place where it lies: frames `first` to `last` of the written clip, or seconds of its sound."""

    kind: str
    first: int
    last: int
    strength: float


Plant = Callable[[Material, Random], Planted | None]
"""Changes a clip and says what was done, or says `None` where the clip does not lend itself to it."""


def read(path: Path) -> Material:
    """Return the first seconds of a clip."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = Fraction(stream.average_rate or 25).limit_denominator(1001)
        frames = []
        for frame in container.decode(stream):
            planes = frame.reformat(format="yuv420p") if frame.format.name != "yuv420p" else frame
            frames.append(_planes(planes))
            if len(frames) >= SECONDS * rate:
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


def seeded(clip: str, kind: str) -> Random:
    """Return random numbers that only the names of clip and fault decide."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(f"{clip} {kind}".encode()).digest()[:8], "big"))


# Faults


def freeze(material: Material, random: Random) -> Planted | None:
    """Show one frame for 0.3 to 1.5 seconds."""
    length = material.length(random.uniform(0.3, 1.5))
    first = _place(material, random, length + 1)
    if first is None:
        return None
    material.frames[first : first + length + 1] = [material.frames[first]] * (length + 1)
    return Planted("freeze", first, first + length, length / float(material.rate))


def duplicate(material: Material, random: Random) -> Planted | None:
    """Show one frame twice, in place of the one after it."""
    first = _place(material, random, 2)
    if first is None or not _moves(material, first, 1):
        return None
    material.frames[first + 1] = material.frames[first]
    return Planted("duplicate", first, first + 1, 1.0)


def replay(material: Material, random: Random) -> Planted | None:
    """Show a stretch of 0.4 to 0.8 seconds once more, at least half a second after it."""
    length = material.length(random.uniform(0.4, 0.8))
    gap = material.length(random.uniform(0.5, 1.0))
    first = _place(material, random, 2 * length + gap)
    if first is None or not _moves(material, first, length + gap - 1):
        return None
    again = first + length + gap
    material.frames[again : again + length] = material.frames[first : first + length]
    return Planted("replay", again, again + length - 1, length / float(material.rate))


def black(material: Material, random: Random) -> Planted | None:
    """Show 1 to 6 black frames."""
    length = int(random.integers(1, 7))
    first = _place(material, random, length)
    if first is None:
        return None
    material.frames[first : first + length] = [material.black] * length
    return Planted("black", first, first + length - 1, float(length))


def white(material: Material, random: Random) -> Planted | None:
    """Show 1 to 6 white frames."""
    length = int(random.integers(1, 7))
    first = _place(material, random, length)
    if first is None:
        return None
    luma, blue, red = material.black
    blank = np.full_like(luma, 255 if material.full_range else 235), blue, red
    material.frames[first : first + length] = [blank] * length
    return Planted("white", first, first + length - 1, float(length))


def flicker(material: Material, random: Random) -> Planted | None:
    """Scale the brightness of each frame by a gain that is drawn anew: 2 to 8 % either way."""
    return _flicker(material, random, random.uniform(0.02, 0.08), "flicker")


def strobe(material: Material, random: Random) -> Planted | None:
    """The same by 40 to 60 %: what anyone sees."""
    return _flicker(material, random, random.uniform(0.4, 0.6), "strobe")


def _flicker(material: Material, random: Random, strength: float, kind: str) -> Planted:
    zero = 0 if material.full_range else 16
    top = 255 if material.full_range else 235
    gains = 1 + strength * random.choice([-1.0, 1.0], len(material.frames)) * random.uniform(
        0.5, 1, len(material.frames)
    )
    for index, (luma, blue, red) in enumerate(material.frames):
        levels = np.clip(np.rint(zero + (np.arange(256) - zero) * gains[index]), 0, top).astype(np.uint8)
        material.frames[index] = levels[luma], blue, red
    return Planted(kind, 0, len(gains) - 1, strength)


def dropout(material: Material, random: Random) -> Planted | None:
    """Silence 0.2 to 0.8 seconds of sound, from one sample to the next, where there is some on both sides."""
    return _silence(material, random, random.uniform(0.2, 0.8), "dropout")


def lost_sound(material: Material, random: Random) -> Planted | None:
    """Silence 70 % of the sound, up to its end."""
    sound = material.sound
    if sound is None or _decibels(sound) < -45:
        return None
    first = int(0.3 * sound.shape[1])
    sound[:, first:] = 0
    return Planted("lost sound", *_frames(material, first, sound.shape[1]), 0.7)


def _silence(material: Material, random: Random, seconds: float, kind: str) -> Planted | None:
    sound = material.sound
    length, near = int(seconds * SOUND_RATE), SOUND_RATE // 20
    if sound is None or sound.shape[1] < length + 2 * SOUND_RATE:
        return None
    for first in random.integers(SOUND_RATE // 2, sound.shape[1] - length - SOUND_RATE // 2, 200).tolist():
        around = sound[:, first - near : first], sound[:, first + length : first + length + near]
        if min(_decibels(side) for side in around) > -35:
            sound[:, first : first + length] = 0
            return Planted(kind, *_frames(material, first, first + length), seconds)
    return None


def _frames(material: Material, first: int, end: int) -> tuple[int, int]:
    return tuple(int(sample * float(material.rate) / SOUND_RATE) for sample in (first, end - 1))  # type: ignore[return-value]


def _decibels(sound: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) + 1e-12))


def _place(material: Material, random: Random, length: int) -> int | None:
    """Return a first frame such that there are more before and after, or `None` where the clip is too short."""
    room = len(material.frames) - length - 8
    return 4 + int(random.integers(room)) if room > 0 else None


def _moves(material: Material, first: int, distance: int) -> bool:
    """Whether two frames differ: where nothing moves, showing one again is no fault that can be seen."""
    one, other = (material.frames[index][0].astype(np.float32) for index in (first, first + distance))
    height, width = (length // 8 * 8 for length in one.shape)
    blocks = (one - other)[:height, :width].reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
    return bool(np.abs(blocks).mean() > 0.5)  # code values


FAULTS: dict[str, Plant] = {
    "freeze": freeze,
    "duplicate": duplicate,
    "replay": replay,
    "black": black,
    "white": white,
    "flicker": flicker,
    "strobe": strobe,
    "dropout": dropout,
    "lost sound": lost_sound,
}


def plant(material: Material, name: str, kind: str, target: Path) -> Planted | None:
    """Write a copy of a clip with one fault to `target`; `None` where the clip does not lend itself to it."""
    sound = None if material.sound is None else material.sound.copy()
    copy, random = replace(material, frames=list(material.frames), sound=sound), seeded(name, kind)
    planted = FAULTS[kind](copy, random)
    if planted is not None:
        write(copy, target, crf=int(random.choice([14, 20, 26])))
    return planted


def clips(media: Path) -> Iterator[Path]:
    """Yield the clips of a folder that show real or generated moving pictures, in order."""
    for folder in ("clean", "takes", "talking"):
        yield from sorted(
            path for path in (media / folder).iterdir() if path.suffix.lower() in (".mp4", ".avi", ".mpg", ".mov")
        )


def held_out(clips: Iterable[Path]) -> set[Path]:
    """Return every other clip: no threshold was set by looking at these."""
    return set(list(clips)[1::2])
