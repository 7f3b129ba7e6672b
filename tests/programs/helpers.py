"""Frames with known content, and commands of the programs in `rogues`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from postpipe.media.frames import allocate
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame

ROGUES = Path(__file__).with_name("rogues.py")
BT709 = ColourSpec("bt709", "limited", "bt709", "bt709")


def rogue(name: str, *arguments: object) -> list[str]:
    return [sys.executable, str(ROGUES), name, *map(str, arguments)]


def frames(count: int = 8, size: tuple[int, int] = (64, 48), layout: str = "yuv420p") -> Iterator[Frame]:
    """Yield frames of noise over all code values, out of any gamut too."""
    rng = np.random.default_rng(1)
    for index in range(count):
        frame = allocate(PIXEL_FORMATS[layout], *size, index=index, pts_seconds=Fraction(index, 24), colour=BT709)
        for plane in frame.planes:
            plane[:] = rng.integers(0, 1 << frame.pixel_format.bits, plane.shape)
        yield frame


def same(one: Frame, other: Frame) -> bool:
    pairs = zip(one.planes, other.planes, strict=True)
    return (one.index, one.pts_seconds) == (other.index, other.pts_seconds) and all(
        np.array_equal(a, b) for a, b in pairs
    )
