"""`postpipe run`: the main job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from postpipe.cli.main import EXIT_SKIPPED
from postpipe.cli.options import (
    config_option,
    jobs_option,
    json_option,
    only_option,
    print_json,
    stage_layer,
    stage_options,
    store_option,
)
from postpipe.cli.progress import progress


@click.command("run")
@click.argument("takes", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for the delivery.")
@config_option
@only_option
@store_option
@jobs_option
@click.option("--timeline", type=click.Path(path_type=Path), help="A cut to follow: .otio, .xml, .fcpxml or .edl.")
@click.option("--draft", is_flag=True, help="Try it on the beginnings of small pictures; say what all would cost.")
@click.option("--rehash", is_flag=True, help="Read every file again instead of trusting its size and time.")
@json_option
@stage_options
def command(
    takes: Path,
    out: Path,
    config: Path | None,
    only: list[str] | None,
    store: Path | None,
    jobs: int | None,
    timeline: Path | None,
    draft: bool,
    rehash: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Turn the folder TAKES into a finished sequence in the folder OUT.

    Settings come from the defaults, then postpipe.toml, then these options.
    """
    from postpipe import api
    from postpipe.cli.summary import print_summary

    with progress(as_json=as_json) as listener:
        account = api.run(
            takes,
            out,
            config=config,
            settings=stage_layer(options),
            only=only,
            store=store,
            jobs=jobs,
            rehash=rehash,
            timeline=timeline,
            draft=draft,
            listener=listener,
        )
    document = account.document()
    if as_json:
        print_json(document)
    else:
        print_summary(document, out)
    if account.skipped or account.unsigned:
        sys.exit(EXIT_SKIPPED)
