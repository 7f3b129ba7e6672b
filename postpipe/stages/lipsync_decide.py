"""What is done about an offset: whether sound is moved, how, and else why not, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from postpipe.lipsync import Course, LipSync, changing, in_words, right

Mode = Literal["auto", "on", "off"]

CONFIDENT = 0.9
AGREE_MS = 40.0  # of either half of a take with the whole: after a shift both are right
LEAST_MS = 10.0


def decide(found: LipSync, mode: Mode) -> Course | str:
    """Return the offset that is to be put right, or why the sound stays as it is."""
    if mode == "off":
        return 'switched off: [lipsync] mode = "off"'
    if found.drift is not None:
        return found.drift
    if found.offset_ms is None:
        return f"not measurable: {found.reason}"
    return next(_objections(found, found.offset_ms, mode), Course(found.offset_ms))


def _objections(found: LipSync, offset_ms: float, mode: Mode) -> Iterator[str]:
    """Yield what speaks against a shift."""
    if mode == "on":
        if abs(offset_ms) < LEAST_MS:
            yield "in sync"
        return
    if right(offset_ms):
        yield "within what EBU R37 allows: 40 ms early to 60 ms late"
    if found.confidence < CONFIDENT:
        yield f"unsure: the offset is {found.confidence:.0%} likely to be right, and {CONFIDENT:.0%} is asked for"
    if found.change is not None:
        yield f"its offset changes within the take: {changing(found.change)}"
    if found.halves_ms and max(abs(half - offset_ms) for half in found.halves_ms) > AGREE_MS:
        yield "its halves say different things: " + " and ".join(map(in_words, found.halves_ms))


def surest(uses: Mapping[Path, LipSync]) -> Path:
    """Return the use of a file by which all of its uses are shifted: the one that is surest, the first of equals."""
    return max(uses, key=lambda path: uses[path].confidence)


def decide_for_all(uses: Mapping[Path, LipSync], leader: Path, mode: Mode) -> Course | str:
    """Return what is decided for all uses of one file, by one of them, unless others that are sure contradict it."""
    against = contradiction(uses) if mode != "off" else None
    return against or decide(uses[leader], mode)


def contradiction(uses: Mapping[Path, LipSync]) -> str | None:
    """Return what uses of one file that are sure say against each other, or `None`."""
    sure = {
        path: found.offset_ms
        for path, found in uses.items()
        if found.offset_ms is not None and found.confidence >= CONFIDENT and found.drift is None
    }
    if not sure:
        return None
    low, high = min(sure, key=sure.__getitem__), max(sure, key=sure.__getitem__)
    if sure[high] - sure[low] <= AGREE_MS:
        return None
    return (
        f"the uses of its file say different things: {in_words(sure[high])} in {high.name} and "
        f"{in_words(sure[low])} in {low.name}"
    )


def helped(before: LipSync, after: LipSync, course: Course) -> str | None:
    """Return `None` where what was done made the offset smaller, else what was measured instead, in words.

    Sound whose drift was taken out has to be surely right then, from its beginning to its end.
    """
    if after.offset_ms is None:
        return f"it could not be measured after the shift: {after.reason}"
    if course.drift_ms_per_second:
        settled = after.drift is None and after.change is None and after.confidence >= CONFIDENT
        better = settled and right(after.offset_ms)
    else:
        better = before.offset_ms is not None and abs(after.offset_ms) < abs(before.offset_ms)
    return None if better else f"it was no better after the shift: {in_words(after.offset_ms)}"
