"""Render one take: bind its filters, render what is not in the store, judge each fix, roll back what did not help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import msgspec

from postpipe.delivery import (
    CopyPlan,
    Encoding,
    Fix,
    FrameTimes,
    ProjectFormat,
    RenderedBlends,
    RenderedClip,
    TimeMap,
    Unit,
)
from postpipe.edit import Edit
from postpipe.engine import pack, passes
from postpipe.engine.blending import render_blend
from postpipe.engine.board import Board
from postpipe.engine.pieces import cut_into_pieces
from postpipe.engine.plan import Plan, Step, needs, produced
from postpipe.engine.stage import Analyser, Filter, FixFilter
from postpipe.engine.store import Store, code_digest
from postpipe.errors import FilterFailed, TakeError
from postpipe.look import UngradedClip
from postpipe.model import Artifact, Clip

LOSSLESS_CONTAINER = "mp4"


@dataclass
class FrameCounts:
    """Frames that this run touched, for `takes.json`."""

    delivered: int = 0
    decoded_look: int = 0
    decoded_render: int = 0
    decoded_stills: int = 0
    encoded: int = 0
    rerendered: int = 0
    copied: int = 0
    decoded_outside: int = 0
    encoded_outside: int = 0

    def add(self, other: FrameCounts) -> None:
        """Add the frames of one take."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


@dataclass(frozen=True)
class Outcome:
    """A rendered take, the facts of its delivered picture, and the frames it took to get there."""

    rendered: RenderedClip
    facts: tuple[Artifact, ...]
    unit_facts: dict[str, list[Artifact]]
    counts: FrameCounts
    ungraded: UngradedClip | None = None


class _Attempt:
    """One render of a take with a given chain of filters, under keys that name all that goes into it."""

    def __init__(self, job: passes.Job, plan: Plan, store: Store, *, fixed: bool) -> None:
        self.job = job
        self._store = store
        self._watch_units = plan.watch_units
        key = pack.digest(code_digest(), "render", *job.clip.content, *_job_parts(job))
        self._units = tuple(
            Unit(pack.digest(key, piece.start, piece.end, piece.kind), piece.start, piece.end) for piece in job.pieces
        )
        shown = job.time_map.rendered
        self._watch = {
            analyser: pack.digest(key, shown.start, shown.stop, analyser.id, analyser.version, analyser)
            for analyser in (plan.watch if fixed else ())
        }
        self.unit_facts = {
            unit.key: facts
            for piece, unit in zip(job.pieces, self._units, strict=True)
            if piece.kind != "lossless" and (facts := stored_unit_facts(store, unit.key, plan.watch_units)) is not None
        }
        found = [store.get(produced(analyser), key) for analyser, key in self._watch.items()]
        self.facts = [fact for fact in found if fact is not None]

    @property
    def measured(self) -> bool:
        """Whether all facts of the delivered picture are known."""
        return len(self.facts) == len(self._watch)

    @property
    def complete(self) -> bool:
        """Whether all pieces are in the store."""
        return all(self.have(number) for number in range(len(self._units)))

    def have(self, number: int) -> bool:
        """Whether a piece is in the store, and measured where that is wanted."""
        key = self._units[number].key
        measured = self.job.pieces[number].kind == "lossless" or key in self.unit_facts
        return measured and self._store.unit(key, self._container(number)) is not None

    def render(self, threads: int, on_frame: Callable[[int], None]) -> passes.Rendered:
        """Render what is missing."""
        done = passes.render(
            self.job,
            have=self.have,
            scratch=lambda: self._store.scratch(f".{self.job.encoding.container}"),
            keep=self._keep,
            watch=[] if self.measured else list(self._watch),
            watch_units=self._watch_units,
            threads=threads,
            on_frame=on_frame,
        )
        if not self.measured:
            self.facts = done.facts
            for key, fact in zip(self._watch.values(), done.facts, strict=True):
                self._store.put(key, fact)
        return done

    def rendered(self, fixes: tuple[Fix, ...], encoded_because: str | None) -> RenderedClip:
        """Return what the deliveries are made of."""
        named = list(zip(self.job.pieces, self._units, strict=True))
        units = tuple(unit for piece, unit in named if piece.kind != "lossless")
        copied = sum(unit.frames for piece, unit in named if piece.kind == "copied")
        return RenderedClip(
            units=tuple(sorted(units, key=lambda unit: unit.first)),
            fixes=fixes,
            ends=tuple(unit for piece, unit in named if piece.kind == "lossless"),
            copied=copied,
            encoded_because=encoded_because,
        )

    def discard(self) -> None:
        """Give back the disk space of pieces that will not be delivered."""
        for number, unit in enumerate(self._units):
            self._store.discard_unit(unit.key, self._container(number))

    def _container(self, number: int) -> str:
        return LOSSLESS_CONTAINER if self.job.pieces[number].kind == "lossless" else self.job.encoding.container

    def _keep(self, number: int, file: Path, facts: list[Artifact]) -> None:
        key = self._units[number].key
        if self.job.pieces[number].kind != "lossless":
            keep_unit_facts(self._store, key, self._watch_units, facts)
            self.unit_facts[key] = facts
        self._store.put_unit(key, file, self._container(number))


