"""Hidden marks: ours through a whole run and what platforms do to it, and dwtDct against the library that it is of.

`python -m benchmarks.watermark --media DIR --library DIR`, where `DIR/imwatermark` is the package of
`pip install --no-deps invisible-watermark` (its RivaGAN part is left out: it wants torch). `--vectors` writes vectors
for the tests instead. Clips: `clips()` of `material`, every other one of which is held out; strengths were
set by the rest (`--tuned` measures those and records nothing). A clip takes a minute or two of processor time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import watermark

from benchmarks.common import ROOT, record
from benchmarks.material import Material, clips, held_out, read, write
from postpipe import api
from postpipe.engine.passes import look
from postpipe.engine.stage import Look
from postpipe.errors import PostpipeError
from postpipe.marks import HiddenMarks
from postpipe.media.frames import allocate_like
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.stages.watermark import BoundMark
from postpipe.stages.watermark_detect import WatchHidden

VECTORS = ROOT / "tests" / "kernels" / "data" / "dwt_dct.npz"
SECONDS = 6
"""Of each clip; its two halves are two takes."""


class Copy(NamedTuple):
    """How a delivery is encoded once more: its size against that of the delivery, and options of x264."""

    size: Fraction
    options: dict[str, str]


FAST = {"preset": "veryfast"}
AFTERWARDS = {
    "crf 23": Copy(Fraction(1), FAST | {"crf": "23"}),
    "720p, crf 23": Copy(Fraction(2, 3), FAST | {"crf": "23"}),
    "web, 1080p, 8 Mb/s": Copy(Fraction(1), FAST | {"b": "8000000"}),
    "web, 720p, 2.5 Mb/s": Copy(Fraction(2, 3), FAST | {"b": "2500000"}),
    "web, 480p, 1 Mb/s": Copy(Fraction(4, 9), FAST | {"b": "1000000"}),
}
"""What is done to a delivery by those who publish it. Of the web: what platforms want uploads to be, and stream."""


def library(place: Path) -> tuple[Any, Any]:
    """Return the library's class for dwtDct and PyWavelets, without what wants torch."""
    for name in ("torch", "onnx", "onnxruntime"):
        sys.modules.setdefault(name, types.ModuleType(name))
    riva: Any = types.ModuleType("imwatermark.rivaGan")
    riva.RivaWatermark = object
    sys.modules["imwatermark.rivaGan"] = riva
    sys.path.insert(0, str(place))
    import pywt
    from imwatermark.maxDct import EmbedMaxDct

    return EmbedMaxDct, pywt


def write_vectors(place: Path) -> None:
    """Write planes, the bits hidden in them by the library, what came of it, and how many blocks it reads as 1."""
    embed, pywt = library(place)
    dice = np.random.default_rng(2024)
    arrays: dict[str, NDArray[Any]] = {}
    for case, (height, width, bits) in enumerate(((64, 72, 8), (67, 58, 11), (40, 96, 32))):
        plane = dice.integers(0, 256, (height, width)).astype(np.uint8)
        if case == 1:  # a smooth one: large averages, ties among them
            plane = np.clip(128 + 60 * np.sin(np.add.outer(np.arange(height), np.arange(width)) / 9), 0, 255).astype(
                np.uint8
            )
        message = dice.integers(0, 2, bits).astype(np.uint8)
        whole = slice(height // 4 * 4), slice(width // 4 * 4)
        writer = embed(message.tolist(), wmLen=bits)
        average, (across, down, both) = pywt.dwt2(plane[whole], "haar")
        writer.encode_frame(average, 36)
        marked = plane.copy()
        marked[whole] = pywt.idwt2((average, (down, across, both)), "haar")
        arrays |= {f"plane{case}": plane, f"bits{case}": message, f"marked{case}": marked}
        for name, picture in (("plane", plane), ("marked", marked)):
            scores = embed([], wmLen=bits).decode_frame(pywt.dwt2(picture[whole], "haar")[0], 36, [[] for _ in message])
            arrays[f"{name}_ones{case}"] = np.array([sum(score) for score in scores])
            arrays[f"{name}_blocks{case}"] = np.array([len(score) for score in scores])
    VECTORS.parent.mkdir(exist_ok=True)
    np.savez_compressed(VECTORS, **arrays)


def speed(place: Path) -> dict[str, Any]:
    """Return milliseconds of CPU of one thread for a 1080p frame, the library's and ours, from BGR to bits and back."""
    import cv2

    cv2.setNumThreads(1)
    embed, _ = library(place)
    picture = np.random.default_rng(3).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    picture = cv2.GaussianBlur(picture, (0, 0), 3)
    bits = np.random.default_rng(4).integers(0, 2, 48).astype(np.uint8)
    counts = np.zeros((2, 48), np.int64)

    def ours_write() -> None:
        yuv = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV)
        u = np.ascontiguousarray(yuv[:, :, 1])
        watermark.write_dwt_dct(u, bits, u)
        yuv[:, :, 1] = u
        cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR)

    def ours_read() -> None:
        u = np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV)[:, :, 1])
        watermark.read_dwt_dct(u, counts[0], counts[1])

    work = {
        "write": (lambda: embed(bits.tolist(), wmLen=48).encode(picture), ours_write),
        "read": (lambda: embed([], wmLen=48).decode(picture), ours_read),
    }
    figures = {}
    for name, (theirs, ours) in work.items():
        ours()
        best = [float("inf")] * 2
        for _ in range(5):
            for who, call in enumerate((theirs, ours)):
                start = time.thread_time()
                call()
                best[who] = min(best[who], time.thread_time() - start)
        figures[name] = {
            "library_ms": round(best[0] * 1e3, 2),
            "ours_ms": round(best[1] * 1e3, 2),
            "ratio": round(best[0] / best[1], 1),
        }
    return figures


