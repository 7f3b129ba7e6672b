"""Takes with looks that a test chooses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest

from postpipe.engine import settings as engine_settings
from postpipe.engine.stage import Task
from postpipe.look import Look
from postpipe.model import Clip
from postpipe.stages.colour_groups import ChooseLook


@dataclass(frozen=True)
class FixedLook(Task):
    """Gives every take whose name has a 2 the same look."""

    id: ClassVar[str] = "fixed_look"
    summary: ClassVar[str] = "a fixed look"

    def run(self, clip: Clip) -> Look:
        return LOOKS[clip.path.name]


LOOKS: dict[str, Look] = {}


@pytest.fixture
def fixed_looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Look]]:
    installed = engine_settings.stage_types()
    others = [kind for kind in installed if kind is not ChooseLook]
    monkeypatch.setattr("postpipe.api.stage_types", lambda: [*others, FixedLook])
    yield LOOKS
    LOOKS.clear()
