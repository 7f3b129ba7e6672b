"""Plates: photographs made ready for a moving camera, with a hand-drawn depth.

World coordinates are pixels of the photograph; depth runs from 0 (far) to 1 (near).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

Array = NDArray[np.float32]
Photo = NDArray[np.uint8]

GAMMA = 2.2


@dataclass(frozen=True)
class Plate:
    """A photograph made ready for the camera.

    `light` is linear RGB of shape `(height * scale, width * scale, 3)`; `depth` has the photograph's own size.
    """

    light: Array
    depth: Array
    scale: float


def make_plate(photo: Photo, depth: Array, *, scale: float = 2.5, sharpen: float = 0.9) -> Plate:
    """Enlarge an RGB photograph, give back some of the edge that enlarging costs, and make its light linear."""
    coded = cv2.bilateralFilter(photo.astype(np.float32) / 255, 7, 0.06, 1.5)
    large = cv2.resize(coded, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4)
    detail = large - cv2.GaussianBlur(large, (0, 0), 0.7 * scale)
    # what is smaller than this is the photograph's own noise, which must not be sharpened
    large += sharpen * np.sign(detail) * np.maximum(np.abs(detail) - 0.008, 0)
    return Plate(to_linear(np.clip(large, 0, 1)), depth, scale)


def photograph(name: str) -> Photo:
    """Return one of the RGB photographs that lie inside scikit-image's wheel, shape `(height, width, 3)`."""
    return np.asarray(getattr(skimage.data, name)(), np.uint8)


def to_linear(coded: Array) -> Array:
    """Display values (0–1) to linear light."""
    return np.asarray(cv2.pow(coded, GAMMA), np.float32)


Shape = tuple[float, Sequence[tuple[float, float]]]
"""A depth and the polygon (world pixels) that lies at that depth."""


def depth_map(size: tuple[int, int], shapes: Sequence[Shape], soft: float) -> Array:
    """Draw polygons from far to near on depth 0 and blur them by `soft` pixels: nothing tears when they move."""
    depth = np.zeros((size[1], size[0]), np.float32)
    for value, corners in shapes:
        cv2.fillPoly(depth, [np.asarray(corners, np.int32)], value)
    return np.asarray(cv2.GaussianBlur(depth, (0, 0), soft), np.float32)


def box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    """Return the corners of a rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def oval(x: float, y: float, radius_x: float, radius_y: float) -> list[tuple[float, float]]:
    """Return 48 points of an ellipse."""
    turns = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return [(x + radius_x * np.cos(turn), y + radius_y * np.sin(turn)) for turn in turns]


def defocused(plate: Plate, sharp: Sequence[tuple[float, float]], blur: float) -> Plate:
    """Return the plate with everything outside the polygon `sharp` out of focus by `blur` world pixels."""
    height, width = plate.depth.shape
    drawn = depth_map((width, height), [(1.0, sharp)], 18)
    focus = np.asarray(cv2.resize(drawn, plate.light.shape[1::-1]), np.float32)[..., None]
    soft = np.asarray(cv2.GaussianBlur(plate.light, (0, 0), blur * plate.scale), np.float32)
    return Plate(focus * plate.light + (1 - focus) * soft, plate.depth, plate.scale)
