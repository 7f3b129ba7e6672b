"""A whole run: two passes, roll-back, resume, skipping, the account."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import pytest
import threadpoolctl

from postpipe import api
from postpipe.engine import settings
from postpipe.engine.account import Account
from postpipe.engine.events import Event
from postpipe.errors import Cancelled, DeliveryError, SettingsError
from postpipe.finished import UNSIGNED
from postpipe.media.read import PictureReader
from tests.clips import make_clip
from tests.engine.toys import TOYS

RECORDS = (".json", ".jsonl", ".lock")
FAST = {"deliver": {"preset": "ultrafast", "encoder_threads": 1}}


def decoded(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


def content(out: Path) -> dict[str, bytes]:
    """Everything that was delivered, but the account of the run itself; the sequence before it was signed."""
    files = [path for path in out.rglob("*") if path.is_file() and ".postpipe" not in path.parts]
    found = {str(path.relative_to(out)): path.read_bytes() for path in files if path.suffix not in RECORDS}
    return found | {"sequence.mp4": (out / UNSIGNED / "sequence.mp4").read_bytes()}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is text")
def test_a_name_that_is_no_text_costs_its_take_alone(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01.mp4", frames=6)
    Path(os.fsdecode(os.fsencode(takes) + b"/scene02_\xff.mp4")).write_bytes((takes / "scene01.mp4").read_bytes())
    api.run(takes, tmp_path / "out", settings=FAST)
    one, other = json.loads((tmp_path / "out" / "takes.json").read_text(encoding="utf-8"))["takes"]
    assert (one["file"], one["selected"]) == ("scene01.mp4", True)
    assert (other["file"], other["selected"]) == ("scene02_\N{REPLACEMENT CHARACTER}.mp4", False)
    assert "is no text in UTF-8; rename it" in other["skipped"]["reason"]


@pytest.fixture
def with_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = settings.stage_types()
    monkeypatch.setattr("postpipe.api.stage_types", lambda: [*installed, *TOYS])


def test_two_passes_and_nothing_more(takes: Path, tmp_path: Path) -> None:
    account = api.run(takes, tmp_path / "out", settings=FAST)
    document = account.document()
    frames = document["frames"]
    assert document["schema"] == "postpipe.takes.1"
    assert frames["decoded_look"] == 24 + 24 + 20
    assert frames["decoded_render"] == frames["encoded"] == frames["delivered"] == 44
    assert frames["rerendered"] == frames["decoded_stills"] == 0
    assert json.loads((tmp_path / "out" / "takes.json").read_text()) == document
    assert len(decoded(tmp_path / "out" / "sequence.mp4")) == 44
    assert document["sequence"] == {
        "file": "sequence.mp4",
        "frames": 44,
        "size": "64x48",
        "rate": "24/1",
        "seconds": 1.833333,
        "audio_samples": 88000,
        "loudness_lufs": document["sequence"]["loudness_lufs"],
        "true_peak_dbtp": document["sequence"]["true_peak_dbtp"],
        "provenance": document["sequence"]["provenance"],
        "events": document["sequence"]["events"],
        "joins": document["sequence"]["joins"],
        "screening": document["sequence"]["screening"],
        "warnings": [],
    }
    assert document["sequence"]["screening"]["general"]["result"] in ("pass", "warn")
    spans = [(event["file"], event["start_frame"], event["frames"]) for event in document["sequence"]["events"]]
    assert spans == [("scene01_take01.mp4", 0, 24), ("scene02_take01.mp4", 24, 20)]
    chosen = [take["file"] for take in document["takes"] if take["selected"]]
    assert chosen == ["scene01_take01.mp4", "scene02_take01.mp4"]
    assert sorted(path.name for path in (tmp_path / "out" / "clips").iterdir()) == chosen


def test_the_sequence_is_its_clips(takes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    api.run(takes, out, settings=FAST)
    clips = [frame for clip in sorted((out / "clips").iterdir()) for frame in decoded(clip)]
    assert decoded(out / "sequence.mp4") == clips


def test_an_unchanged_run_decodes_nothing_and_writes_the_same(takes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    api.run(takes, out, settings=FAST)
    before, signed = content(out), (out / "sequence.mp4").read_bytes()
    frames = api.run(takes, out, settings=FAST).document()["frames"]
    assert frames["decoded_look"] == frames["decoded_render"] == frames["encoded"] == 0
    assert frames["delivered"] == 44
    assert content(out) == before
    assert (out / "sequence.mp4").read_bytes() == signed


def test_a_lost_delivery_is_put_back_without_encoding(takes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    api.run(takes, out, settings=FAST)
    before = content(out)
    (out / "sequence.mp4").unlink()
    (out / "clips" / "scene02_take01.mp4").write_bytes(b"changed")
    assert api.run(takes, out, settings=FAST).document()["frames"]["encoded"] == 0
    assert content(out) == before


def test_a_damaged_unit_is_rendered_again_and_nothing_else(takes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    api.run(takes, out, settings=FAST)
    before = content(out)
    unit = max((out / ".postpipe" / "store" / "units").rglob("*.mp4"), key=lambda path: path.stat().st_size)
    data = bytearray(unit.read_bytes())
    data[len(data) // 2] ^= 1
    unit.write_bytes(data)
    (out / UNSIGNED / "sequence.mp4").unlink()
    assert api.run(takes, out, settings=FAST).document()["frames"]["encoded"] in (20, 24)
    assert content(out) == before


def test_units_are_resumed_one_by_one(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "long.mp4", frames=96)
    options = {"deliver": {**FAST["deliver"], "unit_seconds": 1}}
    killed = tmp_path / "out"
    api.run(takes, killed, settings=options)
    whole = killed.rename(tmp_path / "whole")  # timelines name files by their path, which has to be the same

    def stop(event: Event) -> None:
        if event.phase == "render" and event.done == 64:
            raise KeyboardInterrupt

    with pytest.raises(Cancelled):
        api.run(takes, killed, settings=options, listener=stop)
    assert not (killed / "sequence.mp4").exists()
    frames = api.run(takes, killed, settings=options).document()["frames"]
    assert frames["decoded_look"] == 0
    assert frames["encoded"] == 48
    assert frames["decoded_render"] <= 48 + 24 + 250  # used frames and at most one group of pictures
    assert content(killed) == content(whole)


def test_a_changed_setting_renders_again_but_does_not_look_again(takes: Path, tmp_path: Path) -> None:
    api.run(takes, tmp_path / "out", settings=FAST)
    frames = api.run(takes, tmp_path / "out", settings={"deliver": {**FAST["deliver"], "crf": 30}}).counts
    assert (frames.decoded_look, frames.encoded) == (0, 44)


def test_a_changed_choice_renders_only_the_new_take_and_tidies_up(takes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    api.run(takes, out, settings=FAST)
    frames = api.run(takes, out, settings=FAST | {"select": {"scene01": 2}}).counts
    assert (frames.decoded_look, frames.encoded) == (0, 24)
    assert sorted(path.name for path in (out / "clips").iterdir()) == ["scene01_take02.mp4", "scene02_take01.mp4"]


def test_sources_are_never_touched(takes: Path, tmp_path: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in takes.iterdir()}
    api.run(takes, tmp_path / "out", settings=FAST)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in takes.iterdir()} == before


@pytest.mark.usefixtures("with_toys")
@pytest.mark.parametrize("copied", [False, True])
def test_the_film_is_measured_unit_by_unit_and_never_twice(tmp_path: Path, copied: bool) -> None:
    takes, out = tmp_path / "takes", tmp_path / "out"
    takes.mkdir()
    for number in (1, 2):
        make_clip(takes / f"scene0{number}.mp4", frames=48, seed=number, options={"g": "12", "crf": "16"})
    edit = {"scene02": {"dissolve_seconds": 0.25}}
    options = {"deliver": FAST["deliver"] | {"unit_seconds": 1, "smart_render": copied, "crf": 8}, "edit": edit}
    means = api.run(takes, out, settings=options).document()["sequence"]["film_mean"]["means"]
    shown = [sum(frame[: 64 * 48]) / (64 * 48) for frame in decoded(out / "sequence.mp4")]
    assert len(means) == 90
    assert means == pytest.approx(shown, abs=0.5)
    edit["scene01"] = {"in": "24f"}  # units that are there are measured already
    document = api.run(takes, out, settings=options).document()
    assert document["frames"]["encoded"] == 0
    assert document["frames"]["decoded_render"] == (12 if copied else 0)  # a shorter copy is a new one
    assert document["sequence"]["film_mean"]["means"] == means[24:]


@pytest.mark.usefixtures("with_toys")
@pytest.mark.parametrize(("steps", "kept"), [(10, True), (-10, False)])
def test_a_fix_that_does_not_help_is_rolled_back(tmp_path: Path, steps: int, kept: bool) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "a.mp4", frames=12)
    make_clip(takes / "b.mp4", frames=10, gains=dict.fromkeys(range(10), 0.8))
    options = FAST | {"lift": {"steps": steps}, "colour": {"mode": "off"}}  # both show the same
    account = api.run(takes, tmp_path / "out", settings=options)
    document = account.document()
    a, b = document["takes"]
    assert a["fixes"] == []
    (fix,) = b["fixes"]
    assert fix["stage"] == "lift"
    assert fix["parameters"] == {"steps": steps}
    assert fix["kept"] is kept
    assert fix["after"]["mean"] == pytest.approx(fix["before"]["mean"] + steps, abs=0.5)
    frames = document["frames"]
    assert frames["rerendered"] == (0 if kept else 10)
    assert frames["encoded"] == 22 + frames["rerendered"]
    assert frames["decoded_render"] == frames["encoded"]
    mean = sum(decoded(tmp_path / "out" / "clips" / "b.mp4")[0][: 64 * 48]) / (64 * 48)
    assert mean == pytest.approx(fix["after" if kept else "before"]["mean"], abs=1.5)
    again = api.run(takes, tmp_path / "out", settings=options).document()
    assert again["frames"]["decoded_render"] == 0
    assert again["takes"] == document["takes"]
    plain = api.run(takes, tmp_path / "plain", settings=options, only=[]).document()
    assert plain["takes"][1]["fixes"] == []
    assert plain["takes"][1]["facts"]["brightness"] == b["facts"]["brightness"]


def test_bad_takes_are_named_and_the_rest_goes_on(takes: Path, tmp_path: Path) -> None:
    (takes / "scene03_take01.mp4").write_bytes(b"")
    (takes / "scene04_take01.mp4").write_text("this is a text file")
    (takes / "scene05_take01.mp4").mkdir()
    cut_off = (takes / "scene01_take01.mp4").read_bytes()[:2000]
    (takes / "scene06_take01.mp4").write_bytes(cut_off)
    account = api.run(takes, tmp_path / "out", settings=FAST)
    document = account.document()
    assert document["frames"]["delivered"] == 44
    skipped = {take["file"]: take["skipped"]["reason"] for take in document["takes"] if take["skipped"]}
    assert sorted(skipped) == [f"scene0{n}_take01.mp4" for n in (3, 4, 5, 6)]
    assert all(len(reason) > 20 and ";" in reason for reason in skipped.values())


def test_a_take_that_fails_in_the_render_makes_room_for_the_next_best(
    takes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from postpipe.errors import TakeError

    sound_frames = PictureReader.frames

    def frames(self: PictureReader, start: Any = None, first_index: int = 0, **named: Any) -> Any:
        rendering = threading.current_thread().name.startswith("postpipe") and broken
        if rendering and self.clip.path.name == "scene01_take01.mp4":
            raise TakeError(self.clip.path, "cannot be decoded", "download it again")
        return sound_frames(self, first_index=first_index, **named)

    broken: list[bool] = []

    def listen(event: Event) -> None:
        if event.kind == "pass" and event.phase == "render":
            broken.append(True)

    monkeypatch.setattr(PictureReader, "frames", frames)
    document = api.run(takes, tmp_path / "out", settings=FAST, listener=listen).document()
    assert [take["file"] for take in document["takes"] if take["selected"]] == [
        "scene01_take02.mp4",
        "scene02_take01.mp4",
    ]
    assert document["takes"][0]["skipped"]["reason"] == "cannot be decoded; download it again"


def test_nothing_to_do_is_said(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DeliveryError, match="holds no take"):
        api.run(empty, tmp_path / "out")
    with pytest.raises(DeliveryError, match="cannot be read"):
        api.run(tmp_path / "missing", tmp_path / "out")
    (empty / "scene01.mp4").write_bytes(b"junk")
    with pytest.raises(DeliveryError, match=r"scene01\.mp4"):
        api.run(empty, tmp_path / "out")
    with pytest.raises(DeliveryError, match="the folder of takes itself"):
        api.run(empty, empty)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delivery": {}}, ["there is no section [delivery]", "did you mean 'deliver'"]),
        ({"deliver": {"cfr": 3}}, ["[deliver] has no key 'cfr'", "did you mean 'crf'"]),
        (
            {"deliver": {"crf": 99}, "project": {"fit": "stretch"}},
            ["crf = 99", "from 0 to 51", "'letterbox' or 'crop'"],
        ),
        ({"project": {"size": "641x360"}}, ["must be even"]),
        ({"project": {"rate": "fast"}}, ["rate = 'fast'", "expected a rate such as"]),
        ({"project": {"pattern": "("}}, ["not a regular expression"]),
        ({"deliver": {"video_codec": "prores", "bits": 8}}, ["does not come with 8 bits"]),
    ],
)
def test_wrong_settings_are_all_named(takes: Path, tmp_path: Path, options: Any, words: Sequence[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        api.run(takes, tmp_path / "out", settings=options)
    for word in words:
        assert word in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_choice_that_matches_nothing_is_named(takes: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"scene01 = 7 matches no take.*scene01_take01\.mp4"):
        api.run(takes, tmp_path / "out", settings=FAST | {"select": {"scene01": 7}})


def test_inspect_gives_the_same_entries_and_writes_nothing(takes: Path, tmp_path: Path) -> None:
    files = sorted(takes.iterdir())
    account: Account = api.inspect(files)
    run = api.run(takes, tmp_path / "out", settings=FAST)
    for found, delivered in zip(account.takes(), run.takes(), strict=True):
        assert found["media"] == delivered["media"]
        of_the_film = {"colour", "marks_delivered"}
        assert found["facts"] == {name: fact for name, fact in delivered["facts"].items() if name not in of_the_film}
        assert not found["selected"]
    assert sorted(takes.iterdir()) == files


def test_matrix_products_take_one_thread_while_takes_are_worked_on(takes: Path, tmp_path: Path) -> None:
    def threads() -> set[int]:
        libraries = threadpoolctl.threadpool_info()  # numpy's own: others are loaded for a few small things
        return {one["num_threads"] for one in libraries if one["user_api"] == "blas" and "numpy" in one["filepath"]}

    def listen(event: Event) -> None:
        if event.kind == "pass":
            during.append(threads())

    during: list[set[int]] = []
    before = threads()
    api.run(takes, tmp_path / "out", settings=FAST, listener=listen)
    assert during
    assert all(counts <= {1} for counts in during)
    assert threads() == before


def test_a_log_that_cannot_be_written_costs_no_delivery(takes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told: list[Event] = []
    settings = FAST | {"log": {"file": str(tmp_path / "file" / "log.csv")}}
    assert api.run(takes, tmp_path / "out", settings=settings, listener=told.append).document()["sequence"]
    assert any(event.kind == "warning" and "the log cannot be written" in (event.message or "") for event in told)
    assert (tmp_path / "out" / "takes.json").exists()


def test_takes_that_are_not_there_are_named_beside_an_out_that_is(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(DeliveryError, match="missing"):
        api.run(tmp_path / "missing", tmp_path / "out")
