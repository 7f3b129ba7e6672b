"""Stills: which frames, from the look pass or by seeking alike, counted, named, and on a contact sheet."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from postpipe import api
from postpipe.delivery import FrameTimes, Shot, Shots
from postpipe.errors import DeliveryError, SettingsError
from postpipe.media.images import frame_pixels, read_image
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.stages.extract import ChooseStills
from postpipe.stages.quality import PictureTrack
from tests.clips import make_clip
from tests.media.making import B_FRAMES, make

FAST = {"deliver": {"preset": "ultrafast"}}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("clip") / "take01.mp4", 40, options=B_FRAMES, timecode="10:00:00:00")


def chosen(clip: Path, *, frames: int = 40, shots: Shots | None = None, **settings: Any) -> dict[int, str]:
    times = FrameTimes(Fraction(1, 24), np.arange(frames), 1, Fraction(24), False, ())
    sharpness = np.zeros(frames, np.float32)
    sharpness[[3, 25, 39]] = (1, 2, 3)
    track = PictureTrack(
        sharpness, sharpness, sharpness, np.zeros((frames, 64), np.float32), *[sharpness] * 5, (0, 0, 0, 0)
    )
    plan = ChooseStills(**settings).run(probe(clip, ""), times, shots, track)
    return {frame: ", ".join(reasons) for frame, reasons in plan.frames} | dict.fromkeys(plan.warnings, "")


def test_places(clip: Path) -> None:
    assert chosen(clip, first=True, last=True) == {0: "first", 39: "last"}
    assert chosen(clip, every="0.5s") == {0: "every 0.5s", 12: "every 0.5s", 24: "every 0.5s", 36: "every 0.5s"}
    assert list(chosen(clip, every="15f")) == [0, 15, 30]
    assert chosen(clip, at=("7f", "0.3", "10:00:01:00")) == {7: "at 7f, at 0.3", 24: "at 10:00:01:00"}
    assert list(chosen(clip, every="1f")) == list(range(40))


def test_shots(clip: Path) -> None:
    shots = Shots((Shot(0, 9, "start"), Shot(10, 29, "cut"), Shot(30, 39, "dissolve", 4, 2)))
    assert chosen(clip, cuts=True, shots=shots) == {0: "cut", 10: "cut", 34: "cut"}
    # the last frame is the sharpest of all, and half gone in a fade
    assert chosen(clip, sharpest=True, shots=shots) == {3: "sharpest", 25: "sharpest", 34: "sharpest"}
    assert chosen(clip, cuts=True, sharpest=True) == {0: "cut", 39: "sharpest"}
    all_dissolve = Shots((Shot(0, 39, "dissolve", 40, 40),))
    assert list(chosen(clip, cuts=True, shots=all_dissolve)) == [0]


def test_places_that_a_take_does_not_have_are_told(clip: Path) -> None:
    (words, *_) = [text for text in chosen(clip, first=True, at=("40f",)) if isinstance(text, str)]
    assert words == "no still at 40f: that lies behind its end (40 frames, 1.667 s)"
    (words, *_) = [text for text in chosen(clip, first=True, at=("09:00:00:00",)) if isinstance(text, str)]
    assert "before the clip, which starts at 10:00:00:00" in words


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"every": "0s"}, "more than 0"),
        ({"every": "soon"}, "every = 'soon': write seconds"),
        ({"every": "00:00:01:00"}, "write seconds"),
        ({"at": ["noon"]}, "'noon' is no place in a clip"),
        ({"format": "jpeg", "bits": 16}, "does not go with"),
        ({"format": "gif"}, "gif"),
        ({}, "say which frames"),
    ],
)
def test_wrong_settings_are_refused_in_words(clip: Path, tmp_path: Path, settings: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        api.extract([clip], tmp_path / "out", settings={"extract": settings})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder", ["../elsewhere", "/stills", "C:stills", ".postpipe", "a/b"])
def test_stills_stay_below_the_delivery(folder: str) -> None:
    with pytest.raises(SettingsError, match="folder"):
        api.plan(settings={"extract": {"first": True, "folder": folder}})


def test_explicit_places_are_sought_not_looked_for(clip: Path, tmp_path: Path) -> None:
    account = api.extract([clip], tmp_path / "out", settings={"extract": {"at": ["26f"]}})
    assert account.counts.decoded_look == 0
    assert 0 < account.counts.decoded_stills <= 6  # key frames are 12 apart
    (row,) = account.stills()
    assert row == {
        "take": "take01.mp4",
        "file": "take01_f000026_10-00-01-02.png",
        "frame": 26,
        "pts_seconds": "13/12",
        "timecode": "10:00:01:02",
        "reason": "at 26f",
    }
    assert [path.name for path in (tmp_path / "out").iterdir()] == [row["file"]]


def test_a_look_that_is_made_anyway_gives_them_for_nothing(clip: Path, tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    for number in (1, 2):
        (takes / f"scene01_take0{number}.mp4").write_bytes(clip.read_bytes())
    places = {"first": True, "last": True, "every": "0.3s", "at": ["7f", "1.04s", "10:00:01:03"]}
    run = api.run(takes, tmp_path / "out", settings={**FAST, "extract": places})
    assert run.counts.decoded_stills == 0
    assert run.counts.decoded_look == 80
    sought = api.extract([clip], tmp_path / "sought", settings={"extract": places})
    assert sought.counts.decoded_look == 0
    for take in run.takes():
        assert [still["frame"] for still in take["stills"]] == [row["frame"] for row in sought.stills()]
        for still, row in zip(take["stills"], sought.stills(), strict=True):
            assert still["reason"] == row["reason"]
            assert (tmp_path / "out" / still["file"]).read_bytes() == (tmp_path / "sought" / row["file"]).read_bytes()
    document = json.loads((tmp_path / "out" / "takes.json").read_text(encoding="utf-8"))
    assert document["takes"] == run.takes()
    assert document["takes"][0]["stills"][0]["file"] == "stills/scene01_take01_f000000_10-00-00-00.png"

    again = api.run(takes, tmp_path / "out", settings={**FAST, "extract": places})
    assert (again.counts.decoded_look, again.counts.decoded_stills, again.counts.decoded_render) == (0, 0, 0)
    more = api.run(takes, tmp_path / "out", settings={**FAST, "extract": {"at": ["20f"], "format": "jpeg"}})
    assert more.counts.decoded_look == 0
    assert 0 < more.counts.decoded_stills <= 2 * 12
    assert sorted(path.name for path in (tmp_path / "out" / "stills").iterdir()) == [
        "scene01_take01_f000020_10-00-00-20.jpg",
        "scene01_take02_f000020_10-00-00-20.jpg",
    ]
    without = api.run(takes, tmp_path / "out", settings=FAST)
    assert without.takes()[0]["stills"] == []
    assert not list((tmp_path / "out" / "stills").iterdir())


def test_uneven_times_are_met_in_the_look_pass_too(tmp_path: Path) -> None:
    ticks = [0, 40, 95, 110, 180, 181, 260, 300, 420, 500, 505, 600, 640, 700]
    takes = tmp_path / "takes"
    takes.mkdir()
    make(takes / "a.mp4", 14, pts=ticks, tick=Fraction(1, 1000), options=B_FRAMES)
    places = {"every": "0.1s", "last": True, "at": ["0.18s", "0.19s"]}
    run = api.run(takes, tmp_path / "out", settings={**FAST, "extract": places})
    frames = [still["frame"] for still in run.takes()[0]["stills"]]
    assert frames == [0, 2, 4, 5, 7, 9, 11, 13]
    assert run.counts.decoded_stills == 0


def test_the_sharpest_costs_a_look_once(tmp_path: Path) -> None:
    take = make_clip(tmp_path / "take.mp4", frames=24, gains={9: 1.3})
    settings = {"extract": {"sharpest": True, "first": True}}
    account = api.extract([take], tmp_path / "out", settings=settings, store=tmp_path / "store")
    assert account.counts.decoded_look == 24
    assert 0 < account.counts.decoded_stills <= 24
    sharpest = next(row for row in account.stills() if "sharpest" in row["reason"])
    assert sharpest["frame"] == 9
    other = api.extract([take], tmp_path / "other", settings=settings, store=tmp_path / "store")
    assert other.counts.decoded_look == 0


def test_pictures_are_upright_square_and_of_the_clips_own_coding(tmp_path: Path) -> None:
    tags = {"colorspace": 6, "color_primaries": 6, "color_trc": 6, "color_range": 2}
    take = make(tmp_path / "turned.mp4", 3, rotation=90, tags=tags, pixel_format="yuvj420p")
    account = api.extract([take], tmp_path / "out", settings={"extract": {"at": ["1f"]}})
    with PictureReader(probe(take, "")) as reader:
        frame = list(reader.frames())[1]
    assert (frame.colour.matrix, frame.colour.range) == ("smpte170m", "full")
    picture = read_image(tmp_path / "out" / account.stills()[0]["file"])
    assert picture.shape == (64, 48, 3)
    np.testing.assert_array_equal(picture, frame_pixels(frame, 8))
    wide = make(tmp_path / "wide.mp4", 2, aspect=Fraction(2))
    account = api.extract([wide], tmp_path / "out", settings={"extract": {"first": True}})
    assert read_image(tmp_path / "out" / account.stills()[0]["file"]).shape == (48, 128, 3)


@pytest.mark.parametrize(
    ("settings", "suffix", "dtype"),
    [
        ({}, ".png", np.uint16),
        ({"bits": 8}, ".png", np.uint8),
        ({"format": "tiff"}, ".tif", np.uint16),
        ({"format": "jpeg", "quality": 90}, ".jpg", np.uint8),
    ],
)
def test_formats_of_a_deep_take(tmp_path: Path, settings: Any, suffix: str, dtype: Any) -> None:
    take = make(tmp_path / "deep.mp4", 2, pixel_format="yuv420p10le")
    account = api.extract([take], tmp_path / "out", settings={"extract": {"first": True, **settings}})
    path = tmp_path / "out" / account.stills()[0]["file"]
    assert path.suffix == suffix
    assert read_image(path).dtype == dtype


def test_hdr_is_refused_and_the_rest_goes_on(tmp_path: Path, clip: Path) -> None:
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": 18, "color_range": 1}
    hdr = make(tmp_path / "hdr.mp4", 2, pixel_format="yuv420p10le", tags=tags)
    account = api.extract([hdr, clip], tmp_path / "out", settings={"extract": {"first": True}})
    assert "it is HDR" in account.skipped[hdr]
    assert [row["take"] for row in account.stills()] == ["take01.mp4"]
    with pytest.raises(DeliveryError, match=r"no still could be taken:\n.*it is HDR"):
        api.extract([hdr], tmp_path / "none", settings={"extract": {"first": True}})


def test_takes_that_share_a_name_get_files_of_their_own(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        make_clip(tmp_path / folder / "take:1.mp4", frames=2, sound_hz=None)
    found = api.extract([tmp_path / "a", tmp_path / "b"], tmp_path / "out", settings={"extract": {"first": True}})
    assert [row["file"] for row in found.stills()] == [
        "take_1_f000000_00-00-00-00.png",
        "take_1-2_f000000_00-00-00-00.png",
    ]


def test_the_contact_sheet_shows_them_all_in_order(tmp_path: Path) -> None:
    takes = [make_clip(tmp_path / f"take{n}.mp4", frames=30, seed=n, sound_hz=None) for n in (1, 2)]
    api.extract(takes, tmp_path / "out", settings={"extract": {"every": "1f", "sheet": True}})
    pages = sorted((tmp_path / "out").glob("contact_sheet*"))
    assert [page.name for page in pages] == ["contact_sheet.jpg", "contact_sheet_2.jpg"]
    first, second = (cv2.imread(str(page)) for page in pages)
    assert first.shape[1] > second.shape[1] > 1000  # 48 pictures, and 12
    # the first cell holds the first still, enlarged
    cell = first[16:200, 16:250].astype(int)
    still = cv2.imread(str(tmp_path / "out" / "take1_f000000_00-00-00-00.png"))
    enlarged = cv2.resize(still, (277, 208), interpolation=cv2.INTER_CUBIC)[:184, :234]
    assert np.abs(cell - enlarged).mean() < 4
