"""The account of a run: what `takes.json` says, built from the artifacts. The names in it are stable."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from postpipe.conformed import Conformed, RelinkedTimeline
from postpipe.consent import Grants
from postpipe.delivery import Cadence, FrameTimes, ProjectFormat, RenderedClip, Selection, TakeName
from postpipe.draft import Draft, Estimate
from postpipe.edit import Edit, starts
from postpipe.engine.board import Board
from postpipe.engine.rendering import FrameCounts
from postpipe.errors import shown
from postpipe.finished import ClipFile
from postpipe.finished import Sequence as JoinedSequence
from postpipe.lipsync import SoundShift
from postpipe.look import LookFile
from postpipe.model import Clip, Facts, SequenceFacts
from postpipe.sidecar import Sidecar, TakeLog
from postpipe.stills import Stills
from postpipe.timing import format_rate
from postpipe.tools import Prepared

SCHEMA = "postpipe.takes.1"


@dataclasses.dataclass(frozen=True)
class Account:
    """What a run found and did. `document()` is the content of `takes.json`."""

    files: Sequence[Path]
    board: Board
    skipped: Mapping[Path, str]
    counts: FrameCounts

    @property
    def sequence_frames(self) -> int:
        """Frames of the delivered sequence; 0 where nothing was delivered."""
        sequence: JoinedSequence | None = self.board.get(JoinedSequence)
        return sequence.frames if sequence else 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what concerns no take alone."""
        log: TakeLog | None = self.board.get(TakeLog)
        conformed: Conformed | None = self.board.get(Conformed)
        grants: Grants | None = self.board.get(Grants)
        logged, granted = log.warnings if log else (), grants.warnings if grants else ()
        return (*logged, *granted, *(conformed.notes if conformed else ()), *self.unsigned)

    @property
    def unsigned(self) -> tuple[str, ...]:
        """Sentences about delivered files that were to be signed and could not be."""
        sequence: JoinedSequence | None = self.board.get(JoinedSequence)
        clips: list[ClipFile | None] = [self.board.get(ClipFile, path) for path in self.board.clips]
        delivered = [one for one in (sequence, *clips) if one is not None and one.credentials.problem]
        return tuple(f"{one.files[0].path} is not signed: {one.credentials.problem}" for one in delivered)

    def document(self) -> dict[str, Any]:
        """Return the whole account as plain data."""
        return {
            "schema": SCHEMA,
            "draft": self._draft(),
            "frames": dataclasses.asdict(self.counts),
            "timeline": self._timeline(),
            "sequence": self._sequence(),
            "warnings": list(self.warnings),
            "takes": self.takes(),
        }

    def takes(self) -> list[dict[str, Any]]:
        """Return one entry for each file, in the order of the folder."""
        return [self._take(path) for path in self.files]

    def stills(self) -> list[dict[str, Any]]:
        """Return one entry for each still, in the order of the takes."""
        found = ((path, self.board.get(Stills, path)) for path in self.board.clips)
        return [{"take": path.name, **row} for path, stills in found if stills for row in stills.summary()]

    def _draft(self) -> dict[str, Any] | None:
        """Return what a draft shows, and what it says of the whole job; `None` for a full run."""
        estimate: Estimate | None = self.board.get(Estimate)
        project: ProjectFormat | None = self.board.get(ProjectFormat)
        if estimate is None or project is None:
            return None
        edit: Edit = self.board.get(Edit)
        return {
            "seconds": round(float(sum(event.frames for event in edit.events) / project.rate), 6),
            "size": f"{project.width}x{project.height}",
            "estimate": {
                "seconds": round(float(estimate.film_seconds), 6),
                "size": f"{estimate.width}x{estimate.height}",
                "decoded_look": estimate.decoded_look,
                "decoded_render": estimate.decoded_render,
                "encoded": estimate.encoded,
                "cpu_seconds": float(f"{estimate.cpu_seconds:.3g}"),
                "sequence_bytes": estimate.sequence_bytes,
                "disk_bytes": estimate.disk_bytes,
            },
        }

    def _timeline(self) -> dict[str, Any] | None:
        """Return the cut that was followed, and what became of its timeline; `None` where there was none."""
        conformed: Conformed | None = self.board.get(Conformed)
        relinked: RelinkedTimeline | None = self.board.get(RelinkedTimeline)
        if conformed is None:
            return None
        return {
            "file": conformed.name,
            "relinked": [file.path for file in relinked.files] if relinked else [],
            "losses": list(relinked.notes) if relinked else [],
        }

    def _signed_film(self) -> str | None:
        """Return the name of the sequence where it is signed."""
        sequence: JoinedSequence | None = self.board.get(JoinedSequence)
        return sequence.files[0].path if sequence is not None and sequence.credentials.signed_with else None

    def _sequence(self) -> dict[str, Any] | None:
        sequence: JoinedSequence | None = self.board.get(JoinedSequence)
        if sequence is None or not sequence.files:
            return None
        facts = [fact for fact in self.board.facts() if isinstance(fact, SequenceFacts)]
        film = sequence.film
        project: ProjectFormat = self.board.get(ProjectFormat)
        return {
            "file": sequence.files[0].path,
            "frames": film.frames,
            "size": f"{project.width}x{project.height}",
            "rate": format_rate(film.rate),
            "seconds": round(float(film.frames / film.rate), 6),
            "audio_samples": film.audio_samples,
            "loudness_lufs": film.loudness_lufs,
            "true_peak_dbtp": film.true_peak_dbtp,
            "provenance": sequence.credentials.summary(),
            "events": self._events(),
            **{fact.name: fact.summary() for fact in facts},
            "warnings": [text for fact in facts for text in fact.warnings()],
        }

    def _events(self) -> list[dict[str, Any]]:
        """Return what stands where in the film, in frames of the film and of the source."""
        edit: Edit = self.board.get(Edit)
        events = []
        for event, start in zip(edit.events, starts(edit.events), strict=False):
            cadence: Cadence = self.board.get(Cadence, event.path)
            offset = self.board.get(Clip, event.path).first_frame
            events.append(
                {
                    "file": event.path.name,
                    "source": self.board.get(Clip, event.path).file.name,
                    "scene": event.scene,
                    "start_frame": start,
                    "frames": event.frames,
                    "source_in": offset + int(cadence.source[event.first]),
                    "source_out": offset + int(cadence.source[event.end - 1]) + 1,
                    "head_frames": event.head,
                    "tail_frames": event.tail,
                    "dissolve_in_frames": event.dissolve_in,
                    "fade_in_frames": event.fade_in,
                    "fade_out_frames": event.fade_out,
                    "gap_frames": event.gap,
                    "silent": event.silent,
                }
            )
        return events

    def _take(self, path: Path) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "file": shown(path.name),
            "scene": None,
            "take": None,
            "selected": False,
            "rank": None,
            "skipped": None,
            "use_of": None,
            "media": None,
            "outside": [],
            "sidecar": None,
            "warnings": [],
            "facts": {},
            "stills": [],
            "fixes": [],
            "sound_shift": None,
            "look": None,
            "render": None,
            "provenance": None,
        }
        if path in self.skipped:
            told: TakeName | None = self.board.of_dropped(TakeName, path)
            written: Sidecar | None = self.board.of_dropped(Sidecar, path)
            return entry | {
                "scene": told and told.scene,
                "take": told and told.take,
                "sidecar": written and written.summary(),
                "skipped": {"reason": self.skipped[path]},
            }
        clip: Clip = self.board.get(Clip, path)
        entry["use_of"] = clip.original and clip.original.name
        times: FrameTimes = self.board.get(FrameTimes, path)
        draft: Draft | None = self.board.get(Draft)
        length = times.frames, times.duration_seconds
        if draft is not None:
            length = draft.frames[str(path)], draft.seconds[str(path)]
        entry["media"] = _media(clip, times, *length)
        facts = [fact for fact in self.board.facts(path) if isinstance(fact, Facts)]
        entry["facts"] = {fact.name: fact.summary() for fact in facts}
        entry["warnings"] = [*clip.warnings, *(text for fact in facts for text in fact.warnings())]
        prepared: Prepared | None = self.board.get(Prepared, path)
        if prepared is not None:
            entry["outside"] = prepared.summary()
            entry["warnings"] += prepared.warnings
        sidecar: Sidecar | None = self.board.get(Sidecar, path)
        if sidecar is not None:
            entry["sidecar"] = sidecar.summary()
            entry["warnings"] += sidecar.warnings
        name: TakeName | None = self.board.get(TakeName, path)
        if name is not None:
            entry |= {"scene": name.scene, "take": name.take}
        selection: Selection | None = self.board.get(Selection)
        for choice in selection.scenes if selection else ():
            if path in choice.ranked:
                entry |= {"selected": path == choice.selected, "rank": choice.ranked.index(path) + 1}
        stills: Stills | None = self.board.get(Stills, path)
        if stills is not None:
            entry["stills"] = stills.summary()
            entry["warnings"] += stills.warnings
        delivered: ClipFile | None = self.board.get(ClipFile, path)
        if delivered is not None:
            entry["warnings"] += delivered.warnings
            entry["provenance"] = delivered.credentials.summary_of_clip(self._signed_film())
        look: LookFile | None = self.board.get(LookFile, path)
        if look is not None:
            entry["look"] = look.summary()
        rendered: RenderedClip | None = self.board.get(RenderedClip, path)
        if rendered is not None:
            entry["fixes"] = [dataclasses.asdict(fix) for fix in rendered.fixes]
            entry["render"] = {
                "copied_frames": rendered.copied,
                "encoded_frames": sum(unit.frames for unit in rendered.units) - rendered.copied,
                "encoded_because": rendered.encoded_because,
            }
        shift: SoundShift | None = self.board.get(SoundShift, path)
        if shift is not None and rendered is not None:
            entry["sound_shift"] = shift.summary()
            entry["fixes"] += [dataclasses.asdict(shift.fix)] if shift.fix else []
        return entry


def _media(clip: Clip, times: FrameTimes, frames: int, seconds: Fraction) -> dict[str, Any]:
    picture = clip.picture
    sound = clip.sounds[0] if clip.sounds else None
    return {
        "width": picture.width,
        "height": picture.height,
        "pixel_aspect": f"{picture.pixel_aspect.numerator}:{picture.pixel_aspect.denominator}",
        "rate": format_rate(times.rate),
        "vfr": times.vfr,
        "frames": frames,
        "seconds": round(float(seconds), 6),
        "rotation": picture.rotation,
        "codec": picture.codec,
        "pix_fmt": picture.source_format,
        "interlaced": picture.interlaced,
        "colour": {
            "matrix": picture.colour.matrix,
            "range": picture.colour.range,
            "primaries": picture.colour.primaries,
            "transfer": picture.colour.transfer,
            "guessed": list(picture.colour.guessed),
        },
        "audio": sound
        and {
            "codec": sound.codec,
            "rate_hz": sound.rate_hz,
            "channels": sound.channels,
            "layout": sound.layout,
            "streams": len(clip.sounds),
        },
        "start_timecode": clip.start_timecode,
    }
