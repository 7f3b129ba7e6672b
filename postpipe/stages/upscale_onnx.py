"""`kind = "onnx"`: a model of the user's enlarges every picture, tile by tile."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from postpipe.engine.stage import Canvas
from postpipe.errors import FilterFailed, SettingsError
from postpipe.media.images import frame_pixels, pixels_to_frame
from postpipe.model import Frame, PixelFormat
from postpipe.stages.onnx_models import NEEDED, first_line, model_digest, place, runtime_version, session
from postpipe.stages.upscale_builtin import Lanczos
from postpipe.stages.upscaling import FIX, Enlargement, UpscaleSettings

Reals = NDArray[np.float32]

SPANS = {"0 to 1": (0.0, 1.0), "0 to 255": (0.0, 255.0), "-1 to 1": (-1.0, 1.0)}
"""What black and white are to a model."""

CHANNELS = {"rgb": 3, "bgr": 3, "luma": 1}
"""How many of them each kind of input has."""

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class Model:
    """A model that takes and gives `(1, channels, rows, columns)`, and the tiles that it gets.

    `digest` is of its files, `version` that of onnxruntime: they are in the render's key. `tile`: rows and columns of
    what goes in; `overlap` of them at every side are thrown away, but at the picture's own edges. `factor` of them
    come out for each.
    """

    path: str
    digest: str
    version: str
    channels: str
    span: str
    tile: tuple[int, int]
    overlap: int
    factor: int

    def enlarge(self, picture: Reals) -> Reals:
        """Return `(channels, rows, columns)` enlarged; values from black 0 to white 1. Raises `FilterFailed`."""
        channels, rows, columns = picture.shape
        out = np.empty((channels, rows * self.factor, columns * self.factor), np.float32)
        down, across = self.tile
        padded = np.pad(picture, [(0, 0), (0, max(0, down - rows)), (0, max(0, across - columns))], "edge")
        for top, y in self._steps(rows, down):
            for left, x in self._steps(columns, across):
                made = self._run(padded[:, top : top + down, left : left + across])
                place = _scaled(y, self.factor), _scaled(x, self.factor)
                inner = _scaled(y, self.factor, top), _scaled(x, self.factor, left)
                out[:, place[0], place[1]] = made[:, inner[0], inner[1]]
        return out

    def _steps(self, length: int, tile: int) -> Iterator[tuple[int, range]]:
        """Yield where each tile of one axis begins, and the samples that are taken from it."""
        if length <= tile:
            yield 0, range(length)
            return
        done = 0
        while done < length:
            first = min(max(0, done - self.overlap), length - tile)
            stop = length if first + tile >= length else first + tile - self.overlap
            yield first, range(done, stop)
            done = stop

    def _run(self, tile: Reals) -> Reals:
        black, white = SPANS[self.span]
        model = session(self.path, self.digest)
        source = model.get_inputs()[0]
        values = (tile[None] * np.float32(white - black) + np.float32(black)).astype(TYPES[source.type])
        try:
            made = model.run(None, {source.name: values})[0]
        except Exception as error:  # the runtime's own classes; their text says what the model did
            raise _failed(f"the model stopped: {first_line(error)}", "try it on one picture by itself") from error
        if made.shape != (1, tile.shape[0], *(length * self.factor for length in tile.shape[1:])):
            raise _failed(f"the model gave {made.shape} for a tile of {tile.shape}", "use one of a fixed factor")
        if not np.isfinite(made).all():
            raise _failed("the model gave values that are not numbers (NaN)", "try it with 32-bit floats")
        result: Reals = (made[0].astype(np.float32) - np.float32(black)) / np.float32(white - black)
        return result


def _scaled(run: range, factor: int, origin: int = 0) -> slice:
    return slice((run.start - origin) * factor, (run.stop - origin) * factor)


def load(settings: UpscaleSettings) -> Model:
    """Return the model of the settings. Raises `SettingsError` where it cannot be used, saying why."""
    path = place(settings.model)
    try:
        digest = model_digest(path)
    except OSError as error:
        raise _wrong(f"model = {settings.model!r} cannot be read ({error.strerror})") from error
    try:
        version = runtime_version()
    except ImportError as error:
        raise _wrong(f'kind = "onnx" {NEEDED}') from error
    return _described(str(path), digest, version, settings)


@lru_cache(maxsize=4)
def _described(path: str, digest: str, version: str, settings: UpscaleSettings) -> Model:
    try:
        model = session(path, digest)
    except Exception as error:  # the runtime's own classes
        raise _wrong(f"model = {settings.model!r} does not load: {first_line(error)}") from error
    source = model.get_inputs()[0]
    kind, shape = TYPES.get(source.type), source.shape
    channels = CHANNELS[settings.model_input]
    fits = len(shape) == 4 and (shape[1] == channels or not isinstance(shape[1], int))
    if kind is None or len(model.get_inputs()) != 1 or not fits:
        raise _wrong(
            f"model = {settings.model!r} takes {source.type} {shape}; model_input = "
            f"{settings.model_input!r} needs one input of floats, (1, {channels}, rows, columns)"
        )
    tile = tuple(side if isinstance(side, int) else settings.tile_px for side in shape[2:])
    if 2 * settings.overlap_px >= min(tile):
        raise _wrong(f"overlap_px = {settings.overlap_px}: tiles of {tile[1]}x{tile[0]} have nothing left between them")
    black, white = SPANS[settings.model_range]
    grey = np.full((1, channels, *tile), (black + white) / 2, kind)
    try:
        made = model.run(None, {source.name: grey})[0]
    except Exception as error:
        raise _wrong(f"model = {settings.model!r} does not run: {first_line(error)}") from error
    factor = made.shape[2] // tile[0] if made.ndim == 4 else 0
    if factor < 1 or made.shape != (1, channels, tile[0] * factor, tile[1] * factor):
        raise _wrong(f"model = {settings.model!r} makes {made.shape} of {grey.shape}: no whole factor")
    kept = settings.model_input, settings.model_range, (tile[0], tile[1]), settings.overlap_px
    return Model(path, digest, version, *kept, factor)


def _wrong(problem: str) -> SettingsError:
    return SettingsError([f"[upscale] {problem}"])


def _failed(fault: str, remedy: str) -> FilterFailed:
    return FilterFailed(FIX, f"the upscaler onnx failed: {fault}", remedy)


@dataclass(frozen=True)
class Onnx:
    """Pictures through a model: as R'G'B', or luma alone with chroma by Lanczos."""

    margin_frames: ClassVar[int] = 0
    size: tuple[int, int]
    pixel_format: PixelFormat
    model: Model

    def enlarge(self, frames: Iterable[Frame], canvas: Canvas) -> Generator[Frame, None, None]:
        """Yield each frame at the model's own scale."""
        way = self._luma if self.model.channels == "luma" else self._pixels
        for frame in frames:
            yield way(frame, canvas)

    def _pixels(self, frame: Frame, canvas: Canvas) -> Frame:
        pixels = np.moveaxis(frame_pixels(frame, 16), 2, 0).astype(np.float32) / np.float32(65535)
        turn = slice(None, None, -1 if self.model.channels == "rgb" else 1)
        made = np.moveaxis(self.model.enlarge(np.ascontiguousarray(pixels[turn]))[turn], 0, 2)
        out = canvas(frame, pixel_format=self.pixel_format, width=self.size[0], height=self.size[1])
        pixels_to_frame(np.ascontiguousarray(np.rint(made.clip(0, 1) * 65535).astype(np.uint16)), out)
        return out

    def _luma(self, frame: Frame, canvas: Canvas) -> Frame:
        unit = 1 << (frame.pixel_format.bits - 8)
        black, span = (16 * unit, 219 * unit) if frame.colour.range == "limited" else (0, 256 * unit - 1)
        (out,) = Lanczos(self.size, self.pixel_format).enlarge([frame], canvas)
        level = (frame.planes[0].astype(np.float32) - np.float32(black)) / np.float32(span)
        codes = self.model.enlarge(level[None])[0] * np.float32(span) + np.float32(black)
        out.planes[0][...] = np.rint(codes).clip(0, 256 * unit - 1)
        return out


def onnx(wanted: Enlargement, settings: UpscaleSettings) -> Onnx:
    """Return the upscaler `kind = "onnx"`. Raises `SettingsError` for a model that cannot be used."""
    model = load(settings)
    size = wanted.width * model.factor, wanted.height * model.factor
    return Onnx(size, wanted.target_format, model)
