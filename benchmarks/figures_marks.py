"""What docs/figures.md says of marks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.common import ROOT


def marks(result: dict[str, Any]) -> Iterator[str]:
    """Visible marks."""
    more = json.loads((ROOT / "benchmarks" / "data" / "visible_marks.json").read_text(encoding="utf-8"))["more"]
    for clip, row in (result["real"] | result["more"]).items():
        words = ", not looked at before" if clip in more and more[clip]["unseen"] else ""
        yield (
            f"| {clip}{words}, every 10th frame boxed by eye: found with half of both boxes in common "
            f"| {row['found']} of {row['frames']}{_false(len(row['false']))} | ≥ 90 % |"
        )
    for name, what in (
        ("unmarked", "clips without a mark, and sample takes"),
        ("more_unmarked", "more takes of generators, looked at while limits were set"),
        ("more_unmarked_unseen", "… not looked at before"),
    ):
        said = "; ".join(result[name]["said"]) or "none"
        yield f"| {result[name]['clips']} {what}: a mark is said of | {said} | none |"
    windows = result["windows"]
    yield f"| {windows['windows']} windows cut out of the first of these: one is said of | {len(windows['said'])} | |"
    for group, clips in (("tuned", "clips that limits were set by"), ("held-out", "clips held out")):
        for kind, still, what in (
            ("static", False, "marks that stay, where less than a tenth of the picture stands still"),
            ("static", True, "… where more of it does"),
            ("moving", None, "marks that jump"),
        ):
            rows = [row for row in result["planted"][group] if row["kind"] == kind]
            if still is not None:
                rows = [row for row in rows if (row["still_share"] >= 0.1) is still]
            good = sum(row["found"] >= 0.9 * row["frames"] for row in rows)
            found, frames = (sum(row[name] for row in rows) for name in ("found", "frames"))
            false = _false(sum(len(row["false"]) for row in rows))
            yield (
                f"| planted in {clips}: {what}; frames, and clips in which 90 % of them are found "
                f"| {100 * found / max(1, frames):.0f} %, {good} of {len(rows)}{false} | |"
            )
    yield f"| CPU of the search, of that of decoding 1080p H.264 | {100 * result['cost']['share_of_decode']:.1f} % | |"


def _false(count: int) -> str:
    return f"; said of {count} places that show none" if count else ""


def watermark(result: dict[str, Any]) -> Iterator[str]:
    """Hidden marks."""
    rows = result["runs"]
    fixed = sum(bool(row["fixes"]) for row in rows)
    yield (
        "| payload read after a run at 1080p, x264 CRF 18 at its default preset, "
        f"flicker or colours changed in {fixed} of {len(rows)} clips "
        f"| {sum(row['crf 18'] for row in rows)} of {len(rows)} | ≥ 95 % |"
    )
    for name in rows[0]:
        if name not in ("clip", "fixes", "psnr_db", "crf 18"):
            yield f"| … and encoded once more: {name} | {sum(row[name] for row in rows)} of {len(rows)} | |"
    worst = min(row["psnr_db"] for row in rows)
    yield f"| PSNR of luma that marking leaves, worst frame looked at | {worst:.1f} dB | ≥ 40 dB |"
    unmarked = result["unmarked"]
    said = "; ".join(f"{clip}: {words}" for clip, words in unmarked["said"]) or "none"
    yield f"| {unmarked['segments']} stretches of two seconds of unmarked clips: hidden marks found | {said} | none |"
    for name, row in result["dwt_dct"].items():
        yield (
            f"| dwtDct, {name} a 1080p frame from B'G'R', one thread: invisible-watermark's {row['library_ms']} ms "
            f"| {row['ours_ms']} ms ({row['ratio']}×) | ≥ 10× |"
        )
