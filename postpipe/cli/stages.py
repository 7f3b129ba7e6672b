"""`postpipe stages`: the stages that are installed, and their settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from postpipe.engine.settings import Parameter
    from postpipe.engine.stage import Stage


@click.command("stages")
@click.option("--markdown", is_flag=True, help="Print the settings as a Markdown page.")
def command(markdown: bool) -> None:
    """List the stages: their shape, what they make, and their settings with defaults."""
    from postpipe.engine.settings import stage_types

    for line in _page(stage_types()) if markdown else _listing(stage_types()):
        click.echo(line)


def _listing(types: list[type[Stage]]) -> Iterator[str]:
    from postpipe.engine.plan import produced
    from postpipe.engine.settings import parameters
    from postpipe.engine.stage import Analyser, Filter

    for type_ in types:
        shape = "filter" if issubclass(type_, Filter) else "analyser" if issubclass(type_, Analyser) else "task"
        made = type_.slot.name.lower() if issubclass(type_, Filter) else produced(type_).__name__
        yield f"{type_.id:<14} {shape:<9} {made:<16} {type_.summary}"
        for parameter in parameters([type_]):
            yield f"{'':<14} [{parameter.section}] {parameter.key} = {parameter.default!r}: {parameter.help}"


def _page(types: list[type[Stage]]) -> Iterator[str]:
    from postpipe.engine.settings import parameters

    yield "# Settings"
    yield ""
    yield "Made by `postpipe stages --markdown`. Each key stands in `postpipe.toml` in the folder of takes (or in the"
    yield "file that `--config` names), and is an option of `run`, `inspect` and `plan`; the command line wins."
    section = None
    for parameter in sorted(parameters(types), key=lambda p: p.section):
        if parameter.section != section:
            section = parameter.section
            yield from ("", f"## [{section}]", "", "| key | option | values | default | |", "|---|---|---|---|---|")
        key = f"*{parameter.entry}*" if parameter.is_table else f"`{parameter.key}`"
        yield _row(key, f"`{parameter.flag}`", parameter)
        for name, field in parameter.fields.items():
            yield _row(f"*{parameter.entry}*`.{name}`", "", field)


def _row(key: str, option: str, parameter: Parameter) -> str:
    values = parameter.metavar.replace("|", " \\| ")
    default = "" if parameter.default in (None, {}, ()) else f"`{parameter.default}`"
    help_ = parameter.help.replace("|", "\\|")
    return f"| {key} | {option} | {values} | {default} | {help_} |"
