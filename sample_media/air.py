"""What drifts between the lens and the scene: vapour, shadows of leaves and rain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from plates import Array

CLOUD_SIZE = 512


@lru_cache(maxsize=16)
def cloud(seed: int, *, slope: float = 1.6) -> Array:
    """Return periodic noise, shape `(512, 512)`, 0–1, mean 0.5; its spectrum falls with frequency to the `slope`."""
    rng = np.random.default_rng([seed, 5])
    frequency = np.hypot(np.fft.fftfreq(CLOUD_SIZE)[:, None], np.fft.rfftfreq(CLOUD_SIZE))
    frequency[frequency * CLOUD_SIZE < 3] = np.inf  # no swell as large as the field: it would come and go
    spectrum = np.fft.rfft2(rng.standard_normal((CLOUD_SIZE, CLOUD_SIZE))) * frequency**-slope
    field = np.fft.irfft2(spectrum, (CLOUD_SIZE, CLOUD_SIZE))
    return np.asarray(np.clip(0.5 + 0.2 * field / field.std(), 0, 1), np.float32)


def drift(field: Array, x: Array, y: Array) -> Array:
    """Read a periodic noise field at any coordinates (in its own pixels)."""
    return np.asarray(
        cv2.remap(field, np.mod(x, CLOUD_SIZE), np.mod(y, CLOUD_SIZE), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP),
        np.float32,
    )


def smoothstep(low: float, high: float, value: Array | float) -> Array:
    """Return 0 below `low`, 1 above `high` and a smooth ramp between."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


@dataclass(frozen=True)
class Vapour:
    """Noise that moves through itself: `speed_x`, `speed_y` in world pixels per second, `grain` in world pixels."""

    seed: int
    speed_x: float
    speed_y: float
    grain: float
    stretch: float = 1.0

    def density(self, x: Array, y: Array, seconds: float) -> Array:
        """Return 0–1 at world coordinates; curls because a second, slower field displaces the first."""
        coarse, fine = cloud(self.seed, slope=2.0), cloud(self.seed + 1, slope=1.6)
        u = (x - np.float32(self.speed_x * seconds)) * np.float32(12 / self.grain)
        v = (y - np.float32(self.speed_y * seconds)) * np.float32(12 / self.grain / self.stretch)
        curl = drift(coarse, 0.5 * u + 40 * np.float32(seconds), 0.5 * v) - np.float32(0.5)
        bent = drift(coarse, u + 90 * curl, v + 60 * curl)
        return bent * drift(fine, 1.7 * u - 70 * curl, 1.7 * v + np.float32(25 * seconds))


def half(field: Array) -> Array:
    """Return every second pixel: vapour is soft, so that it is computed at a quarter of the cost."""
    return field[::2, ::2]


def full(field: Array, like: Array) -> Array:
    """Bring a half-size field back to the size of `like`."""
    return np.asarray(cv2.resize(field, (like.shape[1], like.shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def rain(
    frame: tuple[int, ...], seconds: float, *, seed: int, count: int, length: float, speed: float, soft: float = 0.7
) -> Array:
    """Return falling streaks (0–1) at half the size of `frame` `(height, width)`.

    `length` in frame heights, `speed` in frame heights per second; `soft` blurs them, in pixels of a 480 wide field.
    """
    height, width = frame[0] // 2, frame[1] // 2
    rng = np.random.default_rng([seed, 9])
    streaks = np.zeros((height, width), np.uint8)
    run = 1 + 2 * length
    for x, start, pace, strength in zip(*(rng.uniform(0, 1, count) for _ in range(4)), strict=True):
        y = ((start + (0.8 + 0.4 * pace) * speed * seconds) % run - length) * height
        foot = (round(x * width * 16), round(y * 16))
        head = (foot[0] + round(0.12 * length * height * 16), foot[1] - round(length * height * 16))
        cv2.line(streaks, foot, head, 90 + round(165 * strength), 1, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(streaks.astype(np.float32) / 255, (0, 0), soft * width / 480), np.float32)
