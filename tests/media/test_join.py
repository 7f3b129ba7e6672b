"""Joining copies pictures bit for bit, and sound sample for sample, and nothing creeps in between."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from postpipe.errors import DeliveryError
from postpipe.media.boxes import Box, walk
from postpipe.media.join import Joined, join, movie_timescale
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.media.sound import read_sound
from postpipe.timing import sample_at_frame

from .making import BT709, NTSC, in_blocks, sine
from .test_write import frames, read, write

RATE = 48000
LENGTHS = (12, 1, 25, 3, 7, 2, 10, 4, 6, 30, 1, 9, 5, 8, 2, 11, 3, 6, 4, 13)


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty units of 1 to 30 pictures, encoded with B-frames."""
    folder = tmp_path_factory.mktemp("units")
    start = itertools.accumulate(LENGTHS, initial=0)
    return [
        write(folder / f"{number:02}.mp4", itertools.islice(frames(sum(LENGTHS)), first, first + count),
              options={"crf": "20", "preset": "fast"})
        for number, (first, count) in enumerate(zip(start, LENGTHS, strict=False))
    ]  # fmt: skip


def hear(path: Path, samples: int) -> np.ndarray:
    clip = probe(path, "")
    sound = read_sound(clip, clip.sounds[0].index, rate_hz=RATE, channels=2, start_seconds=Fraction(0), samples=samples)
    return np.concatenate([block.samples for block in sound])


def boxes(path: Path, *kinds: bytes) -> list[Box]:
    """Return the boxes at a path of kinds, such as moov, trak, edts."""
    with path.open("rb") as file:
        found = [Box(b"", 0, 0, path.stat().st_size)]
        for kind in kinds:
            found = [box for outer in found for box in walk(file, outer.content, outer.end) if box.kind == kind]
    return found


def content(path: Path, box: Box) -> bytes:
    return path.read_bytes()[box.content : box.end]


def test_twenty_units_with_aac(tmp_path: Path, units: list[Path]) -> None:
    count = sum(LENGTHS)
    samples = sample_at_frame(count, NTSC, RATE)
    out = tmp_path / "out.mp4"
    tone = sine(samples)
    joined = join(units, in_blocks(tone), out, rate=NTSC, sound_samples=samples)
    assert joined == Joined(count, samples, count / NTSC)

    clip = probe(out, "")
    assert (clip.picture.rate, clip.picture.declared_frames, clip.picture.declared_seconds) == (
        NTSC,
        count,
        count / NTSC,
    )
    assert clip.picture.colour == BT709
    assert clip.sounds[0].declared_seconds == Fraction(samples, RATE)
    assert clip.warnings == ()

    pictures = read(out)
    assert [frame.pts_seconds for frame in pictures] == [index / NTSC for index in range(count)]
    singles = [frame for unit in units for frame in read(unit)]
    for frame, single in zip(pictures, singles, strict=True):
        assert not frame.damaged
        for plane, other in zip(frame.planes, single.planes, strict=True):
            assert np.array_equal(plane, other)

    heard = hear(out, samples)
    # No click at a cut: the error is that of the codec, everywhere.
    assert np.abs(heard - tone)[2048:-2048].max() < 0.02
    assert np.abs(heard - tone).max() < 0.1


def test_decoded_aac_ends_less_than_a_frame_late(tmp_path: Path, units: list[Path]) -> None:
    samples = sample_at_frame(sum(LENGTHS), NTSC, RATE)
    join(units, in_blocks(sine(samples)), tmp_path / "out.mp4", rate=NTSC, sound_samples=samples)
    with av.open(str(tmp_path / "out.mp4")) as container:
        decoded = [(frame.pts, frame.samples) for frame in container.decode(audio=0)]
    assert decoded[0][0] == 0
    assert 0 <= sum(count for _, count in decoded) - samples < 1024


