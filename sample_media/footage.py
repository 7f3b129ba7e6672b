"""From a plate to moving footage: a camera on a path, and the film it is shot on.

Light is linear while it is gathered (motion blur, bloom, lamps); `develop` turns it into display values at
the end. World coordinates are pixels of the plate's photograph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from plates import GAMMA, Array, Plate

SHUTTER_SECONDS = 0.5 / 24  # the 180° shutter of a 24 fps camera
SHUTTER_SAMPLES = 3


def to_display(linear: Array) -> Array:
    """Linear light to display values; negative light (ringing of the resampling) becomes black."""
    return np.asarray(cv2.pow(np.maximum(linear, 0), 1 / GAMMA), np.float32)


@dataclass(frozen=True)
class Pose:
    """Where the camera looks: centre `x`, `y` and visible `width` in world pixels.

    `slide_x`, `slide_y` move the nearest things by that many world pixels against the farthest (a camera on
    rails); `dolly` enlarges the nearest things by that fraction more than the farthest.
    """

    x: float
    y: float
    width: float
    roll_degrees: float = 0.0
    slide_x: float = 0.0
    slide_y: float = 0.0
    dolly: float = 0.0

    def towards(self, other: Pose, share: float) -> Pose:
        """Return the pose that lies at `share` (0–1) of the way to `other`."""
        fields = self.__dataclass_fields__
        return Pose(**{n: (1 - share) * getattr(self, n) + share * getattr(other, n) for n in fields})


@dataclass(frozen=True)
class Knock:
    """A jolt of the camera: from `seconds` on it rings at 11 Hz, `size` world pixels high, and dies away in 0.5 s."""

    seconds: float
    size: float

    def height(self, seconds: float) -> float:
        """Return the displacement in world pixels at a time."""
        since = seconds - self.seconds
        return 0.0 if since < 0 else self.size * float(np.exp(-since / 0.11) * np.sin(2 * np.pi * 11 * since))


@dataclass(frozen=True)
class Move:
    """A camera move from `start` to `end` in `seconds`, hand-held with `shake` world pixels of sway."""

    start: Pose
    end: Pose
    seconds: float
    shake: float = 1.0
    seed: int = 0
    knocks: tuple[Knock, ...] = ()

    def at(self, seconds: float) -> Pose:
        """Return the pose at a time; half of the travel is eased, so that the camera never stands still."""
        share = seconds / self.seconds
        pose = self.start.towards(self.end, 0.5 * share + 0.5 * share * share * (3 - 2 * share))
        sway_x, sway_y, sway_roll = (self.shake * sway(seconds, 3 * self.seed + axis) for axis in range(3))
        jolt = sum(knock.height(seconds) for knock in self.knocks)
        return replace(
            pose,
            x=pose.x + sway_x,
            y=pose.y + sway_y + jolt,
            slide_x=pose.slide_x + 0.6 * sway_x,
            slide_y=pose.slide_y + 0.6 * sway_y + 0.25 * jolt,
            roll_degrees=pose.roll_degrees + 0.12 * sway_roll + 0.1 * jolt,
        )


def sway(seconds: float, seed: int) -> float:
    """Return a hand's unsteadiness at a time: sines from 0.3 to 7 Hz whose size falls with frequency; about ±1."""
    rng = np.random.default_rng([seed, 77])
    hertz = np.geomspace(0.3, 7, 9) * rng.uniform(0.85, 1.15, 9)
    phases = rng.uniform(0, 2 * np.pi, 9)
    return float((0.45 * hertz**-0.8 * np.sin(2 * np.pi * hertz * seconds + phases)).sum())


@dataclass(frozen=True)
class Exposure:
    """One exposed frame: linear `light` `(h, w, 3)`, and the world coordinates `x`, `y` `(h, w)` of its pixels."""

    light: Array
    x: Array
    y: Array


Bend = Callable[[Array, Array, float], tuple[Array, Array]]
"""Moves world coordinates at a time, to let things in the plate move: `bend(x, y, seconds) -> x, y`."""


