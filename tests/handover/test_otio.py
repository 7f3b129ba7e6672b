from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from postpipe.handover.otio import build, exact_rate, read, write
from postpipe.timing import format_timecode, parse_rate
from tests.handover.films import random_film


@pytest.mark.parametrize("seed", range(30))
def test_a_film_comes_back_from_otio_frame_for_frame(seed: int, tmp_path: Path) -> None:
    film = random_film(seed)
    path = tmp_path / "film.otio"
    assert write(film, path) == []
    again = read(otio.adapters.read_from_file(str(path)))
    assert again == film
    assert again.losses == ()


def test_source_ranges_are_timecodes_of_the_media() -> None:
    film = random_film(3)  # 29.97
    for cut, clip in zip(film.pictures[0].cuts, build(film).find_clips(), strict=False):
        start = clip.source_range.start_time
        assert start.value == cut.media.start + cut.first
        assert clip.available_range().start_time.value == cut.media.start
        assert otio.opentime.to_timecode(start, start.rate, cut.media.drop) == format_timecode(
            int(start.value), film.rate, drop=cut.media.drop
        )


def test_a_fade_between_two_clips_is_not_taken_for_a_dissolve() -> None:
    film = random_film(0)
    first, second = film.pictures[0].cuts[:2]
    cuts = (
        replace(first, start=0, end=40, dissolve_in=None, dissolve_out=None, fade_in=0, fade_out=6),
        replace(second, start=40, end=80, dissolve_in=None, dissolve_out=None, fade_in=0, fade_out=0),
    )
    film = replace(film, frames=80, pictures=(replace(film.pictures[0], cuts=cuts),), sounds=())
    assert read(build(film)) == film


@pytest.mark.parametrize("text", "23.976 24 25 29.97 30 48 50 59.94 60 119.88 12.5".split())
def test_the_rate_that_a_float_stands_for(text: str) -> None:
    rate = parse_rate(text)
    assert exact_rate(float(rate)) == rate == exact_rate(float(text))


def test_what_is_read_from_others_says_what_it_lost() -> None:
    timeline = build(random_film(1))
    clip = next(iter(timeline.find_clips()))
    clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=0.5))
    assert any("effects are not handed on" in loss for loss in read(timeline).losses)


def test_a_dissolve_that_reaches_into_a_gap_makes_the_clip_longer() -> None:
    film = random_film(2)
    (cut, *_) = film.pictures[0].cuts
    cut = replace(cut, start=20, end=60, first=Fraction(30), dissolve_in=None, dissolve_out=None, fade_in=0, fade_out=0)
    film = replace(film, frames=60, pictures=(replace(film.pictures[0], cuts=(cut,)),), sounds=())
    timeline = build(film)
    rate = float(film.rate)
    dissolve = otio.schema.Transition(
        "", "SMPTE_Dissolve", otio.opentime.RationalTime(4, rate), otio.opentime.RationalTime(2, rate)
    )
    timeline.tracks[0].insert(1, dissolve)
    (longer,) = read(timeline).pictures[0].cuts
    assert (longer.start, longer.end, longer.first, longer.fade_in) == (16, 60, 26, 6)
