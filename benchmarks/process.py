"""Whole processes: start-up, the first run ever, an unchanged second run, `--help`, and memory by length."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import POSTPIPE, alternate, footage, least, record, spend, workplace

FAST = ["--deliver-preset", "ultrafast"]


def start_up(folder: Path, runs: int) -> dict[str, Any]:
    """Return CPU seconds of a whole run on a one-second clip: with an empty kernel cache, and with a warm one."""
    takes = folder / "one"
    takes.mkdir()
    footage(takes / "scene01_take01.mp4", 1, width=640, height=360)
    cold = spend(
        [*POSTPIPE, "run", takes, "-o", folder / "cold", *FAST], env={"POSTPIPE_CACHE_DIR": str(folder / "cache")}
    )
    env = {"POSTPIPE_CACHE_DIR": str(folder / "cache")}  # no other version prunes it
    warm = [spend([*POSTPIPE, "run", takes, "-o", folder / f"warm{n}", *FAST], env=env) for n in range(runs + 1)]
    inspect = [spend([*POSTPIPE, "inspect", takes / "scene01_take01.mp4"], env=env) for n in range(runs)]
    return {
        "first_run_ever_cpu_seconds": round(cold.cpu_seconds, 2),
        "run_on_1_s_clip_cpu_seconds": round(least(warm[1:]), 3),
        "inspect_1_s_clip_cpu_seconds": round(least(inspect), 3),
    }


def second_run(folder: Path, runs: int) -> dict[str, Any]:
    """Return an unchanged second run's CPU as a share of the first, over a few minutes of 1080p."""
    takes = folder / "takes"
    takes.mkdir()
    for scene in range(3):
        footage(takes / f"scene{scene + 1:02d}_take01.mp4", 20)
    first = spend([*POSTPIPE, "run", takes, "-o", folder / "out", *FAST])
    again = [spend([*POSTPIPE, "run", takes, "-o", folder / "out", *FAST]) for _ in range(runs)]
    return {
        "first_run_cpu_seconds": round(first.cpu_seconds, 2),
        "second_run_cpu_seconds": round(least(again), 3),
        "share": round(least(again) / first.cpu_seconds, 4),
    }


def help_page(runs: int) -> dict[str, Any]:
    """Return the CPU of `postpipe --help` against an empty Python program."""
    spent = alternate({"help": [*POSTPIPE, "--help"], "pass": [sys.executable, "-c", "pass"]}, runs)
    return {"ratio": round(least(spent["help"]) / least(spent["pass"]), 2)}


def memory(folder: Path, seconds: tuple[int, int]) -> dict[str, Any]:
    """Return the peak memory of a run on a short and on a long 1080p clip."""
    peaks = {}
    for length in seconds:
        takes = folder / f"takes{length}"
        takes.mkdir()
        footage(takes / "scene01_take01.mp4", length)
        spent = spend([*POSTPIPE, "run", takes, "-o", folder / f"out{length}", *FAST])
        assert spent.exit_code == 0
        peaks[length] = round(spent.peak_mb, 1)
    short, long = seconds
    return {"peak_mb": {f"{s} s": peak for s, peak in peaks.items()}, "ratio": round(peaks[long] / peaks[short], 3)}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--memory-seconds", type=int, nargs=2, default=(10, 600))
    options = parser.parse_args()
    with workplace() as folder:
        figures = {
            "start_up": start_up(folder, options.runs),
            "second_run": second_run(folder, options.runs),
            "help_against_python_c_pass": help_page(options.runs * 2),
            "memory": memory(folder, tuple(options.memory_seconds)),
        }
    record("process", "python -m benchmarks.process", figures)


if __name__ == "__main__":
    main()
