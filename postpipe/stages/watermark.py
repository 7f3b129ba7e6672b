"""A hidden mark for what is delivered: the last thing that is done to a picture before it is encoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta
from postpipe_kernels import spread

from postpipe.delivery import ProjectFormat
from postpipe.engine.stage import Canvas, Filter, Slot, Task
from postpipe.model import Frame
from postpipe.provenance import Action, Assertion, Declared
from postpipe.stages.watermark_code import Cells, encode, payload_bytes

ALGORITHM = "postpipe.spread.1"
"""The name of our hidden mark in manifests."""

Payload = Annotated[
    str,
    Meta(description="hide this in the delivered picture: up to 8 bytes of text, or 0x and 16 digits; empty: nothing"),
]


@dataclass(frozen=True)
class BoundMark:
    """The mark of one delivery, which is the same in every frame: no unit or trim changes it."""

    margin_frames: ClassVar[int] = 0
    payload: bytes

    def apply(self, frames: Iterable[Frame], canvas: Canvas) -> Iterator[Frame]:
        """Yield each frame with its luma marked; chroma is copied."""
        cells: Cells | None = None
        last: tuple[object, Frame] | None = None
        for frame in frames:
            if last is not None and last[0] is frame.planes:  # a repeated frame is marked once
                yield replace(last[1], index=frame.index, pts_seconds=frame.pts_seconds)
                continue
            if cells is None:
                cells = Cells(frame.width, frame.height)
                sides = cells.carrying(encode(self.payload))
                pattern = np.empty(cells.shape, np.float32)
            bits = frame.pixel_format.bits
            spread.draw_mark(cells.small(frame.planes[0], bits), sides, float(1 << (bits - 8)), pattern)
            out = canvas(frame)
            spread.lay_mark(frame.planes[0], pattern, cells.rows, cells.columns, (1 << bits) - 1, out.planes[0])
            for source, target in zip(frame.planes[1:], out.planes[1:], strict=True):
                target[...] = source
            last = (frame.planes, out)
            yield out


def _check(payload: str) -> None:
    if payload:
        payload_bytes(payload)


@dataclass(frozen=True)
class HideMark(Filter):
    """Hide a payload in every delivered frame."""

    id: ClassVar[str] = "watermark"
    summary: ClassVar[str] = "hides a payload in the delivered picture"
    section: ClassVar[str] = "watermark"
    slot: ClassVar[Slot] = Slot.MARK

    payload: Payload = ""

    def __post_init__(self) -> None:
        _check(self.payload)

    def bind(self, project: ProjectFormat) -> BoundMark | None:
        """Return the filter, or `None` where nothing is to be hidden."""
        return BoundMark(payload_bytes(self.payload)) if self.payload else None


@dataclass(frozen=True)
class DeclareMark(Task):
    """Say in manifests what is hidden in the delivery: a mark that is bound to what they say (C2PA 2.2, 18.10)."""

    id: ClassVar[str] = "declare_watermark"
    summary: ClassVar[str] = "the hidden mark of a delivery, as its manifest declares it"
    section: ClassVar[str] = "watermark"
    scope: ClassVar[str] = "project"

    payload: Payload = ""

    def __post_init__(self) -> None:
        _check(self.payload)

    def run(self) -> Declared:
        """Return the action and the soft binding; nothing where nothing is hidden."""
        if not self.payload:
            return Declared()
        action = Action("c2pa.watermarked.bound", "a mark was hidden in every frame", {"algorithm": ALGORITHM})
        value = payload_bytes(self.payload).hex()
        binding = {"alg": ALGORITHM, "blocks": [{"scope": {}, "value": value}]}
        return Declared((action,), (Assertion("c2pa.soft-binding", binding),))


STAGES = (HideMark, DeclareMark)
