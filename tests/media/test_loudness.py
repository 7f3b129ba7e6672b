"""Loudness agrees with the figures that the standard gives for test tones."""

from __future__ import annotations

import numpy as np
import pytest

from postpipe.media.loudness import Loudness, LoudnessMeter
from postpipe.model import SoundBlock

from .making import in_blocks


def tone(decibels: float, seconds: float, *, hertz: float = 997, rate_hz: int = 48000, channels: int = 2) -> np.ndarray:
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    wave = 10 ** (decibels / 20) * np.sin(2 * np.pi * hertz * time)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def measure(samples: np.ndarray, rate_hz: int = 48000, block: int = 3000) -> Loudness:
    meter = LoudnessMeter(rate_hz, samples.shape[1])
    for piece in in_blocks(samples, block, rate_hz):
        meter.add(piece)
    return meter.result()


@pytest.mark.parametrize("rate_hz", [44100, 48000])
@pytest.mark.parametrize("decibels", [-23.0, -33.0, -18.0])
def test_tone_of_the_standard(decibels: float, rate_hz: int) -> None:
    """EBU Tech 3341, cases 1 and 2: a stereo sine of 1 kHz at x dBFS measures x LUFS, within 0.1."""
    found = measure(tone(decibels, 10, hertz=1000, rate_hz=rate_hz), rate_hz)
    assert found.integrated_lufs == pytest.approx(decibels, abs=0.1)
    assert found.true_peak_dbtp == pytest.approx(decibels, abs=0.1)


def test_gate_leaves_quiet_parts_out() -> None:
    """EBU Tech 3341, case 3."""
    parts = [tone(-36, 10), tone(-23, 60), tone(-36, 10)]
    assert measure(np.concatenate(parts)).integrated_lufs == pytest.approx(-23, abs=0.1)


def test_one_channel_is_three_decibels_less() -> None:
    assert measure(tone(-20, 5, channels=1)).integrated_lufs == pytest.approx(-23.01, abs=0.1)


def test_peak_between_samples() -> None:
    """A quarter of the sample rate, 45° off: no sample is above -3 dBFS, the wave is at 0."""
    wave = np.sin(2 * np.pi * np.arange(48000) / 4 + np.pi / 4)
    wave *= np.hanning(48000)  # a sudden start would ring
    found = measure(np.stack([wave, wave], axis=1).astype(np.float32))
    assert np.abs(wave).max() == pytest.approx(0.5**0.5, abs=1e-4)
    assert found.true_peak_dbtp == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("decibels", [-60.0, -90.0])
def test_quiet_peaks_are_not_silence(decibels: float) -> None:
    assert measure(tone(decibels, 1)).true_peak_dbtp == pytest.approx(decibels, abs=0.1)


def test_silence_has_no_figures() -> None:
    assert measure(np.zeros((48000, 2), np.float32)) == Loudness(None, None)
    assert LoudnessMeter(48000, 2).result() == Loudness(None, None)


def test_too_short_for_loudness_still_has_a_peak() -> None:
    found = measure(tone(-6, 0.3))
    assert found.integrated_lufs is None
    assert found.true_peak_dbtp == pytest.approx(-6, abs=0.2)


def test_blocks_do_not_matter() -> None:
    samples = tone(-20, 3)
    assert measure(samples, block=480) == measure(samples, block=100_000)


def test_empty_blocks_do_no_harm() -> None:
    meter = LoudnessMeter(48000, 2)
    meter.add(SoundBlock(0, 48000, np.zeros((0, 2), np.float32)))
    assert meter.result() == Loudness(None, None)
