"""Outside tools in a whole run: exact, cached, resumed, counted; what misbehaves harms one take at most."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from postpipe import api
from postpipe.errors import SettingsError
from tests.clips import make_clip
from tests.programs.helpers import rogue
from tests.stages.tools import (
    FAST,
    FRAME_BYTES,
    PIPE,
    commands,
    digest,
    folder,
    left_behind,
    misbehaving,
    run,
)


@pytest.mark.parametrize("kind", ["pipe", "frames", "file"])
@pytest.mark.parametrize(
    "make",
    [
        {},
        {"pixel_format": "yuv420p10le"},
        {"pts": [0, 40, 90, 160, 170, 220, 300, 333, 400, 450], "frames": 10},
        {"rate": Fraction(30000, 1001), "sound_hz": None},
    ],
)
def test_a_tool_that_does_nothing_changes_nothing(kind: str, make: dict[str, Any], tmp_path: Path) -> None:
    takes = folder(tmp_path, make, {"frames": 12})
    run(takes, tmp_path / "plain", {})
    bytes_ = FRAME_BYTES * (2 if "pixel_format" in make else 1)
    command = rogue("same", "pipe", bytes_) if kind == "pipe" else commands(kind, "same")
    document = run(takes, tmp_path / "out", {"it": {"kind": kind, "command": command}})
    assert digest(tmp_path / "out" / "sequence.mp4") == digest(tmp_path / "plain" / "sequence.mp4")
    frames = make.get("frames", 24) + 12
    assert document["frames"]["decoded_outside"] == document["frames"]["encoded_outside"] == frames
    assert [take["outside"][0]["failed"] for take in document["takes"]] == [None, None]
    plain = json.loads((tmp_path / "plain" / "takes.json").read_text())
    for take, own in zip(document["takes"], plain["takes"], strict=True):
        assert take["facts"]["quality"] == own["facts"]["quality"]
        assert take["media"]["rate"] == own["media"]["rate"]
    assert left_behind(tmp_path / "out") == []


MISBEHAVING = {
    ("pipe", "hang"): "the outside tool bad has not given frame 3 within 2 s",
    ("pipe", "exit1"): "ended with exit code 1: it gave 3 frames, and was given .*cannot allocate the model",
    ("pipe", "short"): "gave 3 frames, and was given",
    ("pipe", "extra"): "gave more than 24 frames",
    ("pipe", "wrong-size"): "gave 18 frames, and was given 24",
    ("pipe", "killed"): "was ended by SIGKILL",
    ("pipe", "slow"): "has not given frame . within 2 s",
    ("pipe", "nan"): r"gives values that are no numbers \(NaN or infinite\), in frame 3",
    ("frames", "hang"): "has not finished 24 pictures within 2 s",
    ("frames", "exit1"): "ended with exit code 1 .*cannot allocate the model",
    ("frames", "short"): "gave 23 pictures, and was given 24",
    ("frames", "extra"): "gave 25 pictures, and was given 24",
    ("frames", "half"): "cannot be read",
    ("frames", "killed"): "was ended by SIGKILL",
    ("file", "hang"): "has not finished within 2 s",
    ("file", "exit1"): "ended with exit code 1",
    ("file", "short"): r"wrote no file",
    ("file", "half"): "wrote a file that cannot be used",
    ("file", "killed"): "was ended by SIGKILL",
}


@pytest.mark.parametrize(("kind", "name"), MISBEHAVING)
def test_a_misbehaving_program_costs_its_take_alone(kind: str, name: str, tmp_path: Path) -> None:
    takes = folder(tmp_path, {}, {"frames": 2})
    document = run(takes, tmp_path / "out", {"bad": misbehaving(kind, name)})
    first, second = document["takes"]
    assert re.search(MISBEHAVING[kind, name], first["skipped"]["reason"]), first["skipped"]
    assert second["skipped"] is None
    assert document["sequence"]["frames"] == 2
    assert left_behind(tmp_path / "out") == []


@pytest.mark.parametrize(("kind", "name"), [("pipe", "extra"), ("frames", "half"), ("file", "exit1")])
def test_a_take_may_go_on_without_a_tool(kind: str, name: str, tmp_path: Path) -> None:
    takes = folder(tmp_path, {}, {"frames": 2})
    document = run(takes, tmp_path / "out", {"bad": {**misbehaving(kind, name), "fallback": "leave"}})
    assert document["sequence"]["frames"] == 26
    assert [bool(take["outside"][0]["failed"]) for take in document["takes"]] == [True, False]
    assert any("the take goes on as it was" in text for text in document["takes"][0]["warnings"])
    assert left_behind(tmp_path / "out") == []


@pytest.mark.parametrize("kind", ["pipe", "frames", "file"])
def test_fifty_megabytes_of_messages_are_no_fault(kind: str, tmp_path: Path) -> None:
    document = run(folder(tmp_path), tmp_path / "out", {"it": {"kind": kind, "command": commands(kind, "chatty")}})
    assert document["sequence"]["frames"] == 44


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_a_program_that_is_not_there(kind: str, tmp_path: Path) -> None:
    takes = folder(tmp_path)
    command = ["no such program", *(() if kind == "pipe" else ("{input}", "{output}"))]
    document = run(takes, tmp_path / "out", {"it": {"kind": kind, "command": command, "fallback": "leave"}})
    assert "there is no program no such program" in document["takes"][0]["warnings"][0]
    with pytest.raises(api.DeliveryError, match="there is no program no such program; install it, or write its path"):
        run(takes, tmp_path / "other", {"it": {"kind": kind, "command": command}})


@pytest.mark.parametrize("kind", ["pipe", "frames", "file"])
def test_no_place_for_temporary_files(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, refused = Path.mkdir, []

    def mkdir(path: Path, *arguments: Any, **options: Any) -> None:
        if path.suffix == ".programs" and not refused:
            refused.append(path)
            raise PermissionError(13, "Permission denied", str(path))
        make(path, *arguments, **options)

    takes = folder(tmp_path)
    monkeypatch.setattr(Path, "mkdir", mkdir)
    document = run(takes, tmp_path / "out", {"it": {"kind": kind, "command": commands(kind, "same")}})
    assert "no place for the temporary files of the outside tool it" in document["takes"][0]["skipped"]["reason"]
    assert document["sequence"]["frames"] == 20


@pytest.mark.parametrize("kind", ["pipe", "frames", "file"])
def test_names_are_never_taken_apart(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "a 'quoted' \"folder\" $(touch x) ; ünïcödé 映画"
    place.mkdir()
    script = place / "-tool; rm.py"
    script.write_bytes(Path(commands(kind, "same")[1]).read_bytes())
    takes = place / "takes"
    takes.mkdir()
    make_clip(takes / "-scene01 'take' \"1\" $HOME.mp4")
    command = [sys.executable, str(script), *commands(kind, "same")[2:], "{take}"]
    document = run(takes, place / "out", {"it": {"kind": kind, "command": command}})
    assert document["takes"][0]["outside"][0]["failed"] is None
    assert document["sequence"]["frames"] == 24
    assert not (Path.cwd() / "x").exists()


def chain(third: str = "third") -> dict[str, Any]:
    return {
        "one": {"kind": "pipe", "command": PIPE},
        "two": {"kind": "frames", "command": commands("frames", "same"), "batch_frames": 10},
        "three": {"kind": "file", "command": [*commands("file", "same"), third]},
    }


def test_a_chain_runs_again_only_where_it_changed(tmp_path: Path) -> None:
    takes, out = folder(tmp_path), tmp_path / "out"
    first = run(takes, out, chain())
    assert first["frames"]["decoded_outside"] == first["frames"]["encoded_outside"] == 3 * 44
    again = run(takes, out, chain())
    assert not any(value for name, value in again["frames"].items() if name != "delivered")
    other = run(takes, out, chain("another argument"))
    assert [[use["encoded"] for use in take["outside"]] for take in other["takes"]] == [[0, 0, 24], [0, 0, 20]]
    assert other["frames"]["decoded_look"] == other["frames"]["encoded"] == 0  # it gave the same pictures
    limit = chain()
    limit["two"]["timeout_seconds"] = 99
    assert run(takes, out, limit)["frames"]["encoded_outside"] == 0  # changes no picture
    faster = run(takes, out, chain(), deliver={**FAST["deliver"], "crf": 30})
    assert faster["frames"]["encoded_outside"] == 0
    assert faster["frames"]["encoded"] == 44


def test_finished_batches_of_an_unfinished_take_are_kept(tmp_path: Path) -> None:
    takes, out, log = folder(tmp_path, {}), tmp_path / "out", tmp_path / "it.log"
    program = (
        "import pathlib, shutil, sys\n"
        "log = pathlib.Path(__file__).with_suffix('.log').open('a+')\n"
        "log.seek(0)\n"
        "if len(log.read()) == 3: sys.exit('out of memory')\n"
        "log.write('x')\n"
        "shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)\n"
    )
    (tmp_path / "it.py").write_text(program)
    command = [sys.executable, str(tmp_path / "it.py"), "{input}", "{output}"]
    tools = {"it": {"kind": "frames", "command": command, "batch_frames": 5, "context_frames": 1}}
    with pytest.raises(api.DeliveryError, match="out of memory"):
        run(takes, out, tools)
    assert log.read_text() == "xxx"
    log.write_text("xxxx")
    assert run(takes, out, tools)["sequence"]["frames"] == 24
    assert log.read_text() == "xxxxxx"  # the last two of five batches
    units = list((out / ".postpipe" / "store" / "units").rglob("*.mp4"))
    assert len(units) == 2  # the take as it was made, and as it is delivered
    run(takes, tmp_path / "plain", {})
    assert digest(out / "sequence.mp4") == digest(tmp_path / "plain" / "sequence.mp4")


def test_a_changed_program_runs_again(tmp_path: Path) -> None:
    takes, out, script = folder(tmp_path), tmp_path / "out", tmp_path / "tool.py"
    text = Path(PIPE[1]).read_text()
    script.write_text(text)
    tools = {"it": {"kind": "pipe", "command": [sys.executable, str(script), *PIPE[2:]]}}
    assert run(takes, out, tools)["frames"]["encoded_outside"] == 44
    assert run(takes, out, tools)["frames"]["encoded_outside"] == 0
    script.write_text(text + "\n# mended\n")
    assert run(takes, out, tools)["frames"]["encoded_outside"] == 44
    versioned = {"it": {**tools["it"], "version_arguments": ["--version"]}}
    assert run(takes, out, versioned)["frames"]["encoded_outside"] == 44


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_killed_in_the_third_tool_goes_on_there(how: signal.Signals, tmp_path: Path) -> None:
    takes, out = folder(tmp_path), tmp_path / "out"
    tools = chain()
    wait = "import sys, time, pathlib, shutil; time.sleep(0 if pathlib.Path(sys.argv[1]).exists() else 600)\n"
    go = tmp_path / "go"
    copy = "shutil.copy(sys.argv[2], sys.argv[3])"
    tools["three"]["command"] = [sys.executable, "-c", wait + copy, str(go), "{input}", "{output}"]
    config = tmp_path / "settings.json"
    config.write_text(json.dumps({**FAST, "outside": tools}))
    start = (
        "import json, sys; from postpipe import api; from postpipe.cli import main\n"
        "sys.argv[1:] = ['x']\n"
        f"settings = json.load(open({str(config)!r}))\n"
        f"main.cli.main = lambda **_: api.run({str(takes)!r}, {str(out)!r}, settings=settings)\n"
        "main.process()"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", start],
        stderr=subprocess.DEVNULL,
        # a background job of a shell inherits an ignored SIGINT; a terminal's job does not
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not _alive(str(go)) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(how)
    code = running.wait(20)
    assert code == (-9 if how == signal.SIGKILL else 130)
    if how == signal.SIGINT:
        assert not _alive(str(go))
    for line in _alive(str(go)):  # after SIGKILL nobody was left to end it
        os.kill(int(line.split()[0]), signal.SIGKILL)
    go.touch()
    document = run(takes, out, tools)
    assert [[use["encoded"] for use in take["outside"]] for take in document["takes"]] == [[0, 0, 24], [20, 20, 20]]
    assert left_behind(out) == []
    run(takes, tmp_path / "fresh", tools)
    assert digest(out / "sequence.mp4") == digest(tmp_path / "fresh" / "sequence.mp4")


def _alive(mark: str) -> list[str]:
    listed = subprocess.run(["ps", "-eww", "-o", "pid,stat,args"], capture_output=True, text=True, check=True).stdout
    lines = (line.strip() for line in listed.splitlines())
    return [line for line in lines if "time.sleep(0 if" in line and mark in line and line.split()[1][0] != "Z"]


def test_a_draft_leaves_the_tools_out_and_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    account = api.run(
        folder(tmp_path),
        tmp_path / "out",
        settings={**FAST, "outside": {"it": {"kind": "pipe", "command": PIPE}}},
        draft=True,
        listener=lambda event: told.append(event.message),
    )
    assert account.document()["frames"]["encoded_outside"] == 0
    assert "a draft leaves the outside tools out" in told


@pytest.mark.parametrize(
    ("tool", "says"),
    [
        ({}, "it: command is empty"),
        ({"command": ["x", "{input}"]}, r"command names \{input\}, which is not known here"),
        ({"kind": "file", "command": ["x", "{input}"]}, r"command does not name \{output\}, the file or folder"),
        ({"command": ["x", "{size}"]}, r"command has no place \{size\}; known: \{input\}"),
        ({"command": ["x"], "kind": "socket"}, "expected 'pipe' or 'frames' or 'file'"),
        ({"command": "ffmpeg -i"}, "expected a list of texts"),
        ({"command": ["x"], "stream": "y4m", "pixel_format": "rgb24"}, "y4m holds YCbCr alone"),
        ({"kind": "frames", "command": ["x", "{input}", "{output}"], "rate": 24}, "a batch of frames keeps its number"),
        ({"command": ["x"], "slot": "finish", "scale": 2}, "a delivered picture has its size and rate"),
        ({"command": ["x"], "timeout_seconds": 0}, "timeout_seconds"),
        ({"command": ["x"], "colour": 1}, "there is no such key"),
    ],
)
def test_settings_are_checked_before_anything_runs(tool: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=says):
        api.plan(settings={"outside": {"it": tool}})


@pytest.mark.parametrize("name", ["odd/delayed_start.mp4", "talking/pwij3p.mpg", "odd/SAR-2by3.mp4", "odd/fire2.mp4"])
def test_real_clips_come_through_a_tool_that_does_nothing_as_they_are(name: str, media: Path, tmp_path: Path) -> None:
    """A late start, a recording whose clock starts anywhere, pixels that are not square, a turned phone clip."""
    if not (media / name).exists():
        pytest.skip(f"needs {name}")
    takes = tmp_path / "takes"
    takes.mkdir()
    shutil.copy(media / name, takes)
    run(takes, tmp_path / "plain", {})
    for kind, command in (("pipe", ["cat"]), ("file", ["cp", "{input}", "{output}"])):
        run(takes, tmp_path / kind, {"it": {"kind": kind, "command": command}})
        assert digest(tmp_path / kind / "sequence.mp4") == digest(tmp_path / "plain" / "sequence.mp4")
