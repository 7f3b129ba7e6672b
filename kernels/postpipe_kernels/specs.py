"""The table of all kernels. Tests, benchmark, warm-up and the page about kernels are made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from postpipe_kernels import (
    blend,
    colour,
    double,
    examples,
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
from postpipe_kernels.examples import Example


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


SPECS: tuple[KernelSpec, ...] = (
    KernelSpec(
        "measure_luma", "histogram, 8x8 tile sums, difference to the frame before, 1/8 picture: one pass",
        luma.measure_luma, reference.measure_luma, examples.for_measure,
        ("histogram", "tile_sums", "small", "block_sums"),
        0, "counts, code values", {"opencv": peers.measure_luma, "numpy": reference.measure_luma},
    ),
    KernelSpec(
        "sharpness", "energy of the Laplacian on some rows",
        luma.sharpness, reference.sharpness, examples.for_sharpness, (),
        0, "1 (luma 0 to 1, squared)", {"numpy": reference.sharpness},
    ),
    KernelSpec(
        "shrink_chroma", "mean of blocks of 4x4: chroma of 4:2:0 on the grid of luma's 1/8 picture",
        shrink.shrink_plane, reference.shrink_plane, examples.for_shrink(4, 4), ("out", "block_sums"),
        0, "code values", {"opencv": peers.shrink_plane, "numpy": reference.shrink_plane},
    ),
    KernelSpec(
        "compare_small", "sum, number and largest of the changes between small pictures",
        shrink.compare_small, reference.compare_small, examples.for_compare, (),
        0, "code values, counts", {"numpy": reference.compare_small},
    ),
    KernelSpec(
        "find_swings", "swings of luminance and of saturated red, cell by cell, for flash screening",
        flash.find_swings, reference.find_swings, examples.for_find_swings, ("swings",),
        0, "1/32000", {"numpy": reference.find_swings},
    ),
    KernelSpec(
        "tally_swings", "count per cell, and how many cells have each count",
        flash.tally_swings, reference.tally_swings, examples.for_tally, ("counts", "areas"),
        0, "counts", {"numpy": reference.tally_swings},
    ),
    KernelSpec(
        "match_blocks", "blocks of 8x8 of one plane looked for in another, 2 samples around",
        likeness.match_blocks, reference.match_blocks, examples.for_match, (),
        0, "code values squared", {"numpy": reference.match_blocks},
    ),
    KernelSpec(
        "apply_curve", "tone curve by table",
        tone.apply_curve, reference.apply_curve, examples.for_curve, ("out",),
        0, "code values", {"opencv": peers.apply_curve, "numpy": reference.apply_curve},
    ),
    KernelSpec(
        "blend_planes", "two planes laid over each other: a dissolve",
        blend.blend_planes, reference.blend_planes, examples.for_blend, ("out",),
        0, "code values", {"opencv": peers.blend_planes, "numpy": reference.blend_planes},
    ),
    KernelSpec(
        "convert_matrix", "YCbCr 4:2:0 from BT.601 to BT.709",
        colour.convert_ycbcr, reference.convert_ycbcr, examples.for_point(False, ("smpte170m", "limited")), ("out",),
        1, "code values", {"opencv": peers.convert_ycbcr, "numpy": reference.convert_ycbcr},
    ),
    KernelSpec(
        "convert_range", "YCbCr 4:2:0 from full to limited range",
        colour.convert_ycbcr, reference.convert_ycbcr, examples.for_point(False, ("bt709", "full")), ("out",),
        1, "code values", {"opencv": peers.convert_range, "numpy": reference.convert_ycbcr},
    ),
    KernelSpec(
        "convert_depth", "YCbCr 4:2:0 between 8 and 10 bits",
        point.apply_point, reference.apply_point, examples.for_point(False, None, deeper=True), ("out",),
        0, "code values", {"numpy": reference.apply_point},
    ),
    KernelSpec(
        "convert_matrix_depth", "YCbCr 4:2:0 from BT.601 to BT.709, between 8 and 10 bits",
        colour.convert_ycbcr, reference.convert_ycbcr,
        examples.for_point(False, ("smpte170m", "limited"), deeper=True), ("out",),
        1, "code values", {"numpy": reference.convert_ycbcr},
    ),
    KernelSpec(
        "point_curve", "point operation: luma curve alone",
        point.apply_point, reference.apply_point, examples.for_point(True, None), ("out",),
        1, "code values", {"numpy": reference.apply_point},
    ),
    KernelSpec(
        "point_curve_matrix", "point operation: luma curve, then BT.601 to BT.709, 4:2:0",
        point.apply_point, reference.apply_point, examples.for_point(True, ("smpte170m", "limited")), ("out",),
        1, "code values", {"numpy": reference.apply_point},
    ),
    KernelSpec(
        "point_curve_depth", "point operation: luma curve, between 8 and 10 bits",
        point.apply_point, reference.apply_point, examples.for_point(True, None, deeper=True), ("out",),
        1, "code values", {"numpy": reference.apply_point},
    ),
    KernelSpec(
        "to_pixels", "YCbCr 4:2:0 to interleaved B'G'R'",
        pixels.to_pixels, reference.to_pixels, examples.for_to_pixels, ("out",),
        1, "code values", {"numpy": reference.to_pixels},
    ),
    KernelSpec(
        "from_pixels", "interleaved B'G'R' to YCbCr 4:2:0, the inverse of to_pixels",
        pixels.from_pixels, reference.from_pixels, examples.for_from_pixels, ("out",),
        1, "code values", {"numpy": reference.from_pixels},
    ),
    KernelSpec(
        "point_look", "point operation: colour look, 4:2:0",
        point.apply_point, reference.apply_point, examples.for_look(False, None), ("out",),
        1, "code values", {"numpy": reference.apply_point},
    ),
    KernelSpec(
        "point_curve_matrix_look", "point operation: luma curve, BT.601 to BT.709, then colour look, 4:2:0",
        point.apply_point, reference.apply_point, examples.for_look(True, ("smpte170m", "limited")), ("out",),
        1, "code values", {"numpy": reference.apply_point},
    ),
    KernelSpec(
        "upscale_lanczos3", "resampling to twice the size, 6x6 taps (OpenCV: Lanczos4, 8x8)",
        resize.resample_plane, reference.resample_plane, examples.for_resample("lanczos3", 2, 1), ("out",),
        1, "code values", {"opencv": peers.resize_lanczos4, "numpy": reference.resample_plane},
    ),
    KernelSpec(
        "upscale_sharp", "twice the size by filters learnt for edges, 5x5 taps (OpenCV: Lanczos4, 8x8)",
        double.double_plane, reference_double.double_plane, examples.for_double, ("out",),
        0, "code values", {"opencv": peers.double_lanczos4, "numpy": reference_double.double_plane},
    ),
    KernelSpec(
        "upscale_bicubic", "resampling to twice the size, 4x4 taps",
        resize.resample_plane, reference.resample_plane, examples.for_resample("bicubic", 2, 1), ("out",),
        1, "code values", {"opencv": peers.resize_cubic, "numpy": reference.resample_plane},
    ),
    KernelSpec(
        "downscale_area", "resampling to two thirds of the size by area",
        resize.resample_plane, reference.resample_plane, examples.for_resample("area", 2, 3), ("out",),
        1, "code values", {"opencv": peers.resize_area, "numpy": reference.resample_plane},
    ),
    KernelSpec(
        "box_means", "means of boxes of samples",
        tiles.box_means, reference.box_means, examples.for_boxes, ("out",),
        1e-3, "code values", {"numpy": reference.box_means},
    ),
    KernelSpec(
        "log_colours", "logarithms of R', G', B' and grey of a small picture",
        tiles.log_colours, reference.log_colours, examples.for_log_colours, ("out", "weight"),
        1e-4, "natural logarithms", {"numpy": reference.log_colours},
    ),
    KernelSpec(
        "tile_steps", "how much each tile of a small picture became brighter, along its motion",
        tiles.tile_steps, reference.tile_steps, examples.for_tile_steps, ("steps", "spread", "level"),
        1e-4, "natural logarithms", {"numpy": reference.tile_steps},
    ),
    KernelSpec(
        "retouch_gain", "luma curve, and chroma alike at all levels of luma, 4:2:0",
        retouch.retouch, reference.retouch, examples.for_retouch(False, False, alike=True), ("out",),
        1, "code values", {"numpy": reference.retouch},
    ),
    KernelSpec(
        "retouch", "luma curve and chroma by luma, 4:2:0",
        retouch.retouch, reference.retouch, examples.for_retouch(False, False), ("out",),
        1, "code values", {"numpy": reference.retouch},
    ),
    KernelSpec(
        "retouch_mixed", "luma curve, chroma by luma and luma by chroma, 4:2:0",
        retouch.retouch, reference.retouch, examples.for_retouch(True, False), ("out",),
        1, "code values", {"numpy": reference.retouch},
    ),
    KernelSpec(
        "retouch_local", "luma curve, chroma by luma and a grid of gains, 4:2:0",
        retouch.retouch, reference.retouch, examples.for_retouch(False, True), ("out",),
        1, "code values", {"numpy": reference.retouch},
    ),
    KernelSpec(
        "retouch_mixed_local", "all of it: luma curve, mixture, chroma by luma, grid of gains, 4:2:0",
        retouch.retouch, reference.retouch, examples.for_retouch(True, True), ("out",),
        1, "code values", {"numpy": reference.retouch},
    ),
    KernelSpec(
        "read_dwt_dct", "bits of a dwtDct mark, counted by block",
        watermark.read_dwt_dct, reference_marks.read_dwt_dct, examples.for_read_bits, ("ones", "blocks"),
        0, "counts", {"numpy": reference_marks.read_dwt_dct},
    ),
    KernelSpec(
        "write_dwt_dct", "bits hidden as dwtDct hides them",
        watermark.write_dwt_dct, reference_marks.write_dwt_dct, examples.for_write_bits, ("out",),
        0, "code values", {"numpy": reference_marks.write_dwt_dct},
    ),
    KernelSpec(
        "draw_mark", "what marks a small picture, cell by cell",
        spread.draw_mark, reference_marks.draw_mark, examples.for_draw, ("out",),
        1e-4, "code values", {"numpy": reference_marks.draw_mark},
    ),
    KernelSpec(
        "weigh_mark", "what each cell says for a mark",
        spread.weigh_mark, reference_marks.weigh_mark, examples.for_weigh, ("out",),
        1e-5, "votes", {"numpy": reference_marks.weigh_mark},
    ),
    KernelSpec(
        "lay_mark", "a small pattern added to a plane",
        spread.lay_mark, reference_marks.lay_mark, examples.for_lay, ("out",),
        1, "code values", {"numpy": reference_marks.lay_mark},
    ),
    KernelSpec(
        "add_edges", "edges of a small picture summed up",
        overlay.add_edges, reference_marks.add_edges, examples.for_edges, ("sums",),
        0, "code values", {"numpy": reference_marks.add_edges},
    ),
    KernelSpec(
        "find_changes", "what changed for longer, and more than its surroundings",
        overlay.find_changes, reference_marks.find_changes, examples.for_changes, ("out",),
        1, "code values", {"numpy": reference_marks.find_changes},
    ),
    KernelSpec(
        "count_cells", "pixels of one kind, counted in cells of 4x4",
        overlay.count_cells, reference_marks.count_cells, examples.for_cells, ("out",),
        0, "counts", {"numpy": reference_marks.count_cells},
    ),
    KernelSpec(
        "find_groups", "bounds of groups of touching cells",
        overlay.find_groups, reference_marks.find_groups, examples.for_groups, ("out",),
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