@pytest.mark.parametrize(("codec", "bits"), [("pcm_s16le", 16), ("pcm_s24le", 24)])
def test_pcm_is_exact(tmp_path: Path, units: list[Path], codec: str, bits: int) -> None:
    samples = sample_at_frame(sum(LENGTHS), NTSC, RATE)
    tone = sine(samples)
    tone[100], tone[200] = 1.5, -1.5
    out = tmp_path / "out.mov"
    join(units, in_blocks(tone), out, rate=NTSC, sound_codec=codec, sound_samples=samples)  # type: ignore[arg-type]
    full = 2 ** (bits - 1)
    expected = np.clip(np.rint(tone.astype(np.float64) * full), -full, full - 1) / full
    assert np.array_equal(hear(out, samples), expected.astype(np.float32))
    clip = probe(out, "")
    assert (clip.sounds[0].codec, clip.sounds[0].declared_seconds) == (codec, Fraction(samples, RATE))
    with av.open(str(out)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == samples


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(24000, 1001), Fraction(25), NTSC, Fraction(60000, 1001)])
@pytest.mark.parametrize("count", [1, 5, 100])
def test_lengths_are_exact_in_the_container(tmp_path: Path, rate: Fraction, count: int) -> None:
    unit = write(tmp_path / "unit.mp4", frames(count), rate=rate, options={"preset": "ultrafast"})
    samples = sample_at_frame(count, rate, RATE)
    out = tmp_path / "out.mp4"
    join([unit], in_blocks(sine(samples)), out, rate=rate, sound_samples=samples)
    (header,) = boxes(out, b"moov", b"mvhd")
    version, timescale, duration = content(out, header)[0], *np.frombuffer(content(out, header)[12:20], ">u4")
    assert (version, timescale) == (0, movie_timescale(rate, RATE))
    assert Fraction(int(duration), int(timescale)) == max(count / rate, Fraction(samples, RATE))
    tracks = [content(out, box) for box in boxes(out, b"moov", b"trak", b"tkhd")]
    lengths = [Fraction(int.from_bytes(track[20:24], "big"), int(timescale)) for track in tracks]
    assert lengths == [count / rate, Fraction(samples, RATE)]


def test_index_comes_first_and_only_aac_has_an_edit_list(tmp_path: Path, units: list[Path]) -> None:
    samples = sample_at_frame(sum(LENGTHS), NTSC, RATE)
    out = tmp_path / "out.mp4"
    join(units, in_blocks(sine(samples)), out, rate=NTSC, sound_samples=samples, timecode="01:00:00;00")
    with out.open("rb") as file:
        order = [box.kind for box in walk(file, 0, out.stat().st_size)]
    assert order.index(b"moov") < order.index(b"mdat")
    edits = boxes(out, b"moov", b"trak", b"edts", b"elst")
    assert len(edits) == 1
    entry = content(out, edits[0])
    assert int.from_bytes(entry[4:8], "big") == 1
    assert int.from_bytes(entry[12:16], "big") == 1024
    silent = tmp_path / "silent.mp4"
    join(units, None, silent, rate=NTSC)
    assert boxes(silent, b"moov", b"trak", b"edts") == []


def test_same_bytes_every_time(tmp_path: Path, units: list[Path]) -> None:
    samples = sample_at_frame(sum(LENGTHS), NTSC, RATE)
    made = []
    for name, size in (("a", 3000), ("b", 777)):
        out = tmp_path / f"{name}.mp4"
        join(
            units, in_blocks(sine(samples), size), out, rate=NTSC, sound_samples=samples, timecode="00:00:10;00",
            metadata={"title": "Two takes"},
        )  # fmt: skip
        made.append(out.read_bytes())
    assert made[0] == made[1]


