"""`postpipe init`: a settings file to start from."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("init")
@click.argument("takes", type=click.Path(path_type=Path), default=Path())
def command(takes: Path) -> None:
    """Write a commented postpipe.toml into the folder TAKES (default: here). An existing one is kept."""
    from postpipe.api import CONFIG_NAME
    from postpipe.engine.settings import default_config, stage_types

    path = takes / CONFIG_NAME
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(default_config(stage_types()))
    except FileExistsError as error:
        raise click.ClickException(f"{path} is there already; it was left as it is") from error
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written ({error.strerror})") from error
    click.echo(f"wrote {path}")
