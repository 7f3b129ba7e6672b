"""Locked settings: which takes have kept them, and what a broken one costs."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from postpipe.delivery import FrameTimes
from postpipe.stages.locks import CheckSettings, LockedSettings, Miss
from postpipe.stages.select import ScoreTake
from postpipe.stages.sound_levels import SoundLevels
from tests.stages.helpers import clean_checks, flicker_of

HEARD = SoundLevels(-6.0, -20.0, False)


def take(
    size: tuple[int, int] = (1920, 1080), pixel_aspect: Fraction = Fraction(1), sounds: tuple[str, ...] = ("aac",)
) -> Any:
    picture = SimpleNamespace(width=size[0], height=size[1], pixel_aspect=pixel_aspect)
    return SimpleNamespace(picture=picture, sounds=sounds)


def times(frames: int = 120, rate: Fraction = Fraction(24), *, vfr: bool = False) -> FrameTimes:
    return FrameTimes(1 / rate, np.arange(frames), 1, rate, vfr, ())


def broken(
    settings: CheckSettings, clip: Any = None, clock: FrameTimes | None = None, sound: SoundLevels = HEARD
) -> list[tuple[str, str, str]]:
    found = settings.run(clip or take(), clock or times(), sound)
    return [(miss.name, miss.expected, miss.found) for miss in found.broken]


def test_what_is_not_locked_is_not_broken() -> None:
    assert broken(CheckSettings(), take((3, 7)), times(1, vfr=True), SoundLevels(None, None, None)) == []


def test_a_take_that_keeps_everything_passes() -> None:
    settings = CheckSettings(
        rate=Fraction(24), size="1920x1080", aspect="16:9", frames=120, min_seconds=5, max_seconds=5, sound="required"
    )
    found = settings.run(take(), times(), HEARD)
    assert found.broken == ()
    assert found.summary() == {
        "locked": ["rate", "size", "aspect", "frames", "min_seconds", "max_seconds", "sound"],
        "broken": [],
    }


NTSC = Fraction(24000, 1001)


@pytest.mark.parametrize(
    ("rate", "clock", "found"),
    [
        (Fraction(24), times(rate=NTSC), "23.976"),
        (NTSC, times(), "24"),
        (NTSC, times(rate=Fraction("23.976")), None),  # a clock in milliseconds
        (Fraction(24), times(vfr=True), "variable, 24 on average"),
    ],
)
def test_rates(rate: Fraction, clock: FrameTimes, found: str | None) -> None:
    names = [found for _, _, found in broken(CheckSettings(rate=rate), clock=clock)]
    assert names == ([] if found is None else [found])


@pytest.mark.parametrize(
    ("clip", "found"),
    [
        (take((1920, 1088)), "1920x1088"),
        (take((1440, 1080), Fraction(4, 3)), "1440x1080 in pixels of 4:3"),
        (take((1920, 1080), Fraction(4, 3)), "1920x1080 in pixels of 4:3"),
    ],
)
def test_sizes(clip: Any, found: str) -> None:
    assert broken(CheckSettings(size="1920x1080"), clip) == [("size", "1920x1080", found)]


@pytest.mark.parametrize(
    ("aspect", "clip", "found"),
    [
        ("16:9", take((848, 480)), None),  # 0.6 % off
        ("16:9", take((832, 480)), "1.73:1"),  # 2.5 % off
        ("16:9", take((1440, 1080), Fraction(4, 3)), None),
        ("1.78", take(), None),
        ("2.39:1", take((1920, 804)), None),
        ("16:9", take((1080, 1920)), "9:16"),
        ("4:3", take((1920, 803)), "2.39:1"),
    ],
)
def test_shapes(aspect: str, clip: Any, found: str | None) -> None:
    expected = [] if found is None else [("aspect", aspect, found)]
    assert broken(CheckSettings(aspect=aspect), clip) == expected


@pytest.mark.parametrize(
    ("settings", "frames", "miss"),
    [
        (CheckSettings(min_seconds=5), 119, None),  # to one frame
        (CheckSettings(min_seconds=5), 118, ("min_seconds", "at least 5 s", "4.92 s")),
        (CheckSettings(max_seconds=5), 121, None),
        (CheckSettings(max_seconds=5), 122, ("max_seconds", "at most 5 s", "5.08 s")),
        (CheckSettings(frames=121), 121, None),
        (CheckSettings(frames=121), 120, ("frames", "121", "120")),
    ],
)
def test_lengths(settings: CheckSettings, frames: int, miss: tuple[str, str, str] | None) -> None:
    assert broken(settings, clock=times(frames)) == ([miss] if miss else [])


SILENT = SoundLevels(None, None, True)
NO_SOUND = SoundLevels(None, None, None)


@pytest.mark.parametrize(
    ("wish", "clip", "sound", "miss"),
    [
        ("required", take(), HEARD, None),
        ("required", take(), SILENT, ("audible", "silent")),
        ("required", take(sounds=()), NO_SOUND, ("audible", "none")),
        ("silent", take(), HEARD, ("silent or none", "audible, -20 dBFS")),
        ("silent", take(), SILENT, None),
        ("silent", take(sounds=()), NO_SOUND, None),
        ("forbidden", take(), SILENT, ("none", "silent")),
        ("forbidden", take(), HEARD, ("none", "audible, -20 dBFS")),
        ("forbidden", take(sounds=()), NO_SOUND, None),
    ],
)
def test_sounds(wish: Any, clip: Any, sound: SoundLevels, miss: tuple[str, str] | None) -> None:
    assert broken(CheckSettings(sound=wish), clip, sound=sound) == ([("sound", *miss)] if miss else [])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"aspect": "16:0"}, "aspect = '16:0': expected width to height, such as \"16:9\""),
        ({"aspect": "1..2"}, "aspect = '1..2': expected"),
        ({"aspect": "0:9"}, "aspect = '0:9': expected"),
        ({"min_seconds": 5, "max_seconds": 4}, "max_seconds = 4: expected at least min_seconds = 5"),
    ],
)
def test_settings_that_nothing_can_keep_are_refused(settings: Any, words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        CheckSettings(**settings)
    assert words in str(caught.value)


def test_a_broken_setting_counts_in_the_choice() -> None:
    checks = clean_checks(120)

    def quality(*misses: Miss) -> float:
        settings = LockedSettings(("rate",), misses)
        return ScoreTake().run(take(), checks, times(), flicker_of(0.0), settings).quality

    miss = Miss("rate", "24", "30")
    assert (quality(), quality(miss), quality(miss, miss)) == pytest.approx((1.0, 0.8, 0.64))
