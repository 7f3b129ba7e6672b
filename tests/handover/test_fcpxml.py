from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from postpipe.handover.fcpxml import write
from postpipe.handover.timeline import Film, Lane
from tests.handover.films import random_film
from tests.handover.rules import fcpxml_violations, seconds


def written(film: Film, path: Path) -> Element:
    write(film, path)
    return ElementTree.parse(path).getroot()


@pytest.mark.parametrize("seed", range(30))
def test_a_film_keeps_the_rules_of_the_format(seed: int, tmp_path: Path) -> None:
    assert list(fcpxml_violations(written(random_film(seed), tmp_path / "film.fcpxml"))) == []


@pytest.mark.parametrize("seed", range(30))
def test_every_clip_lies_on_its_frame(seed: int, tmp_path: Path) -> None:
    film = random_film(seed)
    root = written(film, tmp_path / "film.fcpxml")
    spine = next(root.iter("spine"))
    assets = {asset.get("id"): asset for asset in root.iter("asset")}
    clips = [item for item in spine if item.tag == "asset-clip"]
    cuts = film.pictures[0].cuts
    assert len(clips) == len(cuts)
    for clip, cut in zip(clips, cuts, strict=True):
        assert seconds(clip.get("offset", "")) * film.rate == film.start + cut.start
        assert seconds(clip.get("duration", "")) * film.rate == cut.frames
        assert seconds(clip.get("start", "")) * film.rate == cut.media.start + cut.first
        asset = assets[clip.get("ref")]
        assert seconds(asset.get("start", "")) * cut.media.rate == cut.media.start
        assert asset.findall("media-rep")[0].get("src") == cut.media.url
        assert clip.get("name") == cut.name
    transitions = [item for item in spine if item.tag == "transition"]
    expected = []
    for cut in cuts:
        if cut.fade_in:
            expected.append((cut.start, cut.fade_in))
        elif cut.dissolve_in:
            expected.append((cut.start - cut.dissolve_in.before, cut.dissolve_in.frames))
        if cut.fade_out:
            expected.append((cut.end - cut.fade_out, cut.fade_out))
    found = [tuple(seconds(t.get(name, "")) * film.rate for name in ("offset", "duration")) for t in transitions]
    assert found == [(film.start + start, frames) for start, frames in expected]


def test_sound_that_is_cut_otherwise_is_a_storyline_of_its_own(tmp_path: Path) -> None:
    film = random_film(5)
    cut = film.sounds[0].cuts[0]
    later = replace(
        cut, start=cut.start + 3, end=cut.end + 3, dissolve_in=None, dissolve_out=None, fade_in=0, fade_out=0
    )
    film = replace(film, frames=film.frames + 3, sounds=(Lane("A1", (later,)),))
    root = written(film, tmp_path / "film.fcpxml")
    assert list(fcpxml_violations(root)) == []
    connected = next(spine for spine in root.iter("spine") if spine.get("lane"))
    assert connected.get("lane") == "-1"
    assert [clip.get("srcEnable") for clip in connected.iter("asset-clip")] == ["audio"]
    primary = [item for item in next(root.iter("spine")) if item.tag == "asset-clip"]
    assert {clip.get("srcEnable") for clip in primary} == {"video"}


def test_sound_that_is_cut_like_its_picture_stays_in_its_clip(tmp_path: Path) -> None:
    root = written(random_film(5), tmp_path / "film.fcpxml")
    assert {clip.get("srcEnable") for clip in root.iter("asset-clip")} == {None}
    assert len(list(root.iter("spine"))) == 1


def test_what_the_format_cannot_carry_is_said(tmp_path: Path) -> None:
    film = replace(random_film(5), rate=Fraction(48))
    losses = write(film, tmp_path / "film.fcpxml")
    assert any("no projects of 48" in loss for loss in losses)


def test_the_checker_finds_what_is_wrong(tmp_path: Path) -> None:
    root = written(random_film(3), tmp_path / "film.fcpxml")

    def broken(change: str) -> Element:
        other = copy.deepcopy(root)
        clip = next(other.iter("asset-clip"))
        match change:
            case "order":
                clip.insert(0, ElementTree.Element("marker", start="0s", value=""))
                clip.insert(1, ElementTree.Element("note"))
            case "reference":
                clip.set("ref", "nobody")
            case "frame":
                clip.set("offset", "1/1000s")
            case "attribute":
                clip.set("colour", "red")
            case "version":
                other.set("version", "1.14")
            case "space":
                next(other.iter("media-rep")).set("src", "file:///a b.mp4")
            case "hole":
                clip.set("duration", "0s")
            case "element":
                ElementTree.SubElement(clip, "grade")
        return other

    for change in ("order", "reference", "frame", "attribute", "version", "space", "hole", "element"):
        assert list(fcpxml_violations(broken(change))), change
