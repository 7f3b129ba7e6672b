"""Quality checks against takecheck: faults planted in real clips, and the same clips untouched.

`--media DIR` holds `clean/`, `takes/` and `talking/`; `--takecheck PROGRAM` is takecheck's program (PyPI, MIT), to be
installed in an environment of its own. Every other clip is held out: thresholds were set on the rest alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import record, workplace
from benchmarks.planting import FAULTS, Material, Planted, clips, held_out, plant, read
from postpipe import api
from postpipe.cli.summary import findings

Facts = dict[str, Any]


def ours(path: Path) -> Facts:
    """Return the facts of a take, and what the summary says of it."""
    (take,) = api.inspect([path]).takes()
    return {**take["facts"], "said": [] if take["skipped"] else findings(take)}


def found_by_us(facts: Facts, fault: Planted, rate: float) -> bool:
    """Whether the fault is named, and at its place."""
    quality, sound = facts["quality"], facts["sound"]

    def overlap(stretches: list[list[int]]) -> bool:
        hit = sum(max(0, min(last, fault.last) - max(first, fault.first) + 1) for first, last in stretches)
        return hit >= 0.5 * (fault.last - fault.first + 1)

    seconds = fault.first / rate, (fault.last + 1) / rate
    checks: dict[str, Callable[[], bool]] = {
        "freeze": lambda: overlap(quality["frozen"]),
        "duplicate": lambda: fault.last in quality["duplicate_frames"],
        "replay": lambda: overlap([run["frames"] for run in quality["replayed"]]),
        "black": lambda: quality["black_frames"] == list(range(fault.first, fault.last + 1)),
        "white": lambda: quality["white_frames"] == list(range(fault.first, fault.last + 1)),
        "flicker": lambda: any("flicker" in word for word in facts["said"]),
        "strobe": lambda: any("flicker" in word or "photosensitive" in word for word in facts["said"]),
        "dropout": lambda: any(start < seconds[1] and end > seconds[0] for start, end in sound["dropouts"]),
        "lost sound": lambda: sound["stops_seconds"] is not None and abs(sound["stops_seconds"] - seconds[0]) < 0.2,
    }
    return checks[fault.kind]()


def theirs(program: Path, path: Path, folder: Path) -> dict[str, str]:
    """Return takecheck's result for each of its checks, with its default limits."""
    spec, report = folder / "takes.yml", folder / "report.json"
    spec.write_text("name: take\nexpect:\n  audio: optional\n", encoding="utf-8")
    report.unlink(missing_ok=True)
    command = [program, "check", path, "--spec", spec, "--json", report, "--quiet"]
    subprocess.run([str(word) for word in command], capture_output=True, check=False)
    return {check["name"]: check["status"] for check in json.loads(report.read_text(encoding="utf-8"))["checks"]}


THEIR_CHECK = {
    "freeze": "frozen", "duplicate": "duplicate", "replay": "duplicate", "black": "blank", "white": "blank",
    "flicker": "flicker", "strobe": "flicker", "dropout": "audio", "lost sound": "audio",
}  # fmt: skip
ALARMS = ("frozen", "duplicate", "blank", "flicker", "audio")
GENUINE = {
    "bigbuckbunny.mp4": {"duplicate": "every 25th frame is shown twice: 24 frames a second stored at 25"},
    "sora_standard.mp4": {
        "duplicate": "every fifth or sixth frame is shown twice: 24 and 25 frames a second stored at 30",
        "audio": "digital silence from 7.12 to 7.20 s, in the middle of a word",
    },
    "lp_d20.mp4": {"duplicate": "every fourth or fifth frame is shown twice: 20 frames a second stored at 25"},
}
"""What is wrong with untouched clips, as found by looking: to say so is no false alarm, for either tool."""


