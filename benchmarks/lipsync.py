"""How right lip sync is, on clips whose speaker nothing was learnt from.

    python -m benchmarks.lipsync --media DIR [--mesh]

For each speaker the maps are learnt from all others, then his or her clip is cut into windows whose sound is moved by
known amounts. A window's truth is that shift and what the rest of the clip, outside of the window, answers unmoved
(where the rest is shorter than two and a half seconds, the median over the clip's windows of five). What is cut is
measured as a take would be: by the same tasks, gates and confidence. `--mesh`: with the face mesh that `postpipe models
add` has kept.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import record
from benchmarks.lipsync_clips import OTHERS, SAME_SPEAKER, TALKING, Seen, mel_of, mouths_of, see_once
from benchmarks.lipsync_peers import peers
from benchmarks.lipsync_train import train
from postpipe.lipsync import LipSync
from postpipe.stages.lipsync import ShiftSound, find_offset
from postpipe.stages.lipsync_match import lips_of
from postpipe.stages.lipsync_tracks import RATE_HZ, Maps, MouthTrack, SpeechTrack, around, speech_levels

GENERATED = ("lp_d11", "lp_d20", "demo1_video", "sora_standard", "retalking_1", "retalking_2", "retalking_4")
FACELESS = (
    "clean/bigbuckbunny.mp4",
    "flicker/chaplin.mp4",
    "odd/issue-134-rotate.mp4",
    "odd/multi-track.mp4",
    "odd/video_with_failing_audio.mp4",
    "takes/luma_watermarked.mp4",
    "takes/pika_share.mp4",
    "takes/cogvideo_kitten.mp4",
    "talking/3qesirWAGt4_20000_30000.mp4",
)
"""Clips without a face that speaks: drawings, animals, music, noise. Speech is laid over them."""

SHIFTS = 4
SEED = 60
KNOWN_MS = (-500, -350, -200, -140, 140, 200, 350, 500)


@dataclass(frozen=True)
class Speaker:
    """One clip, with maps that were learnt without its speaker. `numbers`: of its mouth in each frame of its face."""

    name: str
    seen: Seen
    maps: Maps
    numbers: NDArray[np.float64]
    speeds: NDArray[np.float64]

    @property
    def seconds(self) -> float:
        """How long the clip is."""
        return len(self.seen.samples) / RATE_HZ

    def mouths(self, raw: bool = False) -> MouthTrack:
        """Return the lips of the whole clip; `raw`: all numbers of the mouth, for the peers."""
        track = self.seen.longest
        rows = self.seen.rows[track]
        return MouthTrack(
            seconds=self.seen.seconds[rows],
            tracks=np.zeros(len(rows), np.int32),
            lips=(self.numbers if raw else self.numbers @ np.asarray(self.maps.mouth)).astype(np.float32),
            speeds=self.speeds.astype(np.float32),
            found=np.array([self.seen.found[track]]),
            frames=len(self.seen.seconds),
            has_sound=True,
        )


def cut(mouths: MouthTrack, keep: NDArray[np.bool_], start: float = 0.0) -> MouthTrack:
    """Return some rows of a track, its time beginning at `start` seconds."""
    return replace(
        mouths,
        seconds=mouths.seconds[keep] - start,
        tracks=mouths.tracks[keep],
        lips=mouths.lips[keep],
        speeds=mouths.speeds[keep],
    )


def speech(samples: NDArray[np.float32], maps: Maps) -> SpeechTrack:
    """Return what the analyser makes of samples."""
    mel = mel_of(samples)
    return SpeechTrack((around(mel) @ np.asarray(maps.sound)).astype(np.float32), speech_levels(mel))


def moved(samples: NDArray[np.float32], start: float, seconds: float, early_ms: float) -> NDArray[np.float32]:
    """Return a stretch of sound that is early by so much; silence where there is none."""
    first = round((start + early_ms / 1000) * RATE_HZ)
    size = round(seconds * RATE_HZ)
    out = np.zeros(size, np.float32)
    begin, end = max(0, first), min(len(samples), first + size)
    if end > begin:
        out[begin - first : end - first] = samples[begin:end]
    return out


def best(found: LipSync) -> float | None:
    """Return the offset of the best guess, however sure it is."""
    return found.offset_ms if found.offset_ms is not None or not len(found.correlation) else found.guess_ms


@dataclass
class Window:
    """One window as it was answered."""

    speaker: str
    seconds: float
    truth_ms: float
    found: LipSync
    peers: dict[str, float]

    @property
    def error_ms(self) -> float:
        """How far off the best guess is; infinite where there is none."""
        guess = best(self.found)
        return float("inf") if guess is None else abs(guess - self.truth_ms)


def test_windows(speaker: Speaker, seconds: float, every: float, rng: np.random.Generator) -> Iterator[Window]:
    """Yield the windows of a clip with their answers."""
    track, raw = speaker.mouths(), speaker.mouths(raw=True)
    samples = speaker.seen.samples
    zero = own_zero(speaker)
    for start in np.arange(0.0, speaker.seconds - seconds + 0.02, every):
        inside = (track.seconds >= start - 1e-6) & (track.seconds < start + seconds - 1e-6)
        rest_zero = outside_zero(speaker, track, start, seconds)
        part, raw_part = cut(track, inside, start), cut(raw, inside, start)
        for shift in rng.uniform(-500, 500, SHIFTS):
            sound = moved(samples, start, seconds, shift)
            found = find_offset(part, speech(sound, speaker.maps), speaker.maps)
            others = peers(lips_of(0, raw_part), mel_of(sound))
            yield Window(speaker.name, seconds, (zero if rest_zero is None else rest_zero) + shift, found, others)


def own_zero(speaker: Speaker) -> float:
    """Return the median answer over the windows of an unmoved clip, or over all of a short one."""
    found = find_offset(speaker.mouths(), speech(speaker.seen.samples, speaker.maps), speaker.maps)
    answers = [window.offset_ms for window in found.windows if window.confidence >= 0.5]
    return float(np.median(answers)) if len(answers) > 1 else best(found) or 0.0


def outside_zero(speaker: Speaker, track: MouthTrack, start: float, seconds: float) -> float | None:
    """Return what lies outside of a window answers by itself, before and behind together, where that is long enough."""
    if speaker.seconds - seconds < 2.5:
        return None
    end = start + seconds
    outside = cut(track, (track.seconds < start) | (track.seconds >= end))
    samples = speaker.seen.samples.copy()
    samples[round(start * RATE_HZ) : round(end * RATE_HZ)] = 0.0
    return best(find_offset(outside, speech(samples, speaker.maps), speaker.maps))


def share(errors: Sequence[float], within_ms: float) -> float:
    """Return the share of errors that are small enough, in percent."""
    return round(100 * float(np.mean(np.abs(errors) <= within_ms)), 1) if len(errors) else float("nan")


def accuracy(windows: Sequence[Window]) -> dict[str, Any]:
    """Return what windows of one length come to: mean over speakers, each counting alike."""
    names = sorted({window.speaker for window in windows})
    by_speaker = {name: [w for w in windows if w.speaker == name] for name in names}

    def mean(within_ms: float, of: str | None = None) -> float:
        rows = []
        for group in by_speaker.values():
            errors = [w.error_ms if of is None else w.peers[of] - w.truth_ms for w in group]
            rows.append(share(errors, within_ms))
        return round(float(np.mean(rows)), 1)

    return {
        "speakers": len(names),
        "windows": len(windows),
        "within_40_ms": mean(40),
        "within_80_ms": mean(80),
        "peers": {of: {"within_40_ms": mean(40, of), "within_80_ms": mean(80, of)} for of in windows[0].peers},
        "speakers_within_80_ms": {
            Path(name).stem: share([w.error_ms for w in group], 80) for name, group in by_speaker.items()
        },
    }


def answers(windows: Sequence[Window]) -> dict[str, Any]:
    """Return how many windows are answered, and how many answers are right."""
    given = [window for window in windows if window.found.measurable]
    return {
        "answered": round(100 * len(given) / len(windows), 1),
        "answers_within_80_ms": share([window.error_ms for window in given], 80),
        "answers": len(given),
    }


def strangers(speakers: Sequence[Speaker], media: Path, mesh: bool, rng: np.random.Generator) -> dict[str, Any]:
    """Return the share of 'not measurable' where there is nothing to measure, kind by kind."""
    kinds: dict[str, list[bool]] = {}
    voices = [speaker for speaker in speakers if speaker.seconds > 7]
    music = see_once(media / OTHERS[1], mesh).samples

    def ask(kind: str, mouths: MouthTrack, samples: NDArray[np.float32], maps: Maps) -> None:
        found = find_offset(mouths, speech(samples, maps), maps)
        kinds.setdefault(kind, []).append(not found.measurable)

    for speaker in speakers:
        track = speaker.mouths()
        seconds = min(10.0, speaker.seconds)
        part = cut(track, track.seconds < seconds)
        for voice in voices:
            if voice.name != speaker.name:
                begin = rng.uniform(0, max(0.0, voice.seconds - seconds))
                ask("sound of another", part, moved(voice.seen.samples, begin, seconds, 0), speaker.maps)
        begin = rng.uniform(0, len(music) / RATE_HZ - seconds)
        ask("music alone", part, moved(music, begin, seconds, 0), speaker.maps)
        ask("no speech", part, rng.normal(0, 0.003, len(speaker.seen.samples)).astype(np.float32), speaker.maps)
        still = replace(
            track, lips=np.repeat(track.lips[:1], len(track.lips), axis=0), speeds=np.zeros_like(track.speeds)
        )
        ask("a picture without lip motion", still, speaker.seen.samples, speaker.maps)
    for name in OTHERS:
        seen = see_once(media / name, mesh)
        other = as_speaker(name, seen, speakers[0].maps)
        for begin in np.arange(0, other.seconds - 8, 4.0):
            track = other.mouths()
            part = cut(track, (track.seconds >= begin) & (track.seconds < begin + 8), begin)
            ask("a face, the sound not its own", part, moved(seen.samples, begin, 8, 0), other.maps)
    for name in FACELESS:
        seen = see_once(media / name, mesh)
        for voice in voices:
            length = min(10.0, float(seen.seconds[-1]))
            sound = moved(voice.seen.samples, 0, length, 0)
            if seen.rows:
                other = as_speaker(name, seen, voice.maps)
                track = other.mouths()
                ask("no face", cut(track, track.seconds < length), sound, voice.maps)
            else:
                none = np.zeros(0)
                empty = MouthTrack(
                    none, none.astype(np.int32), np.zeros((0, 2), np.float32), none.astype(np.float32), none, 1, True
                )
                ask("no face", empty, sound, voice.maps)
    every = [value for values in kinds.values() for value in values]
    return {
        "not_measurable": {kind: share([not value for value in values], 0.5) for kind, values in kinds.items()},
        "cases": {kind: len(values) for kind, values in kinds.items()},
        "all": share([not value for value in every], 0.5),
    }


def fixes(speakers: Sequence[Speaker]) -> dict[str, Any]:
    """Return what the fix does to takes with a known shift, and to takes that are right."""
    mended, alone, untouched, residuals = [], [], 0, []
    for speaker in speakers:
        track, samples, zero = speaker.mouths(), speaker.seen.samples, own_zero(speaker)
        for shift in KNOWN_MS:
            sound = moved(samples, 0, speaker.seconds, shift - zero)
            wanted = ShiftSound().wanted(find_offset(track, speech(sound, speaker.maps), speaker.maps))
            untouched += wanted is None
            residual = shift - (wanted or 0.0)
            residuals.append(residual)
            mended.append(-125 <= residual <= 45)
        for shift in (-20, 0, 20):
            sound = moved(samples, 0, speaker.seconds, shift - zero)
            alone.append(ShiftSound().wanted(find_offset(track, speech(sound, speaker.maps), speaker.maps)) is None)
    return {
        "known_shifts_ms": list(KNOWN_MS),
        "takes": len(mended),
        "end_within_45_early_and_125_late": share([not value for value in mended], 0.5),
        "left_as_they_were": untouched,
        "right_takes_left_alone": share([not value for value in alone], 0.5),
        "median_distance_ms": round(float(np.median(np.abs(residuals))), 1),
    }


def as_speaker(name: str, seen: Seen, maps: Maps) -> Speaker:
    """Return a clip with its mouth measured."""
    numbers, speeds = mouths_of(seen, seen.longest)
    return Speaker(name, seen, maps, numbers, speeds)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--mesh", action="store_true")
    options = parser.parse_args()
    media: Path = options.media
    mesh: bool = options.mesh
    rng = np.random.default_rng(SEED)
    speakers = []
    for name in TALKING:
        print(f"without {name}", file=sys.stderr, flush=True)
        maps, _ = train([other for other in TALKING if other != name], media, mesh)
        speakers.append(as_speaker(name, see_once(media / name, mesh), maps))
    long = [speaker for speaker in speakers if speaker.seconds >= 8]
    middle = [speaker for speaker in speakers if speaker.seconds >= 5]
    ten = [w for s in long for w in test_windows(s, 10.0 if s.seconds >= 10 else 8.0, 0.5, rng)]
    five = [w for s in middle for w in test_windows(s, 5.0, 1.0, rng)]
    generated = [w for w in five if Path(w.speaker).stem in GENERATED]
    others = [w for w in five if Path(w.speaker).stem not in GENERATED]
    (shifted, original), *_ = SAME_SPEAKER.items()
    pair = {}
    for name in (original, shifted):
        maps = next(s.maps for s in speakers if s.name == original)
        speaker = as_speaker(name, see_once(media / name, mesh), maps)
        pair[name] = best(find_offset(speaker.mouths(), speech(speaker.seen.samples, maps), maps)) or 0.0
    record(
        "lipsync_mesh" if mesh else "lipsync",
        "python -m benchmarks.lipsync --media DIR" + (" --mesh" if mesh else ""),
        {
            "learnt_from": "all clips but the one of the speaker who is asked about: " + ", ".join(TALKING),
            "windows_10_s": accuracy(ten),
            "windows_5_s": accuracy(five),
            "windows_5_s_generated": accuracy(generated),
            "windows_5_s_others": accuracy(others),
            "answers_10_s": answers(ten),
            "answers_5_s": answers(five),
            "nothing_to_measure": strangers(speakers, media, mesh, rng),
            "same_picture_other_sound": {
                "offsets_ms": pair,
                "difference_ms": round(pair[shifted] - pair[original], 1),
                "sound_to_sound_ms": -269,
                "picture_to_picture_ms": -80,
            },
            "fixes": fixes(long),
        },
    )


if __name__ == "__main__":
    main()
