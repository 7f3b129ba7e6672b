"""Take flicker out of a take, and prove that it helped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from postpipe_kernels import colour as coding

from postpipe.delivery import FrameTimes, Shots, TimeMap
from postpipe.engine.stage import FixFilter, PointParams, Rendered, Slot, Verdict
from postpipe.model import Clip, Frame
from postpipe.stages import flicker
from postpipe.stages.flicker import KINDS, Flicker
from postpipe.stages.flicker_parts import LEVELS
from postpipe.stages.flicker_track import FlickerTrack

LEAST = 5e-4
"""Frames of which no part is off by more are left as they are: it would not move a code value."""

DARKEST = 0.02
"""Below this share of white, curves go on as they are here: a power of next to nothing is no guide."""

LARGEST = 0.7
"""No correction is larger than this logarithm, a factor of two: what asks for more is no flicker."""


@dataclass(frozen=True)
class BoundDeflicker:
    """The correction of one take: natural logarithms of what each source frame is to lose, float32.

    `gain` `(frames, 3)`: of R', G', B' at white. `exponent` `(frames,)`: of their power.
    `local` `(frames, down, across)`, or `None`. `tone` `(frames, LEVELS, 3)`, of R', G', B' by level, or `None`.
    """

    gain: NDArray[np.float32]
    exponent: NDArray[np.float32]
    local: NDArray[np.float32] | None
    tone: NDArray[np.float32] | None = None

    def at(self, frame: Frame) -> PointParams | None:
        """Return luma curve, chroma by luma and grid of gains for a frame, or `None` to leave it."""
        gain, exponent = self.gain[frame.index].astype(np.float64), float(self.exponent[frame.index])
        local = None if self.local is None else self.local[frame.index]
        if local is not None and np.abs(local).max() < LEAST:
            local = None
        if local is None and max(np.abs(gain).max(), abs(exponent)) < LEAST:
            return None
        bits = frame.pixel_format.bits
        scale, zero = coding.code_scale(frame.colour.range, bits)
        luma_of = coding.rgb_to_ycbcr(frame.colour.matrix)
        codes = np.arange(1 << bits, dtype=np.float64)
        level = (codes - zero[0]) / scale[0]
        power = np.exp(-exponent)
        # what R', G' and B' of grey are multiplied by at each level, and how steep that makes them
        factor = np.exp(-gain[:, None] * power) * np.maximum(level, DARKEST) ** (power - 1)
        grey = level * factor
        if self.tone is not None:
            grey *= np.exp([-np.interp(level, LEVELS, channel) for channel in self.tone[frame.index].T])
        steep = np.where(level > DARKEST, power, 1.0) * factor
        new = luma_of @ grey  # Y', Cb, Cr of what was grey
        # what Cb and Cr do to Y' where channels differ: R', G', B' of a colour are grey's plus these times Cb and Cr
        from_chroma = np.linalg.inv(luma_of)[:, 1:]
        usual = steep[:, len(codes) // 2]
        mixture = (luma_of[0] * usual) @ from_chroma * scale[0] / scale[1:]
        if np.abs(mixture).max() < LEAST:
            mixture[:] = 0
        across = (luma_of[1:] * usual) @ from_chroma
        chroma = np.stack(
            [
                steep[2] + across[0, 0] - usual[2],
                new[1] * scale[1],
                steep[0] + across[1, 1] - usual[0],
                new[2] * scale[2],
            ]
        )
        grid = None if local is None else np.exp(-local).astype(np.float32)
        return PointParams(
            luma_curve=new[0] * scale[0] + zero[0],
            chroma_curve=chroma,
            mixture=(float(mixture[0]), float(mixture[1])),
            grid=grid,
        )


@dataclass(frozen=True)
class Deflicker(FixFilter):
    """Undo flicker frame by frame; light that changes slowly stays."""

    id: ClassVar[str] = "deflicker"
    summary: ClassVar[str] = "takes flicker out, frame by frame"
    section: ClassVar[str] = "flicker"
    slot: ClassVar[Slot] = Slot.REPAIR
    fix: ClassVar[str] = "flicker"

    mode: Annotated[
        Literal["auto", "on", "off"],
        Meta(description="auto: where flicker is strong enough to be seen; on: whatever there is of it; off: never"),
    ] = "auto"
    strength: Annotated[float, Meta(ge=0, le=1, description="share of the flicker that is taken out")] = 1.0
    keep_strobe: Annotated[
        bool, Meta(description="leave light that goes on and off (25 % and more) as it is: it is meant")
    ] = False
    ease_drift: Annotated[
        float, Meta(ge=0, le=1, description="share of slow changes of exposure and white balance that is taken out")
    ] = 0.0

    def bind(self, found: Flicker) -> BoundDeflicker | None:
        """Return the correction, or `None` for a take that needs none."""
        if self.mode == "off" or self.strength == self.ease_drift == 0:
            return None
        frames = len(found.exposure)
        gain, exponent = np.zeros((frames, 3)), np.zeros(frames)
        tone, local = np.zeros_like(found.tone), np.zeros_like(found.local)
        for stretch in found.stretches:
            here = slice(stretch.first, stretch.last + 1)
            if self.keep_strobe and stretch.percent["exposure"] >= flicker.STROBE_PERCENT:
                continue
            kinds = {kind for kind in KINDS if self.mode == "on" or stretch.flickers(kind)}
            if "exposure" in kinds:
                gain[here] += self.strength * found.exposure[here, None]
            if "colour" in kinds:
                gain[here] += self.strength * found.colour[here]
            if "gamma" in kinds:
                exponent[here] += self.strength * found.gamma[here]
                gain[here] -= self.strength * found.gamma[here, None] * found.pivot[here]
            if kinds - {"local"}:
                tone[here] += self.strength * found.tone[here]
            if "local" in kinds:
                local[here] += self.strength * found.local[here]
            for flash in found.flashes:
                if stretch.first <= flash <= stretch.last and "exposure" not in kinds:
                    gain[flash] = self.strength * (found.exposure[flash] + found.colour[flash])
            if self.ease_drift:
                gain[here] += self.ease_drift * (found.light[here] - np.median(found.light[here], axis=0))
        if max(np.abs(gain).max(initial=0), np.abs(exponent).max(initial=0), np.abs(local).max(initial=0)) < LEAST:
            return None
        return BoundDeflicker(
            np.clip(gain, -LARGEST, LARGEST).astype(np.float32),
            np.clip(exponent, -LARGEST, LARGEST).astype(np.float32),
            np.clip(local, -LARGEST, LARGEST) if np.abs(local).max(initial=0) >= LEAST else None,
            tone,
        )

    def judge(
        self,
        clip: Clip,
        before: FlickerTrack,
        after: Rendered[FlickerTrack],
        times: FrameTimes,
        time_map: TimeMap,
        shots: Shots | None,
    ) -> Verdict:
        """Compare the frames that are delivered, as they were and as they are handed to the encoder.

        Kept where what flickers became less by a quarter at least, and nothing else flickers more.
        """
        shown = time_map.source[time_map.rendered.start : time_map.rendered.stop]
        spans = _spans(shown, shots)
        rate = float(time_map.rate)
        was = flicker.measure(before.shown(shown), rate, spans)
        now = flicker.measure(after, rate, spans)
        old = {kind: was.percent(kind) for kind in KINDS}
        new = {kind: now.percent(kind) for kind in KINDS}
        fixed = [kind for kind in KINDS if any(stretch.flickers(kind) for stretch in was.stretches)] or list(KINDS)
        less = sum(new[kind] for kind in fixed) <= 0.75 * sum(old[kind] for kind in fixed)
        less |= bool(was.flashes) and len(now.flashes) < len(was.flashes)
        no_harm = all(new[kind] <= max(old[kind], flicker.FLOORS[kind]) for kind in KINDS)
        eased = self.ease_drift > 0
        return Verdict((less or eased) and no_harm, _shown(was), _shown(now))


def _shown(found: Flicker) -> dict[str, Any]:
    names = ("global_percent", "temperature_percent", "gamma_percent", "local_percent", "flashes")
    return {name: value for name, value in found.summary().items() if name in names}


def _spans(shown: NDArray[np.int64], shots: Shots | None) -> list[tuple[int, int]]:
    """Return the delivered frames (first, last) that lie in each shot, its blends left out."""
    if shots is None:
        return [(0, len(shown) - 1)]
    spans = []
    for shot in shots.shots:
        first = int(np.searchsorted(shown, shot.first + shot.entry_frames))
        last = int(np.searchsorted(shown, shot.last - shot.exit_frames, side="right")) - 1
        if last >= first:
            spans.append((first, last))
    return spans


STAGES = (Deflicker,)
