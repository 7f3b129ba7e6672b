"""Score an enlarged take against its source: reduced again, it should be the same picture, and as steady."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import luma, resize

from postpipe.engine.stage import Analyser, Look
from postpipe.model import Artifact, Clip, Frame, Plane
from postpipe.stages.upscaling import FIX

EVERY = 12
"""Frames: one of so many is compared sample by sample; light and colour are, of each."""

GRID, FINE = 8, 8
"""Tiles across and down in which light is followed, and parts of each: every one is rounded."""

BLOCK = 8
"""Samples across and down over which SSIM takes its statistics."""

LIMITS = {"flicker_added": 0.5, "colour_shift": 1.5, "ssim": 0.85, "sharpness_ratio": 0.6}
"""Beyond these an upscaler did harm: 8-bit code values of light that comes and goes in tiles of the picture, and of
the mean of luma or chroma; least SSIM and share of sharpness of the picture that was reduced again."""

NUMBERS = 3 + GRID * GRID + 3
"""That are noted of each frame."""

Notes = tuple[float, ...]


def comparer(source: Frame, out: Frame) -> Callable[[Frame, Frame], Notes]:
    """Return the function that compares frames of a take with what an upscaler made of them; all have one size.

    It gives, in 8-bit code values, what the means of luma, Cb and Cr changed by, and what each of 8x8 tiles of luma
    changed by; then, of luma that was reduced again by area, mean squared error, SSIM, and sharpness as a share of what
    plain resampling leaves: NaN where it was not compared.
    """
    bits = source.pixel_format.bits
    unit = float(1 << (bits - 8))
    back = resize.taps(out.width, source.width, kind="area"), resize.taps(out.height, source.height, kind="area")
    forth = resize.taps(source.width, out.width), resize.taps(source.height, out.height)
    small = np.empty(source.planes[0].shape, source.planes[0].dtype)
    tiles = [[_Tiles(plane, bits) for plane in frame.planes] for frame in (source, out)]

    def compare(source: Frame, out: Frame) -> Notes:
        was, now = (
            [measure(plane) for measure, plane in zip(group, frame.planes, strict=True)]
            for group, frame in zip(tiles, (source, out), strict=True)
        )
        light, shift = now[0] - was[0], [float((b - a).mean()) for a, b in zip(was, now, strict=True)]
        found = [math.nan] * 3
        if source.index % EVERY == 0:
            resize.resample_plane(out.planes[0], small, *back, bits)
            error = small.astype(np.float32) - source.planes[0]
            alike, sharp = ssim(source.planes[0], small, bits), luma.sharpness(small, bits)
            plain = np.empty(out.planes[0].shape, small.dtype)
            resize.resample_plane(source.planes[0], plain, *forth, bits)
            resize.resample_plane(plain, small, *back, bits)
            usual = luma.sharpness(small, bits)
            found = [float(np.mean(error * error)) / unit**2, alike, sharp / usual if usual > 0 else 1.0]
        return tuple(float(value) for value in (*(np.array(shift) / unit), *(light.ravel() / unit), *found))

    return compare


class _Tiles:
    """Means of the tiles of planes of one size, `(GRID, GRID)`, in code values."""

    def __init__(self, plane: Plane, bits: int) -> None:
        self._bits = bits
        self._axes = [resize.taps(length, GRID * FINE, kind="area") for length in plane.shape]
        self._small = np.empty((GRID * FINE, GRID * FINE), plane.dtype)

    def __call__(self, plane: Plane) -> NDArray[np.float64]:
        resize.resample_plane(plane, self._small, self._axes[1], self._axes[0], self._bits)
        means: NDArray[np.float64] = self._small.reshape(GRID, FINE, GRID, FINE).mean(axis=(1, 3))
        return means


def ssim(one: Plane, other: Plane, bits: int) -> float:
    """Return the mean structural similarity of two planes over blocks of 8x8 (Wang et al., IEEE TIP 13, 2004)."""
    rows, columns = (length // BLOCK * BLOCK for length in one.shape)
    if not rows or not columns:
        return 1.0
    shape = rows // BLOCK, BLOCK, columns // BLOCK, BLOCK
    a, b = (plane[:rows, :columns].astype(np.float32).reshape(shape) for plane in (one, other))
    mean_a, mean_b = a.mean(axis=(1, 3)), b.mean(axis=(1, 3))
    var_a, var_b = ((x * x).mean(axis=(1, 3)) - mean**2 for x, mean in ((a, mean_a), (b, mean_b)))
    both = (a * b).mean(axis=(1, 3)) - mean_a * mean_b
    c1, c2 = ((share * ((1 << bits) - 1)) ** 2 for share in (0.01, 0.03))
    value = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return float((value / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


@dataclass(frozen=True)
class UpscaleTrack(Artifact):
    """What an upscaler did to a take, frame by frame, as `comparer` says. Shape `(frames, numbers)`, float32."""

    schema: ClassVar[str] = "postpipe.upscale-track.1"
    notes: NDArray[np.float32]

    def summary(self) -> dict[str, Any]:
        """Return the score: light and colour in 8-bit code values, the rest as means over what was compared."""
        shift, light, compared = self.notes[:, :3], self.notes[:, 3:-3], self.notes[:, -3:]
        compared = compared[~np.isnan(compared[:, 0])]
        steps = np.diff(light, axis=0)
        flicker = float(np.sqrt(np.mean(steps**2) / 2)) if steps.size else 0.0
        score: dict[str, Any] = {
            "flicker_added": round(flicker, 3),
            "colour_shift": [round(float(value), 2) for value in shift.mean(axis=0)] if len(shift) else [0.0] * 3,
        }
        if len(compared):
            error, structure, sharp = (float(value) for value in compared.mean(axis=0))
            score |= {
                "psnr_db": round(10 * math.log10(255**2 / max(error, 1e-3)), 2),
                "ssim": round(structure, 4),
                "sharpness_ratio": round(sharp, 3),
            }
        return score


def faults(score: dict[str, Any]) -> list[str]:
    """Return in words what an upscaler did wrong."""
    found = []
    if score["flicker_added"] > LIMITS["flicker_added"]:
        found.append(f"adds flicker of {score['flicker_added']:.2f} code values")
    if max(map(abs, score["colour_shift"])) > LIMITS["colour_shift"]:
        found.append("shifts Y, Cb, Cr by " + ", ".join(f"{value:+.1f}" for value in score["colour_shift"]))
    if score.get("ssim", 1.0) < LIMITS["ssim"]:
        found.append(f"shows another picture: SSIM {score['ssim']:.2f} when it is reduced again")
    if score.get("sharpness_ratio", 1.0) < LIMITS["sharpness_ratio"]:
        found.append(f"blurs: {score['sharpness_ratio']:.2f} of the sharpness that plain resampling leaves")
    return found


@dataclass(frozen=True)
class WatchUpscale(Analyser[list[Notes], UpscaleTrack]):
    """Collect what the upscaler's filter noted of each frame."""

    id: ClassVar[str] = "upscale_score"
    summary: ClassVar[str] = "enlarged frames against their source"

    def start(self, clip: Clip) -> list[Notes]:
        """Begin with no frame."""
        return []

    def step(self, state: list[Notes], item: Look) -> None:
        """Take in one frame."""
        if FIX in item.frame.notes:
            state.append(item.frame.notes[FIX])

    def finish(self, state: list[Notes]) -> UpscaleTrack:
        """Return the track."""
        return UpscaleTrack(np.array(state, np.float32).reshape(-1, NUMBERS))
