"""The edit: trims, order, dissolves, fades, handles, and scenes that are not joined."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from benchmarks import edits
from postpipe import api
from postpipe.edit import Blend, Body, Event, starts, stretches
from postpipe.errors import SettingsError
from tests.clips import make_clip
from tests.stages.helpers import decode_sound

FAST = {"preset": "ultrafast", "encoder_threads": 1}


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Three scenes of 48 frames at 24 a second."""
    folder = tmp_path / "takes"
    folder.mkdir()
    for number in (1, 2, 3):
        make_clip(folder / f"scene{number:02d}_take01.mp4", frames=48, seed=number, sound_hz=300 * number)
    return folder


def run(takes: Path, out: Path, **sections: Any) -> dict[str, Any]:
    settings = {"deliver": FAST | sections.pop("deliver", {})} | sections
    return api.run(takes, out, settings=settings).document()


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)]


def test_random_edits_are_exact(tmp_path: Path) -> None:
    assert edits.campaign(tmp_path, 8, seed=7) == {"edits": 8, "wrong": {}}


def test_the_check_of_random_edits_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = edits.expected
    monkeypatch.setattr(
        edits, "expected", lambda *a: [dataclasses.replace(e, source=[n + 1 for n in e.source]) for e in honest(*a)]
    )
    wrong = edits.campaign(tmp_path, 1)["wrong"]
    assert any("is (" in fault for fault in wrong["0"]["faults"])


def test_a_film_is_its_stretches() -> None:
    a, b = Path("a"), Path("b")
    film = [Event(a, "1", 10, 40, fade_in=4), Event(b, "2", 0, 20, dissolve_in=6, fade_out=3)]
    assert starts(film) == [0, 24, 44]
    assert list(stretches(film)) == [
        Blend(None, (a, 10), 4),
        Body(a, 14, 34),
        Blend((a, 34), (b, 0), 6),
        Body(b, 6, 17),
        Blend((b, 17), None, 3),
    ]


def test_a_changed_trim_renders_only_the_units_that_it_touches(scenes: Path, tmp_path: Path) -> None:
    one_second = {"unit_seconds": 1}
    first = run(scenes, tmp_path / "out", deliver=one_second)["frames"]
    assert first["encoded"] == first["decoded_render"] == 144
    edit = {"scene02": {"in": "5f", "out": 1.75}}
    frames = run(scenes, tmp_path / "out", deliver=one_second, edit=edit)["frames"]
    assert frames["encoded"] == 19 + 18
    assert frames["delivered"] == 144 - 5 - 6
    edit["scene02"]["in"] = "24f"  # the second unit is there already
    frames = run(scenes, tmp_path / "out", deliver=one_second, edit=edit)["frames"]
    assert (frames["encoded"], frames["decoded_look"], frames["delivered"]) == (0, 0, 114)


def test_a_dissolve_decodes_no_source_frame_twice_and_renders_only_itself(scenes: Path, tmp_path: Path) -> None:
    run(scenes, tmp_path / "out")
    document = run(scenes, tmp_path / "out", edit={"scene02": {"dissolve_seconds": 0.5}})
    assert document["frames"]["delivered"] == 144 - 12
    # the units of the first two takes are cut anew at the dissolve; the third is left alone
    assert document["frames"]["decoded_render"] == 96
    assert document["frames"]["encoded"] == 96 + 12
    events = document["sequence"]["events"]
    assert [event["start_frame"] for event in events] == [0, 36, 84]
    assert (
        run(scenes, tmp_path / "fresh", edit={"scene02": {"dissolve_seconds": 0.5}})["frames"]["decoded_render"] == 144
    )
    film, clip = (
        pictures(tmp_path / "out" / "sequence.mp4"),
        pictures(tmp_path / "out" / "clips" / "scene01_take01.mp4"),
    )
    assert (len(film), len(clip)) == (132, 48)
    np.testing.assert_array_equal(film[35], clip[35])


def test_a_dissolve_keeps_the_loudness_of_unlike_sounds(scenes: Path, tmp_path: Path) -> None:
    deliver = {"sound_codec": "pcm_s16le", "sound_channels": 1}
    run(scenes, tmp_path / "out", sequence={"dissolve_seconds": 0.5}, deliver=deliver)
    sound, _ = decode_sound(tmp_path / "out" / "sequence.mov")
    assert len(sound) == (144 - 24) * 2000

    def level(start: float, seconds: float = 0.1) -> float:
        return float(np.sqrt(np.mean(sound[int(start * 48000) : int((start + seconds) * 48000)] ** 2)))

    assert level(1.7) == pytest.approx(level(1.0), rel=0.05)  # in the middle of the first dissolve
    steepest = 0.5 * 2 * np.pi / 48000 * (600 + 900) * np.sqrt(0.5)  # of two sines at equal power
    assert np.abs(np.diff(sound[48000:192000, 0])).max() < 1.1 * steepest  # nothing clicks


