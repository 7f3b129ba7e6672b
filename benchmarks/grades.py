"""Known grades, and pieces of one clip that show the same, part of the same or other things, for colour matching."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.stages.colour import shrinker

Reals = NDArray[np.float64]
Pictures = NDArray[np.uint8]
Grade = Callable[[Reals], Reals]

TUNING = (
    "takes/sora_standard.mp4",
    "takes/luma_watermarked.mp4",
    "takes/cogvideo_1.mp4",
    "takes/cogvideo_kitten.mp4",
    "talking/WDA_BobMenendez_000.mp4",
    "talking/WDA_AlexandriaOcasioCortez_000.mp4",
    "talking/retalking_1.mp4",
    "talking/retalking_2.mp4",
    "talking/lp_d6.mp4",
    "talking/lp_d14.mp4",
    "talking/pwij3p.mpg",
    "talking/lrwp9a.mpg",
    "c2pa/video1.mp4",
    "clean/bigbuckbunny.mp4",
    "odd/goldeneye-vfr-drop3.mp4",
    "odd/fire2.mp4",
    "talking/3qesirWAGt4_20000_30000.mp4",
    "flicker/chaplin.mp4",
)
"""What thresholds and priors were set on."""

HELD_OUT = (
    "takes/pika_share.mp4",
    "takes/cogvideo_2.mp4",
    "takes/origin_video_0.mp4",
    "talking/example.avi",
    "talking/WDA_EdMarkey0_000.mp4",
    "talking/WDA_KatieHill_000.mp4",
    "talking/retalking_4.mp4",
    "talking/lp_d11.mp4",
    "talking/lp_d20.mp4",
    "talking/demo1_video.mp4",
    "c2pa/premiere-firefly.mp4",
    "c2pa/PTS_TRUSTED_sony_official_cawg_wdr.mp4",
    "clean/bikes.mp4",
    "clean/carphone_pristine.mp4",
)
"""What nothing was set on."""

COLUMNS = ("same framing", "70 % crops", "disjoint halves", "apart in time")
CLOSER = "closer framing"  # of people
BLOCK_SECONDS = 0.5
SECONDS = 12.0  # of a clip, at most
RATE = 6.0  # pictures per second that are kept
LONG_EDGE = 640
WEIGHTS = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class Footage:
    """Pictures of a clip, `(n, height, width, 3)` of R'G'B', and their times in seconds."""

    pictures: Pictures
    seconds: Reals


def footage(path: Path) -> Footage:
    """Decode a clip through the product's own reader and keep some small pictures."""
    clip = probe(path, "")
    shrink = shrinker(clip, LONG_EDGE)
    pictures: list[Pictures] = []
    times: list[float] = []
    with PictureReader(clip) as reader:
        start: float | None = None
        for frame in reader.frames():
            start = float(frame.pts_seconds) if start is None else start
            seconds = float(frame.pts_seconds) - start
            if seconds >= SECONDS:
                break
            if seconds * RATE >= len(times):
                pictures.append(shrink(frame))
                times.append(seconds)
    return Footage(np.stack(pictures), np.array(times))


def pieces(of: Footage, column: str) -> tuple[Pictures, Pictures]:
    """Return the hero's pictures and the other clip's."""
    pictures, seconds = of.pictures, of.seconds
    if column == "apart in time":
        end = seconds[-1]
        return pictures[seconds <= 0.4 * end], pictures[seconds >= 0.6 * end]
    second = (seconds / BLOCK_SECONDS + 1e-6).astype(int) % 2 == 1
    hero, other = pictures[~second], pictures[second]
    height, width = pictures.shape[1:3]
    if column == "70 % crops":
        part = int(0.7 * width)
        return hero[:, :, :part], other[:, :, width - part :]
    if column == "disjoint halves":
        return hero[:, :, : width // 2], other[:, :, width // 2 :]
    if column == CLOSER:
        return hero, other[:, height // 10 : height * 7 // 10, width // 5 : width * 4 // 5]
    return hero, other


def stills(pictures: Pictures, count: int, long_edge: int) -> Pictures:
    """Return pictures spread evenly over a piece, as small as the product keeps them."""
    chosen = pictures[np.unique((np.arange(count) + 0.5) * len(pictures) // count).astype(int)]
    height, width = pictures.shape[1:3]
    scale = min(1.0, long_edge / max(height, width))
    size = round(width * scale), round(height * scale)
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in chosen])


# Grades: R'G'B' from 0 to 1 to the same


def grades(random: np.random.Generator) -> dict[str, Grade]:
    """Return one grade of each kind, of about 4.6 ΔE00 on average."""

    def either(low: float, high: float) -> float:
        return float(random.uniform(low, high) * random.choice([-1, 1]))

    slope = 1 + either(0.03, 0.12) + random.uniform(-0.08, 0.08, 3)
    offset = either(0.0, 0.03) + random.uniform(-0.015, 0.015, 3)
    power = np.exp(either(0.03, 0.15) + random.uniform(-0.07, 0.07, 3))
    saturation = float(np.exp(either(0.05, 0.25)))
    steepness, middle, flatter = random.uniform(2.5, 4.5), random.uniform(0.4, 0.6), random.random() < 0.5
    gamma = float(np.exp(either(0.12, 0.3)))
    warmth = either(0.1, 0.25)
    colour = float(np.exp(either(0.25, 0.5)))
    return {
        "CDL": lambda rgb: _saturated(np.clip(rgb * slope + offset, 0, 1) ** power, saturation),
        "S-curve": lambda rgb: _s_curve(rgb, steepness, middle, flatter=flatter),
        "gamma": lambda rgb: rgb**gamma,
        "temperature": lambda rgb: _temperature(rgb, warmth),
        "saturation": lambda rgb: _saturated(rgb, colour),
    }


def _saturated(rgb: Reals, saturation: float) -> Reals:
    luma = (rgb @ WEIGHTS)[..., None]
    return np.clip(luma + saturation * (rgb - luma), 0.0, 1.0)


def _s_curve(rgb: Reals, steepness: float, middle: float, *, flatter: bool) -> Reals:
    """Return a logistic curve from (0, 0) to (1, 1), or its inverse."""
    ends = 1 / (1 + np.exp(steepness * middle)), 1 / (1 + np.exp(-steepness * (1 - middle)))
    if flatter:
        level = ends[0] + rgb * (ends[1] - ends[0])
        return np.clip(middle + np.log(level / (1 - level)) / steepness, 0.0, 1.0)
    return np.clip((1 / (1 + np.exp(-steepness * (rgb - middle))) - ends[0]) / (ends[1] - ends[0]), 0.0, 1.0)


def _temperature(rgb: Reals, warmth: float) -> Reals:
    gain = np.array([1 + warmth, 1.0, 1 - warmth])
    return np.clip(rgb**2.2 * gain / (gain @ WEIGHTS), 0.0, 1.0) ** (1 / 2.2)


def graded(pictures: Pictures, grade: Grade | None) -> Pictures:
    """Return pictures with a grade, rounded to 8 bits."""
    if grade is None:
        return pictures
    return np.rint(np.clip(grade(pictures / 255.0), 0, 1) * 255).astype(np.uint8)


def chosen_grades(clip: int, column: int, seed: int) -> Iterator[tuple[str, Grade | None]]:
    """Yield no grade, then every second kind of grade, in turns."""
    yield "none", None
    kinds = grades(np.random.default_rng([seed, clip]))
    for number, (name, grade) in enumerate(kinds.items()):
        if (number + clip + column) % 2 == 0:
            yield name, grade
