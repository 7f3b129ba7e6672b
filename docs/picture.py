"""Make `docs/takes.png`: the sample takes of each scene, the chosen ones framed. `python docs/picture.py`"""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import cv2
import numpy as np

import postpipe

ROOT = Path(__file__).parents[1]
TILE = (400, 225)
GAP = 14
PAPER = (28, 26, 24)
INK = (235, 235, 235)
FRAME = (90, 200, 255)


def middle_frame(path: Path) -> np.ndarray:
    """Return the middle frame of a take, BGR, letterboxed into a tile."""
    with av.open(f"file:{path}") as container:
        frames = list(container.decode(video=0))
    picture = frames[len(frames) * 6 // 10].to_ndarray(format="bgr24")
    scale = min(TILE[0] / picture.shape[1], TILE[1] / picture.shape[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.zeros((TILE[1], TILE[0], 3), np.uint8)
    top, left = (TILE[1] - small.shape[0]) // 2, (TILE[0] - small.shape[1]) // 2
    tile[top : top + small.shape[0], left : left + small.shape[1]] = small
    return tile


def caption(take: dict) -> str:
    """Return what was found in a take, in a few words."""
    quality, flicker = take["facts"]["quality"], take["facts"]["flicker"]["global_percent"] or 0
    found = [f"flicker {flicker:.1f} %"] if flicker > 0.5 else []
    found += ["frozen"] if quality["frozen"] else []
    found += [f"{len(quality['black_frames'])} black frames"] if quality["black_frames"] else []
    found += [f"{len(quality['duplicate_frames'])} duplicates"] if quality["duplicate_frames"] else []
    if take["rank"] > 1 and not found:
        found.append("soft")
    return ("chosen" if take["selected"] else ", ".join(found))[:40]


def main() -> None:
    """Run postpipe on the sample takes and draw what it chose."""
    with tempfile.TemporaryDirectory() as out:
        account = postpipe.run(ROOT / "sample_media", out, settings={"deliver": {"preset": "ultrafast"}})
    takes = sorted(account.takes(), key=lambda take: (take["scene"], take["take"]))
    rows = [[take for take in takes if take["scene"] == scene] for scene in sorted({t["scene"] for t in takes})]
    height = len(rows) * (TILE[1] + 34 + GAP) + GAP
    width = max(map(len, rows)) * (TILE[0] + GAP) + GAP
    sheet = np.full((height, width, 3), PAPER, np.uint8)
    for y, row in enumerate(rows):
        for x, take in enumerate(row):
            top, left = GAP + y * (TILE[1] + 34 + GAP), GAP + x * (TILE[0] + GAP)
            sheet[top : top + TILE[1], left : left + TILE[0]] = middle_frame(ROOT / "sample_media" / take["file"])
            if take["selected"]:
                cv2.rectangle(sheet, (left - 4, top - 4), (left + TILE[0] + 3, top + TILE[1] + 3), FRAME, 4)
            text = f"{take['scene']}  take {take['take']}   {caption(take)}"
            colour = FRAME if take["selected"] else INK
            place = (left, top + TILE[1] + 24)
            cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.55, colour, 1, cv2.LINE_AA)
    cv2.imwrite(str(ROOT / "docs" / "takes.png"), sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
