"""What two takes have to do with each other where they meet: told from their pictures alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from postpipe.stages.join_pictures import JoinPictures, Match, Reals, exposure_step, match

BEFORE, AFTER = 5, 10  # frames that are looked at on either side
PLAIN = 2.0  # code values: what varies by less, such as black, is like any other such picture
STILL = 0.13  # code values that a picture changes by, blurred and small, when nothing moves but the coding
NOISE = 0.5  # that two encodings of one frame differ by
SAME = 0.5  # of the usual change from frame to frame: what differs by less shows the same moment,
OTHER = 0.65  # what differs by more shows another moment
HELD = 0.25  # within one clip, where nothing but motion makes a difference
NEXT = 2.0  # of the usual change: what differs by more has nothing to do with it
MOVES = 0.7  # code values from which on motion stands out from the coding
REFRAMED = 0.12  # pixels that a picture is moved by beyond what the camera does
REMADE = 0.01  # of exposure: no camera does that from one frame to the next

LEAST_STEP = 0.005  # of exposure or of a channel: less is not seen,
BEYOND_USUAL = 2.0  # nor what is not so much more than between the frames around it,
MOST_STEP = 0.25  # and more is another picture

Kind = Literal["cut", "continuous", "chained", "still"]


@dataclass(frozen=True, slots=True)
class Meeting:
    """The end of one take and the beginning of the next.

    `kind`: cut (two shots), continuous (the next moment), chained (the last frame shown again) or still (nothing moves
    on either side). `duplicates`: how many first frames show the last one again; `None` where that cannot be told.
    `step`: natural logarithms of what R', G', B' are multiplied by at the join, `None` for a cut. `stands_out`: whether
    it is seen, and more than what changes from frame to frame.
    """

    kind: Kind
    duplicates: int | None
    step: tuple[float, float, float] | None = None
    stands_out: bool = False


def meet(before: JoinPictures, after: JoinPictures) -> Meeting:
    """Compare the last frames of one take with the first of the next, each different from the one before it in time.

    What shows the same moment differs by less than frames do that follow each other, once it is moved and graded to
    match; but where little moves, by no less. There it takes frames that stand still, a picture that sits elsewhere
    or a change of exposure to tell that the frame was made anew.
    """
    seen = before.seen & after.seen
    if np.count_nonzero(seen) < seen.size / 4:  # one is upright, the other wide
        return Meeting("cut", 0)
    old, new = before.luma(seen), after.luma(seen)
    if old[-1][seen].std() < PLAIN:
        return Meeting("cut", 0)
    join = match(old[-1], new[0], seen)
    most = max(float(np.sqrt(np.square(np.diff(luma, axis=0))[:, seen].mean(1)).max(initial=0)) for luma in (old, new))
    if join.residue > NEXT * np.hypot(most, NOISE):  # no need to look closer
        return Meeting("cut", 0)
    ahead, behind = _matches(old, seen), _matches(new, seen)
    held = _held(new, seen, behind)
    leaving = float(np.median([found.residue for found in ahead])) if ahead else 0.0
    coming = float(np.median([found.residue for found in behind[held - 1 :]])) if behind[held - 1 :] else 0.0
    usual = (leaving + coming) / 2
    if join.residue > NEXT * np.hypot(usual, NOISE):
        return Meeting("cut", 0)
    step = exposure_step(before.rgb[-1], after.rgb[0], join)
    kind, duplicates = _kind(join, [*ahead, *behind[held - 1 :]], held, leaving, coming, step)
    # a share of next to nothing is not seen: what counts in a dark channel is what it does to the picture
    levels = before.rgb[-1][seen].mean(0)
    shares = np.maximum(levels, 0) / max(float(levels.max()), 1e-3)
    least = LEAST_STEP
    if not duplicates:  # what moves changes the exposure too
        sides = zip((before.rgb, after.rgb), (ahead, behind), strict=True)
        others = [
            float((shares * np.abs(exposure_step(one, other, found))).max())
            for pictures, matches in sides
            for (one, other), found in zip(pairwise(pictures), matches, strict=True)
        ]
        least = max([least, *(BEYOND_USUAL * other for other in others)])
    return Meeting(
        kind=kind,
        duplicates=duplicates,
        step=None if kind == "cut" else (float(step[0]), float(step[1]), float(step[2])),
        stands_out=kind != "cut" and least < float((shares * np.abs(step)).max()) < MOST_STEP,
    )


def _kind(
    join: Match, steps: list[Match], held: int, leaving: float, coming: float, step: Reals
) -> tuple[Kind, int | None]:
    """Return kind and duplicates. `steps`: matches of neighbours; `leaving`, `coming`: their usual residues."""
    usual = (leaving + coming) / 2
    camera = np.median([found.move[:2] for found in steps], axis=0) if steps else np.zeros(2)
    along, elsewhere = _along(join.move[:2], camera)
    moves_on = along > 0.5 and elsewhere < 0.5 * float(np.hypot(*join.move[:2]))
    remade = (not moves_on and elsewhere > REFRAMED) or float(np.abs(step).mean()) > REMADE
    same = join.residue < SAME * usual and not moves_on
    held_on = held > 1 and join.residue < (1 if remade else SAME) * usual + NOISE
    found: tuple[Kind, int | None] = "continuous", None
    if leaving < STILL:  # what stood still before the join may well stand still after it
        found = "still", None
    elif moves_on and along > NEXT:
        found = "cut", 0
    elif same or held_on:
        found = "chained", held
    elif remade:
        found = "chained", None
    elif usual >= MOVES and OTHER * usual < join.residue < 1.5 * usual + NOISE / 2:
        found = "continuous", 0
    return found


def _along(move: Reals, camera: Reals) -> tuple[float, float]:
    """Return how many steps of the camera a move is, and how many pixels it goes elsewhere."""
    speed = float(np.hypot(*camera))
    if speed < 0.02:
        return 0.0, float(np.hypot(*move))
    along = float(move @ camera) / speed
    return along / speed, float(np.hypot(*(move - along / speed * camera)))


def _matches(luma: Reals, seen: NDArray[np.bool_]) -> list[Match]:
    return [match(one, other, seen) for one, other in pairwise(luma)]


def _held(luma: Reals, seen: NDArray[np.bool_], steps: list[Match]) -> int:
    """Return how many first frames show the same, the first included."""
    moving = float(np.median([found.residue for found in steps[2:]])) if len(steps) > 2 else 0.0
    count = 1
    while count <= 4 and count < len(luma) and match(luma[0], luma[count], seen).residue < HELD * moving:
        count += 1
    return count
