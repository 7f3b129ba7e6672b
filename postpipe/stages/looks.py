"""One look, three faces: rendered by the point kernel, written as `.cube`, and written as ASC CDL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from postpipe_kernels.lut3d import Lut3d
from postpipe_kernels.transform import Transform, only

from postpipe.delivery import OutputFile, ProjectFormat, RenderedClip, Selection
from postpipe.engine.stage import Desk, Each, Filter, FixFilter, PointParams, Rendered, Slot, Task, Verdict
from postpipe.handover.cdl import write_ccc, write_cdl
from postpipe.handover.cube import read_cube, write_cube
from postpipe.look import LUMA_WEIGHTS, Cdl, CdlFit, CreativeLut, Curves, Look, LookFile
from postpipe.media.images import encode_image
from postpipe.model import Artifact, Clip, ColourSpec, Frame
from postpipe.stages.colour import ColourStats
from postpipe.stages.colour_match import apart, stills_of
from postpipe.stages.concat import clip_stems

SHAPER_POINTS = 16385  # of each channel's curve; the steepest CDL is off by less than 1/1000 of a 10-bit code
CUBE_SIZE = 33
DOMAIN = "For display-referred R'G'B', BT.709 primaries and gamma, full range: 0 is black, 1 is white."


def baked(look: Look, colour: ColourSpec) -> Transform:
    """Return a look as the kernel applies it to pictures of a coding, through its own `apply`."""
    ramp = np.linspace(0.0, 1.0, SHAPER_POINTS)[:, None].repeat(3, axis=1)
    shaper = replace(look, cdl=replace(look.cdl, saturation=1.0)).apply(ramp).T
    saturation = look.cdl.saturation
    mix = saturation * np.eye(3) + (1.0 - saturation) * np.array(LUMA_WEIGHTS)
    return Transform(np.ascontiguousarray(shaper), mix, colour.matrix, colour.range)


def baked_creative(lut: CreativeLut, colour: ColourSpec) -> Transform:
    """Return the user's own table as the kernel applies it."""
    return only(lut.curves, lut.curves_domain, lut.lattice, lut.lattice_domain, colour.matrix, colour.range)


# Render


@dataclass(frozen=True)
class BoundLook:
    """The look of one clip, in the coding of the delivery."""

    cdl: Cdl
    curves: Curves | None
    bits: int
    colour: ColourSpec

    @cached_property
    def _lut(self) -> Lut3d:
        return Lut3d(baked(Look(self.cdl, self.curves), self.colour))

    def at(self, frame: Frame) -> PointParams:
        """Return the same look for every frame."""
        return PointParams(bits=self.bits, colour=self.colour, lut=self._lut)


@dataclass(frozen=True)
class MatchColour(FixFilter):
    """Give each take the look that was decided for it."""

    id: ClassVar[str] = "match_colour"
    summary: ClassVar[str] = "gives takes one look"
    slot: ClassVar[Slot] = Slot.COLOUR
    grade: ClassVar[bool] = True
    fix: ClassVar[str] = "colour"

    def bind(self, look: Look | None, project: ProjectFormat) -> BoundLook | None:
        """Return the operation for one take, or `None` where its look changes nothing."""
        if look is None or look.identity:
            return None
        return BoundLook(look.cdl, look.curves, project.pixel_format.bits, project.colour)

    def judge(self, look: Look | None, delivered: Rendered[ColourStats], stats: Each[ColourStats | None]) -> Verdict:
        """Compare what is delivered with the hero again. Kept where it is nearer to it than the take was.

        Where the two show nothing of the same, as in a clip that follows by way of another, the decision stands.
        """
        before, after = (look.before, look.after) if look is not None else (None, None)
        hero = next((one for path, one in stats.items() if look is not None and path.name == look.hero), None)
        measured = apart(stills_of(delivered), stills_of(hero)) if hero is not None else None
        after = after if measured is None else measured
        away = before is not None and after is not None and after >= before
        return Verdict(not away, {"delta_e": _rounded(before)}, {"delta_e": _rounded(after)})


def _rounded(difference: float | None) -> float | None:
    return None if difference is None else round(difference, 3)


@dataclass(frozen=True)
class ReadCreativeLut(Task):
    """Read the look-up table that the user brings."""

    id: ClassVar[str] = "creative_lut"
    summary: ClassVar[str] = "reads a creative LUT"
    section: ClassVar[str] = "colour"
    scope: ClassVar[str] = "project"

    creative_lut: Annotated[
        str | None,
        Meta(description='"film.cube": a LUT of your own for all takes, after they were matched; Rec. 709, full range'),
    ] = None

    def run(self, clips: Each[Clip]) -> CreativeLut:
        """Return the table; its name is looked up in the folder of takes. Raises `SettingsError`."""
        if self.creative_lut is None:
            return CreativeLut()
        folder = min(clips, default=Path()).parent
        return read_cube(folder / self.creative_lut)


@dataclass(frozen=True)
class BoundCreativeLut:
    """The user's own table, in the coding of the delivery."""

    table: CreativeLut
    bits: int
    colour: ColourSpec

    @cached_property
    def _lut(self) -> Lut3d:
        return Lut3d(baked_creative(self.table, self.colour))

    def at(self, frame: Frame) -> PointParams:
        """Return the same table for every frame."""
        return PointParams(bits=self.bits, colour=self.colour, lut=self._lut)


