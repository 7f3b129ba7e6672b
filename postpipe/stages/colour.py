"""One look across clips: small stills from the look pass, and from them one colour transform for each clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import resize
from postpipe_kernels.colour import code_scale, rgb_to_ycbcr

from postpipe.engine.stage import Analyser
from postpipe.engine.stage import Look as Glance
from postpipe.model import Artifact, Clip, Frame

STILLS = 8
LONG_EDGE = 320  # pixels of a still
SPACING_SECONDS = Fraction(1, 4)  # of stills at first, where the header does not say how long the clip is


@dataclass(frozen=True)
class ColourStats(Artifact):
    """What a clip looks like: small stills, spread evenly over it.

    `frames`: int64 `(stills,)`, the numbers of their frames. `pictures`: uint8 `(stills, height, width, 3)`, R'G'B'
    as displayed, from black 0 to white 255; the long edge is `LONG_EDGE` or that of the clip, if that is shorter.
    """

    schema: ClassVar[str] = "postpipe.colour-stats.1"
    frames: NDArray[np.int64]
    pictures: NDArray[np.uint8]


@dataclass
class _Stills:
    shrink: Callable[[Frame], NDArray[np.uint8]]
    spacing: Fraction
    due: Fraction | None = None
    first: tuple[int, NDArray[np.uint8]] | None = None
    taken: list[tuple[int, NDArray[np.uint8]]] = field(default_factory=list)


@dataclass(frozen=True)
class WatchColour(Analyser[_Stills, ColourStats]):
    """Keep a few small stills of a clip. Between them, it does nothing."""

    id: ClassVar[str] = "colour"
    summary: ClassVar[str] = "a few small stills, for their colours"

    def start(self, clip: Clip) -> _Stills:
        """Begin with the spacing that gives the wanted number of stills, as far as the header is right."""
        seconds = clip.picture.declared_seconds
        return _Stills(shrinker(clip), seconds / STILLS if seconds else SPACING_SECONDS)

    def step(self, state: _Stills, item: Glance) -> None:
        """Take the frame when one is due; when there are twice as many as wanted, give up every second."""
        frame = item.frame
        if state.due is None:
            state.first = frame.index, state.shrink(frame)
            state.due = frame.pts_seconds + state.spacing / 2
        if frame.pts_seconds < state.due:
            return
        state.taken.append((frame.index, state.shrink(frame)))
        while state.due <= frame.pts_seconds:
            state.due += state.spacing
        if len(state.taken) == 2 * STILLS:
            state.taken = state.taken[::2]
            state.spacing *= 2

    def finish(self, state: _Stills) -> ColourStats:
        """Return the stills: as many as wanted, or the first frame alone of a clip that is over at once."""
        taken = state.taken or ([state.first] if state.first else [])
        chosen = [
            taken[(2 * n + 1) * len(taken) // (2 * min(STILLS, len(taken)))] for n in range(min(STILLS, len(taken)))
        ]
        return ColourStats(
            frames=np.array([number for number, _ in chosen], np.int64),
            pictures=np.stack([picture for _, picture in chosen]) if chosen else np.zeros((0, 1, 1, 3), np.uint8),
        )


def shrinker(clip: Clip, long_edge: int = LONG_EDGE) -> Callable[[Frame], NDArray[np.uint8]]:
    """Return what takes a frame of `clip` to a small R'G'B' picture, through the clip's own matrix and range."""
    picture = clip.picture
    bits = picture.pixel_format.bits
    scale = min(1.0, long_edge / max(picture.width, picture.height))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    taps = []
    for plane in range(3):
        lengths = picture.pixel_format.plane_size(plane, picture.width, picture.height)
        taps.append(
            [resize.taps(a, b, kind="area" if a >= b else "bilinear") for a, b in zip(lengths, size, strict=True)]
        )
    spread, zero = code_scale(picture.colour.range, bits)
    to_rgb = (np.linalg.inv(rgb_to_ycbcr(picture.colour.matrix)) / spread).astype(np.float32) * 255
    offset = (0.5 - to_rgb @ zero).astype(np.float32)
    small = np.empty((3, size[1], size[0]), np.uint8 if bits == 8 else np.uint16)

    def shrink(frame: Frame) -> NDArray[np.uint8]:
        for plane, (across, down), out in zip(frame.planes, taps, small, strict=True):
            resize.resample_plane(plane, out, across, down, bits)
        rgb = np.tensordot(small.astype(np.float32), to_rgb, axes=(0, 1)) + offset
        still: NDArray[np.uint8] = np.clip(rgb, 0, 255).astype(np.uint8)
        return still

    return shrink


STAGES = (WatchColour,)
