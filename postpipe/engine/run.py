"""One run from a folder of takes to a delivery: look, decide, render, deliver, with threads on this machine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from pathlib import Path
from typing import Any, TypeVar

from postpipe_kernels._jit import on_compile
from threadpoolctl import threadpool_limits

from postpipe.conformed import Conformed
from postpipe.delivery import Encoding, OutputFile, ProjectFormat, RenderedClip, Selection, TimeMap
from postpipe.draft import Draft, Estimate
from postpipe.edit import Edit
from postpipe.engine import pack, passes
from postpipe.engine.account import Account
from postpipe.engine.board import Board
from postpipe.engine.estimating import Drafting, estimate
from postpipe.engine.events import Event, Listener
from postpipe.engine.ingest import read_clip
from postpipe.engine.outputs import Outputs, holds_a_film
from postpipe.engine.plan import Plan, Step, produced
from postpipe.engine.rendering import FrameCounts, Outcome, render_blends, render_take
from postpipe.engine.stage import Desk, FromIndex, Recorder
from postpipe.engine.store import Store, code_digest
from postpipe.errors import Cancelled, DeliveryError, TakeError, disk_errors, shown
from postpipe.model import Artifact, Clip, DeliveryFolder, Remarks, Transient
from postpipe.programs.process import Surroundings, surrounded
from postpipe.projectlog import Logbook

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Run:
    """One run over some files. `outputs` is `None` where nothing is delivered (`inspect`)."""

    def __init__(
        self,
        files: Sequence[Path],
        plan: Plan,
        store: Store,
        outputs: Outputs | None,
        *,
        jobs: int | None = None,
        rehash: bool = False,
        listener: Listener = lambda event: None,
        drafting: Drafting | None = None,
        conformed: Conformed | None = None,
    ) -> None:
        self.files = list(files)
        self.plan = plan
        self.store = store
        self.outputs = outputs
        self.rehash = rehash
        self.cores = os.cpu_count() or 1
        self.jobs = jobs or self.cores
        self.counts = FrameCounts()
        self.skipped: dict[Path, str] = {}
        self.board = Board(plan.facts)
        if outputs is not None:
            self.board.put(DeliveryFolder(outputs.root))
        self.drafting = drafting
        self.conformed = conformed
        self._listener = listener
        self._decide_seconds = self._deliver_seconds = 0.0
        self._telling = threading.Lock()
        self._stop = threading.Event()

    def execute(self) -> Account:
        """Do the whole plan and return the account of it.

        Raises `DeliveryError` when nothing can be delivered and `Cancelled` on Ctrl-C; finished work stays
        in the store either way.
        """
        with (
            disk_errors(self.outputs.root if self.outputs else self.store.root),
            on_compile(self._compiling),
            surrounded(Surroundings(self._check, self.store.scratch)),
            threadpool_limits(1, user_api="blas"),  # takes are worked on side by side; its threads would only spin
        ):
            clips = self._prepared(self._read_clips())
            start_seconds = time.process_time()
            self._look_at(self._shortened(clips) if self.drafting else clips)
            if not self.board.clips and self.outputs is not None:
                raise DeliveryError("\n".join(["no take could be used:", *self._reasons()]))
            while not self._deliver():  # a take that fails in the render makes room for the next best
                if not self.board.clips:
                    raise DeliveryError("\n".join(["no take could be delivered:", *self._reasons(), *self._left()]))
            if self.drafting is not None:
                self.board.put(self._estimate(self.drafting, start_seconds))
            account = Account(self.files, self.board, self.skipped, self.counts)
            for text in account.warnings:
                self._tell(Event("warning", message=text))
            if self.outputs is not None and self.plan.renders:
                self.counts.delivered = account.sequence_frames
                document = account.document()
                self.outputs.finish(document)
                logbook: Logbook | None = self.board.get(Logbook)
                if logbook is not None:
                    try:
                        logbook.keep(self.outputs.root, document)
                    except DeliveryError as error:  # all is delivered, and the next run writes down what is missing
                        self._tell(Event("warning", message=str(error)))
        self._tell(Event("done"))
        return account

    def _left(self) -> Iterator[str]:
        """Say that a film of an earlier run is not one of this run."""
        if self.outputs is not None and holds_a_film(self.outputs.root):
            yield f"{self.outputs.root} still holds what an earlier run delivered: remove it if it must not be shown"

    # Look

    def _read_clips(self) -> list[Clip]:
        if self.conformed is not None:
            self.board.put(self.conformed)
            for name, reason in self.conformed.missing.items():
                self._skip(Path(name), reason)
            return list(self.conformed.clips)
        clips = []
        for path in self.files:
            self._check()
            try:
                clips.append(read_clip(path, self.store, rehash=self.rehash))
            except TakeError as error:
                self._skip(path, f"{error.fault}; {error.remedy}")
        return clips

    def _prepared(self, clips: list[Clip]) -> list[Clip]:
        """Return the takes as the outside tools make them, one take at a time: such programs take all there is."""
        tools = self.plan.tools
        if not tools.tools:
            return clips
        if self.drafting is not None:
            self._tell(Event("warning", message="a draft leaves the outside tools out"))
            return clips
        from postpipe.engine.preparing import Preparing  # runs without tools start sooner

        frames = sum(clip.picture.declared_frames or 0 for clip in clips)
        self._tell(Event("pass", "outside", total=frames * len(tools.tools)))
        preparing, made = Preparing(tools, self.store), []
        for clip in clips:
            try:
                remade, prepared = preparing.prepare(clip, self._on_frame("outside", clip))
            except TakeError as error:
                self._skip(clip.path, f"{error.fault}; {error.remedy}")
                continue
            made.append(remade)
            self.board.put(prepared, clip.path)
            self.counts.decoded_outside += sum(use.decoded for use in prepared.uses)
            self.counts.encoded_outside += sum(use.encoded for use in prepared.uses)
        return made

    def _shortened(self, clips: list[Clip]) -> list[Clip]:
        """Return what a draft sees of the clips."""
        for clip in clips:
            self.board.put(clip, clip.path)
        for step in self.drafting.shorten.before if self.drafting else ():
            self._step(step, self._desk())
        draft: Draft = self.board.get(Draft)
        return list(draft.clips)

    def _estimate(self, drafting: Drafting, start_seconds: float) -> Estimate:
        """Return what the whole job costs; the first time it is asked, since an unchanged draft does nothing."""
        decided = [self.board.get(kind) for kind in (Draft, Edit, ProjectFormat, Encoding)]
        key = pack.digest(code_digest(), "estimate", *decided, drafting.full.look, drafting.full.filters)
        found = self.store.get(Estimate, key)
        if found is None:
            found = estimate(
                self.board,
                drafting.full,
                scratch=self.store.scratch,
                check=self._check,
                start_seconds=start_seconds,
                decide_seconds=self._decide_seconds,
                deliver_seconds=self._deliver_seconds,
                rerendered=self.counts.rerendered / max(1, self.counts.encoded - self.counts.rerendered),
            )
            self.store.put(key, found)
        return found

    def _look_at(self, clips: list[Clip]) -> None:
        frames = sum(clip.picture.declared_frames or 0 for clip in clips)
        self._tell(Event("pass", "look", total=frames))
        by_index = all(isinstance(analyser, FromIndex | Recorder) for analyser in self.plan.look)
        desk = self._desk()

        def work(clip: Clip, threads: int) -> tuple[list[Artifact], int]:
            keys = {
                analyser: pack.digest(code_digest(), analyser.id, analyser.version, analyser, *clip.content)
                for analyser in self.plan.look
            }
            stored = {analyser: self.store.get(produced(analyser), key) for analyser, key in keys.items()}
            found = [artifact for artifact in stored.values() if artifact is not None]
            missing = [analyser for analyser, artifact in stored.items() if artifact is None]
            causes = [analyser for analyser in missing if not isinstance(analyser, Recorder)]
            told = [analyser.from_index(clip) for analyser in causes if isinstance(analyser, FromIndex) and by_index]
            if len(told) == len(causes) and all(told):
                return [*found, *filter(None, told)], 0
            facts, decoded = passes.look(
                clip, missing, threads=threads, on_frame=self._on_frame("look", clip), scratch=desk.scratch
            )
            for analyser, artifact in zip(missing, facts, strict=True):
                if not isinstance(artifact, Transient):
                    self.store.put(keys[analyser], artifact)
            return [*found, *facts], decoded

        for clip in clips:  # in order, whichever is finished first
            self.board.put(clip, clip.path)
        for clip, result in self._pool(clips, work, self.jobs):
            if isinstance(result, TakeError):
                self._drop(clip.path, result)
                continue
            facts, decoded = result
            self.counts.decoded_look += decoded
            for artifact in facts:
                self.board.put(artifact, clip.path)

    # Decide, render, deliver

    def _deliver(self) -> bool:
        """Go from facts to the delivery; return `False` when a take failed on the way and was dropped."""
        desk = self._desk()
        before = len(self.skipped)
        start = time.process_time()
        for step in self.plan.before:
            self._step(step, desk)
            if self.plan.renders and len(self.skipped) != before:
                return False  # what was decided with the dropped take holds no more: another may stand for it
        self._decide_seconds = time.process_time() - start
        if self.plan.renders:
            self._render()
        if len(self.skipped) != before:
            return False
        start = time.process_time()
        for path in self.board.clips:
            self.board.put(Remarks.of(self.board.facts(path)), path)
        for step in self.plan.after:
            self._check()
            self._step(step, desk)
        self._deliver_seconds = time.process_time() - start
        return len(self.skipped) == before

    def _step(self, step: Step, desk: Desk) -> None:
        self.board.run_step(step, self.store, desk, sound=self._stands, failed=self._drop)

    def _render(self) -> None:
        selection: Selection = self.board.get(Selection)
        chosen = [path for path in selection.selected if path in self.board.clips]
        total = sum(len(self.board.get(TimeMap, path).rendered) for path in chosen)
        self._tell(Event("pass", "render", total=total))

        def work(path: Path, threads: int) -> Outcome:
            clip: Clip = self.board.get(Clip, path)
            return render_take(
                clip, self.board, self.plan, self.store, threads=threads, on_frame=self._on_frame("render", clip)
            )

        # An encoder has threads and a look-ahead of its own: side by side only where there are cores for it.
        encoding: Encoding = self.board.get(Encoding)
        for path, result in self._pool(chosen, work, max(1, self.jobs // encoding.threads)):
            if isinstance(result, TakeError):
                self._drop(path, result)
                continue
            self.counts.add(result.counts)
            self.board.put(result.rendered, path)
            if result.ungraded is not None:
                self.board.put(result.ungraded, path)
            for unit, facts in result.unit_facts.items():
                self.board.put_unit(unit, facts)
            for artifact in result.facts:
                self.board.put(artifact, path, rendered=True)
        if all(self.board.get(RenderedClip, path) for path in chosen):
            blends, encoded = render_blends(self.board, self.plan, self.store, self._check)
            self.counts.encoded += encoded
            self.board.put(blends)

    def _desk(self) -> Desk:
        outputs = self.outputs
        files = (
            (self.store.scratch, self._unit, _no_output, Path, _no_place)
            if outputs is None
            else (outputs.scratch, self._unit, outputs.publish, outputs.root.joinpath, outputs.place)
        )
        return Desk(*files, self._count_still, self._check, self._progress)

    def _count_still(self, frames: int) -> None:
        self.counts.decoded_stills += frames

    def _unit(self, key: str, container: str) -> Path:
        path = self.store.unit(key, container)
        if path is None:
            raise DeliveryError(f"{self.store.root}: a rendered unit was changed while it was used; run again")
        return path

    def _stands(self, artifact: Any) -> bool:
        """Whether the files that a stored result speaks of are still there, unchanged."""
        files: tuple[OutputFile, ...] = getattr(artifact, "files", ())
        return self.outputs is None or all(self.outputs.stands(file, self.store) for file in files)

    # Bookkeeping

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped[path] = reason
        self._tell(Event("skipped", name=shown(path), message=reason))

    def _drop(self, path: Path, error: TakeError) -> None:
        self._skip(path, f"{error.fault}; {error.remedy}")
        self.board.drop(path)

    def _reasons(self) -> Iterable[str]:
        return (f"  {shown(path)}: {reason}" for path, reason in self.skipped.items())

    def _tell(self, event: Event) -> None:
        with self._telling:  # events come from several threads
            self._listener(event)

    def _compiling(self, kernel: str) -> None:
        self._tell(Event("compile", name=kernel, message=f"compiling the kernel {kernel.strip('_')} (first run only)"))

    def _check(self) -> None:
        if self._stop.is_set():
            raise Cancelled

    def _progress(self, name: str, done: int, total: int) -> None:
        self._tell(Event("progress", "deliver", name, done, total))

    def _on_frame(self, phase: str, clip: Clip) -> Callable[[int], None]:
        def on_frame(done: int) -> None:
            self._check()
            if done % 8 == 0:
                self._tell(Event("progress", phase, clip.path.name, done, clip.picture.declared_frames or 0))

        return on_frame

    def _pool(
        self, items: Sequence[ItemT], work: Callable[[ItemT, int], ResultT], jobs: int
    ) -> Iterator[tuple[ItemT, ResultT | TakeError]]:
        """Yield each item with its result, or the `TakeError` that it ended with, as they are finished.

        Clips run side by side; the cores that are left over go to the decoders. Ctrl-C stops all of them at
        their next frame.
        """
        workers = max(1, min(jobs, len(items)))
        threads = max(1, -(-self.cores // workers))
        pool = ThreadPoolExecutor(workers, thread_name_prefix="postpipe")
        # Each in a copy of this context, so that compiling a kernel is told from any thread.
        pending: dict[Future[ResultT], ItemT] = {
            pool.submit(copy_context().run, work, item, threads): item for item in items
        }
        try:
            while pending:
                done, _ = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    item = pending.pop(future)
                    try:
                        yield item, future.result()
                    except TakeError as error:
                        yield item, error
        except BaseException as error:
            self._stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            wait(pending, timeout=0.5)
            if isinstance(error, KeyboardInterrupt):
                raise Cancelled from error
            raise
        pool.shutdown()


def _no_output(temporary: Path, name: str) -> str:
    raise RuntimeError(f"{name}: nothing is delivered in this run")


def _no_place(file: OutputFile, name: str) -> OutputFile:
    raise RuntimeError(f"{name}: nothing is delivered in this run")
