"""The exact result of point operations, before it is rounded: what the twins of `reference.py` round."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels.colour import Planes
from postpipe_kernels.lut3d import Lut3d
from postpipe_kernels.transform import from_rgb, to_rgb

Reals = NDArray[np.float64]


def exact_point(
    planes: Planes,
    bits: int,
    out_bits: int,
    *,
    curve: NDArray[Any] | None = None,
    matrix: Reals | None = None,
    offset: Reals | None = None,
    lut: Lut3d | None = None,
) -> tuple[Reals, Reals, Reals]:
    """Return what `apply_point` rounds and clips, without a look's steps of luma and chroma, as float64 planes."""
    luma = planes[0].astype(np.float64) if curve is None else curve[np.minimum(planes[0], curve.size - 1)]
    blue, red = planes[1].astype(np.float64), planes[2].astype(np.float64)
    matrix = np.eye(3) * 2.0 ** (out_bits - bits) if matrix is None else matrix
    offset = np.zeros(3) if offset is None else offset
    if lut is not None:
        return _through(lut, out_bits, (luma, blue, red), matrix, offset)
    wide = [chroma_at_luma(plane, luma.shape) for plane in (blue, red)]
    return (
        matrix[0, 0] * luma + matrix[0, 1] * wide[0] + matrix[0, 2] * wide[1] + offset[0],
        matrix[1, 1] * blue + matrix[1, 2] * red + offset[1],
        matrix[2, 1] * blue + matrix[2, 2] * red + offset[2],
    )


def _through(
    lut: Lut3d, bits: int, planes: tuple[Reals, Reals, Reals], matrix: Reals, offset: Reals
) -> tuple[Reals, Reals, Reals]:
    """Return planes through a matrix and then a look: luma with the chroma of its site, chroma with its mean luma."""
    into, back = to_rgb(lut.transform, bits), from_rgb(lut.transform, bits)

    def looked(*codes: Any) -> Reals:
        rgb = (np.stack(codes, axis=-1) @ matrix.T + offset) @ into[:, :3].T + into[:, 3]
        result: Reals = lut.transform.apply(rgb) @ back[:, :3].T + back[:, 3]
        return result

    luma, blue, red = planes
    rows, columns = luma.shape
    down, across = (-(-length // sites) for length, sites in zip(luma.shape, blue.shape, strict=True))
    wide = [np.kron(plane, np.ones((down, across)))[:rows, :columns] for plane in (blue, red)]
    whole = np.pad(luma, [(0, -rows % down), (0, -columns % across)], "edge")
    mean = whole.reshape(blue.shape[0], down, blue.shape[1], across).mean(axis=(1, 3))
    chroma = looked(mean, blue, red)
    return looked(luma, *wide)[..., 0], chroma[..., 1], chroma[..., 2]


def chroma_at_luma(chroma: Reals, shape: tuple[int, ...]) -> Reals:
    """Return chroma at every luma sample: left-sited along rows, midway along columns, bilinear, edges repeated."""
    height, width = shape
    if chroma.shape[0] < height:
        chroma = _linear(chroma, np.arange(height) / 2.0 - 0.25)
    if chroma.shape[1] < width:
        chroma = _linear(chroma.T, np.arange(width) / 2.0).T
    return chroma


def _linear(rows: Reals, positions: Reals) -> Reals:
    """Return rows at fractional positions."""
    below = np.floor(positions).astype(np.int64)
    fraction = (positions - below)[:, None]
    last = rows.shape[0] - 1
    return (1.0 - fraction) * rows[np.clip(below, 0, last)] + fraction * rows[np.clip(below + 1, 0, last)]
