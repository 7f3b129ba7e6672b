"""The `postpipe` command. Sub-commands are imported when they run, so that `--help` stays fast."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
from typing import NoReturn

import click

from postpipe import __version__
from postpipe.errors import Cancelled, DeliveryError, PostpipeError, SettingsError

EXIT_USAGE, EXIT_SKIPPED, EXIT_NOTHING, EXIT_INVALID, EXIT_GATE, EXIT_INTERRUPTED = 2, 3, 4, 5, 6, 130

COMMANDS = {
    "run": "Turn a folder of takes into a finished sequence.",
    "watch": "Process each finished export of a folder, once.",
    "inspect": "Measure takes and print what was found.",
    "extract": "Write frames of takes as picture files.",
    "assemble": "Make a clip of processed frames, with the time, sound and tags of the one they came from.",
    "export": "Write the timeline of a delivery for an editing program.",
    "verify": "Say what files say of where they come from (C2PA), and whether it holds.",
    "plan": "Print what a run would do, as text or as a Mermaid picture.",
    "stages": "List the stages, what they read and make, and their settings.",
    "bench": "Measure the kernels against NumPy and OpenCV.",
    "models": "Keep models that you have fetched, for methods that get better with them.",
    "doctor": "Say what is installed and which encoders work here.",
    "init": "Write a commented postpipe.toml.",
}


class _Lazy(click.Group):
    """A group whose commands live in modules of their own, named after them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        gc.disable()  # imports make many objects and no garbage
        command: click.Command = importlib.import_module(f"postpipe.cli.{cmd_name}").command
        gc.freeze()
        gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="postpipe")
def cli() -> None:
    """A local post-production pipeline for AI-generated takes.

    \b
    postpipe run TAKES -o OUT     a folder of takes becomes OUT/sequence.mp4
    postpipe COMMAND --help       what a command takes

    Exit codes: 0 all done, 2 wrong usage or settings, 3 some takes were skipped or the sequence could not be signed,
    4 nothing could be done, 5 verify found an invalid file, 6 inspect --gate does not let some takes pass,
    130 interrupted.
    """


def main() -> None:
    """Run the command line; every expected fault becomes a message and an exit code, never a traceback."""
    gc.set_threshold(50_000, 20, 100)
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = _interrupted()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, Cancelled):
        code = _interrupted()
    except SettingsError as error:
        code = _fault(error, EXIT_USAGE)
    except DeliveryError as error:
        code = _fault(error, EXIT_NOTHING)
    except PostpipeError as error:
        code = _fault(error, EXIT_NOTHING)
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def process() -> NoReturn:
    """Be a process: run the command line and end at once.

    All files are closed by then, and to take Python and LLVM apart is a tenth of a short run.
    """
    try:
        main()
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else 0)
    raise AssertionError("main() ends with an exit code")


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError):
            stream.flush()
    os._exit(code)


def _fault(error: PostpipeError, code: int) -> int:
    for line in str(error).splitlines():
        click.echo(f"postpipe: {line}" if not line.startswith(" ") else line, err=True)
    return code


def _interrupted() -> NoReturn:
    click.echo("postpipe: interrupted; what was finished is kept, run the same command to go on", err=True)
    _leave(EXIT_INTERRUPTED)  # a thread may be deep in a codec; there is nothing left to clean up
