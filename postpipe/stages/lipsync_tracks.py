"""What lip sync is told from: the lips of each face, and the sound, in the few numbers in which they are alike.

Both are linear maps of plain measurements, found together by regularised canonical correlation (H. Hotelling,
"Relations between two sets of variates", Biometrika 28, 1936) on clips of other speakers; the idea to map sound and
lips onto each other in advance, once for all speakers, is that of M. Slaney and M. Covell, "FaceSync: a linear
operator for measuring synchronization of video facial images and audio tracks", NIPS 2000. The maps are
`lipsync.json`, which `benchmarks/lipsync_train.py` writes and which names the clips that they come from. Where the
user has a face mesh, `lipsync_mesh.json` takes its place: lips are measured by their landmarks too.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from postpipe.engine.stage import Analyser, Look, Sound
from postpipe.model import Artifact, Clip, SoundBlock
from postpipe.models import FACE_MESH
from postpipe.stages.faces import FACES, cut_out
from postpipe.stages.landmarks import Landmarks, between_looks

Reals = NDArray[np.float32]

RATE_HZ = 16000
STEP_HZ = 50
"""How often lips and sound are compared."""

# Lips

MOUTH = (34, 74, 6, 58)
"""The part of a face that is looked at, of 64 × 64: top, bottom, left, right; nose to chin."""
_SCALE = 64
_CELLS = (8, 4)
_INNER = slice(4, 48)  # of its columns: cheeks at the sides say nothing
FEATURES = 4 * _CELLS[0] * _CELLS[1] // 2 + 3


class Mouth:
    """Measures the mouth of one face, picture by picture: 67 numbers, the same for a face and its mirror image.

    Brightness, how far what is seen has moved down, and away from the middle (dense flow, G. Farnebäck, SCIA 2003,
    summed up from frame to frame), and darkness, in 8 × 2 cells each; contrast in three rows.
    """

    def __init__(self) -> None:
        self._before: NDArray[np.uint8] | None = None
        self._moved: NDArray[np.float64] = np.zeros((2, _CELLS[0] * _CELLS[1] // 2))
        self.speed = 0.0
        """How much the lips moved since the picture before, in pixels of a face of 64, without the head."""

    def measure(self, crop: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the numbers of the next picture, `MOUTH` of a face that is 64 pixels a side."""
        cv2: Any = import_module("cv2")
        light = crop.astype(np.float32) / max(1.0, cv2.mean(crop)[0])
        even = cv2.convertScaleAbs(light, alpha=90.0)
        if self._before is not None:
            flow = cv2.calcOpticalFlowFarneback(self._before, even, None, *_FLOW)
            across, down = cv2.split(flow)
            step = np.stack([_cells(down), _cells(across, mirrored=-1.0)])
            self._moved = self._moved + step
            self.speed = float(step[0].max() - step[0].min())
        self._before = even
        skin = np.partition(light[::2, ::2].ravel(), _SKIN)[_SKIN]
        dark = np.maximum(np.float32(0), np.float32(0.75) - light / skin)
        contrast = [float(cv2.meanStdDev(light[rows, 12:40])[1][0, 0]) for rows in _ROWS]
        return np.concatenate([_cells(light), *self._moved, contrast, _cells(dark)])


_FLOW = 0.5, 1, 9, 1, 5, 1.1, 0  # scale and number of levels, window, rounds, neighbourhood and its sigma
_SKIN = int(0.7 * (MOUTH[1] - MOUTH[0]) * (MOUTH[3] - MOUTH[2]) / 4)  # place, in order of light, of skin
_ROWS = slice(4, 16), slice(12, 28), slice(20, 36)


def _cells(picture: NDArray[Any], mirrored: float = 1.0) -> NDArray[np.float64]:
    """Return means over cells, left and right put together."""
    import cv2

    rows, columns = _CELLS
    means = cv2.resize(picture[:, _INNER], (columns, rows), interpolation=cv2.INTER_AREA)
    half = columns // 2
    return np.asarray((means[:, :half] + mirrored * means[:, : half - 1 : -1]).ravel() / 2, np.float64)


# Sound

BANDS = 26
TAPS = np.arange(-12, 13, 2)
"""Steps of sound around a moment that tell about the lips in it: ±240 ms."""
_WINDOW, _FFT, _HOP = 400, 512, RATE_HZ // STEP_HZ
_LEAST_HZ, _MOST_HZ = 80.0, 7600.0
_FLOOR = 9.0  # of the natural logarithm of energy, below the loudest twentieth of each band
_PREEMPHASIS = 0.97


