"""Whether a visible mark is still there: its pattern compared with what is delivered in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import resize

from postpipe.delivery import TimeMap
from postpipe.marks import Likeness, MarkRegion

LOST = 0.5
"""Share of its likeness to its own pattern in the take: below, a mark is not readable."""
WEAK = 0.35
"""Share of its contrast: below, it is altered beyond what a grade does."""
BLURRED = 0.5
"""Share of its fine detail, by what remains of its contrast: below, it is blurred."""

Patch = NDArray[np.float32]


def delivered(region: MarkRegion, time_map: TimeMap) -> bool:
    """Whether any frame of a region is delivered."""
    shown = time_map.source[time_map.rendered.start : time_map.rendered.stop]
    return bool(((shown >= region.first) & (shown <= region.last)).any())


def cut_out(picture: NDArray[np.uint8], box: tuple[float, float, float, float], shape: tuple[int, ...]) -> Patch:
    """Return what lies in a box (left, top, right, bottom, in pixels, fractions allowed), resampled to `shape`.

    Where the picture has fewer pixels than that, the patch has as many as the picture.
    """
    left, top, right, bottom = box
    rows = max(2, min(shape[0], round(bottom - top)))
    columns = max(2, min(shape[1], round(right - left)))
    down = _weights(picture.shape[0], rows, top, bottom)
    across = _weights(picture.shape[1], columns, left, right)
    patch: Patch = (down @ picture.astype(np.float32) @ across.T).astype(np.float32)
    return patch


def _weights(source: int, target: int, start: float, end: float) -> NDArray[np.float32]:
    """Return the matrix that resamples the stretch `start` to `end` of an axis to `target` samples."""
    step = (end - start) / target
    taps = resize.taps(source, target, scale=1 / step, phase=start + step / 2 - 0.5, kind="bilinear")
    matrix = np.zeros((target, source), np.float32)
    count = min(taps.weights.shape[1], source)
    index = taps.first[:, None] + np.arange(count)
    np.add.at(matrix, (np.arange(target)[:, None], np.minimum(index, source - 1)), taps.weights[:, :count])
    return matrix


def liken(pattern: Patch, patches: Sequence[NDArray[Any]]) -> Likeness:
    """Return how the average of patches resembles a pattern. All patches have one shape, the pattern's or a smaller."""
    average = np.mean(patches, axis=0, dtype=np.float32)
    if average.shape != pattern.shape:
        rows, columns = average.shape
        down, across = (
            _weights(pattern.shape[0], rows, 0, pattern.shape[0]),
            _weights(pattern.shape[1], columns, 0, pattern.shape[1]),
        )
        pattern = (down @ pattern @ across.T).astype(np.float32)
    first, second = pattern - pattern.mean(), average - average.mean()
    size = float(np.sqrt((first * first).sum() * (second * second).sum()))
    alike = float((first * second).sum()) / size if size > 0 else 0.0
    return Likeness(alike, _slope(first, second), _slope(_detail(first), _detail(second)))


def _slope(pattern: Patch, patch: Patch) -> float:
    """Return how much of a pattern is in a patch: 1 is all."""
    power = float((pattern * pattern).sum())
    return float((pattern * patch).sum()) / power if power > 0 else 0.0


def _detail(patch: Patch) -> Patch:
    """Return what differs from the neighbours: strokes and edges."""
    detail = np.zeros_like(patch)
    detail[1:-1, 1:-1] = 4 * patch[1:-1, 1:-1]
    detail[1:-1, 1:-1] -= patch[:-2, 1:-1] + patch[2:, 1:-1] + patch[1:-1, :-2] + patch[1:-1, 2:]
    return detail


def compare(
    region: MarkRegion, patches: Sequence[NDArray[Any]]
) -> tuple[Literal["kept", "lost", "altered", "unchecked"], float, float]:
    """Return what became of a mark, how alike it is and how strong, 1 being as it was in the take."""
    if not patches:
        return "unchecked", 0.0, 0.0
    now, was = liken(region.pattern, patches), region.own
    alike = max(0.0, now.alike) / max(was.alike, 0.05)
    strength = now.strength / max(was.strength, 0.05)
    fine = now.fine / max(was.fine, 0.05)
    if alike < LOST:
        return "lost", min(1.0, alike), strength
    if strength < WEAK or fine < BLURRED * min(1.0, strength):
        return "altered", min(1.0, alike), min(strength, fine)
    return "kept", min(1.0, alike), strength
