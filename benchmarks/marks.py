"""Visible marks: found in real takes whose marks were boxed by eye, planted in clean clips, and absent where none is.

`python -m benchmarks.marks --media DIR`; `--planted` alone measures planted marks (`--tuned`: in the clips that limits
were set by; else in the others, and these are recorded). The limits were set by the three takes with a mark, by these
clips, and so that none of the clips without a mark has one said of it: that last figure is not one of clips unseen. Of
the others, cogvideo_2.mp4 was looked at once: its planted mark lay near edges of the scene, and levels were brought in.
"""

from __future__ import annotations

import argparse
import json
import random
import time
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import ROOT, record
from benchmarks.material import clips, held_out, read, write
from postpipe.engine.passes import look
from postpipe.errors import PostpipeError
from postpipe.marks import Box, VisibleMarks
from postpipe.media.probe import probe
from postpipe.stages.marks import WatchMarks

TRUTH = ROOT / "benchmarks" / "data" / "visible_marks.json"
OTHERS = ("odd", "flicker", "c2pa")
"""More folders of clips without a generator's mark. Of a counter or a timecode burnt in, finding it would be right."""
KINDS = ("static", "moving")
HIT = 0.5
OPACITIES = (0.3, 0.4, 0.5, 0.7, 0.9)
FADES = (0.0, 0.2, 0.4)
"""Seconds in which a mark that jumps comes and goes."""
STAYS = 1.5, 3.5
"""Seconds that it stays in one place: from, to."""
PLANTED_SECONDS = 8


def find(path: Path) -> tuple[VisibleMarks, int]:
    """Return the visible marks of a clip, and its frames."""
    clip = probe(path, "")
    (found,), frames = look(clip, [WatchMarks()], threads=1, on_frame=lambda done: None)
    assert isinstance(found, VisibleMarks)
    return found, frames


def boxes_at(found: VisibleMarks, frame: int) -> list[Box]:
    """Return where marks are said to be in a frame."""
    return [region.box for mark in found.marks for region in mark.regions if region.first <= frame <= region.last]


def compare(found: VisibleMarks, truth: dict[int, Box | None]) -> dict[str, Any]:
    """Return how many frames that show a mark have it found, and how many others have one said of them."""
    shown = {frame: box for frame, box in truth.items() if box is not None}
    best = {frame: max((box.overlap(b) for b in boxes_at(found, frame)), default=0.0) for frame, box in shown.items()}
    false = [frame for frame, box in truth.items() if box is None and boxes_at(found, frame)]
    return {
        "frames": len(shown),
        "found": sum(overlap >= HIT for overlap in best.values()),
        "mean_overlap": round(sum(best.values()) / max(1, len(best)), 3),
        "missed": [frame for frame, overlap in best.items() if overlap < HIT],
        "false": false,
    }


def real(media: Path) -> dict[str, Any]:
    """Return the figures of the takes that were boxed by eye."""
    truth = json.loads(TRUTH.read_text(encoding="utf-8"))["clips"]
    rows = {}
    for name, frames in truth.items():
        found, _ = find(media / "takes" / name)
        rows[name] = compare(found, {int(at): Box(*box) if box else None for at, box in frames.items()})
    return rows


def unmarked(media: Path) -> dict[str, Any]:
    """Return the clips without a mark of which one is said."""
    truth = json.loads(TRUTH.read_text(encoding="utf-8"))
    paths = [path for path in clips(media) if path.name not in truth["clips"] | truth["also"]]
    for folder in OTHERS:
        paths += sorted(path for path in (media / folder).iterdir() if path.suffix not in (".csv", ".pem", ".jpg"))
    said, looked = {}, 0
    for path in paths:
        try:
            found, _ = find(path)
        except PostpipeError:
            continue
        looked += 1
        if found.marks:
            said[path.name] = [[*map(int, _edges(region.box))] for mark in found.marks for region in mark.regions]
    return {"clips": looked, "said": said}