def expose(plate: Plate, move: Move, seconds: float, size: tuple[int, int], bends: Sequence[Bend] = ()) -> Exposure:
    """Gather light for one frame of `size` `(width, height)` while the shutter is open from `seconds` on."""
    light = np.zeros((size[1], size[0], 3), np.float32)
    middle_x, middle_y = bent_x, bent_y = world(plate, move.at(seconds + SHUTTER_SECONDS / 2), size)
    for bend in bends:
        bent_x, bent_y = bend(bent_x, bent_y, seconds)
    # (x + 0.5) * scale - 0.5: pixel centres of the photograph in the enlarged plate
    scale, half = np.float32(plate.scale), np.float32(0.5 * plate.scale - 0.5)
    extra_x, extra_y = scale * (bent_x - middle_x) + half, scale * (bent_y - middle_y) + half
    for sample in range(SHUTTER_SAMPLES):
        x, y = world(plate, move.at(seconds + SHUTTER_SECONDS * sample / SHUTTER_SAMPLES), size)
        light += cv2.remap(
            plate.light, scale * x + extra_x, scale * y + extra_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
    light /= SHUTTER_SAMPLES
    return Exposure(light, middle_x, middle_y)


def world(plate: Plate, pose: Pose, size: tuple[int, int]) -> tuple[Array, Array]:
    """Return the world coordinates `x`, `y` that the pixels of a frame of `size` see from a pose."""
    width, height = size
    per_pixel = pose.width / width
    across = (np.arange(width, dtype=np.float32) - (width - 1) / 2) * per_pixel
    down = ((np.arange(height, dtype=np.float32) - (height - 1) / 2) * per_pixel)[:, None]
    roll = np.deg2rad(pose.roll_degrees)
    cos, sin = np.float32(np.cos(roll)), np.float32(np.sin(roll))
    dx, dy = cos * across - sin * down, sin * across + cos * down
    x, y = dx + np.float32(pose.x), dy + np.float32(pose.y)
    depth = cv2.remap(plate.depth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    nearer = np.float32(pose.dolly) * depth
    return (
        x - nearer * dx - np.float32(pose.slide_x) * depth,
        y - nearer * dy - np.float32(pose.slide_y) * depth,
    )


@dataclass(frozen=True)
class Film:
    """The look of the stock and the lens: all fractions of full scale."""

    exposure: float = 1.0
    bloom: float = 0.12
    vignette: float = 0.35
    grain: float = 0.007
    shoulder: float = 0.8
    tint_shadows: tuple[float, float, float] = (0.0, 0.0, 0.0)


def develop(light: Array, film: Film, rng: np.random.Generator) -> Array:
    """Turn linear light into display R'G'B' (0–1), with bloom, vignette, a soft shoulder, tinted shadows and grain."""
    height, width = light.shape[:2]
    light = light + np.float32(film.bloom) * glow(light)
    light *= (np.float32(film.exposure) * (1 - np.float32(film.vignette) * falloff(width, height)))[..., None]
    coded = to_display(light)
    knee = np.float32(film.shoulder)
    over = np.maximum(coded - knee, 0)
    coded -= over
    coded += (1 - knee) * (1 - np.exp(over * (-1 / (1 - knee))))
    grey = cv2.transform(coded, np.full((1, 3), 1 / 3, np.float32))
    dark = (1 - grey) * (1 - grey) * (1 - grey)
    # grain is strongest in the mid-tones, and its finest detail is a little larger than a pixel
    noise = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), 0.6) * np.float32(2 * film.grain)
    noise *= 0.35 + 2.6 * grey * (1 - grey)
    coded += noise[..., None] + dark[..., None] * np.asarray(film.tint_shadows, np.float32)
    return np.clip(coded, 0, 1)


def glow(light: Array) -> Array:
    """Return the light that bright parts spill over their surroundings."""
    height, width = light.shape[:2]
    bright = np.maximum(cv2.resize(light, (width // 4, height // 4), interpolation=cv2.INTER_AREA) - 0.35, 0)
    spilt = cv2.GaussianBlur(bright, (0, 0), width / 240) + cv2.GaussianBlur(bright, (0, 0), width / 60)
    return np.asarray(cv2.resize(spilt, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def falloff(width: int, height: int) -> Array:
    """Return 0 in the middle of a frame, 1 in its corners, rising with the square of the distance."""
    across = np.linspace(-1, 1, width, dtype=np.float32) ** 2
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] ** 2
    return np.asarray((across + down) / 2, np.float32)
