"""Sign what is delivered, as the last step that changes bytes, and read it again to see that it holds.

A rendered take has its original as `parentOf` and the actions that made it; the sequence was `created` of such takes,
each `placed` as a `componentOf`. What cannot be signed is delivered unsigned, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from msgspec import Meta

from postpipe import __version__
from postpipe.delivery import UNSIGNED, ClipFile, Film, FinishedClip, OutputFile
from postpipe.delivery import Sequence as JoinedSequence
from postpipe.draft import Draft
from postpipe.edit import Edit, Event, starts
from postpipe.engine.stage import Desk, Each, Task
from postpipe.errors import SettingsError
from postpipe.model import Clip
from postpipe.provenance import (
    COMPOSITE,
    COMPOSITE_WITH_AI,
    Action,
    Assertion,
    Credentials,
    History,
    Manifest,
    Provenance,
    SignPlan,
    Trust,
)
from postpipe.sidecar import Sidecar

if TYPE_CHECKING:
    from postpipe.media.signing import Identity, Ingredient, Signing

PREFIX = "io.github.postpipe"
"""Names of ours among those of the specification, which asks for a domain."""

ORIGINAL = "original"


@dataclass(frozen=True)
class PlanSigning(Task):
    """Settle what is signed and by whom; a certificate or key that cannot sign is told before anything is rendered."""

    id: ClassVar[str] = "signing"
    summary: ClassVar[str] = "who signs the delivery; checks certificate and key"
    section: ClassVar[str] = "provenance"
    scope: ClassVar[str] = "project"

    sign: Annotated[
        Literal["sequence", "all", "off"],
        Meta(description="what gets a C2PA manifest: the sequence; all: clips/ too; off: nothing"),
    ] = "sequence"
    certificate: Annotated[
        str | None,
        Meta(description="PEM file: the signer's certificate, then its issuers; unset: one made for this run"),
    ] = None
    key: Annotated[str | None, Meta(description="PEM file with the private key of the certificate")] = None
    password_variable: Annotated[
        str | None, Meta(description="environment variable that holds the password of the key")
    ] = None
    signer: Annotated[
        tuple[str, ...],
        Meta(description="program that signs instead of a key: bytes on its input, the signature on its output"),
    ] = ()
    time_stamps: Annotated[
        Annotated[str, Meta(pattern=r"^https?://", examples=["http://timestamp.digicert.com"])] | None,
        Meta(description="address of a time-stamp authority (RFC 3161), which is asked over the network"),
    ] = None
    generated: Annotated[
        bool, Meta(description="all takes were made by generative AI, also those that do not say so themselves")
    ] = False

    def __post_init__(self) -> None:
        if self.certificate is None and (self.key or self.signer):
            raise ValueError("certificate is not set: a key or signer needs the certificate that belongs to it")
        if self.certificate is not None and bool(self.key) == bool(self.signer):
            raise ValueError("certificate is set: expected a key or a signer with it, and not both")

    def run(self, clips: Each[Clip]) -> SignPlan:
        """Return the plan; names are looked up in the folder of takes. Raises `SettingsError`."""
        if self.sign == "off" or self.certificate is None:
            return SignPlan(self.sign, time_stamps=self.time_stamps, generated=self.generated)
        from postpipe.media.signing import SigningError

        folder = min(clips, default=Path()).parent
        plan = SignPlan(
            self.sign,
            certificate=str(folder / self.certificate),
            key=str(folder / self.key) if self.key else None,
            password_variable=self.password_variable,
            command=self.signer,
            time_stamps=self.time_stamps,
            generated=self.generated,
        )
        try:
            chain = identity_of(plan).chain
        except SigningError as error:
            raise SettingsError([f"[provenance] {error}"]) from None
        return SignPlan(**{name: getattr(plan, name) for name in plan.__dataclass_fields__} | {"chain": chain})


def identity_of(plan: SignPlan) -> Identity:
    """Return the signer. A key is read anew each time, so that nothing keeps it. Raises `SigningError`."""
    from postpipe.media import signing

    if plan.certificate is None:
        return signing.development_identity()
    if plan.key is None:
        return signing.command_identity(Path(plan.certificate), plan.command)
    password = signing.password_from(plan.password_variable)
    return signing.file_identity(Path(plan.certificate), Path(plan.key), password)


@dataclass(frozen=True)
class DeliverClip(Task):
    """Deliver each finished take as it is, or signed."""

    id: ClassVar[str] = "deliver_clips"
    summary: ClassVar[str] = "writes clips/<take>.mp4, signed where that is asked for"
    stored: ClassVar[bool] = True

    def run(
        self,
        clip: Clip,
        finished: FinishedClip,
        history: History,
        provenance: Provenance,
        plan: SignPlan,
        trust: Trust,
        draft: Draft | None,
        desk: Desk,
    ) -> ClipFile:
        """Return the delivered file."""
        (file,) = finished.files
        name = file.path.removeprefix(f"{UNSIGNED}/")
        if plan.what != "all" or draft is not None:
            delivered, credentials = desk.place(file, name), unsigned([provenance])
        else:

            def sign(signing: Signing, target: Path) -> Provenance:
                rendered = Rendered(clip.path, desk.output(file.path), history, provenance)
                rendered.sign(signing, target)
                found = read_again(target, trust)
                check_clip(found.manifest, rendered)
                return found

            delivered, credentials = deliver(file, name, plan, trust, [provenance], desk, sign)
        return ClipFile((delivered,), credentials, finished.warnings)


@dataclass(frozen=True)
class DeliverSequence(Task):
    """Deliver the sequence, signed unless that is switched off."""

    id: ClassVar[str] = "deliver_sequence"
    summary: ClassVar[str] = "writes the sequence: signs it, reads it again and compares it with what was done"
    scope: ClassVar[str] = "project"
    stored: ClassVar[bool] = True

    def run(
        self,
        film: Film,
        edit: Edit,
        finished: Each[FinishedClip],
        delivered: Each[ClipFile],
        histories: Each[History],
        provenances: Each[Provenance],
        sidecars: Each[Sidecar],
        plan: SignPlan,
        trust: Trust,
        draft: Draft | None,
        desk: Desk,
    ) -> JoinedSequence:
        """Return the delivered sequence, or one without a file where each scene is a film of its own."""
        sources = [provenances[event.path] for event in edit.events]
        if not film.files:
            return JoinedSequence((), film, unsigned(sources))
        (file,) = film.files
        name = file.path.removeprefix(f"{UNSIGNED}/")
        if plan.what == "off" or draft is not None:
            return JoinedSequence((desk.place(file, name),), film, unsigned(sources))
        takes = [
            Rendered(
                event.path,
                desk.output((delivered if _signed(delivered[event.path]) else finished)[event.path].files[0].path),
                histories[event.path],
                provenances[event.path],
            )
            for event in edit.events
        ]
        ai = plan.generated or any(_says_ai(provenances[path], sidecars.get(path)) for path in provenances)
        actions = list(_sequence_actions(edit.events, histories, COMPOSITE_WITH_AI if ai else COMPOSITE))
        assertions = _distinct(a for take in takes for a in take.history.declared.assertions)

        def sign(signing: Signing, target: Path) -> Provenance:
            def ingredients() -> Iterator[Ingredient]:
                for number, take in enumerate(takes, 1):
                    desk.check()
                    desk.progress(name, number, len(takes))
                    signed = take.file
                    if not _signed(delivered[take.source]):  # a copy for this alone: clips/ stay as they were made
                        signed = desk.scratch(take.file.suffix)
                        take.sign(signing, signed)
                    yield take.as_component(signed, number)
                    if signed != take.file:
                        signed.unlink()

            signing.sign(desk.output(file.path), target, _definition(name, actions, assertions), ingredients())
            found = read_again(target, trust)
            check_sequence(found.manifest, [action["action"] for action in actions], takes)
            return found

        placed, credentials = deliver(file, name, plan, trust, sources, desk, sign)
        return JoinedSequence((placed,), film, credentials)


def deliver(
    file: OutputFile,
    name: str,
    plan: SignPlan,
    trust: Trust,
    sources: Iterable[Provenance],
    desk: Desk,
    sign: Callable[[Signing, Path], Provenance],
) -> tuple[OutputFile, Credentials]:
    """Sign a finished file and deliver it; where that fails, deliver it as it is, and say why."""
    from postpipe.media.signing import Signing, SigningError

    target = desk.scratch(Path(name).suffix)
    try:
        with Signing(identity_of(plan), trust, plan.time_stamps) as signing:
            found = sign(signing, target)
    except SigningError as error:
        target.unlink(missing_ok=True)
        return desk.place(file, name), unsigned(sources, str(error))
    return OutputFile(name, desk.publish(target, name)), Credentials(found, plan.signer)


def unsigned(sources: Iterable[Provenance], problem: str | None = None) -> Credentials:
    """Return what a delivered file without a manifest says: that of its takes, if there was one, is lost."""
    return Credentials(Provenance("lost" if any(one.has_manifest for one in sources) else "absent"), problem=problem)


def _signed(delivered: ClipFile) -> bool:
    return delivered.credentials.signed_with is not None


def _says_ai(provenance: Provenance, sidecar: Sidecar | None) -> bool:
    """Whether a take says that it was generated: in its manifest, or in what was written down about it."""
    written = sidecar is not None and bool(sidecar.generator or sidecar.model)
    return written or (provenance.manifest is not None and provenance.manifest.says_ai)


# Manifests


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

        said = None if self.provenance.has_manifest else self.provenance.words
        original = Ingredient(self.source, ORIGINAL, self.source.name, "parentOf", said)
        opened = _action(Action("c2pa.opened"), ingredients=[ORIGINAL])
        actions = [opened, *(_action(action) for action in self.history.actions)]
        definition = _definition(self.title, actions, self.history.declared.assertions)
        signing.sign(self.file, target, definition, [original])

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


def _sequence_actions(
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
    for action in _distinct(a for event in events for a in histories[event.path].declared.actions):
        yield _action(action)


def _distinct(items: Iterable[Any]) -> list[Any]:
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


def _definition(title: str, actions: Sequence[Mapping[str, Any]], assertions: Iterable[Assertion]) -> dict[str, Any]:
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


def check_sequence(manifest: Manifest | None, actions: Sequence[str], takes: Sequence[Rendered]) -> None:
    """Compare the manifest of a sequence with what was done. Raises `SigningError` naming what differs."""
    found = manifest or Manifest(None, "absent")
    _expect("its actions", list(actions), list(found.actions))
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
    carried = take.provenance.state if take.provenance.has_manifest else "absent"
    _expect(f"the state of the original of {title}", carried, originals[0].state)


def _expect(what: str, expected: object, found: object, holds: bool | None = None) -> None:
    from postpipe.media.signing import SigningError

    if not (found == expected if holds is None else holds):
        raise SigningError(f"read again, it does not hold: {what}: expected {expected}, found {found}")


STAGES = (PlanSigning, DeliverClip, DeliverSequence)
