"""Flicker against known truth: faults of fixed seeds over clean clips, found and taken out, and peers on the same.

`python -m benchmarks.flicker --media DIR` measures on the clips of `HELD_OUT`; nothing in the product was tuned on
them. `--tuned` takes those that the method was developed on instead, and records nothing.
"""

from __future__ import annotations

import argparse
import statistics
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import faults, flicker_peers
from benchmarks.common import record, workplace
from benchmarks.faults import Footage
from benchmarks.flicker_measures import auc, flickers, psnr, tiles_of
from postpipe.engine.passes import Watcher
from postpipe.engine.points import apply_point
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.media.write import PictureWriter
from postpipe.model import PIXEL_FORMATS, Frame
from postpipe.stages.deflicker import Deflicker
from postpipe.stages.flicker import FLOORS, Flicker, measure
from postpipe.stages.flicker_track import FlickerTrack, FollowExposure

TUNED = (
    ("takes/sora_standard.mp4", 40, 72), ("takes/sora_standard.mp4", 160, 72), ("takes/cogvideo_1.mp4", 0, 49),
    ("takes/cogvideo_kitten.mp4", 0, 49), ("talking/example.avi", 0, 72), ("talking/WDA_BobMenendez_000.mp4", 0, 72),
    ("talking/WDA_AlexandriaOcasioCortez_000.mp4", 60, 72), ("talking/retalking_1.mp4", 20, 72),
    ("talking/demo1_video.mp4", 0, 72), ("talking/pwij3p.mpg", 0, 75), ("talking/lwbsza.mpg", 0, 75),
    ("talking/brbk7n.mpg", 0, 75), ("talking/lp_d6.mp4", 30, 72), ("talking/lp_d20.mp4", 40, 72),
    ("talking/3qesirWAGt4_20000_30000.mp4", 30, 72), ("talking/3qesirWAGt4_20000_30000.mp4", 180, 72),
    ("clean/bikes.mp4", 77, 60), ("clean/bikes.mp4", 188, 54), ("clean/carphone_pristine.mp4", 0, 72),
    ("odd/issue-134-rotate.mp4", 92, 72),
)  # fmt: skip
"""Clip, first frame, frames: what the method was developed on."""

HELD_OUT = (
    ("takes/pika_share.mp4", 0, 72), ("takes/cogvideo_2.mp4", 0, 49), ("takes/origin_video_0.mp4", 30, 72),
    ("takes/origin_video_0.mp4", 150, 72), ("talking/WDA_EdMarkey0_000.mp4", 0, 72),
    ("talking/WDA_KatieHill_000.mp4", 50, 72), ("talking/retalking_2.mp4", 10, 72), ("talking/retalking_4.mp4", 60, 72),
    ("talking/sbwe5n.mpg", 0, 75), ("talking/bbaf2n.mpg", 0, 75), ("talking/lrwp9a.mpg", 0, 75),
    ("talking/lp_d11.mp4", 20, 72), ("talking/lp_d11.mp4", 120, 72), ("talking/lp_d14.mp4", 100, 72),
    ("c2pa/video1.mp4", 0, 60), ("c2pa/PTS_TRUSTED_sony_official_cawg_wdr.mp4", 0, 72),
    ("clean/bigbuckbunny.mp4", 0, 66), ("clean/bigbuckbunny.mp4", 66, 66), ("clean/testvideo.mp4", 60, 72),
    ("clean/testvideo.mp4", 245, 72), ("odd/video_with_failing_audio.mp4", 0, 72),
    ("odd/video_with_failing_audio.mp4", 110, 72),
)  # fmt: skip
"""Other clips, on which nothing was tuned: no threshold, no constant."""

COLUMNS = (("gain", 0.02), ("gamma", 0.03), ("temperature", 0.02), ("local", 0.04))
"""Faults that are taken out, with amplitudes."""

