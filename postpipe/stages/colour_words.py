"""A colour change in an editor's words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from postpipe.look import LUMA_WEIGHTS, Look
from postpipe.stages.colour_fit import to_lab

Reals = NDArray[np.float64]


def describe(look: Look, colours: Reals) -> str:
    """Return what `look` does to a clip of these colours, `(n, 3)`: "exposure +0.3 stop, warmer"; empty for nothing.

    Exposure is the median change of luminance, contrast that of the spread of L*, saturation that of the spread of
    a* and b* around their mean; warmer and cooler follow b*, magenta and green a* of what greys as light as these
    colours become.
    """
    changed: Reals = look.apply(colours).astype(np.float64)
    before, after = to_lab(colours), to_lab(changed)
    stops = float(np.median(np.log2((_light(changed) + 0.002) / (_light(colours) + 0.002))))
    greys = (colours @ np.asarray(LUMA_WEIGHTS))[:, None].repeat(3, axis=1)
    tint, warmth = to_lab(look.apply(greys).astype(np.float64)).mean(axis=0)[1:]
    words = [f"exposure {stops:+.1f} stop{'s' if abs(stops) >= 1.95 else ''}"] if abs(stops) >= 0.05 else []
    words += _more(warmth, "warmer", "cooler") + _more(tint, "more magenta", "greener")
    words += _percent(_spread(before[:, :1]), _spread(after[:, :1]), "contrast {:+.0f} %")
    words += _percent(_spread(before[:, 1:]), _spread(after[:, 1:]), "saturation {:+.0f} %")
    black = float(np.percentile(after[:, 0], 1) - np.percentile(before[:, 0], 1))
    words += [f"blacks {'lifted' if black > 0 else 'lowered'}"] if abs(black) >= 1.5 else []
    return ", ".join(words)


def _light(rgb: Reals) -> Reals:
    light: Reals = np.maximum(rgb, 0.0) ** 2.4 @ np.asarray(LUMA_WEIGHTS)
    return light


def _spread(values: Reals) -> float:
    return float(np.sqrt(values.var(axis=0).sum()))


def _more(amount: float, up: str, down: str) -> list[str]:
    if abs(amount) < 0.7:
        return []
    degree = "slightly " if abs(amount) < 1.5 else "much " if abs(amount) > 6 else ""
    return [degree + (up if amount > 0 else down)]


def _percent(before: float, after: float, words: str) -> list[str]:
    if before < 1.0:  # nothing there to be more or less of
        return []
    change = 100 * (after / before - 1)
    return [words.format(change)] if abs(change) >= 3 else []
