"""`postpipe bench`: how fast this machine is at what postpipe does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postpipe_kernels.bench import Comparison


def _size(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    """Read `WIDTHxHEIGHT`."""
    parts = value.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and 0 < int(part) <= 16384 for part in parts):
        raise click.BadParameter(f"{value!r} is not a size like 1920x1080 (1 to 16384 each way)")
    return int(parts[0]), int(parts[1])


@click.group("bench")
def command() -> None:
    """Measure the kernels against NumPy and OpenCV."""


@command.command("kernels")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--kernel", "names", metavar="NAME", multiple=True, help="Only this row; may be given again.")
@click.option(
    "--size", metavar="WxH", callback=_size, default="1920x1080", show_default=True, help="Size of the pictures."
)
def kernels(as_json: bool, names: tuple[str, ...], size: tuple[int, int]) -> None:
    """Time each kernel and its peers: CPU time of one thread, alternating, the best of several turns.

    A ratio above 1 means that the kernel is so many times faster than its peer.
    """
    import json

    from postpipe_kernels import bench

    from postpipe.errors import SettingsError

    try:
        comparisons = list(bench.compare(names or None, *size, compiling=_say_compiling))
    except ValueError as error:
        raise SettingsError([str(error)]) from error
    if as_json:
        click.echo(json.dumps({"machine": bench.machine(), "kernels": bench.as_rows(comparisons)}, indent=2))
    else:
        _print_table(comparisons)


def _say_compiling(name: str) -> None:
    click.echo(f"compiling kernels, first run only: {name}", err=True)


def _print_table(comparisons: Sequence[Comparison]) -> None:
    from postpipe_kernels import bench
    from rich.console import Console
    from rich.table import Table

    table = Table(title="CPU time of one thread, milliseconds per call", caption=_caption(bench.machine()))
    for heading in ("kernel", "picture", "samples", "ours", "peer", "peer's", "ratio"):
        table.add_column(heading, justify="right" if heading in ("ours", "peer's", "ratio") else "left")
    for row in comparisons:
        height, width = row.shape
        figures = f"{row.ours_ms:.3f}", row.peer, f"{row.peer_ms:.3f}", f"{row.ratio:.2f}"
        table.add_row(row.name, f"{width}x{height}", row.dtype, *figures)
    Console().print(table)


def _caption(machine: dict[str, object]) -> str:
    versions = ", ".join(f"{name} {machine[name]}" for name in ("python", "numpy", "numba", "opencv"))
    return f"{machine['processor']}; {versions}"