def stored_unit_facts(store: Store, unit: str, watch: Sequence[Analyser[Any, Any]]) -> list[Artifact] | None:
    """Return what is stored of a unit's facts, or `None` unless it is all."""
    found = [store.get(produced(analyser), _unit_fact_key(unit, analyser)) for analyser in watch]
    return [fact for fact in found if fact is not None] if None not in found else None


def keep_unit_facts(store: Store, unit: str, watch: Sequence[Analyser[Any, Any]], facts: Sequence[Artifact]) -> None:
    """Store a unit's facts."""
    for analyser, fact in zip(watch, facts, strict=True):
        store.put(_unit_fact_key(unit, analyser), fact)


def _unit_fact_key(unit: str, analyser: Analyser[Any, Any]) -> str:
    return pack.digest(unit, analyser.id, analyser.version, analyser)


def render_take(
    clip: Clip,
    board: Board,
    plan: Plan,
    store: Store,
    *,
    threads: int,
    on_frame: Callable[[int], None],
) -> Outcome:
    """Return the rendered take, from the store as far as it goes. Raises `TakeError`."""
    bound = _bind(clip, board, plan)
    rolled_back: list[Fix] = []
    counts = FrameCounts()
    while True:
        job, encoded_because = _job(clip, board, bound)
        attempt = _Attempt(job, plan, store, fixed=any(isinstance(filter_, FixFilter) for filter_, _ in bound))
        fixes = _judge(clip, board, plan, bound, attempt.facts) if attempt.measured else None
        wanted = fixes is None or all(fix.kept for fix in fixes)
        if wanted and not (attempt.measured and attempt.complete):
            try:
                done = attempt.render(threads, on_frame)
            except FilterFailed as failure:
                attempt.discard()  # what it gave before it failed is not to be trusted either
                rolled_back.append(_failed(clip, bound, failure))
                bound = _without({failure.fix}, bound)
                continue
            counts.decoded_render += done.decoded
            counts.encoded += done.encoded
            counts.copied += done.copied
            counts.rerendered += done.encoded if rolled_back else 0
            fixes = _judge(clip, board, plan, bound, attempt.facts)
        rejected = [fix for fix in fixes or () if not fix.kept]
        if not rejected:
            rendered = attempt.rendered((*rolled_back, *(fixes or ())), encoded_because)
            ungraded = None
            if plan.ungraded:
                ungraded = _ungraded(clip, board, plan, store, bound, rendered, counts, threads, on_frame)
            return Outcome(rendered, tuple(attempt.facts), attempt.unit_facts, counts, ungraded)
        attempt.discard()
        rolled_back += rejected
        bound = _without({fix.stage for fix in rejected}, bound)