FOUND = (("gain", 0.005), ("gain", 0.01), ("gain", 0.02), ("temperature", 0.02), ("local", 0.02), ("local", 0.04))
NEGATIVE = (("none", 0.0), ("pan", 0.0), ("light", 0.25), ("fade", 1.0))

# Footage


def read(path: Path, first: int, frames: int) -> Footage:
    """Return some frames of a clip as the product reads them."""
    clip = probe(path, "")
    planes: list[list[NDArray[np.uint8]]] = [[], [], []]
    with PictureReader(clip) as reader:
        for frame in reader.frames():
            if frame.index >= first + frames:
                break
            if frame.index >= first:
                for kept, plane in zip(planes, frame.planes, strict=True):
                    kept.append(np.array(plane, np.uint8))
    y, cb, cr = (np.stack(kept) for kept in planes)
    return Footage((y, cb, cr), float(clip.picture.rate), clip.picture.colour)


def frames_of(footage: Footage) -> Iterator[Frame]:
    """Yield the frames of footage as the passes see them."""
    y, cb, cr = footage.planes
    for n in range(len(y)):
        yield Frame(n, n / Fraction(footage.rate), (y[n], cb[n], cr[n]), PIXEL_FORMATS["yuv420p"], footage.colour)


def watched(footage: Footage, clip: Any) -> FlickerTrack:
    """Return the track that the look pass makes."""
    watcher = Watcher([FollowExposure()], clip)
    for frame in frames_of(footage):
        watcher.step(frame)
    (track,) = watcher.finish()
    assert isinstance(track, FlickerTrack)
    return track


def clip_like(footage: Footage) -> Any:
    """Return what an analyser asks of a clip."""
    from types import SimpleNamespace

    height, width = footage.planes[0].shape[1:]
    layout = PIXEL_FORMATS["yuv420p"]
    return SimpleNamespace(
        picture=SimpleNamespace(width=width, height=height, pixel_format=layout, colour=footage.colour)
    )


def found(footage: Footage) -> Flicker:
    """Return what the product finds."""
    frames = len(footage.planes[0])
    return measure(watched(footage, clip_like(footage)), footage.rate, [(0, frames - 1)])


def ours(footage: Footage) -> Footage:
    """Return the footage as it is handed to the encoder, at `mode = "auto"`."""
    bound = Deflicker().bind(found(footage))
    if bound is None:
        return footage
    out = tuple(plane.copy() for plane in footage.planes)
    for frame in frames_of(footage):
        params = bound.at(frame)
        if params is not None:
            for target, plane in zip(out, apply_point(frame, params).planes, strict=True):
                target[frame.index] = plane
    return Footage((out[0], out[1], out[2]), footage.rate, footage.colour)


METHODS: dict[str, Callable[[Footage], Footage]] = {
    "none": lambda footage: footage,
    "ffmpeg deflicker": flicker_peers.through("deflicker"),
    "ffmpeg tmidequalizer": flicker_peers.through("tmidequalizer"),
    "ffmpeg photosensitivity": flicker_peers.through("photosensitivity"),
    "mean-luma gain": flicker_peers.mean_luma,
    "postpipe": ours,
}


# The run


def seed_of(*parts: object) -> int:
    """Return a seed that is the same on every machine."""
    return zlib.crc32("|".join(map(str, parts)).encode())


