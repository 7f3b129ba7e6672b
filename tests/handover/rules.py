"""The rules of two XML formats for the elements that postpipe writes, as their documents state them.

FCPXML: Apple's document type definition, version 1.10: which children an element has, in which order, and which
attributes. Final Cut Pro 7 XML: Apple's "Elements Catalog": which children each element may have and must have.
A checker yields a sentence for each violation, so a file that keeps the rules yields none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from xml.etree.ElementTree import Element

TIME = r"-?\d+(/\d+)?s"
ANY = r".*"
ZERO_ONE = "[01]"
COUNTING = "DF|NDF"
_ITEMS = "(audio|video|clip|title|mc-clip|ref-clip|sync-clip|asset-clip|audition|gap)"
_ANCHORED = "(audio|video|clip|title|caption|mc-clip|ref-clip|sync-clip|asset-clip|audition|spine)"
_MARKERS = "(marker|chapter-marker|rating|keyword|analysis-marker)"

FCPXML: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    # element: children in order, required attributes, others
    "fcpxml": ("(import-options )?(resources )?(library |(event )*)", {"version": r"1\.10"}, {}),
    "resources": ("((asset|effect|format|media|locator) )*", {}, {}),
    "library": ("((event|smart-collection) )*", {}, {"location": ANY}),
    "event": ("((clip|audition|mc-clip|ref-clip|sync-clip|asset-clip|project) )*", {}, {"name": ANY, "uid": ANY}),
    "project": ("sequence ", {}, {"name": ANY, "uid": ANY, "id": ANY, "modDate": ANY}),
    "format": (
        "",
        {"id": r"[A-Za-z_]\S*"},
        {
            "name": ANY,
            "frameDuration": TIME,
            "fieldOrder": ANY,
            "width": r"\d+",
            "height": r"\d+",
            "colorSpace": ANY,
        },
    ),
    "effect": ("", {"id": r"[A-Za-z_]\S*", "uid": ANY}, {"name": ANY, "src": ANY}),
    "asset": (
        "(media-rep )+(metadata )?",
        {"id": r"[A-Za-z_]\S*"},
        {
            "name": ANY,
            "uid": ANY,
            "start": TIME,
            "duration": TIME,
            "hasVideo": ANY,
            "format": ANY,
            "hasAudio": ANY,
            "videoSources": ANY,
            "audioSources": ANY,
            "audioChannels": ANY,
            "audioRate": ANY,
        },
    ),
    "media-rep": ("(bookmark )?", {"src": r"file:///[!-~]*"}, {"kind": "original-media|proxy-media"}),
    "sequence": (
        "(note )?spine (metadata )?",
        {"format": ANY},
        {
            "duration": TIME,
            "tcStart": TIME,
            "tcFormat": COUNTING,
            "audioLayout": "mono|stereo|surround",
            "audioRate": r"32k|44\.1k|48k|88\.2k|96k|176\.4k|192k",
        },
    ),
    "spine": (f"(({_ITEMS}|transition) )*", {}, {"lane": r"-?\d+", "offset": TIME, "name": ANY, "format": ANY}),
    "gap": (
        f"(note )?({_ANCHORED} )*({_MARKERS} )*(metadata )?",
        {"duration": TIME},
        {"name": ANY, "offset": TIME, "start": TIME, "enabled": ZERO_ONE},
    ),
    "asset-clip": (
        f"(note )?(conform-rate )?(timeMap )?(adjust-[a-zA-Z0-9-]+ )*({_ANCHORED} )*({_MARKERS} )*"
        "(audio-channel-source )*((filter-video|filter-video-mask) )*(filter-audio )*(metadata )?",
        {"ref": ANY},
        {
            "lane": r"-?\d+",
            "offset": TIME,
            "name": ANY,
            "start": TIME,
            "duration": TIME,
            "enabled": ZERO_ONE,
            "srcEnable": "all|audio|video",
            "format": ANY,
            "tcStart": TIME,
            "tcFormat": COUNTING,
        },
    ),
    "transition": (
        f"(filter-video )?(filter-audio )?({_MARKERS} )*(metadata )?(reserved )?",
        {"duration": TIME},
        {"name": ANY, "offset": TIME},
    ),
    "filter-video": ("(data )*(param )*", {"ref": ANY}, {"name": ANY, "enabled": ZERO_ONE}),
    "filter-audio": ("(data )?(param )*", {"ref": ANY}, {"name": ANY, "enabled": ZERO_ONE}),
    "conform-rate": (
        "",
        {},
        {
            "scaleEnabled": ZERO_ONE,
            "srcFrameRate": r"23\.98|24|25|29\.97|30|60|47\.95|48|50|59\.94",
            "frameSampling": ANY,
        },
    ),
    "marker": (
        "",
        {"start": TIME, "value": ANY},
        {"duration": TIME, "completed": ANY, "note": ANY},
    ),
    "note": ("", {}, {}),
}


def fcpxml_violations(root: Element) -> Iterator[str]:
    """Yield what breaks the document type definition, and times that are not on frames of what they count in."""
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    if len(ids) != len(set(ids)):
        yield "an id is used twice"
    for element in root.iter():
        rule = FCPXML.get(element.tag)
        if rule is None:
            yield f"{element.tag} is no element of the format, or none that is expected"
            continue
        children, required, others = rule
        order = "".join(f"{child.tag} " for child in element)
        if not re.fullmatch(children, order):
            yield f"{element.tag}: {order.split()} does not fit {children}"
        for name in required.keys() - element.attrib.keys():
            yield f"{element.tag}: {name} is missing"
        for name, value in element.attrib.items():
            pattern = required.get(name) or others.get(name)
            if pattern is None or not re.fullmatch(pattern, value, re.DOTALL):
                yield f"{element.tag}: {name}={value!r} is not allowed"
        for name in ("ref", "format"):
            if name in element.attrib and element.get(name) not in ids:
                yield f"{element.tag}: {name}={element.get(name)!r} is not defined"
    yield from _storyline_violations(root)


def _storyline_violations(root: Element) -> Iterator[str]:
    formats = {one.get("id"): seconds(one.get("frameDuration") or "1s") for one in root.iter("format")}
    sequence = next(root.iter("sequence"))
    frame = formats[sequence.get("format")]
    for spine in root.iter("spine"):
        position = None
        for item in spine:
            offset, duration = seconds(item.get("offset") or "0s"), seconds(item.get("duration") or "0s")
            if (offset / frame).denominator != 1 or (duration / frame).denominator != 1:
                yield f"{item.tag}: {item.get('offset')}, {item.get('duration')} is not on a frame"
            if item.tag != "transition":
                if position not in (None, offset):
                    yield f"{item.tag} begins at {offset}, and what is before it ends at {position}"
                position = offset + duration
    for clip in root.iter("asset-clip"):
        start = seconds(clip.get("start") or "0s")
        if (start / formats[clip.get("format")]).denominator != 1:
            yield f"{clip.get('name')}: {clip.get('start')} is not on a frame of the media"


def seconds(text: str) -> Fraction:
    """Return a time of FCPXML in seconds."""
    return Fraction(text.removesuffix("s"))


_RATE = "rate"
_CHARACTERISTICS = "rate width height anamorphic pixelaspectratio fielddominance colordepth codec depth samplerate"
FCP7: dict[str, tuple[str, str]] = {
    # element: required children, other children
    "xmeml": ("", "importoptions project bin clip sequence"),
    "sequence": ("name duration rate", "in out timecode media marker labels comment masterclipid ismasterclip uuid"),
    "media": ("", "video audio"),
    "video": ("", "format track samplecharacteristics duration stillframe"),
    "audio": ("", "format outputs track samplecharacteristics channelcount in out numOutputChannels layout"),
    "track": ("", "clipitem generatoritem transitionitem enabled locked outputchannelindex"),
    "clipitem": (
        "name duration rate",
        "start end in out enabled masterclipid ismasterclip subclipmasterclip file sourcetrack timecode marker "
        "labels comments logginginfo link syncoffset fielddominance pixelaspectratio anamorphic alphatype filter",
    ),
    "transitionitem": ("rate start end alignment effect", ""),
    "effect": (
        "name effectid effecttype mediatype",
        "effectcategory parameter wipecode wipeaccuracy startratio endratio reverse",
    ),
    "file": ("", "name pathurl rate duration timecode media width height"),
    "timecode": ("rate string frame displayformat", "source reel"),
    "rate": ("timebase ntsc", ""),
    "format": ("", "samplecharacteristics appspecificdata"),
    "samplecharacteristics": ("", _CHARACTERISTICS),
    "sourcetrack": ("mediatype trackindex", ""),
    "link": ("linkclipref", "mediatype trackindex clipindex groupindex"),
    "marker": ("name in out", "comment color"),
    "color": ("", "alpha red green blue"),
    "comments": ("", "mastercomment1 mastercomment2 mastercomment3 mastercomment4"),
}
FCP7_VALUES = {
    "timebase": r"\d+",
    "ntsc": "TRUE|FALSE",
    "enabled": "TRUE|FALSE",
    "locked": "TRUE|FALSE",
    "start": r"-1|\d+",
    "end": r"-1|\d+",
    "in": r"-1|\d+",
    "out": r"-1|\d+",
    "duration": r"\d+",
    "frame": r"\d+",
    "displayformat": "DF|NDF",
    "alignment": "start|center|end|start-black|end-black",
    "pathurl": r"file://[^/]*/[!-~]*",
    "mediatype": "video|audio",
    "string": r"\d\d:\d\d:\d\d[:;]\d\d",
}


def fcp7_violations(root: Element) -> Iterator[str]:
    """Yield what breaks the documented structure, clips that lie over each other, and points beyond the media."""
    items = [item.get("id") for item in root.iter("clipitem")]
    if len(items) != len(set(items)):
        yield "an id is used twice"
    for element in root.iter():
        tags = [child.tag for child in element]
        if element.tag in FCP7:
            required, others = (set(names.split()) for names in FCP7[element.tag])
            if element.tag != "file" or tags:  # a file that was described before is its id alone
                for name in required - set(tags):
                    yield f"{element.tag}: {name} is missing"
            for name in set(tags) - required - others:
                yield f"{element.tag}: {name} is not allowed in it"
        elif tags:
            yield f"{element.tag} holds {tags}, and should hold text"
        pattern = FCP7_VALUES.get(element.tag)
        if pattern and not tags and not re.fullmatch(pattern, element.text or ""):
            yield f"{element.tag}: {element.text!r} is not allowed"
    for link in root.iter("linkclipref"):
        if link.text not in items:
            yield f"{link.text} is linked, and is no clip"
    for track in root.iter("track"):
        yield from _track_violations(track)


def _track_violations(track: Element) -> Iterator[str]:
    parts = [part for part in track if part.tag in ("clipitem", "transitionitem")]
    position = 0
    for before, part, after in zip([None, *parts], parts, [*parts[1:], None], strict=False):
        start, end = (int(part.findtext(name) or 0) for name in ("start", "end"))
        if part.tag == "transitionitem":
            continue
        if start == -1:
            start = int(before.findtext("start") or 0) if before is not None else -1
        if end == -1:
            end = int(after.findtext("end") or 0) if after is not None else -1
        first, last = (int(part.findtext(name) or 0) for name in ("in", "out"))
        if last - first != end - start:
            yield f"{part.get('id')}: {last - first} frames of the media, {end - start} of the timeline"
        if not 0 <= first < last <= int(part.findtext("duration") or 0):
            yield f"{part.get('id')}: {first} to {last} is beyond the media"
        if start < position and (before is None or before.tag != "transitionitem"):
            yield f"{part.get('id')} lies over the clip before it"
        position = end
