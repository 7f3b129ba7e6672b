"""What is known so far in a run: artifacts by kind and clip, and the evaluation of tasks over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from postpipe.engine import pack
from postpipe.engine.plan import Kind, Need, Step, needs, produced
from postpipe.engine.stage import Desk, Stage
from postpipe.engine.store import Store, code_digest
from postpipe.errors import TakeError
from postpipe.model import Artifact, Transient

MISSING: Any = object()


class Board:
    """Artifacts of one run. `facts_kinds` are those that exist for the delivered picture too."""

    def __init__(self, facts_kinds: frozenset[Kind]) -> None:
        self._facts_kinds = facts_kinds
        self._project: dict[Kind, Artifact] = {}
        self._clips: dict[Path, dict[Kind, Artifact]] = {}
        self._rendered: dict[Path, dict[Kind, Artifact]] = {}
        self._dropped: dict[Path, dict[Kind, Artifact]] = {}
        self._units: dict[Kind, dict[str, Artifact]] = {}
        self._digests: dict[int, tuple[Artifact, str]] = {}

    @property
    def clips(self) -> list[Path]:
        """The clips that are still in the run, in the order in which they were added."""
        return list(self._clips)

    def put(self, artifact: Artifact, clip: Path | None = None, *, rendered: bool = False) -> None:
        """Add an artifact: of the project, of a clip, or of a clip's delivered picture."""
        if clip is None:
            self._project[type(artifact)] = artifact
        else:
            rooms = self._rendered if rendered else self._clips
            rooms.setdefault(clip, {})[type(artifact)] = artifact

    def put_unit(self, unit: str, facts: Iterable[Artifact]) -> None:
        """Add the facts of a rendered unit."""
        for fact in facts:
            self._units.setdefault(type(fact), {})[unit] = fact

    def copy(self, *, without: Kind) -> Board:
        """Return a board of its own that knows the same, but for one artifact of the project."""
        copy = Board(self._facts_kinds)
        copy._project = {kind: artifact for kind, artifact in self._project.items() if kind is not without}
        copy._clips = {clip: dict(facts) for clip, facts in self._clips.items()}
        copy._rendered = {clip: dict(facts) for clip, facts in self._rendered.items()}
        return copy

    def trial(self, clip: Path, rendered: Iterable[Artifact]) -> Board:
        """Return a board with facts of one clip's delivered picture that is still on trial, and no other's."""
        trial = Board(self._facts_kinds)
        trial._project = self._project
        trial._clips = dict(self._clips)
        trial._rendered = {clip: {type(fact): fact for fact in rendered}}
        return trial

    def drop(self, clip: Path) -> None:
        """Put a clip aside that turned out to be unusable: nothing but `of_dropped` knows of it then."""
        self._dropped[clip] = self._clips.pop(clip, {})
        self._rendered.pop(clip, None)

    def of_dropped(self, kind: type[Any], clip: Path) -> Any:
        """Return what was known of a clip that was dropped, or `None`."""
        return self._dropped.get(clip, {}).get(kind)

    def get(self, kind: type[Any], clip: Path | None = None, *, rendered: bool = False) -> Any:
        """Return an artifact, or `None`."""
        if clip is None:
            return self._project.get(kind)
        return (self._rendered if rendered else self._clips).get(clip, {}).get(kind)

    def facts(self, clip: Path | None = None) -> Iterable[Artifact]:
        """Return everything that is known of a clip, or of the project."""
        return (self._project if clip is None else self._clips.get(clip, {})).values()

    def each(self, kind: Kind, *, rendered: bool = False) -> dict[Path, Artifact]:
        """Return the artifacts of one kind by clip."""
        rooms = self._rendered if rendered else self._clips
        return {clip: rooms[clip][kind] for clip in self._clips if kind in rooms.get(clip, {})}

    def resolve(self, need: Need, clip: Path | None, *, rendered: bool = False) -> Any:
        """Return the value for one need of a stage, or `MISSING`."""
        if need.units:
            return self._units.get(need.kind, {})
        rendered = need.rendered or (rendered and need.kind in self._facts_kinds)
        if need.each:
            return self.each(need.kind, rendered=rendered)
        value = self.get(need.kind, clip, rendered=rendered) if clip is not None else None
        if value is None:
            value = self.get(need.kind)
        return MISSING if value is None and not need.optional else value

    def arguments(
        self, function: Callable[..., Any], clip: Path | None, *, rendered: bool = False, desk: Desk | None = None
    ) -> dict[str, Any] | None:
        """Return the arguments for a stage's method, or `None` while one is missing."""
        values = {
            need.name: desk if need.kind is Desk else self.resolve(need, clip, rendered=rendered)
            for need in needs(function)
        }
        return None if any(value is MISSING for value in values.values()) else values

    def key(self, stage: Stage, arguments: Mapping[str, Any]) -> str:
        """Return the store key of what `stage` makes from these arguments."""
        parts: list[object] = [code_digest(), stage.id, stage.version, stage]
        for name, value in sorted(arguments.items()):
            if isinstance(value, Mapping):
                parts += [name, [(str(clip), self._digest(item)) for clip, item in value.items()]]
            elif isinstance(value, Artifact):
                parts += [name, self._digest(value)]
            elif value is None:
                parts += [name, "absent"]
        return pack.digest(*parts)

    def _digest(self, artifact: Artifact) -> str:
        known = self._digests.get(id(artifact))
        if known is None:
            known = self._digests[id(artifact)] = (artifact, pack.digest(type(artifact).schema, artifact))
        return known[1]

    # Tasks

    def run_step(
        self,
        step: Step,
        store: Store,
        desk: Desk,
        *,
        sound: Callable[[Artifact], bool],
        failed: Callable[[Path, TakeError], None],
    ) -> None:
        """Run one task wherever its inputs exist.

        `sound` tells whether a stored result still stands (its files are there); `failed` is told of a clip
        that the task cannot deal with.
        """
        if step.task.scope == "project":
            arguments = self.arguments(step.task.run, None, rendered=step.rendered, desk=desk)
            if arguments is not None:
                self.put(self._evaluate(step, arguments, store, sound))
            return
        for clip in self.clips:
            try:
                arguments = self.arguments(step.task.run, clip, rendered=step.rendered, desk=desk)
                if arguments is not None:
                    self.put(self._evaluate(step, arguments, store, sound), clip, rendered=step.rendered)
            except TakeError as error:
                failed(clip, error)

    def _evaluate(
        self, step: Step, arguments: dict[str, Any], store: Store, sound: Callable[[Artifact], bool]
    ) -> Artifact:
        task = step.task
        if not task.stored:
            return task.run(**arguments)
        lasting = {n.name: arguments[n.name] for n in needs(task.run) if not issubclass(n.kind, Transient)}
        key = self.key(task, lasting)
        found = store.get(produced(task), key)
        if found is not None and sound(found):
            return found
        made = task.run(**arguments)
        if made.final:
            store.put(key, made)
        return made
