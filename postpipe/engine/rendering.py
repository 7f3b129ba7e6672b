"""Render one take: bind its filters, render what is not in the store, judge each fix, roll back what did not help."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from postpipe.delivery import Encoding, Fix, FrameTimes, ProjectFormat, RenderedClip, TimeMap, Unit
from postpipe.engine import pack, passes
from postpipe.engine.board import Board
from postpipe.engine.plan import Plan, Step, needs, produced
from postpipe.engine.stage import Filter, FixFilter
from postpipe.engine.store import Store, code_digest
from postpipe.model import Artifact, Clip


@dataclass
class FrameCounts:
    """Frames that this run touched, for `takes.json`."""

    delivered: int = 0
    decoded_look: int = 0
    decoded_render: int = 0
    decoded_stills: int = 0
    encoded: int = 0
    rerendered: int = 0


@dataclass(frozen=True)
class Outcome:
    """A rendered take, the facts of its delivered picture, and the frames it took to get there."""

    rendered: RenderedClip
    facts: tuple[Artifact, ...]
    decoded: int
    encoded: int
    rerendered: int


class _Attempt:
    """One render of a take with a given chain of filters, under a key that names all that goes into it."""

    def __init__(self, job: passes.Job, plan: Plan, store: Store) -> None:
        self.job = job
        self._store = store
        self._container = job.encoding.container
        key = pack.digest(code_digest(), "render", job.clip.digest, *_job_parts(job))
        bounds = itertools.pairwise(job.units)
        self.units = tuple(Unit(pack.digest(key, start, end), end - start) for start, end in bounds)
        self._watch = {analyser: pack.digest(key, analyser.id, analyser.version, analyser) for analyser in plan.watch}
        found = [store.get(produced(analyser), key) for analyser, key in self._watch.items()]
        self.facts = [fact for fact in found if fact is not None]

    @property
    def measured(self) -> bool:
        """Whether all facts of the delivered picture are known."""
        return len(self.facts) == len(self._watch)

    @property
    def complete(self) -> bool:
        """Whether all units are in the store."""
        return all(self.have(number) for number in range(len(self.units)))

    def have(self, number: int) -> bool:
        """Whether a unit is in the store."""
        return self._store.unit(self.units[number].key, self._container) is not None

    def render(self, threads: int, on_frame: Callable[[int], None]) -> tuple[int, int]:
        """Render what is missing; return the frames decoded and encoded."""
        facts, decoded, encoded = passes.render(
            self.job,
            have=self.have,
            scratch=lambda: self._store.scratch(f".{self._container}"),
            keep=self._keep,
            watch=[] if self.measured else list(self._watch),
            threads=threads,
            on_frame=on_frame,
        )
        if not self.measured:
            self.facts = facts
            for key, fact in zip(self._watch.values(), facts, strict=True):
                self._store.put(key, fact)
        return decoded, encoded

    def _keep(self, number: int, file: Path) -> None:
        self._store.put_unit(self.units[number].key, file)

    def discard(self) -> None:
        """Give back the disk space of units that will not be delivered."""
        for unit in self.units:
            self._store.discard_unit(unit.key, self._container)


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
    decoded = encoded = rerendered = 0
    while True:
        attempt = _Attempt(_job(clip, board, [operation for _, operation in bound]), plan, store)
        fixes = _judge(clip, board, plan, bound, attempt.facts) if attempt.measured else None
        wanted = fixes is None or all(fix.kept for fix in fixes)
        if wanted and not (attempt.measured and attempt.complete):
            now_decoded, now_encoded = attempt.render(threads, on_frame)
            decoded += now_decoded
            encoded += now_encoded
            rerendered += now_encoded if rolled_back else 0
            fixes = _judge(clip, board, plan, bound, attempt.facts)
        rejected = [fix for fix in fixes or () if not fix.kept]
        if not rejected:
            rendered = RenderedClip(units=attempt.units, fixes=(*rolled_back, *(fixes or ())))
            return Outcome(rendered, tuple(attempt.facts), decoded, encoded, rerendered)
        attempt.discard()
        rolled_back += rejected
        names = {fix.stage for fix in rejected}
        bound = [(f, operation) for f, operation in bound if not (isinstance(f, FixFilter) and f.fix in names)]


def _bind(clip: Clip, board: Board, plan: Plan) -> list[tuple[Filter, passes.Bound]]:
    bound: list[tuple[Filter, passes.Bound]] = []
    for filter_ in plan.filters:
        arguments = board.arguments(filter_.bind, clip.path)
        operation = filter_.bind(**arguments) if arguments is not None else None
        if operation is not None:
            bound.append((filter_, operation))
    return bound


def _job(clip: Clip, board: Board, chain: list[passes.Bound]) -> passes.Job:
    time_map: TimeMap = board.get(TimeMap, clip.path)
    target: ProjectFormat = board.get(ProjectFormat)
    encoding: Encoding = board.get(Encoding)
    return passes.Job(
        clip=clip,
        times=board.get(FrameTimes, clip.path),
        time_map=time_map,
        chain=tuple(chain),
        target=target,
        encoding=encoding,
        units=passes.unit_starts(time_map.frames, time_map.rate, encoding.unit_seconds),
    )


def _job_parts(job: passes.Job) -> list[object]:
    """Return everything that the rendered bytes depend on besides the source's content.

    A sound setting is not among them, nor is where the file lies.
    """
    operations = [(type(operation).__qualname__, operation) for operation in job.chain]
    encoding = job.encoding
    picture = (encoding.video_codec, encoding.container, sorted(encoding.options.items()), encoding.threads)
    return [operations, picture, job.target, job.time_map, list(job.units)]


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
        parameters: Mapping[str, Any] = msgspec.to_builtins(filter_)
        fixes.append(Fix(filter_.fix, dict(parameters), verdict.before, verdict.after, verdict.kept))
    return fixes


def _derive(step: Step, board: Board, clip: Path) -> None:
    """Run a cheap fact task on the delivered picture of one clip."""
    arguments = board.arguments(step.task.run, clip, rendered=True)
    if arguments is not None:
        board.put(step.task.run(**arguments), clip, rendered=True)
