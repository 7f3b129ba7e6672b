"""`postpipe stages`: the stages that are installed."""

from __future__ import annotations

import click


@click.command("stages")
def command() -> None:
    """List the stages: their shape, what they make, and their settings with defaults."""
    from postpipe.engine.plan import produced
    from postpipe.engine.settings import parameters, stage_types
    from postpipe.engine.stage import Analyser, Filter

    for type_ in stage_types():
        shape = "filter" if issubclass(type_, Filter) else "analyser" if issubclass(type_, Analyser) else "task"
        made = type_.slot.name.lower() if issubclass(type_, Filter) else produced(type_).__name__
        click.echo(f"{type_.id:<14} {shape:<9} {made:<16} {type_.summary}")
        for parameter in parameters([type_]):
            click.echo(f"{'':<14} [{parameter.section}] {parameter.key} = {parameter.default!r}: {parameter.help}")
