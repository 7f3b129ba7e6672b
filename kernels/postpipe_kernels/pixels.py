"""Planes to interleaved R'G'B' pixels for files of single pictures, and back without loss of chroma.

Channels stand in the order blue, green, red, as OpenCV has them; they span their whole type: 0 to 255 or 65535.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import check_bits, check_plane, check_writable, packed, packed_target, samples
from postpipe_kernels.colour import Planes, code_scale, rgb_to_ycbcr
from postpipe_kernels.resize import Taps, folded

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_at = np.uint64
_f32 = np.float32

_BGR = [2, 1, 0]


def pixel_matrix(
    matrix: str, range_: str, bits: int, pixel_bits: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `(matrix, offset)`, `(3, 3)` and `(3,)`: (B, G, R) = matrix @ (Y, Cb, Cr) + offset, in code values.

    Names are those of `colour.ycbcr_matrix`. Only the matrix is undone: primaries and transfer function stay.
    Raises `ValueError` for unknown names.
    """
    scale, zero = code_scale(range_, bits)
    to_pixels = np.linalg.inv(rgb_to_ycbcr(matrix))[_BGR] / scale[None, :] * ((1 << pixel_bits) - 1)
    return to_pixels, -to_pixels @ zero


def plane_matrix(
    matrix: str, range_: str, bits: int, pixel_bits: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the inverse of `pixel_matrix`: (Y, Cb, Cr) = matrix @ (B, G, R) + offset, in code values."""
    scale, zero = code_scale(range_, bits)
    return scale[:, None] * rgb_to_ycbcr(matrix)[:, _BGR] / ((1 << pixel_bits) - 1), zero


def to_pixels(planes: Planes, bits: int, matrix: NDArray[np.float64], offset: NDArray[np.float64], out: Pixels) -> None:
    """Write `matrix @ (Y, Cb, Cr) + offset`, as from `pixel_matrix`, to `out`.

    `planes` are 4:4:4, 4:2:2 or 4:2:0, uint8 (8 bits) or uint16 (9, 10 bits), any strides; `out` is contiguous,
    `(height, width, 3)`, uint8 or uint16. Chroma is interpolated linearly from samples that lie on even columns
    and, for 4:2:0, halfway between two rows (ITU-T H.273 Chroma420SampleLocType 0); edges are repeated. Results
    are rounded half up and clipped. Raises `ValueError` when a shape or type does not fit.
    """
    for name, plane in zip(("luma", "Cb", "Cr"), planes, strict=True):
        check_plane(plane, name)
        check_bits(plane, bits)
    _check_pixels(out, planes)
    check_writable(out, "out")
    luma, blue, red = (samples(packed(plane)) for plane in planes)
    rows = np.column_stack([matrix, offset]).astype(_f32)
    size = (*planes[0].shape, *planes[1].shape)
    _to_pixels(*luma, *blue, *red, *size, rows, out.reshape(-1), _f32((1 << 8 * out.itemsize) - 1))


def from_pixels(
    pixels: Pixels, matrix: NDArray[np.float64], offset: NDArray[np.float64], out: Planes, out_bits: int
) -> None:
    """Write `matrix @ (B, G, R) + offset`, as from `plane_matrix`, to the planes `out`.

    The types are those of `to_pixels`, of which this is the inverse but for rounding and clipping: where chroma
    is subsampled it goes through the filters that undo linear interpolation (see `chroma_taps`).
    Raises `ValueError` when a shape or type does not fit.
    """
    for name, plane in zip(("luma", "Cb", "Cr"), out, strict=True):
        check_plane(plane, name)
        check_bits(plane, out_bits)
        check_writable(plane, name)
    _check_pixels(pixels, out)
    height, width = out[0].shape
    x_taps = chroma_taps(width, out[1].shape[1], sited=True)
    y_taps = chroma_taps(height, out[1].shape[0], sited=False)
    targets = [packed_target(plane) for plane in out]
    luma, blue, red = (samples(target, writable=True) for target in targets)
    rows = np.column_stack([matrix, offset]).astype(_f32)
    _from_pixels(
        pixels.reshape(-1), height, width, rows, x_taps.first, x_taps.weights, y_taps.first, y_taps.weights,
        *luma, *blue, *red, _f32((1 << out_bits) - 1),
    )  # fmt: skip
    for plane, target in zip(out, targets, strict=True):
        if target is not plane:
            plane[...] = target


@lru_cache(maxsize=8)
def chroma_taps(length: int, target: int, *, sited: bool) -> Taps:
    """Return the taps from chroma at every luma sample to `target` samples: all of them, or every other.

    `sited` samples lie on even luma samples, others halfway between two. These filters give back what linear
    interpolation was made from: for the one it is the analysis filter of the 5/3 wavelet (D. Le Gall and A. Tabatabai,
    ICASSP 1988), for the other the shortest dual of the interpolation (A. Cohen, I. Daubechies and J.-C. Feauveau,
    Comm. Pure Appl. Math. 45 (1992), spline 3.1).
    """
    if target == length:
        return Taps(np.arange(length, dtype=np.int32), np.ones((length, 1), _f32), length)
    places, weights = ((-2, -1, 0, 1, 2), (-1, 2, 6, 2, -1)) if sited else ((-1, 0, 1, 2), (-1, 3, 3, -1))
    indices = 2 * np.arange(target)[:, None] + np.array(places)
    return folded(indices, np.broadcast_to(np.array(weights, np.float64), indices.shape), length)


def _check_pixels(pixels: Any, planes: Planes) -> None:
    height, width = planes[0].shape
    if pixels.dtype not in (np.uint8, np.uint16) or not pixels.flags.c_contiguous or pixels.shape != (height, width, 3):
        raise ValueError(f"pixels must be contiguous, uint8 or uint16, of shape {(height, width, 3)}")
    chroma = planes[1].shape
    if planes[2].shape != chroma or chroma not in (
        (height, width),
        (height, -(-width // 2)),
        (-(-height // 2), -(-width // 2)),
    ):
        raise ValueError(f"chroma {chroma}, {planes[2].shape} does not go with luma {planes[0].shape}")


@kernel
def _code(value, top):
    return np.int32(min(max(value + _f32(0.5), _f32(0.0)), top))


@kernel
def _to_pixels(
    luma, pitch, blue, blue_pitch, red, red_pitch, height, width, chroma_height, chroma_width, rows, out, top
):
    blues = np.empty(chroma_width + 1, np.float32)
    reds = np.empty(chroma_width + 1, np.float32)
    for y in range(height):
        near = y
        far = y
        if chroma_height < height:
            near = y // 2
            far = min(max(near - 1 + 2 * (y % 2), 0), chroma_height - 1)
        for x in range(_at(chroma_width)):
            a, b = _at(near * blue_pitch) + x, _at(far * blue_pitch) + x
            c, d = _at(near * red_pitch) + x, _at(far * red_pitch) + x
            blues[x] = _f32(0.75) * _f32(blue[a]) + _f32(0.25) * _f32(blue[b])
            reds[x] = _f32(0.75) * _f32(red[c]) + _f32(0.25) * _f32(red[d])
        blues[chroma_width] = blues[chroma_width - 1]
        reds[chroma_width] = reds[chroma_width - 1]
        start = _at(y * pitch)
        o = _at(3 * y * width)
        for x in range(_at(width)):
            left, right = x, x
            if chroma_width < width:
                left = x // _at(2)
                right = (x + _at(1)) // _at(2)
            u = _f32(0.5) * (blues[left] + blues[right])
            v = _f32(0.5) * (reds[left] + reds[right])
            level = _f32(luma[start + x])
            for channel in range(_at(3)):
                value = rows[channel, 0] * level + rows[channel, 1] * u + rows[channel, 2] * v + rows[channel, 3]
                out[o + channel] = _code(value, top)
            o += _at(3)


@kernel
def _from_pixels(
    pixels, height, width, rows, x_first, x_weights, y_first, y_weights,
    luma, pitch, blue, blue_pitch, red, red_pitch, top,
):  # fmt: skip
    # Rows of chroma that are filtered along x wait in a ring until the row that needs them is made.
    columns = x_first.size
    count = y_weights.shape[1]
    blues = np.empty(width, np.float32)
    reds = np.empty(width, np.float32)
    ring = np.zeros((2, count, columns), np.float32)
    made = 0
    for y in range(height):
        o = _at(3 * y * width)
        start = _at(y * pitch)
        for x in range(_at(width)):
            b, g, r = _f32(pixels[o]), _f32(pixels[o + _at(1)]), _f32(pixels[o + _at(2)])
            luma[start + x] = _code(rows[0, 0] * b + rows[0, 1] * g + rows[0, 2] * r + rows[0, 3], top)
            blues[x] = rows[1, 0] * b + rows[1, 1] * g + rows[1, 2] * r + rows[1, 3]
            reds[x] = rows[2, 0] * b + rows[2, 1] * g + rows[2, 2] * r + rows[2, 3]
            o += _at(3)
        place = y % count
        for x in range(columns):
            u, v = _f32(0.0), _f32(0.0)
            for k in range(min(x_weights.shape[1], width)):
                u += x_weights[x, k] * blues[x_first[x] + k]
                v += x_weights[x, k] * reds[x_first[x] + k]
            ring[0, place, x] = u
            ring[1, place, x] = v
        while made < y_first.size and min(y_first[made] + count, height) == y + 1:
            for x in range(columns):
                u, v = _f32(0.0), _f32(0.0)
                for k in range(min(count, height)):
                    row = (y_first[made] + k) % count
                    u += y_weights[made, k] * ring[0, row, x]
                    v += y_weights[made, k] * ring[1, row, x]
                blue[made * blue_pitch + x] = _code(u, top)
                red[made * red_pitch + x] = _code(v, top)
            made += 1
