"""A tool at work: frames in, frames out, by whichever way it is fed, and checks of what it gives."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from postpipe.errors import ProgramError
from postpipe.media.read import PictureReader
from postpipe.model import PIXEL_FORMATS, Clip, ColourSpec, Frame, PixelFormat
from postpipe.programs import command as commands
from postpipe.programs import process
from postpipe.programs.files import through_file
from postpipe.programs.folders import Batches, Kept, through_folders
from postpipe.programs.intermediate import even_size
from postpipe.programs.pipe import Stream, through_pipe
from postpipe.programs.wire import Shape
from postpipe.timing import format_rate, round_half_up
from postpipe.tools import Tool


def check(tool: Tool) -> None:
    """Raise `ValueError`, beginning with the key, for settings that do not go together."""
    paths = ("input", "output")
    if tool.kind == "pipe":
        commands.check_places(tool.command, (), (*paths, "frames"))
    else:
        commands.check_places(tool.command, paths, ("pixel_format",))
    if tool.stream == "y4m" and tool.pixel_format and tool.pixel_format not in PIXEL_FORMATS:
        raise ValueError(f"pixel_format = {tool.pixel_format!r}: y4m holds YCbCr alone; take stream = 'rawvideo'")
    if tool.kind == "frames" and tool.rate is not None:
        raise ValueError("rate: a batch of frames keeps its number; a tool that adds some has to be a pipe or a file")
    if tool.slot == "finish" and (tool.kind == "file" or tool.scale != 1 or tool.rate is not None):
        raise ValueError('slot = "finish": a delivered picture has its size and rate, and is no file yet')


def worked_on(name: str, tool: Tool, clip: Clip, reader: PictureReader, kept: Kept | None = None) -> Iterator[Frame]:
    """Yield the frames of a take as a tool makes them, even in size, all checked: number, size, times.

    Frames come with the times of those that they are made of; where `tool.rate` is another, they follow each other
    evenly from the take's first on, and the last is shown again where the tool leaves out what lies behind the last of
    its own. Raises `ProgramError` for anything that does not fit, `TakeError` for a take that cannot be decoded.
    """
    work = _Work(name, tool, clip, reader)
    made = work.made(kept)
    return work.evenly(made, tool.rate) if tool.rate is not None else work.one_to_one(made)


@dataclass(frozen=True)
class Handed:
    """The pictures that a tool is given, as far as it has to know: size in pixels, layout, coding, rate, whose."""

    width: int
    height: int
    layout: PixelFormat
    colour: ColourSpec
    rate: Fraction
    take: str

    def out_size(self, tool: Tool) -> tuple[int, int]:
        """Return width and height of what the tool has to give."""
        scale = Fraction(str(tool.scale))
        return int(self.width * scale), int(self.height * scale)

    def argv(self, tool: Tool, **places: object) -> list[str]:
        """Return the tool's command with its places filled in."""
        out_width, out_height = self.out_size(tool)
        values = {
            "width": self.width,
            "height": self.height,
            "out_width": out_width,
            "out_height": out_height,
            "scale": f"{tool.scale:g}",
            "rate": format_rate(self.rate),
            "out_rate": format_rate(tool.rate or self.rate),
            "matrix": self.colour.matrix,
            "range": self.colour.range,
            "take": self.take,
        }
        return commands.fill(tool.command, {**values, **places})

    def with_paths(self, tool: Tool, given: Path, back: Path, frames: int) -> list[str]:
        """Return the command of a tool that reads `given`, which holds so many frames, and writes `back`."""
        return self.argv(tool, input=given, output=back, frames=frames)


def fed(name: str, tool: Tool, handed: Handed, frames: Iterable[Frame], kept: Kept | None = None) -> Iterator[Frame]:
    """Yield what a tool on a pipe, or on folders, makes of `frames`. Raises `ProgramError`."""
    name = f"the outside tool {name}"
    if tool.kind == "pipe":
        layout = tool.pixel_format or handed.layout.name
        stream = Stream(
            kind=tool.stream,
            given=Shape(handed.width, handed.height, layout),
            taken=Shape(*handed.out_size(tool), layout),
            rate=handed.rate,
            one_to_one=tool.rate is None,
            timeout_seconds=tool.timeout_seconds,
        )
        with process.workplace(name) as folder:
            yield from through_pipe(name, handed.argv(tool, pixel_format=layout), folder, frames, stream)
    else:
        batches = Batches(
            frames=tool.batch_frames,
            context=tool.context_frames,
            bits=(8 if handed.layout.bits == 8 else 16) if tool.bits == 0 else tool.bits,
            size=handed.out_size(tool),
            layout=handed.layout,
            timeout_seconds=tool.timeout_seconds,
        )
        yield from through_folders(name, functools.partial(handed.with_paths, tool), frames, batches, kept)


