"""Provenance: agreement with the C2PA library's own validation, tampering, and what signing costs.

    python -m benchmarks.provenance --media DIR

Nothing was tuned on these files: the words of the verdict follow from the library's codes. The cost is that of the
stages that sign and read again, for sequences of 5 to 50 takes made of real clips, against SHA-256 over every byte
that was signed or used as an ingredient; processor seconds, the least of three.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import c2pa

from benchmarks.common import record, workplace
from postpipe.delivery import OutputFile
from postpipe.edit import Edit, Event
from postpipe.engine.outputs import Outputs
from postpipe.engine.stage import Desk
from postpipe.finished import UNSIGNED, ClipFile, Film, FinishedClip
from postpipe.media.boxes import top_level
from postpipe.media.credentials import read_credentials
from postpipe.media.identity import development_identity
from postpipe.media.probe import probe
from postpipe.media.signing import Signing
from postpipe.provenance import Action, Credentials, History, Provenance, SignPlan, Trust
from postpipe.stages.sign import DeliverSequence

NOBODY = Trust()
TAKES = (5, 10, 25, 50)
DEFINITION = {
    "claim_generator_info": [{"name": "benchmark"}],
    "title": "signed",
    "assertions": [
        {
            "label": "c2pa.actions.v2",
            "data": {
                "actions": [
                    {
                        "action": "c2pa.created",
                        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
                    }
                ]
            },
        }
    ],
}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--flips", type=int, default=200, help="random positions in media data, of each file")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    with workplace() as folder:
        result = {
            "agreement": agreement(options.media),
            "tampering": tampering(options.media, folder, options.flips, dice),
            "cost": cost(options.media, folder),
        }
    record("provenance", "python -m benchmarks.provenance --media DIR", result)


# Agreement


def agreement(media: Path) -> dict[str, Any]:
    """Compare state and codes with the library's own reader, at its defaults but for the network."""
    own = c2pa.Context.from_dict({"verify": {"remote_manifest_fetch": False}})
    rows = []
    for path in sorted(path for folder in ("c2pa", "takes", "odd") for path in (media / folder).iterdir()):
        found = read_credentials(path, NOBODY)
        try:
            with c2pa.Reader(path, context=own) as reader:
                codes = {one["code"] for one in json.loads(reader.json()).get("validation_status", [])}
                expected = str(reader.get_validation_state()).lower()
        except c2pa.C2paError.ManifestNotFound:
            expected, codes = "absent", set()
        except c2pa.C2paError.NotSupported:
            expected, codes = "unsupported", set()
        said = found.summary()
        named = all(check.code in found.words for check in found.checks if not check.tolerated)
        rows.append(
            {
                "file": f"{path.parent.name}/{path.name}",
                "state": found.state,
                "library": expected,
                "agrees": found.state == expected and set(said["failures"]) == codes and named,
                "words": found.words,
            }
        )
    return {"files": len(rows), "agree": sum(row["agrees"] for row in rows), "rows": rows}


# Tampering


def tampering(media: Path, folder: Path, flips: int, dice: random.Random) -> dict[str, Any]:
    """Change signed files and count what is accepted: files of three makers, and one that we signed."""
    ours = folder / "ours.mp4"
    with Signing(development_identity(), NOBODY) as signing:
        signing.sign(media / "takes" / "pika_share.mp4", ours, DEFINITION, [])
    files = {
        "video1.mp4": media / "c2pa" / "video1.mp4",
        "premiere-firefly.mp4": media / "c2pa" / "premiere-firefly.mp4",
        "sony": media / "c2pa" / "PTS_TRUSTED_sony_official_cawg_wdr.mp4",
        "ours": ours,
    }
    bare = media / "takes" / "luma_watermarked.mp4"
    return {name: _tampered(path, bare, folder / "changed.mp4", flips, dice) for name, path in files.items()}


def _tampered(path: Path, bare: Path, changed: Path, flips: int, dice: random.Random) -> dict[str, Any]:
    data = path.read_bytes()

    def judged(content: bytes) -> Provenance:
        changed.write_bytes(content)
        return read_credentials(changed, NOBODY)

    media_data = next(box for box in top_level(path) if box.kind == b"mdat")
    found = []
    for _ in range(flips):
        position = dice.randrange(media_data.content, media_data.end)
        mask = 1 << dice.randrange(8)
        found.append(judged(data[:position] + bytes([data[position] ^ mask]) + data[position + 1 :]))
    others = {name: judged(content) for name, content in _edits(path, data, bare)}
    return {
        "untouched": judged(data).state,
        "flips": flips,
        "flips_accepted": sum(one.state in ("valid", "trusted") for one in found),
        "flips_named_as_content": sum("content hash" in one.words for one in found),
        "edits": {name: {"state": one.state, "words": one.words} for name, one in others.items()},
        "edits_accepted": sum(one.state in ("valid", "trusted") for one in others.values()),
    }


