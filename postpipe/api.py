"""The Python interface: the same work, settings and facts as the commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from postpipe.delivery import ClipFile, FrameTimes, TakeName
from postpipe.delivery import Sequence as JoinedSequence
from postpipe.engine import plan as planning
from postpipe.engine.account import Account
from postpipe.engine.events import Listener
from postpipe.engine.ingest import find_takes
from postpipe.engine.outputs import HIDDEN, Outputs
from postpipe.engine.run import Run
from postpipe.engine.settings import Layer, configure, read_config, stage_types
from postpipe.engine.stage import Analyser, Task
from postpipe.engine.store import Store, opened
from postpipe.errors import DeliveryError
from postpipe.model import Facts, SequenceFacts
from postpipe.sidecar import Sidecar

CONFIG_NAME = "postpipe.toml"

Settings = Mapping[str, Mapping[str, Any]] | Layer
"""Sections of settings: `{"deliver": {"crf": 18}}`."""


def run(
    takes: Path | str,
    out: Path | str,
    *,
    config: Path | str | None = None,
    settings: Settings | None = None,
    only: Sequence[str] | None = None,
    store: Path | str | None = None,
    jobs: int | None = None,
    rehash: bool = False,
    listener: Listener = lambda event: None,
) -> Account:
    """Turn the folder `takes` into a finished sequence in the folder `out`; return the account of it.

    `config` is a TOML file (default: `postpipe.toml` in `takes`), `settings` its sections as a mapping, which
    win over it. `only` names the fixes that may be applied (default: all). `store` keeps what was measured
    and rendered (default: inside `out`). `jobs` is how many clips are worked on at once.

    Raises `SettingsError`, `DeliveryError` (nothing could be done) or `Cancelled`; a take that cannot be
    used does not raise, it is in the account as skipped.
    """
    folder, target = Path(takes), Path(out)
    if target.absolute() == folder.absolute() or (target.exists() and target.samefile(folder)):
        raise DeliveryError(f"{target}: is the folder of takes itself; name another folder with -o")
    files = find_takes(folder)
    the_plan = _plan(_layers(folder, config, settings), only, deliver=True)
    with Outputs(target) as outputs, Store(Path(store) if store else target / HIDDEN / "store") as the_store:
        run_ = Run(files, the_plan, the_store, outputs, jobs=jobs, rehash=rehash, listener=listener)
        return run_.execute()


def inspect(
    files: Iterable[Path | str],
    *,
    config: Path | str | None = None,
    settings: Settings | None = None,
    store: Path | str | None = None,
    jobs: int | None = None,
    listener: Listener = lambda event: None,
) -> Account:
    """Measure files (or the takes of folders) and return the account; nothing is written but the store.

    `config` is a TOML file (default: `postpipe.toml` in the folder that holds all the takes, where it is one),
    `settings` its sections as a mapping, which win over it.
    """
    paths = [take for path in map(Path, files) for take in (find_takes(path) if path.is_dir() else [path])]
    folders = {path.absolute().parent for path in paths}
    folder = folders.pop() if len(folders) == 1 else None
    the_plan = _plan(_layers(folder, config, settings), None, deliver=False)
    with opened(Path(store) if store else None) as the_store:
        return Run(paths, the_plan, the_store, None, jobs=jobs, listener=listener).execute()


def plan(
    takes: Path | str | None = None,
    *,
    config: Path | str | None = None,
    settings: Settings | None = None,
    only: Sequence[str] | None = None,
) -> planning.Plan:
    """Return the plan of a run, with the settings of the folder `takes` where one is given."""
    return _plan(_layers(Path(takes) if takes else None, config, settings), only, deliver=True)


def _layers(folder: Path | None, config: Path | str | None, settings: Settings | None) -> list[Layer]:
    layers = []
    if config is not None:
        layers.append(read_config(Path(config)))
    elif folder is not None and (folder / CONFIG_NAME).is_file():
        layers.append(read_config(folder / CONFIG_NAME))
    if settings:
        layers.append(settings if isinstance(settings, Layer) else Layer("settings", settings))
    return layers


def _plan(layers: Sequence[Layer], only: Sequence[str] | None, *, deliver: bool) -> planning.Plan:
    stages = configure(stage_types(), layers)
    facts = [
        kind
        for stage in stages
        if isinstance(stage, Analyser | Task)
        and issubclass(kind := planning.produced(stage), Facts)
        and (deliver or not issubclass(kind, SequenceFacts))
    ]
    wanted: list[planning.Kind] = [FrameTimes, TakeName, Sidecar, *facts]
    if deliver:
        wanted += [ClipFile, JoinedSequence]
    return planning.plan(stages, wanted, only)
