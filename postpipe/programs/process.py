"""A program that runs: in a process group of its own, its messages kept, ended for sure with all that it started."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Self

from postpipe.errors import ProgramError

TICK_SECONDS = 0.05
"""How often a wait looks whether the run was asked to stop."""
_KEPT_BYTES = 16384
_SHOWN_LINES, _SHOWN_CHARACTERS = 4, 400
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_DRAIN_SECONDS = 2.0


class Surroundings:
    """What the run gives to its programs: `check` raises when it was asked to stop, `scratch` makes temporary paths."""

    def __init__(self, check: Callable[[], None], scratch: Callable[[str], Path]) -> None:
        self.check = check
        self.scratch = scratch


def _temporary(suffix: str) -> Path:
    return Path(tempfile.gettempdir(), f"postpipe-{uuid.uuid4().hex}{suffix}")


_surroundings: ContextVar[Surroundings | None] = ContextVar("surroundings_of_programs", default=None)


def _around() -> Surroundings:
    return _surroundings.get() or Surroundings(lambda: None, _temporary)


@contextlib.contextmanager
def surrounded(surroundings: Surroundings) -> Iterator[None]:
    """Let the programs that are started inside be stopped by a run, and work in its temporary folder."""
    token = _surroundings.set(surroundings)
    try:
        yield
    finally:
        _surroundings.reset(token)


@contextlib.contextmanager
def workplace(name: str) -> Iterator[Path]:
    """Give a folder for what goes in and out of a program, and for its own temporary files; it is removed after.

    Raises `ProgramError` where there is no place for one.
    """
    folder = _around().scratch(".programs")
    try:
        folder.mkdir()
    except OSError as error:
        raise ProgramError(
            f"there is no place for the temporary files of {name} ({folder.parent}: {error.strerror})",
            "make it writable, or keep the store elsewhere (--store)",
        ) from error
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder, whatever a program did to the permissions in it."""
    try:
        shutil.rmtree(folder)
    except OSError:
        for root, folders, _ in os.walk(folder):  # each is entered after its name was given
            for inner in (Path(root, name) for name in folders):
                if not inner.is_symlink():  # what a link leads to is none of our business
                    inner.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


class Process:
    """A running program. A context manager: leaving it, however, ends the program and everything it started.

    `piped` gives it a pipe at either end (`stdin`, `stdout`); else it reads nothing, and what it prints counts among
    its messages. Of these the end is kept, and 50 MB of them block nothing. Raises `ProgramError` where it does not
    start.
    """

    def __init__(self, name: str, argv: Sequence[str], folder: Path, *, piped: bool) -> None:
        self.name = name
        self._check = _around().check
        self._kept = b""
        self._stopped = False
        try:
            self._child = subprocess.Popen(  # noqa: S603 - a list of arguments that never meets a shell
                argv,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if piped else subprocess.STDOUT,
                bufsize=0,
                env={**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)},
                start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise ProgramError(f"{name} cannot be started ({argv[0]}: {why})", "check its command") from error
        self.stdin = self._child.stdin
        self.stdout = self._child.stdout
        messages = self._child.stderr if piped else self._child.stdout
        self._listener = threading.Thread(target=self._listen, args=(messages,), daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def check(self) -> None:
        """Raise what the run raises when it was asked to stop."""
        self._check()

    def wait(self, timeout_seconds: float, what: str) -> None:
        """Wait for the end. Raises `ProgramError` when it takes too long, or says that it failed."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            self.check()
            try:
                code = self._child.wait(TICK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() >= deadline:
                    raise self.too_slow(timeout_seconds, what) from None
        if code:
            raise self.fault(_ending(code))

    def too_slow(self, timeout_seconds: float, what: str) -> ProgramError:
        """Return the error of a program that takes too long."""
        self.stop()
        return ProgramError(
            f"{self.name} has not {what} within {timeout_seconds:g} s{self._last_words()}",
            "raise its timeout_seconds if it is only slow, or try its command by hand",
        )

    def fault(self, text: str, remedy: str = "try its command by hand, or check its settings") -> ProgramError:
        """Return the error of a program that did something wrong, with its last words; the program is ended."""
        self.stop()
        return ProgramError(f"{self.name} {text}{self._last_words()}", remedy)

    def broken(self, text: str) -> ProgramError:
        """Return the error of a program whose output ends too early: why, where its exit code tells."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._child.wait(1.0)
            if code:
                return self.fault(f"{_ending(code)}: it {text}")
        return self.fault(text)

    def stop(self) -> None:
        """End the program and everything that it started, and wait until that is so."""
        if self._stopped:
            return
        self._stopped = True
        _kill(self._child)
        self._child.wait()
        self._listener.join(_DRAIN_SECONDS)
        for pipe in (self.stdin, self.stdout, self._child.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _listen(self, messages: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed under it
            while block := messages.read(65536):
                self._kept = (self._kept + block)[-_KEPT_BYTES:]

    @property
    def printed(self) -> str:
        """The end of what it printed as messages, without colours."""
        return _ESCAPES.sub("", self._kept.decode(errors="replace")).replace("\r", "\n")

    def _last_words(self) -> str:
        lines = [line.strip() for line in self.printed.splitlines() if line.strip()]
        shown = " | ".join(lines[-_SHOWN_LINES:])[-_SHOWN_CHARACTERS:]
        shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in shown)
        return f" (its last words: {shown})" if shown else ""


def _ending(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            killed = signal.Signals(-code)
            why = "; often because memory ran out" if killed.name == "SIGKILL" else ""
            return f"was ended by {killed.name}{why}"
    return f"ended with exit code {code}"


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Kill a process with its group, also what it left behind when it ended itself."""
    if os.name != "nt":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    elif child.poll() is None:
        tree = ["taskkill", "/F", "/T", "/PID", str(child.pid)]
        subprocess.run(tree, check=False, capture_output=True)  # noqa: S603 - Windows' own way to end a process tree
        child.kill()


def run(name: str, argv: Sequence[str], folder: Path, timeout_seconds: float, what: str) -> str:
    """Run a program to its end; return the end of what it printed. Raises `ProgramError`, with its last words."""
    with Process(name, argv, folder, piped=False) as process:
        process.wait(timeout_seconds, what)
    return process.printed


def check_for_stop() -> None:
    """Raise what the run raises when it was asked to stop."""
    _around().check()
