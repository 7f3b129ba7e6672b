"""Plans: types are matched, what nobody wants is dropped, every error is reported at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from postpipe.delivery import RenderedClip
from postpipe.engine.plan import Need, as_mermaid, as_text, needs, plan, produced
from postpipe.engine.settings import configure, stage_types
from postpipe.engine.stage import Desk, Each, Rendered, Task
from postpipe.errors import SettingsError
from postpipe.finished import Sequence
from postpipe.model import Artifact
from tests.engine.toys import TOYS, Brightness, Lift, MeanTrack, SetTarget, Target, WatchMean


@dataclass(frozen=True)
class A(Artifact):
    schema: ClassVar[str] = "test.a.1"


@dataclass(frozen=True)
class B(Artifact):
    schema: ClassVar[str] = "test.b.1"


@dataclass(frozen=True)
class Again(Artifact):
    schema: ClassVar[str] = "test.again.1"


@dataclass(frozen=True)
class MakeA(Task):
    id: ClassVar[str] = "make_a"
    summary: ClassVar[str] = "a from b"

    def run(self, b: B) -> A:
        return A()


@dataclass(frozen=True)
class MakeB(Task):
    id: ClassVar[str] = "make_b"
    summary: ClassVar[str] = "b from a"

    def run(self, a: A) -> B:
        return B()


@dataclass(frozen=True)
class Careless(Task):
    """A project task that forgets which clip it means."""

    id: ClassVar[str] = "careless"
    summary: ClassVar[str] = "a of the project"
    scope: ClassVar[str] = "project"

    def run(self, brightness: Brightness) -> A:
        return A()


@dataclass(frozen=True)
class LookAgain(Task):
    id: ClassVar[str] = "look_again"
    summary: ClassVar[str] = "compares"
    scope: ClassVar[str] = "project"

    def run(self, before: Each[Brightness], after: Each[Rendered[Brightness]], desk: Desk, b: B | None) -> Again:
        return Again()


def toys() -> list[object]:
    return [type_() for type_ in TOYS]


def test_needs_are_read_off_annotations() -> None:
    assert needs(LookAgain().run) == (
        Need("before", Brightness, each=True),
        Need("after", Brightness, each=True, rendered=True),
        Need("desk", Desk),
        Need("b", B, optional=True),
    )
    assert produced(WatchMean()) is MeanTrack


def test_only_what_is_wanted_is_planned() -> None:
    the_plan = plan(toys(), [Target])
    assert [stage.id for stage in the_plan.look] == ["toy_mean"]
    assert [step.task.id for step in the_plan.before] == ["toy_brightness", "toy_target"]
    assert not the_plan.renders
    assert the_plan.filters == ()


def test_rendered_facts_come_from_the_render_pass() -> None:
    the_plan = plan([*toys(), LookAgain()], [Again])
    assert the_plan.renders
    assert [stage.id for stage in the_plan.watch] == ["toy_mean"]
    assert [(step.task.id, step.rendered) for step in the_plan.after] == [
        ("toy_brightness", True),
        ("look_again", False),
    ]
    assert [stage.id for stage in the_plan.filters] == ["toy_lift"]


def test_only_drops_the_fixes_that_are_not_named() -> None:
    assert plan(toys(), [RenderedClip], only=[]).filters == ()
    assert [f.id for f in plan(toys(), [RenderedClip], only=["lift"]).filters] == ["toy_lift"]
    with pytest.raises(SettingsError, match="--only deflickr: there is no such fix; known: lift"):
        plan(toys(), [RenderedClip], only=["deflickr"])


def test_all_errors_are_reported_together() -> None:
    with pytest.raises(SettingsError) as caught:
        plan([*toys(), WatchMean(), MakeA(), MakeB(), LookAgain()], [A, Again, Sequence])
    text = str(caught.value)
    assert "both make MeanTrack" in text
    assert "a circle: make_a needs make_b needs make_a" in text
    assert "the request needs Sequence, which no stage makes" in text


def test_a_project_task_must_say_each() -> None:
    with pytest.raises(SettingsError, match=r"careless runs once for the project: it must ask for Each\[Brightness\]"):
        plan([*toys(), Careless()], [A])


def test_a_filter_cannot_wait_for_its_own_render() -> None:
    @dataclass(frozen=True)
    class Late(Lift):
        id: ClassVar[str] = "late"

        def bind(self, after: Rendered[Brightness]) -> None:
            return None

    Late.bind.__annotations__["after"] = Rendered[Brightness]
    with pytest.raises(SettingsError, match=r"late needs Brightness, known only after the render|a circle"):
        plan([*[toy for toy in toys() if not isinstance(toy, Lift)], Late()], [RenderedClip])


def test_a_decision_cannot_be_measured_again() -> None:
    @dataclass(frozen=True)
    class Confused(Task):
        id: ClassVar[str] = "confused"
        summary: ClassVar[str] = "asks for a decision of the picture"
        scope: ClassVar[str] = "project"

        def run(self, target: Rendered[Target]) -> A:
            return A()

    Confused.run.__annotations__ |= {"target": Rendered[Target], "return": A}
    with pytest.raises(SettingsError, match="asks for Target of the delivered picture, but it is a decision"):
        plan([*toys(), Confused()], [A])


def test_the_installed_stages_make_a_sound_plan() -> None:
    the_plan = plan(configure(stage_types(), []), [Sequence])
    assert the_plan.renders
    slots = [stage.slot for stage in the_plan.filters]
    assert slots == sorted(slots)
    text = as_text(the_plan)
    for stage in (*the_plan.look, *the_plan.filters):
        assert stage.id in text
    picture = as_mermaid(the_plan)
    assert picture.startswith("flowchart LR")
    for step in (*the_plan.before, *the_plan.after):
        assert f"task_{step.task.id}" in picture


def test_target_of_toys_is_a_decision_and_brightness_a_fact() -> None:
    the_plan = plan(toys(), [RenderedClip])
    assert Brightness in the_plan.facts
    assert MeanTrack in the_plan.facts
    assert Target not in the_plan.facts
    assert SetTarget().scope == "project"
