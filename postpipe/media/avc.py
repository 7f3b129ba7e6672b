"""H.264 in MP4, as far as streams are put together: parameter sets and the kinds of packets (ISO/IEC 14496-10, -15)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

IDR_SLICE, SPS, PPS = 5, 7, 8
"""Types of network abstraction layer (NAL) units."""

_HIGH_PROFILES = (100, 110, 122, 144)
_LARGEST_SPS_ID = 31


@dataclass(frozen=True)
class ParameterSets:
    """What `avcC` holds: sequence and picture parameter sets by their ids, and what a decoder must be able to do.

    `extension` are the bytes behind the sets (chroma format and bit depths of the High profiles).
    """

    profile: int
    compatibility: int
    level: int
    length_size: int
    sps: dict[int, bytes]
    pps: dict[int, bytes]
    extension: bytes

    @classmethod
    def parse(cls, data: bytes | None) -> ParameterSets:
        """Read `avcC`. Raises `ValueError` for anything else."""
        try:
            if not data or data[0] != 1:
                raise ValueError("not avcC")
            position = 6
            sps, position = _sets(data, position, data[5] & 0x1F)
            pps, position = _sets(data, position + 1, data[position])
            return cls(
                profile=data[1],
                compatibility=data[2],
                level=data[3],
                length_size=(data[4] & 3) + 1,
                sps={_identity(unit): unit for unit in sps},
                pps={_identity(unit): unit for unit in pps},
                extension=data[position:],
            )
        except IndexError as error:
            raise ValueError("avcC is cut off") from error

    def with_units(self, stream: bytes) -> ParameterSets:
        """Return these with the sets of a byte stream (Annex B) in place of those of the same ids."""
        units = [unit for unit in re.split(b"\0*\0\0\1", stream) if unit]
        sps = {_identity(unit): unit for unit in units if unit[0] & 0x1F == SPS}
        pps = {_identity(unit): unit for unit in units if unit[0] & 0x1F == PPS}
        return replace(self, sps=self.sps | sps, pps=self.pps | pps)

    def to_bytes(self) -> bytes:
        """Return `avcC`."""
        parts = [bytes([1, self.profile, self.compatibility, self.level, 0xFC | self.length_size - 1])]
        for marker, units in ((0xE0, self.sps), (0, self.pps)):
            parts.append(bytes([marker | len(units)]))
            for _, unit in sorted(units.items()):
                parts += [len(unit).to_bytes(2, "big"), unit]
        return b"".join([*parts, self.extension])

    def clashes(self, other: ParameterSets) -> bool:
        """Whether both use one id for different sets, so that they cannot stand in one track."""
        pairs = ((self.sps, other.sps), (self.pps, other.pps))
        return self.length_size != other.length_size or any(
            mine[number] != theirs[number] for mine, theirs in pairs for number in mine.keys() & theirs.keys()
        )


def merged(sets: Iterable[ParameterSets]) -> ParameterSets:
    """Return the sets of all in one. Raises `ValueError` where they clash."""
    first, *rest = sets
    for other in rest:
        if first.clashes(other):
            raise ValueError("the streams use one id for different parameter sets")
        first = replace(
            first,
            profile=max(first.profile, other.profile),
            compatibility=first.compatibility & other.compatibility,
            level=max(first.level, other.level),
            sps=first.sps | other.sps,
            pps=first.pps | other.pps,
            extension=first.extension if first.profile in _HIGH_PROFILES else other.extension,
        )
    return first


def free_id(sets: Iterable[ParameterSets]) -> int:
    """Return the smallest id that none of the sets uses; x264 gives one id to both of its own."""
    used = {number for one in sets for number in (*one.sps, *one.pps)}
    return next(number for number in range(_LARGEST_SPS_ID + 1) if number not in used)


def nal_units(packet: bytes, length_size: int) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the bytes of each unit in a packet. Raises `ValueError` for a packet that is cut off."""
    position = 0
    while position < len(packet):
        length = int.from_bytes(packet[position : position + length_size], "big")
        position += length_size
        if not length or position + length > len(packet):
            raise ValueError("a packet is cut off")
        yield packet[position] & 0x1F, packet[position : position + length]
        position += length


def _sets(data: bytes, position: int, count: int) -> tuple[list[bytes], int]:
    found = []
    for _ in range(count):
        length = int.from_bytes(data[position : position + 2], "big")
        found.append(data[position + 2 : position + 2 + length])
        position += 2 + length
    return found, position


def _identity(unit: bytes) -> int:
    """Return the id of a parameter set: its first Exp-Golomb code, behind profile, constraints and level in an SPS."""
    raw = unit.replace(b"\0\0\3", b"\0\0")  # without the bytes that keep start codes out
    bits = "".join(f"{byte:08b}" for byte in raw[4 if unit[0] & 0x1F == SPS else 1 :][:8])
    zeros = bits.index("1")
    return int(bits[zeros : 2 * zeros + 1], 2) - 1
