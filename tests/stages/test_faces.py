"""Faces are found and followed, and only where somebody asks for them."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from postpipe.engine.stage import Look
from postpipe.model import PIXEL_FORMATS, Clip, ColourSpec, Frame
from postpipe.stages.faces import FACES, Face, cut_out

COLOUR = ColourSpec("bt709", "limited", "bt709", "bt709")


def portrait() -> NDArray[np.uint8]:
    colours: NDArray[np.uint8] = skimage.data.astronaut()
    return np.ascontiguousarray(colours[..., 1])


def frame(index: int, luma: NDArray[np.uint8], bits: int = 8) -> Frame:
    layout = PIXEL_FORMATS["yuv420p" if bits == 8 else "yuv420p10le"]
    chroma = np.full((luma.shape[0] // 2, luma.shape[1] // 2), 128, luma.dtype)
    return Frame(index, Fraction(index, 25), (luma, chroma, chroma), layout, COLOUR)


def seen(frames: list[Frame]) -> list[tuple[Face, ...]]:
    picture = SimpleNamespace(pixel_aspect=Fraction(1), pixel_format=frames[0].pixel_format)
    look = FACES.start(cast(Clip, SimpleNamespace(picture=picture)))
    return [look(Look(one))() for one in frames]


def test_a_face_is_found_where_it_is_and_followed() -> None:
    picture = portrait()
    frames = [frame(n, np.roll(picture, (2 * n, 3 * n), (0, 1))) for n in range(20)]
    faces = seen(frames)
    assert {len(found) for found in faces} == {1}
    (first,), (last,) = faces[0], faces[-1]
    assert (first.x, first.y) == (pytest.approx(223, abs=15), pytest.approx(115, abs=20))
    assert (last.x - first.x, last.y - first.y) == (pytest.approx(57, abs=2), pytest.approx(38, abs=2))
    assert {found[0].track for found in faces} == {first.track}
    assert last.found == last.sought > 1


def test_ten_bits_are_the_same_face() -> None:
    picture = portrait()
    (eight,) = seen([frame(0, picture)])[0]
    (ten,) = seen([frame(0, picture.astype(np.uint16) * 4, bits=10)])[0]
    assert (ten.x, ten.y, ten.width) == pytest.approx((eight.x, eight.y, eight.width), abs=2)


def test_a_face_that_goes_is_gone_and_another_is_another() -> None:
    picture = portrait()
    grey = np.full_like(picture, 100)
    faces = seen([frame(n, grey if 5 <= n < 30 else picture) for n in range(45)])
    assert all(len(found) == 1 for found in faces[:5])
    assert not any(faces[5:30])
    assert faces[-1]
    assert faces[-1][0].track != faces[0][0].track


def test_nothing_is_found_where_there_is_no_face() -> None:
    random = np.random.default_rng(0)
    noise = [frame(n, random.integers(0, 255, (270, 480), np.uint8)) for n in range(10)]
    assert not any(seen(noise))


def test_a_part_of_a_face_is_cut_out_to_the_pixel() -> None:
    rows, columns = np.mgrid[0:200, 0:300]
    ramp = (rows / 2 + columns / 4).astype(np.uint8)
    part = cut_out(ramp, 8, (100.0, 80.0, 64.0, 64.0), (10, 20, 5, 25), 64)
    assert part is not None
    np.testing.assert_allclose(part, ramp[58:68, 73:93], atol=1)
    assert cut_out(ramp, 8, (400.0, 80.0, 64.0, 64.0), (10, 20, 5, 25), 64) is None
