"""Flashes of known frequency, area and colour, as clips, with what the rules must say of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Rgb = tuple[float, float, float]
BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
MIDDLE = (0.58, 0.58, 0.58)
Region = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]
"""Which points of the picture flash, by x and y from 0 to 1."""

TICKS = 12000  # of which frames at 24, 25, 30, 50 and 60 to the second last a whole number
RULES = ("general", "red", "lasting", "field")


def grey(luminance: float) -> Rgb:
    """Return the non-linear R', G', B' of a grey of this relative luminance (sRGB, IEC 61966-2-1)."""
    value = 12.92 * luminance if luminance <= 0.0031308 else 1.055 * luminance ** (1 / 2.4) - 0.055
    return value, value, value


def everywhere(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The whole picture."""
    return np.ones(np.broadcast_shapes(x.shape, y.shape), np.bool_)


def rectangle(left: float, top: float, width: float, height: float) -> Region:
    """Return a rectangle, in shares of the picture."""
    return lambda x, y: (x >= left) & (x < left + width) & (y >= top) & (y < top + height)


@dataclass(frozen=True)
class Case:
    """A clip in which `region` shows `bright` while a flash lasts, else `dark`.

    `flashes`: the times, in seconds, at which flashes begin; each lasts `on` seconds. `counter`: the rest of the
    picture does the opposite. `background`: what the rest shows else. `expected`: the results of `RULES`.
    """

    name: str
    flashes: tuple[float, ...]
    expected: tuple[str, str, str, str]
    seconds: float = 2.0
    on: float = 0.0
    dark: Rgb = BLACK
    bright: Rgb = WHITE
    region: Region = everywhere
    counter: bool = False
    background: Rgb = MIDDLE
    rate: int = 25
    drop: tuple[int, ...] = ()
    size: tuple[int, int] = (320, 180)
    pixel_format: str = "yuv420p"
    full_range: bool = False
    ramp: float = 0.0

    def level(self, seconds: float) -> float:
        """Return how far the picture is from `dark` (0) to `bright` (1)."""
        best = 0.0
        for start in self.flashes:
            if self.ramp:
                best = (
                    max(best, 0.5 - 0.5 * np.cos(2 * np.pi * (seconds - start) / self.ramp))
                    if (start <= seconds < start + self.ramp)
                    else best
                )
            elif start - 1e-9 <= seconds < start + self.on - 1e-9:
                best = 1.0
        return best

    def write(self, path: Path) -> Path:
        """Write the clip."""
        width, height = self.size
        x, y = (np.arange(width) + 0.5)[None] / width, (np.arange(height) + 0.5)[:, None] / height
        inside = np.broadcast_to(self.region(x, y), (height, width))[..., None]
        dark, bright, rest = (np.array(colour) for colour in (self.dark, self.bright, self.background))

        def picture(seconds: float) -> NDArray[np.float64]:
            level = self.level(seconds)
            shown = dark + level * (bright - dark)
            return np.where(inside, shown, bright + level * (dark - bright) if self.counter else rest)

        frames = [index for index in range(round(self.seconds * self.rate)) if index not in self.drop]
        step = TICKS // self.rate
        encode(path, ((index * step, picture(index / self.rate)) for index in frames), self)
        return path


def train(hertz: float, start: float = 0.2, end: float = 2.0) -> tuple[float, ...]:
    """Return the starts of flashes that follow each other at a frequency."""
    return tuple(float(time) for time in np.arange(start, end - 1e-6, 1 / hertz))


def encode(path: Path, frames: Iterable[tuple[int, NDArray[np.float64]]], case: Case) -> None:
    """Write R'G'B' pictures as BT.709 video, nearly without loss."""
    deep, full = "10" in case.pixel_format, case.full_range
    scale = 4.0 if deep else 1.0
    top = 1023.0 if deep else 255.0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=case.rate)
        stream.width, stream.height = case.size
        stream.pix_fmt = case.pixel_format
        stream.options = {"crf": "1", "preset": "ultrafast"}
        context = stream.codec_context
        context.thread_count = 1
        context.time_base = Fraction(1, TICKS)
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 2 if full else 1
        for ticks, rgb in frames:
            luma = rgb @ (0.2126, 0.7152, 0.0722)
            chroma = [(rgb[..., 2] - luma) / 1.8556, (rgb[..., 0] - luma) / 1.5748]
            height, width = luma.shape
            small = [plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)) for plane in chroma]
            codes = [luma * top if full else (16 + 219 * luma) * scale]
            codes += [128 * scale + plane * (top if full else 224 * scale) for plane in small]
            frame = av.VideoFrame(width, height, case.pixel_format)
            for plane, values in zip(frame.planes, codes, strict=True):
                kind = np.uint16 if deep else np.uint8
                rows = np.zeros((plane.height, plane.line_size // kind().itemsize), kind)
                rows[:, : plane.width] = np.clip(np.rint(values), 0, top)
                plane.update(rows.tobytes())
            frame.pts, frame.time_base = ticks, Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


PASS, WARN, FAIL = "pass", "warn", "fail"
CLEAN = (PASS, PASS, PASS, PASS)
BAD = (FAIL, PASS, PASS, FAIL)
RED, RED_GREY = (1.0, 0.0, 0.0), grey(0.2126)  # saturated red, and a grey of its luminance
BLUE, BLUE_GREY = (0.0, 0.0, 1.0), grey(0.0722)
PINK = (1.0, 0.55, 0.55)  # R / (R + G + B) = 0.66
SCATTERED = tuple((0.02 + 0.36 * i, 0.06 + 0.52 * j) for i in range(3) for j in range(2))


def quadrants(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Two quadrants that touch at the corner."""
    found: NDArray[np.bool_] = (x < 0.5) == (y < 0.5)
    return found


def patches(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Six small rectangles over the picture: 6 % of it, and less than a quarter of any field of 10 degrees."""
    found = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.bool_)
    for left, top in SCATTERED:
        found |= rectangle(left, top, 0.10, 0.10)(x, y)
    return found


CASES = (
    Case("nothing flashes", (), CLEAN),
    Case("two cuts a second", train(1.0), CLEAN, on=0.5, dark=grey(0.1), bright=grey(0.6)),
    Case("a sine of 1 Hz", train(1.0, 0.0), CLEAN, ramp=1.0),
    Case("2 flashes a second", train(2.0), (WARN, PASS, PASS, PASS), on=0.2),
    Case("3 flashes a second", train(3.0, 0.2, 1.1), (WARN, PASS, PASS, PASS), on=0.12),
    Case("4 flashes a second", train(4.0), BAD, on=0.12),
    Case("4 flashes in a second, then none", train(5.0, 0.2, 1.0), BAD, on=0.08, seconds=3.0),
    Case("a sine of 4 Hz", train(4.0, 0.0), BAD, ramp=0.25),
    Case("4 Hz at 8 frames a second", train(4.0, 0.0), BAD, on=0.125, rate=8),
    Case("10 Hz at 60 frames a second", train(10.0), BAD, on=0.05, rate=60),
    Case("12.5 Hz: every other frame", train(12.5), BAD, on=0.04),
    Case("5 Hz, uneven frames", train(5.0), BAD, on=0.1, drop=tuple(range(1, 50, 3))),
    Case("2 Hz, uneven frames", train(2.0, 0.2, 1.1), (WARN, PASS, PASS, PASS), on=0.2, drop=tuple(range(1, 50, 3))),
    Case("5 Hz, difference 0.08 of white", train(5.0), CLEAN, on=0.1, dark=grey(0.2), bright=grey(0.28)),
    Case("5 Hz, difference 0.12 of white", train(5.0), BAD, on=0.1, dark=grey(0.2), bright=grey(0.32)),
    Case("5 Hz, darker image 0.82 of white", train(5.0), CLEAN, on=0.1, dark=grey(0.82), bright=grey(0.98)),
    Case("5 Hz, darker image 0.76 of white", train(5.0), BAD, on=0.1, dark=grey(0.76), bright=grey(0.92)),
    Case("quadrants in turns, 5 Hz", train(5.0), BAD, on=0.1, region=quadrants, counter=True),
    Case("halves in turns, 3 Hz", train(3.0, 0.2, 1.1), (WARN, PASS, PASS, PASS), on=1 / 6, counter=True,
         region=rectangle(0, 0, 0.5, 1)),
    Case("halves in turns, 5 Hz", train(5.0), BAD, on=0.1, region=rectangle(0, 0, 0.5, 1), counter=True),
    Case("24 % of the screen, 5 Hz", train(5.0), (PASS, PASS, PASS, FAIL), on=0.1,
         region=rectangle(0.11, 0.27, 0.48, 0.5)),
    Case("26 % of the screen, 5 Hz", train(5.0), BAD, on=0.1, region=rectangle(0.11, 0.27, 0.52, 0.5)),
    Case("24 %, 1080p", train(5.0), (PASS, PASS, PASS, FAIL), on=0.1, seconds=1.4, size=(1920, 1080),
         region=rectangle(0.113, 0.271, 0.48, 0.5)),
    Case("26 %, 1080p", train(5.0), BAD, on=0.1, seconds=1.4, size=(1920, 1080),
         region=rectangle(0.113, 0.271, 0.52, 0.5)),
    Case("3 % in one place, 5 Hz", train(5.0), CLEAN, on=0.1, region=rectangle(0.4, 0.4, 0.15, 0.2)),
    Case("5 % in one place, 5 Hz", train(5.0), (PASS, PASS, PASS, FAIL), on=0.1,
         region=rectangle(0.4, 0.4, 0.2, 0.25)),
    Case("6 % in six places, 5 Hz", train(5.0), CLEAN, on=0.1, region=patches),
    Case("upright, 26 %, 5 Hz", train(5.0), BAD, on=0.1, size=(180, 320), region=rectangle(0.27, 0.11, 0.5, 0.52)),
    Case("full range, 5 Hz, 0.12", train(5.0), BAD, on=0.1, dark=grey(0.2), bright=grey(0.32), full_range=True,
         pixel_format="yuvj420p"),
    Case("10 bits, 5 Hz, 0.08", train(5.0), CLEAN, on=0.1, dark=grey(0.2), bright=grey(0.28),
         pixel_format="yuv420p10le"),
    Case("10 bits, 5 Hz, 0.12", train(5.0), BAD, on=0.1, dark=grey(0.2), bright=grey(0.32),
         pixel_format="yuv420p10le"),
    Case("red and grey of one luminance, 5 Hz", train(5.0), (PASS, FAIL, PASS, FAIL), on=0.1, dark=RED_GREY,
         bright=RED),
    Case("red and grey, 2 Hz", train(2.0), (PASS, WARN, PASS, PASS), on=0.2, dark=RED_GREY, bright=RED),
    Case("red and black, 5 Hz", train(5.0), (FAIL, FAIL, PASS, FAIL), on=0.1, bright=RED),
    Case("blue and grey of one luminance, 5 Hz", train(5.0), CLEAN, on=0.1, dark=BLUE_GREY, bright=BLUE),
    Case("pink and grey of one luminance, 5 Hz", train(5.0), CLEAN, on=0.1, dark=grey(0.4202), bright=PINK),
    Case("2.5 Hz for 6 s", train(2.5, 0.2, 6.2), (WARN, PASS, FAIL, PASS), on=0.2, seconds=6.4),
    Case("2.5 Hz for 3 s", train(2.5, 0.2, 3.2), (WARN, PASS, PASS, PASS), on=0.2, seconds=6.4),
    Case("2.5 Hz in two stretches of 2 s", (*train(2.5, 0.2, 2.2), *train(2.5, 6.2, 8.2)), (WARN, PASS, PASS, PASS),
         on=0.2, seconds=8.4),
    Case("red, 2.5 Hz for 6 s", train(2.5, 0.2, 6.2), (PASS, WARN, FAIL, PASS), on=0.2, seconds=6.4, dark=RED_GREY,
         bright=RED),
)  # fmt: skip
