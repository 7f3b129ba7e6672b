"""Colour matching against known grades: `python -m benchmarks.colour --media DIR`.

Two pieces of one real clip, the second with a known grade: what is right for it is known for every pixel. Its colours
are taken to those of the first, by the product and by others. Clips of `HELD_OUT` are measured on, which nothing was
set on; `--tuning` takes those that thresholds were set on instead, and records nothing.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab, rgb2ycbcr

from benchmarks.colour_peers import Peer, peers
from benchmarks.common import record
from benchmarks.grades import (
    CLOSER,
    COLUMNS,
    HELD_OUT,
    TUNING,
    Footage,
    Pictures,
    Reals,
    chosen_grades,
    footage,
    graded,
    pieces,
    stills,
)
from postpipe.stages.colour import LONG_EDGE, STILLS
from postpipe.stages.colour_match import Match, follow
from postpipe.stages.colour_pairs import Still, related

SEED = 20261
WORSE = 0.5  # mean ΔE00 more than doing nothing: a case that was made worse
PIXELS = 4000  # of a case, on which ΔE00 is taken
LEAST_SKIN = 100  # of these pixels, for a figure of skin
PER_FRAME = "color-matcher mkl"
HERO, OTHER = Path("hero"), Path("other")


@dataclass(frozen=True)
class Case:
    """What came of one grade between two pieces of one clip: mean ΔE00 to the truth.

    `after` by method; `automatic`: by the product where no hero is named. `skin`: ΔE00 of skin before and after
    matching by the product, or `None`. `evidence`: what the product went by.
    """

    clip: str
    column: str
    grade: str
    before: float
    after: dict[str, float]
    skin: tuple[float, float] | None
    evidence: str | None
    automatic: float
    cpu_seconds: float


def delta_e(one: Reals, other: Reals) -> NDArray[np.float64]:
    """Return ΔE00 of each pair of colours, R'G'B' as sRGB shows it."""
    return np.asarray(deltaE_ciede2000(rgb2lab(np.clip(one, 0, 1)), rgb2lab(other)))


def is_skin(rgb: Reals) -> NDArray[np.bool_]:
    """Return which colours may be skin by chroma (Chai and Ngan, IEEE Trans. CSVT 9, 1999)."""
    _, blue, red = np.moveaxis(rgb2ycbcr(rgb), -1, 0)
    return (blue >= 77) & (blue <= 127) & (red >= 133) & (red <= 173)


def as_stills(pictures: Pictures) -> list[Still]:
    """Return pictures as the product's matching takes them."""
    return [Still(picture) for picture in pictures]


def beside_one_another(pictures: Pictures) -> Reals:
    """Return pictures at half their size, in one."""
    return np.concatenate(list(pictures[:, ::2, ::2]), axis=1) / 255.0


def matched(hero: Sequence[Still], other: Pictures) -> tuple[Match, float]:
    """Return what the product does where the user named the hero, and the processor seconds that it took."""
    start = time.process_time()
    match = follow(HERO, [OTHER], {HERO: hero, OTHER: as_stills(other)}, named=True)[OTHER]
    return match, time.process_time() - start


