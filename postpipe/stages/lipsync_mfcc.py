"""Mel-frequency cepstra as lip-sync models of SyncNet's kind were taught with them.

S. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic word recognition", IEEE Trans.
ASSP 28, 1980, with the constants of the Python package python_speech_features 0.6 (`mfcc` as it is called without
arguments): samples count from -32768 to 32767, windows of 25 ms every 10 ms are rectangular, the first coefficient is
the logarithm of the window's energy, and the others are liftered.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float32]

RATE_HZ = 16000
COEFFICIENTS = 13
WINDOW, HOP = 400, 160
_FFT, _BANDS = 512, 26
_PREEMPHASIS, _LIFTER = 0.97, 22
_LEAST = np.finfo(np.float64).eps  # of an energy: a logarithm needs one


@functools.cache
def _filters() -> NDArray[np.float64]:
    """Return triangular filters, evenly spaced in mel and set on whole lines, `(spectrum, bands)`."""
    mel = np.linspace(0, 2595 * np.log10(1 + RATE_HZ / 2 / 700), _BANDS + 2)
    edges = np.floor((_FFT + 1) * 700 * (10 ** (mel / 2595) - 1) / RATE_HZ)
    lines = np.arange(_FFT // 2 + 1)[:, None]
    rising = (lines - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - lines) / np.diff(edges)[1:]
    return np.asarray(np.maximum(0, np.minimum(rising, falling)))


@functools.cache
def _cosines() -> NDArray[np.float64]:
    """Return the orthonormal discrete cosine transform (II), `(bands, coefficients)`, liftered."""
    bands, numbers = np.arange(_BANDS)[:, None], np.arange(COEFFICIENTS)
    turned = np.sqrt(2 / _BANDS) * np.cos(np.pi * numbers * (2 * bands + 1) / (2 * _BANDS))
    turned[:, 0] /= np.sqrt(2)
    return np.asarray(turned * (1 + _LIFTER / 2 * np.sin(np.pi * numbers / _LIFTER)))


@dataclass
class Cepstra:
    """Makes cepstra of sound that comes in pieces, at 16 kHz."""

    rest: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    last: float = 0.0

    def add(self, samples: Reals) -> Iterator[Reals]:
        """Yield the coefficients, `(13,)`, of every window that is complete now. `samples`: full scale is ±1."""
        values = 32768 * samples.astype(np.float64)
        sharp = values - _PREEMPHASIS * np.concatenate([[self.last], values[:-1]])
        self.last = float(values[-1]) if len(values) else self.last
        self.rest = np.concatenate([self.rest, sharp])
        count = max(0, (len(self.rest) - WINDOW) // HOP + 1)
        if not count:
            return
        windows = np.lib.stride_tricks.sliding_window_view(self.rest, WINDOW)[::HOP][:count]
        power = np.abs(np.fft.rfft(windows, _FFT)) ** 2 / _FFT
        self.rest = self.rest[count * HOP :]
        made = np.log(np.maximum(power @ _filters(), _LEAST)) @ _cosines()
        made[:, 0] = np.log(np.maximum(power.sum(axis=1), _LEAST))
        yield from made.astype(np.float32)
