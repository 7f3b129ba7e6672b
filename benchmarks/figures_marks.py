"""What docs/figures.md says of marks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def marks(result: dict[str, Any]) -> Iterator[str]:
    """Visible marks."""
    for clip, row in result["real"].items():
        false = f", and said of {len(row['false'])} that show none" if row["false"] else ""
        yield (
            f"| {clip}, every 10th frame boxed by eye: found with half of both boxes in common "
            f"| {row['found']} of {row['frames']}{false} | ≥ 90 % |"
        )
    said = "; ".join(result["unmarked"]["said"]) or "none"
    yield f"| {result['unmarked']['clips']} clips without a mark: one is said of | {said} | none |"
    for kind, still, what in (
        ("static", False, "planted marks that stay, where less than a tenth of the picture stands still"),
        ("static", True, "… where more of it does, so that one in a still corner cannot be told"),
        ("moving", None, "planted marks that jump, found in at least 90 % of frames"),
    ):
        rows = [row for row in result["planted"] if row["kind"] == kind]
        if still is not None:
            rows = [row for row in rows if (row["still_share"] >= 0.1) is still]
        good = sum(row["found"] >= 0.9 * row["frames"] for row in rows)
        yield f"| {what} | {good} of {len(rows)} clips | |"
    yield f"| CPU of the search, of that of decoding 1080p H.264 | {100 * result['cost']['share_of_decode']:.1f} % | |"


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
