"""A picture lives as long as somebody looks at it: memory does not grow with the length of a take."""

from __future__ import annotations

import gc
from pathlib import Path

from postpipe import api
from postpipe.engine.stage import Look
from postpipe.model import Frame
from tests.clips import make_clip


def test_no_frame_waits_for_the_garbage_collector(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", frames=96)
    settings = {"deliver": {"preset": "ultrafast"}, "upscale": {"scale": 2}, "watermark": {"payload": "x"}}
    gc.collect()
    gc.disable()
    try:
        counts = api.run(takes, tmp_path / "out", settings=settings).document()["frames"]
        left = [type(one) for one in gc.get_objects()]
    finally:
        gc.enable()
    assert counts["decoded_look"] == counts["decoded_render"] == 96
    assert left.count(Look) <= 2
    assert left.count(Frame) <= 8
