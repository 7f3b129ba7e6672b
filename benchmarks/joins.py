"""Films joined from real clips with known transitions and traps, for the benchmark of cuts. Every film has its seed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import BT709
from benchmarks.traps import BLACK, TRAPS, WHITE, Picture, expose
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.media.write import PictureWriter
from postpipe.model import PIXEL_FORMATS, Frame

LONGEST = 110  # frames taken of a source


@dataclass(frozen=True)
class Source:
    """A stretch of a real clip without a change of shot, as seen by eye: frames `first` to `last`."""

    file: str
    first: int = 0
    last: int = 100_000


TUNING = (
    Source("clean/bikes.mp4", 0, 29),
    Source("clean/bikes.mp4", 30, 75),
    Source("clean/bikes.mp4", 76, 136),
    Source("clean/bikes.mp4", 137, 186),
    Source("clean/bikes.mp4", 187, 241),
    Source("takes/cogvideo_1.mp4"),
    Source("takes/cogvideo_kitten.mp4"),
    Source("takes/sora_standard.mp4", 0, 110),
    Source("takes/sora_standard.mp4", 190),
    Source("talking/WDA_BobMenendez_000.mp4"),
    Source("talking/WDA_KatieHill_000.mp4"),
    Source("talking/lp_d6.mp4"),
    Source("talking/lp_d20.mp4", 1),
    Source("talking/bbaf2n.mpg"),
    Source("talking/lrwp9a.mpg"),
    Source("talking/sbwe5n.mpg"),
    Source("talking/retalking_1.mp4"),
    Source("talking/demo1_video.mp4"),
    Source("flicker/chaplin.mp4"),
    Source("odd/video_with_failing_audio.mp4", 0, 80),
    Source("odd/video_with_failing_audio.mp4", 95, 195),
    Source("c2pa/video1.mp4"),
)
"""What thresholds were set on."""

HELD_OUT = (
    Source("clean/bigbuckbunny.mp4"),
    Source("clean/carphone_pristine.mp4"),
    Source("clean/testvideo.mp4", 40, 170),
    Source("clean/testvideo.mp4", 255, 330),
    Source("clean/testvideo.mp4", 425, 525),
    Source("clean/testvideo.mp4", 565, 670),
    Source("takes/cogvideo_2.mp4"),
    Source("takes/pika_share.mp4"),
    Source("takes/origin_video_0.mp4", 0, 274),
    Source("takes/origin_video_0.mp4", 275),
    Source("takes/luma_watermarked.mp4", 0, 47),
    Source("takes/luma_watermarked.mp4", 88),
    Source("talking/example.avi"),
    Source("talking/WDA_EdMarkey0_000.mp4"),
    Source("talking/WDA_AlexandriaOcasioCortez_000.mp4"),
    Source("talking/lp_d11.mp4"),
    Source("talking/lp_d14.mp4"),
    Source("talking/pwij3p.mpg"),
    Source("talking/lwbsza.mpg"),
    Source("talking/brbk7n.mpg"),
    Source("talking/retalking_2.mp4"),
    Source("talking/retalking_4.mp4"),
    Source("talking/3qesirWAGt4_20000_30000.mp4"),
    Source("odd/issue-134-rotate.mp4", 0, 89),
    Source("odd/issue-134-rotate.mp4", 90, 209),
    Source("odd/issue-134-rotate.mp4", 210),
    Source("odd/fire2.mp4"),
    Source("c2pa/PTS_TRUSTED_sony_official_cawg_wdr.mp4"),
)
"""What no threshold was set on."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happens in a film: a true change of shot or a trap, from frame `first` to `last`.

    A cut is the first frame of the new shot; of a dissolve or fade, all frames that show neither shot alone.
    """

    kind: str
    first: int
    last: int


@dataclass
class Film:
    """A film in the making: its pictures, and what is true of it."""

    pictures: list[Picture] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    traps: list[Change] = field(default_factory=list)


class Footage:
    """The sources as small pictures, each decoded once through the product's own reader and kept in files."""

    def __init__(self, media: Path, scratch: Path) -> None:
        self._media = media
        self._scratch = scratch
        self._known: dict[Source, NDArray[np.uint8]] = {}

    def __call__(self, source: Source) -> NDArray[np.uint8]:
        """Return the frames of a source, uint8, shape `(frames, height, width, 3)`, about 360 lines high."""
        if source not in self._known:
            clip = probe(self._media / source.file, "")
            last = min(source.last, source.first + LONGEST - 1)
            with PictureReader(clip) as reader:
                kept = [
                    _small(frame)
                    for frame in itertools.islice(reader.frames(), last + 1)
                    if frame.index >= source.first
                ]
            path = self._scratch / f"{len(self._known)}.npy"
            np.save(path, np.stack(kept))
            self._known[source] = np.load(path, mmap_mode="r")
        return self._known[source]


