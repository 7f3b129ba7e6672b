"""Upscaling: quality against known originals, speed against OpenCV and swscale, and a whole run to 4K.

Quality: luma of frames of `HELD_OUT` clips, which `benchmarks/upscale_bank.py` does not learn from, reduced to half
their size in three ways, enlarged again, and compared with what they were: SSIM (scikit-image, Gaussian windows) and
PSNR, means over the frames of a clip.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray
from postpipe_kernels import double, resize
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmarks.common import POSTPIPE, footage, record, spend, workplace
from benchmarks.upscale_bank import HOW, pictures, reduced

Picture = NDArray[np.uint8]
Enlarge = Callable[[Picture], Picture]

HELD_OUT = {
    "takes": ("pika_share.mp4", "origin_video_0.mp4"),
    "clean": ("bigbuckbunny.mp4", "testvideo.mp4"),
    "c2pa": ("PTS_TRUSTED_sony_official_cawg_wdr.mp4",),
    "odd": ("issue-134-rotate.mp4", "counter.mp4"),
}
FRAMES = 3
TURNS = 15
RUN_SECONDS = 30


def sharp(small: Picture) -> Picture:
    """Enlarge with the built-in `sharp`."""
    out = np.empty((2 * small.shape[0], 2 * small.shape[1]), np.uint8)
    double.double_plane(small, out, double.learnt_bank(), 8)
    return out


def lanczos(small: Picture) -> Picture:
    """Enlarge with the built-in `lanczos`."""
    rows, columns = small.shape
    out = np.empty((2 * rows, 2 * columns), np.uint8)
    resize.resample_plane(small, out, resize.taps(columns, 2 * columns), resize.taps(rows, 2 * rows), 8)
    return out


def opencv(small: Picture) -> Picture:
    """Enlarge with `cv2.resize`, Lanczos over 8x8."""
    return cv2.resize(small, None, fx=2, fy=2, interpolation=cv2.INTER_LANCZOS4).astype(np.uint8, copy=False)


def swscale(kind: Interpolation) -> Enlarge:
    """Enlarge with libswscale."""
    scaler = VideoReformatter()

    def enlarge(small: Picture) -> Picture:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(small), "gray")
        size = 2 * small.shape[1], 2 * small.shape[0]
        made = scaler.reformat(frame, *size, "gray", interpolation=kind, src_color_range=2, dst_color_range=2)
        plane = made.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        return rows[:, : plane.width].copy()

    return enlarge


PEERS: dict[str, Enlarge] = {
    "cv2 Lanczos4": opencv,
    "swscale lanczos": swscale(Interpolation.LANCZOS),
    "swscale bicubic": swscale(Interpolation.BICUBIC),
}
OURS: dict[str, Enlarge] = {"sharp": sharp, "lanczos": lanczos}


def quality(media: Path) -> dict[str, Any]:
    """Return means over clips by way of reducing and upscaler, and each clip's lead of `sharp` over the best peer."""
    rows: dict[str, dict[str, list[tuple[float, float]]]] = {how: {name: [] for name in PEERS | OURS} for how in HOW}
    leads: dict[str, dict[str, float]] = {how: {} for how in HOW}
    for folder, names in HELD_OUT.items():
        for clip in names:
            originals = list(pictures(media / folder / clip, FRAMES))
            for how in HOW:
                smalls = [reduced(original, how) for original in originals]
                for name, enlarge in (PEERS | OURS).items():
                    pairs = [(one, enlarge(small)) for one, small in zip(originals, smalls, strict=True)]
                    rows[how][name].append((float(np.mean([_ssim(*p) for p in pairs])), _psnr(pairs)))
                best = max(rows[how][name][-1][0] for name in PEERS)
                leads[how][clip] = round(rows[how]["sharp"][-1][0] - best, 5)
    means = {
        how: {
            name: dict(zip(("ssim", "psnr_db"), np.mean(found, axis=0).round(4).tolist(), strict=True))
            for name, found in table.items()
        }
        for how, table in rows.items()
    }
    return {"clips": len(leads[HOW[0]]), "mean": means, "sharp_over_the_best_peer_of_each_clip": leads}


