"""`postpipe inspect --gate`: exit codes and words for scripts; settings from the folder or from --config."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from postpipe import api
from postpipe.engine.settings import Layer, configure, stage_types
from postpipe.stages.gate import Gate
from tests.cli.inside import postpipe
from tests.clips import make_clip


@pytest.fixture
def good(tmp_path: Path) -> Path:
    folder = tmp_path / "good"
    folder.mkdir()
    make_clip(folder / "scene01_take01.mp4", seed=1)
    return folder


def test_the_page_shows_the_defaults() -> None:
    page = (Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")
    locks, rules = (tomllib.loads(text) for text in re.findall(r"```toml\n(.*?)```", page, re.DOTALL))
    assert configure(stage_types(), [Layer("docs/gate.md", locks)])
    assert rules == {"gate": asdict(Gate())}


def test_the_gate_is_an_exit_code(takes: Path, good: Path) -> None:
    done = postpipe("inspect", "--gate", good)
    assert done.returncode == 0
    assert "pass scene01_take01.mp4\ngate: 1 of 1 takes pass" in done.stdout
    done = postpipe("inspect", "--gate", takes)
    assert done.returncode == 6
    assert "pass scene01_take01.mp4" in done.stdout
    assert "FAIL scene01_take02.mp4: frozen_seconds: 0." in done.stdout
    assert "expected at most 0\n" in done.stdout
    assert "gate: 2 of 3 takes pass" in done.stdout
    assert postpipe("inspect", takes).returncode == 0
    assert postpipe("inspect", "--gate", "--gate-frozen-seconds", "any", takes).returncode == 0


def test_broken_settings_are_told_and_fail(good: Path, tmp_path: Path) -> None:
    (good / "postpipe.toml").write_text('[project]\nrate = 30\naspect = "16:9"\nsound = "forbidden"\n')
    for files in ([good], [good / "scene01_take01.mp4"]):
        done = postpipe("inspect", "--gate", *files)
        assert done.returncode == 6
        assert "FAIL scene01_take01.mp4: rate: 24; expected 30" in done.stdout
        assert "FAIL scene01_take01.mp4: aspect: 4:3; expected 16:9" in done.stdout
        assert "FAIL scene01_take01.mp4: sound: audible, -" in done.stdout
        assert "rate 24, not 30" in " ".join(done.stdout.split())
    other = tmp_path / "other.toml"
    other.write_text("[project]\nmin_seconds = 2\n")
    done = postpipe("inspect", "--gate", "--config", other, good)
    assert done.returncode == 6
    assert "min_seconds: 1.00 s; expected at least 2 s" in done.stdout
    assert "rate" not in done.stdout
    assert postpipe("inspect", "--gate", "--gate-settings", "false", good).returncode == 0


def test_what_cannot_be_read_does_not_pass(good: Path) -> None:
    (good / "scene02_take01.mp4").write_bytes(b"junk")
    done = postpipe("inspect", "--gate", good)
    assert done.returncode == 6
    assert "FAIL scene02_take01.mp4: skipped: " in done.stdout
    assert postpipe("inspect", good).returncode == 3
    (good / "scene01_take01.mp4").unlink()
    assert postpipe("inspect", "--gate", good).returncode == 4


def test_json_holds_the_failures(good: Path) -> None:
    done = postpipe("inspect", "--gate", "--json", "--project-frames", 25, good)
    assert done.returncode == 6
    (take,) = json.loads(done.stdout)
    miss = {"name": "frames", "expected": "25", "found": "24"}
    assert take["facts"]["settings"] == {"locked": ["frames"], "broken": [miss]}
    assert take["facts"]["gate"] == {"passes": False, "failures": [miss]}


def test_a_wrong_config_is_told_with_its_line(good: Path) -> None:
    (good / "postpipe.toml").write_text("[gate]\nblack_frames = 0\nfrozn_seconds = 1\n[project]\naspect = 1.78\n")
    done = postpipe("inspect", "--gate", good)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "postpipe: postpipe.toml, line 3: [gate] has no key 'frozn_seconds'; did you mean 'frozen_seconds'?",
        "postpipe: postpipe.toml, line 5: [project] aspect = 1.78: expected a text such as '16:9'",
    ]


def test_a_take_that_keeps_the_settings_is_chosen(tmp_path: Path) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()
    make_clip(folder / "scene01_take01.mp4", seed=1, sound_hz=None)
    make_clip(folder / "scene01_take02.mp4", seed=1)
    fast = {"deliver": {"preset": "ultrafast"}}
    store = tmp_path / "store"
    first = api.run(folder, tmp_path / "out", settings=fast, store=store).takes()
    assert [take["rank"] for take in first] == [1, 2]
    locked = api.run(folder, tmp_path / "out", settings=fast | {"project": {"sound": "required"}}, store=store).takes()
    assert [take["rank"] for take in locked] == [2, 1]
    assert locked[0]["facts"]["scores"]["settings"] == 0.8


def test_what_was_written_down_is_in_the_account_and_never_stale(good: Path, tmp_path: Path) -> None:
    fast = {"deliver": {"preset": "ultrafast"}}
    sidecar = good / "scene01_take01.json"
    for prompt in ("a red kite", "a blue one"):
        sidecar.write_text(json.dumps({"prompt": prompt}))
        account = api.run(good, tmp_path / "out", settings=fast)
        document = json.loads((tmp_path / "out" / "takes.json").read_text(encoding="utf-8"))
        assert document["takes"][0]["sidecar"]["prompt"] == prompt
        assert document == account.document()
    assert account.counts.decoded_look == account.counts.encoded == 0  # words change no picture
    sidecar.unlink()
    (good / "takes.csv").write_text("file,prompt\nscene09.mp4,x\n")
    done = postpipe("run", good, "-o", tmp_path / "out", "--deliver-preset", "ultrafast")
    assert done.returncode == 0
    assert "warning: takes.csv: no take for line 2 ('scene09.mp4')" in done.stderr
    document = json.loads((tmp_path / "out" / "takes.json").read_text(encoding="utf-8"))
    assert document["takes"][0]["sidecar"] is None
    assert document["warnings"] == ["takes.csv: no take for line 2 ('scene09.mp4')"]
