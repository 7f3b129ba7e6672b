"""What lip sync costs in the look pass: processor time beyond a bare decode of 1080p H.264 with a face.

python -m benchmarks.lipsync_cost [--mesh]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, ffmpeg, least, record, spend, workplace
from postpipe.engine.passes import look
from postpipe.engine.stage import Analyser
from postpipe.media.probe import probe
from postpipe.stages.lipsync_tracks import ListenForSpeech, WatchMouths, mesh_digest

TALKING = ROOT / "sample_media" / "scene04_take01.mp4"


def enlarge(path: Path, repeat: int) -> Path:
    """Write the sample take that speaks at 1080p, with grain, so often one after the other."""
    command = [ffmpeg(), "-v", "error", "-stream_loop", repeat - 1, "-i", TALKING]
    command += ["-vf", "scale=1920:1080:flags=bicubic,noise=alls=6:allf=t", "-c:v", "libx264", "-preset", "veryfast"]
    subprocess.run([*map(str, command), "-crf", "20", "-c:a", "aac", str(path)], check=True)
    return path


def cpu_seconds(path: Path, analysers: Sequence[Analyser[Any, Any]]) -> float:
    """Return the processor time of a look at a clip by some analysers, or of a decode alone."""
    clip = probe(path, "")
    start = time.process_time()
    look(clip, analysers, threads=1, on_frame=lambda done: None)
    return time.process_time() - start


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=3, help="times 8 s of footage")
    parser.add_argument("--mesh", action="store_true", help="with the face mesh that postpipe models add has kept")
    options = parser.parse_args()
    mesh = mesh_digest() if options.mesh else ""
    ours = WatchMouths(mesh), ListenForSpeech(mesh)
    with workplace() as folder:
        path = enlarge(folder / "talking.mp4", options.repeat)
        cpu_seconds(path, ours)  # imports, caches
        bare, full, theirs = [], [], []
        for _ in range(options.runs):
            bare.append(cpu_seconds(path, ()))
            full.append(cpu_seconds(path, ours))
            theirs.append(spend([ffmpeg(), "-v", "error", "-threads", 1, "-i", path, "-an", "-f", "null", "-"]))
    extra = min(full) - min(bare)
    record(
        "lipsync_mesh_cost" if mesh else "lipsync_cost",
        "python -m benchmarks.lipsync_cost" + (" --mesh" if mesh else ""),
        {
            "what": "processor time of faces, lips and sound tracks beyond a decode, 1080p H.264 with one face",
            "frames": 192 * options.repeat,
            "ratio_to_ffmpeg": round(extra / least(theirs), 3),
            "ratio_to_our_decode": round(extra / min(bare), 3),
            "cpu_seconds": {
                "decode": [round(one, 3) for one in bare],
                "decode_and_lip_sync": [round(one, 3) for one in full],
                "ffmpeg": [round(one.cpu_seconds, 3) for one in theirs],
            },
        },
    )


if __name__ == "__main__":
    sys.exit(main())
