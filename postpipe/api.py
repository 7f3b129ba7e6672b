"""The Python interface: the same work, settings and facts as the commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from postpipe.conformed import RelinkedTimeline
from postpipe.delivery import Encoding, FrameTimes, TakeName
from postpipe.draft import Draft
from postpipe.engine import plan as planning
from postpipe.engine.account import Account
from postpipe.engine.estimating import Drafting
from postpipe.engine.events import Event, Listener
from postpipe.engine.ingest import find_takes
from postpipe.engine.outputs import HIDDEN, Outputs, holds_a_film
from postpipe.engine.run import Run
from postpipe.engine.settings import Layer, configure, read_config, setting, stage_types
from postpipe.engine.stage import Analyser, Stage, Task
from postpipe.engine.store import Store, opened
from postpipe.errors import DeliveryError, SettingsError, disk_errors
from postpipe.finished import ClipFile
from postpipe.finished import Sequence as JoinedSequence
from postpipe.model import Clip, Facts, FilmFacts, SequenceFacts
from postpipe.sidecar import Sidecar
from postpipe.stills import Stills

if TYPE_CHECKING:
    from postpipe.engine.assembly import Assembled, Fill
    from postpipe.handover.export import Exported
    from postpipe.provenance import Provenance

CONFIG_NAME = "postpipe.toml"

_ASSEMBLED = Layer("assemble", {"deliver": {"crf": 4}})
"""What `assemble` makes is worked on further: even grain keeps 50 dB then."""

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
    draft: bool = False,
    timeline: Path | str | None = None,
    listener: Listener = lambda event: None,
) -> Account:
    """Turn the folder `takes` into a finished sequence in the folder `out`; return the account of it.

    `takes` may be a single media file too.

    `config` is a TOML file (default: `postpipe.toml` in `takes`), `settings` its sections as a mapping, which
    win over it. `only` names the fixes that may be applied (default: all). `store` keeps what was measured
    and rendered (default: inside `out`). `jobs` is how many clips are worked on at once. A `draft` does the job
    on the beginnings of small pictures, and its account says what all of it would cost. A `timeline` (.otio, .xml,
    .fcpxml, .edl) is a cut made in an editing program: the film is that cut, frame for frame, and no more of the
    takes is read than it uses, with handles. Clips whose media was not found stay black and are listed as skipped.

    Raises `SettingsError`, `DeliveryError` (nothing could be done) or `Cancelled`; a take that cannot be
    used does not raise, it is in the account as skipped.
    """
    folder, target = Path(takes), Path(out)
    if target.absolute() == folder.absolute() or (target.exists() and folder.exists() and target.samefile(folder)):
        raise DeliveryError(f"{target}: is the folder of takes itself; name another folder with -o")
    files = find_takes(folder, may_be_empty=timeline is not None)
    if draft and holds_a_film(target):
        raise DeliveryError(
            f"{target}: holds a finished film, which the draft would replace; name another folder with -o"
        )
    layers = _layers(folder, config, settings)
    cut = None
    if timeline is not None:
        from postpipe.incoming import Cut  # with it comes OpenTimelineIO

        if draft:
            raise SettingsError(["--draft and --timeline do not go together: a cut is processed as it is"])
        cut = Cut.read(Path(timeline), files, setting(_stages(layers), "project", "rate"))
        layers = [cut.settings, *layers]
    stages = _stages(layers)
    the_plan = _plan(stages, only, deliver=True, also=[RelinkedTimeline] if cut else ())
    drafting = None
    if draft:
        stages = configure(stage_types(), layers)
        drafting = Drafting(shorten=planning.plan(stages, [Draft]), full=the_plan)
        the_plan = _plan(stages, only, deliver=True)
    with Outputs(target) as outputs, Store(Path(store) if store else target / HIDDEN / "store") as the_store:
        conformed = cut.conform(files, stages, the_store, rehash=rehash) if cut else None
        return Run(
            conformed.files if conformed else files,
            the_plan,
            the_store,
            outputs,
            jobs=jobs,
            rehash=rehash,
            listener=listener,
            drafting=drafting,
            conformed=conformed,
        ).execute()


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
    paths = _takes(map(Path, files))
    folders = {path.absolute().parent for path in paths}
    folder = folders.pop() if len(folders) == 1 else None
    the_plan = _plan(_stages(_layers(folder, config, settings)), None, deliver=False)
    with opened(Path(store) if store else None) as the_store:
        return Run(paths, the_plan, the_store, None, jobs=jobs, listener=listener).execute()


def extract(
    files: Iterable[Path | str],
    out: Path | str,
    *,
    config: Path | str | None = None,
    settings: Settings | None = None,
    store: Path | str | None = None,
    jobs: int | None = None,
    listener: Listener = lambda event: None,
) -> Account:
    """Write stills of files (or of the takes of folders) into the folder `out`; `account.stills()` lists them.

    Which ones is said by the section `extract` of the settings: `{"extract": {"first": True, "at": ["36f"]}}`.
    `config` is a TOML file (default: `postpipe.toml` where one folder is named). A take without any still is in
    the account as skipped. Raises `SettingsError`, `DeliveryError` (no still at all) or `Cancelled`.
    """
    named = [Path(file) for file in files]
    folder = named[0] if len(named) == 1 and named[0].is_dir() else None
    layers = [*_layers(folder, config, settings), Layer("extract", {"extract": {"folder": ""}})]
    stages = _stages(layers)
    wanted = [kind for stage, kind in _asked_for(stages) if stage.section == "extract"]
    if not wanted:
        raise SettingsError(
            ["say which frames: --first, --last, --every 2s, --cuts, --sharpest or --at 36f; together as you like"]
        )
    paths = list(dict.fromkeys(_takes(named)))
    with Outputs(Path(out)) as outputs, opened(Path(store) if store else None) as the_store:
        the_plan = planning.plan(stages, [FrameTimes, *wanted])
        run_ = Run(paths, the_plan, the_store, outputs, jobs=jobs, listener=listener)
        account = run_.execute()
    found: dict[Path, Stills] = {path: account.board.get(Stills, path) for path in account.board.clips}
    run_.skipped |= {path: "; ".join(stills.warnings) for path, stills in found.items() if not stills.stills}
    if not account.stills():
        reasons = (f"  {path}: {reason}" for path, reason in account.skipped.items())
        raise DeliveryError("\n".join(["no still could be taken:", *reasons]))
    for path, stills in found.items():
        clip: Clip = account.board.get(Clip, path)
        skipped = path in account.skipped
        for message in stills.warnings if skipped else (*clip.warnings, *stills.warnings):
            listener(Event("skipped" if skipped else "warning", name=str(path), message=message))
    return account


def assemble(
    frames: Path | str,
    like: Path | str,
    out: Path | str,
    *,
    settings: Settings | None = None,
    bits: Literal[8, 10] | None = None,
    fill: Fill = "none",
    start: int | None = None,
    listener: Listener = lambda event: None,
) -> Assembled:
    """Make the clip `out` (.mp4 or .mov) from the picture files in the folder `frames`.

    It gets the times, sound, colour tags and start timecode of the clip `like`, of which there has to be one picture
    for each frame, of any size. `settings` are those of the section `deliver`: `{"deliver": {"video_codec":
    "lossless"}}`. `bits` are the clip's unless given; `fill="clip"` takes missing frames from the clip; `start` is the
    number of its first frame in the names. Raises `SettingsError`, or `DeliveryError` naming every file at fault.
    """
    from postpipe.engine.assembly import assemble as make_clip  # no other command needs it

    clip_path, target = Path(like), Path(out)
    stages = _stages([_ASSEMBLED, *_layers(None, None, settings)])
    with opened(None) as store:
        the_plan = planning.plan(stages, [FrameTimes, Encoding])
        account = Run([clip_path], the_plan, store, None, listener=listener).execute()
    if account.skipped:
        raise DeliveryError(f"{clip_path}: {account.skipped[clip_path]}")
    encoding: Encoding = account.board.get(Encoding)
    if target.suffix.lower() not in (".mp4", ".mov"):
        raise SettingsError([f"{target}: name a file that ends in .mp4 or .mov"])
    if encoding.container == "mov" and target.suffix.lower() != ".mov":
        raise SettingsError([f"{target}: {encoding.video_codec} goes into .mov files"])
    if target.exists() and target.samefile(clip_path):
        raise DeliveryError(f"{target}: is the clip itself; name another file with -o")
    times: FrameTimes = account.board.get(FrameTimes, clip_path)
    listener(Event("pass", "assemble", total=times.frames))
    return make_clip(
        Path(frames),
        account.board.get(Clip, clip_path),
        times,
        encoding,
        target,
        bits=bits,
        fill=fill,
        first_number=start,
        on_frame=lambda done: listener(Event("progress", "assemble", target.name, done, times.frames)),
    )


def export(
    delivery: Path | str, to: str, out: Path | str | None = None, *, ungraded: bool = False, name: str | None = None
) -> list[Exported]:
    """Write the timeline of the folder `delivery` for a program (`"resolve"`) or in a format (`"fcpxml"`).

    It goes into the folder `out`, or the delivery itself. `ungraded`: that of pictures without their looks. `name`
    is given to it. Raises `SettingsError` for an unknown program or format, `DeliveryError` where there is no timeline
    or the folder cannot be written.
    """
    from postpipe.handover.export import PROGRAMS, TARGETS, Exported, read_delivery, timeline_stem, write_all

    if to not in TARGETS:
        raise SettingsError([f"{to}: is not known; name one of {', '.join(TARGETS)}"])
    target = Path(out) if out is not None else Path(delivery)
    film = read_delivery(Path(delivery), ungraded=ungraded)
    exported = []
    with disk_errors(target), Outputs(target) as outputs:
        written = write_all(replace(film, name=name or film.name), PROGRAMS.get(to, (to,)), outputs.scratch)
        for ending, (temporary, losses) in written.items():
            file = f"{timeline_stem(ungraded=ungraded)}{ending}"
            outputs.publish(temporary, file)
            exported.append(Exported(target / file, tuple(losses)))
    return exported


def verify(
    files: Iterable[Path | str],
    *,
    trust_lists: Iterable[Path | str] = (),
    time_stamp_lists: Iterable[Path | str] = (),
    network: bool = False,
) -> dict[Path, Provenance]:
    """Return what each file says of where it comes from, and whether it holds; nothing is fetched without `network`.

    The lists are PEM files of authorities that are trusted to issue certificates to signers, or to stamp times.
    Raises `SettingsError` naming every list that is none.
    """
    from postpipe.media.credentials import read_credentials, read_trust

    trust = read_trust(tuple(map(Path, trust_lists)), tuple(map(Path, time_stamp_lists)), network=network)
    return {path: read_credentials(path, trust) for path in map(Path, files)}


def plan(
    takes: Path | str | None = None,
    *,
    config: Path | str | None = None,
    settings: Settings | None = None,
    only: Sequence[str] | None = None,
) -> planning.Plan:
    """Return the plan of a run, with the settings of the folder `takes` where one is given."""
    layers = _layers(Path(takes) if takes else None, config, settings)
    return _plan(_stages(layers), only, deliver=True)


def _takes(paths: Iterable[Path]) -> list[Path]:
    return [take for path in paths for take in (find_takes(path) if path.is_dir() else [path])]


def _layers(folder: Path | None, config: Path | str | None, settings: Settings | None) -> list[Layer]:
    layers = []
    if config is not None:
        layers.append(read_config(Path(config)))
    elif folder is not None:
        default = (folder.parent if folder.is_file() else folder) / CONFIG_NAME
        layers += [read_config(default)] if default.is_file() else []
    if settings:
        layers.append(settings if isinstance(settings, Layer) else Layer("settings", settings))
    return layers


def _stages(layers: Sequence[Layer]) -> list[Stage]:
    """Return the stages of a full run: without its maker there is no draft for any of them to read."""
    stages = configure(stage_types(), layers)
    return [stage for stage in stages if not (isinstance(stage, Task) and planning.produced(stage) is Draft)]


def _plan(
    stages: Sequence[Stage], only: Sequence[str] | None, *, deliver: bool, also: Iterable[planning.Kind] = ()
) -> planning.Plan:
    facts = [
        kind
        for stage in stages
        if isinstance(stage, Analyser | Task)
        and issubclass(kind := planning.produced(stage), Facts)
        and (deliver or not issubclass(kind, SequenceFacts | FilmFacts))
    ]
    wanted: list[planning.Kind] = [FrameTimes, TakeName, Sidecar, *facts]
    if deliver:
        wanted += [ClipFile, JoinedSequence, *(kind for _, kind in _asked_for(stages)), *also]
    return planning.plan(stages, wanted, only)


def _asked_for(stages: Iterable[Stage]) -> Iterator[tuple[Task, planning.Kind]]:
    """Yield the tasks whose files the settings ask for, each with what it makes."""
    return ((stage, planning.produced(stage)) for stage in stages if isinstance(stage, Task) and stage.delivers)
