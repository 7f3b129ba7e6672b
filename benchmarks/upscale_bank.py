"""Learn the filters of `postpipe_kernels.double` from clips, and write `double.npz`.

Each picture is reduced to half its size in three ways, and filters are fitted that make the picture of it again: by
least squares, every sample weighed by how much an error there costs in structural similarity (the curvature of SSIM:
one over the variance around it). Turned and mirrored pictures count too. The clips are those of `LEARNT_FROM`; the
benchmark of quality uses others.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from postpipe_kernels import double
from postpipe_kernels.reference_double import edge_classes, patches

Reals = NDArray[np.float64]

LEARNT_FROM = {
    "takes": ("sora_standard.mp4", "luma_watermarked.mp4", "cogvideo_1.mp4", "cogvideo_kitten.mp4"),
    "c2pa": ("premiere-firefly.mp4", "video1.mp4"),
    "talking": (
        "3qesirWAGt4_20000_30000.mp4", "demo1_video.mp4", "retalking_1.mp4", "retalking_2.mp4", "retalking_4.mp4",
        "WDA_KatieHill_000.mp4", "lp_d11.mp4", "lp_d14.mp4",
    ),
    "odd": ("goldeneye-vfr-drop3.mp4", "fire2.mp4", "frame_debugger_1h.mov", "h264-mjpeg.mp4"),
    "clean": ("bikes.mp4",),
    "flicker": ("concert_lighting.mp4",),
}  # fmt: skip

STRENGTH = (2.0, 6.0, 16.0, 45.0)
COHERENCE = 0.4
PIXELS = 120_000
"""Of each picture, drawn by chance."""
RIDGE = 0.01
"""Towards the filters that fit all classes at once, as a share of the mean variance of a sample."""
BORDER = 8
"""Samples at the edges of a picture that nothing is learnt from."""


def reduced(picture: NDArray[np.uint8], how: str) -> NDArray[np.uint8]:
    """Return a picture at half its size: by area, by a bicubic of 8x8 samples, or by one of 4x4, which aliases."""
    height, width = picture.shape
    size = width // 2, height // 2
    if how == "bicubic":
        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    kind = cv2.INTER_AREA if how == "area" else cv2.INTER_CUBIC
    return cv2.resize(picture, size, interpolation=kind).astype(np.uint8, copy=False)


HOW = ("area", "bicubic", "bicubic, aliased")


def pictures(path: Path, count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the luma of frames spread evenly over a clip, even in width and height."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        total = stream.frames or 100
        wanted = {int((n + 0.5) * total / count) for n in range(count)}
        for index, frame in enumerate(container.decode(stream)):
            if index in wanted:
                plane = frame.planes[0]
                luma = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
                yield luma[: frame.height // 2 * 2, : frame.width // 2 * 2].copy()
            if index >= max(wanted):
                return


class Learner:
    """Sums of the least squares, by class."""

    def __init__(self) -> None:
        classes, taps = (len(STRENGTH) + 1) * 2 * double.DIRECTIONS, double.SIDE**2
        self._bank = double.Bank(np.zeros((classes, 4, taps), np.int16), STRENGTH, COHERENCE)
        self._squares, self._products = np.zeros((classes, taps, taps)), np.zeros((classes, taps, 4))
        self._random = np.random.default_rng(1)

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Learn from one picture, reduced in every way and turned and mirrored in all eight."""
        real = picture.astype(np.float32)
        mean = cv2.GaussianBlur(real, (11, 11), 1.5)
        variance = cv2.GaussianBlur(real * real, (11, 11), 1.5) - mean * mean
        weight = 1 / (2 * variance + (0.03 * 255) ** 2)
        for turn in range(8):
            here, cost = (np.rot90(one.T if turn > 3 else one, turn) for one in (picture, weight))
            for how in HOW:
                self._add(np.ascontiguousarray(here), cost, reduced(np.ascontiguousarray(here), how))

    def _add(self, picture: NDArray[np.uint8], cost: NDArray[np.float32], small: NDArray[np.uint8]) -> None:
        rows, columns = small.shape
        inner = (rows - 2 * BORDER) * (columns - 2 * BORDER)
        chosen = self._random.choice(inner, min(inner, PIXELS // 8), replace=False)
        y, x = (part + BORDER for part in np.divmod(chosen, columns - 2 * BORDER))
        centre = small[y, x].astype(np.float64)[:, None]
        under = patches(small, y, x) - centre
        wanted = np.stack([picture[2 * y + n // 2, 2 * x + n % 2] for n in range(4)], axis=1) - centre
        weight = np.mean([cost[2 * y + n // 2, 2 * x + n % 2] for n in range(4)], axis=0)[:, None]
        classes = edge_classes(small, self._bank, 8)[y, x]
        for number in np.unique(classes):
            here = classes == number
            weighed = under[here] * weight[here]
            self._squares[number] += weighed.T @ under[here]
            self._products[number] += weighed.T @ wanted[here]

    def bank(self) -> double.Bank:
        """Return the filters; each sums to exactly one."""
        everywhere = _solved(self._squares.sum(0), self._products.sum(0), np.zeros_like(self._products[0]), 1e-6)
        filters = [
            _solved(squares, products, everywhere, RIDGE)
            for squares, products in zip(self._squares, self._products, strict=True)
        ]
        weights = np.rint(np.swapaxes(filters, 1, 2) * double.ONE)
        weights[..., double.SIDE**2 // 2] += double.ONE - weights.sum(axis=2)
        return double.Bank(weights.astype(np.int16), STRENGTH, COHERENCE)


def _solved(squares: Reals, products: Reals, prior: Reals, ridge: float) -> Reals:
    """Return the weights of all samples but the one in the middle, which is what the others are relative to."""
    others = np.arange(len(squares)) != len(squares) // 2
    matrix = squares[np.ix_(others, others)]
    damping = ridge * np.trace(matrix) / len(matrix) + 1e-9
    found = np.zeros_like(products)
    damped = products[others] + damping * prior[others]
    found[others] = np.linalg.solve(matrix + damping * np.eye(len(matrix)), damped)
    return found


def main() -> None:
    """Learn and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, required=True, help="folder with the clips of LEARNT_FROM")
    parser.add_argument("--out", type=Path, default=Path(double.__file__).with_name("double.npz"))
    options = parser.parse_args()
    learner = Learner()
    for folder, names in LEARNT_FROM.items():
        for name in names:
            for picture in pictures(options.media / folder / name, 4):
                learner.add(picture)
            print(name, flush=True)
    bank = learner.bank()
    np.savez(options.out, weights=bank.weights, strength=np.array(bank.strength), coherence=np.array(bank.coherence))


if __name__ == "__main__":
    main()
