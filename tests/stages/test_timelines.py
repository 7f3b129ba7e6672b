from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import numpy as np
import opentimelineio as otio
import pytest

from postpipe import api
from postpipe.delivery import Shot, Shots
from postpipe.errors import DeliveryError, SettingsError
from postpipe.handover.export import read_delivery
from postpipe.handover.otio import read
from postpipe.handover.timeline import Dissolve, Film
from postpipe.look import Cdl, Look
from postpipe.model import Remarks
from tests.clips import make_clip
from tests.handover.rules import fcp7_violations, fcpxml_violations
from tests.handover.test_mlt import decibels, render
from tests.stages.helpers import clean_checks, decode_planes, flicker_of
from tests.stages.test_looks import WARM

LOSSLESS = {"deliver": {"video_codec": "lossless", "preset": "ultrafast", "encoder_threads": 1}}
NAMES = [f"timeline{ending}" for ending in (".otio", ".xml", ".fcpxml", ".edl", ".mlt")]


def takes(folder: Path, count: int = 3, **options: Any) -> Path:
    folder.mkdir()
    for number in range(1, count + 1):
        make_clip(folder / f"scene0{number} é.mp4", **{"frames": 24, "seed": number, "size": (64, 64), **options})
    return folder


def timeline(path: Path) -> Film:
    return read(otio.adapters.read_from_file(str(path)))


def test_a_run_writes_the_film_as_it_was_cut(tmp_path: Path) -> None:
    folder, out = takes(tmp_path / "takes"), tmp_path / "out"
    settings = LOSSLESS | {
        "sequence": {"dissolve_seconds": 0.25, "fade_out_seconds": 0.125, "handle_seconds": 0.125},
        "edit": {"scene02": {"in": "6f", "out": "20f"}},
    }
    document = api.run(folder, out, settings=settings).document()
    film = timeline(out / "timeline.otio")
    assert film.frames == document["sequence"]["frames"] == 24 + 14 + 24 - 12
    assert (film.rate, film.timecode(0), film.size) == (24, "01:00:00:00", (64, 64))
    cuts = film.pictures[0].cuts
    assert [(cut.start, cut.end, cut.first) for cut in cuts] == [(0, 21, 0), (21, 29, 3 + 3), (29, 50, 3)]
    assert [cut.dissolve_in for cut in cuts] == [None, Dissolve(3, 3), Dissolve(3, 3)]
    assert [cut.fade_out for cut in cuts] == [0, 0, 3]
    assert [cut.media.frames for cut in cuts] == [24, 20, 24]  # with handles
    assert [cut.media.file for cut in cuts] == [f"clips/scene0{number} é.mp4" for number in (1, 2, 3)]
    assert all(cut.media.path.is_file() for cut in cuts)
    # what the timeline says of a frame is what is seen in it
    for cut, frame in ((cuts[0], 5), (cuts[1], 25), (cuts[2], 40)):
        clip = decode_planes(cut.media.path)[int(cut.first) + frame - cut.start]
        assert all(np.array_equal(a, b) for a, b in zip(clip, decode_planes(out / "sequence.mp4")[frame], strict=True))
    assert list(fcp7_violations(ElementTree.parse(out / "timeline.xml").getroot())) == []
    assert list(fcpxml_violations(ElementTree.parse(out / "timeline.fcpxml").getroot())) == []
    words = (out / "HANDOVER.txt").read_text(encoding="utf-8")
    assert "handles: 3 frames before, 3 after" in words
    assert "50 frames of 64 x 64 at 24 per second" in words
    assert "Finished pictures: no clip has a look." in words
    assert all(f"\n{name}\n" in words for name in NAMES)


def test_an_unchanged_run_writes_the_same_and_another_place_its_own(tmp_path: Path) -> None:
    folder, out = takes(tmp_path / "takes"), tmp_path / "out"
    api.run(folder, out, settings=LOSSLESS)
    first = {name: (out / name).read_bytes() for name in NAMES}
    stamp = (out / "timeline.otio").stat().st_mtime_ns
    again = api.run(folder, out, settings=LOSSLESS).document()
    assert again["frames"]["encoded"] == 0
    assert (out / "timeline.otio").stat().st_mtime_ns == stamp
    assert {name: (out / name).read_bytes() for name in NAMES} == first
    moved = tmp_path / "moved"
    out.rename(moved)
    api.run(folder, moved, settings=LOSSLESS)
    assert (moved / "clips").as_uri() in (moved / "timeline.xml").read_text(encoding="utf-8")
    (moved / "timeline.edl").unlink()
    api.run(folder, moved, settings=LOSSLESS)
    assert (moved / "timeline.edl").is_file()


