"""A lip-sync model of the user's: what it is given, what its answers come to, and clear words where it does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from postpipe import inspect, plan
from postpipe.engine.stage import Look
from postpipe.errors import SettingsError
from postpipe.media.frames import allocate
from postpipe.model import PIXEL_FORMATS, SoundBlock
from postpipe.stages.conform import DELIVERY_COLOUR
from postpipe.stages.faces import FACES, Face
from postpipe.stages.lipsync import find_offset
from postpipe.stages.lipsync_match import LAGS
from postpipe.stages.lipsync_mfcc import Cepstra
from postpipe.stages.lipsync_model import LipEmbeddings, Nearness, PlaySound, ShowLips, SoundEmbeddings, crop, load
from postpipe.stages.lipsync_tracks import RATE_HZ, STEP_HZ, maps
from tests.clips import make_clip
from tests.stages.test_lipsync import SECONDS, lips, sound

helper: Any = pytest.importorskip("onnx").helper
pytest.importorskip("onnxruntime")

FLOAT = 1  # onnx.TensorProto.FLOAT
LIPS, SOUND = ["n", 3, 5, 16, 16], ["n", 1, 13, 20]
ENERGY = 12.0  # of the logarithm, where a picture is black; white is 2 more


def write(path: Path, inputs: dict[str, list[Any]], nodes: list[Any], outputs: list[str], **constants: Any) -> Path:
    from onnx import numpy_helper, save

    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def brightness(path: Path, lips: list[Any] = LIPS, sound: list[Any] = SOUND, divisor: float = 255 / 2) -> Path:
    """Write a model that gives the mean brightness of five pictures, and the mean energy of the sound beside them."""
    nodes = [
        helper.make_node("ReduceMean", ["lips"], ["mean"], axes=[1, 2, 3, 4][: len(lips) - 1], keepdims=0),
        helper.make_node("Div", ["mean", "divisor"], ["unit"]),
        helper.make_node("Unsqueeze", ["unit", "one"], ["lips_embedding"]),
        helper.make_node("Gather", ["sound", "first"], ["energies"], axis=2),
        helper.make_node("ReduceMean", ["energies"], ["energy"], axes=[2], keepdims=0),
        helper.make_node("Sub", ["energy", "least"], ["sound_embedding"]),
    ]
    constants = {"one": np.array([1]), "first": np.array(0), "least": np.float32(ENERGY)}
    outputs = ["lips_embedding", "sound_embedding"]
    return write(path, {"lips": lips, "sound": sound}, nodes, outputs, divisor=np.float32(divisor), **constants)


def light(seconds: Any) -> Any:
    """How bright the face is, and how loud the sound: 0 to 1."""
    waves = [np.sin(2 * np.pi * hertz * np.asarray(seconds) + phase) for hertz, phase in ((1.3, 0), (2.1, 1), (3.7, 2))]
    return 0.5 + sum(waves) / 6


def shown(show: ShowLips, rate: Fraction, seconds: float = 4.0) -> LipEmbeddings:
    """Show a face whose brightness is `light`."""
    picture = SimpleNamespace(rate=rate, declared_seconds=None)
    state = show.start(SimpleNamespace(sounds=(1,), picture=picture))  # type: ignore[arg-type]
    for number in range(round(seconds * rate)):
        frame = allocate(PIXEL_FORMATS["yuv420p"], 64, 64, pts_seconds=5 + number / rate, colour=DELIVERY_COLOUR)
        frame.planes[0][:] = round(16 + 219 * float(light(number / rate)))
        frame.planes[1][:] = frame.planes[2][:] = 128
        look = Look(frame)
        look.put(FACES, lambda: (Face(3, 32, 30, 30, 30, 1, 1),))
        show.step(state, look)
    return show.finish(state)


def heard(play: PlaySound, early_ms: float, seconds: float = 4.0) -> SoundEmbeddings:
    """Play sound whose loudness is `light`, early by so much."""
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ + early_ms / 1000
    # The energy of a window: 400 samples, half of their spectrum, without bass; a hundred times the amplitude's square.
    amplitude = np.exp((ENERGY + 2 * light(time)) / 2) / 10 / 0.984 / 32768
    samples = amplitude * np.sin(2 * np.pi * 2664 * time)
    state = play.start(None)  # type: ignore[arg-type]  # it asks nothing of the clip
    for block in np.split(samples.astype(np.float32)[:, None], [1000, 1001, 30_000]):
        play.step(state, SoundBlock(0, RATE_HZ, block))
    return play.finish(state)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(24000, 1001), Fraction(30)])
@pytest.mark.parametrize("early_ms", [-300, 0, 220])
def test_the_lag_of_a_known_pair_comes_out(tmp_path: Path, rate: Fraction, early_ms: float) -> None:
    path = str(brightness(tmp_path / "it's a model.onnx"))
    seen, played = shown(ShowLips(model=path), rate), heard(PlaySound(model=path), early_ms)
    assert len(seen.steps) == 96
    assert seen.steps[-1] == 2 * 95
    assert set(seen.tracks) == {3}
    assert len(played.embeddings) == (4 * 100 - 2 - 20) // 2 + 1
    near = Nearness.of(seen, played, LAGS)
    curve = near.curve(np.arange(4 * STEP_HZ), [3])
    assert curve is not None
    assert LAGS[curve.argmax()] * 1000 / STEP_HZ == pytest.approx(early_ms, abs=20)
    assert curve.max() > 0.9
    assert near.curve(np.arange(4 * STEP_HZ), [0]) is None


def test_a_face_is_cut_out_in_colour_with_its_chin(tmp_path: Path) -> None:
    frame = allocate(PIXEL_FORMATS["yuv420p10le"], 200, 200, pts_seconds=Fraction(0), colour=DELIVERY_COLOUR)
    frame.planes[0][:], frame.planes[1][:], frame.planes[2][:] = 63 * 4, 102 * 4, 240 * 4  # pure red of BT.709
    frame.planes[0][140:] = 16 * 4
    picture = crop(frame, Face(0, 100, 100, 100, 100, 1, 1), 224)
    assert picture is not None
    assert picture.shape == (3, 224, 224)
    np.testing.assert_allclose(picture[:, 5, 112], [0, 0, 255], atol=3)
    edge = np.flatnonzero(np.diff(picture[2, :, 112]) < -30)  # 140 lies 0.9 of the face's side below its upper edge
    assert edge[0] / 224 * 1.68 == pytest.approx(1.0, abs=0.02)
    assert crop(frame, Face(0, 0, 0, 100, 100, 1, 1), 224) is None


def test_cepstra_are_those_of_python_speech_features() -> None:
    time = np.arange(800)
    tones = 8192 * np.sin(2 * np.pi * 440 * time / 16000) + 4096 * np.sin(2 * np.pi * 3000 * time / 16000)
    samples = (np.rint(tones) / 32768).astype(np.float32)
    made = Cepstra()
    first, *_ = found = [*made.add(samples[:555]), *made.add(samples[555:])]
    assert len(found) == 3
    known = [21.5108, -3.2032, -4.1247, 26.994, -41.6834, -48.611, 6.259,
             -30.1532, -18.2559, 39.8065, 8.1357, 3.7608, 32.1694]  # fmt: skip  # by version 0.6
    np.testing.assert_allclose(first, known, atol=1e-3)


# How near they are


def nearness(lag: int, seconds: float = SECONDS, seed: int = 0) -> Nearness:
    """Embeddings that are the same at one lag, and have nothing to do with each other at the rest."""
    random = np.random.default_rng(seed)
    sounds = random.normal(size=(int(seconds * STEP_HZ) + 100, 32)).astype(np.float16)
    steps = np.arange(0, int(seconds * STEP_HZ) - 10, 2)
    seen = LipEmbeddings(steps, np.zeros(len(steps), np.int32), sounds[steps - lag + 50])
    return Nearness.of(seen, SoundEmbeddings(sounds[50:]), LAGS)


def test_the_curve_is_one_where_they_are_the_same_and_nought_where_they_have_nothing_in_common() -> None:
    curve = nearness(12).curve(np.arange(1000), [0])
    assert curve is not None
    assert curve[LAGS == 12] == pytest.approx(1)
    assert np.abs(curve[LAGS != 12]).max() < 0.15
    assert nearness(12).curve(np.arange(40), [0]) is None  # less than a second


def test_of_faces_that_are_seen_at_once_the_first_counts() -> None:
    one, other = nearness(12), replace(nearness(-20, seed=1), tracks=np.ones(195, np.int32))
    both = Nearness(*(np.concatenate([getattr(one, n), getattr(other, n)]) for n in ("steps", "tracks", "squared")))
    for order, lag in (([0, 1], 12), ([1, 0], -20), ([1], -20)):
        curve = both.curve(np.arange(1000), order)
        assert curve is not None
        assert curve[lag == LAGS] == pytest.approx(1)


def test_the_model_counts_as_much_as_our_own_measurement() -> None:
    def answer(near: Nearness | None, seed: int = 0) -> Any:
        return find_offset(lips(), sound(240, seed=seed), maps(), near)

    alone, agreed, against = answer(None), answer(nearness(12)), answer(nearness(-20))
    assert agreed.offset_ms == pytest.approx(240, abs=12)
    assert agreed.confidence >= alone.confidence
    assert against.offset_ms is None
    assert answer(None, seed=3).offset_ms is None
    helped = answer(nearness(12), seed=3)
    np.testing.assert_allclose(helped.correlation, (answer(None, 3).correlation + _curve(nearness(12))) / 2, atol=1e-5)
    assert helped.guess_ms == pytest.approx(240, abs=12)


def _curve(near: Nearness) -> Any:
    return near.curve(np.arange(int(SECONDS * STEP_HZ)), [0])


# Settings


def test_nothing_of_it_is_planned_unless_it_is_asked_for(tmp_path: Path, takes: Path) -> None:
    path = brightness(tmp_path / "model.onnx")
    without, with_model = plan(takes), plan(takes, settings={"lipsync": {"model": str(path)}})
    assert not {"lip_embeddings", "sound_embeddings"} & {stage.id for stage in without.look}
    assert {"lip_embeddings", "sound_embeddings"} <= {stage.id for stage in with_model.look}
    before = ShowLips(model=str(path))
    brightness(path, divisor=2.0)
    assert before != ShowLips(model=str(path))  # its content is in the key


def test_a_file_that_is_not_there_is_said_once(takes: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        plan(takes, settings={"lipsync": {"model": "no such.onnx"}})
    (problem,) = caught.value.problems
    assert "[lipsync] model = 'no such.onnx' cannot be read (No such file or directory)" in problem


def renamed(path: Path) -> Path:
    node = helper.make_node("Identity", ["lips"], ["a"])
    other = helper.make_node("Identity", ["sound"], ["b"])
    return write(path, {"lips": LIPS, "sound": SOUND}, [node, other], ["a", "b"])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b"no model") and path, "does not load"),
        (lambda path: brightness(path, sound=["n", 1, 13, 16]), r"takes .*16.*; expected lips tensor.*sound"),
        (lambda path: brightness(path, lips=["n", 15, 16, 16]), "expected lips"),
        (lambda path: brightness(path, lips=["n", 3, 5, 16, 32]), r"expected lips tensor\(float\) \[1, 3, 5, 16, 16\]"),
        (renamed, "gives a, b; expected lips_embedding, sound_embedding"),
    ],
)
def test_what_is_no_lip_sync_model_is_refused_in_words(
    tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        load(ShowLips(model=str(make(tmp_path / "model.onnx"))))


def test_values_that_are_no_numbers_are_refused_in_words(tmp_path: Path) -> None:
    path = str(brightness(tmp_path / "model.onnx", divisor=0.0))
    with pytest.raises(SettingsError, match="lips_embedding that are no numbers"):
        shown(ShowLips(model=path), Fraction(25))


def test_a_take_without_a_face_is_measured_with_a_model_as_without(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=12)
    settings = {"lipsync": {"model": str(brightness(tmp_path / "model.onnx"))}}
    (take,) = inspect([clip], settings=settings).takes()
    assert take["facts"]["lipsync"]["reason"] == "too short"
