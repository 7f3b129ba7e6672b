"""Frames back to a clip: count, times, sound and samples of the source where nothing changed, faults by name."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from postpipe import api
from postpipe.errors import DeliveryError, SettingsError
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from tests.media.making import B_FRAMES, NTSC, make, sine
from tests.stages.helpers import decode_planes, decode_sound

FRAMES = 14
UNEVEN = [0, 40, 95, 110, 180, 181, 260, 300, 420, 500, 505, 600, 640, 700]
AAC = ("aac", 48000, sine(28000), Fraction(0))
KINDS: dict[str, dict[str, Any]] = {
    "b-frames.mp4": {"options": B_FRAMES, "sounds": [AAC]},
    "ntsc.mov": {"rate": NTSC, "sounds": [("pcm_s16le", 44100, sine(20000, rate_hz=44100), Fraction(0))]},
    "uneven.mp4": {"pts": UNEVEN, "tick": Fraction(1, 1000), "options": B_FRAMES, "sounds": [AAC]},
    "late picture.mp4": {"pts": [12 + n for n in range(FRAMES)], "sounds": [AAC]},
    "late sound.mp4": {"sounds": [("aac", 48000, sine(20000), Fraction(1, 4))]},
    "two tracks.mkv": {"sounds": [AAC, ("aac", 44100, sine(20000, rate_hz=44100, channels=1), Fraction(0))]},
    "opus.webm": {
        "codec": "libvpx-vp9",
        "options": {"lossless": "1"},
        "sounds": [("libopus", 48000, sine(28000), Fraction(0))],
    },
    "turned.mp4": {"rotation": 90},
    "deep.mp4": {"pixel_format": "yuv420p10le"},
    "wide.mp4": {"pixel_format": "yuv444p"},
    "stream.ts": {"options": B_FRAMES, "sounds": [("aac", 48000, sine(28000), Fraction(0))]},
    "timecode.mov": {"timecode": "01:00:00:05"},
}  # fmt: skip


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Clips, each with the folder of all its frames."""
    folder = tmp_path_factory.mktemp("sources")
    made = {}
    for name, how in KINDS.items():
        clip = make(folder / name, FRAMES, **how)
        frames = folder / f"{name} frames"
        api.extract([clip], frames, settings={"extract": {"every": "1f"}})
        made[name] = clip, frames
    return made


def lossless(frames: Path, like: Path, out: Path, **how: Any) -> Any:
    settings = {"deliver": {"video_codec": "lossless", "preset": "ultrafast"}}
    return api.assemble(frames, like, out, settings=settings, **how)


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def packets(path: Path, track: int = 0) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.audio[track]) if packet.size]


def planes(path: Path) -> list[list[np.ndarray]]:
    with PictureReader(probe(path, "")) as reader:
        return [[plane.copy() for plane in frame.planes] for frame in reader.frames()]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("name", KINDS)
def test_what_nobody_changed_comes_back(
    sources: dict[str, tuple[Path, Path]], tmp_path: Path, name: str, suffix: str
) -> None:
    clip, frames = sources[name]
    out = tmp_path / f"again{suffix}"
    made = lossless(frames, clip, out)
    assert (made.frames, made.unchanged, made.filled) == (FRAMES, FRAMES, ())
    moved = times(clip)[0] - times(out)[0]
    assert [time + moved for time in times(out)] == times(clip)
    assert moved == 0 or name == "stream.ts"
    for one, other in zip(planes(clip), planes(out), strict=True):
        for plane, copy in zip(one, other, strict=True):
            np.testing.assert_array_equal(plane, copy)
    source, film = probe(clip, ""), probe(out, "")
    assert (film.picture.width, film.picture.height) == (source.picture.width, source.picture.height)
    assert (film.picture.rotation, film.start_timecode) == (0, source.start_timecode)
    assert film.picture.colour == source.picture.colour
    assert len(film.sounds) == len(source.sounds)
    for track, sound in enumerate(made.sounds):
        if sound.copied:
            assert packets(out, track) == packets(clip, track) or name == "stream.ts"  # there with headers of their own
    if source.sounds:
        (before, start), (after, again) = decode_sound(clip), decode_sound(out)
        assert start - times(clip)[0] == again - times(out)[0]
        # MP4 cannot say that the end of a last packet is padding
        np.testing.assert_array_equal(before, after[: len(before)])
        assert len(after) == len(before) or (name, suffix) == ("opus.webm", ".mp4")
    assert not (tmp_path / ".postpipe").exists()


