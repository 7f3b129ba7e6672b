"""Visible marks: found where they were put, in no other picture, and looked for again in what is delivered."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from postpipe import api
from postpipe.engine.stage import Look
from postpipe.marks import Box, Likeness, MarkRegion, MarksKept, VisibleMarks
from postpipe.media.frames import allocate
from postpipe.media.probe import probe
from postpipe.model import PIXEL_FORMATS, Clip, ColourSpec
from postpipe.stages import mark_survival
from postpipe.stages.mark_areas import shrink_factor, small_luma
from postpipe.stages.marks import KeepPictures, UnitPictures, WatchMarks
from tests.clips import make_clip

BT709 = ColourSpec("bt709", "limited", "bt709", "bt709")
WIDTH, HEIGHT, RATE = 320, 180, 5
LETTERS = (
    "1...1.11111.1111..1..1.",
    "11.11.1...1.1...1.1.1..",
    "1.1.1.11111.1111..11...",
    "1...1.1...1.1..1..1.1..",
    "1...1.1...1.1...1.1..1.",
)
MARK = np.kron([[int(pixel == "1") for pixel in row] for row in LETTERS], np.ones((3, 3)))


def scene(index: int, *, moves: bool) -> np.ndarray:
    """Luma of a picture with detail that moves from frame to frame, or but for a ball does not."""
    shift = 17 * index if moves else 0
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    light = 90 + 40 * np.sin((x + shift) / 13) * np.cos((y - shift) / 9) + 15 * (((x + shift) // 16 + y // 16) % 2)
    ball = (x - 60 - 9 * index % 200) ** 2 + (y - 90) ** 2 < 300
    return np.where(ball, 60, light)


def marked(light: np.ndarray, left: int, top: int, opacity: float = 0.9) -> np.ndarray:
    out = light.copy()
    here = out[top : top + MARK.shape[0], left : left + MARK.shape[1]]
    here[...] = here * (1 - opacity * MARK) + 235 * opacity * MARK
    return out


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = make_clip(tmp_path_factory.mktemp("marks") / "a.mp4", frames=2, rate=Fraction(RATE), size=(WIDTH, HEIGHT))
    return probe(path, "")


def search(clip: Clip, pictures: list[np.ndarray]) -> VisibleMarks:
    watch = WatchMarks()
    state = watch.start(clip)
    for index, light in enumerate(pictures):
        frame = allocate(PIXEL_FORMATS["yuv420p"], WIDTH, HEIGHT, index=index, colour=BT709)
        frame.planes[0][...] = np.rint(light)
        watch.step(state, Look(frame))
    return watch.finish(state)


def at(left: int, top: int) -> Box:
    return Box(left, top, left + 66, top + 15)


def test_a_mark_that_stays_is_found_over_what_moves(clip: Clip) -> None:
    found = search(clip, [marked(scene(index, moves=True), 230, 20, 0.6) for index in range(30)])
    ((region,),) = (mark.regions for mark in found.marks)
    assert found.marks[0].kind == "static"
    assert region.box.overlap(at(230, 20)) > 0.7
    assert (region.first, region.last) == (0, 29)


def test_a_mark_that_jumps_is_found_over_what_stands_still(clip: Clip) -> None:
    places = [(20, 20), (230, 100), (20, 140)]
    pictures = [marked(scene(index, moves=False), *places[index // 12], 0.7) for index in range(36)]
    (mark,) = search(clip, pictures).marks
    assert mark.kind == "moving"
    assert [region.box.overlap(at(*place)) > 0.7 for region, place in zip(mark.regions, places, strict=True)] == [
        True
    ] * 3
    assert [(region.first, region.last) for region in mark.regions] == [(0, 11), (12, 23), (24, 35)]


def test_a_mark_that_fades_and_jumps_is_found_over_what_moves(clip: Clip) -> None:
    places, fades = [(20, 20), (230, 100), (20, 140)], {10: 0.3, 11: 0.15, 12: 0.15, 13: 0.3, 22: 0.3, 23: 0.1, 24: 0.2}
    pictures = [marked(scene(index, moves=True), *places[index // 12], fades.get(index, 0.45)) for index in range(36)]
    (mark,) = search(clip, pictures).marks
    assert mark.kind == "moving"
    for region, place, first in zip(mark.regions, places, (0, 12, 24), strict=True):
        assert region.box.overlap(at(*place)) > 0.6
        assert abs(region.first - first) <= 2
        assert abs(region.last - (first + 11)) <= 2


def test_a_mark_whose_emblem_changes_sides_is_boxed_whole(clip: Clip) -> None:
    y, x = np.mgrid[:15, :18]
    emblem = ((y - 7) ** 2 + (x - 8) ** 2 < 50).astype(float)
    emblem[5:8, 5:11:5] = 0
    gap = np.zeros((15, 4))
    turned = np.hstack([emblem, gap, MARK]), np.hstack([MARK, gap, emblem])
    places = [(10, 20, 0), (210, 140, 1), (10, 100, 0)]

    def picture(index: int) -> np.ndarray:
        left, top, side = places[index // 12]
        out = scene(index, moves=True)
        here = out[top : top + 15, left : left + turned[side].shape[1]]
        here[...] = here * (1 - 0.8 * turned[side]) + 235 * 0.8 * turned[side]
        return out

    (mark,) = search(clip, [picture(index) for index in range(36)]).marks
    assert mark.kind == "moving"
    for region, (left, top, _) in zip(mark.regions, places, strict=True):
        assert region.box.overlap(Box(left, top, left + 88, top + 15)) > 0.8


def test_what_moves_and_stands_still_again_is_no_mark(clip: Clip) -> None:
    def shifted(index: int) -> np.ndarray:  # all of the picture goes to another place
        return np.roll(scene(0, moves=False), 40 * (index // 12), axis=1)

    assert search(clip, [shifted(index) for index in range(36)]).marks == ()


@pytest.mark.parametrize("moves", [True, False])
def test_nothing_is_said_of_a_bare_picture(clip: Clip, moves: bool) -> None:
    found = search(clip, [scene(index, moves=moves) for index in range(36)])
    assert found.marks == ()
    assert (found.still_share > 0.5) is not moves


def test_a_mark_that_never_moves_on_a_picture_that_does_not_cannot_be_told(clip: Clip) -> None:
    found = search(clip, [marked(scene(0, moves=False), 230, 20)] * 30)
    assert found.marks == ()
    assert found.still_share == 1


@pytest.mark.parametrize("bright", [True, False])
def test_where_a_part_of_the_picture_moves_a_bright_word_in_a_still_corner_is_a_mark(clip: Clip, bright: bool) -> None:
    pictures = [marked(scene(index, moves=False), 230, 20) for index in range(30)]
    found = search(clip, pictures if bright else [251 - picture for picture in pictures])
    assert [region.box.overlap(at(230, 20)) > 0.7 for mark in found.marks for region in mark.regions] == [True] * bright
    assert 0.5 < found.still_share < 0.9


def test_edges_along_the_way_of_a_camera_are_no_mark(clip: Clip) -> None:
    def pan(index: int) -> np.ndarray:  # a line of light that a camera moves along: it stays where it is
        out = scene(index, moves=True)
        out[16:24, 20:120] = 220
        return out

    assert search(clip, [pan(index) for index in range(30)]).marks == ()


def test_a_mark_in_a_corner_where_little_moves_is_told_by_varying_less(clip: Clip) -> None:
    dice = np.random.default_rng(3)

    def shimmer(index: int) -> np.ndarray:
        return scene(0, moves=False) + dice.normal(0, 3) + dice.normal(0, 1, (HEIGHT, WIDTH))

    found = search(clip, [marked(shimmer(index), 240, 8) for index in range(30)])
    ((region,),) = (mark.regions for mark in found.marks)
    assert found.marks[0].kind == "static"
    assert region.box.overlap(at(240, 8)) > 0.7
    lit = [1 + 0.1 * dice.normal() for _ in range(30)]  # what is filmed and bright varies more than what is dark
    assert search(clip, [np.clip(marked(scene(0, moves=False), 240, 8) * light, 16, 235) for light in lit]).marks == ()


def test_what_stays_in_the_middle_of_a_picture_is_filmed(clip: Clip) -> None:
    assert search(clip, [marked(scene(index, moves=True), 127, 82) for index in range(30)]).marks == ()


def test_long_clips_are_searched_piece_by_piece(clip: Clip) -> None:
    found = search(clip, [marked(scene(index, moves=True), 230, 20) for index in range(170)])
    ((region,),) = (mark.regions for mark in found.marks)
    assert (region.first, region.last) == (0, 169)


def test_a_few_frames_say_nothing(clip: Clip) -> None:
    assert search(clip, [marked(scene(index, moves=True), 230, 20) for index in range(4)]).marks == ()


def test_ten_bits_are_looked_at_as_eight() -> None:
    plane = np.full((8, 8), 403, np.uint16)
    assert small_luma(plane, 2, 10).tolist() == [[100] * 4] * 4


def test_pictures_of_a_unit_are_counted_from_its_first(clip: Clip) -> None:
    keep = KeepPictures()
    state = keep.start(clip)
    for index in range(40, 52):  # frames of a take keep their numbers in a unit
        frame = allocate(PIXEL_FORMATS["yuv420p"], WIDTH, HEIGHT, index=index, colour=BT709)
        keep.step(state, Look(frame))
    assert keep.finish(state).frames == (0, 2, 7)


def test_pictures_of_a_unit_are_kept_in_64_levels() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 5, 7), np.uint8)
    kept = UnitPictures.of([0, 5, 10], pictures, 2).pictures()
    assert kept.shape == pictures.shape
    assert np.abs(kept.astype(int) - pictures).max() <= 2


def test_small_pictures_have_640_pixels_at_most(clip: Clip) -> None:
    assert shrink_factor(clip.picture) == 1


# After rendering


def region_of(patch: np.ndarray) -> MarkRegion:
    pattern = (patch - patch.mean()).astype(np.float32)
    return MarkRegion(Box(0, 0, 10, 10), 0, 9, 1.0, pattern, 1, mark_survival.liken(pattern, [patch]))


def blurred(patch: np.ndarray, times: int) -> np.ndarray:
    for _ in range(times):
        padded = np.pad(patch, 1, mode="edge")
        patch = sum(padded[y : y + patch.shape[0], x : x + patch.shape[1]] for y in range(3) for x in range(3)) / 9
    return patch


def test_what_becomes_of_a_mark_is_told() -> None:
    light = np.random.default_rng(0).normal(80, 4, MARK.shape)
    patch = light * (1 - 0.8 * MARK) + 235 * 0.8 * MARK
    region = region_of(patch)
    cases = {
        "kept": [
            patch,
            0.7 * patch + 30,
            255 * (patch / 255) ** 0.8,
            patch + np.random.default_rng(1).normal(0, 8, patch.shape),
        ],
        "lost": [light, np.full_like(patch, 40), patch[:, ::-1], 255 - patch],
        "altered": [blurred(patch, 2), blurred(patch, 4), 0.2 * patch + 60],
    }
    for state, patches in cases.items():
        for number, one in enumerate(patches):
            assert mark_survival.compare(region, [one])[0] in (state, "lost" if state == "altered" else state), number
    assert mark_survival.compare(region, [])[0] == "unchecked"


def test_a_patch_is_cut_out_where_a_box_lies() -> None:
    picture = np.add.outer(np.arange(20), 2 * np.arange(30)).astype(np.uint8)
    patch = mark_survival.cut_out(picture, (4, 2, 12, 8), (6, 8))
    np.testing.assert_allclose(patch, picture[2:8, 4:12], atol=1e-3)
    halves = mark_survival.cut_out(picture, (4.5, 2, 12.5, 8), (6, 8))
    np.testing.assert_allclose(halves, patch + 1, atol=1e-3)
    assert mark_survival.cut_out(picture, (4, 2, 12, 8), (60, 80)).shape == (6, 8)  # no more than there is


def test_a_smaller_delivery_is_compared_at_its_own_size() -> None:
    patch = np.kron(MARK, np.ones((2, 2))) * 150 + 60
    region = region_of(patch)
    half = patch.reshape(MARK.shape[0], 2, MARK.shape[1], 2).mean(axis=(1, 3))
    assert mark_survival.compare(region, [half])[0] == "kept"


def test_words_for_users() -> None:
    from postpipe.marks import KeptMark

    kept = KeptMark(0, 9, "kept", 1.0, 1.0)
    found = MarksKept(((kept, KeptMark(10, 19, "cropped", 0.0, 0.4)),), (("a.b", "ff", False),))
    assert found.warnings() == (
        "the visible mark in frames 10–19 is cut off in the delivered picture",
        "the hidden mark a.b ff is not readable in the delivered picture",
    )
    assert Likeness(1.0, 1.0, 1.0) == region_of(MARK * 100.0).own


# Whole runs


def film(path: Path) -> Path:
    """Write a moving clip with a mark at its right edge."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 2 * WIDTH, 2 * HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "16"}
        for index in range(60):
            light = np.kron(marked(scene(index // 2, moves=True), 240, 20), np.ones((2, 2)))
            frame = av.VideoFrame(2 * WIDTH, 2 * HEIGHT, "yuv420p")
            for plane, value in zip(frame.planes, (light, 128, 128), strict=True):
                rows = np.zeros((plane.height, plane.line_size), np.uint8)
                rows[:, : plane.width] = np.rint(value)
                plane.update(rows.tobytes())
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def run(takes: Path, out: Path, **project: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"deliver": {"preset": "ultrafast"}, "project": {"size": "360x360", **project}}
    allow = settings["project"].pop("allow", None)
    if allow:
        settings["marks"] = {"allow_crop": True}
    return dict(api.run(takes, out, settings=settings).takes()[0])


def test_a_mark_is_kept_clear_of_crops_and_found_in_the_delivery(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    film(takes / "scene01_take01.mp4")
    take = run(takes, tmp_path / "boxed")
    (mark,) = take["facts"]["marks"]
    assert mark["kind"] == "static"
    assert Box(*mark["regions"][0]["box"]).overlap(Box(480, 40, 612, 70)) > 0.6
    assert [place["state"] for (place,) in take["facts"]["marks_delivered"]["visible"]] == ["kept"]
    from postpipe.errors import PostpipeError

    with pytest.raises(PostpipeError, match="its visible mark would be cut off"):
        run(takes, tmp_path / "refused", fit="crop")
    (takes / "scene02_take01.mp4").write_bytes(make_clip(tmp_path / "bare.mp4", frames=60).read_bytes())
    settings = {
        "deliver": {"preset": "ultrafast", "smart_render": True},
        "project": {"size": "360x360", "fit": "crop"},
    }
    rest = api.run(takes, tmp_path / "rest", settings=settings)  # what was decided with the refused take is forgotten
    assert [take["skipped"] is None for take in rest.takes()] == [False, True]
    (takes / "scene02_take01.mp4").unlink()
    insisted = run(takes, tmp_path / "insisted", fit="crop", allow=True)
    assert [place["state"] for (place,) in insisted["facts"]["marks_delivered"]["visible"]] == ["cropped"]
    assert any("is cut off in the delivered picture" in text for text in insisted["warnings"])
