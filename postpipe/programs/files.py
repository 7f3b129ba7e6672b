"""A program that reads one file and writes another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from postpipe.errors import TakeError
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.model import Clip, Frame
from postpipe.programs import process
from postpipe.programs.intermediate import write_lossless


def through_file(
    name: str,
    command: Callable[[Path, Path, int], list[str]],
    frames: Iterable[Frame],
    clip: Clip,
    suffix: str,
    timeout_seconds: float,
) -> Iterator[Frame]:
    """Yield the frames of the file that a program makes of `frames`, with the numbers and times that it gives them.

    `command(input, output, number of frames)` are its arguments. It is given a lossless H.264 file without sound, not
    the take itself, which nothing can write into that way. Where its output does not say its coding, that of `clip` is
    taken. Raises `ProgramError`, and whatever `frames` raises.
    """
    with process.workplace(name) as folder:
        given, back = folder / "in.mp4", folder / f"out{suffix}"
        count = write_lossless(frames, clip, given)
        with process.Process(name, command(given, back, count), folder, piped=False) as running:
            running.wait(timeout_seconds, "finished")
            if not back.is_file():
                raise running.fault("wrote no file", "it has to write the file {output}")
            try:
                made = _like(probe(back, ""), clip)
                with PictureReader(made) as reader:
                    yield from reader.frames()
            except TakeError as error:
                raise running.fault(f"wrote a file that cannot be used: {error.fault}") from error


def _like(made: Clip, clip: Clip) -> Clip:
    """Return a program's clip with the coding of the take where it does not say its own."""
    colour = made.picture.colour
    if not colour.guessed:
        return made
    known = {field: getattr(clip.picture.colour, field) for field in colour.guessed}
    return replace(made, picture=replace(made.picture, colour=replace(colour, **known, guessed=())))
