"""Which clips are to look alike, the clip that they follow, and the look that takes each of them there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta

from postpipe.delivery import Admission, Selection
from postpipe.engine.stage import Each, Task
from postpipe.errors import SettingsError
from postpipe.look import Look
from postpipe.model import Artifact, Clip, FilmFacts
from postpipe.stages.colour import ColourStats
from postpipe.stages.colour_match import Match, follow, stills_of
from postpipe.stages.colour_pairs import Still
from postpipe.stages.colour_words import describe
from postpipe.stages.select import Scores


@dataclass(frozen=True, slots=True)
class Follower:
    """What became of one clip: its look, and what that was taken from.

    `evidence`: overlap (the same things in both), adjoining (one picture goes on where the other ends) or `None`.
    `note` is a sentence for the user, or empty.
    """

    look: Look
    evidence: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Following(Artifact):
    """What became of each clip of the film, by its path."""

    schema: ClassVar[str] = "postpipe.following.1"
    clips: dict[str, Follower]


@dataclass(frozen=True)
class MatchClips(Task):
    """Take the clips of each group to the colours of its hero, one transform for a clip, or leave them as they are."""

    id: ClassVar[str] = "match_colours"
    summary: ClassVar[str] = "groups, their heroes, and the look of each clip"
    section: ClassVar[str] = "colour"
    scope: ClassVar[str] = "project"
    stored: ClassVar[bool] = True

    mode: Annotated[
        Literal["auto", "off"],
        Meta(description="auto: clips that show the same things get the same colours; off: none is changed"),
    ] = "auto"
    hero: Annotated[
        str | tuple[str, ...],
        Meta(description="the file that the other clips follow; with several groups, a list of one for each"),
    ] = ()
    groups: Annotated[
        tuple[str, ...],
        Meta(description='scenes that are to look alike: ["scene01+scene02", "scene03+scene04"]; the rest by itself'),
    ] = ()
    strength: Annotated[
        float, Meta(ge=0, le=1, description="how far clips go towards their hero: 1 all the way, 0 not at all")
    ] = 1.0

    @property
    def active(self) -> bool:
        """Whether clips may be changed."""
        return self.mode != "off" and self.strength > 0

    def run(
        self,
        selection: Selection,
        scores: Each[Scores],
        admitted: Each[Admission],
        stats: Each[ColourStats | None],
    ) -> Following:
        """Return what became of each clip of the film. Raises `SettingsError` for a name that matches nothing.

        Takes that are not `admitted` (HDR) cannot be heroes.
        """
        found = {str(path): Follower(Look()) for path in selection.selected}
        if not self.active:
            return Following(found)
        known = {path: one for path, one in stats.items() if path in admitted and one is not None and len(one.pictures)}
        groups = self._groups(selection, [path for path in selection.selected if path in known], list(known))
        wanted = {path for members, hero in groups for path in (*members, *([hero] if hero else []))}
        stills = {path: stills_of(known[path]) for path in wanted}
        best = {path: scores[path].quality if path in scores else 0.0 for path in wanted}
        number = 0
        for members, hero in groups:
            for leader, matches in _led(members, hero, best, stills):
                number += 1
                group = f"group{number:02d}"
                found[str(leader)] = Follower(Look(group=group, hero=leader.name))
                for path, match in matches.items():
                    found[str(path)] = self._follower(match, stills[path], group, leader.name)
        return Following(found)

    def _follower(self, match: Match, stills: Sequence[Still], group: str, hero: str) -> Follower:
        look = replace(
            match.transform.scaled(self.strength).look(),
            group=group,
            hero=hero,
            confidence=round(match.confidence, 3),
            before=match.apart(0.0),
            after=match.apart(self.strength),
        )
        if not look.identity:
            colours = np.concatenate([still.rgb[::8, ::8].reshape(-1, 3) for still in stills]).astype(np.float64)
            look = replace(look, description=describe(look, colours))
        note = ""
        if match.evidence is None:
            note = f"no overlap with {hero}: its colours need an eye"
        elif match.foreign:
            note = f"the same things are lit otherwise than in {hero}: left as they are, which needs an eye"
        return Follower(look, match.evidence, note)

    def _groups(
        self, selection: Selection, film: list[Path], known: list[Path]
    ) -> list[tuple[list[Path], Path | None]]:
        """Return each group's clips and its hero, where one is named: the groups of the user, then all other clips."""
        problems: list[str] = []
        chosen = {choice.scene: choice.selected for choice in selection.scenes}
        grouped: dict[Path, int] = {}
        for number, names in enumerate(self.groups):
            for name in (part.strip() for part in names.split("+")):
                scene = selection.scene(name)
                if scene is None:
                    problems.append(f"[colour] groups: there is no scene {name!r}; known: {', '.join(chosen)}")
                elif grouped.setdefault(chosen[scene], number) != number:
                    problems.append(f"[colour] groups: {scene} stands in two groups; keep one")
        heroes: dict[int, Path] = {}
        rest = len(self.groups)
        for name in (self.hero,) if isinstance(self.hero, str) else self.hero:
            matches = [path for path in known if name in (path.name, path.stem)]
            if len(matches) != 1:
                takes = ", ".join(path.name for path in known)
                fault = "matches several takes" if matches else "matches no take that can be used"
                problems.append(f"[colour] hero = {name!r} {fault}; name the file: {takes}")
            elif heroes.setdefault(grouped.get(matches[0], rest), matches[0]) != matches[0]:
                problems.append(f"[colour] hero: {name} is the second of one group; keep one, or make groups")
        if problems:
            raise SettingsError(problems)
        groups = [[path for path in film if grouped.get(path, rest) == number] for number in range(rest + 1)]
        return [
            (members, heroes.get(number))
            for number, members in enumerate(groups)
            if {*members} - {heroes.get(number)} and len(members) + (number in heroes) > 1
        ]


