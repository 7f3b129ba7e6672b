"""What is wrong with a take's picture at a first look: blank, frozen, repeated, damaged frames, jumps, drifts."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from postpipe_kernels import luma, shrink

from postpipe.delivery import FrameTimes, Shots
from postpipe.engine.stage import Analyser, Look, Task
from postpipe.model import Artifact, Clip, Facts, Plane, Remark
from postpipe.stages import faults
from postpipe.stages.borders import SIDES, BarFinder
from postpipe.stages.views import CHROMA, LUMA

BLACK_LEVEL = 0.10  # of the range from black to white: what is darker is black, as ffmpeg's blackdetect has it,
WHITE_LEVEL = 0.94  # what is brighter is white,
BLANK_SHARE = 0.98  # and a frame with this share of such pixels is blank
LEAST_SATURATION = 0.01  # below it, chroma is noise
BARS_EVERY = 12  # frames: bars do not come and go


@dataclass(frozen=True)
class PictureTrack(Artifact):
    """The picture, frame by frame. All arrays are float32 and as long as the clip has frames.

    `black_share`, `white_share`: shares of pixels that are black or white. `difference`: mean absolute difference of
    luma to the previous frame in 8-bit code values (0 for the first). `sharpness`: see
    `postpipe_kernels.luma.sharpness`. `tiles`: shape `(frames, 64)`, mean luma of each of 8×8 tiles from black 0 to
    white 1. `change`, `largest`: mean and largest change of the pixels of luma's 1/8 picture, in 8-bit code values,
    and `moved`, the share of them that change by more than one. `saturation`: mean distance of Cb and Cr from grey,
    0 to 1. `bars`: width in pixels of black bars at the left, top, right and bottom.
    """

    schema: ClassVar[str] = "postpipe.picture-track.2"
    black_share: NDArray[np.float32]
    difference: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    tiles: NDArray[np.float32]
    white_share: NDArray[np.float32]
    change: NDArray[np.float32]
    moved: NDArray[np.float32]
    largest: NDArray[np.float32]
    saturation: NDArray[np.float32]
    bars: tuple[int, int, int, int]


@dataclass
class _Pictures:
    black: float
    white: float
    scale: int
    bars: BarFinder
    grey: Plane | None = None
    previous: Plane | None = None
    rows: list[tuple[float, ...]] = field(default_factory=list)
    tiles: list[NDArray[np.float32]] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class WatchPicture(Analyser[_Pictures, PictureTrack]):
    """Follow the picture through a clip."""

    id: ClassVar[str] = "picture"
    summary: ClassVar[str] = "black and white share, changes, sharpness, tiles, saturation, bars"
    views: ClassVar = (LUMA, CHROMA)

    def start(self, clip: Clip) -> _Pictures:
        """Begin with the code values of black and white of this clip."""
        picture = clip.picture
        scale = 1 << (picture.pixel_format.bits - 8)
        full = picture.colour.range == "full"
        black, white = (0, 256 * scale - 1) if full else (16 * scale, 235 * scale)
        return _Pictures(black, white, scale, BarFinder(black, scale))

    def step(self, state: _Pictures, item: Look) -> None:
        """Take in one frame."""
        measures, chroma = item[LUMA], item[CHROMA]
        luma_plane, small, scale = item.frame.planes[0], measures.small, state.scale
        if state.previous is None or state.grey is None:
            state.previous, state.grey = small.copy(), np.full_like(small, 128 * scale)
        span = state.white - state.black
        below, above = int(state.black + BLACK_LEVEL * span), int(state.black + WHITE_LEVEL * span)
        counted = float(measures.histogram.sum())
        total, many, largest = shrink.compare_small(small, state.previous, scale)
        colourful = sum(shrink.compare_small(plane, state.grey, 0)[0] for plane in (chroma.blue, chroma.red))
        state.rows.append(
            (
                float(measures.histogram[: below + 1].sum()) / counted,
                (measures.difference or 0.0) / scale,
                luma.sharpness(luma_plane, measures.bits),
                float(measures.histogram[above:].sum()) / counted,
                total / small.size / scale,
                many / small.size,
                largest / scale,
                colourful / (2 * 128 * scale * small.size),
            )
        )
        state.tiles.append(((measures.tile_means.ravel() - state.black) / span).astype(np.float32))
        if len(state.rows) % BARS_EVERY == 1:
            state.bars.look(luma_plane, small)
        state.previous[...] = small
        state.size = item.frame.width, item.frame.height

    def finish(self, state: _Pictures) -> PictureTrack:
        """Return the track."""
        black, difference, sharpness, white, change, moved, largest, saturation = (
            np.array(state.rows, np.float32).reshape(-1, 8).T.copy()
        )
        return PictureTrack(
            black_share=black,
            difference=difference,
            sharpness=sharpness,
            tiles=np.array(state.tiles, np.float32).reshape(-1, 64),
            white_share=white,
            change=change,
            moved=moved,
            largest=largest,
            saturation=saturation,
            bars=state.bars.bars(*state.size),
        )


@dataclass(frozen=True)
class QualityChecks(Facts):
    """Faults of a take. Frames are indices, stretches are (first, last) frames.

    `frozen`: stretches that stand still; `duplicate`: single frames shown more than once amid motion; `replayed`:
    (first, last, first frame of the earlier stretch that is shown again); `jumps`: frames at which the picture jumps
    without a cut; `soft`: stretches much less sharp than the rest. Drifts go from the first to the last second.
    `bars`: width in pixels of black bars at the left, top, right and bottom.
    """

    schema: ClassVar[str] = "postpipe.quality.2"
    name: ClassVar[str] = "quality"
    frames: int
    black: tuple[int, ...]
    white: tuple[int, ...]
    frozen: tuple[tuple[int, int], ...]
    duplicate: tuple[int, ...]
    replayed: tuple[tuple[int, int, int], ...]
    jumps: tuple[int, ...]
    soft: tuple[tuple[int, int], ...]
    damaged: tuple[int, ...]
    missing_seconds: float
    exposure_drift_percent: float
    saturation_drift_percent: float
    bars: tuple[int, int, int, int]
    sharpness: float

    def summary(self) -> dict[str, Any]:
        """Return the faults by name."""
        return {
            "black_frames": list(self.black),
            "white_frames": list(self.white),
            "frozen": [list(run) for run in self.frozen],
            "duplicate_frames": list(self.duplicate),
            "replayed": [
                {"frames": [first, last], "shown_before": [earlier, earlier + last - first]}
                for first, last, earlier in self.replayed
            ],
            "jumps": list(self.jumps),
            "soft": [list(run) for run in self.soft],
            "damaged_frames": list(self.damaged),
            "missing_seconds": round(self.missing_seconds, 3),
            "exposure_drift_percent": round(self.exposure_drift_percent, 1),
            "saturation_drift_percent": round(self.saturation_drift_percent, 1),
            "black_bars": dict(zip(SIDES, self.bars, strict=True)),
            "sharpness": round(self.sharpness, 5),
        }

    def warnings(self) -> tuple[str, ...]:
        """Name damage to the file itself: it hides behind pictures that merely look odd."""
        found = []
        if self.damaged:
            found.append(f"{len(self.damaged)} frames are damaged, the first is {self.damaged[0]}: download it again")
        if self.missing_seconds:
            found.append(
                f"the last {self.missing_seconds:.2f} s cannot be read, the file is cut off: download it again"
            )
        return tuple(found)

    def remarks(self) -> tuple[Remark, ...]:
        """Return where a viewer sees a fault."""
        return (
            *(Remark("frozen", "the picture stands still", *run, "YELLOW") for run in self.frozen),
            *(Remark("replayed", f"shown before from {old}", a, b, "YELLOW") for a, b, old in self.replayed),
            *(Remark("jump", "the picture jumps without a cut", frame, frame, "RED") for frame in self.jumps),
            *(Remark("damaged", "the file is damaged here", frame, frame, "RED") for frame in self.damaged),
        )

    @property
    def repeated_frames(self) -> int:
        """Number of frames that only repeat the one before, in stretches, or show an earlier stretch again."""
        return sum(run[1] - run[0] for run in self.frozen) + sum(run[1] - run[0] + 1 for run in self.replayed)


@dataclass(frozen=True)
class CheckQuality(Task):
    """Name the faults that the picture track shows."""

    id: ClassVar[str] = "quality"
    summary: ClassVar[str] = "black, frozen, repeated and damaged frames, jumps, drifts, soft stretches, bars"
    section: ClassVar[str] = "quality"

    frozen_seconds: Annotated[
        float, Meta(gt=0, description="a picture that stands still for at least this long is frozen")
    ] = 0.2

    def run(self, clip: Clip, track: PictureTrack, times: FrameTimes, shots: Shots | None) -> QualityChecks:
        """Return the faults."""
        rate = float(times.rate)
        black, white = track.black_share >= BLANK_SHARE, track.white_share >= BLANK_SHARE
        blank = black | white
        still = faults.still_frames(track.difference, track.moved, track.largest) & ~blank  # blank is said once
        longest = max(2, round(Fraction(self.frozen_seconds) * times.rate))
        frozen = tuple((first - 1, last) for first, last in faults.runs(still) if last - first + 1 >= longest)
        duplicate = tuple(f for f in faults.hiccups(track.difference, track.change, longest) if not blank[f])
        replayed = faults.replays(track.tiles, rate)
        spans = [(shot.first, shot.last) for shot in shots.shots] if shots else [(0, times.frames - 1)]
        soft = faults.soft_stretches(track.sharpness, track.tiles, blank, rate, spans)
        known = blank.copy()
        known[[first for first, _ in spans[1:]]] = True
        for first, last in (*frozen, *((first, last + 1) for first, last, *_ in (*replayed, *soft))):
            known[first : last + 1] = True
        stutter = {frame + 1 for frame in duplicate}  # where motion catches up

        def drift(logarithm: NDArray[np.float32]) -> float:
            return faults.drift_percent(logarithm, track.tiles, rate) if len(spans) == 1 else 0.0

        return QualityChecks(
            frames=times.frames,
            black=tuple(np.flatnonzero(black).tolist()),
            white=tuple(np.flatnonzero(white).tolist()),
            frozen=frozen,
            duplicate=duplicate,
            replayed=replayed,
            jumps=tuple(f for f in faults.jumps(track.change, track.tiles, known) if f not in stutter),
            soft=tuple(soft),
            damaged=times.damaged,
            missing_seconds=_missing_seconds(clip, times),
            exposure_drift_percent=drift(faults.exposure(track.tiles)),
            saturation_drift_percent=drift(np.log(np.maximum(track.saturation, LEAST_SATURATION))),
            bars=track.bars,
            sharpness=float(np.median(track.sharpness)),
        )


def _missing_seconds(clip: Clip, times: FrameTimes) -> float:
    """Return how much of what the header promises did not come; a frame or one per cent is rounding."""
    promised = clip.picture.declared_seconds
    if promised is None or clip.first_frames is not None:
        return 0.0
    missing = promised - times.duration_seconds
    return float(missing) if missing > max(Fraction(3, 2) / times.rate, promised / 100) else 0.0


STAGES = (WatchPicture, CheckQuality)