def segment_figures(segment: tuple[str, int, int], clean: Footage) -> dict[str, Any]:
    """Return all figures of one segment."""

    def faulty(kind: str, amplitude: float) -> tuple[Footage, faults.Fault | None]:
        if kind == "none":
            return clean, None
        if kind == "pan":
            return faults.pan(clean), None
        fault = faults.make(kind, amplitude, clean, seed_of(*segment, kind, amplitude))
        return faults.spoil(clean, fault), fault

    figures: dict[str, Any] = {"segment": list(segment), "residual": {}, "score": {}, "clean_psnr": {}}
    for name, method in METHODS.items():
        figures["clean_psnr"][name] = round(psnr(method(clean), clean), 2)
    for kind, amplitude in COLUMNS:
        spoilt, _ = faulty(kind, amplitude)
        base = flickers(spoilt, clean, kind)
        figures["residual"][kind] = {
            name: round(flickers(method(spoilt), clean, kind) / base, 4) for name, method in METHODS.items()
        }
    for kind, amplitude in (*NEGATIVE, *FOUND):
        spoilt, _ = faulty(kind, amplitude)
        result = found(spoilt)
        figures["score"][f"{kind} {amplitude}"] = {
            **{name: round(result.percent(name), 4) for name in FLOORS},
            "flashes": list(result.flashes),
            "vbench": round(flicker_peers.vbench(spoilt), 4),
            "mean_luma": round(flicker_peers.mean_luma_reversal(spoilt), 4),
        }
    spoilt, fault = faulty("sine", 0.02)
    assert fault is not None
    figures["hz"] = {"true": round(fault.truth["hz"], 3), "found": found(spoilt).hz}
    spoilt, fault = faulty("flash", 0.10)
    assert fault is not None
    figures["flash"] = {"true": fault.truth["frame"], "found": list(found(spoilt).flashes)}
    for kind in ("light", "light_gain"):
        spoilt, fault = faulty(kind, 0.25)
        assert fault is not None
        kept = np.median(tiles_of(ours(spoilt), kind) - tiles_of(clean, kind), axis=(1, 2, 3))
        wanted = np.log(fault.truth["light"])
        wanted, kept = wanted - wanted.mean(), kept - kept.mean()
        figures.setdefault("light_kept", {})[kind] = round(float(kept @ wanted / (wanted @ wanted)), 4)
    return figures


def through_encoder(footage: Footage, path: Path) -> Footage:
    """Return the footage after x264 at the product's defaults."""
    rate = Fraction(footage.rate).limit_denominator(1001)
    height, width = footage.planes[0].shape[1:]
    with PictureWriter(
        path, width=width, height=height, rate=rate, pixel_format=PIXEL_FORMATS["yuv420p"], colour=footage.colour,
        options={"preset": "medium", "crf": "16"}, threads=2,
    ) as writer:  # fmt: skip
        for frame in frames_of(footage):
            writer.write(frame)
    return read(path, 0, len(footage.planes[0]))


def after_encoder(segment: tuple[str, int, int], clean: Footage) -> dict[str, float] | None:
    """Return the residual of a gain of 2 %, measured on decoded files; `None` for sizes that x264 refuses."""
    if any(length % 2 for length in clean.planes[0].shape[1:]):
        return None
    spoilt = faults.spoil(clean, faults.make("gain", 0.02, clean, seed_of(*segment, "gain", 0.02)))
    with workplace() as folder:
        reference, before, after = (
            through_encoder(one, folder / f"{n}.mp4") for n, one in enumerate((clean, spoilt, ours(spoilt)))
        )
    base = flickers(before, reference, "gain")
    return {"none": 1.0, "postpipe": round(flickers(after, reference, "gain") / base, 4)}


