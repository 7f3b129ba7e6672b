"""The command line: exit codes, streams, messages without tracebacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from tests.clips import make_clip

FAST = ["--deliver-preset", "ultrafast", "--deliver-encoder-threads", "1"]


def postpipe(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "postpipe", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, stdin=subprocess.DEVNULL)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_run_prints_what_was_chosen(takes: Path, tmp_path: Path) -> None:
    done = postpipe("run", takes, "-o", tmp_path / "out", *FAST)
    assert done.returncode == 0, done.stderr
    assert "sequence.mp4: 64×48, 44 frames at 24 fps, 1.833 s" in done.stdout
    assert "▶ scene01 1 scene01_take01.mp4" in " ".join(done.stdout.split())
    assert "frozen" in done.stdout


def test_run_json_keeps_stdout_clean(takes: Path, tmp_path: Path) -> None:
    (takes / "scene09_take01.mp4").write_bytes(b"junk")
    done = postpipe("run", takes, "-o", tmp_path / "out", "--json", *FAST)
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert document == json.loads((tmp_path / "out" / "takes.json").read_text(encoding="utf-8"))
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"pass", "progress", "skipped", "done"} <= {event["kind"] for event in events}


def test_inspect_prints_takes_entries(takes: Path) -> None:
    done = postpipe("inspect", "--json", *sorted(takes.iterdir()))
    assert done.returncode == 0
    entries = json.loads(done.stdout)
    assert [entry["file"] for entry in entries] == sorted(path.name for path in takes.iterdir())
    ((first, last),) = entries[1]["facts"]["quality"]["frozen"]
    assert last == 17
    assert 5 <= first <= 9  # the encoder still refines the first repeated pictures


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    names = ["-scene01_take01.mp4", "scene02 $(touch pwned) ; 'é🎬' %d [x].mp4", "http:scene03.mp4", "concat:a|b.mp4"]
    for seed, name in enumerate(names):
        make_clip(takes / name, frames=6, seed=seed)
    done = postpipe("run", "takes", "-o", "out", *FAST, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("pwned"))
    assert {path.name for path in (tmp_path / "out" / "clips").iterdir()} == set(names)
    done = postpipe("inspect", "--", names[0], cwd=takes)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "missing", "-o", "out"], 4, "missing: cannot be read"),
        (["run", "takes"], 2, "Missing option '-o'"),
        (["run", "takes", "-o", "out", "--deliver-crf", "99"], 2, "crf = '99': expected a whole number from 0 to 51"),
        (["run", "takes", "-o", "out", "--config", "none.toml"], 2, "none.toml: cannot be read"),
        (["run", "takes", "-o", "out", "--only", "magic"], 2, "there is no such fix"),
        (["run", "takes", "-o", "takes"], 4, "the folder of takes itself"),
        (["run", "takes", "-o", "takes/scene01_take01.mp4"], 4, "is a file; name a folder"),
        (["frobnicate"], 2, "No such command"),
        (["inspect", "none.mp4"], 4, "none.mp4"),
    ],
)
def test_faults_are_messages_and_exit_codes(takes: Path, arguments: list[str], code: int, words: str) -> None:
    done = postpipe(*arguments, cwd=takes.parent)
    assert done.returncode == code, done.stderr
    assert words in done.stderr


def test_settings_come_from_the_folder_and_the_command_line_wins(takes: Path, tmp_path: Path) -> None:
    (takes / "postpipe.toml").write_text('[project]\nsize = "96x64"\nrate = 12\n[select]\nscene01 = 2\n')
    done = postpipe("run", takes, "-o", tmp_path / "out", "--json", "--project-rate", "23.976", *FAST)
    document = json.loads(done.stdout)
    assert document["sequence"]["rate"] == "24000/1001"
    assert [take["file"] for take in document["takes"] if take["selected"]] == [
        "scene01_take02.mp4",
        "scene02_take01.mp4",
    ]
    (takes / "postpipe.toml").write_text("[project\n")
    done = postpipe("run", takes, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "postpipe.toml: not valid TOML" in done.stderr
    assert "line 1" in done.stderr


def test_init_writes_settings_that_mean_the_defaults(takes: Path) -> None:
    done = postpipe("init", takes)
    assert done.returncode == 0
    text = (takes / "postpipe.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text) == {section: {} for section in tomllib.loads(text)}
    uncommented = "\n".join(
        line.removeprefix("# ") if " = " in line and "unset" not in line and ": " not in line else line
        for line in text.splitlines()
    )
    assert tomllib.loads(uncommented)["deliver"]["crf"] == 16
    again = postpipe("init", takes)
    assert again.returncode == 1
    assert "was left as it is" in again.stderr


def test_plan_stages_and_doctor_print(takes: Path) -> None:
    assert "look pass" in postpipe("plan", takes).stdout
    assert postpipe("plan", "--mermaid").stdout.startswith("flowchart LR")
    assert "[deliver] crf = 16" in postpipe("stages").stdout
    doctor = postpipe("doctor").stdout
    assert "h264" in doctor
    assert "works" in doctor


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_ctrl_c_is_answered_at_once(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "long.mp4", frames=200, size=(640, 360), sound_hz=None)
    command = [sys.executable, "-m", "postpipe", "run", str(takes), "-o", str(tmp_path / "out"), "--json"]
    command += ["--deliver-preset", "veryslow"]
    # A background job of a shell inherits an ignored SIGINT; a terminal's job does not.
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            event = json.loads(line)
            if event["kind"] == "progress" and event["phase"] == "render":
                break
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        try:
            _, rest = process.communicate(timeout=20)
        finally:
            process.kill()
        assert process.returncode == 130
    assert time.monotonic() - sent < 2  # promised: 1 s, on a machine that does nothing else
    assert "interrupted" in rest
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".postpipe"]


def test_scenes_that_are_not_joined_are_counted(takes: Path, tmp_path: Path) -> None:
    done = postpipe("run", takes, "-o", tmp_path / "out", "--sequence-join", "false", "--deliver-preset", "ultrafast")
    assert done.returncode == 0, done.stderr
    assert "clips: 2 films, 44 frames in all" in done.stdout
