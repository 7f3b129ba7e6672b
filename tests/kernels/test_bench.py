"""The benchmark of kernels, run small."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from postpipe_kernels import bench

from postpipe.cli.bench import command
from postpipe.errors import SettingsError


@pytest.fixture(autouse=True)
def _short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "PAIRS", 2)
    monkeypatch.setattr(bench, "_TURN_SECONDS", 0.002)


def test_json_has_a_row_per_type_and_peer() -> None:
    arguments = ["kernels", "--json", "--kernel", "apply_curve", "--size", "64x48"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    report = json.loads(result.stdout)
    assert set(report) == {"machine", "kernels"}
    assert {"processor", "numba", "opencv"} <= set(report["machine"])
    rows = [(row["name"], row["dtype"], row["peer"]) for row in report["kernels"]]
    assert rows == [("apply_curve", dtype, peer) for dtype in ("uint8", "uint16") for peer in ("opencv", "numpy")]
    for row in report["kernels"]:
        assert row["shape"] == [48, 64]
        assert row["ours_ms"] > 0.0
        assert row["ratio"] == pytest.approx(row["peer_ms"] / row["ours_ms"], rel=0.05)


def test_table_names_kernels_and_machine() -> None:
    arguments = ["kernels", "--kernel", "sharpness", "--size", "64x48"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert "sharpness" in result.stdout
    assert "64x48" in result.stdout
    assert "numba" in result.stdout


def test_unknown_names_and_sizes_are_usage_errors() -> None:
    with pytest.raises(SettingsError, match="unknown kernel blur"):
        CliRunner().invoke(command, ["kernels", "--kernel", "blur"], catch_exceptions=False)
    result = CliRunner().invoke(command, ["kernels", "--size", "big"])
    assert result.exit_code == 2
    assert "'big' is not a size like 1920x1080" in result.output
