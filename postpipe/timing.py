"""Exact time: seconds, frames, samples and timecode as integers and fractions, never floats."""

from __future__ import annotations

import re
from fractions import Fraction


def round_half_up(value: Fraction) -> int:
    """Return the nearest integer; exact halves go up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def sample_at_frame(frame: int, rate: Fraction, sample_rate_hz: int) -> int:
    """Return the sample on which delivered frame `frame` starts, for a picture rate in frames per second.

    Used for every boundary, so that lengths never accumulate a rounding error.
    """
    return round_half_up(Fraction(frame) * sample_rate_hz / rate)


def parse_rate(text: str) -> Fraction:
    """Return a frame rate from `24`, `24/1`, `23.976` or `24000/1001`.

    Decimal NTSC rates (23.976, 29.97, 59.94, …) become their exact ×1000/1001 fractions.
    Raises `ValueError` when the text is no positive rate.
    """
    rate = Fraction(text.strip())
    if rate <= 0:
        raise ValueError(f"{text!r} is not a positive frame rate")
    ntsc = Fraction(round_half_up(rate * 1001 / 1000) * 1000, 1001)
    return ntsc if abs(rate - ntsc) < Fraction(1, 200) and rate.denominator != 1 else rate


def format_rate(rate: Fraction) -> str:
    """Return `24/1`, `30000/1001`: the form in which rates are written to files."""
    return f"{rate.numerator}/{rate.denominator}"


STANDARD_RATES = tuple(
    parse_rate(text) for text in ("8 10 12 12.5 15 16 23.976 24 25 29.97 30 48 50 59.94 60 119.88 120").split()
)
"""Frame rates in use, in frames per second."""


def nearest_standard_rate(rate: Fraction) -> Fraction:
    """Return the standard rate that is nearest to `rate`, as a ratio."""
    return min(STANDARD_RATES, key=lambda standard: max(standard / rate, rate / standard))


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Return a sort key in natural order: `take2` before `take10`, any case."""
    parts = re.split(r"(\d+)", text.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
