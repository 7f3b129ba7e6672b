"""Loudness as broadcasters measure it: ITU-R BS.1770 through libav's `ebur128` filter, in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

from postpipe.model import SoundBlock

_LAYOUTS = {1: "mono", 2: "stereo"}


@dataclass(frozen=True, slots=True)
class Loudness:
    """Integrated loudness in LUFS and true peak in dBTP; `None` where there was nothing but silence.

    Sound shorter than one gating block (0.4 s) has no integrated loudness.
    """

    integrated_lufs: float | None
    true_peak_dbtp: float | None


class LoudnessMeter:
    """Feed it blocks in order, then ask once for the `result()`."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._rate_hz = rate_hz
        self._layout = _LAYOUTS[channels]
        self._samples = 0
        self._last: dict[str, str] = {}
        graph = Graph()
        graph.threads = 1
        graph.link_nodes(
            graph.add(
                "abuffer",
                f"sample_rate={rate_hz}:sample_fmt=flt:channel_layout={self._layout}:time_base=1/{rate_hz}",
            ),
            graph.add("ebur128", "peak=true:metadata=1:framelog=quiet"),
            graph.add("abuffersink"),
        )
        graph.configure()
        self._graph = graph

    def add(self, block: SoundBlock) -> None:
        """Measure one more block (float32, full scale ±1)."""
        if not len(block.samples):
            return
        data = np.ascontiguousarray(block.samples, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(data, "flt", self._layout)
        frame.sample_rate = self._rate_hz
        frame.pts = self._samples
        frame.time_base = Fraction(1, self._rate_hz)
        self._samples += len(block.samples)
        self._graph.push(frame)
        self._pull()

    def result(self) -> Loudness:
        """Return the figures for everything that was added. The meter is finished after that."""
        if self._samples:
            self._graph.push(None)
            self._pull()
        integrated = self._number("lavfi.r128.I")
        # The gate leaves -70 LUFS where nothing is louder than that.
        if integrated is not None and integrated <= -70:
            integrated = None
        peaks = [self._number(key) for key in self._last if key.startswith("lavfi.r128.true_peaks_ch")]
        levels = [20 * math.log10(peak) for peak in peaks if peak]
        return Loudness(integrated, max(levels, default=None))

    def _number(self, key: str) -> float | None:
        try:
            value = float(self._last[key])
        except (KeyError, ValueError):
            return None
        return value if math.isfinite(value) else None

    def _pull(self) -> None:
        while True:
            try:
                metadata = self._graph.pull().metadata
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            self._last.update(metadata)
