"""Toy stages that show each shape of stage at work: they measure mean luma and try to lift it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from postpipe.delivery import RenderedBlends, RenderedClip, film_units
from postpipe.edit import Edit
from postpipe.engine.stage import (
    Analyser,
    Each,
    FixFilter,
    Look,
    PerUnit,
    PointParams,
    Rendered,
    Slot,
    Task,
    Verdict,
    View,
)
from postpipe.model import Artifact, Clip, Facts, Frame, SequenceFacts


@dataclass(frozen=True)
class MeanView(View[float]):
    """Mean luma of a frame."""

    def start(self, clip: Clip) -> Callable[[Look], float]:
        return lambda look: float(look.frame.planes[0].mean())


MEAN = MeanView()


@dataclass(frozen=True)
class StepView(View[float]):
    """How far the mean is from the first frame's: a derived view with memory."""

    @property
    def needs(self) -> tuple[View[Any], ...]:
        return (MEAN,)

    def start(self, clip: Clip) -> Callable[[Look], float]:
        first: list[float] = []

        def compute(look: Look) -> float:
            first.append(look[MEAN])
            return look[MEAN] - first[0]

        return compute


STEP = StepView()


@dataclass(frozen=True)
class MeanTrack(Artifact):
    schema: ClassVar[str] = "toy.mean-track.1"
    means: tuple[float, ...]


@dataclass
class State:
    means: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class WatchMean(Analyser[State, MeanTrack]):
    id: ClassVar[str] = "toy_mean"
    summary: ClassVar[str] = "mean luma"
    views: ClassVar = (STEP, MEAN)

    def start(self, clip: Clip) -> State:
        return State()

    def step(self, state: State, item: Look) -> None:
        assert item[STEP] == item[MEAN] - (state.means[0] if state.means else item[MEAN])
        state.means.append(item[MEAN])

    def finish(self, state: State) -> MeanTrack:
        return MeanTrack(tuple(state.means))


@dataclass(frozen=True)
class Brightness(Facts):
    schema: ClassVar[str] = "toy.brightness.1"
    name: ClassVar[str] = "brightness"
    mean: float

    def summary(self) -> dict[str, float]:
        return {"mean": self.mean}


@dataclass(frozen=True)
class MeasureBrightness(Task):
    id: ClassVar[str] = "toy_brightness"
    summary: ClassVar[str] = "brightness of a clip"

    def run(self, track: MeanTrack) -> Brightness:
        return Brightness(float(np.mean(track.means)))


@dataclass(frozen=True)
class Target(Artifact):
    schema: ClassVar[str] = "toy.target.1"
    mean: float


@dataclass(frozen=True)
class SetTarget(Task):
    id: ClassVar[str] = "toy_target"
    summary: ClassVar[str] = "the brightest take sets the target"
    scope: ClassVar[str] = "project"

    def run(self, brightness: Each[Brightness]) -> Target:
        return Target(max(item.mean for item in brightness.values()))


@dataclass(frozen=True)
class BoundLift:
    steps: int

    def at(self, frame: Frame) -> PointParams:
        curve = np.clip(np.arange(256) + self.steps, 0, 255).astype(np.uint8)
        return PointParams(luma_curve=curve)


@dataclass(frozen=True)
class Lift(FixFilter):
    """Adds `steps` code values: towards the target when positive, away from it when negative."""

    id: ClassVar[str] = "toy_lift"
    summary: ClassVar[str] = "lifts luma"
    section: ClassVar[str] = "lift"
    slot: ClassVar[Slot] = Slot.REPAIR
    fix: ClassVar[str] = "lift"

    steps: int = 10

    def bind(self, brightness: Brightness, target: Target) -> BoundLift | None:
        return BoundLift(self.steps) if brightness.mean < target.mean - 1 else None

    def judge(self, before: Brightness, after: Rendered[Brightness], target: Target) -> Verdict:
        return Verdict(
            kept=abs(after.mean - target.mean) < abs(before.mean - target.mean),
            before={"mean": before.mean},
            after={"mean": after.mean},
        )


@dataclass(frozen=True)
class FilmMean(SequenceFacts):
    schema: ClassVar[str] = "toy.film-mean.1"
    name: ClassVar[str] = "film_mean"
    means: tuple[float, ...]

    def summary(self) -> dict[str, Any]:
        return {"means": list(self.means)}


@dataclass(frozen=True)
class MeasureFilm(Task):
    """Mean luma of every frame of the film, put together from what was measured on each unit."""

    id: ClassVar[str] = "toy_film"
    summary: ClassVar[str] = "mean luma of the film"
    scope: ClassVar[str] = "project"

    def run(
        self, edit: Edit, rendered: Each[RenderedClip], blends: RenderedBlends, tracks: PerUnit[MeanTrack]
    ) -> FilmMean:
        (film,) = edit.films
        units = film_units(film, rendered, edit, blends)
        return FilmMean(tuple(mean for unit in units for mean in tracks[unit.key].means))


TOYS = (WatchMean, MeasureBrightness, SetTarget, Lift, MeasureFilm)
