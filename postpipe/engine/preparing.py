"""What takes go through before they are looked at: the outside tools, each kept without loss in the store."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from postpipe.engine import pack
from postpipe.engine.store import Store, code_digest
from postpipe.errors import ProgramError, TakeError
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.model import Clip, Frame
from postpipe.programs.command import identity
from postpipe.programs.intermediate import CONTAINER, write_lossless
from postpipe.programs.tooling import worked_on
from postpipe.tools import Prepared, Tool, Toolchain, ToolUse


class Preparing:
    """The tools of one run. `on_frame` is told the number of frames that came back of a take so far."""

    def __init__(self, toolchain: Toolchain, store: Store) -> None:
        self._tools = toolchain.tools
        self._store = store
        self._identity = functools.cache(identity)  # asked once for all takes

    def prepare(self, clip: Clip, on_frame: Callable[[int], None]) -> tuple[Clip, Prepared]:
        """Return a take as its tools make it, and what they did.

        Raises `TakeError` where a tool fails that the take cannot go on without.
        """
        made, uses = clip, []
        for name, tool in self._tools.items():
            try:
                made, use = self._use(name, tool, made, on_frame)
            except ProgramError as error:
                if tool.fallback == "fail":
                    raise TakeError(clip.path, error.fault, error.remedy) from error
                width, height = made.picture.width, made.picture.height
                use = ToolUse(name, tool.kind, 0, 0, width, height, failed=error.fault)
            uses.append(use)
        return made, Prepared(tuple(uses))

    def _use(self, name: str, tool: Tool, clip: Clip, on_frame: Callable[[int], None]) -> tuple[Clip, ToolUse]:
        program = self._identity(name, tool.command, tool.version_arguments)
        key = pack.digest(code_digest(), "outside", program, *_what_it_sees(clip), *_what_counts(tool))
        file = self._store.unit(key, CONTAINER)
        decoded = encoded = 0
        if file is None:
            scratch = self._store.scratch(f".{CONTAINER}")
            with PictureReader(clip) as reader:
                try:
                    frames = _counted(worked_on(name, tool, clip, reader), on_frame)
                    encoded = write_lossless(frames, clip, scratch)
                except ValueError as error:
                    raise ProgramError(f"what {name} made cannot be kept: {error}", "check its settings") from error
                decoded = reader.decoded
            file = self._store.put_unit(key, scratch, CONTAINER)
        made = _remade(clip, file, self._store.file_digest(file), tool)
        return made, ToolUse(name, tool.kind, decoded, encoded, made.picture.width, made.picture.height)


def _what_it_sees(clip: Clip) -> tuple[object, ...]:
    """Return what a tool's outcome depends on of the take, its content and how that is read."""
    return (*clip.content, clip.picture)


def _what_counts(tool: Tool) -> tuple[object, ...]:
    """Return the settings that a tool's pictures depend on."""
    return (tool.kind, tool.command, tool.stream, tool.pixel_format, tool.bits, tool.batch_frames, tool.context_frames,
            tool.suffix, tool.scale, tool.rate)  # fmt: skip


def _counted(frames: Iterator[Frame], on_frame: Callable[[int], None]) -> Iterator[Frame]:
    for number, frame in enumerate(frames, 1):
        yield frame
        on_frame(number)


def _remade(clip: Clip, file: Path, digest: str, tool: Tool) -> Clip:
    """Return the take with the pictures of another file. Its sound, name and start timecode stay."""
    made = probe(file, digest)
    picture = replace(
        made.picture,
        pixel_aspect=clip.picture.pixel_aspect,
        colour=replace(made.picture.colour, guessed=clip.picture.colour.guessed),
        rate=tool.rate or clip.picture.rate,
    )
    return replace(clip, container=made.container, picture=picture, remade=file, remade_digest=digest)
