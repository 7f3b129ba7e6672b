"""A cut made in an editing program: frame for frame, from the right files, and no more decoded than it uses."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import opentimelineio as otio
import pytest
from opentimelineio.opentime import RationalTime, TimeRange

from postpipe import api
from postpipe.errors import DeliveryError, SettingsError
from tests.clips import make_clip
from tests.stages.helpers import decode_planes, decode_sound

GROUP = 12
LOSSLESS = {"qp": "0", "preset": "ultrafast", "g": str(GROUP), "keyint_min": str(GROUP), "sc_threshold": "0"}
KEPT: dict[str, Any] = {"deliver": {"video_codec": "lossless", "encoder_threads": 1}}
RATE = 24.0


def time(frames: float, rate: float = RATE) -> RationalTime:
    return RationalTime(frames, rate)


def clip(name: str, first: int, frames: int, url: str = "", rate: float = RATE, **available: int) -> otio.schema.Clip:
    reference = otio.schema.ExternalReference(url or name)
    if available:
        reference.available_range = TimeRange(time(available["start"], rate), time(available["length"], rate))
    return otio.schema.Clip(name, reference, TimeRange(time(first, rate), time(frames, rate)))


def dissolve(before: int, after: int) -> otio.schema.Transition:
    return otio.schema.Transition("", "SMPTE_Dissolve", time(before), time(after))


def gap(frames: int) -> otio.schema.Gap:
    return otio.schema.Gap(duration=time(frames))


def save(path: Path, *tracks: list[Any], sounds: list[Any] | None = None) -> Path:
    timeline = otio.schema.Timeline("cut", global_start_time=time(86400))
    for number, items in enumerate(tracks):
        timeline.tracks.append(otio.schema.Track(f"V{number + 1}", items))
    if sounds is not None:
        timeline.tracks.append(otio.schema.Track("A1", sounds, kind=otio.schema.TrackKind.Audio))
    otio.adapters.write_to_file(timeline, str(path))
    return path


def with_timecode(path: Path, timecode: str) -> Path:
    """Give a clip a timecode track."""
    target = path.with_name(f"timecode-{path.name}")
    with av.open(str(path)) as source, av.open(str(target), "w", format="mov") as copy:
        streams = {s.index: copy.add_stream_from_template(s) for s in source.streams}
        streams[0].metadata["timecode"] = timecode
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    return target.replace(path)


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    folder = tmp_path / "takes"
    folder.mkdir()
    make_clip(folder / "a.mp4", frames=120, seed=1, options=LOSSLESS)
    make_clip(folder / "b.mp4", frames=120, seed=2, options=LOSSLESS)
    make_clip(folder / "unused.mp4", frames=30, seed=3, options=LOSSLESS)
    return folder


def run(takes: Path, timeline: Path, **sections: Any) -> tuple[dict[str, Any], list[np.ndarray]]:
    out = timeline.parent / "out"
    account = api.run(takes, out, timeline=timeline, settings=KEPT | sections, only=[])
    document = account.document()
    return document, luma(out / document["sequence"]["file"])


def luma(path: Path) -> list[np.ndarray]:
    return [planes[0] for planes in decode_planes(path)]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_film_is_the_cut_frame_for_frame(footage: Path, tmp_path: Path) -> None:
    items = [gap(5), clip("a.mp4", 60, 10), clip("b.mp4", 7, 8), clip("a.mp4", 20, 6), gap(4), clip("a.mp4", 63, 3)]
    document, film = run(footage, save(tmp_path / "cut.otio", items))
    a, b = luma(footage / "a.mp4"), luma(footage / "b.mp4")
    black = np.full_like(a[0], 16)
    assert same(film, [*[black] * 5, *a[60:70], *b[7:15], *a[20:26], *[black] * 4, *a[63:66]])
    events = document["sequence"]["events"]
    assert [(e["source"], e["start_frame"], e["source_in"], e["source_out"], e["gap_frames"]) for e in events] == [
        ("a.mp4", 5, 60, 70, 5),
        ("b.mp4", 15, 7, 15, 0),
        ("a.mp4", 23, 20, 26, 0),
        ("a.mp4", 33, 63, 66, 4),
    ]
    assert document["sequence"]["rate"] == "24/1"
    assert [take["file"] for take in document["takes"]] == ["a.mp4", "b.mp4", "a_use2.mp4", "a_use3.mp4"]
    assert [take["use_of"] for take in document["takes"]] == [None, None, "a.mp4", "a.mp4"]


def test_no_more_is_decoded_than_the_cut_uses(footage: Path, tmp_path: Path) -> None:
    items = [clip("a.mp4", 61, 12), clip("b.mp4", 40, 9), clip("a.mp4", 5, 3)]
    handle = 6
    timeline = save(tmp_path / "cut.otio", items)
    document, _ = run(footage, timeline, sequence={"handle_seconds": handle / RATE})
    frames = document["frames"]
    most = sum(used + 2 * handle + GROUP for used in (12, 9, 3))
    assert frames["decoded_look"] <= most
    assert frames["decoded_render"] <= most
    assert [(e["head_frames"], e["tail_frames"]) for e in document["sequence"]["events"]] == [(6, 6), (6, 6), (5, 6)]
    assert [len(luma(tmp_path / f"out/clips/{name}.mp4")) for name in ("a", "b", "a_use2")] == [24, 21, 14]


def test_dissolves_and_fades_are_carried(footage: Path, tmp_path: Path) -> None:
    items = [dissolve(0, 4), clip("a.mp4", 30, 12), dissolve(2, 4), clip("b.mp4", 50, 10), dissolve(3, 0)]
    document, film = run(footage, save(tmp_path / "cut.otio", items))
    a, b = luma(footage / "a.mp4"), luma(footage / "b.mp4")
    assert len(film) == 22
    assert same(film[4:10], a[34:40])
    assert same(film[16:19], b[54:57])
    mixed = (a[40].astype(int) * 6 + b[48]) / 7
    assert np.abs(film[10] - mixed).max() <= 1
    events = document["sequence"]["events"]
    assert [(e["dissolve_in_frames"], e["fade_in_frames"], e["fade_out_frames"]) for e in events] == [
        (0, 4, 0),
        (6, 0, 3),
    ]


def test_speed_stills_and_what_lies_over(footage: Path, tmp_path: Path) -> None:
    fast, still = clip("a.mp4", 10, 6), clip("b.mp4", 33, 4)
    fast.effects.append(otio.schema.LinearTimeWarp(time_scalar=2.0))
    still.effects.append(otio.schema.FreezeFrame())
    below = [fast, still, clip("a.mp4", 80, 10)]
    above = [gap(13), clip("b.mp4", 90, 3), gap(4)]
    document, film = run(footage, save(tmp_path / "cut.otio", below, above))
    a, b = luma(footage / "a.mp4"), luma(footage / "b.mp4")
    assert same(film, [*a[11:23:2], *[b[33]] * 4, *a[80:83], *b[90:93], *a[86:90]])
    assert [e["silent"] for e in document["sequence"]["events"]] == [True, True, False, False, False]


def test_sound_is_silent_where_the_cut_has_none(footage: Path, tmp_path: Path) -> None:
    pictures = [clip("a.mp4", 24, 24), clip("b.mp4", 24, 24), gap(12), clip("b.mp4", 72, 24)]
    sounds = [clip("a.mp4", 24, 24), gap(24 + 12 + 24), clip("music.wav", 0, 12)]
    timeline = save(tmp_path / "cut.otio", pictures, sounds=sounds)
    document, _ = run(footage, timeline, deliver=KEPT["deliver"] | {"sound_codec": "pcm_s16le"})
    sound, _ = decode_sound(tmp_path / "out" / "sequence.mov")
    loud = [np.abs(sound[int(s * 48000) + 2000 : int((s + 0.4) * 48000)]).max() > 0.1 for s in (0, 0.5, 1, 1.5, 2, 2.6)]
    assert loud == [True, True, False, False, False, False]
    assert any("music.wav" in warning and "sound by itself" in warning for warning in document["warnings"])


def test_media_is_found_by_timecode_and_what_is_missing_is_said(footage: Path, tmp_path: Path) -> None:
    with_timecode(footage / "a.mp4", "10:11:12:00").rename(footage / "renamed.mov")
    start = ((10 * 60 + 11) * 60 + 12) * 24
    items = [
        clip("gone.mp4", 3, 10),
        clip("a.mp4", start + 30, 6, "file:///elsewhere/a.mp4", start=start, length=120),
        clip("b.mp4", 50, 100),
        clip("b.mp4", 50, 5),
    ]
    document, film = run(footage, save(tmp_path / "cut.otio", items))
    a, b = luma(footage / "renamed.mov"), luma(footage / "b.mp4")
    black = np.full_like(a[0], 16)
    assert same(film, [*[black] * 10, *a[30:36], *[black] * 100, *b[50:55]])
    skipped = {take["file"]: take["skipped"]["reason"] for take in document["takes"] if take["skipped"]}
    gone, outside = "gone.mp4 (01:00:00:00 'gone.mp4')", "b.mp4 (01:00:00:16 'b.mp4')"
    assert set(skipped) == {gone, outside}
    assert "no such file was found" in skipped[gone]
    assert "black at 01:00:00:00 'gone.mp4'" in skipped[gone]
    assert "does not hold what is wanted" in skipped[outside]


def test_a_take_of_which_one_use_is_missing_is_not_skipped_itself(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeline = save(tmp_path / "cut.otio", [clip("a.mp4", 3, 4), clip("a.mp4", 118, 9)])
    monkeypatch.chdir(footage)  # where the take's path is its name alone
    document, _ = run(Path(), timeline)
    skipped = [(take["file"], take["skipped"] is not None) for take in document["takes"]]
    assert skipped == [("a.mp4", False), ("a.mp4 (01:00:00:04 'a.mp4')", True)]


def test_another_rate_is_sampled_by_time(footage: Path, tmp_path: Path) -> None:
    make_clip(footage / "c.mp4", frames=50, rate=Fraction(12), seed=4, options=LOSSLESS)
    document, film = run(footage, save(tmp_path / "cut.otio", [clip("a.mp4", 0, 4), clip("c.mp4", 20, 5, rate=12.0)]))
    c = luma(footage / "c.mp4")
    assert same(film[4:], [c[number // 2] for number in range(40, 50)])
    assert document["sequence"]["frames"] == 14


def test_an_edl_takes_the_rate_of_its_files(footage: Path, tmp_path: Path) -> None:
    make_clip(footage / "shot one.mp4", frames=60, rate=Fraction(25), seed=5, options=LOSSLESS)
    (tmp_path / "cut.edl").write_text(
        "TITLE: cut\nFCM: NON-DROP FRAME\n\n"
        "001  AX       V     C        00:00:00:10 00:00:00:20 01:00:00:00 01:00:00:10\n"
        "* FROM CLIP NAME: shot one.mp4\n"
    )
    document, film = run(footage, tmp_path / "cut.edl")
    assert document["sequence"]["rate"] == "25/1"
    assert same(film, luma(footage / "shot one.mp4")[10:20])


def test_settings_that_want_another_cut_are_refused(footage: Path, tmp_path: Path) -> None:
    timeline = save(tmp_path / "cut.otio", [clip("a.mp4", 0, 4)])
    with pytest.raises(SettingsError, match=r"\[sequence\] dissolve_seconds: cut.otio says that"):
        run(footage, timeline, sequence={"dissolve_seconds": 1.0})
    with pytest.raises(SettingsError, match=r"\[select\]: cut.otio says which takes are seen"):
        run(footage, timeline, select={"a": 1})
    with pytest.raises(SettingsError, match="--draft and --timeline"):
        api.run(footage, tmp_path / "out", timeline=timeline, draft=True)


def test_nothing_found_is_said_in_words(footage: Path, tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match=r"gone\.mp4: no such file was found"):
        run(footage, save(tmp_path / "cut.otio", [clip("gone.mp4", 0, 4)]))


def test_the_timeline_comes_back_on_the_finished_clips(footage: Path, tmp_path: Path) -> None:
    fast = clip("b.mp4", 60, 5)
    fast.effects.append(otio.schema.LinearTimeWarp(time_scalar=2.0))
    fast.markers.append(otio.schema.Marker("here", TimeRange(time(64), time(1))))
    below = [gap(3), clip("a.mp4", 30, 12), dissolve(2, 4), clip("b.mp4", 50, 10), fast, clip("gone.mp4", 0, 6)]
    above = [gap(6), clip("b.mp4", 90, 2)]
    timeline = save(tmp_path / "cut.otio", below, above, sounds=[gap(3), clip("a.mp4", 30, 12), clip("b.mp4", 50, 10)])
    _, film = run(footage, timeline, sequence={"handle_seconds": 6 / RATE})
    again = otio.adapters.read_from_file(str(tmp_path / "out/relinked/cut.otio"))
    first = next(iter(again.find_clips()))
    assert first.media_reference.target_url == (tmp_path / "out/clips/a.mp4").as_uri()
    assert (first.source_range.start_time.value, first.available_range().duration.value) == (6, 3 + 6 + 6)
    assert [item.name for item in again.tracks[0]][-1] == "gone.mp4"
    (marker,) = [marker for one in again.find_clips() for marker in one.markers]
    assert marker.marked_range.start_time.value == 6 + 2
    (tmp_path / "again").mkdir()
    relinked = tmp_path / "again/cut.otio"
    otio.adapters.write_to_file(again, str(relinked))
    (tmp_path / "empty").mkdir()
    _, once_more = run(tmp_path / "empty", relinked)
    assert same(once_more, film)


def test_a_cut_that_is_exported_again_meanwhile_is_followed_as_it_was(footage: Path, tmp_path: Path) -> None:
    timeline, out = tmp_path / "cut.edl", tmp_path / "out"

    def export(title: str) -> None:
        event = "001  AX  V  C  00:00:00:00 00:00:00:03 00:00:00:00 00:00:00:03"
        timeline.write_text(f"TITLE: {title}\n{event}\n* FROM CLIP NAME: a.mp4\n* ASC_SAT -1\n")

    def relinked() -> str:
        return (out / "relinked/cut.edl").read_text(encoding="utf-8")

    export("first")
    document = api.run(
        footage, out, timeline=timeline, settings=KEPT, only=[], listener=lambda event: timeline.unlink(missing_ok=True)
    ).document()
    assert not timeline.exists()
    assert relinked().startswith("TITLE: first\n")
    assert document["timeline"]["losses"] == [
        "relinked/cut.edl: a.mp4: its CDL is left out: it has values that no CDL has",
        "relinked/cut.edl: the rate: set the project to 24 frames per second before importing",
        "relinked/cut.edl: the picture size, and where files lie: they are found by reel, name and timecode",
    ]
    export("second")  # of the same clips: all that is made anew is the timeline
    run(footage, timeline)
    assert relinked().startswith("TITLE: second\n")


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "webm"])
def test_a_tenth_of_the_footage_is_a_tenth_of_the_work(ending: str, tmp_path: Path) -> None:
    """Used range, handles and one group of pictures a clip, in each of the two passes, with every stage on."""
    takes = tmp_path / "takes"
    takes.mkdir()
    codec = {"webm": "libvpx-vp9"}.get(ending, "libx264")
    options = {"g": "24", "bf": "3", "preset": "veryfast"} if codec == "libx264" else {"g": "24", "cpu-used": "8"}
    sound = None if ending == "webm" else 440
    for number in range(2):
        path = takes / f"take{number}.{ending}"
        make_clip(path, frames=240, seed=number, codec=codec, options=options, sound_hz=sound)
    items = [clip(f"take0.{ending}", 101, 24), clip(f"take1.{ending}", 57, 12), clip(f"take0.{ending}", 30, 12)]
    out = tmp_path / "out"
    settings = {"deliver": {"preset": "ultrafast", "encoder_threads": 1}, "sequence": {"handle_seconds": 0.25}}
    document = api.run(takes, out, timeline=save(tmp_path / "cut.otio", items), settings=settings).document()
    frames = document["frames"]
    used, handles, groups = 48, 3 * 2 * 6, 3 * 24
    assert frames["delivered"] == used
    assert frames["decoded_look"] <= used + handles + groups
    assert frames["decoded_render"] - frames["rerendered"] <= used + handles + groups
    assert frames["encoded"] - frames["rerendered"] == used + handles
