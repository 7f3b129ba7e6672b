"""Cuts, dissolves and fades against known truth, and PySceneDetect's detectors on the same frames.

Films are joined from real clips (see `benchmarks.joins`): one set from the sources that thresholds were set on, one
from others. A dissolve or fade counts as found where it covers half of what it and the truth cover together. For the
comparison every detector gives mere boundaries: one within a frame of a true cut is right, one within two frames of a
dissolve or fade is not wrong. Needs `scenedetect-headless`.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from scenedetect import FrameTimecode, detectors

from benchmarks.common import footage, record, workplace
from benchmarks.joins import HELD_OUT, TUNING, Change, Source, make_films
from postpipe.delivery import FrameTimes, Shot
from postpipe.engine.passes import look
from postpipe.media.probe import probe
from postpipe.media.read import PictureReader
from postpipe.stages.clock import Clock
from postpipe.stages.cuts import FindShots, SeeSmall, SmallPictures
from postpipe.stages.quality import WatchPicture

PEERS = ("ContentDetector", "AdaptiveDetector", "ThresholdDetector", "HashDetector", "HistogramDetector")
SEEDS = {"tuning": (TUNING, 1000), "held_out": (HELD_OUT, 9000)}

ANNOTATED: dict[str, tuple[tuple[int, ...], tuple[tuple[int, int], ...]]] = {
    "clean/bikes.mp4": ((30, 76, 137, 187, 242), ()),
    "clean/bigbuckbunny.mp4": ((), ()),
    "clean/carphone_pristine.mp4": ((), ()),
    "clean/testvideo.mp4": ((30, 180), ((204, 245), (330, 425), (525, 562), (664, 719))),
    "takes/luma_watermarked.mp4": ((), ()),
    "takes/origin_video_0.mp4": ((275,), ()),
    "takes/cogvideo_1.mp4": ((), ()),
    "takes/cogvideo_2.mp4": ((), ()),
    "takes/cogvideo_kitten.mp4": ((), ()),
    "takes/pika_share.mp4": ((), ()),
    "takes/sora_standard.mp4": ((), ()),
    "talking/example.avi": ((), ()),
    "talking/lp_d6.mp4": ((), ()),
    "talking/lp_d14.mp4": ((), ()),
    "talking/WDA_KatieHill_000.mp4": ((), ()),
    "talking/3qesirWAGt4_20000_30000.mp4": ((), ()),
    "flicker/chaplin.mp4": ((), ()),
    "flicker/concert_lighting.mp4": ((), ()),
    "flicker/intermitentEF.mp4": ((), ()),
    "odd/counter.mp4": ((10, 20), ()),
    "odd/fire2.mp4": ((), ()),
    "odd/goldeneye-vfr-drop3.mp4": ((60, 140), ()),
    "odd/issue-134-rotate.mp4": ((90, 210), ()),
    "odd/video_with_failing_audio.mp4": ((), ((180, 279),)),
    "c2pa/premiere-firefly.mp4": ((), ((23, 48),)),
}
"""Cuts, and dissolves and fades (first and last frame), as seen by eye."""


def find_shots(path: Path) -> tuple[Shot, ...]:
    """Return what the product finds in a file, through its own look pass."""
    pictures, times = _facts(path)
    return FindShots().run(pictures, times).shots


def _facts(path: Path) -> tuple[SmallPictures, FrameTimes]:
    (pictures, times), _ = look(probe(path, ""), [SeeSmall(), Clock()], threads=1, on_frame=lambda frames: None)
    assert isinstance(pictures, SmallPictures)
    assert isinstance(times, FrameTimes)
    return pictures, times


def as_changes(shots: Sequence[Shot]) -> Iterator[Change]:
    """Yield the changes of shot between shots."""
    for shot in shots:
        if shot.entry != "start":
            yield Change(shot.entry, shot.first, shot.first + max(0, shot.entry_frames - 1))
        if shot.exit_frames:
            yield Change("fade", shot.last - shot.exit_frames + 1, shot.last)


def peers(path: Path) -> dict[str, list[int]]:
    """Return the first frames of new scenes by each of PySceneDetect's detectors at its defaults."""
    found: dict[str, set[int]] = {name: set() for name in PEERS}
    running = {name: getattr(detectors, name)() for name in PEERS}
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate or Fraction(25)
        for index, frame in enumerate(container.decode(video=0)):
            place, picture = FrameTimecode(index, rate), frame.to_ndarray(format="bgr24")
            for name, detector in running.items():
                found[name].update(cut.frame_num for cut in detector.process_frame(place, picture))
    for name, detector in running.items():
        found[name].update(cut.frame_num for cut in detector.post_process(place))
    return {name: sorted(frames) for name, frames in found.items()}


# Scores


def count_kind(truth: Iterable[Change], found: Iterable[Change], kind: str) -> Counter[str]:
    """Count hits, misses and false ones of one kind, each matched once."""
    left = [change for change in found if change.kind == kind]
    counts: Counter[str] = Counter()
    for true in (change for change in truth if change.kind == kind):
        hit = next((change for change in left if _agree(true, change)), None)
        counts["hit" if hit else "missed"] += 1
        if hit:
            left.remove(hit)
    counts["false"] += len(left)
    return counts


def _agree(true: Change, found: Change) -> bool:
    if true.kind == "cut":
        return abs(true.first - found.first) <= 1
    common = min(true.last, found.last) - max(true.first, found.first) + 1
    return 2 * common >= max(true.last, found.last) - min(true.first, found.first) + 1


