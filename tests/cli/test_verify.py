"""`postpipe verify`: words, JSON and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from postpipe.media.identity import development_identity
from postpipe.media.signing import Signing
from postpipe.provenance import Trust
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
