"""`postpipe plan`: what a run would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from postpipe.cli.options import config_option, only_option, stage_layer, stage_options


@click.command("plan")
@click.argument("takes", type=click.Path(path_type=Path), required=False)
@config_option
@only_option
@click.option("--mermaid", is_flag=True, help="Print a Mermaid flow chart instead of text.")
@stage_options
def command(takes: Path | None, config: Path | None, only: list[str] | None, mermaid: bool, **options: Any) -> None:
    """Print what a run on the folder TAKES would do: its passes and what stands in each. No frame is read."""
    from postpipe import api
    from postpipe.engine.plan import as_mermaid, as_text

    the_plan = api.plan(takes, config=config, settings=stage_layer(options), only=only)
    click.echo(as_mermaid(the_plan) if mermaid else as_text(the_plan))
