"""From stages and what is wanted to a plan: which stages run, in which pass, in which order.

Artifacts are matched by type. Stages that nobody wants are dropped, analysers are fused into one look
pass, filters into one render pass, and every error of the plan is reported at once, before a frame is read.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from postpipe.conformed import Conformed
from postpipe.delivery import (
    CopyPlan,
    Encoding,
    FrameTimes,
    ProjectFormat,
    RenderedBlends,
    RenderedClip,
    Selection,
    TimeMap,
)
from postpipe.edit import Edit
from postpipe.engine.stage import Analyser, Desk, Filter, FixFilter, Marker, Stage, Task
from postpipe.errors import SettingsError
from postpipe.look import UngradedClip
from postpipe.model import Artifact, Clip, DeliveryFolder, Remarks

Kind = type[Artifact]
RENDER_READS = (Selection, FrameTimes, ProjectFormat, Encoding, Edit, TimeMap, CopyPlan)
RENDER_MAKES = (RenderedClip, RenderedBlends, UngradedClip)
"""What the render pass itself takes and gives."""
GIVEN = (Clip, Conformed, Desk, DeliveryFolder, Remarks)
"""What a run gives by itself; remarks only to what needs the rendered clips."""


@dataclass(frozen=True, slots=True)
class Need:
    """One parameter of `run`, `bind` or `judge`, read off its annotation."""

    name: str
    kind: type[Any]
    each: bool = False
    rendered: bool = False
    units: bool = False
    optional: bool = False


def needs(function: Callable[..., Any]) -> tuple[Need, ...]:
    """Return what a stage's method asks for, from its type annotations."""
    return _needs(getattr(function, "__func__", function))


@functools.cache
def _needs(function: Callable[..., Any]) -> tuple[Need, ...]:
    hints = typing.get_type_hints(function, include_extras=True)
    hints.pop("return", None)
    return tuple(_need(name, hint) for name, hint in hints.items())


def _need(name: str, hint: Any, **marks: bool) -> Need:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated and arguments[1] is Marker.EACH:
        return _need(name, typing.get_args(arguments[0])[1], each=True, **marks)
    if origin is typing.Annotated and arguments[1] is Marker.RENDERED:
        return _need(name, arguments[0], rendered=True, **marks)
    if origin is typing.Annotated and arguments[1] is Marker.UNITS:
        return _need(name, typing.get_args(arguments[0])[1], units=True, **marks)
    if origin in (typing.Union, types.UnionType) and type(None) in arguments:
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _need(name, inner, optional=True, **marks)
    return Need(name, hint, **marks)


def produced(stage: Stage | type[Stage]) -> Kind:
    """Return the artifact type that an analyser or a task makes."""
    return _produced(stage if isinstance(stage, type) else type(stage))


@functools.cache
def _produced(stage: type[Stage]) -> Kind:
    method = getattr(stage, "finish", None) or stage.run  # type: ignore[attr-defined]
    return typing.cast(Kind, typing.get_type_hints(method)["return"])


@dataclass(frozen=True, slots=True)
class Step:
    """A task in its place; `rendered` when it is run on facts of the delivered picture."""

    task: Task
    rendered: bool = False


@dataclass(frozen=True)
class Plan:
    """What will be done: plain data.

    `look`: analysers of the look pass. `before`: tasks before the render, in order. `filters`: of the render
    pass, in slot order. `watch`: analysers fed with the frames of a fixed clip as they go to the encoder;
    `watch_units`: those fed with each unit by itself. `after`: tasks that need the rendered clips. `ungraded`: pictures
    without their looks are rendered as well. `facts`: the kinds that can be measured again on a delivered picture.
    """

    look: tuple[Analyser[Any, Any], ...]
    before: tuple[Step, ...]
    filters: tuple[Filter, ...]
    watch: tuple[Analyser[Any, Any], ...]
    watch_units: tuple[Analyser[Any, Any], ...]
    after: tuple[Step, ...]
    renders: bool
    ungraded: bool = False
    facts: frozenset[Kind] = field(repr=False, default=frozenset())


def plan(stages: Iterable[Stage], wanted: Iterable[Kind], only: Sequence[str] | None = None) -> Plan:
    """Plan the stages that are needed to make the `wanted` kinds.

    `only` names the fixes that may be applied; `None` allows all. Raises `SettingsError` with every problem.
    """
    return _Planner(list(stages), only).plan(list(wanted))


