"""FCPXML as Final Cut Pro writes it: connected clips, storylines, compound and multicam clips, speed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from postpipe.handover.read import read_cut
from postpipe.handover.wanted import Wanted

RESOURCES = """
<format id="r1" frameDuration="1/24s" width="1920" height="1080"/>
<format id="r2" name="FFVideoFormat720p2997"/>
<asset id="a" name="a" start="3600s" duration="20s" hasVideo="1" hasAudio="1" format="r1" src="file:///m/a.mov"/>
<asset id="b" name="b" start="0s" duration="20s" hasVideo="1" format="r1">
  <media-rep kind="proxy-media" src="file:///p/b.mov"/><media-rep kind="original-media" src="file:///m/b%20b.mov"/>
</asset>
<asset id="n" name="n" start="0s" duration="20s" hasVideo="1" format="r2" src="file:///m/n.mov"/>
<asset id="s" name="music" start="0s" duration="60s" hasAudio="1" src="file:///m/music.wav"/>
<effect id="e" name="Wipe" uid="x"/>
<media id="c"><sequence format="r1" tcStart="100s"><spine>
  <asset-clip ref="a" offset="100s" duration="2s" start="3601s"/><asset-clip ref="b" offset="102s" duration="3s"/>
</spine></sequence></media>
<media id="m"><multicam format="r1" tcStart="0s">
  <mc-angle angleID="one"><asset-clip ref="a" offset="0s" duration="20s"/></mc-angle>
  <mc-angle angleID="two"><gap offset="0s" duration="1s"/><asset-clip ref="b" offset="1s" duration="19s"/></mc-angle>
