"""`[lipsync] model`: a model of the user's that tells how near lips and sound are, of the kind of SyncNet.

It has two halves, one for five pictures of a face, one for the fifth of a second of sound beside them, which give
vectors that lie near each other where the two belong together: J. S. Chung and A. Zisserman, "Out of time: automated
lip sync in the wild", ACCV Workshop on Multi-view Lip-reading, 2016. docs/lipsync.md says to the letter what it gets.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from importlib import import_module
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from postpipe_kernels import colour as coding

from postpipe.engine.stage import Analyser, Look, Sound
from postpipe.errors import SettingsError
from postpipe.model import Artifact, Clip, Frame, SoundBlock
from postpipe.stages.faces import FACES, Face, cut_out
from postpipe.stages.lipsync_mfcc import COEFFICIENTS, HOP, Cepstra
from postpipe.stages.lipsync_tracks import LEAST_SECONDS, RATE_HZ, STEP_HZ
from postpipe.stages.onnx_models import NEEDED, first_line, model_digest, place, runtime_version, session

Halves = NDArray[np.float16]

LIPS, SOUND = "lips", "sound"
"""The names of the inputs; those of the outputs are `lips_embedding` and `sound_embedding`."""

PICTURES, PICTURES_HZ = 5, 25
COLUMNS = 20  # of cepstra beside them
SIDE = 224  # of the pictures, where the model does not say
MOST_SECONDS = 60  # of a take that the model sees: more says little more, and is much to remember
LARGEST = 1e4  # of a value of an embedding: it is kept as float16

# SyncNet's own crop, 1.4 times the box of its face detector from the box's top on, in sides of the cascade's box,
# which is taken for a sixth smaller and to begin a tenth lower.
_CROP, _TOP = 1.68, -0.1

_STEP = STEP_HZ // PICTURES_HZ
_MIDDLE = PICTURES * _STEP // 2  # of a window, in steps after its beginning


@dataclass(frozen=True, kw_only=True)
class ByModel:
    """What stages have that depend on the user's model: its file, and the digest of its content for their keys."""

    model: Annotated[
        str,
        Meta(
            description="a SyncNet-like model of yours in ONNX, which then counts as much as postpipe's own "
            "measurement; see docs/lipsync.md for what it has to take and give"
        ),
    ] = ""
    digest: str = field(default="", init=False)

    def __post_init__(self) -> None:
        if self.model:
            try:
                object.__setattr__(self, "digest", model_digest(place(self.model)))
            except OSError as error:
                raise ValueError(f"model = {self.model!r} cannot be read ({error.strerror})") from error

    def uses(self, kind: type[Artifact]) -> bool:
        """Whether there is a model that makes what is optional to a task."""
        return bool(self.model)


@dataclass(frozen=True)
class LipModel:
    """A model that is ready to run. `side`: of the pictures that it takes. `size`: of its embeddings."""

    session: Any
    name: str
    side: int
    size: int

    def embed(self, which: str, values: NDArray[np.float32]) -> Halves:
        """Return the embedding of one window of pictures or of sound. Raises `SettingsError`."""
        nothing = {LIPS: (1, 3, PICTURES, self.side, self.side), SOUND: (1, 1, COEFFICIENTS, COLUMNS)}
        given = {name: np.zeros(shape, np.float32) for name, shape in nothing.items()} | {which: values[None]}
        (made,) = _run(self.session, [f"{which}_embedding"], given, self.name)
        if made.shape != (1, self.size):
            raise _wrong(self.name, f"gives {which}_embedding of {made.shape}, not of (1, {self.size}) as before")
        if not (np.isfinite(made) & (np.abs(made) < LARGEST)).all():
            raise _wrong(self.name, f"gives values in {which}_embedding that are no numbers, or beyond ±{LARGEST:g}")
        return np.asarray(made[0], np.float16)


def load(chosen: ByModel) -> LipModel:
    """Return the model of the settings. Raises `SettingsError` where it is not what it has to be, saying what is."""
    try:
        runtime_version()
    except ImportError as error:
        raise _wrong(chosen.model, NEEDED) from error
    return _checked(chosen.model, chosen.digest)


@lru_cache(maxsize=2)
def _checked(name: str, digest: str) -> LipModel:
    try:
        model = session(str(place(name)), digest, threads=1)
    except Exception as error:  # the runtime's own classes
        raise _wrong(name, f"does not load: {first_line(error)}") from error
    shapes = {one.name: one.shape for one in model.get_inputs() if one.type == "tensor(float)"}
    lips = shapes.get(LIPS)
    side = lips[3] if lips and len(lips) == 5 and isinstance(lips[3], int) else SIDE
    wanted = {LIPS: (1, 3, PICTURES, side, side), SOUND: (1, 1, COEFFICIENTS, COLUMNS)}
    fits = len(model.get_inputs()) == len(shapes) == 2 and all(_fits(shapes.get(one), wanted[one]) for one in wanted)
    if not fits:
        found = ", ".join(f"{one.name} {one.type} {one.shape}" for one in model.get_inputs())
        expected = ", ".join(f"{one} tensor(float) {list(shape)}" for one, shape in wanted.items())
        raise _wrong(name, f"takes {found}; expected {expected}")
    outputs = [f"{one}_embedding" for one in wanted]
    if {one.name for one in model.get_outputs()} != set(outputs):
        raise _wrong(name, f"gives {', '.join(one.name for one in model.get_outputs())}; expected {', '.join(outputs)}")
    made = _run(model, outputs, {one: np.zeros(shape, np.float32) for one, shape in wanted.items()}, name)
    if made[0].shape != made[1].shape or made[0].ndim != 2 or len(made[0]) != 1:
        raise _wrong(name, f"gives embeddings of {made[0].shape} and {made[1].shape}; expected twice (1, numbers)")
    return LipModel(model, name, side, made[0].shape[1])


