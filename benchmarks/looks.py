"""One look, three faces: the kernel against its `.cube` in ffmpeg and OpenColorIO, the CDL against it, and ramps.

Pictures are frames of the sample takes, chroma of each 2×2 block constant, before any encoding. The way between
YCbCr and R'G'B' is worked out here in floating point, so that `.cube` and kernel are all that is compared. Colours
outside the R'G'B' cube, which a `.cube` cannot hold, are counted and left out.
"""

from __future__ import annotations

import subprocess
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from postpipe_kernels import reference
from postpipe_kernels.lut3d import Lut3d, apply_lut
from postpipe_kernels.transform import from_rgb, to_rgb

from benchmarks.common import ROOT, ffmpeg, record
from postpipe.handover.cdl import write_cdl
from postpipe.handover.cube import write_cube
from postpipe.look import Cdl, Curves, Look
from postpipe.stages.conform import DELIVERY_COLOUR
from postpipe.stages.looks import baked, lattice_of

ocio: Any = import_module("PyOpenColorIO")
color: Any = import_module("skimage.color")

Reals = NDArray[np.float64]
CDLS = 24
CURVED = 8


def looks() -> dict[str, Look]:
    """Return random corrections as large as clips of one scene need, and contrast curves on top of some."""
    random = np.random.default_rng(20)
    found = {}
    for number in range(CDLS + CURVED):
        slope, power = (tuple(np.exp(random.normal(0.0, 0.12, 3)).tolist()) for _ in range(2))
        offset = tuple(random.normal(0.0, 0.02, 3).tolist())
        cdl = Cdl(slope, offset, power, float(np.exp(random.normal(0.0, 0.15))))
        knots = np.linspace(0.0, 1.0, 7)
        strength = random.uniform(-0.05, 0.05)
        contrast = tuple((knots - strength * np.sin(2 * np.pi * knots)).clip(0, 1).tolist())
        curved = number >= CDLS
        curves = Curves(tuple(knots.tolist()), (contrast,) * 3) if curved else None
        found[f"{'curve' if curved else 'cdl'} {number}"] = Look(cdl, curves)
    return found


