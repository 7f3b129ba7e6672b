"""Lip sync: how early or late the sound of a take is, and its shift where that helps.

Positive is sound that is early, as ITU-R BT.1359 writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from postpipe.delivery import Fix, FrameTimes, TakeName
from postpipe.edit import Edit
from postpipe.engine.stage import Analyser, Each, FixTask, Task
from postpipe.lipsync import SURE, Course, LipSync, OffsetWindow, SoundShift
from postpipe.media.sound import read_sound
from postpipe.model import Clip
from postpipe.stages.edit import Wishes
from postpipe.stages.lipsync_decide import Mode, decide, decide_for_all, helped, surest
from postpipe.stages.lipsync_match import (
    LAGS,
    LAGS_MS,
    Lips,
    Match,
    Opinion,
    confidence,
    halves_ms,
    lips_of,
    match,
    match_by,
    together,
    without_slow,
)
from postpipe.stages.lipsync_model import ByModel, LipEmbeddings, Nearness, PlaySound, SoundEmbeddings
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
RIGHT_MS = 80.0  # what a confidence is told for
LEAST_FOUND = 0.2  # of the times that a face was looked for
STILL = 0.08  # pixels of a face of 64 that lips move from frame to frame: less is no speech
QUIET_DBFS = -60.0  # speech is louder at times
EVEN_DB = 6.0  # and has pauses
NOTHING_DBFS = -85.0  # where sound begins later or ends earlier than the picture, there is not even noise
WINDOW_SECONDS, EVERY_SECONDS = 5.0, 2.5
WINDOW_LIPS = 0.8  # share of a window in which lips are seen


@dataclass(frozen=True)
class FindOffset(ByModel, Task):
    """Find the offset at which lips and sound are most alike."""

    id: ClassVar[str] = "lipsync"
    summary: ClassVar[str] = "how early or late the sound is against the lips"
    section: ClassVar[str] = "lipsync"
    stored: ClassVar[bool] = True

    def run(
        self, mouths: MouthTrack, speech: SpeechTrack, seen: LipEmbeddings | None, heard: SoundEmbeddings | None
    ) -> LipSync:
        """Return the offset, how sure it is, or why it cannot be measured."""
        near = Nearness.of(seen, heard, LAGS) if seen is not None and heard is not None else None
        return find_offset(mouths, speech, maps(bool(mouths.mesh)), near)


def find_offset(mouths: MouthTrack, speech: SpeechTrack, known: Maps, near: Nearness | None = None) -> LipSync:
    """Return how early the sound is against the lips that move most like it.

    `known`: what both were mapped by. `near`: what a model of the user's says of them, which then counts as much.
    """
    reason = _silence(mouths, speech)
    if reason:
        return _not_measurable(reason)
    weights = np.asarray(known.weights)
    first, sound = _heard_part(speech)
    shares = enumerate(mouths.found)
    found = {track: _later(lips_of(track, mouths), first) for track, share in shares if share >= LEAST_FOUND}
    faces = {track: lips for track, lips in found.items() if lips.seconds}
    if sum(lips.seconds for lips in faces.values()) < LEAST_LIPS_SECONDS:
        return _not_measurable("no face")
    speeds = mouths.speeds[mouths.speeds > 0]
    if not len(speeds) or np.quantile(speeds, 0.75) < STILL:
        return _not_measurable("no lip motion")

    def opinion(tracks: list[int]) -> Opinion | None:
        return None if near is None else lambda lips: near.curve(lips.steps + first, tracks)

    def height(track: int) -> float:
        return match(faces[track], sound, weights, opinion([track])).evidence[0]

    order = sorted(faces, key=height, reverse=True) if len(faces) > 1 else list(faces)  # the one who speaks first
    lips, other = together([faces[track] for track in order]), opinion(order)
    whole, sure = _weighed(lips, sound, known, other)
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
        halves_ms=halves_ms(lips, sound, weights, other),
        windows=tuple(_windows(lips, sound, first, known, other)),
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


def _weighed(lips: Lips, sound: Any, known: Maps, opinion: Opinion | None) -> tuple[Match, float]:
    """Return where lips and sound are most alike, and how sure that is.

    Where one of the two alone says otherwise, both together are right at most as often as that one is wrong.
    """
    weights = np.asarray(known.weights)
    found = match(lips, sound, weights, opinion)
    sure = confidence(found.evidence, known.confidence)
    if opinion is not None:
        for alone in (match(lips, sound, weights), match_by(opinion, lips, len(sound))):
            if abs(alone.offset_ms - found.offset_ms) > RIGHT_MS:
                sure = min(sure, 1 - confidence(alone.evidence, known.confidence))
    return found, round(sure, 3)


def _windows(lips: Lips, sound: Any, first: int, known: Maps, opinion: Opinion | None) -> list[OffsetWindow]:
    size, every = int(WINDOW_SECONDS * STEP_HZ), int(EVERY_SECONDS * STEP_HZ)
    windows = []
    for start in range(0, max(0, first + len(sound) - size) + 1, every):
        part = lips.between(start - first, start - first + size)
        if len(part.steps) >= WINDOW_LIPS * size:
            found, sure = _weighed(part, sound, known, opinion)
            windows.append(OffsetWindow(start / STEP_HZ, WINDOW_SECONDS, round(found.offset_ms, 1), sure))
    return windows


@dataclass(frozen=True)
class ShiftSound(ByModel, FixTask):
    """Shift the sound of a take where that puts it right, and listen again to what comes of it."""

    id: ClassVar[str] = "shift_sound"
    summary: ClassVar[str] = "shifts sound that is early or late"
    section: ClassVar[str] = "lipsync"
    fix: ClassVar[str] = "lipsync"
    stored: ClassVar[bool] = True

    mode: Annotated[
        Mode,
        Meta(
            description="shift a take's sound; auto: where it is surely more than 40 ms early or 60 ms late (EBU R37); "
            "on: wherever it can be measured; off: never"
        ),
    ] = "auto"

    def run(
        self,
        clip: Clip,
        edit: Edit,
        wishes: Wishes,
        name: TakeName,
        clips: Each[Clip],
        offsets: Each[LipSync],
        mouths: Each[MouthTrack],
        times: Each[FrameTimes],
        seen: Each[LipEmbeddings] | None,
    ) -> SoundShift:
        """Return the shift, with what was measured before and after it: kept where the offset became smaller.

        All uses of one file are shifted alike: by the one that is surest, which is the one that is listened to again.
        """
        event = edit.event(clip.path)
        if event is None or not clip.sounds:
            return SoundShift()
        if event.silent:
            return SoundShift(left_because="it is not heard in the film")
        own = wishes.of(name.scene).sound_offset_ms
        uses = {path: offsets[path] for path in _uses(clip, clips, edit) if path in offsets}
        leader = clip.path if own is not None else surest(uses)
        found = offsets[leader]
        course = Course(own) if own is not None else decide_for_all(uses, leader, self.mode)
        if course == Course(0):
            course = "your own number is 0"
        if isinstance(course, str):
            measured = "" if leader == clip.path else f" (measured on {leader.name})"
            return SoundShift(left_because=course + measured)
        shift = _shift(course, clips[leader], times[leader])
        by_model = (seen or {}).get(leader), self.model
        after = listen_again(clips[leader], times[leader], mouths[leader], *by_model, shift)
        worse = None if own is not None else helped(found, after, course)
        parameters = {
            "mode": self.mode if own is None else "own number",
            "delay_ms": float(shift.delay_seconds * 1000),
            **({"speed": float(shift.speed)} if shift.speed != 1 else {}),
            **({"measured_on": leader.name} if leader != clip.path else {}),
        }
        fix = Fix(self.fix, parameters, _figures(found), _figures(after), worse is None)
        return SoundShift(fix=fix, left_because=worse) if worse else replace(shift, fix=fix)

    def wanted(self, found: LipSync) -> float | None:
        """Return the offset at its first frame that is to be put right, or `None`."""
        course = decide(found, self.mode)
        return None if isinstance(course, str) else course.offset_ms


def _uses(clip: Clip, clips: Mapping[Path, Clip], edit: Edit) -> list[Path]:
    """Return the clips that are heard in the film and come from the same file."""
    heard = {event.path for event in edit.events if not event.silent}
    return [path for path, other in clips.items() if other.file == clip.file and path in heard]


def _shift(course: Course, clip: Clip, times: FrameTimes) -> SoundShift:
    """Return the shift that takes an offset out; a speed is one that a rate in whole hertz can express."""
    rate = clip.sounds[0].rate_hz
    speed = Fraction(rate - round(course.drift_ms_per_second * rate / 1000), rate)
    return SoundShift(Fraction(round(course.offset_ms), 1000), None, speed, times.seconds(0))


def _figures(found: LipSync) -> dict[str, Any]:
    drift = {"drift_ms_per_second": round(found.drift.drift_ms_per_second, 2)} if found.drift else {}
    return {"offset_ms": found.offset_ms, "confidence": found.confidence, **drift}


def listen_again(
    clip: Clip, times: FrameTimes, mouths: MouthTrack, seen: LipEmbeddings | None, model: str, shift: SoundShift
) -> LipSync:
    """Return what is measured of the sound as it will be delivered beside the whole take's picture."""
    listeners: list[Analyser[Any, Any]] = [
        ListenForSpeech(mouths.mesh),
        *([PlaySound(model=model)] if seen is not None else []),
    ]
    running = [(listener, listener.start(clip)) for listener in listeners]
    for block in read_sound(
        clip,
        clip.sounds[0].index,
        rate_hz=RATE_HZ,
        channels=1,
        start_seconds=shift.heard_at(times.seconds(0)),
        samples=int(times.duration_seconds * RATE_HZ),
        speed=shift.speed,
    ):
        for listener, state in running:
            listener.step(state, block)
    speech, *heard = (listener.finish(state) for listener, state in running)
    near = Nearness.of(seen, heard[0], LAGS) if seen is not None else None
    return find_offset(mouths, speech, maps(bool(mouths.mesh)), near)


STAGES = (FindOffset, ShiftSound)
