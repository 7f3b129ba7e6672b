"""Quality checks against takecheck: faults planted in real clips, and the same clips untouched.

`--media DIR` holds `clean/`, `takes/` and `talking/`; `--takecheck PROGRAM` is takecheck's program (PyPI, MIT), to be
installed in an environment of its own. Every other clip is held out and measured: thresholds were set on the rest.

A planted fault is found by postpipe where it is named at its place, by takecheck where the check fails, wherever. On
untouched clips a false alarm is any check that fails without the cause that `untouched.GENUINE` names.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import record, workplace
from benchmarks.material import Material, clips, held_out, read
from benchmarks.planting import FAULTS, Planted, plant
from benchmarks.untouched import GENUINE
from postpipe import api
from postpipe.cli.summary import DRIFT_PERCENT, findings

Facts = dict[str, Any]


def ours(path: Path) -> Facts:
    """Return the facts of a take, and what the summary says of it."""
    (take,) = api.inspect([path]).takes()
    if take["skipped"]:
        raise RuntimeError(f"{path}: {take['skipped']['reason']}")
    return {**take["facts"], "media": take["media"], "said": findings(take)}


def found_by_us(facts: Facts, fault: Planted, rate: float) -> bool:
    """Whether the fault is named, and at its place."""
    quality, sound, media = facts["quality"], facts["sound"], facts["media"]

    def overlap(stretches: list[list[int]]) -> bool:
        hit = sum(max(0, min(last, fault.last) - max(first, fault.first) + 1) for first, last in stretches)
        return hit >= 0.5 * (fault.last - fault.first + 1)

    def drift(what: str) -> bool:
        percent = quality[f"{what}_drift_percent"]
        return abs(percent) >= DRIFT_PERCENT and (percent > 0) == (fault.strength > 0)

    def covered() -> bool:
        widths = quality["black_bars"]
        expected = [round(fault.strength * media[side]) for side in ("width", "height")]
        found = [(widths[one], widths[other]) for one, other in (("left", "right"), ("top", "bottom"))]
        return any(all(abs(width - right) <= 2 for width in pair) for pair, right in zip(found, expected, strict=True))

    seconds = fault.first / rate, (fault.last + 1) / rate
    checks: dict[str, Callable[[], bool]] = {
        "freeze": lambda: overlap(quality["frozen"]),
        "late start": lambda: overlap(quality["frozen"]),
        "static": lambda: overlap(quality["frozen"]),
        "duplicate": lambda: fault.last in quality["duplicate_frames"],
        "replay": lambda: overlap([run["frames"] for run in quality["replayed"]]),
        "loop": lambda: overlap([run["frames"] for run in quality["replayed"]]),
        "black": lambda: {*range(fault.first, fault.last + 1)} <= {*quality["black_frames"]},
        "white": lambda: {*range(fault.first, fault.last + 1)} <= {*quality["white_frames"]},
        "flicker": lambda: any("flicker" in word for word in facts["said"]),
        "strobe": lambda: any("flicker" in word or "photosensitive" in word for word in facts["said"]),
        "dropout": lambda: any(start < seconds[1] and end > seconds[0] for start, end in sound["dropouts"]),
        "lost sound": lambda: sound["stops_seconds"] is not None and abs(sound["stops_seconds"] - seconds[0]) < 0.2,
        "silence": lambda: bool(sound["silent"]),
        "jump": lambda: any(abs(frame - fault.first) <= 1 for frame in quality["jumps"]),
        "soft": lambda: overlap(quality["soft"]),
        "bars": covered,
        "exposure drift": lambda: drift("exposure"),
        "saturation drift": lambda: drift("saturation"),
    }
    return checks[fault.kind]()


def theirs(program: Path, path: Path, folder: Path) -> dict[str, str]:
    """Return the checks of takecheck that fail, with what it says, at its default limits."""
    spec, report = folder / "takes.yml", folder / "report.json"
    spec.write_text("name: take\nexpect:\n  audio: optional\n", encoding="utf-8")
    report.unlink(missing_ok=True)
    command = [program, "check", path, "--spec", spec, "--json", report, "--quiet"]
    subprocess.run([str(word) for word in command], capture_output=True, check=False)
    checks = json.loads(report.read_text(encoding="utf-8"))["checks"]
    return {check["name"]: check["detail"] for check in checks if check["status"] == "fail"}


THEIR_CHECKS = {
    "freeze": {"frozen"}, "late start": {"frozen"}, "static": {"frozen", "motion"},
    "duplicate": {"duplicate"}, "replay": {"duplicate"}, "loop": {"duplicate"},
    "black": {"blank"}, "white": {"blank"}, "flicker": {"flicker"}, "strobe": {"flicker"},
    "dropout": {"audio"}, "lost sound": {"audio"}, "silence": {"audio"},
}  # fmt: skip
"""The checks of takecheck that a fault is for; for the others it has none."""

SHARED = ("frozen", "duplicate", "blank", "flicker", "audio")


def alarms(facts: Facts) -> list[str]:
    """Return what is said of a take, in takecheck's terms where it has one, and in ours for the rest."""
    quality, sound = facts["quality"], facts["sound"]
    named = {
        "frozen": quality["frozen"],
        "duplicate": quality["duplicate_frames"] or quality["replayed"],
        "blank": quality["black_frames"] or quality["white_frames"],
        "flicker": [word for word in facts["said"] if "flicker" in word],
        "audio": sound["dropouts"] or sound["stops_seconds"] is not None or sound["silent"],
        "jump": quality["jumps"],
        "soft": quality["soft"],
        "bars": any(quality["black_bars"].values()),
        "drift": [word for word in facts["said"] if "drifts" in word],
        "flashes": facts["screening"]["result"] == "fail",
    }
    return [name for name, value in named.items() if value]


