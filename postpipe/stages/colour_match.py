"""From pairs of colours to one transform for a clip, no further than the pairs bear it out.

Pairs are gathered into cells of colour first, so that a large wall counts no more than what stands before it. The
prior of the fit holds back what few pairs speak for; then a transform has to prove itself on quarters of the picture
that it was not fitted to. A change that nobody would see is not made.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from postpipe.stages.colour import ColourStats
from postpipe.stages.colour_fit import Transform, fit, seen
from postpipe.stages.colour_pairs import Pairs, Still, adjoining, overlap, related

Reals = NDArray[np.float64]
Evidence = Literal["overlap", "adjoining"]

CELLS = 14  # of colour, along each of R', G', B'
LEAST = 4  # pairs in a cell, or it is left out
ENOUGH = 50  # pairs after which a cell counts in full
FEW_CELLS = 6  # fewer colours than these say nothing about the others
VISIBLE = 0.5  # mean ΔE of a change below which it is not made
PROVED = 0.75  # of the error, on what was not fitted, may remain
FOREIGN = 3.0  # mean ΔE that remains where no grade explains what is different


@dataclass(frozen=True)
class Cells:
    """Pairs of colours, one for each colour that occurs: `source`, `target` `(n, 3)`, and their `weight` `(n,)`."""

    source: Reals
    target: Reals
    weight: Reals


@dataclass(frozen=True)
class Match:
    """How a clip goes over to another's colours.

    `confidence` from 0 to 1. `evidence`: where the pairs were taken from, `None` where nothing could be compared;
    `cells`: what was compared. `foreign`: the same things look different in a way that no grade explains, as by day
    and by night.
    """

    transform: Transform
    confidence: float = 0.0
    cells: Cells | None = None
    evidence: Evidence | None = None
    foreign: bool = False

    def apart(self, share: float) -> float | None:
        """Return the mean ΔE00 of what could be compared, with this share of the change; `None` for nothing."""
        if self.cells is None:
            return None
        color: Any = import_module("skimage.color")
        changed = self.transform.scaled(share).apply(self.cells.source)
        differences = color.deltaE_ciede2000(color.rgb2lab(changed), color.rgb2lab(self.cells.target))
        return float(np.average(differences, weights=self.cells.weight))


def stills_of(stats: ColourStats) -> list[Still]:
    """Return the stills of a clip, ready to be compared."""
    return [Still(picture) for picture in stats.pictures]


def apart(ours: Sequence[Still], theirs: Sequence[Still]) -> float | None:
    """Return the mean ΔE00 between the colours of the same things in two clips; `None` where they show none."""
    cells = gathered(overlap(ours, theirs), Transform.identity())
    return Match(Transform.identity(), cells=cells).apart(0.0) if len(cells.source) >= FEW_CELLS else None


def follow(
    leader: Path, others: Sequence[Path], stills: Mapping[Path, Sequence[Still]], *, named: bool
) -> dict[Path, Match]:
    """Return how each of `others` goes over to the colours of `leader`, directly or by way of one another.

    Where the leader was `named` by the user, all stills are compared with its own, pictures that merely adjoin it
    count too, and every clip gets an answer; else those that show nothing of the same are left out.
    """
    found: dict[Path, Match] = {}
    waiting, references = list(others), [(leader, Transform.identity(), 1.0)]
    while references:
        reference, transform, sure = references.pop(0)
        for path in list(waiting):
            thorough = named and reference == leader
            if not (thorough or related(stills[path], stills[reference])):
                continue
            pairs = overlap(stills[path], stills[reference])
            result = decide([one.towards(transform) for one in pairs], stills[path])
            if result is None or (result.foreign and not named):
                continue
            waiting.remove(path)
            found[path] = replace(result, evidence="overlap", confidence=sure * result.confidence)
            if not result.foreign:
                references.append((path, result.transform, found[path].confidence))
    if named:
        for path in waiting:
            result = decide(adjoining(stills[path], stills[leader]), stills[path])
            found[path] = replace(result, evidence="adjoining") if result else Match(Transform.identity())
    return found


def decide(pairs: Sequence[Pairs], source: Sequence[Still]) -> Match | None:
    """Return the transform that the pairs support, or that there is nothing to do; `None` for too few pairs."""
    found = _fit(pairs)
    if found is None:
        return None
    cells = gathered(pairs, found)
    unexplained = float(np.average(_errors(found, cells.source, cells.target), weights=cells.weight))
    if unexplained > FOREIGN:
        return Match(Transform.identity(), 0.0, cells, foreign=True)
    before, after = _on_trial(pairs)
    if after > PROVED * before or visible(found, source) < VISIBLE:
        return Match(Transform.identity(), max(0.0, 1.0 - before / FOREIGN), cells)
    return Match(found, 1.0 - after / before, cells)


def visible(transform: Transform, stills: Sequence[Still]) -> float:
    """Return the mean ΔE, to first order, that the transform makes on some stills."""
    colours = np.concatenate([still.rgb[::8, ::8].reshape(-1, 3) for still in stills]).astype(np.float64)
    return float(_errors(transform, colours, colours).mean())


def _errors(transform: Transform, source: Reals, target: Reals) -> Reals:
    missing = np.einsum("nij,nj->ni", seen(target), transform.apply(source) - target)
    return np.asarray(np.linalg.norm(missing, axis=1), np.float64)


def _fit(pairs: Sequence[Pairs]) -> Transform | None:
    found: Transform | None = None
    for _ in range(2):
        cells = gathered(pairs, found or Transform.identity())
        if len(cells.source) < FEW_CELLS:
            return None
        found = fit(cells.source, cells.target, cells.weight, start=found)
    return found


def gathered(pairs: Sequence[Pairs], transform: Transform) -> Cells:
    """Return one pair for each colour that occurs, by medians, and how much it counts.

    Cells are of the mean of both colours of a pair, the one `transform`ed: were they of one of the two, its noise
    would be taken for contrast (regression dilution).
    """
    source = np.concatenate([one.source for one in pairs] or [np.zeros((0, 3))])
    target = np.concatenate([one.target for one in pairs] or [np.zeros((0, 3))])
    middle = (transform.apply(source) + target) / 2.0
    place = np.clip((middle * CELLS).astype(np.intp), 0, CELLS - 1) @ [CELLS * CELLS, CELLS, 1]
    order = np.argsort(place, kind="stable")
    edges = np.flatnonzero(np.diff(place[order], prepend=-1, append=-1))
    groups = [order[start:end] for start, end in itertools.pairwise(edges) if end - start >= LEAST]
    if not groups:
        return Cells(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    ours = np.array([np.median(source[group], axis=0) for group in groups])
    shift = np.array([np.median(target[group] - source[group], axis=0) for group in groups])
    counts = np.array([len(group) for group in groups])
    return Cells(ours, ours + shift, np.minimum(counts / ENOUGH, 1.0))


def _on_trial(pairs: Sequence[Pairs]) -> tuple[float, float]:
    """Return the mean error of quarters of the picture, without and with the transform fitted to the other three."""
    before: list[float] = []
    after: list[float] = []
    for quarter in range(4):
        found = _fit([one.part(one.region != quarter) for one in pairs])
        if found is None:
            continue
        held_out = gathered([one.part(one.region == quarter) for one in pairs], found)
        if len(held_out.source):
            for errors, transform in ((before, Transform.identity()), (after, found)):
                missing = _errors(transform, held_out.source, held_out.target)
                errors.append(float(np.average(missing, weights=held_out.weight)))
    return (float(np.mean(before)), float(np.mean(after))) if before else (0.0, 1.0)
