"""Locked settings: what `[project]` says that every take has to keep, and the takes that have not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from postpipe.delivery import FrameTimes
from postpipe.engine.stage import Task
from postpipe.model import Clip, Facts
from postpipe.stages.conform import ProjectRate, ProjectSize
from postpipe.stages.sound_levels import SoundLevels

ASPECT_TOLERANCE = Fraction(1, 100)  # codecs want sides that divide by 8 or 16: 848x480 is sold as 16:9
RATE_TOLERANCE = Fraction(1, 5000)  # what a clock in milliseconds leaves; 23.976 is 1/1000 away from 24


@dataclass(frozen=True, slots=True)
class Miss:
    """Something that a take had to have and has not: `name` of the rule, what it expects, what was found."""

    name: str
    expected: str
    found: str


@dataclass(frozen=True)
class LockedSettings(Facts):
    """The settings that are locked by name, and those of them that a take has not kept."""

    schema: ClassVar[str] = "postpipe.locked-settings.1"
    name: ClassVar[str] = "settings"
    locked: tuple[str, ...]
    broken: tuple[Miss, ...]

    def summary(self) -> dict[str, Any]:
        """Return the names of what is locked, and each broken setting with what was expected and found."""
        broken = [{"name": miss.name, "expected": miss.expected, "found": miss.found} for miss in self.broken]
        return {"locked": list(self.locked), "broken": broken}


@dataclass(frozen=True)
class CheckSettings(Task):
    """Compare a take with the settings that are locked."""

    id: ClassVar[str] = "settings"
    summary: ClassVar[str] = "settings of [project] that takes have not kept"
    section: ClassVar[str] = "project"

    rate: ProjectRate = None
    size: ProjectSize = None
    aspect: Annotated[
        Annotated[str, Meta(pattern=r"^[0-9.]{1,9}(:[0-9.]{1,9})?$", examples=["16:9"])] | None,
        Meta(description='shape that takes have to have, to 1 %: "16:9", "2.39:1"'),
    ] = None
    frames: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="number of frames that takes have to have")
    ] = None
    min_seconds: Annotated[
        Annotated[float, Meta(gt=0)] | None, Meta(description="length that takes have to reach, to one frame")
    ] = None
    max_seconds: Annotated[
        Annotated[float, Meta(gt=0)] | None, Meta(description="length that takes must not exceed, to one frame")
    ] = None
    sound: Annotated[
        Literal["required", "silent", "forbidden"] | None,
        Meta(
            description="required: takes have to be heard; silent: they must not be; forbidden: no sound stream at all"
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.aspect is not None:
            try:
                fits = 0 < _ratio(self.aspect) < 100
            except (ValueError, ZeroDivisionError):
                fits = False
            if not fits:
                raise ValueError(f'aspect = {self.aspect!r}: expected width to height, such as "16:9"')
        if self.min_seconds is not None and self.max_seconds is not None and self.min_seconds > self.max_seconds:
            raise ValueError(
                f"max_seconds = {self.max_seconds:g}: expected at least min_seconds = {self.min_seconds:g}"
            )

    def run(self, clip: Clip, times: FrameTimes, sound: SoundLevels) -> LockedSettings:
        """Return what is locked and what of it is broken."""
        names = ("rate", "size", "aspect", "frames", "min_seconds", "max_seconds", "sound")
        return LockedSettings(
            locked=tuple(name for name in names if getattr(self, name) is not None),
            broken=(*self._picture(clip, times), *self._length(times), *self._sound(clip, sound)),
        )

    def _picture(self, clip: Clip, times: FrameTimes) -> Iterator[Miss]:
        picture = clip.picture
        if self.rate is not None and (times.vfr or abs(times.rate / self.rate - 1) > RATE_TOLERANCE):
            found = f"variable, {_number(times.rate)} on average" if times.vfr else _number(times.rate)
            yield Miss("rate", _number(self.rate), found)
        size = f"{picture.width}x{picture.height}"
        pixels = "" if picture.pixel_aspect == 1 else f" in pixels of {_shape(picture.pixel_aspect)}"
        if self.size is not None and size + pixels != self.size:
            yield Miss("size", self.size, size + pixels)
        shape = Fraction(picture.width, picture.height) * picture.pixel_aspect
        if self.aspect is not None and abs(shape / _ratio(self.aspect) - 1) > ASPECT_TOLERANCE:
            yield Miss("aspect", self.aspect, _shape(shape))

    def _length(self, times: FrameTimes) -> Iterator[Miss]:
        if self.frames is not None and times.frames != self.frames:
            yield Miss("frames", str(self.frames), str(times.frames))
        seconds, frame = times.duration_seconds, 1 / times.rate
        if self.min_seconds is not None and seconds < Fraction(self.min_seconds) - frame:
            yield Miss("min_seconds", f"at least {self.min_seconds:g} s", f"{float(seconds):.2f} s")
        if self.max_seconds is not None and seconds > Fraction(self.max_seconds) + frame:
            yield Miss("max_seconds", f"at most {self.max_seconds:g} s", f"{float(seconds):.2f} s")

    def _sound(self, clip: Clip, sound: SoundLevels) -> Iterator[Miss]:
        heard = bool(clip.sounds) and sound.silent is False
        found = f"audible, {sound.rms_dbfs:.0f} dBFS" if heard else "silent" if clip.sounds else "none"
        if self.sound == "required" and not heard:
            yield Miss("sound", "audible", found)
        elif self.sound == "silent" and heard:
            yield Miss("sound", "silent or none", found)
        elif self.sound == "forbidden" and clip.sounds:
            yield Miss("sound", "none", found)


def _ratio(text: str) -> Fraction:
    """Return width ÷ height of `16:9` or `1.78`. Raises `ValueError` or `ZeroDivisionError`."""
    width, _, height = text.partition(":")
    return Fraction(width) / Fraction(height or 1)


def _shape(ratio: Fraction) -> str:
    """Return a ratio as people write it: `16:9`, `2.39:1`."""
    width, height = ratio.numerator, ratio.denominator
    return f"{width}:{height}" if width <= 21 and height <= 21 else f"{float(ratio):.3g}:1"


def _number(value: Fraction) -> str:
    return f"{float(value):.5g}"


STAGES = (CheckSettings,)
