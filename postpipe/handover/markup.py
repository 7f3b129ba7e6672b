"""XML as the formats here write it: elements with text, no characters that XML forbids, a document type."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Return text in which each character that XML forbids is an underscore."""
    return _FORBIDDEN.sub("_", text)


def add(parent: Element, tag: str, text: object = None, **attributes: object) -> Element:
    """Add an element with text and attributes; those that are `None` are left out."""
    given = {name.rstrip("_"): clean(str(value)) for name, value in attributes.items() if value is not None}
    element = ElementTree.SubElement(parent, tag, given)
    if text is not None:
        element.text = clean(str(text))
    return element


def write_xml(path: Path, root: Element, doctype: str | None = None) -> None:
    """Write a document; `doctype` is the name of its type."""
    ElementTree.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n' + (f"<!DOCTYPE {doctype}>\n" if doctype else "")
    body = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
    path.write_text(f"{head}{body}\n", encoding="utf-8", newline="\n")
