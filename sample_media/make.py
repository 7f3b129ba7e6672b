"""Make the sample takes and `truth.json`, which says what is wrong with each of them.

    python sample_media/make.py [--out DIR]

The same library versions give the same bytes. Every fault stands in the table `TAKES` below.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scenes
import sound
import speech
from encode import write_take
from faults import Cdl, Faults, Flicker
from footage import Knock, Move, Pose, develop, expose
from plates import Array

KNOCKS = (20 / 24, 41 / 24, 57 / 24)
"""When somebody knocks on the table of scene 2, in seconds: the picture jolts, the coffee ripples, the wood sounds."""

TALK_SECONDS, TALK_SEED = 8.0, 42


@dataclass(frozen=True)
class SceneKind:
    """How a scene is built and scored, and the times (seconds) at which something is both seen and heard."""

    build: Callable[[], scenes.Scene]
    score: sound.Score
    events: tuple[float, ...] = ()


SCENES = {
    "scene01": SceneKind(scenes.launch_pad, sound.launch_pad),
    "scene02": SceneKind(lambda: scenes.coffee(KNOCKS), sound.coffee(KNOCKS), KNOCKS),
    "scene03": SceneKind(scenes.cat, sound.cat),
    "scene04": SceneKind(
        lambda: scenes.astronaut(list(speech.syllables(TALK_SECONDS, TALK_SEED))),
        speech.speak,
    ),
}


@dataclass(frozen=True)
class Take:
    """One file: what the camera does (`start` to `end`), when (`weather_seconds` on the scene's clock), its faults."""

    file: str
    scene: str
    take: str
    start: Pose
    end: Pose
    seed: int
    frames: int = 72
    rate: Fraction = Fraction(24)
    size: tuple[int, int] = (960, 540)
    shake: float = 0.8
    weather_seconds: float = 0.0
    faults: Faults = field(default_factory=Faults)

    @property
    def sound_samples(self) -> int:
        """Length of the sound in samples: exactly that of the picture."""
        return int(self.frames * sound.RATE_HZ / self.rate)

    def truth(self) -> dict[str, Any]:
        """Return the entry of this take in `truth.json`."""
        heard = {"rate_hz": sound.RATE_HZ, "channels": 2, "samples": self.sound_samples}
        return {
            "file": self.file,
            "scene": self.scene,
            "take": self.take,
            "frames": self.frames,
            "rate": f"{self.rate.numerator}/{self.rate.denominator}",
            "size": self.size,
            "sound": None if self.faults.silent else heard,
            "colour": None if self.faults.untagged else "bt709",
            "event_frames": [round(at * self.rate) for at in SCENES[self.scene].events],
            "faults": self.faults.truth(self.frames, float(self.rate)),
        }


TAKES = (
    Take(
        "scene01_take01.mp4",
        "scene01",
        "take01",
        Pose(322, 262, 590, slide_x=6),
        Pose(330, 246, 540, slide_x=-8, dolly=0.03),
        seed=11,
        weather_seconds=4.0,
        faults=Faults(flicker=Flicker(percent=8, hertz=5.3, random_percent=2.5, seed=1)),
    ),
    Take(
        "scene01_take02.mp4",
        "scene01",
        "take02",
        Pose(326, 250, 600, slide_x=-5),
        Pose(318, 254, 520, slide_x=10, dolly=0.06),
        seed=12,
    ),
    Take(
        "scene01_take03.mp4",
        "scene01",
        "take03",
        Pose(318, 214, 234, slide_x=-3),
        Pose(318, 206, 212, slide_x=3),
        seed=13,
        size=(432, 768),
        weather_seconds=8.0,
        faults=Faults(black=((31, 35),), settings=("size",)),
    ),
    Take(
        "scene02_take01.mp4",
        "scene02",
        "take01",
        Pose(312, 240, 550, slide_x=-6),
        Pose(294, 226, 480, slide_x=8, slide_y=-3, dolly=0.05),
        seed=21,
        frames=84,
    ),
    Take(
        "scene02_take02.mp4",
        "scene02",
        "take02",
        Pose(298, 236, 520, slide_x=7),
        Pose(308, 230, 500, slide_x=-8, dolly=0.04),
        seed=22,
        frames=84,
        weather_seconds=0.7,
        faults=Faults(
            cdl=Cdl(slope=(0.86, 1.02, 1.18), offset=(0.0, 0.012, 0.03), power=(1.08, 1.0, 0.94), saturation=0.8),
            blur_sigma_px=1.6,
            sound_early_ms=120,
        ),
    ),
    Take(
        "scene02_take03.mp4",
        "scene02",
        "take03",
        Pose(302, 232, 500, slide_x=-6),
        Pose(298, 240, 545, slide_x=6, dolly=-0.03),
        seed=23,
        frames=84,
        weather_seconds=1.5,
        faults=Faults(frozen=((62, 76),), duplicates=(12, 34)),
    ),
    Take(
        "scene03_take01.mp4",
        "scene03",
        "take01",
        Pose(244, 158, 372, slide_x=6),
        Pose(234, 154, 392, slide_x=-6),
        seed=31,
        weather_seconds=1.0,
        faults=Faults(blur_sigma_px=2.4, silent=True),
    ),
    Take(
        "scene03_take02 'final' (v2); rm -rf $HOME & 100% café #3 🎬.mp4",
        "scene03",
        "take02",
        Pose(232, 156, 395, slide_x=-6),
        Pose(240, 157, 350, slide_x=7, slide_y=-3, dolly=0.04),
        seed=32,
        shake=0.6,
    ),
    Take(
        "-scene03_take03.mp4",
        "scene03",
        "take03",
        Pose(226, 150, 380, slide_x=-4),
        Pose(246, 160, 360, slide_x=6),
        seed=33,
        frames=90,
        rate=Fraction(30),
        size=(640, 360),
        weather_seconds=2.0,
        faults=Faults(duplicates=(14, 41, 66), untagged=True, settings=("rate", "size")),
    ),
    Take(
        "scene04_take01.mp4",
        "scene04",
        "take01",
        Pose(228, 150, 330, slide_x=2),
        Pose(224, 148, 316, slide_x=-2),
        seed=TALK_SEED,
        frames=192,
        size=(640, 360),
        shake=0.5,
        faults=Faults(sound_early_ms=-200, settings=("size",)),
    ),
)

BEST = {take.scene: take.file for take in sorted(TAKES, key=lambda take: take.faults == Faults())}
"""The take of each scene with which nothing is wrong, or its only one."""


def pictures(take: Take) -> Iterator[Array]:
    """Shoot a take frame by frame: display R'G'B' (0–1), its faults put in."""
    kind = SCENES[take.scene]
    scene = kind.build()
    knocks = tuple(Knock(at, 4.5) for at in kind.events)
    move = Move(take.start, take.end, float(take.frames / take.rate), take.shake, take.seed, knocks)
    flicker = take.faults.flicker
    gains = flicker.gains(take.frames, float(take.rate)) if flicker else [1.0] * take.frames
    last: tuple[int | None, Array] = (None, np.zeros((take.size[1], take.size[0], 3), np.float32))
    for source in take.faults.shown(take.frames):
        if source is None:
            yield np.zeros_like(last[1])
            continue
        if source != last[0]:
            seconds = float(source / take.rate)
            exposure = expose(scene.plate, move, seconds, take.size, scene.bends)
            light = scene.light(exposure, seconds + take.weather_seconds)
            picture = develop(light, scene.film, np.random.default_rng([take.seed, source]))
            last = (source, take.faults.spoil(picture, gains[source]))
        yield last[1]


def make_take(take: Take, folder: Path) -> int:
    """Write one take; return its size in bytes."""
    cv2.setNumThreads(1)  # takes are made side by side
    score = SCENES[take.scene].score
    heard = None if take.faults.silent else score(take.sound_samples, take.faults.sound_early_ms / 1000, take.seed)
    path = folder / take.file
    write_take(path, pictures(take), take.rate, take.size, heard, tagged=not take.faults.untagged)
    return path.stat().st_size


def truth() -> dict[str, Any]:
    """Return the whole of `truth.json`."""
    return {"schema": "postpipe.sample-truth.1", "best": BEST, "files": [take.truth() for take in TAKES]}


def main() -> None:
    """Make everything."""
    parser = argparse.ArgumentParser(description="Make the sample takes and truth.json.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to (default: here)")
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as pool:
        for take, size in zip(TAKES, pool.map(make_take, TAKES, [folder] * len(TAKES)), strict=True):
            sys.stdout.write(f"{size / 1e6:6.2f} MB  {take.file}\n")
    text = json.dumps(truth(), ensure_ascii=False, indent=2)
    (folder / "truth.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