class _Work:
    """One tool on one take; keeps the times of what it was given."""

    def __init__(self, name: str, tool: Tool, clip: Clip, reader: PictureReader) -> None:
        self._name = name
        self._tool = tool
        self._clip = clip
        self._reader = reader
        self._given: list[Fraction] = []
        picture = clip.picture
        size = picture.width & ~1, picture.height & ~1
        self._handed = Handed(*size, picture.pixel_format, picture.colour, picture.rate, clip.path.stem)

    def made(self, kept: Kept | None) -> Iterator[Frame]:
        """Yield what comes back, unchecked but for its size; finished batches may be `kept`."""
        tool = self._tool
        if tool.kind == "file":
            handed, name = self._handed, f"the outside tool {self._name}"
            command = functools.partial(handed.with_paths, tool)
            yield from through_file(name, command, self._frames(), self._clip, tool.suffix, tool.timeout_seconds)
        else:
            yield from fed(self._name, tool, self._handed, self._frames(), kept)

    def one_to_one(self, made: Iterator[Frame]) -> Iterator[Frame]:
        """Yield one frame for each that was given, with its time."""
        count = 0
        first = Fraction(0)
        for frame in made:
            if count >= len(self._given):
                raise self._fault(f"gave more than the {count} frames that it was given")
            first = first if count else frame.pts_seconds
            time = self._given[count]
            self._check(frame, count, first, time - self._given[0])
            yield replace(frame, index=count, pts_seconds=time)
            count += 1
        if count != len(self._given):
            raise self._fault(f"gave {count} frames, and was given {len(self._given)}")

    def evenly(self, made: Iterator[Frame], rate: Fraction) -> Iterator[Frame]:
        """Yield frames at another rate: as many as the take lasts.

        The tool may leave out those of the last two frames that it was given, which it has little to make them from:
        its last one is shown for them.
        """
        count, last, first = 0, None, Fraction(0)
        for frame in made:
            last, first = frame, first if count else frame.pts_seconds
            if count >= self._lasting(len(self._given) + 1, rate):
                raise self._fault(f"gives more than {count} frames of {len(self._given)}")
            self._check(frame, count, first, count / rate)
            yield replace(frame, index=count, pts_seconds=self._given[0] + count / rate)
            count += 1
        frames = len(self._given)
        least, most = self._lasting(frames - 2, rate), self._lasting(frames, rate)
        if self._tool.kind == "pipe" and not self._even():
            raise self._fault("cannot be told when frames are shown, and those of this take come at varying times")
        if last is None or not least <= count <= most:
            raise self._fault(f"gave {count} frames of {frames}, and {most} at {format_rate(rate)} last as long")
        for number in range(count, most):
            yield replace(last, index=number, pts_seconds=self._given[0] + number / rate)

    def _lasting(self, frames: int, rate: Fraction) -> int:
        """Return how many frames at `rate` last as long as so many of the take."""
        return max(1, round_half_up(frames * self._interval() * rate))

    def _interval(self) -> Fraction:
        spans = len(self._given) - 1
        return (self._given[-1] - self._given[0]) / spans if spans else 1 / self._clip.picture.rate

    def _even(self) -> bool:
        interval = self._interval()
        expected = (self._given[0] + number * interval for number in range(len(self._given)))
        return all(abs(time - even) < interval / 2 for time, even in zip(self._given, expected, strict=True))

    def _check(self, frame: Frame, number: int, first: Fraction, due: Fraction) -> None:
        """Raise `ProgramError` for a frame of another size, or one that its file shows at another time."""
        size = self._handed.out_size(self._tool)
        if (frame.width, frame.height) != size:
            found, expected = (f"{width} × {height}" for width, height in ((frame.width, frame.height), size))
            raise self._fault(f"gave pictures of {found}, and {expected} are expected", "check its scale")
        shown = frame.pts_seconds - first
        if self._tool.kind == "file" and abs(shown - due) > self._interval():
            raise self._fault(f"shows frame {number} at {float(shown):.3f} s, and it is due at {float(due):.3f} s")

    def _frames(self) -> Iterator[Frame]:
        for frame in even_size(self._reader.frames()):
            self._given.append(frame.pts_seconds)
            yield frame

    def _fault(self, text: str, remedy: str = "try its command by hand, or check its settings") -> ProgramError:
        return ProgramError(f"the outside tool {self._name} {text}", remedy)
