"""Real clips, whole, cut off and damaged: frames or a `TakeError`, never anything else (needs `--media DIR`)."""

from __future__ import annotations

import random
import zlib
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest

from postpipe.engine.stage import Look
from postpipe.errors import TakeError
from postpipe.media.index import FramePicker
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.media.sound import read_sound
from postpipe.model import Clip
from postpipe.stages.clock import Clock

VIDEOS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".ts", ".mxf"}
SECONDS = 2


@pytest.fixture(scope="module")
def clips(media: Path) -> list[Path]:
    found = sorted(path for path in media.rglob("*") if path.suffix.lower() in VIDEOS)
    assert found, f"no clips in {media}"
    return found


def look(path: Path) -> None:
    """Read picture and some sound."""
    clip = probe(path, "")
    last: Fraction | None = None
    with PictureReader(clip) as reader:
        for index, frame in enumerate(reader.frames()):
            assert frame.index == index
            assert last is None or frame.pts_seconds > last
            assert (frame.width, frame.height) == (clip.picture.width, clip.picture.height)
            last = frame.pts_seconds
    check_sound(clip)


def check_sound(clip: Clip) -> None:
    """Every stream gives as many samples as are asked for."""
    for stream in clip.sounds:
        sound = read_sound(
            clip, stream.index, rate_hz=48000, channels=2, start_seconds=Fraction(0), samples=SECONDS * 48000
        )
        assert sum(len(block.samples) for block in sound) == SECONDS * 48000


def test_frames_are_found_by_time_and_by_number(clips: list[Path]) -> None:
    """A clip is read whole; a decode that begins anywhere, and frames picked by number, give the same frames."""
    dice = random.Random(7)
    for path in clips:
        clip = probe(path, "")
        clock, truth = Clock(), []
        state = clock.start(clip)
        with PictureReader(clip) as reader:
            for frame in reader.frames():
                assert frame.index == len(truth)
                assert (frame.width, frame.height) == (clip.picture.width, clip.picture.height)
                clock.step(state, Look(frame))
                truth.append((frame.pts_seconds, zlib.crc32(frame.planes[0].tobytes())))
            assert reader.missing_seconds <= 2 / clip.picture.rate, path
        check_sound(clip)
        seconds = [time for time, _ in truth]
        assert seconds == sorted(set(seconds)), path
        times, by_index = clock.finish(state), clock.from_index(clip)
        if by_index is not None:
            assert [by_index.seconds(number) for number in range(by_index.frames)] == seconds, path
        for number in {1, len(truth) // 2, len(truth) - 1} & set(range(len(truth))):
            with PictureReader(clip) as reader:
                frame = next(reader.frames(seconds[number], number))
            assert (frame.pts_seconds, zlib.crc32(frame.planes[0].tobytes())) == truth[number], (path, number)
        wanted = sorted(dice.sample(range(len(truth)), min(4, len(truth))))
        with FramePicker(clip, times) as picker:
            found = [(frame.pts_seconds, zlib.crc32(frame.planes[0].tobytes())) for frame in picker.frames(wanted)]
        assert found == [truth[number] for number in wanted], path


@pytest.mark.parametrize("fault", ["cut off", "flipped"])
def test_damaged_copies_are_read_or_refused(clips: list[Path], tmp_path: Path, fault: str) -> None:
    """Each clip is damaged in one of three degrees."""
    dice = random.Random(fault)
    for number, path in enumerate(clips):
        data = bytearray(path.read_bytes())
        if fault == "cut off":
            del data[len(data) * (30, 60, 95)[number % 3] // 100 :]
        else:
            for _ in range((1, 30, 300)[number % 3]):
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        damaged = tmp_path / path.name
        damaged.write_bytes(data)
        with suppress(TakeError):
            look(damaged)
        damaged.unlink()