@functools.cache
def _filters() -> NDArray[np.float32]:
    """Return triangular filters, evenly spaced in mel (O'Shaughnessy's), shape `(spectrum, BANDS)`."""
    least, most = (2595 * np.log10(1 + hz / 700) for hz in (_LEAST_HZ, _MOST_HZ))
    edges = 700 * (10 ** (np.linspace(least, most, BANDS + 2) / 2595) - 1)
    hertz = np.arange(_FFT // 2 + 1) * RATE_HZ / _FFT
    rising = (hertz[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - hertz[None]) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rising, falling)).T.astype(np.float32)


def log_mel(samples: Reals) -> Reals:
    """Return natural logarithms of mel energies, shape `(steps, BANDS)`, of windows of 25 ms every 20 ms.

    `samples`: the first window's own and those of all that follow: `_HOP * (steps - 1) + _WINDOW + 1` of them, since
    each is taken against the one before it.
    """
    sharp = samples[1:] - np.float32(_PREEMPHASIS) * samples[:-1]
    steps = (len(sharp) - _WINDOW) // _HOP + 1
    if steps <= 0:
        return np.zeros((0, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(sharp, _WINDOW)[::_HOP][:steps] * _hann()
    power = np.abs(np.fft.rfft(frames, _FFT)) ** 2
    return np.asarray(np.log(power.astype(np.float32) @ _filters() + np.float32(1e-6)), np.float32)


@functools.cache
def _hann() -> Reals:
    return np.hanning(_WINDOW).astype(np.float32)


def around(mel: Reals) -> Reals:
    """Return each step with the steps around it, shape `(steps, TAPS × BANDS)`, evened out in level."""
    if not len(mel):
        return np.zeros((0, len(TAPS) * BANDS), np.float32)
    mel = np.maximum(mel, np.quantile(mel, 0.95, axis=0) - np.float32(_FLOOR))
    mel = mel - mel.mean(axis=0)
    mel /= max(1e-3, float(mel.std()))
    places = np.clip(np.arange(len(mel))[:, None] + TAPS[None], 0, len(mel) - 1)
    return np.asarray(mel[places].reshape(len(mel), -1), np.float32)


# The maps


class Maps(msgspec.Struct, frozen=True):
    """What `lipsync.json` holds: `mouth` `(FEATURES, parts)` and `sound` `(TAPS × BANDS, parts)` onto what is alike.

    With a mesh there are `LANDMARKS` rows more in `mouth`.
    `weights`: of the parts in the likeness. `confidence`: see `lipsync_match`. `clips`: what all this comes from.
    """

    mouth: list[list[float]]
    sound: list[list[float]]
    weights: list[float]
    confidence: list[float]
    clips: list[str]


@functools.cache
def maps(with_mesh: bool = False) -> Maps:
    """Return the maps that are delivered with postpipe, those of lips that a mesh has seen too or the plain ones."""
    name = "lipsync_mesh.json" if with_mesh else "lipsync.json"
    return msgspec.json.decode(Path(__file__).with_name(name).read_bytes(), type=Maps)


def mesh_digest() -> str:
    """Return the digest of the user's face mesh; empty where there is none."""
    return FACE_MESH.digest if FACE_MESH.state == "kept" else ""


# Analysers


@dataclass(frozen=True)
class MouthTrack(Artifact):
    """The lips of every face of a take. A row is one face in one frame; rows are in the order of time.

    `seconds`: float64, from the first frame on, by the frames' own times. `tracks`: number of the face. `lips`:
    float32, `(rows, parts)`. `speeds`: see `Mouth.speed`. `found`: by track, in which share of the times that it was
    looked for a face was there. `frames`: of the take. `mesh`: digest of the mesh that has seen them too.
    """

    schema: ClassVar[str] = "postpipe.mouth-track.1"
    seconds: NDArray[np.float64]
    tracks: NDArray[np.int32]
    lips: Reals
    speeds: Reals
    found: NDArray[np.float64]
    frames: int
    has_sound: bool
    mesh: str = ""


_NOTHING = np.zeros(0)

LEAST_SECONDS = 2.5
"""A take shorter than this says too little: its faces are not looked for."""


@dataclass
class _Watching:
    wanted: bool
    has_sound: bool
    map: NDArray[np.float64]
    mesh: Landmarks | None
    start: Fraction | None = None
    frames: int = 0
    mouths: dict[int, Mouth] = field(default_factory=dict)
    rows: list[tuple[float, int, float]] = field(default_factory=list)
    lips: list[Reals] = field(default_factory=list)
    shapes: list[Reals] = field(default_factory=list)
    found: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class WatchMouths(Analyser[_Watching, MouthTrack]):
    """Follow the lips of each face of a take that has sound and is long enough. `mesh`: digest of one that helps."""

    id: ClassVar[str] = "mouths"
    summary: ClassVar[str] = "faces, and how their lips move"
    views: ClassVar = (FACES,)

    mesh: str = field(default_factory=mesh_digest)

    def start(self, clip: Clip) -> _Watching:
        """Begin without a face."""
        declared = clip.picture.declared_seconds
        wanted = bool(clip.sounds) and (declared is None or declared >= LEAST_SECONDS)
        return _Watching(
            wanted=wanted,
            has_sound=bool(clip.sounds),
            map=np.asarray(maps(bool(self.mesh)).mouth),
            mesh=Landmarks(FACE_MESH.path) if wanted and self.mesh else None,
        )

    def step(self, state: _Watching, item: Look) -> None:
        """Take in one frame."""
        state.frames += 1
        if not state.wanted:
            return
        frame = item.frame
        state.start = frame.pts_seconds if state.start is None else state.start
        seen = set()
        for face in item[FACES]():
            luma, bits = frame.planes[0], frame.pixel_format.bits
            crop = cut_out(luma, bits, (face.x, face.y, face.width, face.height), MOUTH, _SCALE)
            shape = state.mesh.measure(luma, bits, face, frame.pts_seconds) if state.mesh else _NOTHING
            if crop is None or shape is None:
                continue
            seen.add(face.track)
            mouth = state.mouths.setdefault(face.track, Mouth())
            state.lips.append((mouth.measure(crop) @ state.map[:FEATURES]).astype(np.float32))
            state.shapes.append((shape @ state.map[FEATURES:]).astype(np.float32))
            state.rows.append((float(frame.pts_seconds - state.start), face.track, mouth.speed))
            state.found[face.track] = face.found / face.sought
        state.mouths = {track: mouth for track, mouth in state.mouths.items() if track in seen}

    def finish(self, state: _Watching) -> MouthTrack:
        """Return the lips."""
        rows = np.array(state.rows, np.float64).reshape(-1, 3)
        lips = np.array(state.lips, np.float32).reshape(len(rows), state.map.shape[1])
        shapes = np.array(state.shapes, np.float32).reshape(lips.shape)
        shares = np.zeros(max(state.found, default=-1) + 1)
        for track, share in state.found.items():
            shares[track] = share
            own = rows[:, 1] == track
            lips[own] += between_looks(rows[own, 0], shapes[own]).astype(np.float32)
        return MouthTrack(
            seconds=rows[:, 0],
            tracks=rows[:, 1].astype(np.int32),
            lips=lips,
            speeds=rows[:, 2].astype(np.float32),
            found=shares,
            frames=state.frames,
            has_sound=state.has_sound,
            mesh=self.mesh,
        )


@dataclass(frozen=True)
class SpeechTrack(Artifact):
    """The sound of a take every 20 ms from its first frame on: what lips would do to it, and how loud it is.

    `parts`: float32, `(steps, parts)`. `levels`: float32, dB re full scale, of 300 Hz to 3.4 kHz as speech has them.
    """

    schema: ClassVar[str] = "postpipe.speech-track.1"
    parts: Reals
    levels: Reals


@dataclass
class Listening:
    """Sound that has been heard so far."""

    rest: Reals = field(default_factory=lambda: np.zeros(_WINDOW // 2 + 1, np.float32))
    mel: list[Reals] = field(default_factory=list)


@dataclass(frozen=True)
class ListenForSpeech(Analyser[Listening, SpeechTrack]):
    """Hear what the lips should do. `mesh`: digest of the one that sees the lips."""

    id: ClassVar[str] = "speech"
    summary: ClassVar[str] = "sound as lips would make it"
    views: ClassVar = (Sound(rate_hz=RATE_HZ),)

    mesh: str = field(default_factory=mesh_digest)

    def start(self, clip: Clip) -> Listening:
        """Begin with silence."""
        return Listening()

    def step(self, state: Listening, item: SoundBlock) -> None:
        """Take in one block."""
        samples = np.concatenate([state.rest, item.samples[:, 0]])
        mel = log_mel(samples)
        state.mel.append(mel)
        state.rest = samples[len(mel) * _HOP :]

    def finish(self, state: Listening) -> SpeechTrack:
        """Return the sound."""
        end = np.concatenate([state.rest, np.zeros(_WINDOW // 2, np.float32)])
        mel = np.concatenate([*state.mel, log_mel(end)]) if state.mel else np.zeros((0, BANDS), np.float32)
        parts = around(mel) @ np.asarray(maps(bool(self.mesh)).sound)
        return SpeechTrack(parts.astype(np.float32), speech_levels(mel))


def speech_levels(mel: Reals) -> Reals:
    """Return levels in dBFS of the bands of the voice: those of a sine that has as much energy."""
    middle = slice(5, 20)  # about 300 Hz to 3.4 kHz
    full_scale = (_WINDOW / 4) ** 2  # the power of a full-scale sine in its line of the spectrum
    return np.asarray(10 * np.log10(np.exp(mel[:, middle]).sum(axis=1) / full_scale + 1e-12), np.float32)


STAGES = (WatchMouths, ListenForSpeech)
