"""`postpipe extract` and `postpipe assemble`: what they print, their exit codes, hostile names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_cli import postpipe
from tests.clips import make_clip


def test_extract_prints_what_was_written(takes: Path, tmp_path: Path) -> None:
    done = postpipe(
        "extract", takes, "-o", tmp_path / "out", "--first", "--at", "0.5", "--at", "00:00:00:12", "--sheet"
    )
    assert done.returncode == 0, done.stderr
    line = (
        f"{tmp_path / 'out' / 'scene01_take01_f000012_00-00-00-12.png'}: frame 12, 00:00:00:12 (at 0.5, at 00:00:00:12)"
    )
    assert line in done.stdout.splitlines()
    assert len(list((tmp_path / "out").iterdir())) == 7


def test_extract_json_keeps_stdout_clean(takes: Path, tmp_path: Path) -> None:
    (takes / "scene09_take01.mp4").write_bytes(b"junk")
    done = postpipe("extract", takes, "-o", tmp_path / "out", "--every", "10f", "--format", "jpeg", "--json")
    assert done.returncode == 3
    rows = json.loads(done.stdout)
    assert [row["frame"] for row in rows] == [0, 10, 20, 0, 10, 20, 0, 10]
    assert set(rows[0]) == {"take", "file", "frame", "pts_seconds", "timecode", "reason"}
    assert {json.loads(line)["kind"] for line in done.stderr.splitlines()} >= {"skipped", "done"}


def test_settings_of_the_folder_are_read(takes: Path, tmp_path: Path) -> None:
    (takes / "postpipe.toml").write_text('[extract]\nlast = true\nformat = "tiff"\n')
    done = postpipe("extract", takes, "-o", tmp_path / "out", "--json")
    assert [row["file"][-4:] for row in json.loads(done.stdout)] == [".tif"] * 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["extract", "takes", "-o", "out"], 2, "say which frames"),
        (["extract", "takes", "-o", "out", "--every", "0f"], 2, "every = '0f'"),
        (["extract", "takes", "-o", "out", "--first", "--quality", "101"], 2, "quality"),
        (["extract", "takes/scene01_take01.mp4", "-o", "out", "--at", "99s"], 4, "no still at 99s: that lies behind"),
        (["extract", "none.mp4", "-o", "out", "--first"], 4, "there is no such file"),
        (["extract", "takes", "-o", "takes/scene01_take01.mp4", "--first"], 4, "is a file; name a folder"),
        (["assemble", "takes", "--like", "takes/scene01_take01.mp4", "-o", "a.mp4"], 4, "holds no picture"),
        (["assemble", "takes", "-o", "a.mp4"], 2, "Missing option '--like'"),
    ],
)
def test_faults_are_messages_and_exit_codes(takes: Path, arguments: list[str], code: int, words: str) -> None:
    done = postpipe(*arguments, cwd=takes.parent)
    assert done.returncode == code, done.stderr
    assert words in done.stderr


def test_out_and_back_whatever_the_name(tmp_path: Path) -> None:
    name = "-take $(touch pwned) 'é🎬' %d [x].mp4"
    make_clip(tmp_path / name, frames=6)
    done = postpipe("extract", "-o", "frames of it", "--every", "1f", "--", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = postpipe("assemble", "frames of it", "--like", name, "-o", "-again.mp4", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["frames"], made["unchanged"], made["filled"], made["first_number"]) == (6, 6, [], 0)
    assert made["sounds"] == [{"codec": "aac", "copied": True}]
    (tmp_path / "frames of it" / "_take $(touch pwned) 'é🎬' %d [x]_f000002_00-00-00-02.png").unlink()
    done = postpipe("assemble", "frames of it", "--like", f"./{name}", "-o", "b.mp4", cwd=tmp_path)
    assert done.returncode == 4
    assert "1 of the frames 0–5 are missing: 2" in done.stderr
    done = postpipe("assemble", "frames of it", "--like", f"./{name}", "-o", "b.mp4", "--fill", "clip", cwd=tmp_path)
    assert "6 frames, 64×48, 5 unchanged, 1 from the clip, sound aac copied" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "-again.mp4", "b.mp4", "frames of it"])
