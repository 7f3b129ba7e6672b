"""Write docs/figures.md from the committed results: `python -m benchmarks.figures`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from benchmarks import (
    figures_colour,
    figures_flicker,
    figures_handover,
    figures_lipsync,
    figures_marks,
    figures_upscale,
)
from benchmarks.common import RESULTS, ROOT

HEAD = """# Figures

Made by `python -m benchmarks.figures` from `benchmarks/results/`. Each section names the command that makes its
figures again. Speed is a ratio of processor time, measured in turns with the peer in one run; the machines differ,
so compare ratios, not seconds.
"""


def load(name: str) -> dict[str, Any] | None:
    """Return the results of one benchmark, or `None` where it has not been run."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def look(result: dict[str, Any]) -> Iterator[str]:
    """The look pass."""
    short, long = result["seconds_of_footage"]
    yield f"| marginal CPU of the look pass, {short} s to {long} s of 1080p H.264 | {result['ratio']}× | ≤ 1.15× |"


def process(result: dict[str, Any]) -> Iterator[str]:
    """Whole processes."""
    start, second = result["start_up"], result["second_run"]
    yield f"| `run` on a 1 s clip, compiled kernels at hand, CPU | {start['run_on_1_s_clip_cpu_seconds']} s | ≤ 1.5 s |"
    yield f"| `inspect` on a 1 s clip, CPU | {start['inspect_1_s_clip_cpu_seconds']} s | |"
    yield f"| the first run ever (kernels are compiled), CPU | {start['first_run_ever_cpu_seconds']} s | |"
    yield (
        f"| unchanged second run, CPU of the first's {second['first_run_cpu_seconds']} s "
        f"| {second['second_run_cpu_seconds']} s ({100 * second['share']:.1f} %) | ≤ 3 %, or start-up |"
    )
    help_ = result["help_against_python_c_pass"]["ratio"]
    yield f"| `postpipe --help` against `python -c pass`, CPU | {help_}× | ≤ 8× |"
    peaks = result["memory"]["peak_mb"]
    shown = ", ".join(f"{seconds}: {peak:.0f} MB" for seconds, peak in peaks.items())
    yield f"| peak memory of `run` on 1080p | {shown} ({result['memory']['ratio']}×) | < 1.10×, < 600 MB |"


def draft(result: dict[str, Any]) -> Iterator[str]:
    """Drafts against whole jobs."""
    for name, row in result["folders"].items():
        target = "≤ 15 %" if name == "sample_media" else ""
        spent = {who: min(seconds) for who, seconds in row["cpu_seconds"].items()}
        yield (
            f"| {name}: least CPU of a draft, of the whole job's {spent['whole']} s "
            f"| {spent['draft']} s ({100 * row['share']:.1f} %) | {target} |"
        )
        yield f"| … scenes of which it chooses the same take | {row['scenes_chosen_alike']} of {row['scenes']} | all |"
        estimate = row["estimate_of_actual"]
        cpu = " … ".join(
            f"{share:.2f}" for share in sorted({min(estimate["cpu_seconds"]), max(estimate["cpu_seconds"])})
        )
        frames = ", ".join(f"{estimate[key]:.2f}" for key in ("decoded_look", "decoded_render", "encoded"))
        yield (
            f"| … what it says of the whole job, as a share of what that took: CPU; frames to look, render, encode; "
            f"bytes | {cpu}; {frames}; {estimate['sequence_bytes']:.2f} | 1 |"
        )


def resume(result: dict[str, Any]) -> Iterator[str]:
    """Kills and damage."""
    faults = "; ".join(result["faults"]) or "none"
    yield (
        f"| {result['runs']} runs killed at random moments ({result['killed_before_the_end']} before their end, "
        f"{result['damaged_store']} with a store file damaged), then run again: faults | {faults} | none |"
    )


def edits(result: dict[str, Any]) -> Iterator[str]:
    """Random edits."""
    wrong = ", ".join(result["wrong"]) or "none"
    yield f"| {result['edits']} random edits (trims, handles, dissolves, fades, order, rates): wrong | {wrong} | none |"


