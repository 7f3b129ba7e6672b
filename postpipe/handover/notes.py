"""What a reader of timelines left out: sentences kept with the timeline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

KEY = "postpipe_reader"


def add_notes(timeline: Any, notes: Iterable[str]) -> None:
    """Add sentences to those that a timeline has, each once."""
    timeline.metadata[KEY] = {"notes": list(dict.fromkeys([*read_notes(timeline), *notes]))}


def read_notes(timeline: Any) -> tuple[str, ...]:
    """Return the sentences that a timeline has."""
    return tuple(timeline.metadata.get(KEY, {}).get("notes", ()))
