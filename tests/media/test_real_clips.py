"""Real clips, whole, cut off and damaged: frames or a `TakeError`, never anything else (needs `--media DIR`)."""

from __future__ import annotations

import random
import zlib
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from postpipe.delivery import FrameTimes
from postpipe.engine import passes
from postpipe.errors import TakeError
from postpipe.media.index import FramePicker
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.media.sound import read_sound
from postpipe.stages.clock import Clock

VIDEOS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".ts", ".mxf"}
SECONDS = 2


@pytest.fixture(scope="module")
def clips(media: Path) -> list[Path]:
    found = sorted(path for path in media.rglob("*") if path.suffix.lower() in VIDEOS)
    assert found, f"no clips in {media}"
    return found


def look(path: Path) -> tuple[int, Fraction]:
    """Read picture and some sound; return the number of frames and what is missing at the end."""
    clip = probe(path, "")
    last: Fraction | None = None
    with PictureReader(clip) as reader:
        for index, frame in enumerate(reader.frames()):
            assert frame.index == index
            assert last is None or frame.pts_seconds > last
            assert (frame.width, frame.height) == (clip.picture.width, clip.picture.height)
            last = frame.pts_seconds
        decoded, missing = reader.decoded, reader.missing_seconds
    for stream in clip.sounds:
        sound = read_sound(
            clip, stream.index, rate_hz=48000, channels=2, start_seconds=Fraction(0), samples=SECONDS * 48000
        )
        assert sum(len(block.samples) for block in sound) == SECONDS * 48000
    return decoded, missing


def test_whole(clips: list[Path]) -> None:
    for path in clips:
        frames, missing = look(path)
        assert frames > 0, path
        assert missing <= 2 / probe(path, "").picture.rate, path


def test_any_frame_can_be_the_first(clips: list[Path]) -> None:
    for path in clips:
        clip = probe(path, "")
        with PictureReader(clip) as reader:
            times = [(frame.pts_seconds, int(frame.planes[0].sum(dtype=np.int64))) for frame in reader.frames()]
        for index in {1, len(times) // 2, len(times) - 1} & set(range(len(times))):
            with PictureReader(clip) as reader:
                frame = next(reader.frames(times[index][0], index))
            assert (frame.pts_seconds, int(frame.planes[0].sum(dtype=np.int64))) == times[index], (path, index)


@pytest.mark.parametrize("percent", [30, 60, 95])
def test_cut_off(clips: list[Path], tmp_path: Path, percent: int) -> None:
    for path in clips:
        cut = tmp_path / path.name
        cut.write_bytes(path.read_bytes()[: path.stat().st_size * percent // 100])
        with suppress(TakeError):
            look(cut)
        cut.unlink()


@pytest.mark.parametrize("flips", [1, 30, 300])
def test_flipped_bits(clips: list[Path], tmp_path: Path, flips: int) -> None:
    dice = random.Random(flips)
    for path in clips:
        data = bytearray(path.read_bytes())
        for _ in range(flips):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        damaged = tmp_path / path.name
        damaged.write_bytes(data)
        with suppress(TakeError):
            look(damaged)
        damaged.unlink()


def test_frames_by_number(clips: list[Path]) -> None:
    """Frames picked by number are those of a decode one by one, and packets tell the times that it has."""
    dice = random.Random(7)
    for path in clips:
        clip = probe(path, "")
        with PictureReader(clip) as reader:
            truth = [(frame.pts_seconds, zlib.crc32(frame.planes[0].tobytes())) for frame in reader.frames()]
        (times,), _ = passes.look(clip, [Clock()], threads=1, on_frame=lambda done: None)
        assert isinstance(times, FrameTimes)
        by_index = Clock().from_index(clip)
        if by_index is not None:
            assert [by_index.seconds(number) for number in range(by_index.frames)] == [time for time, _ in truth], path
        wanted = sorted(dice.sample(range(len(truth)), min(4, len(truth))))
        with FramePicker(clip, times) as picker:
            found = [(frame.pts_seconds, zlib.crc32(frame.planes[0].tobytes())) for frame in picker.frames(wanted)]
        assert found == [truth[number] for number in wanted], path
