"""The watched folder: each finished export once, none early, whatever is killed in between."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from postpipe.errors import DeliveryError, MachineError, TakeError, disk_errors
from postpipe.watching import Done, Ledger, Seen, Watch, open_for_writing, unfinished

ENDINGS = frozenset((".mp4", ".mkv"))


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def export(number: int) -> bytes:
    """An MP4 as muxers leave it: the index last."""
    return box(b"ftyp", b"isom") + box(b"mdat", bytes([number % 256]) * (200 + 7 * number)) + box(b"moov", b"x" * 40)


class Crash(BaseException):
    """The process is killed."""


class Scene:
    """A folder that fills slowly, and a processor that is killed now and then; time is counted in looks."""

    def __init__(self, root: Path, files: int, seed: int) -> None:
        self.folder = root / "exports"
        self.folder.mkdir()
        self.ledger = root / "out/.postpipe/watched.json"
        self.chance = random.Random(seed)
        self.now = 0.0
        self.processed: list[str] = []
        self.growing = {f"export {number}.mp4": export(number) for number in range(files)}
        self.begins = {name: self.chance.randint(0, 60) for name in self.growing}
        self.written = dict.fromkeys(self.growing, 0)

    def grow(self) -> None:
        """Write a little more of each file; the last one stops before its index."""
        for number, (name, content) in enumerate(self.growing.items()):
            end = len(content) - (20 if number == len(self.growing) - 1 else 0)
            done = self.written[name]
            if self.now >= self.begins[name] and done < end:
                step = self.chance.choice([0, 30, 90, 400])
                with (self.folder / name).open("ab") as file:
                    file.write(content[done : min(end, done + step)])
                self.written[name] = min(end, done + step)
                stamp = int((1_000_000 + self.now) * 1e9)
                os.utime(self.folder / name, ns=(stamp, stamp))

    def process(self, path: Path, out: str) -> None:
        assert path.read_bytes() == self.growing[path.name], f"{path.name} was taken too early"
        if self.chance.random() < 0.2:
            raise Crash
        assert out == path.stem
        self.processed.append(path.name)

    def watch(self, ledger: Ledger) -> Watch:
        return Watch(self.folder, ledger, self.process, endings=ENDINGS, settle_seconds=3, clock=lambda: self.now)


@pytest.mark.parametrize("seed", range(5))
def test_each_of_fifty_exports_once_and_none_early(seed: int, tmp_path: Path) -> None:
    scene = Scene(tmp_path, 50, seed)
    while scene.now < 160:
        with Ledger(scene.ledger) as ledger:
            watch = scene.watch(ledger)
            for _ in range(scene.chance.randint(1, 30)):  # until the next restart
                scene.now += 1
                scene.grow()
                try:
                    watch.step()
                except Crash:
                    break
    assert sorted(scene.processed) == sorted([*scene.growing][:-1])


def test_an_export_that_was_made_again_is_processed_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 0, 0)
    seen: list[bytes] = []
    scene.process = lambda path, out: seen.append(path.read_bytes())  # type: ignore[method-assign]
    with Ledger(scene.ledger) as ledger:
        for number in (3, 3, 4):
            (scene.folder / "film.mp4").write_bytes(export(number))
            stamp = number * 10**9
            os.utime(scene.folder / "film.mp4", ns=(stamp, stamp))
            for _ in range(6):
                scene.now += 1
                scene.watch(ledger).step()
            watch = scene.watch(ledger)
            for _ in range(6):
                scene.now += 1
                watch.step()
    assert seen == [export(3), export(4)]


def test_a_fault_is_noted_and_not_tried_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 0, 0)
    tries: list[str] = []

    def fail(path: Path, out: str) -> None:
        tries.append(out)
        raise TakeError(path, "is a still picture", "give a film")

    scene.process = fail  # type: ignore[method-assign]
    for name in ("a.mp4", "a.mkv", ".hidden.mp4", "notes.txt"):
        (scene.folder / name).write_bytes(export(1))
    for _ in range(3):
        with Ledger(scene.ledger) as ledger:
            watch = scene.watch(ledger)
            for _ in range(8):
                scene.now += 1
                watch.step()
    assert tries == ["a", "a.mp4"]
    assert "is a still picture" in scene.ledger.read_text(encoding="utf-8")


def test_what_the_machine_stands_in_the_way_of_is_tried_again_by_the_next_watch(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 0, 0)
    tries: list[str] = []

    def process(path: Path, out: str) -> None:
        tries.append(out)
        if len(tries) == 1:
            with disk_errors(tmp_path):
                raise OSError(errno.ENOSPC, "No space left on device")

    scene.process = process  # type: ignore[method-assign]
    (scene.folder / "a.mp4").write_bytes(export(1))

    def looks() -> None:
        with Ledger(scene.ledger) as ledger:
            watch = scene.watch(ledger)
            for _ in range(8):
                scene.now += 1
                watch.step()

    with pytest.raises(MachineError, match="the disk is full; free some space"):
        looks()
    looks()
    looks()
    assert tries == ["a", "a"]


def test_a_list_that_cannot_be_kept_is_said_and_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "watched.json"
    first, second = (Done(name, Seen(1, 2), "done", name) for name in ("a \udcff.mp4", "b.mp4"))
    with Ledger(path) as ledger:
        ledger.add(first)
        before = path.read_bytes()

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(MachineError, match=r"watched\.json: the list .* cannot be kept \(No space left"):
            ledger.add(second)
    assert path.read_bytes() == before
    assert {one.name for one in tmp_path.iterdir()} <= {path.name, "watched.lock"}
    with Ledger(path) as ledger:
        assert ledger.knows(first.name, first.seen)
    for blocked in (path / "watched.json", path / "below" / "watched.json"):
        with pytest.raises(MachineError, match="name another folder with -o"), Ledger(blocked):
            pass


def test_two_watchers_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        Ledger(tmp_path / "watched.json"),
        pytest.raises(DeliveryError, match="another postpipe watch"),
        Ledger(tmp_path / "watched.json"),
    ):
        pass


def test_a_broken_ledger_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "watched.json").write_text('{"files": [{"name": 3', encoding="utf-8")
    with Ledger(tmp_path / "watched.json") as ledger:
        assert ledger.folder("film.mp4") == "film"


@pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's")
def test_a_file_that_is_still_open_is_not_finished(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        file.write(export(1))
        file.flush()
        assert open_for_writing(path)
        assert unfinished(path) == "another program is writing it"
    assert unfinished(path) is None


def test_what_makes_an_export_unfinished(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    whole = export(9)
    boxes = [range(0, 12), range(12, 12 + 271), range(283, len(whole))]  # ftyp, mdat, moov
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        begun = [box for box in boxes if box.start + 8 <= end]  # whose size can be read
        missing = begun[-1].stop - end if begun else 0
        if not begun:
            reason = "nothing is in it yet"
        elif missing > 0:
            reason = f"at least {missing} bytes are missing at its end"
        else:
            reason = "it has no index (moov) yet"
        assert unfinished(path) == reason, end
    path.write_bytes(whole)
    assert unfinished(path) is None


WATCHER = """
import sys, time
from pathlib import Path
from postpipe.watching import Ledger, Watch
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
def process(path, name):
    content = path.read_bytes()
    time.sleep(0.005)
    kind = "x" if not (out / name).exists() else "w"  # like a run, which finds all of it in its store
    (out / f"{name}.tmp").write_bytes(content)
    (out / f"{name}.tmp").rename(out / name)
    with (out / "log.txt").open("a") as log:
        log.write(f"{kind} {path.name} {len(content)}\\n")
