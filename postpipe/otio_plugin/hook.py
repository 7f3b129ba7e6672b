"""The hook `postpipe`: processes the cut that was read, and hands on the same timeline on the finished clips.

otio.adapters.read_from_file(
    "cut.fcpxml",
    hook_function_argument_map={"postpipe_takes": "/projects/film/takes", "postpipe_out": "/projects/film/out"},
)
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def hook_function(in_timeline: Any, argument_map: Mapping[str, Any] | None = None) -> Any:
    """Return a timeline as it is, or where `postpipe_takes` and `postpipe_out` are given, as postpipe finished it.

    `postpipe_settings` are sections of settings, `postpipe_only` names of fixes, as of `postpipe.api.run`. Raises
    `postpipe.errors.PostpipeError` where nothing can be done.
    """
    arguments = argument_map or {}
    takes, out = arguments.get("postpipe_takes"), arguments.get("postpipe_out")
    if not takes or not out:
        return in_timeline
    import opentimelineio as otio

    from postpipe import api

    with tempfile.TemporaryDirectory() as folder:
        cut = Path(folder) / "timeline.otio"
        otio.adapters.write_to_file(in_timeline, str(cut))
        api.run(
            takes,
            out,
            timeline=cut,
            settings=arguments.get("postpipe_settings"),
            only=arguments.get("postpipe_only"),
        )
    return otio.adapters.read_from_file(str(Path(out) / "relinked" / cut.name))
