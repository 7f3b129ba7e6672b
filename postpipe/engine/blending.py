"""Transitions: the ends of two takes, laid over each other and encoded for delivery."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from postpipe_kernels.blend import blend_planes

from postpipe.delivery import Encoding, ProjectFormat
from postpipe.engine.passes import open_writer
from postpipe.media.frames import allocate, allocate_like
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.model import Frame


def render_blend(
    outgoing: Path | None,
    incoming: Path | None,
    frames: int,
    target: ProjectFormat,
    encoding: Encoding,
    path: Path,
    check: Callable[[], None],
) -> None:
    """Write a transition of `frames` frames between two lossless pieces to `path`; `None` is black.

    The weight of the incoming picture goes from 1/(n+1) to n/(n+1), so that neither end repeats a pure frame.
    Pictures are mixed as they are coded (gamma-encoded Y'CbCr), as editing programs do.
    """
    with contextlib.ExitStack() as stack:
        ends = [_end_frames(stack, piece, target) for piece in (outgoing, incoming)]
        writer = stack.enter_context(open_writer(target, encoding, path))
        for number, (under, over) in enumerate(itertools.islice(zip(*ends, strict=False), frames)):
            check()
            mixed = allocate_like(over if incoming else under)
            weight = (number + 1) / (frames + 1)
            for planes in zip(under.planes, over.planes, mixed.planes, strict=True):
                blend_planes(planes[0], planes[1], weight, planes[2])
            writer.write(mixed)


def _end_frames(stack: contextlib.ExitStack, piece: Path | None, target: ProjectFormat) -> Iterator[Frame]:
    if piece is not None:
        return stack.enter_context(PictureReader(probe(piece, ""))).frames()
    black = allocate(target.pixel_format, target.width, target.height, colour=target.colour)
    for plane, level in zip(black.planes, (16, 128, 128), strict=True):
        plane[...] = level << (target.pixel_format.bits - 8)
    return itertools.repeat(black)
