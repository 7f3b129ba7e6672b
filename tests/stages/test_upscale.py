"""Upscaling: sizes, what is asked of upscalers, checks of what they give, scores, fallbacks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from postpipe import api
from postpipe.engine.stage import Canvas
from postpipe.errors import DeliveryError, FilterFailed, SettingsError
from postpipe.media.frames import allocate, allocate_like
from postpipe.model import PIXEL_FORMATS, Frame
from postpipe.stages import upscale
from postpipe.stages.conform import DELIVERY_COLOUR
from postpipe.stages.upscale import BoundUpscale, Upscale
from postpipe.stages.upscale_builtin import Lanczos, Sharp
from postpipe.stages.upscale_score import UpscaleTrack, WatchUpscale, comparer, faults
from postpipe.stages.upscaling import FIX, Enlargement, UpscaleSettings
from tests.clips import make_clip, picture
from tests.stages.helpers import decode_planes

FAST = {"crf": 4, "preset": "ultrafast"}


def frames(count: int, size: tuple[int, int] = (32, 24), layout: str = "yuv420p", step: float = 0.0) -> list[Frame]:
    made = []
    for index in range(count):
        frame = allocate(
            PIXEL_FORMATS[layout], *size, index=index, pts_seconds=Fraction(index, 24), colour=DELIVERY_COLOUR
        )
        frame.planes[0][:] = picture(index, *size, 0) + step * (index % 2)
        frame.planes[1][:], frame.planes[2][:] = 120, 140
        made.append(frame)
    return made


@dataclass(frozen=True)
class Odd:
    """An upscaler that repeats samples, and then does something to the frames that it gives."""

    margin_frames: ClassVar[int] = 0
    size: tuple[int, int]
    change: Any

    def enlarge(self, frames: Iterable[Frame], canvas: Canvas) -> Generator[Frame, None, None]:
        yield from self.change(self.doubled(frames, canvas))

    def doubled(self, frames: Iterable[Frame], canvas: Canvas) -> Iterator[Frame]:
        for frame in frames:
            out = canvas(frame, width=2 * frame.width, height=2 * frame.height)
            for source, target in zip(frame.planes, out.planes, strict=True):
                target[:] = source.repeat(2, axis=0).repeat(2, axis=1)
            yield out


def through(change: Callable[[Iterator[Frame]], Iterable[Frame]], source: Iterable[Frame]) -> list[Frame]:
    return list(BoundUpscale("odd", Odd((64, 48), change)).apply(source, allocate_like))


# What comes out


@pytest.mark.parametrize("kind", ["lanczos", "sharp"])
@pytest.mark.parametrize(
    ("settings", "size"),
    [({"scale": 2}, (128, 96)), ({"scale": 1.5}, (96, 72)), ({}, (64, 48)), ({"size": "256x192"}, (256, 192))],
)
def test_the_film_has_the_size_that_was_asked_for(
    tmp_path: Path, kind: str, settings: dict[str, Any], size: tuple[int, int]
) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", frames=5)
    project = {"size": settings["size"]} if "size" in settings else {}
    scale = {"scale": settings["scale"]} if "scale" in settings else {}
    account = api.run(
        takes, tmp_path / "out", settings={"upscale": {"kind": kind, **scale}, "project": project, "deliver": FAST}
    )
    shown = decode_planes(tmp_path / "out" / "sequence.mp4")
    half = size[0] // 2, size[1] // 2
    assert [plane.shape[::-1] for plane in shown[0]] == [size, half, half]
    assert len(shown) == 5
    fixes = [fix for fix in account.takes()[0]["fixes"] if fix["stage"] == "upscale"]
    assert len(fixes) == (size != (64, 48))
    for fix in fixes:
        assert fix["kept"]
        assert fix["after"]["faults"] == []
        assert fix["after"]["psnr_db"] > 35


def test_a_small_take_in_a_larger_film_is_enlarged_and_off_only_fits_it(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", frames=12, size=(128, 96))
    make_clip(takes / "scene02_take01.mp4", frames=6, size=(64, 40))
    for scale, expected in ((1, [0, 1]), ("off", [0, 0])):
        account = api.run(takes, tmp_path / str(scale), settings={"upscale": {"scale": scale}, "deliver": FAST})
        assert [sum(fix["stage"] == "upscale" for fix in take["fixes"]) for take in account.takes()] == expected
        small = decode_planes(tmp_path / str(scale) / "clips" / "scene02_take01.mp4")[0]
        assert small[0].shape == (96, 128)
        bars = np.concatenate([small[0][:8], small[0][88:]])
        assert np.abs(bars.astype(int) - 16).max() <= 2  # 64x40 in 128x96: 128x80, bars of 8


def test_an_enlarged_frame_of_the_right_size_is_not_touched_again() -> None:
    from postpipe.stages.fit import BoundFit

    (frame,) = frames(1)
    (made,) = through(lambda made: made, [frame])
    two, none = Fraction(2), Fraction(0)
    fit = BoundFit(64, 48, two, two, none, none, PIXEL_FORMATS["yuv420p"], (32, 24), True)
    (fitted,) = fit.apply([made], allocate_like)
    assert fitted is made
    wider = replace(fit, width=72, left=Fraction(4))
    (placed,) = wider.apply([made], allocate_like)
    np.testing.assert_array_equal(placed.planes[0][:, 4:68], made.planes[0])
    assert placed.notes == made.notes


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p10le", "yuv444p"])
@pytest.mark.parametrize("size", [(64, 48), (96, 72), (46, 34), (160, 120)])
def test_the_built_in_ones_take_every_layout_and_size(layout: str, size: tuple[int, int]) -> None:
    source = frames(1, layout=layout)
    for kind in (Lanczos, Sharp):
        target = PIXEL_FORMATS["yuv420p10le" if "10" in layout else "yuv420p"]
        (out,) = kind(size, target).enlarge(source, allocate_like)
        assert (out.width, out.height, out.pixel_format) == (*size, target)
        assert np.unique(out.planes[1]).tolist() == [120]
        assert abs(float(out.planes[0].mean()) - float(source[0].planes[0].mean())) < 1


# What is checked


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda made: list(made)[:-1], "no frame for frame 4"),
        (lambda made: [*made, *frames(1, (64, 48))], "more frames than it got"),
        (lambda made: (allocate_like(frame, width=62) for frame in made), "62x48"),
        (lambda made: reversed(list(made)), "frame 4 for frame 0"),
        (lambda made: (replace(f, pixel_format=PIXEL_FORMATS["yuv420p10le"]) for f in made), "another coding"),
    ],
)
def test_an_upscaler_that_lies_is_caught(change: Any, fault: str) -> None:
    with pytest.raises(FilterFailed, match=fault):
        through(change, frames(5))


def test_repeated_frames_are_enlarged_once_and_keep_their_places() -> None:
    shown = [replace(frame, index=2 * frame.index + n) for frame in frames(4) for n in range(2)]
    seen: list[int] = []

    def look(made: Iterator[Frame]) -> Iterator[Frame]:
        ahead = list(made)  # as a program that reads to the end before it writes
        seen.extend(frame.index for frame in ahead)
        yield from ahead

    out = through(look, shown)
    assert seen == [0, 2, 4, 6]
    assert [frame.index for frame in out] == list(range(8))
    for frame, again in zip(out[::2], out[1::2], strict=True):
        assert frame.planes is again.planes


# Never worse


def score(change: Callable[[int, Frame], None], count: int = 26) -> dict[str, Any]:
    """Return the score of an upscaler that enlarges well, and then changes each frame."""
    source = frames(count, (64, 48))
    out = list(Lanczos((128, 96), PIXEL_FORMATS["yuv420p"]).enlarge(source, allocate_like))
    analyser, compare = WatchUpscale(), comparer(source[0], out[0])
    notes = []
    for one, other in zip(source, out, strict=True):
        change(one.index, other)
        notes.append(compare(one, other))
    assert analyser.finish([]).summary() == {"flicker_added": 0.0, "colour_shift": [0.0] * 3}
    return UpscaleTrack(np.array(notes, np.float32)).summary()


def test_a_faithful_upscaler_has_no_fault() -> None:
    found = score(lambda index, frame: None)
    assert faults(found) == []
    assert found["flicker_added"] < 0.2
    assert np.abs(found["colour_shift"]).max() < 0.2


def test_flicker_that_is_added_is_measured_in_code_values() -> None:
    def flicker(index: int, frame: Frame) -> None:
        frame.planes[0][:] += np.uint8(4 * (index % 2))

    found = score(flicker)
    assert found["flicker_added"] == pytest.approx(4 / np.sqrt(2), abs=0.1)  # a step of 4 each time, over √2
    assert [fault.split()[0:2] for fault in faults(found)] == [["adds", "flicker"], ["shifts", "Y,"]]


def test_a_shift_of_colour_is_told_by_plane() -> None:
    def shift(index: int, frame: Frame) -> None:
        frame.planes[2][:] -= 5

    found = score(shift)
    assert found["colour_shift"][2] == pytest.approx(-5, abs=0.05)
    (fault,) = faults(found)
    assert fault.startswith("shifts Y, Cb, Cr by")
    assert fault.endswith(" -5.0")


def test_another_picture_and_a_blurred_one_are_told() -> None:
    def noise(index: int, frame: Frame) -> None:
        frame.planes[0][:] = np.random.default_rng(index).integers(30, 200, frame.planes[0].shape)

    def blur(index: int, frame: Frame) -> None:
        weight = np.hanning(35)[1:-1] / np.hanning(35).sum()
        soft = np.pad(frame.planes[0].astype(float), 16, "edge")
        for axis in (0, 1):
            soft = np.apply_along_axis(np.convolve, axis, soft, weight, "valid")
        frame.planes[0][:] = soft

    assert any("another picture" in fault for fault in faults(score(noise)))
    assert any("blurs" in fault for fault in faults(score(blur)))


# Fallbacks, in whole runs


def use(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Have `kind = "lanczos"` be an upscaler that does something odd."""

    def make(wanted: Enlargement, settings: UpscaleSettings) -> Any:
        return Odd((wanted.target_width, wanted.target_height), change)

    monkeypatch.setattr(upscale, "_maker", lambda kind: make)
    monkeypatch.setattr("postpipe.engine.pack.digest", _digest_without(change))


