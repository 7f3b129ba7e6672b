"""Models as upscalers: known answers, tiles without seams, and clear words where they cannot be used."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from postpipe.errors import FilterFailed, SettingsError
from postpipe.media.frames import allocate, allocate_like
from postpipe.model import PIXEL_FORMATS, Frame
from postpipe.stages.conform import DELIVERY_COLOUR
from postpipe.stages.upscale_onnx import Model, load, onnx
from postpipe.stages.upscaling import Enlargement, UpscaleSettings
from tests.clips import picture

helper: Any = pytest.importorskip("onnx").helper
pytest.importorskip("onnxruntime")

FLOAT = 1  # onnx.TensorProto.FLOAT


def write_model(path: Path, nodes: list[Any], constants: dict[str, np.ndarray], shape: list[Any]) -> Path:
    from onnx import numpy_helper, save

    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("in", FLOAT, shape)],
        [helper.make_tensor_value_info("out", FLOAT, None)],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def repeating(path: Path, shape: list[Any], factor: float = 2.0) -> Path:
    """Write a model that repeats samples."""
    node = helper.make_node("Resize", ["in", "", "scales"], ["out"], mode="nearest", nearest_mode="floor",
                            coordinate_transformation_mode="asymmetric")  # fmt: skip
    return write_model(path, [node], {"scales": np.array([1, 1, factor, factor], np.float32)}, shape)


def blurring(path: Path, channels: int, shape: list[Any]) -> Path:
    """Write a model that looks three samples far, with a blur of 7x7, and then repeats samples."""
    weights = np.zeros((channels, 1, 7, 7), np.float32)
    weights[:] = np.outer(*[np.hanning(9)[1:-1]] * 2) / np.hanning(9)[1:-1].sum() ** 2
    nodes = [
        helper.make_node("Conv", ["in", "weights"], ["soft"], pads=[3, 3, 3, 3], group=channels),
        helper.make_node("Resize", ["soft", "", "scales"], ["out"], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric"),
    ]  # fmt: skip
    return write_model(path, nodes, {"weights": weights, "scales": np.array([1, 1, 2, 2], np.float32)}, shape)


def settings(path: Path, **named: Any) -> UpscaleSettings:
    return UpscaleSettings(kind="onnx", model=str(path), **named)


def frame(width: int, height: int, layout: str = "yuv420p") -> Frame:
    made = allocate(PIXEL_FORMATS[layout], width, height, pts_seconds=Fraction(0), colour=DELIVERY_COLOUR)
    unit = 1 << (made.pixel_format.bits - 8)
    made.planes[0][:] = (picture(0, width, height, 0) // 2 + 60).astype(made.planes[0].dtype) * unit  # inside R'G'B'
    made.planes[1][:], made.planes[2][:] = 120 * unit, 140 * unit
    return made


def enlarged(source: Frame, chosen: UpscaleSettings) -> Frame:
    size = 2 * source.width, 2 * source.height
    layout = source.pixel_format
    wanted = Enlargement(source.width, source.height, layout, source.colour, Fraction(24), *size, layout, Fraction(2))
    (out,) = onnx(wanted, chosen).enlarge([source], allocate_like)
    return out


@pytest.mark.parametrize("layout", ["yuv420p", "yuv420p10le", "yuv444p"])
@pytest.mark.parametrize("kind", ["rgb", "bgr", "luma"])
@pytest.mark.parametrize("span", ["0 to 1", "0 to 255", "-1 to 1"])
def test_a_model_that_repeats_samples_repeats_them(tmp_path: Path, layout: str, kind: str, span: str) -> None:
    path = repeating(tmp_path / "it's a model.onnx", [1, 1 if kind == "luma" else 3, "h", "w"])
    source = frame(50, 38, layout)
    out = enlarged(source, settings(path, model_input=kind, model_range=span, tile_px=32, overlap_px=2))
    assert (out.width, out.height, out.pixel_format) == (100, 76, source.pixel_format)
    expected = source.planes[0].repeat(2, axis=0).repeat(2, axis=1).astype(int)
    assert np.abs(out.planes[0].astype(int) - expected).max() <= 1
    for plane, level in zip(out.planes[1:], (120, 140), strict=True):
        unit = 1 << (source.pixel_format.bits - 8)
        assert np.abs(plane.astype(int) - level * unit).max() <= 1


@pytest.mark.parametrize("shape", [["n", 3, "h", "w"], [1, 3, 32, 24]])
def test_tiles_that_overlap_as_far_as_the_model_looks_leave_no_seam(tmp_path: Path, shape: list[Any]) -> None:
    tiled = load(settings(blurring(tmp_path / "tiled.onnx", 3, shape), tile_px=24, overlap_px=3))
    whole = load(settings(blurring(tmp_path / "whole.onnx", 3, ["n", 3, "h", "w"]), tile_px=96, overlap_px=3))
    pixels = np.random.default_rng(1).random((3, 96, 96)).astype(np.float32)
    np.testing.assert_allclose(tiled.enlarge(pixels), whole.enlarge(pixels), atol=1e-6)
    near = load(settings(tmp_path / "tiled.onnx", tile_px=24, overlap_px=1))
    assert np.abs(near.enlarge(pixels) - whole.enlarge(pixels)).max() > 1e-3  # or the test would prove nothing


def test_a_picture_smaller_than_a_fixed_tile_is_enlarged(tmp_path: Path) -> None:
    model = load(settings(repeating(tmp_path / "fixed.onnx", [1, 3, 64, 64])))
    pixels = np.random.default_rng(2).random((3, 20, 30)).astype(np.float32)
    np.testing.assert_allclose(model.enlarge(pixels), pixels.repeat(2, axis=1).repeat(2, axis=2), atol=1e-6)


def test_a_model_that_gives_nan_fails_in_words(tmp_path: Path) -> None:
    node = helper.make_node("Resize", ["root", "", "scales"], ["out"], mode="nearest")
    root = helper.make_node("Sqrt", ["less"], ["root"])
    less = helper.make_node("Sub", ["in", "half"], ["less"])
    constants = {"scales": np.array([1, 1, 2, 2], np.float32), "half": np.array(0.4, np.float32)}
    path = write_model(tmp_path / "nan.onnx", [less, root, node], constants, [1, 3, "h", "w"])
    with pytest.raises(FilterFailed, match="not numbers"):
        enlarged(frame(40, 40), settings(path))


@pytest.mark.parametrize(
    ("make", "named", "words"),
    [
        (lambda path: path, {}, "cannot be read"),
        (lambda path: path.write_bytes(b"no model") and path, {}, "does not load"),
        (lambda path: repeating(path, [1, 4, "h", "w"]), {}, "needs one input of floats"),
        (lambda path: repeating(path, [1, 3, "h", "w"]), {"model_input": "luma"}, "needs one input of floats"),
        (lambda path: repeating(path, [1, 3, "h", "w"], 1.5), {"tile_px": 33}, "no whole factor"),
        (lambda path: repeating(path, [1, 3, "h", "w"]), {"tile_px": 32, "overlap_px": 16}, "nothing left between"),
    ],
)
def test_what_is_no_upscaler_is_refused_in_words(tmp_path: Path, make: Any, named: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load(settings(make(tmp_path / "model.onnx"), **named))


def test_the_model_and_how_it_is_fed_are_in_the_key(tmp_path: Path) -> None:
    path = repeating(tmp_path / "model.onnx", [1, 3, "h", "w"])
    one = load(settings(path))
    assert isinstance(one, Model)
    assert one.factor == 2
    assert one != load(settings(path, overlap_px=8))
    repeating(path, [1, 3, "h", "w"], 3.0)
    assert load(settings(path)).factor == 3
