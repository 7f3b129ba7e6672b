"""Flashes of known number, area and place; everything here can be counted by hand."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postpipe import api
from postpipe.delivery import ProjectFormat
from postpipe.model import PIXEL_FORMATS, ColourSpec
from postpipe.stages.flashes import FlashCount, FlashCounter, FlashTrack, cell_block, field_cells
from postpipe.stages.screening import Verdict, joined_track, judge
from tests.clips import make_clip

BT709 = ColourSpec("bt709", "limited", "bt709", "bt709")
ROWS, COLUMNS = 18, 32
BLACK, GREY, WHITE = (16, 128, 128), (126, 128, 128), (235, 128, 128)
RED, RED_GREY = (63, 102, 240), (126, 128, 128)
PROJECT = ProjectFormat(320, 180, Fraction(10), "letterbox", PIXEL_FORMATS["yuv420p"], BT709)


def flat(colour: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    return np.broadcast_to(np.array(colour, np.uint8)[:, None, None], (3, ROWS, COLUMNS)).copy()


def counted(pictures: list[np.ndarray[Any, Any]], rate: int = 10) -> list[FlashCount]:
    counter = FlashCounter((ROWS, COLUMNS), Fraction(16), Fraction(9), 8, BT709)
    found = []
    for index, picture in enumerate(pictures):
        luma, blue, red = np.ascontiguousarray(picture)
        found.append(counter.step((luma, blue, red), Fraction(index, rate)))
    return found


def part(share: float, colour: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    """Black, with the left part of the picture in a colour."""
    picture = flat(BLACK)
    picture[:, :, : round(share * COLUMNS)] = np.array(colour, np.uint8)[:, None, None]
    return picture


def track_of(counts: list[FlashCount], pictures: list[np.ndarray[Any, Any]], rate: int = 10) -> FlashTrack:
    values = (np.array(column, np.uint8) for column in zip(*counts, strict=True))
    return FlashTrack(*values, opening=np.stack(pictures[:rate]), closing=np.stack(pictures[-rate:]))


def verdict(general: list[int], rate: int = 10) -> Verdict:
    none = np.zeros(len(general), np.uint8)
    track = FlashTrack(np.array(general, np.uint8), none, none, none, none, none)
    return judge(track, np.arange(len(general)), Fraction(1, rate), 1)


def test_each_change_counts_for_a_second() -> None:
    counts = counted([flat(BLACK)] * 3 + [flat(WHITE)] * 2 + [flat(BLACK)] * 12)
    assert [count.general for count in counts] == [0, 0, 0, 1, 1, *[2] * 8, 1, 1, 0, 0]
    assert all(count.red == 0 for count in counts)


def test_what_changes_little_or_stays_bright_does_not_count() -> None:
    steps = [(100, 128, 128), (112, 128, 128)] * 5  # luminance 0.13 and 0.17
    assert counted([flat(step) for step in steps])[-1].general == 0
    bright = [(219, 128, 128), WHITE] * 5  # 0.84 and 1
    assert counted([flat(step) for step in bright])[-1].general == 0


@pytest.mark.parametrize(("share", "expected"), [(0.22, 0), (0.25, 7), (0.5, 7)])
def test_a_quarter_of_the_screen_is_what_counts(share: float, expected: int) -> None:
    pictures = [part(share, WHITE) if index % 2 else flat(BLACK) for index in range(8)]
    last = counted(pictures)[-1]
    assert last.general == expected
    assert last.general_field == 1  # 22 % of the screen fill fields of 10 degrees too


def test_halves_in_turns_are_not_averaged_away() -> None:
    left = part(0.5, WHITE)
    counts = counted([left if index % 2 else left[:, :, ::-1] for index in range(8)])
    assert counts[-1].general == 7


def test_red_without_a_change_of_luminance() -> None:
    counts = counted([flat(RED if index % 2 else RED_GREY) for index in range(8)])
    assert (counts[-1].general, counts[-1].red) == (0, 7)


def test_a_spot_fills_no_field() -> None:
    spot = flat(BLACK)
    spot[0, :3, :4] = 235  # a field is 8 rows by 11 columns; a quarter of it are 22 cells
    assert counted([spot if index % 2 else flat(BLACK) for index in range(8)])[-1].general_field == 0
    spot[0, :4, :6] = 235
    assert counted([spot if index % 2 else flat(BLACK) for index in range(8)])[-1].general_field == 1


def test_fields_and_cells_follow_the_picture() -> None:
    assert field_cells((18, 32), Fraction(16), Fraction(9)) == (8, 11)
    assert field_cells((32, 18), Fraction(9), Fraction(16)) == (11, 14)
    assert [cell_block(*size) for size in ((3840, 2160), (1920, 1080), (720, 1280), (640, 360), (176, 144))] == [
        16, 8, 8, 4, 2,
    ]  # fmt: skip


def test_rules() -> None:
    assert verdict([0] * 10 + [3] * 10).result == "pass"
    permitted = verdict([0] * 10 + [4] * 10 + [6] * 10)
    assert (permitted.general.result, permitted.general.frames) == ("warn", ((1, 29),))
    broken = verdict([0] * 20 + [7] * 2 + [0] * 10 + [8] + [0] * 7)
    assert (broken.result, broken.most_general) == ("fail", 4.0)
    assert broken.general.frames == ((11, 21), (23, 32))
    assert "4 flashes in a second, frames 11–21, 23–32" in next(broken.words())


@pytest.mark.parametrize(("frames", "lasting"), [(39, "pass"), (40, "fail")])
def test_flashing_that_lasts(frames: int, lasting: str) -> None:
    """Two or three flashes a second for four of five seconds."""
    assert verdict([0] * 10 + [5] * frames + [0] * 10).lasting.result == lasting
    assert verdict([5] * 20 + [0] * 11 + [5] * 20).lasting.result == "pass"


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from([BLACK, GREY, WHITE]), min_size=1, max_size=40))
def test_counts_are_those_of_the_whole_picture(colours: list[tuple[int, int, int]]) -> None:
    """Where the whole picture changes, every change of more than a tenth counts once, in the second after it."""
    changes = [False, *(before != after for before, after in itertools.pairwise(colours))]
    turns, sense = [], 0
    for index, changed in enumerate(changes):
        way = int(np.sign(colours[index][0] - colours[index - 1][0])) if changed else sense
        turns.append(changed and way != sense)
        sense = way
    counts = counted([flat(colour) for colour in colours])
    for index, count in enumerate(counts):
        assert count.general == sum(turns[max(0, index - 9) : index + 1])


# The sequence


def film(*units: list[np.ndarray[Any, Any]]) -> FlashTrack:
    return joined_track([track_of(counted(unit), unit) for unit in units], PROJECT)


def test_flashes_before_and_after_a_join_count_together() -> None:
    blink = [flat(BLACK), flat(WHITE)] * 2
    joined = film([*[flat(BLACK)] * 20, *blink], [*blink, *[flat(BLACK)] * 20])
    # changes: 3 before the join, one at the join (white to black), 3 after it, one back to black
    assert joined.general[23:30].tolist() == [3, 4, 5, 6, 7, 8, 8]
    assert len(joined.general) == 48
    alone = film([*[flat(BLACK)] * 20, *blink])
    assert alone.general[-1] == 3


def test_a_cut_is_one_change_and_a_dissolve_too() -> None:
    dark, light = [flat(BLACK)] * 30, [flat(WHITE)] * 30
    assert film(dark, light).general.tolist() == [0] * 30 + [1] * 10 + [0] * 20
    levels = np.linspace(BLACK[0], WHITE[0], 7)[1:-1].round().astype(int).tolist()
    dissolved = film(dark[:25], [flat((level, 128, 128)) for level in levels], light[:25]).general
    assert len(dissolved) == 55
    assert dissolved.max() == 1


def test_short_takes_are_joined_over_more_than_one_cut() -> None:
    takes = [[flat(BLACK if number % 2 else WHITE)] * 2 for number in range(12)]
    assert film(*takes).general.tolist()[-1] == 5  # a change every other frame of the last ten


def test_takes_and_sequence_are_screened_in_a_run(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", frames=24, black={16, 18, 20, 22}, sound_hz=None)
    make_clip(takes / "scene02_take01.mp4", frames=24, sound_hz=None)
    document = api.run(takes, tmp_path / "out", settings={"deliver": {"preset": "ultrafast"}}).document()
    first, second = (take["facts"]["screening"] for take in document["takes"])
    assert first["note"] == "screening, not certification"
    assert (first["result"], second["result"]) == ("fail", "pass")
    assert first["general"]["most_flashes_per_second"] == 4.0
    sequence = document["sequence"]
    assert sequence["screening"]["result"] == "fail"
    assert "photosensitive" in sequence["warnings"][0]


def test_hdr_is_not_measured() -> None:
    from postpipe.delivery import FrameTimes
    from postpipe.stages.screening import ScreenTake

    none = np.zeros(0, np.uint8)
    times = FrameTimes(Fraction(1, 24), np.arange(3), 1, Fraction(24), False, ())
    facts = ScreenTake().run(FlashTrack(none, none, none, none, none, none), times)
    assert facts.summary()["result"] is None