def alarms(facts: Facts) -> list[str]:
    """Return what is said of a take, in takecheck's terms where it has one, and in ours for the rest."""
    quality, sound = facts["quality"], facts["sound"]
    named = {
        "frozen": quality["frozen"],
        "duplicate": quality["duplicate_frames"] or quality["replayed"],
        "blank": quality["black_frames"] or quality["white_frames"],
        "flicker": [word for word in facts["said"] if "flicker" in word],
        "audio": sound["dropouts"] or sound["stops_seconds"],
        "jump": quality["jumps"],
        "soft": quality["soft"],
        "bars": any(quality["black_bars"].values()),
    }
    return [name for name, value in named.items() if value]


def measure(options: argparse.Namespace, folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a row for each planted fault, and one for each untouched clip."""
    paths = list(clips(options.media))
    apart = held_out(paths)
    planted, untouched = [], []
    for path in paths:
        half = "held out" if path in apart else "tuning"
        if options.half and half != options.half:
            continue
        facts = ours(path)
        row: dict[str, Any] = {"clip": path.name, "half": half, "ours": alarms(facts), "said": facts["said"]}
        if options.takecheck:
            row["takecheck"] = [n for n, s in theirs(options.takecheck, path, folder).items() if s == "fail"]
        untouched.append(row)
        print(row, flush=True)
        material = read(path)
        for kind in FAULTS:
            copy = folder / f"{path.stem} {kind}.mp4"
            fault = _planted(material, path.name, kind, copy)
            if fault is None:
                continue
            row = {"clip": path.name, "half": half, **dataclasses.asdict(fault), "strength": round(fault.strength, 3)}
            row["ours"] = found_by_us(ours(copy), fault, float(material.rate))
            if options.takecheck:
                row["takecheck"] = theirs(options.takecheck, copy, folder)[THEIR_CHECK[kind]] == "fail"
            planted.append(row)
            print(row, flush=True)
    return planted, untouched


def _planted(material: Material, name: str, kind: str, copy: Path) -> Planted | None:
    """Return the fault of a copy, made now or in a run before."""
    note = copy.with_suffix(".json")
    if not note.exists():
        fault = plant(material, name, kind, copy)
        note.write_text(json.dumps(fault and dataclasses.asdict(fault)), encoding="utf-8")
    kept = json.loads(note.read_text(encoding="utf-8"))
    return None if kept is None else Planted(**kept)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, metavar="DIR", required=True)
    parser.add_argument("--takecheck", type=Path, metavar="PROGRAM")
    parser.add_argument("--half", choices=("tuning", "held out"), help="measure these clips alone; record nothing")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the planted clips here for the next time")
    options = parser.parse_args()
    with workplace() as folder:
        place = options.keep or folder
        place.mkdir(exist_ok=True)
        planted, untouched = measure(options, place)
    tools = ["ours", *(["takecheck"] if options.takecheck else [])]
    found: dict[str, dict[str, dict[str, list[int]]]] = {}
    for half in ("tuning", "held out"):
        rows = [row for row in planted if row["half"] == half]
        found[half] = {
            kind: {
                tool: [sum(row[tool] for row in rows if row["kind"] == kind), sum(r["kind"] == kind for r in rows)]
                for tool in tools
            }
            for kind in FAULTS
        }
    false: dict[str, dict[str, int]] = defaultdict(dict)
    for half in ("tuning", "held out"):
        for tool in tools:
            false[half][tool] = sum(
                bool(set(row[tool]) & set(ALARMS) - set(GENUINE.get(row["clip"], {})))
                for row in untouched
                if row["half"] == half
            )
        false[half]["clips"] = sum(row["half"] == half for row in untouched)
    missed = [row for row in planted if row.get("takecheck") and not row["ours"]]
    figures = {"found": found, "false_alarms_on_untouched_clips": false, "genuine": GENUINE, "found_by_takecheck_alone": missed,
               "untouched": untouched, "planted": planted}  # fmt: skip
    if options.half:
        print(json.dumps({**figures, "planted": [row for row in planted if not row["ours"]]}, indent=1))
    else:
        record("quality", "python -m benchmarks.quality --media DIR --takecheck PROGRAM", figures)


if __name__ == "__main__":
    main()
