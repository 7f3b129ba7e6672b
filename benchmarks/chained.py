"""Joins of chained clips against known truth: `python -m benchmarks.chained --media DIR`.

Pairs of clips are cut from real shots: a clip whose first frames show the last frame of the one before, made anew as
a generator and its encoder do, and pairs that are not chained. Shots of `HELD_OUT` are measured on, where no threshold
was set; `--tuning` takes those that they were set on instead, and records nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from postpipe_kernels.colour import rgb_to_ycbcr

from benchmarks.common import BT709, record, workplace
from benchmarks.joins import HELD_OUT, TUNING, Footage, Source
from benchmarks.traps import Picture
from postpipe import api
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.media.write import PictureWriter
from postpipe.model import PIXEL_FORMATS, Frame

BEFORE, AFTER = 14, 20  # frames of the two clips, at most
LINES = 240
RATE = Fraction(24)
SCALE, ZERO = np.array([219.0, 224.0, 224.0]), np.array([16.0, 128.0, 128.0])


@dataclass(frozen=True)
class Pair:
    """Two clips that stand next to each other, and what is true of their join.

    `duplicates`: how many first frames of the second show the last of the first. `step`: logarithms of what its R', G',
    B' were multiplied by. `reframed`: how much it was enlarged, and moved across and down, as shares of the width.
    """

    kind: str
    source: str
    duplicates: int
    step: tuple[float, float, float]
    reframed: tuple[float, float, float]


@dataclass(frozen=True)
class Case:
    """What came of a pair. `left`: percent that the first frame of the second clip is off, as delivered, by channel."""

    truth: Pair
    kind: str
    duplicates: int | None
    step: dict[str, float] | None
    eased: bool
    rolled_back: int
    left: list[float]
    frames_right: bool


def _smaller(shot: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    size = round(shot.shape[2] * LINES / shot.shape[1]), LINES
    return [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in shot]


def graded(picture: Picture, gain: NDArray[np.float64]) -> Picture:
    """Return Y'CbCr with R', G', B' multiplied and cut off at white."""
    matrix = rgb_to_ycbcr("bt709")
    level = (picture - ZERO) / SCALE
    rgb = np.clip(level @ np.linalg.inv(matrix).T, 0, 1) * gain
    return ((np.clip(rgb, 0, 1) @ matrix.T) * SCALE + ZERO).astype(np.float32)


def reframe(picture: Picture, zoom: float, x: float, y: float) -> Picture:
    """Return a picture enlarged by `zoom` about its middle, and moved."""
    height, width = picture.shape[:2]
    scale = 1 + zoom
    matrix = np.array(
        [
            [scale, 0, (1 - scale) * (width - 1) / 2 + x * width],
            [0, scale, (1 - scale) * (height - 1) / 2 + y * width],
        ]
    )
    return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def make_pair(
    footage: Footage, sources: Sequence[Source], source: Source, kind: str, random: np.random.Generator
) -> tuple[Pair, list[Picture], list[Picture]]:
    """Return a pair of a kind: chained, continuous, other (a cut to another shot), later (of the same one) or still.

    The pictures of the second clip are without the step.
    """
    shot = _smaller(footage(source))
    last = int(random.integers(10, len(shot) - 12))  # the last frame of the first clip
    duplicates = 0
    if kind == "chained":
        duplicates = int(random.integers(1, 4))
        order = [last] * duplicates + list(range(last + 1, len(shot)))
    elif kind == "later":
        begin = min(len(shot) - 6, last + int(random.integers(24, 48)))
        if begin < last + 12:
            last = int(random.integers(8, 14))
            begin = min(len(shot) - 6, last + 24)
        order = list(range(begin, len(shot)))
    elif kind == "other":
        others = [other for other in sources if other.file != source.file]
        shot_after = _smaller(footage(others[int(random.integers(len(others)))]))
        begin = int(random.integers(0, len(shot_after) - 12))
        size = shot[0].shape[1], shot[0].shape[0]
        following = [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in shot_after[begin : begin + AFTER]]
    elif kind == "still":
        order = [last] * AFTER
    else:
        order = list(range(last + 1, len(shot)))
    before = [shot[n] for n in range(max(0, last + 1 - BEFORE), last + 1)]
    if kind == "still":
        before = [shot[last]] * BEFORE
    if kind != "other":
        following = [shot[n] for n in order[:AFTER]]
    step = np.zeros(3)
    framing = np.zeros(3)
    if kind in ("chained", "still"):
        if random.random() < 0.6:
            size_of = random.uniform(0.02, 0.08) * random.choice([-1, 1])
            step = size_of + random.uniform(-0.02, 0.02, 3)
        if random.random() < 0.5:
            framing = np.array([random.uniform(0, 0.02), *random.uniform(-0.01, 0.01, 2)])
    first = [p.astype(np.float32) for p in before]
    second = [reframe(p.astype(np.float32), *framing) for p in following]
    truth = Pair(kind, source.file, duplicates, tuple(step.tolist()), tuple(framing.tolist()))
    return truth, first, second


def write_clip(pictures: Sequence[Picture], path: Path, crf: int) -> None:
    """Encode pictures."""
    height, width = (length // 2 * 2 for length in pictures[0].shape[:2])
    pixel_format = PIXEL_FORMATS["yuv420p"]
    with PictureWriter(
        path,
        width=width,
        height=height,
        rate=RATE,
        pixel_format=pixel_format,
        colour=BT709,
        options={"preset": "superfast", "crf": str(crf)},
    ) as writer:
        for index, picture in enumerate(pictures):
            codes = np.clip(np.rint(picture[:height, :width]), 0, 255).astype(np.uint8)
            chroma = cv2.resize(codes[..., 1:], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            planes = (np.ascontiguousarray(codes[..., 0]), *(np.ascontiguousarray(chroma[..., n]) for n in (0, 1)))
            writer.write(Frame(index, index / RATE, planes, pixel_format, BT709))


KINDS = ("chained", "chained", "chained", "continuous", "other", "later", "still")
EASE_SECONDS = 0.5
LOOKED_AT = 6  # files of `HELD_OUT` whose results were seen before the method was finished: left out


def measure(truth: Pair, made: tuple[list[Picture], list[Picture]], folder: Path, random: np.random.Generator) -> Case:
    """Encode a pair, let postpipe join it with all that it can do, and compare."""
    takes, out = folder / "takes", folder / "out"
    takes.mkdir(parents=True)
    write_clip(made[0], takes / "scene01.mp4", int(random.integers(16, 25)))
    grade = np.exp(truth.step)
    write_clip([graded(picture, grade) for picture in made[1]], takes / "scene02.mp4", int(random.integers(18, 31)))
    chained = {"duplicates": "drop", "exposure": "ease", "ease_seconds": EASE_SECONDS}
    document = api.run(takes, out, settings={"chained": chained, "deliver": {"preset": "ultrafast"}}).document()
    (join,) = document["sequence"]["joins"]
    fixes = [fix for take in document["takes"] for fix in take["fixes"]]
    first = join["dropped_frames"]
    delivered = _frame(out / "sequence.mp4", len(made[0]))
    return Case(
        truth=truth,
        kind=join["kind"],
        duplicates=join["duplicate_frames"],
        step=join["step_percent"],
        eased=any(fix["kept"] for fix in fixes),
        rolled_back=sum(not fix["kept"] for fix in fixes),
        left=[round(100 * abs(float(value)), 3) for value in _ratio(made[1][first], delivered)],
        frames_right=document["frames"]["delivered"] == len(made[0]) + len(made[1]) - first,
    )


def _frame(path: Path, number: int) -> Picture:
    """Return a frame of a film as full-size Y'CbCr."""
    with PictureReader(probe(path, "")) as reader:
        frame = next(itertools.islice(reader.frames(), number, None))
        size = frame.width, frame.height
        planes = [cv2.resize(np.ascontiguousarray(plane), size) for plane in frame.planes]
    return np.stack(planes, -1).astype(np.float32)


