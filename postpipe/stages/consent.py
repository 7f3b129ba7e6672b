"""Consent of the people whose likeness a take shows: who gave it, when, for what, and whether it was taken back."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from postpipe.documents import DocumentError, in_file, parse_toml, read_text, toml_line
from postpipe.engine.stage import Each, Task
from postpipe.errors import SettingsError
from postpipe.model import Artifact, Clip, Facts
from postpipe.provenance import Today
from postpipe.sidecar import Sidecar

FILE_NAME = "consent.toml"
_KEYS = ("who", "granted_by", "date", "scope", "revoked", "takes")


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody allowed: `who` is shown, `granted_by` said so on `date` (ISO 8601), `scope` says for what.

    `revoked` is the day on which it was taken back. `takes` are names (with `*` for any text) of takes that show
    this person, `source` is where it is written.
    """

    who: str
    granted_by: str | None
    date: str | None
    scope: str | None
    revoked: str | None
    takes: tuple[str, ...] = ()
    source: str = ""

    def holds(self, day: str) -> bool:
        """Whether it was given by `day`, and not taken back."""
        given = self.granted_by is not None and self.date is not None and self.date <= day
        return given and not self.is_revoked(day)

    def is_revoked(self, day: str) -> bool:
        """Whether it was taken back by `day`."""
        return self.revoked is not None and self.revoked <= day


@dataclass(frozen=True)
class Grants(Artifact):
    """Everything that `consent.toml` says, on the day of the run."""

    schema: ClassVar[str] = "postpipe.grants.1"
    grants: tuple[Grant, ...]
    day: str


@dataclass(frozen=True, slots=True)
class Likeness:
    """A person in a take, with the grant that decides."""

    who: str
    state: Literal["granted", "revoked", "missing"]
    grant: Grant | None

    def words(self) -> str:
        """Return it for a reader."""
        if self.state == "revoked" and self.grant is not None:
            return f"{self.who} revoked consent on {self.grant.revoked}"
        return f"{self.who} gave consent" if self.state == "granted" else f"{self.who} has given no consent"


@dataclass(frozen=True)
class Consent(Facts):
    """The people whose likeness a take shows. `allowed`: the user delivers it by name, whatever they say."""

    schema: ClassVar[str] = "postpipe.consent.1"
    name: ClassVar[str] = "consent"
    likenesses: tuple[Likeness, ...]
    allowed: bool

    @property
    def lacking(self) -> tuple[Likeness, ...]:
        """Those who have not consented."""
        return tuple(one for one in self.likenesses if one.state != "granted")

    @property
    def refusal(self) -> str | None:
        """Why the take must not be delivered, or `None`."""
        return None if self.allowed or not self.lacking else self._words()

    def _words(self) -> str:
        return "; ".join(one.words() for one in self.lacking)

    def summary(self) -> dict[str, Any]:
        """Return what is known of each, and what follows."""
        decision = "refused" if self.refusal else "allowed by name" if self.lacking else "cleared"
        return {
            "decision": decision,
            "likenesses": [
                {
                    "who": one.who,
                    "state": one.state,
                    **{
                        key: getattr(one.grant, key) if one.grant else None
                        for key in ("granted_by", "date", "scope", "revoked", "source")
                    },
                }
                for one in self.likenesses
            ],
        }

    def warnings(self) -> tuple[str, ...]:
        """Say who has not consented, and that a take is delivered all the same."""
        if not self.lacking:
            return ()
        return (self._words() + ("; delivered all the same: [consent] allow names the take" if self.allowed else ""),)


@dataclass(frozen=True)
class ReadGrants(Task):
    """Read `consent.toml` in the folder of takes, where there is one."""

    id: ClassVar[str] = "grants"
    summary: ClassVar[str] = "reads consent.toml"
    scope: ClassVar[str] = "project"

    def run(self, clips: Each[Clip], today: Today) -> Grants:
        """Return the grants. Raises `SettingsError` naming file and line: consent is nothing to be guessed."""
        found: list[Grant] = []
        for folder in dict.fromkeys(path.parent for path in clips):
            path = folder / FILE_NAME
            if path.is_file():
                found += read_grants(path)
        return Grants(tuple(found), today.day)


