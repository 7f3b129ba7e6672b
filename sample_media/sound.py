"""Sound by arithmetic: wind, rain, a purr, chords, footsteps on gravel and knocks on a table.

Every function returns float32 of shape `(2, samples)` at 48 kHz, full scale ±1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from plates import Array

RATE_HZ = 48_000

Score = Callable[[int, float, int], Array]
"""The sound of a scene: `score(samples, early_seconds, seed)`; all of it starts `early_seconds` before its picture."""


def noise(samples: int, rng: np.random.Generator, low_hz: float, high_hz: float, slope: float = 1.0) -> Array:
    """Return stereo noise between two frequencies, RMS 1, whose amplitude falls with frequency to the `slope` / 2."""
    hertz = np.fft.rfftfreq(samples, 1 / RATE_HZ)
    band = 1 / (1 + (low_hz / np.maximum(hertz, 1e-3)) ** 4) / (1 + (hertz / high_hz) ** 4)
    shape = band * np.maximum(hertz, low_hz) ** (-slope / 2)
    wave = np.fft.irfft(np.fft.rfft(rng.standard_normal((2, samples))) * shape, samples)
    return np.asarray(wave / wave.std(), np.float32)


def seconds_of(samples: int, early_seconds: float) -> NDArray[np.float64]:
    """Return the time of each sample on the clock of the picture."""
    return np.arange(samples) / RATE_HZ + early_seconds


def strike(time: NDArray[np.float64], at: float, tones: Sequence[tuple[float, float, float]]) -> NDArray[np.float64]:
    """Return damped sines that start at a time; each tone is `(hertz, amplitude, decay in seconds)`."""
    since = np.maximum(time - at, 0)
    sum_ = sum(size * np.sin(2 * np.pi * hertz * since) * np.exp(-since / decay) for hertz, size, decay in tones)
    return np.asarray(sum_ * (time >= at))


def chord(time: NDArray[np.float64], notes_hz: Sequence[float], rng: np.random.Generator) -> Array:
    """Return a held chord, peak about 1: three detuned voices per note, each placed and swelling on its own."""
    wave = np.zeros((2, time.size))
    for hertz in notes_hz:
        for detune in (-0.0016, 0.0, 0.0019):
            phase, slow, place = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.4), rng.uniform(0.25, 0.75)
            turn = 2 * np.pi * hertz * (1 + detune) * time + phase
            voice = (np.sin(turn) + 0.25 * np.sin(2 * turn) + 0.08 * np.sin(3 * turn)) * (
                0.8 + 0.2 * np.sin(2 * np.pi * slow * time + phase)
            )
            wave += np.stack([voice * np.sqrt(1 - place), voice * np.sqrt(place)])
    return np.asarray(wave / (3 * len(notes_hz)), np.float32)


def finish(wave: Array, peak: float) -> Array:
    """Set the peak and fade the first and last 5 ms."""
    ramp = np.minimum(1, np.minimum(np.arange(wave.shape[1]), np.arange(wave.shape[1])[::-1]) / (0.005 * RATE_HZ))
    return np.asarray(wave * (peak / np.abs(wave).max()) * ramp, np.float32)


def launch_pad(samples: int, early_seconds: float, seed: int) -> Array:
    """Wind, a mains hum, vapour hissing, slow footsteps on gravel, and a low chord."""
    rng = np.random.default_rng([seed, 1])
    time = seconds_of(samples, early_seconds)
    gust = 0.7 + 0.3 * np.sin(2 * np.pi * 0.31 * time + 1)
    wave = 0.10 * gust * noise(samples, rng, 60, 700) + 0.012 * noise(samples, rng, 2500, 9000, 0)
    wave += 0.02 * np.sin(2 * np.pi * 100 * time) + 0.22 * chord(time, (110.0, 164.81, 220.0, 277.18), rng)
    grit = noise(samples, rng, 900, 5000)
    for step in np.arange(0.35, 10, 0.62):
        since = np.maximum(time - step, 0)
        wave += 0.10 * grit * (np.exp(-since / 0.035) + 0.6 * np.exp(-(((since - 0.11) / 0.03) ** 2))) * (time >= step)
    return finish(np.asarray(wave, np.float32), 0.45)


def coffee(knocks: Sequence[float]) -> Score:
    """Return the score of a quiet café in which somebody knocks on the table at the given times (seconds)."""
    wood = ((165.0, 1.0, 0.05), (412.0, 0.6, 0.03), (1130.0, 0.35, 0.012), (2950.0, 0.22, 0.05))

    def score(samples: int, early_seconds: float, seed: int) -> Array:
        rng = np.random.default_rng([seed, 2])
        time = seconds_of(samples, early_seconds)
        wave = 0.018 * noise(samples, rng, 120, 3000) + 0.05 * chord(time, (196.0, 246.94, 293.66, 369.99), rng)
        for at in knocks:
            wave += strike(time, at, wood) * np.array([[0.9], [1.0]])
        return finish(np.asarray(wave, np.float32), 0.6)

    return score


def cat(samples: int, early_seconds: float, seed: int) -> Array:
    """Rain with single drops, a purr, and a soft chord."""
    rng = np.random.default_rng([seed, 3])
    time = seconds_of(samples, early_seconds)
    wave = 0.05 * noise(samples, rng, 500, 9000, 0.6)
    for at, hertz in zip(rng.uniform(0, samples / RATE_HZ, 60), rng.uniform(1200, 5200, 60), strict=True):
        wave += strike(time, at, ((hertz, 0.05, 0.006),)) * rng.uniform(0.2, 1, (2, 1))
    breath = 0.6 + 0.4 * np.sin(2 * np.pi * 0.45 * time)
    pulse = np.maximum(0, np.sin(2 * np.pi * 26 * time)) ** 6
    wave += 0.30 * breath * pulse * noise(samples, rng, 70, 420)
    return finish(np.asarray(wave + 0.10 * chord(time, (146.83, 220.0, 277.18, 329.63), rng), np.float32), 0.35)
