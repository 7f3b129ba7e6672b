"""The payload of our hidden mark: eight bytes and their check sum, in words that mend their errors, spread over cells.

Payload and CRC-32 are eight words of 12 bits; each becomes one of the extended Golay code's of 24 bits (M. J. E. Golay,
Notes on digital coding, Proc. IRE 37, 1949), any two of which differ in eight bits at least. A word is read as the one
that agrees best with all votes for its bits, weak or strong. Which bit a coefficient of a cell carries, and on which
side of nought it means 1, follows from its place by a hash, so that neither repeats.
"""

from __future__ import annotations

import functools
import zlib

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import resize, spread

from postpipe.model import Plane

PAYLOAD_BYTES = 8
LONG_EDGE = 960
"""Samples of the small picture along its longer side, whatever the picture has: a mark is the same at any size."""

_WORDS, _BITS = 8, 24
CODE_BITS = _WORDS * _BITS


def payload_bytes(text: str) -> bytes:
    """Return the eight bytes that a setting means: up to eight characters (UTF-8), or `0x` and 16 hexadecimal digits.

    Raises `ValueError` for anything else.
    """
    if text[:2].lower() == "0x" and len(text) == 2 + 2 * PAYLOAD_BYTES:
        return bytes.fromhex(text[2:])
    data = text.encode()
    if not data or len(data) > PAYLOAD_BYTES or b"\0" in data:
        raise ValueError(
            f"payload = {text!r}: expected up to {PAYLOAD_BYTES} bytes of text, or 0x and {2 * PAYLOAD_BYTES} digits"
        )
    return data.ljust(PAYLOAD_BYTES, b"\0")


def payload_words(data: bytes) -> str:
    """Return a payload as people write it: its text where it is one, else its digits."""
    text = data.rstrip(b"\0")
    if text and b"\0" not in text and text.isascii() and text.decode().isprintable():
        return f"“{text.decode()}”"
    return f"0x{data.hex()}"


@functools.cache
def _codebook() -> NDArray[np.int8]:
    """Return the 4096 words of the extended Golay code, shape `(4096, 24)`, as −1 and 1; the first 12 bits are data."""
    generator = 0b101011100011
    book = np.empty((4096, _BITS), np.int8)
    for data in range(4096):
        rest = data << 11
        for bit in range(22, 10, -1):
            if rest >> bit & 1:
                rest ^= generator << (bit - 11)
        word = (data << 11 | rest) << 1
        word |= word.bit_count() & 1
        book[data] = [1 if word >> bit & 1 else -1 for bit in range(_BITS - 1, -1, -1)]
    return book


def encode(data: bytes) -> NDArray[np.int8]:
    """Return the bits that carry a payload of eight bytes, `(192,)`, as −1 and 1."""
    number = int.from_bytes(data + zlib.crc32(data).to_bytes(4, "big"), "big")
    return np.concatenate([_codebook()[number >> 12 * (_WORDS - 1 - word) & 0xFFF] for word in range(_WORDS)])


def decode(votes: NDArray[np.float64]) -> bytes | None:
    """Return the payload that votes for 192 bits speak for (below 0: for −1), or `None` where its check sum is wrong.

    Of votes that mean nothing, one set in 4 · 10⁹ passes for a payload.
    """
    number = 0
    for word in votes.reshape(_WORDS, _BITS):
        number = number << 12 | int((_codebook() @ word).argmax())
    data = number.to_bytes(12, "big")
    return data[:8] if zlib.crc32(data[:8]) == int.from_bytes(data[8:], "big") and votes.any() else None


class Cells:
    """The cells of pictures of one size: how they are made small, and what each coefficient carries."""

    def __init__(self, width: int, height: int) -> None:
        longest = max(width, height)
        self.shape = max(1, round(height * LONG_EDGE / longest)), max(1, round(width * LONG_EDGE / longest))
        self._across = resize.taps(width, self.shape[1], kind="area")
        self._down = resize.taps(height, self.shape[0], kind="area")
        # the small picture's sample that lies over the middle of each pixel
        self.rows, self.columns = (
            ((2 * np.arange(source) + 1) * target // (2 * source)).astype(np.int32)
            for source, target in ((height, self.shape[0]), (width, self.shape[1]))
        )
        rows, columns = self.shape[0] // spread.SIDE, self.shape[1] // spread.SIDE
        row, column, wave = np.ogrid[:rows, :columns, : len(spread.COEFFICIENTS)]
        mixed = _mixed((row * 4096 + column) * 16 + wave)
        self.bit = ((mixed >> np.uint64(8)) % np.uint64(CODE_BITS)).astype(np.int64)
        self.sides = np.where(mixed >> np.uint64(63), 1, -1).astype(np.int8)

    def small(self, luma: Plane, bits: int) -> Plane:
        """Return the small picture of a luma plane."""
        out = np.empty(self.shape, luma.dtype)
        resize.resample_plane(luma, out, self._across, self._down, bits)
        return out

    def carrying(self, code: NDArray[np.int8]) -> NDArray[np.int8]:
        """Return the side that each coefficient has to be on to carry a code."""
        return self.sides * code[self.bit]

    def votes(self, luma: Plane, bits: int) -> NDArray[np.float64]:
        """Return how much a frame says for each bit of the code, `(192,)`."""
        weights = np.empty(self.sides.shape, np.float32)
        spread.weigh_mark(self.small(luma, bits), self.sides, float(1 << (bits - 8)), weights)
        votes: NDArray[np.float64] = np.bincount(self.bit.ravel(), weights.ravel(), CODE_BITS).astype(np.float64)
        return votes


def _mixed(number: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return 64 bits that look random for each number: SplitMix64 (G. L. Steele et al., OOPSLA 2014)."""
    value = number.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = value ^ (value >> np.uint64(31))
    return mixed
