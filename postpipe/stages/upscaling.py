"""What an upscaler is: the contract between `[upscale]` and whatever enlarges pictures, built in or a plug-in.

An entry point of the group `postpipe.upscalers` has the name of its `kind` and leads to a function that makes an
upscaler for one take:

    def make(wanted: Enlargement, settings: UpscaleSettings) -> Upscaler: ...
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Protocol

from msgspec import Meta

from postpipe.engine.stage import Canvas
from postpipe.model import Artifact, ColourSpec, Frame, PixelFormat
from postpipe.programs.command import identity_if_there
from postpipe.tools import PipeFormat, StreamKind, Version

FIX = "upscale"
"""Its name in `--only` and in `FilterFailed`."""

NAME = "the upscaler"
"""What it is called in messages."""

UPSCALERS = "postpipe.upscalers"
"""The group of entry points."""

Scale = Annotated[
    Annotated[float, Meta(ge=1, le=16)] | Literal["off"],
    Meta(
        description="how many times larger than the footage the film is, where [project] size does not say; "
        "a program is asked for this, or for the next whole number that is enough; off: small takes are only fitted"
    ),
]


@dataclass(frozen=True)
class Enlarging(Artifact):
    """By how much a film is larger than its footage, where its size is not said."""

    schema: ClassVar[str] = "postpipe.enlarging.1"
    scale: Fraction


@dataclass(frozen=True, slots=True)
class Enlargement:
    """What an upscaler is asked for, for one take.

    Frames come with `width`×`height` pixels in `pixel_format` and `colour`, `rate` of them a second. At
    `target_width`×`target_height` (both even), in `target_format` (of the same bits), nothing has to be resampled after
    it; an upscaler that cannot give just that gives another size, which is then fitted. `scale` is what one that
    works in whole factors is asked for: `[upscale] scale`, or the least whole number that is enough.
    """

    width: int
    height: int
    pixel_format: PixelFormat
    colour: ColourSpec
    rate: Fraction
    target_width: int
    target_height: int
    target_format: PixelFormat
    scale: Fraction


class Upscaler(Protocol):
    """Enlarges the pictures of one take. A frozen dataclass: its content is part of the render's key."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what it gives, in pixels: known before the first frame."""

    @property
    def margin_frames(self) -> int:
        """Frames before and after one that its picture depends on; 0 for one that looks at single pictures."""

    def enlarge(self, frames: Iterable[Frame], canvas: Canvas) -> Generator[Frame, None, None]:
        """Yield one enlarged frame for each, in order, with its index, time, bits and colour.

        It may read ahead by a bounded number of frames. Number, order, size and layout are checked by who calls.
        It is closed when no more is wanted: end programs and remove files in a `finally`.
        Raises `FilterFailed` where it cannot go on.
        """


@dataclass(frozen=True)
class UpscaleSettings:
    """The keys of `[upscale]`."""

    scale: Scale = 1.0
    kind: Annotated[
        str,
        Meta(
            description="lanczos, sharp: built in, the second keeps edges sharp; onnx: a model; pipe, frames: a "
            "program; or the name of a plug-in"
        ),
    ] = "sharp"
    command: Annotated[tuple[str, ...], Meta(description="pipe, frames: the program and its arguments, a list")] = ()
    timeout_seconds: Annotated[
        float, Meta(gt=0, description="pipe, frames: how long a program may give no sign of life")
    ] = 600.0
    version_arguments: Version = ()
    stream: StreamKind = "rawvideo"
    pixel_format: PipeFormat = None
    fallback: Annotated[
        Literal["fail", "built-in"],
        Meta(
            description="what becomes of a take whose upscaler fails or makes it worse. fail: it is left out, or "
            "delivered with a warning; built-in: it is enlarged by plain resampling instead"
        ),
    ] = "fail"
    model: Annotated[str, Meta(description="onnx: the model's file")] = ""
    model_input: Annotated[
        Literal["rgb", "bgr", "luma"],
        Meta(description="onnx: what it takes and gives: R'G'B', B'G'R', or Y' alone, with chroma resampled"),
    ] = "rgb"
    model_range: Annotated[
        Literal["0 to 1", "0 to 255", "-1 to 1"], Meta(description="onnx: what black and white are to it")
    ] = "0 to 1"
    tile_px: Annotated[
        int, Meta(ge=16, le=4096, description="onnx: side of the tiles that a model of any size gets")
    ] = 256
    overlap_px: Annotated[
        int,
        Meta(ge=0, le=512, description="onnx: what is thrown away at each side of a tile: as far as the model looks"),
    ] = 16

    @cached_property
    def program(self) -> str:
        """A digest of the program of `command`, asked once for all takes."""
        return identity_if_there(NAME, self.command, self.version_arguments)


Make = Callable[[Enlargement, UpscaleSettings], Upscaler]
"""What an entry point leads to. Raises `SettingsError` for settings that do not fit."""
