"""Pixel kernels of postpipe: pure functions on planes, compiled by numba, each with a NumPy twin.

Import the module that holds the kernel (`from postpipe_kernels import luma`); importing this package
alone imports neither NumPy nor numba. `kernels/README.md` in the repository is the guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def cache_directory() -> Path:
    """Return where compiled kernels of these sources are kept, whether it exists yet or not.

    Raises `RuntimeError` when the user has no home directory, or the sources are no files.
    """
    from postpipe_kernels._cache import kernel_directory

    return kernel_directory()
