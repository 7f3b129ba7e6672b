"""The few things that are read from or changed in MP4 and MOV files directly, box by box (ISO/IEC 14496-12)."""

from __future__ import annotations

import shutil
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

COPY_BYTES = 1 << 18


class Box(NamedTuple):
    """One box: four-character `kind`, and the offsets of its header, of its content and of its end.

    `end` is what the box claims; in a file that is cut off it lies beyond the file's own end.
    """

    kind: bytes
    start: int
    content: int
    end: int


def walk(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets, as far as they can be followed; stops at what is no box."""
    while start + 8 <= end:
        file.seek(start)
        header = file.read(16)
        size, kind, length = int.from_bytes(header[:4], "big"), header[4:8], 8
        if size == 1:
            size, length = int.from_bytes(header[8:16], "big"), 16
        elif size == 0:
            size = end - start
        if size < length or not all(32 <= byte < 127 or byte == 0xA9 for byte in kind):
            return
        yield Box(kind, start, start + length, start + size)
        start += size


def top_level(path: Path) -> list[Box]:
    """Return the outermost boxes of the file."""
    with path.open("rb") as file:
        return list(walk(file, 0, path.stat().st_size))


def insert(source: Path, target: Path, box: bytes) -> int:
    """Write a copy with one more box, behind the one that tells the type of the file; return where it begins.

    Where its samples lie (`stco`, `co64`) is told anew. Raises `ValueError` for what is no MP4 or MOV file, for a
    fragmented one, and where offsets outgrow their table; `OSError`.
    """
    outermost = top_level(source)
    if not outermost or outermost[0].kind != b"ftyp" or any(one.kind == b"moof" for one in outermost):
        raise ValueError(f"{source.name} is no MP4 or MOV file in one piece")
    place = outermost[0].end
    with source.open("rb") as given, target.open("wb") as made:
        made.write(given.read(place))
        made.write(box)
        shutil.copyfileobj(given, made, COPY_BYTES)
        for table in _offset_tables(given, outermost[0].end, outermost[-1].end):
            given.seek(table.content + 8)
            offsets = array("I" if table.kind == b"stco" else "Q", given.read(table.end - table.content - 8))
            made.seek(table.content + 8 + len(box))
            made.write(_moved(offsets, len(box)))
    return place


def _offset_tables(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    for box in walk(file, start, end):
        if box.kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
            yield from _offset_tables(file, box.content, box.end)
        elif box.kind in (b"stco", b"co64"):
            yield box


def _moved(offsets: array[int], by: int) -> array[int]:
    """Return big-endian offsets, moved. Raises `ValueError` where one is too large then."""
    if sys.byteorder == "little":
        offsets.byteswap()
    try:
        moved = array(offsets.typecode, (offset + by for offset in offsets))
    except OverflowError:
        raise ValueError("it comes to more than 4 GB with its manifest; deliver scenes by themselves") from None
    if sys.byteorder == "little":
        moved.byteswap()
    return moved


def drop_trivial_edits(path: Path) -> None:
    """Turn edit lists that change nothing (one edit, from media time 0) into free space.

    libav's muxer writes one for every track; platforms that forbid edit lists look for the box. The one
    that removes the encoder delay of AAC stays.
    """
    with path.open("r+b") as file:
        trivial = [
            edits
            for movie in walk(file, 0, path.stat().st_size)
            if movie.kind == b"moov"
            for track in walk(file, movie.content, movie.end)
            if track.kind == b"trak"
            for edits in walk(file, track.content, track.end)
            if edits.kind == b"edts" and _changes_nothing(file, edits)
        ]
        for edits in trivial:
            file.seek(edits.start + 4)
            file.write(b"free")


def _changes_nothing(file: BinaryIO, edits: Box) -> bool:
    for edit_list in walk(file, edits.content, edits.end):
        if edit_list.kind == b"elst":
            file.seek(edit_list.content)
            version = file.read(4)[0]
            width = 8 if version == 1 else 4
            count = int.from_bytes(file.read(4), "big")
            file.read(width)
            media_time = int.from_bytes(file.read(width), "big", signed=True)
            return count == 1 and media_time == 0
    return False
