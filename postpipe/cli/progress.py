"""Progress on stderr: a bar on a terminal, JSON lines with `--json`, plain lines otherwise."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator

from postpipe.engine.events import Event, Listener


@contextlib.contextmanager
def progress(*, as_json: bool) -> Iterator[Listener]:
    """Give a listener for a run's events."""
    if as_json:
        yield lambda event: print(
            json.dumps(dataclasses.asdict(event), ensure_ascii=False), file=sys.stderr, flush=True
        )
    elif sys.stderr.isatty():
        with _bar() as listener:
            yield listener
    else:
        yield _say


def _say(event: Event) -> None:
    text = _message(event)
    if text:
        print(text, file=sys.stderr, flush=True)


def _message(event: Event) -> str | None:
    match event.kind:
        case "skipped":
            return f"skipped {event.name}: {event.message}"
        case "warning":
            return f"warning: {event.name}: {event.message}" if event.name else f"warning: {event.message}"
        case "compile":
            return event.message
        case _:
            return None


@contextlib.contextmanager
def _bar() -> Iterator[Listener]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<7}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        phase = None
        done: dict[str, int] = {}

        def listener(event: Event) -> None:
            nonlocal phase
            if event.kind == "pass":
                done.clear()
                phase = bar.add_task(event.phase, total=event.total or None)
            elif event.kind == "progress" and phase is not None and event.phase != "deliver":
                done[event.name] = event.done
                bar.update(phase, completed=sum(done.values()))
            elif (text := _message(event)) is not None:
                console.print(text, markup=False, highlight=False, soft_wrap=True)

        yield listener
