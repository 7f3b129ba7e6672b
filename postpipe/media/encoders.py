"""The encoders postpipe delivers with: their settings, and whether they work on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.format import AudioFormat
from av.video.codeccontext import VideoCodecContext

from postpipe.media.colourspec import MATRICES, RANGES
from postpipe.model import PIXEL_FORMATS, ColourSpec, PixelFormat


@dataclass(frozen=True, slots=True)
class PictureCodec:
    """One choice of `video_codec`: libav's encoder, the container and code it goes under, what it takes.

    `matrices` and `ranges` are those that its bitstream can name; a file that says less would be shown
    in other colours.
    """

    encoder: str
    container: str
    fourcc: str
    layouts: tuple[str, ...]
    defaults: dict[str, str]
    matrices: tuple[str, ...] = tuple(MATRICES)
    ranges: tuple[str, ...] = tuple(RANGES)

    def check(self, layout: PixelFormat, width: int, height: int, colour: ColourSpec) -> None:
        """Raise `ValueError` unless the encoder takes pictures of this layout, size and colour."""
        if layout.name not in self.layouts:
            raise ValueError(f"{self.encoder} does not take {layout.name}, only {', '.join(self.layouts)}")
        if width % (1 << layout.chroma_shift_x) or height % (1 << layout.chroma_shift_y):
            raise ValueError(f"{width} × {height} does not fit {layout.name}: even numbers are needed")
        if colour.matrix not in self.matrices or colour.range not in self.ranges:
            raise ValueError(f"{self.encoder} cannot say that a picture is {colour.matrix}, {colour.range} range")


_PLANAR = tuple(PIXEL_FORMATS)

PICTURE_CODECS: dict[str, PictureCodec] = {
    "h264": PictureCodec("libx264", "mp4", "avc1", _PLANAR, {"preset": "medium", "crf": "16"}),
    "h265": PictureCodec("libx265", "mp4", "hvc1", _PLANAR, {"preset": "medium", "crf": "18"}),
    "lossless": PictureCodec("libx264", "mp4", "avc1", _PLANAR, {"preset": "medium", "qp": "0"}),
    "prores": PictureCodec(
        "prores_ks", "mov", "", ("yuv422p10le", "yuv444p10le"), {"vendor": "apl0"}, ranges=("limited",)
    ),
    "dnxhr": PictureCodec("dnxhd", "mov", "AVdh", ("yuv422p", "yuv422p10le", "yuv444p10le"), {}, matrices=("bt709",)),
}
"""What `[deliver] video_codec` may be."""

SOUND_CODECS = ("aac", "pcm_s16le", "pcm_s24le")
"""What the sound of a delivery may be encoded as."""

FULL_HD = 1920 * 1080

_PRORES_PROFILES = {"yuv422p10le": "hq", "yuv444p10le": "4444"}
_DNXHR_PROFILES = {"yuv422p": "dnxhr_hq", "yuv422p10le": "dnxhr_hqx", "yuv444p10le": "dnxhr_444"}


def encoder_options(
    codec: str, layout: PixelFormat, threads: int, options: Mapping[str, str], pixels: int = FULL_HD
) -> dict[str, str]:
    """Return the encoder's options: the defaults of `codec`, `options` over them, and what is not negotiable.

    `pixels` are those of one picture: what is larger than 1080p is looked at less far ahead, in the same memory.

    Not negotiable is what joining and identical bytes need: closed groups of pictures, one IDR picture at the
    start, headers once, a fixed number of threads, and code paths that always compute the same.
    """
    merged = {**PICTURE_CODECS[codec].defaults, **options}
    if options.keys() & {"qp", "b"}:
        merged.pop("crf", None)  # a constant quality would win over either
    if codec in ("h264", "lossless"):
        # x264's own look-ahead of 40 frames holds some 300 MB at 1080p; presets down to `fast` do with less.
        ahead = min(20, max(4, 20 * FULL_HD // pixels))
        # Threads that share a picture, instead of one each, need fewer large pictures at a time.
        sliced = ":sliced-threads=1" if pixels > 2 * FULL_HD else ""
        merged["x264-params"] = _with(f"rc-lookahead={ahead}{sliced}", merged.get("x264-params", ""))
        fixed = "open-gop=0:repeat-headers=0" + (":asm=AVX2" if _has_avx512() else "")
        merged["x264-params"] = _with(merged.get("x264-params"), fixed)
        merged["a53cc"] = "0"  # captions of a source are not those of the film
    elif codec == "h265":
        # info=0: the info text names the processor's features, which differ between machines.
        fixed = f"log-level=none:info=0:open-gop=0:repeat-headers=0:pools={threads}:frame-threads=1"
        merged["x265-params"] = _with(merged.get("x265-params"), fixed)
    elif codec == "prores":
        merged.setdefault("profile", _PRORES_PROFILES[layout.name])
    else:
        merged.setdefault("profile", _DNXHR_PROFILES[layout.name])
    return merged


@cache
def _has_avx512() -> bool:
    """Return whether x264 would use AVX-512, which it must not.

    Its AVX-512 code for macroblock trees reads memory that was never written: equal frames then give other
    bytes, depending on what the process did before (seen with x264 core 165 in PyAV's wheels). Its code for
    SSSE3, AVX and AVX2 gives one and the same bytes, as fast.
    """
    known: Any = np.show_config(mode="dicts")
    extensions = known["SIMD Extensions"]
    return not {"X86_V4", "AVX512_SKX"}.isdisjoint([*extensions["baseline"], *extensions["found"]])


def _with(params: str | None, fixed: str) -> str:
    return f"{params}:{fixed}" if params else fixed


@cache
def check(codec: str) -> str | None:
    """Return why `codec` (picture or sound) cannot be used here, or `None` once it has really encoded something."""
    try:
        packets = _try_picture(codec) if codec in PICTURE_CODECS else _try_sound(codec)
    except (av.FFmpegError, ValueError, LookupError) as error:
        return f"{codec} cannot be encoded on this machine: {error}"
    return None if packets else f"{codec} cannot be encoded on this machine: the encoder gave nothing"


def _try_picture(name: str) -> bool:
    codec = PICTURE_CODECS[name]
    layout = PIXEL_FORMATS[codec.layouts[0]]
    context = VideoCodecContext.create(codec.encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = 256, 256, layout.name
    context.framerate, context.time_base = Fraction(25), Fraction(1, 25)
    context.options = encoder_options(name, layout, 1, {})
    frame = av.VideoFrame(256, 256, layout.name)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.pts = 0
    return any(packet.size for packet in [*context.encode(frame), *context.encode(None)])


def _try_sound(name: str) -> bool:
    context = AudioCodecContext.create(name, "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout = 48000, "stereo"
    context.format = (context.codec.audio_formats or [AudioFormat("s16")])[0]
    frame = av.AudioFrame.from_ndarray(np.zeros((2, 2048), np.float32), "fltp", "stereo")
    frame.sample_rate = 48000
    frame.pts = 0
    return any(packet.size for packet in [*context.encode(frame), *context.encode(None)])