def detection(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return AUCs and recalls over all segments."""

    def scores(which: tuple[tuple[str, float], ...], name: str) -> list[float]:
        return [row["score"][f"{kind} {amplitude}"][name] for row in rows for kind, amplitude in which]

    def recall(kind: str, amplitude: float, name: str) -> dict[str, float]:
        negative, positive = scores(NEGATIVE, name), scores(((kind, amplitude),), name)
        limit = float(np.quantile(negative, 0.95, method="higher"))
        return {
            "at_5_percent_false": round(float(np.mean(np.array(positive) > limit)), 3),
            "at_the_product_s_floor": round(float(np.mean(np.array(positive) >= FLOORS[name])), 3),
            "false_at_that_floor": round(float(np.mean(np.array(negative) >= FLOORS[name])), 3),
        }

    kinds = {"gain": "exposure", "temperature": "colour", "local": "local"}
    off = [abs((row["hz"]["found"] or 99) - row["hz"]["true"]) for row in rows]
    return {
        "auc_gain": {
            f"{100 * amplitude:g} %": {
                method: round(auc(scores(((kind, amplitude),), name), scores(NEGATIVE, name)), 4)
                for method, name in (("postpipe", "exposure"), ("VBench", "vbench"), ("mean luma", "mean_luma"))
            }
            for kind, amplitude in FOUND
            if kind == "gain"
        },
        "recall": {f"{kind} {100 * amplitude:g} %": recall(kind, amplitude, kinds[kind]) for kind, amplitude in FOUND},
        "flash_10_percent": {
            "recall": round(float(np.mean([row["flash"]["true"] in row["flash"]["found"] for row in rows])), 3),
            "false_in_negatives": sum(len(flashes) > 0 for flashes in scores(NEGATIVE, "flashes")),  # type: ignore[arg-type]
        },
        "hz": {
            "within_0.25": round(float(np.mean(np.array(off) <= 0.25)), 3),
            "within_0.5": round(float(np.mean(np.array(off) <= 0.5)), 3),
        },
    }


def measured(media: Path, numbered: tuple[int, tuple[str, int, int]]) -> dict[str, Any]:
    """Return all figures of one segment; of every eighth, after the encoder too."""
    number, segment = numbered
    clean = read(media / segment[0], *segment[1:])
    row = segment_figures(segment, clean)
    if number % 8 == 0:
        row["after_encoder"] = after_encoder(segment, clean)
    residuals = {kind: row["residual"][kind]["postpipe"] for kind, _ in COLUMNS}
    print(segment, residuals, row["clean_psnr"]["postpipe"], flush=True)
    return row


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, required=True, metavar="DIR")
    parser.add_argument("--tuned", action="store_true", help="the clips of development; nothing is recorded")
    parser.add_argument("--segments", type=int, help="only the first so many; nothing is recorded")
    parser.add_argument("--jobs", type=int, default=2, help="segments at a time")
    options = parser.parse_args()
    segments = list(enumerate((TUNED if options.tuned else HELD_OUT)[: options.segments]))
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        rows = list(pool.map(measured, [options.media] * len(segments), segments))
    clean_ours = [row["clean_psnr"]["postpipe"] for row in rows]
    encoded = [row["after_encoder"]["postpipe"] for row in rows if row.get("after_encoder")]
    figures = {
        "held_out": [list(segment) for segment in HELD_OUT],
        "tuned_on": [list(segment) for segment in TUNED],
        "segments": len(rows),
        "amplitudes": dict(COLUMNS),
        "residual": {
            name: {kind: round(statistics.mean(row["residual"][kind][name] for row in rows), 3) for kind, _ in COLUMNS}
            for name in METHODS
        },
        "residual_median": {
            name: {
                kind: round(statistics.median(row["residual"][kind][name] for row in rows), 3) for kind, _ in COLUMNS
            }
            for name in METHODS
        },
        "clean_psnr": {
            name: {
                "mean": round(statistics.mean(row["clean_psnr"][name] for row in rows), 2),
                "least": min(row["clean_psnr"][name] for row in rows),
            }
            for name in METHODS
        },
        "clean_bit_exact": sum(value == 100 for value in clean_ours),
        "gain_after_the_encoder": round(statistics.mean(encoded), 3) if encoded else None,
        "light_kept": {
            kind: {
                "mean": round(statistics.mean(row["light_kept"][kind] for row in rows), 4),
                "least": min(row["light_kept"][kind] for row in rows),
            }
            for kind in ("light", "light_gain")
        },
        **detection(rows),
        "each": rows,
    }
    if options.tuned or options.segments:
        print({key: value for key, value in figures.items() if key not in ("held_out", "tuned_on", "each")})
    else:
        record("flicker", "python -m benchmarks.flicker --media DIR", figures)


if __name__ == "__main__":
    main()
