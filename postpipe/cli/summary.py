"""The account of a run on a terminal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from postpipe.lipsync import right
from postpipe.timing import natural_key

FLICKER_PERCENT = 0.4  # below it nobody sees flicker, and clean clips stay below it
LIKELY = 0.5  # an offset that is more likely right than wrong is worth a word
NAMED = 3  # files in one line
DRIFT_PERCENT = 20.0  # of exposure or saturation, from the first to the last second: seen side by side


def print_summary(document: dict[str, Any], out: Path) -> None:
    """Print what was chosen and delivered."""
    console = Console(highlight=False, soft_wrap=True)
    _table(console, sorted(document["takes"], key=_place))
    sequence, frames, draft = document["sequence"], document["frames"], document["draft"]
    if sequence is None:
        films = [take for take in document["takes"] if take["selected"]]
        console.print(f"{out / 'clips'}: {len(films)} films, {frames['delivered']} frames in all", markup=False)
    else:
        _print_sequence(console, sequence, out)
    _print_fixes(console, document["takes"])
    if draft is not None:
        _print_draft(console, draft)
    console.print(
        f"frames decoded to look {frames['decoded_look']}, to render {frames['decoded_render']}, "
        f"encoded {frames['encoded']}"
        + (f", rendered again {frames['rerendered']}" if frames["rerendered"] else "")
        + ("" if frames["decoded_look"] or frames["decoded_render"] else " (nothing had changed)"),
        markup=False,
    )


def _place(take: dict[str, Any]) -> tuple[object, int]:
    """Return what takes are sorted by: scene, and number of the take, however files are named."""
    return natural_key(take["scene"] or take["file"]), take["take"] or 0


def _print_sequence(console: Console, sequence: dict[str, Any], out: Path) -> None:
    loudness = "silent" if sequence["loudness_lufs"] is None else f"{sequence['loudness_lufs']:.1f} LUFS"
    console.print(
        f"{out / sequence['file']}: {sequence['size'].replace('x', '×')}, {sequence['frames']} frames at "
        f"{_rate(sequence['rate'])} fps, {sequence['seconds']:.3f} s, sound {loudness}",
        markup=False,
    )
    chained = [join for join in sequence["joins"] if join["kind"] == "chained"]
    if chained:
        dropped, steps = sum(join["dropped_frames"] for join in chained), sum(j["step_stands_out"] for j in chained)
        console.print(
            f"{len(chained)} of {len(sequence['joins'])} joins chained: {dropped} duplicate frames dropped, "
            f"{steps} steps of exposure",
            markup=False,
        )
    signed = sequence["provenance"]["signed_with"]
    if signed is not None:
        console.print(f"C2PA: the film is signed {_SIGNED[signed]}", markup=False)
    for warning in sequence["warnings"]:
        console.print(f"{sequence['file']}: {warning}", style="yellow", markup=False)


def _print_fixes(console: Console, takes: list[dict[str, Any]]) -> None:
    """Print how many takes have each fix, and where one did not help; each by the name that `--only` takes."""
    for word, kept in (("fixes", True), ("fixes that did not help, taken back", False)):
        count = Counter(fix["stage"] for take in takes for fix in take["fixes"] if fix["kept"] is kept)
        if count:
            counted = ", ".join(f"{stage} ({number})" for stage, number in sorted(count.items()))
            console.print(f"{word}: {counted}", markup=False)


def _print_draft(console: Console, draft: dict[str, Any]) -> None:
    """Print that this is a draft, and what the whole job would cost on this machine."""
    full = draft["estimate"]
    console.print(
        f"DRAFT: {draft['seconds']:.1f} s at {draft['size']}; in full {full['seconds']:.1f} s at {full['size']}: "
        f"{full['decoded_look']} frames to look at, {full['encoded']} to encode, about "
        f"{_duration(full['cpu_seconds'])} of processor time, a film of about {full['sequence_bytes'] / 1e6:.1f} MB "
        f"and {full['disk_bytes'] / 1e6:.1f} MB on the disk",
        style="bold",
        markup=False,
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def print_takes(takes: list[dict[str, Any]]) -> None:
    """Print what was found in each take."""
    _table(Console(highlight=False, soft_wrap=True), takes)


def print_gate(takes: list[dict[str, Any]]) -> None:
    """Print which takes the gate lets pass, and each reason why it does not."""
    console = Console(highlight=False, soft_wrap=True)
    passed = 0
    for take in takes:
        failures = [] if take["skipped"] else take["facts"]["gate"]["failures"]
        reasons = [f"{miss['name']}: {miss['found']}; expected {miss['expected']}" for miss in failures]
        if take["skipped"]:
            reasons = [f"skipped: {take['skipped']['reason']}"]
        passed += not reasons
        for reason in reasons:
            console.print(f"FAIL {take['file']}: {reason}", style="red", markup=False)
        if not reasons:
            console.print(f"pass {take['file']}", style="green", markup=False)
    console.print(f"gate: {passed} of {len(takes)} takes pass", markup=False)


def _table(console: Console, takes: list[dict[str, Any]]) -> None:
    """Print a line for each take, then the warnings and the reasons for skipping."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for title in ("", "scene", "#", "take", "size, fps", "quality", "what was found"):
        table.add_column(title, overflow="fold")
    for take in takes:
        table.add_row(*_row(take))
    console.print(table)
    alike: dict[str, list[str]] = {}  # what is said of many takes is said once
    for take in takes:
        for warning in take["warnings"]:
            alike.setdefault(warning, []).append(take["file"])
    for warning, files in alike.items():
        more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
        console.print(f"{', '.join(files[:NAMED])}{more}: {warning}", style="yellow", markup=False)
    for take in takes:
        if take["skipped"]:
            console.print(f"{take['file']}: skipped: {take['skipped']['reason']}", style="red", markup=False)


