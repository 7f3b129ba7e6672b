"""What takes go through before they are looked at: the outside tools, each kept without loss in the store."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from postpipe.engine import pack
from postpipe.engine.store import Store, code_digest
from postpipe.errors import ProgramError, TakeError
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.model import Clip, Frame
from postpipe.programs.command import identity
from postpipe.programs.intermediate import CONTAINER, also_written, write_lossless
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
            batches = _KeptBatches(self._store, key)
            with PictureReader(clip) as reader:
                try:
                    frames = _counted(worked_on(name, tool, clip, reader, batches), on_frame)
                    encoded = write_lossless(frames, clip, scratch)
                except ValueError as error:
                    raise ProgramError(f"what {name} made cannot be kept: {error}", "check its settings") from error
                decoded = reader.decoded
            file = self._store.put_unit(key, scratch, CONTAINER)
            batches.discard()
        made = _remade(clip, file, self._store.file_digest(file), tool)
        return made, ToolUse(name, tool.kind, decoded, encoded, made.picture.width, made.picture.height)


class _KeptBatches:
    """Finished batches of a take that is not finished yet, without loss in the store: a killed run goes on there."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._keys: list[str] = []

    def load(self, number: int, given: Sequence[Frame]) -> Iterator[Frame] | None:
        """Return the frames that were made of those given, or `None` where they are not kept."""
        self._keys.append(pack.digest(self._key, "batch", number))
        file = self._store.unit(self._keys[-1], CONTAINER)
        return None if file is None else _read_again(file, given)

    def save(self, number: int, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Yield frames, and keep them when all have come."""
        file = self._store.scratch(f".{CONTAINER}")
        yield from also_written(frames, file)
        self._store.put_unit(pack.digest(self._key, "batch", number), file, CONTAINER)

    def discard(self) -> None:
        """Give back the room of batches that are part of a finished take."""
        for key in self._keys:
            self._store.discard_unit(key, CONTAINER)


def _read_again(file: Path, given: Sequence[Frame]) -> Iterator[Frame]:
    """Yield frames of a file as what was made of those given: with their numbers, times and coding."""
    with PictureReader(probe(file, "")) as reader:
        for frame, own in zip(reader.frames(), given, strict=True):
            yield replace(frame, index=own.index, pts_seconds=own.pts_seconds, colour=own.colour, damaged=own.damaged)


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
    return replace(
        clip,
        container=made.container,
        picture=picture,
        first_frames=None,  # what is seen of the take is all that its tool was given
        start_seconds=None,
        remade=file,
        remade_digest=digest,
    )