def _edges(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.top, box.right, box.bottom


# Planted


def drawing(dice: random.Random, height: int) -> NDArray[np.float32]:
    """Return a mark, 0 to 1: a word beside an emblem, or alone."""
    from PIL import Image, ImageDraw, ImageFont

    tall = max(14, round(height * dice.uniform(0.035, 0.08)))
    font = ImageFont.load_default(size=tall)
    word = dice.choice(["Veo", "KLING AI", "runway", "@someone", "Hailuo AI", "made with X", "PIXVERSE", "Vidu"])
    emblem = dice.random() < 0.6 or word == "Veo"
    left, top, right, bottom = font.getbbox(word)
    start = round(1.4 * tall) if emblem else 0
    picture = Image.new("L", (round(start + right - left) + 2, max(tall, round(bottom - top)) + 2))
    pen = ImageDraw.Draw(picture)
    pen.text((start - left + 1, 1 - top), word, fill=255, font=font)
    if emblem:
        draw: Callable[..., None] = dice.choice([pen.ellipse, pen.rectangle])
        draw((1, 1, tall - 1, tall - 1), outline=255, width=max(2, tall // 7))
    drawn: NDArray[np.float32] = np.asarray(picture, np.float32) / 255
    rows, columns = np.flatnonzero(drawn.max(axis=1) > 0.3), np.flatnonzero(drawn.max(axis=0) > 0.3)
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def plant(path: Path, kind: str, copy: Path) -> tuple[dict[int, Box | None], float]:
    """Write a copy of a clip with a white mark; return where it is in each frame, and its opacity."""
    dice = random.Random(zlib.crc32(f"{path.name} {kind}".encode()))
    material = read(path, PLANTED_SECONDS)
    height, width = material.frames[0][0].shape
    mark = drawing(dice, min(height, width))
    opacity = dice.choice(OPACITIES)
    rows, columns = mark.shape
    margin = round(0.04 * min(height, width))
    places = [
        (margin, margin),
        (margin, width - columns - margin),
        (height - rows - margin, width - columns - margin),
        (height - rows - margin, margin),
        ((height - rows) // 2, width - columns - margin),
    ]
    dice.shuffle(places)
    truth: dict[int, Box | None] = {}
    place, since, until = 0, 0, len(material.frames)
    fade = 0.0
    if kind == "moving":
        until, fade = round(dice.uniform(*STAYS) * material.rate), dice.choice(FADES) * float(material.rate)
    for index, (luma, blue, red) in enumerate(material.frames):
        if index == until:
            place, since, until = place + 1, index, index + round(dice.uniform(*STAYS) * material.rate)
        top, left = places[place % len(places)]
        seen = min(1.0, (index + 1 - since) / (fade + 1) if place else 1.0, (until - index) / (fade + 1))
        truth[index] = Box(left, top, left + columns, top + rows)
        under = luma[top : top + rows, left : left + columns]
        alpha = opacity * seen * mark
        under[...] = np.rint(under * (1 - alpha) + 235 * alpha).astype(np.uint8)
        for plane in (blue, red):
            part = plane[top // 2 : (top + rows) // 2, left // 2 : (left + columns) // 2]
            cover = alpha[: 2 * part.shape[0] : 2, : 2 * part.shape[1] : 2]
            part[...] = np.rint(part * (1 - cover) + 128 * cover).astype(np.uint8)
    write(material, copy)
    return truth, opacity


def planted(media: Path, *, tuned: bool, folder: Path, most: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each planted mark."""
    known = json.loads(TRUTH.read_text(encoding="utf-8"))["clips"]
    paths = list(clips(media))
    apart = held_out(paths)
    chosen = [path for path in paths if (path in apart) is not tuned and path.name not in known]
    for path in chosen[:most]:
        for kind in KINDS:
            copy = folder / f"{path.stem} {kind}.mp4"
            truth, opacity = plant(path, kind, copy)
            found, _ = find(copy)
            row = {"clip": path.name, "kind": kind, "opacity": opacity, "still_share": round(found.still_share, 2)}
            every = {frame: box for frame, box in truth.items() if frame % 5 == 0}
            yield {**row, **compare(found, every)}
            copy.unlink()


def cost(media: Path) -> dict[str, float]:
    """Return CPU seconds of looking for marks in a 1080p clip, and of decoding it."""
    clip = probe(media / "takes" / "pika_share.mp4", "")
    spent: dict[str, list[float]] = {"decode": [], "marks": []}
    look(clip, [WatchMarks()], threads=1, on_frame=lambda done: None)
    for _ in range(3):
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
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, metavar="DIR", required=True)
    parser.add_argument("--planted", action="store_true", help="planted marks alone; nothing is recorded")
    parser.add_argument("--tuned", action="store_true", help="plant in the clips that limits may be set by")
    parser.add_argument("--clips", type=int, default=100, metavar="N", help="plant in no more than the first N of them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for row in planted(options.media, tuned=options.tuned, folder=Path(folder), most=options.clips):
            rows.append(row)
            print(row, flush=True)
    if options.planted:
        return
    figures = {
        "real": real(options.media),
        "unmarked": unmarked(options.media),
        "planted": rows,
        "cost": cost(options.media),
    }
    record("marks", "python -m benchmarks.marks --media DIR", figures)


if __name__ == "__main__":
    main()