def test_fades_come_out_of_black_and_go_into_it(scenes: Path, tmp_path: Path) -> None:
    sequence = {"fade_in_seconds": 0.25, "fade_out_seconds": 0.5}
    document = run(scenes, tmp_path / "out", sequence=sequence, deliver={"crf": 4})
    film = pictures(tmp_path / "out" / "sequence.mp4")
    clip = pictures(tmp_path / "out" / "clips" / "scene01_take01.mp4")
    assert document["frames"]["delivered"] == len(film) == 144
    gains = [(film[k].astype(float).mean() - 16) / (clip[k].astype(float).mean() - 16) for k in range(8)]
    assert gains == pytest.approx([1 / 7, 2 / 7, 3 / 7, 4 / 7, 5 / 7, 6 / 7, 1, 1], abs=0.02)
    assert [round(float(picture.mean())) for picture in film[-1:]] == pytest.approx([16 + 80 / 13], abs=4)
    sound, _ = decode_sound(tmp_path / "out" / "sequence.mp4")
    assert np.abs(sound[:50]).max() < 0.02


def test_scenes_that_are_not_joined_are_finished_one_by_one(scenes: Path, tmp_path: Path) -> None:
    document = run(
        scenes,
        tmp_path / "out",
        sequence={"join": False, "fade_in_seconds": 0.25, "handle_seconds": 0.5},
        edit={"scene03": {"out": 1.0}},
    )
    assert document["sequence"] is None
    assert document["frames"]["delivered"] == 48 + 48 + 24
    assert not (tmp_path / "out" / "sequence.mp4").exists()
    for number, frames in ((1, 48), (2, 48), (3, 24)):
        film = pictures(tmp_path / "out" / "clips" / f"scene{number:02d}_take01.mp4")
        assert len(film) == frames
        assert film[0].mean() < 40 < film[10].mean()


def test_the_order_is_the_users(scenes: Path, tmp_path: Path) -> None:
    document = run(scenes, tmp_path / "out", sequence={"order": ["3", "scene01"]})
    assert [event["scene"] for event in document["sequence"]["events"]] == ["scene03", "scene01", "scene02"]


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"edit": {"scene09": {"in": 1}}}, r"\[edit.scene09\]: there is no such scene; known: scene01, scene02"),
        ({"edit": {"scene01": {"in": 3}}}, r"\[edit.scene01\] .*in = 3 lies behind its end \(48 frames, 2.000 s\)"),
        ({"edit": {"scene01": {"in": 1, "out": "24f"}}}, r"out = '24f' is not behind in = 1"),
        ({"edit": {"scene01": {"in": "soon"}}}, r"'soon' is no place in a clip"),
        ({"edit": {"scene01": {"inn": 1}}}, r"inn"),
        ({"edit": {"scene01": {"dissolve_seconds": 1}}}, r"there is no scene before it"),
        ({"edit": {"scene02": {"dissolve_seconds": 1, "fade_in_seconds": 1}}}, r"begins with a dissolve and a fade"),
        ({"edit": {"scene02": {"out": "20f"}}, "sequence": {"dissolve_seconds": 0.5}}, r"its 20 frames are too few"),
        ({"sequence": {"order": ["scene07"]}}, r"order: there is no scene 'scene07'"),
        ({"sequence": {"join": False, "dissolve_seconds": 1.0}}, r"does not go with join = false"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_words(scenes: Path, tmp_path: Path, sections: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        run(scenes, tmp_path / "out", **sections)


def test_settings_of_one_scene_are_laid_over_those_of_the_folder(scenes: Path, tmp_path: Path) -> None:
    (scenes / "postpipe.toml").write_text('[edit.scene01]\nin = "6f"\n[edit.scene02]\nout = "40f"\n', encoding="utf-8")
    document = run(scenes, tmp_path / "out", edit={"scene01": {"out": "30f"}})
    spans = [(event["source_in"], event["source_out"]) for event in document["sequence"]["events"]]
    assert spans == [(6, 30), (0, 40), (0, 48)]


def test_random_edits_are_not_all_alike() -> None:
    takes = [edits.Take(n + 1, 40, rate) for n, rate in enumerate(edits.RATES)]
    drawn = [edits.random_edit(takes, random.Random(seed)) for seed in range(30)]
    assert {frozenset(entry) for settings in drawn for entry in settings["edit"].values()} >= {
        frozenset({"in"}), frozenset({"out"}), frozenset({"in", "out", "dissolve_seconds"})
    }  # fmt: skip
