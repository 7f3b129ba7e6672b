"""Fit every take into the project's picture: size, pixel shape and chroma layout, with bars or a crop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

from postpipe_kernels import resize

from postpipe.delivery import ProjectFormat
from postpipe.engine.stage import Canvas, Filter, Slot
from postpipe.model import PIXEL_FORMATS, Clip, Frame, PictureStream, PixelFormat, Plane


@dataclass(frozen=True)
class BoundFit:
    """Scale into a picture of another size or chroma layout, with bars or a crop where the shapes differ.

    `scale_x`, `scale_y`: delivered pixels per source pixel. `left`, `top`: where the scaled picture starts
    in the delivered one, in pixels, negative when cropped. `width`, `height`: delivered size. Frames that come
    larger than the source, from an upscaler, fill the same place; where they have its size already they are not
    resampled again.
    """

    margin_frames: ClassVar[int] = 0
    width: int
    height: int
    scale_x: Fraction
    scale_y: Fraction
    left: Fraction
    top: Fraction
    pixel_format: PixelFormat
    source_size: tuple[int, int]
    limited: bool

    def apply(self, frames: Iterable[Frame], canvas: Canvas) -> Iterator[Frame]:
        """Yield each frame in the delivered size."""
        frames, plans = iter(frames), None
        last: tuple[object, Frame] | None = None
        for frame in frames:
            if plans is None:
                here = self._arriving(frame.width, frame.height)
                if here._changes_nothing(frame):
                    yield frame
                    yield from frames
                    return
                plans = [here._plan(plane, frame) for plane in range(3)]
            if last is not None and last[0] is frame.planes:  # a repeated frame is scaled once
                yield replace(last[1], index=frame.index, pts_seconds=frame.pts_seconds)
                continue
            out = canvas(frame, pixel_format=self.pixel_format, width=self.width, height=self.height)
            for source, target, plan in zip(frame.planes, out.planes, plans, strict=True):
                plan.draw(source, target)
            last = (frame.planes, out)
            yield out

    def _arriving(self, width: int, height: int) -> BoundFit:
        """Return the filter for frames of another size than the source's, at the same place."""
        across, down = self.source_size[0] * self.scale_x, self.source_size[1] * self.scale_y
        if abs(across - width) < 2 and abs(down - height) < 2:
            size = width, height
            left, top = _even(Fraction(self.width - width, 2)), _even(Fraction(self.height - height, 2))
            return replace(self, source_size=size, scale_x=Fraction(1), scale_y=Fraction(1), left=left, top=top)
        return replace(self, source_size=(width, height), scale_x=across / width, scale_y=down / height)

    def _changes_nothing(self, frame: Frame) -> bool:
        whole = self.source_size == (self.width, self.height) and self.scale_x == self.scale_y == 1
        return whole and frame.pixel_format == self.pixel_format

    def _plan(self, plane: int, frame: Frame) -> _PlanePlan:
        """Work out the taps of one plane, once per clip."""
        x, y = plane_axes(
            plane,
            (self.source_size, frame.pixel_format),
            ((self.width, self.height), self.pixel_format),
            (self.scale_x, self.scale_y),
            (self.left, self.top),
        )
        scale = 1 << (self.pixel_format.bits - 8)
        background = 128 * scale if plane else (16 * scale if self.limited else 0)
        return _PlanePlan(x, y, background, frame.pixel_format.bits)


@dataclass(frozen=True)
class Axis:
    """One direction of a plane: the delivered stretch that shows picture, and its resampling taps."""

    start: int
    stop: int
    taps: resize.Taps


def plane_axes(
    plane: int,
    source: tuple[tuple[int, int], PixelFormat],
    target: tuple[tuple[int, int], PixelFormat],
    scale: tuple[Fraction, Fraction],
    offset: tuple[Fraction, Fraction],
) -> tuple[Axis, Axis]:
    """Return how one plane of a picture is resampled along x and y.

    `source` and `target` are size in pixels and layout, `scale` target pixels per source pixel, `offset` where the
    source begins in the target, in pixels. Positions are those of luma pixel centres; chroma is sited left (H.273
    type 0) and between lines, so that a scaled chroma plane keeps its place under the luma.
    """
    (size_in, layout_in), (size_out, layout_out) = source, target
    across_in, down_in = layout_in.plane_size(plane, *size_in)
    across_out, down_out = layout_out.plane_size(plane, *size_out)
    shifts = (0, 0, 0, 0)
    if plane:
        shifts = (
            layout_in.chroma_shift_x, layout_out.chroma_shift_x,
            layout_in.chroma_shift_y, layout_out.chroma_shift_y,
        )  # fmt: skip
    x = _axis(across_out, across_in, scale[0], offset[0], shifts[0], shifts[1], sited=True)
    y = _axis(down_out, down_in, scale[1], offset[1], shifts[2], shifts[3], sited=False)
    return x, y


