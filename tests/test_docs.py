"""What the documents say is true: commands, settings, examples, links."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from postpipe import api
from postpipe.cli.main import COMMANDS
from postpipe.engine.settings import Layer, configure, stage_types
from postpipe.media.credentials import read_credentials, read_trust
from postpipe.media.identity import file_identity
from postpipe.media.signing import Signing
from postpipe.provenance import Trust
from tests.clips import make_clip
from tests.media.test_credentials import DEFINITION

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_main_command_and_the_edit_example_run(tmp_path: Path) -> None:
    (main, _) = blocks("sh")
    assert shlex.split(main)[-4:] == ["run", "sample_media", "-o", "out"]
    done = subprocess.run(
        [sys.executable, "-m", "postpipe", "run", "sample_media", "-o", str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "out" / "takes.json").read_text(encoding="utf-8"))
    truth = json.loads((ROOT / "sample_media" / "truth.json").read_text(encoding="utf-8"))
    chosen = {take["scene"]: take["file"] for take in document["takes"] if take["selected"]}
    assert chosen == truth["best"]

    # The edit example, on the folder of that run: what was looked at is not looked at again.
    settings = tomllib.loads(next(block for block in blocks("toml") if "[edit." in block))
    edited = api.run(ROOT / "sample_media", tmp_path / "out", settings=settings).document()
    assert edited["frames"]["decoded_look"] == 0
    assert [
        (event["source_in"], event["source_out"], event["dissolve_in_frames"], event["fade_out_frames"])
        for event in edited["sequence"]["events"]
    ] == [(12, 66, 0, 0), (0, 84, 12, 0), (0, 72, 0, 0), (0, 192, 0, 24)]


def test_the_test_command_is_what_ci_runs() -> None:
    (_, test) = blocks("sh")
    words = test.replace(" && ", "\n").splitlines()
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert words[0] in ci
    assert 'pip install -q -e ".[dev]"' in ci
    assert words[2] == ".venv/bin/pytest"
    assert ".venv/bin/pytest" in ci


def test_the_page_about_frames_works_from_top_to_bottom(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "frames.md").read_text(encoding="utf-8")
    (tmp_path / "sample_media").symlink_to(ROOT / "sample_media", target_is_directory=True)
    for language, block in re.findall(r"```(sh|python|toml)\n(.*?)```", page, re.DOTALL):
        if language == "toml":
            assert configure(stage_types(), [Layer("page", tomllib.loads(block))])
            continue
        for line in block.splitlines() if language == "sh" else [block]:
            words = ["-c", line] if language == "python" else ["-m", *shlex.split(line)]
            done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    assert (tmp_path / "stills" / "contact_sheet.jpg").exists()
    assert (tmp_path / "stills" / "scene01_take01_f000036_00-00-01-12.png").exists()
    assert (tmp_path / "large.mp4").exists()
    assert "72 frames, 960×540, 72 unchanged" in done.stdout


def test_the_python_example_runs(tmp_path: Path, takes: Path) -> None:
    (example,) = blocks("python")
    script = example.replace('"sample_media"', repr(str(takes))).replace('"out"', repr(str(tmp_path / "out")))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "scene01_take01.mp4 1" in done.stdout


@pytest.mark.parametrize("example", blocks("toml"))
def test_the_settings_examples_are_valid(example: str) -> None:
    assert configure(stage_types(), [Layer("README", tomllib.loads(example))])


def test_the_settings_of_the_page_about_flicker_are_the_defaults() -> None:
    page = (ROOT / "docs" / "flicker.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert configure(stage_types(), [Layer("page", tomllib.loads(example))]) == configure(stage_types(), [])


@pytest.mark.skipif(not (shutil.which("openssl") and shutil.which("bash")), reason="needs openssl and bash")
def test_the_chain_of_the_page_about_provenance_signs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "provenance.md").read_text(encoding="utf-8")
    (recipe,) = (block for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "openssl" in block)
    subprocess.run(["bash", "-ec", recipe], cwd=tmp_path, check=True, capture_output=True)
    clip, film = make_clip(tmp_path / "a.mp4", frames=2), tmp_path / "film.mp4"
    identity = file_identity(tmp_path / "studio-chain.pem", tmp_path / "studio-key.pem", None)
    with Signing(identity, Trust()) as signing:
        signing.sign(clip, film, DEFINITION, [])
    trust = read_trust((tmp_path / "authority.pem",), (), network=False)
    assert read_credentials(film, trust).state == "trusted"


def test_every_command_is_in_the_readme() -> None:
    for command in COMMANDS:
        assert f"`postpipe {command}" in README


def test_the_settings_page_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "postpipe", "stages", "--markdown"], capture_output=True, text=True, check=True
    )
    assert done.stdout == (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_account_page_names_every_fact(takes: Path) -> None:
    page = (ROOT / "docs" / "takes-json.md").read_text(encoding="utf-8")
    (take, *_) = api.inspect([takes / "scene01_take01.mp4"]).takes()
    for name in (*take, *take["media"], *take["facts"]):
        assert name in page, name
    for fact in take["facts"].values():
        tables = [fact] if isinstance(fact, dict) else [row for row in fact if isinstance(row, dict)]
        for key in (key for table in tables for key in table):
            if key not in ("black", "frozen", "duplicate", "damaged", "flicker"):  # the marks, named as a group
                assert key in page, key


def test_the_figures_page_shows_the_committed_results() -> None:
    from benchmarks.figures import page

    assert page() == (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
