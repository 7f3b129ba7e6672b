"""What an editing program gets: timelines rendered by melt against the film, looks applied by ffmpeg.

The timeline has trims, dissolves, fades and handles, of sample takes. The looks are those that postpipe finds itself
between a sample take and copies of it that ffmpeg graded. `lut3d` of ffmpeg reads 16-bit R'G'B'; the way between that
and YCbCr is worked out here in floating point, for every pixel of 4:2:0 with the chroma of its 2×2 block. Colours
outside R'G'B', which a table cannot hold, are left out.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from postpipe_kernels.transform import from_rgb, only, to_rgb

from benchmarks.common import POSTPIPE, ROOT, ffmpeg, least, record, spend, workplace

SETTINGS = """
[sequence]
dissolve_seconds = 0.5
fade_in_seconds = 0.25
fade_out_seconds = 0.5
handle_seconds = 0.5

[edit.scene02]
in = "12f"
out = "60f"
"""
GRADES = {
    "scene01_take02": ["eq=brightness=0.06:contrast=1.08", "eq=saturation=1.25:gamma_r=1.08:gamma_b=0.94"],
    "scene02_take01": ["eq=brightness=-0.05:saturation=0.85", "eq=gamma=1.12:gamma_g=0.97"],
}
Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def frames(path: Path) -> Iterator[Planes]:
    """Yield the planes of each frame, as 8-bit 4:2:0."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            rows = frame.to_ndarray() if frame.format.name == "yuv420p" else frame.to_ndarray(format="yuv420p")
            height = frame.height
            blue, red = rows[height:].reshape(2, height // 2, -1)
            yield rows[:height], blue, red


def run(takes: Path, out: Path, *options: str) -> dict[str, Any]:
    """Run postpipe; return its account."""
    command = [*POSTPIPE, "run", takes, "-o", out, "--json", *options]
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def decibels(one: Planes, other: Planes) -> tuple[float, float]:
    """Return a frame's PSNR, and its summed squared error."""
    error = float(sum(((a.astype(float) - b) ** 2).sum() for a, b in zip(one, other, strict=True)))
    return 10 * float(np.log10(255**2 / max(error / sum(a.size for a in one), 1e-9))), error


def rendered_by_melt(takes: Path, folder: Path) -> dict[str, Any]:
    """Compare what melt renders of `timeline.mlt` with `sequence.mp4`, frame by frame."""
    melt = shutil.which("melt")
    if melt is None:
        sys.exit("this benchmark renders with the program melt: install it")
    figures = {}
    for name, options in {"lossless": ["--deliver-video-codec", "lossless"], "h264, crf 16": []}.items():
        out = folder / name.partition(",")[0]
        run(takes, out, "--store", str(folder / "store"), *options)
        film = folder / "melt.mkv"
        command = [melt, str(out / "timeline.mlt"), "-quiet", "-consumer", f"avformat:{film}", "vcodec=ffv1"]
        subprocess.run([*command, "pix_fmt=yuv420p", "an=1", "real_time=-1"], check=True, capture_output=True)
        pairs = zip(frames(film), frames(out / "sequence.mp4"), strict=True)  # as many on both sides, or an error
        found = [decibels(one, other) for one, other in pairs]
        size = sum(plane.size for plane in next(frames(film)))
        total = sum(error for _, error in found) / (len(found) * size)
        figures[name] = {
            "frames": len(found),
            "whole_film_db": round(float(10 * np.log10(255**2 / total)), 1),
            "least_frame_db": round(min(value for value, _ in found), 1),
            "median_frame_db": round(float(np.median([value for value, _ in found])), 1),
        }
    return figures


def looks_by_ffmpeg(folder: Path) -> dict[str, Any]:
    """Compare delivered pictures with the ungraded ones after ffmpeg read their tables."""
    transform = only(None, None, None, None, "bt709", "limited")
    into, back = to_rgb(transform, 8), from_rgb(transform, 8)
    counts = np.zeros((2, 256), np.int64)
    without = np.zeros(256, np.int64)
    outside = total = matched = 0
    worst = [0, 0]
    for hero, grades in GRADES.items():
        takes, out = folder / hero, folder / f"{hero}-out"
        takes.mkdir()
        shutil.copy(ROOT / "sample_media" / f"{hero}.mp4", takes / "scene01.mp4")
        for number, grade in enumerate(grades, start=2):
            command = [ffmpeg(), "-v", "error", "-i", takes / "scene01.mp4", "-vf", grade, "-c:a", "copy"]
            command += ["-crf", "12", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
            subprocess.run([*map(str, command), str(takes / f"scene{number:02d}.mp4")], check=True)
        options = ["--colour-hero", "scene01.mp4", "--handover-ungraded", "true", "--deliver-video-codec", "lossless"]
        document = run(takes, out, "--project-size", "640x360", *options)
        for take in document["takes"]:
            if take["look"] is None:
                continue
            matched += 1
            name = take["file"]
            found = np.zeros((2, 256), np.int64)
            pairs = zip(frames(out / "ungraded" / name), frames(out / "clips" / name), strict=True)
            for index, (bare, graded) in enumerate(pairs):
                if index % 12:
                    continue
                blue, red = (plane.repeat(2, axis=0).repeat(2, axis=1) for plane in bare[1:])
                rgb = np.stack([bare[0], blue, red], axis=-1) @ into[:, :3].T + into[:, 3]
                held = ((rgb >= 0) & (rgb <= 1)).all(axis=-1)
                theirs = through_ffmpeg(rgb.clip(0, 1), out / take["look"]["files"][0]) @ back[:, :3].T + back[:, 3]
                outside, total = outside + np.count_nonzero(~held), total + held.size
                luma = np.abs(np.floor(theirs[..., 0] + 0.5) - graded[0])[held].astype(np.int64)
                blocks = held.reshape(held.shape[0] // 2, 2, -1, 2).all(axis=(1, 3))
                chroma = theirs[..., 1:].reshape(blocks.shape[0], 2, -1, 2, 2).mean(axis=(1, 3))
                apart = np.abs(np.floor(chroma + 0.5) - np.stack(graded[1:], axis=-1))[blocks].astype(np.int64)
                found[0] += np.bincount(luma, minlength=256)
                found[1] += np.bincount(apart.ravel(), minlength=256)
                without += np.bincount(np.abs(bare[0].astype(np.int64) - graded[0])[held], minlength=256)
            counts += found
            worst = [max(w, percentile(row)) for w, row in zip(worst, found, strict=True)]
    return {
        "clips": matched,
        "outside_the_cube_percent": round(100 * outside / total, 2),
        "luma": {"p99": percentile(counts[0]), "p99_of_the_worst_clip": worst[0], "max": largest(counts[0])},
        "chroma": {"p99": percentile(counts[1]), "p99_of_the_worst_clip": worst[1], "max": largest(counts[1])},
        "luma_without_the_table_p99": percentile(without),
    }


def percentile(counts: NDArray[np.int64]) -> int:
    """Return the 99th percentile of differences counted by size."""
    return int(np.searchsorted(counts.cumsum(), 0.99 * counts.sum()))


def largest(counts: NDArray[np.int64]) -> int:
    """Return the largest difference."""
    return int(np.flatnonzero(counts).max())


def through_ffmpeg(rgb: NDArray[np.float64], cube: Path) -> NDArray[np.float64]:
    """Return R'G'B' through ffmpeg's lut3d, 16 bits in and out."""
    height, width = rgb.shape[:2]
    codes = np.floor(rgb * 65535 + 0.5).astype("<u2")
    command = [ffmpeg(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", f"{width}x{height}", "-i", "-"]
    command += ["-vf", f"lut3d={cube.name}:interp=tetrahedral", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-"]
    done = subprocess.run(command, input=codes.tobytes(), capture_output=True, check=True, cwd=cube.parent)
    return np.frombuffer(done.stdout, "<u2").reshape(rgb.shape) / 65535


def cost(takes: Path, folder: Path) -> dict[str, float]:
    """Return the processor seconds of an unchanged run with its timelines written again, and without timelines."""
    out = folder / "lossless"
    base = [*POSTPIPE, "run", takes, "-o", out, "--store", folder / "store", "--deliver-video-codec", "lossless"]
    spent: dict[str, list[Any]] = {"written": [], "stored": [], "off": []}
    for number in range(4):
        spent["written"].append(spend([*base, "--handover-name", f"Reel {number}"]))
        spent["stored"].append(spend([*base, "--handover-name", f"Reel {number}"]))
        spent["off"].append(spend([*base, "--handover-timelines", "false"]))
    return {name: round(least(runs), 3) for name, runs in spent.items()}


def main() -> None:
    """Measure and record."""
    with workplace() as folder:
        takes = folder / "takes"
        takes.mkdir()
        for name in ("scene01_take02", "scene02_take01", "scene03_take01"):
            shutil.copy(ROOT / "sample_media" / f"{name}.mp4", takes)
        (takes / "postpipe.toml").write_text(SETTINGS, encoding="utf-8")
        figures = {
            "melt": rendered_by_melt(takes, folder),
            "looks": looks_by_ffmpeg(folder),
            "unchanged_run_cpu_seconds": cost(takes, folder),
        }
    record("handover", "python -m benchmarks.handover", figures)


if __name__ == "__main__":
    main()
