"""What a mouth does by the landmarks of its face, from a face mesh that the user has brought (`postpipe.models`).

The mesh is that of MediaPipe (Y. Kartynnik, A. Ablavatski, I. Grishchenko, M. Grundmann, "Real-time facial surface
geometry from monocular video on mobile GPUs", CVPR Workshops 2019), run by OpenCV alone; it places 468 landmarks.
"""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postpipe.model import Plane
from postpipe.stages.faces import Face, cut_out

LANDMARKS = 11
"""How many numbers tell of a mouth's landmarks."""

LOOKS_HZ = 18
"""How often, at most, the mesh looks at a face: it costs more than all else, and lips are slower."""

_SIDE = 192  # pixels of what the mesh sees
_FACE = 120  # of these, the side of a face as the cascade finds it
_LEFT, _TOP = -36, -29  # where the rest begins: forehead and chin belong to it
_POINTS, _SCORE = "conv2d_21", "conv2d_31"
_SEEN = 0.0  # logit of its being a face: even

# Numbers of landmarks: eyes' outer corners, between the brows, below the nose, chin; lips from outside and inside.
_EYES, _BROW, _NOSE, _CHIN = (33, 263), 168, 2, 152
_TOP_OUT, _BOTTOM_OUT, _LEFT_OUT, _RIGHT_OUT = 0, 17, 61, 291
_TOP_IN, _BOTTOM_IN, _LEFT_IN, _RIGHT_IN = 13, 14, 78, 308
_BESIDE = (82, 87), (312, 317)  # upper and lower edge, halfway to either corner


class Landmarks:
    """Measures mouths, now and then. `path`: the model's file."""

    def __init__(self, path: Path) -> None:
        dnn: Any = import_module("cv2").dnn
        self._net = dnn.readNetFromTFLite(str(path))
        self._looks: dict[int, tuple[Fraction, bool]] = {}  # by face: when the next is due, whether the last saw one

    def measure(self, luma: Plane, bits: int, face: Face, now: Fraction) -> NDArray[np.float64] | None:
        """Return the `LANDMARKS` numbers of a face at `now` seconds; `None` where the mesh sees none.

        Between two looks they are NaN: see `between_looks`.
        """
        due, seen = self._looks.get(face.track, (now, False))
        if now < due:
            return np.full(LANDMARKS, np.nan) if seen else None
        shape = self._look(luma, bits, face)
        every = Fraction(1, LOOKS_HZ)
        self._looks[face.track] = max(due, now - every) + every, shape is not None
        return shape

    def _look(self, luma: Plane, bits: int, face: Face) -> NDArray[np.float64] | None:
        box = face.x, face.y, face.width, face.height
        crop = cut_out(luma, bits, box, (_TOP, _TOP + _SIDE, _LEFT, _LEFT + _SIDE), _FACE)
        if crop is None:
            return None
        grey = np.repeat(crop[None, None].astype(np.float32) / 255, 3, axis=1)
        self._net.setInput(grey)
        points, score = self._net.forward((_POINTS, _SCORE))
        return shape_of(points.reshape(-1, 3)) if float(score.ravel()[0]) >= _SEEN else None


def between_looks(seconds: NDArray[np.float64], values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the numbers of one face `(frames, numbers)`, with those of frames between two looks interpolated."""
    seen = ~np.isnan(values).any(axis=1)
    if seen.all() or not seen.any():
        return np.asarray(values, np.float64)
    return np.stack([np.interp(seconds, seconds[seen], column[seen]) for column in values.T], axis=1)


def shape_of(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return what landmarks `(468, 3)` say of a mouth, however the head is turned, in distances of the eyes.

    How far the lips are open, in the middle and beside it, and how wide; the same from outside; upper lip to nose,
    lower lip to chin, chin to nose; how far the middle comes before the corners; how low the corners are; and how far
    the lips come before the nose.
    """
    spread = points[_EYES[1]] - points[_EYES[0]]
    unit = max(1e-6, float(np.linalg.norm(spread)))
    across = spread / unit
    down = points[_NOSE] - points[_BROW]
    down = down - (down @ across) * across
    down = down / max(1e-6, float(np.linalg.norm(down)))
    own = (points - points[_NOSE]) @ np.stack([across, down, np.cross(across, down)], axis=1) / unit

    def apart(one: int, other: int) -> float:
        return float(np.linalg.norm(own[one] - own[other]))

    middle, corners = own[[_TOP_IN, _BOTTOM_IN]].mean(axis=0), own[[_LEFT_OUT, _RIGHT_OUT]].mean(axis=0)
    return np.array(
        [
            apart(_TOP_IN, _BOTTOM_IN),
            (apart(*_BESIDE[0]) + apart(*_BESIDE[1])) / 2,
            apart(_LEFT_IN, _RIGHT_IN),
            apart(_TOP_OUT, _BOTTOM_OUT),
            apart(_LEFT_OUT, _RIGHT_OUT),
            apart(_TOP_OUT, _NOSE),
            apart(_BOTTOM_OUT, _CHIN),
            apart(_CHIN, _NOSE),
            middle[2] - corners[2],
            corners[1] - middle[1],
            own[[_TOP_OUT, _BOTTOM_OUT], 2].mean(),
        ]
    )
