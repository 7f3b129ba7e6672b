"""What was done to a take until it was a rendered clip, in the words of C2PA: from the decisions, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, ClassVar

import numpy as np

from postpipe.delivery import Encoding, Fix, FrameTimes, ProjectFormat, RenderedClip, TimeMap
from postpipe.edit import Edit
from postpipe.engine.stage import Task
from postpipe.lipsync import SoundShift
from postpipe.look import CreativeLut, Look
from postpipe.model import Clip
from postpipe.provenance import Action, Declared, History
from postpipe.stages.fit import Fit
from postpipe.timing import format_rate
from postpipe.tools import FINISH, Prepared, Toolchain

FIXES: dict[str, tuple[tuple[str, str], ...]] = {
    "flicker": (("c2pa.enhanced", "flicker was taken out"),),
    "chained": (("c2pa.adjustedColor", "exposure was led over from the take before"),),
    "colour": (("c2pa.adjustedColor", "colour was matched to the other takes"),),
    "upscale": (("c2pa.enhanced", "edges and detail were restored while the picture was made larger"),),
    "lipsync": (("c2pa.dubbed", "sound was moved to fit the lips"),),
    "sound": (("c2pa.dubbed", "sound was treated"),),
}
"""What each fix is called. One that is not listed is an edit (`c2pa.edited`) under its own name.

That an upscaler made the picture larger is told once, with the sizes, where it is fitted into the project's size.
"""

TOLD = {"upscale": ("kind", "model")}
"""Settings of a fix that belong into its history, where not all do: commands and folders are nobody else's business."""


@dataclass(frozen=True)
class TellHistory(Task):
    """Tell what was done to a take; a fix that was rolled back was not."""

    id: ClassVar[str] = "history"
    summary: ClassVar[str] = "what was done to each take, as C2PA actions"

    def run(
        self,
        clip: Clip,
        times: FrameTimes,
        time_map: TimeMap,
        edit: Edit,
        rendered: RenderedClip,
        project: ProjectFormat,
        encoding: Encoding,
        look: Look | None,
        creative: CreativeLut | None,
        prepared: Prepared | None,
        shift: SoundShift | None,
        tools: Toolchain,
        declared: Declared | None,
    ) -> History:
        """Return the actions in the order of the render."""
        event = edit.event(clip.path)
        shown = time_map.rendered if edit.joined or event is None else range(event.first, event.end)
        uses = prepared.uses if prepared else ()

        def steps() -> Iterator[Action]:
            yield from (_went_through(use.tool, use.width, use.height) for use in uses if use.failed is None)
            yield from _trimmed(clip, times, time_map, shown)
            if (speed := _speed(times, time_map, shown)) is not None:
                yield Action("c2pa.changedSpeed", f"plays at {speed:.3f} of its speed", {"speed": round(speed, 6)})
            for fix in (*rendered.fixes, *([shift.fix] if shift and shift.fix else [])):
                if fix.kept:
                    yield from _fixed(fix, look)
            yield from _conformed(clip, project)
            if creative is not None and not creative.identity:
                yield Action("c2pa.adjustedColor", "a look-up table was applied", {"table": creative.name})
            if all(fix.kept for fix in rendered.fixes if fix.stage == FINISH):
                yield from (_went_through(tool, project.width, project.height) for tool in tools.finishing)
            if not edit.joined and event is not None and (event.fade_in or event.fade_out):
                fades = {"fade_in_frames": event.fade_in, "fade_out_frames": event.fade_out}
                yield Action("c2pa.edited", "it fades in from black or out to it", fades)
            yield _transcoded(clip, times, time_map, rendered, encoding)

        return History(tuple(steps()), declared or Declared())


def _went_through(tool: str, width: int, height: int) -> Action:
    """Tell that a program of the user's made new pictures of the take, of such a size."""
    return Action("c2pa.edited", f"its pictures went through {tool}", {"tool": tool, "size": f"{width}x{height}"})


