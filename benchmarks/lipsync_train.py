"""Learn the maps of lip sync from clips with speaking faces, and write `postpipe/stages/lipsync.json`.

    python -m benchmarks.lipsync_train --media DIR [--mesh]

With `--mesh`, and the face mesh that `postpipe models add` has kept, it writes `lipsync_mesh.json`: what the landmarks
of a mouth and sound have alike is learnt by itself, and stands beside what the picture of a mouth and sound have alike.

The method is regularised canonical correlation between what a mouth looks like and the sound around that moment.
Clips are often out of sync themselves, so maps and offsets are found in turns: each clip's offset by maps that were
learnt without it, then the maps anew. The clips of one studio, which are in sync as recorded, say where zero is.
How sure an offset is, is learnt from windows of these clips, by maps that do not know the clip, with the true sound
moved, and with the sound of others.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.lipsync_clips import STUDIO, TALKING, Jitter, Seen, mel_of, mouths_of, see_once
from postpipe.stages import lipsync_tracks
from postpipe.stages.lipsync_match import Lips, lips_of, match, without_slow
from postpipe.stages.lipsync_tracks import FEATURES, STEP_HZ, Maps, MouthTrack, around

Floats = NDArray[np.float64]

PARTS = 2
MOUTH_RIDGE, SOUND_RIDGE = 0.1, 0.3  # shares of the mean variance
ROUNDS = 4
LONGEST_SECONDS = 12.0  # a longer clip counts as much as one of this length
JITTERS: tuple[Jitter, ...] = (
    (0, 0, 1.0), (2, 0, 1.0), (0, 2, 1.06), (0, -2, 0.94), (-2, 1, 1.0), (1, -1, 1.1), (-1, 3, 1.0)
)  # fmt: skip
FARTHEST_MS = 400.0  # a clip that seems farther out of sync is not believed
RIGHT_MS = 80.0
WINDOW_SECONDS = (3.0, 5.0, 8.0, 10.0)
SHIFT_STEPS = 25  # 500 ms


@dataclass(frozen=True, eq=False)
class Material:
    """One clip's lips, as they would be found in several boxes, and its sound: slow changes taken out."""

    lips: tuple[Lips, ...]
    sound: Floats

    def pairs(self, lag: int) -> tuple[Floats, Floats]:
        """Return lips and the sound that belongs to them, row by row, for a clip whose sound is so many steps early."""
        mouths, sounds = [], []
        for lips in self.lips:
            beside = lips.steps - lag
            inside = (beside >= 0) & (beside < len(self.sound))
            mouths.append(lips.parts[inside])
            sounds.append(self.sound[beside[inside]])
        return np.concatenate(mouths), np.concatenate(sounds)


def material(seen: Seen, track: int, jitters: Sequence[Jitter] = JITTERS) -> Material:
    """Return what is learnt from one face of a clip."""
    found = []
    for jitter in jitters:
        values, speeds = mouths_of(seen, track, jitter)
        rows = seen.rows[track]
        mouths = MouthTrack(
            seconds=seen.seconds[rows],
            tracks=np.full(len(rows), track, np.int32),
            lips=values.astype(np.float32),
            speeds=speeds.astype(np.float32),
            found=np.zeros(track + 1),
            frames=len(seen.seconds),
            has_sound=True,
        )
        found.append(lips_of(track, mouths))
    return Material(tuple(found), without_slow(around(mel_of(seen.samples))))


@dataclass(frozen=True)
class Fitted:
    """Maps in numbers."""

    mouth: Floats
    sound: Floats
    weights: Floats

    def see(self, lips: Lips) -> Lips:
        """Return lips in the parts that sound has too."""
        return Lips(lips.steps, lips.parts @ self.mouth)