def stills(result: dict[str, Any]) -> Iterator[str]:
    """Frames out and back."""
    right, back = result["extraction"], result["round_trip"]
    wrong = ", ".join(right["wrong"]) or "none"
    yield f"| {right['frames']} frames of {right['clips']} clips, against a decode of each: wrong | {wrong} | none |"
    yield (
        f"| frames decoded for them, of {right['frames_of_these_clips']} that these clips have "
        f"| {right['decoded_for_them']} | |"
    )
    for name in ("frame_count", "times", "sound"):
        differ, what = ", ".join(back[f"{name}_differs"]) or "none", name.replace("_", " ")
        yield f"| {back['clips']} clips taken apart and put together: {what} differs | {differ} | none |"
    differ = ", ".join(back["lossless_differs"]) or "none"
    yield f"| with `--codec lossless` ({back['compared']} with square pixels): picture differs | {differ} | none |"
    yield f"| with the default codec: least PSNR of a clip | {back['least_default_psnr_db']:.1f} dB | ≥ 50 dB |"


def quality(result: dict[str, Any]) -> Iterator[str]:
    """Quality checks against takecheck."""
    for kind, row in result["found"].items():
        theirs, too = row["takecheck"], row["of_the_untouched_clip_too"]
        said = f"takecheck {theirs}" + (f", {too} of them as of the untouched clip" if too else "")
        if kind not in result["takecheck_has"]:
            said = "takecheck has no such check"
        yield f"| planted in {row['planted']} clips: {kind} found | {row['ours']} | {said} |"
    yield f"| planted faults that takecheck alone finds | {len(result['found_by_takecheck_alone'])} | 0 |"
    alarms = result["false_alarms"]
    yield (
        f"| of {alarms['clips']} untouched clips, falsely said to freeze, repeat, be blank, flicker or lack "
        f"sound | {len(alarms['ours'])} | takecheck {len(alarms['takecheck'])} |"
    )
    alone = "; ".join(f"{clip}: {', '.join(names)}" for clip, names in alarms["of_ours_alone"].items()) or "nothing"
    yield f"| said of untouched clips by checks that takecheck does not have | {alone} | |"


def kernels(result: dict[str, Any]) -> Iterator[str]:
    """Kernels against their peers."""
    for row in result["kernels"]:
        yield (
            f"| {row['name']} | {row['dtype']} {row['shape'][1]}×{row['shape'][0]} | {row['peer']} "
            f"| {row['ours_ms']:.2f} ms | {row['peer_ms']:.2f} ms | {row['ratio']:.2f}× |"
        )


def cuts(result: dict[str, Any]) -> Iterator[str]:
    """Changes of shot."""
    for name, title in (("held_out", "held-out"), ("tuning", "tuning")):
        films = result[name]
        kinds = films["ours_by_kind"]
        for kind, what, least in (
            ("cut", "hard cuts, within a frame", "≥ .97"),
            ("dissolve", "dissolves", "≥ .85"),
            ("fade", "fades", ""),
        ):
            shown = " / ".join(f"{kinds[kind][score]:.3f}" for score in ("precision", "recall", "f1"))
            promised = least if name == "held_out" else ""
            label = f"{films['films']} films from {title} sources: {what}, precision / recall / F1"
            yield f"| {label} | {shown} | {promised} |"
        for who, row in films["hard_cuts"].items():
            best = "≤ the best peer" if who == "ours" and name == "held_out" else ""
            yield (
                f"| … boundaries by {'postpipe' if who == 'ours' else who}: F1 of hard cuts, false ones "
                f"| {row['f1']:.3f}, {row['false']} | {best} |"
            )
    for who, row in result["annotated_clips"].items():
        yield (
            f"| real clips seen by eye, {'postpipe' if who == 'ours' else who}: cuts found, missed, false "
            f"| {row['hit']}, {row['missed']}, {row['false']} | |"
        )
    for key, what in (("small_pictures", "small pictures"), ("shots", "finding the shots")):
        share = 100 * result["cost"][f"{key}_share_of_decode"]
        yield f"| CPU added to a look at 1080p: {what} | {share:.1f} % of decoding | |"


