from __future__ import annotations

from pathlib import Path

import opentimelineio as otio

from tests.clips import make_clip
from tests.test_timelines import KEPT, LOSSLESS, clip, save, with_timecode


def test_opentimelineio_knows_the_plug_in() -> None:
    assert "postpipe" in otio.media_linker.available_media_linker_names()
    assert "postpipe" in otio.hooks.available_hookscript_names()


def test_the_media_linker_finds_files_and_says_why_not(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    with_timecode(make_clip(takes / "a.mp4", frames=48, options=LOSSLESS), "10:00:01:00").rename(takes / "a.mov")
    cut = save(tmp_path / "cut.otio", [clip("a.mp4", 36025 * 24, 12, "file:///gone/a.mp4"), clip("b.mp4", 0, 4)])
    linked = otio.adapters.read_from_file(
        str(cut), media_linker_name="postpipe", media_linker_argument_map={"takes": str(takes)}
    )
    first, second = linked.find_clips()
    assert "does not hold what is wanted" in first.media_reference.metadata["postpipe"]["not_linked"]
    assert "no such file was found" in second.media_reference.metadata["postpipe"]["not_linked"]
    cut = save(tmp_path / "cut.otio", [clip("a.mp4", 36001 * 24 + 7, 12, "file:///gone/a.mp4")])
    (first,) = otio.adapters.read_from_file(
        str(cut), media_linker_name="postpipe", media_linker_argument_map={"takes": str(takes)}
    ).find_clips()
    assert first.media_reference.target_url == (takes / "a.mov").as_uri()
    assert first.available_range().start_time.value == 36001 * 24
    assert first.available_range().duration.value == 48


def test_the_hook_hands_on_the_finished_timeline(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", frames=48, options=LOSSLESS)
    cut = save(tmp_path / "cut.otio", [clip("a.mp4", 30, 6)])
    arguments = {"postpipe_takes": str(tmp_path), "postpipe_out": str(tmp_path / "out")}
    arguments |= {"postpipe_settings": KEPT, "postpipe_only": []}
    timeline = otio.adapters.read_from_file(str(cut), hook_function_argument_map=arguments)
    (found,) = timeline.find_clips()
    assert found.media_reference.target_url == (tmp_path / "out/clips/a.mp4").as_uri()
    assert otio.adapters.read_from_file(str(cut)).find_clips()[0].media_reference.target_url == "a.mp4"
