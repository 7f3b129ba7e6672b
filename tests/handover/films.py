"""Random films, as editors make them: trims, dissolves, fades, gaps, rates, start timecodes, any names."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from postpipe.handover.timeline import ClipLook, Cut, Dissolve, Film, Lane, Mark, Media
from postpipe.look import Cdl
from postpipe.timing import parse_rate

RATES = [parse_rate(text) for text in "23.976 24 25 29.97 30 48 50 59.94 60".split()]
NAMES = [
    "scene09_take01.mp4",
    "scene 1 — Küche, «früh» (v2).mov",
    "夜の街 第3話.mp4",
    "-rf $HOME & 100% #3? café.mp4",
    "🎬 'final' \"final\" <2>;.mp4",
    "scene09_take_with_a_name_longer_than_any_reel_allows.mp4",
]
COLOURS = ["RED", "GREEN", "BLUE", "YELLOW", "ORANGE", "PURPLE"]


def random_film(seed: int, root: Path = Path("/takes")) -> Film:
    """Return a film of 1 to 9 clips on one picture and one sound track; equal seeds give equal films."""
    chance = random.Random(seed)
    rate = RATES[seed % len(RATES)]
    drop = rate in (Fraction(30000, 1001), Fraction(60000, 1001)) and chance.random() < 0.6
    files = [random_media(chance, rate, drop, number, root) for number in range(chance.randint(1, 5))]
    cuts: list[Cut] = []
    position = 0
    for number in range(chance.randint(1, 9)):
        if chance.random() < 0.25:
            position += chance.randint(1, 40)
        media = chance.choice(files)
        frames = chance.randint(24, 90)
        first = chance.randint(12, media.frames - frames - 12)
        cut = Cut(media.name, media, position, position + frames, Fraction(first), scene=f"scene{number:02d}")
        if chance.random() < 0.4:
            look = ClipLook(random_cdl(chance), round(chance.random(), 3), "looks/a.cube", "looks/a.cdl")
            cut = replace(cut, look=look)
        marks = [
            Mark(
                chance.randint(first, first + frames - 1), 1, f"cut {mark}", "ein Schnitt: <&>", chance.choice(COLOURS)
            )
            for mark in range(chance.randint(0, 2))
        ]
        cuts.append(replace(cut, marks=tuple(marks), take=media.name))
        position += frames
    cuts = joined(chance, cuts)
    sounds = tuple(replace(cut, look=None, marks=()) for cut in cuts)
    return Film(
        name=f"film {seed} — Ü",
        rate=rate,
        start=chance.choice([0, 3600 * round(rate), chance.randint(0, 100_000)]),
        drop=drop,
        frames=position,
        pictures=(Lane("V1", tuple(cuts)),),
        sounds=(Lane("A1", sounds),),
        size=(1920, 1080),
        notes=("made for a test",),
    )


def random_media(chance: random.Random, rate: Fraction, drop: bool, number: int, root: Path) -> Media:
    """Return a media file of 120 to 400 frames, with or without a start timecode."""
    name = f"{number} {chance.choice(NAMES)}" if number else chance.choice(NAMES)
    return Media(
        name=name,
        url=(root / name).as_uri(),
        rate=rate,
        frames=chance.randint(120, 400),
        start=chance.choice([0, chance.randint(1, 200_000)]),
        drop=drop,
        size=(1920, 1080),
        sound=(48000, 2),
    )


def random_cdl(chance: random.Random) -> Cdl:
    """Return a mild correction, in numbers that formats with six decimals keep."""

    def triple(low: float, high: float) -> tuple[float, float, float]:
        a, b, c = (round(chance.uniform(low, high), 6) for _ in range(3))
        return a, b, c

    return Cdl(triple(0.8, 1.2), triple(-0.1, 0.1), triple(0.8, 1.2), round(chance.uniform(0.5, 1.5), 6))


def joined(chance: random.Random, cuts: list[Cut]) -> list[Cut]:
    """Return cuts with dissolves where two touch and fades where one does not."""
    found = list(cuts)
    for number, cut in enumerate(found):
        following = found[number + 1] if number + 1 < len(found) else None
        if following is not None and following.start == cut.end:
            if chance.random() < 0.5:
                dissolve = Dissolve(chance.randint(0, 8), chance.randint(1, 8))
                found[number] = replace(cut, dissolve_out=dissolve)
                found[number + 1] = replace(following, dissolve_in=dissolve)
        elif chance.random() < 0.3:
            found[number] = replace(cut, fade_out=chance.randint(1, 10))
        if (
            not found[number].dissolve_in
            and (number == 0 or found[number - 1].end < cut.start)
            and chance.random() < 0.3
        ):
            found[number] = replace(found[number], fade_in=chance.randint(1, 10))
    return found


def seen(lane: Lane) -> list[tuple[object, ...]]:
    """Return what a lane shows: each clip from its first to its last frame, transitions included.

    Where the cut lies within a dissolve makes no difference to it.
    """
    return [
        (
            cut.name,
            cut.media.url,
            cut.media.start,
            cut.start - cut.before,
            cut.end + cut.after,
            cut.first - cut.before,
            cut.dissolve_in and cut.dissolve_in.frames,
            cut.dissolve_out and cut.dissolve_out.frames,
            cut.fade_in,
            cut.fade_out,
        )
        for cut in lane.cuts
    ]