def _fits(shape: Any, wanted: tuple[int, ...]) -> bool:
    """Return whether an input takes this shape: its sizes are these, or free."""
    pairs = zip(shape or (), wanted, strict=False)
    return len(shape or ()) == len(wanted) and all(not isinstance(own, int) or own == size for own, size in pairs)


def _run(model: Any, outputs: list[str], given: dict[str, NDArray[np.float32]], name: str) -> Any:
    runtime: Any = import_module("onnxruntime")
    options = runtime.RunOptions()
    options.only_execute_path_to_fetches = True  # of the two halves, the one that is asked for
    try:
        return model.run(outputs, given, options)
    except Exception as error:  # the runtime's own classes
        raise _wrong(name, f"does not run: {first_line(error)}") from error


def _wrong(name: str, problem: str) -> SettingsError:
    return SettingsError([f"[lipsync] model = {name!r} {problem}"])


# Analysers


@dataclass(frozen=True)
class LipEmbeddings(Artifact):
    """What the model makes of the faces of a take: a row for each window of each face.

    `steps`: int64, when it begins, counted every 20 ms from the first frame on. `tracks`: int32, the number of its
    face. `embeddings`: float16, `(rows, numbers)`.
    """

    schema: ClassVar[str] = "postpipe.lip-embeddings.1"
    steps: NDArray[np.int64]
    tracks: NDArray[np.int32]
    embeddings: Halves


@dataclass(frozen=True)
class SoundEmbeddings(Artifact):
    """What the model makes of the sound of a take: float16, `(steps, numbers)`, one each for a window every 20 ms."""

    schema: ClassVar[str] = "postpipe.sound-embeddings.1"
    embeddings: Halves


Picture = NDArray[np.float32]


@dataclass
class _Watching:
    model: LipModel
    wanted: bool
    frame_seconds: Fraction
    start: Fraction | None = None
    now: Fraction = Fraction(0)
    number: int = 0  # of the picture that comes next, 25 a second
    on_screen: dict[int, Picture] = field(default_factory=dict)
    before: dict[int, deque[Picture]] = field(default_factory=dict)
    rows: list[tuple[int, int]] = field(default_factory=list)
    made: list[Halves] = field(default_factory=list)

    def show_until(self, end: Fraction) -> None:
        """Go on with what is on screen in the middle of each picture's time, up to a time."""
        while Fraction(2 * self.number + 1, 2 * PICTURES_HZ) < end and self.wanted:
            self.before = {one: self.before.get(one, deque(maxlen=PICTURES)) for one in self.on_screen}
            for track, crop in self.on_screen.items():
                window = self.before[track]
                window.append(crop)
                if len(window) == PICTURES:
                    self.rows.append(((self.number + 1 - PICTURES) * _STEP, track))
                    self.made.append(self.model.embed(LIPS, np.stack(list(window), axis=1)))
            self.number += 1
            self.wanted = self.number < MOST_SECONDS * PICTURES_HZ


@dataclass(frozen=True)
class ShowLips(ByModel, Analyser[_Watching, LipEmbeddings]):
    """Show each face to the model, 25 times a second, in the first minute of a take that can be measured."""

    id: ClassVar[str] = "lip_embeddings"
    summary: ClassVar[str] = "what your lip-sync model makes of faces"
    section: ClassVar[str] = "lipsync"
    views: ClassVar = (FACES,)

    def start(self, clip: Clip) -> _Watching:
        """Begin without a face."""
        declared = clip.picture.declared_seconds
        wanted = bool(clip.sounds) and (declared is None or declared >= LEAST_SECONDS)
        return _Watching(load(self), wanted, 1 / clip.picture.rate)

    def step(self, state: _Watching, item: Look) -> None:
        """Take in one frame."""
        if not state.wanted:
            return
        frame = item.frame
        state.start = frame.pts_seconds if state.start is None else state.start
        state.now = frame.pts_seconds - state.start
        state.show_until(state.now)
        crops = ((face.track, crop(frame, face, state.model.side)) for face in item[FACES]())
        state.on_screen = {track: picture for track, picture in crops if picture is not None}

    def finish(self, state: _Watching) -> LipEmbeddings:
        """Return the embeddings."""
        state.show_until(state.now + state.frame_seconds)
        rows = np.array(state.rows, np.int64).reshape(-1, 2)
        made = np.array(state.made, np.float16).reshape(-1, state.model.size)
        return LipEmbeddings(rows[:, 0], rows[:, 1].astype(np.int32), made)


