"""Others on the same work: they are given the other clip's colours and the hero's, and return the first, matched."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.color import lab2rgb, rgb2lab
from skimage.exposure import match_histograms

Reals = NDArray[np.float64]
Peer = Callable[[Reals, Reals], Reals]


def reinhard(source: Reals, target: Reals) -> Reals:
    """Return the source with the target's mean and spread of L*, a* and b*, pictures of R'G'B' from 0 to 1.

    Source: Reinhard, Ashikhmin, Gooch, Shirley, IEEE CG&A 21 (2001), in CIELAB.
    """
    ours, theirs = rgb2lab(source), rgb2lab(target)
    matched = (ours - ours.mean((0, 1))) / np.maximum(ours.std((0, 1)), 1e-6) * theirs.std((0, 1))
    return np.asarray(lab2rgb(matched + theirs.mean((0, 1))), np.float64)


def peers() -> dict[str, Peer]:
    """Return all peers by name: the methods of color-matcher, histogram matching of scikit-image, and Reinhard."""
    try:
        from color_matcher import ColorMatcher
        from color_matcher.top_level import METHODS
    except ImportError:
        sys.exit("this benchmark measures against color-matcher: pip install color-matcher")

    def method(name: str) -> Peer:
        def run(source: Reals, target: Reals) -> Reals:
            result: Any = ColorMatcher(method=name).transfer(src=source.copy(), ref=target.copy(), method=name)
            return np.asarray(result, np.float64)

        return run

    known: dict[str, Peer] = {f"color-matcher {name}": method(name) for name in METHODS if name != "default"}
    known["scikit-image match_histograms"] = lambda a, b: np.asarray(match_histograms(a, b, channel_axis=-1))
    known["Reinhard"] = reinhard
    return known
