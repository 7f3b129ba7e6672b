"""Shared fixtures: tiny clips with known content, and real clips where `--media DIR` names some."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.clips import make_clip

settings.register_profile("same every time", derandomize=True, database=None)
settings.load_profile("same every time")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--media", metavar="DIR", type=Path, help="folder of real clips for the tests that want some")


def pytest_configure(config: pytest.Config) -> None:
    """Keep models that the user has out of the tests."""
    os.environ["POSTPIPE_MODELS_DIR"] = os.devnull


@pytest.fixture(scope="session")
def media(request: pytest.FixtureRequest) -> Path:
    """The folder of real clips, or a skip."""
    folder: Path | None = request.config.getoption("--media")
    if folder is None:
        pytest.skip("needs real clips: pytest --media DIR")
    return folder


@pytest.fixture
def takes(tmp_path: Path) -> Path:
    """A folder with two scenes: two takes of the first, one of the second."""
    folder = tmp_path / "takes"
    folder.mkdir()
    make_clip(folder / "scene01_take01.mp4", seed=1)
    make_clip(folder / "scene01_take02.mp4", seed=2, still=range(6, 18))
    make_clip(folder / "scene02_take01.mp4", seed=3, frames=20)
    return folder
