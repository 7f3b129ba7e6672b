"""Stills from the look: which frames, and which colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from postpipe_kernels.colour import code_scale, rgb_to_ycbcr

from postpipe.engine.stage import Look
from postpipe.media.probe import probe
from postpipe.model import PIXEL_FORMATS, Clip, ColourSpec, Frame
from postpipe.stages.colour import LONG_EDGE, STILLS, ColourStats, WatchColour
from tests.clips import make_clip

RATE = 24


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return probe(make_clip(tmp_path / "clip.mp4", frames=4, sound_hz=None), "")


def shaped(clip: Clip, width: int, height: int, colour: ColourSpec, form: str, seconds: Fraction | None) -> Clip:
    picture = replace(
        clip.picture,
        width=width,
        height=height,
        colour=colour,
        pixel_format=PIXEL_FORMATS[form],
        declared_seconds=seconds,
    )
    return replace(clip, picture=picture)


def frames(clip: Clip, count: int, rgb: tuple[float, float, float]) -> Iterator[Frame]:
    """Yield frames of one colour."""
    picture = clip.picture
    scale, zero = code_scale(picture.colour.range, picture.pixel_format.bits)
    codes = np.rint(rgb_to_ycbcr(picture.colour.matrix) @ rgb * scale + zero)
    kind = np.uint8 if picture.pixel_format.bits == 8 else np.uint16
    planes = [
        np.full(picture.pixel_format.plane_size(n, picture.width, picture.height)[::-1], code, kind)
        for n, code in enumerate(codes)
    ]
    for number in range(count):
        yield Frame(number, Fraction(number, RATE), tuple(planes), picture.pixel_format, picture.colour)  # type: ignore[arg-type]


def watch(clip: Clip, count: int, rgb: tuple[float, float, float] = (0.5, 0.5, 0.5)) -> ColourStats:
    analyser = WatchColour()
    state = analyser.start(clip)
    for frame in frames(clip, count, rgb):
        analyser.step(state, Look(frame))
    return analyser.finish(state)


BT709 = ColourSpec("bt709", "limited", "bt709", "bt709")


@pytest.mark.parametrize(
    ("form", "colour"),
    [
        ("yuv420p", BT709),
        ("yuv444p", ColourSpec("smpte170m", "limited", "smpte170m", "smpte170m")),
        ("yuv422p10le", ColourSpec("bt709", "full", "bt709", "bt709")),
    ],
)
def test_stills_are_rgb_through_the_clips_own_matrix_and_range(clip: Clip, form: str, colour: ColourSpec) -> None:
    found = watch(shaped(clip, 97, 64, colour, form, Fraction(1)), 24, (0.8, 0.25, 0.5))
    assert found.pictures.shape == (STILLS, 64, 97, 3)
    assert np.abs(found.pictures.astype(int) - [204, 64, 128]).max() <= 2


def test_the_long_edge_is_that_of_a_still(clip: Clip) -> None:
    assert watch(shaped(clip, 180, 640, BT709, "yuv420p", None), 2).pictures.shape == (1, LONG_EDGE, 90, 3)


@pytest.mark.parametrize("declared", [Fraction(10), Fraction(1), Fraction(100), None])
@pytest.mark.parametrize("count", [1, 3, 8, 9, 60, 240])
def test_stills_are_spread_over_the_clip_whatever_its_header_says(
    clip: Clip, declared: Fraction | None, count: int
) -> None:
    found = watch(shaped(clip, 32, 24, BT709, "yuv420p", declared), count).frames
    assert list(found) == sorted(set(found))
    assert 1 <= len(found) <= STILLS
    if count == 240 and declared != Fraction(100):
        assert len(found) == STILLS
        assert found[0] < 60
        assert found[-1] >= 180
        assert np.diff(found).max() <= 60


def test_a_clip_without_frames_has_no_stills(clip: Clip) -> None:
    assert len(watch(clip, 0).pictures) == 0
