"""The command line without a process of its own: the same entry, in this one."""

from __future__ import annotations

import contextlib
import gc
import io
import sys
from typing import NamedTuple
from unittest import mock

from postpipe.cli.main import main


class Done(NamedTuple):
    """What a command left: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def postpipe(*arguments: object) -> Done:
    """Run a command as `python -m postpipe` does; an exception that gets out of it fails the test."""
    stdout, stderr = io.StringIO(), io.StringIO()
    thresholds = gc.get_threshold()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            with mock.patch.object(sys, "argv", ["postpipe", *map(str, arguments)]):
                main()
        except SystemExit as end:
            return Done(int(end.code or 0), stdout.getvalue(), stderr.getvalue())
        finally:
            gc.set_threshold(*thresholds)
            gc.unfreeze()
    raise AssertionError("main() ends with an exit code")
