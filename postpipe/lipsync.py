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

    def summary(self) -> dict[str, Any]:
        """Return the offset or why there is none, how sure it is, its windows, and the correlation by offset."""
        return {
            "measurable": self.measurable,
            "reason": self.reason,
            "offset_ms": self.offset_ms,
            "confidence": self.confidence,
            "guess_ms": self.guess_ms,
            "halves_ms": [round(half, 1) for half in self.halves_ms] if self.halves_ms else None,
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
        sure = [window for window in self.windows if window.confidence >= SURE]
        if not sure:
            return ()
        low = min(sure, key=lambda window: window.offset_ms)
        high = max(sure, key=lambda window: window.offset_ms)
        if high.offset_ms - low.offset_ms < CHANGES_MS:
            return ()
        first, last = sorted((low, high), key=lambda window: window.start_seconds)
        return (
            f"its lip sync changes: the sound is {in_words(first.offset_ms)} around {_middle(first):.1f} s "
            f"and {in_words(last.offset_ms)} around {_middle(last):.1f} s; it is not shifted",
        )


SURE = 0.8
"""The confidence from which on an offset counts as measured."""
CHANGES_MS = 120.0
"""Two windows that differ by this much are no longer the same offset."""


def _middle(window: OffsetWindow) -> float:
    return window.start_seconds + window.seconds / 2


def in_words(offset_ms: float) -> str:
    """Return an offset with its sign in words: `120 ms early`."""
    return f"{abs(offset_ms):.0f} ms {'early' if offset_ms > 0 else 'late'}" if round(offset_ms) else "in sync"


@dataclass(frozen=True)
class SoundShift(Artifact):
    """By how many seconds the sound of one take is delayed (negative: brought forward); 0 leaves it as it is.

    `fix`: what was done, measured before and after, kept or not; `None` where nothing was tried.
    """

    schema: ClassVar[str] = "postpipe.sound-shift.1"
    delay_seconds: Fraction = Fraction(0)
    fix: Fix | None = None