def _small(frame: Frame) -> NDArray[np.uint8]:
    height = 400
    width = round(frame.width * height / frame.height)
    planes = [
        cv2.resize(np.ascontiguousarray(plane), (width, height), interpolation=cv2.INTER_AREA) for plane in frame.planes
    ]
    stacked = np.stack(planes, axis=-1)
    if frame.pixel_format.bits > 8:
        stacked = (stacked >> (frame.pixel_format.bits - 8)).astype(np.uint8)
    if frame.colour.range == "full":
        stacked[..., 0] = 16 + stacked[..., 0] * (219 / 255)
    return stacked


def _fit(pictures: NDArray[np.uint8], width: int, height: int, letterbox: bool) -> list[Picture]:
    """Scale to a size: cropped to fill it, or with bars."""
    rows, columns = pictures.shape[1:3]
    scale = (min if letterbox else max)(width / columns, height / rows)
    size = max(2, round(columns * scale)), max(2, round(rows * scale))
    fitted = []
    for picture in pictures:
        scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        x, y = (size[0] - width) // 2, (size[1] - height) // 2
        if letterbox:
            framed = np.broadcast_to(BLACK, (height, width, 3)).copy()
            framed[-y : -y + size[1], -x : -x + size[0]] = scaled[:height, :width]
        else:
            framed = scaled[y : y + height, x : x + width]
        fitted.append(framed)
    return fitted


# Films


