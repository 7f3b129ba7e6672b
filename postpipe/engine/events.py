"""What a run tells while it works. The command line turns events into a bar or JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["pass", "progress", "skipped", "warning", "compile", "done"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    `kind`: a pass begins (`total` is its number of frames), `progress` within it (`done` frames of file
    `name`), a take is `skipped`, a `warning`, kernels are compiled, or the run is `done`.
    """

    kind: Kind
    phase: str = ""
    name: str = ""
    done: int = 0
    total: int = 0
    message: str = ""


Listener = Callable[[Event], None]
