"""Open a media file, and only a media file: no network, no playlists, no names that mean something else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer

from postpipe.errors import DeliveryError, TakeError
from postpipe.media.faults import explain

CONTAINERS = (
    "mov",
    "matroska",
    "avi",
    "mpeg",
    "mpegts",
    "mxf",
    "ogg",
    "flv",
    "yuv4mpegpipe",
    "asf",
    "dv",
    "gxf",
    "ivf",
    "nut",
)
"""Demuxers that may open a take. Absent on purpose: everything that points at other files or addresses
(hls, concat, dash, image sequences, sdp) and everything that draws text (tty)."""

INDEXED = ("mov", "matroska")
"""Containers that begin with a key frame and find key frames by time. Others are recordings and streams, which
may begin anywhere and are read from their start."""


def file_url(path: Path) -> str:
    """Return `path` as a libav URL in which no character has a meaning: absolute, with the `file:` protocol."""
    return "file:" + os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links


def open_take(path: Path, *, unseen: int | None = None) -> InputContainer:
    """Open a regular file for demuxing; the caller closes it.

    `unseen`: a picture stream of an `INDEXED` container that will not be decoded. Then libav does not decode its
    first pictures to describe it, which is most of what opening a file takes.

    Raises `TakeError` when the path is no regular file, cannot be read, or holds no container that libav
    knows. The bytes decide what a file is: a text file named `.mp4` opens nothing.
    """
    check_regular(path)
    probing: Any = None if unseen is None else [*[{}] * unseen, {"skip_frame": "all"}]  # PyAV's stub has other types
    try:
        return av.open(
            file_url(path),
            "r",
            container_options={
                "protocol_whitelist": "file",
                "format_whitelist": ",".join(CONTAINERS),
            },
            stream_options=probing,
            metadata_errors="replace",
        )
    except av.FFmpegError as error:
        raise explain(path, error) from error


def open_output(path: Path, container: str, options: dict[str, str]) -> OutputContainer:
    """Open `path` for muxing into `container` ("mp4" or "mov"), free of dates, versions and random numbers."""
    return av.open(file_url(path), "w", format=container, container_options={"fflags": "+bitexact", **options})


@contextmanager
def delivery_faults(path: Path) -> Iterator[None]:
    """Turn what libav raises while writing `path` into `OSError` (with its errno) or `DeliveryError`."""
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise DeliveryError(f"{path}: could not be written: {error.strerror}") from error


def discard_output(container: OutputContainer, path: Path) -> None:
    """Close an unfinished output and remove its file."""
    with suppress(av.FFmpegError):
        container.close()
    path.unlink(missing_ok=True)


def check_regular(path: Path) -> None:
    """Raise `TakeError` unless `path` is a regular, readable, non-empty file (links are followed)."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise TakeError(path, "the name, or that of a folder above, is no text in UTF-8", "rename it") from error
    try:
        status = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise TakeError(path, "the link points at a file that is gone", "restore the file") from None
        raise TakeError(path, "there is no such file", "check the name") from None
    except (OSError, ValueError) as error:
        raise TakeError(
            path, f"the file cannot be reached ({_words(error)})", "check the name and its folder"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise TakeError(path, "this is a folder, not a file", "name the file inside it")
    if not stat.S_ISREG(status.st_mode):
        raise TakeError(path, "this is a pipe or device, not a file", "save the take as a file first")
    if status.st_size == 0:
        raise TakeError(path, "the file is empty", "export or download it again")
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise TakeError(path, f"the file cannot be read ({_words(error)})", "check its permissions") from error


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
