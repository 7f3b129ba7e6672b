"""The look pass against a bare decode by ffmpeg: marginal processor time on 1080p H.264.

The slope between a short and a long clip takes the start-up of both programs out.
"""

from __future__ import annotations

import argparse

from benchmarks.common import POSTPIPE, alternate, ffmpeg, footage, least, record, workplace


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, nargs=2, default=(20, 120))
    options = parser.parse_args()
    short, long = options.seconds
    with workplace() as folder:
        clips = {seconds: footage(folder / f"{seconds}.mp4", seconds) for seconds in (short, long)}
        commands = {}
        for seconds, clip in clips.items():
            commands[f"ours {seconds}"] = [*POSTPIPE, "inspect", "--json", clip]
            commands[f"ffmpeg {seconds}"] = [ffmpeg(), "-v", "error", "-i", clip, "-an", "-f", "null", "-"]
        alternate(commands, 1)  # warm: kernels, disk
        spent = alternate(commands, options.runs)
    assert all(one.exit_code == 0 for runs in spent.values() for one in runs)
    slopes = {who: least(spent[f"{who} {long}"]) - least(spent[f"{who} {short}"]) for who in ("ours", "ffmpeg")}
    pairs = [
        (spent[f"ours {long}"][n].cpu_seconds - spent[f"ours {short}"][n].cpu_seconds)
        / (spent[f"ffmpeg {long}"][n].cpu_seconds - spent[f"ffmpeg {short}"][n].cpu_seconds)
        for n in range(options.runs)
    ]
    record(
        "look",
        "python -m benchmarks.look",
        {
            "what": "marginal CPU of the look pass ÷ ffmpeg -an -f null, 1080p H.264, slope between two lengths",
            "seconds_of_footage": [short, long],
            "ratio": round(slopes["ours"] / slopes["ffmpeg"], 3),
            "ratio_of_each_pair": [round(pair, 3) for pair in pairs],
            "cpu_seconds": {name: [round(one.cpu_seconds, 3) for one in runs] for name, runs in spent.items()},
        },
    )


if __name__ == "__main__":
    main()
