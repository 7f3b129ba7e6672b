"""Compiled kernels are kept in the user's cache, per digest of their sources, and no fault of a disk matters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from postpipe_kernels import _cache, _jit
from postpipe_kernels.warm import warm_up

compiled_only = pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="about compiled code")


def doubled(value: int) -> int:
    return 2 * value


def make(function: Callable[..., Any] = doubled) -> tuple[Callable[..., Any], list[str]]:
    """Return a kernel that nobody has called, and the names of what is compiled when it is."""
    fresh = _jit.kernel(function)
    told: list[str] = []

    def call(*arguments: Any) -> Any:
        with _jit.on_compile(told.append):
            return fresh(*arguments)

    return call, told


@pytest.fixture
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSTPIPE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@compiled_only
def test_a_kernel_is_compiled_once(cache_home: Path) -> None:
    first, told = make()
    assert first(21) == 42
    assert told == ["doubled"]
    (directory,) = cache_home.iterdir()
    assert directory == _cache.kernel_directory()
    second, told = make()
    assert second(4) == 8
    assert told == []


@compiled_only
def test_torn_files_are_compiled_anew(cache_home: Path) -> None:
    make()[0](1)
    for pattern in ("*.nbi", "*.nbc"):
        (file,) = _cache.kernel_directory().glob(pattern)
        file.write_bytes(file.read_bytes()[:10])
        again, told = make()
        assert again(21) == 42
        assert told == ["doubled"]
        assert make()[0](21) == 42
    healed, told = make()
    healed(1)
    assert told == []


@compiled_only
def test_a_cache_that_cannot_be_written_warns_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("POSTPIPE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    call, _ = make()
    with pytest.warns(RuntimeWarning, match=r"compiled kernels cannot be kept .*POSTPIPE_CACHE_DIR"):
        assert call(21) == 42
    assert call(2.5) == 5.0  # compiled too, without another warning


@compiled_only
def test_without_a_home_kernels_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(_cache, "user_cache_directory", homeless)
    with pytest.warns(RuntimeWarning, match="home directory"):
        call, _ = make()
    assert call(21) == 42


def test_digest_changes_with_every_source_and_version(tmp_path: Path) -> None:
    sources = [tmp_path / "a.py", tmp_path / "b.py"]
    for source in sources:
        source.write_text("x = 1\n")
    seen = {_cache.digest(sources, "0.68"), _cache.digest(sources, "0.69"), _cache.digest(sources[:1], "0.68")}
    sources[1].write_text("x = 2\n")
    seen.add(_cache.digest(sources, "0.68"))
    sources[1].rename(tmp_path / "c.py")
    seen.add(_cache.digest([sources[0], tmp_path / "c.py"], "0.68"))
    assert len(seen) == 5
    assert all(len(name) == 16 for name in seen)


def test_old_directories_go_and_nothing_else(tmp_path: Path) -> None:
    for age in range(7):
        directory = tmp_path / f"kernels-{age:016x}"
        directory.mkdir()
        (directory / "code.nbc").touch()
        os.utime(directory, (1e9 - age, 1e9 - age))
    others = [tmp_path / "kernels-mine", tmp_path / "store"]
    for other in others:
        other.mkdir()
    oldest = tmp_path / f"kernels-{6:016x}"
    _cache.prune(tmp_path, keep=oldest)
    left = sorted(path.name for path in tmp_path.iterdir())
    kept = [f"kernels-{age:016x}" for age in (0, 1, 2, 6)]
    assert left == sorted([*kept, *(other.name for other in others)])


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, Path("/x/postpipe")),
        ("linux", {"XDG_CACHE_HOME": "relative"}, Path.home() / ".cache/postpipe"),
        ("darwin", {}, Path.home() / "Library/Caches/postpipe"),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/postpipe/Cache")),
        ("linux", {"POSTPIPE_CACHE_DIR": "/chosen"}, Path("/chosen")),
    ],
)
def test_the_cache_is_where_the_platform_keeps_such_files(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: Path
) -> None:
    for name in ("POSTPIPE_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert _cache.user_cache_directory() == expected


def test_warm_up_leaves_nothing_to_compile() -> None:
    warm_up(["apply_curve", "sharpness"])
    told: list[str] = []
    warm_up(["apply_curve", "sharpness"], compiling=told.append)
    assert told == []
    with pytest.raises(ValueError, match="unknown kernel blur"):
        warm_up(["blur"])


@compiled_only
def test_warm_up_names_each_row_once(cache_home: Path) -> None:
    code = (
        "from postpipe_kernels.warm import warm_up; told = []\n"
        "warm_up(['sharpness'], compiling=told.append); print(told)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
        for _ in range(2)
    ]
    assert runs == ["['sharpness']", "[]"]


@compiled_only
def test_what_comes_from_the_cache_does_what_its_twin_does() -> None:
    """It is loaded before numba's compiler is ready, which must not matter to any kernel."""
    code = (
        "from postpipe_kernels._jit import on_compile\n"
        "from postpipe_kernels.specs import SPECS\n"
        "from tests.kernels.test_contract import check_against_twin\n"
        "told = []\n"
        "with on_compile(told.append):\n"
        "    for spec in SPECS:\n"
        "        for dtype in ('uint8', 'uint16'):\n"
        "            check_against_twin(spec, 16, 16, dtype, 'padded')\n"
        "print(told)"
    )
    for _ in range(2):  # the first may have to fill the cache
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_package_alone_is_cheap() -> None:
    code = "import sys, postpipe_kernels; print(*sorted({'numba', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


@compiled_only
def test_numbas_own_settings_stay_as_they_are(cache_home: Path) -> None:
    def settings() -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name.startswith("NUMBA")}

    before, directory = settings(), _jit.numba.config.CACHE_DIR
    make()[0](1)
    assert (settings(), _jit.numba.config.CACHE_DIR) == (before, directory)
