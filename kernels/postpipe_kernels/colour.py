"""Conversions between YCbCr encodings: other matrix, range or bit depth, without going through RGB."""

# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-calls
# (numba, not mypy, types the kernels' arguments)

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
"""Luma weights of red and blue by matrix, in libav's names. Source: ITU-T H.273, clause 8.3 (MatrixCoefficients)."""


def rgb_to_ycbcr(matrix: str) -> NDArray[np.float64]:
    """Return the 3x3 matrix from non-linear R'G'B' (0 to 1) to Y' (0 to 1), Cb, Cr (-0.5 to 0.5).

    Source: ITU-T H.273, clause 8.3. Raises `ValueError` for a matrix not in `KR_KB`.
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

    `range_` is "limited" or "full". Source: ITU-T H.273, clause 8.3
    (VideoFullRangeFlag). Raises `ValueError` for another name.
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


def convert_luma(
    planes: Planes,
    row: NDArray[np.float64],
    constant: float,
    out: Plane,
    out_bits: int,
    levels: NDArray[np.float32] | None = None,
) -> None:
    """Write `row @ (Y, Cb, Cr) + constant` to `out`; see `convert_ycbcr`, which checks what this takes.

    `levels`, if given, is what to add for each value that a luma sample can have, in place of `row[0] * Y`.
    """
    luma, blue, red = planes
    if levels is None and row[1] == 0.0 and row[2] == 0.0:
        _convert_plane(luma, row[0], constant, out, out_bits)
        return
    target = packed_target(out)
    table = np.empty(0, _f32) if levels is None else levels
    mixture = np.array([row[1], row[2], constant], _f32)
    chroma = (*samples(packed(blue)), *samples(packed(red)), *blue.shape, mixture)
    gains = _f32(row[0]), _f32(row[0] / (1 << 8 * luma.itemsize))
    odd_factor, top = np.int32(1 << 8 * out.itemsize), _f32((1 << out_bits) - 1)
    source = (*_with_pairs(packed(luma)), *luma.shape, *gains, table)
    _mixed_luma(*source, *chroma, *_with_pairs(target, writable=True), odd_factor, top)
    if target is not out:
        out[...] = target


def _convert_plane(plane: Plane, gain: float, constant: float, out: Plane, out_bits: int) -> None:
    """Write `gain * sample + constant` to `out`."""
    target = packed_target(out)
    source = (*samples(packed(plane)), *plane.shape)
    _affine_plane(*source, _f32(gain), _f32(constant), *samples(target, writable=True), _f32((1 << out_bits) - 1))
    if target is not out:
        out[...] = target


def _with_pairs(plane: NDArray[Any], writable: bool = False) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Return `(memory, the same memory as words of two samples, pitch)`."""
    memory, pitch = samples(plane, writable)
    word = np.uint16 if plane.itemsize == 1 else np.uint32
    return memory, memory[: memory.size // 2 * 2].view(word), pitch


def convert_chroma(
    chroma: tuple[Plane, Plane],
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    out: tuple[Plane, Plane],
    out_bits: int,
) -> None:
    """Write `matrix @ (Cb, Cr) + offset` to `out`; see `convert_ycbcr`, which checks what this takes."""
    if matrix[0, 1] == 0.0 and matrix[1, 0] == 0.0:
        for i in range(2):
            _convert_plane(chroma[i], matrix[i, i], offset[i], out[i], out_bits)
        return
    blue, red = (samples(packed(plane)) for plane in chroma)
    targets = [packed_target(plane) for plane in out]
    new_blue, new_red = (samples(target, writable=True) for target in targets)
    rows = np.column_stack([matrix, offset]).astype(_f32)
    _affine_chroma(*blue, *red, *chroma[0].shape, rows, *new_blue, *new_red, _f32((1 << out_bits) - 1))
    for plane, target in zip(out, targets, strict=True):
        if target is not plane:
            plane[...] = target


@kernel
def _code(value, top):
    """Return the code value of a level that already has 1/2 added for rounding."""
    return np.int32(min(max(value, _f32(0.0)), top))


@kernel
def _affine_plane(luma, pitch, height, width, gain, constant, out, out_pitch, top):
    rounded = _f32(constant + _f32(0.5))
    for y in range(height):
        a = _at(y * pitch)
        b = _at(y * out_pitch)
        for x in range(_at(width)):
            out[b + x] = _code(gain * _f32(luma[a + x]) + rounded, top)


@kernel
def _mixed_luma(
    luma, pairs, pitch, height, width, gain, odd_gain, table,
    blue, blue_pitch, red, red_pitch, chroma_height, chroma_width, mixture,
    out, out_pairs, out_pitch, odd_factor, top,
):  # fmt: skip
    # Where chroma is subsampled, even and odd columns differ in their chroma. Both are read and written as
    # the halves of one word, for which SIMD needs no shuffles. The odd sample is never shifted down, but
    # weighted by its place in the word: LLVM would shift by a variable in 64 bits.
    mixed = np.empty(3 * chroma_width, np.float32)
    shift = np.empty(chroma_width + 1, np.float32)
    levels = np.empty(width, np.float32)
    odd_levels = np.empty(width // 2, np.float32)
    low = np.int32((1 << 4 * pairs.itemsize) - 1)
    half = np.uint32(4 * pairs.itemsize)
    whole_pairs = 0 if chroma_width == width else width // 2
    known = 0
    for y in range(height):
        known = _chroma_shift(
            y, height, blue, blue_pitch, red, red_pitch, chroma_height, chroma_width, mixture, known, mixed, shift
        )
        a = _at(y * pitch // 2)
        b = _at(y * out_pitch // 2)
        if table.size == 0:
            for x in range(_at(whole_pairs)):
                pair = np.int32(pairs[a + x])
                even_code = np.int32(pair & low)
                even = gain * _f32(even_code) + shift[x]
                odd = odd_gain * _f32(np.int32(pair - even_code)) + _f32(0.5) * (shift[x] + shift[x + _at(1)])
                out_pairs[b + x] = np.int32(_code(even, top) + np.int32(_code(odd, top) * odd_factor))
        else:
            for x in range(_at(whole_pairs)):  # looking up is scalar: on its own, the rest stays SIMD
                word = np.uint32(pairs[a + x])
                levels[x] = table[word & np.uint32(low)]
                odd_levels[x] = table[word >> half]
            for x in range(_at(whole_pairs)):
                even = levels[x] + shift[x]
                odd = odd_levels[x] + _f32(0.5) * (shift[x] + shift[x + _at(1)])
                out_pairs[b + x] = np.int32(_code(even, top) + np.int32(_code(odd, top) * odd_factor))
        a = _at(y * pitch)
        b = _at(y * out_pitch)
        for x in range(_at(2 * whole_pairs), _at(width)):
            levels[x] = gain * _f32(luma[a + x]) if table.size == 0 else table[luma[a + x]]
        for x in range(_at(2 * whole_pairs), _at(width)):
            out[b + x] = _code(levels[x] + shift[x - _at(whole_pairs)], top)


@kernel
def _chroma_shift(
    y, height, blue, blue_pitch, red, red_pitch, chroma_height, chroma_width, mixture, known, mixed, shift
):
    """Fill `shift` with what chroma and the constant add to luma row `y`, and 1/2 to round; return new `known`.

    Cb and Cr are mixed first, so that one row is interpolated and not two. `mixed` keeps the last three
    rows, of which the first `known` of the plane were made. `shift` is as wide as a row of chroma and one
    sample more, a copy of the last. Rows are asked for from the top down.
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
            mixed[row + x] = mixture_here + (mixture[2] + _f32(0.5))
        known += 1
    row = _at(near % 3 * chroma_width)
    other = _at(far % 3 * chroma_width)
    for x in range(_at(chroma_width)):
        shift[x] = _f32(0.75) * mixed[row + x] + _f32(0.25) * mixed[other + x]
    shift[chroma_width] = shift[chroma_width - 1]
    return known


@kernel
def _affine_chroma(
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
            new_blue[c + x] = _code(first, top)
            new_red[d + x] = _code(second, top)
