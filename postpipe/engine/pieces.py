"""Where a take is cut into the files that are rendered, stored and joined."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from postpipe.delivery import TimeMap
from postpipe.edit import Blend


@dataclass(frozen=True, slots=True)
class Piece:
    """Delivered frames `start` to `end` (exclusive) of a take, as one file.

    Encoded for delivery; or the source's own packets, copied; or lossless, finished frames that wait to be laid
    over another take's.
    """

    start: int
    end: int
    kind: Literal["encoded", "copied", "lossless"] = "encoded"


def unit_starts(frames: int, rate: Fraction, unit_seconds: Fraction) -> tuple[int, ...]:
    """Split `frames` into units of about `unit_seconds`; a remainder shorter than half a unit joins the last."""
    length = max(1, round(unit_seconds * rate))
    starts = list(range(0, frames, length))
    if len(starts) > 1 and frames - starts[-1] < length / 2:
        starts.pop()
    return (*starts, frames)


def cut_into_pieces(
    time_map: TimeMap, path: Path, unit_seconds: Fraction, blends: Iterable[Blend], groups: Sequence[int] = ()
) -> list[Piece]:
    """Return the pieces of a take: units for delivery, and the ends that it shares with its neighbours.

    Units begin where those of the whole take do, so that another trim renders only what it touches, and
    wherever the film goes from one take's own frames to those of a transition, or to a handle. `groups`: the
    frames between which the source may be copied.
    """
    ends = [
        Piece(first, first + blend.frames, "lossless")
        for blend in blends
        for of, first in filter(None, (blend.outgoing, blend.incoming))
        if of == path
    ]
    rendered = time_map.rendered
    edges = {rendered.start, rendered.stop, time_map.first, time_map.end}
    edges |= {edge for end in ends for edge in (end.start, end.end)}
    grid = unit_starts(time_map.cadence.frames, time_map.rate, unit_seconds)
    pieces: list[Piece] = []
    for start, end in itertools.pairwise(sorted(edges)):
        whole = [edge for edge in (*groups, time_map.cadence.frames) if start <= edge <= end] if groups else []
        for piece in (
            [Piece(start, whole[0]), Piece(whole[0], whole[-1], "copied"), Piece(whole[-1], end)]
            if len(whole) > 1
            else [Piece(start, end)]
        ):
            if piece.kind == "copied":
                pieces.append(piece)
            else:
                inside = [piece.start, *(cut for cut in grid if piece.start < cut < piece.end), piece.end]
                pieces += [Piece(*span) for span in itertools.pairwise(inside) if span[0] < span[1]]
    return [*pieces, *ends]
