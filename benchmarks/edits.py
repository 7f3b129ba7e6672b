"""Random edits against an expectation worked out by hand: `python -m benchmarks.edits`.

Takes carry the number of their scene and of each frame as black and white blocks, and the number of each sample as
its value. What is delivered is read back and compared with the frame and the sample that have to be there.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.common import record, workplace
from postpipe import api

SIZE, BLOCK = (64, 48), 16
BITS = (SIZE[0] // BLOCK) * (SIZE[1] // BLOCK)  # 12: 4 for the scene, 8 for the frame
SOUND_HZ = 8000
RATES = [Fraction(24), Fraction(25), Fraction(30), Fraction(12), Fraction(30000, 1001)]


@dataclass(frozen=True)
class Take:
    """A coded take."""

    scene: int
    frames: int
    rate: Fraction

    @property
    def name(self) -> str:
        """The file's name without suffix."""
        return f"scene{self.scene:02d}"


def coded(scene: int, frame: int) -> np.ndarray:
    """Return luma that shows the bits of both numbers as blocks."""
    number = scene << 8 | frame
    bits = [(number >> bit) & 1 for bit in range(BITS)]
    blocks = np.array(bits, np.uint8).reshape(SIZE[1] // BLOCK, SIZE[0] // BLOCK) * 200 + 20
    return np.kron(blocks, np.ones((BLOCK, BLOCK), np.uint8))


def read_code(luma: np.ndarray) -> tuple[int, int]:
    """Return scene and frame from a picture."""
    rows, columns = SIZE[1] // BLOCK, SIZE[0] // BLOCK
    means = luma[: SIZE[1], : SIZE[0]].reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))
    number = sum(int(mean > 120) << bit for bit, mean in enumerate(means.ravel()))
    return number >> 8, number & 0xFF


