"""Cuts of other programs: every clip is found in its own file or listed, and no more is decoded than the cut uses.

SAMPLES is a folder of .otio, .xml, .fcpxml and .edl files, such as the sample data of OpenTimelineIO and its plug-ins.
Files that the timelines name are played by headers alone, with the timecode and a length that hold what is used. Each
timeline is read against three folders: the files moved elsewhere; renamed as well, with their timecode kept and as many
files beside them that begin on other timecodes; and all lost but these others. A thousand made-up folders follow, and a
run of a cut that uses a tenth of its footage.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import unquote

from benchmarks.common import record, workplace
from postpipe import api
from postpipe.errors import DeliveryError
from postpipe.handover.find_media import find_media
from postpipe.handover.read import SUFFIXES, read_cut
from postpipe.handover.wanted import Wanted
from postpipe.handover.wanted_media import WantedMedia
from postpipe.timing import format_timecode, round_half_up
from tests.clips import make_clip
from tests.handover.test_find_media import Disk, disturbed, find, header
from tests.test_timelines import clip as clip_of
from tests.test_timelines import save

TAKES = Path("/takes")


def true_files(cut: Wanted) -> dict[WantedMedia, Any]:
    """Return a header for each file that a timeline names; none for clips without any name."""
    files: dict[WantedMedia, Any] = {}
    for clip in cut.clips:
        media = clip.media
        name = PureWindowsPath(unquote(media.url)).name or media.name or media.reel
        if media in files or not name:
            continue
        uses = [one for one in cut.clips if one.media == media]
        rate = clip.source.rate
        first = min(one.source.seconds(rate) for one in uses)
        last = max(one.source.seconds(rate) + (one.end - one.start) * one.speed for one in uses)
        start = media.start.seconds(rate) if media.start else Fraction(int(first))
        length = media.length.seconds(rate) if media.length else last - start + 2
        frames = max(round_half_up(length * rate), round_half_up((last - start) * rate) + 1)
        suffix = "" if PureWindowsPath(name).suffix else ".mov"
        timecode = format_timecode(round_half_up(start * rate), rate) if start else None
        files[media] = header(TAKES / f"{name}{suffix}", frames, rate, timecode)
    return files


def trial(cut: Wanted, folder: list[Any], truth: dict[WantedMedia, Path]) -> dict[str, int]:
    """Return how many clips were found in their own file, in another, and listed."""
    found, faults = find_media(
        cut, [one.path for one in folder], Path("/cuts"), Disk({one.path: one for one in folder})
    )
    right = sum(truth.get(cut.clips[number].media) == one.clip.path for number, one in found.items())
    return {"found": right, "wrong": len(found) - right, "listed": len(faults)}


def header_as(clip: Any, name: str) -> Any:
    """Return a file under another name."""
    return header(TAKES / name, clip.picture.declared_frames, clip.picture.rate, clip.start_timecode)


def samples(folder: Path) -> dict[str, Any]:
    """Return what became of the clips of every sample, in all."""
    names = ("moved", "renamed", "lost")
    totals = {name: {"found": 0, "wrong": 0, "listed": 0} for name in names}
    refused: dict[str, str] = {}
    clips = timelines = 0
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        try:
            cut = read_cut(path)[1]
        except DeliveryError as error:
            refused[path.name] = str(error).removeprefix(f"{path}: ").splitlines()[0]
            continue
        files = true_files(cut)
        others = [header(TAKES / f"other {n}.mov", 240, Fraction(24), f"{n:02d}:07:11:03") for n in range(9)]
        renamed = {media: header_as(one, f"renamed {n}.mov") for n, (media, one) in enumerate(files.items())}
        unique = {one.path: one for one in files.values()}
        rows = (
            trial(cut, list(unique.values()), {media: one.path for media, one in files.items()}),
            trial(cut, [*renamed.values(), *others], {media: one.path for media, one in renamed.items()}),
            trial(cut, others, {}),
        )
        for name, row in zip(names, rows, strict=True):
            totals[name] = {key: totals[name][key] + row[key] for key in row}
        clips += len(cut.clips)
        timelines += 1
    return {"timelines": timelines, "clips": clips, **totals, "refused": refused}


def made_up_folders() -> dict[str, int]:
    """Return what became of the clips in a thousand folders that somebody tidied up."""
    result = {"found": 0, "wrong": 0, "listed": 0}
    for seed in range(1000):
        timeline, files, truth = disturbed(seed)
        found, faults = find(timeline, *files)
        right = sum(one == truth[number] for number, one in found.items())
        result = {
            "found": result["found"] + right,
            "wrong": result["wrong"] + len(found) - right,
            "listed": result["listed"] + len(faults),
        }
    return result


def a_tenth() -> dict[str, int]:
    """Return the frames that a run decodes of a cut that uses a tenth of its footage, every stage on."""
    group, handle, used = 48, 12, 50
    with workplace() as folder:
        takes = folder / "takes"
        takes.mkdir()
        for number in range(5):
            options = {"g": str(group), "bf": "3", "preset": "veryfast"}
            make_clip(takes / f"take{number}.mp4", frames=500, seed=number, size=(160, 90), options=options)
        cut = save(folder / "cut.otio", [clip_of(f"take{n}.mp4", 60 + 83 * n, used) for n in range(5)])
        settings = {"sequence": {"handle_seconds": handle / 24}}
        frames = api.run(takes, folder / "out", timeline=cut, settings=settings).document()["frames"]
    return {
        "footage": 5 * 500,
        "used": 5 * used,
        "used_with_handles": 5 * (used + 2 * handle),
        "most": 5 * (used + 2 * handle + group),
        "decoded_look": frames["decoded_look"],
        "decoded_render": frames["decoded_render"],
        "rerendered": frames["rerendered"],
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", type=Path)
    folder: Path = parser.parse_args().samples
    figures = {"samples": samples(folder), "made_up_folders": made_up_folders(), "a_tenth": a_tenth()}
    record("timelines_in", "python -m benchmarks.timelines_in SAMPLES", figures)


if __name__ == "__main__":
    main()
