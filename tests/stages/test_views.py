"""The small views agree with means worked out from the whole planes."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from postpipe.engine.stage import Look
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame
from postpipe.stages.views import CHROMA, LUMA, SMALL


def looked_at(height: int, width: int, name: str) -> tuple[Frame, Look]:
    form = PIXEL_FORMATS[name]
    random = np.random.default_rng(height)
    shapes = [(height, width)] + [(-(-height >> form.chroma_shift_y), -(-width >> form.chroma_shift_x))] * 2
    dtype = np.uint8 if form.bits == 8 else np.uint16
    luma, blue, red = (random.integers(0, 1 << form.bits, shape).astype(dtype) for shape in shapes)
    frame = Frame(0, Fraction(0), (luma, blue, red), form, ColourSpec("bt709", "limited", "bt709", "bt709"))
    clip: Any = SimpleNamespace(picture=SimpleNamespace(width=width, height=height, pixel_format=form))
    look = Look(frame)
    for view in (LUMA, CHROMA, SMALL):
        look.put(view, view.start(clip)(look))
    return frame, look


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "yuv444p"])
@pytest.mark.parametrize(
    ("size", "box"), [((60, 90), 1), ((270, 481), 4), ((720, 1283), 8), ((1081, 1922), 16), ((10, 1600), 8)]
)
def test_boxes_have_the_means_of_their_samples(size: tuple[int, int], box: int, name: str) -> None:
    frame, look = looked_at(*size, name)
    small, form = look[SMALL], frame.pixel_format
    rows, columns = size[0] // box, size[1] // box
    for index, means in enumerate((small.luma, small.blue, small.red)):
        shift_y, shift_x = (form.chroma_shift_y, form.chroma_shift_x) if index else (0, 0)
        plane = frame.planes[index].repeat(1 << shift_y, axis=0).repeat(1 << shift_x, axis=1)
        boxes = plane[: rows * box, : columns * box].reshape(rows, box, columns, box)
        np.testing.assert_allclose(means, boxes.mean((1, 3)), rtol=1e-6)


def test_large_frames_are_counted_on_some_rows() -> None:
    frame, look = looked_at(1080, 64, "yuv420p")
    assert look[LUMA].histogram.tolist() == np.bincount(frame.planes[0][::4].ravel(), minlength=256).tolist()
