"""`postpipe inspect`: what postpipe sees in files, without delivering anything."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from postpipe.cli.main import EXIT_NOTHING, EXIT_SKIPPED
from postpipe.cli.options import jobs_option, json_option, print_json, stage_layer, stage_options, store_option
from postpipe.cli.progress import progress


@click.command("inspect")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@store_option
@jobs_option
@json_option
@stage_options
def command(files: tuple[Path, ...], store: Path | None, jobs: int | None, as_json: bool, **options: Any) -> None:
    """Measure FILES (or the takes of folders) and print what was found, as in takes.json."""
    from postpipe import api
    from postpipe.cli.summary import print_takes

    with progress(as_json=as_json) as listener:
        account = api.inspect(files, settings=stage_layer(options), store=store, jobs=jobs, listener=listener)
    if as_json:
        print_json(account.takes())
    else:
        print_takes(account.takes())
    if account.skipped:
        sys.exit(EXIT_SKIPPED if len(account.skipped) < len(account.files) else EXIT_NOTHING)
