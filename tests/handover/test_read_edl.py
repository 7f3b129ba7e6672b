"""EDLs as other programs write them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from postpipe.handover.read import read_cut, read_timeline, whole_frames
from postpipe.handover.wanted import Wanted
from postpipe.look import Cdl


def read(text: str, tmp_path: Path, rate: Fraction | None = None) -> Wanted:
    path = tmp_path / "cut.edl"
    path.write_text("TITLE: cut\n" + text, encoding="utf-8")
    return read_cut(path, rate)[1]


def test_a_dissolve_begins_with_its_event(tmp_path: Path) -> None:
    cut = read(
        "FCM: NON-DROP FRAME\n"
        "001  A        V     C        01:00:10:00 01:00:11:00 01:00:00:00 01:00:01:00\n"
        "* FROM CLIP NAME: a.mp4\n"
        "002  A        V     C        01:00:11:00 01:00:11:00 01:00:01:00 01:00:01:00\n"
        "002  B        V     D    012 00:00:20:00 00:00:22:00 01:00:01:00 01:00:03:00\n"
        "* FROM CLIP NAME: a.mp4\n* TO CLIP NAME: b.mp4\n"
        "003  BL       V     D    006 00:00:00:00 00:00:01:00 01:00:03:00 01:00:04:00\n",
        tmp_path,
        Fraction(24),
    )
    a, b = cut.clips
    assert (a.media.name, a.start, a.end, a.source.frames) == ("a.mp4", 0, Fraction(3, 2), 3610 * 24)
    assert (b.media.name, b.start, b.dissolve_in, b.source.frames) == ("b.mp4", 1, Fraction(1, 2), 20 * 24)
    assert (b.end, b.fade_out) == (3 + Fraction(1, 4), Fraction(1, 4))
    assert cut.start_timecode == "01:00:00:00"


@pytest.mark.parametrize(
    ("fcm", "mark", "frames"),
    [("DROP FRAME", ";", 1798), ("DROP FRAME", ":", 1798), ("NON-DROP FRAME", ":", 1800)],
)
def test_drop_frame(fcm: str, mark: str, frames: int, tmp_path: Path) -> None:
    """At 00:01:00 drop frame has left out two numbers."""
    begin, end = f"00:00:00{mark}00", f"00:01:00{mark}0{1798 % 2 + 2}"
    cut = read(f"FCM: {fcm}\n001  A  V  C  {begin} {end} {begin} {end}\n", tmp_path, Fraction(30000, 1001))
    (clip,) = cut.clips
    assert (clip.end - clip.start) * Fraction(30000, 1001) == frames + 2


def test_one_frame_is_one_frame(tmp_path: Path) -> None:
    cut = read("001  A  V  C  00:00:00:23 00:00:01:00 00:00:00:00 00:00:00:01\n", tmp_path, Fraction(24))
    (clip,) = cut.clips
    assert ((clip.end - clip.start) * 24, clip.source.frames) == (1, 23)


def test_speed_wipes_and_what_lies_over(tmp_path: Path) -> None:
    cut = read(
        "001  A  V     C        00:00:10:00 00:00:14:00 00:00:00:00 00:00:02:00\nM2   A  048.0  00:00:10:00\n"
        "002  A  V     C        00:00:20:00 00:00:20:01 00:00:02:00 00:00:04:00\nM2   A  000.0  00:00:20:00\n"
        "003  B  V     W001 010 00:00:01:00 00:00:03:00 00:00:04:00 00:00:06:00\n"
        "004  C  V2    C        00:00:05:00 00:00:06:00 00:00:05:00 00:00:06:00\n",
        tmp_path,
        Fraction(24),
    )
    assert [(clip.media.reel, clip.start, clip.end, clip.speed) for clip in cut.clips] == [
        ("A", 0, 2, 2),
        ("A", 2, 4, 0),
        ("B", 4, 5, 1),
        ("C", 5, 6, 1),
    ]
    assert any("wipe W001" in note for note in cut.notes)


def test_names_files_and_other_forms(tmp_path: Path) -> None:
    cut = read(
        "001  long_reel_name_take_0001 AA/V  C        00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00 \n"
        "*FROM CLIP NAME:  x (LAY3)\n*SOURCE FILE: /media/ä b.mov\n"
        "* ASC_SOP: (1.1, 1, 0.9)(0 0 0)(1 1 1)\n*ASC_SAT 0.8\n"
        "2 AX B C 00:00:01:00 00:00:02:00 00:00:01:00 00:00:02:00\n* FROM CLIP NAME: y.mp4\n",
        tmp_path,
        Fraction(24),
    )
    first, second = cut.clips
    assert (first.media.url, first.media.name, first.media.reel) == (
        "/media/ä b.mov",
        "ä b.mov",
        "long_reel_name_take_0001",
    )
    assert list(first.item.metadata["cdl"]["asc_sop"]["slope"]) == [1.1, 1, 0.9]
    assert first.item.metadata["cdl"]["asc_sat"] == 0.8
    assert (second.media.url, second.media.name) == ("", "y.mp4")
    assert not first.silent
    assert not second.silent


def test_a_cdl_may_say_saturation_alone(tmp_path: Path) -> None:
    """It is what programs write where slope, offset and power change nothing."""
    (tmp_path / "cut.edl").write_text(
        "001  A  V  C  00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n* ASC_SAT 0.9\n"
        "002  B  V  C  00:00:00:00 00:00:01:00 00:00:01:00 00:00:02:00\n* ASC_SOP (1 1 1)(0 0 0)(2 2 2)\n"
        "003  C  V  C  00:00:00:00 00:00:01:00 00:00:02:00 00:00:03:00\n* ASC_SAT -1\n",
        encoding="utf-8",
    )
    film = whole_frames(read_timeline(tmp_path / "cut.edl"), tmp_path / "cut.edl")
    assert [cut.look and cut.look.cdl for cut in film.pictures[0].cuts] == [
        Cdl(saturation=0.9),
        Cdl(power=(2.0, 2.0, 2.0)),
        None,
    ]
    (loss,) = film.losses
    assert loss.startswith("C: its CDL is left out")


def test_a_speed_is_that_of_the_clip_whose_reel_it_names(tmp_path: Path) -> None:
    """After the two lines of a dissolve stand the speeds of both clips."""
    cut = read(
        "001  A  V  C        00:00:00:00 00:00:04:00 00:00:00:00 00:00:02:00\n"
        "002  B  V  C        00:00:10:00 00:00:12:00 00:00:02:00 00:00:04:00\n"
        "M2   A  048.0  00:00:00:00\nM2   C  012.0  00:00:00:00\n",
        tmp_path,
        Fraction(24),
    )
    assert [(clip.media.reel, clip.speed) for clip in cut.clips] == [("A", 2), ("B", 1)]
    assert "line 5: the speed is left out: no event before it is of the reel C" in cut.notes
