"""Writing a take: H.264 and AAC in MP4, the same bytes for the same pictures and library versions."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from plates import Array
from sound import RATE_HZ

BT709 = 1  # the code point of matrix, primaries and transfer alike (ITU-T H.273)
LIMITED_RANGE = 1
BLOCK_SAMPLES = 1024

X264_OPTIONS = {"crf": "21", "preset": "medium", "bf": "0"}
"""No B-frames: with them, x264's macroblock tree writes other bytes from run to run on processors with AVX-512."""

RGB_TO_YCBCR = np.array(
    [
        [0.2126 * 219, 0.7152 * 219, 0.0722 * 219, 16],
        [-0.2126 / 1.8556 * 224, -0.7152 / 1.8556 * 224, 0.5 * 224, 128],
        [0.5 * 224, -0.7152 / 1.5748 * 224, -0.0722 / 1.5748 * 224, 128],
    ],
    np.float32,
)
"""R'G'B' 0–1 to 8-bit limited-range Y'CbCr (ITU-R BT.709-6, items 3.2 to 3.4)."""


def to_yuv420(picture: Array) -> NDArray[np.uint8]:
    """Return R'G'B' (0–1) as the stacked planes of yuv420p, shape `(height * 3 / 2, width)`.

    The width must be even and the height a multiple of 4.
    """
    height, width = picture.shape[:2]
    ycbcr = cv2.transform(picture, RGB_TO_YCBCR)
    chroma = cv2.resize(ycbcr[..., 1:], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    planes = [ycbcr[..., 0], *(chroma[..., plane].reshape(height // 4, width) for plane in (0, 1))]
    return np.asarray(np.concatenate(planes) + 0.5, np.uint8)


def write_take(
    path: Path, pictures: Iterable[Array], rate: Fraction, size: tuple[int, int], sound: Array | None, *, tagged: bool
) -> None:
    """Encode `pictures` (R'G'B', 0–1) and `sound` `(2, samples)` to an MP4 file, with colour tags or without."""
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=rate, options=X264_OPTIONS)
        context = video.codec_context
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.time_base = 1 / rate
        context.gop_size = 48
        context.thread_count = 1  # x264 writes other bytes for other thread counts
        if tagged:
            context.colorspace = context.color_primaries = context.color_trc = BT709
            context.color_range = LIMITED_RANGE
        audio = (
            container.add_stream("aac", rate=RATE_HZ, layout="stereo", bit_rate=128_000) if sound is not None else None
        )
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(to_yuv420(picture), format="yuv420p")
            frame.pts, frame.time_base = index, 1 / rate
            if tagged:
                frame.colorspace = frame.color_primaries = frame.color_trc = BT709
                frame.color_range = LIMITED_RANGE
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            for start in range(0, sound.shape[1], BLOCK_SAMPLES):
                block = np.ascontiguousarray(sound[:, start : start + BLOCK_SAMPLES])
                heard = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
                heard.sample_rate, heard.pts, heard.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
                container.mux(audio.encode(heard))
            container.mux(audio.encode(None))
