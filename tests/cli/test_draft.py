"""A draft: the whole job on the beginnings of small pictures, and what all of it would cost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from postpipe import api
from tests.clips import make_clip

QUICK = {"deliver": {"preset": "ultrafast"}, "draft": {"share": 0.25, "least_seconds": 0.25, "long_edge_px": 64}}


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    folder = tmp_path / "takes"
    folder.mkdir()
    for number in (1, 2):
        make_clip(folder / f"scene{number:02d}_take01.mp4", frames=72, size=(128, 96), seed=number)
        make_clip(folder / f"scene{number:02d}_take02.mp4", frames=72, size=(128, 96), seed=number, black=range(4, 10))
    return folder


def document(takes: Path, out: Path, *, draft: bool, **sections: Any) -> dict[str, Any]:
    return api.run(takes, out, settings=QUICK | sections, draft=draft).document()


def test_a_draft_is_short_and_small_and_chooses_alike(scenes: Path, tmp_path: Path) -> None:
    draft = document(scenes, tmp_path / "draft", draft=True)
    full = document(scenes, tmp_path / "full", draft=False)
    assert full["draft"] is None
    assert [take["selected"] for take in draft["takes"]] == [take["selected"] for take in full["takes"]]
    assert draft["sequence"]["frames"] == 36
    assert 4 * 18 <= draft["frames"]["decoded_look"] <= 4 * 20  # a decoder runs a little ahead
    with av.open(str(tmp_path / "draft" / "sequence.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (64, 48)
    estimate = draft["draft"]["estimate"]
    assert estimate["size"] == "128x96"
    for name in ("decoded_look", "decoded_render", "encoded"):
        assert estimate[name] == full["frames"][name], name
    assert estimate["seconds"] == full["sequence"]["seconds"]
    assert estimate["cpu_seconds"] > 0


def test_what_a_draft_saw_is_not_taken_for_the_whole(scenes: Path, tmp_path: Path) -> None:
    document(scenes, tmp_path / "out", draft=True)
    after = document(scenes, tmp_path / "out", draft=False)
    fresh = document(scenes, tmp_path / "fresh", draft=False)
    assert after == fresh
    assert (tmp_path / "out" / "sequence.mp4").read_bytes() == (tmp_path / "fresh" / "sequence.mp4").read_bytes()


def test_a_draft_shows_the_edit(scenes: Path, tmp_path: Path) -> None:
    edit = {"scene01": {"in": "12f"}, "scene02": {"dissolve_seconds": 2.0}}
    draft = document(scenes, tmp_path / "draft", draft=True, edit=edit)
    first, second = draft["sequence"]["events"]
    assert first["source_in"] == 12
    assert 0 < second["dissolve_in_frames"] <= first["frames"] // 2


def test_the_command_says_that_it_is_a_draft_and_what_all_would_cost(scenes: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "postpipe", "run", str(scenes), "-o", str(tmp_path / "out"), "--draft"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "DRAFT" in done.stdout
    assert "in full" in done.stdout
    assert json.loads((tmp_path / "out" / "takes.json").read_text(encoding="utf-8"))["draft"]["estimate"]
