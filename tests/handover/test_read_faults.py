"""Broken and hostile timelines: always a sentence that names the file, never a traceback."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from postpipe.errors import DeliveryError
from postpipe.handover import edl, fcp7, fcpxml, otio
from postpipe.handover.read import read_cut, whole_frames
from postpipe.handover.timeline import Film
from tests.handover.films import random_film

WRITERS: dict[str, Callable[[Film, Path], list[str]]] = {
    ".otio": otio.write,
    ".xml": fcp7.write,
    ".fcpxml": fcpxml.write,
    ".edl": edl.write,
}

LAUGHS = """<?xml version="1.0"?><!DOCTYPE fcpxml [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<fcpxml version="1.10"><resources/><project name="&b;"/></fcpxml>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE xmeml [<!ENTITY a SYSTEM "file:///etc/passwd">]><xmeml>&a;</xmeml>"""
LOOP = """<fcpxml version="1.10"><resources><media id="m"><sequence><spine><ref-clip ref="m" duration="1s"/></spine>
</sequence></media></resources><project name="p"><sequence><spine><ref-clip ref="m" duration="1s"/></spine></sequence>
</project></fcpxml>"""
TIME = """<fcpxml version="1.10"><resources><asset id="a" src="file:///a.mp4" start="1/0s"/></resources>
<project><sequence><spine><asset-clip ref="a" duration="1s"/></spine></sequence></project></fcpxml>"""
TIMELINE = '{"OTIO_SCHEMA": "Timeline.1", "name": "x", "tracks": %s}'


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.fcpxml", LAUGHS, "declares XML entities"),
        ("a.xml", OUTSIDE, "declares XML entities"),
        ("a.fcpxml", LOOP, "no clip whose picture can be used"),
        ("a.fcpxml", TIME, "'1/0s' is no time in FCPXML"),
        ("a.fcpxml", "<fcpxml><event/></fcpxml>", "holds no project with a sequence"),
        ("a.xml", "<xmeml version='4'/>", "cannot be read as a timeline"),
        ("a.xml", "<html><body>", "no sound XML"),
        ("a.fcpxml", "<a>" * 100_000, "no sound XML"),
        ("a.fcpxml", "<fcpxml>" + "<spine>" * 50_000 + "</spine>" * 50_000 + "</fcpxml>", "holds no project"),
        ("a.otio", "", "cannot be read as a timeline"),
        ("a.otio", "[" * 200_000, "cannot be read as a timeline"),
        ("a.otio", '{"a": 1}', "holds no timeline"),
        ("a.otio", TIMELINE % "null", "a timeline without tracks"),
        ("a.edl", "", "holds no event"),
        ("a.edl", "TITLE: x\n001 AX V C 00:00:00:00 00:00:01:00 00:00:61:00 00:00:02:00\n", "say its rate|no event"),
        ("a.edl", "001 AX V C 00:00:00:00 00:00:01:00 00:00:02:00 00:00:01:00\n", "line 1: ends in the record"),
        ("a.edl", "001 AX A C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n", "no event with a picture"),
        (
            "a.edl",
            "FCM: DROP FRAME\n1 AX V C 00:01:00;00 00:01:01;00 00:00:00;00 00:00:01;00\n",
            "leaves this number out",
        ),
        ("a.aaf", "x", "is no timeline that can be read"),
    ],
)
def test_faults_are_said_in_words(name: str, content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DeliveryError, match=words) as caught:
        read_cut(path)
    assert str(caught.value).startswith(str(path))


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.edl", tmp_path, tmp_path / "a\0b.otio"):
        with pytest.raises(DeliveryError):
            read_cut(path)


@pytest.mark.parametrize("suffix", list(WRITERS))
def test_a_damaged_file_is_read_or_refused_in_words(suffix: str, tmp_path: Path) -> None:
    chance = random.Random(suffix)
    path = tmp_path / f"film{suffix}"
    for seed in range(60):
        WRITERS[suffix](random_film(seed % 30), path)
        content = bytearray(path.read_bytes())
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(content))
            match chance.randrange(3):
                case 0:
                    content[at] = chance.randrange(256)
                case 1:
                    del content[at : at + chance.randint(1, 400)]
                case 2:
                    content[at:at] = chance.choice([b"9" * 30, b"-", b"1e400", b"\x00", b"</", b'"'])
        path.write_bytes(content)
        with suppress(DeliveryError):
            read_cut(path)


def test_a_film_of_more_than_a_day_is_refused(tmp_path: Path) -> None:
    timeline = otio.build(random_film(0))
    timeline.tracks[0].insert(0, otio.otio.schema.Gap(duration=otio.otio.opentime.RationalTime(1e12, 24)))
    otio.save(timeline, tmp_path / "long.otio")
    with pytest.raises(DeliveryError, match="longer than a day"):
        read_cut(tmp_path / "long.otio")


def test_a_foreign_timeline_that_is_no_film_is_named(tmp_path: Path) -> None:
    timeline = otio.build(random_film(0))
    timeline.metadata["postpipe"]["rate"] = "nonsense"
    with pytest.raises(DeliveryError, match=r"a b\.xml: cannot be read as a timeline .*rate"):
        whole_frames(timeline, tmp_path / "a b.xml")
