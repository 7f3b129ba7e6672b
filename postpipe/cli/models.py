"""`postpipe models`: models that you have fetched."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("models")
def command() -> None:
    """Keep models that you have fetched, for methods that get better with them. Nothing is ever downloaded."""


@command.command("add")
@click.argument("source", metavar="WHEEL_OR_DIR", type=click.Path(path_type=Path))
def add(source: Path) -> None:
    """Take the models that postpipe knows out of a wheel, or out of a folder with one.

    \b
    pip download mediapipe==0.10.21 --no-deps --only-binary=:all: -d DIR
    postpipe models add DIR

    They are known by their content, and kept in a folder of yours. mediapipe itself is not installed.
    """
    from postpipe import models

    for model in models.add(source):
        click.echo(f"{model.name}: kept as {model.path}; {model.use}")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of words.")
def list_(as_json: bool) -> None:
    """Say which models postpipe can use, and which of them are kept. Delete a file to do without it."""
    from postpipe.cli.options import print_json
    from postpipe.models import MODELS

    if as_json:
        print_json(
            [
                {"name": model.name, "state": model.state, "path": str(model.path), "sha256": model.digest}
                for model in MODELS
            ]
        )
        return
    for model in MODELS:
        click.echo(f"{model.name}: {model.state}; {model.use}")
        click.echo(f"  {model.path}\n  sha256 {model.digest}, from {model.origin}")
