"""A program that is fed frames on its standard input and gives frames on its standard output."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Literal

from postpipe.model import Frame
from postpipe.programs import wire
from postpipe.programs.process import TICK_SECONDS, Process

_DEPTH = 2
"""Frames that wait at either end; the program may hold as many as it likes."""
_OWN_KEPT = 32
_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031
"""F_SETPIPE_SZ of Linux: larger pipes take fewer turns."""


@dataclass(frozen=True)
class Stream:
    """What goes through the pipes: raw pictures or y4m, of which shape, and how long the next one may take.

    `one_to_one`: the program gives one frame for each that it is given.
    """

    kind: Literal["rawvideo", "y4m"]
    given: wire.Shape
    taken: wire.Shape
    rate: Fraction
    one_to_one: bool
    timeout_seconds: float


def through_pipe(
    name: str, argv: Sequence[str], folder: Path, frames: Iterable[Frame], stream: Stream
) -> Iterator[Frame]:
    """Yield what a program makes of `frames`, in order, with their numbers and times.

    Both ends of the program are served at once, so that it may read ahead and print what it likes. The last frame is
    given only when the program has ended well, with neither less nor more than one frame for each. With `one_to_one`
    off it may give another number, and each frame has the number and time of the newest that the program was given.
    Raises `ProgramError`, and whatever `frames` raises.
    """
    source = iter(frames)
    first = next(source, None)
    if first is None:
        return
    with Process(name, argv, folder, piped=True) as process:
        conversation = _Conversation(process, stream, first)
        try:
            yield from conversation.frames(first, source)
        finally:
            conversation.end()


class _Conversation:
    """The two ends of a program's pipes, each served by a thread; frames are made and taken in the caller's."""

    def __init__(self, process: Process, stream: Stream, like: Frame) -> None:
        self._process = process
        self._stream = stream
        self._like = like
        self._lock = threading.Lock()
        # one for each of the three threads, so that none is woken in vain
        self._caller, self._giver, self._taker = (threading.Condition(self._lock) for _ in range(3))
        self._to_give: deque[list[wire.Buffer]] = deque()
        self._taken: deque[wire.Incoming] = deque()
        self._all_given = self._deaf = self._ended = self._over = False
        self._fault: ValueError | None = None
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        for pipe in (self._stdin, self._stdout):
            _enlarge(pipe)
        for work in (self._give, self._take):
            threading.Thread(target=work, daemon=True).start()

    def end(self) -> None:
        """Let both threads go."""
        with self._lock:
            self._over = True
            self._giver.notify()
            self._taker.notify()

    # In the caller's thread

    def frames(self, first: Frame, source: Iterator[Frame]) -> Iterator[Frame]:
        """Yield the program's frames while it is fed those of `source`."""
        stream, process = self._stream, self._process
        marks: deque[wire.Mark] = deque()
        waited, given, taken = 0.0, 0, 0
        following: Frame | None = first
        held: Frame | None = None
        while True:
            process.check()
            with self._lock:
                incoming = self._taken.popleft() if self._taken else None
                if incoming is None and self._ended:
                    break
                room = following is not None and not self._deaf and len(self._to_give) < _DEPTH
                self._taker.notify()
            if incoming is not None:
                if not marks:
                    raise process.fault(
                        f"gave more than {given} frames of {stream.taken}, as many as it was given",
                        "it may write pictures of another size or pixel format, or messages to its standard output",
                    )
                mark = marks.popleft() if stream.one_to_one or len(marks) > 1 else marks[0]
                if held is not None:
                    yield held
                held = self._frame(incoming, mark, taken)
                waited, taken = 0.0, taken + 1
            elif room and following is not None:
                self._offer([*wire.outgoing(following, stream.given.layout)])
                marks.append(wire.Mark.of(following, keep=stream.taken.planar is None and len(marks) < _OWN_KEPT))
                given += 1
                following = next(source, None)
                if following is None:
                    self._finish()
            else:
                waited += self._wait()
                if waited > stream.timeout_seconds:
                    raise process.too_slow(stream.timeout_seconds, f"given frame {taken}")
        if self._fault is not None:
            raise process.broken(f"{self._fault}, after {taken} frames")
        if following is not None or (stream.one_to_one and marks):
            raise process.broken(f"gave {taken} frames, and was given {given}{' or more' if following else ''}")
        process.wait(stream.timeout_seconds, "ended after its last frame")
        if held is not None:
            yield held

    def _frame(self, incoming: wire.Incoming, mark: wire.Mark, number: int) -> Frame:
        try:
            return incoming.frame(mark)
        except ValueError as error:
            raise self._process.fault(f"{error}, in frame {number}") from error

    def _offer(self, buffers: list[wire.Buffer]) -> None:
        if self._stream.kind == "y4m":
            buffers.insert(0, memoryview(wire.FRAME_LINE))
        with self._lock:
            self._to_give.append(buffers)
            self._giver.notify()

    def _finish(self) -> None:
        with self._lock:
            self._all_given = True
            self._giver.notify()

    def _wait(self) -> float:
        start = time.monotonic()
        with self._lock:
            room = not self._deaf and len(self._to_give) < _DEPTH and not self._all_given
            if not (self._taken or self._ended or room):
                self._caller.wait(TICK_SECONDS)
        return time.monotonic() - start

    # In threads of their own

    def _give(self) -> None:
        """Write what there is to give until there is no more, or the program does not want it."""
        try:
            if self._stream.kind == "y4m":
                header = wire.y4m_header(self._stream.given, self._stream.rate, self._like.colour.range)
                _write(self._stdin, memoryview(header))
            while True:
                with self._lock:
                    self._giver.wait_for(lambda: self._to_give or self._all_given or self._over)
                    if self._over or not self._to_give:
                        break
                    buffers = self._to_give.popleft()
                    self._caller.notify()
                for buffer in buffers:
                    _write(self._stdin, buffer)
        except (OSError, ValueError):  # it has closed its input, or has ended
            pass
        with self._lock:
            self._deaf = True
            self._caller.notify()
        with contextlib.suppress(OSError):
            self._stdin.close()

    def _take(self) -> None:
        """Read pictures until there are no more."""
        fault: ValueError | None = None
        try:
            if self._stream.kind == "y4m":
                self._take_header()
            while (incoming := self._picture()) is not None:
                with self._lock:
                    self._taker.wait_for(lambda: len(self._taken) < _DEPTH or self._over)
                    if self._over:
                        break
                    self._taken.append(incoming)
                    self._caller.notify()
        except ValueError as error:
            fault = error
        except OSError:
            pass  # it was ended
        with self._lock:
            self._ended, self._fault = True, fault
            self._caller.notify()

    def _take_header(self) -> None:
        line = wire.read_line(self._stdout.read)
        if line is not None and (found := wire.y4m_shape(line)) != self._stream.taken:
            raise ValueError(f"gives pictures of {found} where {self._stream.taken} are expected")

    def _picture(self) -> wire.Incoming | None:
        """Return the next picture, or `None` at the end. Raises `ValueError` in words."""
        if self._stream.kind == "y4m":
            line = wire.read_line(self._stdout.read)
            if line is None:
                return None
            if not line.startswith(b"FRAME"):
                raise ValueError("gives no y4m stream")
        incoming = wire.Incoming(self._stream.taken, self._like.pixel_format, self._like.colour)
        got = 0
        for buffer in incoming.buffers:
            place = 0
            while place < len(buffer):
                count = self._stdout.readinto(buffer[place:])  # type: ignore[attr-defined]  # it is unbuffered
                if not count:
                    if got == 0 and self._stream.kind == "rawvideo":
                        return None
                    raise ValueError(
                        f"ends within a picture of {self._stream.taken}: "
                        f"it has {got} of {self._stream.taken.frame_bytes} bytes"
                    )
                place += count
                got += count
        return incoming


def _write(pipe: IO[bytes], buffer: wire.Buffer) -> None:
    while buffer:
        buffer = buffer[pipe.write(buffer) :]


def _enlarge(pipe: IO[bytes]) -> None:
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_BYTES)
