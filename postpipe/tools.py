"""Outside tools: programs of the user's that make new pictures of a take, before anything else looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from postpipe.model import Artifact

FINISH = "finish"
"""How the report calls the tools that what is delivered goes through."""

WireFormat = Literal[
    "yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le",
    "rgb24", "bgr24", "rgb48le", "bgr48le", "rgbf32le",
]  # fmt: skip
"""Layouts of pictures in a pipe, as libav names them (`rgbf32le`: red, green, blue from 0 to 1)."""

Version = Annotated[
    tuple[str, ...],
    Meta(description='arguments with which it prints its version: ["-version"]; another version runs again'),
]
StreamKind = Annotated[
    Literal["rawvideo", "y4m"], Meta(description="pipe: bare pictures, or YUV4MPEG2, which says their size")
]
PipeFormat = Annotated[
    WireFormat | None, Meta(description="pipe: the layout of pictures, as libav names it; unset: their own")
]


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one program is run: a table `[outside.NAME]`."""

    kind: Annotated[
        Literal["pipe", "frames", "file"],
        Meta(
            description="how it is fed: pipe: frames on its standard input, and back on its standard output; "
            "frames: a folder of pictures, batch by batch; file: one file"
        ),
    ] = "pipe"
    slot: Annotated[
        Literal["source", "finish"],
        Meta(
            description="source: every take goes through it before anything looks at it; finish: what is delivered "
            "does, while it is rendered, after its colours (pipe and frames, of the same size and rate)"
        ),
    ] = "source"
    command: Annotated[
        tuple[str, ...],
        Meta(description='the program and its arguments, a list with {places}: ["program", "{input}", "{output}"]'),
    ] = ()
    version_arguments: Version = ()
    stream: StreamKind = "rawvideo"
    pixel_format: PipeFormat = None
    bits: Annotated[
        Literal[0, 8, 16], Meta(description="frames: bits per sample of the PNG; 0: 8, and 16 for 10-bit takes")
    ] = 0
    batch_frames: Annotated[int, Meta(ge=1, le=10000, description="frames: pictures that lie on the disk at once")] = 32
    context_frames: Annotated[
        int,
        Meta(ge=0, le=1000, description="frames: neighbours that a batch is shown at either side"),
    ] = 0
    suffix: Annotated[
        str, Meta(pattern=r"^\.[A-Za-z0-9]{1,8}$", description="file: what the name of its output ends in")
    ] = ".mp4"
    scale: Annotated[
        float, Meta(gt=0, le=16, description="how many times wider and higher its pictures are than those it is given")
    ] = 1.0
    rate: Annotated[
        Fraction | None,
        Meta(description="pipe, file: frames per second of what it gives, for interpolators; unset: one for each"),
    ] = None
    timeout_seconds: Annotated[
        float, Meta(gt=0, description="longest wait for the next frame (pipe), a batch (frames), the whole take (file)")
    ] = 600.0
    fallback: Annotated[
        Literal["fail", "leave"],
        Meta(description="a take on which it fails is skipped (fail), or goes on as it was, with a warning (leave)"),
    ] = "fail"


@dataclass(frozen=True)
class Toolchain(Artifact):
    """The outside tools of a plan by name, in the order in which each take goes through them.

    `finishing` are the names of those that what is delivered goes through.
    """

    schema: ClassVar[str] = "postpipe.toolchain.2"
    tools: dict[str, Tool]
    finishing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolUse:
    """What one tool did to one take: the passes over its pictures, in frames, in this run (0: the store had it).

    `decoded` and `encoded` count what went to the tool and what was kept of it, besides one copy for a tool that reads
    a file. `failed` says why its pictures are not used.
    """

    tool: str
    kind: str
    decoded: int
    encoded: int
    width: int
    height: int
    failed: str | None = None


@dataclass(frozen=True)
class Prepared(Artifact):
    """What became of a take before it was looked at."""

    schema: ClassVar[str] = "postpipe.prepared.1"
    uses: tuple[ToolUse, ...]

    def summary(self) -> list[dict[str, Any]]:
        """Return what each tool did, in order."""
        return [
            {
                "tool": use.tool,
                "kind": use.kind,
                "decoded": use.decoded,
                "encoded": use.encoded,
                "size": f"{use.width}x{use.height}",
                "failed": use.failed,
            }
            for use in self.uses
        ]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about tools that failed, where the take goes on without them."""
        return tuple(f"{use.failed}; the take goes on as it was" for use in self.uses if use.failed)