def test_timelines_can_be_left_out(tmp_path: Path) -> None:
    folder, out = takes(tmp_path / "takes", 1), tmp_path / "out"
    api.run(folder, out, settings=LOSSLESS | {"handover": {"timelines": False}})
    assert not list(out.glob("timeline*"))
    assert not (out / "HANDOVER.txt").exists()


def test_scenes_that_are_not_joined_lie_one_after_the_other(tmp_path: Path) -> None:
    folder, out = takes(tmp_path / "takes"), tmp_path / "out"
    settings = LOSSLESS | {"sequence": {"join": False, "fade_in_seconds": 0.25}, "edit": {"scene02": {"in": "6f"}}}
    api.run(folder, out, settings=settings)
    cuts = timeline(out / "timeline.otio").pictures[0].cuts
    assert [(cut.start, cut.end, cut.first, cut.fade_in) for cut in cuts] == [
        (0, 24, 0, 0), (24, 42, 0, 0), (42, 66, 0, 0),
    ]  # fmt: skip
    assert [len(decode_planes(cut.media.path)) for cut in cuts] == [24, 18, 24]


def test_start_timecode_and_name(tmp_path: Path) -> None:
    folder, out = takes(tmp_path / "takes", 1, rate=Fraction(30000, 1001)), tmp_path / "out"
    chosen = {"handover": {"start_timecode": "10:00:00;00", "name": "Reel 1"}}
    api.run(folder, out, settings=LOSSLESS | chosen)
    film = timeline(out / "timeline.otio")
    assert (film.name, film.drop, film.timecode(0)) == ("Reel 1", True, "10:00:00;00")
    assert [cut.media.drop for cut in (*film.pictures[0].cuts, *film.sounds[0].cuts)] == [True, True]
    text = (out / "timeline.edl").read_text(encoding="utf-8")
    assert "FCM: DROP FRAME" in text
    assert "00:00:00;00 00:00:00;24 10:00:00;00 10:00:00;24" in text
    twenty_four = LOSSLESS | {"project": {"rate": 24}, **chosen}
    with pytest.raises(SettingsError, match=r"\[handover\] start_timecode: .*drop frame exists at 29.97"):
        api.run(folder, out, settings=twenty_four)


def test_another_edit_has_another_name(tmp_path: Path) -> None:
    folder, out = takes(tmp_path / "takes"), tmp_path / "out"
    names = []
    for settings in ({}, {}, {"edit": {"scene02": {"in": "6f"}}}):
        api.run(folder, out, settings=LOSSLESS | settings)
        names.append(timeline(out / "timeline.otio").name)
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("out ") for name in names)


def test_faults_become_markers(tmp_path: Path) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()
    make_clip(folder / "scene01.mp4", frames=48, still=range(20, 32), size=(64, 64))
    out = tmp_path / "out"
    settings = LOSSLESS | {"sequence": {"handle_seconds": 0.25}, "edit": {"scene01": {"in": "12f"}}}
    document = api.run(folder, out, settings=settings | {"flicker": {"mode": "off"}}).document()
    ((first, last),) = document["takes"][0]["facts"]["quality"]["frozen"]
    (cut,) = timeline(out / "timeline.otio").pictures[0].cuts
    frozen = next(mark for mark in cut.marks if mark.name == "frozen")
    assert (frozen.frame, frozen.frames) == (first - 6, last - first + 1)  # the clip begins with its handle at frame 6
    assert "frozen" in (out / "timeline.edl").read_text(encoding="utf-8")


def test_export_for_a_program(tmp_path: Path) -> None:
    folder, out = takes(tmp_path / "takes", 2), tmp_path / "out"
    api.run(folder, out, settings=LOSSLESS)
    moved = out.rename(tmp_path / "moved out")
    exported = api.export(moved, "resolve", tmp_path / "for resolve", name="cut 2")
    names = [one.file.name for one in exported]
    assert names == ["timeline.xml", "timeline.resolve.otio", "timeline.edl"]
    shaped = json.loads((tmp_path / "for resolve" / "timeline.resolve.otio").read_text(encoding="utf-8"))
    clip = shaped["tracks"]["children"][0]["children"][0]
    assert clip["OTIO_SCHEMA"] == "Clip.2"
    assert clip["media_references"]["DEFAULT_MEDIA"]["target_url"] == str(moved / "clips" / "scene01 é.mp4")
    assert shaped["name"] == "cut 2"
    assert (moved / "clips").as_uri() in exported[0].file.read_text(encoding="utf-8")
    assert any("the rate" in loss for loss in exported[2].losses)
    with pytest.raises(SettingsError, match="avid: is not known; name one of resolve"):
        api.export(moved, "avid")
    with pytest.raises(DeliveryError, match="name the folder that a run delivered to"):
        api.export(tmp_path, "resolve")
    with pytest.raises(DeliveryError, match="ungraded = true"):
        api.export(moved, "resolve", ungraded=True)
    (moved / "timeline.otio").write_text("{}")
    with pytest.raises(DeliveryError, match="is no timeline"):
        api.export(moved, "resolve")


