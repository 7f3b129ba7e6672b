from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import opentimelineio as otio
import pytest

from postpipe.handover.fcp7 import write
from postpipe.handover.otio import read
from postpipe.handover.timeline import Film
from tests.handover.films import random_film, seen
from tests.handover.rules import fcp7_violations


@pytest.mark.parametrize("seed", range(30))
def test_a_film_comes_back_by_the_adapter_frame_for_frame(seed: int, tmp_path: Path) -> None:
    film = random_film(seed)
    path = tmp_path / "film.xml"
    losses = write(film, path)
    again = read(otio.adapters.read_from_file(str(path), adapter_name="fcp_xml"))
    assert (again.name, again.rate, again.start, again.frames) == (film.name, film.rate, film.start, ends(film))
    for mine, theirs in zip((*film.pictures, *film.sounds), (*again.pictures, *again.sounds), strict=True):
        assert seen(theirs) == seen(mine)
    uneven = any(c.dissolve_in and c.dissolve_in.before not in (0, c.dissolve_in.frames // 2, c.dissolve_in.frames)
                 for c in film.pictures[0].cuts)  # fmt: skip
    assert uneven == any("uneven dissolve" in loss for loss in losses)
    assert any(c.look for c in film.pictures[0].cuts) == any("looks" in loss for loss in losses)


def ends(film: Film) -> int:
    return max(cut.end for cut in film.pictures[0].cuts)


@pytest.mark.parametrize("seed", range(30))
def test_the_structure_is_the_documented_one(seed: int, tmp_path: Path) -> None:
    write(random_film(seed), tmp_path / "film.xml")
    assert list(fcp7_violations(ElementTree.parse(tmp_path / "film.xml").getroot())) == []


def test_the_checker_finds_what_is_wrong(tmp_path: Path) -> None:
    write(random_film(4), tmp_path / "film.xml")
    root = ElementTree.parse(tmp_path / "film.xml").getroot()
    clip = next(root.iter("clipitem"))
    for change in (
        lambda: ElementTree.SubElement(clip, "pathurl"),
        lambda: setattr(clip.find("out"), "text", "100000"),
        lambda: setattr(next(root.iter("pathurl")), "text", "file:///a b.mp4"),
        lambda: clip.remove(next(one for one in clip if one.tag == "name")),
        lambda: setattr(next(root.iter("linkclipref")), "text", "nobody"),
    ):
        before = len(list(fcp7_violations(root)))
        change()
        assert len(list(fcp7_violations(root))) > before


def test_sound_is_linked_to_its_picture_and_stereo_is_a_pair(tmp_path: Path) -> None:
    film = random_film(7)
    write(film, tmp_path / "film.xml")
    root = ElementTree.parse(tmp_path / "film.xml").getroot()
    tracks = root.findall(".//audio/track")
    assert [track.get("currentExplodedTrackIndex") for track in tracks] == ["0", "1"]
    first = next(root.iter("clipitem"))
    assert [link.findtext("mediatype") for link in first.findall("link")] == ["video", "audio", "audio"]
    assert {link.findtext("clipindex") for link in first.findall("link")} == {"1"}


def test_names_have_their_ending_and_media_their_timecode(tmp_path: Path) -> None:
    film = random_film(3)
    write(film, tmp_path / "film.xml")
    root = ElementTree.parse(tmp_path / "film.xml").getroot()
    files = [one for one in root.iter("file") if len(one)]
    assert len(files) == len(film.media)
    for file, media in zip(files, film.media, strict=True):
        assert file.findtext("name") == media.name
        assert Path(media.name).suffix
        assert file.findtext("timecode/string") == media.start_timecode
        assert file.findtext("timecode/frame") == str(media.start)


def test_clips_of_another_rate_are_counted_at_the_timelines(tmp_path: Path) -> None:
    film = random_film(1)  # 24
    (cut, *_) = film.pictures[0].cuts
    media = replace(cut.media, rate=Fraction(48), frames=400, start=0)
    cut = replace(cut, media=media, start=0, end=24, first=Fraction(48), dissolve_out=None, dissolve_in=None, fade_in=0)
    film = replace(film, frames=24, pictures=(replace(film.pictures[0], cuts=(cut,)),), sounds=())
    losses = write(film, tmp_path / "film.xml")
    assert any("another rate" in loss for loss in losses)
    item = next(ElementTree.parse(tmp_path / "film.xml").getroot().iter("clipitem"))
    assert (item.findtext("in"), item.findtext("out")) == ("24", "48")
