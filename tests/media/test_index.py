"""Frame times from packets, and frames by number: the right one in every kind of file, decoding as little as can be."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postpipe.delivery import FrameTimes
from postpipe.engine import passes
from postpipe.errors import TakeError
from postpipe.media.index import FramePicker, read_index
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.model import Clip, Frame
from postpipe.stages.clock import Clock
from tests.media.making import B_FRAMES, NTSC, make

OPEN_GOP = {"qp": "0", "preset": "ultrafast", "bf": "3", "g": "10", "x264-params": "open-gop=1:b-pyramid=normal"}
UNEVEN = [
    0,
    40,
    95,
    110,
    180,
    181,
    260,
    300,
    420,
    500,
    505,
    600,
    640,
    700,
    790,
    800,
    860,
    901,
    950,
    1000,
    1100,
    1150,
    1210,
    1300,
]
KINDS: dict[str, dict[str, Any]] = {
    "b-frames.mp4": {"options": B_FRAMES},
    "open-gop.mp4": {"options": OPEN_GOP},
    "ntsc.mov": {"options": B_FRAMES, "rate": NTSC},
    "uneven.mp4": {"options": B_FRAMES, "pts": UNEVEN, "tick": Fraction(1, 1000)},
    "late.mp4": {"options": B_FRAMES, "pts": [30 + n for n in range(24)]},
    "turned.mp4": {"options": B_FRAMES, "rotation": 90},
    "coarse.mkv": {"options": B_FRAMES, "rate": NTSC},
    "stream.ts": {"options": B_FRAMES},
    "old.avi": {"codec": "mpeg4", "options": {"g": "8"}},
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Clip]:
    folder = tmp_path_factory.mktemp("clips")
    return {name: probe(make(folder / name, 24, **how), "") for name, how in KINDS.items()}


def looked_at(clip: Clip) -> FrameTimes:
    (times,), _ = passes.look(clip, [Clock()], threads=1, on_frame=lambda done: None)
    assert isinstance(times, FrameTimes)
    return times


def content(frame: Frame) -> list[bytes]:
    return [plane.tobytes() for plane in frame.planes]


def one_by_one(clip: Clip) -> list[list[bytes]]:
    with PictureReader(clip) as reader:
        return [content(frame) for frame in reader.frames()]


@pytest.mark.parametrize("name", KINDS)
def test_packets_tell_what_a_decode_does(clips: dict[str, Clip], name: str) -> None:
    clip = clips[name]
    by_index, by_decode = Clock().from_index(clip), looked_at(clip)
    if name.endswith((".ts", ".avi")):
        assert read_index(clip) is None
        assert by_index is None
        return
    assert by_index is not None
    np.testing.assert_array_equal(by_index.pts, by_decode.pts)
    assert dataclasses.replace(by_index, pts=by_decode.pts) == by_decode


def test_a_codec_whose_packets_are_no_pictures_is_not_believed(clips: dict[str, Clip]) -> None:
    clip = clips["b-frames.mp4"]
    other = dataclasses.replace(clip, picture=dataclasses.replace(clip.picture, codec="vp8"))
    index = read_index(other)
    assert index is not None
    assert index.pts is None
    assert index.keys.tolist() == [int(pts) for pts in looked_at(clip).pts[::12]]


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(list(KINDS)), wanted=st.sets(st.integers(0, 23), min_size=1, max_size=6))
def test_the_right_frame_every_time(clips: dict[str, Clip], name: str, wanted: set[int]) -> None:
    clip = clips[name]
    truth = one_by_one(clip)
    with FramePicker(clip, looked_at(clip)) as picker:
        found = [(frame.index, content(frame)) for frame in picker.frames(sorted(wanted))]
    assert found == [(number, truth[number]) for number in sorted(wanted)]


def test_no_more_is_decoded_than_lies_behind_a_key_frame(clips: dict[str, Clip]) -> None:
    clip = clips["b-frames.mp4"]  # key frames 0 and 12
    for wanted, most in (([12], 4), ([0, 12], 8), ([3, 5], 9), ([2, 14], 12)):
        with FramePicker(clip, looked_at(clip)) as picker:
            assert len(list(picker.frames(wanted))) == len(wanted)
            assert picker.decoded <= most, wanted


def test_a_seek_that_does_not_lead_there_is_not_believed(clips: dict[str, Clip]) -> None:
    clip = clips["b-frames.mp4"]
    times = looked_at(clip)
    moved = dataclasses.replace(times, pts=times.pts + 1)  # no frame has these times: only counting finds them
    truth = one_by_one(clip)
    with FramePicker(clip, moved) as picker:
        assert [content(frame) for frame in picker.frames([7, 20])] == [truth[7], truth[20]]
        assert picker.decoded >= 21


def test_a_frame_that_is_gone_is_told(clips: dict[str, Clip]) -> None:
    clip = clips["b-frames.mp4"]
    times = looked_at(clip)
    longer = dataclasses.replace(times, pts=np.append(times.pts, times.pts[-1] + 512))
    with FramePicker(clip, longer) as picker, pytest.raises(TakeError, match="frame 24 cannot be decoded again"):
        list(picker.frames([24]))