@dataclass(frozen=True)
class Moments:
    """Sums of products over the rows of clips: of mouths, of sounds, of both."""

    mouth: Floats
    sound: Floats
    both: Floats

    @classmethod
    def of(cls, clip: Material, offset_ms: float) -> Moments:
        """Return those of one clip whose sound is so early."""
        return _moments(clip, round(offset_ms * STEP_HZ / 1000))

    def plus(self, other: Moments, sign: float = 1.0) -> Moments:
        """Return those of both together; with `sign` -1, without the other."""
        return Moments(self.mouth + sign * other.mouth, self.sound + sign * other.sound, self.both + sign * other.both)

    def fit(self) -> Fitted:
        """Return the maps under which lips and sound are most alike: first by pictures, then by landmarks."""
        pictures, landmarks = self._of(slice(0, FEATURES)), self._of(slice(FEATURES, None))
        if not len(landmarks.mouth):
            return pictures._fit()
        one, other = pictures._fit(), landmarks._fit()
        none = np.zeros((len(pictures.mouth), PARTS)), np.zeros((len(landmarks.mouth), PARTS))
        return Fitted(
            np.block([[one.mouth, none[0]], [none[1], other.mouth]]),
            np.concatenate([one.sound, other.sound], axis=1),
            np.concatenate([one.weights, other.weights]) / 2,
        )

    def _of(self, rows: slice) -> Moments:
        """Return those of some numbers of the mouths."""
        return Moments(self.mouth[rows, rows], self.sound, self.both[rows])

    def _fit(self) -> Fitted:
        unit = 1 / np.sqrt(np.diag(self.mouth))
        mouth_root = _root(self.mouth * unit[:, None] * unit, MOUTH_RIDGE)
        sound_root = _root(self.sound, SOUND_RIDGE)
        left, strength, right = np.linalg.svd(mouth_root @ (self.both * unit[:, None]) @ sound_root)
        scale = np.sqrt(np.trace(self.sound) / len(self.sound))
        strength = strength[:PARTS]
        return Fitted(
            unit[:, None] * (mouth_root @ left[:, :PARTS]),
            scale * sound_root @ right[:PARTS].T,
            strength / strength.sum(),
        )


@functools.cache
def _moments(clip: Material, lag: int) -> Moments:
    mouths, sounds = clip.pairs(lag)
    share = min(1.0, LONGEST_SECONDS * STEP_HZ * len(clip.lips) / len(mouths))
    return Moments(share * mouths.T @ mouths, share * sounds.T @ sounds, share * mouths.T @ sounds)


def fit(clips: Sequence[Material], offsets: Sequence[float]) -> Fitted:
    """Return the maps that are learnt from all clips."""
    return functools.reduce(Moments.plus, map(Moments.of, clips, offsets)).fit()


def _root(covariance: Floats, ridge: float) -> Floats:
    size = len(covariance)
    values, vectors = np.linalg.eigh(covariance + ridge * np.trace(covariance) / size * np.eye(size))
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T)


def without_each(clips: Sequence[Material], offsets: Sequence[float]) -> list[Fitted]:
    """Return for each clip the maps that are learnt from the others."""
    each = [Moments.of(clip, offset) for clip, offset in zip(clips, offsets, strict=True)]
    total = functools.reduce(Moments.plus, each)
    return [total.plus(own, -1.0).fit() for own in each]


def align(clips: Sequence[Material], in_sync: Sequence[bool]) -> list[float]:
    """Return each clip's offset in ms, found by maps that were learnt without it, in turns."""
    offsets = [0.0] * len(clips)
    for _ in range(ROUNDS):
        found = []
        for clip, maps in zip(clips, without_each(clips, offsets), strict=True):
            offset = match(maps.see(clip.lips[0]), clip.sound @ maps.sound, maps.weights).offset_ms
            found.append(offset if abs(offset) <= FARTHEST_MS else 0.0)
        zero = float(np.median([offset for offset, studio in zip(found, in_sync, strict=True) if studio]))
        offsets = [0.0 if studio else offset - zero for offset, studio in zip(found, in_sync, strict=True)]
    return offsets


def windows(lips: Lips, seconds: float, every_seconds: float) -> list[Lips]:
    """Return the stretches of so many seconds in which lips are seen throughout, each beginning at step 0."""
    size = round(seconds * STEP_HZ)
    found = []
    for start in range(int(lips.steps[0]), int(lips.steps[-1]) - size + 2, round(every_seconds * STEP_HZ)):
        part = lips.between(start, start + size)
        if len(part.steps) >= 0.9 * size:
            found.append(Lips(part.steps - start, part.parts))
    return found


def moved(sound: Floats, start: int, size: int, shift: int) -> Floats:
    """Return `size` steps of sound from `start` on, made early by `shift` steps; silence where there is none."""
    places = np.arange(start, start + size) + shift
    inside = (places >= 0) & (places < len(sound))
    return np.where(inside[:, None], sound[np.clip(places, 0, len(sound) - 1)], 0.0)


