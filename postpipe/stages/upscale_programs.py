"""Upscalers that are programs of the user's: `pipe` and `frames`."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import InitVar, dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar, Literal

from postpipe.engine.stage import Canvas
from postpipe.errors import FilterFailed, ProgramError, SettingsError
from postpipe.model import ColourSpec, Frame, PixelFormat
from postpipe.programs import command as commands
from postpipe.programs import process
from postpipe.programs.folders import Batches, through_folders
from postpipe.programs.pipe import Stream, through_pipe
from postpipe.programs.wire import Shape
from postpipe.stages.upscaling import FIX, NAME, Enlargement, UpscaleSettings
from postpipe.timing import format_rate

BATCH_FRAMES = 16
"""Pictures that lie on the disk, and in memory, at once."""


@dataclass(frozen=True)
class ProgramUpscaler:
    """A program that enlarges pictures one by one. `program` is a digest of it: see `programs.command.identity`.

    `given` and `size` are width and height of what goes in and comes out, `layout` is that of the frames, and `stream`
    and `wire` say how they go through a pipe. The time limit changes no picture, so that it is no field.
    """

    margin_frames: ClassVar[int] = 0
    kind: Literal["pipe", "frames"]
    command: tuple[str, ...]
    program: str
    given: tuple[int, int]
    size: tuple[int, int]
    layout: PixelFormat
    stream: Literal["rawvideo", "y4m"]
    wire: str
    colour: ColourSpec
    scale: Fraction
    rate: Fraction
    timeout_seconds: InitVar[float]

    def __post_init__(self, timeout_seconds: float) -> None:
        object.__setattr__(self, "_timeout_seconds", timeout_seconds)

    def enlarge(self, frames: Iterable[Frame], canvas: Canvas) -> Generator[Frame, None, None]:
        """Yield the frames that the program gives. Raises `FilterFailed` in its words."""
        try:
            yield from self._piped(frames) if self.kind == "pipe" else self._in_folders(frames)
        except ProgramError as error:
            raise FilterFailed(FIX, error.fault, error.remedy) from error

    def _piped(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        stream = Stream(
            kind=self.stream,
            given=Shape(*self.given, self.wire),
            taken=Shape(*self.size, self.wire),
            rate=self.rate,
            one_to_one=True,
            timeout_seconds=self._limit,
        )
        with process.workplace(NAME) as folder:
            yield from through_pipe(NAME, self._argv(pixel_format=self.wire), folder, frames, stream)

    def _in_folders(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        batches = Batches(
            frames=BATCH_FRAMES,
            context=0,
            bits=8 if self.layout.bits == 8 else 16,
            size=self.size,
            layout=self.layout,
            timeout_seconds=self._limit,
        )
        yield from through_folders(NAME, self._with_paths, frames, batches)

    def _with_paths(self, given: Path, back: Path, frames: int) -> list[str]:
        return self._argv(input=given, output=back, frames=frames)

    def _argv(self, **places: object) -> list[str]:
        (width, height), (out_width, out_height) = self.given, self.size
        values = {
            "width": width,
            "height": height,
            "out_width": out_width,
            "out_height": out_height,
            "scale": f"{float(self.scale):g}",
            "rate": format_rate(self.rate),
            "matrix": self.colour.matrix,
            "range": self.colour.range,
        }
        return commands.fill(self.command, {**values, **places})

    @property
    def _limit(self) -> float:
        return float(vars(self)["_timeout_seconds"])


def pipe(wanted: Enlargement, settings: UpscaleSettings) -> ProgramUpscaler:
    """Return the upscaler `kind = "pipe"`."""
    return _made("pipe", wanted, settings)


def frames(wanted: Enlargement, settings: UpscaleSettings) -> ProgramUpscaler:
    """Return the upscaler `kind = "frames"`."""
    return _made("frames", wanted, settings)


def _made(kind: Literal["pipe", "frames"], wanted: Enlargement, settings: UpscaleSettings) -> ProgramUpscaler:
    """Return the upscaler: of the size that is wanted where its command names it, else `scale` times as large."""
    paths = ("input", "output")
    never = ("take", "out_rate")
    try:
        if kind == "pipe":
            commands.check_places(settings.command, (), (*paths, "frames", *never))
        else:
            commands.check_places(settings.command, paths, ("pixel_format", *never))
    except ValueError as error:
        raise SettingsError([f"[upscale] {error}"]) from error
    told = any("{out_width}" in part or "{out_height}" in part for part in settings.command)
    size = wanted.target_width, wanted.target_height
    if not told:
        size = int(wanted.width * wanted.scale), int(wanted.height * wanted.scale)
    return ProgramUpscaler(
        kind=kind,
        command=settings.command,
        program=settings.program,
        given=(wanted.width, wanted.height),
        size=size,
        layout=wanted.pixel_format,
        stream=settings.stream,
        wire=settings.pixel_format or wanted.pixel_format.name,
        colour=wanted.colour,
        scale=wanted.scale,
        rate=wanted.rate,
        timeout_seconds=settings.timeout_seconds,
    )