</multicam></media>
"""


def read(spine: str, tmp_path: Path, start: str = "3600s", version: str = "1.10") -> Wanted:
    path = tmp_path / "cut.fcpxml"
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE fcpxml><fcpxml version="{version}"><resources>{RESOURCES}'
        f'</resources><library><event><project name="cut"><sequence format="r1" tcStart="{start}" tcFormat="NDF">'
        f"<spine>{spine}</spine></sequence></project></event></library></fcpxml>",
        encoding="utf-8",
    )
    return read_cut(path)[1]


def shown(cut: Wanted) -> list[tuple[str, Fraction, Fraction, Fraction]]:
    """File, start and end in the film and start in the media, in seconds."""
    return [
        (clip.media.url.rpartition("/")[2], clip.start, clip.end, clip.source.frames / clip.source.rate)
        for clip in cut.clips
    ]


def test_clips_follow_each_other_and_know_their_media(tmp_path: Path) -> None:
    cut = read(
        '<asset-clip ref="a" offset="3600s" name="A" duration="2s" start="3605s"/>'
        '<gap offset="3602s" duration="1s" start="3600s"/>'
        '<clip offset="3603s" duration="3s" start="4s" name="B"><video ref="b" offset="1s" duration="19s"/></clip>'
        '<video ref="n" offset="3606s" duration="1001/1000s"/>',
        tmp_path,
    )
    assert shown(cut) == [
        ("a.mov", 0, 2, 3605),
        ("b%20b.mov", 3, 6, 3),
        ("n.mov", 6, 6 + Fraction(1001, 1000), 0),
    ]
    assert [clip.media.start and clip.media.start.frames for clip in cut.clips] == [3600 * 24, 0, 0]
    assert cut.clips[2].source.rate == Fraction(30000, 1001)
    assert (cut.rate, cut.start_timecode) == (24, "01:00:00:00")


def test_what_is_connected_lies_over_the_storyline(tmp_path: Path) -> None:
    cut = read(
        '<asset-clip ref="a" offset="3600s" duration="10s" start="3604s">'
        '<asset-clip ref="b" lane="1" offset="3606s" duration="2s" start="1s"/>'
        '<asset-clip ref="n" lane="-1" offset="3605s" duration="2s"/>'
        '<spine lane="2" offset="3611s"><asset-clip ref="b" offset="0s" duration="1s"/></spine></asset-clip>',
        tmp_path,
    )
    assert shown(cut) == [
        ("a.mov", 0, 2, 3604),
        ("b%20b.mov", 2, 4, 1),
        ("a.mov", 4, 7, 3608),
        ("b%20b.mov", 7, 8, 0),
        ("a.mov", 8, 10, 3612),
    ]


def test_transitions_lie_around_the_cut(tmp_path: Path) -> None:
    cut = read(
        '<asset-clip ref="a" offset="3600s" duration="4s" start="3604s"/>'
        '<transition name="Cross Dissolve" offset="3603s" duration="2s"/>'
        '<asset-clip ref="b" offset="3604s" duration="4s" start="5s"/>'
        '<transition name="Wipe" offset="3607s" duration="2s"><filter-video ref="e" name="Wipe"/></transition>'
        '<asset-clip ref="a" offset="3608s" duration="4s" start="3610s"/>',
        tmp_path,
    )
    assert shown(cut) == [("a.mov", 0, 5, 3604), ("b%20b.mov", 3, 8, 4), ("a.mov", 8, 12, 3610)]
    assert [clip.dissolve_in for clip in cut.clips] == [0, 2, 0]
    assert any("the transition is not carried over, it is a cut now" in note for note in cut.notes)


def test_compound_and_multicam_clips_are_looked_into(tmp_path: Path) -> None:
    cut = read(
        '<ref-clip ref="c" offset="3600s" duration="3s" start="101s"/>'
        '<mc-clip ref="m" offset="3603s" duration="4s" start="6s">'
        '<mc-source angleID="one" srcEnable="audio"/><mc-source angleID="two" srcEnable="video"/></mc-clip>'
        '<audition offset="3607s"><asset-clip ref="b" duration="3s" start="9s"/>'
        '<asset-clip ref="a" duration="1s"/></audition>'
        '<transition offset="3609s" duration="2s"/>'
        '<asset-clip ref="n" offset="3610s" duration="2s" start="5s"/>',
        tmp_path,
    )
    assert shown(cut) == [
        ("a.mov", 0, 1, 3602),
        ("b%20b.mov", 1, 3, 0),
        ("b%20b.mov", 3, 7, 5),
        ("b%20b.mov", 7, 11, 9),
        ("n.mov", 9, 12, 4),
    ]


def test_speed_and_stills(tmp_path: Path) -> None:
    cut = read(
        '<asset-clip ref="b" offset="3600s" duration="4s" start="2s">'
        '<timeMap><timept time="0s" value="0s" interp="linear"/>'
        '<timept time="40s" value="20s" interp="linear"/></timeMap>'
        '</asset-clip><asset-clip ref="b" offset="3604s" duration="2s" start="0s">'
        '<timeMap><timept time="0s" value="7s"/><timept time="9s" value="7s"/></timeMap></asset-clip>'
        '<asset-clip ref="b" offset="3606s" duration="2s" start="0s">'
        '<timeMap><timept time="0s" value="0s"/><timept time="1s" value="2s"/><timept time="2s" value="3s"/></timeMap>'
        "</asset-clip>",
        tmp_path,
    )
    assert [(clip.source.frames / 24, clip.speed) for clip in cut.clips] == [(1, Fraction(1, 2)), (7, 0), (0, 1)]
    assert any("a speed that changes is not read" in note for note in cut.notes)


def test_sound_is_that_of_clips_that_have_it(tmp_path: Path) -> None:
    cut = read(
        '<asset-clip ref="a" offset="3600s" duration="2s" start="3604s"/>'
        '<asset-clip ref="a" offset="3602s" duration="2s" start="3606s" srcEnable="video">'
        '<asset-clip ref="s" lane="-1" offset="3606s" duration="2s" name="music"/></asset-clip>'
        '<title ref="e" offset="3604s" duration="1s" name="The End"/>'
        '<asset-clip ref="b" offset="3605s" duration="1s" enabled="0"/>',
        tmp_path,
    )
    assert [clip.silent for clip in cut.clips] == [False, True]
    assert any("'music': is sound by itself" in note for note in cut.notes)
    assert any("'The End': is not carried over: it is made by the editing program" in note for note in cut.notes)


@pytest.mark.parametrize("version", ["1.8", "1.9", "1.11", "1.13"])
def test_versions(version: str, tmp_path: Path) -> None:
    cut = read('<asset-clip ref="b" offset="0s" duration="2s"/>', tmp_path, start="0s", version=version)
    assert shown(cut) == [("b%20b.mov", 0, 2, 0)]
