"""Flash screening against known truth: synthetic clips, and EA IRIS's test clips with what IRIS says of each frame.

`--media DIR` names a folder with `flicker/NAME.mp4` and `flicker/NAME_RELATIVE.csv` as in the tests of
electronicarts/IRIS. Nothing was tuned on either: the thresholds are those of ITU-R BT.1702 and WCAG 2.1.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import record, workplace
from benchmarks.flashing import BAD, CASES, RULES, WARN, Case, grey, train
from postpipe import api
from postpipe.engine import passes
from postpipe.engine.ingest import read_clip
from postpipe.engine.store import opened
from postpipe.stages.flashes import FlashTrack, WatchFlashes


def synthetic(folder: Path) -> list[dict[str, Any]]:
    """Return, for each case, what was expected and what was found."""
    rows = []
    for number, case in enumerate(CASES):
        path = case.write(folder / f"case{number:02d}.mp4")
        ((take),) = api.inspect([path]).takes()
        screening = take["facts"]["screening"]
        found = [screening[rule]["result"] for rule in RULES]
        rows.append({"case": case.name, "expected": list(case.expected), "found": found})
    return rows


def across_joins(folder: Path) -> list[dict[str, Any]]:
    """Return the verdicts on takes that pass, each for itself, and on the films made of them."""
    rows = []
    for name, first, second, expected in (
        ("2 flashes before and 2 after the cut", train(5.0, 1.6, 2.0), train(5.0, 0.1, 0.5), "fail"),
        ("2 flashes before, none after", train(5.0, 1.6, 2.0), (), "warn"),
        ("nothing flashes, one cut", (), (), "pass"),
    ):
        takes = folder / name
        takes.mkdir()
        for number, flashes in enumerate((first, second), 1):
            dark = grey(0.05) if number == 1 else grey(0.08)
            Case(name, flashes, BAD, on=0.1, dark=dark).write(takes / f"scene{number:02d}_take01.mp4")
        out = folder / f"{name} out"
        document = api.run(takes, out, settings={"deliver": {"preset": "ultrafast"}}).document()
        each = [take["facts"]["screening"]["general"]["result"] for take in document["takes"]]
        assert all(result in ("pass", WARN) for result in each)
        found = document["sequence"]["screening"]["general"]["result"]
        rows.append({"case": name, "takes": each, "expected": expected, "found": found})
    return rows


def iris(path: Path, expectation: Path) -> dict[str, Any]:
    """Compare one of IRIS's clips, frame by frame, with what IRIS's own tests expect."""
    with expectation.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, skipinitialspace=True) if row["LuminanceTransitions"]]
    general, red = (np.array([int(row[f"{kind}Transitions"]) for row in rows]) for kind in ("Luminance", "Red"))
    track = _track(path)
    (take,) = api.inspect([path]).takes()
    screening = take["facts"]["screening"]
    return {
        "clip": path.name,
        "frames": len(rows),
        "most_expected": [int(general.max()), int(red.max())],
        "most_found": [int(track.general.max()), int(track.red.max())],
        "frames_with_equal_counts": int(((track.general == general) & (track.red == red)).sum()),
        "expected": _verdict(rows),
        "found": {rule: screening[rule]["result"] for rule in ("general", "red", "lasting")},
    }


def _track(path: Path) -> FlashTrack:
    with opened(None) as store:
        (track,), _ = passes.look(read_clip(path, store), [WatchFlashes()], threads=1, on_frame=lambda done: None)
    assert isinstance(track, FlashTrack)
    return track


def _verdict(rows: list[dict[str, str]]) -> dict[str, str]:
    """Return IRIS's results: of each frame 0 pass, 1 warning, 2 extended failure, 3 failure (in older files 1)."""
    if "FlashFailedFrames" in rows[0]:
        return {"general": "fail" if any(int(row["FlashFailedFrames"]) for row in rows) else "pass"}
    found = {"lasting": "pass"}
    for rule, column in (("general", "FlashLuminanceFailedFrame"), ("red", "FlashRedFailedFrame")):
        results = {int(row[column]) for row in rows}
        found[rule] = "fail" if 3 in results else "warn" if results & {1, 2} else "pass"
        if 2 in results:
            found["lasting"] = "fail"
    return found


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, metavar="DIR")
    options = parser.parse_args()
    with workplace() as folder:
        cases, joins = synthetic(folder), across_joins(folder)
    expectations = sorted((options.media / "flicker").glob("*_RELATIVE.csv")) if options.media else []
    clips = [iris(csv_.with_name(csv_.name.replace("_RELATIVE.csv", ".mp4")), csv_) for csv_ in expectations]
    right = [row["expected"] == row["found"] for row in (*cases, *joins)]
    as_iris = [clip["expected"].items() <= clip["found"].items() for clip in clips]
    record(
        "screening",
        "python -m benchmarks.screening --media DIR",
        {
            "rules": list(RULES),
            "cases_right": [sum(right), len(right)],
            "iris_clips_right": [sum(as_iris), len(as_iris)],
            "cases": cases,
            "joins": joins,
            "iris": clips,
        },
    )


if __name__ == "__main__":
    main()
