"""Conforming: colours come out as they went in, pictures keep their shape and place, times are even."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from postpipe import api
from postpipe.delivery import ProjectFormat
from postpipe.errors import DeliveryError
from postpipe.media.frames import allocate, allocate_like
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame
from postpipe.stages.conform import DELIVERY_COLOUR
from postpipe.stages.fit import BoundFit, Fit
from tests.clips import make_clip
from tests.stages.helpers import decode_planes
from tests.stages.test_quality import _clip_of

LOSSLESS = {"deliver": {"crf": 0, "preset": "ultrafast", "encoder_threads": 1}}
PATCHES = [(255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 40, 60), (30, 180, 90), (40, 70, 210), (240, 200, 60)]

# The independent reference: definitions of ITU-R BT.601/709/2020 and H.273, written out.
LUMA = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114), "bt470bg": (0.299, 0.114)}
TAGS = {"bt709": 1, "smpte170m": 6, "bt470bg": 5}


def codes(rgb: tuple[int, int, int], matrix: str, full: bool, bits: int) -> tuple[float, float, float]:
    """Return the YCbCr code values of an R'G'B' colour, not rounded."""
    kr, kb = LUMA[matrix]
    r, g, b = (value / 255 for value in rgb)
    y = kr * r + (1 - kr - kb) * g + kb * b
    cb, cr = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    if full:
        top = 2**bits - 1
        return y * top, cb * top + 2 ** (bits - 1), cr * top + 2 ** (bits - 1)
    scale = 2 ** (bits - 8)
    return (16 + 219 * y) * scale, (128 + 224 * cb) * scale, (128 + 224 * cr) * scale


