"""What is wrong with a file that libav refuses, in words a user can act on.

libav's log lines are not used: its log callback takes Python's global lock from decoder threads, which can
deadlock while those threads are joined. The bytes of the file tell more than the log does.
"""

from __future__ import annotations

import string
from pathlib import Path

import av

from postpipe.errors import TakeError
from postpipe.media.boxes import top_level

AGAIN = "export or download it again"

_HEAD_BYTES = 4096
_PRINTABLE = frozenset(string.printable.encode())
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_MOVIE_BOXES = {b"ftyp", b"mdat", b"moov", b"moof", b"wide"}


def explain(path: Path, error: av.FFmpegError) -> TakeError:
    """Return the `TakeError` for a file that libav would not open with `error`."""
    try:
        if isinstance(error, OSError):
            raise error
        with path.open("rb") as file:
            known = _by_content(file.read(_HEAD_BYTES))
        if known is not None:
            return TakeError(path, *known)
        kinds = {box.kind for box in top_level(path)}
        if not kinds & _MOVIE_BOXES:
            fault = f"the file is damaged or of a kind that cannot be read ({error.strerror})"
            return blame(path, fault, f"convert it to .mp4 or .mov, or {AGAIN}")
        if not kinds & {b"moov", b"moof"}:
            return TakeError(path, "the file is cut off or was not finished: it has no index (moov)", AGAIN)
        return blame(path, "the index of the file (moov) is damaged", AGAIN)
    except OSError as failure:
        return TakeError(path, f"the file cannot be read ({failure.strerror})", "check the disk and try again")


def _by_content(head: bytes) -> tuple[str, str] | None:
    """Return fault and remedy for a file that is something else, by its first bytes."""
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "this is a picture file, not a video", "give the video itself"
    if not any(head):
        return "the file begins with nothing but zeros: it was never finished", AGAIN
    if all(byte in _PRINTABLE for byte in head):
        return "this is a text file, not a video", "give the video itself"
    return None


def blame(path: Path, fault: str, remedy: str) -> TakeError:
    """Return the `TakeError` for `fault`, or for what is behind it: that the file is cut off."""
    if missing := missing_bytes(path):
        return TakeError(path, f"the file is cut off: at least {missing} bytes are missing at its end", AGAIN)
    return TakeError(path, fault, remedy)


def missing_bytes(path: Path) -> int:
    """Return how many bytes an MP4, MOV or AVI file lacks of what its own structure says, 0 if none or unknown."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return max(8 + int.from_bytes(head[4:8], "little") - size, 0)
    boxes = top_level(path)
    if not boxes or boxes[0].kind not in _MOVIE_BOXES:
        return 0
    return max(boxes[-1].end - size, 0)