def read_grants(path: Path) -> Iterator[Grant]:
    """Yield the entries `[[consent]]` of a file. Raises `SettingsError`."""
    try:
        text = read_text(path)
        document = parse_toml(text)
    except (OSError, DocumentError) as error:
        raise SettingsError([in_file(path, str(error))]) from None
    entries = document.get("consent")
    if set(document) - {"consent"} or not isinstance(entries, list):
        line = toml_line(text, list(set(document) - {"consent"})[:1] or ["consent"]) or 1
        raise SettingsError([in_file(path, f"line {line}: expected entries that begin with [[consent]]")])
    for number, entry in enumerate(entries, 1):
        try:
            yield _grant(entry, f"{path.name}, entry {number}")
        except ValueError as error:
            raise SettingsError([f"{path.name}, entry {number} ([[consent]]): {error}"]) from None


def _grant(entry: object, source: str) -> Grant:
    if not isinstance(entry, dict):
        raise ValueError("expected a table of keys")
    unknown = sorted(set(entry) - set(_KEYS))
    if unknown:
        raise ValueError(f"there is no key {unknown[0]!r}; known: {', '.join(_KEYS)}")
    who = _text(entry, "who")
    if who is None:
        raise ValueError('expected who = "the name of a person"')
    takes = entry.get("takes", [])
    if not (isinstance(takes, list) and all(isinstance(one, str) for one in takes)):
        raise ValueError('takes: expected names, such as ["scene01_take*.mp4"]')
    grant = Grant(who, _text(entry, "granted_by"), _day(entry, "date"), _text(entry, "scope"), _day(entry, "revoked"))
    return Grant(grant.who, grant.granted_by, grant.date, grant.scope, grant.revoked, tuple(takes), source)


def _text(entry: Mapping[str, Any], key: str) -> str | None:
    value = entry.get(key)
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise ValueError(f"{key}: expected a text, found {value!r}")
    return value.strip() if value else None


def _day(entry: Mapping[str, Any], key: str) -> str | None:
    """Return a day as ISO 8601; `revoked = true` is one before all days."""
    value = entry.get(key)
    if value is None or (key == "revoked" and value is False):
        return None
    if key == "revoked" and value is True:
        return date.min.isoformat()
    try:
        return (value if isinstance(value, date) else date.fromisoformat(value)).isoformat()[:10]
    except (TypeError, ValueError):
        raise ValueError(f"{key}: expected a day such as 2026-05-01, found {value!r}") from None


@dataclass(frozen=True)
class CheckConsent(Task):
    """Ask for each likeness in a take whether the person agreed."""

    id: ClassVar[str] = "consent"
    summary: ClassVar[str] = "likenesses without consent, or whose consent was revoked"
    section: ClassVar[str] = "consent"

    allow: Annotated[
        tuple[str, ...],
        Meta(description='takes that are delivered without consent, by name: ["scene01_take02.mp4"]; it is logged'),
    ] = ()

    def run(self, clip: Clip, sidecar: Sidecar, grants: Grants) -> Consent:
        """Return who is shown: whom the sidecar names, and whom `consent.toml` names for this take."""
        name = clip.path.name
        shown = [grant.who for grant in grants.grants if _matches(grant, name)]
        own = [_own_grant(entry, sidecar) for entry in sidecar.likenesses]
        known = [*own, *(grant for grant in grants.grants if not grant.takes or _matches(grant, name))]
        people = dict.fromkeys([*(grant.who for grant in own), *shown])
        distinct = {_fold(who): who for who in reversed(people)}
        likenesses = tuple(
            _judge(who, [grant for grant in known if _fold(grant.who) == key], grants.day)
            for key, who in reversed(distinct.items())
        )
        return Consent(likenesses, allowed=bool({name, clip.path.stem} & set(self.allow)))


def _matches(grant: Grant, name: str) -> bool:
    return any(fnmatchcase(name, take) for take in grant.takes)


def _own_grant(entry: Mapping[str, Any], sidecar: Sidecar) -> Grant:
    """Return what a sidecar says of a person: with `granted_by` and `date` it is consent, else only a likeness."""
    said = {key: entry.get(key) for key in ("granted_by", "date", "scope", "revoked")} | {"who": entry["name"]}
    source = sidecar.sources[0] if sidecar.sources else ""
    try:
        return _grant({key: value for key, value in said.items() if value is not None}, source)
    except ValueError:  # what cannot be understood is no consent
        return Grant(str(entry["name"]), None, None, None, None, (), source)


def _judge(who: str, grants: list[Grant], day: str) -> Likeness:
    """Return the state of one likeness: what holds counts before what was taken back."""
    holding = next((grant for grant in grants if grant.holds(day)), None)
    if holding is not None:
        return Likeness(who, "granted", holding)
    revoked = next((grant for grant in grants if grant.is_revoked(day)), None)
    return Likeness(who, "missing" if revoked is None else "revoked", revoked or next(iter(grants), None))


def _fold(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


STAGES = (ReadGrants, CheckConsent)
