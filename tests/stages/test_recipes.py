"""The recipes: those of ffmpeg are run, the others are checked for what they name."""

from __future__ import annotations

import re
import shutil
import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from postpipe import api
from postpipe.engine.settings import Layer, configure, stage_types
from tests.clips import make_clip

DOCS = Path(__file__).parents[2] / "docs"
SECTIONS = {
    part.partition("\n")[0]: part for part in (DOCS / "recipes.md").read_text(encoding="utf-8").split("\n## ")[1:]
}


def settings(section: str) -> list[dict[str, Any]]:
    return [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", SECTIONS[section], re.DOTALL)]


RECIPES = [(name, number) for name in SECTIONS for number in range(len(settings(name)))]


@pytest.mark.parametrize(("section", "number"), RECIPES)
def test_every_recipe_is_valid(section: str, number: int) -> None:
    assert configure(stage_types(), [Layer("recipes.md", settings(section)[number])])


def test_the_example_of_the_page_is_valid() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (DOCS / "outside.md").read_text(encoding="utf-8"), re.DOTALL)
    assert configure(stage_types(), [Layer("outside.md", tomllib.loads(example))])


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg program")
@pytest.mark.parametrize("number", range(4))
def test_those_of_ffmpeg_run(number: int, tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", rate=Fraction(8), frames=12)
    recipe = settings("ffmpeg")[number]
    document = api.run(takes, tmp_path / "out", settings={**recipe, "deliver": {"preset": "ultrafast"}}).document()
    (take,) = document["takes"]
    assert document["sequence"]["seconds"] == 1.5
    if "upscale" in recipe:
        assert "failed" not in take["fixes"][0]["after"]  # what it is worth is another matter
        assert take["render"]["encoded_frames"] == 12
    else:
        (use,) = take["outside"]
        assert use["failed"] is None
        assert document["frames"]["encoded_outside"] == document["sequence"]["frames"] == (36 if number == 1 else 12)


def test_the_script_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", frames=6)
    (script,) = re.findall(r"```python\n(.*?)```", SECTIONS["A script of yours"], re.DOTALL)
    (tmp_path / "mine.py").write_text(script)
    monkeypatch.chdir(tmp_path)
    (recipe,) = settings("A script of yours")
    document = api.run(takes, tmp_path / "out", settings=recipe).document()
    assert document["takes"][0]["outside"][0]["failed"] is None
    assert document["sequence"]["frames"] == 6
