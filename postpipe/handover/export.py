"""Every format by its name and ending, and which of them a program wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from postpipe.handover.timeline import Film

FORMATS = {
    "otio": ".otio",
    "fcp7": ".xml",
    "fcpxml": ".fcpxml",
    "edl": ".edl",
    "mlt": ".mlt",
    "otio-resolve": ".resolve.otio",
}
"""Endings by format. Each is written by the module of its name."""

ALL = ("otio", "fcp7", "fcpxml", "edl", "mlt")
"""What a run writes."""

PROGRAMS = {
    "resolve": ("fcp7", "otio-resolve", "edl"),
    "premiere": ("fcp7", "otio"),
    "finalcut": ("fcpxml",),
    "kdenlive": ("otio", "mlt"),
    "shotcut": ("mlt",),
}
"""What each program reads, best first."""


def write_all(film: Film, formats: Iterable[str], scratch: Callable[[str], Path]) -> dict[str, tuple[Path, list[str]]]:
    """Write a film in several formats, each to a scratch file; return file and losses by ending."""
    written = {}
    for format_ in formats:
        path = scratch(FORMATS[format_])
        module = import_module(f"postpipe.handover.{format_.replace('-', '_')}")
        written[FORMATS[format_]] = path, list(module.write(film, path))
    return written