class _Planner:
    def __init__(self, stages: list[Stage], only: Sequence[str] | None) -> None:
        self.problems: list[str] = []
        self.makers: dict[Kind, Analyser[Any, Any] | Task] = {}
        fixes = {stage.fix for stage in stages if isinstance(stage, FixFilter)}
        for name in sorted(set(only or ()) - fixes):
            self.problems.append(f"--only {name}: there is no such fix; known: {', '.join(sorted(fixes)) or 'none'}")
        self.filters = sorted(
            (
                s
                for s in stages
                if isinstance(s, Filter) and (only is None or not isinstance(s, FixFilter) or s.fix in only)
            ),
            key=lambda stage: (stage.slot, stage.id),
        )
        for stage in stages:
            if isinstance(stage, Analyser | Task):
                kind = produced(stage)
                if kind in self.makers:
                    self.problems.append(f"{stage.id} and {self.makers[kind].id} both make {kind.__name__}; remove one")
                else:
                    self.makers[kind] = stage
        self.look: dict[str, Analyser[Any, Any]] = {}
        self.watch: dict[str, Analyser[Any, Any]] = {}
        self.watch_units: dict[str, Analyser[Any, Any]] = {}
        self.steps: dict[tuple[str, bool], Step] = {}  # in dependency order
        self.late: set[tuple[str, bool]] = set()
        self.open: list[str] = []  # stages being resolved, to find circles
        self.render_done = False
        self.ungraded = False

    def plan(self, wanted: list[Kind]) -> Plan:
        for kind in wanted:
            self.require(Need("", kind), by="the request", rendered=False)
        if self.problems:
            raise SettingsError(self.problems)
        steps = self.steps.items()
        return Plan(
            look=tuple(self.look.values()),
            before=tuple(step for key, step in steps if key not in self.late),
            filters=tuple(self.filters) if self.render_done else (),
            watch=tuple(self.watch.values()),
            watch_units=tuple(self.watch_units.values()),
            after=tuple(step for key, step in steps if key in self.late),
            renders=self.render_done,
            ungraded=self.ungraded,
            facts=frozenset(kind for kind in self.makers if self.is_fact(kind)),
        )

    def require(self, need: Need, *, by: str, rendered: bool) -> bool:
        """Resolve one need; return whether it can only be met after the render."""
        kind = need.kind
        rendered = (rendered and self.is_fact(kind)) or need.rendered
        if kind in GIVEN:
            return False
        self.ungraded |= kind is UngradedClip
        if kind in RENDER_MAKES or rendered or need.units:
            self.resolve_render(by)
        if kind in RENDER_MAKES:
            return True
        maker = self.makers.get(kind)
        if maker is None or (need.units and not isinstance(maker, Analyser)):
            if not need.optional:
                whose = "analyser" if need.units else "stage"
                self.problems.append(f"{by} needs {kind.__name__}, which no {whose} makes")
            return rendered or need.units
        if need.rendered and not self.is_fact(kind):
            self.problems.append(f"{by} asks for {kind.__name__} of the delivered picture, but it is a decision")
            return True
        if isinstance(maker, Analyser):
            room = self.watch_units if need.units else self.watch if rendered else self.look
            room.setdefault(maker.id, maker)
            return rendered or need.units
        if maker.scope == "clip" and not need.each and by != "the request":
            asker = next((s for s in self.makers.values() if s.id == by), None)
            if isinstance(asker, Task) and asker.scope == "project":
                self.problems.append(f"{by} runs once for the project: it must ask for Each[{kind.__name__}]")
        return self.resolve_task(maker, rendered)

    def resolve_task(self, task: Task, rendered: bool) -> bool:
        key = (task.id, rendered)
        if key in self.steps:
            return key in self.late
        if self.in_circle(task.id):
            return False
        self.open.append(task.id)
        wanted = [need for need in needs(task.run) if not need.optional or task.uses(need.kind)]
        late = [self.require(need, by=task.id, rendered=rendered) for need in wanted]
        self.open.pop()
        self.steps[key] = Step(task, rendered)
        if any(late):
            self.late.add(key)
        return any(late)

    def resolve_render(self, by: str) -> None:
        if self.render_done or self.in_circle("the render pass"):
            return
        self.open.append("the render pass")
        for kind in RENDER_READS:
            self.require(Need("", kind, optional=True), by="the render pass", rendered=False)
        for filter_ in self.filters:
            for need in needs(filter_.bind):
                if self.require(need, by=filter_.id, rendered=False):
                    self.problems.append(f"{filter_.id} needs {need.kind.__name__}, known only after the render")
        self.open.pop()
        self.render_done = True
        for filter_ in self.filters:
            if isinstance(filter_, FixFilter):
                for need in needs(filter_.judge):
                    self.require(need, by=filter_.id, rendered=False)

    def in_circle(self, name: str) -> bool:
        if name not in self.open:
            return False
        circle = [*self.open[self.open.index(name) :], name]
        self.problems.append(f"a circle: {' needs '.join(circle)}")
        return True

    def is_fact(self, kind: Kind, _seen: frozenset[Kind] = frozenset()) -> bool:
        """Whether `kind` follows from one clip's pixels or sound alone, so that it can be measured again."""
        maker = self.makers.get(kind)
        if maker is None or kind in _seen:
            return False
        if isinstance(maker, Analyser):
            return True
        inputs = [need for need in needs(maker.run) if need.kind is not Clip]
        return (
            maker.scope == "clip"
            and bool(inputs)
            and all(not need.each and not need.rendered and self.is_fact(need.kind, _seen | {kind}) for need in inputs)
        )


