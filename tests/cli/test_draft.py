"""Drafts: what they see, what they say of the whole job, and what a full run may take from them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from postpipe import api
from postpipe.errors import DeliveryError
from postpipe.finished import UNSIGNED
from tests.clips import make_clip

FAST = {"preset": "ultrafast", "encoder_threads": 1}


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Three scenes of 48 frames at 24 a second, and a worse take of the first."""
    folder = tmp_path / "takes"
    folder.mkdir()
    for number in (1, 2, 3):
        make_clip(folder / f"scene{number:02d}_take01.mp4", frames=48, size=(160, 96), seed=number)
    make_clip(folder / "scene01_take02.mp4", frames=48, size=(160, 96), seed=1, black=range(4, 8))
    return folder


def run(takes: Path, out: Path, *, full: bool = False, **sections: Any) -> dict[str, Any]:
    settings = {"deliver": FAST | sections.pop("deliver", {})} | sections
    return api.run(takes, out, settings=settings, draft=not full).document()


def chosen(document: dict[str, Any]) -> list[str]:
    return [take["file"] for take in document["takes"] if take["selected"]]


def test_a_draft_sees_a_share_of_each_take_and_chooses_as_a_full_run_does(scenes: Path, tmp_path: Path) -> None:
    draft = run(scenes, tmp_path / "draft")
    full = run(scenes, tmp_path / "full", full=True)
    assert draft["frames"]["decoded_look"] == 4 * 12
    assert draft["frames"]["delivered"] == draft["frames"]["encoded"] == 3 * 12
    assert chosen(draft) == chosen(full) == [f"scene{n:02d}_take01.mp4" for n in (1, 2, 3)]
    assert full["draft"] is None
    assert draft["draft"]["seconds"] == 1.5
    assert [take["media"]["frames"] for take in draft["takes"]] == [48] * 4
    assert (tmp_path / "draft" / "sequence.mp4").exists()
    assert len(list((tmp_path / "draft" / "clips").glob("*.mp4"))) == 3


def test_share_and_size_are_settings(scenes: Path, tmp_path: Path) -> None:
    settings = {"share": 0.75, "least_seconds": 0.1, "long_edge_px": 64}
    document = run(scenes, tmp_path / "out", draft=settings)
    assert document["frames"]["delivered"] == 3 * 36
    assert document["draft"]["size"] == "52x32"
    with av.open(str(tmp_path / "out" / "sequence.mp4")) as film:
        assert (film.streams.video[0].width, film.streams.video[0].height) == (52, 32)


def test_what_it_says_of_the_whole_job_is_what_the_whole_job_does(scenes: Path, tmp_path: Path) -> None:
    edit = {"scene02": {"out": "30f"}, "3": {"dissolve_seconds": 0.25}}
    draft = run(scenes, tmp_path / "draft", edit=edit)
    full = run(scenes, tmp_path / "full", full=True, edit=edit)
    said = draft["draft"]["estimate"]
    for name in ("decoded_look", "decoded_render", "encoded"):
        assert said[name] == full["frames"][name], name
    assert (said["seconds"], said["size"]) == (full["sequence"]["seconds"], "160x96")
    assert said["cpu_seconds"] > 0
    size = (tmp_path / "full" / "sequence.mp4").stat().st_size
    assert size / 3 < said["sequence_bytes"] < size * 3
    assert said["disk_bytes"] > said["sequence_bytes"]


def test_it_begins_where_the_edit_does_and_shortens_transitions_that_do_not_fit(scenes: Path, tmp_path: Path) -> None:
    edit = {"scene01": {"in": "00:00:01:06"}, "2": {"in": 0.5, "dissolve_seconds": 1.0}}
    events = run(scenes, tmp_path / "out", edit=edit)["sequence"]["events"]
    assert [(event["source_in"], event["frames"]) for event in events] == [(30, 12), (12, 12), (0, 12)]
    assert [event["dissolve_in_frames"] for event in events] == [0, 6, 0]


def test_a_full_run_takes_nothing_for_the_whole_that_was_seen_in_part(scenes: Path, tmp_path: Path) -> None:
    run(scenes, tmp_path / "out")
    full = run(scenes, tmp_path / "out", full=True)
    fresh = run(scenes, tmp_path / "fresh", full=True)
    assert full["frames"] == fresh["frames"]
    assert full["frames"]["decoded_look"] == 4 * 48
    assert full["takes"] == fresh["takes"]
    for name in (f"{UNSIGNED}/sequence.mp4", "clips/scene01_take01.mp4"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()


def test_a_full_run_is_served_what_the_draft_saw_whole(scenes: Path, tmp_path: Path) -> None:
    make_clip(scenes / "scene04_take01.mp4", frames=10, size=(160, 96), seed=4)
    run(scenes, tmp_path / "out")
    assert run(scenes, tmp_path / "out", full=True)["frames"]["decoded_look"] == 4 * 48


def test_an_unchanged_draft_does_nothing_and_says_the_same(scenes: Path, tmp_path: Path) -> None:
    first = run(scenes, tmp_path / "out")
    again = run(scenes, tmp_path / "out")
    assert again["draft"] == first["draft"]
    assert [again["frames"][name] for name in ("decoded_look", "decoded_render", "encoded")] == [0, 0, 0]


@pytest.mark.parametrize("codec", ["prores", "dnxhr"])
def test_it_plays_everywhere_whatever_the_delivery(scenes: Path, tmp_path: Path, codec: str) -> None:
    deliver = {"video_codec": codec, "preset": "medium"}
    document = run(scenes, tmp_path / "out", deliver=deliver, project={"size": "320x192"})
    assert document["sequence"]["file"] == "sequence.mp4"
    assert document["draft"]["estimate"]["size"] == "320x192"
    assert document["draft"]["estimate"]["sequence_bytes"] > 100_000


def test_scenes_that_are_not_joined(scenes: Path, tmp_path: Path) -> None:
    document = run(scenes, tmp_path / "out", sequence={"join": False, "fade_in_seconds": 0.1})
    assert document["sequence"] is None
    assert document["draft"]["seconds"] == 1.5
    assert document["draft"]["estimate"]["encoded"] == 3 * 48


def test_the_command_says_that_it_is_a_draft(scenes: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "postpipe", "run", str(scenes), "-o", str(tmp_path / "out"), "--draft"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads((tmp_path / "out" / "takes.json").read_text(encoding="utf-8"))["draft"]["estimate"]
    assert "DRAFT: " in done.stdout
    assert f"{said['encoded']} to encode" in done.stdout
    assert "processor time" in done.stdout
    unjoined = subprocess.run([*command, "--sequence-join", "false"], capture_output=True, text=True, check=True)
    assert "3 films" in unjoined.stdout


def test_a_draft_takes_no_film_s_place(scenes: Path, tmp_path: Path) -> None:
    run(scenes, tmp_path / "out", full=True)
    film = (tmp_path / "out" / "sequence.mp4").read_bytes()
    with pytest.raises(DeliveryError, match="holds a finished film, which the draft would replace"):
        run(scenes, tmp_path / "out")
    assert (tmp_path / "out" / "sequence.mp4").read_bytes() == film
