"""Visible marks: found in real takes whose marks were boxed by eye, planted in clean clips, and absent where none is.

`python -m benchmarks.marks --media DIR --more DIR`. Marks such as generators put on their takes are planted in every
clip (`mark_planting.py`); figures of the clips that limits may be set by and of the others, which are held out, stand
apart. None of the limits of the search was set by a clip held out, but for what its bare picture must not show: limits
were set so that no mark is said of any bare clip of `--media`, nor of windows cut out of them, whose corners show what
else is filmed. What is true of bare clips unseen, and of marked takes unseen, is in `--more`: takes and demonstrations
of generators from public repositories. Their names, and which of them were looked at while limits were set, are in
`data/visible_marks.json` and the names of its folders (`unmarked`, `unmarked_unseen`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import overlay

from benchmarks.common import ROOT, record
from benchmarks.mark_planting import KINDS, plant
from benchmarks.material import clips, held_out
from postpipe.engine.passes import look
from postpipe.errors import PostpipeError
from postpipe.marks import Box, VisibleMarks
from postpipe.media.probe import probe
from postpipe.stages.mark_jumps import jumping
from postpipe.stages.mark_search import lasting
from postpipe.stages.marks import LEAST_PICTURES, WatchMarks

TRUTH = ROOT / "benchmarks" / "data" / "visible_marks.json"
OTHERS = ("odd", "flicker", "c2pa")
"""More folders of clips without a generator's mark. Of a counter or a timecode burnt in, finding it would be right."""
HIT, APART = 0.5, 0.1
"""Intersection over union from which on a mark is found, and below which what is said is false."""
WINDOWS = 0.5, 0.7
"""Sides of the windows that are cut out of bare clips, as shares of theirs."""


def find(path: Path) -> tuple[VisibleMarks, int]:
    """Return the visible marks of a clip, and its frames."""
    (found,), frames = look(probe(path, ""), [WatchMarks()], threads=1, on_frame=lambda done: None)
    assert isinstance(found, VisibleMarks)
    return found, frames


def boxes_at(found: VisibleMarks, frame: int) -> list[Box]:
    """Return where marks are said to be in a frame."""
    return [region.box for mark in found.marks for region in mark.regions if region.first <= frame <= region.last]


def compare(found: VisibleMarks, truth: dict[int, Box | None]) -> dict[str, Any]:
    """Return how many frames that show a mark have it found, and how many places are said that never show it."""
    shown = {frame: box for frame, box in truth.items() if box is not None}
    best = {frame: max((box.overlap(b) for b in boxes_at(found, frame)), default=0.0) for frame, box in shown.items()}
    regions = [region for mark in found.marks for region in mark.regions]
    false = [
        [region.first, region.last, *_edges(region.box)]
        for region in regions
        if not any(
            region.box.overlap(box) >= APART for frame, box in shown.items() if region.first <= frame <= region.last
        )
    ]
    return {
        "frames": len(shown),
        "found": sum(overlap >= HIT for overlap in best.values()),
        "mean_overlap": round(sum(best.values()) / max(1, len(best)), 3),
        "false": false,
    }


