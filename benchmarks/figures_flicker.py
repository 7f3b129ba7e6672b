"""What docs/figures.md says of flicker and flashes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def screening(result: dict[str, Any]) -> Iterator[str]:
    """Flash screening against what is expected."""
    for name, what in (
        ("cases_right", "synthetic cases"),
        ("iris_clips_right", "clips of EA IRIS, by its own results"),
    ):
        right, cases = result[name]
        yield f"| {what}: right in every rule | {right} of {cases} | all |"


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
