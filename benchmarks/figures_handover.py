"""What docs/figures.md says of what other programs are given, and give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def timelines_in(result: dict[str, Any]) -> Iterator[str]:
    """Cuts of other programs."""
    row = result["samples"]
    yield (
        f"| {row['clips']} clips of {row['timelines']} sample timelines of OpenTimelineIO and its plug-ins, "
        f"files moved: found, listed, wrong "
        f"| {row['moved']['found']}, {row['moved']['listed']}, {row['moved']['wrong']} | 0 wrong |"
    )
    for name, words in (("renamed", "renamed, beside others"), ("lost", "lost, others in their place")):
        found = row[name]
        yield f"| … {words} | {found['found']}, {found['listed']}, {found['wrong']} | 0 wrong |"
    row = result["made_up_folders"]
    yield f"| a thousand made-up folders | {row['found']}, {row['listed']}, {row['wrong']} | 0 wrong |"
    row = result["a_tenth"]
    yield (
        f"| a cut that uses {row['used']} of {row['footage']} frames ({row['used_with_handles']} with handles): "
        f"decoded to look, to render | {row['decoded_look']}, {row['decoded_render']} "
        f"| ≤ {row['most']} (one group of pictures more a clip) |"
    )


def handover(result: dict[str, Any]) -> Iterator[str]:
    """Timelines and looks in other programs."""
    for name, row in result["melt"].items():
        yield (
            f"| `timeline.mlt` rendered by melt against `sequence.mp4`, {name}: frames (as many in both); PSNR of the "
            f"whole film, of the median frame, of the worst | {row['frames']}; {row['whole_film_db']}, "
            f"{row['median_frame_db']}, {row['least_frame_db']} dB | ≥ 45 dB |"
        )
    row = result["looks"]
    shown = ", ".join(
        f"{name} {row[name]['p99']} ({row[name]['p99_of_the_worst_clip']}), {row[name]['max']}"
        for name in ("luma", "chroma")
    )
    yield (
        f"| ungraded pictures of {row['clips']} matched takes through their `.cube` in ffmpeg, against the delivered "
        f"ones: p99 (of the worst clip), largest difference in 8-bit codes | {shown} | p99 ≤ 1 |"
    )
    yield f"| … luma without the table, p99 | {row['luma_without_the_table_p99']} codes | |"
    yield f"| … colours outside R'G'B', which a table cannot hold, left out | {row['outside_the_cube_percent']} % | |"
    row = result["unchanged_run_cpu_seconds"]
    yield (
        f"| an unchanged run, CPU: timelines written again, as stored, switched off | {row['written']:.2f}, "
        f"{row['stored']:.2f}, {row['off']:.2f} s | |"
    )


def provenance(result: dict[str, Any]) -> Iterator[str]:
    """Verdicts, tampering, cost."""
    agreement = result["agreement"]
    agree = f"{agreement['agree']} of {agreement['files']} files"
    yield f"| state and codes are those of the C2PA library | {agree} | all |"
    for name, row in result["tampering"].items():
        named = f"{row['flips_accepted']}; {row['flips_named_as_content']}"
        yield f"| {name}: {row['flips']} bits flipped in media data: accepted; named as content | {named} | 0; all |"
        edits = len(row["edits"])
        yield f"| … {edits} other edits (index moved, cut off, put elsewhere): accepted | {row['edits_accepted']} | 0 |"
    cost = result["cost"]
    for row in cost["rows"]:
        yield (
            f"| {row['takes']} {row['material']}, {row['megabytes']:.0f} MB with clips and film: signed and read "
            f"again, CPU; to SHA-256 | {row['cpu_seconds']:.2f} s; {row['ratio']:.2f} | ≤ 4 for 50 takes |"
        )
    yield f"| CPU per byte, 50 takes to 5 | {cost['seconds_per_byte_at_50_to_5']:.2f} | linear |"


def outside(result: dict[str, Any]) -> Iterator[str]:
    """Outside programs."""
    pipe, folders, made = result["pipe"], result["folders"], result["upscaled"]
    ours = pipe["hook_ms_per_frame"]
    yield f"| a 1080p frame through a pipe to a program that does nothing, CPU of both | {ours} ms | |"
    yield f"| … against writing and reading the pipe alone, into one buffer | {pipe['ratio']}× | ≤ 1.15× |"
    yield f"| … into one buffer, by pipes that hold 1 MB, as ours do | {pipe['ratio_to_larger_pipes']}× | |"
    yield f"| … likewise, each picture into memory of its own, as frames are | {pipe['ratio_to_new_memory']}× | |"
    yield f"| a 1080p frame of noise out as PNG and back, CPU | {folders['cpu_ms_per_frame']:.0f} ms | |"
    most, batch = folders["most_given_at_once"], folders["batch"]
    yield f"| pictures given at once, in batches of {batch} | {most} | {batch} |"
    what = f"{made['seconds']} s of 1080p to {made['size']} by a program on a pipe"
    yield f"| peak memory, {what} | {made['peak_mb']} MB | < 900 MB |"
    missing = made["expected_frames"] - made["frames"], made["seconds"] * 48000 - made["audio_samples"]
    yield f"| frames and samples of sound that are missing | {missing[0]}, {missing[1]} | 0, 0 |"
