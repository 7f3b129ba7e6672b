"""Clips with speaking faces, measured once: what training and the benchmark of lip sync work on.

The clips are other people's and are not part of this repository: `--media DIR` names a folder that has them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from postpipe.engine.stage import Look
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.media.sound import read_sound
from postpipe.models import FACE_MESH
from postpipe.stages.faces import FACES, cut_out
from postpipe.stages.landmarks import Landmarks, between_looks
from postpipe.stages.lipsync_tracks import BANDS, MOUTH, RATE_HZ, STEP_HZ, Mouth, log_mel

TALKING = (
    "talking/WDA_AlexandriaOcasioCortez_000.mp4",
    "talking/WDA_BobMenendez_000.mp4",
    "talking/WDA_EdMarkey0_000.mp4",
    "talking/WDA_KatieHill_000.mp4",
    "talking/bbaf2n.mpg",
    "talking/brbk7n.mpg",
    "talking/demo1_video.mp4",
    "talking/example.avi",
    "talking/lp_d11.mp4",
    "talking/lp_d20.mp4",
    "talking/lrwp9a.mpg",
    "talking/lwbsza.mpg",
    "talking/pwij3p.mpg",
    "talking/retalking_1.mp4",
    "talking/retalking_2.mp4",
    "talking/retalking_4.mp4",
    "talking/sbwe5n.mpg",
    "takes/sora_standard.mp4",
)
"""One speaker each, whose voice is heard."""

SAME_SPEAKER = {"talking/test_offset_5.avi": "talking/example.avi"}
"""Clips with a speaker of `TALKING`: nothing is learnt from them."""

STUDIO = tuple(name for name in TALKING if name.endswith(".mpg"))
"""Recorded with one camera and microphone (GRID corpus): sound and picture belong together as they are."""

OTHERS = ("talking/lp_d6.mp4", "talking/lp_d14.mp4")
"""Faces whose own voice is not heard: music, or another's sound."""


@dataclass(frozen=True)
class Seen:
    """One clip. `seconds`: of each frame, from the first on. By face: `rows`, the frames it is in, and `crops`.

    `crops` are uint8 `(frames, 48, 60)`: `MOUTH` with four pixels more at every side. `shapes`: `(frames, numbers)`,
    what a mesh says of them; no numbers without one.
    """

    seconds: NDArray[np.float64]
    rows: dict[int, NDArray[np.int64]]
    crops: dict[int, NDArray[np.uint8]]
    shapes: dict[int, NDArray[np.float64]]
    found: dict[int, float]
    samples: NDArray[np.float32]

    @property
    def longest(self) -> int:
        """The face that is seen longest."""
        return max(self.rows, key=lambda track: len(self.rows[track]))


MARGIN = 4


def see(path: Path, with_mesh: bool) -> Seen:
    """Return the faces and the sound of a clip."""
    clip = probe(path, "")
    mesh = Landmarks(FACE_MESH.path) if with_mesh else None
    find_in = FACES.start(clip)
    top, bottom, left, right = MOUTH
    part = (top - MARGIN, bottom + MARGIN, left - MARGIN, right + MARGIN)
    seconds: list[float] = []
    rows: dict[int, list[int]] = {}
    cut: dict[int, list[NDArray[np.uint8]]] = {}
    shapes: dict[int, list[NDArray[np.float64]]] = {}
    found: dict[int, float] = {}
    start = None
    with PictureReader(clip) as reader:
        for frame in reader.frames():
            start = frame.pts_seconds if start is None else start
            seconds.append(float(frame.pts_seconds - start))
            luma, bits = frame.planes[0], frame.pixel_format.bits
            for face in find_in(Look(frame))():
                crop = cut_out(luma, bits, (face.x, face.y, face.width, face.height), part, 64)
                shape = mesh.measure(luma, bits, face, frame.pts_seconds) if mesh else np.zeros(0)
                if crop is not None and shape is not None:
                    shapes.setdefault(face.track, []).append(shape)
                    rows.setdefault(face.track, []).append(frame.index)
                    cut.setdefault(face.track, []).append(crop)
                    found[face.track] = face.found / face.sought
    samples = np.zeros(0, np.float32)
    if clip.sounds and start is not None:
        wanted = int((seconds[-1] + 1 / clip.picture.rate) * RATE_HZ)
        sound = read_sound(clip, clip.sounds[0].index, rate_hz=RATE_HZ, channels=1, start_seconds=start, samples=wanted)
        samples = np.concatenate([block.samples[:, 0] for block in sound])
    times = np.array(seconds)
    return Seen(
        times,
        {track: np.array(frames) for track, frames in rows.items()},
        {track: np.array(pictures) for track, pictures in cut.items()},
        {track: between_looks(times[rows[track]], np.array(numbers)) for track, numbers in shapes.items()},
        found,
        samples,
    )


@functools.cache
def see_once(path: Path, with_mesh: bool) -> Seen:
    """Return a clip that is asked for again and again."""
    return see(path, with_mesh)


def mel_of(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-mel energies of whole samples, as the analyser has them."""
    from postpipe.model import SoundBlock
    from postpipe.stages.lipsync_tracks import ListenForSpeech, Listening

    state = Listening()
    ListenForSpeech().step(state, SoundBlock(0, RATE_HZ, samples[:, None]))
    mel = np.concatenate([*state.mel, log_mel(np.concatenate([state.rest, np.zeros(200, np.float32)]))])
    return mel[: len(samples) * STEP_HZ // RATE_HZ + 1].reshape(-1, BANDS)


Jitter = tuple[int, int, float]
"""A box that is found otherwise: by so many pixels across and down, and so many times as large."""


def mouths_of(seen: Seen, track: int, jitter: Jitter = (0, 0, 1.0)) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the numbers of each picture of a face's mouth, and how much it moved."""
    import cv2

    across, down, scale = jitter
    height, width = MOUTH[1] - MOUTH[0], MOUTH[3] - MOUTH[2]
    # pixel centres of the wanted part, scaled about its middle
    place = np.array(
        [
            [scale, 0.0, MARGIN + across + (1 - scale) * (width - 1) / 2],
            [0.0, scale, MARGIN + down + (1 - scale) * (height - 1) / 2],
        ]
    )
    mouth = Mouth()
    values, speeds = [], []
    for crop in seen.crops[track]:
        part = cv2.warpAffine(
            crop,
            place,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        values.append(mouth.measure(part))
        speeds.append(mouth.speed)
    return np.concatenate([values, seen.shapes[track]], axis=1), np.array(speeds)
