"""The account of a run: what `takes.json` says, built from the artifacts. The names in it are stable."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from postpipe.delivery import Cadence, ClipFile, FrameTimes, RenderedClip, Selection, TakeName
from postpipe.delivery import Sequence as JoinedSequence
from postpipe.edit import Edit, starts
from postpipe.engine.board import Board
from postpipe.engine.rendering import FrameCounts
from postpipe.model import Clip, Facts, SequenceFacts
from postpipe.timing import format_rate

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

    def document(self) -> dict[str, Any]:
        """Return the whole account as plain data."""
        return {
            "schema": SCHEMA,
            "frames": dataclasses.asdict(self.counts),
            "sequence": self._sequence(),
            "takes": self.takes(),
        }

    def takes(self) -> list[dict[str, Any]]:
        """Return one entry for each file, in the order of the folder."""
        return [self._take(path) for path in self.files]

    def _sequence(self) -> dict[str, Any] | None:
        sequence: JoinedSequence | None = self.board.get(JoinedSequence)
        if sequence is None or not sequence.files:
            return None
        facts = [fact for fact in self.board.facts() if isinstance(fact, SequenceFacts)]
        return {
            "file": sequence.files[0].path,
            "frames": sequence.frames,
            "rate": format_rate(sequence.rate),
            "seconds": round(float(sequence.frames / sequence.rate), 6),
            "audio_samples": sequence.audio_samples,
            "loudness_lufs": sequence.loudness_lufs,
            "true_peak_dbtp": sequence.true_peak_dbtp,
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
            events.append(
                {
                    "file": event.path.name,
                    "scene": event.scene,
                    "start_frame": start,
                    "frames": event.frames,
                    "source_in": int(cadence.source[event.first]),
                    "source_out": int(cadence.source[event.end - 1]) + 1,
                    "head_frames": event.head,
                    "tail_frames": event.tail,
                    "dissolve_in_frames": event.dissolve_in,
                    "fade_in_frames": event.fade_in,
                    "fade_out_frames": event.fade_out,
                }
            )
        return events

    def _take(self, path: Path) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "file": path.name,
            "scene": None,
            "take": None,
            "selected": False,
            "rank": None,
            "skipped": None,
            "media": None,
            "warnings": [],
            "facts": {},
            "fixes": [],
            "render": None,
        }
        if path in self.skipped:
            return entry | {"skipped": {"reason": self.skipped[path]}}
        clip: Clip = self.board.get(Clip, path)
        times: FrameTimes = self.board.get(FrameTimes, path)
        entry["media"] = _media(clip, times)
        facts = [fact for fact in self.board.facts(path) if isinstance(fact, Facts)]
        entry["facts"] = {fact.name: fact.summary() for fact in facts}
        entry["warnings"] = [*clip.warnings, *(text for fact in facts for text in fact.warnings())]
        name: TakeName | None = self.board.get(TakeName, path)
        if name is not None:
            entry |= {"scene": name.scene, "take": name.take}
        selection: Selection | None = self.board.get(Selection)
        for choice in selection.scenes if selection else ():
            if path in choice.ranked:
                entry |= {"selected": path == choice.selected, "rank": choice.ranked.index(path) + 1}
        delivered: ClipFile | None = self.board.get(ClipFile, path)
        if delivered is not None:
            entry["warnings"] += delivered.warnings
        rendered: RenderedClip | None = self.board.get(RenderedClip, path)
        if rendered is not None:
            entry["fixes"] = [dataclasses.asdict(fix) for fix in rendered.fixes]
            entry["render"] = {
                "copied_frames": rendered.copied,
                "encoded_frames": sum(unit.frames for unit in rendered.units) - rendered.copied,
                "encoded_because": rendered.encoded_because,
            }
        return entry


def _media(clip: Clip, times: FrameTimes) -> dict[str, Any]:
    picture = clip.picture
    sound = clip.sounds[0] if clip.sounds else None
    return {
        "width": picture.width,
        "height": picture.height,
        "pixel_aspect": f"{picture.pixel_aspect.numerator}:{picture.pixel_aspect.denominator}",
        "rate": format_rate(times.rate),
        "vfr": times.vfr,
        "frames": times.frames,
        "seconds": round(float(times.duration_seconds), 6),
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
