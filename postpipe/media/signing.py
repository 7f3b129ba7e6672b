"""Sign MP4 and MOV files with the C2PA project's own library."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from postpipe.errors import Cancelled, ProgramError
from postpipe.media import boxes, embedding
from postpipe.media.credentials import BUFFER_BYTES, settings
from postpipe.media.identity import Identity, SigningError
from postpipe.media.interrupts import held_back, let_through
from postpipe.provenance import Trust


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A file that another one was made of. `label` is what actions call it by, `relationship` as in `Manifest`.

    A `bare` one is taken in without a manifest: it has none, or one that cannot be read.
    """

    path: Path
    label: str
    title: str
    relationship: str
    description: str | None = None
    bare: bool = False


class Signing:
    """A signer at work; a context manager. Time stamps come from `time_stamps` (RFC 3161), where one is named."""

    def __init__(self, identity: Identity, trust: Trust, time_stamps: str | None = None) -> None:
        import c2pa

        self._identity = identity
        self._words = "cannot be signed" + (f" with time stamps from {time_stamps}" if time_stamps else "")
        self._fault: BaseException | None = None
        algorithm = c2pa.C2paSigningAlg[identity.algorithm.upper()]
        try:
            signer = c2pa.Signer.from_callback(self._sign, algorithm, identity.chain, time_stamps)
            self._context = c2pa.Context.from_dict(settings(trust, time_stamps), signer)
        except c2pa.C2paError as error:
            raise SigningError(f"the certificate cannot sign: {error}") from None

    def __enter__(self) -> Signing:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def _sign(self, data: bytes) -> bytes:
        try:
            with let_through():
                return self._identity.sign(data)
        except BaseException as error:  # of what is raised here, Ctrl-C too, the library tells nothing
            self._fault = error
            return b""

    def sign(
        self, source: Path, target: Path, definition: Mapping[str, Any], ingredients: Iterable[Ingredient]
    ) -> None:
        """Write `target`: the file `source` with a manifest. Raises `SigningError`; `target` is gone then.

        `definition` is the manifest as the library takes it. Ingredients are read one after the other, each with the
        manifest that it has.
        """
        import c2pa

        media_type = MEDIA_TYPES[target.suffix.lower()]
        try:
            with held_back(), c2pa.Builder(json.dumps(definition), context=self._context) as builder:
                for one in ingredients:
                    said = {"title": one.title, "label": one.label, "relationship": one.relationship}
                    if one.description:
                        said["description"] = one.description
                    with one.path.open("rb", buffering=BUFFER_BYTES) as file:
                        builder.add_ingredient(json.dumps(said), UNKNOWN if one.bare else _media_type(one.path), file)
                place = boxes.insert(source, target, embedding.reserve(builder, media_type))
                with target.open("r+b", buffering=BUFFER_BYTES) as file:
                    embedding.bind(builder, media_type, file)
                    file.seek(place)
                    file.write(embedding.sign(builder, media_type))
        except (c2pa.C2paError, OSError, ValueError) as error:
            target.unlink(missing_ok=True)
            self._fail(error)

    def _fail(self, error: Exception) -> NoReturn:
        fault, self._fault = self._fault or error, None
        if isinstance(fault, SigningError | Cancelled) or not isinstance(fault, Exception):
            raise fault
        raise SigningError(str(fault) if isinstance(fault, ProgramError) else f"{self._words}: {fault}") from None


MEDIA_TYPES = {".mp4": "video/mp4", ".mov": "video/quicktime"}
UNKNOWN = "application/octet-stream"
"""What the library does not look into."""


def _media_type(path: Path) -> str:
    """Return the media type of an ingredient, from its first bytes: names mislead, and so the library would be."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "video/mp4"
    return "video/avi" if head[:4] == b"RIFF" and head[8:] == b"AVI " else UNKNOWN
