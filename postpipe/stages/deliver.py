"""How the delivery is encoded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from postpipe.delivery import Encoding, VideoCodec
from postpipe.draft import Draft
from postpipe.engine.stage import Task
from postpipe.errors import SettingsError
from postpipe.media import encoders
from postpipe.model import PIXEL_FORMATS

_LAYOUTS = {
    ("h264", 8): "yuv420p",
    ("h264", 10): "yuv420p10le",
    ("h265", 8): "yuv420p",
    ("h265", 10): "yuv420p10le",
    ("lossless", 8): "yuv420p",
    ("lossless", 10): "yuv420p10le",
    ("prores", 10): "yuv422p10le",
    ("dnxhr", 8): "yuv422p",
    ("dnxhr", 10): "yuv422p10le",
}

DRAFT_PRESET, DRAFT_CRF = "ultrafast", 23
"""Of a draft: ten times as quick as the usual preset; fine enough to show what a fix does."""
DRAFT_SOUND = {"aac_coder": "fast"}
"""Of a draft: less than half the processor time of libav's usual coder."""


@dataclass(frozen=True)
class Deliver(Task):
    """Settle codecs, quality and containers."""

    id: ClassVar[str] = "deliver"
    summary: ClassVar[str] = "codecs, quality and container"
    section: ClassVar[str] = "deliver"
    scope: ClassVar[str] = "project"

    video_codec: Annotated[
        VideoCodec,
        Meta(
            description="h264, h265 (.mp4), prores or dnxhr (.mov, for editors), lossless (H.264 that alters no pixel)"
        ),
    ] = "h264"
    bits: Annotated[Literal[8, 10] | None, Meta(description="bits per sample; unset: 8, or 10 for prores")] = None
    preset: Annotated[str, Meta(description="x264 and x265: speed against size, ultrafast … veryslow")] = "medium"
    crf: Annotated[int, Meta(ge=0, le=51, description="x264 and x265: constant quality, lower is better")] = 16
    encoder_threads: Annotated[
        int, Meta(ge=1, le=64, description="threads of one encoder; other counts give other bytes")
    ] = 2
    sound_codec: Annotated[
        Literal["aac", "pcm_s16le", "pcm_s24le"] | None,
        Meta(description="unset: aac in .mp4, pcm_s24le in .mov; PCM is delivered in .mov"),
    ] = None
    sound_rate_hz: Annotated[int, Meta(ge=8000, le=192000, description="sampling rate of the delivered sound")] = 48000
    sound_channels: Annotated[int, Meta(ge=1, le=2, description="1 mono, 2 stereo")] = 2
    unit_seconds: Annotated[int, Meta(ge=1, le=600, description="length of what is rendered and kept as one piece")] = (
        10
    )

    def __post_init__(self) -> None:
        if (self.video_codec, self._bits) not in _LAYOUTS:
            raise ValueError(f"video_codec = {self.video_codec!r} does not come with {self._bits} bits")

    @property
    def _bits(self) -> int:
        return self.bits or (10 if self.video_codec == "prores" else 8)

    def run(self, draft: Draft | None) -> Encoding:
        """Return the encoding; of a draft, one that is quick and plays everywhere.

        Raises `SettingsError` when an encoder has not encoded a frame here.
        """
        if draft is not None:
            quick = replace(self, video_codec="h264", bits=None, preset=DRAFT_PRESET, crf=DRAFT_CRF, sound_codec=None)
            return replace(quick.run(None), sound_options=DRAFT_SOUND)
        container = encoders.PICTURE_CODECS[self.video_codec].container
        sound_codec = self.sound_codec or ("aac" if container == "mp4" else "pcm_s24le")
        if sound_codec != "aac":
            container = "mov"
        faults = [fault for codec in (self.video_codec, sound_codec) if (fault := encoders.check(codec))]
        if faults:
            raise SettingsError([f"[deliver] {fault}" for fault in faults])
        quality = {"preset": self.preset} if self.video_codec in ("h264", "h265", "lossless") else {}
        if self.video_codec in ("h264", "h265"):
            quality["crf"] = str(self.crf)
        return Encoding(
            video_codec=self.video_codec,
            pixel_format=PIXEL_FORMATS[_LAYOUTS[self.video_codec, self._bits]],
            container=container,
            options=quality,
            threads=self.encoder_threads,
            unit_seconds=Fraction(self.unit_seconds),
            sound_codec=sound_codec,
            sound_rate_hz=self.sound_rate_hz,
            sound_channels=self.sound_channels,
            sound_options={},
        )


STAGES = (Deliver,)
