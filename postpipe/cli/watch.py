"""`postpipe watch`: each finished export of a folder, once."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from postpipe.cli.main import EXIT_SKIPPED
from postpipe.cli.options import config_option, jobs_option, only_option, stage_layer, stage_options


@click.command("watch")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for what becomes of them.")
@config_option
@only_option
@jobs_option
@click.option(
    "--settle",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 3600),
    default=5.0,
    show_default=True,
    help="A file that has not changed for so long may be finished.",
)
@click.option(
    "--poll",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 3600),
    default=2.0,
    show_default=True,
    help="How often to look.",
)
@click.option("--once", is_flag=True, help="Process what is there and finished, then end.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each file.")
@stage_options
def command(
    folder: Path,
    out: Path,
    config: Path | None,
    only: list[str] | None,
    jobs: int | None,
    settle: float,
    poll: float,
    once: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Process each finished export in FOLDER once, into OUT/NAME, also across restarts; until Ctrl-C.

    A film counts as finished when it has not changed for --settle seconds, nobody writes it, and its index is there.
    One that is exported again is processed again. OUT/.postpipe/watched.json says what was done.
    A full disk, or a folder that cannot be written, ends it: once that is mended, the same command goes on.
    """
    from postpipe import api
    from postpipe.engine.ingest import MEDIA_SUFFIXES
    from postpipe.engine.outputs import HIDDEN
    from postpipe.errors import SettingsError, shown
    from postpipe.watching import Done, Ledger, Watch

    if out.absolute() == folder.absolute():
        raise SettingsError([f"{out}: is the watched folder itself; name another with -o"])
    settings = stage_layer(options)
    api.plan(folder, config=config, settings=settings, only=only)  # wrong settings end it before it begins
    failed = 0

    def process(path: Path, name: str) -> None:
        api.run(path, out / name, config=config, settings=settings, only=only, jobs=jobs)

    def tell(state: str, name: str, text: str) -> None:
        name = shown(name)
        if as_json:
            print(json.dumps({"file": name, "state": state, "text": text}, ensure_ascii=False), flush=True)
        else:
            print(f"{name}: {state}{f', {text}' if text else ''}", flush=True)

    def finished(done: Done) -> None:
        nonlocal failed
        failed += done.state == "failed"
        tell(done.state, done.name, done.reason or str(out / done.out))

    with Ledger(out / HIDDEN / "watched.json") as ledger:
        watch = Watch(
            folder,
            ledger,
            process,
            endings=MEDIA_SUFFIXES,
            settle_seconds=settle,
            waiting=lambda name, reason: tell("waiting", name, reason),
            finished=finished,
        )
        while watch.step() or not once:
            time.sleep(min(poll, settle) if once else poll)
    if failed:
        sys.exit(EXIT_SKIPPED)
