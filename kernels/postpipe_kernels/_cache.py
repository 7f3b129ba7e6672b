"""Where compiled kernels are kept: one directory per digest of everything that decides their code.

numba notices when the file that holds a kernel changes, but not when a function it calls in another file does. So the
directory is named by a digest of all sources of this package, of numba's version and of Python's; code that
is out of date is then never looked at, and stale directories are removed by count.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

KEPT_DIRECTORIES = 4
"""How many `kernels-…` directories stay: enough for a few installed versions to live side by side."""

_DIRECTORY_NAME = re.compile(r"kernels-[0-9a-f]{16}")


def user_cache_directory() -> Path:
    """Return postpipe's cache directory: `POSTPIPE_CACHE_DIR`, or the place the platform has for such files.

    Raises `RuntimeError` when the user has no home directory.
    """
    chosen = os.environ.get("POSTPIPE_CACHE_DIR")
    if chosen:
        return Path(chosen).absolute()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "postpipe" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "postpipe"
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg and Path(xdg).is_absolute() else Path.home() / ".cache") / "postpipe"


def digest(sources: Iterable[Path], *versions: str) -> str:
    """Return 16 hexadecimal digits that change with any source file's name or bytes, or any version."""
    total = hashlib.sha256()
    for source in sorted(sources):
        content = source.read_bytes()
        total.update(f"{source.name}\0{len(content)}\0".encode())
        total.update(content)
    total.update("\0".join(versions).encode())
    return total.hexdigest()[:16]


@cache
def kernels_digest() -> str:
    """Return the digest of this package's sources, numba and Python.

    Raises `RuntimeError` when the sources are no files on disk.
    """
    import numba

    sources = list(Path(__file__).parent.glob("*.py"))
    if not sources:
        raise RuntimeError("the sources of the kernels are not on disk")
    return digest(sources, numba.__version__, sys.implementation.cache_tag or "", sys.version)


def kernel_directory() -> Path:
    """Return the directory for the kernels of these sources; it need not exist yet."""
    return user_cache_directory() / f"kernels-{kernels_digest()}"


def prune(base: Path, keep: Path) -> None:
    """Remove all but the newest `KEPT_DIRECTORIES` kernel directories in `base`; `keep` always stays.

    Only real directories with a name of our own making are touched. A process that still uses a removed
    one compiles again what it has not loaded yet.
    """
    found = [entry for entry in base.iterdir() if _DIRECTORY_NAME.fullmatch(entry.name) and entry != keep]
    dated = sorted(
        ((entry.stat().st_mtime, entry) for entry in found if entry.is_dir() and not entry.is_symlink()),
        reverse=True,
    )
    for _, entry in dated[KEPT_DIRECTORIES - 1 :]:
        shutil.rmtree(entry, ignore_errors=True)
