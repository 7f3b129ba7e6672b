"""The artifact store: what was measured, decided and rendered, under keys that name everything it came from.

Layout of a store directory: `facts/` (JSON + npz), `units/` (rendered media), `memo/` (content digests of
source files), `tmp/` (work in progress, one folder per process). A file is written to `tmp/`, flushed to
the disk and renamed, so a reader never meets half of one. Any fault in a stored file counts as a miss.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Self, TypeVar

import msgspec
from filelock import FileLock, Timeout

from postpipe.engine import pack
from postpipe.errors import MachineError
from postpipe.model import Artifact

T = TypeVar("T", bound=Artifact)
LIBRARIES = (
    "av", "numpy", "numba", "opencv-python-headless", "scipy", "librosa", "c2pa-python", "opentimelineio",
    "otio-fcp-adapter",
)  # fmt: skip
PLUG_INS = ("postpipe.stages", "postpipe.upscalers", "postpipe.watermarks")
_FAULTS = (OSError, ValueError, KeyError, IndexError, EOFError, TypeError, msgspec.MsgspecError)


@functools.cache
def code_digest() -> str:
    """Return one digest over the sources of both packages and the libraries and plug-ins that results depend on."""
    state = hashlib.sha256()
    package = Path(__file__).parents[1]
    kernels = Path(sys.modules["postpipe_kernels"].__path__[0]) if "postpipe_kernels" in sys.modules else None
    if kernels is None:
        import postpipe_kernels

        kernels = Path(postpipe_kernels.__path__[0])
    for root in (package, kernels):
        for source in sorted(path for path in root.rglob("*") if path.suffix in (".py", ".json", ".npz")):
            state.update(str(source.relative_to(root)).encode() + b"\0" + source.read_bytes())
    for library in LIBRARIES:
        state.update(f"{library} {metadata.version(library)}".encode())
    for group in PLUG_INS:
        for entry in sorted(metadata.entry_points(group=group)):
            if entry.dist is not None and not entry.value.startswith("postpipe."):
                state.update(f"{group} {entry.name} {entry.value} {entry.dist.version}".encode())
    return state.hexdigest()


class Scratch:
    """A folder for work in progress below `root`, one for each process; a context manager that removes it.

    A lock that the process holds tells folders in use from those that a killed process left behind.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root.absolute() / uuid.uuid4().hex
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.folder.with_suffix(".lock"))
            self._lock.acquire(blocking=False)  # first: a folder without a lock is taken for one left behind
            self.folder.mkdir()
        except OSError as error:
            raise MachineError(
                f"{root}: cannot be written ({error.strerror}); name another place with -o, and --store for the store"
            ) from error
        self._remove_stale()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another process works there
            self.folder.parent.rmdir()

    def path(self, suffix: str) -> Path:
        """Return a path for a new temporary file."""
        return self.folder / f"{uuid.uuid4().hex}{suffix}"

    def _remove_stale(self) -> None:
        for folder in self.folder.parent.iterdir():
            if not folder.is_dir() or folder == self.folder:
                continue
            lock = FileLock(folder.with_suffix(".lock"))
            with contextlib.suppress(Timeout, OSError), lock.acquire(blocking=False):
                shutil.rmtree(folder, ignore_errors=True)
                Path(lock.lock_file).unlink(missing_ok=True)


class Store:
    """A directory of artifacts. Use as a context manager: leaving it removes this process's temporary files."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._scratch = Scratch(self.root / "tmp")
        self.scratch = self._scratch.path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.__exit__()

    # Facts and decisions

    def get(self, kind: type[T], key: str) -> T | None:
        """Return the artifact of type `kind` under `key`, or `None` where there is no sound one."""
        path = self._path("facts", key, ".json")
        try:
            entry = json.loads(path.read_bytes())
            if entry["schema"] != kind.schema:
                return None
            text = entry["fields"].encode()
            npz = path.with_suffix(".npz").read_bytes() if entry["arrays"] else b""
            if entry["digest"] != hashlib.sha256(text + npz).hexdigest():
                return None
            return pack.unpack(kind, text, pack.arrays_from_npz(npz) if npz else [])
        except _FAULTS:
            return None

    def put(self, key: str, artifact: Artifact) -> None:
        """Keep `artifact` under `key`."""
        text, arrays = pack.pack(artifact)
        path = self._path("facts", key, ".json")
        npz = pack.arrays_to_npz(arrays) if arrays else b""
        if npz:
            self._write(path.with_suffix(".npz"), npz)
        entry = {
            "schema": artifact.schema,
            "digest": hashlib.sha256(text + npz).hexdigest(),
            "arrays": len(arrays),
            "fields": text.decode(),
        }
        self._write(path, json.dumps(entry, ensure_ascii=False).encode())

    # Rendered media

    def unit(self, key: str, container: str) -> Path | None:
        """Return the rendered unit under `key`, its content checked against its digest, or `None`."""
        path = self._path("units", key, f".{container}")
        try:
            entry = json.loads(path.with_suffix(".json").read_bytes())
            return path if entry["digest"] == self.file_digest(path) else None
        except _FAULTS:
            return None

    def put_unit(self, key: str, file: Path, container: str) -> Path:
        """Move a finished file (made at a `scratch` path) into the store; return where it is."""
        path = self._path("units", key, f".{container}")
        entry = {"digest": content_digest(file)}
        publish(file, path)
        self._write(path.with_suffix(".json"), json.dumps(entry).encode())
        return path

    def discard_unit(self, key: str, container: str) -> None:
        """Remove a unit that will not be asked for again."""
        path = self._path("units", key, f".{container}")
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)

    # Content digests of source and delivered files

    def file_digest(self, path: Path, *, rehash: bool = False) -> str:
        """Return the SHA-256 of a file's content, remembered by its path, size, time and inode."""
        path = path.absolute()
        status = path.stat()
        mark = [str(path), status.st_size, status.st_mtime_ns, status.st_ino]
        memo = self._path("memo", hashlib.sha256(os.fsencode(path)).hexdigest(), ".json")
        if not rehash:
            with contextlib.suppress(*_FAULTS):
                entry = json.loads(memo.read_bytes())
                if entry["mark"] == mark and len(entry["digest"]) == hashlib.sha256().digest_size * 2:
                    return str(entry["digest"])
        value = content_digest(path)
        self._write(memo, json.dumps({"mark": mark, "digest": value}).encode())
        return value

    def _path(self, room: str, key: str, suffix: str) -> Path:
        return self.root / room / key[:2] / f"{key}{suffix}"

    def _write(self, path: Path, data: bytes) -> None:
        temporary = self.scratch(path.suffix)
        temporary.write_bytes(data)
        publish(temporary, path)


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def publish(temporary: Path, path: Path) -> None:
    """Move a finished file to its name: on the disk before the rename, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    if os.name == "nt":  # Windows has no descriptor of a directory; its rename is journalled
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def opened(root: Path | None) -> Iterator[Store]:
    """Open the store at `root`, or a throw-away one where no directory was named."""
    if root is not None:
        with Store(root) as store:
            yield store
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="postpipe-") as folder, Store(Path(folder)) as store:
        yield store