def found(path: Path) -> HiddenMarks:
    """Return the hidden marks of a file."""
    clip = probe(path, "")
    (marks,), _ = look(clip, [WatchHidden()], threads=1, on_frame=lambda done: None)
    assert isinstance(marks, HiddenMarks)
    return marks


def payloads(path: Path) -> list[str]:
    """Return the payloads of ours that are read from a file."""
    return [mark.binding.value for mark in found(path).marks if mark.binding.algorithm.startswith("postpipe")]


def flickering(material: Material) -> tuple[Material, Material]:
    """Return two halves: one as it is, and one whose light flickers and whose colours are off."""
    middle = len(material.frames) // 2
    dice = np.random.default_rng(7)
    worse = []
    for luma, blue, red in material.frames[middle:]:
        gain = 1 + 0.06 * dice.standard_normal()
        worse.append(
            (
                np.clip((luma.astype(np.float32) - 16) * gain + 16, 0, 255).astype(np.uint8),
                np.clip(blue.astype(np.int16) + 6, 0, 255).astype(np.uint8),
                np.clip(red.astype(np.int16) - 5, 0, 255).astype(np.uint8),
            )
        )
    return (
        Material(material.frames[:middle], material.rate, None, material.full_range),
        Material(worse, material.rate, None, material.full_range),
    )


def whole_run(path: Path, folder: Path, payload: str) -> tuple[Path, list[str]]:
    """Deliver a clip in two takes at 1080p with all fixes and a payload; return the film, and the fixes kept."""
    takes, out = folder / "takes", folder / "out"
    takes.mkdir(parents=True)
    material = read(path, SECONDS)
    height, width = material.frames[0][0].shape
    for number, part in enumerate(flickering(material), 1):
        write(part, takes / f"scene{number:02d}_take01.mp4", crf=12)
    size = "1920x1080" if width >= height else "1080x1920"
    settings: dict[str, dict[str, Any]] = {
        "project": {"size": size},
        "colour": {"hero": "scene01_take01.mp4"},
        "deliver": {"crf": 18},
        "watermark": {"payload": payload},
    }
    account = api.run(takes, out, settings=settings)
    fixes = [fix["stage"] for take in account.takes() for fix in take["fixes"] if fix["kept"]]
    fixes += ["colour" for take in account.takes() if take["look"]]
    return out / "sequence.mp4", fixes


