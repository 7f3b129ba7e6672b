"""A program that is asked: it gets bytes on its standard input and answers on its standard output."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import IO

from postpipe.programs.process import Process, workplace

_MOST_BYTES = 1 << 20
_DRAIN_SECONDS = 2.0


def answer(name: str, argv: Sequence[str], question: bytes, timeout_seconds: float) -> bytes:
    """Return what a program writes when it is given `question`, 1 MB at most; `name` is what errors call it.

    Raises `ProgramError` where it cannot be started, fails, takes too long or writes nothing, and what the run
    raises when it was asked to stop.
    """
    with workplace(name) as folder, Process(name, argv, folder, piped=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        kept = bytearray()
        pipes = [
            threading.Thread(target=_give, args=(process.stdin, question), daemon=True),
            threading.Thread(target=_take, args=(process.stdout, kept), daemon=True),
        ]
        for pipe in pipes:
            pipe.start()
        process.wait(timeout_seconds, "answered")
        for pipe in pipes:
            pipe.join(_DRAIN_SECONDS)
        if not kept:
            raise process.fault("wrote nothing to its standard output")
        return bytes(kept)


def _give(pipe: IO[bytes], question: bytes) -> None:
    with contextlib.suppress(OSError, ValueError), pipe:  # it does not want all of it, or has ended
        left = memoryview(question)
        while left:
            left = left[pipe.write(left) :]


def _take(pipe: IO[bytes], kept: bytearray) -> None:
    with contextlib.suppress(OSError, ValueError):  # closed under it
        while len(kept) < _MOST_BYTES and (block := pipe.read(65536)):
            kept += block
