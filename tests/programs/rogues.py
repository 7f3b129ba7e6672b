"""Programs that stand in for the user's: one that does what it should, and ones that do not. `python rogues.py NAME …`.

As a pipe: NAME pipe FRAME_BYTES; for folders and files: NAME frames|file INPUT OUTPUT.
"""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path


def piped(name: str, size: int) -> None:
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    number = 0
    while frame := source.read(size):
        match name:
            case "hang" if number == 3:
                time.sleep(600)
            case "exit1" if number == 3:
                print("cannot allocate the model", file=sys.stderr)
                sys.exit(1)
            case "short" if number == 3:
                sys.exit(0)
            case "killed" if number == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            case "slow":
                time.sleep(0.2 + number)
            case "nan" if number == 3:
                frame = struct.pack("<f", float("nan")) + frame[4:]
            case "half" if number == 3:
                sink.write(frame[: size // 2])
                sys.exit(0)
            case "wrong-size":
                frame = frame[: size * 3 // 4]
            case "chatty":
                sys.stderr.buffer.write(b"step of a long log\n" * 110_000)
            case "double":
                sink.write(frame)
            case "invert":
                frame = bytes(255 - value for value in frame)
        sink.write(frame)
        sink.flush()
        number += 1
    if name == "extra":
        sink.write(bytes(size))
    if name == "lingers":
        sink.flush()
        os.close(1)
        time.sleep(600)
    if name == "chatty":
        print("the last line", file=sys.stderr)
    if name == "exit-late":
        sys.exit(3)


def with_paths(name: str, given: Path, back: Path) -> None:
    pictures = sorted(given.iterdir()) if given.is_dir() else [given]
    match name:
        case "hang":
            time.sleep(600)
        case "exit1":
            print("cannot allocate the model", file=sys.stderr)
            sys.exit(1)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "chatty":
            sys.stderr.buffer.write(b"step of a long log\n" * 2_800_000)
        case "short":
            pictures = pictures[:-1]
        case "grandchild":
            subprocess.Popen(["sleep", "600.75"])
    for picture in pictures:
        target = back / picture.name if back.is_dir() else back
        if name == "half":
            target.write_bytes(picture.read_bytes()[:200])
        else:
            shutil.copy(picture, target)
    if name == "extra":
        shutil.copy(pictures[0], back / "zz_999999.png")
    if name == "unwritable":
        back.chmod(0)
        given.chmod(0)


if __name__ == "__main__":
    if sys.argv[2] == "pipe":
        piped(sys.argv[1], int(sys.argv[3]))
    else:
        with_paths(sys.argv[1], Path(sys.argv[3]), Path(sys.argv[4]))
