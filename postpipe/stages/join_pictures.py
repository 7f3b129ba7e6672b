"""The small pictures of two takes at their join: as delivered, moved and graded onto each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import colour

from postpipe.delivery import ProjectFormat
from postpipe.model import Clip
from postpipe.stages.cuts import SmallPictures
from postpipe.stages.fit import Fit
from postpipe.stages.gallery import small_size

Reals = NDArray[np.float64]

CODES = 219.0  # from black to white
LUMA = colour.rgb_to_ycbcr("bt709")[0]
LIMITS = np.array([1.3, 1.3, 0.04])  # of a move: pixels of about 32 across, pixels down, enlargement
DARKEST, BRIGHTEST = 0.03, 0.97  # levels outside are crushed or clipped: no guide to exposure
GRAIN = 0.25  # code values: what rounding leaves of equal pictures
ROUNDS = 4


@dataclass(frozen=True)
class JoinPictures:
    """Some frames of a take: R'G'B' from 0 to 1, shape `(frames, height, width, 3)`.

    `seen`: which pixels show the take; the others are bars.
    """

    rgb: Reals
    seen: NDArray[np.bool_]

    def luma(self, seen: NDArray[np.bool_]) -> Reals:
        """Return luma in code values above black, blurred, so that it can be moved by less than a pixel.

        Where `seen` is false nothing of the picture is used.
        """
        shares = _blurred(_blurred(seen.astype(np.float64)))
        blurred: Reals = _blurred(_blurred(self.rgb @ LUMA * CODES * seen)) / np.maximum(shares, 1e-3)
        return blurred


def source_pictures(
    pictures: SmallPictures, numbers: Sequence[int], clip: Clip, project: ProjectFormat
) -> JoinPictures:
    """Return frames of a take cropped, scaled and boxed as they will be delivered."""
    fit = Fit().bind(clip, project)
    picture = clip.picture
    rows, columns = small_size(project.height, project.width)
    scale, offset = ((1.0, 1.0), (0.0, 0.0)) if fit is None else ((fit.scale_y, fit.scale_x), (fit.top, fit.left))
    down = _weights(rows, project.height, float(scale[0]), float(offset[0]), picture.height, pictures.luma.shape[1])
    across = _weights(columns, project.width, float(scale[1]), float(offset[1]), picture.width, pictures.luma.shape[2])
    rgb = _rgb(pictures, numbers, picture.colour.matrix)
    seen = np.outer(down.sum(1) > 0.99, across.sum(1) > 0.99)
    return JoinPictures(np.einsum("yi,xj,nijc->nyxc", down, across, rgb, optimize=True), seen)


def delivered_pictures(pictures: SmallPictures, numbers: Sequence[int], project: ProjectFormat) -> JoinPictures:
    """Return frames of a delivered picture."""
    rgb = _rgb(pictures, numbers, project.colour.matrix)
    return JoinPictures(rgb, np.ones(rgb.shape[1:3], np.bool_))


def _rgb(pictures: SmallPictures, numbers: Sequence[int], matrix: str) -> Reals:
    luma = (pictures.luma[list(numbers)].astype(np.float64) - 16) / CODES
    chroma = (pictures.chroma[list(numbers)].astype(np.float64) - 128) / 224
    chroma = chroma.repeat(2, axis=2).repeat(2, axis=3)
    rgb: Reals = np.stack([luma, chroma[:, 0], chroma[:, 1]], -1) @ np.linalg.inv(colour.rgb_to_ycbcr(matrix)).T
    return rgb


def _weights(cells: int, length: int, scale: float, offset: float, source: int, small: int) -> Reals:
    """Return the matrix, shape `(cells, small)`, of what each cell of the delivered picture shows of a small one."""
    edges = (np.arange(cells + 1) * (length / cells) - offset) / scale * (small / source)
    sample = np.arange(small)
    overlap = np.minimum(edges[1:, None], sample + 1) - np.maximum(edges[:-1, None], sample)
    weights: Reals = np.maximum(overlap, 0) / (edges[1] - edges[0])
    return weights


def _blurred(planes: Reals) -> Reals:
    for axis in (-2, -1):
        padded = np.concatenate([np.take(planes, [0], axis), planes, np.take(planes, [-1], axis)], axis)
        length = planes.shape[axis]
        before, here, after = (np.take(padded, range(n, n + length), axis) for n in range(3))
        planes = (before + 2 * here + after) / 4
    return planes


@dataclass(frozen=True, slots=True)
class Match:
    """How one picture becomes another.

    `move`: pixels across and down, and enlargement. `residue`: what is left then, RMS in code values of the first.
    `shares`: how far each pixel can be trusted, shape `(height, width)`, 0 to 1.
    """

    move: Reals
    residue: float
    shares: Reals


def match(first: Reals, second: Reals, seen: NDArray[np.bool_]) -> Match:
    """Fit blurred luma to blurred luma by a gain, a shift and a zoom, without what moves by itself.

    Gauss-Newton on the gradients, as B. D. Lucas and T. Kanade, "An iterative image registration technique" (1981),
    with iteratively reweighted least squares (Cauchy weights).
    """
    inner = _inner(seen)
    target = second[inner]
    move: Reals = np.zeros(3)
    for _ in range(ROUNDS):
        moved = _moved(first, move)
        columns = [moved[inner], *(slope[inner] for slope in _slopes(moved))]
        found, _, _ = _solve(np.stack(columns, 1), target)
        move = np.clip(move + found[1:] / found[0], -LIMITS, LIMITS)
    gain, left, shares = _solve(_moved(first, move)[inner][:, None], target)
    whole = np.zeros(first.shape)
    whole[inner] = shares
    return Match(move, float(np.sqrt(np.mean(np.square(left / gain[0])))), whole)


def _inner(seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels that have picture on all sides: moving brings in what was not seen at the edges."""
    inner = seen.copy()
    for axis in (0, 1):
        for step in (1, -1):
            inner &= np.roll(seen, step, axis)
    inner[0] = inner[-1] = False
    inner[:, 0] = inner[:, -1] = False
    return inner


