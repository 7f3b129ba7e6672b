"""Loudness and true peak as broadcasters measure them (ITU-R BS.1770), in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.filter import Graph

from postpipe.media.sound import LAYOUTS
from postpipe.model import SoundBlock

_SILENCE_LUFS = -70.0
"""What libav reports where no block passed the absolute gate."""
_PEAK_RATE_HZ = 192_000
"""True peaks are looked for at this rate or above (BS.1770-5, annex 2: four times 48 kHz)."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """Integrated loudness in LUFS and true peak in dBTP; `None` where there was nothing but silence.

    Sound shorter than one gating block (0.4 s) has no integrated loudness.
    """

    integrated_lufs: float | None
    true_peak_dbtp: float | None


class LoudnessMeter:
    """Feed it blocks in order, then ask once for the `result()`.

    Loudness comes from libav's `ebur128` filter. Its true peaks are given to three decimals of full scale
    only, which is nothing at -60 dB, so those are found here, on the sound as libswresample oversamples it.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._rate_hz = rate_hz
        self._layout = LAYOUTS[channels]
        self._samples = 0
        self._integrated = _SILENCE_LUFS
        self._peak = 0.0
        self._oversampler = AudioResampler("flt", self._layout, rate_hz * max(1, -(-_PEAK_RATE_HZ // rate_hz)))
        self._graph = Graph()
        self._graph.threads = 1
        self._graph.link_nodes(
            self._graph.add(
                "abuffer",
                f"sample_rate={rate_hz}:sample_fmt=flt:channel_layout={self._layout}:time_base=1/{rate_hz}",
            ),
            self._graph.add("ebur128", "metadata=1:framelog=quiet"),
            self._graph.add("abuffersink"),
        )
        self._graph.configure()

    def add(self, block: SoundBlock) -> None:
        """Measure one more block (float32, full scale ±1)."""
        if not len(block.samples):
            return
        data = np.ascontiguousarray(block.samples, np.float32).reshape(1, -1)
        native = av.AudioFrame.from_ndarray(data, "flt", self._layout)
        native.sample_rate = self._rate_hz
        native.pts = self._samples
        native.time_base = Fraction(1, self._rate_hz)
        self._samples += len(block.samples)
        self._measure(native)

    def result(self) -> Loudness:
        """Return the figures for everything that was added. The meter is finished after that."""
        if self._samples:
            self._measure(None)
        return Loudness(
            self._integrated if self._integrated > _SILENCE_LUFS else None,
            20 * math.log10(self._peak) if self._peak > 0 else None,
        )

    def _measure(self, native: av.AudioFrame | None) -> None:
        for oversampled in self._oversampler.resample(native):
            self._peak = max(self._peak, float(np.abs(oversampled.to_ndarray()).max()))
        self._graph.push(native)
        while True:
            try:
                metadata = self._graph.pull().metadata
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            self._integrated = float(metadata.get("lavfi.r128.I", self._integrated))
