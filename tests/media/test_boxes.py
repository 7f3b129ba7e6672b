"""Boxes that are put into files: what lies behind them is found where it lies then."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from postpipe.media.boxes import insert


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def film(*offsets: tuple[bytes, str, list[int]]) -> bytes:
    tables = [
        box(kind, struct.pack(f">II{len(numbers)}{form}", 0, len(numbers), *numbers)) for kind, form, numbers in offsets
    ]
    tracks = b"".join(
        box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", box(b"stsz", b"") + table)))) for table in tables
    )
    return box(b"ftyp", b"isom") + box(b"moov", box(b"mvhd", b"") + tracks) + box(b"mdat", b"samples")


def test_offsets_of_every_track_are_moved_and_nothing_else(tmp_path: Path) -> None:
    source, target = tmp_path / "film.mp4", tmp_path / "new.mp4"
    source.write_bytes(film((b"stco", "I", [1, 2**32 - 9]), (b"co64", "Q", [2**32 - 1, 2**40])))
    added = box(b"uuid", b"")
    assert insert(source, target, added) == 12
    moved = film((b"stco", "I", [9, 2**32 - 1]), (b"co64", "Q", [2**32 + 7, 2**40 + 8]))
    assert target.read_bytes() == moved[:12] + added + moved[12:]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no MP4"),
        (box(b"moov", b""), "no MP4"),
        (box(b"ftyp", b"") + box(b"moof", b""), "in one piece"),
        (film((b"stco", "I", [2**32 - 8])), "more than 4 GB"),
    ],
)
def test_what_cannot_take_one_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "film.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        insert(tmp_path / "film.mp4", tmp_path / "new.mp4", box(b"uuid", b""))
