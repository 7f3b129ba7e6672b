"""Scenes and takes from file names, and the choice of one take per scene."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from postpipe.conformed import Conformed
from postpipe.delivery import Admission, Choice, FrameTimes, Selection, TakeName
from postpipe.engine.stage import Each, Task
from postpipe.errors import SettingsError
from postpipe.model import Clip, Facts
from postpipe.stages.flicker import FLOORS, Flicker
from postpipe.stages.locks import LockedSettings
from postpipe.stages.quality import QualityChecks
from postpipe.timing import natural_key

FULL_HD = 1920 * 1080
BROKEN_SETTING = 0.8  # as a fifth of the frames at fault: it decides between good takes, not for a bad one
RANKED = ("exposure", "colour")  # kinds of flicker that count in the choice: motion passes for the others too easily
PATTERN = r"scene[ _-]*(?P<scene>\d+)(?:.*?take[ _-]*(?P<take>\d+))?"


@dataclass(frozen=True)
class NameTakes(Task):
    """Read scene and take from a file name."""

    id: ClassVar[str] = "names"
    summary: ClassVar[str] = "scene and take from the file name"
    section: ClassVar[str] = "project"

    pattern: Annotated[
        str, Meta(description="regular expression that finds (?P<scene>…) and (?P<take>…) in a file name, any case")
    ] = PATTERN

    def __post_init__(self) -> None:
        try:
            groups = re.compile(self.pattern).groupindex
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"pattern = {self.pattern!r}: not a regular expression: {error}") from error
        if "scene" not in groups:
            raise ValueError(f"pattern = {self.pattern!r}: needs a group (?P<scene>…)")

    def run(self, clip: Clip, conformed: Conformed | None = None) -> TakeName:
        """Return scene and take; a name that the pattern does not match is a scene of its own.

        In a cut that was made elsewhere each use is one.
        """
        use = conformed.use(clip.path) if conformed else None
        if use is not None:
            return TakeName(use.label, None)
        match = re.search(self.pattern, clip.path.stem, re.IGNORECASE)
        if match is None or not match["scene"]:
            return TakeName(clip.path.stem, None)
        scene = match["scene"]
        take = match.groupdict().get("take")
        return TakeName(
            scene=f"scene{int(scene):02d}" if scene.isdecimal() else scene,
            take=int(take) if take and take.isdecimal() else None,
        )


@dataclass(frozen=True)
class Scores(Facts):
    """Marks of a take, each from 0 (useless) to 1 (nothing found); `detail` is open-ended."""

    schema: ClassVar[str] = "postpipe.scores.1"
    name: ClassVar[str] = "scores"
    black: float
    frozen: float
    duplicate: float
    damaged: float
    complete: float
    flicker: float
    detail: float
    settings: float = 1.0

    @property
    def quality(self) -> float:
        """All marks but detail, which has a meaning only between takes of one scene."""
        faults = self.black * self.frozen * self.duplicate * self.damaged * self.complete * self.flicker
        return faults * self.settings

    def summary(self) -> dict[str, Any]:
        """Return the marks by name."""
        marks = ("black", "frozen", "duplicate", "damaged", "complete", "flicker", "settings", "quality")
        return {name: round(getattr(self, name), 4) for name in marks} | {"detail": float(f"{self.detail:.4g}")}


@dataclass(frozen=True)
class ScoreTake(Task):
    """Turn the faults of a take into marks."""

    id: ClassVar[str] = "scores"
    summary: ClassVar[str] = "marks of each take"

    def run(
        self, clip: Clip, checks: QualityChecks, times: FrameTimes, flicker: Flicker, settings: LockedSettings
    ) -> Scores:
        """Return the marks: the share of frames without the fault; for flicker, half at 1.4 % more than can be seen.

        For settings see above.
        """

        def share(count: int) -> float:
            return 1.0 - min(1.0, count / checks.frames)

        return Scores(
            black=share(len(checks.black) + len(checks.white)),
            frozen=share(checks.repeated_frames),
            duplicate=share(len(checks.duplicate)),
            damaged=share(len(checks.damaged)),
            complete=float(times.duration_seconds) / (float(times.duration_seconds) + checks.missing_seconds),
            flicker=math.exp(-sum(max(0.0, flicker.percent(kind) - FLOORS[kind]) for kind in RANKED) / 2),
            # The Laplacian is a second derivative per pixel; per picture, a smaller copy of it measures the same.
            detail=checks.sharpness * (clip.picture.width * clip.picture.height / FULL_HD) ** 2,
            settings=BROKEN_SETTING ** len(settings.broken),
        )


@dataclass(frozen=True)
class ChooseTakes(Task):
    """Rank the takes of each scene and choose one."""

    id: ClassVar[str] = "select"
    summary: ClassVar[str] = "ranks takes, chooses one per scene"
    section: ClassVar[str] = "select"
    scope: ClassVar[str] = "project"
    open_field: ClassVar[str] = "scenes"

    scenes: Annotated[
        dict[str, int | str],
        Meta(description='takes chosen by you: scene01 = 2 (the take) or scene01 = "scene01_take02.mp4" (the file)'),
    ] = field(default_factory=dict)

    def run(
        self,
        names: Each[TakeName],
        scores: Each[Scores],
        admitted: Each[Admission],
        conformed: Conformed | None = None,
    ) -> Selection:
        """Return the scenes in natural order. Raises `SettingsError` for a choice that matches no take, or in a cut."""
        if conformed and self.scenes:
            raise SettingsError([f"[select]: {conformed.name} says which takes are seen; leave it out"])
        scenes: dict[str, list[Path]] = {}
        for path in admitted:
            scenes.setdefault(names[path].scene, []).append(path)
        wanted = self._wanted(scenes, names)
        choices = []
        for scene in sorted(scenes, key=natural_key):
            ranked = sorted(
                scenes[scene], key=lambda path: (-_total(path, scenes, names, scores), natural_key(path.name))
            )
            choices.append(Choice(scene, tuple(ranked), wanted.get(scene, ranked[0])))
        return Selection(tuple(choices))

    def _wanted(self, scenes: dict[str, list[Path]], names: Each[TakeName]) -> dict[str, Path]:
        problems, wanted = [], {}
        for label, choice in self.scenes.items():
            scene = _scene(label, scenes)
            matches = [path for path in scenes.get(scene, []) if choice in (path.name, path.stem, names[path].take)]
            if len(matches) == 1:
                wanted[scene] = matches[0]
                continue
            fault = "matches several takes" if matches else "matches no take that can be used"
            takes = ", ".join(path.name for path in scenes.get(scene, []))
            remedy = f"name the file: {takes}" if takes else f"known scenes: {', '.join(scenes)}"
            problems.append(f"[select] {label} = {choice!r} {fault}; {remedy}")
        if problems:
            raise SettingsError(problems)
        return wanted


def _scene(label: str, scenes: dict[str, list[Path]]) -> str:
    """Return the scene that a key of `[select]` means: its label, or its number alone."""
    return label if label in scenes or not label.isdecimal() else f"scene{int(label):02d}"


def _total(path: Path, scenes: dict[str, list[Path]], names: Each[TakeName], scores: Each[Scores]) -> float:
    """Return a take's rank value: its marks, times the root of its detail relative to its scene's most detailed.

    The root, because detail also follows from what is in the picture.
    """
    most = max(scores[other].detail for other in scenes[names[path].scene])
    relative = scores[path].detail / most if most > 0 else 1.0
    return scores[path].quality * math.sqrt(relative)


STAGES = (NameTakes, ScoreTake, ChooseTakes)
