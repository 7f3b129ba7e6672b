"""What the benchmarks share: whole processes timed by the operating system, footage, results."""

from __future__ import annotations

import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from postpipe.media.join import join
from postpipe.media.write import PictureWriter
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
POSTPIPE = [sys.executable, "-m", "postpipe"]
BT709 = ColourSpec("bt709", "limited", "bt709", "bt709")


@dataclass(frozen=True)
class Spent:
    """What one process took: processor seconds (user + system, its children included), wall seconds, peak MB."""

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    exit_code: int


def spend(command: Sequence[object], *, env: dict[str, str] | None = None) -> Spent:
    """Run a command to its end, its output thrown away, and return what it took.

    Python may keep byte code, as an installed package has it, whatever the environment of the benchmark says.
    """
    import time

    start = time.monotonic()
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(env or {})},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Spent(usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024, process.returncode)


def alternate(commands: dict[str, Sequence[object]], runs: int) -> dict[str, list[Spent]]:
    """Run the commands in turn, A B A B …, so that a machine whose speed drifts treats them alike."""
    spent: dict[str, list[Spent]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            spent[name].append(spend(command))
    return spent


def least(spent: Sequence[Spent]) -> float:
    """Return the least processor seconds: noise only ever adds."""
    return min(one.cpu_seconds for one in spent)


def ffmpeg() -> str:
    """Return the ffmpeg program to measure against, or stop with a word."""
    path = shutil.which("ffmpeg")
    if path is None:
        sys.exit("this benchmark measures against the ffmpeg program: install it")
    return path


@contextmanager
def workplace() -> Iterator[Path]:
    """Give a folder for temporary files."""
    with tempfile.TemporaryDirectory(prefix="postpipe-bench-") as folder:
        yield Path(folder)


def footage(path: Path, seconds: int, *, width: int = 1920, height: int = 1080) -> Path:
    """Write H.264 footage at 24 fps: a sample take enlarged, with grain, repeated without encoding again.

    In a process of its own: what a process is measured at starts with the size of the one that started it.
    """
    call = f"from benchmarks.common import write_footage; write_footage({str(path)!r}, {seconds}, {width}, {height})"
    subprocess.run([sys.executable, "-c", call], check=True, cwd=ROOT)
    return path


def write_footage(path: str, seconds: int, width: int, height: int) -> None:
    """Write what `footage` describes."""
    length = min(seconds, 2)  # of what is encoded
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / "unit.mp4"
        _write_unit(unit, width, height, 24 * length)
        join([unit] * (seconds // length), None, Path(path), rate=Fraction(24))


def _write_unit(path: Path, width: int, height: int, frames: int) -> None:
    takes = sorted((ROOT / "sample_media").glob("scene01_take01*"))
    random = np.random.default_rng(1)
    grain = random.normal(0, 2.0, (height + 64, width + 64))
    pixel_format = PIXEL_FORMATS["yuv420p"]
    with (
        av.open(str(takes[0])) as source,
        PictureWriter(
            path,
            width=width,
            height=height,
            rate=Fraction(24),
            pixel_format=pixel_format,
            colour=BT709,
            options={"preset": "medium", "crf": "20"},
            threads=2,
        ) as writer,
    ):
        for index, native in enumerate(itertools.islice(source.decode(video=0), frames)):
            large = native.reformat(width, height, "yuv420p").to_ndarray()
            planes = [large[:height], *large[height:].reshape(2, height // 2, width // 2)]
            x, y = random.integers(0, 64, 2)
            noisy = planes[0] + grain[y : y + height, x : x + width]
            planes[0] = np.clip(noisy, 16, 235).astype(np.uint8)
            y_plane, cb, cr = planes
            writer.write(Frame(index, Fraction(index, 24), (y_plane, cb, cr), pixel_format, BT709))


def machine() -> dict[str, Any]:
    """Return what the figures were made on."""
    name = platform.processor() or platform.machine()
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        lines = listing.read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return {"processor": name, "cores": os.cpu_count(), "python": platform.python_version(), "av": av.__version__}


def record(name: str, command: str, figures: dict[str, Any]) -> None:
    """Print the figures and keep them in `results/NAME.json`."""
    document = {"command": command, "machine": machine(), **figures}
    text = json.dumps(document, indent=2)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(text)