def _digest_without(change: Any) -> Any:
    from postpipe.engine import pack

    real = pack.digest

    def digest(*parts: object) -> str:
        return real(*(repr(part) if "change=" in repr(part) else part for part in parts))

    return digest


def broken(made: Iterator[Frame]) -> Iterator[Frame]:
    for frame in made:
        if frame.index == 3:
            raise FilterFailed(FIX, "it stopped at frame 3", "mend it")
        yield frame


def flickering(made: Iterator[Frame]) -> Iterator[Frame]:
    for frame in made:
        frame.planes[0][:] += np.uint8(8 * (frame.index % 2))
        yield frame


@pytest.mark.parametrize(("change", "reason"), [(broken, "failed"), (flickering, "faults")])
def test_with_a_fallback_the_take_is_enlarged_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, reason: str
) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", frames=8)
    use(monkeypatch, change)
    settings = {"upscale": {"scale": 2, "kind": "lanczos", "fallback": "built-in"}, "deliver": FAST}
    account = api.run(takes, tmp_path / "out", settings=settings)
    (fix,) = account.takes()[0]["fixes"]
    assert not fix["kept"]
    assert fix["after"][reason]
    plain = api.run(takes, tmp_path / "plain", settings={**settings, "project": {"size": "128x96"}}, only=[])
    assert plain.takes()[0]["fixes"] == []
    films = [decode_planes(tmp_path / folder / "sequence.mp4") for folder in ("out", "plain")]
    for ours, theirs in zip(*films, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])