def _without(names: set[str], bound: list[tuple[Filter, passes.Bound]]) -> list[tuple[Filter, passes.Bound]]:
    return [(filter_, operation) for filter_, operation in bound if filter_.name not in names]


def _failed(clip: Clip, bound: list[tuple[Filter, passes.Bound]], failure: FilterFailed) -> Fix:
    """Return the account of a filter that could not do its work; raise `TakeError` where the take cannot do without."""
    for filter_, _ in bound:
        if filter_.name == failure.fix and filter_.dispensable:
            return Fix(filter_.name, _parameters(filter_), {}, {"failed": failure.fault}, kept=False)
    raise TakeError(clip.path, failure.fault, failure.remedy) from failure


def _parameters(filter_: Filter) -> dict[str, Any]:
    return dict(msgspec.to_builtins(filter_))


def _ungraded(
    clip: Clip,
    board: Board,
    plan: Plan,
    store: Store,
    bound: list[tuple[Filter, passes.Bound]],
    rendered: RenderedClip,
    counts: FrameCounts,
    threads: int,
    on_frame: Callable[[int], None],
) -> UngradedClip:
    """Return the picture without its look: one more decode and encode where it has one and something else is done."""
    if not any(isinstance(filter_, FixFilter) and filter_.grade for filter_, _ in bound):
        return UngradedClip(rendered.units)
    rest = [(filter_, operation) for filter_, operation in bound if not filter_.grade]
    job, _ = _job(clip, board, rest)
    even = job.time_map.cadence.plain and not job.times.vfr and job.times.rate == job.target.rate
    if not rest and even and clip.remade is None:
        return UngradedClip(())
    pieces = cut_into_pieces(job.time_map, clip.path, job.encoding.unit_seconds, ())  # a clip of its own: no blends
    attempt = _Attempt(replace(job, pieces=tuple(pieces)), plan, store, fixed=False)
    if not attempt.complete:
        done = attempt.render(threads, on_frame)
        counts.decoded_render += done.decoded
        counts.encoded += done.encoded
    return UngradedClip(attempt.rendered((), None).units)


def _bind(clip: Clip, board: Board, plan: Plan) -> list[tuple[Filter, passes.Bound]]:
    bound: list[tuple[Filter, passes.Bound]] = []
    for filter_ in plan.filters:
        arguments = board.arguments(filter_.bind, clip.path)
        operation = filter_.bind(**arguments) if arguments is not None else None
        if operation is not None:
            bound.append((filter_, operation))
    return bound


def _job(clip: Clip, board: Board, bound: list[tuple[Filter, passes.Bound]]) -> tuple[passes.Job, str | None]:
    """Return the job, and why not all of the take is copied where smart rendering was asked for."""
    time_map: TimeMap = board.get(TimeMap, clip.path)
    edit: Edit = board.get(Edit)
    copies: CopyPlan = board.get(CopyPlan)
    encoding = _encoding(board)
    groups, reason = copies.groups.get(str(clip.path), ()), copies.reasons.get(str(clip.path))
    if groups and bound:
        groups, reason = (), f"it is changed by {', '.join(filter_.id for filter_, _ in bound)}"
    pieces = cut_into_pieces(time_map, clip.path, encoding.unit_seconds, edit.blends, groups)
    if groups and any(piece.kind == "encoded" for piece in pieces):
        reason = "a trim, a transition or a handle does not lie between groups of pictures"
    job = passes.Job(
        clip=clip,
        times=board.get(FrameTimes, clip.path),
        time_map=time_map,
        chain=tuple(operation for _, operation in bound),
        target=board.get(ProjectFormat),
        encoding=encoding,
        pieces=tuple(pieces),
    )
    return job, reason


def take_job(clip: Clip, board: Board, plan: Plan) -> passes.Job:
    """Return the job of a take with all that the plan does to it."""
    return _job(clip, board, _bind(clip, board, plan))[0]


