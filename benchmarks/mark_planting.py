"""Marks such as generators put on their takes, drawn and laid over real clips."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.material import Material, Planes, read, write
from postpipe.marks import Box

Kind = Literal["static", "moving"]
KINDS: tuple[Kind, ...] = ("static", "moving")
SECONDS = 10
"""Of each clip, at most."""
LEAST_SECONDS = 5
"""Of a clip that gets a mark that jumps."""
WIDTHS = {"static": (0.035, 0.12), "moving": (0.10, 0.16)}
"""Of the longer side."""
LEAST_HEIGHT, LEAST_PIXELS = 0.03, 12
"""Of the shorter side, and in pixels: what is lower cannot be read."""
OPACITIES = {"static": (0.35, 0.9), "moving": (0.45, 0.9)}
STAYS = 2.0, 4.0
"""Seconds for which a mark that jumps stays in one place."""
FADE, PAUSE = (0.0, 0.3), (0.0, 0.3)
"""Seconds in which it comes and goes, and for which there is none in between."""
WORDS = ("Veo", "KLING AI", "runway", "Hailuo AI", "PIXVERSE", "Vidu", "Dream", "made with X")
Mask = NDArray[np.float32]


@dataclass(frozen=True)
class Drawing:
    """A mark, 0 to 1, and its shadow if it has one; `turned` is the same with the emblem on the other side."""

    light: Mask
    turned: Mask
    shadow: bool


@dataclass(frozen=True)
class Plant:
    """What was planted: a box for each frame that shows it, and how opaque it is."""

    boxes: dict[int, Box | None]
    opacity: float


def draw(dice: random.Random, width: int, height: int, kind: Kind) -> Drawing:
    """Draw a mark of a width and at least a height in pixels: a word, most with an emblem, some with a second line."""
    word, lines = dice.choice(WORDS), 2 if kind == "moving" and dice.random() < 0.6 else 1
    emblem = kind == "moving" or word == "Vidu" or dice.random() < 0.5
    drawn = [_drawn(word, lines, side if emblem else None, dice.getstate()) for side in ("left", "right")]
    pictures = [_scaled(one, max(width / one.shape[1], height / one.shape[0])) for one in drawn]
    turns = kind == "moving" and dice.random() < 0.6
    return Drawing(pictures[0], pictures[1 if turns else 0], dice.random() < 0.4)


def _drawn(word: str, lines: int, emblem: str | None, state: tuple[object, ...]) -> Mask:
    from PIL import Image, ImageDraw, ImageFont

    dice = random.Random()
    dice.setstate(state)
    tall, bold = 120, dice.choice([0, 3, 6])
    big, small = ImageFont.load_default(size=tall), ImageFont.load_default(size=tall // 2)
    wide = round(big.getlength(word))
    second = "@" + dice.choice(["someone", "studio7", "a.b"]) if lines == 2 else ""
    wide = max(wide, round(small.getlength(second)))
    side = round(tall * (1.5 if lines == 2 else 1.1)) if emblem else 0
    gap = tall // 4 if emblem else 0
    picture = Image.new("L", (wide + side + gap + 8, round(tall * (2.1 if lines == 2 else 1.5))))
    pen = ImageDraw.Draw(picture)
    text = 4 + (side + gap if emblem == "left" else 0)
    pen.text((text, 0), word, fill=255, font=big, stroke_width=bold, stroke_fill=255)
    if second:
        pen.text((text, 1.25 * tall), second, fill=255, font=small, stroke_width=bold // 2, stroke_fill=255)
    if emblem:
        left, top = (4 if emblem == "left" else text + wide + gap), tall // 4
        box, shape = (left, top, left + side - 1, top + side - 1), dice.choice(["blob", "ring", "star"])
        if shape == "blob":
            pen.ellipse(box, fill=255)
            for eye in (0.3, 0.6):
                pen.ellipse(
                    (left + eye * side, top + 0.35 * side, left + (eye + 0.13) * side, top + 0.6 * side), fill=0
                )
        elif shape == "ring":
            pen.ellipse(box, outline=255, width=side // 6)
        else:
            half = side / 2
            points = [(0, half), (0.7 * half, 0.7 * half), (half, 0), (1.3 * half, 0.7 * half)]
            points += [(side - x, side - y) for x, y in points]
            pen.polygon([(left + x, top + y) for x, y in points], fill=255)
    drawn: Mask = np.asarray(picture, np.float32) / np.float32(255)
    rows, columns = np.flatnonzero(drawn.max(axis=1) > 0.3), np.flatnonzero(drawn.max(axis=0) > 0.3)
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scaled(drawn: Mask, by: float) -> Mask:
    from PIL import Image

    height, width = (round(by * side) for side in drawn.shape)
    scaled = Image.fromarray(drawn).resize((width, height), Image.Resampling.BOX)
    mask: Mask = np.asarray(scaled, np.float32)
    return mask


def plant(path: Path, kind: Kind, number: int, copy: Path) -> Plant | None:
    """Write a copy of a clip with a white mark; `None` where the clip is too short for one that jumps.

    What, where and how is drawn from the clip's name, the kind and `number`.
    """
    dice = random.Random(zlib.crc32(f"{path.name} {kind} {number}".encode()))
    material = read(path, SECONDS)
    if kind == "moving" and len(material.frames) < LEAST_SECONDS * material.rate:
        return None
    height, width = material.frames[0][0].shape
    least = round(max(LEAST_PIXELS, LEAST_HEIGHT * min(height, width)))
    wide = round(dice.uniform(*WIDTHS[kind]) * max(height, width))
    drawing, opacity = draw(dice, wide, least, kind), dice.uniform(*OPACITIES[kind])
    rows, across = drawing.light.shape
    down, aside = (round(dice.uniform(0.025, 0.08) * side) for side in (height, width))
    places = [(top, left) for top in (down, height - rows - down) for left in (aside, width - across - aside)]
    dice.shuffle(places)
    if kind == "moving":
        places.insert(2, ((height - rows) // 2, dice.choice([aside, width - across - aside])))
    boxes: dict[int, Box | None] = {}
    for index, (planes, (place, seen)) in enumerate(zip(material.frames, _times(dice, material, kind), strict=True)):
        top, left = places[place % len(places)]
        mask = drawing.light if left < width / 2 else drawing.turned
        boxes[index] = Box(left, top, left + across, top + rows) if seen >= 0.3 else None
        if seen > 0:
            _lay(planes, mask * np.float32(opacity * seen), top, left, drawing.shadow)
    write(material, copy)
    return Plant(boxes, opacity)


def _times(dice: random.Random, material: Material, kind: Kind) -> Iterator[tuple[int, float]]:
    """Yield for each frame in which of its places a mark is, and how much of it is seen, 0 to 1."""
    rate, count = float(material.rate), len(material.frames)
    if kind == "static":
        yield from ((0, 1.0) for _ in range(count))
        return
    fade, pause = round(dice.uniform(*FADE) * rate), round(dice.uniform(*PAUSE) * rate)
    place, index = 0, 0
    until = round(dice.uniform(1.0, STAYS[1]) * rate)  # the first stay may have begun before the take does
    begun = False
    while index < count:
        stay = until - index
        for at in range(stay):
            yield place, min(1.0, (at + 1) / (fade + 1) if begun else 1.0, (stay - at) / (fade + 1))
            index += 1
            if index == count:
                return
        for _ in range(min(pause, count - index)):
            yield place, 0.0
            index += 1
        place, begun, until = place + 1, True, index + round(dice.uniform(*STAYS) * rate)


def _lay(planes: Planes, alpha: Mask, top: int, left: int, shadow: bool) -> None:
    """Lay white over a place of a frame, above a soft shadow two pixels below and beside it."""
    luma, *chroma = planes
    rows, columns = alpha.shape
    under = luma[top : top + rows, left : left + columns].astype(np.float32)
    if shadow:
        dark = np.zeros_like(alpha)
        dark[2:, 2:] = alpha[:-2, :-2]
        under = under * (1 - 0.5 * dark) + 16 * 0.5 * dark
    luma[top : top + rows, left : left + columns] = np.rint(under * (1 - alpha) + 235 * alpha)
    for plane in chroma:
        part = plane[top // 2 : (top + rows) // 2, left // 2 : (left + columns) // 2]
        cover = alpha[: 2 * part.shape[0] : 2, : 2 * part.shape[1] : 2]
        part[...] = np.rint(part * (1 - cover) + 128 * cover)