def _ratio(before: Picture, after: Picture) -> NDArray[np.float64]:
    """Return the logarithms of what R', G', B' of one frame are multiples of another encoding's."""
    height, width = after.shape[:2]
    inverse = np.linalg.inv(rgb_to_ycbcr("bt709")).T
    a, b = (((picture[:height, :width] - ZERO) / SCALE @ inverse).reshape(-1, 3) for picture in (before, after))
    use = ((a > 0.03) & (a < 0.9)).all(1)  # neither crushed nor cut off by the step
    ratio: NDArray[np.float64] = np.log(b[use].sum(0) / a[use].sum(0)) if use.any() else np.zeros(3)
    return ratio


def figures(cases: Sequence[Case]) -> dict[str, Any]:
    """Return what is reported of all cases."""
    true = [case for case in cases if case.truth.kind == "chained"]
    told = [case for case in cases if case.kind == "chained"]
    hits = [case for case in told if case.truth.kind == "chained"]
    counted = [case for case in hits if case.duplicates is not None]
    stepped = [case for case in cases if case.step is not None and case.truth.kind in ("chained", "still")]
    errors = [
        abs(case.step[name] - 100 * np.expm1(value))
        for case in stepped
        if case.step is not None
        for name, value in zip(("red", "green", "blue"), case.truth.step, strict=True)
    ]
    eased = [case for case in cases if case.eased]
    clean = [case for case in cases if case.truth.kind not in ("chained", "still")]
    untouched = [case for case in cases if not any(case.truth.step)]
    framed = {
        name: [case for case in true if (max(map(abs, case.truth.reframed)) > 0) == moved]
        for name, moved in (("as_it_was", False), ("reframed", True))
    }
    return {
        "pairs": len(cases),
        "chained": {
            "pairs": len(true),
            "precision": len(hits) / max(1, len(told)),
            "recall": len(hits) / max(1, len(true)),
            "recall_by_framing": {
                name: [sum(case.kind == "chained" for case in group), len(group)] for name, group in framed.items()
            },
            "said_still_or_untold": sum(case.kind != "chained" and case.duplicates is None for case in true),
            "counted": len(counted),
            "counted_exactly": sum(case.duplicates == case.truth.duplicates for case in counted),
            "counted_too_many": sum((case.duplicates or 0) > case.truth.duplicates for case in counted),
        },
        "kinds": {
            kind: dict(Counter(case.kind for case in cases if case.truth.kind == kind)) for kind in dict.fromkeys(KINDS)
        },
        "dropped_where_nothing_is_doubled": sum(bool(case.duplicates) for case in cases if not case.truth.duplicates),
        "step_error_points": {
            "median": float(np.median(errors)),
            "p95": float(np.percentile(errors, 95)),
            "largest": float(max(errors)),
        },
        "eased": {
            "pairs": len(eased),
            "of": sum(any(case.truth.step) for case in true),
            "step_before_percent": float(np.median([100 * max(map(abs, case.truth.step)) for case in eased])),
            "step_left_median_percent": float(np.median([max(case.left) for case in eased])),
            "step_left_p95_percent": float(np.percentile([max(case.left) for case in eased], 95)),
            "rolled_back": sum(case.rolled_back for case in cases),
        },
        "eased_where_nothing_steps": [sum(case.eased for case in untouched), len(untouched)],
        "clean_joins_touched": [sum(case.eased or bool(case.duplicates) for case in clean), len(clean)],
        "wrong_length": sum(not case.frames_right for case in cases),
    }