def pictures() -> list[tuple[Any, Any, Any]]:
    """Return a frame of each sample take as 4:4:4 planes."""
    found = []
    for path in sorted((ROOT / "sample_media").glob("*.mp4")):
        with av.open(str(path)) as container:
            container.streams.video[0].thread_type = "AUTO"
            frames = container.decode(video=0)
            native = [frame for frame, _ in zip(frames, range(12), strict=False)][-1]
            wide = native.reformat(native.width // 2 * 2, native.height // 2 * 2, "yuv420p").to_ndarray()
        height = wide.shape[0] * 2 // 3
        blue, red = wide[height:].reshape(2, height // 2, -1).repeat(2, axis=1).repeat(2, axis=2)
        found.append(tuple(np.ascontiguousarray(plane) for plane in (wide[:height], blue, red)))
    return found


def through_ffmpeg(rgb: Reals, cube: Path) -> Reals:
    """Return R'G'B' through ffmpeg's lut3d, 16 bits in and out."""
    height, width = rgb.shape[:2]
    codes = np.floor(rgb * 65535 + 0.5).astype("<u2")
    command = [ffmpeg(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", f"{width}x{height}", "-i", "-"]
    command += ["-vf", f"lut3d={cube.name}:interp=tetrahedral", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-"]
    done = subprocess.run(command, input=codes.tobytes(), capture_output=True, check=True, cwd=cube.parent)
    return np.frombuffer(done.stdout, "<u2").reshape(rgb.shape) / 65535


def through_ocio(rgb: Reals, file: Path) -> Reals:
    """Return R'G'B' through a look file in OpenColorIO."""
    transform = ocio.FileTransform(str(file), interpolation=ocio.INTERP_TETRAHEDRAL)
    if file.suffix == ".cdl":
        transform = ocio.FileTransform(str(file), "look", ocio.INTERP_BEST)
        transform.setCDLStyle(ocio.CDL_ASC)
    colours = rgb.astype(np.float32).reshape(-1, 3).copy()
    ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor().applyRGB(colours)
    return colours.reshape(rgb.shape).astype(np.float64)


def percentile(counts: NDArray[np.int64], share: float) -> int:
    """Return the value below or at which this share of what was counted lies; `counts[value]`."""
    return int(np.searchsorted(counts.cumsum(), share * counts.sum()))


def faces(folder: Path) -> dict[str, Any]:
    """Compare the kernel with its `.cube`, and the `.cdl` with the `.cube`."""
    peers = {"ffmpeg lut3d": through_ffmpeg, "OpenColorIO": through_ocio}
    counts = {peer: np.zeros(256, np.int64) for peer in peers}
    worst = dict.fromkeys(peers, 0)
    apart: list[NDArray[Any]] = []
    outside = total = 0
    for name, look in looks().items():
        transform = baked(look, DELIVERY_COLOUR)
        into, back = to_rgb(transform, 8), from_rgb(transform, 8)
        cube, document = folder / f"{name}.cube", folder / f"{name}.cdl"  # OpenColorIO remembers files by name
        write_cube(cube, lattice_of(transform), title=name)
        write_cdl(document, look.nearest_cdl().cdl, "look")
        lut = Lut3d(transform)
        for planes in pictures():
            ours = tuple(np.empty_like(plane) for plane in planes)
            apply_lut(planes, 8, ours, 8, lut)
            rgb = np.stack(planes, axis=-1) @ into[:, :3].T + into[:, 3]
            held = ((rgb >= 0) & (rgb <= 1)).all(axis=-1)
            outside, total = outside + np.count_nonzero(~held), total + held.size
            for peer, through in peers.items():
                theirs = through(rgb.clip(0, 1), cube) @ back[:, :3].T + back[:, 3]
                difference = np.abs(np.floor(theirs + 0.5) - np.stack(ours, axis=-1))[held].astype(np.int64)
                found = np.bincount(difference.ravel(), minlength=256)
                counts[peer] += found
                worst[peer] = max(worst[peer], percentile(found, 0.99))
            if look.is_cdl:
                few = rgb[held][::37]
                apart.append(color.deltaE_ciede2000(*(color.rgb2lab(through_ocio(few, f)) for f in (cube, document))))
    delta_e = np.concatenate(apart)
    return {
        "outside_the_cube_percent": round(100 * outside / total, 2),
        "code_values_8_bit": {
            peer: {
                "mean": round(float((found * np.arange(256)).sum() / found.sum()), 4),
                "p99": percentile(found, 0.99),
                "p99_of_the_worst_picture": worst[peer],
                "max": int(np.flatnonzero(found).max()),
            }
            for peer, found in counts.items()
        },
        "cdl_against_cube_delta_e": {
            "mean": round(float(delta_e.mean()), 4),
            "p99": round(float(np.percentile(delta_e, 99)), 4),
            "max": round(float(delta_e.max()), 4),
        },
    }


def ramps(bits: int) -> dict[str, int]:
    """Count the steps of smooth ramps through looks that are lost against the exact result, rounded to `bits`.

    `back`: steps against the ramp's direction; `larger_by_codes`: the largest step, beyond the largest of the exact.
    """
    kind = np.uint8 if bits == 8 else np.uint16
    codes = np.arange(1 << bits, dtype=kind)[None]
    steps = lost = back = larger = 0
    for look in looks().values():
        lut = Lut3d(baked(look, DELIVERY_COLOUR))
        for plane in range(3):
            for level in (0.2, 0.35, 0.5, 0.65, 0.8):
                flat = [np.full_like(codes, value * (1 << bits)) for value in (level, 0.5, 0.5)]
                flat[plane] = codes
                planes = flat[0], flat[1], flat[2]
                out = tuple(np.empty_like(one) for one in planes)
                apply_lut(planes, bits, out, bits, lut)
                exact = reference.exact_point(planes, bits, bits, lut=lut)[plane]
                wanted = np.diff(np.floor(exact + 0.5).clip(0, (1 << bits) - 1))
                ours = np.diff(out[plane].astype(np.int64))
                steps += np.count_nonzero(wanted)
                lost += max(0, np.count_nonzero(wanted) - np.count_nonzero(ours))
                back += np.count_nonzero((ours < 0) & (wanted >= 0))
                larger = max(larger, int(np.abs(ours).max() - np.abs(wanted).max()))
    return {"steps": int(steps), "lost": int(lost), "back": int(back), "larger_by_codes": larger}


def main() -> None:
    """Measure and record."""
    with tempfile.TemporaryDirectory() as folder:
        figures = {
            "looks": CDLS + CURVED,
            **faces(Path(folder)),
            "ramps": {f"{bits} bits": ramps(bits) for bits in (8, 10)},
        }
    record("looks", "python -m benchmarks.looks", figures)


if __name__ == "__main__":
    main()
