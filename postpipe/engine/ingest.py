"""From a folder to clips: which files are takes, their content digests, and what their headers say."""

from __future__ import annotations

from pathlib import Path

from postpipe.engine import pack
from postpipe.engine.store import Store, code_digest
from postpipe.errors import DeliveryError, TakeError
from postpipe.media.open import check_regular
from postpipe.media.probe import probe
from postpipe.model import Clip
from postpipe.timing import natural_key

MEDIA_SUFFIXES = frozenset(
    ".mp4 .mov .m4v .mkv .webm .avi .mpg .mpeg .mxf .ts .m2ts .mts .ogv .flv .3gp .y4m .wmv".split()
)


def find_takes(folder: Path, *, may_be_empty: bool = False) -> list[Path]:
    """Return the media files of a folder in natural order; sub-folders are not entered. One media file is itself.

    Raises `DeliveryError` when the folder cannot be read or, unless it `may_be_empty`, holds no media file.
    """
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except NotADirectoryError as error:
        if folder.suffix.lower() in MEDIA_SUFFIXES:
            return [folder]
        raise DeliveryError(f"{folder}: is a file, not a folder of takes; name the folder that holds it") from error
    except OSError as error:
        raise DeliveryError(f"{folder}: cannot be read ({error.strerror}); name a folder of takes") from error
    takes = sorted(
        (entry for entry in entries if entry.suffix.lower() in MEDIA_SUFFIXES), key=lambda path: natural_key(path.name)
    )
    if not takes and not may_be_empty:
        raise DeliveryError(f"{folder}: holds no take; takes are files such as scene01_take01.mp4")
    return takes


def read_clip(path: Path, store: Store, *, rehash: bool = False) -> Clip:
    """Return what is known of one file from its content digest and header. Raises `TakeError`."""
    check_regular(path)
    try:
        digest = store.file_digest(path, rehash=rehash)
    except OSError as error:
        raise TakeError(path, f"cannot be read ({error.strerror})", "check the disk and its permissions") from error
    key = pack.digest(code_digest(), "probe", digest, str(path))
    clip = store.get(Clip, key)
    if clip is None:
        clip = probe(path, digest)
        store.put(key, clip)
    return clip
