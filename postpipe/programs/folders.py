"""A program that reads a folder of pictures and writes another, batch by batch: never the whole take on the disk."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from postpipe.errors import ProgramError
from postpipe.media.images import READABLE, encode_image, frame_pixels, read_image
from postpipe.model import Frame, PixelFormat
from postpipe.programs import process, wire
from postpipe.timing import natural_key


@dataclass(frozen=True)
class Batches:
    """How frames are handed over: PNG of `bits` per sample, `frames` of them in a batch besides the context.

    `size` is that of the pictures that come back, `layout` what they are made into. A batch has `context` frames more
    at either side, where there are any, of which what comes back is left.
    """

    frames: int
    context: int
    bits: Literal[8, 16]
    size: tuple[int, int]
    layout: PixelFormat
    timeout_seconds: float


class Kept(Protocol):
    """Where finished batches are kept, by their numbers, until all are done."""

    def load(self, number: int, given: Sequence[Frame]) -> Iterator[Frame] | None:
        """Return the frames that were made of those given, or `None` where they are not kept."""

    def save(self, number: int, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Yield frames, and keep them when all have come."""


def through_folders(
    name: str,
    command: Callable[[Path, Path, int], list[str]],
    frames: Iterable[Frame],
    batches: Batches,
    kept: Kept | None = None,
) -> Iterator[Frame]:
    """Yield what a program makes of `frames`, in order, with their numbers and times.

    `command(input, output, number of pictures)` are its arguments for a batch. Pictures are told apart by the numbers
    in their names, in order: as many have to come back. What it leaves unchanged has the samples of the frame that it
    was given. Batches that are `kept` are not made again. Raises `ProgramError`, and whatever
    `frames` raises.
    """
    source = iter(frames)
    before: list[Frame] = []
    ahead = list(itertools.islice(source, batches.frames + batches.context))
    for number in itertools.count():
        if not ahead:
            return
        batch, after = ahead[: batches.frames], ahead[batches.frames :]
        made = kept.load(number, batch) if kept is not None else None
        if made is None:
            made = _batch(name, command, (before, batch, after), batches)
            made = kept.save(number, made) if kept is not None else made
        yield from made
        before = [*before, *batch][-batches.context :] if batches.context else []
        ahead = [*after, *itertools.islice(source, batches.frames + batches.context - len(after))]


def _batch(
    name: str,
    command: Callable[[Path, Path, int], list[str]],
    frames: tuple[list[Frame], list[Frame], list[Frame]],
    batches: Batches,
) -> Iterator[Frame]:
    """Yield what the program makes of the second of three stretches of frames, of which it is shown all."""
    shown = [*itertools.chain(*frames)]
    wanted = slice(len(frames[0]), len(frames[0]) + len(frames[1]))
    with process.workplace(name) as folder:
        given, back = folder / "in", folder / "out"
        _hand_over(name, shown, batches.bits, given, back)
        with process.Process(name, command(given, back, len(shown)), folder, piped=False) as running:
            running.wait(batches.timeout_seconds, f"finished {len(shown)} pictures")
            pictures = _found(running, back, shown)
        for frame, picture in zip(shown[wanted], pictures[wanted], strict=True):
            yield _take_back(running, frame, picture, batches)


def _hand_over(name: str, frames: list[Frame], bits: Literal[8, 16], given: Path, back: Path) -> None:
    try:
        given.mkdir()
        back.mkdir()
        for number, frame in enumerate(frames):
            picture = encode_image(frame_pixels(frame, bits), "png", frame.colour)
            (given / f"frame_{number:06}.png").write_bytes(picture)
            process.check_for_stop()
    except OSError as error:
        raise ProgramError(
            f"pictures for {name} cannot be written ({error.filename}: {error.strerror})",
            "make room for a batch, or keep the store elsewhere (--store)",
        ) from error


def _found(running: process.Process, folder: Path, given: list[Frame]) -> list[Path]:
    """Return the pictures that came back, in order. Raises `ProgramError` unless there is one for each."""
    try:
        entries = [entry for entry in folder.iterdir() if entry.suffix.lower() in READABLE]
    except OSError as error:
        raise running.fault(f"took its folder of pictures away ({error.strerror})") from error
    if len(entries) != len(given):
        raise running.fault(
            f"gave {len(entries)} pictures, and was given {len(given)}",
            "it has to write one picture for each into {output}, named alike or numbered in order",
        )
    return sorted(entries, key=lambda path: natural_key(path.name))


def _take_back(running: process.Process, own: Frame, picture: Path, batches: Batches) -> Frame:
    try:
        pixels = read_image(picture)
    except ValueError as error:
        raise running.fault(f"gave {picture.name}, which cannot be read ({error})") from error
    height, width = pixels.shape[:2]
    if (width, height) != batches.size:
        expected = "{} × {}".format(*batches.size)
        raise running.fault(
            f"gave {picture.name} of {width} × {height} where {expected} is expected", "check its scale"
        )
    made = wire.taken_back(pixels, own, batches.layout, own.colour)
    made.index, made.pts_seconds, made.damaged, made.notes = own.index, own.pts_seconds, own.damaged, own.notes
    return made
