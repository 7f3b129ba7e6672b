"""Every frame comes once, in order, at its exact time, upright, from wherever reading starts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from postpipe.errors import TakeError
from postpipe.media.frames import is_native
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.model import PIXEL_FORMATS, Frame

from .making import B_FRAMES, NTSC, make, values

FAST_START = {"movflags": "faststart"}


def read(path: Path, start: Fraction | None = None, first_index: int = 0, threads: int = 1) -> list[Frame]:
    with PictureReader(probe(path, ""), threads=threads) as reader:
        return list(reader.frames(start, first_index))


def shows(frame: Frame, index: int, size: tuple[int, int] = (64, 48), layout: str | None = None) -> bool:
    """Whether the frame is picture `index`, in every code value."""
    known = PIXEL_FORMATS[layout or frame.pixel_format.name]
    return all(np.array_equal(plane, values(index, number, known, *size)) for number, plane in enumerate(frame.planes))


@pytest.mark.parametrize("size", [(64, 48), (61, 47)])
@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_pixels_are_the_files_own(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    frames = read(make(tmp_path / "a.mkv", 3, codec="ffv1", pixel_format=name, size=size))
    assert [frame.index for frame in frames] == [0, 1, 2]
    for frame in frames:
        assert (frame.width, frame.height, frame.pixel_format.name) == (*size, name)
        assert shows(frame, frame.index, size)
        assert not frame.damaged


@pytest.mark.parametrize("rate", [Fraction(24), NTSC, Fraction(24000, 1001), Fraction(50), Fraction(8)])
def test_times_are_exact(tmp_path: Path, rate: Fraction) -> None:
    frames = read(make(tmp_path / "a.mp4", 20, rate=rate, options=B_FRAMES))
    assert [frame.pts_seconds for frame in frames] == [index / rate for index in range(20)]
    assert all(shows(frame, frame.index) for frame in frames)


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    pts = [0, 40, 41, 120, 121, 1000, 2000, 2040]
    frames = read(make(tmp_path / "a.mkv", 8, rate=Fraction(25), tick=Fraction(1, 1000), pts=pts))
    assert [frame.pts_seconds for frame in frames] == [Fraction(time, 1000) for time in pts]


def test_late_start_is_kept(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", 4, rate=Fraction(25), pts=[25, 26, 27, 28])
    assert [frame.pts_seconds for frame in read(path)] == [Fraction(25 + index, 25) for index in range(4)]
    assert [frame.index for frame in read(path, Fraction(0))] == [0, 1, 2, 3]


def test_times_that_go_back_become_steps(tmp_path: Path) -> None:
    # Two recordings in one file: the second one's clock starts again.
    halves = [make(tmp_path / f"{name}.ts", 4, rate=Fraction(25), options={"bf": "0"}) for name in "ab"]
    path = tmp_path / "both.ts"
    path.write_bytes(halves[0].read_bytes() + halves[1].read_bytes())
    times = [frame.pts_seconds for frame in read(path)]
    assert len(times) == 8
    assert [second - first for first, second in pairwise(times)] == [Fraction(1, 25)] * 7


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("container", ["mp4", "mov", "mkv", "avi", "ts"])
def test_reading_from_any_frame(tmp_path: Path, container: str, threads: int) -> None:
    options = B_FRAMES if container != "avi" else {"qp": "0", "bf": "0", "g": "12"}
    path = make(tmp_path / f"a.{container}", 40, rate=Fraction(25), options=options)
    whole = read(path)
    assert len(whole) == 40
    for first in (0, 1, 11, 12, 13, 25, 39):
        time = whole[first].pts_seconds
        for start in (time, time - Fraction(1, 100)):
            frames = read(path, start, first, threads)
            assert [(f.index, f.pts_seconds) for f in frames] == [(f.index, f.pts_seconds) for f in whole[first:]]
            assert shows(frames[0], first)
            assert shows(frames[-1], 39)


def test_reading_from_behind_the_end(tmp_path: Path) -> None:
    assert read(make(tmp_path / "a.mp4", 5), Fraction(10)) == []


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_open_groups_of_pictures(tmp_path: Path, codec: str) -> None:
    """B-frames before a key frame that is not an IDR cannot be decoded from it: they must not be missed."""
    params = "open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0:scenecut=0:log-level=none"
    key = "x264-params" if codec == "libx264" else "x265-params"
    lossless = {"qp": "0"} if codec == "libx264" else {}
    params += ":lossless=1" if codec == "libx265" else ""
    path = make(tmp_path / "a.mp4", 30, codec=codec, options={key: params, "preset": "ultrafast", **lossless})
    for first in range(0, 30, 3):
        frames = read(path, Fraction(first, 24), first)
        assert [frame.index for frame in frames] == list(range(first, 30))
        assert all(shows(frame, frame.index) for frame in frames)


def test_seeking_decodes_no_more_than_one_group_before(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", 120, options=B_FRAMES)
    with PictureReader(probe(path, "")) as reader:
        frames = list(islice(reader.frames(Fraction(100, 24), 100), 5))
        assert frames[0].index == 100
        assert reader.decoded <= 12 + 5 + 4


def test_decoded_counts_what_the_decoder_gave(tmp_path: Path) -> None:
    with PictureReader(probe(make(tmp_path / "a.mp4", 9), "")) as reader:
        assert len(list(reader.frames())) == 9
        assert reader.decoded == 9


@pytest.mark.parametrize(("name", "width"), [("yuv420p", 62), ("yuv420p10le", 62), ("yuv444p", 61)])
@pytest.mark.parametrize("degrees", [-90, 180, 90])
def test_frames_are_upright(tmp_path: Path, degrees: int, name: str, width: int) -> None:
    path = make(tmp_path / "a.mov", 2, pixel_format=name, size=(width, 48), rotation=degrees)
    for frame in read(path):
        assert (frame.width, frame.height) == ((width, 48) if degrees == 180 else (48, width))
        assert not is_native(frame)
        for number, plane in enumerate(frame.planes):
            stored = values(frame.index, number, frame.pixel_format, width, 48)
            assert np.array_equal(plane, np.rot90(stored, degrees // 90))


def test_422_on_its_side(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mov", 1, pixel_format="yuv422p", rotation=-90)
    (frame,) = read(path)
    assert frame.pixel_format.name == "yuv444p"
    assert [plane.shape for plane in frame.planes] == [(64, 48)] * 3
    luma = values(0, 0, PIXEL_FORMATS["yuv422p"], 64, 48)
    assert np.array_equal(frame.planes[0], np.rot90(luma, -1))


def test_interlaced_pictures_are_deinterlaced_one_for_one(tmp_path: Path) -> None:
    # One field is bright and one dark, in turns: woven they comb, deinterlaced they are flat.
    combed = []
    for index in range(6):
        frame = av.VideoFrame(64, 48, "yuv420p")
        for plane in frame.planes:
            memory = np.ndarray((plane.height, plane.line_size), np.uint8, memoryview(plane))
            memory[:] = 128
            if plane.height == 48:
                memory[index % 2 :: 2], memory[1 - index % 2 :: 2] = 60, 180
        combed.append(frame)
    options = {"qp": "0", "flags": "+ildct", "x264-params": "tff=1"}
    path = make(tmp_path / "a.mp4", combed, rate=NTSC, options=options)
    frames = read(path)
    assert [frame.pts_seconds for frame in frames] == [index / NTSC for index in range(6)]
    assert np.ptp(combed[3].to_ndarray()[8:40, :64]) == 120
    assert np.ptp(frames[3].planes[0][8:40]) == 0
    assert read(path, 3 / NTSC, 3)[0].planes[0].tobytes() == frames[3].planes[0].tobytes()


def test_a_frame_stays_valid_behind_the_reader(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", 30, options=B_FRAMES)
    with PictureReader(probe(path, ""), threads=2) as reader:
        frames = list(reader.frames())
    del reader
    assert all(shows(frame, frame.index) for frame in frames)


def test_reading_twice_and_leaving_early(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", 30, options=B_FRAMES)
    with PictureReader(probe(path, "")) as reader:
        assert next(reader.frames()).index == 0
        assert [frame.index for frame in reader.frames()] == list(range(30))
    with PictureReader(probe(path, "")) as reader:
        next(reader.frames(Fraction(20, 24), 20))
        reader.close()
        reader.close()


def test_cut_off_file_gives_what_is_there(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", 40, container_options=FAST_START, options={"qp": "0", "bf": "0"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    clip = probe(path, "")
    with PictureReader(clip) as reader:
        assert reader.missing_seconds == 0
        frames = list(reader.frames())
        assert clip.picture.declared_frames == 40
        assert 10 < len(frames) < 40
        assert abs(reader.missing_seconds - Fraction(40 - len(frames), 24)) < Fraction(1, 1000)
    assert all(shows(frame, frame.index) for frame in frames[:-1])


def test_whole_file_misses_nothing(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", 12, rate=Fraction(25), pts=list(range(30, 42)))
    with PictureReader(probe(path, "")) as reader:
        list(reader.frames(Fraction(35, 25)))
        assert reader.missing_seconds == 0


def test_undecodable_middle_names_the_frame(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", 20, options={"qp": "0", "bf": "0"})
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][9]
    data = bytearray(path.read_bytes())
    # The first NAL unit of the tenth packet claims to be longer than the packet.
    data[packet.pos : packet.pos + 4] = b"\x7f\xff\xff\xff"
    path.write_bytes(data)
    given: list[int] = []

    def gather() -> None:
        with PictureReader(probe(path, "")) as reader:
            given.extend(frame.index for frame in reader.frames())

    with pytest.raises(TakeError, match="cannot be decoded from frame 9 on"):
        gather()
    assert given == list(range(9))


def test_damaged_frames_are_marked(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", 12, size=(320, 240), options={"crf": "10", "bf": "0", "preset": "ultrafast"})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][6]
    at = packet.pos + packet.size // 2
    data[at : at + 40] = bytes(byte ^ 0x5A for byte in data[at : at + 40])
    path.write_bytes(data)
    frames = read(path)
    assert len(frames) == 12
    assert any(frame.damaged for frame in frames[6:])
    assert not any(frame.damaged for frame in frames[:6])


def test_change_of_size_is_refused(tmp_path: Path) -> None:
    first = make(tmp_path / "a.ts", 4, options={"bf": "0"})
    second = make(tmp_path / "b.ts", 4, size=(96, 48), options={"bf": "0"})
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(TakeError, match=r"at frame 4 the picture changes from 64 × 48 yuv420p to 96 × 48"):
        read(path)


def test_another_file_under_the_same_name_is_noticed(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", 2)
    clip = probe(path, "")
    clip = replace(clip, picture=replace(clip.picture, index=3))
    with PictureReader(clip) as reader, pytest.raises(TakeError, match="not the one that was looked at"):
        next(reader.frames())
