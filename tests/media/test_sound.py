"""Sound lands on the sample it belongs to; what is not there is silence."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from postpipe.media.probe import probe
from postpipe.media.sound import read_sound, to_float

from .making import make, sine

RATE = 48000


def hear(
    path: Path,
    samples: int,
    *,
    start: Fraction = Fraction(0),
    rate_hz: int = RATE,
    channels: int = 2,
    warnings: list[str] | None = None,
    speed: Fraction = Fraction(1),
) -> np.ndarray:
    clip = probe(path, "")
    reader = read_sound(
        clip,
        clip.sounds[0].index,
        rate_hz=rate_hz,
        channels=channels,
        start_seconds=start,
        samples=samples,
        speed=speed,
    )
    blocks = list(reader)
    position = 0
    for block in blocks:
        assert (block.start_sample, block.rate_hz) == (position, rate_hz)
        assert block.samples.dtype == np.float32
        assert 0 < len(block.samples) <= 8192
        position += len(block.samples)
    assert position == samples
    if warnings is not None:
        warnings += reader.warnings
    else:
        assert reader.warnings == []
    return np.concatenate([block.samples for block in blocks])


def delay(heard: np.ndarray, hertz: float, start: Fraction, rate_hz: int = RATE) -> float:
    """Return by how many samples a sine from time 0 comes late, from its phase."""
    time = np.arange(len(heard)) / rate_hz + float(start)
    turn = np.angle(np.sum(heard * np.exp(-2j * np.pi * hertz * time))) + np.pi / 2
    return float(-((turn + np.pi) % (2 * np.pi) - np.pi) / (2 * np.pi * hertz) * rate_hz)


@pytest.mark.parametrize(("codec", "bits"), [("pcm_s16le", 16), ("pcm_s24le", 24), ("pcm_f32le", 0)])
def test_pcm_passes_bit_for_bit(tmp_path: Path, codec: str, bits: int) -> None:
    tone = sine(10_000)
    if bits:
        tone = np.rint(tone * 2 ** (bits - 1)) / np.float32(2 ** (bits - 1))
    path = make(tmp_path / "a.mov", 5, sounds=[(codec, RATE, tone, Fraction(0))])
    assert np.array_equal(hear(path, 10_000), tone)


@pytest.mark.parametrize("rate_hz", [RATE, 16000])
@pytest.mark.parametrize("speed", [Fraction(24000, 24024), Fraction(48480, RATE)])
def test_another_speed_is_heard_from_its_place_on(tmp_path: Path, rate_hz: int, speed: Fraction) -> None:
    path = make(tmp_path / "a.mov", 60, sounds=[("pcm_f32le", RATE, sine(2 * RATE), Fraction(0))])
    start = Fraction(1, 4)
    heard = hear(path, rate_hz, start=start, rate_hz=rate_hz, speed=speed)
    time = float(start) + np.arange(rate_hz) / rate_hz * float(speed)
    expected = np.interp(time * RATE, np.arange(2 * RATE), sine(2 * RATE)[:, 0])
    np.testing.assert_allclose(heard[:, 0], expected, atol=0.01)


@pytest.mark.parametrize(
    ("kind", "stored", "expected"),
    [
        ("u8", [0, 128, 255], [-1, 0, 127 / 128]),
        ("s16", [-32768, 1, 32767], [-1, 2**-15, 1 - 2**-15]),
        ("s32", [-(2**31), 256, 2**30], [-1, 2**-23, 0.5]),
        ("flt", [-1.5, 0, 0.25], [-1.5, 0, 0.25]),
        ("dbl", [-1.5, 0, 0.25], [-1.5, 0, 0.25]),
    ],
)
@pytest.mark.parametrize("planar", [False, True])
def test_every_sample_format_is_scaled_exactly(
    kind: str, stored: list[float], expected: list[float], planar: bool
) -> None:
    dtype = {"u8": "u1", "s16": "i2", "s32": "i4", "flt": "f4", "dbl": "f8"}[kind]
    left, right = np.array(stored, dtype), np.array(stored[::-1], dtype)
    data = np.stack([left, right]) if planar else np.stack([left, right], 1).reshape(1, -1)
    native = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), kind + "p" * planar, "stereo")
    assert np.array_equal(to_float(native), np.array([expected, expected[::-1]], np.float32).T)


@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 24), Fraction(12345, RATE), Fraction(1, 2)])
def test_any_start_is_a_cut_of_the_whole(tmp_path: Path, start: Fraction) -> None:
    path = make(tmp_path / "a.mov", 24, sounds=[("pcm_f32le", RATE, sine(RATE), Fraction(0))])
    first = int(start * RATE)
    assert np.array_equal(hear(path, 9_000, start=start), sine(RATE)[first : first + 9_000])


def test_before_the_start_and_behind_the_end_is_silence(tmp_path: Path) -> None:
    tone = sine(4_800)
    path = make(tmp_path / "a.mov", 5, sounds=[("pcm_f32le", RATE, tone, Fraction(0))])
    heard = hear(path, 20_000, start=Fraction(-1, 10))
    assert np.array_equal(heard[4_800:9_600], tone)
    assert not heard[:4_800].any()
    assert not heard[9_600:].any()


def test_late_sound_stays_late(tmp_path: Path) -> None:
    tone = sine(4_800)
    path = make(tmp_path / "a.mkv", 20, sounds=[("pcm_f32le", RATE, tone, Fraction(1, 4))])
    heard = hear(path, 24_000)
    assert not heard[:12_000].any()
    assert np.array_equal(heard[12_000:16_800], tone)


def test_eight_channels_in_eight_planes() -> None:
    sound = np.repeat(np.arange(1, 9, dtype=np.float32)[None] / 10, 1024, axis=0)
    native = av.AudioFrame(format="fltp", layout="7.1", samples=1024)
    for plane, channel in zip(native.planes, sound.T, strict=False):
        plane.update(channel.tobytes())
    assert np.array_equal(to_float(native), sound)


def test_gaps_are_filled_and_overlaps_cut(tmp_path: Path) -> None:
    tone = sine(4_096)
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        film = container.add_stream("libx264", rate=24)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        stream = container.add_stream("pcm_f32le", rate=RATE)
        stream.codec_context.layout, stream.codec_context.time_base = "stereo", Fraction(1, RATE)
        for index in range(12):
            container.mux(film.encode(av.VideoFrame(64, 48, "yuv420p")))
            if index < 4:
                native = av.AudioFrame.from_ndarray(
                    tone[index * 1024 : (index + 1) * 1024].reshape(1, -1), "flt", "stereo"
                )
                native.sample_rate, native.time_base = RATE, Fraction(1, RATE)
                # The second piece comes 100 ms late, the fourth 15 ms (720 samples) too early.
                native.pts = [0, 1024 + 4800, 2048 + 4800, 3072 + 4800 - 720][index]
                container.mux(stream.encode(native))
        container.mux(film.encode(None))
    warnings: list[str] = []
    heard = hear(path, 12_000, warnings=warnings)
    # Matroska counts milliseconds: 48 samples.
    assert np.array_equal(heard[:1024], tone[:1024])
    assert not heard[1024 : 1024 + 4750].any()
    at = int(np.flatnonzero(heard[1024:, 1])[0]) + 1024
    offset = at - int(np.flatnonzero(tone[1024:, 1])[0])
    assert abs(offset - (1024 + 4800)) <= 48
    assert np.array_equal(heard[offset : offset + 2048], tone[1024:3072])
    assert np.flatnonzero(heard[:, 1])[-1] < 1024 * 4 + 4800 - 720 + 48
    assert warnings[0].startswith("its sound has a gap, given as silence, of 10")
    assert warnings[1:] == ["its sound has more gaps or overlaps"]


def test_time_stamps_rounded_to_milliseconds_are_no_gaps(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", 24, sounds=[("pcm_f32le", RATE, sine(RATE), Fraction(0))])
    assert np.array_equal(hear(path, RATE), sine(RATE))


def test_mono_goes_to_both_sides_and_stereo_is_averaged(tmp_path: Path) -> None:
    mono, stereo = sine(4_800, channels=1), sine(4_800)
    one = make(tmp_path / "1.mov", 5, sounds=[("pcm_f32le", RATE, mono, Fraction(0))])
    two = make(tmp_path / "2.mov", 5, sounds=[("pcm_f32le", RATE, stereo, Fraction(0))])
    assert np.array_equal(hear(one, 4_800), np.repeat(mono, 2, axis=1))
    assert np.allclose(hear(two, 4_800, channels=1)[:, 0], stereo.mean(axis=1), atol=1e-7)


def test_surround_is_mixed_without_overload(tmp_path: Path) -> None:
    # 5.1: left, right, centre, LFE, two surrounds; each at full scale in its own stretch.
    sound = np.zeros((6 * 1024, 6), np.float32)
    for channel in range(6):
        sound[channel * 1024 : (channel + 1) * 1024, channel] = 1
    path = make(tmp_path / "a.mkv", 12, sounds=[("pcm_f32le", RATE, sound, Fraction(0))])
    heard = hear(path, 6 * 1024).reshape(6, 1024, 2)[:, 512]
    side = 0.5**0.5
    expected = np.array([[1, 0], [0, 1], [side, side], [0, 0], [side, 0], [0, side]]) / (1 + 2 * side)
    assert np.allclose(heard, expected, atol=1e-6)
    assert np.allclose(hear(path, 6 * 1024, channels=1).reshape(6, 1024)[:, 512], expected.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 3)])
@pytest.mark.parametrize(
    ("source_hz", "rate_hz"), [(44100, 48000), (48000, 44100), (16000, 48000), (96000, 48000), (48000, 16000)]
)
def test_other_rates_stay_in_place(tmp_path: Path, source_hz: int, rate_hz: int, start: Fraction) -> None:
    path = make(
        tmp_path / "a.mov", 30, sounds=[("pcm_f32le", source_hz, sine(source_hz, rate_hz=source_hz), Fraction(0))]
    )
    heard = hear(path, rate_hz // 2, start=start, rate_hz=rate_hz)
    middle = slice(rate_hz // 10, rate_hz // 10 + rate_hz // 4)
    time = (np.arange(rate_hz // 2) / rate_hz + float(start))[middle]
    # Half a sample of the source is what a start between two of its samples may cost.
    for channel, hertz in enumerate((440, 880)):
        assert abs(
            delay(heard[middle, channel], hertz, start + Fraction(rate_hz // 10, rate_hz), rate_hz)
        ) <= 0.51 * max(1, rate_hz / source_hz)
        expected = 0.5 * np.sin(2 * np.pi * hertz * time)
        assert np.abs(heard[middle, channel] - expected).max() < 0.5 * 2 * np.pi * hertz * 0.51 / source_hz + 1e-3


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("rate_hz", [44100, 48000])
def test_aac_is_given_without_its_delay(tmp_path: Path, suffix: str, rate_hz: int) -> None:
    tone = sine(2 * rate_hz, rate_hz=rate_hz, channels=1)
    path = make(tmp_path / f"a.{suffix}", 48, sounds=[("aac", rate_hz, tone, Fraction(0))])
    heard = hear(path, 2 * RATE, channels=1)[:, 0]
    assert abs(delay(heard[RATE // 2 : RATE], 440, Fraction(1, 2))) < 1
    later = hear(path, RATE // 2, start=Fraction(1), channels=1)[:, 0]
    assert abs(delay(later, 440, Fraction(1))) < 1


def test_five_seconds_of_aac_are_five_seconds(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", 120, sounds=[("aac", RATE, sine(5 * RATE), Fraction(0))])
    assert len(hear(path, 5 * RATE)) == 240_000


def test_no_stream_is_silence(tmp_path: Path) -> None:
    clip = probe(make(tmp_path / "a.mp4", 2), "")
    blocks = list(read_sound(clip, None, rate_hz=RATE, channels=2, start_seconds=Fraction(0), samples=10_000))
    assert sum(len(block.samples) for block in blocks) == 10_000
    assert not any(block.samples.any() for block in blocks)


def test_second_stream(tmp_path: Path) -> None:
    quiet, tone = np.zeros((4_800, 2), np.float32), sine(4_800)
    sounds = [("pcm_f32le", RATE, quiet, Fraction(0)), ("pcm_f32le", RATE, tone, Fraction(0))]
    clip = probe(make(tmp_path / "a.mov", 5, sounds=sounds), "")
    with read_sound(clip, 2, rate_hz=RATE, channels=2, start_seconds=Fraction(0), samples=4_800) as reader:
        heard = np.concatenate([block.samples for block in reader])
    assert np.array_equal(heard, tone)


def test_damaged_sound_is_silence_where_it_is_and_said(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", 48, sounds=[("aac", RATE, sine(2 * RATE), Fraction(0))])
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size][40:50]
    for packet in packets:
        data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(data)
    warnings: list[str] = []
    heard = hear(path, 2 * RATE, warnings=warnings)
    assert warnings[0].startswith("its sound is damaged from 0.8")
    assert not heard[42 * 1024 : 47 * 1024].any()
    late = slice(60 * 1024, 80 * 1024)
    assert np.abs(heard[late] - sine(2 * RATE)[late]).max() < 0.05


def test_cut_off_sound_is_silent_behind_the_cut(tmp_path: Path) -> None:
    tone = sine(RATE)
    path = make(tmp_path / "a.mkv", 24, sounds=[("pcm_f32le", RATE, tone, Fraction(0))])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    heard = hear(path, RATE)
    known = np.flatnonzero(heard[:, 1])[-1] + 1
    assert 4_000 < known < 40_000
    assert np.array_equal(heard[:known], tone[:known])


def test_leaving_early_closes_the_file(tmp_path: Path) -> None:
    clip = probe(make(tmp_path / "a.mov", 24, sounds=[("pcm_f32le", RATE, sine(RATE), Fraction(0))]), "")
    reader = read_sound(clip, 1, rate_hz=RATE, channels=2, start_seconds=Fraction(0), samples=RATE)
    assert len(next(reader).samples) > 0
    reader.close()
    assert list(reader) == []
