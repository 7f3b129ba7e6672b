"""Read a timeline of an editing program, of any of the formats that are carried, into OpenTimelineIO."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

import opentimelineio as otio

from postpipe.errors import DeliveryError
from postpipe.handover import read_edl, read_fcpxml
from postpipe.handover.notes import add_notes
from postpipe.handover.otio import read
from postpipe.handover.timeline import Film
from postpipe.handover.wanted import Wanted, wanted

SUFFIXES = (".otio", ".xml", ".fcpxml", ".fcpxmld", ".edl")
LARGEST_BYTES = 256 << 20


def read_content(path: Path) -> bytes:
    """Return the content of a timeline file. Raises `DeliveryError` for what is none."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DeliveryError(f"{path}: is no timeline that can be read; give one of {', '.join(SUFFIXES)}")
    if suffix == ".fcpxmld":  # a bundle of Final Cut: a folder
        path /= "Info.fcpxml"
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise DeliveryError(f"{path}: {size >> 20} MiB is too large for a timeline; export the cut alone")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DeliveryError(f"{path}: cannot be read ({reason}); check the name") from error


def read_timeline(path: Path, rate: Fraction | None = None, content: bytes | None = None) -> Any:
    """Return the timeline that a file holds, as an OpenTimelineIO `Timeline`.

    `rate` is that of an EDL, which does not say it; unset: the lowest of the usual ones that its timecodes allow.
    `content` is what was read of the file before; unset: what it holds now. What a reader leaves out is noted on the
    timeline (`postpipe.handover.notes`). Raises `DeliveryError` naming the file, what is wrong and what to do.
    """
    content = read_content(path) if content is None else content
    with _in_words(path), _quiet():
        timeline = _read(content, path.suffix.lower(), rate)
        timeline.name = timeline.name or path.stem
    return timeline


def read_cut(path: Path, rate: Fraction | None = None, content: bytes | None = None) -> tuple[Any, Wanted]:
    """Return the timeline that a file holds, and what its picture is made of. Raises `DeliveryError`."""
    timeline = read_timeline(path, rate, content)
    with _in_words(path):
        return timeline, wanted(timeline)


def whole_frames(timeline: Any, path: Path) -> Film:
    """Return a timeline that came from the file `path` in whole frames. Raises `DeliveryError` naming the file."""
    with _in_words(path):
        return read(timeline)


@contextlib.contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Turn whatever is raised over a broken file into a `DeliveryError` that names it."""
    try:
        yield
    except DeliveryError as error:
        raise DeliveryError(f"{path}: {error}") from error
    except (ElementTree.ParseError, expat.ExpatError) as error:
        raise DeliveryError(f"{path}: is no sound XML ({error}); export it again") from error
    except Exception as error:  # readers, those of OpenTimelineIO too, meet broken files with whatever error comes
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DeliveryError(f"{path}: cannot be read as a timeline ({reason}); export it again") from error


def _read(data: bytes, suffix: str, rate: Fraction | None) -> Any:
    if suffix == ".edl":
        return read_edl.read(text_of(data), rate)
    if suffix == ".otio":
        text = text_of(data)
        json.loads(re.sub(r"\bInf\b", "Infinity", text), object_hook=_refuse_empty)
        return _one_timeline(otio.adapters.read_from_string(text, "otio_json"))
    _refuse_entities(data)
    if ElementTree.fromstring(data).tag == "fcpxml":  # noqa: S314 - entities were refused above
        return read_fcpxml.read(ElementTree.fromstring(data))  # noqa: S314
    if "fcp_xml" not in otio.adapters.available_adapter_names():
        raise DeliveryError("Final Cut 7 XML needs a plug-in: pip install otio-fcp-adapter")
    timeline = _one_timeline(otio.adapters.read_from_string(text_of(data), "fcp_xml"))
    _add_what_the_adapter_leaves(timeline, ElementTree.fromstring(data))  # noqa: S314
    return timeline


def _add_what_the_adapter_leaves(timeline: Any, root: ElementTree.Element) -> None:
    """Note on a timeline whether it counts in drop frame, and its size, from the sequence of its name."""
    named = [one for one in root.iter("sequence") if one.findtext("name", "") == timeline.name]
    for sequence in named[:1]:
        own: dict[str, Any] = {"drop_frame": sequence.findtext("timecode/displayformat") == "DF"}
        for side in ("width", "height"):
            text = sequence.findtext(f"media/video/format/samplecharacteristics/{side}", "").strip()
            own |= {side: int(text)} if text.isdigit() else {}
        timeline.metadata["postpipe"] = own


def _one_timeline(read: Any) -> Any:
    """Return the timeline that was read, the first where there are several."""
    if isinstance(read, otio.schema.Timeline):
        return read
    found = list(read.find_children(otio.schema.Timeline)) if hasattr(read, "find_children") else []
    if not found:
        raise DeliveryError(f"holds no timeline but a {type(read).__name__}; export the timeline itself")
    if len(found) > 1:
        others = ", ".join(repr(one.name) for one in found[1:])
        add_notes(found[0], [f"the file holds several timelines: {found[0].name!r} is used, not {others}"])
    return found[0]


def text_of(data: bytes) -> str:
    """Return a text in UTF-8 or UTF-16 with a mark, else in the Windows code page of old editing programs."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _refuse_empty(thing: dict[str, Any]) -> dict[str, Any]:
    """Raise `DeliveryError` for what OpenTimelineIO's own parser ends the process over.

    Python's is also the one that minds how deep things are nested; it writes infinity in another way.
    """
    if str(thing.get("OTIO_SCHEMA")).startswith("Timeline.") and not isinstance(thing.get("tracks"), dict):
        raise DeliveryError("holds a timeline without tracks; export it again")
    return thing


def _refuse_entities(data: bytes) -> None:
    """Raise `DeliveryError` for XML that declares entities: no timeline does, and they can swallow all memory."""

    def refuse(*_: Any) -> None:
        raise DeliveryError("declares XML entities, which no editing program does; export it again")

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    parser.Parse(data, True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what readers of others print or warn of from the user: what is left out is noted on the timeline."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
