"""A whole run that takes out flicker and matches colours, against a bare decode and a bare transcode by ffmpeg."""

from __future__ import annotations

import argparse
import json
import subprocess
from typing import Any

from benchmarks.colour_speed import LOOK
from benchmarks.common import POSTPIPE, Spent, ffmpeg, footage, least, record, spend, workplace
from postpipe.handover.cube import write_cube
from postpipe.media.encoders import encoder_options
from postpipe.model import PIXEL_FORMATS
from postpipe.stages.conform import DELIVERY_COLOUR
from postpipe.stages.looks import baked, lattice_of

THREADS = "2"


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--preset", default="medium")
    options = parser.parse_args()
    bare = [ffmpeg(), "-v", "error", "-y", "-threads", THREADS]
    own = encoder_options("h264", PIXEL_FORMATS["yuv420p"], int(THREADS), {"preset": options.preset, "crf": "16"})
    x264 = ["-an", "-c:v", "libx264", "-threads", THREADS, *(w for k, v in own.items() for w in (f"-{k}", v))]
    spent: dict[str, list[Spent]] = {"ours": [], "decode": [], "transcode": []}
    with workplace() as folder:
        takes = folder / "takes"
        takes.mkdir()
        clip = footage(takes / "scene01_take01.mp4", options.seconds // 2)
        write_cube(folder / "look.cube", lattice_of(baked(LOOK, DELIVERY_COLOUR)), title="look")
        graded = [
            *bare,
            "-i",
            clip,
            "-vf",
            "lut3d=look.cube",
            "-pix_fmt",
            "yuv420p",
            *x264,
            takes / "scene02_take01.mp4",
        ]
        subprocess.run(graded, check=True, cwd=folder)
        for number in range(options.runs):
            settings = ["--only", "flicker,colour", "--flicker-mode", "on", "--deliver-preset", options.preset]
            out = folder / f"out{number}"
            spent["ours"].append(spend([*POSTPIPE, "run", takes, "-o", out, *settings]))
            # one by one: as a list, takes whose time bases differ lose frames
            for name, output in (("decode", ["-an", "-f", "null", "-"]), ("transcode", [*x264, folder / "bare.mp4"])):
                spent[name].append(_together([spend([*bare, "-i", take, *output]) for take in sorted(takes.iterdir())]))
        document: dict[str, Any] = json.loads((out / "takes.json").read_text())
    assert all(one.exit_code == 0 for each in spent.values() for one in each)
    seconds = {name: round(least(each), 2) for name, each in spent.items()}
    figures = {
        "seconds_of_footage": options.seconds,
        "preset": options.preset,
        "fixes_kept": {
            take["file"]: [fix["stage"] for fix in take["fixes"] if fix["kept"]] for take in document["takes"]
        },
        "frames": document["frames"],
        "cpu_seconds": seconds,
        "ratio": round(seconds["ours"] / (seconds["decode"] + seconds["transcode"]), 3),
        "peak_mb": round(max(one.peak_mb for one in spent["ours"]), 1),
    }
    record("colour_run", "python -m benchmarks.colour_run", figures)


def _together(each: list[Spent]) -> Spent:
    """Return what processes took one after the other."""
    return Spent(
        sum(one.cpu_seconds for one in each),
        sum(one.wall_seconds for one in each),
        max(one.peak_mb for one in each),
        max(one.exit_code for one in each),
    )


if __name__ == "__main__":
    main()
