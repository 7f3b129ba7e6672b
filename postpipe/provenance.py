"""What files say about where they come from: C2PA manifests, in words, and what a delivery will say of itself.

The specification is C2PA 2.2 and later (https://spec.c2pa.org); codes and names of actions are its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from postpipe.model import Artifact, Facts

State = Literal["absent", "valid", "trusted", "lost", "invalid", "unsupported", "unreadable"]

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
COMPOSITE = f"{SOURCE_TYPE}composite"
COMPOSITE_WITH_AI = f"{SOURCE_TYPE}compositeWithTrainedAlgorithmicMedia"
_AI_TYPES = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic")

TOLERATED = ("signingCredential.untrusted", "cawg.")
"""Codes that leave a manifest valid: they say that nobody vouches for a signer, not that something was changed."""

WORDS: dict[State, str] = {
    "absent": "no C2PA manifest",
    "valid": "intact; the signer is on no trust list that was given",
    "trusted": "intact, and the signer is on a trust list",
    "lost": "the take had a C2PA manifest, and what was made of it has none",
    "invalid": "the C2PA manifest does not validate",
    "unsupported": "a kind of file in which no C2PA manifest is looked for",
    "unreadable": "cannot be read",
}

CHECKS: tuple[tuple[str, str, str], ...] = (
    ("assertion.bmffHash.mismatch", "content hash", "picture, sound or their index are not those that were signed"),
    ("assertion.dataHash.mismatch", "content hash", "the data are not those that were signed"),
    ("assertion.boxesHash.mismatch", "content hash", "the data are not those that were signed"),
    ("assertion.bmffHash", "content hash", "the hash of the content cannot be checked"),
    ("assertion.dataHash", "content hash", "the hash of the content cannot be checked"),
    ("assertion.hashedURI.mismatch", "assertion", "a statement in the manifest is not the one that was signed"),
    ("assertion.missing", "assertion", "a statement that was signed is missing"),
    ("assertion.action", "assertion", "the list of actions breaks the rules"),
    ("assertion", "assertion", "a statement in the manifest breaks the rules"),
    ("claimSignature.mismatch", "claim signature", "the signature does not belong to this claim"),
    ("claimSignature.outsideValidity", "expiry", "it was signed while the certificate was not valid"),
    ("claimSignature", "claim signature", "the signature is missing or cannot be checked"),
    ("claim", "claim", "the claim breaks the rules"),
    ("signingCredential.expired", "expiry", "the certificate has expired, and no trusted time stamp is older"),
    ("signingCredential.untrusted", "trust", "the signer is on no trust list that was given"),
    ("signingCredential.ocsp.revoked", "credential", "the certificate was revoked"),
    ("signingCredential.revoked", "credential", "the certificate was revoked"),
    ("signingCredential", "credential", "the certificate is not one that may sign"),
    ("timeStamp", "time stamp", "the time stamp cannot be relied on"),
    ("timeOfSigning", "time stamp", "the time of signing does not fit"),
    ("ingredient", "ingredient", "something that it was made from does not validate"),
    ("manifest.inaccessible", "manifest", "the manifest is kept elsewhere and was not fetched"),
    ("cawg.x509.credential.untrusted", "identity", "who states the identity is on no trust list that was given"),
    ("cawg", "identity", "the statement of identity does not hold"),
    ("", "manifest", "the manifest is damaged or breaks the rules"),
)
"""Which check a status code belongs to, and what it means; the first that a code begins with counts."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check that failed: the specification's `code`, the `check` that it belongs to, and what it means.

    `where` is the title of the ingredient that it is about, or "" for the file itself.
    """

    code: str
    check: str
    words: str
    where: str = ""

    @classmethod
    def of(cls, code: str, where: str = "") -> Check:
        """Return a code in words."""
        check, words = next((check, words) for start, check, words in CHECKS if code.startswith(start))
        return cls(code, check, words, where)

    @property
    def tolerated(self) -> bool:
        """Whether a manifest is valid all the same."""
        return self.code.startswith(TOLERATED)

    def sentence(self) -> str:
        """Return it for a reader: `content hash: … (assertion.bmffHash.mismatch)`."""
        place = f" of {self.where}" if self.where else ""
        return f"{self.check}{place}: {self.words} ({self.code})"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest: of a file, or of an ingredient as it was when it was taken in.

    `relationship` of an ingredient: `parentOf` (this was made from it), `componentOf` (it is a part), `inputTo`.
    `failures` are status codes, `actions` the names of actions in order, `signed_at` ISO 8601 where a time stamp
    says it. An ingredient without a manifest has the state `absent`.
    """

    title: str | None
    state: State
    relationship: str | None = None
    generator: str | None = None
    signer: str | None = None
    issuer: str | None = None
    signed_at: str | None = None
    actions: tuple[str, ...] = ()
    source_types: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    ingredients: tuple[Manifest, ...] = ()

    def walk(self) -> Iterator[Manifest]:
        """Yield this manifest and those of all that it was made from."""
        yield self
        for ingredient in self.ingredients:
            yield from ingredient.walk()

    @property
    def says_ai(self) -> bool:
        """Whether it, or anything that it was made from, says that generative AI made some of it."""
        kinds = (kind for manifest in self.walk() for kind in manifest.source_types)
        return any(kind.rpartition("/")[2] in _AI_TYPES for kind in kinds)

    def summary(self) -> dict[str, Any]:
        """Return it as plain data, ingredients within."""
        return {
            "title": self.title,
            "relationship": self.relationship,
            "state": self.state,
            "generator": self.generator,
            "signer": self.signer,
            "failures": list(self.failures),
            "actions": list(self.actions),
            "digital_source_types": [kind.rpartition("/")[2] for kind in self.source_types],
            "ingredients": [ingredient.summary() for ingredient in self.ingredients],
        }


