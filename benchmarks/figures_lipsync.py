"""What docs/figures.md says of lip sync."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


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


def lipsync_drift(result: dict[str, Any]) -> Iterator[str]:
    """Sound that drifts by known amounts."""
    takes, error, ends = result["drifting_takes"], result["error_ms_per_second"], result["left_at_either_end_ms"]
    most = max(abs(drift) for drift in result["drifts_ms_per_second"])
    yield f"| sound that drifts by up to {most:g} ms a second, {takes} takes: said so | {result['told']} of {takes} | |"
    yield f"| … error of the drift, median and largest | {error['median']} and {error['largest']} ms a second | |"
    yield f"| … mended; taken back | {result['mended']}; {result['taken_back']} | |"
    yield f"| … left at either end, median and largest | {ends['median']} and {ends['largest']} ms | ≤ 40 ms |"
    steady, jumping = result["steady_takes"], result["jumping_takes"]
    yield f"| sound that does not drift, {steady} takes: said to | {result['steady_said_to_drift']} | 0 |"
    yield f"| sound that jumps, {jumping} takes: said to drift | {result['jumps_said_to_drift']} | 0 |"
