"""Equal frames give equal bytes, whatever the process did with its memory before."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from postpipe.media.heap import settled
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.media.write import PictureWriter

SAMPLE = Path(__file__).parents[2] / "sample_media" / "scene02_take01.mp4"


def encode(path: Path, codec: str, preset: str, dice: random.Random) -> bytes:
    """Encode 16 real frames with the default settings while blocks of memory of any content come and go."""
    clip = probe(SAMPLE, "")
    junk: list[bytes] = []
    with (
        PictureReader(clip) as reader,
        PictureWriter(
            path,
            width=clip.picture.width,
            height=clip.picture.height,
            rate=clip.picture.rate,
            pixel_format=clip.picture.pixel_format,
            colour=clip.picture.colour,
            codec=codec,  # type: ignore[arg-type]
            options={"preset": preset},
            threads=2,
        ) as writer,
    ):
        for frame in itertools.islice(reader.frames(), 16):
            junk.append(dice.randbytes(dice.randrange(10_000, 3_000_000)))
            if len(junk) > 5:
                junk.pop(dice.randrange(5))
            writer.write(frame)
    return path.read_bytes()


@pytest.mark.skipif(not settled(), reason="this C library cannot fill new memory")
@pytest.mark.parametrize(("codec", "preset"), [("h264", "medium"), ("h265", "ultrafast")])
def test_equal_frames_give_equal_bytes(tmp_path: Path, codec: str, preset: str) -> None:
    dice = random.Random(1)
    first = encode(tmp_path / "film.mp4", codec, preset, dice)
    assert all(encode(tmp_path / "film.mp4", codec, preset, dice) == first for _ in range(4))
