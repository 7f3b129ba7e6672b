"""Media that was moved, renamed, cut short or lost: every clip is found in its own file, or listed."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from opentimelineio.opentime import RationalTime, TimeRange

from postpipe.errors import TakeError
from postpipe.handover.find_media import find_media, local_path
from postpipe.handover.wanted import wanted
from postpipe.model import PIXEL_FORMATS, Clip, ColourSpec, PictureStream
from postpipe.timing import format_timecode

COLOUR = ColourSpec("bt709", "limited", "bt709", "bt709")


def header(path: Path, frames: int = 120, rate: Fraction = Fraction(24), timecode: str | None = None) -> Clip:
    """What a file would say of itself."""
    layout = PIXEL_FORMATS["yuv420p"]
    picture = PictureStream(
        index=0,
        codec="h264",
        width=64,
        height=48,
        coded_width=64,
        coded_height=48,
        rotation=0,
        pixel_aspect=Fraction(1),
        source_format="yuv420p",
        pixel_format=layout,
        colour=COLOUR,
        rate=rate,
        time_base=1 / rate,
        interlaced=False,
        alpha=False,
        declared_frames=frames,
        declared_seconds=frames / rate,
    )
    return Clip(path, "", 1, "mov", picture, (), timecode, ())


@dataclass
class Disk:
    """Files that are only headers."""

    files: dict[Path, Clip]

    def __call__(self, path: Path) -> Clip:
        if path not in self.files:
            raise TakeError(path, "there is no such file", "check the name")
        return self.files[path]


def edit(*clips: tuple[str, str, int, int, tuple[int, int] | None], reel: str = "") -> otio.schema.Timeline:
    """A timeline of clips: name, address, first frame, frames, and start and length of the media."""
    track = otio.schema.Track()
    for name, url, first, frames, available in clips:
        reference = otio.schema.ExternalReference(url) if url else otio.schema.MissingReference(name=name)
        if available is not None:
            reference.available_range = TimeRange(*(RationalTime(value, 24) for value in available))
        item = otio.schema.Clip(name, reference, TimeRange(RationalTime(first, 24), RationalTime(frames, 24)))
        item.metadata["cmx_3600"] = {"reel": reel}
        track.append(item)
    return otio.schema.Timeline(tracks=[track])


def find(timeline: otio.schema.Timeline, *files: Clip) -> tuple[dict[int, tuple[str, int]], dict[int, str]]:
    disk = Disk({clip.path: clip for clip in files})
    found, faults = find_media(wanted(timeline), list(disk.files), Path("/cuts"), disk)
    return {number: (one.clip.path.name, int(one.at * one.clip.picture.rate)) for number, one in found.items()}, faults


TAKES = Path("/takes")


@pytest.mark.parametrize(
    "url",
    [
        "file:///old%20place/my%20take%20%231.mp4",
        "file://localhost/old%20place/my%20take%20%231.mp4",
        "/old place/my take #1.mp4",
        "C:\\old place\\my take #1.mp4",
        "file:///C:/old%20place/MY%20TAKE%20%231.MP4",
        "my take #1.mov",
    ],
)
def test_a_file_that_was_moved_is_found_by_its_name(url: str) -> None:
    found, faults = find(
        edit(("clip", url, 7, 10, None)), header(TAKES / "my take #1.mp4"), header(TAKES / "other.mp4")
    )
    assert (found, faults) == ({0: ("my take #1.mp4", 7)}, {})


def test_names_in_another_normal_form_are_the_same() -> None:
    found, _ = find(edit(("", "file:///x/Ku%CC%88che.mp4", 0, 10, None)), header(TAKES / "Küche.mp4"))
    assert found == {0: ("Küche.mp4", 0)}


def test_a_clip_that_was_given_another_name_is_not_that_file() -> None:
    found, faults = find(edit(("other", "file:///x/lost.mp4", 0, 10, None)), header(TAKES / "other.mp4"))
    assert found == {}
    assert "lost.mp4: no such file was found; put it into the folder of takes" in faults[0]


def test_two_files_that_may_be_meant_are_ambiguous_unless_one_alone_holds_the_clip() -> None:
    files = header(TAKES / "a.mov"), header(TAKES / "a.mkv")
    found, faults = find(edit(("a", "file:///x/a.mp4", 50, 10, None)), *files)
    assert found == {}
    assert "it may be any of a.mov, a.mkv" in faults[0]
    found, _ = find(edit(("a", "file:///x/a.mp4", 50, 10, None)), files[0], header(TAKES / "a.mkv", frames=20))
    assert found == {0: ("a.mov", 50)}


def test_two_addresses_with_one_name_are_two_files() -> None:
    clips = [("c", f"file:///card{n}/C0001.mp4", 0, 10, (0, 120)) for n in (1, 2)]
    found, faults = find(edit(*clips), header(TAKES / "C0001.mp4"))
    assert found == {}
    assert "/card1/C0001.mp4, /card2/C0001.mp4" in faults[0]


@pytest.mark.parametrize(
    ("reel", "name"), [("scene01_take02", "scene01_take02.mp4"), ("SCENE01T", "scene01_take02.mp4")]
)
def test_reels_find_files(reel: str, name: str) -> None:
    found, _ = find(edit(("interview", "", 3, 10, None), reel=reel), header(TAKES / name), header(TAKES / "x.mp4"))
    assert found == {0: (name, 3)}


def test_a_reel_that_was_cut_short_is_told_apart_by_timecode() -> None:
    files = [header(TAKES / f"scene09_take0{n}.mp4", timecode=f"0{n}:00:00:00") for n in (1, 2)]
    start = 2 * 3600 * 24
    found, _ = find(edit(("", "", start + 5, 10, None), reel="scene09t"), *files)
    assert found == {0: ("scene09_take02.mp4", 5)}
    _, faults = find(edit(("", "", 5, 10, None), reel="scene09t"), *(replace(f, start_timecode=None) for f in files))
    assert "scene09_take01.mp4, scene09_take02.mp4" in faults[0]


def test_timecode_finds_what_was_renamed_and_a_default_one_does_not() -> None:
    start = (10 * 3600 + 61) * 24
    timeline = edit(("a", "file:///x/a.mp4", start + 9, 10, (start, 120)))
    renamed, beside = header(TAKES / "b.mp4", timecode="10:01:01:00"), header(TAKES / "c.mp4", frames=400)
    assert find(timeline, renamed, beside)[0] == {0: ("b.mp4", 9)}
    # another camera that ran at the same time
    longer = replace(renamed, path=TAKES / "camera2.mp4", picture=replace(renamed.picture, declared_frames=130))
    assert find(timeline, longer)[0] == {}
    assert find(timeline, renamed, replace(renamed, path=TAKES / "twin.mp4"))[0] == {}
    hour = 3600 * 24
    default = header(TAKES / "b.mp4", timecode="01:00:00:00")
    assert find(edit(("a", "file:///x/a.mp4", hour + 9, 10, (hour, 120))), default)[0] == {}


def test_the_timecode_in_the_file_decides_where_both_have_one() -> None:
    part = header(TAKES / "a.mp4", frames=60, timecode="01:00:02:00")  # a part of the media, as a trim leaves it
    hour = 3600 * 24
    inside = edit(("a", "file:///x/a.mp4", hour + 50, 10, (hour, 240)))
    assert find(inside, part)[0] == {0: ("a.mp4", 2)}
    outside = edit(("a", "file:///x/a.mp4", hour + 10, 10, (hour, 240)))
    assert "does not hold what is wanted" in find(outside, part)[1][0]


def test_rates_that_count_alike_count_frames() -> None:
    film = header(TAKES / "a.mp4", frames=2000, rate=Fraction(24000, 1001))
    assert find(edit(("a", "file:///x/a.mp4", 1501, 10, (0, 2000))), film)[0] == {0: ("a.mp4", 1501)}


def test_what_an_address_names_beside_the_takes(tmp_path: Path) -> None:
    (tmp_path / "é #1.mp4").write_bytes(b"x")
    for url in ((tmp_path / "é #1.mp4").as_uri(), str(tmp_path / "é #1.mp4"), "é #1.mp4", "%C3%A9%20%231.mp4"):
        assert local_path(url, tmp_path) == tmp_path / "é #1.mp4"
    for url in ("https://host/a.mp4", "file://server/share/a.mp4", "", "a\0b"):
        assert local_path(url, tmp_path) is None


# Many folders at random


def disturbed(seed: int) -> tuple[otio.schema.Timeline, list[Clip], list[tuple[str, int] | None]]:
    """A timeline of some media, the folder after somebody tidied it up, and the true file and frame of each clip."""
    chance = random.Random(seed)
    media = []
    for number in range(chance.randint(2, 8)):
        stem = chance.choice(["scene01_take", "C000", "夜 ", "take #"]) + str(number + 1)
        hours = chance.choice([0, 1, chance.randint(2, 20)])
        start = hours * 3600 * 24 + (chance.randint(25, 80_000) if hours > 1 else 0)
        media.append((f"{stem}.mp4", start if chance.random() < 0.7 else None, chance.randint(100, 200)))
    files: list[Clip] = []
    now: dict[str, str | None] = {}
    for name, start, frames in media:
        timecode = format_timecode(start, Fraction(24)) if start is not None else None
        fate = chance.choice(["kept", "kept", "renamed", "other ending", "lost", "shortened"])
        stem = Path(name).stem
        new = {"renamed": f"final {chance.randint(0, 99)} {stem[::-1]}.mp4", "other ending": f"{stem}.mov"}.get(
            fate, name
        )
        now[name] = None if fate == "lost" else new
        if fate != "lost":
            files.append(header(TAKES / new, 40 if fate == "shortened" else frames, timecode=timecode))
    for number in range(chance.randint(0, 3)):  # and others that have nothing to do with it
        hour = format_timecode(chance.randint(0, 20) * 3600 * 24, Fraction(24))
        files.append(
            header(TAKES / f"other {number}.mp4", chance.randint(50, 300), timecode=chance.choice([None, hour]))
        )
    clips, truth = [], []
    for _ in range(chance.randint(2, 10)):
        name, start, frames = chance.choice(media)
        length = chance.randint(5, 40)
        first = chance.randint(0, frames - length)
        begin = start or 0
        available = (begin, frames) if chance.random() < 0.7 else None
        clips.append((name, f"file:///somewhere/{name}", begin + first, length, available))
        file = now[name]
        kept = next((one for one in files if one.path.name == file), None)
        holds = kept is not None and first + length <= (kept.picture.declared_frames or 0) + 1  # a frame is rounding
        truth.append((str(file), first) if holds else None)
    return edit(*clips), files, truth


def test_no_wrong_match_in_a_thousand_folders() -> None:
    matched = listed = 0
    for seed in range(1000):
        timeline, files, truth = disturbed(seed)
        found, faults = find(timeline, *files)
        assert sorted([*found, *faults]) == list(range(len(truth)))
        for number, one in found.items():
            assert one == truth[number], (seed, number)
        matched += len(found)
        listed += len(faults)
    assert matched > 3000
    assert listed > 500
