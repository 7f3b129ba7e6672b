"""`.otio` as DaVinci Resolve writes and reads it: bare paths instead of URLs, `source_range` in timecode."""

from __future__ import annotations

from pathlib import Path

import opentimelineio as otio

from postpipe.handover.otio import build
from postpipe.handover.timeline import Film, url_path


def write(film: Film, path: Path) -> list[str]:
    """Write a film; return sentences about what Resolve does not take from it."""
    timeline = build(film)
    for clip in timeline.find_clips():
        clip.media_reference.target_url = str(url_path(clip.media_reference.target_url))
    otio.adapters.write_to_file(timeline, str(path), adapter_name="otio_json")
    looks = any(cut.look and not cut.look.baked for lane in film.pictures for cut in lane.cuts)
    return ["looks: apply those of the folder looks, or the CDLs of the EDL"] if looks else []