def measure(options: argparse.Namespace, folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a row for each planted fault, and one for each untouched clip."""
    paths = list(clips(options.media))
    apart = held_out(paths)
    planted, untouched = [], []
    for path in paths:
        if (path in apart) is options.tuned:
            continue
        facts = ours(path)
        row: dict[str, Any] = {"clip": path.name, "ours": alarms(facts), "said": facts["said"]}
        before = theirs(options.takecheck, path, folder)
        untouched.append(row | {"takecheck": before})
        print(untouched[-1], flush=True)
        material = read(path)
        for kind in options.kind or FAULTS:
            copy = folder / f"{path.stem} {kind}.mp4"
            fault = _planted(material, path.name, kind, copy)
            if fault is None:
                continue
            row = {"clip": path.name, **dataclasses.asdict(fault), "strength": round(fault.strength, 3)}
            row["ours"] = found_by_us(ours(copy), fault, float(material.rate))
            said = THEIR_CHECKS.get(kind, set()) & set(theirs(options.takecheck, copy, folder))
            row["takecheck"], row["of_the_untouched_clip_too"] = bool(said), bool(said & set(before))
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


def counts(planted: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Return how many faults of each kind were planted and found."""
    found = {}
    for kind in FAULTS:
        rows = [row for row in planted if row["kind"] == kind]
        found[kind] = {"planted": len(rows)} | {
            name: sum(row[name] for row in rows) for name in ("ours", "takecheck", "of_the_untouched_clip_too")
        }
    return found


def false_alarms(untouched: list[dict[str, Any]]) -> dict[str, Any]:
    """Return which clips each tool falsely says something of: in checks that both have, and in those of ours alone."""

    def false(row: dict[str, Any], tool: str) -> list[str]:
        return [name for name in row[tool] if name in SHARED and name not in GENUINE.get(row["clip"], {})]

    return {
        "clips": len(untouched),
        **{
            tool: {row["clip"]: names for row in untouched if (names := false(row, tool))}
            for tool in ("ours", "takecheck")
        },
        "of_ours_alone": {row["clip"]: more for row in untouched if (more := sorted({*row["ours"]} - {*SHARED}))},
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, metavar="DIR", required=True)
    parser.add_argument("--takecheck", type=Path, metavar="PROGRAM", required=True)
    parser.add_argument("--tuned", action="store_true", help="measure the other clips instead; record nothing")
    parser.add_argument("--kind", choices=FAULTS, action="append", help="with --tuned: plant these alone")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the planted clips here for the next time")
    options = parser.parse_args()
    with workplace() as folder:
        place = options.keep or folder
        place.mkdir(exist_ok=True)
        planted, untouched = measure(options, place)
    figures: dict[str, Any] = {
        "found": counts(planted),
        "takecheck_has": list(THEIR_CHECKS),
        "found_by_takecheck_alone": [row for row in planted if row["takecheck"] and not row["ours"]],
        "false_alarms": false_alarms(untouched),
        "genuine": GENUINE,
        "untouched": untouched,
        "planted": planted,
    }
    if options.tuned:
        print(json.dumps({**figures, "planted": [row for row in planted if not row["ours"]]}, indent=1))
    else:
        record("quality", "python -m benchmarks.quality --media DIR --takecheck PROGRAM", figures)


if __name__ == "__main__":
    main()
