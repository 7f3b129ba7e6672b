"""Flicker: how strong, of what kind and how fast; and what a filter has to undo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from postpipe.delivery import FrameTimes, Shots
from postpipe.engine.stage import Task
from postpipe.model import Facts, Remark
from postpipe.stages import flicker_solve
from postpipe.stages.flicker_parts import LEVELS
from postpipe.stages.flicker_solve import Solved
from postpipe.stages.flicker_track import FlickerTrack

SHORTEST = 8
"""Frames: in fewer, flicker cannot be told from anything else."""

KINDS = ("exposure", "colour", "gamma", "local")

FLOORS = {"exposure": 0.4, "colour": 0.4, "gamma": 0.9, "local": 0.9}
"""Amplitudes in percent below which nobody sees flicker, and motion may pass for it."""

STROBE_PERCENT = 25.0
"""From this amplitude on, light goes on and off rather than flickers."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames `first` to `last` of one shot: amplitudes of each of `KINDS` in percent, and the frequency, if any."""

    first: int
    last: int
    percent: dict[str, float]
    hz: float | None

    def flickers(self, kind: str) -> bool:
        """Whether flicker of a kind is strong enough to be seen."""
        return self.percent[kind] >= FLOORS[kind]


@dataclass(frozen=True)
class Flicker(Facts):
    """What flickers in a take, and by how much: natural logarithms of factors, one entry for each frame.

    `exposure` `(frames,)`, `colour` `(frames, 3)` for R', G', B' besides, `gamma` `(frames,)` around `pivot`
    `(frames, 3)`, `local` `(frames, down, across)`, and `light` `(frames, 3)`, the slow rest: float32, as in
    `flicker_solve.Solved`. `flashes`: single frames that jump away and back.
    """

    schema: ClassVar[str] = "postpipe.flicker.2"
    name: ClassVar[str] = "flicker"
    stretches: tuple[Stretch, ...]
    flashes: tuple[int, ...]
    exposure: NDArray[np.float32]
    colour: NDArray[np.float32]
    gamma: NDArray[np.float32]
    pivot: NDArray[np.float32]
    local: NDArray[np.float32]
    tone: NDArray[np.float32]
    light: NDArray[np.float32]

    def percent(self, kind: str) -> float:
        """Return the amplitude of a kind over the whole take, √2 times the root mean square."""
        frames = [stretch.last - stretch.first + 1 for stretch in self.stretches]
        squares = [stretch.percent[kind] ** 2 for stretch in self.stretches]
        return float(np.sqrt(np.average(squares, weights=frames))) if frames else 0.0

    @property
    def global_percent(self) -> float:
        """Amplitude of what exposure does as a whole."""
        return self.percent("exposure")

    @property
    def hz(self) -> float | None:
        """Frequency of the strongest stretch that has one."""
        known = [s for s in self.stretches if s.hz is not None and s.flickers("exposure")]
        return max(known, key=lambda s: s.percent["exposure"]).hz if known else None

    def summary(self) -> dict[str, Any]:
        """Return amplitudes in percent, single bad frames, the frequency, and the frames concerned."""
        flickering = [s for s in self.stretches if any(s.flickers(kind) for kind in KINDS)]
        return {
            "global_percent": round(self.global_percent, 3),
            "temperature_percent": round(self.percent("colour"), 3),
            "gamma_percent": round(self.percent("gamma"), 3),
            "local_percent": round(self.percent("local"), 3),
            "flashes": list(self.flashes),
            "dominant_hz": None if self.hz is None else round(self.hz, 2),
            "frames": [[stretch.first, stretch.last] for stretch in flickering],
            "strobe": self.global_percent >= STROBE_PERCENT,
        }

    def remarks(self) -> tuple[Remark, ...]:
        """Return where it flickers, and single bad frames."""
        flickering = [
            (stretch, [f"{kind} {stretch.percent[kind]:.1f} %" for kind in KINDS if stretch.flickers(kind)])
            for stretch in self.stretches
        ]
        return (
            *(Remark("flicker", ", ".join(kinds), s.first, s.last, "YELLOW") for s, kinds in flickering if kinds),
            *(Remark("flash", "a single frame jumps away and back", f, f, "YELLOW") for f in self.flashes),
        )


@dataclass(frozen=True)
class MeasureFlicker(Task):
    """Tell flicker from light and motion, shot by shot."""

    id: ClassVar[str] = "flicker"
    summary: ClassVar[str] = "exposure, colour, local flicker and flashes"
    version: ClassVar[int] = 3
    stored: ClassVar[bool] = True

    def run(self, track: FlickerTrack, times: FrameTimes, shots: Shots | None) -> Flicker:
        """Return what flickers; shots of fewer than eight frames are left alone."""
        frames = len(track.steps)
        spans = [(0, frames - 1)]
        if shots is not None:
            spans = [(s.first + s.entry_frames, s.last - s.exit_frames) for s in shots.shots]
        return measure(track, float(times.rate), spans)


def measure(track: FlickerTrack, rate: float, spans: list[tuple[int, int]]) -> Flicker:
    """Return the flicker of each span of frames (first, last), at `rate` frames per second."""
    frames, down, across = track.spread.shape
    exposure, gamma = np.zeros(frames, np.float32), np.zeros(frames, np.float32)
    colour, pivot, light = (np.zeros((frames, 3), np.float32) for _ in range(3))
    local = np.zeros((frames, down, across), np.float32)
    tone = np.zeros((frames, len(LEVELS), 3), np.float32)
    stretches: list[Stretch] = []
    flashes: list[int] = []
    for first, last in spans:
        solved = []
        for start, end, share in _windows(first, last):
            part = flicker_solve.solve(track.part(slice(start, end)), rate)
            here = slice(start, end)
            exposure[here] += share * part.exposure
            gamma[here] += share * part.gamma
            colour[here] += share[:, None] * part.colour
            pivot[here] += share[:, None] * part.pivot
            light[here] += share[:, None] * part.light
            local[here] += share[:, None, None] * part.local
            tone[here] += share[:, None, None] * part.tone
            flashes += [start + flash for flash in part.flashes]
            solved.append(part)
        if solved:
            strongest = max(solved, key=lambda part: part.exposure_percent)
            stretches.append(Stretch(first, last, {kind: _percent(solved, kind) for kind in KINDS}, strongest.hz))
    return Flicker(tuple(stretches), tuple(sorted(set(flashes))), exposure, colour, gamma, pivot, local, tone, light)


def _percent(solved: list[Solved], kind: str) -> float:
    return float(np.sqrt(np.mean([getattr(part, f"{kind}_percent") ** 2 for part in solved])))


def _windows(first: int, last: int) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Yield `(start, end, share)` of the windows of a shot: where they overlap they are faded into each other."""
    length = last - first + 1
    if length < SHORTEST:
        return
    window, half = flicker_solve.WINDOW, flicker_solve.WINDOW // 2
    count = max(1, -(-(length - half) // half))
    for number in range(count):
        start = first + number * half
        end = last + 1 if number == count - 1 else start + window
        share = np.ones(end - start)
        rising = (np.arange(half) + 0.5) / half
        if number > 0:
            share[:half] = rising
        if number < count - 1:
            share[half:] = np.minimum(share[half:], 1 - rising)
        yield start, end, share


STAGES = (MeasureFlicker,)
