"""Kill a run at random moments, run it again, and compare with a run that nobody killed.

Also damages files of the store at random. Every delivered byte must be the same in the end, no unit that was
finished may be encoded again, and no partial file may be visible at any time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import av

from benchmarks.common import POSTPIPE, ROOT, record, workplace
from postpipe.finished import UNSIGNED

RECORDS = (".json", ".jsonl", ".lock")
OPTIONS = ["--deliver-preset", "medium", "--deliver-unit-seconds", "1", "--json"]


def delivered(out: Path) -> dict[str, str]:
    """Return the digests of everything that is visible in OUT but records; of the film, before it was signed."""
    files = [p for p in out.rglob("*") if p.is_file() and ".postpipe" not in p.parts and p.suffix not in RECORDS]
    unsigned = {p: out / UNSIGNED / p.name for p in files if p.name == "sequence.mp4"}
    return {str(p.relative_to(out)): hashlib.sha256(unsigned.get(p, p).read_bytes()).hexdigest() for p in files}


def units(out: Path) -> set[str]:
    """Return the names of the finished units."""
    return {p.name for p in (out / ".postpipe" / "store" / "units").rglob("*.json")}


def playable(out: Path) -> bool:
    """Whether every visible film can be decoded to its end."""
    for path in out.rglob("*.mp4"):
        if ".postpipe" not in path.parts:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                if sum(1 for _ in container.decode(stream)) != stream.frames:
                    return False
    return True


def main() -> None:
    """Kill, resume, compare and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    takes = ROOT / "sample_media"
    with workplace() as folder:
        out = folder / "out"  # one for all: timelines name files by their path
        start = time.monotonic()
        subprocess.run([*POSTPIPE, "run", takes, "-o", out, *OPTIONS], capture_output=True, check=False)
        seconds = time.monotonic() - start
        wanted = delivered(out)
        faults: list[str] = []
        killed = 0
        for number in range(options.kills):
            shutil.rmtree(out)
            process = subprocess.Popen(
                [*POSTPIPE, "run", takes, "-o", out, *OPTIONS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(dice.uniform(0.3, seconds * 1.05))
            killed += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
            if not playable(out):
                faults.append(f"kill {number}: a partial film is visible")
            before = units(out)
            store = [p for p in (out / ".postpipe" / "store").rglob("*") if p.is_file() and "tmp" not in p.parts]
            damaged = dice.choice(store) if store and number % 2 else None
            if damaged is not None:
                data = bytearray(damaged.read_bytes())
                position = dice.randrange(len(data))
                if dice.random() < 0.5:
                    data[position] ^= 1 << dice.randrange(8)
                else:
                    del data[position:]
                damaged.write_bytes(data)
            done = subprocess.run([*POSTPIPE, "run", takes, "-o", out, *OPTIONS], capture_output=True, check=False)
            account = json.loads(done.stdout)
            if delivered(out) != wanted:
                faults.append(f"kill {number}: other bytes than the run that nobody killed")
            lost = 1 if damaged is not None and "units" in damaged.parts else 0
            new = len(units(out) - before)
            at_most = sum(sorted((24 + 12 for _ in range(new + lost)), reverse=True))
            if account["frames"]["encoded"] > at_most:
                faults.append(f"kill {number}: {account['frames']['encoded']} frames encoded for {new} new units")
            if list((out / ".postpipe").rglob("tmp/*/*")):
                faults.append(f"kill {number}: temporary files were left behind")
    record(
        "resume",
        "python -m benchmarks.resume",
        {"runs": options.kills, "killed_before_the_end": killed, "damaged_store": options.kills // 2, "faults": faults},
    )


if __name__ == "__main__":
    main()
