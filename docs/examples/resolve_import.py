"""Import a delivery of postpipe into DaVinci Resolve Studio, with its looks as LUTs or CDLs on the clips.

    python resolve_import.py OUT [--cdl]

OUT is the folder of `postpipe run TAKES -o OUT --handover-ungraded true`: its ungraded timeline is imported, and each
clip gets the look that the delivery renders. Without it the finished timeline is imported, whose clips have their
looks already. Resolve Studio must be running, and its Preferences must allow external scripting; or run it from
Workspace > Scripts. It needs nothing but Python.

Source of the calls: README.txt of Resolve's Developer/Scripting folder, versions 16.2 to 21.
"""

import json
import os
import shutil
import sys
from pathlib import Path

MODULES = {
    "darwin": "/Library/Application Support/Blackmagic Design/DaVinci Resolve/Developer/Scripting/Modules",
    "win32": r"%PROGRAMDATA%\Blackmagic Design\DaVinci Resolve\Support\Developer\Scripting\Modules",
    "linux": "/opt/resolve/Developer/Scripting/Modules",
}
LUTS = {
    "darwin": "/Library/Application Support/Blackmagic Design/DaVinci Resolve/LUT",
    "win32": r"%PROGRAMDATA%\Blackmagic Design\DaVinci Resolve\Support\LUT",
    "linux": "/opt/resolve/LUT",
}


class ImportFailed(Exception):
    """What went wrong, in words."""


def connect():
    """Return the running Resolve."""
    sys.path.append(os.path.expandvars(MODULES.get(sys.platform, MODULES["linux"])))
    import DaVinciResolveScript

    resolve = DaVinciResolveScript.scriptapp("Resolve")
    if resolve is None:
        raise ImportFailed("Resolve does not answer: start DaVinci Resolve Studio and allow external scripting")
    return resolve


def import_delivery(resolve, out, lut_folder, use_cdl=False):
    """Import a delivery into the current project; return the timeline, and how many clips got a look."""
    out = Path(out)
    project = resolve.GetProjectManager().GetCurrentProject()
    if project is None:
        raise ImportFailed("no project is open in Resolve: open one, of the rate of the film")
    stem = "timeline-ungraded" if (out / "timeline-ungraded.xml").is_file() else "timeline"
    clips = read_clips(out / f"{stem}.otio")
    options = {"timelineName": unused_name(project, f"{out.name} {stem}"), "importSourceClips": True}
    timeline = project.GetMediaPool().ImportTimelineFromFile(str(out / f"{stem}.xml"), options)
    if not timeline:
        raise ImportFailed(f"{out / stem}.xml: Resolve did not import it; is it the project's rate?")
    project.SetCurrentTimeline(timeline)
    items = timeline.GetItemListInTrack("video", 1) or []
    if len(items) != len(clips):
        raise ImportFailed(f"Resolve has {len(items)} clips, the delivery {len(clips)}: no looks were set")
    if not use_cdl:
        install_luts(out, clips, Path(lut_folder))
        project.RefreshLUTList()  # Resolve takes no LUT that it has not seen
    looked = 0
    for item, clip in zip(items, clips):
        if clip["look"] is None or clip["look"]["baked"]:
            continue
        if item.GetName() not in (clip["name"], Path(clip["name"]).stem):
            raise ImportFailed(f"{item.GetName()!r} stands where {clip['name']!r} should: its look was not set")
        done = item.SetCDL(cdl_map(clip["cdl"])) if use_cdl else graph(item).SetLUT(1, lut_name(out, clip))
        if not done:
            raise ImportFailed(f"{clip['name']}: Resolve did not take its look; set it by hand from {out / 'looks'}")
        looked += 1
    return timeline, looked


def read_clips(path):
    """Return name, look and CDL of the clips in the first video track of an .otio file, which is JSON."""
    tracks = json.loads(path.read_text(encoding="utf-8"))["tracks"]["children"]
    children = next(track for track in tracks if track["kind"] == "Video")["children"]
    found = []
    for child in children:
        if child["OTIO_SCHEMA"].startswith("Clip."):
            own = child["metadata"].get("postpipe", {})
            found.append({"name": child["name"], "look": own.get("look"), "cdl": child["metadata"].get("cdl")})
    return found


def install_luts(out, clips, lut_folder):
    """Copy the tables to where Resolve finds them."""
    for clip in clips:
        if clip["look"] and clip["look"]["cube"]:
            target = lut_folder / lut_name(out, clip)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(out / clip["look"]["cube"], target)


def lut_name(out, clip):
    """Return the name of a clip's table below the LUT folder."""
    return f"postpipe/{out.resolve().name}/{Path(clip['look']['cube']).name}"


def graph(item):
    """Return what takes LUTs: since Resolve 19 the node graph of an item, before that the item itself."""
    nodes = item.GetNodeGraph() if hasattr(item, "GetNodeGraph") else None
    return nodes or item


def cdl_map(cdl):
    """Return a CDL as SetCDL wants it."""
    words = {name.capitalize(): " ".join(str(value) for value in cdl["asc_sop"][name]) for name in cdl["asc_sop"]}
    return {"NodeIndex": "1", **words, "Saturation": str(cdl.get("asc_sat", 1.0))}


def unused_name(project, name):
    """Return a name that no timeline of the project has: Resolve refuses a second one of the same."""
    taken = {project.GetTimelineByIndex(n + 1).GetName() for n in range(project.GetTimelineCount())}
    numbered = (f"{name} {number}" for number in range(2, 1000))
    return next(one for one in (name, *numbered) if one not in taken)


def main():
    """Import what the command line names."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--cdl"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    luts = os.path.expandvars(LUTS.get(sys.platform, LUTS["linux"]))
    try:
        timeline, looked = import_delivery(connect(), arguments[0], luts, use_cdl="--cdl" in sys.argv)
    except (ImportFailed, OSError, ImportError) as error:
        sys.exit(f"resolve_import: {error}")
    print(f"{timeline.GetName()}: imported, {looked} clips with a look")


if __name__ == "__main__":
    main()
