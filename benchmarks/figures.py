"""Write docs/figures.md from the committed results: `python -m benchmarks.figures`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from benchmarks import figures_marks
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


def screening(result: dict[str, Any]) -> Iterator[str]:
    """Flash screening against what is expected."""
    for name, what in (
        ("cases_right", "synthetic cases"),
        ("iris_clips_right", "clips of EA IRIS, by its own results"),
    ):
        right, cases = result[name]
        yield f"| {what}: right in every rule | {right} of {cases} | all |"


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


def flicker(result: dict[str, Any]) -> Iterator[str]:
    """Flicker found and removed, on held-out segments."""
    floors = {"gain": ".17", "gamma": ".35", "temperature": ".20", "local": ".65"}
    auc_of = result["auc_gain"]["1 %"]
    shown = ", ".join(f"{name} {value:.3f}" for name, value in auc_of.items())
    segments = result["segments"]
    yield f"| {segments} held-out segments; random gain of 1 % told from what is none: AUC | {shown} | ≥ .97 |"
    for kind in ("gain 2 %", "temperature 2 %", "local 2 %", "local 4 %"):
        recall = result["recall"][kind]
        shown = f"{recall['at_5_percent_false']:.2f}; {recall['at_the_product_s_floor']:.2f}"
        least = "" if kind == "local 2 %" else "≥ .90"
        label = f"… {kind}: recall at 5 % false alarms; at the product's own floor"
        yield f"| {label} ({recall['false_at_that_floor']:.3f} false) | {shown} | {least} |"
    flash = result["flash_10_percent"]
    yield (
        f"| … a single frame 10 % brighter: recall, with its frame; false in {4 * segments} "
        f"| {flash['recall']:.2f}; {flash['false_in_negatives']} | ≥ .90 |"
    )
    yield (
        f"| … frequency of a sine of 2 %, within ±0.5 Hz; ±0.25 Hz "
        f"| {result['hz']['within_0.5']:.2f}; {result['hz']['within_0.25']:.2f} | ≥ .90 |"
    )
    for name, of in result["residual"].items():
        who = "**postpipe**" if name == "postpipe" else name
        shown = ", ".join(f"{kind} {value:.2f}" for kind, value in of.items())
        least = ", ".join(floors.values()) if name == "postpipe" else ""
        yield f"| … flicker that is left, {who} | {shown} | {least} |"
    for name, of in result["clean_psnr"].items():
        least = "≥ 60, none < 50" if name == "postpipe" else ""
        yield f"| … clean segments, {name}: PSNR, mean and least | {of['mean']:.1f}, {of['least']:.1f} dB | {least} |"
    yield f"| … clean segments that postpipe leaves bit for bit | {result['clean_bit_exact']} | |"
    kept = result["light_kept"]
    shown = "; ".join(f"{kept[kind]['mean']:.3f}, {kept[kind]['least']:.3f}" for kind in ("light", "light_gain"))
    yield f"| … light of 0.4 Hz that is kept, mean and least; with a gain of 2 % to remove | {shown} | ≥ .95 |"
    yield f"| … gain of 2 % that is left after the encoder | {result['gain_after_the_encoder']:.2f} | |"


def flicker_cost(result: dict[str, Any]) -> Iterator[str]:
    """What flicker costs."""
    look_share = 100 * result["look_share_of_decode"]
    yield f"| look: CPU of the analyser and its view, of decoding | {look_share:.1f} % | ≤ 8 % |"
    for name, share in result["shares"].items():
        words = {"gain": "gain alone", "whole": "gain and temperature", "local": "and regions"}
        kind, _, rest = name.partition(" ")
        yield f"| correcting every frame, {words[kind]}, {rest} | {100 * share:.1f} % | ≤ 8 % |"


def looks(result: dict[str, Any]) -> Iterator[str]:
    """The three faces of a look."""
    for peer, row in result["code_values_8_bit"].items():
        yield (
            f"| `.cube` through {peer} against the kernel, 8 bits, {result['looks']} looks: mean, p99 (of the worst "
            f"picture), largest difference | {row['mean']}, {row['p99']} ({row['p99_of_the_worst_picture']}), "
            f"{row['max']} codes | p99 ≤ 1 |"
        )
    outside = result["outside_the_cube_percent"]
    yield f"| … colours outside R'G'B', which a table cannot hold, left out | {outside} % | |"
    row = result["cdl_against_cube_delta_e"]
    yield f"| `.cdl` against `.cube`, ΔE00: mean, p99 | {row['mean']:.3f}, {row['p99']:.3f} | ≤ .05, ≤ .5 |"
    for bits, row in result["ramps"].items():
        yield (
            f"| smooth ramps of {bits}: of {row['steps']} steps of the exact result, rounded: lost, turned back "
            f"| {row['lost']}, {row['back']} | none |"
        )


def colour_speed(result: dict[str, Any]) -> Iterator[str]:
    """The look kernel."""
    for kind, row in result["kernel_against_lut3d"].items():
        yield (
            f"| {kind} 1080p, CPU of a frame never seen before, against ffmpeg lut3d "
            f"| {row['ours_ms']} ms, {row['ffmpeg_ms']} ms: {row['ratio']}× | ≥ 15× |"
        )
        yield f"| … more in the first second of a take | {row['learning_ms']} ms | |"
        alone, both = row["flicker_ms"], row["flicker_and_look_ms"]
        yield f"| … flicker's correction alone, with the look | {alone} ms, {both} ms | |"


def colour_memory(result: dict[str, Any]) -> Iterator[str]:
    """Memory with a look."""
    for bits, peaks in result["peak_mb"].items():
        yield (
            f"| peak memory of `run` on 1080p, delivered with {bits}: without a look, with one "
            f"| {peaks['plain']:.0f} MB, {peaks['look']:.0f} MB | < 600 MB |"
        )


def colour_run(result: dict[str, Any]) -> Iterator[str]:
    """A whole run."""
    yield (
        f"| {result['seconds_of_footage']} s of 1080p, flicker and colour, against a bare decode and a bare transcode "
        f"with the same settings, CPU | {result['ratio']}× | ≤ 1.12× |"
    )


def colour(result: dict[str, Any]) -> Iterator[str]:
    """Colour matching against known grades."""
    limits = {"same framing": "≤ 1.5", "70 % crops": "≤ 2.9", "disjoint halves": "≤ 4.2"}
    for column, row in result["columns"].items():
        ours = row["methods"]["postpipe"]["mean_delta_e"]
        rivals = {name: one["mean_delta_e"] for name, one in row["methods"].items() if name != "postpipe"}
        best = min(rivals, key=lambda name: rivals[name])
        shown = f"{ours:.2f} (do nothing {row['do_nothing']:.2f}; best of others: {best} {rivals[best]:.2f})"
        yield f"| {column}, {row['graded']} known grades: mean ΔE00 to truth | {shown} | {limits.get(column, '')} |"
        yield f"| … left alone | {row['left_alone']} of {row['graded']} | |"
    worse, ungraded = result["made_worse"], result["ungraded"]
    cases = "; ".join(worse["cases"]) or "none"
    yield f"| made worse than doing nothing by more than 0.5 ΔE00, of {worse['of']} | {cases} | ≤ 5 % |"
    shown = f"{ungraded['mean']:.2f}, {ungraded['largest']:.2f}"
    yield f"| ΔE00 added to clips without a grade: mean, largest | {shown} | ≤ 0.5 |"
    for name in result["columns"]["same framing"]["methods"]:
        if name != "postpipe":
            rows = [row["methods"][name] for row in result["columns"].values()]
            count = sum(row["graded"] for row in result["columns"].values())
            harm = sum(row["made_worse"] for row in rows)
            added = ", ".join(f"{row['added_to_ungraded']:.1f}" for row in rows)
            yield f"| … {name}: made worse; added to clips without a grade, row by row | {harm} of {count}; {added} | |"
    without = result["without_a_named_hero"]
    shown = ", ".join(f"{column} {value:.2f}" for column, value in without["mean_delta_e"].items())
    yield f"| where no hero is named: mean ΔE00 | {shown} | |"
    shown = f"{without['made_worse']}; {without['added_to_ungraded']:.2f}"
    yield f"| … made worse by more than 0.5 ΔE00; added to clips without a grade | {shown} | |"
    different = result["different_clips"]
    shown = "; ".join(different["matched"]) or "none"
    yield f"| … of {different['pairs']} pairs of different clips, taken for the same things | {shown} | none |"
    for column, row in result["skin"].items():
        shown = f"{row['before']:.2f}, {row['after']:.2f} ({row['made_worse']} of {row['cases']} worse)"
        yield f"| skin of the same person, {column}: ΔE00 before, after | {shown} | none worse |"
    flicker = "; ".join(f"{name} {value:.3f} %" for name, value in result["flicker_added_percent"].items())
    yield f"| exposure that changes from picture to picture by matching | {flicker} | one transform for a clip |"
    yield f"| CPU to match one clip with another | {result['cpu_seconds_a_pair']:.2f} s | |"


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


def upscale(result: dict[str, Any]) -> Iterator[str]:
    """Upscaling, against originals and peers."""
    for how, rows in result["quality"]["mean"].items():
        shown = "; ".join(f"{name} {row['ssim']:.4f}, {row['psnr_db']:.2f} dB" for name, row in rows.items())
        yield f"| reduced ({how}) and enlarged again, SSIM and PSNR of luma | {shown} | above all peers |"
        leads = result["quality"]["sharp_over_the_best_peer_of_each_clip"][how]
        worst = min(leads, key=lambda clip: leads[clip])
        lead = f"{leads[worst]:+.4f}"
        yield f"| … SSIM of the worst of {len(leads)} clips ({worst}) against the best peer | {lead} | ≥ -0.002 |"
    spent = result["frame_ms_1080p_to_2160p"]
    opencv = spent["cv2 Lanczos4"] / spent["lanczos"]
    yield f"| a frame from 1080p to 2160p, `lanczos` against OpenCV's Lanczos4, CPU | {opencv:.1f}× faster | ≥ 1.5× |"
    swscale = spent["sharp"] / spent["swscale lanczos"]
    yield f"| … `sharp` ({spent['sharp']:.1f} ms) against swscale's Lanczos, CPU | {swscale:.1f}× its cost | ≤ 4× |"


def upscale_run(result: dict[str, Any]) -> Iterator[str]:
    """A whole run to 4K."""
    yield f"| peak memory, {result['seconds']} s of 1080p to {result['size']} | {result['peak_mb']:.0f} MB | < 900 MB |"
    missing = f"{result['frames_missing']}, {result['sound_samples_missing']}"
    yield f"| frames and samples of sound that are missing | {missing} | 0, 0 |"


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


def lipsync(result: dict[str, Any]) -> Iterator[str]:
    """Offsets of speakers that nothing was learnt from."""
    for key, title, promised in (
        ("windows_10_s", "windows of 10 s (8 s of clips shorter than that)", "≥ 90 % / —"),
        ("windows_5_s", "windows of 5 s", "≥ 80 % / ≥ 88 %"),
        ("windows_5_s_generated", "of these, generated speakers", "better than each peer"),
        ("windows_5_s_others", "of these, filmed speakers", "better than each peer"),
    ):
        row = result[key]
        rows = {"ours": row, **row["peers"]}
        for who, figures in rows.items():
            limit = promised if who == "ours" else ""
            yield (
                f"| {title}, {row['speakers']} speakers: {who}, within 40 / 80 ms "
                f"| {figures['within_40_ms']} % / {figures['within_80_ms']} % | {limit} |"
            )
    for key, title, promised in (
        ("answers_10_s", "10 s", "≥ 80 %; ≥ 98 %"),
        ("answers_5_s", "5 s", "≥ 98 % of answers"),
    ):
        row = result[key]
        figures = f"{row['answered']} %; {row['answers_within_80_ms']} %"
        yield f"| answers given at {title}; of these within 80 ms | {figures} | {promised} |"
    nothing = result["nothing_to_measure"]
    for kind, share in nothing["not_measurable"].items():
        yield f"| not measurable: {kind}, {nothing['cases'][kind]} cases | {share} % | ≥ 95 % |"
    pair = result["same_picture_other_sound"]
    true = pair["sound_to_sound_ms"] - pair["picture_to_picture_ms"]
    yield (
        f"| `test_offset_5.avi` against `example.avi`: sound {-pair['sound_to_sound_ms']} ms later, picture "
        f"{-pair['picture_to_picture_ms']} ms later | {pair['difference_ms']} ms | {true} ± 40 ms |"
    )
    fixes = result["fixes"]
    share = fixes["end_within_45_early_and_125_late"]
    yield f"| known shifts put right to +45 / −125 ms, {fixes['takes']} takes | {share} % | ≥ 95 % |"
    yield f"| takes that were right, left alone | {fixes['right_takes_left_alone']} % | 100 % |"


def lipsync_cost(result: dict[str, Any]) -> Iterator[str]:
    """What lip sync costs."""
    ratio = result["ratio_to_ffmpeg"]
    yield f"| CPU of faces, lips and sound beyond a decode, 1080p | {ratio}× of ffmpeg's decode | ≤ 0.35× |"


SECTIONS = (
    ("look", "The look pass against a bare decode", look),
    ("process", "Whole processes", process),
    ("draft", "Drafts", draft),
    ("resume", "Kills and damage", resume),
    ("cuts", "Shots within a take", cuts),
    ("chained", "Chained clips", chained),
    ("colour", "Colour matching", colour),
    ("edits", "Edits, to the frame and the sample", edits),
    ("screening", "Flash screening", screening),
    ("flicker", "Flicker", flicker),
    ("flicker_cost", "The cost of flicker", flicker_cost),
    ("stills", "Frames out and back", stills),
    ("quality", "Quality checks on held-out clips, against takecheck", quality),
    ("provenance", "Provenance", provenance),
    ("marks", "Visible marks", figures_marks.marks),
    ("watermark", "Hidden marks", figures_marks.watermark),
    ("looks", "One look, three faces", looks),
    ("colour_speed", "Looks: speed", colour_speed),
    ("colour_memory", "Looks: memory", colour_memory),
    ("lipsync", "Lip sync", lipsync),
    ("lipsync_cost", "The cost of lip sync", lipsync_cost),
    ("lipsync_mesh", "Lip sync with a face mesh", lipsync),
    ("lipsync_mesh_cost", "The cost of lip sync with a face mesh", lipsync_cost),
    ("colour_run", "A whole run with flicker and colour", colour_run),
    ("handover", "Timelines and looks in other programs", handover),
    ("timelines_in", "Cuts of other programs", timelines_in),
    ("upscale", "Upscaling", upscale),
    ("upscale_run", "A whole run to 4K", upscale_run),
    ("outside", "Outside programs", outside),
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