def _ssim(one: Picture, other: Picture) -> float:
    return float(
        structural_similarity(one, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
    )


def _psnr(pairs: list[tuple[Picture, Picture]]) -> float:
    return float(np.mean([peak_signal_noise_ratio(one, other, data_range=255) for one, other in pairs]))


def speed() -> dict[str, float]:
    """Return milliseconds of one thread for a 4:2:0 frame from 1080p to 2160p, taken in turns; the least of each."""
    cv2.setNumThreads(1)
    random = np.random.default_rng(1)
    y, x = np.mgrid[:1080, :1920]
    waves = 128 + 80 * np.sin(x / 9) * np.cos(y / 7) + random.normal(0, 4, x.shape)
    luma = waves.clip(16, 235).astype(np.uint8)
    chroma = np.ascontiguousarray(luma[::2, ::2])
    frame = av.VideoFrame(1920, 1080, "yuv420p")
    for plane, values in zip(frame.planes, (luma, chroma, chroma), strict=True):
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width] = values
    scaler = VideoReformatter()

    planes = (luma, chroma, chroma)
    outs = [np.zeros((2 * plane.shape[0], 2 * plane.shape[1]), np.uint8) for plane in planes]
    taps = [[resize.taps(length, 2 * length) for length in plane.shape[::-1]] for plane in planes]
    bank = double.learnt_bank()

    def with_lanczos(first: int = 0) -> None:
        for plane, out, axes in list(zip(planes, outs, taps, strict=True))[first:]:
            resize.resample_plane(plane, out, *axes, 8)

    def with_sharp() -> None:
        double.double_plane(luma, outs[0], bank, 8)
        with_lanczos(1)

    def with_opencv() -> None:
        for plane, out in zip(planes, outs, strict=True):
            cv2.resize(plane, out.shape[::-1], dst=out, interpolation=cv2.INTER_LANCZOS4)

    def with_swscale() -> None:
        scaler.reformat(frame, 3840, 2160, "yuv420p", interpolation=Interpolation.LANCZOS, threads=1)

    calls: dict[str, Callable[[], Any]] = {
        "sharp": with_sharp,
        "lanczos": with_lanczos,
        "cv2 Lanczos4": with_opencv,
        "swscale lanczos": with_swscale,
    }
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(TURNS + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            best[name] = min(best[name], time.process_time() - start)
    return {name: round(seconds * 1e3, 2) for name, seconds in best.items()}


def whole_run(preset: str) -> dict[str, Any]:
    """Return the peak memory of a run from 1080p to 4K, and whether frames, length and sound came out exact."""
    with workplace() as folder:
        takes = folder / "takes"
        takes.mkdir()
        footage(takes / "scene01_take01.mp4", RUN_SECONDS)
        options = ["--upscale-scale", "2", "--deliver-preset", preset]
        spent = spend([*POSTPIPE, "run", takes, "-o", folder / "out", *options])
        document = json.loads((folder / "out" / "takes.json").read_text(encoding="utf-8"))
        sequence = document["sequence"]
        with av.open(str(folder / "out" / sequence["file"])) as film:
            stream = film.streams.video[0]
            size, frames = f"{stream.width}x{stream.height}", sum(1 for p in film.demux(stream) if p.size)
    return {
        "seconds": RUN_SECONDS,
        "size": size,
        "peak_mb": round(spent.peak_mb, 1),
        "cpu_seconds": round(spent.cpu_seconds, 1),
        "frames_missing": RUN_SECONDS * 24 - frames,
        "sound_samples_missing": RUN_SECONDS * 48000 - sequence["audio_samples"],
        "score": document["takes"][0]["fixes"][-1]["after"],
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, help="folder with the clips of HELD_OUT: quality, and speed")
    parser.add_argument("--run-preset", help="x264's preset for a whole run to 4K: memory, frames, sound")
    options = parser.parse_args()
    if options.media is not None:
        figures = {"held_out": HELD_OUT, "quality": quality(options.media), "frame_ms_1080p_to_2160p": speed()}
        record("upscale", "python -m benchmarks.upscale --media DIR", figures)
    if options.run_preset is not None:
        record(
            "upscale_run",
            f"python -m benchmarks.upscale --run-preset {options.run_preset}",
            whole_run(options.run_preset),
        )


if __name__ == "__main__":
    main()
