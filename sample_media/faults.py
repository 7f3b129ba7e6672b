"""The faults that are put into takes on purpose, each with the numbers that undo or find it.

Colour faults work on display R'G'B' (0–1) of shape `(h, w, 3)`; faults of time are indices of frames, from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from plates import Array

REC709_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Cdl:
    """A colour cast as an ASC CDL 1.2: `(in * slope + offset) ** power` per channel, then saturation."""

    slope: tuple[float, float, float]
    offset: tuple[float, float, float]
    power: tuple[float, float, float]
    saturation: float

    def apply(self, picture: Array) -> Array:
        """Return the graded picture."""
        slope, offset, power = (np.asarray(part, np.float32) for part in (self.slope, self.offset, self.power))
        sop = np.clip(picture * slope + offset, 0, 1) ** power
        grey = (sop @ REC709_LUMA)[..., None]
        return np.asarray(np.clip(grey + np.float32(self.saturation) * (sop - grey), 0, 1), np.float32)

    def truth(self) -> dict[str, Any]:
        """Return the numbers for `truth.json`."""
        return {"slope": self.slope, "offset": self.offset, "power": self.power, "saturation": self.saturation}


@dataclass(frozen=True)
class Flicker:
    """Exposure that wavers: a sine of `percent` at `hertz`, and noise with a standard deviation of `random_percent`."""

    percent: float
    hertz: float
    random_percent: float
    seed: int

    def gains(self, frames: int, rate: float) -> list[float]:
        """Return the factor on display R'G'B' of each frame, to four decimals."""
        wave = self.percent * np.sin(2 * np.pi * self.hertz * np.arange(frames) / rate)
        wave += self.random_percent * np.random.default_rng(self.seed).standard_normal(frames)
        return [round(float(gain), 4) for gain in 1 + wave / 100]

    def truth(self, frames: int, rate: float) -> dict[str, Any]:
        """Return the numbers for `truth.json`."""
        gains = self.gains(frames, rate)
        return {"hertz": self.hertz, "percent": self.percent, "random_percent": self.random_percent, "gains": gains}


@dataclass(frozen=True)
class Faults:
    """Everything that is wrong with a take; the default is nothing.

    `frozen` and `black` are inclusive runs of frames; a frozen run shows its first frame throughout.
    Each of `duplicates` shows the frame before it again. `sound_early_ms` is positive when sound leads picture.
    `settings` names what differs from the project: "rate", "size".
    """

    flicker: Flicker | None = None
    cdl: Cdl | None = None
    blur_sigma_px: float = 0.0
    frozen: tuple[tuple[int, int], ...] = ()
    black: tuple[tuple[int, int], ...] = ()
    duplicates: tuple[int, ...] = ()
    sound_early_ms: int = 0
    silent: bool = False
    untagged: bool = False
    settings: tuple[str, ...] = ()

    def spoil(self, picture: Array, gain: float) -> Array:
        """Return a finished picture with the cast, the soft focus and the exposure of its frame."""
        if self.cdl:
            picture = self.cdl.apply(picture)
        if self.blur_sigma_px:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), self.blur_sigma_px), np.float32)
        return np.asarray(np.clip(picture * np.float32(gain), 0, 1), np.float32)

    def shown(self, frames: int) -> list[int | None]:
        """Return for each frame of the take the frame that was shot for it; `None` is black."""
        source: list[int | None] = list(range(frames))
        for first, last in self.frozen:
            source[first : last + 1] = [first] * (last + 1 - first)
        for frame in self.duplicates:
            source[frame] = frame - 1
        for first, last in self.black:
            source[first : last + 1] = [None] * (last + 1 - first)
        return source

    def truth(self, frames: int, rate: float) -> dict[str, Any]:
        """Return what is wrong, for `truth.json`; a fault that the take does not have has no key."""
        entries: dict[str, Any] = {
            "flicker": self.flicker and self.flicker.truth(frames, rate),
            "colour": self.cdl and self.cdl.truth(),
            "blur_sigma_px": self.blur_sigma_px,
            "frozen": [{"first": first, "last": last} for first, last in self.frozen],
            "black": [{"first": first, "last": last} for first, last in self.black],
            "duplicates": self.duplicates,
            "sound_offset_ms": self.sound_early_ms,
            "no_sound": self.silent,
            "untagged": self.untagged,
            "settings": self.settings,
        }
        return {name: entry for name, entry in entries.items() if entry}
