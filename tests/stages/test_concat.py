"""Joining: frame counts and samples are exact, and nothing clicks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from postpipe import api
from postpipe.timing import round_half_up, sample_at_frame
from tests.clips import make_clip
from tests.stages.helpers import decode_sound

FAST = {"preset": "ultrafast", "encoder_threads": 1}
RATE_HZ = 48000


def sine(samples: int, start: int = 0, hertz: float = 997.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(start, start + samples) / RATE_HZ)


def write_piece(path: Path, frames: int, rate: Fraction, start: int, codec: str) -> int:
    """Write a take whose sound is a stretch of one continuous sine; return its samples."""
    make_clip(path.with_suffix(".tmp.mp4"), frames=frames, rate=rate, sound_hz=None)
    samples = round_half_up(frames / rate * RATE_HZ)
    lead = 4800 if codec != "aac" else 0  # PCM may be longer than the picture
    data = sine(samples + lead, start)
    with av.open(str(path.with_suffix(".tmp.mp4"))) as source, av.open(str(path), "w") as container:
        picture = container.add_stream_from_template(source.streams.video[0])
        sound = container.add_stream(codec, rate=RATE_HZ)
        sound.codec_context.layout = "mono"
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = picture
                container.mux(packet)
        for at in range(0, len(data), 1024):
            piece = data[None, at : at + 1024]
            if codec == "aac":
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece.astype(np.float32)), "fltp", "mono")
            else:
                frame = av.AudioFrame.from_ndarray(np.rint(piece * 32768).astype(np.int16), "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, at, Fraction(1, RATE_HZ)
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    path.with_suffix(".tmp.mp4").unlink()
    return samples


def pieces(folder: Path, count: int, rate: Fraction, codec: str, suffix: str) -> int:
    """Fill a folder with takes that continue one sine; return the frames of all."""
    folder.mkdir()
    total = 0
    for number in range(count):
        frames = 7 + number % 5
        start = sample_at_frame(total, rate, RATE_HZ)
        write_piece(folder / f"scene{number + 1:02d}_take01{suffix}", frames, rate, start, codec)
        total += frames
    return total


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(30000, 1001)])
def test_pcm_is_exact_to_the_sample_and_the_bit(tmp_path: Path, rate: Fraction) -> None:
    frames = pieces(tmp_path / "takes", 20, rate, "pcm_s16le", ".mov")
    options = {"deliver": FAST | {"sound_codec": "pcm_s16le", "sound_channels": 1}}
    document = api.run(tmp_path / "takes", tmp_path / "out", settings=options).document()
    samples = sample_at_frame(frames, rate, RATE_HZ)
    assert document["sequence"]["frames"] == frames
    assert document["sequence"]["audio_samples"] == samples
    sound, start = decode_sound(tmp_path / "out" / "sequence.mov")
    assert (len(sound), start) == (samples, 0)
    np.testing.assert_array_equal(np.rint(sound[:, 0] * 32768), np.rint(sine(samples) * 32768))


def test_twenty_takes_with_aac_keep_picture_and_sound_together(tmp_path: Path) -> None:
    rate = Fraction(24)
    frames = pieces(tmp_path / "takes", 20, rate, "aac", ".mp4")
    account = api.run(tmp_path / "takes", tmp_path / "out", settings={"deliver": FAST})
    samples = sample_at_frame(frames, rate, RATE_HZ)
    assert account.document()["sequence"]["audio_samples"] == samples
    out = tmp_path / "out" / "sequence.mp4"
    with av.open(str(out)) as container:
        assert container.streams.video[0].frames == frames
        assert Fraction(container.duration, 1_000_000) == pytest.approx(frames / rate, abs=1e-6)
        times = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.pts is not None]
        assert sorted(times) == [n / rate for n in range(frames)]
    sound, start = decode_sound(out)
    assert start == 0
    assert samples <= len(sound) < samples + 1024


def test_a_sine_goes_on_over_every_join(tmp_path: Path) -> None:
    frames = pieces(tmp_path / "takes", 20, Fraction(24), "pcm_s16le", ".mov")
    api.run(tmp_path / "takes", tmp_path / "out", settings={"deliver": FAST})
    samples = sample_at_frame(frames, Fraction(24), RATE_HZ)
    sound, _ = decode_sound(tmp_path / "out" / "sequence.mp4")
    # What AAC leaves of a steady sine is the same at the joins as anywhere else; a click would stand out.
    rest = np.abs(sound[:samples, 0] - sine(samples))[4096:-4096]
    assert rest.max() < 0.05
    assert rest.max() < 4 * np.percentile(rest, 99)


def test_a_missing_track_is_silence_and_mono_is_on_both_sides(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01.mp4", frames=12, sound_hz=None)
    make_clip(takes / "scene02.mp4", frames=12, sound_hz=440)
    options = {"deliver": FAST | {"sound_codec": "pcm_s24le"}}
    document = api.run(takes, tmp_path / "out", settings=options).document()
    sound, _ = decode_sound(tmp_path / "out" / "sequence.mov")
    assert sound.shape == (48000, 2)
    assert (sound[:24000] == 0).all()
    np.testing.assert_array_equal(sound[:, 0], sound[:, 1])
    assert np.sqrt(np.mean(sound[26000:46000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
    silent, _ = decode_sound(tmp_path / "out" / "clips" / "scene01.mov")
    assert silent.shape == (24000, 2)
    assert document["sequence"]["true_peak_dbtp"] == pytest.approx(20 * np.log10(np.abs(sound).max()), abs=0.3)


def test_a_folder_without_any_sound_is_silent(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01.mp4", frames=12, sound_hz=None)
    sequence = api.run(takes, tmp_path / "out", settings={"deliver": FAST}).document()["sequence"]
    assert (sequence["loudness_lufs"], sequence["true_peak_dbtp"]) == (None, None)


def test_the_index_stands_first(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01.mp4", frames=12)
    api.run(takes, tmp_path / "out", settings={"deliver": FAST})
    for path in ("sequence.mp4", "clips/scene01.mp4"):
        data = (tmp_path / "out" / path).read_bytes()
        assert 0 < data.find(b"moov") < data.find(b"mdat")
