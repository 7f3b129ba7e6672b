"""Point operations: neighbours are fused, and applied to a frame in as few kernel calls as give the same result."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from postpipe_kernels import point
from postpipe_kernels.colour import code_scale
from postpipe_kernels.retouch import retouch

from postpipe.engine.stage import PointOp, PointParams
from postpipe.media.frames import allocate_like
from postpipe.model import PIXEL_FORMATS, Frame, PixelFormat


def point_pass(frames: Iterator[Frame], operations: tuple[PointOp, ...]) -> Iterator[Frame]:
    """Apply neighbouring point operations in one kernel call per frame."""
    for frame in frames:
        for params in fuse([params for op in operations if (params := op.at(frame)) is not None]):
            frame = apply_point(frame, params)  # noqa: PLW2901 (the frame goes through each in turn)
        yield frame


def fuse(params: Sequence[PointParams]) -> list[PointParams]:
    """Combine point operations that follow each other into as few as give the same result."""
    fused: list[PointParams] = []
    for item in params:
        both = _joined(fused[-1], item) if fused else None
        if both is None:
            fused.append(item)
        else:
            fused[-1] = both
    return fused


def _joined(first: PointParams, then: PointParams) -> PointParams | None:
    """Return two operations as one, or `None` where one cannot hold both."""
    if first.lut is not None:  # what can join a look is one that follows it, alone
        alone = then.luma_curve is None and then.matrix is None and then.lut is not None
        lut = first.lut.then(then.lut) if alone and then.lut is not None else None
        return None if lut is None else replace(first, lut=lut)
    if then.chroma_curve is not None:
        return None
    curve, matrix, offset = first.luma_curve, then.matrix, then.offset
    if then.luma_curve is not None:
        if first.matrix is not None or first.chroma_curve is not None:
            return None
        curve = then.luma_curve if curve is None else then.luma_curve[curve]
    if first.matrix is not None and first.offset is not None:
        if first.bits != then.bits:
            return None
        matrix = first.matrix if matrix is None else matrix @ first.matrix
        offset = first.offset if then.matrix is None or offset is None else then.matrix @ first.offset + offset
    return replace(
        first,
        luma_curve=curve,
        matrix=matrix,
        offset=offset,
        bits=then.bits or first.bits,
        colour=then.colour or first.colour,
        lut=then.lut,
    )


def apply_point(frame: Frame, params: PointParams) -> Frame:
    """Return a new frame with one point operation applied by the point kernel."""
    curve, depth = params.luma_curve, frame.pixel_format.bits
    bits = params.bits or depth
    if curve is not None and params.chroma_curve is not None:
        retouched = allocate_like(frame)
        black = float(code_scale(frame.colour.range, depth)[1][0])
        retouch(
            frame.planes,
            depth,
            retouched.planes,
            curve=curve,
            chroma=params.chroma_curve,
            black=black,
            mixture=params.mixture,
            grid=params.grid,
        )
        if params.matrix is None and params.lut is None and params.colour is None and bits == depth:
            return retouched
        frame, curve = retouched, None
    out = allocate_like(frame, pixel_format=_with_bits(frame.pixel_format, bits), colour=params.colour)
    point.apply_point(
        frame.planes,
        depth,
        out.planes,
        bits,
        curve=curve,
        matrix=params.matrix,
        offset=params.offset,
        lut=params.lut,
    )
    return out


@functools.cache
def _with_bits(pixel_format: PixelFormat, bits: int) -> PixelFormat:
    return next(
        other
        for other in PIXEL_FORMATS.values()
        if (other.bits, other.chroma_shift_x, other.chroma_shift_y)
        == (bits, pixel_format.chroma_shift_x, pixel_format.chroma_shift_y)
    )