def as_text(plan: Plan) -> str:
    """Return the plan for a reader, pass by pass."""
    lines = ["look pass (each source frame is decoded once):"]
    lines += [f"  {stage.id:<16} {stage.summary}" for stage in plan.look]
    lines += ["decide:"] + [_line(step) for step in plan.before]
    if plan.renders:
        lines += ["render pass (one decode, one encode of the selected takes):"]
        lines += [f"  {stage.id:<16} {stage.summary} [{stage.slot.name.lower()}]" for stage in plan.filters]
        for watch, where in ((plan.watch, "where a fix changed it"), (plan.watch_units, "unit by unit")):
            if watch:
                lines += [f"measured on the delivered picture, {where}:"]
                lines += [f"  {stage.id:<16} {stage.summary}" for stage in watch]
        lines += ["deliver:"] + [_line(step) for step in plan.after]
    return "\n".join(lines)


def _line(step: Step) -> str:
    again = " (measured again)" if step.rendered else ""
    return f"  {step.task.id:<16} {step.task.summary}{again}"


def as_mermaid(plan: Plan) -> str:
    """Return the plan as a Mermaid flow chart."""
    lines = ["flowchart LR", "  takes[(takes)]"]

    def room(name: str, title: str, members: Sequence[tuple[str, str]]) -> None:
        lines.append(f"  subgraph {name}[{title}]")
        lines.extend(f'    {node}["{label}"]' for node, label in members)
        lines.append("  end")

    room("look", "look pass", [(f"look_{s.id}", s.id) for s in plan.look])
    room("decide", "decide", [(_node(step), step.task.id) for step in plan.before])
    lines += ["  takes --> look", "  look --> decide"]
    if plan.renders:
        room("render", "render pass", [(f"filter_{s.id}", s.id) for s in plan.filters])
        lines += [f"  filter_{a.id} --> filter_{b.id}" for a, b in zip(plan.filters, plan.filters[1:], strict=False)]
        room("deliver", "deliver", [(_node(step), step.task.id) for step in plan.after])
        lines += ["  decide --> render", "  takes --> render", "  render --> deliver"]
        watched = {s.id: s for s in (*plan.watch, *plan.watch_units)}
        if watched:
            room("watch", "measured again", [(f"watch_{id_}", id_) for id_ in watched])
            lines += ["  render --> watch", "  watch --> deliver"]
    known = {produced(s): f"look_{s.id}" for s in plan.look}
    for step in (*plan.before, *plan.after):
        if step.rendered:
            continue
        for need in needs(step.task.run):
            if need.kind in known and not need.rendered:
                lines.append(f"  {known[need.kind]} --> {_node(step)}")
        known[produced(step.task)] = _node(step)
    return "\n".join(lines)


def _node(step: Step) -> str:
    return f"{'again' if step.rendered else 'task'}_{step.task.id}"
