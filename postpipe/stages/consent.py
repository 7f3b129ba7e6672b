"""Consent of the people whose likeness a take shows: what `consent.toml` and sidecars say, and who has not agreed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from postpipe.consent import SOMETIME, Consent, Grant, Grants, Likeness, folded
from postpipe.documents import DocumentError, in_file, parse_toml, read_text, toml_line
from postpipe.engine.stage import Each, Task
from postpipe.errors import SettingsError
from postpipe.model import Clip
from postpipe.provenance import Today
from postpipe.sidecar import Sidecar

FILE_NAME = "consent.toml"
_KEYS = ("who", "granted_by", "date", "scope", "revoked", "takes")


@dataclass(frozen=True)
class ReadGrants(Task):
    """Read `consent.toml` in the folder of takes, where there is one."""

    id: ClassVar[str] = "grants"
    summary: ClassVar[str] = "reads consent.toml"
    scope: ClassVar[str] = "project"

    def run(self, clips: Each[Clip], today: Today) -> Grants:
        """Return the grants. Raises `SettingsError` naming file and line: consent is nothing to be guessed."""
        found: list[Grant] = []
        warnings: list[str] = []
        for folder in dict.fromkeys(clip.file.parent for clip in clips.values()):
            path = folder / FILE_NAME
            if path.is_file():
                read = list(read_grants(path))
                found += read
                warnings += _names_of_no_file(folder, read)
        return Grants(tuple(found), today.day, tuple(warnings))


def _names_of_no_file(folder: Path, grants: list[Grant]) -> Iterator[str]:
    """Yield a warning for each name that no file of the folder has: a slip there would leave somebody unprotected."""
    files = list(folder.iterdir())
    for grant in grants:
        for take in grant.takes:
            if not any(replace(grant, takes=(take,)).names(file) for file in files):
                yield f"{grant.source}: takes: no file is called {take!r}; correct the name if a take shows {grant.who}"


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
    """Return a day as ISO 8601; `revoked = true` is `SOMETIME`."""
    value = entry.get(key)
    if value is None or (key == "revoked" and value is False):
        return None
    if key == "revoked" and value is True:
        return SOMETIME
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
        file = clip.file
        shown = [grant.who for grant in grants.grants if grant.names(file)]
        own = [_own_grant(entry, sidecar) for entry in sidecar.likenesses]
        known = [*own, *(grant for grant in grants.grants if not grant.takes or grant.names(file))]
        people = dict.fromkeys([*(grant.who for grant in own), *shown])
        distinct = {folded(who): who for who in reversed(people)}
        likenesses = tuple(
            _judge(who, [grant for grant in known if folded(grant.who) == key], grants.day)
            for key, who in reversed(distinct.items())
        )
        return Consent(likenesses, allowed=bool({file.name, file.stem} & set(self.allow)))


def _own_grant(entry: Mapping[str, Any], sidecar: Sidecar) -> Grant:
    """Return what a sidecar says of a person: with `granted_by` and `date` it is consent, else only a likeness."""
    said = {key: entry.get(key) for key in ("granted_by", "date", "scope", "revoked")} | {"who": entry["name"]}
    source = sidecar.sources[0] if sidecar.sources else ""
    try:
        return _grant({key: value for key, value in said.items() if value is not None}, source)
    except ValueError:  # what cannot be understood is no consent
        return Grant(str(entry["name"]), None, None, None, None, (), source)


def _judge(who: str, grants: list[Grant], day: str) -> Likeness:
    """Return the state of one likeness: what was taken back ends every grant that was given until then."""
    ended = [grant for grant in grants if grant.is_revoked(day)]
    for grant in grants:
        if grant.is_given(day) and not any(one.ends(grant) for one in ended):
            return Likeness(who, "granted", grant)
    last = max(ended, key=lambda grant: grant.revoked or "", default=None)
    return Likeness(who, "missing" if last is None else "revoked", last or next(iter(grants), None))


STAGES = (ReadGrants, CheckConsent)
