from __future__ import annotations

import itertools
import random
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from postpipe.handover.cdl import edl_comments
from postpipe.handover.edl import REEL_LENGTH, reels, write
from postpipe.handover.otio import read
from postpipe.handover.timeline import ClipLook, Cut, Film, Lane, Media
from postpipe.timing import parse_timecode
from tests.handover.films import random_cdl, random_film

EVENT = re.compile(r"(\d{3})  (\S+) +(V|B|AA/V) +(C|D +\d{3}) +(\S+) (\S+) (\S+) (\S+)")


def events(path: Path) -> list[tuple[str, ...]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [match.groups() for line in lines if (match := EVENT.fullmatch(line))]


def cuts_only(film: Film) -> Film:
    plain = tuple(
        replace(cut, dissolve_in=None, dissolve_out=None, fade_in=0, fade_out=0, first=cut.first + 10)
        for cut in film.pictures[0].cuts
    )
    return replace(film, pictures=(Lane("V", plain),), sounds=())


@pytest.mark.parametrize("seed", range(30))
def test_cuts_come_back_by_the_adapter_frame_for_frame(seed: int, tmp_path: Path) -> None:
    film = cuts_only(random_film(seed))
    write(film, tmp_path / "film.edl")
    timeline = otio.adapters.read_from_file(str(tmp_path / "film.edl"), rate=float(film.rate))
    cuts = film.pictures[0].cuts
    found = read(timeline).pictures[0].cuts
    assert [cut.name for cut in found] == [cut.name for cut in cuts]
    assert [(cut.start, cut.end) for cut in found] == [
        (cut.start - cuts[0].start, cut.end - cuts[0].start) for cut in cuts
    ]
    for clip, cut in zip(timeline.find_clips(), cuts, strict=True):
        assert clip.source_range.start_time.value == cut.media.start + cut.first


@pytest.mark.parametrize("seed", range(30))
def test_every_frame_of_the_film_is_covered_once(seed: int, tmp_path: Path) -> None:
    """Transitions included: the points are read as text, and as nothing but text."""
    film = random_film(seed)
    write(film, tmp_path / "film.edl")
    position, covered = None, set()
    for number, (_, _, _, kind, *times) in enumerate(events(tmp_path / "film.edl")):
        source_in, source_out, record_in, record_out = (parse_timecode(time, film.rate) for time in times)
        assert source_out - source_in == record_out - record_in, number
        assert kind == "C" or int(kind.split()[1]) <= record_out - record_in
        assert position is None or record_in >= position
        covered |= set(range(record_in - film.start, record_out - film.start))
        position = record_out
    assert covered == {frame for cut in film.pictures[0].cuts for frame in range(cut.start, cut.end)}


def test_a_clip_of_one_frame_is_one_frame_long(tmp_path: Path) -> None:
    media = Media("a.mp4", "file:///a.mp4", Fraction(25), 100, start=90000)
    cuts = tuple(Cut("a.mp4", media, number, number + 1, Fraction(7 * number)) for number in range(3))
    film = Film("one", Fraction(25), 0, False, 3, (Lane("V1", cuts),), ())
    write(film, tmp_path / "film.edl")
    assert [event[4:] for event in events(tmp_path / "film.edl")] == [
        ("01:00:00:00", "01:00:00:01", "00:00:00:00", "00:00:00:01"),
        ("01:00:00:07", "01:00:00:08", "00:00:00:01", "00:00:00:02"),
        ("01:00:00:14", "01:00:00:15", "00:00:00:02", "00:00:00:03"),
    ]


def test_reels_of_a_hundred_takes_with_long_names_differ() -> None:
    chance = random.Random(1)
    names = [f"scene09_take_of_the_kitchen_in_the_evening_{number:03d}.mp4" for number in range(40)]
    names += [f"scene09 täke ({number}).mp4" for number in range(30)]
    names += ["".join(chance.choices("夜の街🎬", k=5)) + f"{number}.mp4" for number in range(29)] + ["BL.mp4"]
    media = [Media(name, f"file:///{number}", Fraction(24), 10) for number, name in enumerate(names)]
    found = reels(media)
    assert len(media) == len(found) == len({reel.upper() for reel in found.values()}) == 100
    assert all(re.fullmatch(rf"[A-Za-z0-9_-]{{1,{REEL_LENGTH}}}", reel) for reel in found.values())
    assert "BL" not in found.values()
    assert reels(media) == found
    assert reels([Media("scene09_take01.mp4", "", Fraction(24), 1)]).popitem()[1] == "scene09_take01"


def test_a_dissolve_begins_where_it_is_seen_and_black_is_a_reel(tmp_path: Path) -> None:
    film = random_film(3)
    write(film, tmp_path / "film.edl")
    rows = events(tmp_path / "film.edl")
    dissolves = [(one, two) for one, two in itertools.pairwise(rows) if two[3].startswith("D")]
    expected = sum(bool(cut.dissolve_in or cut.fade_in) + bool(cut.fade_out) for cut in film.pictures[0].cuts)
    assert len(dissolves) == expected > 0
    for outgoing, incoming in dissolves:
        assert outgoing[0] == incoming[0]
        assert outgoing[6] == outgoing[7] == incoming[6]
    faded = [cut for cut in film.pictures[0].cuts if cut.fade_in or cut.fade_out]
    assert sum("BL" in (a[1], b[1]) for a, b in dissolves) == sum(bool(c.fade_in) + bool(c.fade_out) for c in faded)


def test_looks_travel_as_cdl(tmp_path: Path) -> None:
    film = random_film(0)
    cdl = random_cdl(random.Random(2))
    cuts = tuple(replace(cut, look=ClipLook(cdl)) for cut in cuts_only(film).pictures[0].cuts)
    film = replace(film, pictures=(Lane("V", cuts),), sounds=())
    losses = write(film, tmp_path / "film.edl")
    sop, sat = edl_comments(cdl)
    text = (tmp_path / "film.edl").read_text(encoding="utf-8")
    assert text.count(f"* {sop}\n* {sat}\n") == len(cuts)
    timeline = otio.adapters.read_from_file(str(tmp_path / "film.edl"), rate=float(film.rate))
    again = next(iter(timeline.find_clips())).metadata["cdl"]
    assert again["asc_sat"] == pytest.approx(cdl.saturation)
    assert list(again["asc_sop"]["slope"]) == pytest.approx(list(cdl.slope))
    assert any("the rate" in loss for loss in losses)


def test_a_look_that_the_picture_has_already_is_not_named_again(tmp_path: Path) -> None:
    film = random_film(0)
    cuts = tuple(replace(cut, look=ClipLook(random_cdl(random.Random(2)), baked=True)) for cut in film.pictures[0].cuts)
    write(replace(film, pictures=(Lane("V", cuts),)), tmp_path / "film.edl")
    assert "ASC_SOP" not in (tmp_path / "film.edl").read_text(encoding="utf-8")