def fit_confidence(clips: Sequence[Material], offsets: Sequence[float], seed: int = 6) -> list[float]:
    """Return the weights of the evidence: of a logistic function, fitted by Newton's method with a small ridge."""
    rng = np.random.default_rng(seed)
    fitted = without_each(clips, offsets)
    evidence, right, weight = [], [], []
    for number, (clip, maps) in enumerate(zip(clips, fitted, strict=True)):
        lips = maps.see(clip.lips[0])
        own = clip.sound @ maps.sound
        others = [(reverse, other) for place, other in enumerate(clips) if place != number for reverse in (False, True)]
        rows: list[tuple[tuple[float, ...], bool]] = []
        for seconds in WINDOW_SECONDS:
            for start in range(0, max(1, len(own) - int(seconds * STEP_HZ)), STEP_HZ):
                size = int(seconds * STEP_HZ)
                part = lips.between(start, start + size)
                if len(part.steps) < 0.9 * min(size, len(own)):
                    continue
                part = Lips(part.steps - start, part.parts)
                shift = int(rng.integers(-SHIFT_STEPS, SHIFT_STEPS + 1))
                found = match(part, moved(own, start, size, shift), maps.weights)
                truth = offsets[number] + shift * 1000 / STEP_HZ
                rows.append((found.evidence, abs(found.offset_ms - truth) <= RIGHT_MS))
                reverse, other = others[int(rng.integers(len(others)))]
                theirs = (other.sound[::-1] if reverse else other.sound) @ maps.sound
                begin = int(rng.integers(0, max(1, len(theirs) - size)))
                strange = match(part, theirs[begin : begin + size], maps.weights)
                rows.append((strange.evidence, False))
        evidence += [row for row, _ in rows]
        right += [label for _, label in rows]
        weight += [1 / np.sqrt(len(rows))] * len(rows)
    return _logistic(np.array(evidence), np.array(right, float), np.array(weight))


def _logistic(evidence: Floats, right: Floats, weight: Floats) -> list[float]:
    columns = np.concatenate([np.ones((len(evidence), 1)), evidence], axis=1)
    weight = weight / weight.sum() * len(weight)
    weights = np.zeros(columns.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(columns @ weights, -30, 30)))
        slope = columns.T @ (weight * (right - chance)) - 0.1 * weights
        bend = (columns * (weight * chance * (1 - chance))[:, None]).T @ columns + 0.1 * np.eye(len(weights))
        weights = weights + np.linalg.solve(bend, slope)
    return [round(float(value), 4) for value in weights]


def train(names: Sequence[str], media: Path, with_mesh: bool = False) -> tuple[Maps, dict[str, float]]:
    """Return the maps learnt from the clips, and the offset in ms of each clip that they were learnt with."""
    clips = [material_once(media / name, with_mesh) for name in names]
    offsets = align(clips, [name in STUDIO for name in names])
    fitted = fit(clips, offsets)
    maps = Maps(
        mouth=[[float(f"{value:.5g}") for value in row] for row in fitted.mouth],
        sound=[[float(f"{value:.5g}") for value in row] for row in fitted.sound],
        weights=[round(float(value), 4) for value in fitted.weights],
        confidence=fit_confidence(clips, offsets),
        clips=list(names),
    )
    return maps, dict(zip(names, offsets, strict=True))


@functools.cache
def material_once(path: Path, with_mesh: bool) -> Material:
    """Return what is learnt from the face of a clip that is seen longest."""
    seen = see_once(path, with_mesh)
    return material(seen, seen.longest)


def main() -> None:
    """Learn and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--mesh", action="store_true", help="with the face mesh that postpipe models add has kept")
    options = parser.parse_args()
    maps, offsets = train(TALKING, options.media, options.mesh)
    for name, offset in offsets.items():
        print(f"{name:<44}{offset:+7.0f} ms")
    print("weights", maps.weights, "confidence", maps.confidence)
    path = Path(lipsync_tracks.__file__).with_name("lipsync_mesh.json" if options.mesh else "lipsync.json")
    path.write_bytes(msgspec.json.format(msgspec.json.encode(maps), indent=1) + b"\n")
    print(f"wrote {path} ({path.stat().st_size} bytes)")


if __name__ == "__main__":
    main()
