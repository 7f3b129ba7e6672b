"""Our hidden mark: the payload comes back from what is delivered, and is in no other picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postpipe import api
from postpipe.errors import SettingsError
from postpipe.marks import SoftBinding
from postpipe.media.frames import allocate, allocate_like
from postpipe.model import PIXEL_FORMATS, ColourSpec, Frame
from postpipe.stages import watermark_code as code
from postpipe.stages.watermark import ALGORITHM, BoundMark, DeclareMark, HideMark
from postpipe.stages.watermark_detect import OurDetector
from tests.clips import make_clip

BT709 = ColourSpec("bt709", "limited", "bt709", "bt709")


def frame(seed: int, width: int = 480, height: int = 270, layout: str = "yuv420p", index: int = 0) -> Frame:
    """A frame with structure at all sizes."""
    dice = np.random.default_rng(seed)
    form = PIXEL_FORMATS[layout]
    made = allocate(form, width, height, index=index, colour=BT709)
    y, x = np.mgrid[:height, :width]
    light = 120 + 50 * np.sin((x + 40 * seed) / 37) * np.cos(y / 23) + dice.normal(0, 3, (height, width))
    for plane, values in zip(made.planes, (light, 128.0, 128.0), strict=True):
        plane[...] = np.clip(values, 16, 235) * (1 << (form.bits - 8)) * np.ones(plane.shape)
    return made


def votes_of(frames: list[Frame]) -> np.ndarray:
    cells = code.Cells(frames[0].width, frames[0].height)
    return np.sum([cells.votes(one.planes[0], one.pixel_format.bits) for one in frames], axis=0)


@given(payload=st.binary(min_size=8, max_size=8), seed=st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_a_code_mends_three_wrong_bits_of_each_word(payload: bytes, seed: int) -> None:
    votes = code.encode(payload).astype(np.float64).reshape(8, 24)
    for word in votes:
        word[np.random.default_rng(seed).choice(24, 3, replace=False)] *= -1
    assert code.decode(votes.ravel()) == payload


def test_votes_that_mean_nothing_are_no_payload() -> None:
    dice = np.random.default_rng(1)
    assert code.decode(np.zeros(code.CODE_BITS)) is None
    assert all(code.decode(dice.normal(size=code.CODE_BITS)) is None for _ in range(500))


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("STUDIO-7", b"STUDIO-7"),
        ("é", "é".encode() + bytes(6)),
        ("0x00112233445566FF", bytes.fromhex("00112233445566ff")),
    ],
)
def test_payloads_are_text_or_digits(text: str, data: bytes) -> None:
    assert code.payload_bytes(text) == data


@pytest.mark.parametrize("text", ["too long for it", "0x0011223344556677aa", "0xnonsense!!"])
def test_other_payloads_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="up to 8 bytes"):
        HideMark(payload=text)
    with pytest.raises(ValueError, match="up to 8 bytes"):
        DeclareMark(payload=text)


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p10le"])
def test_a_payload_is_read_from_what_was_marked(layout: str) -> None:
    frames = [frame(seed, layout=layout) for seed in range(4)]
    marked = list(BoundMark(b"STUDIO-7").apply(frames, allocate_like))
    assert code.decode(votes_of(marked)) == b"STUDIO-7"
    assert code.decode(votes_of(frames)) is None
    top = (1 << frames[0].pixel_format.bits) - 1
    for before, after in zip(frames, marked, strict=True):
        error = np.mean((before.planes[0].astype(np.float64) - after.planes[0]) ** 2)
        assert 10 * np.log10(top**2 / error) > 40
        np.testing.assert_array_equal(before.planes[1], after.planes[1])


def test_a_payload_is_read_at_two_thirds_of_the_size_and_after_a_grade() -> None:
    frames = [frame(seed, 960, 540) for seed in range(3)]
    marked = list(BoundMark(b"STUDIO-7").apply(frames, allocate_like))
    small = [frame(seed, 640, 360) for seed in range(3)]
    for one, other in zip(marked, small, strict=True):
        light = one.planes[0].reshape(180, 3, 320, 3).astype(np.float64)
        halves = np.stack([light[:, :2].mean(axis=1), light[:, 1:].mean(axis=1)], axis=1).reshape(360, 320, 3)
        halves = np.stack([halves[..., :2].mean(axis=2), halves[..., 1:].mean(axis=2)], axis=2).reshape(360, 640)
        other.planes[0][...] = np.rint(255 * (halves / 255) ** 1.15 * 0.9)
    assert code.decode(votes_of(small)) == b"STUDIO-7"


def test_a_frame_is_marked_alike_wherever_a_unit_begins() -> None:
    frames = [frame(seed, index=seed) for seed in range(4)]
    together = list(BoundMark(b"STUDIO-7").apply(frames, allocate_like))
    alone = list(BoundMark(b"STUDIO-7").apply(frames[2:], allocate_like))
    np.testing.assert_array_equal(together[2].planes[0], alone[0].planes[0])


def test_a_repeated_frame_is_marked_once() -> None:
    one = frame(1)
    again = Frame(1, Fraction(1, 24), one.planes, one.pixel_format, one.colour)
    first, second = BoundMark(b"STUDIO-7").apply([one, again], allocate_like)
    assert (second.index, second.planes) == (1, first.planes)


def test_black_bars_stay_black() -> None:
    boxed = frame(1)
    boxed.planes[0][:40] = 16
    (marked,) = BoundMark(b"STUDIO-7").apply([boxed], allocate_like)
    assert (marked.planes[0][:36] == 16).all()


def test_marking_is_off_unless_asked_for(tmp_path: Path) -> None:
    assert [name for stage in api.plan().filters if (name := stage.id) == "watermark"] == ["watermark"]
    assert not HideMark().payload
    with pytest.raises(SettingsError, match="up to 8 bytes"):
        api.plan(settings={"watermark": {"payload": "much too long"}})


def test_a_delivery_carries_its_payload_through_every_unit(tmp_path: Path) -> None:
    takes, out = tmp_path / "takes", tmp_path / "out"
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", frames=72, size=(640, 360))
    deliver = {"video_codec": "lossless", "preset": "ultrafast", "unit_seconds": 1}
    settings = {"watermark": {"payload": "STUDIO-7"}, "deliver": deliver}
    account = api.run(takes, out, settings=settings)
    (take,) = api.inspect([out / "sequence.mp4"]).takes()
    assert [(mark["algorithm"], mark["value"]) for mark in take["facts"]["marks"]] == [(ALGORITHM, b"STUDIO-7".hex())]
    assert account.takes()[0]["facts"]["marks"] == []
    # what is marked already and rendered without a payload keeps its mark, which the account says
    shown = api.run(out / "clips", tmp_path / "again", settings={"deliver": deliver}).takes()[0]
    assert shown["facts"]["marks_delivered"]["hidden"] == [
        {"algorithm": ALGORITHM, "value": b"STUDIO-7".hex(), "kept": True}
    ]


def test_payloads_of_stretches_are_told_apart() -> None:
    detector = OurDetector()
    at_work = detector.start(None)  # type: ignore[arg-type]  # the size is that of the frames
    for payload, start in ((b"FIRST---", 0), (b"SECOND--", 20)):
        frames = [frame(seed % 5, index=start + seed) for seed in range(20)]
        for one in BoundMark(payload).apply(frames, allocate_like):
            at_work.step(one)
    found = {mark.binding: mark.words for mark in at_work.finish()}
    assert SoftBinding(ALGORITHM, b"FIRST---".hex(), 0, 19) in found
    assert found[SoftBinding(ALGORITHM, b"SECOND--".hex(), 20, 39)] == "postpipe's own, payload “SECOND--”"
