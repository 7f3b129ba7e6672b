"""The arrows between the rooms, read off the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOUNS = set(
    "model models timing delivery conformed consent documents draft edit stills errors finished lipsync look marks "
    "provenance sidecar projectlog tools".split()
)

ALLOWED = {
    "errors": set(),
    "documents": set(),
    "model": set(),
    "models": {"errors"},
    "timing": set(),
    "delivery": {"model", "timing", "edit"},
    "conformed": {"model", "timing", "delivery"},
    "consent": {"model"},
    "draft": {"model", "timing"},
    "edit": {"model"},
    "finished": {"model", "delivery", "provenance"},
    "lipsync": {"model", "delivery"},
    "look": {"model", "delivery"},
    "marks": {"model"},
    "handover": NOUNS,
    "provenance": {"model"},
    "sidecar": {"model"},
    "projectlog": {"errors", "model"},
    "stills": {"model", "timing", "delivery"},
    "tools": {"model"},
    "media": {*NOUNS, "postpipe_kernels"},
    "programs": {*NOUNS, "media"},
    "engine": {*NOUNS, "media", "programs", "postpipe_kernels"},
    "stages": {*NOUNS, "media", "programs", "handover", "engine.stage", "postpipe_kernels"},
    "incoming": {*NOUNS, "handover", "engine"},
    "api": {*NOUNS, "engine", "handover", "incoming", "media"},
    "otio_plugin": {*NOUNS, "api", "engine", "handover"},
    "hooks": {*NOUNS, "api"},
    "watching": {*NOUNS, "media"},
    "cli": {*NOUNS, "api", "watching", "engine", "media", "postpipe_kernels", "postpipe"},
    "postpipe": {"api", "engine", "cli"},
    "postpipe_kernels": set(),
}
"""What each room may import besides itself, the standard library and third parties."""

AV_ROOMS = {"media", "cli"}  # cli: `doctor` says which libav is installed


def sources() -> Iterator[tuple[str, Path]]:
    """Yield each source file with its room."""
    for path in sorted((ROOT / "postpipe").rglob("*.py")):
        parts = path.relative_to(ROOT / "postpipe").with_suffix("").parts
        yield ("postpipe" if parts[0] in ("__init__", "__main__") else parts[0]), path
    for path in sorted((ROOT / "kernels" / "postpipe_kernels").rglob("*.py")):
        yield "postpipe_kernels", path


def imports(path: Path) -> Iterator[str]:
    """Yield the full names of all modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(("room", "path"), list(sources()), ids=lambda value: getattr(value, "stem", value))
def test_arrows_point_one_way(room: str, path: Path) -> None:
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "postpipe_kernels":
            assert room == "postpipe_kernels" or "postpipe_kernels" in ALLOWED[room], f"{path} imports {name}"
        elif top == "postpipe" and rest and rest != "__version__":
            target = rest.partition(".")[0]
            allowed = ALLOWED[room] | {room}
            fits = target in allowed or any(rest == one or rest.startswith(one + ".") for one in allowed)
            # `from postpipe.engine import stage` first names the package, then what is taken from it
            package = any(one.startswith(target + ".") for one in allowed) and rest == target
            assert fits or package, f"{path} imports {name}"
        elif top == "av":
            assert room in AV_ROOMS, f"{path} imports av"
        elif top == "subprocess":
            assert room == "programs", f"{path} starts processes"


def test_kernels_import_numpy_and_numba_alone() -> None:
    code = "import sys, postpipe_kernels.specs; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    # (numba itself loads scipy)
    assert not {"cv2", "av", "postpipe", "librosa", "skimage"} & set(done.stdout.split())


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['postpipe', '--help']\n"
        "from postpipe.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.partition("LOADED")[2].split())
    assert "postpipe.cli.main" in loaded
    assert not {"numba", "numpy", "av", "cv2", "librosa", "scipy", "skimage", "rich", "msgspec"} & loaded


def test_no_file_is_a_god_file() -> None:
    long = {path: len(path.read_text(encoding="utf-8").splitlines()) for _, path in sources()}
    long.pop(ROOT / "kernels" / "postpipe_kernels" / "specs.py")  # one table
    assert {str(path): lines for path, lines in long.items() if lines > 420} == {}
