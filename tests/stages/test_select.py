"""Names, scenes, ranks and choices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postpipe.delivery import Admission, TakeName
from postpipe.errors import SettingsError
from postpipe.stages.concat import clip_stems
from postpipe.stages.select import ChooseTakes, NameTakes, Scores
from tests.stages.test_quality import _clip_of

GOOD = Scores(black=1, frozen=1, duplicate=1, damaged=1, complete=1, flicker=1, detail=100)


def name(file: str, pattern: str | None = None) -> TakeName:
    clip = _clip_of(1)
    clip.path = Path(file)
    return (NameTakes(pattern) if pattern else NameTakes()).run(clip)


@pytest.mark.parametrize(
    ("file", "scene", "take"),
    [
        ("scene09_take02.mp4", "scene09", 2),
        ("Scene 9 - Take 12 (final).MOV", "scene09", 12),
        ("SCENE123-take7.mp4", "scene123", 7),
        ("-scene03_take03.mp4", "scene03", 3),
        ("scene04.mp4", "scene04", None),
        ("a red kite.mp4", "a red kite", None),
        ("takes.mp4", "takes", None),
    ],
)
def test_names_say_scene_and_take(file: str, scene: str, take: int | None) -> None:
    assert name(file) == TakeName(scene, take)


def test_the_pattern_is_a_setting() -> None:
    pattern = r"(?P<scene>[a-z]+)-v(?P<take>\d+)"
    assert name("kitchen-v3.mp4", pattern) == TakeName("kitchen", 3)
    assert name("KITCHEN-V4.mp4", pattern) == TakeName("KITCHEN", 4)
    with pytest.raises(ValueError, match="needs a group"):
        NameTakes(r"\d+")


def choose(scores: dict[str, Scores], wanted: dict[str, int | str] | None = None) -> list[tuple[str, list[str], str]]:
    names = {Path(file): name(file) for file in scores}
    selection = ChooseTakes(wanted or {}).run(
        names, {Path(file): score for file, score in scores.items()}, {path: Admission() for path in names}
    )
    return [(c.scene, [path.name for path in c.ranked], c.selected.name) for c in selection.scenes]


def test_scenes_come_in_natural_order_and_the_best_take_first() -> None:
    chosen = choose(
        {
            "scene10_take01.mp4": GOOD,
            "scene2_take01.mp4": replace(GOOD, frozen=0.5),
            "scene2_take02.mp4": GOOD,
            "scene2_take03.mp4": replace(GOOD, flicker=0.8),
            "insert.mp4": GOOD,
        }
    )
    assert [scene for scene, _, _ in chosen] == ["insert", "scene02", "scene10"]
    assert chosen[1] == (
        "scene02",
        ["scene2_take02.mp4", "scene2_take03.mp4", "scene2_take01.mp4"],
        "scene2_take02.mp4",
    )


@pytest.mark.parametrize("fault", ["black", "frozen", "duplicate", "damaged", "complete", "flicker"])
def test_every_fault_counts(fault: str) -> None:
    ((_, ranked, _),) = choose({"scene01_take01.mp4": replace(GOOD, **{fault: 0.9}), "scene01_take02.mp4": GOOD})
    assert ranked[0] == "scene01_take02.mp4"


def test_equals_keep_the_order_of_their_numbers() -> None:
    ((_, ranked, _),) = choose({f"scene01_take{n}.mp4": GOOD for n in (10, 9, 1)})
    assert ranked == ["scene01_take1.mp4", "scene01_take9.mp4", "scene01_take10.mp4"]


@pytest.mark.parametrize(
    "wanted", [{"scene01": 2}, {"1": 2}, {"scene01": "scene01_take02.mp4"}, {"scene01": "scene01_take02"}]
)
def test_a_choice_of_the_user_wins(wanted: dict[str, int | str]) -> None:
    scores = {"scene01_take01.mp4": GOOD, "scene01_take02.mp4": replace(GOOD, black=0.1)}
    ((_, ranked, selected),) = choose(scores, wanted)
    assert selected == "scene01_take02.mp4"
    assert ranked[0] == "scene01_take01.mp4"


def test_wrong_choices_are_all_named() -> None:
    with pytest.raises(SettingsError) as caught:
        choose({"scene01_take01.mp4": GOOD}, {"scene01": 3, "scene07": "x.mp4"})
    text = str(caught.value)
    assert "scene01 = 3 matches no take that can be used; name the file: scene01_take01.mp4" in text
    assert "scene07 = 'x.mp4'" in text
    assert "known scenes: scene01" in text


@given(st.lists(st.from_regex(r"[Aa](\.mp4)?\.(mp4|mov|MP4)", fullmatch=True), min_size=1, max_size=8, unique=True))
def test_clip_names_never_collide(files: list[str]) -> None:
    paths = [Path(file) for file in files]
    stems = clip_stems(paths)
    assert list(stems) == paths
    assert len({stem.casefold() for stem in stems.values()}) == len(paths)
    assert stems[paths[0]] == paths[0].stem
