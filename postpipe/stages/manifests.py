"""Manifests of rendered takes and of sequences: how they are made, and how what was signed is compared with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postpipe import __version__
from postpipe.edit import Event, starts
from postpipe.provenance import Action, Assertion, History, Manifest, Provenance, Trust

if TYPE_CHECKING:
    from postpipe.media.signing import Ingredient, Signing

PREFIX = "io.github.postpipe"
"""Names of ours among those of the specification, which asks for a domain."""

ORIGINAL = "original"


@dataclass(frozen=True)
class Rendered:
    """A rendered take: the original, the finished file, and what is to be said of it."""

    source: Path
    file: Path
    history: History
    provenance: Provenance

    def sign(self, signing: Signing, target: Path) -> None:
        """Write the finished file with its manifest. Raises `SigningError`."""
        from postpipe.media.signing import Ingredient

        bare = self.provenance.manifest is None
        said = self.provenance.words if bare else None
        original = Ingredient(self.source, ORIGINAL, self.source.name, "parentOf", said, bare)
        opened = _action(Action("c2pa.opened"), ingredients=[ORIGINAL])
        actions = [opened, *(_action(action) for action in self.history.actions)]
        manifest = definition(self.title, actions, self.history.declared.assertions)
        signing.sign(self.file, target, manifest, [original])

    def as_component(self, signed: Path, number: int) -> Ingredient:
        """Return the signed file as a part of a sequence."""
        from postpipe.media.signing import Ingredient

        return Ingredient(signed, _label(number), self.title, "componentOf")

    @property
    def title(self) -> str:
        """What the rendered take is called."""
        return self.file.name


def _label(number: int) -> str:
    return f"take-{number}"


def sequence_actions(
    events: Sequence[Event], histories: Mapping[Path, History], source_type: str
) -> Iterator[dict[str, Any]]:
    """Yield what was done to make the sequence: created, its takes placed in order, gone over into each other."""
    yield _action(Action("c2pa.created", "takes were joined in one film")) | {"digitalSourceType": source_type}
    for number, (event, start) in enumerate(zip(events, starts(events), strict=False), 1):
        figures = {"scene": event.scene, "start_frame": start, "frames": event.frames}
        yield _action(Action("c2pa.placed", f"{event.path.name} from frame {start} on", figures), [_label(number)])
    blends = {
        "dissolves": sum(event.dissolve_in > 0 for event in events),
        "fades": sum((event.fade_in > 0) + (event.fade_out > 0) for event in events),
    }
    if any(blends.values()):
        yield _action(Action("c2pa.edited", "takes go over into each other, or come out of black and into it", blends))
    for action in distinct(a for event in events for a in histories[event.path].declared.actions):
        yield _action(action)


def distinct(items: Iterable[Any]) -> list[Any]:
    """Return the different ones, in order."""
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _action(action: Action, ingredients: Sequence[str] = ()) -> dict[str, Any]:
    """Return an action as the library takes it."""
    parameters: dict[str, Any] = {}
    if ingredients:
        parameters["ingredientIds"] = list(ingredients)
    if action.parameters:
        parameters[f"{PREFIX}.figures"] = action.parameters
    plain: dict[str, Any] = {"action": action.name}
    if action.description:
        plain["description"] = action.description
    return plain | ({"parameters": parameters} if parameters else {})


def definition(title: str, actions: Sequence[Mapping[str, Any]], assertions: Iterable[Assertion]) -> dict[str, Any]:
    """Return a manifest as the library takes it."""
    told = {"label": "c2pa.actions.v2", "data": {"actions": list(actions), "allActionsIncluded": True}}
    return {
        "claim_generator_info": [{"name": "postpipe", "version": __version__}],
        "title": title,
        "assertions": [told, *({"label": one.label, "data": one.data} for one in assertions)],
    }


# Proof


def read_again(file: Path, trust: Trust) -> Provenance:
    """Return what a file that was just signed says. Raises `SigningError` where it does not hold."""
    from postpipe.media.credentials import read_credentials

    found = read_credentials(file, trust)
    _expect("the signed file", "valid or trusted", found.words, found.state in ("valid", "trusted"))
    return found


def check_sequence(
    manifest: Manifest | None, source_type: str, actions: Sequence[str], takes: Sequence[Rendered]
) -> None:
    """Compare the manifest of a sequence with what was done. Raises `SigningError` naming what differs."""
    found = manifest or Manifest(None, "absent")
    _expect("its actions", list(actions), list(found.actions))
    _expect("its digital source type", (source_type,), found.source_types)
    _expect("its number of takes", len(takes), len(found.ingredients))
    for take, ingredient in zip(takes, found.ingredients, strict=True):
        _expect(f"{take.title}", "componentOf", ingredient.relationship)
        check_clip(ingredient, take)


def check_clip(manifest: Manifest | None, take: Rendered) -> None:
    """Compare the manifest of a rendered take with what was done. Raises `SigningError` naming what differs."""
    found = manifest or Manifest(None, "absent")
    title = take.title
    _expect(f"the title of {title}", title, found.title)
    _expect(f"the state of {title}", "valid or trusted", found.state, found.state in ("valid", "trusted"))
    _expect(f"the actions of {title}", ["c2pa.opened", *(a.name for a in take.history.actions)], list(found.actions))
    originals = [one for one in found.ingredients if one.relationship == "parentOf"]
    _expect(f"the originals of {title}", 1, len(originals))
    carried = take.provenance.state if take.provenance.manifest is not None else "absent"
    _expect(f"the state of the original of {title}", carried, originals[0].state)


def _expect(what: str, expected: object, found: object, holds: bool | None = None) -> None:
    from postpipe.media.identity import SigningError

    if not (found == expected if holds is None else holds):
        raise SigningError(f"read again, it does not hold: {what}: expected {expected}, found {found}")
