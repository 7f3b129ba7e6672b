"""Pictures with texture and colours, for matching: everything in them is known."""

from __future__ import annotations

import numpy as np

from postpipe.look import Cdl
from postpipe.stages.colour import ColourStats
from postpipe.stages.colour_pairs import Still

GRADE = Cdl((0.88, 0.95, 1.04), (0.02, 0.0, -0.015), (1.12, 1.05, 0.96), 0.8)


def scene(seed: int, width: int = 320, height: int = 180) -> np.ndarray:
    """Return R'G'B' from 0 to 1: boxes of many colours on a gradient, `(height, width, 3)`."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([0.35 + 0.3 * x / width, 0.5 - 0.2 * y / height, 0.4 + 0.2 * y / height], -1)
    for _ in range(width * height // 250):
        across, down = random.integers(4, 34, 2)
        left, top = random.integers(-10, width), random.integers(-10, height)
        box = np.s_[max(top, 0) : top + down, max(left, 0) : left + across]
        picture[box] = random.uniform(0.08, 0.92) + random.uniform(-0.25, 0.25, 3) * random.random()
    return np.clip(picture, 0.03, 0.95)


def coded(picture: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return a picture in 8 bits with a little noise."""
    noise = np.random.default_rng(seed).normal(0, 0.004, picture.shape)
    return np.rint(np.clip(picture + noise, 0, 1) * 255).astype(np.uint8)


def stills(picture: np.ndarray, grade: Cdl | None = None, count: int = 4, seed: int = 0) -> list[Still]:
    """Return stills of a picture that does not move."""
    shown = grade.apply(picture) if grade else picture
    return [Still(coded(shown, seed + n)) for n in range(count)]


def stats(picture: np.ndarray, grade: Cdl | None = None, count: int = 4, seed: int = 0) -> ColourStats:
    """Return what the analyser keeps of a clip that shows the picture."""
    shown = grade.apply(picture) if grade else picture
    return ColourStats(np.arange(count), np.stack([coded(shown, seed + n) for n in range(count)]))