def crop(frame: Frame, face: Face, side: int) -> Picture | None:
    """Return a face as B'G'R' from 0 to 255, float32, `(3, side, side)`; `None` where half of it is off the frame."""
    scale = round(side / _CROP)
    top, left = round(_TOP * scale), (scale - side) // 2
    part = top, top + side, left, left + side
    layout = frame.pixel_format
    codes = []
    for number, plane in enumerate(frame.planes):
        x, y = (layout.chroma_shift_x, layout.chroma_shift_y) if number else (0, 0)
        box = face.x / (1 << x), face.y / (1 << y), face.width / (1 << x), face.height / (1 << y)
        cut = cut_out(plane, layout.bits, box, part, scale)
        if cut is None:
            return None
        codes.append(cut.astype(np.float32))
    spread, zero = coding.code_scale(frame.colour.range, 8)
    to_rgb = np.linalg.inv(coding.rgb_to_ycbcr(frame.colour.matrix)) / spread
    rgb = np.tensordot(to_rgb, np.stack(codes) - zero[:, None, None], axes=1)
    return np.asarray(np.clip(255 * rgb[::-1], 0, 255), np.float32)


@dataclass
class Hearing:
    """Sound that the model has heard so far."""

    model: LipModel
    cepstra: Cepstra = field(default_factory=Cepstra)
    columns: deque[NDArray[np.float32]] = field(default_factory=lambda: deque(maxlen=COLUMNS))
    count: int = 0
    made: list[Halves] = field(default_factory=list)


@dataclass(frozen=True)
class PlaySound(ByModel, Analyser[Hearing, SoundEmbeddings]):
    """Play the sound of a take's first minute, and what may belong to its lips beyond, to the model."""

    id: ClassVar[str] = "sound_embeddings"
    summary: ClassVar[str] = "what your lip-sync model makes of sound"
    section: ClassVar[str] = "lipsync"
    views: ClassVar = (Sound(rate_hz=RATE_HZ),)

    def start(self, clip: Clip) -> Hearing:
        """Begin with silence."""
        return Hearing(load(self))

    def step(self, state: Hearing, item: SoundBlock) -> None:
        """Take in one block."""
        if len(state.made) >= (MOST_SECONDS + 1) * STEP_HZ:
            return
        every = RATE_HZ // HOP // STEP_HZ
        for column in state.cepstra.add(item.samples[:, 0]):
            state.columns.append(column)
            state.count += 1
            if state.count >= COLUMNS and (state.count - COLUMNS) % every == 0:
                state.made.append(state.model.embed(SOUND, np.stack(list(state.columns), axis=1)[None]))

    def finish(self, state: Hearing) -> SoundEmbeddings:
        """Return the embeddings."""
        return SoundEmbeddings(np.array(state.made, np.float16).reshape(-1, state.model.size))


# How near they are


@dataclass(frozen=True)
class Nearness:
    """The squared distances between windows of faces and of sound that are apart by each of `lags` steps.

    `steps`: int64, the middle of each window, every 20 ms from the first frame on. `squared`: `(rows, lags)`, NaN where
    there is no sound.
    """

    steps: NDArray[np.int64]
    tracks: NDArray[np.int32]
    squared: NDArray[np.float64]

    @classmethod
    def of(cls, seen: LipEmbeddings, heard: SoundEmbeddings, lags: NDArray[np.int64]) -> Nearness:
        """Return the distances at lags in steps, positive where the sound is early."""
        lips, sound = seen.embeddings.astype(np.float64), heard.embeddings.astype(np.float64)
        squared = np.full((len(lips), len(lags)), np.nan)
        for column, lag in enumerate(lags):
            beside = seen.steps - lag
            there = (beside >= 0) & (beside < len(sound))
            apart = lips[there] - sound[beside[there]]
            squared[there, column] = np.einsum("ij,ij->i", apart, apart)
        return cls(seen.steps + _MIDDLE, seen.tracks, squared)

    def curve(self, steps: NDArray[np.int64], tracks: list[int]) -> NDArray[np.float64] | None:
        """Return how alike the two are at each lag, over the windows whose middle is one of `steps`.

        That is by how much of its median their mean squared distance is smaller: for vectors of equal spread the
        coefficient of correlation. Of faces that are seen at once the first one of `tracks` counts. `None` where there
        is less than a second of them.
        """
        chosen = np.zeros(len(self.steps), bool)
        for track in tracks:
            chosen |= (self.tracks == track) & ~np.isin(self.steps, self.steps[chosen])
        squared = self.squared[chosen & np.isin(self.steps, steps)]
        there = ~np.isnan(squared)
        count = there.sum(axis=0)
        enough = count >= PICTURES_HZ
        if not enough.any():
            return None
        mean = np.where(there, squared, 0).sum(axis=0) / np.maximum(count, 1)
        usual = float(np.median(mean[enough]))
        return np.where(enough, 1 - mean / usual, 0.0) if usual > 0 else np.zeros(len(mean))


STAGES = (ShowLips, PlaySound)