def test_sound_that_a_container_does_not_take_is_decoded(sources: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    clip, frames = sources["opus.webm"]
    assert [sound.copied for sound in lossless(frames, clip, tmp_path / "a.mp4").sounds] == [True]
    made = lossless(frames, clip, tmp_path / "a.mov")
    assert [(sound.codec, sound.copied) for sound in made.sounds] == [("pcm_f32le", False)]
    assert "its pcm_f32le sound was decoded: .mov does not take it" in made.notes


@pytest.mark.parametrize("scale", [2, 4])
def test_frames_of_any_size_come_with_the_clips_time_and_sound(
    sources: dict[str, tuple[Path, Path]], tmp_path: Path, scale: int
) -> None:
    clip, frames = sources["b-frames.mp4"]
    large = tmp_path / "large"
    large.mkdir()
    for number, path in enumerate(sorted(frames.iterdir()), start=1):
        picture = cv2.imread(str(path))
        cv2.imwrite(str(large / f"{number:05d}.png"), cv2.resize(picture, None, fx=scale, fy=scale))
    made = api.assemble(large, clip, tmp_path / "large.mp4")
    assert (made.width, made.height, made.first_number, made.unchanged) == (64 * scale, 48 * scale, 1, 0)
    assert times(tmp_path / "large.mp4") == times(clip)
    assert packets(tmp_path / "large.mp4") == packets(clip)


def test_only_what_was_painted_over_changes(sources: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    clip, frames = sources["b-frames.mp4"]
    painted = tmp_path / "painted"
    shutil.copytree(frames, painted)
    path = sorted(painted.iterdir())[5]
    picture = cv2.imread(str(path))
    picture[10:20, 8:24] = (20, 60, 200)
    cv2.imwrite(str(path), picture)
    made = lossless(painted, clip, tmp_path / "painted.mp4")
    assert made.unchanged == FRAMES - 1
    before, after = decode_planes(clip), decode_planes(tmp_path / "painted.mp4")
    for number in range(FRAMES):
        for plane, edge in zip(range(3), ((10, 20, 8, 24), (4, 11, 3, 13), (4, 11, 3, 13)), strict=True):
            changed = np.argwhere(before[number][plane] != after[number][plane])
            assert len(changed) == 0 or number == 5
            top, bottom, left, right = edge
            assert ((changed >= (top, left)) & (changed < (bottom, right))).all()
    luma, cb, cr = after[5]
    assert (luma[15, 15], cb[7, 7], cr[7, 7]) == (91, 96, 191)  # (200, 60, 20) in BT.709, limited range


@pytest.mark.parametrize(
    ("codec", "suffix", "layout"), [("prores", ".mov", "yuv422p10le"), ("h265", ".mp4", "yuv420p10le")]
)
def test_codecs_and_depth(
    sources: dict[str, tuple[Path, Path]], tmp_path: Path, codec: str, suffix: str, layout: str
) -> None:
    clip, frames = sources["b-frames.mp4"]
    bits: Any = 10
    settings = {"deliver": {"video_codec": codec}}
    made = api.assemble(frames, clip, tmp_path / f"film{suffix}", settings=settings, bits=bits)
    assert made.pixel_format == layout
    assert times(tmp_path / f"film{suffix}") == times(clip)
    deep, deep_frames = sources["deep.mp4"]
    assert api.assemble(deep_frames, deep, tmp_path / "deep.mp4").pixel_format == "yuv420p10le"


def test_missing_frames_are_named_or_filled(sources: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    clip, frames = sources["uneven.mp4"]
    some = tmp_path / "some"
    shutil.copytree(frames, some)
    for path in [path for number, path in enumerate(sorted(some.iterdir())) if number in (0, 4, 5, 13)]:
        path.unlink()
    with pytest.raises(
        DeliveryError, match=r"4 of the frames 0–13 are missing: 0, 4–5, 13; add them, or .*--fill clip"
    ):
        lossless(some, clip, tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == [some]
    made = lossless(some, clip, tmp_path / "a.mp4", fill="clip")
    assert made.filled == (0, 4, 5, 13)
    assert made.unchanged == 10
    for one, other in zip(decode_planes(clip), decode_planes(tmp_path / "a.mp4"), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    for path in some.iterdir():
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (128, 96)))
    made = lossless(some, clip, tmp_path / "b.mp4", fill="clip")
    assert (made.width, made.height, made.unchanged, made.filled) == (128, 96, 0, (0, 4, 5, 13))


def test_every_file_at_fault_is_named(sources: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    clip, frames = sources["b-frames.mp4"]
    bad = tmp_path / "bad"
    shutil.copytree(frames, bad)
    files = sorted(bad.iterdir())
    cv2.imwrite(str(files[2]), np.zeros((48, 60, 3), np.uint8))
    cv2.imwrite(str(files[7]), np.zeros((96, 128, 3), np.uint8))
    files[9].write_bytes(b"no picture")
    shutil.copy(files[0], bad / "b-frames_f000014_00-00-00-14.png")
    (bad / "notes.txt").write_text("is no picture, and no fault")
    (bad / ".hidden.png").write_text("nor is this")
    with pytest.raises(DeliveryError) as fault:
        lossless(bad, clip, tmp_path / "a.mp4")
    lines = str(fault.value).splitlines()
    assert lines[0] == f"{bad}: the frames do not fit b-frames.mp4:"
    assert lines[1:] == [
        "  b-frames_f000014_00-00-00-14.png: the clip ends with frame 13; take the file away",
        f"  {files[9].name}: cannot be read (damaged, or no picture); write it again",
        f"  {files[2].name}: is 60 × 48, and the others 64 × 48; make it the same",
        f"  {files[7].name}: is 128 × 96, and the others 64 × 48; make it the same",
    ]
    assert not (tmp_path / "a.mp4").exists()


def test_frames_damaged_behind_their_header_are_named(sources: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    clip, frames = sources["b-frames.mp4"]
    bad = tmp_path / "bad"
    shutil.copytree(frames, bad)
    for path in sorted(bad.iterdir())[3:12:4]:
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DeliveryError) as fault:
        lossless(bad, clip, tmp_path / "a.mp4")
    assert [line.split("_00")[0] for line in str(fault.value).splitlines()[1:]] == [
        "  b-frames_f000003",
        "  b-frames_f000007",
        "  b-frames_f000011",
    ]
    assert list(tmp_path.iterdir()) == [bad]


def test_odd_sizes_are_cut_and_said(tmp_path: Path, sources: dict[str, tuple[Path, Path]]) -> None:
    clip, _ = sources["b-frames.mp4"]
    odd = tmp_path / "odd"
    odd.mkdir()
    for number in range(FRAMES):
        cv2.imwrite(str(odd / f"{number}.png"), np.full((51, 65, 3), 10 * number, np.uint8))
    made = api.assemble(odd, clip, tmp_path / "a.mp4")
    assert (made.width, made.height) == (64, 50)
    assert "65 × 51 is cut to 64 × 50: yuv420p takes even sizes" in made.notes

    clip = make(tmp_path / "odd.webm", 4, size=(63, 47), codec="libvpx-vp9", options={"lossless": "1"})
    api.extract([clip], tmp_path / "frames", settings={"extract": {"every": "1f"}})
    assert lossless(tmp_path / "frames", clip, tmp_path / "b.mp4").unchanged == 4
    for one, other in zip(planes(clip), planes(tmp_path / "b.mp4"), strict=True):
        for plane, copy in zip(one, other, strict=True):
            np.testing.assert_array_equal(plane[: copy.shape[0], : copy.shape[1]], copy)


def test_wrong_requests_are_refused_in_words(tmp_path: Path, sources: dict[str, tuple[Path, Path]]) -> None:
    clip, frames = sources["b-frames.mp4"]
    (tmp_path / "empty").mkdir()
    for arguments, fault, words in (
        ((frames, clip, tmp_path / "a.mkv"), SettingsError, "ends in .mp4 or .mov"),
        ((frames, clip, clip), DeliveryError, "is the clip itself"),
        ((tmp_path / "empty", clip, tmp_path / "a.mp4"), DeliveryError, "holds no picture"),
        ((tmp_path / "none", clip, tmp_path / "a.mp4"), DeliveryError, "cannot be read"),
        ((frames, tmp_path / "none.mp4", tmp_path / "a.mp4"), DeliveryError, "there is no such file"),
    ):
        with pytest.raises(fault, match=words):
            api.assemble(*arguments)
    with pytest.raises(SettingsError, match=r"prores goes into .mov files"):
        api.assemble(frames, clip, tmp_path / "a.mp4", settings={"deliver": {"video_codec": "prores"}})
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1}
    hdr = make(tmp_path / "hdr.mp4", 2, pixel_format="yuv420p10le", tags=tags)
    with pytest.raises(DeliveryError, match="is HDR"):
        api.assemble(frames, hdr, tmp_path / "a.mp4")