def one_of_each_file(sources: Sequence[Source]) -> list[Source]:
    """Return the first shot of each file."""
    return list({source.file: source for source in reversed(sources)}.values())[::-1]


def campaign(media: Path, scratch: Path, sources: Sequence[Source]) -> list[Case]:
    """Make and measure a pair of each kind from each shot."""
    footage, cases = Footage(media, scratch), []
    for number, source in enumerate(sources):
        if len(footage(source)) < 30:
            continue
        for index, kind in enumerate(KINDS):
            random = np.random.default_rng([number, index])
            truth, *made = make_pair(footage, sources, source, kind, random)
            folder = scratch / "pair"
            cases.append(measure(truth, (made[0], made[1]), folder, random))
            shutil.rmtree(folder)
            print(cases[-1], file=sys.stderr, flush=True)
    return cases


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, required=True, metavar="DIR")
    parser.add_argument("--tuning", action="store_true", help="the shots that thresholds were set on")
    parser.add_argument("--files", type=int, help="only so many")
    options = parser.parse_args()
    shots = one_of_each_file(TUNING) if options.tuning else one_of_each_file(HELD_OUT)[LOOKED_AT:]
    chosen = shots[: options.files]
    with workplace() as place:
        found = figures(campaign(options.media, place, chosen))
    found = {"files": [source.file for source in chosen], **found}
    if options.tuning or options.files:
        print(json.dumps(found, indent=2))
    else:
        record("chained", "python -m benchmarks.chained --media DIR", found)
