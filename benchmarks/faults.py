"""Flicker of known strength on clean pictures: gains, gamma, temperature, regions, flashes, light, fades, pans."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from postpipe_kernels.colour import KR_KB, code_scale

from postpipe.model import ColourSpec

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


@dataclass
class Footage:
    """A stretch of a clip: 8-bit 4:2:0 planes, each `(frames, height, width)`, and frames per second."""

    planes: Planes
    rate: float
    colour: ColourSpec


@dataclass
class Fault:
    """What is done to each frame: `gain` `(frames, 3)` on R'G'B', `gamma` `(frames,)`, `blobs` of local gain."""

    gain: NDArray[np.float64]
    gamma: NDArray[np.float64]
    blobs: list[tuple[NDArray[np.float32], NDArray[np.float64]]] = field(default_factory=list)
    truth: dict[str, Any] = field(default_factory=dict)


def white(frames: int, amplitude: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Return independent random values with mean 0 and root mean square `amplitude` / √2, as a sine of it has."""
    values = random.standard_normal(frames)
    values -= values.mean()
    return np.asarray(amplitude / 2**0.5 * values / np.sqrt(np.mean(values**2)))


def make(kind: str, amplitude: float, footage: Footage, seed: int) -> Fault:
    """Return a fault of a kind: gain, gamma, temperature, local, sine, flash, light, light_gain, fade or none."""
    frames, height, width = footage.planes[0].shape
    random = np.random.default_rng(seed)
    time = np.arange(frames) / footage.rate
    fault = Fault(np.ones((frames, 3)), np.ones(frames))

    def sine(low: float, high: float) -> NDArray[np.float64]:
        hertz = fault.truth["hz"] = random.uniform(low, min(high, 0.45 * footage.rate))
        return np.asarray(amplitude * np.sin(2 * np.pi * (hertz * time + random.random())))

    if kind == "gain":
        fault.gain += white(frames, amplitude, random)[:, None]
    elif kind == "gamma":
        fault.gamma += white(frames, amplitude, random)
    elif kind == "temperature":
        fault.gain += white(frames, amplitude, random)[:, None] * np.array([1, 0, -1])
    elif kind == "sine":
        fault.gain += sine(2, 10)[:, None]
    elif kind == "flash":
        fault.truth["frame"] = int(random.integers(4, frames - 4))
        fault.gain[fault.truth["frame"]] += amplitude
    elif kind in ("light", "light_gain"):
        fault.truth["light"] = 1 + amplitude * np.sin(2 * np.pi * (0.4 * time + random.random()))
        fault.gain *= fault.truth["light"][:, None]
        if kind == "light_gain":
            fault.gain *= 1 + white(frames, 0.02, random)[:, None]
    elif kind == "fade":
        ramp = np.clip((np.arange(frames) - 8) / (frames / 2), 0, 1)
        fault.gain *= (ramp if random.random() < 0.5 else ramp[::-1])[:, None]
    elif kind == "local":
        y, x = np.mgrid[:height, :width]
        for _ in range(3):
            centre = random.uniform(0.1, 0.9) * height, random.uniform(0.1, 0.9) * width
            sigma = random.uniform(0.08, 0.2) * max(height, width)
            blob = np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * sigma**2)).astype(np.float32)
            series = white(frames, amplitude, random) if random.random() < 0.5 else sine(2, 8)
            fault.blobs.append((blob, series))
    return fault


def spoil(footage: Footage, fault: Fault) -> Footage:
    """Return the footage with a fault, rounded to 8 bits."""
    kr, kb = KR_KB[footage.colour.matrix]
    scale, zero = code_scale(footage.colour.range, 8)
    out: Planes = tuple(np.empty_like(plane) for plane in footage.planes)  # type: ignore[assignment]
    shape = footage.planes[0].shape[1:]
    for n in range(len(fault.gamma)):
        local = np.ones(shape, np.float32)
        for blob, series in fault.blobs:
            local += np.float32(series[n]) * blob
        _spoil(
            *(p[n] for p in footage.planes),
            fault.gain[n],
            fault.gamma[n],
            local,
            kr,
            kb,
            scale,
            zero,
            *(p[n] for p in out),
        )
    return Footage(out, footage.rate, footage.colour)


@njit(fastmath=True, nogil=True)  # type: ignore[untyped-decorator]
def _spoil(luma, blue, red, gain, gamma, local, kr, kb, scale, zero, new_luma, new_blue, new_red):  # type: ignore[no-untyped-def]
    height, width = luma.shape
    kg = 1 - kr - kb
    for v in range(blue.shape[0]):
        for u in range(blue.shape[1]):
            cb = (blue[v, u] - zero[1]) / scale[1] * 2 * (1 - kb)
            cr = (red[v, u] - zero[2]) / scale[2] * 2 * (1 - kr)
            sum_b, sum_r, pixels = 0.0, 0.0, 0
            for y in range(2 * v, min(2 * v + 2, height)):
                for x in range(2 * u, min(2 * u + 2, width)):
                    level = (luma[y, x] - zero[0]) / scale[0]
                    r, b = level + cr, level + cb
                    g = (level - kr * r - kb * b) / kg
                    if gamma != 1.0:
                        r, g, b = max(r, 0.0) ** gamma, max(g, 0.0) ** gamma, max(b, 0.0) ** gamma
                    r *= gain[0] * local[y, x]
                    g *= gain[1] * local[y, x]
                    b *= gain[2] * local[y, x]
                    level = kr * r + kg * g + kb * b
                    new_luma[y, x] = min(max(scale[0] * level + zero[0] + 0.5, 0.0), 255.0)
                    sum_b += b - level
                    sum_r += r - level
                    pixels += 1
            cb = sum_b / pixels / (2 * (1 - kb))
            cr = sum_r / pixels / (2 * (1 - kr))
            new_blue[v, u] = min(max(scale[1] * cb + zero[1] + 0.5, 0.0), 255.0)
            new_red[v, u] = min(max(scale[2] * cr + zero[2] + 0.5, 0.0), 255.0)


def pan(footage: Footage) -> Footage:
    """Return a window of three quarters that moves across the footage, two pixels a frame, and back at the edge."""
    frames, height, width = footage.planes[0].shape
    high, wide = height * 3 // 8 * 2, width * 3 // 8 * 2
    room = (width - wide) // 2
    offsets = [abs((n % (2 * room)) - room) if room else 0 for n in range(frames)]
    y, *chroma = footage.planes
    planes = [np.stack([y[n, :high, 2 * o : 2 * o + wide] for n, o in enumerate(offsets)])]
    planes += [np.stack([p[n, : high // 2, o : o + wide // 2] for n, o in enumerate(offsets)]) for p in chroma]
    return Footage((planes[0], planes[1], planes[2]), footage.rate, footage.colour)
