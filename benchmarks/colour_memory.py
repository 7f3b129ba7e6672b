"""Peak memory of a whole run on 1080p, without a look and with one."""

from __future__ import annotations

from benchmarks.colour_speed import LOOK
from benchmarks.common import POSTPIPE, footage, record, spend, workplace
from postpipe.handover.cube import write_cube
from postpipe.stages.conform import DELIVERY_COLOUR
from postpipe.stages.looks import baked, lattice_of


def main() -> None:
    """Measure and record."""
    peaks: dict[str, dict[str, float]] = {}
    with workplace() as folder:
        takes = folder / "takes"
        takes.mkdir()
        footage(takes / "scene01_take01.mp4", 4)
        write_cube(takes / "look.cube", lattice_of(baked(LOOK, DELIVERY_COLOUR)), title="look")
        for turn in ("warm", "measured"):  # compiling takes memory of its own
            for bits in ("8", "10"):
                for name, settings in (("plain", []), ("look", ["--colour-creative-lut", "look.cube"])):
                    out = folder / f"{turn} {bits} {name}"
                    command = [*POSTPIPE, "run", takes, "-o", out, "--deliver-preset", "veryfast"]
                    spent = spend([*command, "--deliver-bits", bits, *settings])
                    assert spent.exit_code == 0
                    peaks.setdefault(f"{bits} bits", {})[name] = round(spent.peak_mb, 1)
    record("colour_memory", "python -m benchmarks.colour_memory", {"peak_mb": peaks})


if __name__ == "__main__":
    main()