with Ledger(out / "watched.json") as ledger:
    watch = Watch(folder, ledger, process, endings=frozenset((".mp4",)), settle_seconds=0.15)
    while True:
        watch.step()
        time.sleep(0.02)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
def test_a_watcher_that_is_killed_again_and_again(tmp_path: Path) -> None:
    folder, out = tmp_path / "exports", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    (tmp_path / "watcher.py").write_text(textwrap.dedent(WATCHER), encoding="utf-8")
    command = [sys.executable, str(tmp_path / "watcher.py"), str(folder), str(out)]
    chance = random.Random(1)
    (folder / "partial.mp4").write_bytes(export(7)[:-20])
    whole = {f"film {number}.mp4": export(number) for number in range(50)}
    child = subprocess.Popen(command)
    try:
        for number, (name, content) in enumerate(whole.items()):
            with (folder / name).open("wb") as file:
                half = chance.randint(1, len(content) - 1)
                file.write(content[:half])
                file.flush()
                time.sleep(0.05 if number % 10 else 0.4)  # longer than a file takes to settle
                file.write(content[half:])
            if number % 8 == 7:
                child.send_signal(signal.SIGKILL)
                child.wait()
                child = subprocess.Popen(command)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (out / "watched.json").read_text().count('"done"') < 50:
            time.sleep(0.1)
        time.sleep(0.5)
    finally:
        child.kill()
        child.wait()
    log = [line.split(" ", 1) for line in (out / "log.txt").read_text(encoding="utf-8").splitlines()]
    assert {path.name: path.read_bytes() for path in out.glob("film *")} == {
        name.removesuffix(".mp4"): content for name, content in whole.items()
    }
    # what is killed between the end of a run and the note of it is run again, and finds all of it done
    again = sum(kind == "w" for kind, _ in log)
    assert again <= 6
    assert {text for _, text in log} <= {f"{name} {len(content)}" for name, content in whole.items()}
