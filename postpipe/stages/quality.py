"""What is wrong with a take at a first look: black, frozen, duplicate and damaged frames, flicker, sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from postpipe_kernels import luma

from postpipe.delivery import FrameTimes
from postpipe.engine.stage import Analyser, Look, Sound, Task
from postpipe.model import Artifact, Clip, Facts, SoundBlock
from postpipe.stages.views import LUMA

BLACK_LEVEL = 0.10  # of the range from black to white, and
BLACK_SHARE = 0.98  # the share of pixels below it: both as ffmpeg's blackdetect has them
STILL_SHARE = 0.08  # a repeated picture differs by less than this share of what the clip's moving frames do,
STILL_CODES = (0.02, 0.25)  # within these bounds: mean absolute differences in 8-bit code values that coding leaves
SILENT_DBFS = -60.0  # no programme sound stays below this


@dataclass(frozen=True)
class PictureTrack(Artifact):
    """Luma, frame by frame. All arrays are float32 and as long as the clip has frames.

    `black_share`: share of pixels that are black. `difference`: mean absolute difference to the previous
    frame in 8-bit code values (0 for the first). `sharpness`: see `postpipe_kernels.luma.sharpness`.
    `tiles`: shape `(frames, 64)`, mean of each of 8×8 tiles from black 0 to white 1.
    """

    schema: ClassVar[str] = "postpipe.picture-track.1"
    black_share: NDArray[np.float32]
    difference: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    tiles: NDArray[np.float32]


@dataclass
class _Pictures:
    black: float
    white: float
    bits: int
    black_share: list[float] = field(default_factory=list)
    difference: list[float] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    tiles: list[NDArray[np.float32]] = field(default_factory=list)


@dataclass(frozen=True)
class WatchPicture(Analyser[_Pictures, PictureTrack]):
    """Follow luma through a clip."""

    id: ClassVar[str] = "picture"
    summary: ClassVar[str] = "luma: black share, difference, sharpness, tiles"
    views: ClassVar = (LUMA,)

    def start(self, clip: Clip) -> _Pictures:
        """Begin with the code values of black and white of this clip."""
        picture = clip.picture
        scale = 1 << (picture.pixel_format.bits - 8)
        full = picture.colour.range == "full"
        black, white = (0, 256 * scale - 1) if full else (16 * scale, 235 * scale)
        return _Pictures(black, white, picture.pixel_format.bits)

    def step(self, state: _Pictures, item: Look) -> None:
        """Take in one frame."""
        measures = item[LUMA]
        span = state.white - state.black
        limit = int(state.black + BLACK_LEVEL * span)
        pixels = item.frame.width * item.frame.height
        state.black_share.append(float(measures.histogram[: limit + 1].sum()) / pixels)
        state.difference.append((measures.difference or 0.0) / (1 << (state.bits - 8)))
        state.sharpness.append(luma.sharpness(item.frame.planes[0], state.bits))
        state.tiles.append(((measures.tile_means.ravel() - state.black) / span).astype(np.float32))

    def finish(self, state: _Pictures) -> PictureTrack:
        """Return the track."""
        return PictureTrack(
            black_share=np.array(state.black_share, np.float32),
            difference=np.array(state.difference, np.float32),
            sharpness=np.array(state.sharpness, np.float32),
            tiles=np.array(state.tiles, np.float32).reshape(-1, 64),
        )


@dataclass(frozen=True)
class SoundLevels(Facts):
    """How loud a take's sound is, and where it falls silent. `None` where there is no sound stream."""

    schema: ClassVar[str] = "postpipe.sound-levels.1"
    name: ClassVar[str] = "sound"
    peak_dbfs: float | None
    rms_dbfs: float | None
    silent: bool | None

    def summary(self) -> dict[str, Any]:
        """Return peak and RMS level in dBFS, and whether the whole track is silent."""
        return {"peak_dbfs": self.peak_dbfs, "rms_dbfs": self.rms_dbfs, "silent": self.silent}


@dataclass
class _Levels:
    peak: float = 0.0
    energy: float = 0.0
    samples: int = 0


@dataclass(frozen=True)
class Listen(Analyser[_Levels, SoundLevels]):
    """Measure the level of a take's sound."""

    id: ClassVar[str] = "sound_levels"
    summary: ClassVar[str] = "sound: peak, level, silence"
    views: ClassVar = (Sound(rate_hz=16000),)

    def start(self, clip: Clip) -> _Levels:
        """Begin with silence."""
        return _Levels()

    def step(self, state: _Levels, item: SoundBlock) -> None:
        """Take in one block."""
        state.peak = max(state.peak, float(np.abs(item.samples).max(initial=0.0)))
        state.energy += float(np.square(item.samples, dtype=np.float64).sum())
        state.samples += item.samples.size

    def finish(self, state: _Levels) -> SoundLevels:
        """Return the levels."""
        if not state.samples:
            return SoundLevels(None, None, None)
        rms = (state.energy / state.samples) ** 0.5
        return SoundLevels(_decibels(state.peak), _decibels(rms), bool(20 * np.log10(rms + 1e-12) < SILENT_DBFS))


