"""Models that the user has fetched: which ones postpipe can use, and where they are kept.

None is part of postpipe and none is ever downloaded. `add` takes them out of a package that the user names, known by
their content, and keeps a copy below the user's data directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from postpipe.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Model:
    """A model by its `file`'s name, size and SHA-256; `use` says what for, `origin` where it comes from."""

    name: str
    file: str
    size: int
    digest: str
    use: str
    origin: str

    @property
    def path(self) -> Path:
        """Where it is kept, if it is."""
        return folder() / self.file

    @property
    def state(self) -> str:
        """`kept`, `absent`, or `damaged` where another file lies in its place."""
        try:
            content = self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return "absent"
        except OSError:
            return "damaged"
        return "kept" if self.fits(content) else "damaged"

    def fits(self, content: bytes) -> bool:
        """Return whether this is its content."""
        return len(content) == self.size and hashlib.sha256(content).hexdigest() == self.digest


FACE_MESH = Model(
    name="face mesh",
    file="face_landmark.tflite",
    size=1242398,
    digest="1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    use="lip sync looks at the landmarks of lips too",
    origin="the wheel of mediapipe 0.10.21 (Apache-2.0)",
)

MODELS = (FACE_MESH,)


def folder() -> Path:
    """Return where models are kept: `POSTPIPE_MODELS_DIR`, or the place the platform has for a user's data."""
    chosen = os.environ.get("POSTPIPE_MODELS_DIR")
    if chosen:
        return Path(chosen).absolute()
    from platformdirs import user_data_path

    return user_data_path("postpipe", appauthor=False) / "models"


def add(source: Path) -> list[Model]:
    """Keep the models that are found in a wheel, in a folder (and in wheels that lie in it), or that `source` is.

    Returns those that were found. Raises `SettingsError` where there is none, or where they cannot be read or kept.
    """
    found: dict[str, tuple[Model, bytes]] = {}
    try:
        for model, content in _candidates(source):
            if model.fits(content):
                found[model.name] = model, content
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise SettingsError([f"{source}: cannot be read ({error}); fetch it again"]) from error
    if not found:
        wanted = "; ".join(f"{model.file} of {model.origin}" for model in MODELS)
        raise SettingsError([f"{source}: holds no model that postpipe knows by its content; it takes {wanted}"])
    for model, content in found.values():
        _keep(model, content)
    return [model for model, _ in found.values()]


def _candidates(source: Path) -> Iterator[tuple[Model, bytes]]:
    """Yield what has the name and the size of a model."""
    files = sorted(source.rglob("*")) if source.is_dir() else [source]
    by_name = {model.file: model for model in MODELS}
    for path in files:
        model = by_name.get(path.name)
        if model is not None and path.is_file() and path.stat().st_size == model.size:
            yield model, path.read_bytes()
        elif path.suffix in (".whl", ".zip") and path.is_file():
            with zipfile.ZipFile(path) as package:
                for entry in package.infolist():
                    inside = by_name.get(entry.filename.rpartition("/")[2])
                    if inside is not None and entry.file_size == inside.size:
                        yield inside, package.read(entry)
        elif path == source:
            path.open("rb").close()  # says that it is not there


def _keep(model: Model, content: bytes) -> None:
    """Write a model whole or not at all."""
    temporary = model.path.with_name(f".{model.file}.{os.getpid()}")
    try:
        model.path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(model.path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise SettingsError(
            [f"{model.path}: cannot be written ({error.strerror}); POSTPIPE_MODELS_DIR names another folder"]
        ) from error
