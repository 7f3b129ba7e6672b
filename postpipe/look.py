"""The look of a clip: one colour transform, which is rendered, written as `.cube` and written as ASC CDL.

Colours are display-referred R'G'B' with BT.709 primaries and the gamma they are coded with, full range: 0 is
black, 1 is white. That is how editing programs hand a Rec. 709 picture to a LUT.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from postpipe.delivery import OutputFile, Unit
from postpipe.model import Artifact

Triple = tuple[float, float, float]
Reals = NDArray[np.floating[Any]]

LUMA_WEIGHTS = (0.2126, 0.7152, 0.0722)
"""Of R', G', B' in the luma that saturation turns around (ASC CDL v1.2: Rec. 709)."""


@dataclass(frozen=True, slots=True)
class Cdl:
    """An ASC Color Decision List: `slope`, `offset` and `power` per channel, and `saturation`.

    Source: ASC CDL v1.2, section 3. Raises `ValueError` for a slope or saturation below 0, or a power of 0 or less.
    """

    slope: Triple = (1.0, 1.0, 1.0)
    offset: Triple = (0.0, 0.0, 0.0)
    power: Triple = (1.0, 1.0, 1.0)
    saturation: float = 1.0

    def __post_init__(self) -> None:
        if min(self.slope) < 0 or min(self.power) <= 0 or self.saturation < 0:
            raise ValueError(f"{self}: slope and saturation must not be below 0, power must be above 0")

    def apply(self, rgb: Reals) -> Reals:
        """Return `clamp(rgb * slope + offset) ** power`, then saturated and clamped to 0 to 1; shape `(..., 3)`."""
        levels = rgb * np.asarray(self.slope, rgb.dtype) + np.asarray(self.offset, rgb.dtype)
        levels = np.clip(levels, 0.0, 1.0) ** np.asarray(self.power, rgb.dtype)
        if self.saturation == 1.0:
            return levels
        luma = levels @ np.asarray(LUMA_WEIGHTS, rgb.dtype)
        saturated = luma[..., None] + rgb.dtype.type(self.saturation) * (levels - luma[..., None])
        return np.clip(saturated, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Curves:
    """A monotone curve for each of R', G', B' through points: `values[c][i]` is what channel `c` becomes at `knots[i]`.

    `knots` rise from 0 to 1, `values` lie in 0 to 1 and never fall. Between points: the monotone piecewise cubic
    of Fritsch and Butland (SIAM J. Sci. Stat. Comput. 5, 1984), the 'PCHIP' of SciPy and MATLAB.
    Raises `ValueError` for other points.
    """

    knots: tuple[float, ...]
    values: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]

    def __post_init__(self) -> None:
        rising = len(self.knots) >= 2 and all(a < b for a, b in itertools.pairwise(self.knots))
        if not rising or self.knots[0] != 0.0 or self.knots[-1] != 1.0:
            raise ValueError(f"knots {self.knots} must rise from 0 to 1")
        for channel in self.values:
            if len(channel) != len(self.knots):
                raise ValueError(f"{len(channel)} values for {len(self.knots)} knots")
            if min(channel) < 0 or max(channel) > 1 or any(a > b for a, b in itertools.pairwise(channel)):
                raise ValueError(f"values {channel} must lie in 0 to 1 and never fall")

    def apply(self, rgb: Reals) -> Reals:
        """Return the curves' values at `rgb`, shape `(..., 3)`; colours beyond 0 to 1 as at its edge."""
        knots = np.asarray(self.knots, rgb.dtype)
        result = np.empty_like(rgb)
        for channel, values in enumerate(self.values):
            result[..., channel] = _pchip(knots, np.asarray(values, rgb.dtype), np.clip(rgb[..., channel], 0.0, 1.0))
        return result


def _pchip(knots: Reals, values: Reals, at: Reals) -> Reals:
    """Return the monotone piecewise cubic through `(knots, values)` at each of `at`, within the knots."""
    width = np.diff(knots)
    rise = np.diff(values) / width
    slopes = np.empty_like(knots)
    slopes[0], slopes[-1] = rise[0], rise[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        near, far = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
        slopes[1:-1] = np.where(rise[1:] * rise[:-1] > 0, (near + far) / (near / rise[:-1] + far / rise[1:]), 0.0)
    piece = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(width) - 1)
    step = width[piece]
    t = (at - knots[piece]) / step
    lower, upper = values[piece], values[piece + 1]
    cubic: Reals = (
        lower + (upper - lower) * t * t * (3 - 2 * t)
        + step * t * (1 - t) * ((1 - t) * slopes[piece] - t * slopes[piece + 1])
    )  # fmt: skip
    return cubic


@dataclass(frozen=True, slots=True)
class CdlFit:
    """The CDL nearest to a look, and how far from it it is: ΔE00 over the colours of `sample_colours`."""

    cdl: Cdl
    mean_delta_e: float
    max_delta_e: float


