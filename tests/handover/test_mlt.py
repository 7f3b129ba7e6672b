from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from postpipe import api
from postpipe.handover.mlt import write
from postpipe.handover.timeline import ClipLook, Cut, Film, Lane
from postpipe.look import Cdl
from tests.clips import make_clip
from tests.handover.films import random_film
from tests.stages.helpers import decode_planes

SETTINGS = {
    "deliver": {"video_codec": "lossless", "preset": "ultrafast", "encoder_threads": 1},
    "sequence": {
        "dissolve_seconds": 0.25,
        "fade_in_seconds": 0.25,
        "fade_out_seconds": 0.25,
        "handle_seconds": 0.25,
    },
    "edit": {"scene02": {"in": "4f", "out": "20f"}},
}


def render(mlt: Path, to: Path) -> Path:
    """Render a timeline with melt, without loss."""
    melt = shutil.which("melt")
    if melt is None:
        pytest.skip("melt (Debian's package melt) is not installed")
    command = [melt, str(mlt), "-quiet", "-consumer", f"avformat:{to}", "vcodec=ffv1", "pix_fmt=yuv420p", "an=1"]
    subprocess.run([*command, "real_time=-1"], check=True, capture_output=True, timeout=120)
    return to


def decibels(first: list[np.ndarray], second: list[np.ndarray]) -> float:
    """Return the PSNR of a frame over the samples of all its planes."""
    squares = [((a.astype(float) - b) ** 2).sum() for a, b in zip(first, second, strict=True)]
    error = sum(squares) / sum(plane.size for plane in first)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(30000, 1001)])
def test_melt_renders_the_delivered_film(rate: Fraction, tmp_path: Path) -> None:
    takes = tmp_path / "takes ü"
    takes.mkdir()
    for number in (1, 2, 3):
        make_clip(takes / f"scene0{number} 'é' #.mp4", frames=24, rate=rate, size=(128, 96), seed=number)
    out = tmp_path / "out"
    api.run(takes, out, settings=SETTINGS)
    shown = decode_planes(render(out / "timeline.mlt", tmp_path / "melt.mkv"))
    film = decode_planes(out / "sequence.mp4")
    assert len(shown) == len(film)
    assert min(decibels(one, other) for one, other in zip(shown, film, strict=True)) >= 45
    # and a film that is one frame off is nowhere near
    assert np.median([decibels(one, other) for one, other in zip(shown[1:], film, strict=False)]) < 30


def test_every_frame_of_the_film_stands_there_once(tmp_path: Path) -> None:
    for seed in range(30):
        film = random_film(seed)
        write(film, tmp_path / "film.mlt")
        root = ElementTree.parse(tmp_path / "film.mlt").getroot()
        track = next(one for one in root.iter("playlist") if one.get("id") == "V1")
        position, shown = 0, set()
        for item in track:
            if item.tag == "blank":
                position += int(item.get("length", ""))
            elif item.tag == "entry":
                length = int(item.get("out", "")) - int(item.get("in", "")) + 1
                shown |= set(range(position, position + length))
                position += length
        assert shown == {frame for cut in film.pictures[0].cuts for frame in range(cut.start, cut.end)}
        profile = next(root.iter("profile"))
        assert Fraction(int(profile.get("frame_rate_num", "")), int(profile.get("frame_rate_den", ""))) == film.rate
        resources = {one.text for one in root.iter("property") if one.get("name") == "resource"}
        assert {str(media.path) for media in film.media} <= resources


def test_a_look_is_a_filter_with_the_table(tmp_path: Path) -> None:
    film = random_film(1)
    (cut, *_) = film.pictures[0].cuts
    bare: Cut = replace(cut, look=ClipLook(Cdl(), cube="looks/a.cube"), dissolve_in=None, dissolve_out=None)
    film = Film("one", film.rate, 0, False, cut.end, (Lane("V1", (bare,)),), (), folder=tmp_path)
    assert any("looks as CDL" in loss for loss in write(film, tmp_path / "film.mlt"))
    root = ElementTree.parse(tmp_path / "film.mlt").getroot()
    values = {one.get("name"): one.text for filter_ in root.iter("filter") for one in filter_}
    assert values["av.file"] == str(tmp_path / "looks/a.cube")
    baked = replace(film, pictures=(Lane("V1", (replace(bare, look=replace(bare.look, baked=True)),)),))  # type: ignore[type-var]
    write(baked, tmp_path / "film.mlt")
    assert not list(ElementTree.parse(tmp_path / "film.mlt").getroot().iter("filter"))


def test_what_the_format_cannot_carry_is_said(tmp_path: Path) -> None:
    film = replace(random_film(1), start=86400)
    assert any("start timecode 01:00:00:00" in loss for loss in write(film, tmp_path / "film.mlt"))