def write_patches(path: Path, size: tuple[int, int], matrix: str, full: bool, bits: int, tagged: bool) -> None:
    """Write one flat picture per patch, lossless."""
    width, height = size
    name = "yuv420p" if bits == 8 else "yuv420p10le"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = width, height, name
        stream.options = {"qp": "0", "preset": "ultrafast"}
        context = stream.codec_context
        context.thread_count = 1
        if tagged:
            context.colorspace = context.color_primaries = context.color_trc = TAGS[matrix]
            context.color_range = 2 if full else 1
        for index, rgb in enumerate(PATCHES):
            frame = av.VideoFrame(width, height, name)
            for plane, value in zip(frame.planes, codes(rgb, matrix, full, bits), strict=True):
                code = int(np.floor(value + 0.5))
                code = min(code, 2**bits - 1)
                unit = code.to_bytes(1 if bits == 8 else 2, "little")
                plane.update(unit * (plane.buffer_size // len(unit)))
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("matrix", "full", "bits", "tagged", "size"),
    [
        ("bt709", False, 8, True, (64, 48)),
        ("bt709", True, 8, True, (64, 48)),
        ("smpte170m", False, 8, True, (64, 48)),
        ("smpte170m", True, 8, True, (64, 48)),
        ("bt470bg", False, 8, True, (64, 48)),
        ("bt709", False, 10, True, (64, 48)),
        ("bt709", True, 10, True, (64, 48)),
        ("smpte170m", False, 10, True, (64, 48)),
        ("bt709", False, 8, False, (1280, 720)),
        ("smpte170m", False, 8, False, (720, 480)),
        ("bt470bg", False, 8, False, (720, 576)),
    ],
)
@pytest.mark.parametrize("bits_out", [8, 10])
def test_colours_come_out_as_they_went_in(
    tmp_path: Path, matrix: str, full: bool, bits: int, tagged: bool, size: tuple[int, int], bits_out: int
) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    write_patches(takes / "patches.mp4", size, matrix, full, bits, tagged)
    options = {"deliver": LOSSLESS["deliver"] | {"bits": bits_out}}
    account = api.run(takes, tmp_path / "out", settings=options)
    assert bool(account.takes()[0]["media"]["colour"]["guessed"]) is not tagged
    out = tmp_path / "out" / "sequence.mp4"
    frames = decode_planes(out)
    assert len(frames) == len(PATCHES)
    for rgb, planes in zip(PATCHES, frames, strict=True):
        for plane, expected in zip(planes, codes(rgb, "bt709", False, bits_out), strict=True):
            # A source of 8 bits holds the colour to half a code; a delivery of 10 bits shows that error fourfold.
            tolerance = 1.0 if bits_out <= bits else 4.0
            assert np.abs(plane.astype(float) - expected).max() <= tolerance
    with av.open(str(out)) as container:
        context = container.streams.video[0].codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
        assert tags == (1, 1, 1, 1)


def project(width: int, height: int, fit: str = "letterbox", layout: str = "yuv420p") -> ProjectFormat:
    return ProjectFormat(width, height, Fraction(24), fit, PIXEL_FORMATS[layout], DELIVERY_COLOUR)


def bound(
    size: tuple[int, int], target: ProjectFormat, layout: str = "yuv420p", aspect: Fraction = Fraction(1)
) -> BoundFit | None:
    clip: Any = _clip_of(1)
    clip.picture.width, clip.picture.height = size
    clip.picture.pixel_aspect = aspect
    clip.picture.pixel_format = PIXEL_FORMATS[layout]
    clip.picture.colour = DELIVERY_COLOUR
    return Fit().bind(clip, target)


def fitted(planes: list[np.ndarray], target: ProjectFormat, layout: str = "yuv420p", **named: Any) -> Frame:
    height, width = planes[0].shape
    frame = allocate(PIXEL_FORMATS[layout], width, height, colour=ColourSpec("bt709", "limited", "bt709", "bt709"))
    for plane, values in zip(frame.planes, planes, strict=True):
        plane[:] = values
    filter_ = bound((width, height), target, layout, **named)
    assert filter_ is not None
    (out,) = filter_.apply([frame], allocate_like)
    return out


def flat(width: int, height: int, layout: str = "yuv420p") -> list[np.ndarray]:
    pixel_format = PIXEL_FORMATS[layout]
    sizes = [pixel_format.plane_size(plane, width, height) for plane in range(3)]
    return [np.full((h, w), value) for (w, h), value in zip(sizes, (180, 90, 160), strict=True)]


def test_what_fits_already_is_left_alone() -> None:
    assert bound((64, 48), project(64, 48)) is None
    assert bound((64, 48), project(64, 48), aspect=Fraction(4, 3)) is not None
    assert bound((64, 48), project(64, 48, layout="yuv422p")) is not None


@pytest.mark.parametrize(
    ("size", "aspect", "inside"),
    [
        ((64, 48), Fraction(1), (slice(0, 72), slice(16, 112))),  # 4:3 in 16:9: bars left and right
        ((96, 24), Fraction(1), (slice(20, 52), slice(0, 128))),  # 4:1: bars above and below
        ((64, 72), Fraction(2), (slice(0, 72), slice(0, 128))),  # wide pixels: exactly 16:9
        ((36, 64), Fraction(1), (slice(0, 72), slice(42, 83))),  # portrait, 40.5 pixels wide
    ],
)
def test_bars_are_black_and_the_picture_keeps_its_shape(
    size: tuple[int, int], aspect: Fraction, inside: tuple[slice, slice]
) -> None:
    out = fitted(flat(*size), project(128, 72), aspect=aspect)
    for plane, shown, bar in zip(out.planes, (180, 90, 160), (16, 128, 128), strict=True):
        shift = 0 if plane.shape == (72, 128) else 1
        mask = np.zeros(plane.shape, bool)
        mask[tuple(slice(s.start >> shift, -(-s.stop >> shift)) for s in inside)] = True
        assert (plane[mask] == shown).all()
        assert (plane[~mask] == bar).all()


def test_a_crop_shows_no_bars() -> None:
    out = fitted(flat(64, 48), project(128, 72, "crop"))
    assert [(plane.min(), plane.max()) for plane in out.planes] == [(180, 180), (90, 90), (160, 160)]


@pytest.mark.parametrize(("width", "height"), [(65, 48), (64, 49), (65, 49)])
def test_an_odd_edge_is_cut_off_and_the_rest_untouched(width: int, height: int) -> None:
    random = np.random.default_rng(1)
    pixel_format = PIXEL_FORMATS["yuv420p"]
    planes = [random.integers(16, 235, pixel_format.plane_size(plane, width, height)[::-1]) for plane in range(3)]
    out = fitted(planes, project(64, 48))
    np.testing.assert_array_equal(out.planes[0], planes[0][:48, :64])
    np.testing.assert_array_equal(out.planes[1], planes[1][:24, :32])


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("target", [(192, 144), (96, 72), (64, 48)])
def test_chroma_stays_under_its_luma(layout: str, target: tuple[int, int]) -> None:
    """Ramps of luma and chroma that agree at every position of the picture still agree after scaling.

    Chroma lies on the left one of two luma columns (H.273 type 0) and between two rows.
    """
    width, height = 128, 96
    source = PIXEL_FORMATS[layout]

    def ramps(w: int, h: int, pixel_format: Any, scale: float) -> list[np.ndarray]:
        out = []
        for plane in range(3):
            columns, rows = pixel_format.plane_size(plane, w, h)
            step_x = 1 << pixel_format.chroma_shift_x if plane else 1
            step_y = 1 << pixel_format.chroma_shift_y if plane else 1
            x = (np.arange(columns) * step_x + 0.5) / scale
            y = (np.arange(rows) * step_y + step_y / 2) / scale
            out.append(40 + 1.0 * x[None, :] + 0.5 * y[:, None])
        return out

    out = fitted([np.rint(plane) for plane in ramps(width, height, source, 1)], project(*target), layout)
    expected = ramps(*target, PIXEL_FORMATS["yuv420p"], target[0] / width)
    for plane, values in zip(out.planes, expected, strict=True):
        inner = (slice(8, -8), slice(8, -8))
        assert np.abs(plane[inner].astype(float) - values[inner]).max() <= 1.0


def test_slow_takes_repeat_frames_and_count_as_decoded_once(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "slow.mp4", frames=8, rate=Fraction(8), sound_hz=None)
    account = api.run(takes, tmp_path / "out", settings=LOSSLESS | {"project": {"rate": 24}})
    assert account.counts.decoded_render == 8
    assert account.counts.encoded == account.counts.delivered == 24
    lumas = [planes[0] for planes in decode_planes(tmp_path / "out" / "sequence.mp4")]
    source = [planes[0] for planes in decode_planes(takes / "slow.mp4")]
    for index, luma in enumerate(lumas):
        np.testing.assert_array_equal(luma, source[index // 3])


def test_an_untouched_picture_goes_through_bit_for_bit(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "a.mp4", frames=10)
    api.run(takes, tmp_path / "out", settings=LOSSLESS)
    for ours, theirs in zip(
        decode_planes(tmp_path / "out" / "sequence.mp4"), decode_planes(takes / "a.mp4"), strict=True
    ):
        for plane, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(plane, other)


def test_the_project_follows_most_of_the_footage(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01.mp4", frames=30, size=(96, 64), rate=Fraction(30))
    make_clip(takes / "scene02.mp4", frames=40, size=(64, 48), rate=Fraction(25))
    make_clip(takes / "scene03.mp4", frames=20, size=(96, 64), rate=Fraction(25))
    account = api.run(takes, tmp_path / "out", settings=LOSSLESS)
    assert account.document()["sequence"]["rate"] == "25/1"
    with av.open(str(tmp_path / "out" / "sequence.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (96, 64)


def test_hdr_is_refused_in_words(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01.mp4", frames=5)
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1}
    make_clip(takes / "scene02.mp4", frames=5, pixel_format="yuv420p10le", tags=tags)
    account = api.run(takes, tmp_path / "out", settings=LOSSLESS)
    assert account.takes()[1]["skipped"]["reason"].startswith("is HDR (PQ), and the delivery is SDR; convert")
    assert account.counts.delivered == 5
    (looked_at,) = api.inspect([takes / "scene02.mp4"]).takes()
    assert looked_at["skipped"] is None


def test_a_folder_of_hdr_alone_is_refused_in_words(tmp_path: Path) -> None:
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1}
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01.mp4", frames=5, pixel_format="yuv420p10le", tags=tags)
    with pytest.raises(DeliveryError, match="is HDR"):
        api.run(takes, tmp_path / "out", settings=LOSSLESS)
