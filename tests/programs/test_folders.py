"""Programs on folders of pictures: exact when they do nothing, batch by batch, faults in words."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from postpipe.errors import ProgramError
from postpipe.model import PIXEL_FORMATS
from postpipe.programs.folders import Batches, through_folders
from postpipe.programs.process import Surroundings, surrounded
from tests.programs.helpers import frames, rogue, same

BATCHES = Batches(frames=3, context=0, bits=8, size=(64, 48), layout=PIXEL_FORMATS["yuv420p"], timeout_seconds=10)


def called(name: str) -> Callable[[Path, Path, int], list[str]]:
    return lambda given, back, count: rogue(name, "frames", given, back)


@pytest.mark.parametrize(("layout", "bits"), [("yuv420p", 8), ("yuv420p", 16), ("yuv444p10le", 8), ("yuv422p10le", 16)])
@pytest.mark.parametrize("context", [0, 2, 5])
def test_doing_nothing_is_exact(layout: str, bits: int, context: int) -> None:
    batches = replace(BATCHES, layout=PIXEL_FORMATS[layout], bits=bits, context=context)
    made = list(through_folders("it", called("same"), frames(8, layout=layout), batches))
    assert len(made) == 8
    assert all(same(a, b) for a, b in zip(made, frames(8, layout=layout), strict=True))


def test_no_more_than_a_batch_lies_on_the_disk(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def command(given: Path, back: Path, count: int) -> list[str]:
        seen.append((count, sum(1 for path in tmp_path.rglob("*.png"))))
        return rogue("same", "frames", given, back)

    names = iter(range(1000))
    with surrounded(Surroundings(lambda: None, lambda suffix: tmp_path / f"{next(names)}{suffix}")):
        list(through_folders("it", command, frames(10), replace(BATCHES, context=1)))
    assert seen == [(4, 4), (5, 5), (5, 5), (2, 2)]
    assert list(tmp_path.iterdir()) == []


def test_neighbours_are_shown_and_not_taken(tmp_path: Path) -> None:
    """A program that blackens all but the middle of what it is given."""
    script = tmp_path / "blacken.py"
    script.write_text(
        "import sys, shutil, pathlib, cv2\n"
        "given, back = map(pathlib.Path, sys.argv[1:])\n"
        "files = sorted(given.iterdir())\n"
        "for number, file in enumerate(files):\n"
        "    edge = number in (0, len(files) - 1)\n"
        "    picture = cv2.imread(str(file))\n"
        "    cv2.imwrite(str(back / file.name), picture * 0 if edge else picture)\n"
    )
    command = lambda given, back, count: [sys.executable, str(script), str(given), str(back)]  # noqa: E731
    made = list(through_folders("it", command, frames(7), replace(BATCHES, context=1)))
    whole = [same(a, b) for a, b in zip(made, frames(7), strict=True)]
    assert whole == [False, True, True, True, True, True, False]  # the take itself has edges


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("hang", "has not finished 3 pictures within 1 s"),
        ("exit1", "ended with exit code 1.*cannot allocate the model"),
        ("killed", "was ended by SIGKILL; often because memory ran out"),
        ("short", "gave 2 pictures, and was given 3"),
        ("extra", "gave 4 pictures, and was given 3"),
        ("half", r"gave frame_000000\.png, which cannot be read \(damaged, or no picture\)"),
        ("grandchild", None),
        ("chatty", None),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_is_left(name: str, says: str | None, tmp_path: Path) -> None:
    numbers = iter(range(1000))
    with surrounded(Surroundings(lambda: None, lambda suffix: tmp_path / f"{next(numbers)}{suffix}")):
        batches = replace(BATCHES, timeout_seconds=1 if name == "hang" else 20)
        made = through_folders("it", called(name), frames(3 if name == "chatty" else 8), batches)
        if says is None:
            assert len(list(made)) in (3, 8)
        else:
            with pytest.raises(ProgramError, match=says):
                list(made)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_folder_that_cannot_be_written_is_said_and_cleaned_up(tmp_path: Path) -> None:
    missing = tmp_path / "no" / "such"
    with (
        surrounded(Surroundings(lambda: None, lambda suffix: missing / suffix)),
        pytest.raises(ProgramError, match=r"no place for the temporary files of it \(.*such: No such file"),
    ):
        list(through_folders("it", called("same"), frames(), BATCHES))
    with surrounded(Surroundings(lambda: None, lambda suffix: tmp_path / f"x{suffix}")):
        made = through_folders("it", called("unwritable"), frames(), BATCHES)
        if os.geteuid() == 0:  # to whom no permission is refused
            assert len(list(made)) == 8
        else:
            with pytest.raises(ProgramError, match="took its folder of pictures away"):
                list(made)
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(
        ProgramError, match=r"gave frame_000000\.png of 64 × 48 where 128 × 96 is expected; check its scale"
    ):
        list(through_folders("it", called("same"), frames(), replace(BATCHES, size=(128, 96))))
