"""What docs/figures.md says of looks and colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


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
