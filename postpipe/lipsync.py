"""How early or late a take's sound is against the lips, and by how much it is shifted."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from postpipe.delivery import Fix
from postpipe.model import Artifact, Facts


@dataclass(frozen=True, slots=True)
class OffsetWindow:
    """The offset within a stretch of a take, from `start_seconds` after its first frame on.

    `offset_ms`: positive where the sound is early; where the likeness is greatest, however sure that is.
    `confidence`: how likely it is right to 80 ms, from 0 to 1.
    """

    start_seconds: float
    seconds: float
    offset_ms: float
    confidence: float

    @property
    def middle(self) -> float:
        """The middle of it, in seconds after the first frame."""
        return self.start_seconds + self.seconds / 2


@dataclass(frozen=True, slots=True)
class Course:
    """How early sound is, told over time: `offset_ms` at the first frame, and so much more each second."""

    offset_ms: float
    drift_ms_per_second: float = 0.0

    def at(self, seconds: float) -> float:
        """Return the offset in ms, so long after the first frame."""
        return self.offset_ms + self.drift_ms_per_second * seconds


@dataclass(frozen=True)
class LipSync(Facts):
    """How early (positive) or late (negative) the sound of a take is, in ms, by the lips of the one who speaks.

    `offset_ms` is `None` where it cannot be measured: `reason` says why. `confidence`: how likely the best guess is
    right to 80 ms; `guess_ms` is that guess, also where it cannot be relied on. `halves_ms`: the offsets of the first
    and the second half of the lips that are seen. `lags_ms` and `correlation`: how alike lips and sound are at each
    offset. `curve_seconds`, `mouth`, `sound`: what was compared, every 20 ms from the first frame on, in units of its
    own deviation; 0 where no lips are seen. All four are `None` or empty where nothing was compared.
    """

    schema: ClassVar[str] = "postpipe.lip-sync.1"
    name: ClassVar[str] = "lipsync"
    reason: str | None
    offset_ms: float | None
    confidence: float
    guess_ms: float | None
    halves_ms: tuple[float, float] | None
    windows: tuple[OffsetWindow, ...]
    lags_ms: NDArray[np.float32]
    correlation: NDArray[np.float32]
    curve_seconds: NDArray[np.float32]
    mouth: NDArray[np.float32]
    sound: NDArray[np.float32]

    @property
    def measurable(self) -> bool:
        """Whether there is an offset that can be relied on."""
        return self.offset_ms is not None

    @property
    def _sure(self) -> list[OffsetWindow]:
        return [window for window in self.windows if window.confidence >= SURE]

    @property
    def change(self) -> tuple[OffsetWindow, OffsetWindow] | None:
        """The two windows that differ the most, in the order of time, where that is more than chance."""
        sure = self._sure
        if not sure:
            return None
        low = min(sure, key=lambda window: window.offset_ms)
        high = max(sure, key=lambda window: window.offset_ms)
        if high.offset_ms - low.offset_ms < CHANGES_MS:
            return None
        return (low, high) if low.start_seconds < high.start_seconds else (high, low)

    @property
    def drift(self) -> Course | None:
        """The line on which the offsets of the windows lie, where they surely lie on one that rises or falls.

        It is P. K. Sen's ("Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968): the median
        slope of all pairs, so that a few wrong windows do not turn it.
        """
        sure = self._sure
        if len(sure) < max(DRIFT_WINDOWS, MOST_WINDOWS * len(self.windows)):
            return None
        at = np.array([window.middle for window in sure])
        offsets = np.array([window.offset_ms for window in sure])
        first, second = np.triu_indices(len(sure), 1)
        slope = float(np.median((offsets[second] - offsets[first]) / (at[second] - at[first])))
        start = float(np.median(offsets - slope * at))
        straight = np.count_nonzero(np.abs(offsets - start - slope * at) <= STRAIGHT_MS)
        if straight < MOST_STRAIGHT * len(sure) or not abs(slope) * (at[-1] - at[0]) >= DRIFT_MS:
            return None
        return Course(start, slope) if abs(slope) <= MOST_DRIFT_MS else None

    def summary(self) -> dict[str, Any]:
        """Return the offset or why there is none, how sure it is, its windows, and the correlation by offset."""
        return {
            "measurable": self.measurable,
            "reason": self.reason,
            "offset_ms": self.offset_ms,
            "confidence": self.confidence,
            "guess_ms": self.guess_ms,
            "halves_ms": [round(half, 1) for half in self.halves_ms] if self.halves_ms else None,
            "drift_ms_per_second": round(drift.drift_ms_per_second, 2) if (drift := self.drift) else None,
            "windows": [
                {
                    "start_seconds": window.start_seconds,
                    "seconds": window.seconds,
                    "offset_ms": window.offset_ms,
                    "confidence": window.confidence,
                }
                for window in self.windows
            ],
            "correlation": {
                "lags_ms": [round(float(lag)) for lag in self.lags_ms],
                "values": [round(float(value), 3) for value in self.correlation],
            },
        }

    def warnings(self) -> tuple[str, ...]:
        """Return a sentence where the offset changes within the take."""
        if self.change is None:
            return ()
        return (f"its lip sync {'drifts' if self.drift else 'changes'}: the sound is {changing(self.change)}",)


SURE = 0.8
"""The confidence from which on an offset counts as measured."""
EARLY_MS, LATE_MS = 40.0, -60.0
"""EBU R37: what lies between is right."""
CHANGES_MS = 120.0
"""Two windows that differ by this much are no longer the same offset."""
DRIFT_WINDOWS = 5  # of five seconds, every two and a half: fifteen seconds
MOST_WINDOWS = 0.5  # of all windows are sure: those that are not do not speak against it
STRAIGHT_MS, MOST_STRAIGHT = 25.0, 0.9  # how near windows lie to a line, and how many of them
DRIFT_MS = 120.0  # from the first window to the last: one half of a speaker may differ from the other by 70
MOST_DRIFT_MS = 20.0  # per second: within a window of five seconds more would be a blur


def in_words(offset_ms: float) -> str:
    """Return an offset with its sign in words: `120 ms early`."""
    return f"{abs(offset_ms):.0f} ms {'early' if offset_ms > 0 else 'late'}" if round(offset_ms) else "in sync"


def right(offset_ms: float) -> bool:
    """Return whether an offset is within what EBU R37 allows."""
    return LATE_MS <= offset_ms <= EARLY_MS


def changing(windows: tuple[OffsetWindow, OffsetWindow]) -> str:
    """Return what two windows say, with their places: `120 ms early around 2.5 s and in sync around 12.5 s`."""
    return " and ".join(f"{in_words(window.offset_ms)} around {window.middle:.1f} s" for window in windows)


@dataclass(frozen=True)
class SoundShift(Artifact):
    """How the sound of one take is moved against its picture.

    At `from_seconds` of the container's clock it is delayed by `delay_seconds` (negative: brought forward); from there
    on `speed` seconds of it are heard in a second: below 1 it is made longer. 0 and 1 leave it as it is: `left_because`
    says why, where there was something to decide. `fix`: what was done, measured before and after, kept or not; `None`
    where nothing was tried.
    """

    schema: ClassVar[str] = "postpipe.sound-shift.2"
    delay_seconds: Fraction = Fraction(0)
    fix: Fix | None = None
    speed: Fraction = Fraction(1)
    from_seconds: Fraction = Fraction(0)
    left_because: str | None = None

    def heard_at(self, seconds: Fraction) -> Fraction:
        """Return the place in the take's own sound that is heard at a time; both on the container's clock."""
        return self.from_seconds + (seconds - self.from_seconds) * self.speed - self.delay_seconds

    def summary(self) -> dict[str, Any]:
        """Return what is done to the sound, or why nothing."""
        return {
            "delay_ms": float(self.delay_seconds * 1000),
            "speed": float(self.speed),
            "left_because": self.left_because,
        }