def _axis(
    target: int, source: int, scale: Fraction, offset: Fraction, shift_in: int, shift_out: int, *, sited: bool
) -> Axis:
    """Return the taps for one axis of one plane.

    A target sample i has its centre at luma position (i · 2^shift_out) + site, in pixels of the delivered
    picture; the source sample under it follows from `scale` and `offset`.
    """

    def site(shift: int) -> Fraction:
        # distance of a plane's first sample from the picture's edge, in luma pixels
        return Fraction(1, 2) if sited else Fraction(1 << shift, 2)

    step_in, step_out = 1 << shift_in, 1 << shift_out
    plane_scale = scale * step_in / step_out  # delivered samples per source sample
    # position of target sample 0 in source samples
    phase = ((site(shift_out) - offset) / scale - site(shift_in)) / step_in
    begin = max(0, -(-offset // step_out))
    end = min(target, -(-(offset + source * step_in * scale) // step_out))
    first = phase + begin / plane_scale
    return Axis(
        start=int(begin),
        stop=int(end),
        taps=resize.taps(source, int(end - begin), scale=float(plane_scale), phase=float(first)),
    )


@dataclass(frozen=True)
class _PlanePlan:
    x: Axis
    y: Axis
    background: int
    bits: int

    def draw(self, source: Plane, target: Plane) -> None:
        """Resample `source` into its place in `target`; fill the rest."""
        rows, columns = slice(self.y.start, self.y.stop), slice(self.x.start, self.x.stop)
        target[: rows.start] = self.background
        target[rows.stop :] = self.background
        target[rows, : columns.start] = self.background
        target[rows, columns.stop :] = self.background
        resize.resample_plane(source, target[rows, columns], self.x.taps, self.y.taps, self.bits)


def fit_scale(picture: PictureStream, project: ProjectFormat) -> Fraction:
    """Return by how much a picture is scaled, in delivered rows per row of its own."""
    across = Fraction(project.width) / (picture.width * picture.pixel_aspect)
    down = Fraction(project.height, picture.height)
    if abs(picture.width * picture.pixel_aspect - project.width) < 2 and abs(picture.height - project.height) < 2:
        return Fraction(1)  # an odd row or column is cut off rather than the whole picture softened
    return min(across, down) if project.fit == "letterbox" else max(across, down)


@dataclass(frozen=True)
class Fit(Filter):
    """Scale, letterbox or crop to the project's size."""

    id: ClassVar[str] = "fit"
    summary: ClassVar[str] = "scales to the project's size, with bars or a crop"
    slot: ClassVar[Slot] = Slot.FIT

    def bind(self, clip: Clip, project: ProjectFormat) -> BoundFit | None:
        """Return the filter for one take, or `None` where size, pixel shape and layout fit already."""
        picture = clip.picture
        source, target = picture.pixel_format, project.pixel_format
        layout = PixelFormat(source.name, source.bits, target.chroma_shift_x, target.chroma_shift_y)
        same_size = (picture.width, picture.height) == (project.width, project.height)
        if same_size and picture.pixel_aspect == 1 and source == layout:
            return None
        scale = fit_scale(picture, project)
        scale_x, scale_y = scale * picture.pixel_aspect, scale
        return BoundFit(
            width=project.width,
            height=project.height,
            scale_x=scale_x,
            scale_y=scale_y,
            left=_even((project.width - picture.width * scale_x) / 2),
            top=_even((project.height - picture.height * scale_y) / 2),
            pixel_format=_layout_like(layout),
            source_size=(picture.width, picture.height),
            limited=picture.colour.range == "limited",
        )


def _even(value: Fraction) -> Fraction:
    """Return the even number next to `value` on the way to 0: bars and crops begin on a chroma sample.

    Towards 0, so that a crop never uncovers the far edge.
    """
    return Fraction(int(value / 2) * 2)


def _layout_like(layout: PixelFormat) -> PixelFormat:
    return next(
        other
        for other in PIXEL_FORMATS.values()
        if (other.bits, other.chroma_shift_x, other.chroma_shift_y)
        == (layout.bits, layout.chroma_shift_x, layout.chroma_shift_y)
    )


STAGES = (Fit,)