def _trimmed(clip: Clip, times: FrameTimes, time_map: TimeMap, shown: range) -> Iterator[Action]:
    """Tell which frames are kept: of the file where a cut uses a part of it, else of the take at the film's rate."""
    if clip.file_frames is not None:
        first, last = (clip.first_frame + int(time_map.cadence.source[at]) for at in (shown.start, shown.stop - 1))
        whole, rate = clip.file_frames, times.rate
    else:
        first, last, whole, rate = shown.start, shown.stop - 1, time_map.cadence.frames, time_map.rate
    frames = last + 1 - first
    if frames < whole:
        figures = {"first_frame": first, "frames": frames, "of_frames": whole, "rate": format_rate(rate)}
        yield Action("c2pa.trimmed", f"frames {first} to {last} of {whole} are kept", figures)


def _fixed(fix: Fix, look: Look | None) -> Iterator[Action]:
    if fix.stage == "upscale" and fix.parameters.get("kind") == "lanczos":
        return  # plain resampling makes it larger and nothing else
    figures = {key: value for key, value in fix.parameters.items() if key in TOLD.get(fix.stage, fix.parameters)}
    if figures.get("model"):
        figures["model"] = PurePath(figures["model"]).name
    if fix.stage == "colour" and look is not None:
        figures |= {"hero": look.hero, "change": look.description}
    for name, description in FIXES.get(fix.stage, (("c2pa.edited", f"{fix.stage} was applied"),)):
        yield Action(name, description, {"fix": fix.stage, **_plain(figures)})


def _plain(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as they can be signed: without what is not set, numbers exact or as text."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return _plain(value)
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return value if isinstance(value, str | int | float) else str(value)

    return {str(key): plain(value) for key, value in parameters.items() if value not in (None, "", (), [])}


def _speed(times: FrameTimes, time_map: TimeMap, shown: range) -> float | None:
    """Return source seconds per delivered second, or `None` where they are the same, to a frame at either end."""
    first, last = (int(time_map.source[frame]) for frame in (shown.start, shown.stop - 1))
    source, delivered = times.seconds(last) - times.seconds(first), (len(shown) - 1) / time_map.rate
    longest = max(*np.diff(times.pts).tolist(), times.last_duration, 0) * times.time_base
    if abs(source - delivered) <= 2 * max(longest, 1 / time_map.rate):
        return None
    return float(source / delivered)


def _conformed(clip: Clip, project: ProjectFormat) -> Iterator[Action]:
    """Tell what the picture's shape went through: turned upright, scaled, cropped."""
    picture = clip.picture
    if picture.rotation:
        yield Action("c2pa.orientation", "turned upright", {"degrees_clockwise": picture.rotation})
    fit = Fit().bind(clip, project)
    if fit is None:
        return
    width, height = fit.source_size
    sizes = {"from": f"{width}x{height}", "to": f"{fit.width}x{fit.height}"}
    if fit.scale_x != 1 or fit.scale_y != 1 or fit.left > 0 or fit.top > 0:
        bars = " with bars" if fit.left > 0 or fit.top > 0 else ""
        yield Action("c2pa.resized", f"fitted into the project's size{bars}", sizes)
    right, bottom = fit.left + width * fit.scale_x, fit.top + height * fit.scale_y
    if fit.left < 0 or fit.top < 0 or right >= fit.width + 1 or bottom >= fit.height + 1:
        yield Action("c2pa.cropped", "what does not fit the project's shape is cut off", sizes)


def _transcoded(clip: Clip, times: FrameTimes, time_map: TimeMap, rendered: RenderedClip, encoding: Encoding) -> Action:
    """Tell how picture and sound were encoded again."""
    figures: dict[str, Any] = {
        "video": f"{clip.picture.codec} to {encoding.video_codec}",
        "sound": f"{clip.sounds[0].codec if clip.sounds else 'none'} to {encoding.sound_codec}",
    }
    words = ["picture and sound were encoded again"]
    if rendered.copied:
        figures["copied_frames"] = rendered.copied
        words = ["sound was encoded again, pictures were copied where nothing changed"]
    if not time_map.cadence.plain:
        figures["rate"] = f"{format_rate(times.rate)} to {format_rate(time_map.rate)}"
        words.append("frames are repeated or left out for the project's rate, at the same speed")
    if clip.picture.interlaced:
        words.append("fields were made into frames")
    if not clip.sounds:
        words.append("a silent track was added")
    return Action("c2pa.transcoded", "; ".join(words), figures)


STAGES = (TellHistory,)