def write_take(folder: Path, take: Take) -> None:
    """Write a take: MOV with H.264 without loss, and PCM in which sample n has the value n."""
    with av.open(str(folder / f"{take.name}.mov"), "w") as container:
        picture = container.add_stream("libx264", rate=take.rate)
        picture.width, picture.height, picture.pix_fmt = *SIZE, "yuv420p"
        picture.options = {"qp": "0", "preset": "ultrafast", "bf": "2", "g": "9"}
        for name in ("colorspace", "color_primaries", "color_trc", "color_range"):
            setattr(picture.codec_context, name, 1)
        sound = container.add_stream("pcm_s16le", rate=SOUND_HZ, layout="mono")
        for index in range(take.frames):
            frame = av.VideoFrame(*SIZE, "yuv420p")
            for number, plane in enumerate(frame.planes):
                data = coded(take.scene, index) if number == 0 else np.full((plane.height, plane.width), 128, np.uint8)
                np.ndarray(data.shape, np.uint8, memoryview(plane), 0, (plane.line_size, 1))[:] = data
            frame.pts, frame.time_base = index, 1 / take.rate
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        samples = np.arange(-(-take.frames * SOUND_HZ // take.rate), dtype=np.int16)[None]
        block = av.AudioFrame.from_ndarray(samples, "s16", "mono")
        block.sample_rate, block.pts, block.time_base = SOUND_HZ, 0, Fraction(1, SOUND_HZ)
        container.mux(sound.encode(block))
        container.mux(sound.encode(None))


@dataclass(frozen=True)
class Expected:
    """One event: the source frame of each delivered frame, where it starts in its take and in the film."""

    take: Take
    source: list[int]
    first: int
    start: int
    lead: int
    fade_in: int
    fade_out: int
    head: list[int]
    tail: list[int]


def random_edit(takes: list[Take], draw: random.Random) -> dict[str, Any]:
    """Return settings of a random edit."""
    rate = draw.choice(RATES)
    edit: dict[str, dict[str, Any]] = {}
    for take in takes:
        entry = edit.setdefault(take.name, {})
        length = Fraction(take.frames) / take.rate
        if draw.random() < 0.7:
            entry["in"] = draw.choice([f"{draw.randrange(8)}f", round(float(length) * draw.random() * 0.3, 3)])
        if draw.random() < 0.7:
            entry["out"] = f"{take.frames - draw.randrange(8)}f"
        if draw.random() < 0.3 and take is not takes[0]:
            entry["dissolve_seconds"] = draw.choice([0.0, 0.125, 0.2])
    order = [take.name for take in takes]
    draw.shuffle(order)
    for name in order[:1]:  # nothing stands before the first
        edit[name].pop("dissolve_seconds", None)
    sequence = {
        "order": order,
        "dissolve_seconds": draw.choice([0.0, 0.0, 0.16]),
        "handle_seconds": draw.choice([0.0, 0.25]),
        "fade_in_seconds": draw.choice([0.0, 0.1]),
        "fade_out_seconds": draw.choice([0.0, 0.1]),
    }
    return {"project": {"rate": str(rate)}, "sequence": sequence, "edit": {k: v for k, v in edit.items() if v}}


def expected(takes: list[Take], settings: dict[str, Any]) -> list[Expected]:
    """Work an edit out, frame by frame."""
    rate, sequence = Fraction(settings["project"]["rate"]), settings["sequence"]
    by_name = {take.name: take for take in takes}
    found: list[Expected] = []
    position = 0
    for number, name in enumerate(sequence["order"]):
        take, entry = by_name[name], settings["edit"].get(name, {})
        frames = max(1, int(take.frames / take.rate * rate + Fraction(1, 2)))
        shown = [min(take.frames - 1, int((k + Fraction(1, 2)) / rate * take.rate)) for k in range(frames)]
        begin, end = _source(entry.get("in", "0f"), take), _source(entry.get("out", f"{take.frames}f"), take)
        first = next((k for k, source in enumerate(shown) if source >= begin), frames - 1)
        last = max(first + 1, next((k for k, source in enumerate(shown) if source >= end), frames))
        lead = _frames(entry.get("dissolve_seconds", sequence["dissolve_seconds"]), rate) if number else 0
        handle = _frames(sequence["handle_seconds"], rate)
        position -= lead
        found.append(
            Expected(
                take=take,
                source=shown[first:last],
                first=first,
                start=position,
                lead=lead,
                fade_in=_frames(sequence["fade_in_seconds"], rate) if number == 0 else 0,
                fade_out=_frames(sequence["fade_out_seconds"], rate) if number == len(takes) - 1 else 0,
                head=shown[max(0, first - handle) : first],
                tail=shown[last : last + handle],
            )
        )
        position += last - first
    return found


def _source(place: str | float, take: Take) -> int:
    if isinstance(place, str):
        return int(place[:-1])
    return int(Fraction(str(place)) * take.rate)


def _frames(seconds: float, rate: Fraction) -> int:
    return int(Fraction(str(seconds)) * rate + Fraction(1, 2))


def faults(takes: list[Take], folder: Path, out: Path, store: Path, settings: dict[str, Any]) -> Iterator[str]:
    """Run an edit and yield what is not as it has to be."""
    deliver = {
        "preset": "ultrafast", "crf": 8, "encoder_threads": 1, "unit_seconds": 1,
        "sound_codec": "pcm_s16le", "sound_rate_hz": SOUND_HZ, "sound_channels": 1,
    }  # fmt: skip
    account = api.run(folder, out, settings={**settings, "deliver": deliver}, store=store)
    rate, events = Fraction(settings["project"]["rate"]), expected(takes, settings)
    length = events[-1].start + len(events[-1].source)
    pictures, sound = _read(out / "sequence.mov")
    samples = int(length * SOUND_HZ / rate + Fraction(1, 2))
    sequence = account.document()["sequence"]
    if not len(pictures) == sequence["frames"] == length:
        yield f"{len(pictures)} frames in the file, {sequence['frames']} in the account, {length} expected"
    if not len(sound) == sequence["audio_samples"] == samples:
        yield f"{len(sound)} samples in the file, {sequence['audio_samples']} in the account, {samples} expected"
    for event, following in zip(events, [*events[1:], None], strict=True):
        opens, trail = max(event.lead, event.fade_in), following.lead if following else event.fade_out
        for k in range(opens, len(event.source) - trail):
            seen = read_code(pictures[event.start + k]) if event.start + k < len(pictures) else None
            if seen != (event.take.scene, event.source[k]):
                yield f"frame {event.start + k} is {seen} instead of {(event.take.scene, event.source[k])}"
        begin, end = (
            int((event.start + k) * SOUND_HZ / rate + Fraction(1, 2)) for k in (opens, len(event.source) - trail)
        )
        start = int(event.start * SOUND_HZ / rate + Fraction(1, 2))
        origin = int(event.first * SOUND_HZ / rate + Fraction(1, 2))
        wanted = np.arange(begin, end) - start + origin
        available = -(-event.take.frames * SOUND_HZ // event.take.rate)
        wanted = np.where(wanted < available, wanted, 0)
        if end > begin and not np.array_equal(sound[begin:end], wanted):
            yield f"{event.take.name}: its sound is not that of its pictures"
        clip, _ = _read(out / "clips" / f"{event.take.name}.mov")
        codes = [read_code(picture)[1] for picture in clip]
        if codes != [*event.head, *event.source, *event.tail]:
            yield f"clips/{event.take.name}.mov shows {codes}"
    for event in events[1:]:
        for k in range(event.lead):
            weight = (k + 1) / (event.lead + 1)
            before = next(e for e in events if e.start + len(e.source) == event.start + event.lead)
            under = coded(before.take.scene, before.source[k - event.lead])
            mix = (1 - weight) * under + weight * coded(event.take.scene, event.source[k])
            if np.abs(pictures[event.start + k].astype(float) - mix).mean() > 4:
                yield f"frame {event.start + k} is not the mix that it has to be"


def _read(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray()[: SIZE[1]] for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        blocks = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    return pictures, np.concatenate(blocks)


def campaign(folder: Path, count: int, seed: int = 1) -> dict[str, Any]:
    """Make takes, try `count` random edits, and return how many there were, and what was wrong with which."""
    draw = random.Random(seed)
    takes = [Take(n + 1, draw.randrange(24, 60), rate) for n, rate in enumerate([*RATES[:4], Fraction(24)])]
    (folder / "takes").mkdir()
    for take in takes:
        write_take(folder / "takes", take)
    wrong = {}
    for number in range(count):
        settings = random_edit(takes, draw)
        found = list(faults(takes, folder / "takes", folder / f"out{number}", folder / "store", settings))
        if found:
            wrong[str(number)] = {"settings": settings, "faults": found[:5]}
    return {"edits": count, "wrong": wrong}


if __name__ == "__main__":
    with workplace() as place:
        record("edits", "python -m benchmarks.edits", campaign(place, 200))
