"""`.cube` files: written, read, refused in words, and applied by others."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from postpipe_kernels.transform import only

from postpipe.errors import SettingsError
from postpipe.handover.cube import read_cube, write_cube

AXIS = np.linspace(0.0, 1.0, 17)
COLOURS = np.stack(np.meshgrid(AXIS, AXIS, AXIS, indexing="ij"), axis=-1)
LATTICE = np.stack(
    [COLOURS[..., 0] ** 1.2, 0.9 * COLOURS[..., 1] + 0.1 * COLOURS[..., 2], COLOURS[..., 2] * 0.8], axis=-1
)


def text(path: Path, *lines: str, newline: str = "\n") -> Path:
    path.write_bytes(newline.join([*lines, ""]).encode())
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "look.cube"
    write_cube(path, LATTICE, title='a "film"', notes=["first", "sec\nond"])
    read = read_cube(path)
    assert (read.name, read.title, read.curves) == ("look.cube", "a 'film'", None)
    assert read.lattice is not None
    assert read.lattice_domain is not None
    np.testing.assert_allclose(read.lattice, LATTICE, atol=1e-6)
    np.testing.assert_array_equal(read.lattice_domain, [[0, 0, 0], [1, 1, 1]])
    lines = path.read_text().splitlines()
    assert lines[:6] == [
        'TITLE "a \'film\'"', "# first", "# sec ond",
        "LUT_3D_SIZE 17", "DOMAIN_MIN 0.0 0.0 0.0", "DOMAIN_MAX 1.0 1.0 1.0",
    ]  # fmt: skip
    assert [float(word) for word in lines[7].split()] == pytest.approx(LATTICE[1, 0, 0], abs=1e-6)  # red is fastest


def test_one_dimension_and_its_domain(tmp_path: Path) -> None:
    path = text(
        tmp_path / "curve.cube", "\ufeff# made by hand", 'TITLE "gamma"', "LUT_1D_SIZE 3", "DOMAIN_MIN -1 -1 -1",
        "DOMAIN_MAX 1 1 1", "", "0 0 0.5", "0.5 .25 0.5", "1 1.0e0 0.5", newline="\r\n",
    )  # fmt: skip
    read = read_cube(path)
    assert read.lattice is None
    assert read.curves is not None
    np.testing.assert_array_equal(read.curves, [[0, 0.5, 1], [0, 0.25, 1], [0.5, 0.5, 0.5]])
    transform = only(read.curves, read.curves_domain, None, None, "bt709", "full")
    np.testing.assert_allclose(transform.apply(np.array([0.5, 0.0, 1.0])), [0.75, 0.25, 0.5])


def test_a_shaper_before_a_lattice(tmp_path: Path) -> None:
    rows = [f"{r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 0.5)]
    path = text(
        tmp_path / "both.cube", "LUT_1D_SIZE 2", "LUT_1D_INPUT_RANGE 0 0.5",
        "LUT_3D_SIZE 2", "LUT_3D_INPUT_RANGE 0.0 1.0", "0 0 0", "1 1 1", *rows,
    )  # fmt: skip
    read = read_cube(path)
    transform = only(read.curves, read.curves_domain, read.lattice, read.lattice_domain, "bt709", "full")
    np.testing.assert_allclose(transform.apply(np.array([0.25, 0.1, 0.4])), [0.25, 0.2, 0.8], atol=1e-6)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["LUT_3D_SIZE 2"], "has 0 rows of the 8"),
        (["LUT_1D_SIZE 2", "0 0 0"], "has 1 rows of the 2 that its size says; it is cut off"),
        (["LUT_1D_SIZE 2", "0 0 0", "1 1 1", "1 1 1"], "line 4: there are more than the 2 rows"),
        (["LUT_1D_SIZE 2", "0 0 0", "# a word", "1 1"], "line 4: '1 1' are not three numbers"),
        (["LUT_1D_SIZE 2", "0 0 0", "0 nan 1"], "line 3: '0 nan 1' are not 3 finite numbers"),
        (["LUT_1D_SIZE 2", "0 0 0", "0 inf 1"], "line 3: '0 inf 1' are not 3 finite numbers"),
        (["LUT_1D_SIZE 2", "0 0 0", "0 1e99 1"], "line 3: '0 1e99 1' are not 3 finite numbers"),
        (["LUT_1D_SIZE 2", "0,5 0,5 0,5"], "line 2: '0,5 0,5 0,5' are not 3 finite numbers"),
        (["LUT_3D_SIZE 1"], "line 1: LUT_3D_SIZE 1 is not a number from 2 to 256"),
        (["LUT_3D_SIZE 9999999"], "line 1: LUT_3D_SIZE 9999999 is not a number from 2 to 256"),
        (["LUT_1D_SIZE many"], "line 1: LUT_1D_SIZE many is not a number from 2 to 65536"),
        (["LUT_1D_SIZE 2", "DOMAIN_MIN 1 1 1", "0 0 0"], "line 3: the table's range .* is empty"),
        (["LUT_1D_SIZE 2", "DOMAIN_MAX 1 1", "0 0 0"], "line 2: 'DOMAIN_MAX 1 1' is not understood"),
        (["LUT_IN_VIDEO_RANGE", "LUT_1D_SIZE 2"], "line 1: 'LUT_IN_VIDEO_RANGE' is not understood"),
        (['TITLE "no size"', "0 0 0"], "has no LUT_1D_SIZE and no LUT_3D_SIZE"),
        ([], "has no LUT_1D_SIZE and no LUT_3D_SIZE"),
    ],
    ids=lambda value: value if isinstance(value, str) else " / ".join(value),
)
def test_faults_are_told_with_their_line(tmp_path: Path, lines: list[str], message: str) -> None:
    path = text(tmp_path / "wrong.cube", *lines)
    with pytest.raises(SettingsError, match=message) as caught:
        read_cube(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"\x00\x01\x02" * 999, bytes(range(256)) * 40, b"x" * 100_000, b"\x89PNG\r\n\x1a\n"], ids=len
)
def test_what_is_no_table_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "binary.cube"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"a \.cube file was expected"):
        read_cube(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read .* check the name of the LUT"):
        read_cube(tmp_path / "none.cube")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_cube(tmp_path)


def colours() -> NDArray[np.uint16]:
    return np.random.default_rng(0).integers(0, 65536, (64, 64, 3)).astype(np.uint16)


def test_ffmpeg_does_the_same(tmp_path: Path) -> None:
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("needs the ffmpeg program")
    write_cube(tmp_path / "look.cube", LATTICE, title="look")
    command = [program, "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", "64x64", "-i", "-"]
    command += ["-vf", "lut3d=look.cube:interp=tetrahedral", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-"]
    done = subprocess.run(command, input=colours().tobytes(), cwd=tmp_path, capture_output=True, check=True)
    theirs = np.frombuffer(done.stdout, np.uint16).reshape(64, 64, 3) / 65535
    ours = only(None, None, LATTICE.astype(np.float32), None, "bt709", "full").apply(colours() / 65535)
    assert np.abs(theirs - ours).max() < 1e-4


def test_opencolorio_does_the_same(tmp_path: Path) -> None:
    ocio = pytest.importorskip("PyOpenColorIO", reason="needs opencolorio: pip install opencolorio")
    path = tmp_path / "look.cube"
    write_cube(path, LATTICE, title="look")
    transform = ocio.FileTransform(str(path), interpolation=ocio.INTERP_TETRAHEDRAL)
    theirs = (colours().reshape(-1, 3) / 65535).astype(np.float32)
    ours = only(None, None, LATTICE.astype(np.float32), None, "bt709", "full").apply(theirs.astype(np.float64))
    ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor().applyRGB(theirs)
    assert np.abs(theirs - ours).max() < 1e-4
