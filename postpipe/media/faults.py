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

_HEAD_BYTES = 4096
_PRINTABLE = frozenset(string.printable.encode())
_STILLS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_AGAIN = "export or download it again"


def explain(path: Path, error: av.FFmpegError, fault: str | None = None) -> TakeError:
    """Return the `TakeError` for a file that libav failed on with `error`.

    Without `fault` it is the opening that failed, and the file's own bytes are looked at for the reason.
    """
    if isinstance(error, OSError):
        return TakeError(path, f"the file cannot be read ({error.strerror})", "check the disk and try again")
    if fault is not None:
        return TakeError(path, f"{fault} ({error.strerror})", _AGAIN)
    try:
        fault, remedy = _diagnose(path)
    except OSError as failure:
        return TakeError(path, f"the file cannot be read ({failure.strerror})", "check the disk and try again")
    if fault is None:
        fault = f"the file is damaged or of a kind that cannot be read ({error.strerror})"
    return TakeError(path, fault, remedy)


def _diagnose(path: Path) -> tuple[str | None, str]:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if any(head.startswith(magic) for magic in _STILLS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "this is a still picture, not a video", "give the video itself"
    if not any(head):
        return "the file begins with nothing but zeros: it was never finished", _AGAIN
    if all(byte in _PRINTABLE for byte in head):
        return "this is a text file, not a video", "give the video itself"
    kinds = {box.kind for box in top_level(path)}
    if kinds & {b"ftyp", b"mdat", b"moov", b"wide"}:
        if b"moov" not in kinds and b"moof" not in kinds:
            return "the file is cut off or was not finished: it has no index (moov)", _AGAIN
        return "the index of the file (moov) is damaged", _AGAIN
    return None, "convert it to .mp4 or .mov, or " + _AGAIN
