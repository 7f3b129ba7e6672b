"""`postpipe export`: timelines of a delivery for one editing program."""

from __future__ import annotations

from pathlib import Path

import click

from postpipe.cli.options import json_option, print_json


@click.command("export")
@click.argument("delivery", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--to",
    metavar="PROGRAM|FORMAT",
    required=True,
    help="resolve, premiere, finalcut, kdenlive, shotcut; or otio, otio-resolve, fcp7, fcpxml, edl, mlt.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for the timelines; default: OUT itself.")
@click.option("--ungraded", is_flag=True, help="The timeline of pictures without looks ([handover] ungraded).")
@click.option("--name", help="Of the timeline, where the program has one of its name already.")
@json_option
def command(delivery: Path, to: str, out: Path | None, ungraded: bool, name: str | None, as_json: bool) -> None:
    """Write the timeline of the delivery in the folder OUT for an editing program, with media where they lie now.

    What a format cannot carry is said.
    """
    from postpipe import api

    exported = api.export(delivery, to, out, ungraded=ungraded, name=name)
    if as_json:
        print_json([{"file": str(one.file), "losses": list(one.losses)} for one in exported])
        return
    for one in exported:
        click.echo(one.file)
        for loss in one.losses:
            click.echo(f"  not in it: {loss}")