def test_without_sound(tmp_path: Path, units: list[Path]) -> None:
    out = tmp_path / "out.mp4"
    count = sum(LENGTHS[:3])
    assert join(units[:3], None, out, rate=NTSC) == Joined(count, 0, count / NTSC)
    clip = probe(out, "")
    assert (clip.sounds, clip.picture.declared_seconds) == ((), count / NTSC)
    assert len(read(out)) == count


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("timecode", ["01:00:00:00", "10:11:12;13"])
def test_timecode(tmp_path: Path, units: list[Path], timecode: str, suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    join(units[:2], None, out, rate=NTSC, timecode=timecode)
    assert probe(out, "").start_timecode == timecode


@pytest.mark.parametrize(
    ("codec", "name"), [("prores", "yuv422p10le"), ("prores", "yuv444p10le"), ("dnxhr", "yuv422p")]
)
def test_intermediates(tmp_path: Path, codec: str, name: str) -> None:
    size = (256, 128)
    parts = [
        write(tmp_path / f"{number}.mov", frames(count, name, size=size), codec=codec, name=name, size=size)  # type: ignore[arg-type]
        for number, count in enumerate((2, 1, 3))
    ]
    samples = sample_at_frame(6, NTSC, RATE)
    out = tmp_path / "out.mov"
    join(parts, in_blocks(sine(samples)), out, rate=NTSC, sound_codec="pcm_s24le", sound_samples=samples)
    assert probe(out, "").picture.colour == BT709
    for frame, single in zip(read(out), [frame for part in parts for frame in read(part)], strict=True):
        assert np.array_equal(frame.planes[1], single.planes[1])


def test_h265_is_marked_so_that_apple_plays_it(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{n}.mp4", frames(n), codec="h265", options={"preset": "fast"}) for n in (5, 1, 9)]
    out = tmp_path / "out.mp4"
    join(parts, None, out, rate=NTSC)
    assert b"hvc1" in out.read_bytes()
    assert [frame.pts_seconds for frame in read(out)] == [index / NTSC for index in range(15)]


def test_reading_a_joined_film_from_any_frame(tmp_path: Path, units: list[Path]) -> None:
    out = tmp_path / "out.mp4"
    join(units, None, out, rate=NTSC)
    clip, whole = probe(out, ""), read(out)
    for first in (1, 12, 13, 38, 40, 100):
        with PictureReader(clip) as reader:
            frame = next(reader.frames(first / NTSC, first))
            assert (frame.index, frame.pts_seconds) == (first, first / NTSC)
            assert np.array_equal(frame.planes[0], whole[first].planes[0])
            assert reader.decoded <= 40


def test_units_that_do_not_fit_are_refused(tmp_path: Path, units: list[Path]) -> None:
    out = tmp_path / "out.mp4"
    others = {
        "size": write(tmp_path / "size.mp4", frames(2, size=(96, 48)), size=(96, 48)),
        "codec": write(tmp_path / "codec.mp4", frames(2), codec="h265", options={"preset": "fast"}),
        "colour": write(
            tmp_path / "colour.mp4",
            (replace(frame, colour=replace(BT709, matrix="smpte170m")) for frame in frames(2)),
            colour=replace(BT709, matrix="smpte170m"),
            options={"crf": "20", "preset": "fast"},
        ),
    }
    for other in others.values():
        with pytest.raises(DeliveryError, match="other settings"):
            join([units[0], other], None, out, rate=NTSC)
    with pytest.raises(DeliveryError, match="not written at 24 frames per second"):
        join([units[0]], None, out, rate=Fraction(24))
    with pytest.raises(DeliveryError, match="nothing to join"):
        join([], None, out, rate=NTSC)
    with pytest.raises(DeliveryError, match=r"pcm_s16le sound goes into \.mov files"):
        join([units[0]], in_blocks(sine(10)), out, rate=NTSC, sound_codec="pcm_s16le", sound_samples=10)
    assert not out.exists()


@pytest.mark.parametrize("given", [0, 16_015, 16_017, 30_000])
def test_sound_of_another_length_is_refused(tmp_path: Path, units: list[Path], given: int) -> None:
    out = tmp_path / "out.mp4"
    with pytest.raises(DeliveryError, match=f"the sound has {given} samples instead of 16016"):
        join([units[6]], in_blocks(sine(given)), out, rate=NTSC, sound_samples=16_016)
    assert not out.exists()


def test_a_fault_of_the_sound_leaves_no_file(tmp_path: Path, units: list[Path]) -> None:
    def broken() -> object:
        yield from in_blocks(sine(5000))
        raise KeyboardInterrupt

    out = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        join(units, broken(), out, rate=NTSC, sound_samples=100_000)  # type: ignore[arg-type]
    assert not out.exists()


@pytest.mark.parametrize(
    ("rate", "sound_rate_hz", "timescale"),
    [
        (Fraction(24), 48000, 48000),
        (NTSC, 48000, 240000),
        (Fraction(25), 44100, 11025000),
        (Fraction(24), None, 24000),
        (Fraction(1999999999, 83333333), 48000, 1999999999),
    ],
)
def test_movie_timescale(rate: Fraction, sound_rate_hz: int | None, timescale: int) -> None:
    assert movie_timescale(rate, sound_rate_hz) == timescale
