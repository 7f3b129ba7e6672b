"""What looks like a change of shot and is none: flashes, exposure, stills, whip pans, shake, zooms, passers-by.

Each trap changes some pictures of a shot in place and returns how many, from frame `at` on.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
"""YCbCr code values, 8-bit, limited range, shape `(height, width, 3)`."""

BLACK = np.array([16, 128, 128], np.float32)
WHITE = np.array([235, 128, 128], np.float32)


def expose(picture: Picture, gain: float) -> Picture:
    """Return a picture with its light multiplied."""
    lit = BLACK + (picture - BLACK) * np.float32(gain)
    return np.clip(lit, 16, 240).astype(np.float32)


def window(picture: Picture, zoom: float, x: float, y: float) -> Picture:
    """Return a part 1/zoom as large, `x` and `y` from 0 to 1 of the way, at full size."""
    height, width = picture.shape[:2]
    left, top = x * width * (1 - 1 / zoom), y * height * (1 - 1 / zoom)
    matrix = np.array([[zoom, 0, -left * zoom], [0, zoom, -top * zoom]], np.float64)
    window: Picture = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    return window


Trap = Callable[[list[Picture], int, np.random.Generator], int]


def _flash(shot: list[Picture], at: int, random: np.random.Generator) -> int:
    length = int(random.integers(1, 4))
    gain, white = random.uniform(1.6, 4.0), random.uniform(0.5, 1.0)
    blend = random.random() < 0.5
    for n in range(at, at + length):
        shot[n] = shot[n] * (1 - white) + WHITE * white if blend else expose(shot[n], gain)
    return length


def _strobe(shot: list[Picture], at: int, random: np.random.Generator) -> int:
    period, gain = int(random.integers(2, 5)), random.uniform(1.5, 3.0)
    for n in range(at, at + 14):
        shot[n] = expose(shot[n], gain if (n - at) % (2 * period) < period else 1.0)
    return 14


def _ramp(shot: list[Picture], at: int, random: np.random.Generator) -> int:
    """Exposure that drifts to another level and stays there."""
    length = min(int(random.integers(8, 24)), len(shot) - at - 6)
    level = random.choice([random.uniform(0.35, 0.7), random.uniform(1.3, 1.8)])
    for n in range(at, len(shot)):
        shot[n] = expose(shot[n], 1 + (level - 1) * min(1.0, (n - at + 1) / length))
    return length


def _switch(shot: list[Picture], at: int, random: np.random.Generator) -> int:
    """Exposure that changes at once and stays: a light is switched."""
    level = random.choice([random.uniform(0.4, 0.7), random.uniform(1.4, 1.9)])
    shot[at:] = [expose(picture, level) for picture in shot[at:]]
    return 1


def _flicker(shot: list[Picture], at: int, random: np.random.Generator) -> int:
    strength = random.uniform(0.03, 0.12)
    shot[:] = [expose(picture, 1 + strength * random.uniform(-1, 1)) for picture in shot]
    return len(shot) - at


def _freeze(shot: list[Picture], at: int, random: np.random.Generator) -> int:
    length = int(random.integers(6, 15))
    shot[at : at + length] = [shot[at]] * length
    return length + 1


def _whip(shot: list[Picture], at: int, random: np.random.Generator) -> int:
    """A fast pan over an enlarged picture, blurred along its way."""
    length, zoom = int(random.integers(3, 9)), random.uniform(1.7, 2.6)
    y, forth = random.uniform(0.2, 0.8), random.random() < 0.5
    place = np.clip((np.arange(len(shot) + 1) - at) / length, 0, 1)
    place = place * place * (3 - 2 * place)
    place = place if forth else 1 - place
    for n, picture in enumerate(shot):
        passed = np.linspace(place[n], place[n + 1], 8 if place[n] != place[n + 1] else 1, endpoint=False)
        shot[n] = np.mean([window(picture, zoom, x, y) for x in passed], axis=0, dtype=np.float32)
    return length


def _shake(shot: list[Picture], at: int, random: np.random.Generator) -> int:
    length, strength = 14, random.uniform(0.05, 0.35)
    for n, picture in enumerate(shot):
        jitter = random.uniform(-strength, strength, 2) if at <= n < at + length else (0, 0)
        shot[n] = window(picture, 1.15, 0.5 + jitter[0], 0.5 + jitter[1])
    return length


def _zoom(shot: list[Picture], at: int, random: np.random.Generator) -> int:
    """A fast zoom in."""
    length, top = int(random.integers(5, 14)), random.uniform(1.5, 2.2)
    for n, picture in enumerate(shot):
        shot[n] = window(picture, 1 + (top - 1) * float(np.clip((n - at) / length, 0, 1)), 0.5, 0.5)
    return length


def _passer(shot: list[Picture], at: int, random: np.random.Generator) -> int:
    """Something dark and blurred that passes close to the lens and hides most of the picture."""
    length = int(random.integers(5, 12))
    width = shot[0].shape[1]
    body = random.uniform(0.5, 0.9) * width
    colour = np.array([random.uniform(20, 90), 128 + random.uniform(-12, 12), 128 + random.uniform(-12, 12)])
    x = np.arange(width, dtype=np.float32)
    for n in range(at, at + length):
        left = -body + (width + body) * (n - at + 0.5) / length
        cover = np.clip((x - left) / 40, 0, 1) * np.clip((left + body - x) / 40, 0, 1)
        shot[n] = shot[n] + (colour.astype(np.float32) - shot[n]) * cover[None, :, None]
    return length


TRAPS: dict[str, Trap] = {
    "flash": _flash,
    "strobe": _strobe,
    "exposure ramp": _ramp,
    "light switch": _switch,
    "flicker": _flicker,
    "freeze": _freeze,
    "whip pan": _whip,
    "shake": _shake,
    "fast zoom": _zoom,
    "passer-by": _passer,
}
