"""Exact time: rates, sample boundaries, time maps."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postpipe.delivery import Cadence, FrameTimes
from postpipe.engine.pieces import unit_starts
from postpipe.stages.clock import measured_rate
from postpipe.timing import (
    format_rate,
    format_timecode,
    is_drop_frame,
    natural_key,
    nearest_standard_rate,
    parse_position,
    parse_rate,
    parse_timecode,
    round_half_up,
    sample_at_frame,
)

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("24", Fraction(24)),
        ("24/1", Fraction(24)),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("29.97", NTSC),
        ("59.94", Fraction(60000, 1001)),
        ("30000/1001", NTSC),
        ("12.5", Fraction(25, 2)),
    ],
)
def test_rates_are_read_exactly(text: str, rate: Fraction) -> None:
    assert parse_rate(text) == rate
    assert parse_rate(format_rate(rate)) == rate


@pytest.mark.parametrize("text", ["0", "-24", "abc", ""])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_rate(text)


def test_halves_go_up() -> None:
    assert [round_half_up(Fraction(n, 2)) for n in (-1, 1, 3, 4)] == [0, 1, 2, 2]


@given(st.sampled_from([Fraction(24), NTSC, Fraction(60000, 1001)]), st.lists(st.integers(1, 5000), max_size=20))
def test_sample_boundaries_never_drift(rate: Fraction, lengths: list[int]) -> None:
    position, samples = 0, 0
    for length in lengths:
        start, end = sample_at_frame(position, rate, 48000), sample_at_frame(position + length, rate, 48000)
        samples += end - start
        position += length
    assert abs(samples - position * 48000 / rate) <= Fraction(1, 2)


def times(pts: list[int], time_base: Fraction, last: int) -> FrameTimes:
    rate, vfr = measured_rate(np.array(pts), time_base, Fraction(24))
    return FrameTimes(time_base, np.array(pts, np.int64), last, rate, vfr, ())


@given(st.sampled_from([Fraction(24), Fraction(25), NTSC, Fraction(60)]), st.integers(1, 300), st.integers(0, 10**6))
def test_a_take_at_the_project_rate_is_mapped_frame_for_frame(rate: Fraction, frames: int, start: int) -> None:
    base = Fraction(1, 90000)
    pts = [start + round_half_up(n / rate / base) for n in range(frames)]
    the_map = Cadence.of(times(pts, base, round(1 / rate / base)), rate)
    np.testing.assert_array_equal(the_map.source, np.arange(frames))
    assert the_map.start_seconds == start * base


@given(st.integers(1, 300))
def test_milliseconds_do_not_confuse_the_map(frames: int) -> None:
    """MKV and WebM round times to milliseconds: 0, 33, 67, 100 …"""
    pts = [round(n * 1000 / float(NTSC)) for n in range(frames)]
    found = times(pts, Fraction(1, 1000), 33)
    the_map = Cadence.of(found, NTSC)
    np.testing.assert_array_equal(the_map.source, np.arange(frames))


def test_slow_takes_repeat_and_fast_takes_drop() -> None:
    eight = times([n * 3 for n in range(8)], Fraction(1, 24), 3)
    np.testing.assert_array_equal(Cadence.of(eight, Fraction(24)).source, np.repeat(np.arange(8), 3))
    thirty = times(list(range(30)), Fraction(1, 30), 1)
    dropped = Cadence.of(thirty, Fraction(15)).source
    assert len(dropped) == 15
    assert np.all(np.diff(dropped) == 2)


@given(
    st.lists(st.integers(1, 400), min_size=2, max_size=60),
    st.sampled_from([Fraction(24), NTSC, Fraction(60), Fraction(8)]),
)
def test_a_varying_take_shows_what_is_on_screen_at_each_middle(steps: list[int], rate: Fraction) -> None:
    pts = np.cumsum([0, *steps[:-1]]).tolist()
    found = times(pts, Fraction(1, 1000), steps[-1])
    the_map = Cadence.of(found, rate)
    assert the_map.frames == max(1, round_half_up(Fraction(sum(steps), 1000) * rate))
    for k, index in enumerate(the_map.source.tolist()):
        middle = (Fraction(k) + Fraction(1, 2)) / rate
        shown = max(n for n, p in enumerate(pts) if Fraction(p, 1000) <= middle)
        assert index == shown


def test_rates_are_measured() -> None:
    assert measured_rate(np.arange(48), Fraction(1, 24), Fraction(24)) == (Fraction(24), False)
    assert measured_rate(np.arange(50) * 1001, Fraction(1, 30000), Fraction(25)) == (NTSC, False)
    varying = np.array([0, 40, 80, 200, 240, 280])
    rate, vfr = measured_rate(varying, Fraction(1, 1000), Fraction(25))
    assert vfr
    assert rate == Fraction(5 * 1000, 280).limit_denominator(1001)
    assert nearest_standard_rate(Fraction(22)) == Fraction(24000, 1001)


@given(st.integers(1, 5000), st.sampled_from([Fraction(24), NTSC]), st.integers(1, 20))
def test_units_cover_everything_once(frames: int, rate: Fraction, seconds: int) -> None:
    starts = unit_starts(frames, rate, Fraction(seconds))
    assert starts[0] == 0
    assert starts[-1] == frames
    lengths = np.diff(starts)
    unit = max(1, round(seconds * rate))
    assert (lengths > 0).all()
    assert (lengths[:-1] == unit).all()
    assert lengths[-1] < 1.5 * unit


def test_natural_order() -> None:
    names = ["take10.mp4", "Take2.mp4", "take1.mp4", "a.mp4"]
    assert sorted(names, key=natural_key) == ["a.mp4", "take1.mp4", "Take2.mp4", "take10.mp4"]


NTSC30, NTSC60 = Fraction(30000, 1001), Fraction(60000, 1001)


@pytest.mark.parametrize(
    ("text", "rate", "frame"),
    [
        ("00:00:00:00", Fraction(24), 0),
        ("00:00:59;29", NTSC30, 1799),
        ("00:01:00;02", NTSC30, 1800),
        ("00:10:00;00", NTSC30, 17982),
        ("01:00:00;00", NTSC30, 107892),
        ("00:01:00;04", NTSC60, 3600),
        ("01:00:00:00", NTSC30, 108000),
    ],
)
def test_timecode_is_that_of_st_12(text: str, rate: Fraction, frame: int) -> None:
    assert parse_timecode(text, rate) == frame
    assert format_timecode(frame, rate, drop=";" in text) == text


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(24000, 1001), NTSC30, NTSC60, Fraction(120)])
@given(frame=st.integers(0, 2_073_599), drop=st.booleans())
def test_timecode_goes_there_and_back(rate: Fraction, frame: int, drop: bool) -> None:
    assert parse_timecode(format_timecode(frame, rate, drop=drop), rate) == frame


@pytest.mark.parametrize("text", ["", "1:2:3", "00:00:00:24", "00:00:60:00", "00:01:00;00", "-1", "1.5x", "ff"])
def test_what_is_no_place_is_refused_in_words(text: str) -> None:
    times = FrameTimes(Fraction(1, 24), np.arange(2400), 1, Fraction(24), False, ())
    with pytest.raises(ValueError, match=r"no place|timecode|below|drop"):
        times.frame_at(parse_position(text))


def test_a_place_is_the_frame_on_screen_there() -> None:
    times = FrameTimes(Fraction(1, 1000), np.array([100, 140, 180, 300]), 40, Fraction(25), True, ())
    for place, frame in ((0, 0), ("0.039", 0), ("0.04", 1), ("0.199s", 2), (0.2, 3), ("0.24", 4), ("3f", 3), ("9f", 4)):
        assert times.frame_at(parse_position(place)) == frame
    assert times.frame_at(parse_position("01:00:00:03"), "01:00:00:00") == 2
    with pytest.raises(ValueError, match="before the clip"):
        times.frame_at(parse_position("00:59:59:24"), "01:00:00:00")


def test_timecode_counts_frames_of_an_even_rate_whatever_the_time_base_did_to_the_times() -> None:
    ticks = np.array([round(frame * 1000 / 24) for frame in range(100)])  # as Matroska has them
    even = FrameTimes(Fraction(1, 1000), ticks, 42, Fraction(24), False, ())
    for frame in range(100):
        assert even.frame_at(parse_position(format_timecode(frame, Fraction(24)))) == frame


def test_drop_frame_is_told_by_the_sign_before_the_frames() -> None:
    texts = ("01:00:00:00", "01:00:00;00", "01:00:00.00", "01:00:00,00", "01:00:00;100", " 01:00:00:00 ")
    assert [is_drop_frame(text) for text in texts] == [False, True, True, True, True, False]
