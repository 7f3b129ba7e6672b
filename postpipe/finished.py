"""Finished files: what waits to be signed, and what was delivered."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from postpipe.delivery import OutputFile
from postpipe.model import Artifact
from postpipe.provenance import Credentials

UNSIGNED = ".postpipe/unsigned"
"""Where finished files wait below OUT until they are signed, or delivered as they are."""


@dataclass(frozen=True)
class FinishedClip(Artifact):
    """The finished picture and sound of one selected take with its handles, not signed yet.

    `warnings` are sentences about places where its sound was missing or damaged, and silence was put in.
    """

    schema: ClassVar[str] = "postpipe.finished-clip.1"
    files: tuple[OutputFile, ...]
    frames: int
    sound_samples: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ClipFile(Artifact):
    """The delivered file of one selected take, `clips/<stem>.mp4`, and what it says of itself."""

    schema: ClassVar[str] = "postpipe.clip-file.2"
    files: tuple[OutputFile, ...]
    frames: int
    credentials: Credentials
    warnings: tuple[str, ...]

    @property
    def final(self) -> bool:
        """Whether there is nothing to try again."""
        return self.credentials.problem is None


@dataclass(frozen=True)
class Film(Artifact):
    """The joined sequence, not signed yet; `files` is empty where each scene is delivered on its own.

    `loudness_lufs` and `true_peak_dbtp` are `None` where there is only silence.
    """

    schema: ClassVar[str] = "postpipe.film.1"
    files: tuple[OutputFile, ...]
    frames: int
    rate: Fraction
    audio_samples: int
    loudness_lufs: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True)
class Sequence(Artifact):
    """The delivered sequence, and what it says of itself; `files` as in `Film`."""

    schema: ClassVar[str] = "postpipe.sequence.2"
    files: tuple[OutputFile, ...]
    film: Film
    credentials: Credentials

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.film.frames

    @property
    def final(self) -> bool:
        """Whether there is nothing to try again."""
        return self.credentials.problem is None
