"""Groups and heroes: named, found, refused; what is said of a match; the whole way through a run."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from postpipe_kernels.colour import code_scale, rgb_to_ycbcr

from postpipe import api
from postpipe.delivery import Admission, Choice, Selection
from postpipe.errors import SettingsError
from postpipe.look import Cdl, Look
from postpipe.media.write import PictureWriter
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame
from postpipe.stages.colour import ColourStats
from postpipe.stages.colour_groups import ChooseLook, Following, MatchClips, TellMatch
from postpipe.stages.colour_words import describe
from postpipe.stages.select import Scores
from tests.stages.scenery import GRADE, scene, stats
from tests.stages.test_quality import _clip_of

GOOD = Scores(black=1, frozen=1, duplicate=1, damaged=1, complete=1, flicker=1, detail=100)
KITCHEN = scene(21, 420)
FILM: dict[str, ColourStats] = {
    "scene01_take01.mp4": stats(KITCHEN[:, :300], GRADE),
    "scene02_take01.mp4": stats(KITCHEN[:, 60:360], seed=20),
    "scene03_take01.mp4": stats(scene(22), seed=40),
    "scene04_take01.mp4": stats(KITCHEN[:, 120:], seed=60),
}
GREY = np.full((1000, 3), 0.4)


def follow(
    film: dict[str, ColourStats] | None = None, best: str = "scene02_take01.mp4", **settings: Any
) -> dict[str, Any]:
    """Return what became of each clip, by its name; `best` has the best score."""
    known = {Path(name): one for name, one in (film or FILM).items()}
    scenes = tuple(Choice(path.name[:7], (path,), path) for path in known)
    scores = {path: GOOD if path.name == best else replace(GOOD, complete=0.9) for path in known}
    found = MatchClips(**settings).run(Selection(scenes), scores, dict.fromkeys(known, Admission()), known)
    return {Path(path).name: one for path, one in found.clips.items()}


def changed(found: dict[str, Any]) -> set[str]:
    return {name[:7] for name, one in found.items() if not one.look.identity}


def test_without_a_hero_clips_that_show_the_same_follow_the_best_of_them() -> None:
    found = follow()
    assert {name[:7]: one.look.hero for name, one in found.items()} == {
        "scene01": "scene02_take01.mp4",
        "scene02": "scene02_take01.mp4",
        "scene03": None,
        "scene04": "scene02_take01.mp4",
    }
    assert changed(found) == {"scene01"}  # the others are alike already
    look = found["scene01_take01.mp4"].look
    assert (look.group, look.before > 4, look.after < 1) == ("group01", True, True)
    assert "saturation +" in look.description
    assert found["scene03_take01.mp4"].look == Look()
    assert not any(one.note for one in found.values())


def test_a_named_hero_serves_all_clips_and_those_without_overlap_need_an_eye() -> None:
    found = follow(hero="scene01_take01")
    assert changed(found) == {"scene02", "scene04"}
    assert {one.look.hero for one in found.values()} == {"scene01_take01.mp4"}
    alone = found["scene03_take01.mp4"]
    assert alone.note == "no overlap with scene01_take01.mp4: its colours need an eye"
    assert (alone.evidence, alone.look.identity, alone.look.confidence) == (None, True, 0.0)


def test_groups_keep_to_themselves() -> None:
    found = follow(groups=("scene01+scene03", "2+4"), hero=("scene01_take01.mp4", "scene04_take01.mp4"))
    assert {name[:7]: one.look.hero for name, one in found.items()} == {
        "scene01": "scene01_take01.mp4",
        "scene02": "scene04_take01.mp4",
        "scene03": "scene01_take01.mp4",
        "scene04": "scene04_take01.mp4",
    }
    assert not changed(found)


def test_half_the_strength_is_half_the_change() -> None:
    whole, half = (follow(strength=strength)["scene01_take01.mp4"].look for strength in (1.0, 0.5))
    assert half.cdl.saturation == pytest.approx(whole.cdl.saturation**0.5)
    assert half.before == whole.before
    assert whole.after < half.after < half.before


@pytest.mark.parametrize("settings", [{"mode": "off"}, {"strength": 0.0}])
def test_nothing_is_changed_where_that_is_not_wanted(settings: dict[str, Any]) -> None:
    found = follow(hero="scene01_take01.mp4", **settings)
    assert all(one.look == Look() for one in found.values())


def test_a_hero_may_be_a_take_that_is_not_in_the_film() -> None:
    known = {Path(name): one for name, one in FILM.items()}
    hero, other = (Path(name) for name in list(FILM)[:2])
    film = Selection((Choice("scene02", (other,), other),))
    matching = MatchClips(hero=hero.name)
    found = matching.run(film, {}, dict.fromkeys(known, Admission()), known).clips
    assert not found[str(other)].look.identity
    with pytest.raises(SettingsError, match="matches no take that can be used"):  # HDR, for one
        matching.run(film, {}, {other: Admission()}, known)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"hero": "scene09"}, "hero = 'scene09' matches no take that can be used"),
        ({"hero": ("scene01_take01", "scene02_take01")}, "scene02_take01 is the second of one group"),
        ({"groups": ("scene01+scene07",)}, "there is no scene 'scene07'; known: scene01"),
        ({"groups": ("scene01+scene02", "scene02 + scene03")}, "scene02 stands in two groups"),
    ],
)
def test_mistakes_in_the_settings_are_told(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        follow(**settings)


def test_a_clip_without_pictures_is_left_out() -> None:
    empty = ColourStats(np.zeros(0, np.int64), np.zeros((0, 1, 1, 3), np.uint8))
    found = follow({**FILM, "scene05_take01.mp4": empty}, hero="scene01_take01")
    assert found["scene05_take01.mp4"].look == Look()


def test_what_is_told_of_a_match() -> None:
    clip = _clip_of(1)
    following = {Path(name): one for name, one in follow(hero="scene01_take01.mp4").items()}
    told = {}
    for path in following:
        clip.path = path
        told[path.name[:7]] = TellMatch().run(clip, Following({str(p): one for p, one in following.items()}))
        assert ChooseLook().run(clip, Following({})) == Look()
    facts = told["scene02"].summary()
    assert facts["group"] == "group01"
    assert facts["hero"] == "scene01_take01.mp4"
    assert facts["evidence"] == "overlap"
    assert 0.5 < facts["confidence"] <= 1
    assert "saturation" in facts["change"]
    assert facts["delta_e_after"] < 1 < 4 < facts["delta_e_before"]
    assert told["scene03"].summary() == {
        **dict.fromkeys(facts),
        "group": "group01",
        "hero": "scene01_take01.mp4",
    }
    assert told["scene03"].warnings() == ("no overlap with scene01_take01.mp4: its colours need an eye",)
    clip.path = Path("elsewhere.mp4")
    assert TellMatch().run(clip, Following({})).summary() == dict.fromkeys(facts)


# In words


@pytest.mark.parametrize(
    ("cdl", "words"),
    [
        (Cdl(), ""),
        (Cdl(slope=(1.3,) * 3), "exposure +0.9 stop"),
        (Cdl(slope=(0.7,) * 3), "exposure -1.2 stop"),
        (Cdl(slope=(1.02, 1.0, 0.97)), "warmer"),
        (Cdl(slope=(0.9, 1.0, 1.1)), "cooler"),
        (Cdl(slope=(1.0, 0.94, 1.0)), "more magenta"),
        (Cdl(slope=(1.0, 1.06, 1.0)), "greener"),
    ],
)
def test_a_change_of_grey_in_words(cdl: Cdl, words: str) -> None:
    assert words in describe(Look(cdl), GREY) if words else describe(Look(cdl), GREY) == ""


def test_contrast_saturation_and_blacks_in_words() -> None:
    colours = scene(30)[::4, ::4].reshape(-1, 3)
    assert describe(Look(Cdl(saturation=0.5)), colours) == "saturation -49 %"
    lifted = describe(Look(Cdl(slope=(0.8,) * 3, offset=(0.12,) * 3)), colours)
    assert "contrast -" in lifted
    assert "blacks lifted" in lifted


# The whole way

BT709 = ColourSpec("bt709", "limited", "bt709", "bt709")


def write_clip(path: Path, picture: np.ndarray) -> None:
    """Encode a picture that stands still, but for a little grain."""
    height, width = picture.shape[:2]
    scale, zero = code_scale("limited", 8)
    options, form = {"preset": "ultrafast", "crf": "8"}, PIXEL_FORMATS["yuv444p"]
    random = np.random.default_rng(1)
    with PictureWriter(
        path, width=width, height=height, rate=Fraction(24), pixel_format=form, colour=BT709, options=options, threads=1
    ) as writer:
        for number in range(12):
            noisy = picture + random.normal(0, 0.004, picture.shape)
            codes = (noisy @ rgb_to_ycbcr("bt709").T) * scale + zero
            y, cb, cr = np.moveaxis(np.rint(np.clip(codes, 0, 255)).astype(np.uint8), -1, 0)
            writer.write(Frame(number, Fraction(number, 24), (y, cb, cr), form, BT709))


def test_takes_json_says_how_takes_were_matched(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    write_clip(takes / "scene01_take01.mp4", KITCHEN[:, :300])
    write_clip(takes / "scene02_take01.mp4", GRADE.apply(KITCHEN[:, 120:]))
    (takes / "postpipe.toml").write_text('[colour]\nmode = "auto"\nhero = "scene01_take01.mp4"\n', encoding="utf-8")
    api.run(takes, tmp_path / "out", settings={"deliver": {"preset": "ultrafast", "encoder_threads": 1}})
    told = json.loads((tmp_path / "out" / "takes.json").read_text(encoding="utf-8"))
    (fix,) = told["takes"][1]["fixes"]
    assert (fix["stage"], fix["kept"]) == ("colour", True)
    assert told["takes"][0]["fixes"] == []
    assert (tmp_path / "out" / "looks" / "scene02_take01.cube").exists()
    first, second = (take["facts"]["colour"] for take in told["takes"])
    assert (first["hero"], first["change"]) == ("scene01_take01.mp4", None)
    assert second["evidence"] == "overlap"
    assert second["delta_e_before"] > 4
    assert second["delta_e_after"] < 1
