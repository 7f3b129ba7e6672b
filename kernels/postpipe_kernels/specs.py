"""The table of all kernels. Tests, benchmark, warm-up and the page about kernels are made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe_kernels import blend, colour, likeness, luma, peers, point, reference, resize, tone

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
    tolerance: int
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
    histogram, tile_sums, small = luma.empty_measures(height, width, bits_of(dtype))
    return {
        "luma": layout(picture(height, width, dtype)),
        "previous": layout(picture(height, width, dtype, seed=1)),
        "bits": bits_of(dtype),
        "histogram": histogram,
        "tile_sums": tile_sums,
        "small": small,
    }


def _sharpness(height: int, width: int, dtype: str, layout: Layout) -> dict[str, Any]:
    return {"luma": layout(picture(height, width, dtype)), "bits": bits_of(dtype)}


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


SPECS: tuple[KernelSpec, ...] = (
    KernelSpec(
        "measure_luma", "histogram, 8x8 tile sums, difference to the frame before, 1/8 picture: one pass",
        luma.measure_luma, reference.measure_luma, _measure, ("histogram", "tile_sums", "small"),
        0, "counts, code values", {"opencv": peers.measure_luma, "numpy": reference.measure_luma},
    ),
    KernelSpec(
        "sharpness", "energy of the Laplacian on some rows",
        luma.sharpness, reference.sharpness, _sharpness, (),
        0, "1 (luma 0 to 1, squared)", {"numpy": reference.sharpness},
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
        "upscale_lanczos3", "resampling to twice the size, 6x6 taps (OpenCV: Lanczos4, 8x8)",
        resize.resample_plane, reference.resample_plane, _resample("lanczos3", 2, 1), ("out",),
        1, "code values", {"opencv": peers.resize_lanczos4, "numpy": reference.resample_plane},
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
