"""The committed sample takes are what `truth.json` says they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from postpipe import inspect

FOLDER = Path(__file__).parent.parent / "sample_media"
TRUTH: dict[str, Any] = json.loads((FOLDER / "truth.json").read_text(encoding="utf-8"))
TAKES: dict[str, dict[str, Any]] = {entry["file"]: entry for entry in TRUTH["files"]}
KNOCKED = [file for file, entry in TAKES.items() if entry["event_frames"]]
SOFT = [file for file, entry in TAKES.items() if "blur_sigma_px" in entry["faults"]]
CLEAN = {entry["scene"]: file for file, entry in TAKES.items() if not entry["faults"]}

FIELD_SIZE = (480, 270)
BLACK_CODE = 16


@dataclass(frozen=True)
class Decoded:
    """A take and its truth.

    `sizes` are the sizes of its frames; `fields` their luma, scaled to uint8 `(frames, 270, 480)`, to be quick;
    `sound` is float32 `(channels, samples)`; `tags` are matrix, primaries, transfer and range.
    """

    truth: dict[str, Any]
    sizes: set[tuple[int, int]]
    fields: NDArray[np.uint8]
    seconds: list[Fraction]
    sound: NDArray[np.float32] | None
    sound_format: tuple[int, int] | None
    tags: tuple[int, int, int, int]

    @property
    def faults(self) -> dict[str, Any]:
        faults: dict[str, Any] = self.truth["faults"]
        return faults

    @property
    def brightness(self) -> NDArray[np.float64]:
        """Mean luma of each frame above black."""
        return np.asarray(self.fields.mean(axis=(1, 2)) - BLACK_CODE)


@cache
def decode(file: str) -> Decoded:
    """Each take is decoded once for all tests."""
    sizes, fields, seconds = set(), [], []
    blocks: list[NDArray[np.float32]] = []
    with av.open(FOLDER / file) as container:
        picture = container.streams.video[0]
        heard = container.streams.audio[0] if container.streams.audio else None
        context = picture.codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
        for frame in container.decode(*container.streams):
            if isinstance(frame, av.VideoFrame):
                assert frame.pts is not None
                assert picture.time_base is not None
                seconds.append(frame.pts * picture.time_base)
                sizes.add((frame.width, frame.height))
                luma = frame.to_ndarray()[: frame.height]
                fields.append(np.asarray(cv2.resize(luma, FIELD_SIZE, interpolation=cv2.INTER_AREA), np.uint8))
            elif isinstance(frame, av.AudioFrame):
                blocks.append(frame.to_ndarray().astype(np.float32))
        sound_format = (heard.rate, heard.channels) if heard else None
    sound = np.concatenate(blocks, axis=1) if blocks else None
    return Decoded(TAKES[file], sizes, np.stack(fields), seconds, sound, sound_format, tags)


def named(files: Iterable[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test for each of these takes."""
    return pytest.mark.parametrize("file", files, ids=lambda file: f"{TAKES[file]['scene']}_{TAKES[file]['take']}")


def runs(faults: dict[str, Any], name: str, skip: int = 0) -> set[int]:
    """The frames of inclusive runs, less the first `skip` of each."""
    return {frame for run in faults.get(name, []) for frame in range(run["first"] + skip, run["last"] + 1)}


@named(TAKES)
def test_picture_is_as_long_and_as_large_as_said(file: str) -> None:
    take = decode(file)
    assert take.sizes == {tuple(take.truth["size"])}
    assert take.seconds == [frame / Fraction(take.truth["rate"]) for frame in range(take.truth["frames"])]


@named(TAKES)
def test_sound_is_as_long_as_the_picture(file: str) -> None:
    take = decode(file)
    if take.truth["sound"] is None:
        assert take.sound is None
        return
    samples = take.truth["sound"]["samples"]
    assert take.sound_format == (take.truth["sound"]["rate_hz"], take.truth["sound"]["channels"])
    assert samples == take.truth["frames"] * 48_000 / Fraction(take.truth["rate"])
    assert take.sound is not None
    assert samples <= take.sound.shape[1] < samples + 1024  # AAC comes in whole blocks
    assert np.sqrt((take.sound**2).mean()) > 0.01


@named(TAKES)
def test_colour_tags(file: str) -> None:
    take = decode(file)
    unspecified = (2, 2, 2, 0)
    assert take.tags == (unspecified if take.truth["colour"] is None else (1, 1, 1, 1))


@named(TAKES)
def test_pictures_stand_still_exactly_where_said(file: str) -> None:
    take = decode(file)
    still = runs(take.faults, "frozen", 1) | runs(take.faults, "black", 1) | set(take.faults.get("duplicates", []))
    changes = [float(cv2.absdiff(a, b).mean()) for a, b in pairwise(take.fields)]
    assert {frame for frame, change in enumerate(changes, 1) if change < 0.2} == still
    assert min(change for frame, change in enumerate(changes, 1) if frame not in still) > 0.3


@named(TAKES)
def test_black_frames(file: str) -> None:
    take = decode(file)
    assert {int(frame) for frame in np.flatnonzero(take.brightness < 1)} == runs(take.faults, "black")