def _decibels(amplitude: float) -> float | None:
    return round(20 * float(np.log10(amplitude)), 2) if amplitude > 0 else None


@dataclass(frozen=True)
class QualityChecks(Facts):
    """Faults of a take. Frames are indices; `frozen` are runs of still pictures as (first, last) frames."""

    schema: ClassVar[str] = "postpipe.quality.1"
    name: ClassVar[str] = "quality"
    frames: int
    black: tuple[int, ...]
    frozen: tuple[tuple[int, int], ...]
    duplicate: tuple[int, ...]
    damaged: tuple[int, ...]
    missing_seconds: float
    sharpness: float

    def summary(self) -> dict[str, Any]:
        """Return the faults by name."""
        return {
            "black_frames": list(self.black),
            "frozen": [list(run) for run in self.frozen],
            "duplicate_frames": list(self.duplicate),
            "damaged_frames": list(self.damaged),
            "missing_seconds": round(self.missing_seconds, 3),
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

    @property
    def frozen_frames(self) -> int:
        """Number of frames that only repeat the one before, in runs."""
        return sum(last - first for first, last in self.frozen)


@dataclass(frozen=True)
class CheckQuality(Task):
    """Name the faults that the picture track shows."""

    id: ClassVar[str] = "quality"
    summary: ClassVar[str] = "black, frozen, duplicate and damaged frames"
    section: ClassVar[str] = "quality"

    frozen_seconds: Annotated[
        float, Meta(gt=0, description="a picture that stands still for at least this long is frozen")
    ] = 0.25

    def run(self, clip: Clip, track: PictureTrack, times: FrameTimes) -> QualityChecks:
        """Return the faults."""
        moving = float(np.percentile(track.difference, 75))
        still = track.difference < np.clip(STILL_SHARE * moving, *STILL_CODES)
        still[:1] = False
        black = track.black_share >= BLACK_SHARE
        still &= ~black  # black is said once
        longest = max(2, round(Fraction(self.frozen_seconds) * times.rate))
        frozen: list[tuple[int, int]] = []
        duplicate: list[int] = []
        for first, last in _runs(still):
            if last - first + 1 >= longest:
                frozen.append((first - 1, last))
            else:
                duplicate += range(first, last + 1)
        return QualityChecks(
            frames=times.frames,
            black=tuple(np.flatnonzero(black).tolist()),
            frozen=tuple(frozen),
            duplicate=tuple(duplicate),
            damaged=times.damaged,
            missing_seconds=_missing_seconds(clip, times),
            sharpness=float(np.median(track.sharpness)),
        )


def _missing_seconds(clip: Clip, times: FrameTimes) -> float:
    """Return how much of what the header promises did not come; a frame or one per cent is rounding."""
    promised = clip.picture.declared_seconds
    if promised is None or clip.first_frames is not None:
        return 0.0
    missing = promised - times.duration_seconds
    return float(missing) if missing > max(Fraction(3, 2) / times.rate, promised / 100) else 0.0


def _runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield first, end - 1


@dataclass(frozen=True)
class FlickerFigure(Facts):
    """How much a take flickers. Figures that were not measured are `None`."""

    schema: ClassVar[str] = "postpipe.flicker-figure.1"
    name: ClassVar[str] = "flicker"
    global_percent: float

    def summary(self) -> dict[str, Any]:
        """Return the strength of global flicker in percent; what is not measured is absent as `None`."""
        return {
            "global_percent": round(self.global_percent, 3),
            "temperature_percent": None,
            "local_percent": None,
            "flashes": None,
            "dominant_hz": None,
        }


@dataclass(frozen=True)
class MeasureFlicker(Task):
    """Say how much the exposure jumps back and forth from frame to frame."""

    id: ClassVar[str] = "flicker"
    summary: ClassVar[str] = "a simple figure of global flicker"

    def run(self, track: PictureTrack) -> FlickerFigure:
        """Return the figure: mean excursion of the exposure that is taken back by the next frame, in percent.

        The exposure step of a frame is the median log ratio of its tiles to the previous frame's, so that
        what moves in a few tiles does not count; steps in one direction (fades, pans, cuts) score nothing.
        """
        tiles = np.maximum(track.tiles.astype(np.float64), 0.02)
        if len(tiles) < 3:
            return FlickerFigure(0.0)
        exposure = np.concatenate(([0.0], np.cumsum(np.median(np.diff(np.log(tiles), axis=0), axis=1))))
        back = exposure[1:-1] - exposure[:-2]
        ahead = exposure[1:-1] - exposure[2:]
        excursion = np.where(back * ahead > 0, np.minimum(np.abs(back), np.abs(ahead)), 0.0)
        return FlickerFigure(100 * float(excursion.mean()))


STAGES = (WatchPicture, Listen, CheckQuality, MeasureFlicker)