# Pictures without their looks


def test_a_take_that_needs_nothing_but_its_look_is_handed_over_itself(
    tmp_path: Path, fixed_looks: dict[str, Look]
) -> None:
    folder, out = takes(tmp_path / "takes", 3), tmp_path / "out"
    fixed_looks |= {"scene01 é.mp4": WARM, "scene02 é.mp4": Look(), "scene03 é.mp4": WARM}
    settings = LOSSLESS | {"flicker": {"mode": "off"}, "handover": {"ungraded": True}}
    settings |= {"edit": {"scene03": {"in": "5f"}}, "sequence": {"dissolve_seconds": 0.25}}
    document = api.run(folder, out, settings=settings).document()
    assert document["frames"]["decoded_render"] <= 24 + 24 + 24
    assert not (out / "ungraded").exists()
    cuts = timeline(out / "timeline-ungraded.otio").pictures[0].cuts
    assert [cut.media.path for cut in cuts] == [
        folder / "scene01 é.mp4", out / "clips" / "scene02 é.mp4", folder / "scene03 é.mp4",
    ]  # fmt: skip
    assert [cut.first for cut in cuts] == [0, 3, 5 + 3]
    assert [cut.look is not None and not cut.look.baked for cut in cuts] == [True, False, True]
    assert cuts[0].look is not None
    assert cuts[0].look.cdl == WARM.cdl
    assert all((out / name).is_file() for name in (cuts[0].look.cube or "", cuts[0].look.cdl_file or ""))
    sounds = timeline(out / "timeline-ungraded.otio").sounds[0].cuts
    assert [cut.media.path.parent.name for cut in sounds] == ["clips"] * 3
    assert "* ASC_SOP (1.1" in (out / "timeline-ungraded.edl").read_text(encoding="utf-8")
    assert "ASC_SOP" not in (out / "timeline.edl").read_text(encoding="utf-8")
    words = (out / "HANDOVER.txt").read_text(encoding="utf-8")
    assert "look: looks/scene01 é.cube" in words
    assert "Open LUT Folder" in words


