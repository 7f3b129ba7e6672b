"""The point operation of the render pass: everything that changes a pixel by itself, in one call per frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels.colour import Planes, check_affine, check_frame, convert_chroma, convert_luma
from postpipe_kernels.lut3d import Lut3d, apply_lut
from postpipe_kernels.tone import apply_curve


def apply_point(
    planes: Planes,
    bits: int,
    out: Planes,
    out_bits: int,
    *,
    curve: NDArray[Any] | None = None,
    matrix: NDArray[np.float64] | None = None,
    offset: NDArray[np.float64] | None = None,
    lut: Lut3d | None = None,
) -> None:
    """Write `matrix @ (curve[Y], Cb, Cr) + offset` to `out`, rounded once.

    `planes`, `out` and their bits, the siting of chroma, rounding and clipping are those of
    `colour.convert_ycbcr`; `out` may be `planes`. `curve`, 1-D with 2**bits entries, gives luma in (fractional)
    code values of `planes`; samples beyond its end take its last entry; `None` leaves luma alone.
    `matrix` (3, 3) and `offset` (3,) are as from `colour.ycbcr_matrix`; without them code values are scaled by
    2**(out_bits - bits), and chroma is only copied where that is 1. `lut` takes what comes out of all that to its
    own transform, before it is rounded; see `lut3d.apply_lut`.
    Raises `ValueError` when a shape, type or the matrix does not fit.
    """
    if lut is not None:
        apply_lut(planes, bits, out, out_bits, lut, curve=curve, matrix=matrix, offset=offset)
        return
    check_frame(planes, bits, out, out_bits)
    untouched_chroma = matrix is None and offset is None and bits == out_bits
    scale = 2.0 ** (out_bits - bits)
    matrix, offset = check_affine(
        np.eye(3) * scale if matrix is None else matrix, np.zeros(3) if offset is None else offset
    )
    if curve is None:
        convert_luma(planes, matrix[0], offset[0], out[0], out_bits)
    else:
        if curve.shape != (1 << bits,):
            raise ValueError(f"curve has shape {curve.shape}, expected {(1 << bits,)}")
        _apply_luma(planes, curve.astype(np.float64), matrix[0], offset[0], out[0], out_bits)
    if not untouched_chroma:
        convert_chroma(planes[1:], matrix[1:, 1:], offset[1:], out[1:], out_bits)
    else:
        for plane, target in zip(planes[1:], out[1:], strict=True):
            if target is not plane:
                target[...] = plane


def _apply_luma(
    planes: Planes,
    curve: NDArray[np.float64],
    row: NDArray[np.float64],
    constant: float,
    out: Any,
    out_bits: int,
) -> None:
    luma = planes[0]
    levels = row[0] * curve
    top = (1 << out_bits) - 1
    if row[1] == 0.0 and row[2] == 0.0:
        table = np.clip(np.floor(levels + constant + 0.5), 0, top).astype(out.dtype)
        apply_curve(luma, table, out)
        return
    table = np.empty(256 if luma.dtype == np.uint8 else 65536, np.float32)  # no look-up can leave it
    table[: curve.size] = levels
    table[curve.size :] = levels[-1]
    convert_luma(planes, row, constant, out, out_bits, levels=table)
