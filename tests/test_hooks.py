from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from postpipe.cli.main import cli
from postpipe.errors import PostpipeError
from postpipe.hooks import after_export
from tests.clips import make_clip
from tests.test_timelines import KEPT, clip, save


def test_importing_the_hooks_imports_nothing_heavy() -> None:
    code = "import sys, postpipe.hooks; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"numpy", "numba", "av", "cv2", "opentimelineio", "click"} & set(done.stdout.split())


def test_an_exported_film_and_an_exported_cut_are_processed(tmp_path: Path) -> None:
    film = make_clip(tmp_path / "my film.mp4", frames=20)
    document = after_export(film, settings=KEPT, only=[])
    assert document["sequence"]["frames"] == 20
    assert json.loads((tmp_path / "postpipe/my film.mp4/takes.json").read_text(encoding="utf-8")) == document
    cut = save(tmp_path / "my film.otio", [clip("my film.mp4", 3, 5)])
    assert after_export(cut, settings=KEPT, only=[])["sequence"]["frames"] == 5
    assert {path.name for path in (tmp_path / "postpipe").iterdir()} == {"my film.mp4", "my film.otio"}
    with pytest.raises(PostpipeError, match=r"gone\.mp4"):
        after_export(tmp_path / "gone.mp4")


def test_watch_processes_what_is_there_once(tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    make_clip(exports / "film.mp4", frames=12)
    whole = (exports / "film.mp4").read_bytes()
    (exports / "partial.mp4").write_bytes(whole[: len(whole) // 2])
    command = ["watch", str(exports), "-o", str(tmp_path / "out"), "--settle", "0.2", "--once", "--json"]
    command += ["--only", "", "--deliver-video-codec", "lossless"]
    first = CliRunner().invoke(cli, command)
    assert first.exit_code == 0, first.output
    states = {row["file"]: row["state"] for row in map(json.loads, first.stdout.splitlines())}
    assert states == {"film.mp4": "done", "partial.mp4": "waiting"}
    assert (tmp_path / "out/film/sequence.mp4").is_file()
    again = CliRunner().invoke(cli, command)
    assert "film.mp4" not in again.stdout
