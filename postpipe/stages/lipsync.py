"""Lip sync: how early or late the sound of a take is, and its shift where that helps.

Positive is sound that is early, as ITU-R BT.1359 writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta

from postpipe.delivery import Fix, FrameTimes, TakeName
from postpipe.edit import Edit
from postpipe.engine.stage import FixTask, Task
from postpipe.lipsync import SURE, LipSync, OffsetWindow, SoundShift
from postpipe.media.sound import read_sound
from postpipe.model import Clip
from postpipe.stages.edit import Wishes
from postpipe.stages.lipsync_match import LAGS_MS, Lips, confidence, halves_ms, lips_of, match, together, without_slow
from postpipe.stages.lipsync_tracks import (
    LEAST_SECONDS,
    RATE_HZ,
    STEP_HZ,
    ListenForSpeech,
    Maps,
    MouthTrack,
    SpeechTrack,
    maps,
)

LEAST_LIPS_SECONDS = 2.0
LEAST_FOUND = 0.2  # of the times that a face was looked for
STILL = 0.08  # pixels of a face of 64 that lips move from frame to frame: less is no speech
QUIET_DBFS = -60.0  # speech is louder at times
EVEN_DB = 6.0  # and has pauses
NOTHING_DBFS = -85.0  # where sound begins later or ends earlier than the picture, there is not even noise
WINDOW_SECONDS, EVERY_SECONDS = 5.0, 2.5
WINDOW_LIPS = 0.8  # share of a window in which lips are seen

CONFIDENT = 0.9
AGREE_MS = 40.0  # of either half of a take with the whole: after a shift both are right
EARLY_MS, LATE_MS = 40.0, -60.0  # EBU R37: what lies between is right
LEAST_MS = 10.0


@dataclass(frozen=True)
class FindOffset(Task):
    """Find the offset at which lips and sound are most alike."""

    id: ClassVar[str] = "lipsync"
    summary: ClassVar[str] = "how early or late the sound is against the lips"
    stored: ClassVar[bool] = True

    def run(self, mouths: MouthTrack, speech: SpeechTrack) -> LipSync:
        """Return the offset, how sure it is, or why it cannot be measured."""
        return find_offset(mouths, speech, maps(bool(mouths.mesh)))


def find_offset(mouths: MouthTrack, speech: SpeechTrack, known: Maps) -> LipSync:
    """Return how early the sound is against the lips that move most like it. `known`: what both were mapped by."""
    reason = _silence(mouths, speech)
    if reason:
        return _not_measurable(reason)
    weights = np.asarray(known.weights)
    first, sound = _heard_part(speech)
    shares = enumerate(mouths.found)
    found = [_later(lips_of(track, mouths), first) for track, share in shares if share >= LEAST_FOUND]
    faces = [lips for lips in found if lips.seconds]
    if sum(lips.seconds for lips in faces) < LEAST_LIPS_SECONDS:
        return _not_measurable("no face")
    speeds = mouths.speeds[mouths.speeds > 0]
    if not len(speeds) or np.quantile(speeds, 0.75) < STILL:
        return _not_measurable("no lip motion")
    if len(faces) > 1:  # the one who speaks
        faces.sort(key=lambda lips: -match(lips, sound, weights).evidence[0])
    lips = together(faces)
    whole = match(lips, sound, weights)
    sure = round(confidence(whole.evidence, known.confidence), 3)
    at_edge = int(whole.curve.argmax()) in (0, len(whole.curve) - 1)
    measurable = sure >= SURE and not at_edge
    steps = len(speech.levels)
    mouth_curve, sound_curve = np.zeros(steps, np.float32), np.zeros(steps, np.float32)
    places = lips.steps + first
    mouth_curve[places[places < steps]] = _scaled(lips.parts @ weights)[places < steps]
    sound_curve[first : first + len(sound)] = _scaled(sound @ weights)
    return LipSync(
        reason=None if measurable else "unsure",
        offset_ms=round(whole.offset_ms, 1) if measurable else None,
        confidence=sure,
        guess_ms=round(whole.offset_ms, 1),
        halves_ms=halves_ms(lips, sound, weights),
        windows=tuple(_windows(lips, sound, first, known)),
        lags_ms=LAGS_MS.astype(np.float32),
        correlation=whole.curve.astype(np.float32),
        curve_seconds=(np.arange(steps) / STEP_HZ).astype(np.float32),
        mouth=mouth_curve,
        sound=sound_curve,
    )


def _silence(mouths: MouthTrack, speech: SpeechTrack) -> str | None:
    """Return why there is nothing to measure, by the sound and the length of a take."""
    if not mouths.has_sound or not len(speech.levels):
        return "no sound"
    if len(speech.levels) < LEAST_SECONDS * STEP_HZ:
        return "too short"
    low, high = np.quantile(speech.levels, (0.1, 0.95))
    return "no speech" if high < QUIET_DBFS or high - low < EVEN_DB else None


def _not_measurable(reason: str) -> LipSync:
    none = np.zeros(0, np.float32)
    return LipSync(reason, None, 0.0, None, None, (), none, none, none, none, none)


def _scaled(curve: Any) -> Any:
    """Return a curve in units of its deviation."""
    return (curve / max(1e-9, float(np.std(curve)))).astype(np.float32)


def _heard_part(speech: SpeechTrack) -> tuple[int, Any]:
    """Return the first step at which there is sound, and the sound from there to where there is none any more."""
    there = np.flatnonzero(speech.levels > NOTHING_DBFS)
    return int(there[0]), without_slow(speech.parts[there[0] : there[-1] + 1])


def _later(lips: Lips, first: int) -> Lips:
    """Return lips on steps that are counted from `first` on."""
    return Lips(lips.steps - first, lips.parts)


def _windows(lips: Lips, sound: Any, first: int, known: Maps) -> list[OffsetWindow]:
    size, every = int(WINDOW_SECONDS * STEP_HZ), int(EVERY_SECONDS * STEP_HZ)
    windows = []
    for start in range(0, max(0, first + len(sound) - size) + 1, every):
        part = lips.between(start - first, start - first + size)
        if len(part.steps) >= WINDOW_LIPS * size:
            found = match(part, sound, np.asarray(known.weights))
            sure = round(confidence(found.evidence, known.confidence), 3)
            windows.append(OffsetWindow(start / STEP_HZ, WINDOW_SECONDS, round(found.offset_ms, 1), sure))
    return windows


@dataclass(frozen=True)
class ShiftSound(FixTask):
    """Shift the sound of a take where that puts it right, and listen again to what comes of it."""

    id: ClassVar[str] = "shift_sound"
    summary: ClassVar[str] = "shifts sound that is early or late"
    section: ClassVar[str] = "lipsync"
    fix: ClassVar[str] = "lipsync"
    stored: ClassVar[bool] = True

    mode: Annotated[
        Literal["auto", "on", "off"],
        Meta(
            description="shift a take's sound; auto: where it is surely more than 40 ms early or 60 ms late (EBU R37); "
            "on: wherever it can be measured; off: never"
        ),
    ] = "auto"

    def run(
        self,
        clip: Clip,
        found: LipSync,
        mouths: MouthTrack,
        times: FrameTimes,
        edit: Edit,
        wishes: Wishes,
        name: TakeName,
    ) -> SoundShift:
        """Return the shift, with what was measured before and after it: kept where the offset became smaller."""
        if edit.event(clip.path) is None or not clip.sounds:
            return SoundShift()
        own = wishes.of(name.scene).sound_offset_ms
        offset_ms = self.wanted(found) if own is None else own
        if not offset_ms:
            return SoundShift()
        delay = Fraction(round(offset_ms), 1000)
        after = find_offset(mouths, _heard(clip, times, delay, mouths.mesh), maps(bool(mouths.mesh)))
        before_ms, after_ms = found.offset_ms, after.offset_ms
        smaller = before_ms is not None and after_ms is not None and abs(after_ms) < abs(before_ms)
        kept = own is not None or smaller
        parameters = {"mode": self.mode if own is None else "own number", "delay_ms": float(delay * 1000)}
        fix = Fix(self.fix, parameters, _figures(found), _figures(after), kept)
        return SoundShift(delay if kept else Fraction(0), fix)

    def wanted(self, found: LipSync) -> float | None:
        """Return the offset that is to be put right, or `None`."""
        if self.mode == "off" or found.offset_ms is None or found.halves_ms is None:
            return None
        if self.mode == "on":
            return found.offset_ms if abs(found.offset_ms) >= LEAST_MS else None
        apart = max(abs(half - found.offset_ms) for half in found.halves_ms)
        sure = found.confidence >= CONFIDENT and apart <= AGREE_MS
        wrong = not LATE_MS <= found.offset_ms <= EARLY_MS
        return found.offset_ms if sure and wrong and not found.warnings() else None


def _figures(found: LipSync) -> dict[str, Any]:
    return {"offset_ms": found.offset_ms, "confidence": found.confidence}


def _heard(clip: Clip, times: FrameTimes, delay: Fraction, mesh: str) -> SpeechTrack:
    """Return the sound as it will be delivered beside the whole take's picture."""
    listen = ListenForSpeech(mesh)
    state = listen.start(clip)
    for block in read_sound(
        clip,
        clip.sounds[0].index,
        rate_hz=RATE_HZ,
        channels=1,
        start_seconds=times.seconds(0) - delay,
        samples=int(times.duration_seconds * RATE_HZ),
    ):
        listen.step(state, block)
    return listen.finish(state)


STAGES = (FindOffset, ShiftSound)
