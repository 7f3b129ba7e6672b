"""Conversions between YCbCr encodings: other matrix, range or bit depth, without going through RGB."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels._jit import kernel
from postpipe_kernels._planes import (
    Plane,
    check_bits,
    check_plane,
    check_writable,
    packed,
    packed_target,
    samples,
)

_at = np.uint64
_f32 = np.float32

Planes = tuple[Plane, Plane, Plane]

KR_KB = {
    "bt709": (0.2126, 0.0722),
    "smpte170m": (0.299, 0.114),
    "bt470bg": (0.299, 0.114),
    "bt2020nc": (0.2627, 0.0593),
}
"""Luma weights of red and blue by matrix, in libav's names. Source: ITU-T H.273 (07/2024), table 4."""


def rgb_to_ycbcr(matrix: str) -> NDArray[np.float64]:
    """Return the 3x3 matrix from non-linear R'G'B' (0 to 1) to Y' (0 to 1), Cb, Cr (-0.5 to 0.5).

    Source: ITU-T H.273 (07/2024), equations 38 to 40. Raises `ValueError` for a matrix not in `KR_KB`.
    """
    if matrix not in KR_KB:
        raise ValueError(f"unknown matrix {matrix!r}; known: {', '.join(KR_KB)}")
    red, blue = KR_KB[matrix]
    luma = np.array([red, 1.0 - red - blue, blue])
    to_blue = (np.array([0.0, 0.0, 1.0]) - luma) / (2.0 * (1.0 - blue))
    to_red = (np.array([1.0, 0.0, 0.0]) - luma) / (2.0 * (1.0 - red))
    return np.array([luma, to_blue, to_red])


