"""Hidden marks looked for in takes and in what is delivered, by detectors that anyone can add."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from postpipe_kernels import colour as coding
from postpipe_kernels import watermark

from postpipe.engine.stage import Analyser, Look
from postpipe.errors import SettingsError
from postpipe.marks import DetectorMaker, DetectorPass, HiddenMark, HiddenMarks, SoftBinding, WatermarkDetector
from postpipe.model import Clip, Frame
from postpipe.stages.watermark import ALGORITHM
from postpipe.stages.watermark_code import CODE_BITS, Cells, decode, payload_words

GROUP = "postpipe.watermarks"
"""The entry-point group of detectors."""


# Ours


@dataclass
class _OursPass:
    """Votes, summed up over stretches of a few seconds and over all."""

    window: int
    cells: Cells | None = None
    votes: list[NDArray[np.float64]] = field(default_factory=list)
    frames: list[tuple[int, int]] = field(default_factory=list)
    seen: int = 0

    def step(self, frame: Frame) -> None:
        """Add what a frame says."""
        if self.cells is None:
            self.cells = Cells(frame.width, frame.height)
        if self.seen % self.window == 0:
            self.votes.append(np.zeros(CODE_BITS))
            self.frames.append((frame.index, frame.index))
        self.seen += 1
        self.votes[-1] += self.cells.votes(frame.planes[0], frame.pixel_format.bits)
        self.frames[-1] = self.frames[-1][0], frame.index

    def finish(self) -> Iterator[HiddenMark]:
        """Yield each payload once, where it is read from all, or from stretches."""
        found: dict[bytes, tuple[int, int, float]] = {}
        whole = [(sum(self.votes, np.zeros(CODE_BITS)), self.frames[0][0], self.frames[-1][1])] if self.votes else []
        parts = [(votes, *frames) for votes, frames in zip(self.votes, self.frames, strict=True)]
        for votes, first, last in (*whole, *parts):
            data = decode(votes)
            if data is not None:
                known = found.get(data, (first, last, 0.0))
                found[data] = min(first, known[0]), max(last, known[1]), 1.0
        for data, (first, last, sure) in found.items():
            words = f"postpipe's own, payload {payload_words(data)}"
            yield HiddenMark(SoftBinding(ALGORITHM, data.hex(), first, last), words, sure)


class OurDetector:
    """Reads our own mark, by votes of all frames and of stretches of four seconds."""

    name = "postpipe"
    rate_hz = 5.0

    def start(self, clip: Clip) -> DetectorPass:
        """Begin with a clip."""
        return _OursPass(window=round(4 * self.rate_hz))


# invisible-watermark


def _bits(number: int) -> str:
    return f"{number:b}"


KNOWN = {
    "Stable Diffusion 1": "".join(f"{byte:08b}" for byte in b"StableDiffusionV1"),
    "Stable Diffusion 2": "".join(f"{byte:08b}" for byte in b"SDV2"),
    "Stable Diffusion XL": _bits(0b101100111110110010010000011110111011000110011110),
    "FLUX": _bits(0b001010101111111010000111100111001111010100101110),
}
"""Messages that generators write with the dwtDct method of invisible-watermark, published with their code."""

LEAST_AGREEMENT = {32: 31, 46: 42, 48: 43, 136: 100}
"""Bits of a message that have to agree: by chance, one picture in ten million does."""


@dataclass
class _LibraryPass:
    ones: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    blocks: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    frames: list[int] = field(default_factory=list)

    def step(self, frame: Frame) -> None:
        """Add what the blocks of a frame say for each message."""
        plane = library_u(frame)
        self.frames.append(frame.index)
        for name, bits in KNOWN.items():
            ones = self.ones.setdefault(name, np.zeros(len(bits), np.int64))
            blocks = self.blocks.setdefault(name, np.zeros(len(bits), np.int64))
            watermark.read_dwt_dct(plane, ones, blocks)

    def finish(self) -> Iterator[HiddenMark]:
        """Yield the messages that most bits agree with."""
        for name, bits in KNOWN.items():
            if name not in self.ones or not self.blocks[name].all():
                continue
            read = self.ones[name] * 255 > 127 * self.blocks[name]
            agree = int((read == np.array([bit == "1" for bit in bits])).sum())
            if agree >= LEAST_AGREEMENT[len(bits)]:
                value = f"{int(bits, 2):0{-(-len(bits) // 4)}x}"
                binding = SoftBinding("invisible-watermark.dwtDct", value, self.frames[0], self.frames[-1])
                yield HiddenMark(binding, f"{name}, {agree} of {len(bits)} bits", agree / len(bits))


def library_u(frame: Frame) -> NDArray[np.uint8]:
    """Return OpenCV's U of a frame, from its chroma alone: 0.492 (B' − Y'), Y' as BT.601 has it, 128 for grey."""
    bits, spec = frame.pixel_format.bits, frame.colour
    scale, zero = coding.code_scale(spec.range, bits)
    to_rgb = np.linalg.inv(coding.rgb_to_ycbcr(spec.matrix))
    row = np.array([-0.299, -0.587, 0.886]) * 0.492 * 255
    blue, red = (row @ to_rgb)[1:] / scale[1:]
    u = (frame.planes[1] - np.float32(zero[1])) * np.float32(blue)
    u += (frame.planes[2] - np.float32(zero[2])) * np.float32(red)
    values = np.clip(np.rint(u + 128), 0, 255).astype(np.uint8)
    layout = frame.pixel_format
    return np.repeat(np.repeat(values, 1 << layout.chroma_shift_y, axis=0), 1 << layout.chroma_shift_x, axis=1)


class LibraryDetector:
    """Looks for the published messages of image generators, written with invisible-watermark's dwtDct."""

    name = "dwtDct"
    rate_hz = 1.0

    def start(self, clip: Clip) -> DetectorPass:
        """Begin with a clip."""
        return _LibraryPass()


