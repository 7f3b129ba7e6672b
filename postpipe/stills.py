"""Stills: pictures taken out of takes, how they are named, and frames found again by the numbers in their names."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from postpipe.delivery import FrameTimes, OutputFile
from postpipe.model import Artifact
from postpipe.timing import format_rate, format_timecode, is_drop_frame, natural_key, parse_timecode

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]')
"""What a file name may not hold on some system: Windows' reserved characters, and bytes that are no Unicode."""
_LABEL_BYTES = 180
"""File systems take names of 255 bytes; the rest of a still's name needs 35."""
_STILL = re.compile(r"(?P<label>.*)_f(?P<frame>\d{6,})_\d\d-\d\d-\d\d-\d{2,3}(?!\d)")
_SHEET = re.compile(r"contact_sheet(_\d+)?\.jpg")


@dataclass(frozen=True)
class StillPlan(Artifact):
    """Which frames of a take become stills, rising, each with the reasons; `warnings` are places that it lacks."""

    schema: ClassVar[str] = "postpipe.still-plan.1"
    frames: tuple[tuple[int, tuple[str, ...]], ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Still:
    """One still: its file below OUT, its frame number, time and timecode, and why it was taken."""

    path: str
    frame: int
    pts_seconds: Fraction
    timecode: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Stills(Artifact):
    """The stills of one take, in order."""

    schema: ClassVar[str] = "postpipe.stills.1"
    files: tuple[OutputFile, ...]
    stills: tuple[Still, ...]
    warnings: tuple[str, ...]

    def summary(self) -> list[dict[str, Any]]:
        """Return what is shown of each still."""
        return [
            {
                "file": still.path,
                "frame": still.frame,
                "pts_seconds": format_rate(still.pts_seconds),
                "timecode": still.timecode,
                "reason": ", ".join(still.reasons),
            }
            for still in self.stills
        ]


# Names


def frame_timecode(times: FrameTimes, index: int, start_timecode: str | None = None) -> str:
    """Return the timecode of frame `index`, which names it in `FrameTimes.frame_at`; at a variable rate, the next one.

    `start_timecode` is the clip's own; one that does not fit the rate counts as none.
    """
    start = 0
    if start_timecode:
        with contextlib.suppress(ValueError):
            start = parse_timecode(start_timecode, times.rate)
    number = math.ceil((times.seconds(index) - times.seconds(0)) * times.rate) if times.vfr else index
    drop = start_timecode is not None and is_drop_frame(start_timecode)
    return format_timecode(start + number, times.rate, drop=drop)


def safe_label(stem: str) -> str:
    """Return a take's name as it may begin a file name anywhere: no reserved character, no leading dash or dot."""
    label = _UNSAFE.sub("_", unicodedata.normalize("NFC", stem)).strip(" .")
    label = "_" + label[1:] if label.startswith("-") else label
    return label.encode()[:_LABEL_BYTES].decode(errors="ignore") or "take"


def unique_labels(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the label of each take, made unique where two share it; case makes no difference."""
    labels: dict[Path, str] = {}
    taken: set[str] = set()
    for path in paths:
        own = safe_label(path.stem)
        numbered = (f"{own}-{number}" for number in itertools.count(2))
        label = next(one for one in itertools.chain([own], numbered) if one.casefold() not in taken)
        taken.add(label.casefold())
        labels[path] = label
    return labels


def still_name(label: str, frame: int, timecode: str, suffix: str) -> str:
    """Return `scene01_take02_f000036_00-00-01-12.png`."""
    return f"{label}_f{frame:06d}_{re.sub('[:;]', '-', timecode)}{suffix}"


def sheet_name(page: int) -> str:
    """Return the file name of a page of the contact sheet, counted from 1."""
    return "contact_sheet.jpg" if page == 1 else f"contact_sheet_{page}.jpg"


# Frames by the numbers in their names


@dataclass
class FrameFiles:
    """Picture files by frame number from 0. `first_number` is the number that frame 0 has in their names.

    `problems` names each file that cannot be placed, and `notes` says what was decided.
    """

    files: dict[int, Path]
    first_number: int
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def missing(self, frames: int) -> list[int]:
        """Return the numbers of the frames that have no file."""
        return [number for number in range(frames) if number not in self.files]


def number_frames(paths: Iterable[Path], frames: int, label: str = "", first_number: int | None = None) -> FrameFiles:
    """Tell from their names which frame of a clip of so many `frames` each picture file is.

    Stills as `still_name` names them carry the frame number (where there are those of several takes, the ones of
    `label` count). Other names are a sequence: one number in them changes from file to file. It starts at
    `first_number`, which is told by the numbers where it is not given: 0 where that occurs, else 1, or the lowest
    one where there are as many files as frames.
    """
    pictures = sorted((path for path in paths if not _SHEET.fullmatch(path.name)), key=lambda p: natural_key(p.name))
    stills = {path: match for path in pictures if (match := _STILL.match(path.stem))}
    if stills:
        numbers, found = _stills(stills, pictures, label)
    else:
        numbers, problems = _sequence(pictures)
        start = _first_number(list(numbers.values()), frames) if first_number is None else first_number
        found = FrameFiles({}, start, problems, [f"the numbers in the names are counted from {start}"])
    last = found.first_number + frames - 1
    if numbers and not any(found.first_number <= number <= last for number in numbers.values()):
        lowest, highest = min(numbers.values()), max(numbers.values())
        found.problems.append(
            f"the frames are numbered {lowest} to {highest}, and the clip has {frames}: name the number of its first "
            "frame with --start, or the right clip"
        )
        return found
    for path, number in numbers.items():
        if not found.first_number <= number <= last:
            found.problems.append(f"{path.name}: the clip ends with frame {last}; take the file away")
            continue
        first = found.files.setdefault(number - found.first_number, path)
        if first is not path:
            found.problems.append(f"{path.name}: is the same frame as {first.name}; keep one")
    return found


def _stills(
    stills: Mapping[Path, re.Match[str]], pictures: Iterable[Path], label: str
) -> tuple[dict[Path, int], FrameFiles]:
    """Return the numbers of stills named by `still_name`, also where a tool put words before or behind."""
    found = FrameFiles({}, 0)
    labels = Counter(match["label"] for match in stills.values())
    wanted = [one for one in labels if len(labels) == 1 or one == label] or [o for o in labels if o.endswith(label)]
    if len(wanted) != 1:
        listed = ", ".join(f"{one} ({count})" for one, count in sorted(labels.items()))
        found.problems.append(f"the frames belong to several takes: {listed}; leave those of one")
        return {}, found
    numbers = {path: int(match["frame"]) for path, match in stills.items() if match["label"] in wanted}
    found.problems += [f"{p.name}: its name holds no frame number; take it away" for p in pictures if p not in stills]
    if others := len(stills) - len(numbers):
        found.notes.append(f"{others} frames of other takes are left out")
    return numbers, found


def _sequence(pictures: Sequence[Path]) -> tuple[dict[Path, int], list[str]]:
    """Return the numbers of files that are named alike but for their number."""
    groups: dict[tuple[str, ...], dict[Path, list[str]]] = defaultdict(dict)
    for path in pictures:
        parts = re.split(r"(\d+)", path.stem)
        groups[tuple(parts[::2])][path] = parts[1::2]
    if not groups:
        return {}, []
    words, digits = max(groups.items(), key=lambda group: len(group[1]))
    others = [path for path in pictures if path not in digits]
    problems = [f"{path.name}: is not named like the other frames; take the file away" for path in others]
    if len(words) == 1:
        return {}, [*(f"{path.name}: its name holds no frame number" for path in digits), *problems]
    columns = [[int(number) for number in column] for column in zip(*digits.values(), strict=True)]
    changing = [column for column in columns if len(set(column)) > 1]
    counting = [column for column in changing if len(set(column)) == max(column) - min(column) + 1 == len(column)]
    if len(changing) > 1 and len(counting) != 1:
        example = next(iter(digits)).name
        return {}, [f"{example}: several numbers change in the names; name the frames 000001{Path(example).suffix} …"]
    column = counting[0] if len(changing) > 1 else (changing or columns[-1:])[0]
    return dict(zip(digits, column, strict=True)), problems


def _first_number(numbers: Sequence[int], frames: int) -> int:
    lowest, highest = min(numbers, default=0), max(numbers, default=0)
    if highest > frames and len(set(numbers)) == frames == highest - lowest + 1:
        return lowest
    return min(lowest, 1)


def as_ranges(numbers: Iterable[int]) -> str:
    """Return rising numbers as text: `3, 7–9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
