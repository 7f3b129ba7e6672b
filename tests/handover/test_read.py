from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from postpipe.handover import edl, fcp7, fcpxml, otio
from postpipe.handover.read import read_timeline
from postpipe.handover.timeline import Film
from postpipe.handover.wanted import wanted
from tests.handover.films import random_film, seen


def used(film: Film) -> list[tuple[object, ...]]:
    """What a film wants of its media, in seconds."""
    shown = []
    for cut in film.pictures[0].cuts:
        start, end = cut.start - cut.before, cut.end + cut.after
        source = (cut.media.start + cut.first) / cut.media.rate - cut.before / film.rate
        shared = cut.dissolve_in.frames if cut.dissolve_in else 0
        joins = tuple(Fraction(frames) / film.rate for frames in (shared, cut.fade_in, cut.fade_out))
        shown.append((cut.name, start / film.rate, end / film.rate, source, *joins))
    return shown


def read_back(path: Path, rate: Fraction | None = None) -> list[tuple[object, ...]]:
    found = wanted(read_timeline(path, rate))
    assert not [note for note in found.notes if "sound is cut" in note]
    return [
        (
            clip.item.name,
            clip.start,
            clip.end,
            clip.source.seconds(clip.source.rate),
            clip.dissolve_in,
            clip.fade_in,
            clip.fade_out,
        )
        for clip in found.clips
    ]


@pytest.mark.parametrize("seed", range(30))
def test_what_a_film_wants_is_read_from_otio_fcpxml_and_fcp7(seed: int, tmp_path: Path) -> None:
    film = random_film(seed)
    otio.write(film, tmp_path / "film.otio")
    fcpxml.write(film, tmp_path / "film.fcpxml")
    fcp7.write(film, tmp_path / "film.xml")
    assert read_back(tmp_path / "film.otio") == used(film)
    assert read_back(tmp_path / "film.fcpxml") == used(film)
    assert read_back(tmp_path / "film.xml") == used(film)


@pytest.mark.parametrize("seed", range(30))
def test_fcpxml_comes_back_frame_for_frame(seed: int, tmp_path: Path) -> None:
    film = random_film(seed)
    fcpxml.write(film, tmp_path / "film.fcpxml")
    again = otio.read(read_timeline(tmp_path / "film.fcpxml"))
    assert (again.name, again.rate, again.start, again.drop, again.frames) == (
        film.name,
        film.rate,
        film.start,
        film.drop,
        film.frames,
    )
    assert seen(again.pictures[0]) == seen(film.pictures[0])
    assert [(m.url, m.start, m.frames, m.rate) for m in again.media] == [
        (m.url, m.start, m.frames, m.rate) for m in film.media
    ]
    marks = [[(mark.frame, mark.name, mark.comment) for mark in cut.marks] for cut in again.pictures[0].cuts]
    assert marks == [[(mark.frame, mark.name, mark.comment) for mark in cut.marks] for cut in film.pictures[0].cuts]


@pytest.mark.parametrize("seed", range(0, 30, 3))
def test_fcp7_keeps_what_opentimelineios_adapter_leaves_out(seed: int, tmp_path: Path) -> None:
    film = random_film(seed)
    fcp7.write(film, tmp_path / "film.xml")
    again = otio.read(read_timeline(tmp_path / "film.xml"))
    assert (again.rate, again.start, again.drop, again.size) == (film.rate, film.start, film.drop, film.size)


@pytest.mark.parametrize("seed", range(30))
def test_an_edl_comes_back_frame_for_frame(seed: int, tmp_path: Path) -> None:
    film = random_film(seed)
    edl.write(film, tmp_path / "film.edl")
    timeline = read_timeline(tmp_path / "film.edl", film.rate)
    again = otio.read(timeline)
    assert (again.rate, again.drop) == (film.rate, film.drop)
    first = film.pictures[0].cuts[0].start  # black before the first clip is only its place in the record
    assert again.start == film.start + first
    expected = [
        (name, start - first / film.rate, end - first / film.rate, *rest) for name, start, end, *rest in used(film)
    ]
    assert read_back(tmp_path / "film.edl", film.rate) == [(clip[0], *clip[1:]) for clip in expected]
    for cut, clip in zip(film.pictures[0].cuts, timeline.find_clips(), strict=False):
        assert clip.media_reference.name == cut.media.name
        if cut.look:
            assert clip.metadata["cdl"]["asc_sat"] == pytest.approx(cut.look.cdl.saturation, abs=1e-6)
