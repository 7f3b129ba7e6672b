"""The resources of an FCPXML document: formats, files and compound clips, by their `id`."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import PurePosixPath
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from postpipe.errors import DeliveryError

_TIME = re.compile(r"\s*(-?\d+(?:\.\d+)?)(?:/(\d+))?s?\s*")
_NAMED_RATE = re.compile(r"FFVideoFormat.*?(?:p|i)(2398|2997|5994|\d{2,3})$")
NAMED = {"2398": Fraction(24000, 1001), "2997": Fraction(30000, 1001), "5994": Fraction(60000, 1001)}
REEL = "com.apple.proapps.studio.reel"


def seconds(text: str | None) -> Fraction:
    """Return a time such as `1001/24000s`; 0 where there is none. Raises `DeliveryError` for what is no time."""
    if text is None:
        return Fraction(0)
    match = _TIME.fullmatch(text)
    if match is None or (match[2] is not None and int(match[2]) == 0):
        raise DeliveryError(f"{text!r} is no time in FCPXML; export it again")
    return Fraction(match[1]) / int(match[2] or 1)


class Resources:
    """What clips refer to."""

    def __init__(self, root: Element) -> None:
        found = root.find("resources")
        children = list(found) if found is not None else []
        self.assets = {child.get("id", ""): child for child in children if child.tag == "asset"}
        self.media = {child.get("id", ""): child for child in children if child.tag == "media"}
        self._formats = {child.get("id", ""): child for child in children if child.tag == "format"}

    def rate(self, reference: str | None) -> Fraction | None:
        """Return the frames per second of a format, or `None` where it has none."""
        format_ = self._formats.get(reference or "")
        if format_ is None:
            return None
        duration = seconds(format_.get("frameDuration"))
        if duration > 0:
            return 1 / duration
        match = _NAMED_RATE.search(format_.get("name", ""))
        return NAMED.get(match[1], Fraction(int(match[1]))) if match else None

    def size(self, reference: str | None) -> tuple[int, int] | None:
        """Return the width and height of a format in pixels, or `None`."""
        format_ = self._formats.get(reference or "")
        width, height = (format_.get("width"), format_.get("height")) if format_ is not None else (None, None)
        return (int(width), int(height)) if width and height and width.isdigit() and height.isdigit() else None

    @staticmethod
    def url(asset: Element) -> str:
        """Return the address of an asset: since version 1.9 that of its original media."""
        kinds = {child.get("kind", "original-media"): child.get("src", "") for child in asset.findall("media-rep")}
        return asset.get("src") or kinds.get("original-media") or next(iter(kinds.values()), "")

    def file_name(self, asset: Element) -> str:
        """Return the file name in an asset's address, or its own name."""
        return PurePosixPath(unquote(self.url(asset))).name or asset.get("name", "")

    @staticmethod
    def reel(*elements: Element) -> str:
        """Return the reel that the metadata of a clip or its asset says."""
        for element in elements:
            for entry in element.iter("md"):
                if entry.get("key") == REEL:
                    return entry.get("value", "")
        return ""
