"""The look kernel against ffmpeg's lut3d on the same planes, alone and after flicker's correction."""

from __future__ import annotations

import argparse
import resource
import subprocess
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from postpipe_kernels.lut3d import Lut3d

from benchmarks.common import ffmpeg, footage, record, workplace
from postpipe.engine.points import apply_point, fuse
from postpipe.engine.stage import PointParams
from postpipe.handover.cube import write_cube
from postpipe.look import Cdl, Look
from postpipe.model import PIXEL_FORMATS, Frame
from postpipe.stages.conform import DELIVERY_COLOUR
from postpipe.stages.looks import baked, lattice_of

LOOK = Look(Cdl((1.1, 0.95, 1.02), (0.01, 0.0, -0.01), (1.1, 0.95, 1.0), 1.1))
WIDTH, HEIGHT = 1920, 1080
FRAMES = 48
KINDS = ("yuv420p", "yuv444p", "yuv420p10le")


def frames_of(raw: Path, kind: str) -> list[Frame]:
    """Return the frames of a file of raw planes; of 10 bits, the two that were not in the footage are noise."""
    layout = PIXEL_FORMATS[kind]
    samples = np.fromfile(raw, np.uint8 if layout.bits == 8 else np.uint16).reshape(FRAMES, -1)
    if layout.bits == 10:
        samples = (samples & 0x3FC) + np.random.default_rng(2).integers(0, 4, samples.shape, np.uint16)
        samples.tofile(raw)
    small = HEIGHT >> layout.chroma_shift_y, WIDTH >> layout.chroma_shift_x
    luma, chroma = HEIGHT * WIDTH, small[0] * small[1]
    frames = []
    for index, one in enumerate(samples):
        y, blue, red = np.split(one, [luma, luma + chroma])
        planes = y.reshape(HEIGHT, WIDTH), blue.reshape(small), red.reshape(small)
        frames.append(Frame(index, Fraction(index, 24), planes, layout, DELIVERY_COLOUR))
    return frames


def flicker_params(frame: Frame) -> PointParams:
    """Return a correction of exposure, colour and regions, as `deflicker` makes them."""
    levels = 1 << frame.pixel_format.bits
    chroma = np.array([0.98, 0.1, 1.02, -0.1])[:, None].repeat(levels, axis=1)
    gains = np.random.default_rng(frame.index).uniform(0.97, 1.03, (6, 8)).astype(np.float32)
    return PointParams(luma_curve=np.arange(levels) * 0.98, chroma_curve=chroma, mixture=(0.01, -0.01), grid=gains)


def kernel(clip: Path, folder: Path, turns: int) -> dict[str, Any]:
    """Return CPU per frame of the kernel and of ffmpeg's filter on the same planes, one thread each, in turns.

    `ours_ms`: frames of the second second, which the kernel has never seen. `learning_ms`: what those of the first
    second take more than that, all together. Of ffmpeg, what the same command takes without the filter is left out.
    """
    write_cube(folder / "look.cube", lattice_of(baked(LOOK, DELIVERY_COLOUR)), title="look")
    raw = folder / "planes.raw"
    found = {}
    for kind in KINDS:
        shape = ["-f", "rawvideo", "-s", f"{WIDTH}x{HEIGHT}", "-pix_fmt", kind]
        quiet = [ffmpeg(), "-y", "-v", "error", "-threads", "1", "-filter_threads", "1"]
        subprocess.run([*quiet, "-i", clip, "-frames:v", str(FRAMES), "-an", *shape, raw], check=True)
        frames = frames_of(raw, kind)
        learnt, frames = frames[: FRAMES // 2], frames[FRAMES // 2 :]
        flicker = [flicker_params(frame) for frame in (*learnt, *frames)]
        commands = {
            name: [*quiet, *shape, "-i", str(raw), *filters, "-pix_fmt", kind, "-f", "null", "-"]
            for name, filters in (("with", ["-vf", "lut3d=look.cube:interp=tetrahedral"]), ("without", []))
        }
        spent: dict[str, list[float]] = {}
        for _ in range(turns + 1):
            look, both = (
                PointParams(bits=frames[0].pixel_format.bits, lut=Lut3d(baked(LOOK, DELIVERY_COLOUR))) for _ in range(2)
            )
            ours = {
                "learning": (learnt, [[look] for _ in learnt]),
                "look": (frames, [[look] for _ in frames]),
                "flicker": (frames, [[params] for params in flicker[len(learnt) :]]),
                "learning both": (learnt, [[params, both] for params in flicker[: len(learnt)]]),
                "flicker and look": (frames, [[params, both] for params in flicker[len(learnt) :]]),
            }
            for name, work in ours.items():
                spent.setdefault(name, []).append(_thread_seconds(*work) / len(frames))
            for name, command in commands.items():
                spent.setdefault(name, []).append(_child_seconds(command, folder) / FRAMES)
        ms = {who: 1e3 * min(seconds[1:]) for who, seconds in spent.items()}  # the first turn compiles
        theirs = ms["with"] - ms["without"]
        found[kind] = {
            "ours_ms": round(ms["look"], 2),
            "ffmpeg_ms": round(theirs, 2),
            "ratio": round(theirs / ms["look"], 1),
            "learning_ms": round(len(learnt) * (ms["learning"] - ms["look"])),
            "flicker_ms": round(ms["flicker"], 2),
            "flicker_and_look_ms": round(ms["flicker and look"], 2),
        }
    return found


def _thread_seconds(frames: list[Frame], operations: list[list[PointParams]]) -> float:
    """Return CPU seconds of the point operations of each frame, as the render pass does them."""
    start = time.thread_time()
    for frame, params in zip(frames, operations, strict=True):
        (one,) = fuse(params)
        apply_point(frame, one)
    return time.thread_time() - start


def _child_seconds(command: list[Any], folder: Path) -> float:
    """Return user seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(command, check=True, cwd=folder)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    with workplace() as folder:
        clip = footage(folder / "scene01_take01.mp4", 4)
        figures = {"kernel_against_lut3d": kernel(clip, folder, options.turns)}
    record("colour_speed", "python -m benchmarks.colour_speed", figures)


if __name__ == "__main__":
    main()