# The analyser


def detectors(names: Iterable[str]) -> list[WatermarkDetector]:
    """Return detectors by name. Raises `SettingsError` for one that is not installed, or does not load."""
    known = {point.name: point for point in entry_points(group=GROUP)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SettingsError(
            [f"[watermark] detect: there is no detector {name}; known: {', '.join(sorted(known))}" for name in unknown]
        )
    return [_made(known[name]) for name in names]


def _made(entry: EntryPoint) -> WatermarkDetector:
    try:
        maker: DetectorMaker = entry.load()
        return maker()
    except Exception as error:  # a plug-in may fail in any way; its name is what the user needs
        raise SettingsError([f"the detector {entry.name} ({entry.value}) does not load: {error}"]) from error


@dataclass
class _Passes:
    running: list[tuple[int, DetectorPass]]
    names: tuple[str, ...]


@dataclass(frozen=True)
class WatchHidden(Analyser[_Passes, HiddenMarks]):
    """Show some frames of each second to the detectors of hidden marks."""

    id: ClassVar[str] = "hidden_marks"
    summary: ClassVar[str] = "hidden marks, by the detectors that are asked for"
    section: ClassVar[str] = "watermark"

    detect: Annotated[
        tuple[str, ...], Meta(description="detectors of hidden marks that look: built in are postpipe and dwtDct")
    ] = ("postpipe", "dwtDct")

    def start(self, clip: Clip) -> _Passes:
        """Begin with every detector."""
        found = detectors(self.detect)
        rate = float(clip.picture.rate)
        return _Passes([(max(1, round(rate / one.rate_hz)), one.start(clip)) for one in found], self.detect)

    def step(self, state: _Passes, item: Look) -> None:
        """Show a frame to those whose turn it is."""
        for every, one in state.running:
            if item.frame.index % every == 0:
                one.step(item.frame)

    def finish(self, state: _Passes) -> HiddenMarks:
        """Return what was found."""
        return HiddenMarks(tuple(mark for _, one in state.running for mark in one.finish()), state.names)


STAGES: tuple[Any, ...] = (WatchHidden,)