def _solve(columns: Reals, target: Reals) -> tuple[Reals, Reals, Reals]:
    """Return robust coefficients, what is left of the target, and the weights of its samples."""
    weights: Reals = np.ones(len(target))
    found: Reals = np.zeros(columns.shape[1])
    left: Reals = target
    for _ in range(ROUNDS):
        root = np.sqrt(weights)[:, None]
        found[:] = np.linalg.lstsq(columns * root, target * root[:, 0], rcond=None)[0]
        left = target - columns @ found
        spread = 1.4826 * float(np.median(np.abs(left))) + GRAIN
        weights = 1 / (1 + (left / (2 * spread)) ** 2)
    found[0] = found[0] if abs(found[0]) > 1e-3 else 1e-3
    return found, left, weights


def _slopes(picture: Reals) -> tuple[Reals, Reals, Reals]:
    down: Reals = np.gradient(picture, axis=0)
    across: Reals = np.gradient(picture, axis=1)
    y, x = (np.arange(length) - (length - 1) / 2 for length in picture.shape)
    zoom: Reals = x[None] * across + y[:, None] * down
    return across, down, zoom


def _moved(picture: Reals, move: Reals) -> Reals:
    """Return a picture whose pixel p shows what was at p + shift + zoom · (p - middle), Catmull-Rom between pixels."""
    down, across = (
        _taps(length, move[2], shift) for length, shift in zip(picture.shape, (move[1], move[0]), strict=True)
    )
    moved: Reals = down @ picture @ across.T
    return moved


def _taps(length: int, zoom: float, shift: float) -> Reals:
    middle = (length - 1) / 2
    places = np.clip((np.arange(length) - middle) * (1 + zoom) + middle + shift, 0, length - 1)
    away = np.abs(places[:, None] - np.arange(length))
    near, far = 1.5 * away**3 - 2.5 * away**2 + 1, -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
    weights = np.where(away < 1, near, np.where(away < 2, far, 0.0))
    taps: Reals = weights / weights.sum(1, keepdims=True)
    return taps


def exposure_step(first: Reals, second: Reals, found: Match) -> Reals:
    """Return the natural logarithms of what R', G' and B' of the second picture are multiples of the first's.

    `first`, `second`: R'G'B', shape `(height, width, 3)`; a channel that is dark or clipped all over has 0.
    """
    step = np.zeros(3)
    for channel in range(3):
        a, b = _blurred(_moved(first[..., channel], found.move)), _blurred(second[..., channel])
        use = (found.shares > 0) & (np.minimum(a, b) > DARKEST) & (np.maximum(a, b) < BRIGHTEST)
        if np.count_nonzero(use) < 16:
            continue
        trust = np.sqrt(found.shares[use])
        gain, _, _ = _solve((CODES * a[use] * trust)[:, None], CODES * b[use] * trust)
        step[channel] = np.log(max(gain[0], 1e-3))
    return step
