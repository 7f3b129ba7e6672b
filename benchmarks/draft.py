"""A draft against the whole job: its processor time, its choices, and what it says of the job.

`python -m benchmarks.draft` measures the sample takes, and folders of real clips where `--media DIR` names some.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.common import POSTPIPE, ROOT, record, spend, workplace


def compare(takes: Path, folder: Path, runs: int, *options: str) -> dict[str, Any]:
    """Return what drafts and whole runs of one folder of takes took, in turns, and how true the estimate was."""
    drafts: list[float] = []
    wholes: list[float] = []
    said, got = [], []
    for _ in range(runs):
        for name, extra, spent in (("draft", ["--draft"], drafts), ("whole", [], wholes)):
            out = folder / name
            shutil.rmtree(out, ignore_errors=True)
            one = spend([*POSTPIPE, "run", takes, "-o", out, *extra, *options], env=own_cache(folder))
            assert one.exit_code in (0, 3), f"{takes}: exit code {one.exit_code}"
            spent.append(one.cpu_seconds)
        said.append(account(folder / "draft"))
        got.append(account(folder / "whole"))
    estimate, frames = said[-1]["draft"]["estimate"], got[-1]["frames"]
    chosen = [{t["scene"]: t["file"] for t in one["takes"] if t["selected"]} for one in (said[-1], got[-1])]
    size = (folder / "whole" / got[-1]["sequence"]["file"]).stat().st_size
    return {
        "takes": len(got[-1]["takes"]),
        "film_seconds": [said[-1]["sequence"]["seconds"], got[-1]["sequence"]["seconds"]],
        "cpu_seconds": {"draft": [round(s, 2) for s in drafts], "whole": [round(s, 2) for s in wholes]},
        "share": round(min(drafts) / min(wholes), 3),
        "same_choices": chosen[0] == chosen[1],
        "scenes": len(chosen[1]),
        "scenes_chosen_alike": sum(chosen[0].get(scene) == file for scene, file in chosen[1].items()),
        "estimate_of_actual": {
            "cpu_seconds": [
                round(one["draft"]["estimate"]["cpu_seconds"] / spent, 2)
                for one, spent in zip(said, wholes, strict=True)
            ],
            "sequence_bytes": round(estimate["sequence_bytes"] / size, 2),
            **{name: round(estimate[name] / frames[name], 3) for name in ("decoded_look", "decoded_render", "encoded")},
        },
    }


def own_cache(folder: Path) -> dict[str, str]:
    """Return the environment in which compiled kernels lie where no other version of the package prunes them."""
    return {"POSTPIPE_CACHE_DIR": str(folder / "cache")}


def account(out: Path) -> dict[str, Any]:
    """Return the account of a run."""
    document: dict[str, Any] = json.loads((out / "takes.json").read_text(encoding="utf-8"))
    return document


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--media", type=Path, help="a folder of folders of real clips")
    options = parser.parse_args()
    with workplace() as folder:
        compare(ROOT / "sample_media", folder, 1)  # compiles the kernels, and the byte code
        sample = compare(ROOT / "sample_media", folder, options.runs)
        account_ = account(folder / "draft")
        truth = json.loads((ROOT / "sample_media" / "truth.json").read_text(encoding="utf-8"))["best"]
        sample["chooses_the_best"] = {t["scene"]: t["file"] for t in account_["takes"] if t["selected"]} == truth
        figures = {"sample_media": sample}
        for name in ("takes", "clean") if options.media else ():
            figures[f"real clips, {name}/"] = compare(options.media / name, folder, 1)
    record("draft", "python -m benchmarks.draft" + (" --media DIR" if options.media else ""), {"folders": figures})


if __name__ == "__main__":
    main()