@dataclass(frozen=True)
class ApplyCreativeLut(Filter):
    """Apply the user's own table; it is no fix, and nothing to be judged."""

    id: ClassVar[str] = "own_lut"  # after `match_colour`: within a slot, filters follow their names
    summary: ClassVar[str] = "applies a creative LUT"
    slot: ClassVar[Slot] = Slot.COLOUR
    grade: ClassVar[bool] = True

    def bind(self, table: CreativeLut, project: ProjectFormat) -> BoundCreativeLut | None:
        """Return the operation, or `None` without a table."""
        return None if table.identity else BoundCreativeLut(table, project.pixel_format.bits, project.colour)


# Files


@dataclass(frozen=True)
class WriteLook(Task):
    """Write the look of a take to `looks/`, as it was rendered, and a picture of it before and after."""

    id: ClassVar[str] = "look_files"
    summary: ClassVar[str] = "writes looks/<take>.cube, .cdl and a picture before and after"
    stored: ClassVar[bool] = True

    @property
    def delivers(self) -> bool:
        """Always: what a take was given belongs to the delivery."""
        return True

    def run(
        self,
        clip: Clip,
        look: Look | None,
        creative: CreativeLut,
        rendered: RenderedClip,
        selection: Selection,
        project: ProjectFormat,
        stats: ColourStats | None,
        desk: Desk,
    ) -> LookFile:
        """Return the files: the table is the whole change, the creative LUT included; the CDL is the look alone."""
        stem = clip_stems(selection.selected)[clip.path]
        kept = any(fix.stage == MatchColour.fix and fix.kept for fix in rendered.fixes)
        if look is None or not kept:
            return LookFile((), stem, "", CdlFit(Cdl(), 0.0, 0.0))
        fit = look.nearest_cdl()
        notes = [note for note in (f"Look of {clip.path.name}", look.description) if note]
        own, both = baked(look, project.colour), None
        if not creative.identity:
            both = own.then(baked_creative(creative, project.colour))
        table, document = desk.scratch(".cube"), desk.scratch(".cdl")
        after = [f"The creative LUT {creative.name} is part of it."] if both else []
        write_cube(table, lattice_of(both or own), title=stem, notes=[*notes, *after, DOMAIN])
        write_cdl(document, fit.cdl, stem, [*notes, *cdl_notes(fit, creative.name)])
        names = {table: f"looks/{stem}.cube", document: f"looks/{stem}.cdl"}
        if stats is not None and len(stats.pictures):
            picture = desk.scratch(".png")
            picture.write_bytes(encode_image(before_and_after(look, stats), "png", project.colour))
            names[picture] = f"looks/{stem}.png"
        files = tuple(OutputFile(name, desk.publish(path, name)) for path, name in names.items())
        return LookFile(files, stem, look.description, fit)


def before_and_after(look: Look, stats: ColourStats) -> NDArray[np.uint8]:
    """Return the middle still of a take as it came, and beside it with its look: blue, green, red, uint8."""
    before = stats.pictures[len(stats.pictures) // 2]
    after = np.rint(look.apply(before / np.float32(255)) * 255).clip(0, 255).astype(np.uint8)
    gap = np.full((before.shape[0], 4, 3), 128, np.uint8)
    return np.ascontiguousarray(np.concatenate([before, gap, after], axis=1)[..., ::-1])


def lattice_of(transform: Transform) -> NDArray[np.float64]:
    """Return a transform at the points of a `.cube`, shape `(33, 33, 33, 3)` by red, green, blue."""
    axis = np.linspace(0.0, 1.0, CUBE_SIZE)
    return transform.apply(np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1))


def cdl_notes(fit: CdlFit, creative: str = "") -> list[str]:
    """Return what a reader of a CDL has to know."""
    notes = [DOMAIN]
    if fit.max_delta_e > 0:
        apart = f"ΔE00 {fit.mean_delta_e:.2f} on average, {fit.max_delta_e:.2f} at most"
        notes.append(f"The look is no CDL; this is the nearest: {apart}.")
    if creative:
        notes.append(f"The creative LUT {creative} comes after it.")
    return notes


@dataclass(frozen=True)
class LookCollection(Artifact):
    """The collection of all looks."""

    schema: ClassVar[str] = "postpipe.look-collection.1"
    files: tuple[OutputFile, ...]


@dataclass(frozen=True)
class CollectLooks(Task):
    """Write the CDLs of all takes into one file."""

    id: ClassVar[str] = "look_collection"
    summary: ClassVar[str] = "writes looks/<folder of takes>.ccc"
    scope: ClassVar[str] = "project"
    stored: ClassVar[bool] = True

    @property
    def delivers(self) -> bool:
        """Always: what a take was given belongs to the delivery."""
        return True

    def run(self, looks: Each[LookFile], desk: Desk) -> LookCollection:
        """Return the file, or none where no take has a look."""
        written = {path: look for path, look in looks.items() if look.files}
        if not written:
            return LookCollection(())
        name = f"looks/{min(written).parent.name or 'looks'}.ccc"
        path = desk.scratch(".ccc")
        corrections = {
            look.identifier: (look.fit.cdl, [note for note in (look.description, *cdl_notes(look.fit)) if note])
            for look in written.values()
        }
        write_ccc(path, corrections, [DOMAIN])
        return LookCollection((OutputFile(name, desk.publish(path, name)),))


STAGES = (MatchColour, ReadCreativeLut, ApplyCreativeLut, WriteLook, CollectLooks)
