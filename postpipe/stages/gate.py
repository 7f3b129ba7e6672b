"""The gate: which faults of a take `postpipe inspect --gate` does not let pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from postpipe.delivery import FrameTimes
from postpipe.engine.stage import Task
from postpipe.model import Facts
from postpipe.stages.flicker import Flicker
from postpipe.stages.locks import LockedSettings, Miss
from postpipe.stages.quality import PictureTrack, QualityChecks
from postpipe.stages.select import Scores
from postpipe.stages.sound_levels import SoundLevels

Limit = Annotated[float, Meta(ge=0)] | Literal["any"]
Level = Annotated[float, Meta(le=0)] | Literal["any"]


@dataclass(frozen=True)
class GateVerdict(Facts):
    """What keeps a take from passing the gate: nothing, or each rule with what it expects and what was found."""

    schema: ClassVar[str] = "postpipe.gate-verdict.1"
    name: ClassVar[str] = "gate"
    failures: tuple[Miss, ...]

    def summary(self) -> dict[str, Any]:
        """Return whether the take passes, and each failure with what was expected and found."""
        failures = [{"name": miss.name, "expected": miss.expected, "found": miss.found} for miss in self.failures]
        return {"passes": not failures, "failures": failures}


@dataclass(frozen=True)
class Gate(Task):
    """Judge a take by what the gate lets pass; a rule that is set to "any" lets everything pass."""

    id: ClassVar[str] = "gate"
    summary: ClassVar[str] = "what keeps a take from passing inspect --gate"
    section: ClassVar[str] = "gate"

    settings: Annotated[bool, Meta(description="a setting that [project] locks and that is broken fails")] = True
    black_frames: Annotated[Limit, Meta(description="black frames at most")] = 0
    white_frames: Annotated[Limit, Meta(description="blown-out frames at most, white all over")] = 0
    frozen_seconds: Annotated[
        Limit, Meta(description="longest frozen stretch at most; what is frozen at all, [quality] says")
    ] = 0
    duplicate_percent: Annotated[Limit, Meta(description="share of frames that repeat the one before at most")] = "any"
    damaged_frames: Annotated[Limit, Meta(description="frames at most that cannot be decoded without damage")] = 0
    missing_seconds: Annotated[Limit, Meta(description="what a file that is cut off may lack at most")] = 0
    flicker_percent: Annotated[Limit, Meta(description="global flicker at most")] = "any"
    motion_percent: Annotated[
        Limit, Meta(description="mean difference between neighbouring frames at least, in percent of white")
    ] = "any"
    peak_dbfs: Annotated[Level, Meta(description="peak of the sound at most: -0.1 tells clipping")] = "any"
    quality: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | Literal["any"], Meta(description="product of all marks at least, 0 to 1")
    ] = "any"

    def run(
        self,
        times: FrameTimes,
        settings: LockedSettings,
        checks: QualityChecks,
        track: PictureTrack,
        flicker: Flicker,
        sound: SoundLevels,
        scores: Scores,
    ) -> GateVerdict:
        """Return the verdict on one take."""
        longest = max(checks.frozen, key=lambda run: run[1] - run[0], default=None)
        frozen = float((longest[1] - longest[0] + 1) / times.rate) if longest else 0.0

        def frames(found: Sequence[int]) -> str:
            return f"{len(found)}, the first is frame {found[0]} at {_clock(times, found[0])}" if found else "0"

        duplicate = 100 * len(checks.duplicate) / checks.frames
        motion = 100 * float(track.difference[1:].mean()) / 255 if checks.frames > 1 else 0.0
        where = f"{frozen:.2f}, frames {longest[0]} to {longest[1]} from {_clock(times, longest[0])}" if longest else ""
        at_most = (
            ("black_frames", len(checks.black), frames(checks.black)),
            ("white_frames", len(checks.white), frames(checks.white)),
            ("frozen_seconds", frozen, where),
            ("duplicate_percent", duplicate, f"{duplicate:.1f}"),
            ("damaged_frames", len(checks.damaged), frames(checks.damaged)),
            ("missing_seconds", checks.missing_seconds, f"{checks.missing_seconds:.2f} cut off the end"),
            ("flicker_percent", flicker.global_percent, f"{flicker.global_percent:.2f}"),
            ("peak_dbfs", sound.peak_dbfs, f"{sound.peak_dbfs}"),
        )
        at_least = (
            ("motion_percent", motion, f"{motion:.3f}"),
            ("quality", scores.quality, f"{scores.quality:.3f}"),
        )

        def misses() -> Iterator[Miss]:
            if self.settings:
                yield from settings.broken
            for name, figure, found in at_most:
                limit = getattr(self, name)
                if limit != "any" and figure is not None and figure > limit:
                    yield Miss(name, f"at most {limit:g}", found)
            for name, figure, found in at_least:
                limit = getattr(self, name)
                if limit != "any" and figure < limit:
                    yield Miss(name, f"at least {limit:g}", found)

        return GateVerdict(tuple(misses()))


def _clock(times: FrameTimes, frame: int) -> str:
    """Return when a frame is shown, in seconds from the first."""
    return f"{float(times.seconds(frame) - times.seconds(0)):.2f} s"


STAGES = (Gate,)
