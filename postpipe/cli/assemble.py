"""`postpipe assemble`: processed frames back to a clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from postpipe.cli.options import json_option, print_json
from postpipe.cli.progress import progress


@click.command("assemble")
@click.argument("frames", metavar="FRAMES_DIR", type=click.Path(path_type=Path))
@click.option("--like", metavar="CLIP", type=click.Path(path_type=Path), required=True, help="The clip they are of.")
@click.option("-o", "--out", metavar="FILE", type=click.Path(path_type=Path), required=True, help=".mp4 or .mov")
@click.option("--codec", metavar="h264|h265|lossless|prores|dnxhr", help="Of the picture; default: h264.")
@click.option("--crf", metavar="0–51", help="h264 and h265: constant quality, lower is better; default: 4.")
@click.option("--preset", metavar="TEXT", help="Speed against size, ultrafast … veryslow; default: medium.")
@click.option("--bits", type=click.Choice(["8", "10"]), help="Per sample; default: those of the clip.")
@click.option(
    "--fill",
    type=click.Choice(["none", "clip"]),
    default="none",
    show_default=True,
    help="Missing frames are named and nothing is written, or they are taken from the clip.",
)
@click.option("--start", metavar="NUMBER", type=int, help="What the clip's first frame is called; default: 0 or 1.")
@json_option
def command(
    frames: Path,
    like: Path,
    out: Path,
    codec: str | None,
    crf: str | None,
    preset: str | None,
    bits: str | None,
    fill: Literal["none", "clip"],
    start: int | None,
    as_json: bool,
) -> None:
    """Make a clip of the pictures in FRAMES_DIR, one for each frame of CLIP, of any size.

    It gets the clip's times, sound, colour tags and start timecode. Frames are known by the numbers in their names,
    as `postpipe extract --every 1f` writes them, or 000001.png and so on. What was not changed stays as it was, to
    the last bit with --codec lossless.
    """
    from postpipe import api
    from postpipe.engine.settings import Layer

    given = {"video_codec": codec, "crf": crf, "preset": preset}
    values = {"deliver": {key: value for key, value in given.items() if value is not None}}
    depth: Any = None if bits is None else int(bits)
    with progress(as_json=as_json) as listener:
        made = api.assemble(
            frames,
            like,
            out,
            settings=Layer("command line", values, text=True),
            bits=depth,
            fill=fill,
            start=start,
            listener=listener,
        )
    if as_json:
        print_json(made.summary())
        return
    for note in made.notes:
        click.echo(f"{made.file}: {note}", err=True)
    parts = [f"{made.frames} frames", f"{made.width}×{made.height}", f"{made.unchanged} unchanged"]
    parts += [f"{len(made.filled)} from the clip"] if made.filled else []
    click.echo(f"{made.file}: {', '.join(parts)}, sound {made.sound_words}")
