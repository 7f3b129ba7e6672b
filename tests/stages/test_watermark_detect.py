"""Detectors of hidden marks: those built in, and the example in the documents."""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from postpipe_kernels import watermark

from postpipe import api
from postpipe.engine.stage import Look
from postpipe.errors import SettingsError
from postpipe.media.frames import allocate
from postpipe.media.probe import probe
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame
from postpipe.stages.watermark_detect import KNOWN, LEAST_AGREEMENT, LibraryDetector, WatchHidden, detectors, library_u
from tests.clips import make_clip

BT601 = ColourSpec("smpte170m", "full", "smpte170m", "bt709")


def frame_of(u: np.ndarray, index: int = 0) -> Frame:
    """A 4:4:4 frame whose U, as OpenCV has it, is `u`."""
    made = allocate(PIXEL_FORMATS["yuv444p"], u.shape[1], u.shape[0], index=index, colour=BT601)
    for plane in made.planes:
        plane[...] = 128
    made.planes[1][...] = np.clip(np.rint((u.astype(np.float64) - 128) / (0.492 * 1.772) + 128), 0, 255)
    return made


@pytest.mark.parametrize("name", KNOWN)
def test_published_messages_are_recognised(name: str) -> None:
    dice = np.random.default_rng(4)
    at_work = LibraryDetector().start(None)  # type: ignore[arg-type]  # it needs nothing of the clip
    bits = np.array([bit == "1" for bit in KNOWN[name]], np.uint8)
    for index in range(3):
        u = (128 + 40 * np.sin(np.add.outer(np.arange(256), np.arange(320)) / 31 + index)).astype(np.uint8)
        u = (u + dice.normal(0, 2, u.shape)).astype(np.uint8)
        watermark.write_dwt_dct(u, bits, u)
        at_work.step(frame_of(u, index))
    (mark,) = at_work.finish()
    assert mark.words.startswith(name)
    assert int(mark.binding.value, 16) == int(KNOWN[name], 2)


def test_a_bare_picture_has_none() -> None:
    at_work = LibraryDetector().start(None)  # type: ignore[arg-type]
    for index in range(3):
        noise = np.random.default_rng(index).normal(128, 20, (256, 320)).clip(0, 255).astype(np.uint8)
        at_work.step(frame_of(noise, index))
    assert not list(at_work.finish())


def test_each_message_has_a_limit_that_chance_hardly_reaches() -> None:
    from math import comb

    for bits, least in LEAST_AGREEMENT.items():
        assert sum(comb(bits, right) for right in range(least, bits + 1)) / 2**bits < 1e-7 * 10
    assert {len(bits) for bits in KNOWN.values()} == set(LEAST_AGREEMENT)


def test_u_is_opencvs() -> None:
    import cv2

    from postpipe.media.images import frame_pixels

    frame = frame_of(np.random.default_rng(1).integers(90, 160, (64, 64)))
    theirs = cv2.cvtColor(np.ascontiguousarray(frame_pixels(frame, 8)), cv2.COLOR_BGR2YUV)[:, :, 1]
    assert np.abs(library_u(frame).astype(int) - theirs).max() <= 1


def test_detectors_are_called_by_name() -> None:
    assert [one.name for one in detectors(["dwtDct", "postpipe"])] == ["dwtDct", "postpipe"]
    with pytest.raises(SettingsError, match="there is no detector riva; known: dwtDct, postpipe"):
        detectors(["riva"])


def test_an_unknown_detector_is_told_before_anything_is_decoded(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=3)
    with pytest.raises(SettingsError, match="no detector riva"):
        api.inspect([clip], settings={"watermark": {"detect": ["riva"]}})


def test_frames_are_shown_at_the_rate_that_a_detector_asks_for(tmp_path: Path) -> None:
    clip = probe(make_clip(tmp_path / "a.mp4", frames=3), "")
    watch = WatchHidden()
    state = watch.start(clip)
    assert [every for every, _ in state.running] == [5, 24]
    watch.step(state, Look(frame_of(np.full((64, 64), 128))))
    found = watch.finish(state)
    assert (found.marks, found.looked_for) == ((), ("postpipe", "dwtDct"))


def test_the_example_of_the_documents_works(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "marks.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)

    class Stub:
        def __init__(self, **_: Any) -> None: ...

        def decode(self, picture: Any) -> tuple[str, bool, int]:
            return ("asset7", picture.size == (64, 64), 1)

    package = ModuleType("trustmark")
    package.TrustMark = Stub  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trustmark", package)
    names: dict[str, Any] = {}
    exec(block, names)
    at_work = names["TrustMarkDetector"]().start(None)
    for index in range(3):
        at_work.step(frame_of(np.full((64, 64), 128), index))
    (mark,) = at_work.finish()
    assert (mark.binding.algorithm, bytes.fromhex(mark.binding.value)) == ("com.adobe.trustmark.Q", b"asset7")


def test_a_detector_that_does_not_load_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [EntryPoint("broken", "no_such_module:Detector", "postpipe.watermarks")]
    monkeypatch.setattr("postpipe.stages.watermark_detect.entry_points", lambda group: broken)
    with pytest.raises(SettingsError, match=r"the detector broken \(no_such_module:Detector\) does not load"):
        detectors(["broken"])
