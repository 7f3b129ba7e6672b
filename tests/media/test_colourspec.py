"""Colour tags become names; what a file does not say is assumed as players assume it, and said."""

from __future__ import annotations

import pytest

from postpipe.media.colourspec import MATRICES, PRIMARIES, RANGES, TRANSFERS, ColourTags, resolve
from postpipe.model import ColourSpec

UNTAGGED = ColourTags(matrix=2, range=0, primaries=2, transfer=2)
ALL = ("matrix", "primaries", "transfer", "range")


@pytest.mark.parametrize("transfer", TRANSFERS)
@pytest.mark.parametrize("primaries", PRIMARIES)
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("range_", RANGES)
def test_known_tags_are_taken_as_they_are(matrix: str, range_: str, primaries: str, transfer: str) -> None:
    tags = ColourTags(MATRICES[matrix], RANGES[range_], PRIMARIES[primaries], TRANSFERS[transfer])
    spec, notes = resolve(tags, width=320, height=240, full_by_format=False)
    assert spec == ColourSpec(matrix, range_, primaries, transfer)
    assert notes == []


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [
        (1280, 720, "bt709"),
        (720, 1280, "bt709"),
        (1920, 800, "bt709"),
        (704, 1280, "bt709"),
        (844, 844, "bt709"),
        (720, 480, "smpte170m"),
        (720, 576, "bt470bg"),
        (360, 288, "bt470bg"),
        (640, 360, "smpte170m"),
        (1278, 718, "smpte170m"),
    ],
)
def test_guess_by_size(width: int, height: int, matrix: str) -> None:
    spec, notes = resolve(UNTAGGED, width=width, height=height, full_by_format=False)
    assert spec == ColourSpec(matrix, "limited", matrix, "bt709", ALL)
    assert notes == [
        "the file does not say its colour matrix, primaries, transfer and range: "
        f"taken as {matrix}, {matrix}, bt709, limited"
    ]


def test_full_range_by_pixel_format_is_no_guess() -> None:
    spec, notes = resolve(ColourTags(1, 0, 1, 1), width=64, height=64, full_by_format=True)
    assert spec == ColourSpec("bt709", "full", "bt709", "bt709")
    assert notes == []


def test_one_missing_tag_follows_the_others() -> None:
    spec, notes = resolve(ColourTags(2, 1, 9, 16), width=64, height=64, full_by_format=False)
    assert (spec.matrix, spec.guessed) == ("bt2020nc", ("matrix",))
    assert notes == ["the file does not say its colour matrix: taken as bt2020nc"]


def test_equal_functions_under_other_numbers_need_no_words() -> None:
    spec, notes = resolve(ColourTags(9, 1, 9, 14), width=64, height=64, full_by_format=False)
    assert (spec.transfer, spec.guessed, notes) == ("bt709", (), [])


def test_display_p3_is_said_to_be_approximated() -> None:
    spec, notes = resolve(ColourTags(1, 1, 12, 1), width=64, height=64, full_by_format=False)
    assert (spec.primaries, spec.guessed) == ("bt709", ())
    assert notes == ["colour primaries 12 (ITU-T H.273) is treated as bt709"]
