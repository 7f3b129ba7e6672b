"""Sign what is delivered, as the last step that changes bytes, and read it again to see that it holds.

A rendered take has its original as `parentOf` and the actions that made it; the sequence was `created` of such takes,
each `placed` as a `componentOf`. What cannot be signed is delivered unsigned, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from msgspec import Meta

from postpipe.delivery import OutputFile
from postpipe.draft import Draft
from postpipe.edit import Edit
from postpipe.engine.stage import Desk, Each, Task
from postpipe.errors import SettingsError
from postpipe.finished import UNSIGNED, ClipFile, Film, FinishedClip
from postpipe.finished import Sequence as JoinedSequence
from postpipe.model import Clip
from postpipe.programs.answer import answer
from postpipe.programs.command import find
from postpipe.provenance import (
    COMPOSITE,
    COMPOSITE_WITH_AI,
    Credentials,
    History,
    Provenance,
    SignPlan,
    Trust,
)
from postpipe.sidecar import Sidecar
from postpipe.stages.manifests import (
    Rendered,
    check_clip,
    check_sequence,
    definition,
    distinct,
    read_again,
    sequence_actions,
)

if TYPE_CHECKING:
    from postpipe.media.identity import Identity
    from postpipe.media.signing import Ingredient, Signing


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
    timeout_seconds: Annotated[float, Meta(gt=0, description="how long the signer may take for a signature")] = 120.0
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
        from postpipe.media.identity import SigningError

        folder = min(clips, default=Path()).parent
        plan = SignPlan(
            self.sign,
            certificate=str(folder / self.certificate),
            key=str(folder / self.key) if self.key else None,
            password_variable=self.password_variable,
            command=self.signer,
            timeout_seconds=self.timeout_seconds,
            time_stamps=self.time_stamps,
            generated=self.generated,
        )
        try:
            chain = identity_of(plan).chain
        except SigningError as error:
            raise SettingsError([f"[provenance] {error}"]) from None
        return replace(plan, chain=chain)


def identity_of(plan: SignPlan) -> Identity:
    """Return the signer. A key is read anew each time, so that nothing keeps it. Raises `SigningError`."""
    from postpipe.media import identity

    if plan.certificate is None:
        return identity.development_identity()
    if plan.key is None:
        command, seconds = plan.command, plan.timeout_seconds
        name = f"the signer {command[0]}"
        argv = [find(command[0]), *command[1:]]
        return identity.held_identity(Path(plan.certificate), lambda data: answer(name, argv, data, seconds))
    password = identity.password_from(plan.password_variable)
    return identity.file_identity(Path(plan.certificate), Path(plan.key), password)


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
                rendered = Rendered(clip.file, desk.output(file.path), history, provenance)
                rendered.sign(signing, target)
                found = read_again(target, trust)
                check_clip(found.manifest, rendered)
                return found

            delivered, credentials = deliver(file, name, plan, trust, [provenance], desk, sign)
        return ClipFile((delivered,), finished.frames, credentials, finished.warnings)


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
        clips: Each[Clip],
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
                clips[event.path].file,
                desk.output((delivered if _signed(delivered[event.path]) else finished)[event.path].files[0].path),
                histories[event.path],
                provenances[event.path],
            )
            for event in edit.events
        ]
        shown = [event.path for event in edit.events]
        ai = plan.generated or any(_says_ai(provenances[path], sidecars.get(path)) for path in shown)
        source_type = COMPOSITE_WITH_AI if ai else COMPOSITE
        actions = list(sequence_actions(edit.events, histories, source_type))
        assertions = distinct(a for take in takes for a in take.history.declared.assertions)

        def sign(signing: Signing, target: Path) -> Provenance:
            def ingredients() -> Iterator[Ingredient]:
                for number, (event, take) in enumerate(zip(edit.events, takes, strict=True), 1):
                    desk.check()
                    desk.progress(name, number, len(takes))
                    signed = take.file
                    if not _signed(delivered[event.path]):  # a copy for this alone: clips/ stay as they were made
                        signed = desk.scratch(take.file.suffix)
                        take.sign(signing, signed)
                    yield take.as_component(signed, number)
                    if signed != take.file:
                        signed.unlink()

            signing.sign(desk.output(file.path), target, definition(name, actions, assertions), ingredients())
            found = read_again(target, trust)
            check_sequence(found.manifest, source_type, [action["action"] for action in actions], takes)
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
    from postpipe.media.identity import SigningError
    from postpipe.media.signing import Signing

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


STAGES = (PlanSigning, DeliverClip, DeliverSequence)
