"""Smart rendering: copied pictures are the source's, bit for bit, and go together with encoded ones."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from postpipe import api
from tests.clips import make_clip

GROUPS = {"crf": "12", "preset": "veryfast", "g": "12", "keyint_min": "12", "sc_threshold": "0", "bf": "2"}
UNTAGGED = {"colorspace": 2, "color_primaries": 2, "color_trc": 2, "color_range": 0}
HD = (1280, 64)  # wide enough to be taken for BT.709 where nothing is said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    takes = tmp_path / "takes"
    takes.mkdir()
    return takes


def run(takes: Path, out: Path, **sections: Any) -> dict[str, Any]:
    deliver = {"preset": "ultrafast", "encoder_threads": 1, "smart_render": True} | sections.pop("deliver", {})
    return api.run(takes, out, settings={"deliver": deliver} | sections).document()


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def assert_same(ours: list[np.ndarray], source: list[np.ndarray]) -> None:
    assert len(ours) == len(source)
    for number, (one, other) in enumerate(zip(ours, source, strict=True)):
        assert np.array_equal(one, other), f"frame {number} differs"


def renders(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {take["file"]: take["render"] for take in document["takes"]}


def test_untouched_takes_are_copied_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        make_clip(folder / f"scene0{number}.mp4", seed=number, frames=30, size=HD, options=GROUPS, tags=UNTAGGED)
    document = run(folder, tmp_path / "out")
    frames = document["frames"]
    assert (frames["encoded"], frames["copied"], frames["delivered"]) == (0, 60, 60)
    assert frames["decoded_render"] == 60  # what is copied is looked at once more, for what is said of the film
    sources = [pictures(folder / f"scene0{number}.mp4") for number in (1, 2)]
    assert_same(pictures(tmp_path / "out" / "sequence.mp4"), sources[0] + sources[1])
    assert_same(pictures(tmp_path / "out" / "clips" / "scene02.mp4"), sources[1])
    assert renders(document)["scene01.mp4"] == {"copied_frames": 30, "encoded_frames": 0, "encoded_because": None}
    with av.open(str(tmp_path / "out" / "sequence.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range, context.color_trc, context.color_primaries) == (1, 1, 1, 1)
        times = sorted(packet.pts * packet.time_base for packet in container.demux(video=0) if packet.pts is not None)
        assert times == [Fraction(n, 24) for n in range(60)]
    again = run(folder, tmp_path / "out")["frames"]
    assert (again["copied"], again["encoded"]) == (0, 0)


def test_copied_and_encoded_pictures_stand_in_one_track(folder: Path, tmp_path: Path) -> None:
    make_clip(folder / "scene01.mp4", frames=24, options=GROUPS)
    make_clip(folder / "scene02.mp4", frames=30, options=GROUPS, rate=Fraction(30), seed=2)
    make_clip(folder / "scene03.mp4", frames=36, options=GROUPS, seed=3)
    document = run(folder, tmp_path / "out", project={"rate": 24}, deliver={"crf": 8})
    assert (document["frames"]["copied"], document["frames"]["encoded"]) == (60, 24)
    assert "repeated or dropped" in renders(document)["scene02.mp4"]["encoded_because"]
    film = pictures(tmp_path / "out" / "sequence.mp4")
    assert_same(film[:24] + film[48:], pictures(folder / "scene01.mp4") + pictures(folder / "scene03.mp4"))
    shown = [int((Fraction(k) + Fraction(1, 2)) / 24 * 30) for k in range(24)]
    source = pictures(folder / "scene02.mp4")
    for k, index in enumerate(shown):
        assert np.abs(film[24 + k].astype(int) - source[index].astype(int)).mean() < 1.5


def test_a_trimmed_take_is_copied_between_its_groups_of_pictures(folder: Path, tmp_path: Path) -> None:
    make_clip(folder / "scene01.mp4", frames=48, options=GROUPS)
    make_clip(folder / "scene02.mp4", frames=48, options=GROUPS, seed=2)
    edit = {"scene01": {"in": "5f", "out": "40f"}, "scene02": {"dissolve_seconds": 0.25}}
    document = run(folder, tmp_path / "out", edit=edit, deliver={"crf": 8})
    # of scene01 12 to 24 is copied: what is left of the next group, 24 to 34, goes over into the dissolve at 34
    assert renders(document)["scene01.mp4"]["copied_frames"] == 12
    assert renders(document)["scene02.mp4"]["copied_frames"] == 36
    assert "does not lie between groups" in renders(document)["scene01.mp4"]["encoded_because"]
    film = pictures(tmp_path / "out" / "sequence.mp4")
    assert len(film) == document["frames"]["delivered"] == 35 + 48 - 6
    assert_same(film[7:19], pictures(folder / "scene01.mp4")[12:24])
    assert_same(film[35 + 6 :], pictures(folder / "scene02.mp4")[12:])


def test_takes_of_clashing_encoders_do_not_stand_in_one_track(folder: Path, tmp_path: Path) -> None:
    make_clip(folder / "scene01.mp4", frames=24, options=GROUPS)
    make_clip(folder / "scene02.mp4", frames=24, options=GROUPS | {"refs": "5", "preset": "slow"}, seed=2)
    document = run(folder, tmp_path / "out")
    assert renders(document)["scene01.mp4"]["copied_frames"] == 24
    assert "do not go together" in renders(document)["scene02.mp4"]["encoded_because"]
    assert_same(pictures(tmp_path / "out" / "sequence.mp4")[:24], pictures(folder / "scene01.mp4"))
    alone = run(folder, tmp_path / "alone", sequence={"join": False})
    assert alone["frames"]["copied"] == 48
    assert_same(pictures(tmp_path / "alone" / "clips" / "scene02.mp4"), pictures(folder / "scene02.mp4"))


@pytest.mark.parametrize(
    ("clip", "settings", "words"),
    [
        ({"codec": "mpeg4", "options": {"qscale": "2"}}, {}, "mpeg4 in mov, not H.264"),
        ({"options": GROUPS}, {"deliver": {"video_codec": "h265"}}, "the delivery is h265"),
        ({"options": GROUPS}, {"project": {"size": "128x96"}}, "it is changed by upscale, fit"),
        ({"options": GROUPS, "tags": UNTAGGED}, {}, "it is changed by coding"),
        ({"options": GROUPS | {"x264-params": "open-gop=1:b-adapt=0"}, "frames": 60}, {}, None),
    ],
)
def test_what_cannot_be_copied_is_encoded_and_says_why(
    folder: Path, tmp_path: Path, clip: dict[str, Any], settings: dict[str, Any], words: str | None
) -> None:
    make_clip(folder / "scene01.mp4", **{"frames": 24} | clip)
    document = run(folder, tmp_path / "out", **settings)
    render = renders(document)["scene01.mp4"]
    if words is None:  # open groups: those between IDR pictures count, here the whole clip
        assert render["copied_frames"] == 60
        assert_same(pictures(tmp_path / "out" / "sequence.mp4"), pictures(folder / "scene01.mp4"))
    else:
        assert (render["copied_frames"], document["frames"]["copied"]) == (0, 0)
        assert words in render["encoded_because"]


def test_nothing_is_copied_unasked(folder: Path, tmp_path: Path) -> None:
    make_clip(folder / "scene01.mp4", frames=24, options=GROUPS)
    document = run(folder, tmp_path / "out", deliver={"smart_render": False})
    assert (document["frames"]["copied"], document["frames"]["encoded"]) == (0, 24)
    assert renders(document)["scene01.mp4"]["encoded_because"] is None


def test_a_real_take_is_copied_bit_for_bit(media: Path, folder: Path, tmp_path: Path) -> None:
    (folder / "sora_standard.mp4").symlink_to((media / "takes" / "sora_standard.mp4").resolve())
    document = run(folder, tmp_path / "out", sequence={"join": False}, project={"size": "704x1280", "rate": 30})
    render = renders(document)["sora_standard.mp4"]
    assert (render["copied_frames"], render["encoded_because"]) == (300, None)
    assert_same(
        pictures(tmp_path / "out" / "clips" / "sora_standard.mp4"), pictures(media / "takes" / "sora_standard.mp4")
    )
