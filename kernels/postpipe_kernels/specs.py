"""The table of all kernels. Tests, benchmark, warm-up and the page about kernels are made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels import (
    blend,
    colour,
    double,
    flash,
    likeness,
    luma,
    overlay,
    peers,
    pixels,
    point,
    reference,
    reference_double,
    reference_marks,
    resize,
    retouch,
    shrink,
    spread,
    tiles,
    tone,
    watermark,
)
from postpipe_kernels.lut3d import Lut3d
from postpipe_kernels.transform import Transform

Layout = Callable[[NDArray[Any]], NDArray[Any]]
"""Gives a plane of the same samples that lies in memory in some way."""

Example = Callable[[int, int, str, Layout], dict[str, Any]]
"""Makes a kernel's arguments: `(height, width, "uint8" or "uint16", layout)`."""


@dataclass(frozen=True)
class KernelSpec:
    """One kernel, and what must be known to test, time and explain it.

    `kernel` and `twin` take the keyword arguments that `example` makes and fill those named in `outputs`, alike
    within `tolerance`, in `units`. `peers` do the same work with another library, with the same arguments; they
    import it when called.
    """

    name: str
    does: str
    kernel: Callable[..., Any]
    twin: Callable[..., Any]
    example: Example
    outputs: tuple[str, ...]
    tolerance: float
    units: str
    peers: Mapping[str, Callable[..., Any]]


