"""`postpipe extract`: frames of takes as picture files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from postpipe.cli.main import EXIT_SKIPPED
from postpipe.cli.options import config_option, jobs_option, json_option, print_json, store_option
from postpipe.cli.progress import progress


@click.command("extract")
@click.argument("files", metavar="FILE_OR_FOLDER…", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for the pictures.")
@click.option("--first", is_flag=True, help="The first frame of each take.")
@click.option("--last", is_flag=True, help="The last frame of each take.")
@click.option("--every", metavar="2s|24f", help="A frame every so many seconds or frames; 1f: every frame.")
@click.option("--cuts", is_flag=True, help="The first frame of each shot.")
@click.option("--sharpest", is_flag=True, help="The sharpest frame of each shot.")
@click.option(
    "--at", metavar="PLACE", multiple=True, help="Seconds (1.5), a frame (36f) or a timecode (00:00:01:12); repeatable."
)
@click.option("--format", metavar="png|tiff|jpeg", help="Of the files; default: png.")
@click.option("--bits", metavar="8|16", help="Per channel; default: 8, or 16 for takes of more than 8 bits.")
@click.option("--quality", metavar="1–100", help="Of JPEG files; default: 95.")
@click.option("--sheet", is_flag=True, help="Draw a contact sheet of all the pictures as well.")
@config_option
@store_option
@jobs_option
@json_option
def command(
    files: tuple[Path, ...],
    out: Path,
    config: Path | None,
    store: Path | None,
    jobs: int | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Write frames of FILES (or of the takes of folders) as pictures: upright, square pixels, true colours.

    Names say the take, the frame's number from 0 and its timecode: scene01_take02_f000036_00-00-01-12.png
    """
    from postpipe import api
    from postpipe.engine.settings import Layer

    given = {name: value for name, value in choices.items() if value not in (None, False, ())}
    with progress(as_json=as_json) as listener:
        account = api.extract(
            files,
            out,
            config=config,
            settings=Layer("command line", {"extract": given}, text=True),
            store=store,
            jobs=jobs,
            listener=listener,
        )
    rows = account.stills()
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            click.echo(f"{out / row['file']}: frame {row['frame']}, {row['timecode']} ({row['reason']})")
    if account.skipped:
        sys.exit(EXIT_SKIPPED)
