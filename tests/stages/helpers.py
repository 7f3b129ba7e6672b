"""Small helpers around PyAV and ffmpeg for tests of stages."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from postpipe.stages.flicker import KINDS, Flicker, Stretch
from postpipe.stages.quality import QualityChecks


def faststart(path: Path) -> Path:
    """Copy a film with its index in front of its data."""
    target = path.with_name(f"faststart-{path.name}")
    with av.open(str(path)) as source, av.open(str(target), "w", options={"movflags": "faststart"}) as copy:
        streams = {s.index: copy.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    return target


def decode_planes(path: Path) -> list[list[np.ndarray]]:
    """Return the planes of every frame as they were coded."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [[_rows(p, np.uint16 if "10" in f.format.name else np.uint8) for p in f.planes] for f in frames]


def _rows(plane: av.video.plane.VideoPlane, kind: type[np.generic]) -> np.ndarray:
    return np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width].copy()


def decode_sound(path: Path) -> tuple[np.ndarray, Fraction]:
    """Return all samples as float64, shape `(samples, channels)`, and the time of the first."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp")
        pieces, start = [], None
        for frame in container.decode(audio=0):
            start = frame.pts * frame.time_base if start is None else start
            pieces += [piece.to_ndarray() for piece in resampler.resample(frame)]
    return np.concatenate(pieces, axis=1).T.astype(np.float64), start or Fraction(0)


def clean_checks(frames: int) -> QualityChecks:
    """Return the checks of a take of `frames` frames in which nothing was found."""
    return QualityChecks(frames, (), (), (), (), (), (), (), (), 0.0, 0.0, 0.0, (0, 0, 0, 0), 0.1)


def flicker_of(percent: float) -> Flicker:
    """Return the facts of a take whose exposure flickers with this amplitude, and nothing else."""
    stretch = Stretch(0, 23, dict.fromkeys(KINDS, 0.0) | {"exposure": percent}, None)
    none = np.zeros(0, np.float32)
    return Flicker((stretch,), (), *[none] * 7)
