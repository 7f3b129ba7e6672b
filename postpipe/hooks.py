"""What export scripts of editing programs call. Importing this imports nothing heavy.

    from postpipe.hooks import after_export
    after_export("/exports/film.mov")                                    # a finished picture
    after_export("/exports/cut.fcpxml", takes="/projects/film/takes")    # a cut of takes

In a program whose own Python has no postpipe, call the command instead: `postpipe run FILE -o OUT`, or let
`postpipe watch FOLDER` wait for what it exports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TIMELINES = frozenset((".otio", ".xml", ".fcpxml", ".fcpxmld", ".edl"))


def after_export(
    path: Path | str,
    *,
    takes: Path | str | None = None,
    out: Path | str | None = None,
    config: Path | str | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    only: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Process a finished export; return the account of it, which is also written to `takes.json` in `out`.

    `path` is a film, which is processed as one take, or a timeline, whose cut is made of the files in `takes`
    (default: the folder of the timeline) and of those that it names. `out` is the folder for what becomes of it
    (default: `postpipe/NAME` beside it, NAME with its ending). `config`, `settings` and `only` are those of
    `postpipe.api.run`.

    Raises `postpipe.errors.PostpipeError`, whose text names the file, what is wrong and what to do.
    """
    from postpipe import api

    export = Path(path)
    target = Path(out) if out is not None else export.parent / "postpipe" / export.name
    is_timeline = export.suffix.lower() in TIMELINES
    source = Path(takes) if takes is not None else export.parent
    account = api.run(
        source if is_timeline else export,
        target,
        config=config,
        settings=settings,
        only=only,
        timeline=export if is_timeline else None,
    )
    return account.document()
