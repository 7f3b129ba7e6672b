"""Names of stills, and frames found again by the numbers in their names."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postpipe.delivery import FrameTimes
from postpipe.stills import as_ranges, frame_timecode, number_frames, safe_label, sheet_name, still_name, unique_labels
from postpipe.timing import parse_position

RESERVED = set('<>:"/\\|?*') | {chr(code) for code in range(32)}


def paths(*names: str) -> list[Path]:
    return [Path("frames") / name for name in names]


def sequence(numbers: range, pattern: str = "{:06d}.png") -> list[Path]:
    return paths(*(pattern.format(number) for number in numbers))


def test_a_name_says_take_frame_and_timecode() -> None:
    assert still_name("scene01_take02", 36, "00:00:01:12", ".png") == "scene01_take02_f000036_00-00-01-12.png"
    assert still_name("a", 1_800_000, "10:00:00;02", ".tif") == "a_f1800000_10-00-00-02.tif"
    assert [sheet_name(page) for page in (1, 2)] == ["contact_sheet.jpg", "contact_sheet_2.jpg"]


@given(st.text(st.characters(codec=None), max_size=300))
def test_any_label_may_stand_in_a_file_name_anywhere(stem: str) -> None:
    label = safe_label(stem)
    assert label
    assert not RESERVED & set(label)
    assert len(label.encode()) <= 180
    assert not label.startswith(("-", ".", " "))
    name = still_name(label, 5, "00:00:00:05", ".png")
    assert number_frames(paths(name), 6, label).files == {5: Path("frames") / name}


def test_labels_are_unique_whatever_the_case() -> None:
    named = unique_labels([Path("a/x.mp4"), Path("b/X.mp4"), Path("a/x.mov"), Path("x-2.mp4"), Path("y:z.mp4")])
    assert list(named.values()) == ["x", "X-2", "x-3", "x-2-2", "y_z"]


def test_stills_are_known_by_their_numbers_whatever_a_tool_adds() -> None:
    names = [f"x4_scene01_f{number:06d}_00-00-00-{number:02d}_out.png" for number in range(3)]
    found = number_frames(paths("contact_sheet.jpg", *names), 3, "scene01")
    assert sorted(found.files) == [0, 1, 2]
    assert (found.first_number, found.problems, found.notes) == (0, [], [])
    assert found.missing(5) == [3, 4]


def test_stills_of_other_takes_are_left_out() -> None:
    names = [f"{take}_f{number:06d}_00-00-00-{number:02d}.png" for take in ("a", "b") for number in range(2)]
    found = number_frames(paths(*names), 2, "b")
    assert {number: path.name[0] for number, path in found.files.items()} == {0: "b", 1: "b"}
    assert found.notes == ["2 frames of other takes are left out"]
    (problem,) = number_frames(paths(*names), 2, "c").problems
    assert problem == "the frames belong to several takes: a (2), b (2); leave those of one"


@pytest.mark.parametrize(
    ("numbers", "frames", "first"),
    [(range(8), 8, 0), (range(1, 9), 8, 1), (range(1001, 1009), 8, 1001), (range(3, 6), 8, 1), (range(1, 8), 8, 1)],
)
@pytest.mark.parametrize("pattern", ["{:06d}.png", "{}.jpg", "frame 4k_{:04d}_x2.png", "-a[{}].tif"])
def test_sequences_of_other_tools(numbers: range, frames: int, first: int, pattern: str) -> None:
    found = number_frames(sequence(numbers, pattern), frames)
    assert found.first_number == first
    assert found.problems == []
    assert sorted(found.files) == [number - first for number in numbers]
    assert found.notes == [f"the numbers in the names are counted from {first}"]


def test_the_first_number_can_be_given() -> None:
    assert sorted(number_frames(sequence(range(3, 6)), 8, first_number=0).files) == [3, 4, 5]
    (problem,) = number_frames(sequence(range(1001, 1004)), 8).problems
    assert "numbered 1001 to 1003, and the clip has 8" in problem
    assert "--start" in problem


def test_a_second_number_that_changes_is_no_frame_number() -> None:
    found = number_frames(paths("f1_t0.png", "f2_t40.png", "f3_t80.png"), 3)
    assert sorted(found.files) == [0, 1, 2]
    (problem,) = number_frames(paths("1_1.png", "2_2.png", "3_3.png"), 3).problems
    assert "several numbers change" in problem


def test_what_cannot_be_placed_is_named() -> None:
    found = number_frames([*sequence(range(1, 5)), *sequence(range(2, 3), "{:06d}.jpg"), *paths("logo.png")], 3)
    assert sorted(found.files) == [0, 1, 2]
    assert found.problems == [
        "logo.png: is not named like the other frames; take the file away",
        "000002.png: is the same frame as 000002.jpg; keep one",
        "000004.png: the clip ends with frame 3; take the file away",
    ]
    assert number_frames(paths("a.png", "b.png"), 2).problems
    stray = number_frames(paths("a_f000000_00-00-00-00.png", "b.png"), 1)
    assert stray.problems == ["b.png: its name holds no frame number; take it away"]


@given(st.sets(st.integers(0, 60)))
def test_ranges_name_every_number(numbers: set[int]) -> None:
    named: set[int] = set()
    for part in filter(None, as_ranges(sorted(numbers)).split(", ")):
        first, _, last = part.partition("–")
        named |= set(range(int(first), int(last or first) + 1))
    assert named == numbers


def test_a_timecode_names_the_frame_that_it_was_made_for() -> None:
    ticks = np.array([round(frame * 1000 / 24) for frame in range(100)])
    even = FrameTimes(Fraction(1, 1000), ticks, 42, Fraction(24), False, ())
    ntsc = FrameTimes(Fraction(1, 30000), 1001 * np.arange(3000), 1001, Fraction(30000, 1001), False, ())
    uneven = FrameTimes(Fraction(1, 1000), np.array([5, 45, 133, 250]), 40, Fraction(25), True, ())
    for times, start in ((even, None), (even, "10:00:00:23"), (ntsc, "00:00:58;00"), (ntsc, None), (uneven, None)):
        for frame in range(times.frames):
            assert times.frame_at(parse_position(frame_timecode(times, frame, start)), start) == frame
    assert frame_timecode(ntsc, 60, "00:00:58;00") == "00:01:00;02"
    assert frame_timecode(even, 1, "00:00:00:29") == "00:00:00:01"