def test_without_a_fallback_a_failure_is_the_takes_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", frames=8)
    use(monkeypatch, broken)
    settings = {"upscale": {"scale": 2, "kind": "lanczos"}, "deliver": FAST}
    with pytest.raises(DeliveryError, match="it stopped at frame 3; mend it"):
        api.run(takes, tmp_path / "out", settings=settings)
    use(monkeypatch, flickering)
    account = api.run(takes, tmp_path / "out", settings=settings)
    (fix,) = account.takes()[0]["fixes"]
    assert fix["kept"]  # nothing to fall back on: it is told
    assert "adds flicker" in fix["after"]["faults"][0]


# Settings


def test_an_unknown_kind_and_a_missing_model_are_named() -> None:
    with pytest.raises(ValueError, match=r"kind = 'magic': expected .*lanczos.*sharp"):
        Upscale(kind="magic")
    with pytest.raises(ValueError, match="model is not set"):
        Upscale(kind="onnx")


@pytest.mark.parametrize("scale", [0.5, 17, "on"])
def test_scales_that_make_no_sense_are_refused(tmp_path: Path, scale: Any) -> None:
    make_clip(tmp_path / "scene01_take01.mp4", frames=2)
    with pytest.raises(SettingsError, match="scale"):
        api.plan(tmp_path, settings={"upscale": {"scale": scale}})
