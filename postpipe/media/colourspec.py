"""Colour tags: libav's numbers to names and back, and what is assumed where a file says nothing."""

from __future__ import annotations

from dataclasses import dataclass

from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from postpipe.model import ColourSpec

# Code points of ITU-T H.273 (tables 2, 3 and 4). The first name that a number maps to is the one written back.
MATRICES = {"bt709": 1, "bt470bg": 5, "smpte170m": 6, "bt2020nc": 9}
PRIMARIES = {"bt709": 1, "bt470bg": 5, "smpte170m": 6, "bt2020": 9}
TRANSFERS = {"bt709": 1, "smpte170m": 6, "iec61966-2-1": 13, "smpte2084": 16, "arib-std-b67": 18}
RANGES = {"limited": 1, "full": 2}

SWS_MATRICES = {"bt709": 1, "bt470bg": 5, "smpte170m": 5, "bt2020nc": 9}
"""libswscale's numbers for the matrices (bt470bg and smpte170m are the same one, SWS_CS_ITU601)."""

LUMA_WEIGHTS = {
    "bt709": (0.2126, 0.0722),
    "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114),
    "bt2020nc": (0.2627, 0.0593),
}
"""Kr and Kb of the matrices (ITU-R BT.709, BT.601, BT.2020)."""

# Other code points, read as the nearest that is known. Same function or numbers: nothing to say.
_SAME = {
    "primaries": {7: "smpte170m"},
    "transfer": {11: "bt709", 14: "bt709", 15: "bt709"},
    "matrix": {},
}
_NEAREST = {
    "primaries": {4: "smpte170m", 8: "bt709", 11: "bt709", 12: "bt709", 22: "bt470bg"},
    "transfer": {4: "iec61966-2-1", 5: "bt709", 7: "bt709", 8: "bt709"},
    "matrix": {4: "smpte170m", 7: "bt709", 10: "bt2020nc"},
}
_UNSPECIFIED = 2
_RGB = 0


@dataclass(frozen=True, slots=True)
class ColourTags:
    """The colour tags of a stream or frame as libav's numbers (2: unspecified; range 0: unspecified)."""

    matrix: int
    range: int
    primaries: int
    transfer: int


def resolve(tags: ColourTags, *, width: int, height: int, full_by_format: bool) -> tuple[ColourSpec, list[str]]:
    """Return the meaning of `tags` for a picture of the stored size, and sentences about what was assumed.

    Untagged pictures are read as players and editors read them: BT.709 from 1280 × 720 (either way up) on,
    else BT.601 (625 lines: bt470bg, otherwise smpte170m), limited range. `full_by_format` is for pixel
    formats that are full range by definition (yuvj420p).
    """
    warnings: list[str] = []
    guessed: list[str] = []
    size_guess = _by_size(width, height)

    matrix = _name("matrix", MATRICES, tags.matrix, warnings)
    primaries = _name("primaries", PRIMARIES, tags.primaries, warnings)
    transfer = _name("transfer", TRANSFERS, tags.transfer, warnings)
    if matrix is None:
        guessed.append("matrix")
        matrix = {"bt2020": "bt2020nc"}.get(primaries or "", size_guess)
    if primaries is None:
        guessed.append("primaries")
        primaries = {"bt2020nc": "bt2020"}.get(matrix, matrix)
    if transfer is None:
        guessed.append("transfer")
        transfer = "bt709"
    names = {number: name for name, number in RANGES.items()}
    range_ = "full" if full_by_format else names.get(tags.range)
    if range_ is None:
        guessed.append("range")
        range_ = "limited"
    spec = ColourSpec(matrix, range_, primaries, transfer, tuple(guessed))
    if guessed:
        warnings.append(
            f"the file does not say its colour {' and '.join(_listed(guessed))}: "
            f"taken as {', '.join(getattr(spec, field) for field in guessed)}"
        )
    return spec, warnings


def tag(target: VideoFrame | VideoCodecContext, colour: ColourSpec) -> None:
    """Write `colour` into the tags of a frame or an encoder (some encoders look at the one, some at the other)."""
    target.colorspace = MATRICES[colour.matrix]
    target.color_primaries = PRIMARIES[colour.primaries]
    target.color_trc = TRANSFERS[colour.transfer]
    target.color_range = RANGES[colour.range]


def _listed(names: list[str]) -> list[str]:
    return [", ".join(names[:-1]), names[-1]] if len(names) > 1 else names


def _by_size(width: int, height: int) -> str:
    if max(width, height) >= 1280 or min(width, height) >= 720:
        return "bt709"
    return "bt470bg" if height in (288, 576) else "smpte170m"


def _name(field: str, known: dict[str, int], number: int, warnings: list[str]) -> str | None:
    for name, code in known.items():
        if code == number:
            return name
    if number in _SAME[field]:
        return _SAME[field][number]
    if number in _NEAREST[field]:
        name = _NEAREST[field][number]
        warnings.append(f"colour {field} {number} (ITU-T H.273) is treated as {name}")
        return name
    return None
