"""The command of an outside program: a list of arguments with places to fill in, and what its outcome depends on."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from postpipe.errors import ProgramError
from postpipe.programs import process

_PLACE = re.compile(r"\{([a-z_]+)\}")
_VERSION_SECONDS = 30.0

PLACES: dict[str, str] = {
    "input": "the file (`file`) or the folder of pictures (`frames`) that it reads",
    "output": "the file or folder that it has to write",
    "width": "of a picture that it is given, in pixels",
    "height": "of a picture that it is given, in pixels",
    "out_width": "of a picture that it has to give",
    "out_height": "of a picture that it has to give",
    "scale": "output size ÷ input size",
    "rate": 'frames per second, as "24/1"',
    "out_rate": "frames per second of what it has to give",
    "frames": "how many frames it is given (`frames`: in this batch)",
    "pixel_format": "of the pictures that go through a pipe, as libav writes it",
    "matrix": "bt709, smpte170m, bt470bg or bt2020nc",
    "range": "limited or full",
    "take": "the take's name without its suffix",
    "python": "the Python that postpipe runs in",
}
"""What may stand in braces in a command."""


def check_places(command: Sequence[str], needed: Sequence[str], useless: Sequence[str]) -> None:
    """Raise `ValueError` in words for an empty command, or one that names the wrong places."""
    if not command or not command[0].strip():
        raise ValueError('command is empty: write a list such as ["program", "--input", "{input}"]')
    named = {place for part in command for place in _PLACE.findall(part)}
    unknown = sorted(named - PLACES.keys())
    if unknown:
        known = ", ".join(f"{{{place}}}" for place in PLACES)
        raise ValueError(f"command has no place {{{unknown[0]}}}; known: {known}")
    if set(_PLACE.findall(command[0])) - {"python"}:
        raise ValueError(f"command begins with {command[0]}: the program has to be the same for all takes")
    for place in needed:
        if place not in named:
            raise ValueError(f"command does not name {{{place}}}, {PLACES[place]}")
    for place in useless:
        if place in named:
            raise ValueError(f"command names {{{place}}}, which is not known here")


def fill(command: Sequence[str], values: Mapping[str, object]) -> list[str]:
    """Return the arguments with their places filled in; the program is looked up on the PATH.

    Names of files stand as they are: an argument never becomes two, and nothing in it has a meaning to a shell.
    """
    known = {"python": sys.executable, **values}
    argv = [_PLACE.sub(lambda match: str(known[match[1]]), part) for part in command]
    return [find(argv[0]), *argv[1:]]


def find(program: str) -> str:
    """Return the path of a program, or its name where there is none: starting it says what is wrong."""
    expanded = os.path.expanduser(program)  # noqa: PTH111 - a bare name must stay one
    return shutil.which(expanded) or expanded


def identity(name: str, command: Sequence[str], version_arguments: Sequence[str]) -> str:
    """Return a digest of what a program's outcome depends on besides its input.

    That is its executable, the content of every file (and of the files in every folder) that an argument names, such
    as a script, a model or a LUT, and what it prints when it is asked for its version. Raises `ProgramError` where the
    program is missing or does not tell its version, or a file cannot be read.
    """
    program = find(fill(command[:1], {})[0])
    if not Path(program).is_file():
        raise ProgramError(f"{name}: there is no program {command[0]}", "install it, or write its path into command")
    state = hashlib.sha256()
    for file in _files([program, *command[1:]]):
        try:
            digest = content_digest(file)
        except OSError as error:
            raise ProgramError(
                f"{name}: {file}, which its command names, cannot be read ({error.strerror})", "check its permissions"
            ) from error
        state.update(f"{file}\0{digest}\0".encode(errors="surrogateescape"))
    if version_arguments:
        with process.workplace(name) as folder:
            printed = process.run(name, [program, *version_arguments], folder, _VERSION_SECONDS, "told its version")
        state.update(printed.encode())
    return state.hexdigest()


def identity_if_there(name: str, command: Sequence[str], version_arguments: Sequence[str]) -> str:
    """Return `identity`, or "missing": where it is to be run, that is told or done without."""
    try:
        return identity(name, command, version_arguments)
    except ProgramError:
        return "missing"


def _files(arguments: Sequence[str]) -> Iterator[Path]:
    """Yield the files that arguments name, alone or behind a `=`, and those in the folders that they name."""
    for argument in arguments:
        for text in dict.fromkeys((argument, argument.partition("=")[2])):
            path = Path(text)
            try:
                if text and path.is_file():
                    yield path
                elif len(path.parts) > 1 and path.is_dir():
                    yield from sorted(found for found in path.iterdir() if found.is_file())
            except (OSError, ValueError):  # too long for a name, or not one at all
                continue


def content_digest(path: Path) -> str:
    """Return a file's SHA-256, read again only where its size or time has changed. Raises `OSError`."""
    return _digest(str(path), *_mark(path))


def _mark(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=256)
def _digest(path: str, size: int, changed_ns: int) -> str:
    """Return a file's SHA-256, read once as long as its size and time stay."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