def _edges(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.top, box.right, box.bottom


def boxed(folder: Path, truth: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of takes that were boxed by eye: every 10th frame."""
    rows = {}
    for name, frames in truth.items():
        found, _ = find(folder / name)
        rows[name] = compare(found, {int(at): Box(*box) if box else None for at, box in frames.items()})
    return rows


def bare_clips(media: Path) -> list[Path]:
    """Return the clips without a mark: those of `media`, and the sample takes of the project."""
    truth = json.loads(TRUTH.read_text(encoding="utf-8"))
    paths = [path for path in clips(media) if path.name not in truth["clips"] | truth["also"]]
    for folder in (*(media / folder for folder in OTHERS), ROOT / "sample_media"):
        paths += sorted(path for path in folder.iterdir() if path.suffix.lower() in (".mp4", ".mov", ".webm"))
    return paths


def unmarked(paths: Iterable[Path]) -> dict[str, Any]:
    """Return the clips without a mark of which one is said."""
    said, looked = {}, 0
    for path in paths:
        try:
            found, _ = find(path)
        except PostpipeError:
            continue
        looked += 1
        if found.marks:
            said[path.name] = [_edges(region.box) for mark in found.marks for region in mark.regions]
    return {"clips": looked, "said": said}


# Windows


def small_pictures(path: Path) -> NDArray[np.uint8]:
    """Return the last pictures of a clip that are searched together, `(n, rows, columns)`."""
    pictures: list[NDArray[np.uint8]] = []

    class Keep(WatchMarks):
        """Keeps what it would search."""

        def finish(self, state: Any) -> VisibleMarks:
            pictures.extend(state.chunk.pictures)
            return VisibleMarks((), 0.0)

    look(probe(path, ""), [Keep()], threads=1, on_frame=lambda done: None)
    return np.stack(pictures)


def windows(paths: Iterable[Path]) -> dict[str, Any]:
    """Return how many windows of bare clips were searched, and of which ones a mark is said."""
    searched, said = 0, []
    for path in paths:
        try:
            pictures = small_pictures(path)
        except PostpipeError:
            continue
        if len(pictures) < LEAST_PICTURES:
            continue
        for top, left, part in _cut(pictures):
            searched += 1
            sums = overlay.EdgeSums.of((part.shape[1], part.shape[2]))
            for picture in part:
                overlay.add_edges(picture, sums)
            if lasting(sums, part) or jumping(part):
                said.append([path.name, top, left, *part.shape[1:]])
    return {"windows": searched, "said": said}


def _cut(pictures: NDArray[np.uint8]) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """Yield windows of pictures, with their tops and left edges: each size in nine places."""
    _, height, width = pictures.shape
    for share in WINDOWS:
        rows, columns = int(share * height), int(share * width)
        for top in (0, (height - rows) // 2, height - rows):
            for left in (0, (width - columns) // 2, width - columns):
                yield top, left, np.ascontiguousarray(pictures[:, top : top + rows, left : left + columns])


# Planted


def planted(media: Path, *, apart: bool, folder: Path, most: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each planted mark: in clips held out, or in the others."""
    known = json.loads(TRUTH.read_text(encoding="utf-8"))["clips"]
    paths = list(clips(media))
    others = held_out(paths)
    chosen = [path for path in paths if (path in others) is apart and path.name not in known]
    for path in chosen[:most]:
        for kind in KINDS:
            copy = folder / f"{path.stem} {kind}.mp4"
            made = plant(path, kind, 0, copy)
            if made is None:
                continue
            found, _ = find(copy)
            row = {
                "clip": path.name,
                "kind": kind,
                "opacity": round(made.opacity, 2),
                "still_share": round(found.still_share, 2),
            }
            every = {frame: box for frame, box in made.boxes.items() if frame % 5 == 0}
            yield {**row, **compare(found, every)}
            copy.unlink()


def cost(media: Path) -> dict[str, float]:
    """Return CPU seconds of looking for marks in a 1080p clip, and of decoding it."""
    clip = probe(media / "takes" / "pika_share.mp4", "")
    spent: dict[str, list[float]] = {"decode": [], "marks": []}
    look(clip, [WatchMarks()], threads=1, on_frame=lambda done: None)
    for _ in range(12):
        for name, analysers in (("decode", []), ("marks", [WatchMarks()])):
            start = time.process_time()
            look(clip, analysers, threads=1, on_frame=lambda done: None)
            spent[name].append(time.process_time() - start)
    decode, both = min(spent["decode"]), min(spent["marks"])
    return {
        "decode_cpu_seconds": round(decode, 3),
        "share_of_decode": round(float(Fraction(both) / Fraction(decode)) - 1, 4),
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, metavar="DIR", required=True)
    parser.add_argument("--more", type=Path, metavar="DIR", help="takes from public repositories")
    parser.add_argument("--planted", choices=["tuned", "held-out"], help="these planted marks alone; no record")
    parser.add_argument("--clips", type=int, default=100, metavar="N", help="plant in no more than the first N")
    options = parser.parse_args()
    rows: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for group in [options.planted] if options.planted else ["tuned", "held-out"]:
            rows[group] = []
            for row in planted(options.media, apart=group == "held-out", folder=Path(folder), most=options.clips):
                rows[group].append(row)
                print(group, row, flush=True)
    if options.planted:
        return
    truth = json.loads(TRUTH.read_text(encoding="utf-8"))
    bare = bare_clips(options.media)
    figures: dict[str, Any] = {
        "real": boxed(options.media / "takes", truth["clips"]),
        "unmarked": unmarked(bare),
        "windows": windows(bare),
        "planted": rows,
        "cost": cost(options.media),
    }
    if options.more:
        figures["more"] = boxed(options.more, {name: take["frames"] for name, take in truth["more"].items()})
        for folder_name in ("unmarked", "unmarked_unseen"):
            figures[f"more_{folder_name}"] = unmarked(sorted((options.more / folder_name).iterdir()))
    record("marks", "python -m benchmarks.marks --media DIR --more DIR", figures)


if __name__ == "__main__":
    main()