def count_boundaries(truth: Sequence[Change], traps: Sequence[Change], boundaries: Iterable[int]) -> Counter[str]:
    """Count true cuts that were hit and missed, and boundaries where nothing changes, of those the ones in traps."""
    cuts = [change.first for change in truth if change.kind == "cut"]
    counts: Counter[str] = Counter()
    for boundary in boundaries:
        hit = next((cut for cut in cuts if abs(cut - boundary) <= 1), None)
        if hit is not None:
            cuts.remove(hit)
            counts["hit"] += 1
        elif not any(change.first - 2 <= boundary <= change.last + 2 for change in truth):
            counts["false"] += 1
            inside = next((trap.kind for trap in traps if trap.first - 1 <= boundary <= trap.last + 2), None)
            counts[f"in {inside}" if inside else "elsewhere"] += 1
    counts["missed"] += len(cuts)
    return counts


def scores(counts: Counter[str]) -> dict[str, Any]:
    """Return precision, recall and F1, with the counts."""
    hit, false, missed = counts["hit"], counts["false"], counts["missed"]
    figures: dict[str, Any] = {
        "precision": round(hit / max(1, hit + false), 4),
        "recall": round(hit / max(1, hit + missed), 4),
        "f1": round(2 * hit / max(1, 2 * hit + false + missed), 4),
    }
    return figures | {name: counts[name] for name in ("hit", "false", "missed")}


# Measuring


def measure_films(media: Path, sources: Sequence[Source], count: int, seed: int) -> dict[str, Any]:
    """Score the product and its peers on films joined from some sources."""
    kinds: dict[str, Counter[str]] = {kind: Counter() for kind in ("cut", "dissolve", "fade")}
    boundaries: dict[str, Counter[str]] = {name: Counter() for name in ("ours", *PEERS)}
    traps: Counter[str] = Counter()
    frames = 0
    with workplace() as folder:
        for path, film in make_films(media, folder, sources, count, seed):
            shots = find_shots(path)
            frames += shots[-1].last + 1
            traps.update(trap.kind for trap in film.traps)
            for kind, counts in kinds.items():
                counts.update(count_kind(film.changes, as_changes(shots), kind))
            named = {"ours": [shot.first for shot in shots[1:]], **peers(path)}
            for name, firsts in named.items():
                boundaries[name].update(count_boundaries(film.changes, film.traps, firsts))
            path.unlink()
    return {
        "films": count,
        "frames": frames,
        "sources": sorted({source.file for source in sources}),
        "traps": dict(sorted(traps.items())),
        "ours_by_kind": {kind: scores(counts) for kind, counts in kinds.items()},
        "hard_cuts": {name: scores(counts) for name, counts in boundaries.items()},
        "false_in": {
            name: {key: n for key, n in sorted(counts.items()) if key.startswith(("in ", "elsewhere"))}
            for name, counts in boundaries.items()
        },
    }


def measure_annotated(media: Path) -> dict[str, Any]:
    """Score the product and its peers on the real clips that were looked at by eye, cuts alone."""
    boundaries: dict[str, Counter[str]] = {name: Counter() for name in ("ours", *PEERS)}
    for file, (cuts, gradual) in ANNOTATED.items():
        truth = [Change("cut", cut, cut) for cut in cuts] + [Change("dissolve", *span) for span in gradual]
        named = {"ours": [shot.first for shot in find_shots(media / file)[1:]], **peers(media / file)}
        for name, firsts in named.items():
            boundaries[name].update(count_boundaries(truth, [], firsts))
    return {name: scores(counts) for name, counts in boundaries.items()}


def measure_cost(runs: int) -> dict[str, float]:
    """Return what the shots add to a look at 1080p, as shares of the CPU time of decoding alone."""
    least = {
        "decode": float("inf"),
        "look": float("inf"),
        "look and small pictures": float("inf"),
        "shots": float("inf"),
    }
    with workplace() as folder:
        clip = probe(footage(folder / "footage.mp4", 10), "")
        for _, name in itertools.product(range(runs + 1), least):
            start = time.process_time()
            if name == "decode":
                with PictureReader(clip) as reader:
                    for _ in reader.frames():
                        pass
            elif name == "shots":
                pictures, times = _facts(clip.path)
                start = time.process_time()
                FindShots().run(pictures, times)
            else:
                small = [SeeSmall()] if name != "look" else []
                look(clip, [Clock(), WatchPicture(), *small], threads=1, on_frame=lambda frames: None)
            least[name] = min(least[name], time.process_time() - start)
    decode = least["decode"]
    return {
        "small_pictures_share_of_decode": round((least["look and small pictures"] - least["look"]) / decode, 4),
        "shots_share_of_decode": round(least["shots"] / decode, 4),
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, required=True, help="folder of real clips")
    parser.add_argument("--films", type=int, default=50, help="of each set")
    parser.add_argument("--runs", type=int, default=3, help="of the measurement of cost")
    options = parser.parse_args()
    figures: dict[str, Any] = {"what": "changes of shot in films joined from real clips, and in real clips"}
    figures["cost"] = measure_cost(options.runs)
    figures["annotated_clips"] = measure_annotated(options.media)
    for name, (sources, seed) in SEEDS.items():
        figures[name] = measure_films(options.media, sources, options.films, seed)
    record("cuts", f"python -m benchmarks.cuts --media DIR --films {options.films}", figures)


if __name__ == "__main__":
    main()