@dataclass(frozen=True)
class Look(Artifact):
    """The colour transform of one clip: `curves`, where there are any, then `cdl`.

    So everything that is done to a channel by itself comes before saturation, as in a CDL. `description` says in
    an editor's words what changes ("exposure +0.3 stop, warmer"), `confidence` from 0 to 1 how sure the decision
    is. `group` names the clips that were made to go together, `hero` the file name of the one they follow; `None`
    where the clip stands alone. `before` and `after` are mean ΔE00 to the hero, without the look and with it.
    """

    schema: ClassVar[str] = "postpipe.look.1"
    cdl: Cdl = Cdl()
    curves: Curves | None = None
    description: str = ""
    confidence: float = 1.0
    group: str | None = None
    hero: str | None = None
    before: float | None = None
    after: float | None = None

    @property
    def identity(self) -> bool:
        """Whether the look changes nothing."""
        return self.is_cdl and self.cdl == Cdl()

    @property
    def is_cdl(self) -> bool:
        """Whether the look is a CDL and nothing else."""
        return self.curves is None

    def apply(self, rgb: Reals) -> Reals:
        """Return the transformed colours, of the shape `(..., 3)` and floating-point type of `rgb`.

        What `rgb` has beyond 0 to 1 (footroom and headroom of limited range, YCbCr codes outside the R'G'B' cube)
        stays as far beyond the result of the nearest colour inside, so that nothing is clipped that was not before.
        """
        if self.identity:
            return rgb.copy()
        inside = np.clip(rgb, 0.0, 1.0)
        result = self.cdl.apply(inside if self.curves is None else self.curves.apply(inside))
        result += rgb - inside
        return result

    def nearest_cdl(self) -> CdlFit:
        """Return the best-fitting CDL by least squares of CIELAB differences over `sample_colours`."""
        return CdlFit(self.cdl, 0.0, 0.0) if self.is_cdl else _fit_cdl(self)


@dataclass(frozen=True)
class LookFile(Artifact):
    """What was written of the look of one take; no files where it has none, or where it was taken back.

    `identifier` finds it in the collection of all, `fit` is the CDL that was written.
    """

    schema: ClassVar[str] = "postpipe.look-file.1"
    files: tuple[OutputFile, ...]
    identifier: str
    description: str
    fit: CdlFit

    def summary(self) -> dict[str, Any] | None:
        """Return the files and the CDL for the account of a run, or `None` where there are none."""
        if not self.files:
            return None
        cdl = self.fit.cdl
        numbers = {name: [round(value, 6) for value in getattr(cdl, name)] for name in ("slope", "offset", "power")}
        return {
            "files": [file.path for file in self.files],
            "cdl": {**numbers, "saturation": round(cdl.saturation, 6)},
            "cdl_delta_e": {"mean": round(self.fit.mean_delta_e, 3), "max": round(self.fit.max_delta_e, 3)},
        }


@dataclass(frozen=True)
class UngradedClip(Artifact):
    """The picture of a take without its look, for a grade elsewhere: its units in order.

    They are those of the delivery where the take has no look. Empty: the take's own file is that picture.
    """

    schema: ClassVar[str] = "postpipe.ungraded-clip.1"
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class CreativeLut(Artifact):
    """A look-up table of the user's own, for R'G'B' as above, after the look of every clip; without tables: none.

    `curves`: float64 `(3, n)`, a curve per channel over `curves_domain`, float64 `(2, 3)`: lowest and highest R'G'B'
    (`None`: 0 to 1). `lattice`: float32 `(size, size, size, 3)` by red, green, blue, over `lattice_domain`, after
    the curves. `name` is that of the file, `title` what stands in it.
    """

    schema: ClassVar[str] = "postpipe.creative-lut.1"
    name: str = ""
    title: str = ""
    curves: NDArray[np.float64] | None = None
    curves_domain: NDArray[np.float64] | None = None
    lattice: NDArray[np.float32] | None = None
    lattice_domain: NDArray[np.float64] | None = None

    @property
    def identity(self) -> bool:
        """Whether there is none."""
        return self.curves is None and self.lattice is None


@functools.lru_cache(maxsize=64)
def _fit_cdl(look: Look) -> CdlFit:
    from scipy.optimize import least_squares

    color: Any = import_module("skimage.color")
    colours = sample_colours()
    wanted = color.rgb2lab(look.apply(colours))

    def difference(parameters: Reals) -> Any:
        return (color.rgb2lab(_cdl_of(parameters).apply(colours)) - wanted).ravel()

    cdl = look.cdl
    start = [*cdl.slope, *cdl.offset, *cdl.power, cdl.saturation]
    lower, upper = [0.05] * 3 + [-1.0] * 3 + [0.1] * 3 + [0.0], [10.0] * 3 + [1.0] * 3 + [10.0] * 3 + [4.0]
    found = least_squares(difference, np.clip(start, lower, upper), bounds=(lower, upper))
    cdl = _cdl_of(found.x)
    apart = color.deltaE_ciede2000(color.rgb2lab(cdl.apply(colours)), wanted)
    return CdlFit(cdl, float(apart.mean()), float(apart.max()))


def _cdl_of(parameters: Reals) -> Cdl:
    slope, offset, power = (
        (float(a), float(b), float(c)) for a, b, c in np.asarray(parameters[:9], np.float64).reshape(3, 3)
    )
    return Cdl(slope, offset, power, float(parameters[9]))


@functools.cache
def sample_colours() -> NDArray[np.float64]:
    """Return the colours over which looks are compared, shape `(1029, 3)`.

    A 7×7×7 grid of R'G'B' from 0 to 1, as it is, half and a quarter as saturated: like pictures, which hold more
    of muted colours.
    """
    grid = np.stack(np.meshgrid(*[np.linspace(0.0, 1.0, 7)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    luma = (grid @ np.asarray(LUMA_WEIGHTS))[:, None]
    return np.concatenate([luma + share * (grid - luma) for share in (1.0, 0.5, 0.25)])
