"""Watch a folder for finished exports, and process each once, also across restarts.

The folder is looked at again and again rather than watched through the operating system: network and cloud folders,
where exports often go, tell nobody of changes that other machines make. A look costs one listing of the folder.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from postpipe.errors import Cancelled, DeliveryError, MachineError, PostpipeError
from postpipe.media.boxes import top_level
from postpipe.media.faults import missing_bytes

SCHEMA = "postpipe.watched.1"
MOVIE = {b"ftyp", b"mdat", b"moov", b"moof", b"wide", b"free", b"skip"}
SHORTEST_BYTES = 8
"""What says at the soonest what a file is: the head of a box of an MP4."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was at one look: what changes while it is written."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Seen:
        """Look at a file. Raises `OSError`."""
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a file: processed into the folder `out`, or failed for a reason."""

    name: str
    seen: Seen
    state: Literal["done", "failed"]
    out: str
    reason: str = ""


class Ledger:
    """What was processed, in a file that is replaced whole after each. A context manager that keeps others out.

    Raises `DeliveryError` where another process has it, and `MachineError` where it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path.with_suffix(".lock"))
        self._done: dict[str, Done] = {}

    def __enter__(self) -> Ledger:
        with self._in_words():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(blocking=False)
            except Timeout as error:
                raise DeliveryError(f"{self._path.parent}: another postpipe watch works there; end it first") from error
            content = self._path.read_bytes() if self._path.exists() else b""
        with contextlib.suppress(ValueError, KeyError, TypeError):  # a broken ledger is an empty one
            for row in json.loads(content)["files"]:
                done = Done(row["name"], Seen(row["size"], row["mtime_ns"]), row["state"], row["out"], row["reason"])
                self._done[done.name] = done
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def knows(self, name: str, seen: Seen) -> bool:
        """Whether a file was dealt with as it is; one that was exported again since was not."""
        done = self._done.get(name)
        return done is not None and done.seen == seen

    def folder(self, name: str) -> str:
        """Return the folder for what becomes of a file: its name without the ending, unless another file has that."""
        taken = {done.out.casefold() for done in self._done.values() if done.name != name}
        known = self._done.get(name)
        numbered = (f"{name} {number}" for number in itertools.count(2))
        candidates = itertools.chain([known.out] if known else (), (Path(name).stem, name), numbered)
        return next(candidate for candidate in candidates if candidate.casefold() not in taken)

    def add(self, done: Done) -> None:
        """Note what became of a file."""
        self._done[done.name] = done
        rows = [
            {"name": d.name, "size": d.seen.size, "mtime_ns": d.seen.mtime_ns, "state": d.state}
            | {"out": d.out, "reason": d.reason}
            for d in self._done.values()
        ]
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        with self._in_words():
            try:
                with temporary.open("w", encoding="utf-8") as file:
                    json.dump({"schema": SCHEMA, "files": rows}, file, indent=1)  # ASCII: names need be no text
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self._path)
            finally:
                temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MachineError(
                f"{self._path}: the list of what was done cannot be kept ({error.strerror}); "
                "free some space, or name another folder with -o"
            ) from error


class Watch:
    """Watches `folder`. A file counts as finished when its size and time have not changed for `settle_seconds`, nobody
    has it open for writing (where the system tells), and an MP4, MOV or AVI is whole by its own index.

    `process(path, out)` deals with one file and may raise `PostpipeError`: what it could not do with the file is noted,
    and it is not tried again. A `MachineError` is no fault of the file: it is noted nowhere and ends the watch, and the
    next one tries again. `endings` are those of exports.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        process: Callable[[Path, str], Any],
        *,
        endings: frozenset[str],
        settle_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        waiting: Callable[[str, str], None] = lambda name, reason: None,
        finished: Callable[[Done], None] = lambda done: None,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._process = process
        self._endings = endings
        self._settle = settle_seconds
        self._clock = clock
        self._waiting = waiting
        self._finished = finished
        self._since: dict[str, tuple[Seen, float]] = {}
        self._told: dict[str, str] = {}

    def step(self) -> int:
        """Look once, process what is finished; return how many files wait to settle.

        Raises `MachineError`, and `DeliveryError` where the folder is gone.
        """
        settling = 0
        for path, seen in self._exports():
            if self._ledger.knows(path.name, seen):
                self._since.pop(path.name, None)
                continue
            known, since = self._since.get(path.name, (None, 0.0))
            if known != seen:
                self._since[path.name] = seen, self._clock()
                settling += 1
            elif self._clock() - since < self._settle:
                settling += 1
            elif reason := unfinished(path):
                if self._told.get(path.name) != reason:
                    self._told[path.name] = reason
                    self._waiting(path.name, reason)
            else:
                self._work(path, seen)
        return settling

    def _work(self, path: Path, seen: Seen) -> None:
        out = self._ledger.folder(path.name)
        try:
            self._process(path, out)
        except (Cancelled, MachineError):
            raise
        except PostpipeError as error:
            done = Done(path.name, seen, "failed", out, str(error))
        else:
            done = Done(path.name, seen, "done", out)
        self._ledger.add(done)
        self._since.pop(path.name, None)
        self._finished(done)

    def _exports(self) -> Iterator[tuple[Path, Seen]]:
        """Yield the exports in the folder, in the order of their names. Raises `DeliveryError` where it is gone."""
        try:
            entries = sorted(self._folder.iterdir())
        except OSError as error:
            raise DeliveryError(f"{self._folder}: cannot be read ({error.strerror}); name a folder") from error
        for path in entries:
            if path.suffix.lower() in self._endings and not path.name.startswith("."):
                with contextlib.suppress(OSError):  # gone since
                    if path.is_file():
                        yield path, Seen.of(path)


def unfinished(path: Path) -> str | None:
    """Return why a file is not finished yet, or `None`."""
    try:
        if path.stat().st_size < SHORTEST_BYTES:
            return "nothing is in it yet"
        if open_for_writing(path):
            return "another program is writing it"
        if missing := missing_bytes(path):
            return f"at least {missing} bytes are missing at its end"
        kinds = {box.kind for box in top_level(path)}
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if kinds & MOVIE and b"moov" not in kinds:
        return "it has no index (moov) yet"
    return None


def open_for_writing(path: Path) -> bool:
    """Whether another program has a file open for writing, as far as the system tells.

    Linux grants a read lease on a file only while nobody writes it (fcntl(2), F_SETLEASE); Windows does not let a file
    be renamed that a program holds. Elsewhere, and on file systems without leases: no.
    """
    if sys.platform == "win32":
        try:
            path.rename(path)
        except PermissionError:
            return True
        return False
    if sys.platform == "linux":
        import fcntl

        with path.open("rb") as file:
            # Whoever opens it for writing meanwhile has us told by SIGIO, which would end us: by one that does not.
            fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
            try:
                fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            except BlockingIOError:
                return True
            except OSError:  # not our file, or a file system without leases
                return False
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