@dataclass(frozen=True)
class Provenance(Facts):
    """What a file says about itself, and whether it holds.

    `checks` are those that failed. `content_intact` is whether the hash of the content was checked and fits,
    `None` where there was nothing to check. `reason` says why a file is unreadable or its manifest was not found in
    it. `trust_list` names the list that the signer is on.
    """

    schema: ClassVar[str] = "postpipe.provenance.1"
    name: ClassVar[str] = "provenance"
    state: State
    manifest: Manifest | None = None
    checks: tuple[Check, ...] = ()
    content_intact: bool | None = None
    reason: str | None = None
    trust_list: str | None = None

    @property
    def words(self) -> str:
        """The verdict for a reader: the state, and which checks failed."""
        failed = [check.sentence() for check in self.checks if not check.tolerated]
        if self.state != "invalid" or not failed:
            return WORDS[self.state] + (f": {self.reason}" if self.reason else "")
        notes = ["the content fits the hash in it"] if self.content_intact else []
        return "; ".join([*failed, *notes, *([self.reason] if self.reason else [])])

    @property
    def has_manifest(self) -> bool:
        """Whether there is a manifest, sound or not."""
        return self.state in ("valid", "trusted", "invalid")

    def summary(self) -> dict[str, Any]:
        """Return what is shown in `takes.json`."""
        manifest = self.manifest
        return {
            "state": self.state,
            "words": self.words,
            "generator": manifest.generator if manifest else None,
            "signer": manifest.signer if manifest else None,
            "issuer": manifest.issuer if manifest else None,
            "signed_at": manifest.signed_at if manifest else None,
            "trust_list": self.trust_list,
            "failures": list(dict.fromkeys(check.code for check in self.checks)),
            "checks": [
                {"code": c.code, "check": c.check, "where": c.where or None, "words": c.words} for c in self.checks
            ],
            "content_intact": self.content_intact,
            "actions": list(manifest.actions) if manifest else [],
            "digital_source_types": [k.rpartition("/")[2] for k in manifest.source_types] if manifest else [],
            "says_ai": manifest.says_ai if manifest else None,
            "ingredients": [one.summary() for one in manifest.ingredients] if manifest else [],
        }

    def warnings(self) -> tuple[str, ...]:
        """Say which checks failed: an invalid manifest must not pass unseen."""
        return (f"C2PA: {self.words}",) if self.state == "invalid" else ()


