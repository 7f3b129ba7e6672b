"""Arguments for every kernel, of any size, depth and place in memory: what the table of kernels is tried with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels import colour, double, flash, luma, overlay, pixels, reference, resize, shrink
from postpipe_kernels.lut3d import Lut3d
from postpipe_kernels.transform import Transform

Layout = Callable[[NDArray[Any]], NDArray[Any]]
"""Gives a plane of the same samples that lies in memory in some way."""

Example = Callable[[int, int, str, Layout], dict[str, Any]]
"""Makes a kernel's arguments: `(height, width, "uint8" or "uint16", layout)`."""


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


def for_measure(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
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


def for_sharpness(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    return {"luma": layout(picture(height, width, dtype)), "bits": bits_of(dtype)}


def for_shrink(rows: int, columns: int) -> Example:
    def example(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
        plane = layout(picture(height, width, dtype))
        return {
            "plane": plane,
            "rows": rows,
            "columns": columns,
            **dict(zip(("out", "block_sums"), shrink.empty_small(plane, rows, columns), strict=True)),
        }

    return example


def for_compare(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    small, previous = (np.ascontiguousarray(picture(height, width, dtype, seed)) for seed in range(2))
    return {"small": small, "previous": previous, "over": 10}


def for_find_swings(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
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


def for_tally(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    counts = (np.arange(height * width) % 7).astype(np.uint8)
    return {
        "cells": np.arange(0, counts.size, 3),
        "by": 1 if dtype == "uint8" else -1,
        "counts": counts,
        "areas": np.bincount(counts, minlength=256),
    }


def for_read_bits(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    ones, blocks = np.zeros((2, 48), np.int64)
    return {"plane": layout(picture(height, width, dtype)), "ones": ones, "blocks": blocks}


def for_write_bits(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    plane, bits = picture(height, width, dtype), (np.arange(48) % 3 == 0).astype(np.uint8)
    return {"plane": layout(plane), "bits": bits, "out": layout(np.zeros_like(plane))}


def _sides(height: int, width: int) -> NDArray[np.int8]:
    sides = np.random.default_rng(5).integers(0, 2, (height // 8, width // 8, 3), np.int8) * 2 - 1
    return sides.astype(np.int8)


def for_draw(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    small = layout(picture(height, width, dtype))
    out = np.zeros((height, width), np.float32)
    return {"small": small, "sides": _sides(height, width), "scale": float(1 << (bits_of(dtype) - 8)), "out": out}


def for_weigh(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    arguments = for_draw(max(8, height), max(8, width), dtype, layout)
    return {**arguments, "out": np.zeros(arguments["sides"].shape, np.float32)}


def for_lay(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    plane = picture(height, width, dtype)
    pattern = np.random.default_rng(6).normal(0, 3, (-(-height // 2), -(-width // 2))).astype(np.float32)
    rows, columns = ((np.arange(length) // 2).astype(np.int32) for length in (height, width))
    places = {"pattern": pattern, "rows": rows, "columns": columns, "top": (1 << bits_of(dtype)) - 1}
    return {"plane": layout(plane), **places, "out": layout(np.zeros_like(plane))}


def for_edges(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    plane = np.ascontiguousarray(picture(height, width, dtype, 0))
    return {"picture": plane, "sums": overlay.EdgeSums.of((height, width))}


def for_changes(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    pictures = np.stack([picture(height, width, "uint8", seed) for seed in (0, 0, 1, 2, 3, 3, 4)])
    return {"pictures": pictures, "middle": 3, "reach": 4, "out": np.zeros((height, width), np.int8)}


def for_cells(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    size = max(4, height), max(4, width)
    steps = np.random.default_rng(7).integers(0, 3, size, np.uint8)
    out = np.zeros((size[0] // 4, size[1] // 4), np.uint8)
    return {"steps": steps, "picture": picture(*size, dtype), "which": 1, "bright": 100, "out": out}


def for_groups(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    cells = (np.random.default_rng(8).random((height, width)) < 0.2).astype(np.uint8)
    return {"cells": cells, "out": np.zeros((64, 4), np.int32)}


def _gamma(dtype: str) -> NDArray[np.float64]:
    top = (1 << bits_of(dtype)) - 1
    levels: NDArray[np.float64] = np.linspace(0.0, 1.0, top + 1) ** 0.9 * top
    return levels


def for_curve(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    plane = picture(height, width, dtype)
    return {"luma": layout(plane), "curve": _gamma(dtype).astype(dtype), "out": layout(np.zeros_like(plane))}


def for_blend(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    planes = [layout(picture(height, width, dtype, seed)) for seed in (0, 1)]
    return {"under": planes[0], "over": planes[1], "weight": 0.3, "out": layout(np.zeros((height, width), dtype))}


def for_match(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    planes = [layout(picture(height, width, dtype, seed)) for seed in (0, 1)]
    return {"picture": planes[0], "other": planes[1], "side": 8, "reach": 2, "gain": 0.8, "offset": 3.0}


def for_point(with_curve: bool, from_: tuple[str, str] | None, deeper: bool = False) -> Example:
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


def for_to_pixels(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    bits = bits_of(dtype)
    conversion = pixels.pixel_matrix("bt709", "limited", bits, 8 * np.dtype(dtype).itemsize)
    arguments = {"planes": _frame(height, width, dtype, layout), "bits": bits}
    return {**arguments, **_affine(conversion), "out": np.zeros((height, width, 3), dtype)}


def for_from_pixels(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    bits = bits_of(dtype)
    conversion = pixels.plane_matrix("bt709", "limited", bits, 8 * np.dtype(dtype).itemsize)
    channels = [picture(height, width, dtype, seed).astype(np.float64) for seed in (3, 4, 5)]
    span = np.iinfo(dtype).max / ((1 << bits) - 1)
    colours = (np.stack(channels, axis=2) * span).astype(dtype)
    out = {"out": _frame(height, width, dtype, layout), "out_bits": bits}
    return {"pixels": colours, **_affine(conversion), **out}


def _affine(conversion: tuple[NDArray[np.float64], NDArray[np.float64]]) -> dict[str, Any]:
    return {"matrix": conversion[0], "offset": conversion[1]}


def for_look(with_curve: bool, from_: tuple[str, str] | None) -> Example:
    """Make examples for a look: a gamma, warmer and less saturated, on what `for_point` makes."""
    point_example = for_point(with_curve, from_)

    def example(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
        ramp = np.linspace(0.0, 1.0, 257)
        shaper = np.stack([ramp**0.9, ramp, 0.95 * ramp**1.1])
        mix = 0.8 * np.eye(3) + 0.2 * np.array([0.2126, 0.7152, 0.0722])
        lut = Lut3d(Transform(shaper, mix, "bt709", "limited"))
        return {**point_example(height, width, dtype, layout), "lut": lut}

    return example


def for_resample(kind: str, numerator: int, denominator: int) -> Example:
    def example(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
        rows, columns = (-(-length * numerator // denominator) for length in (height, width))
        return {
            "plane": layout(picture(height, width, dtype)),
            "out": layout(np.zeros((rows, columns), dtype)),
            "x_taps": resize.taps(width, columns, kind=kind),
            "y_taps": resize.taps(height, rows, kind=kind),
        }

    return example


def for_double(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    return {
        "plane": layout(picture(height, width, dtype)),
        "out": layout(np.zeros((2 * height, 2 * width), dtype)),
        "bank": double.learnt_bank(),
        "bits": bits_of(dtype),
    }


def for_boxes(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    box = min(height, 16), min(width, 8)
    out = np.zeros((height // box[0], width // box[1]), np.float32)
    return {"plane": layout(picture(height, width, dtype)), "box": box, "out": out}


def _small(height: int, width: int, dtype: str, seed: int = 0) -> list[NDArray[np.float32]]:
    """Return Y', Cb, Cr of a small picture, of the size of a frame or of the small picture of a large one."""
    shape = min(height, 68), min(width, 120)
    return [picture(*shape, dtype, seed=seed + n).astype(np.float32) for n in range(3)]


def for_log_colours(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
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


def for_tile_steps(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    first = for_log_colours(height, width, dtype, layout)
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


def for_retouch(mixed: bool, local: bool, alike: bool = False) -> Example:
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
