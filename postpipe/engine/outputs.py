"""The delivery folder: files appear in it whole or not at all, and what an earlier run left is tidied up."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any, Self

from postpipe.delivery import OutputFile
from postpipe.engine.store import Scratch, Store, content_digest, publish
from postpipe.errors import DeliveryError

HIDDEN = ".postpipe"
"""The folder below OUT for the store (unless it is elsewhere), work in progress and the list of outputs."""


def holds_a_film(root: Path) -> bool:
    """Whether a folder holds what a run delivered that was no draft."""
    with contextlib.suppress(OSError, ValueError):
        document = json.loads((root / "takes.json").read_bytes())
        return isinstance(document, dict) and document.get("draft") is None and bool(document.get("takes"))
    return False


class Outputs:
    """OUT. A context manager: leaving it removes this process's temporary files."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        if self.root.exists() and not self.root.is_dir():
            raise DeliveryError(f"{root}: is a file; name a folder with -o")
        self._scratch = Scratch(self.root / HIDDEN / "tmp")
        self.scratch = self._scratch.path
        self._published: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.__exit__()
        with contextlib.suppress(OSError):  # it holds the store or the list of outputs
            (self.root / HIDDEN).rmdir()

    def publish(self, temporary: Path, name: str) -> str:
        """Move a finished file to `name` below OUT; return the SHA-256 of its content."""
        digest = content_digest(temporary)
        publish(temporary, self.root / name)
        self._published[name] = digest
        return digest

    def place(self, file: OutputFile, name: str) -> OutputFile:
        """Give a published file a second name below OUT: one content, two names, where the disk can do that."""
        temporary = self.scratch(Path(name).suffix)
        source = self.root / file.path
        try:
            temporary.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, temporary)
        publish(temporary, self.root / name)
        self._published[name] = file.digest
        return OutputFile(name, file.digest)

    def stands(self, file: OutputFile, store: Store) -> bool:
        """Whether a file of an earlier run is still there with the same content."""
        with contextlib.suppress(OSError):
            if store.file_digest(self.root / file.path) == file.digest:
                self._published[file.path] = file.digest
                return True
        return False

    def finish(self, document: dict[str, Any]) -> None:
        """Write `takes.json` and remove what an earlier run delivered that is no part of this delivery.

        A file that somebody changed since is left alone.
        """
        temporary = self.scratch(".json")
        temporary.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        self.publish(temporary, "takes.json")
        listing = self.root / HIDDEN / "outputs.json"
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for name, digest in json.loads(listing.read_text(encoding="utf-8")).items():
                path = self.root / name
                if name not in self._published and path.is_file() and content_digest(path) == digest:
                    path.unlink()
        temporary = self.scratch(".json")
        temporary.write_text(json.dumps(self._published, ensure_ascii=False), encoding="utf-8")
        publish(temporary, listing)