def cases(name: str, clip: Footage, columns: Sequence[str], others: dict[str, Peer], seed: int) -> Iterator[Case]:
    """Yield the cases of one clip."""
    for column_number, column in enumerate(columns):
        first, second = pieces(clip, column)
        hero = stills(first, STILLS, LONG_EDGE)
        hero_stills = as_stills(hero)
        true = beside_one_another(stills(second, STILLS, LONG_EDGE))
        beside = cv2.resize(beside_one_another(hero), true.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        chosen = np.random.default_rng(seed).choice(true.shape[0] * true.shape[1], PIXELS)
        truth = true.reshape(-1, 3)[chosen]
        skin = is_skin(truth) if column == CLOSER or name.startswith("talking/") else np.zeros(PIXELS, bool)
        for grade_name, grade in chosen_grades((*TUNING, *HELD_OUT).index(name), column_number, seed):
            small = stills(graded(second, grade), STILLS, LONG_EDGE)
            seen = beside_one_another(small)
            start = seen.reshape(-1, 3)[chosen]
            match, seconds = matched(hero_stills, small)
            apart = {"postpipe": delta_e(match.transform.apply(start), truth)}
            for peer, method in others.items():
                apart[peer] = delta_e(method(seen, beside).reshape(-1, 3)[chosen], truth)
            nothing = delta_e(start, truth)
            alone = match.evidence != "overlap" or not related(as_stills(small), hero_stills)
            yield Case(
                clip=name,
                column=column,
                grade=grade_name,
                before=float(nothing.mean()),
                after={method: float(values.mean()) for method, values in apart.items()},
                skin=(float(nothing[skin].mean()), float(apart["postpipe"][skin].mean()))
                if skin.sum() >= LEAST_SKIN
                else None,
                evidence=match.evidence if np.any(match.transform.parameters) else None,
                automatic=float(nothing.mean() if alone else apart["postpipe"].mean()),
                cpu_seconds=seconds,
            )


def flicker_added(clip: Footage, seed: int) -> dict[str, float]:
    """Return how much each way of matching changes from picture to picture, in percent of exposure.

    The logarithm of what it makes of a picture's mean luma, its trend taken out by second differences.
    """
    first, second = pieces(clip, COLUMNS[0])
    grade = next(one for _, one in chosen_grades(0, 0, seed) if one is not None)
    hero = stills(first, STILLS, LONG_EDGE)
    run = graded(
        np.stack([cv2.resize(one, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA) for one in second]), grade
    )
    match, _ = matched(as_stills(hero), stills(graded(second, grade), STILLS, LONG_EDGE))
    target = hero[0][::2, ::2] / 255.0
    ways: dict[str, Callable[[Reals], Reals]] = {
        "postpipe": lambda rgb: match.transform.apply(rgb.reshape(-1, 3)),
        f"{PER_FRAME}, frame by frame": lambda rgb: peers()[PER_FRAME](rgb, target).reshape(-1, 3),
    }
    added = {}
    for name, way in ways.items():
        change = [np.log(np.clip(way(one / 255.0), 0, 1).mean() / (one / 255.0).mean()) for one in run]
        added[name] = 100 * float(np.sqrt(np.mean(np.diff(change, 2) ** 2) / 6))
    return added


def strangers(known: dict[str, list[Still]]) -> dict[str, Any]:
    """Return which of all pairs of different clips are taken for the same things where no hero is named."""
    taken = []
    for (first, hero), (second, other) in itertools.combinations(known.items(), 2):
        if follow(HERO, [OTHER], {HERO: hero, OTHER: other}, named=False):
            taken.append(f"{first}, {second}")
    return {"pairs": len(known) * (len(known) - 1) // 2, "matched": taken}


def summary(found: Sequence[Case]) -> dict[str, Any]:
    """Return the figures of the measures."""
    columns: dict[str, Any] = {}
    for column in sorted({case.column for case in found}, key=[*COLUMNS, CLOSER].index):
        here = [case for case in found if case.column == column]
        changed, untouched = ([case for case in here if (case.grade == "none") == none] for none in (False, True))
        methods = {
            name: {
                "mean_delta_e": _mean(case.after[name] for case in changed),
                "added_to_ungraded": _mean(case.after[name] for case in untouched),
                "made_worse": sum(case.after[name] > case.before + WORSE for case in changed),
            }
            for name in found[0].after
        }
        columns[column] = {
            "graded": len(changed),
            "ungraded": len(untouched),
            "do_nothing": _mean(case.before for case in changed),
            "left_alone": sum(case.evidence is None for case in changed),
            "by_kind": {
                kind: [
                    _mean(case.before for case in changed if case.grade == kind),
                    _mean(case.after["postpipe"] for case in changed if case.grade == kind),
                ]
                for kind in sorted({case.grade for case in changed})
            },
            "methods": methods,
        }
    graded_cases = [case for case in found if case.grade != "none"]
    ungraded = [case.after["postpipe"] for case in found if case.grade == "none"]
    worse = [case for case in graded_cases if case.after["postpipe"] > case.before + WORSE]
    people = [case for case in graded_cases if case.skin is not None]
    return {
        "columns": columns,
        "made_worse": {
            "cases": [f"{case.clip}, {case.column}, {case.grade}" for case in worse],
            "of": len(graded_cases),
        },
        "without_a_named_hero": {
            "made_worse": sum(case.automatic > case.before + WORSE for case in graded_cases),
            "mean_delta_e": {
                column: _mean(case.automatic for case in graded_cases if case.column == column) for column in columns
            },
            "added_to_ungraded": _mean(case.automatic for case in found if case.grade == "none"),
        },
        "ungraded": {"mean": _mean(ungraded), "largest": max(ungraded)},
        "skin": {
            column: {
                "cases": len(here),
                "before": _mean(case.skin[0] for case in here if case.skin),
                "after": _mean(case.skin[1] for case in here if case.skin),
                "made_worse": sum(case.skin[1] > case.skin[0] + WORSE for case in here if case.skin),
            }
            for column in columns
            if (here := [case for case in people if case.column == column])
        },
        "cpu_seconds_a_pair": _mean(case.cpu_seconds for case in found),
    }


def _mean(values: Iterator[float]) -> float:
    known = list(values)
    return round(float(np.mean(known)), 3) if known else 0.0


def main() -> None:
    """Measure, print, and keep what was measured on held-out clips."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, required=True, help="folder of real clips")
    parser.add_argument("--tuning", action="store_true", help="take the clips that thresholds were set on")
    parser.add_argument("--clips", type=int, help="no more clips than these; records nothing")
    parser.add_argument("--cases", action="store_true", help="print each case")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    names = (TUNING if arguments.tuning else HELD_OUT)[: arguments.clips]
    others, found, added = peers(), [], []
    known: dict[str, list[Still]] = {}
    for name in names:
        clip = footage(arguments.media / name)
        columns = [*COLUMNS, CLOSER] if name.startswith("talking/") else COLUMNS
        for case in cases(name, clip, columns, others, SEED):
            found.append(case)
            if arguments.cases:
                ours = case.after["postpipe"]
                shown = f"{case.before:5.2f} -> {ours:5.2f} {case.evidence or '-'} {case.cpu_seconds:.1f} s"
                print(f"{name:45} {case.column:16} {case.grade:11} {shown}", flush=True)
        added.append(flicker_added(clip, SEED))
        known[name] = as_stills(stills(clip.pictures, STILLS, LONG_EDGE))
    figures = {
        "clips": len(names),
        "files": names,
        **summary(found),
        "different_clips": strangers(known),
        "flicker_added_percent": {name: round(float(np.mean([one[name] for one in added])), 4) for name in added[0]},
    }
    if arguments.tuning or arguments.clips:
        print(figures)
    else:
        record("colour", "python -m benchmarks.colour --media DIR", figures)


if __name__ == "__main__":
    main()