def code_scale(range_: str, bits: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `(scale, zero)`, both `(3,)`: code values are `scale * (Y', Cb, Cr) + zero`.

    `range_` is "limited" or "full". Source: ITU-T H.273 (07/2024), equations 20 to 22 and 26 to 28.
    """
    unit = float(1 << (bits - 8))
    if range_ == "limited":
        return np.array([219.0, 224.0, 224.0]) * unit, np.array([16.0, 128.0, 128.0]) * unit
    if range_ == "full":
        top = float((1 << bits) - 1)
        return np.array([top, top, top]), np.array([0.0, 128.0, 128.0]) * unit
    raise ValueError(f"unknown range {range_!r}; known: limited, full")


def ycbcr_matrix(
    from_matrix: str, from_range: str, from_bits: int, to_matrix: str, to_range: str, to_bits: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `(matrix, offset)`, `(3, 3)` and `(3,)`: new code values = matrix @ old code values + offset.

    Matrices are bt709, smpte170m, bt470bg, bt2020nc; ranges limited, full. R'G'B' is what stays the same: no
    primaries and no transfer function are converted. Grey stays grey: new Cb and Cr do not depend on luma.
    Raises `ValueError` for unknown names.
    """
    from_scale, from_zero = code_scale(from_range, from_bits)
    to_scale, to_zero = code_scale(to_range, to_bits)
    same = rgb_to_ycbcr(from_matrix)
    core = np.eye(3) if from_matrix == to_matrix else rgb_to_ycbcr(to_matrix) @ np.linalg.inv(same)
    core[:, 0] = (1.0, 0.0, 0.0)  # exactly, without the inverse's rounding
    matrix = to_scale[:, None] * core / from_scale[None, :]
    return matrix, to_zero - matrix @ from_zero


def convert_ycbcr(
    planes: Planes,
    bits: int,
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    out: Planes,
    out_bits: int,
) -> None:
    """Write `matrix @ (Y, Cb, Cr) + offset`, in code values as from `ycbcr_matrix`, to `out`.

    `planes` are 4:4:4, 4:2:2 or 4:2:0, uint8 (8 bits) or uint16 (9, 10 bits); `out` has their shapes, its own
    type for `out_bits`, any strides, and may be `planes`. Results are rounded half up and clipped to 0 to
    2**out_bits - 1. Luma takes its chroma by bilinear interpolation from samples that lie on even luma columns
    and, for 4:2:0, halfway between two luma rows (ITU-T H.273 Chroma420SampleLocType 0, as in MPEG-2 and H.264);
    edges are repeated. Arithmetic is float32: within 1/100 code value of exact before rounding.
    Raises `ValueError` when a shape, type or the matrix does not fit (Cb, Cr must not depend on luma).
    """
    check_frame(planes, bits, out, out_bits)
    matrix, offset = check_affine(matrix, offset)
    convert_luma(planes, matrix[0], offset[0], out[0], out_bits)
    convert_chroma(planes[1:], matrix[1:, 1:], offset[1:], out[1:], out_bits)


def check_frame(planes: Planes, bits: int, out: Planes, out_bits: int) -> None:
    """Raise `ValueError` unless `planes` and `out` are frames of one size and subsampling with these bits."""
    for name, plane, target in zip(("luma", "Cb", "Cr"), planes, out, strict=True):
        check_plane(plane, name)
        check_plane(target, f"{name} of out", like=plane)
        check_writable(target, f"{name} of out")
        check_bits(plane, bits)
        check_bits(target, out_bits)
    height, width = planes[0].shape
    chroma = planes[1].shape
    if planes[2].shape != chroma or chroma not in (
        (height, width),
        (height, -(-width // 2)),
        (-(-height // 2), -(-width // 2)),
    ):
        raise ValueError(f"chroma {chroma}, {planes[2].shape} does not go with luma {planes[0].shape}")


def check_affine(matrix: Any, offset: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both as float64; raise `ValueError` for a wrong shape or where Cb or Cr depend on luma."""
    matrix, offset = np.asarray(matrix, np.float64), np.asarray(offset, np.float64)
    if matrix.shape != (3, 3) or offset.shape != (3,):
        raise ValueError(f"matrix {matrix.shape} and offset {offset.shape} must be (3, 3) and (3,)")
    if matrix[1, 0] != 0.0 or matrix[2, 0] != 0.0:
        raise ValueError("Cb and Cr must not depend on luma")
    return matrix, offset


def convert_luma(planes: Planes, row: NDArray[np.float64], constant: float, out: Plane, out_bits: int) -> None:
    """Write `row @ (Y, Cb, Cr) + constant` to `out`; see `convert_ycbcr`, which checks what this takes."""
    luma, blue, red = planes
    target = packed_target(out)
    result = (*samples(target, writable=True), _f32((1 << out_bits) - 1))
    if row[1] == 0.0 and row[2] == 0.0:
        _affine_plane(*samples(packed(luma)), *luma.shape, _f32(row[0]), _f32(constant), *result)
    else:
        mixture = np.array([row[1], row[2], constant], _f32)
        chroma = (*samples(packed(blue)), *samples(packed(red)), *blue.shape, mixture)
        _affine_luma(*samples(packed(luma)), *luma.shape, _f32(row[0]), *chroma, *result)
    if target is not out:
        out[...] = target


def convert_chroma(
    chroma: tuple[Plane, Plane],
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    out: tuple[Plane, Plane],
    out_bits: int,
) -> None:
    """Write `matrix @ (Cb, Cr) + offset` to `out`; see `convert_ycbcr`, which checks what this takes."""
    blue, red = (samples(packed(plane)) for plane in chroma)
    targets = [packed_target(plane) for plane in out]
    new_blue, new_red = (samples(target, writable=True) for target in targets)
    rows = np.column_stack([matrix, offset]).astype(_f32)
    _affine_chroma(*blue, *red, *chroma[0].shape, rows, *new_blue, *new_red, _f32((1 << out_bits) - 1))
    for plane, target in zip(out, targets, strict=True):
        if target is not plane:
            plane[...] = target


@kernel
def _affine_plane(luma, pitch, height, width, gain, constant, out, out_pitch, top):  # type: ignore[no-untyped-def]
    rounded = _f32(constant + _f32(0.5))
    for y in range(height):
        a = _at(y * pitch)
        b = _at(y * out_pitch)
        for x in range(_at(width)):
            value = gain * _f32(luma[a + x]) + rounded
            out[b + x] = np.int32(min(max(value, _f32(0.0)), top))


@kernel
def _affine_luma(  # type: ignore[no-untyped-def]
    luma, pitch, height, width, gain,
    blue, blue_pitch, red, red_pitch, chroma_height, chroma_width, mixture, out, out_pitch, top,
):  # fmt: skip
    mixed = np.empty(3 * chroma_width, np.float32)
    blended = np.empty(chroma_width + 1, np.float32)
    shift = np.empty(2 * chroma_width, np.float32)
    known = 0
    for y in range(height):
        known = chroma_shift(
            y, height, width, blue, blue_pitch, red, red_pitch, chroma_height, chroma_width, mixture,
            known, mixed, blended, shift,
        )  # fmt: skip
        a = _at(y * pitch)
        b = _at(y * out_pitch)
        for x in range(_at(width)):
            value = gain * _f32(luma[a + x]) + shift[x]
            out[b + x] = np.int32(min(max(value, _f32(0.0)), top))


@kernel
def chroma_shift(  # type: ignore[no-untyped-def]
    y, height, width, blue, blue_pitch, red, red_pitch, chroma_height, chroma_width, mixture,
    known, mixed, blended, shift,
):  # fmt: skip
    """Fill `shift` with what chroma and the constant add to luma row `y`, and 1/2 to round; return new `known`.

    Cb and Cr are mixed first, so that one row is interpolated and not two. `mixed` keeps the last three
    rows, the first `known` of which were made; `blended` has room for one sample more than a chroma row.
    Rows are asked for from the top down.
    """
    near = y
    far = y
    if chroma_height < height:
        near = y // 2
        far = min(max(near - 1 + 2 * (y % 2), 0), chroma_height - 1)
    while known <= max(near, far):
        row = _at(known % 3 * chroma_width)
        a = _at(known * blue_pitch)
        b = _at(known * red_pitch)
        for x in range(_at(chroma_width)):
            mixture_here = mixture[0] * _f32(blue[a + x]) + mixture[1] * _f32(red[b + x])
            mixed[row + x] = mixture_here + mixture[2] + _f32(0.5)
        known += 1
    row = _at(near % 3 * chroma_width)
    other = _at(far % 3 * chroma_width)
    for x in range(_at(chroma_width)):
        blended[x] = _f32(0.75) * mixed[row + x] + _f32(0.25) * mixed[other + x]
    if chroma_width < width:
        blended[chroma_width] = blended[chroma_width - 1]
        for x in range(_at(chroma_width)):
            shift[_at(2) * x] = blended[x]
            shift[_at(2) * x + _at(1)] = _f32(0.5) * (blended[x] + blended[x + _at(1)])
    else:
        shift[:chroma_width] = blended[:chroma_width]
    return known


@kernel
def _affine_chroma(  # type: ignore[no-untyped-def]
    blue, blue_pitch, red, red_pitch, height, width, rows,
    new_blue, new_blue_pitch, new_red, new_red_pitch, top,
):  # fmt: skip
    half = _f32(0.5)
    for y in range(height):
        a = _at(y * blue_pitch)
        b = _at(y * red_pitch)
        c = _at(y * new_blue_pitch)
        d = _at(y * new_red_pitch)
        for x in range(_at(width)):
            u = _f32(blue[a + x])
            v = _f32(red[b + x])
            first = rows[0, 0] * u + rows[0, 1] * v + rows[0, 2] + half
            second = rows[1, 0] * u + rows[1, 1] * v + rows[1, 2] + half
            new_blue[c + x] = np.int32(min(max(first, _f32(0.0)), top))
            new_red[d + x] = np.int32(min(max(second, _f32(0.0)), top))