def _encoding(board: Board) -> Encoding:
    """Return how pictures are encoded, under a parameter set id that copied pictures of the film do not use."""
    encoding: Encoding = board.get(Encoding)
    copies: CopyPlan = board.get(CopyPlan)
    if not copies.parameter_set_id:
        return encoding
    return replace(encoding, options=encoding.options | {"x264-params": f"sps-id={copies.parameter_set_id}"})


def _job_parts(job: passes.Job) -> list[object]:
    """Return everything that the bytes of a piece depend on besides the source's content and its place in the take.

    A sound setting is not among them, nor is where the file lies, nor how the take is trimmed.
    """
    operations = [(type(operation).__qualname__, operation) for operation in job.chain]
    encoding = job.encoding
    picture = (encoding.video_codec, encoding.container, sorted(encoding.options.items()), encoding.threads)
    return [operations, picture, job.target, job.time_map.cadence]


def render_blends(board: Board, plan: Plan, store: Store, check: Callable[[], None]) -> tuple[RenderedBlends, int]:
    """Return the transitions of the edit, from the store as far as it goes, and the frames encoded for it."""
    edit: Edit = board.get(Edit)
    target: ProjectFormat = board.get(ProjectFormat)
    encoding = _encoding(board)
    picture = (encoding.video_codec, encoding.container, sorted(encoding.options.items()), encoding.threads)
    units, encoded = [], 0
    for blend in edit.blends:
        ends = [_end(board, place, blend.frames) for place in (blend.outgoing, blend.incoming)]
        named = [end.key if end else "black" for end in ends]
        key = pack.digest(code_digest(), "blend", *named, blend.frames, picture, target)
        units.append(Unit(key, 0, blend.frames))
        facts = stored_unit_facts(store, key, plan.watch_units)
        if facts is None or store.unit(key, encoding.container) is None:
            file = store.scratch(f".{encoding.container}")
            files = [store.unit(end.key, LOSSLESS_CONTAINER) if end else None for end in ends]
            render_blend(files[0], files[1], blend.frames, target, encoding, file, check)
            facts, _ = passes.measure(file, plan.watch_units)
            keep_unit_facts(store, key, plan.watch_units, facts)
            store.put_unit(key, file, encoding.container)
            encoded += blend.frames
        board.put_unit(key, facts)
    return RenderedBlends(tuple(units)), encoded


def _end(board: Board, place: tuple[Path, int] | None, frames: int) -> Unit | None:
    if place is None:
        return None
    path, first = place
    rendered: RenderedClip = board.get(RenderedClip, path)
    return next(unit for unit in rendered.ends if (unit.first, unit.frames) == (first, frames))


def _judge(
    clip: Clip,
    board: Board,
    plan: Plan,
    bound: list[tuple[Filter, passes.Bound]],
    facts: list[Artifact],
) -> list[Fix]:
    """Let each active fix compare the facts before and after."""
    active = [filter_ for filter_, _ in bound if isinstance(filter_, FixFilter)]
    if not active:
        return []
    # A board of this attempt alone: its rendered facts must not outlive it.
    trial = board.trial(clip.path, facts)
    for step in plan.after:
        if step.rendered:
            _derive(step, trial, clip.path)
    fixes = []
    for filter_ in active:
        arguments = trial.arguments(filter_.judge, clip.path)
        if arguments is None:
            missing = ", ".join(need.kind.__name__ for need in needs(filter_.judge))
            raise RuntimeError(f"{filter_.id} cannot be judged: one of {missing} was not measured")
        verdict = filter_.judge(**arguments)
        fixes.append(Fix(filter_.fix, _parameters(filter_), verdict.before, verdict.after, verdict.kept))
    return fixes


def _derive(step: Step, board: Board, clip: Path) -> None:
    """Run a cheap fact task on the delivered picture of one clip."""
    arguments = board.arguments(step.task.run, clip, rendered=True)
    if arguments is not None:
        board.put(step.task.run(**arguments), clip, rendered=True)
