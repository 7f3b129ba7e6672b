"""A picture lives as long as somebody looks at it: memory does not grow with the length of a take."""

from __future__ import annotations

import gc
from pathlib import Path

from postpipe import api
from postpipe.engine.events import Event
from postpipe.engine.stage import Look
from postpipe.model import Frame
from tests.clips import make_clip


def test_no_frame_waits_for_the_garbage_collector(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", frames=96)
    most = {Frame: 0, Look: 0}
    events = 0

    def count(_: Event) -> None:
        nonlocal events
        events += 1
        alive = gc.get_objects()
        for kind, so_far in most.items():
            most[kind] = max(so_far, sum(type(one) is kind for one in alive))

    gc.collect()
    gc.disable()
    try:
        settings = {"deliver": {"preset": "ultrafast"}, "upscale": {"scale": 2}, "watermark": {"payload": "x"}}
        api.run(takes, tmp_path / "out", settings=settings, listener=count)
    finally:
        gc.enable()
    assert events > 2 * 96  # it looked and rendered
    assert most[Look] <= 8
    assert most[Frame] <= 40
