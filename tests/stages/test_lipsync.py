"""Lip sync: the sign and size of an offset, how sure it is, what cannot be measured, and the shift."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from postpipe import inspect
from postpipe.lipsync import LipSync, in_words
from postpipe.model import SoundBlock
from postpipe.stages import lipsync_match
from postpipe.stages.lipsync import ShiftSound, find_offset
from postpipe.stages.lipsync_tracks import (
    BANDS,
    FEATURES,
    RATE_HZ,
    STEP_HZ,
    ListenForSpeech,
    Mouth,
    MouthTrack,
    SpeechTrack,
    maps,
)
from tests.clips import make_clip

TALKING = Path(__file__).parents[2] / "sample_media" / "scene04_take01.mp4"
SECONDS = 8.0


def utterance(seconds: NDArray[np.float64], seed: int = 0) -> NDArray[np.float64]:
    """Two parts of a made-up utterance at any times, `(times, 2)`: sines of 1.5 to 6 Hz, as syllables come."""
    random = np.random.default_rng(seed)
    hertz, phase = random.uniform(1.5, 6, (2, 12)), random.uniform(0, 2 * np.pi, (2, 12))
    waves = np.sin(2 * np.pi * hertz[..., None] * seconds + phase[..., None])
    return np.asarray(waves.mean(axis=1).T)


def lips(rate: float = 25.0, seconds: float = SECONDS, seed: int = 0, track: int = 0) -> MouthTrack:
    times = np.arange(0, seconds, 1 / rate)
    return track_of(times, utterance(times, seed), track)


def track_of(times: NDArray[np.float64], parts: NDArray[np.float64], track: int = 0) -> MouthTrack:
    return MouthTrack(
        seconds=times,
        tracks=np.full(len(times), track, np.int32),
        lips=parts.astype(np.float32),
        speeds=np.full(len(times), 0.5, np.float32),
        found=np.ones(track + 1),
        frames=len(times),
        has_sound=True,
    )


def sound(early_ms: float = 0.0, seconds: float = SECONDS, seed: int = 0) -> SpeechTrack:
    """The sound of the utterance: what the lips do at t is heard at t - early."""
    times = np.arange(int(seconds * STEP_HZ)) / STEP_HZ
    levels = np.where(np.arange(len(times)) % 50 < 25, -20.0, -50.0).astype(np.float32)
    return SpeechTrack(utterance(times + early_ms / 1000, seed).astype(np.float32), levels)


def found(mouths: MouthTrack, speech: SpeechTrack) -> LipSync:
    return find_offset(mouths, speech, maps())


@given(early_ms=st.integers(-600, 600), rate=st.sampled_from([23.976, 25.0, 30.0, 50.0]), seed=st.integers(0, 9))
def test_an_offset_is_found_with_its_sign(early_ms: int, rate: float, seed: int) -> None:
    answer = found(lips(rate, seed=seed), sound(early_ms, seed=seed))
    assert answer.offset_ms == pytest.approx(early_ms, abs=12)
    assert answer.confidence > 0.9
    assert answer.halves_ms == pytest.approx((early_ms, early_ms), abs=20)


def test_likeness_is_the_correlation_of_what_is_new_at_each_step_by_how_much_is_there_at_each_lag() -> None:
    random = np.random.default_rng(5)
    steps = np.concatenate([np.arange(20, 130), np.arange(160, 260)])
    seen = lipsync_match.Lips(steps, random.normal(size=(len(steps), 2)))
    heard = random.normal(size=(240, 2))
    weights = np.array([0.7, 0.3])
    curve = lipsync_match.likeness(seen, heard, weights)
    follows = np.flatnonzero(np.diff(steps, prepend=-9) == 1)
    values, counts = [], []
    for lag in lipsync_match.LAGS:
        rows = follows[(steps[follows] - lag >= 1) & (steps[follows] - lag < len(heard))]
        beside = steps[rows] - lag
        mouth = seen.parts[rows] - lipsync_match.FORETOLD * seen.parts[rows - 1]
        voice = heard[beside] - lipsync_match.FORETOLD * heard[beside - 1]
        values.append(weights @ [np.corrcoef(y, z)[0, 1] for y, z in zip(mouth.T, voice.T, strict=True)])
        counts.append(len(rows))
    np.testing.assert_allclose(curve, np.array(values) * np.sqrt(np.array(counts) / max(counts)))


def test_frames_count_by_their_times_not_by_their_numbers() -> None:
    random = np.random.default_rng(3)
    times = np.sort(random.uniform(0, SECONDS, 200))
    assert np.diff(times).max() < lipsync_match.GAP_SECONDS
    assert found(track_of(times, utterance(times)), sound(120)).offset_ms == pytest.approx(120, abs=12)


def test_the_one_who_speaks_is_listened_to() -> None:
    speaker, other = lips(seed=1, track=1), lips(seed=2, track=0)
    both = MouthTrack(
        seconds=np.concatenate([other.seconds, speaker.seconds]),
        tracks=np.concatenate([other.tracks, speaker.tracks]),
        lips=np.concatenate([other.lips, speaker.lips]),
        speeds=np.concatenate([other.speeds, speaker.speeds]),
        found=np.ones(2),
        frames=speaker.frames,
        has_sound=True,
    )
    answer = found(both, sound(-240, seed=1))
    assert answer.offset_ms == pytest.approx(-240, abs=12)


@pytest.mark.parametrize(
    ("reason", "mouths", "speech"),
    [
        ("no sound", replace(lips(), has_sound=False), sound()),
        ("too short", lips(seconds=2.0), sound(seconds=2.0)),
        ("no speech", lips(), replace(sound(), levels=np.full(400, -80, np.float32))),
        ("no speech", lips(), replace(sound(), levels=np.full(400, -20, np.float32))),
        ("no face", track_of(np.zeros(0), np.zeros((0, 2))), sound()),
        ("no face", lips(seconds=1.5), sound()),
        ("no face", replace(lips(), found=np.zeros(1)), sound()),
        ("no lip motion", replace(lips(), speeds=np.zeros(200, np.float32)), sound()),
        ("unsure", lips(seed=1), sound(seed=2)),
    ],
)
def test_what_cannot_be_measured_is_said_and_is_not_zero(reason: str, mouths: MouthTrack, speech: SpeechTrack) -> None:
    answer = found(mouths, speech)
    assert (answer.measurable, answer.reason, answer.offset_ms) == (False, reason, None)
    assert answer.summary()["measurable"] is False
    assert json.dumps(answer.summary(), allow_nan=False)


def test_a_jump_inside_a_take_shows_and_nothing_is_shifted() -> None:
    early, late = sound(200, 20.0), sound(-100, 20.0)
    half = len(early.parts) // 2
    jumping = replace(early, parts=np.concatenate([early.parts[:half], late.parts[half:]]))
    answer = found(lips(seconds=20.0), jumping)
    first, *_, last = answer.windows
    assert (first.offset_ms, last.offset_ms) == (pytest.approx(200, abs=20), pytest.approx(-100, abs=20))
    (warning,) = answer.warnings()
    assert "changes" in warning
    said = re.search(r"(\d+) ms early .* (\d+) ms late", warning)
    assert said
    assert [int(value) for value in said.groups()] == [pytest.approx(200, abs=20), pytest.approx(100, abs=20)]
    assert answer.drift is None
    assert ShiftSound().wanted(answer) is None


def test_an_offset_in_words() -> None:
    assert [in_words(value) for value in (120.4, -80.0, 0.2)] == ["120 ms early", "80 ms late", "in sync"]


def test_where_sound_is_not_there_yet_nothing_is_compared() -> None:
    whole = sound(200)
    missing = np.arange(len(whole.levels)) < 60
    parts = np.where(missing[:, None], np.float32(3), whole.parts)
    answer = found(lips(), SpeechTrack(parts, np.where(missing, np.float32(-90), whole.levels)))
    assert answer.offset_ms == pytest.approx(200, abs=12)
    assert answer.confidence > 0.9
    assert not answer.sound[:60].any()


def test_a_take_without_sound_has_no_faces_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("faces were looked for")

    monkeypatch.setattr("postpipe.stages.faces._Finder", refuse)
    clip = make_clip(tmp_path / "a.mp4", frames=6, sound_hz=None)
    assert inspect([clip]).takes()[0]["facts"]["lipsync"]["reason"] == "no sound"


# What it is told from


@given(cuts=st.lists(st.integers(1, 15_999), max_size=6, unique=True))
def test_sound_in_blocks_is_the_sound(cuts: list[int]) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (16_000, 1)).astype(np.float32)

    def heard(at: list[int]) -> SpeechTrack:
        listen = ListenForSpeech()
        state = listen.start(None)  # type: ignore[arg-type]  # it asks nothing of the clip
        for block in np.split(samples, sorted(at)):
            listen.step(state, SoundBlock(0, RATE_HZ, block))
        return listen.finish(state)

    whole, parts = heard([]), heard(cuts)
    assert len(whole.parts) == 16_000 * STEP_HZ // RATE_HZ + 1
    np.testing.assert_allclose(parts.parts, whole.parts, atol=1e-4)
    np.testing.assert_allclose(parts.levels, whole.levels, atol=1e-3)


def test_levels_are_those_of_a_sine() -> None:
    time = np.arange(RATE_HZ) / RATE_HZ
    listen = ListenForSpeech()
    state = listen.start(None)  # type: ignore[arg-type]
    listen.step(state, SoundBlock(0, RATE_HZ, 0.1 * np.sin(2 * np.pi * 1500 * time, dtype=np.float32)[:, None]))
    assert np.median(listen.finish(state).levels) == pytest.approx(-20, abs=6)


def test_a_mouth_that_opens_is_seen_to_move_and_a_mirror_image_is_the_same() -> None:
    rows, columns = np.mgrid[0:40, 0:52].astype(np.float64)

    def face(open_: float) -> NDArray[np.uint8]:
        skin = 150 + 30 * np.sin(rows / 3 - open_) + 20 * np.cos(columns / 4)
        hole = ((columns - 26) / 12) ** 2 + ((rows - 22) / (0.5 + open_)) ** 2 < 1
        return np.where(hole, 30, skin).astype(np.uint8)

    mouth, mirrored, still = Mouth(), Mouth(), Mouth()
    for open_ in (0.0, 1.0, 2.0, 3.0):
        values = mouth.measure(face(open_))
        np.testing.assert_allclose(mirrored.measure(np.ascontiguousarray(face(open_)[:, ::-1])), values, atol=0.35)
        assert still.measure(face(0.0)).shape == values.shape == (FEATURES,)
    assert mouth.speed > 0.1
    assert still.speed < 0.05


def test_the_maps_are_what_the_analysers_make_use_of() -> None:
    known = maps()
    parts = len(known.weights)
    assert np.asarray(known.mouth).shape == (FEATURES, parts)
    assert np.asarray(known.sound).shape == (13 * BANDS, parts)
    assert sum(known.weights) == pytest.approx(1, abs=1e-3)
    assert len(known.confidence) == 4
    assert known.clips
    assert min(known.confidence[1:]) > 0


@pytest.mark.parametrize(
    ("file", "offset_ms"),
    [("example.avi", 120), ("lp_d20.mp4", -280), ("lp_d14.mp4", None), ("3qesirWAGt4_20000_30000.mp4", None)],
)
def test_real_clips(media: Path, file: str, offset_ms: float | None) -> None:
    answer = inspect([media / "talking" / file]).takes()[0]["facts"]["lipsync"]
    assert answer["measurable"] == (offset_ms is not None)
    if offset_ms is not None:
        assert answer["offset_ms"] == pytest.approx(offset_ms, abs=40)
