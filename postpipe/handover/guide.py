"""HANDOVER.txt: what is delivered, and how an editor opens it, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from postpipe.handover.timeline import Cut, Film

_PROGRAMS = """\
DaVinci Resolve   File > Import > Timeline: {stem}.xml. Switch "Automatically import source clips" on.
                  Or write an .otio of Resolve's own shape: postpipe export FOLDER --to resolve
Premiere Pro      File > Import: {stem}.xml (from 25.6 also {stem}.otio).
Final Cut Pro     File > Import > XML: {stem}.fcpxml.
Kdenlive          {stem}.otio (from 25.04), by Project > OpenTimelineIO Import.
Shotcut, melt     {stem}.mlt.
others            {stem}.edl: set the project's rate before importing, and conform by reel or file name.
"""

_LOOKS = """\
looks/ holds a table (.cube) and an ASC CDL (.cdl) for each clip with a look, and all CDLs together (.ccc). They are for
display-referred Rec. 709 pictures, full range: apply them as the only correction on a Rec. 709 timeline.

DaVinci Resolve   Project Settings > Color Management > Open LUT Folder; copy the folder looks there under a name of
                  its own, Update Lists, and choose each clip's table on the Color page. The EDL has the CDLs, too:
                  Timelines > Import > ColorTrace from CDL.
Premiere Pro      Lumetri Color > Basic Correction > Input LUT > Browse.
Final Cut Pro     the effect Custom LUT, with Rec. 709 as input and as output.
Shotcut, melt     the tables are in {stem}.mlt already.
"""


def handover_text(films: Mapping[str, Film], losses: Mapping[str, Sequence[str]]) -> str:
    """Return the text for timelines by the name of their files without ending; `losses` by whole file names."""
    lines: list[str] = []
    for stem, film in films.items():
        lines += [*_film(stem, film), ""]
        lines += ["What the formats leave out:", ""]
        for name, sentences in losses.items():
            if name.rpartition(".")[0] == stem:
                lines += [name, *(f"  - {sentence}" for sentence in sentences or ["nothing"])]
        lines.append("")
    lines += ["Open it", "-------", "", _PROGRAMS.format(stem=next(iter(films))), *_looks(films)]
    return "\n".join(lines).rstrip() + "\n"


def _film(stem: str, film: Film) -> Iterator[str]:
    cuts = [cut for lane in film.pictures for cut in lane.cuts]
    yield f"{stem}: {film.name}"
    yield "-" * len(f"{stem}: {film.name}")
    yield ""
    yield (
        f"{film.frames} frames of {film.size[0]} x {film.size[1]} at {float(film.rate):.5g} per second, "
        f"from {film.timecode(0)} to {film.timecode(film.frames)}"
    )
    if any(cut.look and not cut.look.baked for cut in cuts):
        yield "Pictures without their looks: each clip that names one is to be graded with it."
    elif not any(cut.look for cut in cuts):
        yield "Finished pictures: no clip has a look."
    else:
        yield "Finished pictures: clips have their looks already, which must not be applied again."
    yield from film.notes
    yield ""
    for cut in cuts:
        yield f"{film.timecode(cut.start)}  {cut.frames:5d} frames  {cut.media.file or cut.media.path}"
        yield from (f"{'':14}{word}" for word in _words(cut))


def _words(cut: Cut) -> Iterator[str]:
    handles = cut.first - cut.before, cut.media.frames - cut.first - cut.frames - cut.after
    if min(handles) > 0 or max(handles) > 0:
        yield f"handles: {int(handles[0])} frames before, {int(handles[1])} after"
    if cut.dissolve_in:
        yield f"dissolves in over {cut.dissolve_in.frames} frames"
    if cut.fade_in or cut.fade_out:
        yield f"fades: {cut.fade_in} frames in, {cut.fade_out} out"
    if cut.look and not cut.look.baked:
        apart = f", which differs by up to {cut.look.cdl_delta_e:.1f} (CIEDE2000)" if cut.look.cdl_delta_e else ""
        yield f"look: {cut.look.cube}, or {cut.look.cdl_file}{apart}"
    yield from cut.notes
    yield from (f"marker {mark.name}: {mark.comment}" for mark in cut.marks)


def _looks(films: Mapping[str, Film]) -> Iterator[str]:
    for stem, film in films.items():
        if any(cut.look and not cut.look.baked for lane in film.pictures for cut in lane.cuts):
            yield from ("Looks", "-----", "", _LOOKS.format(stem=stem))
            return
