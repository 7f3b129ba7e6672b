"""What people whose likeness takes show have allowed, and what follows for a take."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Literal

from postpipe.model import Artifact, Facts

SOMETIME = date.min.isoformat()
"""The day of a revocation that is not dated."""


def folded(name: str) -> str:
    """Return a name as names are compared: whatever the case, the spaces and the form of accents."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _pattern(take: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, folded(take).split("*"))), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody allowed: `who` is shown, `granted_by` said so on `date` (ISO 8601), `scope` says for what.

    `revoked` is the day on which it was taken back, `SOMETIME` where that is not said. `takes` are names (with `*` for
    any text) of takes that show this person, `source` is where it is written.
    """

    who: str
    granted_by: str | None
    date: str | None
    scope: str | None
    revoked: str | None
    takes: tuple[str, ...] = ()
    source: str = ""

    def is_given(self, day: str) -> bool:
        """Whether it was given by `day`, and not taken back."""
        return self.granted_by is not None and self.date is not None and self.date <= day and not self.is_revoked(day)

    def is_revoked(self, day: str) -> bool:
        """Whether it was taken back by `day`."""
        return self.revoked is not None and self.revoked <= day

    def ends(self, given: Grant) -> bool:
        """Whether what was taken back here is `given` too: all that is no younger."""
        return self.revoked is not None and (self.revoked == SOMETIME or self.revoked >= (given.date or ""))

    def names(self, file: Path) -> bool:
        """Whether a take is among those named, with its suffix or without, whatever the case and form of accents."""
        written = {folded(file.name), folded(file.stem)}
        return any(_pattern(take).fullmatch(name) for take in self.takes for name in written)


@dataclass(frozen=True)
class Grants(Artifact):
    """Everything that `consent.toml` says, on the day of the run. `warnings`: names that no take has."""

    schema: ClassVar[str] = "postpipe.grants.2"
    grants: tuple[Grant, ...]
    day: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Likeness:
    """A person in a take, with the grant that decides."""

    who: str
    state: Literal["granted", "revoked", "missing"]
    grant: Grant | None

    def words(self) -> str:
        """Return it for a reader."""
        if self.state == "revoked" and self.grant is not None:
            on = "" if self.grant.revoked == SOMETIME else f" on {self.grant.revoked}"
            return f"{self.who} revoked consent{on}"
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
