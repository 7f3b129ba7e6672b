"""Models of the user's: taken out of what was fetched, known by their content."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from postpipe import models
from postpipe.errors import SettingsError
from tests.cli.inside import postpipe

CONTENT = b"not really a model"
MODEL = replace(models.FACE_MESH, size=len(CONTENT), digest=hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of models; the one that is known is a small one."""
    monkeypatch.setattr(models, "MODELS", (MODEL,))
    folder = tmp_path / "models 'of' ours"
    monkeypatch.setenv("POSTPIPE_MODELS_DIR", str(folder))
    return folder


def wheel(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("mediapipe/modules/face_landmark/face_landmark.tflite", content)
        package.writestr("mediapipe/other.tflite", CONTENT)
    return path


@pytest.mark.parametrize("source", ["wheel", "folder with a wheel", "folder", "file"])
def test_a_model_is_taken_out_of_what_was_fetched(source: str, tmp_path: Path, known: Path) -> None:
    fetched = wheel(tmp_path / "-fetched ä" / "mediapipe-0.10.21-any.whl")
    bare = tmp_path / "bare" / "inside" / MODEL.file
    bare.parent.mkdir(parents=True)
    bare.write_bytes(CONTENT)
    path = {"wheel": fetched, "folder with a wheel": fetched.parent, "folder": tmp_path / "bare", "file": bare}[source]
    assert MODEL.state == "absent"
    assert models.add(path) == [MODEL]
    assert MODEL.path == known / MODEL.file
    assert [file.read_bytes() for file in known.iterdir()] == [CONTENT]
    assert MODEL.state == "kept"


def test_what_holds_no_model_is_refused_and_nothing_is_kept(tmp_path: Path, known: Path) -> None:
    other = wheel(tmp_path / "other.whl", CONTENT[::-1])
    broken = tmp_path / "broken.whl"
    broken.write_bytes(wheel(tmp_path / "good.whl").read_bytes()[:-30])
    (tmp_path / "empty").mkdir()
    for path, fault in (
        (other, "holds no model"),
        (tmp_path / "empty", "holds no model"),
        (broken, "cannot be read"),
        (tmp_path / "none.whl", "cannot be read"),
        (tmp_path / "none", "cannot be read"),
    ):
        with pytest.raises(SettingsError, match=fault):
            models.add(path)
    assert not known.exists()


def test_a_file_that_is_another_is_said_to_be_damaged_and_is_replaced(tmp_path: Path, known: Path) -> None:
    known.mkdir()
    MODEL.path.write_bytes(CONTENT[::-1])
    assert MODEL.state == "damaged"
    models.add(wheel(tmp_path / "one.whl"))
    assert MODEL.state == "kept"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, known: Path) -> None:
    known.write_text("a file")
    with pytest.raises(SettingsError, match="POSTPIPE_MODELS_DIR"):
        models.add(wheel(tmp_path / "one.whl"))


def test_the_command_adds_and_lists(tmp_path: Path) -> None:
    (entry,) = json.loads(postpipe("models", "list", "--json").stdout)
    assert (entry["state"], entry["sha256"]) == ("absent", MODEL.digest)
    added = postpipe("models", "add", "--", wheel(tmp_path / "-one.whl"))
    assert added.returncode == 0
    assert str(MODEL.path) in added.stdout
    assert "face mesh: kept" in postpipe("models", "list").stdout
    assert MODEL.digest in postpipe("doctor").stdout
    wrong = postpipe("models", "add", tmp_path / "none")
    assert (wrong.returncode, wrong.stderr.startswith("postpipe: ")) == (2, True)


def test_without_a_folder_of_its_own_it_is_below_the_users_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTPIPE_MODELS_DIR")
    assert models.folder().name == "models"
    assert "postpipe" in models.folder().parts