def test_what_else_is_done_to_a_take_stays_in_its_ungraded_picture(
    tmp_path: Path, fixed_looks: dict[str, Look]
) -> None:
    """An independent program's reading of the table, on the picture without it, gives the picture with it."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("the program ffmpeg is not installed")
    folder, out = takes(tmp_path / "takes", 1), tmp_path / "out"
    fixed_looks["scene01 é.mp4"] = replace(WARM, cdl=Cdl((1.25, 1.2, 1.1), (0.02, 0.0, 0.01)))
    settings = LOSSLESS | {"project": {"size": "96x64"}, "handover": {"ungraded": True}}
    document = api.run(folder, out, settings=settings).document()
    assert document["frames"]["decoded_render"] == 48  # the second picture is one more decode and encode
    (cut,) = timeline(out / "timeline-ungraded.otio").pictures[0].cuts
    assert cut.media.file == "ungraded/scene01 é.mp4"
    cube = out / "looks" / "scene01 é.cube"
    bare, graded = decode_planes(cut.media.path)[3][0], decode_planes(out / "clips" / "scene01 é.mp4")[3][0]
    rgb = (bare.astype(float)[..., None].repeat(3, axis=-1) - 16) / 219  # the clip's chroma is neutral
    codes = np.floor(rgb.clip(0, 1) * 65535 + 0.5).astype("<u2")
    shutil.copy(cube, tmp_path / "look.cube")
    command = [ffmpeg, "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", "96x64", "-i", "-"]
    command += ["-vf", "lut3d=look.cube:interp=tetrahedral", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-"]
    done = subprocess.run(command, input=codes.tobytes(), capture_output=True, check=True, cwd=tmp_path)
    through = np.frombuffer(done.stdout, "<u2").reshape(rgb.shape) / 65535
    luma = 16 + 219 * through @ [0.2126, 0.7152, 0.0722]
    assert np.percentile(np.abs(graded - luma), 99) <= 1
    assert np.percentile(np.abs(graded.astype(int) - bare), 99) > 3  # the look does something
    again = api.run(folder, out, settings=settings).document()
    assert again["frames"]["encoded"] == 0


def test_what_an_outside_tool_made_of_a_take_is_in_its_ungraded_picture(
    tmp_path: Path, fixed_looks: dict[str, Look]
) -> None:
    folder, out = takes(tmp_path / "takes", 1), tmp_path / "out"
    fixed_looks["scene01 é.mp4"] = WARM
    copying = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"
    tool = {"kind": "pipe", "command": ["{python}", "-c", copying]}
    settings = LOSSLESS | {"handover": {"ungraded": True}, "outside": {"same": tool}}
    api.run(folder, out, settings=settings)
    (cut,) = timeline(out / "timeline-ungraded.otio").pictures[0].cuts
    assert cut.media.file == "ungraded/scene01 é.mp4"


def test_a_delivery_is_read_where_it_lies(tmp_path: Path) -> None:
    folder, out = takes(tmp_path / "takes", 1), tmp_path / "out"
    api.run(folder, out, settings=LOSSLESS)
    film = read_delivery(out.rename(tmp_path / "there"))
    assert film.folder == tmp_path / "there"
    assert film.pictures[0].cuts[0].media.path == tmp_path / "there" / "clips" / "scene01 é.mp4"


def test_melt_shows_the_delivered_picture_from_takes_and_tables(tmp_path: Path, fixed_looks: dict[str, Look]) -> None:
    folder, out = takes(tmp_path / "takes", 2), tmp_path / "out"
    fixed_looks |= {"scene01 é.mp4": WARM, "scene02 é.mp4": Look()}
    settings = LOSSLESS | {"flicker": {"mode": "off"}, "handover": {"ungraded": True}}
    api.run(folder, out, settings=settings | {"sequence": {"dissolve_seconds": 0.25}})
    shown = decode_planes(render(out / "timeline-ungraded.mlt", tmp_path / "melt.mkv"))
    film = decode_planes(out / "sequence.mp4")
    assert len(shown) == len(film) == 42
    assert min(decibels(one, other) for one, other in zip(shown, film, strict=True)) >= 45


def test_remarks_are_collected_from_all_facts_in_the_order_of_their_frames() -> None:
    shots = Shots((Shot(0, 9, "start"), Shot(10, 19, "cut"), Shot(20, 40, "dissolve", entry_frames=5)))
    checks = replace(clean_checks(41), frozen=((12, 15),), jumps=(3,))
    found = Remarks.of([checks, WARM, flicker_of(5.0), shots]).remarks
    assert [(one.name, one.first, one.last) for one in found] == [
        ("flicker", 0, 23), ("jump", 3, 3), ("cut", 10, 10), ("frozen", 12, 15), ("dissolve", 20, 24),
    ]  # fmt: skip
    assert found == Remarks.of([shots, flicker_of(5.0), checks]).remarks
    assert found[0].comment == "exposure 5.0 %"
    assert flicker_of(0.1).remarks() == ()


def test_a_take_is_found_by_its_own_timecode(tmp_path: Path, fixed_looks: dict[str, Look]) -> None:
    folder, out = tmp_path / "takes", tmp_path / "out"
    folder.mkdir()
    plain = make_clip(tmp_path / "plain.mp4", frames=24, size=(64, 64))
    with av.open(str(plain)) as source, av.open(str(folder / "scene01.mov"), "w") as target:
        target.metadata["timecode"] = "10:00:00:00"
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    fixed_looks["scene01.mov"] = WARM
    settings = LOSSLESS | {"flicker": {"mode": "off"}, "handover": {"ungraded": True}}
    api.run(folder, out, settings=settings | {"edit": {"scene01": {"in": "10:00:00:05", "out": "10:00:00:20"}}})
    (cut,) = timeline(out / "timeline-ungraded.otio").pictures[0].cuts
    assert (cut.media.path, cut.media.start_timecode) == (folder / "scene01.mov", "10:00:00:00")
    assert (cut.first, cut.frames) == (5, 15)
    points = "10:00:00:05 10:00:00:20 01:00:00:00 01:00:00:15"
    assert points in (out / "timeline-ungraded.edl").read_text(encoding="utf-8")
    root = ElementTree.parse(out / "timeline-ungraded.fcpxml").getroot()
    assert next(root.iter("asset")).get("start") == "36000s"
    assert next(root.iter("asset-clip")).get("start") == "864005/24s"
