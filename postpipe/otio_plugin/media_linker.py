"""The media linker `postpipe`: finds the files of clips by path, name, reel and timecode, and never guesses.

otio.adapters.read_from_file(
    "cut.edl", media_linker_name="postpipe", media_linker_argument_map={"takes": "/projects/film/takes"}
)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def link_media_reference(in_clip: Any, media_linker_argument_map: Mapping[str, Any] | None = None) -> Any:
    """Return the reference to the one file in the folder `takes` that a clip means, else the clip's own reference.

    Why a clip was not linked stands in `metadata["postpipe"]["not_linked"]` of its reference.
    """
    import opentimelineio as otio
    from opentimelineio.opentime import RationalTime, TimeRange

    from postpipe.engine.conforming import read_header
    from postpipe.engine.ingest import find_takes
    from postpipe.errors import PostpipeError
    from postpipe.handover.find_media import file_start, find_media
    from postpipe.handover.wanted import wanted

    takes = (media_linker_argument_map or {}).get("takes")
    if not takes:
        return in_clip.media_reference
    alone = otio.schema.Timeline(tracks=[otio.schema.Track(children=[in_clip.deepcopy()])])
    try:
        files = find_takes(Path(takes), may_be_empty=True)
        found, faults = find_media(wanted(alone), files, Path(takes), read_header)
    except PostpipeError as error:
        found, faults = {}, {0: str(error)}
    reference = in_clip.media_reference
    if not found:
        reference.metadata["postpipe"] = {"not_linked": next(iter(faults.values()), "the clip has no length")}
        return reference
    clip = found[0].clip
    rate = clip.picture.rate
    start = (file_start(clip) or 0) * rate
    length = clip.picture.declared_frames
    linked = otio.schema.ExternalReference(target_url=clip.path.absolute().as_uri(), metadata=dict(reference.metadata))
    if length is not None:
        linked.available_range = TimeRange(RationalTime(float(start), float(rate)), RationalTime(length, float(rate)))
    linked.name = clip.path.name
    return linked
