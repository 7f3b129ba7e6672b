"""What is wrong with a take's sound at a first look: silence, and sound that drops out or stops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from postpipe.engine.stage import Analyser, Sound
from postpipe.model import Clip, Facts, SoundBlock
from postpipe.stages.faults import runs

RATE_HZ = 16000
BLOCK = RATE_HZ // 100  # samples: 10 ms
SILENT_DBFS = -60.0  # no programme sound stays below this
DEEP_DBFS = -70.0  # where sound is missing, most of it is below this: rooms are not
DROP_SECONDS = 0.06  # shorter silence is a stop in speech
STOP_SECONDS = 0.5  # sound that ends this long before the picture was cut off
LOUD = -50.0, 15.0  # before a drop, sound is above the former (dBFS) and at most the latter (dB) below its usual level,
STEADY = 10  # blocks: sound that was as loud as usual for so long does not end by itself
NOTHING_DBFS = -85.0  # below this there is no room, no microphone: digital silence,
ROOM_DBFS = -75.0  # into which a fade goes through all levels, and sound that was lost at once from here or above
BACK = -55.0, 25.0  # after it, likewise: speech fades out before a pause


@dataclass(frozen=True)
class SoundLevels(Facts):
    """How loud a take's sound is, and where it falls silent. `None` where there is no sound stream.

    `dropouts`: stretches (start and end in seconds from the first frame) in which sound is missing from one moment to
    the next. `stops_seconds`: where it stops for good, if that is long before the picture's end.
    """

    schema: ClassVar[str] = "postpipe.sound-levels.2"
    name: ClassVar[str] = "sound"
    peak_dbfs: float | None
    rms_dbfs: float | None
    silent: bool | None
    dropouts: tuple[tuple[float, float], ...] = ()
    stops_seconds: float | None = None

    def summary(self) -> dict[str, Any]:
        """Return peak and RMS level in dBFS, whether the whole track is silent, and where sound is missing."""
        return {
            "peak_dbfs": self.peak_dbfs,
            "rms_dbfs": self.rms_dbfs,
            "silent": self.silent,
            "dropouts": [list(stretch) for stretch in self.dropouts],
            "stops_seconds": self.stops_seconds,
        }


@dataclass
class _Levels:
    peak: float = 0.0
    energy: list[NDArray[np.float64]] = field(default_factory=list)
    rest: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    samples: int = 0


@dataclass(frozen=True)
class Listen(Analyser[_Levels, SoundLevels]):
    """Measure the level of a take's sound."""

    id: ClassVar[str] = "sound_levels"
    summary: ClassVar[str] = "sound: peak, level, silence, dropouts"
    views: ClassVar = (Sound(rate_hz=RATE_HZ),)

    def start(self, clip: Clip) -> _Levels:
        """Begin with silence."""
        return _Levels()

    def step(self, state: _Levels, item: SoundBlock) -> None:
        """Take in one block."""
        state.peak = max(state.peak, float(np.abs(item.samples).max(initial=0.0)))
        state.samples += item.samples.size
        samples = np.concatenate([state.rest, item.samples[:, 0]])
        whole = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
        state.energy.append(np.square(whole, dtype=np.float64).sum(axis=1))
        state.rest = samples[whole.size :]

    def finish(self, state: _Levels) -> SoundLevels:
        """Return the levels."""
        if not state.samples:
            return SoundLevels(None, None, None)
        energy = np.concatenate([*state.energy, [np.square(state.rest, dtype=np.float64).sum()]])
        rms = float(energy.sum() / state.samples) ** 0.5
        dropouts, stops = missing_sound(10 * np.log10(energy[: state.samples // BLOCK] / BLOCK + 1e-12))
        silent = bool(20 * np.log10(rms + 1e-12) < SILENT_DBFS)
        return SoundLevels(_decibels(state.peak), _decibels(rms), silent, dropouts, stops)


def missing_sound(levels: NDArray[np.float64]) -> tuple[tuple[tuple[float, float], ...], float | None]:
    """Return where sound drops out, and where it stops for good (or `None`), in seconds.

    `levels`: of each 10 ms in dBFS. A pause of speech or music is not sudden: its sound fades before it.
    """
    heard = levels[levels >= SILENT_DBFS]
    if not heard.size:
        return (), None
    usual = float(np.median(heard))
    dropouts: list[tuple[float, float]] = []
    stops = None
    for first, last in runs(levels < SILENT_DBFS):
        if first == 0 or np.median(levels[first : last + 1]) > DEEP_DBFS:
            continue
        sudden = levels[max(0, first - 2) : first].max() >= max(LOUD[0], usual - LOUD[1])
        seconds = (last + 1 - first) / 100
        if last + 1 == len(levels):
            steady = np.median(levels[max(0, first - STEADY) : first]) >= usual - LOUD[1]
            stops = first / 100 if seconds >= STOP_SECONDS and (sudden or steady) else _lost(levels)
        elif sudden and seconds >= DROP_SECONDS and levels[last + 1 : last + 4].max() >= max(BACK[0], usual - BACK[1]):
            dropouts.append((first / 100, (last + 1) / 100))
    return tuple(dropouts), stops


def _lost(levels: NDArray[np.float64]) -> float | None:
    """Return the second from which on there is digital silence to the end, if what was there before ends at once."""
    first = int(np.flatnonzero(levels >= NOTHING_DBFS).max(initial=-1)) + 1
    at_once = levels[max(0, first - 3) : first].max(initial=NOTHING_DBFS) >= ROOM_DBFS
    return first / 100 if at_once and len(levels) - first >= 100 * STOP_SECONDS else None


def _decibels(amplitude: float) -> float | None:
    return round(20 * float(np.log10(amplitude)), 2) if amplitude > 0 else None


STAGES = (Listen,)
