"""`postpipe verify`: words, JSON and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from postpipe.media.identity import development_identity
from postpipe.media.signing import Ingredient, Signing
from postpipe.provenance import SOURCE_TYPE, Trust
from tests.cli.inside import postpipe
from tests.clips import make_clip
from tests.media.test_credentials import DEFINITION


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A file of each state that costs nothing to make."""
    bare, good, bad = (tmp_path / name for name in ("-bare 'one'.mp4", "gut ä.mp4", "bad.mp4"))
    make_clip(bare)
    with Signing(development_identity(), Trust()) as signing:
        signing.sign(bare, good, DEFINITION, [])
    bad.write_bytes(good.read_bytes()[:-1] + b"?")
    return {"absent": bare, "valid": good, "invalid": bad, "unreadable": tmp_path / "none.mp4"}


def test_json_and_words_name_every_state(files: dict[str, Path]) -> None:
    done = postpipe("verify", "--json", "--", *files.values())
    entries = json.loads(done.stdout)
    assert {entry["state"]: entry["file"] for entry in entries} == {name: str(path) for name, path in files.items()}
    assert "assertion.bmffHash.mismatch" in entries[2]["failures"]
    assert {"file", "state", "generator", "signer", "failures", "ingredients"} <= set(entries[0])
    words = postpipe("verify", "--", *files.values())
    assert (done.returncode, words.returncode) == (5, 5)
    assert "content hash" in words.stdout
    assert "signed by postpipe development certificate, vouches for nobody" in words.stdout


def test_words_tell_what_was_done_and_what_it_is_made_of(files: dict[str, Path], tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    action = {"action": "c2pa.created", "digitalSourceType": f"{SOURCE_TYPE}trainedAlgorithmicMedia"}
    placed = [{"action": "c2pa.placed", "parameters": {"ingredientIds": [one]}} for one in ("a", "b")]
    definition = DEFINITION | {
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action, *placed]}}],
    }
    parts = [
        Ingredient(files["valid"], "a", "a.mp4", "componentOf"),
        Ingredient(files["absent"], "b", "b.mp4", "componentOf"),
    ]
    with Signing(development_identity(), Trust()) as signing:
        signing.sign(files["absent"], film, definition, parts)
    _, _, *lines = [line.strip() for line in postpipe("verify", film).stdout.splitlines()]
    assert lines[:3] == [
        "it says that it, or something in it, was made by generative AI",
        "done: created, placed (2 times)",
        "contains a.mp4: valid",
    ]
    assert lines[3].startswith("made with ")
    assert lines[-1] == "contains b.mp4: no C2PA manifest"


def test_a_file_that_is_not_what_its_name_says_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no film")
    (tmp_path / "a.txt").write_text("no film")
    states = [entry["state"] for entry in json.loads(postpipe("verify", "--json", *tmp_path.iterdir()).stdout)]
    assert sorted(states) == ["unreadable", "unsupported"]


def test_exit_codes_follow_the_verdicts(files: dict[str, Path]) -> None:
    cases = [
        (["absent", "valid"], [], 0),
        (["valid"], ["--require", "valid"], 0),
        (["valid"], ["--require", "trusted"], 5),
        (["absent"], ["--require", "valid"], 5),
        (["invalid", "valid"], [], 5),
        (["unreadable", "valid"], [], 3),
        (["unreadable"], [], 4),
    ]
    for names, options, code in cases:
        assert postpipe("verify", *options, "--", *(files[name] for name in names)).returncode == code, names


def test_a_list_that_is_none_is_wrong_usage(files: dict[str, Path]) -> None:
    done = postpipe("verify", "--trust-list", files["absent"], files["valid"])
    assert done.returncode == 2
    assert "holds no certificate" in done.stderr