def _led(
    members: list[Path], hero: Path | None, best: Mapping[Path, float], stills: Mapping[Path, Sequence[Still]]
) -> Iterator[tuple[Path, dict[Path, Match]]]:
    """Yield each hero with the clips that follow it: the named one, or the best of those that show the same things."""
    if hero is not None:
        yield hero, follow(hero, [path for path in members if path != hero], stills, named=True)
        return
    waiting = sorted(members, key=lambda path: -round(best[path], 2))
    while len(waiting) > 1:
        leader = waiting.pop(0)
        matches = follow(leader, waiting, stills, named=False)
        waiting = [path for path in waiting if path not in matches]
        if matches:
            yield leader, matches


@dataclass(frozen=True)
class ChooseLook(Task):
    """Hand each clip its look."""

    id: ClassVar[str] = "look"
    summary: ClassVar[str] = "the look of a clip"

    def run(self, clip: Clip, following: Following) -> Look:
        """Return the look; one that changes nothing for a clip that is not in the film."""
        found = following.clips.get(str(clip.path))
        return found.look if found else Look()


@dataclass(frozen=True)
class ColourMatch(FilmFacts):
    """How a clip was matched to its hero; everything is `None` for one that stands alone."""

    schema: ClassVar[str] = "postpipe.colour-match.1"
    name: ClassVar[str] = "colour"
    group: str | None
    hero: str | None
    evidence: str | None
    confidence: float | None
    change: str | None
    delta_e_before: float | None
    delta_e_after: float | None
    note: str = ""

    def summary(self) -> dict[str, Any]:
        """Return group, hero, evidence, confidence, the change in words, and ΔE00 to the hero before and after."""
        return {
            "group": self.group,
            "hero": self.hero,
            "evidence": self.evidence,
            "confidence": self.confidence,
            "change": self.change,
            "delta_e_before": self.delta_e_before,
            "delta_e_after": self.delta_e_after,
        }

    def warnings(self) -> tuple[str, ...]:
        """Say where nothing could be matched although the user named a hero."""
        return (self.note,) if self.note else ()


@dataclass(frozen=True)
class TellMatch(Task):
    """Say how a clip was matched."""

    id: ClassVar[str] = "colour_match"
    summary: ClassVar[str] = "how a clip was matched, for the account"

    def run(self, clip: Clip, following: Following) -> ColourMatch:
        """Return the facts."""
        found = following.clips.get(str(clip.path))
        if found is None or found.look.group is None:
            return ColourMatch(None, None, None, None, None, None, None)
        look = found.look
        return ColourMatch(
            group=look.group,
            hero=look.hero,
            evidence=found.evidence,
            confidence=look.confidence if found.evidence else None,
            change=look.description or None,
            delta_e_before=None if look.before is None else round(look.before, 2),
            delta_e_after=None if look.after is None else round(look.after, 2),
            note=found.note,
        )


STAGES = (MatchClips, ChooseLook, TellMatch)
