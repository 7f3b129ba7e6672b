"""Exact time: seconds, frames, samples and timecode as integers and fractions, never floats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction


def round_half_up(value: Fraction) -> int:
    """Return the nearest integer; exact halves go up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def sample_at_frame(frame: int, rate: Fraction, sample_rate_hz: int) -> int:
    """Return the sample on which delivered frame `frame` starts, for a picture rate in frames per second.

    Used for every boundary, so that lengths never accumulate a rounding error.
    """
    return round_half_up(Fraction(frame) * sample_rate_hz / rate)


_RATE = re.compile(r"\d{1,9}(\.\d{1,20})?|\d{1,9}/0*[1-9]\d{0,8}")


def parse_rate(text: str) -> Fraction:
    """Return a frame rate from `24`, `24/1`, `23.976` or `24000/1001`.

    Decimal NTSC rates (23.976, 29.97, 59.94, …) become their exact ×1000/1001 fractions.
    Raises `ValueError` when the text is no positive rate.
    """
    rate = Fraction(text) if _RATE.fullmatch(text := text.strip()) else Fraction(0)
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


# Timecode (SMPTE ST 12-1)

_TIMECODE = re.compile(r"(\d{1,2}):([0-5]\d):([0-5]\d)([:;.,])(\d{2,3})")


def timecode_base(rate: Fraction) -> int:
    """Return the frames that timecode counts to a second: 24 for 23.976, 30 for 29.97."""
    return max(1, round_half_up(rate))


def is_timecode(text: str) -> bool:
    """Return whether `text` has the form `HH:MM:SS:FF` (`;FF`, `.FF` or `,FF` for drop frame)."""
    return _TIMECODE.fullmatch(text.strip()) is not None


def is_drop_frame(text: str) -> bool:
    """Return whether a timecode counts in drop frame: `;`, `.` or `,` stands before its frames."""
    return ":" not in text.strip()[-4:]


def parse_timecode(text: str, rate: Fraction) -> int:
    """Return the number of the frame that a timecode names, counted from `00:00:00:00`.

    `;`, `.` or `,` before the frames means drop frame, which exists at 29.97 and 59.94 and leaves out the first
    two (four) frame numbers of each minute but every tenth. Raises `ValueError` for what is no timecode at this rate.
    """
    match = _TIMECODE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no timecode (HH:MM:SS:FF)")
    hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
    base = timecode_base(rate)
    if frames >= base:
        raise ValueError(f"{text!r}: at {format_rate(rate)} frames per second the last number is below {base}")
    number = ((hours * 60 + minutes) * 60 + seconds) * base + frames
    if match[4] == ":":
        return number
    left_out = _left_out(rate)
    if not left_out:
        raise ValueError(f"{text!r}: drop frame exists at 29.97 and 59.94 frames per second alone")
    minute = hours * 60 + minutes
    if minute % 10 and seconds == 0 and frames < left_out:
        raise ValueError(f"{text!r}: drop frame leaves this number out")
    return number - left_out * (minute - minute // 10)


def format_timecode(frame: int, rate: Fraction, *, drop: bool = False) -> str:
    """Return the timecode of a frame number counted from `00:00:00:00`; a day begins again after 24 hours."""
    base = timecode_base(rate)
    left_out = _left_out(rate) if drop else 0
    if left_out:
        per_minute, per_ten = 60 * base - left_out, 600 * base - 9 * left_out
        tens, rest = divmod(frame, per_ten)
        frame += left_out * 9 * tens + left_out * max(0, (rest - left_out) // per_minute)
    frame %= 24 * 3600 * base
    rest, frames = divmod(frame, base)
    seconds = rest % 60, rest // 60 % 60, rest // 3600
    digits = len(str(base - 1))
    return f"{seconds[2]:02d}:{seconds[1]:02d}:{seconds[0]:02d}{';' if left_out else ':'}{frames:0{max(2, digits)}d}"


def _left_out(rate: Fraction) -> int:
    """Return how many numbers drop frame leaves out in a minute: 2 at 29.97, 4 at 59.94, else 0."""
    return {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4}.get(rate, 0)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a clip as people write it; exactly one field is set.

    `seconds` from the first frame, `frame` its number from 0, or `timecode` (counted from the clip's own start
    timecode, from `00:00:00:00` where it has none).
    """

    seconds: Fraction | None = None
    frame: int | None = None
    timecode: str | None = None


def parse_position(value: str | int | float) -> Position:
    """Return the place that `1.5`, `"1.5s"` (seconds), `"36f"` (frame) or `"00:00:01:12"` (timecode) means.

    Raises `ValueError` in words for anything else.
    """
    text = str(value).strip()
    if is_timecode(text):
        return Position(timecode=text)
    try:
        if re.fullmatch(r"\d+f", text):
            return Position(frame=int(text[:-1]))
        if re.fullmatch(r"\d+(\.\d+)?s?|\.\d+s?", text):
            return Position(seconds=Fraction(text.removesuffix("s")))
    except ValueError:
        pass
    raise ValueError(
        f'{text!r} is no place in a clip: write seconds (1.5), a frame number ("36f") or a timecode ("00:00:01:12")'
    )
