"""One look, three faces: what is rendered, the .cube and the CDL are the same numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postpipe_kernels.colour import ycbcr_matrix

from postpipe import api
from postpipe.delivery import ProjectFormat
from postpipe.engine import pack
from postpipe.engine.points import apply_point, fuse
from postpipe.engine.stage import PointParams
from postpipe.errors import SettingsError
from postpipe.handover.cube import read_cube, write_cube
from postpipe.look import Cdl, CreativeLut, Curves, Look
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame
from postpipe.stages.colour import ColourStats
from postpipe.stages.conform import DELIVERY_COLOUR, MatchCoding
from postpipe.stages.looks import (
    ApplyCreativeLut,
    BoundLook,
    MatchColour,
    baked,
    baked_creative,
    before_and_after,
    lattice_of,
)
from tests.clips import make_clip
from tests.stages.helpers import decode_planes
from tests.stages.scenery import GRADE, scene
from tests.stages.scenery import stats as shown

WARM = Look(
    Cdl((1.1, 1.0, 0.9), (0.02, 0.0, -0.01), (1.05, 1.0, 0.95), 0.9), description="warmer", before=5.0, after=1.0
)
KNOTS = (0.0, 0.25, 0.5, 0.75, 1.0)
CONTRAST = replace(WARM, curves=Curves(KNOTS, ((0.0, 0.2, 0.5, 0.8, 1.0),) * 3))
FAST = {"deliver": {"preset": "ultrafast", "encoder_threads": 1}}
PROJECT = ProjectFormat(8, 8, Fraction(24), "letterbox", PIXEL_FORMATS["yuv420p"], DELIVERY_COLOUR)


def tiny(y: int, u: int, v: int, colour: ColourSpec = DELIVERY_COLOUR) -> Frame:
    planes = tuple(np.full(size, value, np.uint8) for size, value in (((8, 8), y), ((4, 4), u), ((4, 4), v)))
    return Frame(0, Fraction(0), planes, PIXEL_FORMATS["yuv420p"], colour)  # type: ignore[arg-type]


triples = st.tuples(st.floats(0.6, 1.6), st.floats(0.6, 1.6), st.floats(0.6, 1.6))
offsets = st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))


@settings(deadline=None, max_examples=30)
@given(triples, offsets, triples, st.floats(0, 2), st.booleans(), st.integers(0, 1000))
def test_what_is_baked_is_the_look(
    slope: Any, offset: Any, power: Any, saturation: float, curved: bool, seed: int
) -> None:
    look = Look(Cdl(slope, offset, power, saturation), CONTRAST.curves if curved else None)
    rgb = np.random.default_rng(seed).uniform(-0.1, 1.1, (2000, 3))
    difference = np.abs(baked(look, DELIVERY_COLOUR).apply(rgb) - look.apply(rgb))
    assert difference.max() < 1e-3  # where a power's slope is endless: below the first point
    assert difference.mean() < 1e-6


def test_a_picture_before_and_after() -> None:
    grey = ColourStats(np.arange(1), np.full((1, 2, 3, 3), 100, np.uint8))
    picture = before_and_after(Look(Cdl(slope=(1.5, 1.0, 0.5))), grey)
    assert picture.shape == (2, 3 + 4 + 3, 3)
    assert picture[0, 0].tolist() == [100, 100, 100]
    assert picture[0, -1].tolist() == [50, 100, 150]  # blue first


def test_a_take_without_a_look_is_left_alone() -> None:
    assert MatchColour().bind(None, PROJECT) is None
    assert MatchColour().bind(Look(description="matches already"), PROJECT) is None
    assert ApplyCreativeLut().bind(CreativeLut(), PROJECT) is None


def test_the_key_of_a_render_does_not_change_with_use_nor_with_words() -> None:
    bound = MatchColour().bind(WARM, PROJECT)
    assert bound is not None
    before = pack.digest(bound)
    params = bound.at(tiny(100, 120, 130))
    assert bound.at(tiny(1, 2, 3)).lut is params.lut  # one for the whole clip
    assert pack.digest(bound) == before
    assert pack.digest(MatchColour().bind(replace(WARM, description="else", confidence=0.1), PROJECT)) == before
    assert pack.digest(MatchColour().bind(CONTRAST, PROJECT)) != before


def test_a_fix_that_leads_away_is_not_kept() -> None:
    nothing = ColourStats(np.zeros(0, np.int64), np.zeros((0, 1, 1, 3), np.uint8))
    assert MatchColour().judge(WARM, nothing, {}).kept
    assert not MatchColour().judge(replace(WARM, after=6.0), nothing, {}).kept


def test_what_is_delivered_is_measured_against_the_hero() -> None:
    kitchen = scene(3)
    stats = {Path("hero.mp4"): shown(kitchen), Path("take.mp4"): shown(kitchen, GRADE)}
    look = replace(WARM, hero="hero.mp4", before=5.0, after=0.0)
    good = MatchColour().judge(look, shown(kitchen, seed=7), stats)
    assert good.kept
    assert good.after["delta_e"] == pytest.approx(0.5, abs=0.5)
    worse = MatchColour().judge(look, shown(kitchen, Cdl((0.5, 1.0, 1.6))), stats)
    assert not worse.kept
    assert worse.after["delta_e"] > 5


def test_coding_look_and_creative_lut_are_one_call() -> None:
    bt601 = ColourSpec("smpte170m", "full", "smpte170m", "smpte170m")
    matrix, offset = ycbcr_matrix("smpte170m", "full", 8, "bt709", "limited", 8)
    table = CreativeLut("half.cube", lattice=half_lattice())
    look, own = MatchColour().bind(WARM, PROJECT), ApplyCreativeLut().bind(table, PROJECT)
    assert look is not None
    assert own is not None
    frame = tiny(120, 90, 170, bt601)
    coding = PointParams(matrix=matrix, offset=offset, bits=8, colour=DELIVERY_COLOUR)
    together = fuse([coding, look.at(frame), own.at(frame)])
    again = fuse([coding, look.at(frame), own.at(frame)])
    assert len(together) == 1
    assert together[0].lut is again[0].lut  # what is remembered stays
    rgb = from_codes((120, 90, 170), bt601)
    wanted = to_codes(WARM.apply(rgb) * 0.5)
    out = apply_point(frame, together[0])
    assert out.colour == DELIVERY_COLOUR
    np.testing.assert_allclose([plane[0, 0] for plane in out.planes], wanted, atol=0.51)
    # what changes luma afterwards cannot join a look
    assert len(fuse([*together, PointParams(luma_curve=np.arange(256, dtype=np.uint8))])) == 2
    assert len(fuse([PointParams(luma_curve=np.arange(256, dtype=np.uint8)), *together])) == 1
    assert len(fuse([own.at(frame), look.at(frame)])) == 2


def test_a_look_joins_what_takes_flicker_out() -> None:
    """Curve, chroma by luma and gains by place change with every frame; what follows them is one and the same."""
    look = MatchColour().bind(WARM, PROJECT)
    assert look is not None
    frame = tiny(120, 90, 170)
    steady = PointParams(
        luma_curve=np.arange(256) * 0.9,
        chroma_curve=np.array([0.9, 1.0, 1.1, -2.0])[:, None].repeat(256, axis=1),
        mixture=(0.01, -0.02),
        grid=np.array([[0.9, 1.1], [1.0, 1.2]], np.float32),
    )
    (together,) = fuse([steady, look.at(frame)])
    assert together.grid is not None
    assert together.lut is look.at(frame).lut
    apart = apply_point(apply_point(frame, steady), look.at(frame))
    for plane, other in zip(apply_point(frame, together).planes, apart.planes, strict=True):
        np.testing.assert_array_equal(plane, other)
    assert len(fuse([look.at(frame), steady])) == 2
    assert len(fuse([PointParams(luma_curve=np.arange(256, dtype=np.uint8)), steady])) == 2
    assert len(fuse([steady, PointParams(luma_curve=np.arange(256, dtype=np.uint8))])) == 2


def half_lattice() -> Any:
    axis = np.array([0.0, 0.5], np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def from_codes(codes: tuple[int, int, int], colour: ColourSpec) -> Any:
    scale, zero = (255.0, 0.0) if colour.range == "full" else (219.0, 16.0)
    luma, blue, red = (codes[0] - zero) / scale, *((code - 128) / (255 if zero == 0 else 224) for code in codes[1:])
    kr, kb = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114)}[colour.matrix]
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    return np.array([r, (luma - kr * r - kb * b) / (1 - kr - kb), b])


def to_codes(rgb: Any) -> list[float]:
    luma = rgb @ [0.2126, 0.7152, 0.0722]
    return [16 + 219 * luma, 128 + 224 * (rgb[2] - luma) / 1.8556, 128 + 224 * (rgb[0] - luma) / 1.5748]


# Whole runs


def still_takes(folder: Path, *names: str) -> Path:
    """Write takes of eight frames."""
    folder.mkdir()
    for seed, name in enumerate(names):
        make_clip(folder / name, frames=8, seed=seed, size=(64, 64))
    return folder


def test_looks_are_rendered_and_written(tmp_path: Path, fixed_looks: dict[str, Look]) -> None:
    one, two, three = "scene01 'a' \U0001f3ac.mp4", "scene02_take01.mp4", "scene03_take01.mp4"
    takes = still_takes(tmp_path / "my film", one, two, three)
    fixed_looks |= {one: WARM, two: CONTRAST, three: Look(hero=three)}
    out = tmp_path / "out"
    document = api.run(takes, out, settings=FAST | {"deliver": {"video_codec": "lossless"}}).document()
    entries = {take["file"]: take for take in document["takes"]}
    stem = Path(one).stem
    assert entries[one]["look"] == {
        "files": [f"looks/{stem}.cube", f"looks/{stem}.cdl", f"looks/{stem}.png"],
        "cdl": {"slope": [1.1, 1.0, 0.9], "offset": [0.02, 0.0, -0.01], "power": [1.05, 1.0, 0.95], "saturation": 0.9},
        "cdl_delta_e": {"mean": 0.0, "max": 0.0},
    }
    assert entries[two]["look"]["cdl_delta_e"]["max"] > 0.1
    assert entries[three]["look"] is None
    assert [fix["stage"] for fix in entries[one]["fixes"]] == ["colour"]
    written = {path.name for path in (out / "looks").iterdir()}
    endings = (".cube", ".cdl", ".png")
    assert written == {*(name + end for name in (stem, "scene02_take01") for end in endings), "my film.ccc"}
    collection = ElementTree.parse(out / "looks" / "my film.ccc").getroot()
    ids = [node.get("id") for node in collection.iter("{urn:ASC:CDL:v1.01}ColorCorrection")]
    assert ids == [stem, "scene02_take01"]
    text = (out / "looks" / f"{stem}.cube").read_text(encoding="utf-8")
    assert "# warmer\n" in text
    assert "full range" in text
    # the picture is that of the file: neutral blocks, so that the chroma of a site is that of its luma
    source, picture = (decode_planes(path)[3] for path in (takes / two, out / "clips" / two))
    read = read_cube(out / "looks" / "scene02_take01.cube")
    rgb = baked_creative(read, DELIVERY_COLOUR).apply(((source[0] - 16.0) / 219.0)[..., None].repeat(3, axis=-1))
    luma = 16 + 219 * (rgb @ [0.2126, 0.7152, 0.0722])
    assert np.abs(picture[0] - luma).max() <= 1.0


def test_a_rolled_back_look_writes_nothing(tmp_path: Path, fixed_looks: dict[str, Look]) -> None:
    takes = still_takes(tmp_path / "takes", "scene01.mp4")
    fixed_looks["scene01.mp4"] = replace(WARM, after=9.0)
    document = api.run(takes, tmp_path / "out", settings=FAST).document()
    assert document["takes"][0]["look"] is None
    assert not (tmp_path / "out" / "looks").exists()
    assert document["takes"][0]["fixes"][0]["kept"] is False


def test_only_other_fixes(tmp_path: Path, fixed_looks: dict[str, Look]) -> None:
    takes = still_takes(tmp_path / "takes", "scene01.mp4")
    fixed_looks["scene01.mp4"] = WARM
    document = api.run(takes, tmp_path / "out", settings=FAST, only=[]).document()
    assert document["takes"][0]["look"] is None
    assert document["takes"][0]["fixes"] == []


def test_a_creative_lut_follows_the_look_and_stays_when_that_is_taken_back(
    tmp_path: Path, fixed_looks: dict[str, Look]
) -> None:
    takes = still_takes(tmp_path / "takes", "scene01.mp4", "scene02.mp4")
    write_cube(takes / "half.cube", half_lattice(), title="half")
    fixed_looks |= {"scene01.mp4": WARM, "scene02.mp4": replace(WARM, after=9.0)}
    out = tmp_path / "out"
    chosen = FAST | {"colour": {"creative_lut": "half.cube"}, "deliver": {"video_codec": "lossless"}}
    document = api.run(takes, out, settings=chosen).document()
    assert [fix["kept"] for take in document["takes"] for fix in take["fixes"]] == [True, False]
    for name, look in (("scene01", WARM), ("scene02", Look())):
        source, picture = (decode_planes(path / f"{name}.mp4")[0] for path in (takes, out / "clips"))
        rgb = look.apply(((source[0] - 16.0) / 219.0)[..., None].repeat(3, axis=-1)) * 0.5
        assert np.abs(picture[0] - (16 + 219 * (rgb @ [0.2126, 0.7152, 0.0722]))).max() < 0.51
    read = read_cube(out / "looks" / "scene01.cube")
    assert read.lattice is not None
    np.testing.assert_allclose(read.lattice, 0.5 * lattice_of(baked(WARM, DELIVERY_COLOUR)), atol=1e-6)
    assert "The creative LUT half.cube is part of it." in (out / "looks" / "scene01.cube").read_text()
    assert "The creative LUT half.cube comes after it." in (out / "looks" / "scene01.cdl").read_text()
    again = api.run(takes, out, settings=chosen).document()
    assert (again["frames"]["decoded_render"], again["frames"]["encoded"]) == (0, 0)
    assert json.dumps(again["takes"]) == json.dumps(document["takes"])


def test_a_creative_lut_that_is_none_stops_the_run_in_words(tmp_path: Path) -> None:
    takes = still_takes(tmp_path / "takes", "scene01.mp4")
    (takes / "bad.cube").write_text("LUT_3D_SIZE 2\n0 0 0\n")
    with pytest.raises(SettingsError, match=r"bad\.cube: has 1 rows of the 8"):
        api.run(takes, tmp_path / "out", settings=FAST | {"colour": {"creative_lut": "bad.cube"}})


def test_a_look_meets_a_take_of_another_coding(tmp_path: Path, fixed_looks: dict[str, Look]) -> None:
    """BT.601, full range, ten bits: the look sees the picture's R'G'B', and the delivery is BT.709, limited, 8 bits."""
    takes = tmp_path / "takes"
    takes.mkdir()
    tags = {"colorspace": 6, "color_primaries": 1, "color_trc": 1, "color_range": 2}
    make_clip(takes / "scene01.mp4", frames=4, size=(64, 64), pixel_format="yuv420p10le", tags=tags)
    fixed_looks["scene01.mp4"] = WARM
    lossless = FAST | {"deliver": {"video_codec": "lossless"}}
    api.run(takes, tmp_path / "out", settings=lossless)
    source, picture = (decode_planes(path / "scene01.mp4")[0] for path in (takes, tmp_path / "out" / "clips"))
    rgb = WARM.apply((source[0] / 1023.0)[..., None].repeat(3, axis=-1))
    assert np.abs(picture[0] - (16 + 219 * (rgb @ [0.2126, 0.7152, 0.0722]))).max() <= 0.9


def test_plain_names() -> None:
    assert BoundLook(Cdl(), None, 8, DELIVERY_COLOUR).at(tiny(1, 2, 3)).bits == 8
    assert MatchCoding.id < MatchColour.id < ApplyCreativeLut.id  # one slot: names give the order
