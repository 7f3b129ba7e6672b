"""Outside tools in a whole run: exact, cached, resumed, counted; what misbehaves harms one take at most."""

from __future__ import annotations

import hashlib
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
from postpipe.finished import UNSIGNED
from tests.clips import make_clip
from tests.programs.helpers import rogue

FAST = {"deliver": {"preset": "ultrafast", "encoder_threads": 1}}
FRAME_BYTES = 64 * 48 * 3 // 2
PIPE = rogue("same", "pipe", FRAME_BYTES)
FFMPEG_RAW = "ffmpeg -v error -f rawvideo -pix_fmt {pixel_format} -s {width}x{height} -r {rate} -i -".split()


def folder(tmp_path: Path, *makes: dict[str, Any]) -> Path:
    takes = tmp_path / "takes"
    takes.mkdir()
    for number, make in enumerate(makes or ({}, {"frames": 20}), 1):
        make_clip(takes / f"scene{number:02}_take01.mp4", **{"seed": number, **make})
    return takes


def run(takes: Path, out: Path, tools: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return api.run(takes, out, settings={**FAST, "outside": tools, **settings}).document()


FILM = f"{UNSIGNED}/sequence.mp4"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def commands(kind: str, name: str) -> list[str]:
    return rogue(name, "pipe", FRAME_BYTES) if kind == "pipe" else rogue(name, kind, "{input}", "{output}")


def left_behind(out: Path) -> list[Path]:
    hidden = out / ".postpipe"
    return [path for path in hidden.rglob("*") if "tmp" in path.relative_to(hidden).parts[:-1]]


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
    assert digest(tmp_path / "out" / FILM) == digest(tmp_path / "plain" / FILM)
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


SWITCH = """
import runpy, sys
first = sys.argv[1] == "scene01_take01"
sys.argv = sys.argv[2:]
sys.argv[1] = sys.argv[1] if first else "same"
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def misbehaving(kind: str, name: str) -> dict[str, Any]:
    """Return a tool that misbehaves with the first take alone."""
    command = rogue(name, "pipe", 64 * 48 * 3 * 4) if name == "nan" else commands(kind, name)
    tool: dict[str, Any] = {"kind": kind, "command": [sys.executable, "-c", SWITCH, "{take}", *command[1:]]}
    return {**tool, "timeout_seconds": 2, **({"pixel_format": "rgbf32le"} if name == "nan" else {})}


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
    assert digest(out / FILM) == digest(tmp_path / "plain" / FILM)


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
    mark = f"600.{how:02}"  # no other test waits so long
    wait = f"import sys, time, pathlib, shutil; time.sleep(0 if pathlib.Path(sys.argv[1]).exists() else {mark})\n"
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
    running = subprocess.Popen([sys.executable, "-c", start], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not _alive(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(how)
    code = running.wait(20)
    assert code == (-9 if how == signal.SIGKILL else 130)
    if how == signal.SIGINT:
        assert not _alive(mark)
    for line in _alive(mark):  # after SIGKILL nobody was left to end it
        os.kill(int(line.split()[0]), signal.SIGKILL)
    go.touch()
    document = run(takes, out, tools)
    assert [[use["encoded"] for use in take["outside"]] for take in document["takes"]] == [[0, 0, 24], [20, 20, 20]]
    assert left_behind(out) == []
    run(takes, tmp_path / "fresh", tools)
    assert digest(out / FILM) == digest(tmp_path / "fresh" / FILM)


def _alive(mark: str) -> list[str]:
    listed = subprocess.run(["ps", "-eww", "-o", "pid,stat,args"], capture_output=True, text=True, check=True).stdout
    lines = (line.strip() for line in listed.splitlines())
    return [line for line in lines if "time.sleep(0 if" in line and mark in line and line.split()[1][0] != "Z"]


def test_an_interpolator_changes_the_rate_and_keeps_time(tmp_path: Path) -> None:
    takes = folder(tmp_path, {"rate": Fraction(8), "frames": 16})
    plain = run(takes, tmp_path / "plain", {})
    for kind, command in {
        "pipe": [*FFMPEG_RAW, "-vf", "minterpolate=fps={out_rate}", "-f", "rawvideo", "-"],
        "file": [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            "{input}",
            "-vf",
            "minterpolate=fps={out_rate}",
            "-qp",
            "0",
            "{output}",
        ],
    }.items():
        document = run(takes, tmp_path / kind, {"smooth": {"kind": kind, "command": command, "rate": 24}})
        assert document["sequence"]["frames"] == 48
        assert document["sequence"]["rate"] == "24/1"
        assert document["sequence"]["seconds"] == plain["sequence"]["seconds"] == 2
        assert document["sequence"]["audio_samples"] == plain["sequence"]["audio_samples"]
        assert document["takes"][0]["outside"] == [
            {"tool": "smooth", "kind": kind, "decoded": 16, "encoded": 48, "size": "64x48", "failed": None}
        ]
        assert document["takes"][0]["media"]["rate"] == "24/1"


def test_a_rate_that_the_tool_does_not_keep_is_told(tmp_path: Path) -> None:
    takes = folder(tmp_path, {"rate": Fraction(8), "frames": 16})
    tools = {"smooth": {"kind": "pipe", "command": PIPE, "rate": 24}}
    with pytest.raises(api.DeliveryError, match="gave 16 frames of 16, and 48 at 24/1 last as long"):
        run(takes, tmp_path / "out", tools)


def test_a_tool_may_enlarge_and_is_held_to_it(tmp_path: Path) -> None:
    takes = folder(tmp_path)
    command = [*FFMPEG_RAW, "-vf", "scale={out_width}:{out_height}", "-f", "rawvideo", "-"]
    document = run(takes, tmp_path / "out", {"up": {"kind": "pipe", "command": command, "scale": 2}})
    assert {take["outside"][0]["size"] for take in document["takes"]} == {"128x96"}
    assert document["takes"][0]["media"]["width"] == 128
    command = ["ffmpeg", "-v", "error", "-i", "{input}", "-vf", "scale=96:72", "-qp", "0", "{output}"]
    with pytest.raises(api.DeliveryError, match="gave pictures of 96 × 72, and 128 × 96 are expected; check its scale"):
        run(takes, tmp_path / "out", {"up": {"kind": "file", "command": command, "scale": 2}})


def test_what_a_tool_changes_is_what_is_looked_at(tmp_path: Path) -> None:
    takes = folder(tmp_path, {"black": range(0, 8)})
    plain = run(takes, tmp_path / "plain", {})
    command = [*FFMPEG_RAW, "-vf", "eq=brightness=0.4", "-f", "rawvideo", "-"]
    changed = run(takes, tmp_path / "out", {"grade": {"kind": "pipe", "command": command}})
    assert plain["takes"][0]["facts"]["quality"]["black_frames"] == [*range(8)]
    assert changed["takes"][0]["facts"]["quality"]["black_frames"] == []


def test_a_file_that_says_another_coding_is_converted_from_that(tmp_path: Path) -> None:
    takes = folder(tmp_path, {})
    out = "ffmpeg -v error -i {input} -vf scale=out_color_matrix=bt601:out_range=full -colorspace smpte170m".split()
    command = [*out, "-color_range", "pc", "-qp", "0", "{output}"]
    document = run(takes, tmp_path / "out", {"it": {"kind": "file", "command": command}})
    assert document["takes"][0]["media"]["colour"]["matrix"] == "smpte170m"
    assert document["takes"][0]["media"]["colour"]["range"] == "full"


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


# What is delivered


def test_finishing_tools_work_on_what_is_delivered(tmp_path: Path) -> None:
    takes, out = folder(tmp_path), tmp_path / "out"
    run(takes, tmp_path / "plain", {})
    same = {
        "one": {"kind": "frames", "command": commands("frames", "same"), "batch_frames": 5, "context_frames": 2},
        "two": {"kind": "pipe", "command": PIPE},
    }
    same = {name: {**tool, "slot": "finish"} for name, tool in same.items()}
    document = run(takes, out, same)
    assert digest(out / FILM) == digest(tmp_path / "plain" / FILM)
    assert document["frames"]["encoded_outside"] == 0
    same["two"]["timeout_seconds"] = 77
    assert run(takes, out, same)["frames"]["encoded"] == 0
    bright = [*FFMPEG_RAW, "-vf", "eq=brightness=0.2", "-f", "rawvideo", "-"]
    graded = run(takes, out, {"grade": {"kind": "pipe", "command": bright, "slot": "finish"}})
    assert graded["frames"]["encoded"] == 44
    assert digest(out / FILM) != digest(tmp_path / "plain" / FILM)


def test_a_finishing_tool_that_fails(tmp_path: Path) -> None:
    takes, out = folder(tmp_path), tmp_path / "out"
    bad = {**misbehaving("pipe", "exit1"), "slot": "finish"}
    document = run(takes, out, {"bad": bad})
    assert "cannot allocate the model" in document["takes"][0]["skipped"]["reason"]
    assert document["sequence"]["frames"] == 20
    left = run(takes, out, {"bad": {**bad, "fallback": "leave"}})
    assert left["sequence"]["frames"] == 44
    (fix,) = left["takes"][0]["fixes"]
    assert (fix["stage"], fix["kept"]) == ("finish", False)
    assert "cannot allocate the model" in fix["after"]["failed"]


def test_a_draft_of_a_program_that_is_not_there(tmp_path: Path) -> None:
    tools = {"bad": {"kind": "pipe", "command": ["no such program"], "slot": "finish"}}
    document = api.run(folder(tmp_path), tmp_path / "out", settings={**FAST, "outside": tools}, draft=True).document()
    assert document["draft"]["estimate"]["encoded"] == 44


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
        assert digest(tmp_path / kind / FILM) == digest(tmp_path / "plain" / FILM)