@dataclass(frozen=True, slots=True)
class TrustList:
    """Certificates of a file that the user named, as PEM. `kind`: of those who sign, or of those who stamp times."""

    name: str
    kind: Literal["manifest", "tsa"]
    pem: str


@dataclass(frozen=True)
class Trust(Artifact):
    """Whom to trust. `network`: whether anything may be fetched."""

    schema: ClassVar[str] = "postpipe.trust.1"
    lists: tuple[TrustList, ...] = ()
    network: bool = False


@dataclass(frozen=True)
class Today(Artifact):
    """The day (ISO 8601, UTC) on which certificates are judged: they expire."""

    schema: ClassVar[str] = "postpipe.today.1"
    day: str


# What a delivery says of itself


@dataclass(frozen=True, slots=True)
class Action:
    """Something that was done to a take, by its name in the C2PA specification.

    `description` is for readers, `parameters` are the figures of the decision.
    """

    name: str
    description: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assertion:
    """A statement to be signed, by its label in the C2PA specification, such as `c2pa.soft-binding`."""

    label: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Declared(Artifact):
    """What a stage that marks pictures wants to be signed with a take: actions after all others, and assertions.

    It is said of the rendered take, and of the sequence that the take is placed in.
    """

    schema: ClassVar[str] = "postpipe.declared.1"
    actions: tuple[Action, ...] = ()
    assertions: tuple[Assertion, ...] = ()


@dataclass(frozen=True)
class History(Artifact):
    """What was done to a take until it was a rendered clip, in order, and what else is declared of it."""

    schema: ClassVar[str] = "postpipe.history.1"
    steps: tuple[Action, ...]
    declared: Declared = field(default_factory=Declared)

    @property
    def actions(self) -> tuple[Action, ...]:
        """All actions, in order."""
        return (*self.steps, *self.declared.actions)


@dataclass(frozen=True)
class SignPlan(Artifact):
    """What is signed, and by whom; no secret is in it.

    `chain` are the signer's certificates as PEM; `key` is where the private key is, `password_variable` the
    environment variable with its password, `command` a program that signs instead, each time within
    `timeout_seconds`. Without a chain the signer is made for the run. `generated`: the user says that all takes are
    made by AI.
    """

    schema: ClassVar[str] = "postpipe.sign-plan.1"
    what: Literal["sequence", "all", "off"]
    certificate: str | None = None
    chain: str = ""
    key: str | None = None
    password_variable: str | None = None
    command: tuple[str, ...] = ()
    timeout_seconds: float = 120.0
    time_stamps: str | None = None
    generated: bool = False

    @property
    def signer(self) -> Literal["development", "certificate", "command"]:
        """The kind of signer."""
        return "command" if self.command else "certificate" if self.certificate else "development"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a delivered file says of itself, read back after it was signed.

    `signed_with`: `development` (a certificate that was made for this run and vouches for nobody), `certificate`,
    `command`, or `None` where it was not signed. `problem` says why signing failed.
    """

    provenance: Provenance
    signed_with: Literal["development", "certificate", "command"] | None = None
    problem: str | None = None

    def summary(self) -> dict[str, Any]:
        """Return what is shown in `takes.json`."""
        return self.provenance.summary() | {"signed_with": self.signed_with, "problem": self.problem}

    def summary_of_clip(self, film: str | None) -> dict[str, Any]:
        """Return what is shown of the clip of one take; `film` is the delivered file whose manifest has its history.

        Where there is one, nothing is lost with a clip that is not signed itself.
        """
        said = self.summary() | {"carried_in": film}
        if film is None or self.signed_with is not None:
            return said
        words = f"no C2PA manifest in this file: what the take says, and what was done to it, stands in that of {film}"
        return said | {"state": "absent", "words": words}
