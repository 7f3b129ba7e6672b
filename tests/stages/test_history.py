"""What is said to have been done to a take: what the decisions did, nothing else."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from postpipe.delivery import Cadence, Encoding, Fix, FrameTimes, ProjectFormat, RenderedClip, TimeMap
from postpipe.edit import Edit, Event
from postpipe.lipsync import SoundShift
from postpipe.look import CreativeLut, Look
from postpipe.media.probe import probe
from postpipe.model import PIXEL_FORMATS, Clip
from postpipe.provenance import Action, Declared, History
from postpipe.stages.conform import DELIVERY_COLOUR
from postpipe.stages.history import TellHistory
from postpipe.tools import Prepared, Toolchain, ToolUse
from tests.clips import make_clip

PATH = Path("a.mp4")
TIMES = FrameTimes(Fraction(1, 24), np.arange(48, dtype=np.int64), 1, Fraction(24), False, ())
ENCODING = Encoding(
    "h264", PIXEL_FORMATS["yuv420p"], "mp4", {}, 1, Fraction(10), "aac", 48000, 2, {}
)  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return probe(make_clip(tmp_path_factory.mktemp("a") / "a.mp4"), "")


def told(clip: Clip, **changes: Any) -> History:
    project = ProjectFormat(64, 48, Fraction(24), "letterbox", PIXEL_FORMATS["yuv420p"], DELIVERY_COLOUR)
    cadence = Cadence.of(TIMES, Fraction(24))
    arguments = {
        "clip": clip,
        "times": TIMES,
        "time_map": TimeMap(cadence, 0, cadence.frames),
        "edit": Edit((Event(clip.path, "a", 0, 48),), joined=True),
        "rendered": RenderedClip((), ()),
        "project": project,
        "encoding": ENCODING,
        "look": None,
        "creative": None,
        "prepared": None,
        "shift": None,
        "tools": Toolchain({}),
        "declared": None,
    }
    return TellHistory().run(**arguments | changes)


def names(history: History) -> list[str]:
    return [action.name.removeprefix("c2pa.") for action in history.actions]


def test_programs_that_pictures_went_through_are_told_unless_they_failed(clip: Clip) -> None:
    uses = ToolUse("denoise", "pipe", 48, 48, 64, 48), ToolUse("smooth", "pipe", 0, 0, 64, 48, failed="it hangs")
    through = {"prepared": Prepared(uses), "tools": Toolchain({}, ("grain",))}
    history = told(clip, **through)
    assert [action.parameters.get("tool") for action in history.actions] == ["denoise", "grain", None]
    failed = RenderedClip((), (Fix("finish", {}, {}, {"failed": "it hangs"}, kept=False),))
    history = told(clip, rendered=failed, **through)
    assert [action.parameters.get("tool") for action in history.actions] == ["denoise", None]


def test_a_take_that_fits_is_only_encoded_again(clip: Clip) -> None:
    history = told(clip)
    assert names(history) == ["transcoded"]
    assert history.actions[0].parameters == {"video": "h264 to h264", "sound": "aac to aac"}


def test_fixes_are_told_unless_they_were_rolled_back(clip: Clip) -> None:
    fixes = [Fix("flicker", {"mode": "on", "unset": None}, {}, {}, True), Fix("colour", {}, {}, {}, False)]
    history = told(clip, rendered=RenderedClip((), tuple(fixes)))
    assert names(history) == ["enhanced", "transcoded"]
    assert history.actions[0].parameters == {"fix": "flicker", "mode": "on"}
    fixes = [Fix(name, {}, {}, {}, True) for name in ("colour", "lipsync", "upscale", "something new")]
    history = told(clip, rendered=RenderedClip((), tuple(fixes)))
    assert names(history) == ["adjustedColor", "dubbed", "enhanced", "edited", "transcoded"]


def test_an_enlarged_take_is_told_as_resized_once_and_as_enhanced_only_where_detail_was_made(clip: Clip) -> None:
    project = ProjectFormat(128, 96, Fraction(24), "letterbox", PIXEL_FORMATS["yuv420p"], DELIVERY_COLOUR)
    for kind, expected in (("sharp", ["enhanced"]), ("lanczos", [])):
        fix = Fix("upscale", {"kind": kind}, {}, {}, True)
        history = told(clip, project=project, rendered=RenderedClip((), (fix,)))
        assert names(history) == [*expected, "resized", "transcoded"]


def test_a_colour_match_tells_what_changes_and_whom_it_follows(clip: Clip) -> None:
    look = Look(description="exposure +0.3 stop, warmer", hero="hero.mp4")
    history = told(clip, look=look, rendered=RenderedClip((), (Fix("colour", {}, {}, {}, True),)))
    figures = {"fix": "colour", "hero": "hero.mp4", "change": "exposure +0.3 stop, warmer"}
    assert history.actions[0].parameters == figures


def test_what_is_signed_tells_no_commands_and_no_folders(clip: Clip) -> None:
    settings = {
        "kind": "onnx",
        "model": "/home/ada/models/sharp.onnx",
        "command": ["run", "--key", "x"],
        "tile_px": 256,
    }
    history = told(clip, rendered=RenderedClip((), (Fix("upscale", settings, {}, {}, True),)))
    assert history.actions[0].parameters == {"fix": "upscale", "kind": "onnx", "model": "sharp.onnx"}


def test_a_cut_that_uses_a_part_of_a_file_trims_it(clip: Clip) -> None:
    part = replace(clip, first_frames=48, first_frame=100, file_frames=200)
    cadence = Cadence.of(TIMES, Fraction(12))
    history = told(part, time_map=TimeMap(cadence, 0, cadence.frames))
    assert names(history) == ["trimmed", "transcoded"]
    assert history.actions[0].parameters == {"first_frame": 101, "frames": 47, "of_frames": 200, "rate": "24/1"}


def test_a_trim_is_told_with_its_frames_handles_included(clip: Clip) -> None:
    cadence = Cadence.of(TIMES, Fraction(24))
    history = told(clip, time_map=TimeMap(cadence, 10, 30, head=2, tail=4))
    assert names(history) == ["trimmed", "transcoded"]
    assert history.actions[0].parameters == {"first_frame": 8, "frames": 26, "of_frames": 48, "rate": "24/1"}
    assert names(told(clip, time_map=TimeMap(cadence, 2, 44, head=2, tail=4))) == ["transcoded"]


def test_another_rate_at_the_same_speed_is_no_change_of_speed(clip: Clip) -> None:
    cadence = Cadence.of(TIMES, Fraction(30))
    history = told(clip, time_map=TimeMap(cadence, 0, cadence.frames))
    assert names(history) == ["transcoded"]
    assert history.actions[0].parameters["rate"] == "24/1 to 30/1"
    single = replace(TIMES, pts=TIMES.pts[:1], last_duration=24)  # a still of one second
    held = Cadence.of(single, Fraction(24))
    assert names(told(clip, times=single, time_map=TimeMap(held, 0, 24))) == ["transcoded"]
    doubled = replace(cadence, source=np.arange(0, 48, 2), rate=Fraction(24))
    history = told(clip, time_map=TimeMap(doubled, 0, 24))
    assert names(history) == ["changedSpeed", "transcoded"]
    assert history.actions[0].parameters == {"speed": 2.0}


@pytest.mark.parametrize(
    ("width", "height", "fit", "expected"),
    [
        (128, 96, "letterbox", ["resized"]),
        (64, 64, "letterbox", ["resized"]),  # bars
        (64, 64, "crop", ["resized", "cropped"]),
        (64, 48, "crop", []),
    ],
)
def test_scaling_bars_and_crops_are_told_apart(
    clip: Clip, width: int, height: int, fit: str, expected: list[str]
) -> None:
    project = ProjectFormat(width, height, Fraction(24), fit, PIXEL_FORMATS["yuv420p"], DELIVERY_COLOUR)
    assert names(told(clip, project=project)) == [*expected, "transcoded"]


def test_tables_fades_and_declared_marks_are_told_in_order(clip: Clip) -> None:
    event = Event(clip.path, "a", 0, 48, fade_in=6)
    history = told(
        clip,
        creative=CreativeLut("film.cube", lattice=np.zeros((2, 2, 2, 3), np.float32)),
        edit=Edit((event,), joined=False),
        declared=Declared((Action("c2pa.watermarked.bound"),)),
    )
    assert names(history) == ["adjustedColor", "edited", "transcoded", "watermarked.bound"]


def test_silence_that_is_put_in_is_told(clip: Clip) -> None:
    history = told(replace(clip, sounds=()))
    assert "a silent track was added" in (history.actions[-1].description or "")
    copied = told(clip, rendered=RenderedClip((), (), copied=48))
    assert "pictures were copied" in (copied.actions[-1].description or "")


def test_tools_and_shifted_sound_are_told(clip: Clip) -> None:
    uses = (ToolUse("denoise", "pipe", 48, 48, 64, 48), ToolUse("grade", "pipe", 0, 0, 64, 48, failed="it broke"))
    shift = SoundShift(Fraction(-1, 5), Fix("lipsync", {"delay_ms": -200.0}, {}, {}, True))
    history = told(clip, prepared=Prepared(uses), shift=shift)
    assert names(history) == ["edited", "dubbed", "transcoded"]
    assert history.actions[0].parameters == {"tool": "denoise", "size": "64x48"}
    rolled_back = SoundShift(Fraction(0), Fix("lipsync", {"delay_ms": -200.0}, {}, {}, False))
    assert names(told(clip, shift=rolled_back)) == ["transcoded"]
