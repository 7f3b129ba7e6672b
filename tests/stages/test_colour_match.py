"""A known grade between two pictures of the same things is found; what cannot be known is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab

from postpipe.look import Cdl
from postpipe.stages.colour_fit import WIDTHS, Transform, fit, seen, to_lab
from postpipe.stages.colour_match import Match, decide, follow, gathered
from postpipe.stages.colour_pairs import Pairs, Still, overlap, related
from tests.stages.scenery import GRADE, scene, stills

HERO, OTHER, THIRD = Path("hero.mp4"), Path("other.mp4"), Path("third.mp4")
COLOURS = np.random.default_rng(5).uniform(0.05, 0.95, (400, 3))


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(deltaE_ciede2000(rgb2lab(one), rgb2lab(other)).mean())


def matched(hero: list[Still], other: list[Still], *, named: bool = True) -> Match | None:
    return follow(HERO, [OTHER], {HERO: hero, OTHER: other}, named=named).get(OTHER)


def grade_left(match: Match | None, picture: np.ndarray, grade: Cdl) -> tuple[float, float]:
    """Return ΔE00 to the truth without and with the match."""
    assert match is not None
    truth = picture[::5, ::5].reshape(-1, 3)
    return apart(grade.apply(truth), truth), apart(match.transform.apply(grade.apply(truth)), truth)


@pytest.mark.parametrize("named", [False, True])
def test_a_known_cdl_between_two_crops_of_one_picture_is_found(named: bool) -> None:
    picture = scene(1, 420)
    hero, other = picture[:, :300], picture[:, 120:]
    match = matched(stills(hero), stills(other, GRADE, seed=9), named=named)
    before, after = grade_left(match, other, GRADE)
    assert before > 4
    assert after < 0.6
    assert match is not None
    assert match.evidence == "overlap"
    assert match.confidence > 0.7
    assert match.apart(0.0) == pytest.approx(before, abs=1.0)
    assert match.apart(1.0) < 0.6  # type: ignore[operator]
    assert match.apart(0.0) > match.apart(0.5) > match.apart(1.0)  # type: ignore[operator]


def test_the_same_pictures_give_the_same_match() -> None:
    hero, other = stills(scene(1, 420)[:, :300]), stills(scene(1, 420)[:, 120:], GRADE, seed=9)
    first, second = (matched(hero, [Still(still.picture) for still in other]) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.transform.parameters, second.transform.parameters)


def test_what_is_alike_already_is_not_changed() -> None:
    picture = scene(2)
    match = matched(stills(picture), stills(picture, seed=50))
    assert match is not None
    assert match.evidence == "overlap"
    assert not match.transform.parameters.any()
    assert match.confidence > 0.8


def test_other_contents_are_left_alone() -> None:
    hero, other = stills(scene(3)), stills(scene(4), GRADE)
    assert matched(hero, other, named=False) is None
    match = matched(hero, other, named=True)
    assert match is not None
    assert (match.evidence, match.confidence, match.apart(1.0)) == (None, 0.0, None)
    assert not match.transform.parameters.any()


def test_night_is_not_pushed_towards_day() -> None:
    day = scene(6)
    lamp = np.hypot(*(np.mgrid[0:180, 0:320] - np.array([60, 90])[:, None, None]))[..., None]
    light = 0.25 + 0.9 * np.exp(-lamp / 45) * np.array([1.0, 0.7, 0.3]) + 0.1 * np.array([0.0, 0.3, 1.0])
    night = np.clip(day * light * (1 + 0.5 * np.sin(scene(7) * 9)), 0, 1)
    assert matched(stills(day), stills(night), named=False) is None
    match = matched(stills(day), stills(night), named=True)
    assert match is not None
    assert not match.transform.parameters.any()
    assert match.confidence == 0


def test_what_no_grade_explains_is_foreign() -> None:
    random = np.random.default_rng(0)
    source = random.uniform(0.2, 0.8, (40, 3)).repeat(200, axis=0)
    target = random.uniform(0.2, 0.8, (40, 3)).repeat(200, axis=0)
    pairs = Pairs(source, target, np.arange(len(source)) % 4, 1.0)
    match = decide([pairs], stills(scene(1)))
    assert match is not None
    assert match.foreign
    assert not match.transform.parameters.any()


def test_pictures_that_adjoin_count_where_the_hero_was_named() -> None:
    picture = scene(8, 400)
    hero, other = stills(picture[:, :200]), stills(picture[:, 200:], GRADE, seed=30)
    assert matched(hero, other, named=False) is None
    match = matched(hero, other, named=True)
    before, after = grade_left(match, picture[:, 200:], GRADE)
    assert match is not None
    assert match.evidence == "adjoining"
    assert after < 0.6 * before


def test_clips_follow_by_way_of_one_another() -> None:
    picture = scene(10, 700)
    first, middle, last = picture[:, :300], picture[:, 180:500], picture[:, 400:]
    other = Cdl((1.1, 1.0, 0.92), (0.0, 0.01, 0.02), (0.9, 1.0, 1.05), 1.15)
    known = {HERO: stills(first), OTHER: stills(middle, GRADE, seed=20), THIRD: stills(last, other, seed=40)}
    assert not overlap(known[THIRD], known[HERO])
    found = follow(HERO, [THIRD, OTHER], known, named=False)
    assert set(found) == {OTHER, THIRD}
    for path, shown, grade in ((OTHER, middle, GRADE), (THIRD, last, other)):
        before, after = grade_left(found[path], shown, grade)
        assert after < min(1.0, 0.3 * before)
    assert found[THIRD].confidence < found[OTHER].confidence


def test_few_stills_tell_whether_clips_are_related() -> None:
    assert related(stills(scene(1)), stills(scene(1), GRADE))
    assert related(stills(scene(1), count=1), stills(scene(1), GRADE, count=1))
    assert not related(stills(scene(1)), stills(np.full((180, 320, 3), 0.4)))
    assert not overlap(stills(np.full((180, 320, 3), 0.4)), stills(np.full((180, 320, 3), 0.5), seed=9))


# The fit


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1000), st.floats(0, 1))
def test_the_look_does_what_the_transform_does(seed: int, share: float) -> None:
    parameters = np.random.default_rng(seed).normal(0, 1, len(WIDTHS)) * WIDTHS
    transform = Transform(parameters).scaled(share)
    assert np.abs(transform.look().apply(COLOURS) - transform.apply(COLOURS)).max() < 4e-3


def test_doing_nothing_is_a_cdl_that_does_nothing() -> None:
    assert Transform.identity().look().identity
    np.testing.assert_allclose(Transform.identity().apply(COLOURS), COLOURS, atol=1e-12)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1000))
def test_a_transform_is_found_again_through_outliers(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = Transform(random.normal(0, 0.5, len(WIDTHS)) * WIDTHS)
    target = truth.apply(COLOURS)
    target[:60] = random.uniform(0, 1, (60, 3))  # what moved in between
    found = fit(COLOURS, target, np.ones(len(COLOURS)))
    assert apart(found.apply(COLOURS), truth.apply(COLOURS)) < max(0.6, 0.25 * apart(COLOURS, truth.apply(COLOURS)))


def test_without_pairs_that_ask_for_it_nothing_moves() -> None:
    found = fit(COLOURS, COLOURS, np.ones(len(COLOURS)))
    assert np.abs(found.parameters / WIDTHS).max() < 1e-3


def test_lab_and_small_differences_are_those_of_ciede2000() -> None:
    np.testing.assert_allclose(to_lab(COLOURS), rgb2lab(COLOURS), atol=0.02)
    step = np.random.default_rng(1).normal(0, 0.002, COLOURS.shape)
    true = deltaE_ciede2000(rgb2lab(COLOURS + step), rgb2lab(COLOURS))
    first_order = np.linalg.norm(np.einsum("nij,nj->ni", seen(COLOURS), step), axis=1)
    blue = np.abs(np.degrees(np.arctan2(*rgb2lab(COLOURS).T[:0:-1])) + 85) < 60
    np.testing.assert_allclose(first_order[~blue], true[~blue], rtol=0.06)


def test_a_large_wall_counts_no_more_than_what_stands_before_it() -> None:
    wall = np.full((9000, 3), 0.5)
    vase = np.full((100, 3), 0.2)
    pairs = Pairs(np.concatenate([wall, vase]), np.concatenate([wall, vase + 0.02]), np.zeros(9100, np.intp), 1.0)
    cells = gathered([pairs], Transform.identity())
    assert len(cells.source) == 2
    np.testing.assert_allclose(cells.weight, 1.0)
    np.testing.assert_allclose(sorted((cells.target - cells.source)[:, 0]), [0.0, 0.02], atol=1e-12)
