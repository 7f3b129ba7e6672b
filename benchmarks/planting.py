"""Real clips with one fault planted in each, where and how strong being drawn from a fixed seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks.material import SOUND_RATE, Material, write

Random = np.random.Generator


@dataclass(frozen=True)
class Planted:
    """A fault and the place where it lies: frames `first` to `last` of the written clip, or seconds of its sound."""

    kind: str
    first: int
    last: int
    strength: float


Plant = Callable[[Material, Random], Planted | None]
"""Changes a clip and says what was done, or says `None` where the clip does not lend itself to it."""


def seeded(clip: str, kind: str) -> Random:
    """Return random numbers that only the names of clip and fault decide."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(f"{clip} {kind}".encode()).digest()[:8], "big"))


def freeze(material: Material, random: Random) -> Planted | None:
    """Show one frame for 0.3 to 1.5 seconds."""
    length = material.length(random.uniform(0.3, 1.5))
    first = _place(material, random, length + 1)
    if first is None or material.is_blank(first):
        return None
    material.frames[first : first + length + 1] = [material.frames[first]] * (length + 1)
    return Planted("freeze", first, first + length, length / float(material.rate))


def late_start(material: Material, random: Random) -> Planted | None:
    """Hold the first frame for 0.3 to 0.8 seconds before anything moves."""
    length = material.length(random.uniform(0.3, 0.8))
    if len(material.frames) < length + 8 or material.is_blank(0):
        return None
    material.frames[:0] = [material.frames[0]] * length
    return Planted("late start", 0, length, length / float(material.rate))


def static(material: Material, random: Random) -> Planted | None:
    """Show one frame all the time."""
    frame = int(random.integers(len(material.frames)))
    if material.is_blank(frame):
        return None
    material.frames[:] = [material.frames[frame]] * len(material.frames)
    return Planted("static", 0, len(material.frames) - 1, len(material.frames) / float(material.rate))


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


def loop(material: Material, random: Random) -> Planted | None:
    """Begin twice: show the first 0.4 to 0.8 seconds once more, at once."""
    length = max(5, material.length(random.uniform(0.4, 0.8)))
    if len(material.frames) < 2 * length or not _moves(material, 0, length - 1):
        return None
    material.frames[length:length] = material.frames[:length]
    return Planted("loop", length, 2 * length - 1, length / float(material.rate))


def jump(material: Material, random: Random) -> Planted | None:
    """Leave out 0.3 to 0.8 seconds."""
    length = material.length(random.uniform(0.3, 0.8))
    first = _place(material, random, length)
    if first is None or not _moves(material, first - 1, length):
        return None
    del material.frames[first : first + length]
    return Planted("jump", first, first, length / float(material.rate))


def soft(material: Material, random: Random) -> Planted | None:
    """Blur 0.4 to 1.2 seconds with a radius of 2 to 4 pixels of a picture that is 720 lines high."""
    length, pixels = material.length(random.uniform(0.4, 1.2)), random.uniform(2, 4)
    first = _place(material, random, length)
    if first is None:
        return None
    sigma = pixels * min(material.frames[0][0].shape) / 720
    for index in range(first, first + length):
        luma, blue, red = material.frames[index]
        material.frames[index] = gaussian_filter(luma, sigma), blue, red
    return Planted("soft", first, first + length - 1, pixels)


def bars(material: Material, random: Random) -> Planted | None:
    """Cover 4 to 12 per cent of the picture with black at both sides, or at the top and at the bottom."""
    share, across = random.uniform(0.04, 0.12), bool(random.integers(2))
    black = material.black
    for index, planes in enumerate(material.frames):
        covered = []
        for plane, dark in zip(planes, black, strict=True):
            copy = plane.copy()
            lines, blank = (copy.T, dark.T) if across else (copy, dark)
            width = round(share * len(lines))
            lines[:width], lines[-width:] = blank[:width], blank[-width:]
            covered.append(copy)
        material.frames[index] = covered[0], covered[1], covered[2]
    return Planted("bars", 0, len(material.frames) - 1, share)


def exposure_drift(material: Material, random: Random) -> Planted | None:
    """Change the brightness little by little, by 30 to 45 % in all."""
    strength = float(random.choice([-1.0, 1.0]) * random.uniform(0.3, 0.45))
    if _has_cuts(material):
        return None
    _scale_luma(material, np.linspace(1, 1 + strength, len(material.frames)))
    return Planted("exposure drift", 0, len(material.frames) - 1, strength)


def saturation_drift(material: Material, random: Random) -> Planted | None:
    """Change the saturation little by little, by 35 to 60 % in all."""
    strength = float(random.choice([-1.0, 1.0]) * random.uniform(0.35, 0.6))
    if _has_cuts(material) or np.abs(material.frames[0][1].astype(np.float32) - 128).mean() < 2:
        return None
    for index, gain in enumerate(np.linspace(1, 1 + strength, len(material.frames)).tolist()):
        luma, blue, red = material.frames[index]
        levels = np.clip(np.rint(128 + (np.arange(256) - 128) * gain), 0, 255).astype(np.uint8)
        material.frames[index] = luma, levels[blue], levels[red]
    return Planted("saturation drift", 0, len(material.frames) - 1, strength)


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
    gains = 1 + strength * random.choice([-1.0, 1.0], len(material.frames)) * random.uniform(
        0.5, 1, len(material.frames)
    )
    _scale_luma(material, gains)
    return Planted(kind, 0, len(gains) - 1, strength)


def _scale_luma(material: Material, gains: NDArray[np.float64]) -> None:
    zero, top = (0, 255) if material.full_range else (16, 235)
    for index, (luma, blue, red) in enumerate(material.frames):
        levels = np.clip(np.rint(zero + (np.arange(256) - zero) * gains[index]), 0, top).astype(np.uint8)
        material.frames[index] = levels[luma], blue, red


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


def silence(material: Material, random: Random) -> Planted | None:
    """Silence all of it."""
    if material.sound is None or _decibels(material.sound) < -45:
        return None
    material.sound[:] = 0
    return Planted("silence", *_frames(material, 0, material.sound.shape[1]), 1.0)


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


def _has_cuts(material: Material) -> bool:
    """Whether a shot ends: pixels change by more than 25 code values in the mean."""
    lumas = [luma[::8, ::8].astype(np.float32) for luma, _, _ in material.frames]
    return any(np.abs(one - other).mean() > 25 for one, other in pairwise(lumas))


FAULTS: dict[str, Plant] = {
    "freeze": freeze,
    "late start": late_start,
    "static": static,
    "duplicate": duplicate,
    "replay": replay,
    "loop": loop,
    "black": black,
    "white": white,
    "flicker": flicker,
    "strobe": strobe,
    "dropout": dropout,
    "lost sound": lost_sound,
    "silence": silence,
    "jump": jump,
    "soft": soft,
    "bars": bars,
    "exposure drift": exposure_drift,
    "saturation drift": saturation_drift,
}


def plant(material: Material, name: str, kind: str, target: Path) -> Planted | None:
    """Write a copy of a clip with one fault to `target`; `None` where the clip does not lend itself to it."""
    sound = None if material.sound is None else material.sound.copy()
    copy, random = replace(material, frames=list(material.frames), sound=sound), seeded(name, kind)
    planted = FAULTS[kind](copy, random)
    if planted is not None:
        write(copy, target, crf=int(random.choice([14, 20, 26])))
    return planted
