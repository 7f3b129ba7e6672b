"""`postpipe inspect`: what postpipe sees in files, without delivering anything."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from postpipe.cli.main import EXIT_GATE, EXIT_NOTHING, EXIT_SKIPPED
from postpipe.cli.options import (
    config_option,
    jobs_option,
    json_option,
    print_json,
    stage_layer,
    stage_options,
    store_option,
)
from postpipe.cli.progress import progress


@click.command("inspect")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@config_option
@click.option(
    "--gate", is_flag=True, help="End with 6 where a take breaks a rule of [project] or [gate], or is skipped."
)
@store_option
@jobs_option
@json_option
@stage_options
def command(
    files: tuple[Path, ...],
    config: Path | None,
    gate: bool,
    store: Path | None,
    jobs: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure FILES (or the takes of folders) and print what was found, as in takes.json.

    With --gate the exit code says whether every take passes: 0, or 6 where one does not (4 where none could be
    read). What has to be kept stands in postpipe.toml: [project] size, rate, aspect, …, and [gate].
    """
    from postpipe import api
    from postpipe.cli.summary import print_gate, print_takes

    with progress(as_json=as_json) as listener:
        account = api.inspect(
            files, config=config, settings=stage_layer(options), store=store, jobs=jobs, listener=listener
        )
    takes = account.takes()
    if as_json:
        print_json(takes)
    else:
        print_takes(takes)
        if gate:
            print_gate(takes)
    if len(account.skipped) == len(account.files):
        sys.exit(EXIT_NOTHING)
    if gate and any(take["skipped"] or not take["facts"]["gate"]["passes"] for take in takes):
        sys.exit(EXIT_GATE)
    if account.skipped:
        sys.exit(EXIT_SKIPPED)