@named(TAKES)
def test_exposure_wavers_by_the_gains_and_no_more(file: str) -> None:
    take = decode(file)
    flicker = take.faults.get("flicker")
    lit = take.brightness > 1
    measured = take.brightness[lit]
    gains = np.array(flicker["gains"] if flicker else [1.0] * take.truth["frames"])[lit]

    def wavering_percent(brightness: NDArray[np.float64]) -> float:
        smooth = np.convolve(np.pad(brightness, 3, mode="edge"), np.full(7, 1 / 7), "valid")
        return float(100 * (brightness / smooth - 1).std())

    assert wavering_percent(measured / gains) < 0.3
    if flicker:
        assert np.corrcoef(gains, measured)[0, 1] > 0.9
        assert wavering_percent(measured) > 4


@named(KNOCKED)
def test_knocks_jolt_the_picture_and_are_heard_at_the_offset(file: str) -> None:
    take = decode(file)
    window = cv2.createHanningWindow(FIELD_SIZE, cv2.CV_32F)
    pairs = pairwise(take.fields.astype(np.float32))
    rise = np.array([0.0] + [cv2.phaseCorrelate(a, b, window)[0][1] for a, b in pairs])
    assert take.sound is not None
    level = np.abs(take.sound.mean(axis=0))
    loud = np.flatnonzero(level > 0.3 * level.max()) / 48_000
    onsets = loud[np.diff(loud, prepend=-1) > 0.2]
    seconds = np.array(take.truth["event_frames"]) / Fraction(take.truth["rate"])
    early_ms = 1000 * (seconds.astype(float) - onsets)
    assert early_ms == pytest.approx([take.faults.get("sound_offset_ms", 0)] * 3, abs=1)
    for frame in take.truth["event_frames"]:
        assert abs(rise[frame] - rise[frame - 4 : frame].mean()) > 0.6
        assert np.ptp(rise[frame - 4 : frame]) < 0.6


@named(SOFT)
def test_soft_takes_are_softer_than_the_best_of_their_scene(file: str) -> None:
    def sharpness(take: Decoded) -> float:
        return float(cv2.Laplacian(take.fields[0], cv2.CV_32F).var())

    take = decode(file)
    assert sharpness(take) < 0.25 * sharpness(decode(CLEAN[take.truth["scene"]]))


def test_the_cast_is_the_cdl() -> None:
    def pictures(file: str) -> NDArray[np.float64]:
        with av.open(FOLDER / file) as container:
            frames = list(container.decode(video=0))[::20]
        small = [frame.to_rgb(width=240, height=135, src_colorspace="ITU709").to_ndarray() for frame in frames]
        return np.stack(small).astype(np.float64) / 255

    def mean_rgb(pictures: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(pictures.mean(axis=(0, 1, 2)))

    (cast,) = (file for file, entry in TAKES.items() if "colour" in entry["faults"])
    cdl = TAKES[cast]["faults"]["colour"]
    neutral = pictures(CLEAN[TAKES[cast]["scene"]])
    graded = np.clip(neutral * cdl["slope"] + cdl["offset"], 0, 1) ** cdl["power"]
    grey = (graded @ [0.2126, 0.7152, 0.0722])[..., None]
    graded = np.clip(grey + cdl["saturation"] * (graded - grey), 0, 1)
    measured = mean_rgb(pictures(cast))
    assert np.abs(measured - mean_rgb(graded)).max() < 0.02
    assert np.abs(measured - mean_rgb(neutral)).max() > 0.05


def test_one_take_of_each_scene_is_without_fault_or_the_only_one() -> None:
    assert TRUTH["schema"] == "postpipe.sample-truth.1"
    faultless = [entry["scene"] for entry in TAKES.values() if not entry["faults"]]
    assert faultless == ["scene01", "scene02", "scene03"]
    (talking,) = (file for file, entry in TAKES.items() if entry["scene"] == "scene04")
    assert TRUTH["best"] == {**CLEAN, "scene04": talking}
    assert {entry["scene"] for entry in TAKES.values()} == {*faultless, "scene04"}


def test_the_speaker_is_as_far_out_of_sync_as_said() -> None:
    found = inspect([FOLDER / TRUTH["best"]["scene04"]]).takes()[0]["facts"]["lipsync"]
    said = TAKES[TRUTH["best"]["scene04"]]["faults"]["sound_offset_ms"]
    assert found["measurable"]
    assert found["confidence"] >= 0.9
    assert found["offset_ms"] == pytest.approx(said, abs=20)


def test_the_folder_holds_these_takes_and_stays_small() -> None:
    files = {path.name: path.stat().st_size for path in FOLDER.glob("*.mp4")}
    assert set(files) == set(TAKES)
    assert sum(files.values()) < 10_000_000
    assert max(files.values()) < 2_000_000


def test_names_are_hostile_but_can_be_checked_out_anywhere() -> None:
    assert any(name.startswith("-") for name in TAKES)
    assert any(set(" ';$&%#é🎬") <= set(name) for name in TAKES)
    assert not any(set('<>:"/\\|?*') & set(name) for name in TAKES)
    assert all(len(name.encode()) <= 255 for name in TAKES)
