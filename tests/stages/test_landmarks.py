"""Landmarks of a mouth: what they say, and what lip sync makes of them where the user has a mesh."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from postpipe import inspect, models
from postpipe.model import Plane
from postpipe.stages import lipsync_tracks
from postpipe.stages.faces import Face
from postpipe.stages.landmarks import LANDMARKS, Landmarks, between_looks, shape_of
from postpipe.stages.lipsync_tracks import BANDS, FEATURES, ListenForSpeech, WatchMouths, maps

TALKING = Path(__file__).parents[2] / "sample_media" / "scene04_take01.mp4"


def face(opening: float = 0.0) -> NDArray[np.float64]:
    """468 landmarks of which those that count are those of a plain face, eyes 1 apart, open by `opening`."""
    points = np.zeros((468, 3))
    places = {
        33: (-0.5, 0), 263: (0.5, 0), 168: (0, 0), 2: (0, 0.6), 152: (0, 1.3),
        0: (0, 0.75), 17: (0, 0.95 + opening), 61: (-0.3, 0.85), 291: (0.3, 0.85),
        13: (0, 0.85), 14: (0, 0.85 + opening), 78: (-0.25, 0.85), 308: (0.25, 0.85),
        82: (-0.1, 0.85), 87: (-0.1, 0.85 + opening / 2), 312: (0.1, 0.85), 317: (0.1, 0.85 + opening / 2),
    }  # fmt: skip
    for number, place in places.items():
        points[number, :2] = place
    return points


@given(opening=st.floats(0, 0.3))
def test_a_mouth_is_told_in_distances_of_the_eyes(opening: float) -> None:
    expected = [opening, opening / 2, 0.5, 0.2 + opening, 0.6, 0.15, 0.35 - opening, 0.7, 0, -opening / 2, 0]
    assert shape_of(face(opening)) == pytest.approx(expected, abs=1e-9)
    assert len(expected) == LANDMARKS


@given(
    angles=st.tuples(*[st.floats(-0.6, 0.6)] * 3),
    scale=st.floats(10, 300),
    place=st.tuples(*[st.floats(-500, 500)] * 3),
)
def test_how_the_head_is_turned_and_how_far_away_it_is_does_not_count(
    angles: tuple[float, float, float], scale: float, place: tuple[float, float, float]
) -> None:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[[one, one, other, other], [one, other, one, other]] = (
            np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        )  # fmt: skip
        turn = step @ turn
    seen = scale * face(0.1) @ turn.T + np.array(place)
    assert shape_of(seen) == pytest.approx(shape_of(face(0.1)), abs=1e-6)


class _Net:
    """A mesh that sees what it is told to."""

    def __init__(self, score: float) -> None:
        self.score = score
        self.seen: list[NDArray[np.float32]] = []

    def setInput(self, picture: NDArray[np.float32]) -> None:
        self.seen.append(picture)

    def forward(self, names: tuple[str, str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        assert names == ("conv2d_21", "conv2d_31")
        return face(0.1).astype(np.float32).reshape(1, -1, 1, 1), np.full((1, 1, 1, 1), self.score, np.float32)


@pytest.mark.parametrize(("score", "is_face"), [(5.0, True), (-5.0, False)])
def test_the_mesh_sees_the_face_with_what_is_around_it(score: float, is_face: bool) -> None:
    mesh = Landmarks.__new__(Landmarks)
    mesh._net, mesh._looks = (net := _Net(score)), {}
    luma: Plane = np.full((400, 400), 51, np.uint8)
    luma[140:260, 140:260] = 255
    there = Face(0, 200.0, 200.0, 120.0, 120.0, 1, 1)
    found = mesh.measure(luma, 8, there, Fraction(0))
    assert (found is not None) == is_face
    (picture,) = net.seen
    assert picture.shape == (1, 3, 192, 192)
    assert picture[0, :, 29:149, 36:156] == pytest.approx(1.0)
    assert picture[0, :, :28] == pytest.approx(0.2)
    assert mesh.measure(luma, 8, Face(1, -50.0, 200.0, 120.0, 120.0, 1, 1), Fraction(0)) is None
    later = [mesh.measure(luma, 8, there, Fraction(frame, 24)) for frame in range(1, 5)]
    assert len(net.seen) == 4  # three of four frames, 18 of 24
    assert all((one is not None) == is_face for one in later)
    assert not is_face or [np.isnan(one).all() for one in later if one is not None] == [True, False, False, False]


def test_between_two_looks_numbers_go_evenly_from_one_to_the_other() -> None:
    looks = np.array([[np.nan, np.nan], [1.0, 5.0], [np.nan, np.nan], [4.0, 2.0], [np.nan, np.nan]])
    times = np.array([0.0, 0.1, 0.2, 0.4, 0.5])
    np.testing.assert_allclose(between_looks(times, looks), [[1, 5], [1, 5], [2, 4], [4, 2], [4, 2]])
    assert between_looks(times, np.zeros((5, 0))).shape == (5, 0)


def test_without_a_mesh_nothing_is_asked_of_one() -> None:
    assert (WatchMouths().mesh, ListenForSpeech().mesh) == ("", "")


def test_the_maps_with_a_mesh_fit_what_they_map() -> None:
    plain, known = maps(), maps(True)
    assert np.asarray(known.mouth).shape == (FEATURES + LANDMARKS, len(known.weights))
    assert np.asarray(known.sound).shape == (13 * BANDS, len(known.weights))
    assert sum(known.weights) == pytest.approx(1, abs=1e-3)
    assert known.clips == plain.clips
    assert min(known.confidence[1:]) > 0


def test_a_mesh_that_is_kept_is_used_and_is_in_the_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    class Still:
        def __init__(self, path: Path) -> None:
            asked.append(path)

        def measure(self, luma: Plane, bits: int, face: Face, now: Fraction) -> NDArray[np.float64]:
            return np.full(LANDMARKS, np.nan if now else 1.0)

    content = b"a mesh"
    kept = replace(models.FACE_MESH, size=len(content), digest=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(lipsync_tracks, "FACE_MESH", kept)
    monkeypatch.setattr(lipsync_tracks, "Landmarks", Still)
    monkeypatch.setenv("POSTPIPE_MODELS_DIR", str(tmp_path))
    kept.path.write_bytes(content)
    assert WatchMouths() != WatchMouths("")
    assert ListenForSpeech() != ListenForSpeech("")
    found = inspect([TALKING]).takes()[0]["facts"]["lipsync"]
    assert asked == [kept.path]
    assert found["guess_ms"] == pytest.approx(-200, abs=20)  # half of the curve is what pictures say


def test_the_real_mesh(media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = sorted(media.glob("models/mediapipe-*.whl"))
    if not wheels:
        pytest.skip("needs models/mediapipe-0.10.21-….whl beside the clips")
    monkeypatch.setenv("POSTPIPE_MODELS_DIR", str(tmp_path))
    models.add(wheels[0])
    answer = inspect([media / "talking" / "lp_d20.mp4"]).takes()[0]["facts"]["lipsync"]
    assert answer["offset_ms"] == pytest.approx(-280, abs=40)
