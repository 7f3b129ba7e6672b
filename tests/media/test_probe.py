"""The header is told as it is; everything odd becomes a field or a sentence."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from postpipe.media.probe import exact_rate, probe
from postpipe.model import PIXEL_FORMATS, ColourSpec, SoundStream

from .making import BT709, NTSC, make, picture, sine


def test_plain_clip(tmp_path: Path) -> None:
    path = make(
        tmp_path / "plain.mp4", 6, rate=NTSC, sounds=[("aac", 48000, sine(9600), Fraction(0))], timecode="01:02:03;04"
    )
    clip = probe(path, "abc")
    assert (clip.path, clip.digest, clip.size_bytes, clip.container) == (path, "abc", path.stat().st_size, "mov")
    picture = clip.picture
    assert (picture.index, picture.codec) == (0, "h264")
    assert (picture.width, picture.height, picture.coded_width, picture.coded_height) == (64, 48, 64, 48)
    assert (picture.rotation, picture.pixel_aspect) == (0, 1)
    assert (picture.source_format, picture.pixel_format) == ("yuv420p", PIXEL_FORMATS["yuv420p"])
    assert picture.colour == BT709
    assert (picture.rate, picture.time_base) == (NTSC, Fraction(1, 30000))
    assert (picture.declared_frames, picture.declared_seconds) == (6, 6 / NTSC)
    assert (picture.interlaced, picture.alpha) == (False, False)
    assert clip.sounds == (SoundStream(1, "aac", 48000, 2, "stereo", Fraction(1, 5)),)
    assert clip.start_timecode == "01:02:03;04"
    assert clip.warnings == ()


@pytest.mark.parametrize(("counter_clockwise", "clockwise"), [(0, 0), (-90, 90), (180, 180), (90, 270)])
def test_rotation(tmp_path: Path, counter_clockwise: int, clockwise: int) -> None:
    path = make(tmp_path / "turned.mp4", 1, rotation=counter_clockwise, aspect=Fraction(4, 3))
    found = probe(path, "").picture
    sideways = clockwise % 180 == 90
    assert found.rotation == clockwise
    assert (found.width, found.height) == ((48, 64) if sideways else (64, 48))
    assert (found.coded_width, found.coded_height) == (64, 48)
    assert found.pixel_aspect == (Fraction(3, 4) if sideways else Fraction(4, 3))


def test_slanted_picture_is_turned_by_quarters(tmp_path: Path) -> None:
    clip = probe(make(tmp_path / "slanted.mp4", 1, rotation=-80), "")
    assert clip.picture.rotation == 90
    assert "turned by 80°: shown turned by 90°" in clip.warnings


@pytest.mark.parametrize("number", [0, 1, 2])
def test_untagged_is_guessed_and_said(tmp_path: Path, number: int) -> None:
    size = [(64, 48), (1280, 64), (48, 576)][number]
    matrix = ["smpte170m", "bt709", "bt470bg"][number]
    clip = probe(make(tmp_path / "untagged.mp4", 1, size=size, tags={}), "")
    assert clip.picture.colour == ColourSpec(
        matrix, "limited", matrix, "bt709", ("matrix", "primaries", "transfer", "range")
    )
    assert any("does not say its colour" in warning for warning in clip.warnings)


def test_hdr(tmp_path: Path) -> None:
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1}
    clip = probe(make(tmp_path / "hdr.mp4", 1, pixel_format="yuv420p10le", tags=tags), "")
    assert clip.picture.colour == ColourSpec("bt2020nc", "limited", "bt2020", "smpte2084")
    assert clip.picture.pixel_format.bits == 10
    assert "high dynamic range picture (smpte2084)" in clip.warnings


@pytest.mark.parametrize(("primaries", "matrix"), [(1, "bt709"), (9, "bt2020nc")])
def test_rgb_is_given_a_matrix(tmp_path: Path, primaries: int, matrix: str) -> None:
    tags = {"color_primaries": primaries, "color_trc": 1, "color_range": 2}
    clip = probe(
        make(tmp_path / "rgb.mkv", [av.VideoFrame(64, 48, "bgr0")], codec="ffv1", pixel_format="bgr0", tags=tags), ""
    )
    assert (clip.picture.colour.matrix, clip.picture.colour.range, clip.picture.colour.guessed) == (
        matrix,
        "limited",
        (),
    )


def test_alpha(tmp_path: Path) -> None:
    frame = av.VideoFrame(64, 48, "yuva420p")
    clip = probe(make(tmp_path / "alpha.mkv", [frame], codec="ffv1", pixel_format="yuva420p"), "")
    assert clip.picture.alpha
    assert "its transparency (alpha) is ignored" in clip.warnings


def test_interlaced(tmp_path: Path) -> None:
    options = {"qp": "0", "flags": "+ildct", "x264-params": "tff=1"}
    clip = probe(make(tmp_path / "fields.mp4", 2, options=options), "")
    assert clip.picture.interlaced
    assert "interlaced picture: it is deinterlaced, one frame per frame" in clip.warnings


def test_several_sounds(tmp_path: Path) -> None:
    silent, tone = np.zeros((4800, 1), np.float32), sine(4800)
    sounds = [("pcm_s16le", 48000, silent, Fraction(0)), ("aac", 44100, tone, Fraction(0))]
    clip = probe(make(tmp_path / "two.mov", 2, sounds=sounds), "")
    assert [(s.index, s.codec, s.rate_hz, s.channels) for s in clip.sounds] == [
        (1, "pcm_s16le", 48000, 1),
        (2, "aac", 44100, 2),
    ]
    assert "2 sound tracks: the first is used" in clip.warnings


def test_cover_art_is_not_the_film(tmp_path: Path) -> None:
    path = tmp_path / "cover.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        film = container.add_stream("libx264", rate=24)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        container.mux(cover.encode(av.VideoFrame(320, 240, "yuvj420p")))
        for index in range(3):
            container.mux(film.encode(picture(index, "yuv420p", 64, 48)))
        container.mux([*cover.encode(None), *film.encode(None)])
    found = probe(path, "").picture
    assert (found.index, found.codec, found.width) == (0, "h264", 64)


def test_uneven_times_and_late_start(tmp_path: Path) -> None:
    path = make(tmp_path / "uneven.mp4", 5, rate=Fraction(25), tick=Fraction(1, 1000), pts=[80, 120, 280, 320, 480])
    warnings = " ".join(probe(path, "").warnings)
    assert "not evenly spaced" in warnings
    assert "the picture starts at 0.080 s" in warnings


def test_odd_size(tmp_path: Path) -> None:
    clip = probe(make(tmp_path / "odd.mkv", 1, size=(61, 47), codec="ffv1"), "")
    assert (clip.picture.width, clip.picture.height) == (61, 47)
    assert "odd size (61 × 47)" in clip.warnings


def test_wild_nominal_rate_gives_way_to_the_average(tmp_path: Path) -> None:
    pts = [0, 7100, 14300, 21300, 28500, 35500]
    path = make(tmp_path / "phone.mp4", 6, rate=Fraction(90000), tick=Fraction(1, 90000), pts=pts)
    assert 10 < probe(path, "").picture.rate < 14


@pytest.mark.parametrize(
    ("given", "exact"),
    [
        (Fraction(2997, 50), Fraction(60000, 1001)),
        (Fraction(2997, 100), Fraction(30000, 1001)),
        (Fraction(24), Fraction(24)),
        (Fraction(23976, 1000), Fraction(24000, 1001)),
        (Fraction(1, 2), Fraction(1, 2)),
        (Fraction(750000, 71393), Fraction(750000, 71393)),
    ],
)
def test_rounded_ntsc_rates(given: Fraction, exact: Fraction) -> None:
    assert exact_rate(given) == exact