def chained(result: dict[str, Any]) -> Iterator[str]:
    """Joins of chained clips."""
    found, eased, wrong = result["chained"], result["eased"], result["step_error_points"]
    shown = f"{found['precision']:.3f} / {found['recall']:.3f}"
    files = len(result["files"])
    yield f"| {result['pairs']} joins of {files} held-out files: chained, precision / recall | {shown} | |"
    for name, what in (("as_it_was", "framed alike"), ("reframed", "reframed by up to 2 %")):
        hit, of = found["recall_by_framing"][name]
        yield f"| … {what}: said to be chained | {hit} of {of} | |"
    yield f"| … chained, but said that it cannot be told | {found['said_still_or_untold']} of {found['pairs']} | |"
    yield f"| duplicate frames counted, of these exactly | {found['counted']}, {found['counted_exactly']} | |"
    yield f"| duplicates seen where there are none | {result['dropped_where_nothing_is_doubled']} | none |"
    points = f"{wrong['median']:.2f}, {wrong['p95']:.2f}"
    yield f"| step of a channel, error in percentage points: median, 95th percentile | {points} | |"
    left = f"{eased['step_left_median_percent']:.2f} %, {eased['step_left_p95_percent']:.2f} %"
    before = f"{eased['step_before_percent']:.1f} %"
    yield f"| largest step of a channel left after easing (before: {before}): median, 95th percentile | {left} | |"
    touched, clean = result["clean_joins_touched"]
    yield f"| joins that are not chained: touched | {touched} of {clean} | none |"
    yield f"| films of the wrong length | {result['wrong_length']} | none |"


SECTIONS = (
    ("look", "The look pass against a bare decode", look),
    ("process", "Whole processes", process),
    ("draft", "Drafts", draft),
    ("resume", "Kills and damage", resume),
    ("cuts", "Shots within a take", cuts),
    ("chained", "Chained clips", chained),
    ("colour", "Colour matching", figures_colour.colour),
    ("edits", "Edits, to the frame and the sample", edits),
    ("screening", "Flash screening", figures_flicker.screening),
    ("flicker", "Flicker", figures_flicker.flicker),
    ("flicker_cost", "The cost of flicker", figures_flicker.flicker_cost),
    ("stills", "Frames out and back", stills),
    ("quality", "Quality checks on held-out clips, against takecheck", quality),
    ("provenance", "Provenance", figures_handover.provenance),
    ("marks", "Visible marks", figures_marks.marks),
    ("watermark", "Hidden marks", figures_marks.watermark),
    ("looks", "One look, three faces", figures_colour.looks),
    ("colour_speed", "Looks: speed", figures_colour.colour_speed),
    ("colour_memory", "Looks: memory", figures_colour.colour_memory),
    ("lipsync", "Lip sync", figures_lipsync.lipsync),
    ("lipsync_cost", "The cost of lip sync", figures_lipsync.lipsync_cost),
    ("lipsync_drift", "Sound that drifts from the lips", figures_lipsync.lipsync_drift),
    ("lipsync_mesh", "Lip sync with a face mesh", figures_lipsync.lipsync),
    ("lipsync_mesh_cost", "The cost of lip sync with a face mesh", figures_lipsync.lipsync_cost),
    ("colour_run", "A whole run with flicker and colour", figures_colour.colour_run),
    ("handover", "Timelines and looks in other programs", figures_handover.handover),
    ("timelines_in", "Cuts of other programs", figures_handover.timelines_in),
    ("upscale", "Upscaling", figures_upscale.upscale),
    ("upscale_run", "A whole run to 4K", figures_upscale.upscale_run),
    ("outside", "Outside programs", figures_handover.outside),
)


def page() -> str:
    """Return the page."""
    lines = [HEAD]
    for name, title, rows in SECTIONS:
        result = load(name)
        if result is not None:
            lines += [f"## {title}", "", f"`{result['command']}`", "", "| | measured | promised |", "|---|---|---|"]
            lines += [*rows(result), ""]
    result = load("kernels")
    if result is not None:
        lines += ["## Kernels", "", "`postpipe bench kernels --json`, one thread, user CPU; ratio = peer ÷ ours", ""]
        lines += [
            "| kernel | planes | peer | ours | peer's | ratio |",
            "|---|---|---|---|---|---|",
            *kernels(result),
            "",
        ]
    processors = {r["machine"]["processor"] for name, *_ in SECTIONS if (r := load(name))}
    lines.append(f"Measured on {' and '.join(sorted(processors))}, 2 cores, shared with other work.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "figures.md").write_text(page(), encoding="utf-8")