def again(film: Path, folder: Path) -> dict[str, Path]:
    """Encode a film once more in each of the ways of `AFTERWARDS`, from one decode."""
    copies = {name: folder / f"{number}.mp4" for number, name in enumerate(AFTERWARDS)}
    with ExitStack() as stack:
        source = stack.enter_context(av.open(str(film)))
        stream = source.streams.video[0]
        targets = []
        for name, (size, options) in AFTERWARDS.items():
            container = stack.enter_context(av.open(str(copies[name]), "w"))
            made = container.add_stream("libx264", rate=stream.average_rate, options=options)
            made.width, made.height = (int(length * size) // 2 * 2 for length in (stream.width, stream.height))
            made.pix_fmt = "yuv420p"
            targets.append((container, made))
        for number, frame in enumerate(source.decode(stream)):
            for container, made in targets:
                scaled = frame.reformat(made.width, made.height, interpolation="BICUBIC")
                scaled.pts, scaled.time_base = number, 1 / Fraction(stream.average_rate or 25)
                container.mux(made.encode(scaled))
        for container, made in targets:
            container.mux(made.encode(None))
    return copies


def psnr(film: Path, payload: bytes) -> float:
    """Return the PSNR of luma in dB that marking frames of a film leaves, of the worst of some."""
    worst = float("inf")
    with PictureReader(probe(film, "")) as reader:
        for frame in reader.frames():
            if frame.index % 24:
                continue
            (marked,) = BoundMark(payload).apply([frame], allocate_like)
            error = np.mean((frame.planes[0].astype(np.float64) - marked.planes[0]) ** 2)
            worst = min(worst, 10 * float(np.log10(255**2 / max(float(error), 1e-9))))
    return round(worst, 2)


def survive(media: Path, *, tuned: bool, most: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each clip: whether the payload was read after our run, and after what follows."""
    paths = list(clips(media))
    apart = held_out(paths)
    chosen = [(number, path) for number, path in enumerate(paths) if (path in apart) is not tuned]
    for number, path in chosen[:most]:
        with tempfile.TemporaryDirectory() as place:
            folder, payload = Path(place), f"clip-{number:02d}"
            film, fixes = whole_run(path, folder, payload)
            wanted = payload.encode().ljust(8, b"\0").hex()
            row: dict[str, Any] = {"clip": path.name, "fixes": fixes, "crf 18": payloads(film) == [wanted]}
            row["psnr_db"] = psnr(film, b"MEASURED")
            row |= {name: payloads(copy) == [wanted] for name, copy in again(film, folder).items()}
            yield row


def false_positives(media: Path) -> dict[str, Any]:
    """Return how many stretches of two seconds of unmarked clips were looked at, and those with a mark."""
    paths = [*clips(media)]
    for other in ("odd", "flicker", "c2pa"):
        paths += sorted(path for path in (media / other).iterdir() if path.suffix not in (".csv", ".pem", ".jpg"))
    segments, said = 0, []
    for path in paths:
        try:
            clip = probe(path, "")
            length = max(1, round(2 * clip.picture.rate))
            watch = WatchHidden()
            state = watch.start(clip)
            with PictureReader(clip) as reader:
                for frame in reader.frames():
                    watch.step(state, Look(frame))
                    if frame.index % length == length - 1:
                        segments += 1
                        said += [[path.name, mark.words] for mark in watch.finish(state).marks]
                        state = watch.start(clip)
        except PostpipeError:
            continue
    return {"segments": segments, "said": said}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, metavar="DIR")
    parser.add_argument("--library", type=Path, metavar="DIR", required=True)
    parser.add_argument("--clips", type=int, default=100, metavar="N", help="no more than the first N of them")
    parser.add_argument("--vectors", action="store_true", help="write the vectors of the tests, and nothing else")
    parser.add_argument("--tuned", action="store_true", help="measure the clips that strengths were set by")
    options = parser.parse_args()
    if options.vectors:
        write_vectors(options.library)
        return
    if options.media is None:
        parser.error("--media is needed")
    rows = []
    for row in survive(options.media, tuned=options.tuned, most=options.clips):
        rows.append(row)
        print(row, flush=True)
    if options.tuned:
        return
    figures = {"runs": rows, "unmarked": false_positives(options.media), "dwt_dct": speed(options.library)}
    record("watermark", "python -m benchmarks.watermark --media DIR --library DIR", figures)


if __name__ == "__main__":
    main()
