"""Every format by its name and ending, which of them a program wants, and timelines of a delivery written again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from postpipe.errors import DeliveryError
from postpipe.handover.timeline import Film, Lane, Media

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

TARGETS = (*PROGRAMS, *FORMATS)


@dataclass(frozen=True, slots=True)
class Exported:
    """A timeline that was written, and sentences about what its format cannot carry."""

    file: Path
    losses: tuple[str, ...]


def write_all(film: Film, formats: Iterable[str], scratch: Callable[[str], Path]) -> dict[str, tuple[Path, list[str]]]:
    """Write a film in several formats, each to a scratch file; return file and losses by ending."""
    written = {}
    for format_ in formats:
        path = scratch(FORMATS[format_])
        module = import_module(f"postpipe.handover.{format_.replace('-', '_')}")
        written[FORMATS[format_]] = path, [*film.losses, *module.write(film, path)]
    return written


def read_delivery(delivery: Path, *, ungraded: bool = False) -> Film:
    """Return the film of a delivery, its media linked where it lies now.

    Raises `DeliveryError` where it has none that can be read.
    """
    import opentimelineio as otio

    from postpipe.handover.otio import read

    path = delivery / f"{timeline_stem(ungraded=ungraded)}.otio"
    try:
        timeline = otio.adapters.otio_json.read_from_file(str(path))
    except OSError as error:
        remedy = "run with [handover] ungraded = true first" if ungraded else "name the folder that a run delivered to"
        raise DeliveryError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except (ValueError, otio.exceptions.OTIOError) as error:
        raise DeliveryError(f"{path}: is no timeline ({error}); run again") from error
    if not isinstance(timeline, otio.schema.Timeline):
        raise DeliveryError(f"{path}: is no timeline; run again")
    return relinked(read(timeline), delivery.absolute())


def relinked(film: Film, folder: Path) -> Film:
    """Return a film whose delivered media lie below `folder`."""

    def media(one: Media) -> Media:
        return replace(one, url=(folder / one.file).as_uri()) if one.file else one

    def lanes(of: tuple[Lane, ...]) -> tuple[Lane, ...]:
        return tuple(replace(lane, cuts=tuple(replace(c, media=media(c.media)) for c in lane.cuts)) for lane in of)

    return replace(film, pictures=lanes(film.pictures), sounds=lanes(film.sounds), folder=folder)


def timeline_stem(*, ungraded: bool) -> str:
    """Return the name of a delivery's timelines, without ending."""
    return "timeline-ungraded" if ungraded else "timeline"
