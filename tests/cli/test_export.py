from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from postpipe import api
from postpipe.cli.main import cli
from postpipe.errors import DeliveryError, MachineError, SettingsError
from postpipe.handover.otio import write
from tests.handover.films import random_film


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    write(random_film(3), tmp_path / "timeline.otio")
    return tmp_path


def test_export_writes_what_the_program_reads_and_says_what_is_lost(delivery: Path) -> None:
    done = CliRunner().invoke(cli, ["export", str(delivery), "--to", "finalcut"], catch_exceptions=False)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0] == str(delivery / "timeline.fcpxml")
    assert "  not in it: the colours of markers" in lines
    assert (delivery / "timeline.fcpxml").read_text(encoding="utf-8").startswith("<?xml")


def test_export_as_json_into_another_folder(delivery: Path) -> None:
    command = ["export", str(delivery), "--to", "shotcut", "-o", str(delivery / "a b"), "--json"]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    (row,) = json.loads(done.output)
    assert row["file"] == str(delivery / "a b" / "timeline.mlt")
    assert any("equal power" in loss for loss in row["losses"])
    assert [path.name for path in (delivery / "a b").iterdir()] == ["timeline.mlt"]


def test_export_names_what_it_does_not_know_or_find(delivery: Path) -> None:
    with pytest.raises(SettingsError, match="avid: is not known; name one of resolve, premiere"):
        CliRunner().invoke(cli, ["export", str(delivery), "--to", "avid"], catch_exceptions=False)
    with pytest.raises(DeliveryError, match="name the folder that a run delivered to"):
        CliRunner().invoke(cli, ["export", str(delivery / "no"), "--to", "edl"], catch_exceptions=False)


def test_what_cannot_be_written_is_said_and_leaves_nothing(delivery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [path.name for path in delivery.iterdir()]
    with pytest.raises(DeliveryError, match=r"timeline\.otio: is a file; name a folder with -o"):
        api.export(delivery, "edl", delivery / "timeline.otio")
    with pytest.raises(MachineError, match="cannot be written"):
        api.export(delivery, "edl", delivery / "timeline.otio" / "below")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineError, match="the disk is full; free some space"):
        api.export(delivery, "edl")
    assert [path.name for path in delivery.iterdir()] == before