def _row(take: dict[str, Any]) -> list[Text]:
    if take["skipped"]:
        cells = ["✗", take["scene"] or "", "", take["file"], "", "", "skipped"]
        return [Text(cell, style="red") for cell in cells]
    media, facts = take["media"], take["facts"]
    picture = f"{media['width']}×{media['height']} {_rate(media['rate'])}{' VFR' if media['vfr'] else ''}"
    quality = facts.get("scores", {}).get("quality")
    mark = "▶" if take["selected"] else " "
    rank = "" if take["rank"] is None else str(take["rank"])
    cells = [mark, take["scene"] or "", rank, take["file"], picture, "" if quality is None else f"{quality:.2f}"]
    return [
        Text(cell, style="bold" if take["selected"] else "") for cell in (*cells, "; ".join(findings(take)) or "clean")
    ]


def _rate(text: str) -> str:
    numerator, denominator = map(int, text.split("/"))
    return f"{numerator / denominator:.5g}"


def findings(take: dict[str, Any]) -> list[str]:
    """Return what a person should know about a take, in words."""
    facts = take["facts"]
    quality, sound = facts.get("quality", {}), facts.get("sound", {})
    counts = ((len(quality.get(key, ())), word) for key, word in _COUNTED)
    found: list[str] = [f"{count} {word} frame{'s' if count > 1 else ''}" for count, word in counts if count]
    found += [f"frames {first}–{last} frozen" for first, last in quality.get("frozen", [])]
    for run in quality.get("replayed", []):
        found.append("frames {}–{} shown again at {}–{}".format(*run["shown_before"], *run["frames"]))
    found += [f"jumps at frame {frame}" for frame in quality.get("jumps", [])]
    found += [f"frames {first}–{last} soft" for first, last in quality.get("soft", [])]
    for what in ("exposure", "saturation"):
        drift = quality.get(f"{what}_drift_percent") or 0.0
        if abs(drift) >= DRIFT_PERCENT:
            found.append(f"{what} drifts by {drift:+.0f} %")
    bars = {side: width for side, width in quality.get("black_bars", {}).items() if width}
    if bars:
        found.append("black bars " + ", ".join(f"{side} {width} px" for side, width in bars.items()))
    for kind, word in (("global", "flicker"), ("temperature", "flicker of colour")):
        flicker = facts.get("flicker", {}).get(f"{kind}_percent") or 0.0
        if flicker >= FLICKER_PERCENT:
            found.append(f"{word} {flicker:.1f} %")
    if facts.get("screening", {}).get("result") == "fail":
        found.append("flashes: may harm photosensitive viewers")
    found += [f"sound missing {start:.2f}–{end:.2f} s" for start, end in sound.get("dropouts", [])]
    if sound.get("stops_seconds") is not None:
        found.append(f"sound stops at {sound['stops_seconds']:.2f} s")
    if sound.get("silent") is None:
        found.append("no sound")
    elif sound["silent"]:
        found.append("silent")
    found += _lip_sync(take)
    found += [_MARKS[kind] for kind in dict.fromkeys(mark["kind"] for mark in facts.get("marks", []))]
    broken = facts.get("settings", {}).get("broken", [])
    return found + [f"{miss['name']} {miss['found']}, not {miss['expected']}" for miss in broken]


def _lip_sync(take: dict[str, Any]) -> list[str]:
    """Return how early or late the sound is where that is seen, and what became of it in a take that is delivered."""
    facts = take["facts"].get("lipsync", {})
    offset, unsure = facts.get("offset_ms"), ""
    if facts.get("reason") == "unsure" and facts["confidence"] >= LIKELY:
        offset, unsure = facts["guess_ms"], "perhaps "
    drift = facts.get("drift_ms_per_second")
    if drift is not None:
        what = f"sound gets {'earlier' if drift > 0 else 'later'} by {abs(drift):.1f} ms a second"
    elif offset is not None and not right(offset):
        what = f"sound {unsure}{abs(offset):.0f} ms {'early' if offset > 0 else 'late'}"
    else:
        return []
    if not take["selected"] or take["render"] is None:
        return [what]
    fix = next((fix for fix in take["fixes"] if fix["stage"] == "lipsync" and fix["kept"]), None)
    if fix is not None:
        return [f"{what}, {'moved by your own number' if fix['parameters']['mode'] == 'own number' else 'put right'}"]
    because = take["sound_shift"] and take["sound_shift"]["left_because"]
    return [f"{what}, left so" + (f": {because}" if because else "")]


_SIGNED = {
    "development": "with a development certificate, which vouches for nobody",
    "certificate": "with your certificate",
    "command": "by your program",
}
_MARKS = {"static": "visible mark", "moving": "visible mark that moves", "hidden": "hidden mark"}
_COUNTED = (
    ("black_frames", "black"),
    ("white_frames", "white"),
    ("duplicate_frames", "duplicate"),
    ("damaged_frames", "damaged"),
)