def padded(plane: NDArray[Any]) -> NDArray[Any]:
    """Lay a plane out as libav does: rows padded to 64 bytes, and 64 more."""
    height, width = plane.shape
    pitch = (-(-width * plane.itemsize // 64) + 1) * 64 // plane.itemsize
    buffer = np.zeros((height, pitch), plane.dtype)
    buffer[:, :width] = plane
    return buffer[:, :width]


LAYOUTS: dict[str, Layout] = {
    "padded": padded,
    "contiguous": np.ascontiguousarray,
    "rotated": lambda plane: np.rot90(padded(np.rot90(plane, -1))),
    "flipped": lambda plane: padded(plane[::-1, ::-1])[::-1, ::-1],
    "columns of a wider one": lambda plane: np.repeat(plane, 3, axis=1)[:, ::3],
}


def picture(height: int, width: int, dtype: str, seed: int = 0) -> NDArray[Any]:
    """Return a plane that resembles one: slow waves over most of the range, and a little noise."""
    top = 255 if dtype == "uint8" else 1023
    y, x = np.mgrid[:height, :width]
    waves = 0.5 + 0.4 * np.sin((x + 31 * seed) / 97.0) * np.cos((y - 17 * seed) / 61.0)
    noise = np.random.default_rng(seed).normal(0.0, 0.01, (height, width))
    plane: NDArray[Any] = np.clip((waves + noise) * top, 0, top).astype(dtype)
    return plane


def bits_of(dtype: str) -> int:
    """Return the bits per sample that examples of a type have."""
    return 8 if dtype == "uint8" else 10


def _frame(height: int, width: int, dtype: str, layout: Layout) -> colour.Planes:
    half = -(-height // 2), -(-width // 2)
    return (
        layout(picture(height, width, dtype)),
        layout(picture(*half, dtype, seed=1)),
        layout(picture(*half, dtype, seed=2)),
    )


def _measure(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    histogram, tile_sums, small, block_sums = luma.empty_measures(height, width, bits_of(dtype))
    return {
        "luma": layout(picture(height, width, dtype)),
        "previous": layout(picture(height, width, dtype, seed=1)),
        "bits": bits_of(dtype),
        "histogram": histogram,
        "tile_sums": tile_sums,
        "small": small,
        "block_sums": block_sums,
    }


def _sharpness(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    return {"luma": layout(picture(height, width, dtype)), "bits": bits_of(dtype)}


def _shrink(rows: int, columns: int) -> Example:
    def example(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
        plane = layout(picture(height, width, dtype))
        return {
            "plane": plane,
            "rows": rows,
            "columns": columns,
            **dict(zip(("out", "block_sums"), shrink.empty_small(plane, rows, columns), strict=True)),
        }

    return example


def _compare(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    small, previous = (np.ascontiguousarray(picture(height, width, dtype, seed)) for seed in range(2))
    return {"small": small, "previous": previous, "over": 10}


def _find_swings(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    planes = [np.ascontiguousarray(picture(height, width, dtype, seed)) for seed in range(3)]
    swings = flash.Swings.of(height * width)
    swings.low[:], swings.high[:] = [[9600], [4000]], [[19200], [10000]]
    swings.sense[:] = np.arange(height * width) % 3 - 1
    return {
        **dict(zip(("luma", "blue", "red"), planes, strict=True)),
        "bits": bits_of(dtype),
        "rows": flash.rgb_rows("bt709", "limited", bits_of(dtype)),
        "weights": np.array([0.2126, 0.7152, 0.0722], np.float32),
        "swings": swings,
    }


def _tally(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    counts = (np.arange(height * width) % 7).astype(np.uint8)
    return {
        "cells": np.arange(0, counts.size, 3),
        "by": 1 if dtype == "uint8" else -1,
        "counts": counts,
        "areas": np.bincount(counts, minlength=256),
    }


def _read_bits(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    ones, blocks = np.zeros((2, 48), np.int64)
    return {"plane": layout(picture(height, width, dtype)), "ones": ones, "blocks": blocks}


def _write_bits(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    plane, bits = picture(height, width, dtype), (np.arange(48) % 3 == 0).astype(np.uint8)
    return {"plane": layout(plane), "bits": bits, "out": layout(np.zeros_like(plane))}


def _sides(height: int, width: int) -> NDArray[np.int8]:
    sides = np.random.default_rng(5).integers(0, 2, (height // 8, width // 8, 3), np.int8) * 2 - 1
    return sides.astype(np.int8)


def _draw(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    small = layout(picture(height, width, dtype))
    out = np.zeros((height, width), np.float32)
    return {"small": small, "sides": _sides(height, width), "scale": float(1 << (bits_of(dtype) - 8)), "out": out}


def _weigh(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    arguments = _draw(max(8, height), max(8, width), dtype, layout)
    return {**arguments, "out": np.zeros(arguments["sides"].shape, np.float32)}


def _lay(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    plane = picture(height, width, dtype)
    pattern = np.random.default_rng(6).normal(0, 3, (-(-height // 2), -(-width // 2))).astype(np.float32)
    rows, columns = ((np.arange(length) // 2).astype(np.int32) for length in (height, width))
    places = {"pattern": pattern, "rows": rows, "columns": columns, "top": (1 << bits_of(dtype)) - 1}
    return {"plane": layout(plane), **places, "out": layout(np.zeros_like(plane))}


def _edges(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    planes = [np.ascontiguousarray(picture(height, width, dtype, seed)) for seed in range(2)]
    sums = overlay.EdgeSums.of((height, width))
    return {**dict(zip(("picture", "earlier"), planes, strict=True)), "sums": sums}


def _steps(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    seeds = (0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2)
    pictures = np.stack([picture(height, width, dtype, seed) for seed in seeds])
    return {"pictures": pictures, "scale": 1 << (bits_of(dtype) - 8), "out": np.zeros((height, width), np.uint8)}


def _cells(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    size = max(4, height), max(4, width)
    steps = np.random.default_rng(7).integers(0, 3, size, np.uint8)
    out = np.zeros((size[0] // 4, size[1] // 4), np.uint8)
    return {"steps": steps, "picture": picture(*size, dtype), "which": 1, "bright": 100, "out": out}


def _groups(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    cells = (np.random.default_rng(8).random((height, width)) < 0.2).astype(np.uint8)
    return {"cells": cells, "out": np.zeros((64, 4), np.int32)}


def _gamma(dtype: str) -> NDArray[np.float64]:
    top = (1 << bits_of(dtype)) - 1
    levels: NDArray[np.float64] = np.linspace(0.0, 1.0, top + 1) ** 0.9 * top
    return levels


def _curve(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    plane = picture(height, width, dtype)
    return {"luma": layout(plane), "curve": _gamma(dtype).astype(dtype), "out": layout(np.zeros_like(plane))}


def _blend(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    planes = [layout(picture(height, width, dtype, seed)) for seed in (0, 1)]
    return {"under": planes[0], "over": planes[1], "weight": 0.3, "out": layout(np.zeros((height, width), dtype))}


def _match(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    planes = [layout(picture(height, width, dtype, seed)) for seed in (0, 1)]
    return {"picture": planes[0], "other": planes[1], "side": 8, "reach": 2, "gain": 0.8, "offset": 3.0}


def _point(with_curve: bool, from_: tuple[str, str] | None, deeper: bool = False) -> Example:
    """Make examples for point operations: to bt709, limited, from a matrix and range; or without a matrix."""

    def example(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
        other = {"uint8": "uint16", "uint16": "uint8"}[dtype] if deeper else dtype
        bits, out_bits = bits_of(dtype), bits_of(other)
        arguments: dict[str, Any] = {
            "planes": _frame(height, width, dtype, layout),
            "bits": bits,
            "out": _frame(height, width, other, layout),
            "out_bits": out_bits,
        }
        if with_curve:
            arguments["curve"] = _gamma(dtype)
        if from_ is not None:
            conversion = colour.ycbcr_matrix(*from_, bits, "bt709", "limited", out_bits)
            arguments["matrix"], arguments["offset"] = conversion
        return arguments

    return example


def _to_pixels(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    bits = bits_of(dtype)
    conversion = pixels.pixel_matrix("bt709", "limited", bits, 8 * np.dtype(dtype).itemsize)
    arguments = {"planes": _frame(height, width, dtype, layout), "bits": bits}
    return {**arguments, **_affine(conversion), "out": np.zeros((height, width, 3), dtype)}


def _from_pixels(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    bits = bits_of(dtype)
    conversion = pixels.plane_matrix("bt709", "limited", bits, 8 * np.dtype(dtype).itemsize)
    channels = [picture(height, width, dtype, seed).astype(np.float64) for seed in (3, 4, 5)]
    span = np.iinfo(dtype).max / ((1 << bits) - 1)
    colours = (np.stack(channels, axis=2) * span).astype(dtype)
    out = {"out": _frame(height, width, dtype, layout), "out_bits": bits}
    return {"pixels": colours, **_affine(conversion), **out}


def _affine(conversion: tuple[NDArray[np.float64], NDArray[np.float64]]) -> dict[str, Any]:
    return {"matrix": conversion[0], "offset": conversion[1]}


def _look(with_curve: bool, from_: tuple[str, str] | None) -> Example:
    """Make examples for a look: a gamma, warmer and less saturated, on what `_point` makes."""
    point_example = _point(with_curve, from_)

    def example(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
        ramp = np.linspace(0.0, 1.0, 257)
        shaper = np.stack([ramp**0.9, ramp, 0.95 * ramp**1.1])
        mix = 0.8 * np.eye(3) + 0.2 * np.array([0.2126, 0.7152, 0.0722])
        lut = Lut3d(Transform(shaper, mix, "bt709", "limited"))
        return {**point_example(height, width, dtype, layout), "lut": lut}

    return example


def _resample(kind: str, numerator: int, denominator: int) -> Example:
    def example(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
        rows, columns = (-(-length * numerator // denominator) for length in (height, width))
        return {
            "plane": layout(picture(height, width, dtype)),
            "out": layout(np.zeros((rows, columns), dtype)),
            "x_taps": resize.taps(width, columns, kind=kind),
            "y_taps": resize.taps(height, rows, kind=kind),
        }

    return example


def _double(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    return {
        "plane": layout(picture(height, width, dtype)),
        "out": layout(np.zeros((2 * height, 2 * width), dtype)),
        "bank": double.learnt_bank(),
        "bits": bits_of(dtype),
    }


def _boxes(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    box = min(height, 16), min(width, 8)
    out = np.zeros((height // box[0], width // box[1]), np.float32)
    return {"plane": layout(picture(height, width, dtype)), "box": box, "out": out}


def _small(height: int, width: int, dtype: str, seed: int = 0) -> list[NDArray[np.float32]]:
    """Return Y', Cb, Cr of a small picture, of the size of a frame or of the small picture of a large one."""
    shape = min(height, 68), min(width, 120)
    return [picture(*shape, dtype, seed=seed + n).astype(np.float32) for n in range(3)]


def _log_colours(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    luma_, blue, red = _small(height, width, dtype)
    scale, zero = colour.code_scale("limited", bits_of(dtype))
    core = np.linalg.inv(colour.rgb_to_ycbcr("bt709")) / scale
    return {
        "luma": luma_,
        "blue": ((blue - zero[1]) / 4 + zero[1]).astype(np.float32),
        "red": ((red - zero[2]) / 4 + zero[2]).astype(np.float32),
        "to_rgb": np.column_stack([core, -core @ zero]).astype(np.float32),
        "out": np.zeros((4, *luma_.shape), np.float32),
        "weight": np.zeros(luma_.shape, np.float32),
    }


def _tile_steps(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    first = _log_colours(height, width, dtype, layout)
    reference.log_colours(**first)
    rows, columns = first["weight"].shape
    tiled = max(1, rows // 10), max(1, columns // 10)
    flow = np.full((rows, columns, 2), 0.25, np.float32)
    return {
        "now": first["out"] + np.float32(0.01) * first["out"][:, ::-1],
        "weight": first["weight"],
        "before": first["out"],
        "weight_before": first["weight"],
        "flow": flow,
        "steps": np.zeros((*tiled, 3), np.float32),
        "spread": np.zeros(tiled, np.float32),
        "level": np.zeros((*tiled, 3), np.float32),
    }


def _retouch(mixed: bool, local: bool, alike: bool = False) -> Example:
    def example(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
        levels = np.linspace(0.0, 1.0, 1 << bits_of(dtype))
        arguments: dict[str, Any] = {
            "planes": _frame(height, width, dtype, layout),
            "bits": bits_of(dtype),
            "out": _frame(height, width, dtype, layout),
            "curve": _gamma(dtype),
            "chroma": np.stack([1.1 - 0.1 * levels, 3 * levels, 0.9 + 0.1 * levels, -3 * levels]),
            "black": float(16 << (bits_of(dtype) - 8)),
        }
        if alike:
            arguments["chroma"] = np.repeat([[1.02], [0.5], [0.98], [-0.5]], levels.size, axis=1)
        if mixed:
            arguments["mixture"] = (0.01, -0.02)
        if local:
            arguments["grid"] = np.float32(1) + np.float32(0.02) * np.random.default_rng(1).random((7, 12), np.float32)
        return arguments

    return example


SPECS: tuple[KernelSpec, ...] = (
    KernelSpec(
        "measure_luma", "histogram, 8x8 tile sums, difference to the frame before, 1/8 picture: one pass",
        luma.measure_luma, reference.measure_luma, _measure, ("histogram", "tile_sums", "small", "block_sums"),
        0, "counts, code values", {"opencv": peers.measure_luma, "numpy": reference.measure_luma},
    ),
    KernelSpec(
        "sharpness", "energy of the Laplacian on some rows",
        luma.sharpness, reference.sharpness, _sharpness, (),
        0, "1 (luma 0 to 1, squared)", {"numpy": reference.sharpness},
    ),
    KernelSpec(
        "shrink_chroma", "mean of blocks of 4x4: chroma of 4:2:0 on the grid of luma's 1/8 picture",
        shrink.shrink_plane, reference.shrink_plane, _shrink(4, 4), ("out", "block_sums"),
        0, "code values", {"opencv": peers.shrink_plane, "numpy": reference.shrink_plane},
    ),
    KernelSpec(
        "compare_small", "sum, number and largest of the changes between small pictures",
        shrink.compare_small, reference.compare_small, _compare, (),
        0, "code values, counts", {"numpy": reference.compare_small},
    ),
    KernelSpec(
        "find_swings", "swings of luminance and of saturated red, cell by cell, for flash screening",
        flash.find_swings, reference.find_swings, _find_swings, ("swings",),
        0, "1/32000", {"numpy": reference.find_swings},
    ),
    KernelSpec(
        "tally_swings", "count per cell, and how many cells have each count",
        flash.tally_swings, reference.tally_swings, _tally, ("counts", "areas"),
        0, "counts", {"numpy": reference.tally_swings},
    ),
    KernelSpec(
        "match_blocks", "blocks of 8x8 of one plane looked for in another, 2 samples around",
        likeness.match_blocks, reference.match_blocks, _match, (),
        0, "code values squared", {"numpy": reference.match_blocks},
    ),
    KernelSpec(
        "apply_curve", "tone curve by table",
        tone.apply_curve, reference.apply_curve, _curve, ("out",),
        0, "code values", {"opencv": peers.apply_curve, "numpy": reference.apply_curve},
    ),
    KernelSpec(
        "blend_planes", "two planes laid over each other: a dissolve",
        blend.blend_planes, reference.blend_planes, _blend, ("out",),
        0, "code values", {"opencv": peers.blend_planes, "numpy": reference.blend_planes},
    ),
    KernelSpec(
        "convert_matrix", "YCbCr 4:2:0 from BT.601 to BT.709",
        colour.convert_ycbcr, reference.convert_ycbcr, _point(False, ("smpte170m", "limited")), ("out",),
        1, "code values", {"opencv": peers.convert_ycbcr, "numpy": reference.convert_ycbcr},
    ),
    KernelSpec(
        "convert_range", "YCbCr 4:2:0 from full to limited range",
        colour.convert_ycbcr, reference.convert_ycbcr, _point(False, ("bt709", "full")), ("out",),
        1, "code values", {"opencv": peers.convert_range, "numpy": reference.convert_ycbcr},
    ),
    KernelSpec(
        "convert_depth", "YCbCr 4:2:0 between 8 and 10 bits",
        point.apply_point, reference.apply_point, _point(False, None, deeper=True), ("out",),
        0, "code values", {"numpy": reference.apply_point},
    ),
    KernelSpec(
        "convert_matrix_depth", "YCbCr 4:2:0 from BT.601 to BT.709, between 8 and 10 bits",
        colour.convert_ycbcr, reference.convert_ycbcr, _point(False, ("smpte170m", "limited"), deeper=True), ("out",),
        1, "code values", {"numpy": reference.convert_ycbcr},
    ),
    KernelSpec(
        "point_curve", "point operation: luma curve alone",
        point.apply_point, reference.apply_point, _point(True, None), ("out",),
        1, "code values", {"numpy": reference.apply_point},
    ),
    KernelSpec(
        "point_curve_matrix", "point operation: luma curve, then BT.601 to BT.709, 4:2:0",
        point.apply_point, reference.apply_point, _point(True, ("smpte170m", "limited")), ("out",),
        1, "code values", {"numpy": reference.apply_point},
    ),
    KernelSpec(
        "point_curve_depth", "point operation: luma curve, between 8 and 10 bits",
        point.apply_point, reference.apply_point, _point(True, None, deeper=True), ("out",),
        1, "code values", {"numpy": reference.apply_point},
    ),
    KernelSpec(
        "to_pixels", "YCbCr 4:2:0 to interleaved B'G'R'",
        pixels.to_pixels, reference.to_pixels, _to_pixels, ("out",),
        1, "code values", {"numpy": reference.to_pixels},
    ),
    KernelSpec(
        "from_pixels", "interleaved B'G'R' to YCbCr 4:2:0, the inverse of to_pixels",
        pixels.from_pixels, reference.from_pixels, _from_pixels, ("out",),
        1, "code values", {"numpy": reference.from_pixels},
    ),
    KernelSpec(
        "point_look", "point operation: colour look, 4:2:0",
        point.apply_point, reference.apply_point, _look(False, None), ("out",),
        1, "code values", {"numpy": reference.apply_point},
    ),
    KernelSpec(
        "point_curve_matrix_look", "point operation: luma curve, BT.601 to BT.709, then colour look, 4:2:0",
        point.apply_point, reference.apply_point, _look(True, ("smpte170m", "limited")), ("out",),
        1, "code values", {"numpy": reference.apply_point},
    ),
    KernelSpec(
        "upscale_lanczos3", "resampling to twice the size, 6x6 taps (OpenCV: Lanczos4, 8x8)",
        resize.resample_plane, reference.resample_plane, _resample("lanczos3", 2, 1), ("out",),
        1, "code values", {"opencv": peers.resize_lanczos4, "numpy": reference.resample_plane},
    ),
    KernelSpec(
        "upscale_sharp", "twice the size by filters learnt for edges, 5x5 taps (OpenCV: Lanczos4, 8x8)",
        double.double_plane, reference_double.double_plane, _double, ("out",),
        0, "code values", {"opencv": peers.double_lanczos4, "numpy": reference_double.double_plane},
    ),
    KernelSpec(
        "upscale_bicubic", "resampling to twice the size, 4x4 taps",
        resize.resample_plane, reference.resample_plane, _resample("bicubic", 2, 1), ("out",),
        1, "code values", {"opencv": peers.resize_cubic, "numpy": reference.resample_plane},
    ),
    KernelSpec(
        "downscale_area", "resampling to two thirds of the size by area",
        resize.resample_plane, reference.resample_plane, _resample("area", 2, 3), ("out",),
        1, "code values", {"opencv": peers.resize_area, "numpy": reference.resample_plane},
    ),
    KernelSpec(
        "box_means", "means of boxes of samples",
        tiles.box_means, reference.box_means, _boxes, ("out",),
        1e-3, "code values", {"numpy": reference.box_means},
    ),
    KernelSpec(
        "log_colours", "logarithms of R', G', B' and grey of a small picture",
        tiles.log_colours, reference.log_colours, _log_colours, ("out", "weight"),
        1e-4, "natural logarithms", {"numpy": reference.log_colours},
    ),
    KernelSpec(
        "tile_steps", "how much each tile of a small picture became brighter, along its motion",
        tiles.tile_steps, reference.tile_steps, _tile_steps, ("steps", "spread", "level"),
        1e-4, "natural logarithms", {"numpy": reference.tile_steps},
    ),
    KernelSpec(
        "retouch_gain", "luma curve, and chroma alike at all levels of luma, 4:2:0",
        retouch.retouch, reference.retouch, _retouch(False, False, alike=True), ("out",),
        1, "code values", {"numpy": reference.retouch},
    ),
    KernelSpec(
        "retouch", "luma curve and chroma by luma, 4:2:0",
        retouch.retouch, reference.retouch, _retouch(False, False), ("out",),
        1, "code values", {"numpy": reference.retouch},
    ),
    KernelSpec(
        "retouch_mixed", "luma curve, chroma by luma and luma by chroma, 4:2:0",
        retouch.retouch, reference.retouch, _retouch(True, False), ("out",),
        1, "code values", {"numpy": reference.retouch},
    ),
    KernelSpec(
        "retouch_local", "luma curve, chroma by luma and a grid of gains, 4:2:0",
        retouch.retouch, reference.retouch, _retouch(False, True), ("out",),
        1, "code values", {"numpy": reference.retouch},
    ),
    KernelSpec(
        "retouch_mixed_local", "all of it: luma curve, mixture, chroma by luma, grid of gains, 4:2:0",
        retouch.retouch, reference.retouch, _retouch(True, True), ("out",),
        1, "code values", {"numpy": reference.retouch},
    ),
    KernelSpec(
        "read_dwt_dct", "bits of a dwtDct mark, counted by block",
        watermark.read_dwt_dct, reference_marks.read_dwt_dct, _read_bits, ("ones", "blocks"),
        0, "counts", {"numpy": reference_marks.read_dwt_dct},
    ),
    KernelSpec(
        "write_dwt_dct", "bits hidden as dwtDct hides them",
        watermark.write_dwt_dct, reference_marks.write_dwt_dct, _write_bits, ("out",),
        0, "code values", {"numpy": reference_marks.write_dwt_dct},
    ),
    KernelSpec(
        "draw_mark", "what marks a small picture, cell by cell",
        spread.draw_mark, reference_marks.draw_mark, _draw, ("out",),
        1e-4, "code values", {"numpy": reference_marks.draw_mark},
    ),
    KernelSpec(
        "weigh_mark", "what each cell says for a mark",
        spread.weigh_mark, reference_marks.weigh_mark, _weigh, ("out",),
        1e-5, "votes", {"numpy": reference_marks.weigh_mark},
    ),
    KernelSpec(
        "lay_mark", "a small pattern added to a plane",
        spread.lay_mark, reference_marks.lay_mark, _lay, ("out",),
        1, "code values", {"numpy": reference_marks.lay_mark},
    ),
    KernelSpec(
        "add_edges", "edges and changes of a small picture summed up",
        overlay.add_edges, reference_marks.add_edges, _edges, ("sums",),
        0, "code values", {"numpy": reference_marks.add_edges},
    ),
    KernelSpec(
        "find_steps", "what came and stayed, and what had stayed and went",
        overlay.find_steps, reference_marks.find_steps, _steps, ("out",),
        0, "kinds", {"numpy": reference_marks.find_steps},
    ),
    KernelSpec(
        "count_cells", "pixels of one kind, counted in cells of 4x4",
        overlay.count_cells, reference_marks.count_cells, _cells, ("out",),
        0, "counts", {"numpy": reference_marks.count_cells},
    ),
    KernelSpec(
        "find_groups", "bounds of groups of touching cells",
        overlay.find_groups, reference_marks.find_groups, _groups, ("out",),
        0, "cells", {"numpy": reference_marks.find_groups},
    ),
)  # fmt: skip
"""Every kernel, at least once for each way its compiled code can be entered."""


def find(names: tuple[str, ...] | None = None) -> tuple[KernelSpec, ...]:
    """Return the rows with these names (all by default); raise `ValueError` for a name that is not there."""
    if names is None:
        return SPECS
    unknown = sorted(set(names) - {spec.name for spec in SPECS})
    if unknown:
        raise ValueError(f"unknown kernel {', '.join(unknown)}; known: {', '.join(s.name for s in SPECS)}")
    return tuple(spec for spec in SPECS if spec.name in names)


def markdown() -> str:
    """Return the table as it stands in the repository's `kernels/README.md`."""
    lines = ["| name | function | does | tolerance to the twin | peers |", "|---|---|---|---|---|"]
    for spec in SPECS:
        function = f"`{spec.kernel.__module__.rpartition('.')[2]}.{spec.kernel.__name__}`"
        tolerance = f"{spec.tolerance} ({spec.units})"
        lines.append(f"| {spec.name} | {function} | {spec.does} | {tolerance} | {', '.join(spec.peers)} |")
    return "\n".join(lines)
