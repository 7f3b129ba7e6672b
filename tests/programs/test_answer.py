"""A program that is asked answers, or is named with what it did instead."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

from postpipe.errors import Cancelled, ProgramError
from postpipe.programs.answer import answer
from postpipe.programs.process import Surroundings, _temporary, surrounded

BACKWARDS = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])"


def ask(code: str, question: bytes = b"abc", seconds: float = 20) -> bytes:
    return answer("the signer", [sys.executable, "-S", "-c", code], question, seconds)


def test_bytes_go_in_and_come_out_whatever_they_are() -> None:
    question = bytes(range(256)) * 1024  # more than a pipe holds
    assert ask(BACKWARDS, question) == question[::-1]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit('the token is locked')", "exit code 1.*the token is locked"),
        ("", "wrote nothing to its standard output"),
        ("while True: print('no')", "not answered within 0.3 s"),
        ("import time; time.sleep(60)", "not answered within 0.3 s"),
    ],
)
def test_what_it_does_instead_is_told(code: str, words: str) -> None:
    start = time.monotonic()
    with pytest.raises(ProgramError, match=f"the signer .*{words}"):
        ask(code, b"abc" * 100_000, 0.3 if "within" in words else 20)
    assert time.monotonic() - start < 15


def test_one_that_is_not_there_is_named() -> None:
    with pytest.raises(ProgramError, match=r"the signer cannot be started.*no-such-program"):
        answer("the signer", ["no-such-program"], b"", 1)


def test_a_run_that_is_stopped_waits_for_none() -> None:
    def stop() -> None:
        raise Cancelled

    check: Callable[[], None] = stop
    with surrounded(Surroundings(check, _temporary)), pytest.raises(Cancelled):
        ask("import time; time.sleep(60)")
