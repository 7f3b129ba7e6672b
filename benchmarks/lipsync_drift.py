"""How right lip sync is about sound that drifts, on clips whose speaker nothing was learnt from.

    python -m benchmarks.lipsync_drift --media DIR

Real clips that are long enough are too few: those of at least eight seconds are played three times in a row, and their
sound is made to drift by a known amount, or to jump by one, or is left. What comes of it is decided, mended and
measured again as in a run, but for the resampler, which is linear interpolation here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import record
from benchmarks.lipsync import Speaker, as_speaker, own_zero, speech
from benchmarks.lipsync_clips import TALKING, see_once
from benchmarks.lipsync_train import train
from postpipe.lipsync import Course, LipSync
from postpipe.stages.lipsync import find_offset
from postpipe.stages.lipsync_decide import decide, helped
from postpipe.stages.lipsync_tracks import RATE_HZ, MouthTrack

Floats = NDArray[np.float64]

SETTLED_ON = ("talking/WDA_EdMarkey0_000.mp4", "talking/example.avi")
"""Clips on which was settled how many windows of a take have to be sure: nothing is said of them here."""

TIMES = 3
DRIFTS_MS = (-15.0, -10.0, -7.0, 7.0, 10.0, 15.0)  # per second: 160 ms and more over the windows of 24 s
JUMPS_MS = (-250.0, -150.0, 150.0, 250.0)


def looped(speaker: Speaker) -> tuple[MouthTrack, NDArray[np.float32]]:
    """Return lips and sound of a clip that is played several times."""
    track, samples = speaker.mouths(), speaker.seen.samples
    size = int(speaker.seconds * 25) * RATE_HZ // 25
    kept = track.seconds < size / RATE_HZ
    seconds = np.concatenate([track.seconds[kept] + number * size / RATE_HZ for number in range(TIMES)])
    whole = replace(
        track,
        seconds=seconds,
        tracks=np.tile(track.tracks[kept], TIMES),
        lips=np.tile(track.lips[kept], (TIMES, 1)),
        speeds=np.tile(track.speeds[kept], TIMES),
    )
    return whole, np.tile(samples[:size], TIMES)


def early(samples: NDArray[np.float32], offset_ms: Callable[[Floats], Floats | float]) -> NDArray[np.float32]:
    """Return sound that is so early at each time: what is said at a time is heard so much before it."""
    said = np.arange(len(samples)) / RATE_HZ
    heard = said - offset_ms(said) / 1000
    return np.interp(np.interp(said, heard, said), said, samples, left=0, right=0).astype(np.float32)


def mended(samples: NDArray[np.float32], course: Course) -> NDArray[np.float32]:
    """Return sound with an offset taken out, as a run does it."""
    time = np.arange(len(samples)) / RATE_HZ
    return np.interp(time - course.at(time) / 1000, time, samples, left=0, right=0).astype(np.float32)


@dataclass
class Tally:
    """What was said and done, take by take."""

    told: list[bool] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    steady: list[bool] = field(default_factory=list)
    jumps: list[bool] = field(default_factory=list)

    def add(self, speaker: Speaker) -> None:
        """Ask about one speaker."""
        track, samples = looped(speaker)
        zero, length = own_zero(speaker), len(samples) / RATE_HZ

        def ask(sound: NDArray[np.float32]) -> LipSync:
            return find_offset(track, speech(sound, speaker.maps), speaker.maps)

        for drift in DRIFTS_MS:
            true = Course(-drift * length / 2, drift)  # right in the middle
            sound = early(samples, lambda time, true=true: true.at(time) - zero)
            before = ask(sound)
            course = decide(before, "auto")
            self.told.append(before.drift is not None)
            if before.drift is not None and isinstance(course, Course):
                self.errors.append(abs(course.drift_ms_per_second - drift))
                self.kept.append(helped(before, ask(mended(sound, course)), course) is None)
                self.ends += [abs(true.at(time) - course.at(time)) for time in (0.0, length)]
        self.steady.append(ask(early(samples, lambda time: -zero)).drift is not None)
        for jump in JUMPS_MS:
            jumping = early(samples, lambda time, jump=jump: np.where(time > length / 2, jump, 0.0) - zero)
            self.jumps.append(ask(jumping).drift is not None)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, required=True)
    media: Path = parser.parse_args().media
    tally, names = Tally(), []
    for name in (one for one in TALKING if one not in SETTLED_ON):
        seen = see_once(media / name, False)
        if len(seen.samples) < 8 * RATE_HZ:
            continue
        print(f"without {name}", file=sys.stderr, flush=True)
        maps, _ = train([other for other in TALKING if other != name], media, False)
        names.append(name)
        tally.add(as_speaker(name, seen, maps))
    record(
        "lipsync_drift",
        "python -m benchmarks.lipsync_drift --media DIR",
        {
            "speakers": names,
            "settled_on": list(SETTLED_ON),
            "played_times": TIMES,
            "drifts_ms_per_second": list(DRIFTS_MS),
            "jumps_ms": list(JUMPS_MS),
            "drifting_takes": len(tally.told),
            "told": sum(tally.told),
            "error_ms_per_second": {
                "median": _rounded(np.median(tally.errors)),
                "largest": _rounded(max(tally.errors)),
            },
            "mended": sum(tally.kept),
            "taken_back": len(tally.kept) - sum(tally.kept),
            "left_at_either_end_ms": {"median": _rounded(np.median(tally.ends)), "largest": _rounded(max(tally.ends))},
            "steady_takes": len(tally.steady),
            "steady_said_to_drift": sum(tally.steady),
            "jumping_takes": len(tally.jumps),
            "jumps_said_to_drift": sum(tally.jumps),
        },
    )


def _rounded(value: float) -> float:
    return round(float(value), 2)


if __name__ == "__main__":
    main()
