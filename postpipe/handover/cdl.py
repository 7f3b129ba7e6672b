"""ASC CDL: `.cdl` for one clip, `.ccc` for many, and the comments that carry it in an EDL.

Source: ASC Color Decision List (ASC CDL) Transfer Functions and Interchange Syntax, version 1.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from postpipe.look import Cdl

_NAMESPACE = "urn:ASC:CDL:v1.01"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_cdl(path: Path, cdl: Cdl, identifier: str, notes: Sequence[str] = ()) -> None:
    """Write one correction as a `.cdl` file, a list of one colour decision; `notes` become its descriptions."""
    root = ElementTree.Element("ColorDecisionList", xmlns=_NAMESPACE)
    decision = ElementTree.SubElement(root, "ColorDecision")
    _add(decision, cdl, identifier, notes)
    _write(path, root)


def write_ccc(path: Path, corrections: Mapping[str, tuple[Cdl, Sequence[str]]], notes: Sequence[str] = ()) -> None:
    """Write corrections, each with its notes, as a `.ccc` file: a collection in which each is found by its id."""
    root = ElementTree.Element("ColorCorrectionCollection", xmlns=_NAMESPACE)
    _describe(root, notes)
    for identifier, (cdl, own) in corrections.items():
        _add(root, cdl, identifier, own)
    _write(path, root)


def edl_comments(cdl: Cdl) -> tuple[str, str]:
    """Return the two comments of an event of a CMX 3600 EDL, without their asterisk."""
    triples = "".join(f"({_numbers(values)})" for values in (cdl.slope, cdl.offset, cdl.power))
    return f"ASC_SOP {triples}", f"ASC_SAT {_numbers((cdl.saturation,))}"


def _add(parent: ElementTree.Element, cdl: Cdl, identifier: str, notes: Sequence[str]) -> None:
    correction = ElementTree.SubElement(parent, "ColorCorrection", id=_NOT_XML.sub("_", identifier))
    sop = ElementTree.SubElement(correction, "SOPNode")
    _describe(sop, notes)
    for name, values in (("Slope", cdl.slope), ("Offset", cdl.offset), ("Power", cdl.power)):
        ElementTree.SubElement(sop, name).text = _numbers(values)
    sat = ElementTree.SubElement(correction, "SatNode")
    ElementTree.SubElement(sat, "Saturation").text = _numbers((cdl.saturation,))


def _describe(parent: ElementTree.Element, notes: Sequence[str]) -> None:
    for note in notes:
        ElementTree.SubElement(parent, "Description").text = _NOT_XML.sub("_", note)


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.6f}" for value in values)


def _write(path: Path, root: ElementTree.Element) -> None:
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)
