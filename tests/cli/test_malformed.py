"""Over six hundred malformed sidecars, logs and settings: key, line, what was expected are told; never a traceback.

Each is made from a good one, with a fixed seed, by a slip whose place is known, and goes through the real entry. Every
kind of slip has its turn; of the good ones nothing is said.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
from pathlib import Path

import pytest

from postpipe import api
from postpipe.errors import SettingsError
from tests.cli.inside import postpipe
from tests.cli.slips_records import LOG_SLIPS, RECORD, SLIPS, entries, pretty, rows, table
from tests.cli.slips_settings import SETTING_SLIPS, toml
from tests.clips import make_clip

SIDECARS, LOGS, SETTINGS = 300, 140, 200
AT_ONCE = 50  # takes in one run


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("one") / "one.mp4", frames=2, sound_hz=None)


def test_malformed_sidecars(tmp_path: Path, store: Path, one: Path) -> None:
    rng = random.Random(1)
    takes = [tmp_path / f"scene{number:02d}_take01.mp4" for number in range(AT_ONCE)]
    for take in takes:
        shutil.copy(one, take)
    turns = itertools.cycle(SLIPS)
    for _ in range(SIDECARS // AT_ONCE):
        cases = [next(turns)(rng) for _ in takes]
        for take, case in zip(takes, cases, strict=True):
            take.with_suffix(".json").write_bytes(case.data)
        done = postpipe("inspect", "--json", "--store", store, tmp_path)
        assert done.returncode == 0
        for take, case in zip(json.loads(done.stdout), cases, strict=True):
            told = [text for text in take["warnings"] if text.startswith(take["file"].replace(".mp4", ".json"))]
            assert any(all(word in text for word in case.words) for text in told), (case, told)


def test_malformed_logs(tmp_path: Path, store: Path, one: Path) -> None:
    rng = random.Random(2)
    for number in range(4):
        shutil.copy(one, tmp_path / f"scene{number:02d}_take01.mp4")
    for number, (suffix, make) in zip(range(LOGS), itertools.cycle(LOG_SLIPS), strict=False):
        case, log = make(rng), tmp_path / f"log{number}.{suffix}"
        log.write_bytes(case.data)
        done = postpipe("inspect", "--store", store, "--project-log", log.name, tmp_path)
        assert done.returncode == 0
        told = [text for text in (done.stdout + done.stderr).splitlines() if log.name in text]
        assert any(all(word in text for word in case.words) for text in told), (case, told)


def test_malformed_settings(tmp_path: Path, one: Path) -> None:
    rng = random.Random(3)
    path = tmp_path / "postpipe.toml"
    path.write_text(toml({}))
    assert postpipe("plan", "--config", path).returncode == 0
    for _, make in zip(range(SETTINGS), itertools.cycle(SETTING_SLIPS), strict=False):
        case = make(rng)
        path.write_bytes(case.data)
        command = rng.choice([["plan"], ["inspect", one], ["run", one.parent, "-o", tmp_path / "out"]])
        done = postpipe(*command, "--config", path)
        assert done.returncode == 2
        told = [text for text in done.stderr.splitlines() if "postpipe.toml" in text]
        assert any(all(word in text for word in case.words) for text in told), (case, done.stderr)
        with pytest.raises(SettingsError) as caught:
            api.plan(config=path)
        assert [f"postpipe: {problem}" for problem in caught.value.problems] == done.stderr.splitlines()
    assert not (tmp_path / "out").exists()


def test_of_good_ones_nothing_is_said(tmp_path: Path, store: Path, one: Path) -> None:
    for number in range(4):
        shutil.copy(one, tmp_path / f"scene{number:02d}_take01.mp4")
    (tmp_path / "scene00_take01.json").write_text(pretty(RECORD))
    (tmp_path / "postpipe.toml").write_text(toml({}))
    for name, text in (("log.csv", table(rows())), ("log.json", json.dumps({"takes": entries()}))):
        (tmp_path / name).write_text(text)
        done = postpipe("inspect", "--store", store, "--project-log", name, tmp_path)
        assert done.returncode == 0
        assert not [line for line in (done.stdout + done.stderr).splitlines() if "expected" in line or "line " in line]
