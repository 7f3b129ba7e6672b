"""What takes say of themselves: their C2PA manifests, read and validated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta

from postpipe.engine.stage import Each, Task
from postpipe.model import Clip
from postpipe.provenance import Provenance, Today, Trust


@dataclass(frozen=True)
class ReadTrust(Task):
    """Read the trust lists that the user names."""

    id: ClassVar[str] = "trust"
    summary: ClassVar[str] = "reads the trust lists that are named"
    section: ClassVar[str] = "provenance"
    scope: ClassVar[str] = "project"

    trust_lists: Annotated[
        tuple[str, ...], Meta(description="PEM files of authorities whose signers are trusted; in the folder of takes")
    ] = ()
    time_stamp_lists: Annotated[
        tuple[str, ...], Meta(description="PEM files of authorities whose time stamps are trusted")
    ] = ()
    network: Annotated[
        bool, Meta(description="fetch manifests that are kept elsewhere and ask whether certificates were revoked")
    ] = False

    def run(self, clips: Each[Clip]) -> Trust:
        """Return whom to trust; names are looked up in the folder of takes. Raises `SettingsError`."""
        from postpipe.media.credentials import read_trust

        folder = min(clips, default=Path()).parent
        signers, stampers = (
            tuple(folder / name for name in names) for names in (self.trust_lists, self.time_stamp_lists)
        )
        return read_trust(signers, stampers, network=self.network)


@dataclass(frozen=True)
class TellDay(Task):
    """Tell the day."""

    id: ClassVar[str] = "today"
    summary: ClassVar[str] = "the day, since certificates expire"
    scope: ClassVar[str] = "project"

    def run(self) -> Today:
        """Return the day."""
        return Today(datetime.now(UTC).date().isoformat())


@dataclass(frozen=True)
class ReadProvenance(Task):
    """Read and validate the manifest of a take. It is judged anew each day, because certificates expire."""

    id: ClassVar[str] = "provenance"
    summary: ClassVar[str] = "what takes say of where they come from (C2PA)"
    stored: ClassVar[bool] = True

    def run(self, clip: Clip, trust: Trust, today: Today) -> Provenance:
        """Return the verdict."""
        from postpipe.media.credentials import read_credentials

        return read_credentials(clip.file, trust)


STAGES = (ReadTrust, TellDay, ReadProvenance)
