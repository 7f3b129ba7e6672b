"""Speech-like sound by arithmetic, and how far the mouth that makes it is open: one list of syllables for both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from plates import Array
from sound import finish, noise, seconds_of

VOWELS_HZ = ((780, 1250, 2600), (540, 1800, 2500), (320, 2200, 2900), (500, 900, 2400), (350, 800, 2300))
"""The first three formants of a, e, i, o, u, roughly."""

OPENINGS = (1.0, 0.7, 0.35, 0.65, 0.3)
"""How far the mouth opens for each."""

PITCH_HZ = 195.0


@dataclass(frozen=True)
class Syllable:
    """A consonant that hisses from `start` on, then a vowel; all in seconds of the picture."""

    start: float
    hiss: float
    vowel: float
    which: int
    strength: float

    def level(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how loud the vowel is, 0 to 1: a bump with soft sides."""
        place = np.clip((time - self.start - self.hiss) / self.vowel, 0, 1)
        return np.asarray(self.strength * np.sin(np.pi * place) ** 1.2)


def syllables(seconds: float, seed: int) -> Iterator[Syllable]:
    """Yield what is said: words of two to four syllables with pauses between them."""
    rng = np.random.default_rng([seed, 4])
    at = 0.3
    while at < seconds - 0.6:
        for _ in range(rng.integers(2, 5)):
            hiss, vowel = rng.uniform(0.04, 0.09), rng.uniform(0.13, 0.26)
            yield Syllable(at, hiss, vowel, int(rng.integers(len(VOWELS_HZ))), rng.uniform(0.5, 1.0))
            at += hiss + vowel * 0.92
        at += rng.uniform(0.2, 0.6)


def opening(said: list[Syllable], seconds: float) -> float:
    """Return how far the mouth is open at a time of the picture, 0 to 1."""
    time = np.array([seconds])
    return min(1.0, sum(float(one.level(time)[0]) * OPENINGS[one.which] for one in said))


def speak(samples: int, early_seconds: float, seed: int) -> Array:
    """Return the speech in a quiet room."""
    rng = np.random.default_rng([seed, 5])
    time = seconds_of(samples, early_seconds)
    voice = np.zeros(samples)
    hiss = noise(samples, rng, 2500, 7500, 0).mean(axis=0)
    turn = 2 * np.pi * PITCH_HZ * np.cumsum(1 + 0.06 * np.sin(2 * np.pi * 0.6 * time)) / 48_000
    for said in syllables(float(time[-1]), seed):
        first, last = np.searchsorted(time, (said.start, said.start + said.hiss + said.vowel))
        here, phase = time[first:last], turn[first:last]
        level = said.level(here)
        for harmonic in range(1, 19):
            hertz = harmonic * PITCH_HZ
            gain = sum(1 / (1 + ((hertz - formant) / 110) ** 2) for formant in VOWELS_HZ[said.which])
            voice[first:last] += gain * harmonic**-0.4 * level * np.sin(harmonic * phase)
        sharp = np.clip((here - said.start) / said.hiss, 0, 1.6)
        voice[first:last] += 0.18 * said.strength * np.sin(np.pi * sharp / 1.6) * hiss[first:last]
    room = 0.004 * noise(samples, rng, 80, 3000)
    return finish(np.asarray(voice / np.abs(voice).max() * np.ones((2, 1)) + room, np.float32), 0.5)
