"""Errors that a user can mend: each names what it is about, what is wrong and what to do."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path


class PostpipeError(Exception):
    """Base of every error that postpipe raises on purpose; its text is shown without a traceback."""


class SettingsError(PostpipeError):
    """A wrong option, `postpipe.toml` key or plan; `problems` holds every one that was found."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def shown(path: Path | str) -> str:
    """Return a path as text: outside Windows a name is bytes, of which not all need be."""
    return os.fsencode(path).decode(errors="replace")


class TakeError(PostpipeError):
    """One take cannot be used; the other takes go on without it.

    `path` is the file, `fault` what is wrong with it, `remedy` what the user can do about it.
    """

    def __init__(self, path: Path | str, fault: str, remedy: str) -> None:
        super().__init__(f"{shown(path)}: {fault}; {remedy}")
        self.path = Path(path)
        self.fault = fault
        self.remedy = remedy


class ProgramError(PostpipeError):
    """An outside program did not do what it was started for; whoever works on a take makes a `TakeError` of it.

    `fault` names the program and what is wrong, with the last lines it wrote; `remedy` is what the user can do.
    """

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}; {remedy}")
        self.fault = fault
        self.remedy = remedy


class FilterFailed(PostpipeError):
    """A filter could not do its work on the take that is being rendered.

    `fix` is its name in the report, `fault` what went wrong, `remedy` what the user can do. The engine renders the
    take without the filter where that is a `dispensable` one, else it makes a `TakeError` of this.
    """

    def __init__(self, fix: str, fault: str, remedy: str) -> None:
        super().__init__(f"{fix}: {fault}; {remedy}")
        self.fix = fix
        self.fault = fault
        self.remedy = remedy


class DeliveryError(PostpipeError):
    """Something that concerns the whole delivery failed: a full disk, an encoder that will not open."""


class MachineError(DeliveryError):
    """The machine stands in the way, not what is worked on: a full disk, a folder that must not be written.

    The same works once that is mended.
    """


class Cancelled(PostpipeError):
    """The run was asked to stop (Ctrl-C); finished work stays in the store."""


@contextlib.contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn a full or read-only disk into a `MachineError`; other errors of the operating system are defects and pass.

    `place` is named where the error names no file.
    """
    try:
        yield
    except OSError as error:
        faults = {
            errno.ENOSPC: "the disk is full; free some space",
            errno.EDQUOT: "the disk quota is used up; free some space",
            errno.EFBIG: "a file would get larger than this disk or account allows; name another place with -o",
            errno.EROFS: "the disk is read-only; name another place with -o",
            errno.EACCES: "permission denied; name another place with -o",
            errno.EPERM: "permission denied; name another place with -o",
            errno.EIO: "the disk reports an error",
        }
        if error.errno not in faults:
            raise
        raise MachineError(f"{error.filename or place}: {faults[error.errno]}; what was finished is kept") from error
