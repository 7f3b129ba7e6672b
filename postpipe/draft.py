"""A draft: the whole job on the beginnings of the takes, in a small size, and what it says of the job in full."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from postpipe.model import Artifact, Clip


@dataclass(frozen=True)
class Draft(Artifact):
    """What a draft sees of the takes, and how large it is; a stage that reads it can be quick about its work.

    `clips`: every take, cut short by its `first_frames` unless all of it is seen. `frames` and `seconds`: how long
    each is by its header; `film_seconds`: how much of it is seen where it is chosen for the film. By path.
    """

    schema: ClassVar[str] = "postpipe.draft.1"
    clips: tuple[Clip, ...]
    frames: dict[str, int]
    seconds: dict[str, Fraction]
    film_seconds: dict[str, Fraction]
    long_edge_px: int


@dataclass(frozen=True)
class Estimate(Artifact):
    """What the job costs in full. Frames are counted by headers and settings, the rest follows from samples.

    `cpu_seconds`: processor time on this machine. `sequence_bytes`: size of the film; `disk_bytes`: of everything
    that a run writes, which holds each picture three times (film, clips, store).
    """

    schema: ClassVar[str] = "postpipe.estimate.1"
    width: int
    height: int
    film_seconds: Fraction
    decoded_look: int
    decoded_render: int
    encoded: int
    cpu_seconds: float
    sequence_bytes: int
    disk_bytes: int