def _shot(
    footage: Footage, source: Source, size: tuple[int, int], frames: int, random: np.random.Generator
) -> list[Picture]:
    """Return frames of a source from a random place, some held as slow sources are."""
    known = footage(source)
    hold = 1
    if random.random() < (0.5 if "cogvideo" in source.file or "fire" in source.file else 0.08):
        hold = int(random.integers(2, 4))
    wanted = -(-frames // hold)
    start = int(random.integers(0, max(1, len(known) - wanted + 1)))
    turn = len(known) - 1
    order = [turn - abs(n % (2 * turn) - turn) for n in range(start, start + wanted)]  # there and back
    fitted = _fit(known[order], *size, letterbox=bool(random.random() < 0.15))
    return [picture for picture in fitted for _ in range(hold)][:frames]


def make_film(footage: Footage, sources: Sequence[Source], size: tuple[int, int], seed: int) -> Film:
    """Return a film of four to six shots joined by cuts (half), dissolves and fades, with traps within the shots."""
    random = np.random.default_rng(seed)
    count = int(random.integers(4, 7))
    chosen = [sources[n] for n in random.choice(len(sources), count, replace=False)]
    kinds = ["start", *random.choice(["cut", "dissolve", "fade"], count - 1, p=[0.5, 0.32, 0.18]).tolist()]
    spans = [int(random.integers(6, 31)) if kind in ("dissolve", "fade") else 0 for kind in kinds] + [0]
    film = Film()
    tail: list[Picture] = []
    for kind, before, after, source in zip(kinds, spans[:-1], spans[1:], chosen, strict=True):
        body = int(random.integers(8, 16) if random.random() < 0.1 else random.integers(26, 56))
        shot = _shot(footage, source, size, before + body + after, random)
        trap = str(random.choice(list(TRAPS))) if body >= 30 and random.random() < 0.55 else None
        at = before + int(random.integers(7, max(8, body - 20)))
        length = TRAPS[trap](shot, at, random) if trap is not None else 0
        _join(film, kind, tail, shot[:before], random)
        if kind == "cut" and random.random() < 0.1:  # a frame of both, as converting the rate leaves it
            share = np.float32(random.uniform(0.3, 0.7))
            shot[0] = film.pictures[-1] * (1 - share) + shot[0] * share
        if trap is not None:
            start = len(film.pictures) - before + at
            film.traps.append(Change(trap, start, start + length - 1))
        film.pictures += shot[before : len(shot) - after]
        tail = shot[len(shot) - after :]
    _finish(film, random)
    return film


def _join(film: Film, kind: str, tail: list[Picture], head: list[Picture], random: np.random.Generator) -> None:
    """Add a transition's own frames, and note it."""
    first, span = len(film.pictures), len(head)
    steps = [np.float32((n + 1) / (span + 1)) for n in range(span)]
    if kind == "dissolve":
        film.pictures += [a * (1 - step) + b * step for a, b, step in zip(tail, head, steps, strict=True)]
    elif kind == "fade":
        through = WHITE if random.random() < 0.15 else BLACK
        film.pictures += [a * (1 - step) + through * step for a, step in zip(tail, steps, strict=True)]
        film.pictures += [np.broadcast_to(through, tail[0].shape)] * int(random.integers(1, 9))
        film.pictures += [through * (1 - step) + b * step for b, step in zip(head, steps, strict=True)]
    if kind != "start":
        film.changes.append(Change(kind, first, max(first, len(film.pictures) - 1)))


def _finish(film: Film, random: np.random.Generator) -> None:
    """Some films are dark, some carry a mark in a corner, some begin or end with a fade of eight frames."""
    pictures = film.pictures
    if random.random() < 0.3:
        grade = random.uniform(0.25, 0.6)
        pictures[:] = [expose(picture, grade) for picture in pictures]
    if random.random() < 0.2:
        height, width = pictures[0].shape[:2]
        mark = np.zeros((height, width), np.float32)
        cv2.putText(mark, "MADE", (width - width // 4, height // 8), cv2.FONT_HERSHEY_DUPLEX, width / 400, 0.8, 2)
        pictures[:] = [picture + (WHITE - picture) * mark[..., None] for picture in pictures]
    if random.random() < 0.15:
        pictures[:8] = [expose(picture, n / 8) for n, picture in enumerate(pictures[:8])]
        film.changes.insert(0, Change("fade", 0, 7))
    if random.random() < 0.15:
        pictures[-8:] = [expose(picture, 1 - (n + 1) / 8) for n, picture in enumerate(pictures[-8:])]
        film.changes.append(Change("fade", len(pictures) - 8, len(pictures) - 1))


def write_film(film: Film, path: Path, seed: int) -> None:
    """Encode a film as H.264, at a rate and quality drawn by its seed."""
    random = np.random.default_rng(seed)
    height, width = film.pictures[0].shape[:2]
    pixel_format = PIXEL_FORMATS["yuv420p"]
    with PictureWriter(
        path,
        width=width,
        height=height,
        rate=Fraction(int(random.choice([12, 24, 25, 30]))),
        pixel_format=pixel_format,
        colour=BT709,
        options={"preset": "veryfast", "crf": str(random.integers(16, 31))},
    ) as writer:
        for index, picture in enumerate(film.pictures):
            codes = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
            chroma = cv2.resize(codes[..., 1:], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            planes = (np.ascontiguousarray(codes[..., 0]), *(np.ascontiguousarray(chroma[..., n]) for n in (0, 1)))
            writer.write(Frame(index, index / Fraction(25), planes, pixel_format, BT709))


SIZES = ((640, 360), (480, 270), (360, 640), (432, 432))


def make_films(
    media: Path, scratch: Path, sources: Sequence[Source], count: int, seed: int
) -> Iterator[tuple[Path, Film]]:
    """Yield `count` encoded films with their truth."""
    footage = Footage(media, scratch)
    for number in range(seed, seed + count):
        film = make_film(footage, sources, SIZES[number % len(SIZES)], number)
        path = scratch / f"film{number}.mp4"
        write_film(film, path, number)
        film.pictures.clear()
        yield path, film
