"""Others on the same work: filters of libavfilter and the usual simple measures."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from postpipe_kernels.colour import code_scale

from benchmarks.faults import Footage
from benchmarks.flicker_measures import smooth


def through(graph_of: str) -> Callable[[Footage], Footage]:
    """Return the peer that is a filter of libavfilter with its defaults."""

    def run(footage: Footage) -> Footage:
        frames, height, width = footage.planes[0].shape
        graph = av.filter.Graph()
        rate = Fraction(footage.rate).limit_denominator(1001)
        source = graph.add(
            "buffer", f"video_size={width}x{height}:pix_fmt=yuv420p:time_base={1 / rate}:frame_rate={rate}"
        )
        sink = graph.add("buffersink")
        graph.link_nodes(source, graph.add(graph_of), graph.add("format", "pix_fmts=yuv420p"), sink)
        graph.configure()
        out: list[tuple[NDArray[np.uint8], ...]] = []

        def drain() -> None:
            while True:
                try:
                    native = graph.vpull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    return
                out.append(tuple(_rows(plane) for plane in native.planes))

        for n in range(frames):
            native = av.VideoFrame(width, height, "yuv420p")
            for plane, values in zip(native.planes, footage.planes, strict=True):
                rows = np.zeros((plane.height, plane.line_size), np.uint8)
                rows[:, : plane.width] = values[n]
                plane.update(rows.tobytes())
            native.pts, native.time_base = n, 1 / rate
            graph.vpush(native)
            drain()
        graph.vpush(None)
        drain()
        assert len(out) == frames, f"{graph_of} gave {len(out)} of {frames} frames"
        y, cb, cr = (np.stack([frame[plane] for frame in out]) for plane in range(3))
        return Footage((y, cb, cr), footage.rate, footage.colour)

    return run


def _rows(plane: Any) -> NDArray[np.uint8]:
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width].copy()


def mean_luma(footage: Footage) -> Footage:
    """Scale each frame so that its mean luma is what it is around it (a Gaussian of 0.4 s)."""
    _, zero = code_scale(footage.colour.range, 8)
    level = np.log(np.maximum(footage.planes[0].mean((1, 2)) - zero[0], 1.0))
    gain = np.exp(smooth(level, 0.4 * footage.rate) - level)[:, None, None]
    planes = [
        np.clip((p - z) * gain + z + 0.5, 0, 255).astype(np.uint8) for p, z in zip(footage.planes, zero, strict=True)
    ]
    return Footage((planes[0], planes[1], planes[2]), footage.rate, footage.colour)


def vbench(footage: Footage) -> float:
    """Return VBench's temporal_flickering (Huang et al., CVPR 2024) turned round, on luma: mean absolute difference."""
    y = footage.planes[0]
    return float(np.mean([np.mean(np.abs(a.astype(np.int16) - b)) for a, b in zip(y[1:], y[:-1], strict=True)]))


def mean_luma_reversal(footage: Footage) -> float:
    """Return how far mean luma jumps and comes back, in percent: the usual simple measure."""
    level = np.log(np.maximum(footage.planes[0].mean((1, 2)) - code_scale(footage.colour.range, 8)[1][0], 1.0))
    back, ahead = level[1:-1] - level[:-2], level[1:-1] - level[2:]
    return 100 * float(np.mean(np.where(back * ahead > 0, np.minimum(abs(back), abs(ahead)), 0.0)))
