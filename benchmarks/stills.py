"""Frames out and back, on real clips: the right frame every time, and nothing lost where nothing was changed.

The judge decodes each clip frame by frame with PyAV alone. `--media DIR` is searched for clips of every kind.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import math
import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np

from benchmarks.common import record, workplace
from postpipe import api
from postpipe.media.frames import allocate_like, upright_views
from postpipe.media.images import frame_pixels, pixels_to_frame, read_image
from postpipe.media.open import INDEXED
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.media.sound import to_float
from postpipe.model import Clip, Frame

EXACT = 999.0
"""Decibels where nothing differs."""
SUFFIXES = {".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".ts"}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=200, help="random frames to extract")
    parser.add_argument("--clips", type=int, default=24, help="clips to take apart and put together")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    clips = [clip for clip in map(_probed, sorted(options.media.rglob("*"))) if clip is not None]
    with workplace() as folder:
        right = extraction(clips, options.frames, dice, folder)
        odd = [clip for clip in clips if clip.path.parent.name == "odd"]
        rest = [clip for clip in clips if clip not in odd]
        back = [round_trip(clip, folder) for clip in [*odd, *dice.sample(rest, max(0, options.clips - len(odd)))]]
    record(
        "stills",
        "python -m benchmarks.stills --media DIR",
        {
            "what": "extraction against a frame-by-frame decode; extract, assemble, compare with the source",
            "extraction": right,
            "round_trip": {
                "clips": len(back),
                "frame_count_differs": [row["clip"] for row in back if not row["count"]],
                "times_differs": [row["clip"] for row in back if not row["times"]],
                "sound_differs": [row["clip"] for row in back if not row["sound"]],
                "compared": sum(row["lossless_exact"] is not None for row in back),
                "lossless_differs": [row["clip"] for row in back if row["lossless_exact"] is False],
                "least_default_psnr_db": min(row["default_psnr_db"] or EXACT for row in back),
                "rows": back,
            },
        },
    )


def _probed(path: Path) -> Clip | None:
    """Return the clip at a path; `None` for what is no video, and for HDR, which is refused in words."""
    if path.suffix.lower() not in SUFFIXES:
        return None
    clip = probe(path, "")
    return None if clip.picture.colour.hdr else clip


def decoded(clip: Clip) -> Iterator[tuple[Fraction, Frame]]:
    """Yield every frame of a clip in order with its time, from a plain decode by PyAV."""
    picture = clip.picture
    views = upright_views(picture.source_format, picture.pixel_format, picture.colour, picture.rotation)
    with av.open(str(clip.path)) as container:
        for index, native in enumerate(container.decode(container.streams[picture.index])):
            time = native.pts * native.time_base
            planes, own = views(native)
            yield time, Frame(index, time, planes, picture.pixel_format, picture.colour, own)


def extraction(clips: list[Clip], frames: int, dice: random.Random, folder: Path) -> dict[str, Any]:
    """Extract random frames of random clips and compare them with the decode, number by number."""
    wanted: dict[Path, set[int]] = {}
    known = {
        clip.path: [time for time, _ in decoded(clip)]
        for clip in clips
        if not clip.picture.interlaced and clip.picture.pixel_aspect == 1
    }
    while sum(map(len, wanted.values())) < frames:
        path = dice.choice(list(known))
        wanted.setdefault(path, set()).add(dice.randrange(len(known[path])))
    wrong: list[str] = []
    distinct = decoded_stills = 0
    for clip in (clip for clip in clips if clip.path in wanted):
        out = folder / "stills"
        account = api.extract([clip.path], out, settings={"extract": {"at": [f"{n}f" for n in wanted[clip.path]]}})
        decoded_stills += account.counts.decoded_stills
        files = {row["frame"]: row for row in account.stills()}
        before: np.ndarray | None = None
        for number, (time, frame) in enumerate(decoded(clip)):
            truth = frame_pixels(frame, 8 if frame.pixel_format.bits == 8 else 16)
            if number in wanted[clip.path]:
                row = files.get(number)
                if row is None or Fraction(row["pts_seconds"]) != time:
                    wrong.append(f"{clip.path.name} frame {number}: time")
                elif not np.array_equal(read_image(out / row["file"]), truth):
                    wrong.append(f"{clip.path.name} frame {number}: picture")
                distinct += before is None or not np.array_equal(before, truth)
            before = truth
    return {
        "frames": frames,
        "clips": len(wanted),
        "wrong": wrong,
        "differ_from_the_frame_before": distinct,
        "decoded_for_them": decoded_stills,
        "frames_of_these_clips": sum(len(known[path]) for path in wanted),
    }


def round_trip(clip: Clip, folder: Path) -> dict[str, Any]:
    """Take a clip apart and put it together, without loss and with the default codec."""
    frames = folder / "frames"
    for old in frames.glob("*"):
        old.unlink()
    api.extract([clip.path], frames, settings={"extract": {"every": "1f"}})
    lossless, default = folder / "lossless.mp4", folder / "default.mov"
    api.assemble(frames, clip.path, lossless, settings={"deliver": {"video_codec": "lossless", "preset": "ultrafast"}})
    api.assemble(frames, clip.path, default)
    made = [probe(path, "") for path in (lossless, default)]
    times, sound = _times(clip), _sound(clip)
    squared = clip.picture.pixel_aspect != 1  # such a clip comes back with square pixels
    return {
        "clip": f"{clip.path.parent.name}/{clip.path.name}",
        "count": all(len(_times(one)) == len(times) for one in made),
        "times": all(_times(one) == times for one in made),
        "sound": all(_sound(one) == sound for one in made),
        "lossless_exact": None if squared else _psnr(clip, made[0]) == EXACT,
        "default_psnr_db": None if squared else _psnr(clip, made[1]),
        "converted_8_bits_psnr_db": _converted(clip, 8),
        "converted_16_bits_psnr_db": _converted(clip, 16),
    }


def _times(clip: Clip) -> list[Fraction]:
    """Return when each frame is shown; from the first one on for recordings, whose clock is moved to zero."""
    times = [time for time, _ in decoded(clip)]
    start = Fraction(0) if clip.container in INDEXED else times[0]
    return [time - start for time in times]


def _sound(clip: Clip) -> list[tuple[Fraction, str]]:
    """Return for each sound track where it starts, against the picture, and a digest of all its samples."""
    first = next(decoded(clip))[0]
    tracks = []
    for sound in clip.sounds:
        start, state = None, hashlib.sha256()
        # damage ends the sound of the source and of the copy alike
        with av.open(str(clip.path)) as container, contextlib.suppress(av.FFmpegError):
            natives: Any = container.decode(container.streams[sound.index])
            for native in natives:
                start = native.pts * native.time_base - first if start is None else start
                state.update(to_float(native).tobytes())
        tracks.append((start or Fraction(0), state.hexdigest()))
    return tracks


def _psnr(clip: Clip, made: Clip) -> float:
    """Return the PSNR of all samples of all planes, in decibels."""
    with PictureReader(clip) as source, PictureReader(made) as copy:
        pairs = zip(source.frames(), copy.frames(), strict=True)
        return _decibels(((f.planes, g.planes) for f, g in pairs), clip.picture.pixel_format.bits)


def _converted(clip: Clip, bits: Literal[8, 16]) -> float:
    """Return the PSNR of every tenth frame through pixels and back, where nothing is taken from the clip."""

    def pairs() -> Iterator[tuple[Any, Any]]:
        with PictureReader(clip) as reader:
            for frame in itertools.islice(reader.frames(), 0, None, 10):
                again = allocate_like(frame)
                pixels_to_frame(frame_pixels(frame, bits), again)
                yield frame.planes, again.planes

    return _decibels(pairs(), clip.picture.pixel_format.bits)


def _decibels(pairs: Iterator[tuple[Any, Any]], bits: int) -> float:
    squares = samples = 0.0
    for planes, others in pairs:
        for plane, other in zip(planes, others, strict=True):
            squares += float(np.square(plane.astype(np.int32) - other, dtype=np.float64).sum())
            samples += plane.size
    return round(10 * math.log10(((1 << bits) - 1) ** 2 * samples / squares), 2) if squares else EXACT


if __name__ == "__main__":
    main()
