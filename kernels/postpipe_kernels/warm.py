"""Compile or load kernels ahead of time, in one thread, before a pool starts to use them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from postpipe_kernels._jit import on_compile
from postpipe_kernels.examples import LAYOUTS
from postpipe_kernels.specs import find


def warm_up(
    names: Sequence[str] | None = None,
    dtypes: Sequence[str] = ("uint8", "uint16"),
    *,
    compiling: Callable[[str], None] = lambda name: None,
) -> None:
    """Make kernels ready for planes of these types: from the cache in milliseconds, else by compiling them.

    `names` are rows of `specs.SPECS` (default: all). `compiling(name)` is called, once per row, when something
    of it is not in the cache and is about to be compiled, which takes seconds.
    Raises `ValueError` for a name that is not in the table.
    """
    for spec in find(None if names is None else tuple(names)):
        told: list[str] = []

        def tell(function: str, name: str = spec.name, told: list[str] = told) -> None:
            if not told:
                told.append(name)
                compiling(name)

        with on_compile(tell):
            for dtype in dtypes:
                spec.kernel(**spec.example(16, 16, dtype, LAYOUTS["padded"]))
