"""What every kernel promises: to do what its NumPy twin does, on planes of any type, size and strides."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from postpipe_kernels import colour, luma, resize, specs, tone
from postpipe_kernels.examples import LAYOUTS
from postpipe_kernels.specs import SPECS, KernelSpec

SHAPES = [(1, 1), (1, 2), (2, 1), (3, 3), (9, 17), (17, 9), (16, 8), (33, 66)]
JIT = not os.environ.get("NUMBA_DISABLE_JIT")

by_name = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
by_type = pytest.mark.parametrize("dtype", ["uint8", "uint16"])


def arrays_in(value: Any) -> list[NDArray[Any]]:
    """Return the arrays of an argument: one, those of a tuple, or none."""
    return [item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, np.ndarray)]


def filled(spec: KernelSpec, arguments: dict[str, Any]) -> list[tuple[str, NDArray[Any]]]:
    """Return each output array of a call, named."""
    return [(name, array) for name in spec.outputs for array in arrays_in(arguments[name])]


def check_against_twin(spec: KernelSpec, height: int, width: int, dtype: str, layout: str) -> None:
    ours = spec.example(height, width, dtype, LAYOUTS[layout])
    twins = spec.example(height, width, dtype, LAYOUTS["contiguous"])
    returned, expected = spec.kernel(**ours), spec.twin(**twins)
    assert returned == (expected if expected is None else pytest.approx(expected, rel=1e-12))
    for (name, plane), (_, twin) in zip(filled(spec, ours), filled(spec, twins), strict=True):
        ours_wide, twins_wide = plane.astype(np.float64), twin.astype(np.float64)
        same = ours_wide == twins_wide  # also where both are infinite
        difference = np.abs(np.where(same, 0, ours_wide) - np.where(same, 0, twins_wide)).max()
        assert difference <= spec.tolerance, f"{name} differs by {difference} {spec.units}"


@by_name
@by_type
@pytest.mark.parametrize(("height", "width"), SHAPES, ids=str)
def test_twin_at_every_size(spec: KernelSpec, dtype: str, height: int, width: int) -> None:
    check_against_twin(spec, height, width, dtype, "padded")


@by_name
@by_type
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "padded"])
def test_twin_in_every_layout(spec: KernelSpec, dtype: str, layout: str) -> None:
    check_against_twin(spec, 17, 34, dtype, layout)


@by_name
@by_type
def test_inputs_may_be_read_only_and_stay_as_they_were(spec: KernelSpec, dtype: str) -> None:
    arguments = spec.example(18, 20, dtype, LAYOUTS["padded"])
    inputs = [array for name, value in arguments.items() if name not in spec.outputs for array in arrays_in(value)]
    before = [array.copy() for array in inputs]
    for array in inputs:
        array.flags.writeable = False
    spec.kernel(**arguments)
    assert inputs
    for array, untouched in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, untouched)


@by_name
@by_type
def test_padding_is_never_written(spec: KernelSpec, dtype: str) -> None:
    buffers: list[NDArray[Any]] = []

    def guarded(plane: NDArray[Any]) -> NDArray[Any]:
        buffer = np.full((plane.shape[0], plane.shape[1] + 64), 77, plane.dtype)
        buffer[:, : plane.shape[1]] = plane
        buffers.append(buffer[:, plane.shape[1] :])
        return buffer[:, : plane.shape[1]]

    spec.kernel(**spec.example(17, 23, dtype, guarded))
    assert all((padding == 77).all() for padding in buffers)


@by_name
@by_type
@pytest.mark.parametrize("peer", ["opencv", "numpy"])
def test_peers_do_the_same_work(spec: KernelSpec, dtype: str, peer: str) -> None:
    if peer not in spec.peers:
        pytest.skip(f"{spec.name} has no peer in {peer}")
    ours = spec.example(48, 64, dtype, LAYOUTS["padded"])
    theirs = spec.example(48, 64, dtype, LAYOUTS["padded"])
    spec.kernel(**ours)
    spec.peers[peer](**theirs)
    scale = 1 if dtype == "uint8" else 4
    if "out" in spec.outputs:  # filters and chroma siting differ, so: alike on the whole
        for plane, peers in zip(arrays_in(ours["out"]), arrays_in(theirs["out"]), strict=True):
            assert np.abs(plane.astype(np.float64) - peers).mean() < 3.0 * scale


@pytest.mark.skipif(not JIT, reason="about compiled code")
def test_layouts_share_compiled_code() -> None:
    for layout in LAYOUTS:
        for dtype in ("uint8", "uint16"):
            for spec in SPECS:
                spec.kernel(**spec.example(16, 24, dtype, LAYOUTS[layout]))
    versions = {luma._measure_by_pairs: 1, tone._look_up_bytes: 1, resize._resample: 2, colour._affine_chroma: 4}
    for function, types in versions.items():  # once for each pair of sample types, whatever the strides
        assert len(function.signatures) == types  # type: ignore[attr-defined]


@by_type
def test_threads_do_not_disturb_each_other(dtype: str) -> None:
    spec = specs.find(("measure_luma",))[0]
    alone = spec.example(40, 48, dtype, LAYOUTS["padded"])
    spec.kernel(**alone)

    def run(_: int) -> dict[str, Any]:
        arguments = spec.example(40, 48, dtype, LAYOUTS["padded"])
        spec.kernel(**arguments)
        return arguments

    with ThreadPoolExecutor(4) as pool:
        for arguments in pool.map(run, range(8)):
            for name in spec.outputs:
                np.testing.assert_array_equal(arguments[name], alone[name])


def test_names_are_unique_and_unknown_ones_are_told() -> None:
    assert len({spec.name for spec in SPECS}) == len(SPECS)
    with pytest.raises(ValueError, match=r"unknown kernel blur; known: measure_luma"):
        specs.find(("blur",))


def test_the_page_shows_the_table() -> None:
    page = Path(__file__).parents[2] / "kernels" / "README.md"
    assert specs.markdown() in page.read_text(encoding="utf-8")


@pytest.mark.skipif(not JIT, reason="is itself the run without JIT")
def test_contract_holds_without_jit() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        [*command, "-k", "test_twin_at_every_size and 9-17"],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
