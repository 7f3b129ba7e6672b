"""What the people who made takes wrote down about them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any, ClassVar

from postpipe.model import Artifact


@dataclass(frozen=True, slots=True)
class Cost:
    """What a take cost; `currency` is as it was written (`USD`, `EUR`, `credits`), or `None`."""

    amount: Fraction
    currency: str | None = None


@dataclass(frozen=True)
class Sidecar(Artifact):
    """What the people who made a take wrote down about it, beside it or in a log of many takes.

    `sources` names the files (and lines) it comes from; without any, nothing was written down. `created` is
    ISO 8601. `likenesses` are tables with at least a `name`. `settings` are the generator's own, `extra` holds
    what has no name here. `warnings` are sentences about what could not be taken in.
    """

    schema: ClassVar[str] = "postpipe.sidecar.1"
    sources: tuple[str, ...] = ()
    prompt: str | None = None
    negative_prompt: str | None = None
    model: str | None = None
    generator: str | None = None
    seed: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    cost: Cost | None = None
    reference_images: tuple[str, ...] = ()
    notes: str | None = None
    created: str | None = None
    likenesses: tuple[dict[str, Any], ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any] | None:
        """Return what is shown in `takes.json`: `None` where nothing was written down."""
        if not self.sources:
            return None
        shown = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "warnings"}
        cost = self.cost and {"amount": float(self.cost.amount), "currency": self.cost.currency}
        lists = {name: list(shown[name]) for name in ("sources", "reference_images", "likenesses")}
        return shown | lists | {"cost": cost}


@dataclass(frozen=True)
class TakeLog(Artifact):
    """What logs of many takes say, by the path of the take; `warnings` are about the logs themselves."""

    schema: ClassVar[str] = "postpipe.take-log.1"
    takes: dict[str, Sidecar]
    warnings: tuple[str, ...]
