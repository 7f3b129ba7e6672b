"""The speed of kernels against their peers: CPU time of one thread, in alternating pairs."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from postpipe_kernels.examples import LAYOUTS
from postpipe_kernels.specs import KernelSpec, find
from postpipe_kernels.warm import warm_up

PAIRS = 9
"""How often kernel and peer take turns; the fastest turn of each counts."""

_TURN_SECONDS = 0.02
_SLOW_SECONDS = 0.25


@dataclass(frozen=True)
class Comparison:
    """One kernel against one peer: milliseconds of CPU time per call, `ratio` = peer ÷ ours."""

    name: str
    shape: tuple[int, int]
    dtype: str
    peer: str
    ratio: float
    ours_ms: float
    peer_ms: float


def machine() -> dict[str, Any]:
    """Return what figures depend on: processor, cores, system and versions."""
    import cv2
    import numba

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "opencv": cv2.__version__,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - not a file to hold a path to
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def compare(
    names: Sequence[str] | None = None,
    width: int = 1920,
    height: int = 1080,
    compiling: Callable[[str], None] = lambda name: None,
) -> Iterator[Comparison]:
    """Yield a comparison per kernel, sample type and peer, on planes laid out as libav's.

    OpenCV is held to one thread meanwhile. CPU time is this thread's, user and system.
    Raises `ValueError` for a name that is not in the table.
    """
    import cv2

    rows = find(None if names is None else tuple(names))
    warm_up(names, compiling=compiling)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for spec in rows:
            for dtype in ("uint8", "uint16"):
                for peer in spec.peers:
                    yield _compare(spec, dtype, peer, height, width)
    finally:
        cv2.setNumThreads(threads)


def _compare(spec: KernelSpec, dtype: str, peer: str, height: int, width: int) -> Comparison:
    arguments = spec.example(height, width, dtype, LAYOUTS["padded"])
    ours = _Turns(lambda: spec.kernel(**arguments))
    theirs = _Turns(lambda: spec.peers[peer](**arguments))
    slow = max(ours.best, theirs.best) > _SLOW_SECONDS
    for _ in range(1 if slow else PAIRS):
        ours.take()
        theirs.take()
    figures = (float(f"{value:.4g}") for value in (theirs.best / ours.best, ours.best * 1e3, theirs.best * 1e3))
    return Comparison(spec.name, (height, width), dtype, peer, *figures)


class _Turns:
    """Times a call, often enough per turn for the clock; `best` is seconds per call."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._count = 1
        call()
        self.best = self._timed()
        self._count = max(1, round(_TURN_SECONDS / max(self.best, 1e-6)))

    def take(self) -> None:
        self.best = min(self.best, self._timed())

    def _timed(self) -> float:
        start = time.thread_time()
        for _ in range(self._count):
            self._call()
        return (time.thread_time() - start) / self._count


def as_rows(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Return comparisons as plain data, as `postpipe bench kernels --json` prints them."""
    return [asdict(comparison) for comparison in comparisons]
