"""A clip made from processed frames: other pictures, with the times, the sound and the tags of the clip they are of."""

from __future__ import annotations

import contextlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from postpipe.delivery import Encoding, FrameTimes
from postpipe.engine.outputs import Outputs
from postpipe.errors import DeliveryError
from postpipe.media.encoders import PICTURE_CODECS
from postpipe.media.frames import allocate
from postpipe.media.images import (
    READABLE,
    Pixels,
    frame_pixels,
    image_size,
    keep_unchanged,
    pixels_to_frame,
    read_image,
    scaled,
)
from postpipe.media.read import PictureReader
from postpipe.media.rewrap import SoundKept, rewrap
from postpipe.media.write import PictureWriter
from postpipe.model import PIXEL_FORMATS, Clip, Frame, PixelFormat
from postpipe.stills import FrameFiles, as_ranges, number_frames, safe_label
from postpipe.timing import nearest_standard_rate, parse_timecode

Fill = Literal["none", "clip"]
_AHEAD = 3
"""Pictures that are read before they are needed, at most: large ones take 50 MB each."""


@dataclass(frozen=True)
class Assembled:
    """What was written. `filled` are the frames that came from the clip, `unchanged` counts those equal to its own.

    `first_number` is the number that the clip's first frame has in the names; `notes` are sentences for the user.
    """

    file: Path
    frames: int
    width: int
    height: int
    pixel_format: str
    first_number: int
    unchanged: int
    filled: tuple[int, ...]
    sounds: tuple[SoundKept, ...]
    notes: tuple[str, ...]

    @property
    def sound_words(self) -> str:
        """What became of the sound, for a line of text."""
        return ", ".join(f"{sound.codec} {'copied' if sound.copied else 'decoded'}" for sound in self.sounds) or "none"

    def summary(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        return {**asdict(self), "file": str(self.file)}


def assemble(
    folder: Path,
    clip: Clip,
    times: FrameTimes,
    encoding: Encoding,
    out: Path,
    *,
    bits: Literal[8, 10] | None = None,
    fill: Fill = "none",
    first_number: int | None = None,
    on_frame: Callable[[int], None] = lambda done: None,
) -> Assembled:
    """Write `out` from the picture files in `folder`, one for each frame of `clip`.

    What is equal to what the clip's own frames look like as pictures, whole or in places, is taken from the clip
    itself: nothing is lost where nothing was changed. `bits` per sample are the clip's unless given. Frames that
    are missing are an error, or (`fill`) taken from the clip. Raises `DeliveryError` naming every file at fault.
    """
    if clip.picture.colour.hdr:
        raise DeliveryError(f"{clip.path}: is HDR, and pictures are SDR; convert it to SDR (BT.709) first")
    found, size = _find(folder, clip, times, fill, first_number)
    layout = _layout(encoding, clip, bits)
    width, height = (side & -(1 << shift) for side, shift in zip(size, _shifts(layout), strict=True))
    notes = list(found.notes)
    if (width, height) != size:
        notes.append(f"{size[0]} × {size[1]} is cut to {width} × {height}: {layout.name} takes even sizes")
    timecode = clip.start_timecode
    try:
        parse_timecode(timecode or "00:00:00:00", times.rate)
    except ValueError as error:
        timecode = None
        notes.append(f"its start timecode is left out: {error}")
    if times.vfr:
        notes.append("its rate varies: every frame keeps its own time")
    rate = nearest_standard_rate(times.rate) if times.vfr else times.rate
    pictures = _Pictures(found, clip, times.frames, layout, (width, height), scaled_to=size)
    with Outputs(out.parent) as outputs:
        unit = outputs.scratch(".unit")
        with _open_writer(unit, encoding, layout, (width, height), rate, clip) as writer:
            for frame in pictures.frames():
                writer.write(frame)
                on_frame(writer.frames)
        film = outputs.scratch(out.suffix.lower())
        sounds = rewrap(unit, clip, times, film, rate=rate, timecode=timecode)
        outputs.publish(film, out.name)
    notes += [
        f"its {sound.codec} sound was decoded: {out.suffix} does not take it" for sound in sounds if not sound.copied
    ]
    return Assembled(
        file=out,
        frames=times.frames,
        width=width,
        height=height,
        pixel_format=layout.name,
        first_number=found.first_number,
        unchanged=pictures.unchanged,
        filled=tuple(found.missing(times.frames)),
        sounds=tuple(sounds),
        notes=tuple(notes),
    )


def _find(
    folder: Path, clip: Clip, times: FrameTimes, fill: Fill, first_number: int | None
) -> tuple[FrameFiles, tuple[int, int]]:
    """Return the frames and their common size. Raises `DeliveryError` naming everything that does not fit."""
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise DeliveryError(f"{folder}: cannot be read ({error.strerror}); name a folder of frames") from error
    pictures = [entry for entry in entries if entry.suffix.lower() in READABLE]
    if not pictures:
        raise DeliveryError(f"{folder}: holds no picture ({', '.join(sorted(READABLE))})")
    found = number_frames(pictures, times.frames, safe_label(clip.path.stem), first_number)
    problems = list(found.problems)
    missing = [number + found.first_number for number in found.missing(times.frames)]
    if missing and fill == "none" and found.files:
        last = found.first_number + times.frames - 1
        problems.append(
            f"{len(missing)} of the frames {found.first_number}–{last} are missing: {as_ranges(missing)}; "
            "add them, or take them from the clip with --fill clip"
        )
    sizes: dict[Path, tuple[int, int]] = {}
    for path in found.files.values():
        try:
            sizes[path] = image_size(path)
        except ValueError as error:
            problems.append(f"{path.name}: cannot be read ({error}); write it again")
    usual = Counter(sizes.values()).most_common(1)[0][0] if sizes else (0, 0)
    problems += [
        f"{path.name}: is {width} × {height}, and the others {usual[0]} × {usual[1]}; make it the same"
        for path, (width, height) in sizes.items()
        if (width, height) != usual
    ]
    if problems or not sizes:
        raise DeliveryError("\n".join([f"{folder}: the frames do not fit {clip.path.name}:", *_indented(problems)]))
    return found, usual


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _layout(encoding: Encoding, clip: Clip, bits: int | None) -> PixelFormat:
    """Return the pixel format: the codec's, with the clip's depth where that is to be had, and lossless all of it."""
    own = clip.picture.pixel_format
    like = own if encoding.video_codec == "lossless" else encoding.pixel_format
    layouts = [PIXEL_FORMATS[name] for name in PICTURE_CODECS[encoding.video_codec].layouts]
    fitting = (one for one in layouts if (one.bits, *_shifts(one)) == (bits or own.bits, *_shifts(like)))
    return next(fitting, encoding.pixel_format)


def _shifts(layout: PixelFormat) -> tuple[int, int]:
    return layout.chroma_shift_x, layout.chroma_shift_y


def _open_writer(
    path: Path, encoding: Encoding, layout: PixelFormat, size: tuple[int, int], rate: Fraction, clip: Clip
) -> PictureWriter:
    try:
        return PictureWriter(
            path,
            width=size[0],
            height=size[1],
            rate=rate,
            pixel_format=layout,
            colour=clip.picture.colour,
            codec=encoding.video_codec,
            options=encoding.options,
            threads=encoding.threads,
        )
    except ValueError as error:
        raise DeliveryError(f"{clip.path.name}: {error}; choose another --codec") from error


class _Pictures:
    """The frames to encode, one at a time, read ahead a little."""

    def __init__(
        self,
        found: FrameFiles,
        clip: Clip,
        frames: int,
        layout: PixelFormat,
        size: tuple[int, int],
        scaled_to: tuple[int, int],
    ) -> None:
        self.unchanged = 0
        self._files = [found.files.get(number) for number in range(frames)]
        self._clip = clip
        self._layout = layout
        self._size = size
        self._scaled_to = scaled_to
        picture = clip.picture
        # The clip's own samples can go into the film as they are.
        self._own_fits = (picture.width, picture.height) == scaled_to and picture.pixel_aspect == 1
        self._own_fits &= picture.pixel_format == layout

    def frames(self) -> Iterator[Frame]:
        """Yield the frames. Raises `DeliveryError` naming every file that cannot be decoded."""
        problems: list[str] = []
        with contextlib.ExitStack() as stack:
            own = self._own_frames(stack)
            for number, (path, picture) in enumerate(self._read_ahead(stack)):
                try:
                    pixels = picture.result() if picture is not None else None
                except ValueError as error:
                    problems.append(f"{path.name if path else ''}: cannot be read ({error}); write it again")
                if not problems:
                    yield self._frame(number, pixels, next(own, None))
        if problems:
            raise DeliveryError("\n".join(["frames are damaged:", *_indented(problems)]))

    def _own_frames(self, stack: contextlib.ExitStack) -> Iterator[Frame]:
        """Return the clip's own frames where anything is taken from them."""
        if not self._own_fits and None not in self._files:
            return iter(())
        return stack.enter_context(PictureReader(self._clip)).frames()

    def _read_ahead(self, stack: contextlib.ExitStack) -> Iterator[tuple[Path | None, Future[Pixels] | None]]:
        pool = stack.enter_context(ThreadPoolExecutor(min(_AHEAD, os.cpu_count() or 1)))
        stack.callback(pool.shutdown, cancel_futures=True)
        waiting: deque[tuple[Path | None, Future[Pixels] | None]] = deque()
        for path in self._files:
            waiting.append((path, pool.submit(read_image, path) if path is not None else None))
            if len(waiting) > _AHEAD:
                yield waiting.popleft()
        yield from waiting

    def _frame(self, number: int, pixels: Pixels | None, own: Frame | None) -> Frame:
        width, height = self._size
        changed = None
        if own is not None and self._own_fits:
            if pixels is None:
                return _cut(own, width, height)
            changed = (pixels != _look(own, pixels.itemsize)).any(axis=2)[:height, :width]
            if not changed.any():
                self.unchanged += 1
                return _cut(own, width, height)
        if pixels is None:
            if own is None:
                raise DeliveryError(f"{self._clip.path}: frame {number} cannot be decoded again")
            pixels = scaled(_look(own, own.planes[0].itemsize), *self._scaled_to)
        made = allocate(self._layout, width, height, index=number, colour=self._clip.picture.colour)
        pixels_to_frame(pixels[:height, :width], made)
        if own is not None and changed is not None:
            keep_unchanged(made, _cut(own, width, height), changed)
        return made


def _cut(frame: Frame, width: int, height: int) -> Frame:
    """Return a frame without an odd row or column at its end."""
    if (frame.width, frame.height) == (width, height):
        return frame
    layout = frame.pixel_format
    sizes = (layout.plane_size(number, width, height) for number in range(3))
    y, cb, cr = (plane[:rows, :columns] for plane, (columns, rows) in zip(frame.planes, sizes, strict=True))
    return replace(frame, planes=(y, cb, cr), native=None)


def _look(frame: Frame, bytes_per_sample: int) -> Pixels:
    """Return a frame of the clip as the picture that it is taken out as."""
    return frame_pixels(frame, 8 if bytes_per_sample == 1 else 16)