def _edits(path: Path, data: bytes, bare: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what else is done to a file: its index moved, cut off at places, its manifest put into another file."""
    boxes = top_level(path)
    moov = next(box for box in boxes if box.kind == b"moov")
    manifest = next(box for box in boxes if box.kind == b"uuid")
    yield "moov moved to the end", data[: moov.start] + data[moov.end :] + data[moov.start : moov.end]
    flipped = bytearray(data)
    flipped[(moov.content + moov.end) // 2] ^= 1
    yield "a bit of moov flipped", bytes(flipped)
    for share in (0.5, 0.9, 0.999):
        yield f"cut at {share:.1%}", data[: int(len(data) * share)]
    other = bare.read_bytes()
    start = int.from_bytes(other[:4], "big")
    yield "its manifest in another film", other[:start] + data[manifest.start : manifest.end] + other[start:]


# Cost


def cost(media: Path, folder: Path) -> dict[str, Any]:
    """Sign sequences of takes and compare with SHA-256 over the same bytes."""
    originals = [media / "takes" / name for name in ("sora_standard.mp4", "pika_share.mp4", "luma_watermarked.mp4")]
    rows = []
    for share, words in ((1, "takes of 1 to 3 MB"), (8, "takes of 10 to 27 MB")):
        made = [_lengthened(path, folder / f"{share}_{path.name}", share * path.stat().st_size) for path in originals]
        for takes in TAKES if share > 1 else TAKES[-1:]:
            rows.append({"material": words, **_cost_of(made, takes, folder / "out")})
    large = [row for row in rows if row["material"] != rows[0]["material"]]
    growth = large[-1]["cpu_seconds"] / large[-1]["megabytes"] / (large[0]["cpu_seconds"] / large[0]["megabytes"])
    return {"rows": rows, "seconds_per_byte_at_50_to_5": round(growth, 3)}


def _lengthened(path: Path, target: Path, size: int) -> Path:
    """Return a copy of so many bytes and at least its own; what is added follows the rest in boxes of media data."""
    with target.open("wb") as file:
        file.write(data := path.read_bytes())
        while (missing := size - file.tell()) > 8:
            content = data[: missing - 8]
            file.write((len(content) + 8).to_bytes(4, "big") + b"mdat" + content)
    return target


def _cost_of(made: list[Path], takes: int, out: Path) -> dict[str, Any]:
    """Sign one sequence of so many takes: rendered clips and film are as large as the takes that they are made of."""
    shutil.rmtree(out, ignore_errors=True)
    chosen = [(Path(f"take{number}.mp4"), made[number % len(made)]) for number in range(takes)]
    with Outputs(out) as outputs:
        desk = Desk(
            outputs.scratch,
            lambda key, container: Path(),
            outputs.publish,
            outputs.root.joinpath,
            outputs.place,
            lambda frames: None,
            lambda: None,
            lambda name, done, total: None,
        )
        clips = out / UNSIGNED / "clips"
        clips.mkdir(parents=True)
        film = out / UNSIGNED / "sequence.mp4"
        for name, _ in chosen:
            shutil.copyfile(made[1], clips / name)
        _lengthened(made[1], film, sum(path.stat().st_size for _, path in chosen))
        sources = {out / f"{name.stem}_source.mp4": path for name, path in chosen}
        for link, path in sources.items():
            link.symlink_to(path)
        names = dict(zip(sources, (name for name, _ in chosen), strict=True))
        arguments = _arguments(sources, names)
        read = [*sources.values(), *(clips / name for name, _ in chosen), film]
        signing = _least(lambda: DeliverSequence().run(**arguments, desk=desk))
        delivered = DeliverSequence().run(**arguments, desk=desk)
    hashing = _least(lambda: [_hashed(path) for path in read])
    return {
        "takes": takes,
        "state": delivered.credentials.provenance.state,
        "problem": delivered.credentials.problem,
        "megabytes": round(sum(path.stat().st_size for path in read) / 1e6, 1),
        "cpu_seconds": round(signing, 3),
        "sha256_seconds": round(hashing, 3),
        "ratio": round(signing / hashing, 2),
    }


def _arguments(sources: dict[Path, Path], names: dict[Path, Path]) -> dict[str, Any]:
    """Return what the stage reads of a run."""
    unsigned = Credentials(Provenance("absent"))
    finished = {path: (OutputFile(f"{UNSIGNED}/clips/{names[path]}", ""),) for path in sources}
    return {
        "film": Film((OutputFile(f"{UNSIGNED}/sequence.mp4", ""),), 1, Fraction(1), 0, None, None),
        "edit": Edit(tuple(Event(path, names[path].stem, 0, 1) for path in sources), joined=True),
        "clips": {path: probe(path, "") for path in sources},
        "finished": {path: FinishedClip(files, 1, 0, ()) for path, files in finished.items()},
        "delivered": {path: ClipFile(files, 1, unsigned, ()) for path, files in finished.items()},
        "histories": {path: History((Action("c2pa.enhanced"), Action("c2pa.transcoded"))) for path in sources},
        "provenances": {path: read_credentials(path, NOBODY) for path in sources},
        "sidecars": {},
        "plan": SignPlan("sequence"),
        "trust": NOBODY,
        "draft": None,
    }


def _least(work: Callable[[], object], times: int = 3) -> float:
    """Return the least processor seconds (user and system) of some tries."""
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def _hashed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
