"""What flicker costs: its analyser in the look pass against decoding, its correction against the same render.

`python -m benchmarks.flicker_cost` measures on 1080p H.264, in turns, and takes the least CPU of each. A render
is decoding and encoding, and here every frame of it is corrected.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import footage, record, workplace
from postpipe.engine.passes import Watcher
from postpipe.engine.points import apply_point
from postpipe.engine.stage import Analyser
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.media.write import PictureWriter
from postpipe.model import Clip, Frame
from postpipe.stages.cuts import SeeSmall
from postpipe.stages.deflicker import BoundDeflicker
from postpipe.stages.flicker_parts import LEVELS
from postpipe.stages.flicker_track import FollowExposure


def correction(frames: int, kind: str) -> BoundDeflicker:
    """Return a correction of every frame: of gains alone, of all that whole pictures do, or with a grid of regions."""
    random = np.random.default_rng(1)
    gain = np.repeat(random.normal(0, 0.014, (frames, 1)) + 0.05, 3, axis=1)
    tone = np.zeros((frames, len(LEVELS), 3))
    if kind != "gain":
        gain = gain + random.normal(0, 0.01, (frames, 3))
        tone += random.normal(0, 0.003, tone.shape)
    local = random.normal(0, 0.02, (frames, 7, 12)).astype(np.float32) if kind == "local" else None
    single = np.zeros(frames, np.float32)
    return BoundDeflicker(gain.astype(np.float32), single, local, tone.astype(np.float32))


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds of all threads that the work took."""
    start = time.process_time()
    work()
    return time.process_time() - start


def watch(clip: Clip, frames: list[Frame], *analysers: Analyser[Any, Any]) -> None:
    """Look at frames as the look pass does."""
    watcher = Watcher(analysers, clip)
    for frame in frames:
        watcher.step(frame)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    count = 24
    with workplace() as folder:
        clip = probe(footage(folder / "take.mp4", 2), "")

        def decoded() -> Iterator[Frame]:
            with PictureReader(clip) as reader:
                yield from itertools.islice(reader.frames(), count)

        frames = [
            Frame(f.index, f.pts_seconds, tuple(np.array(p) for p in f.planes), f.pixel_format, f.colour)
            for f in decoded()
        ]

        works: dict[str, Callable[[], object]] = {"decode": lambda: sum(1 for _ in decoded())}
        works["look"] = partial(watch, clip, frames, SeeSmall())
        works["look at flicker too"] = partial(watch, clip, frames, SeeSmall(), FollowExposure())
        for preset in ("medium", "veryfast"):
            works[f"encode {preset}"] = partial(encode, folder / "out.mp4", frames, clip, preset)
        for kind in ("gain", "whole", "local"):
            works[f"correct {kind}"] = partial(correct, frames, correction(count, kind))
        for work in works.values():
            work()
        spent: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(options.runs):
            for name, work in works.items():
                spent[name].append(cpu(work))
    ms = {name: round(1000 * min(seconds) / count, 3) for name, seconds in spent.items()}
    shares: dict[str, Any] = {
        f"{kind} in a render with x264 {preset}": round(
            ms[f"correct {kind}"] / (ms["decode"] + ms[f"encode {preset}"]), 4
        )
        for preset in ("medium", "veryfast")
        for kind in ("gain", "whole", "local")
    }
    record(
        "flicker_cost",
        "python -m benchmarks.flicker_cost",
        {
            "look_share_of_decode": round((ms["look at flicker too"] - ms["look"]) / ms["decode"], 4),
            "shares": shares,
            "ms_a_frame": ms,
        },
    )


def correct(frames: list[Frame], bound: BoundDeflicker) -> None:
    """Correct frames, one after the other."""
    for frame in frames:
        params = bound.at(frame)
        if params is not None:
            apply_point(frame, params)


def encode(path: Path, frames: list[Frame], clip: Clip, preset: str) -> None:
    """Encode frames at the defaults of the product."""
    picture = clip.picture
    with PictureWriter(
        path, width=picture.width, height=picture.height, rate=Fraction(24), pixel_format=picture.pixel_format,
        colour=picture.colour, options={"preset": preset, "crf": "16"}, threads=2,
    ) as writer:  # fmt: skip
        for frame in frames:
            writer.write(frame)


if __name__ == "__main__":
    main()
