"""Flicker: known gains found and undone, clean pictures left bit for bit, light and cuts kept."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from postpipe.delivery import FrameTimes, Shot, Shots
from postpipe.engine.passes import Watcher
from postpipe.engine.points import apply_point
from postpipe.media.frames import allocate
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame
from postpipe.stages.deflicker import BoundDeflicker, Deflicker
from postpipe.stages.flicker import Flicker, MeasureFlicker
from postpipe.stages.flicker_track import FlickerTrack, FollowExposure

RATE = 24
FRAMES = 72
SIZE = (96, 128)


def picture(height: int, width: int, drift: float = 0.0) -> np.ndarray:
    """Return R'G'B' of a textured scene, 0 to 1, shape `(3, height, width)`."""
    y, x = np.mgrid[:height, :width]
    x = x + drift
    base = 0.45 + 0.2 * np.sin(x / 11.0) * np.cos(y / 9.0) + 0.1 * np.sin((x + 2 * y) / 9.0)
    return np.stack([base * 1.1, base, base * 0.8 + 0.05 * np.cos(x / 17.0)])


def frames(
    gains: np.ndarray,
    *,
    size: tuple[int, int] = SIZE,
    format_: str = "yuv420p",
    range_: str = "limited",
    drift: float = 0.0,
    local: np.ndarray | None = None,
    grain: float = 0.8,
    scenes: tuple[int, ...] = (),
) -> list[Frame]:
    """Return a clip whose R'G'B' are multiplied by `gains` `(frames, 3)`; `scenes`: where another picture begins.

    `grain`: standard deviation of noise in 8-bit code values, without which whole areas would be rounded alike.
    """
    random = np.random.default_rng(7)
    pixel_format = PIXEL_FORMATS[format_]
    colour = ColourSpec("bt709", range_, "bt709", "bt709")
    from postpipe_kernels.colour import code_scale, rgb_to_ycbcr

    scale, zero = code_scale(range_, pixel_format.bits)
    made = []
    for n, gain in enumerate(gains):
        scene = sum(n >= first for first in scenes)
        rgb = picture(*size, drift * n + 500 * scene) * (1 - 0.3 * scene) * gain[:, None, None]
        if local is not None:
            rgb = rgb * local[n]
        ycc = np.einsum("ij,jyx->iyx", rgb_to_ycbcr("bt709"), rgb) * scale[:, None, None] + zero[:, None, None]
        frame = allocate(pixel_format, size[1], size[0], index=n, pts_seconds=Fraction(n, RATE), colour=colour)
        for plane, values in zip(frame.planes, ycc, strict=True):
            rows, columns = -(-size[0] // plane.shape[0]), -(-size[1] // plane.shape[1])
            padded = np.pad(
                values, ((0, plane.shape[0] * rows - size[0]), (0, plane.shape[1] * columns - size[1])), "edge"
            )
            means = padded.reshape(plane.shape[0], rows, plane.shape[1], columns).mean((1, 3))
            means = means + random.normal(0, grain * (1 << (pixel_format.bits - 8)), means.shape)
            plane[...] = np.clip(np.round(means), 0, (1 << pixel_format.bits) - 1)
        made.append(frame)
    return made


def track(clip: list[Frame]) -> FlickerTrack:
    first = clip[0]
    described: Any = SimpleNamespace(
        picture=SimpleNamespace(
            width=first.width, height=first.height, pixel_format=first.pixel_format, colour=first.colour
        )
    )
    watcher = Watcher([FollowExposure()], described)
    for frame in clip:
        watcher.step(frame)
    (found,) = watcher.finish()
    assert isinstance(found, FlickerTrack)
    return found


def find(clip: list[Frame], shots: Shots | None = None) -> Flicker:
    times = FrameTimes(Fraction(1, RATE), np.arange(len(clip)), 1, Fraction(RATE), False, ())
    return MeasureFlicker().run(track(clip), times, shots)


def corrected(clip: list[Frame], bound: BoundDeflicker) -> list[Frame]:
    out = []
    for frame in clip:
        params = bound.at(frame)
        out.append(frame if params is None else apply_point(frame, params))
    return out


def grey(gains: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(gains, float)[:, None], 3, axis=1)


def random_gains(percent: float = 2.0, seed: int = 1) -> np.ndarray:
    return 1 + percent / 100 * np.random.default_rng(seed).standard_normal(FRAMES)


def mean_log(clip: list[Frame]) -> np.ndarray:
    return np.array([np.log(frame.planes[0].astype(float).mean() - 16) for frame in clip])


def test_known_gains_are_found_and_undone() -> None:
    gains = random_gains()
    clip = frames(grey(gains), drift=0.7)
    found = find(clip)
    wanted = np.log(gains) - np.log(gains).mean()
    assert np.abs(found.exposure - wanted).max() < 0.004
    assert found.global_percent == pytest.approx(100 * 2**0.5 * wanted.std(), rel=0.1)
    bound = Deflicker(mode="auto").bind(found)
    assert bound is not None
    before, after = mean_log(clip), mean_log(corrected(clip, bound))
    assert np.diff(after).std() < 0.12 * np.diff(before).std()


def test_colour_temperature_is_told_from_exposure() -> None:
    shift = random_gains() - 1
    clip = frames(np.stack([1 + shift, 1 + 0 * shift, 1 - shift], axis=1))
    found = find(clip)
    assert found.percent("colour") == pytest.approx(100 * 2**0.5 * shift.std(), rel=0.15)
    assert found.percent("colour") > 4 * found.percent("exposure")
    bound = Deflicker(mode="auto").bind(found)
    assert bound is not None
    for plane in (1, 2):
        before = np.array([frame.planes[plane].mean() for frame in clip])
        after = np.array([frame.planes[plane].mean() for frame in corrected(clip, bound)])
        assert after.std() < 0.25 * before.std()


def test_a_part_that_flickers_by_itself_is_local() -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    blob = np.exp(-((x - 40) ** 2 + (y - 40) ** 2) / (2 * 20.0**2))
    series = 0.06 * np.random.default_rng(2).standard_normal(FRAMES)
    clip = frames(grey(np.ones(FRAMES)), local=1 + series[:, None, None] * blob)
    found = find(clip)
    assert found.percent("local") > 2
    assert found.percent("local") > 2 * found.percent("exposure")
    bound = Deflicker(mode="auto").bind(found)
    assert bound is not None
    assert bound.local is not None
    spot = (slice(32, 48), slice(32, 48))
    before = np.diff([frame.planes[0][spot].mean() for frame in clip]).std()
    after = np.diff([frame.planes[0][spot].mean() for frame in corrected(clip, bound)]).std()
    assert after < 0.4 * before


@pytest.mark.parametrize("drift", [0.0, 1.3])
def test_clean_pictures_are_left_alone(drift: float) -> None:
    assert Deflicker(mode="auto").bind(find(frames(grey(np.ones(FRAMES)), drift=drift))) is None


def test_light_that_changes_slowly_stays() -> None:
    time = np.arange(FRAMES) / RATE
    light = 1 + 0.25 * np.sin(2 * np.pi * 0.4 * time)
    assert Deflicker(mode="auto").bind(find(frames(grey(light)))) is None
    clip = frames(grey(light * random_gains()))
    bound = Deflicker(mode="auto").bind(find(clip))
    assert bound is not None
    after = mean_log(corrected(clip, bound))
    wanted = np.log(light) - np.log(light).mean()
    assert (after - after.mean()) @ wanted / (wanted @ wanted) > 0.95


def test_a_fade_stays() -> None:
    ramp = np.clip((np.arange(FRAMES) - 8) / 40, 0.0, 1)
    assert Deflicker(mode="auto").bind(find(frames(grey(ramp)))) is None
    assert Deflicker(mode="auto").bind(find(frames(grey(ramp[::-1])))) is None


@pytest.mark.parametrize("hertz", [2.0, 3.7, 8.3])
def test_the_frequency_of_a_sine(hertz: float) -> None:
    sine = 1 + 0.02 * np.sin(2 * np.pi * hertz * np.arange(FRAMES) / RATE)
    found = find(frames(grey(sine)))
    assert found.summary()["dominant_hz"] == pytest.approx(hertz, abs=0.1)


def test_a_single_bad_frame_is_found_and_undone() -> None:
    gains = np.ones(FRAMES)
    gains[30] = 1.1
    clip = frames(grey(gains), drift=0.7)
    found = find(clip)
    assert found.flashes == (30,)
    bound = Deflicker(mode="auto").bind(found)
    assert bound is not None
    out = corrected(clip, bound)
    level = mean_log(out)
    assert abs(level[30] - level[29]) < 0.01
    assert all(out[n] is clip[n] for n in range(FRAMES) if n != 30)


def test_shots_are_solved_by_themselves() -> None:
    """A cut is no flicker, and a shot that flickers leaves its clean neighbour bit for bit."""
    shots = Shots((Shot(0, 35, "start"), Shot(36, FRAMES - 1, "cut")))
    clean = frames(grey(np.ones(FRAMES)), scenes=(36,))
    assert Deflicker(mode="auto").bind(find(clean, shots)) is None
    gains = random_gains()
    gains[:36] = 1
    clip = frames(grey(gains), scenes=(36,))
    bound = Deflicker(mode="auto").bind(find(clip, shots))
    assert bound is not None
    out = corrected(clip, bound)
    assert all(out[n] is clip[n] for n in range(36))
    assert np.diff(mean_log(out)[36:]).std() < 0.2 * np.diff(mean_log(clip)[36:]).std()


def test_repeated_frames_flicker_with_what_they_repeat() -> None:
    """8 frames a second in a container of 24: each frame three times."""
    gains = np.repeat(random_gains()[: FRAMES // 3], 3)
    clip = frames(grey(gains))
    found = find([clip[n - n % 3] for n in range(FRAMES)])
    assert found.global_percent > 1.5
    assert all(found.exposure[n] == found.exposure[n - n % 3] for n in range(FRAMES))


def test_strobe_is_reported_and_kept_when_told_so() -> None:
    strobe = np.where(np.arange(FRAMES) % 4 < 2, 1.0, 0.5)
    found = find(frames(grey(strobe)))
    assert found.summary()["strobe"] is True
    assert Deflicker(mode="auto", keep_strobe=True).bind(found) is None
    assert Deflicker(mode="auto").bind(found) is not None


def test_modes_and_strength() -> None:
    found = find(frames(grey(random_gains())))
    assert Deflicker(mode="off").bind(found) is None
    assert Deflicker(mode="auto", strength=0.0).bind(found) is None
    whole, half = Deflicker(mode="auto").bind(found), Deflicker(mode="auto", strength=0.5).bind(found)
    assert whole is not None
    assert half is not None
    np.testing.assert_allclose(half.gain, whole.gain / 2, atol=1e-6)


def test_drift_is_eased_when_asked_for() -> None:
    drift = np.exp(np.linspace(-0.05, 0.05, FRAMES))
    clip = frames(grey(drift))
    assert Deflicker(mode="auto").bind(find(clip)) is None
    bound = Deflicker(mode="auto", ease_drift=1.0).bind(find(clip))
    assert bound is not None
    assert np.ptp(mean_log(corrected(clip, bound))) < 0.2 * np.ptp(mean_log(clip))


@pytest.mark.parametrize("length", [1, 2, 7, 8, 9])
def test_short_clips(length: int) -> None:
    found = find(frames(grey(random_gains()[:length])))
    assert found.exposure.shape == (length,)
    if length < 8:
        assert Deflicker(mode="on").bind(found) is None


def test_long_clips_are_solved_in_windows() -> None:
    gains = 1 + 0.02 * np.random.default_rng(3).standard_normal(400)
    found = find(frames(grey(gains), size=(16, 32)))
    wanted = np.log(gains) - np.log(gains).mean()
    assert np.abs(found.exposure - wanted)[5:-5].max() < 0.012
    assert found.global_percent == pytest.approx(2.83, rel=0.15)


@pytest.mark.parametrize(
    ("format_", "range_", "size"),
    [
        ("yuv420p", "full", (96, 128)),
        ("yuv420p10le", "limited", (96, 128)),
        ("yuv422p10le", "limited", (96, 128)),
        ("yuv444p", "limited", (96, 128)),
        ("yuv420p", "limited", (97, 131)),
        ("yuv420p", "limited", (240, 18)),
    ],
)
def test_every_layout(format_: str, range_: str, size: tuple[int, int]) -> None:
    gains = random_gains()[:36]
    clip = frames(grey(gains), format_=format_, range_=range_, size=size)
    bound = Deflicker(mode="auto").bind(find(clip))
    assert bound is not None
    black = 0 if range_ == "full" else 16 << (clip[0].pixel_format.bits - 8)

    def level(of: list[Frame]) -> np.ndarray:
        return np.array([np.log(frame.planes[0].astype(float).mean() - black) for frame in of])

    assert np.diff(level(corrected(clip, bound))).std() < 0.2 * np.diff(level(clip)).std()


def test_a_static_slate_stays_bit_for_bit() -> None:
    slate = frames(grey(np.ones(FRAMES)), grain=0)
    assert Deflicker(mode="on").bind(find(slate)) is None


def test_black_is_no_flicker() -> None:
    assert Deflicker(mode="on").bind(find(frames(grey(np.zeros(FRAMES)), grain=0))) is None
