"""The sound of a film: each take's own on its own samples, laid over each other where pictures are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from postpipe.delivery import Encoding, TimeMap
from postpipe.edit import Event, starts
from postpipe.lipsync import SoundShift
from postpipe.media.sound import read_sound
from postpipe.model import Clip, SoundBlock
from postpipe.timing import sample_at_frame

Samples = NDArray[np.float32]


class FilmSound:
    """The first sound stream of each take of a film, or silence, cut where the pictures are cut.

    Boundaries are those of the frames, rounded to a sample once each. The sound of a take in `shifts` is moved
    against its picture: what it does not have at one end is silence, what is too much at the other is cut. Sound that
    is seen dissolving or fading is cross-faded at equal power, with a quarter of a sine, since the two are not alike.
    `samples` is the length of all; `warnings` fills while it is read.
    """

    def __init__(
        self,
        film: Sequence[Event],
        clips: Mapping[Path, Clip],
        time_maps: Mapping[Path, TimeMap],
        encoding: Encoding,
        rate: Fraction,
        shifts: Mapping[Path, SoundShift],
    ) -> None:
        self.warnings: list[str] = []
        self._film = film
        self._clips = clips
        self._time_maps = time_maps
        self._encoding = encoding
        self._rate = rate
        self._shifts = shifts
        self._starts = starts(film)
        self.samples = self._sample(self._starts[-1])

    def blocks(self) -> Iterator[SoundBlock]:
        """Yield the sound in order."""
        position = 0
        held = np.zeros((0, self._encoding.sound_channels), np.float32)  # what the take before shares with this one
        for number, event in enumerate(self._film):
            start = self._starts[number]
            if event.gap:
                length = self._sample(start) - self._sample(start - event.gap)
                for block in _silence(length, self._encoding):
                    yield SoundBlock(position, self._encoding.sound_rate_hz, block)
                    position += len(block)
            shared = self._film[number + 1].dissolve_in if number + 1 < len(self._film) else 0
            opens, closes = event.fade_in or event.dissolve_in, event.fade_out or shared
            begin, opened, closing, end = (
                self._sample(start + frame) for frame in (0, opens, event.frames - closes, event.frames)
            )
            rest = held
            for at, samples in self._take(event, begin, end):
                piece = _ramped(samples, at, begin, opened)
                piece = _ramped(piece, at, end, closing)
                mixed, rest = rest[: len(piece)], rest[len(piece) :]
                if len(mixed):
                    piece = piece.copy()
                    piece[: len(mixed)] += mixed
                whole = len(piece) if not shared else max(0, min(len(piece), closing - at))
                if whole:
                    yield SoundBlock(position, self._encoding.sound_rate_hz, piece[:whole])
                    position += whole
                held = piece[whole:] if at + whole <= closing else np.concatenate((held, piece[whole:]))
            if not shared:
                held = held[:0]

    def _take(self, event: Event, begin: int, end: int) -> Iterator[tuple[int, Samples]]:
        """Yield a take's sound as `(sample of the film, samples)`, from sample `begin` to `end` of the film."""
        clip, encoding = self._clips[event.path], self._encoding
        shift = self._shifts.get(event.path, SoundShift())
        sound = read_sound(
            clip,
            clip.sounds[0].index if clip.sounds and not event.silent else None,
            rate_hz=encoding.sound_rate_hz,
            channels=encoding.sound_channels,
            start_seconds=shift.heard_at(self._time_maps[event.path].seconds(event.first)),
            samples=end - begin,
            speed=shift.speed,
        )
        for block in sound:
            yield begin + block.start_sample, block.samples
        self.warnings += sound.warnings

    def _sample(self, frame: int) -> int:
        return sample_at_frame(frame, self._rate, self._encoding.sound_rate_hz)


def _silence(samples: int, encoding: Encoding) -> Iterator[Samples]:
    """Yield so many samples of silence, a second at a time."""
    for begin in range(0, samples, encoding.sound_rate_hz):
        yield np.zeros((min(encoding.sound_rate_hz, samples - begin), encoding.sound_channels), np.float32)


def _ramped(samples: Samples, at: int, silent: int, full: int) -> Samples:
    """Return `samples`, which lie at sample `at`, with a gain that rises from sample `silent` to sample `full`."""
    length = abs(full - silent)
    first, last = min(silent, full), max(silent, full)
    if not length or at >= last or at + len(samples) <= first:
        return samples
    place = np.arange(at, at + len(samples)) + 0.5
    gain = np.sin(np.pi / 2 * np.clip(np.abs(place - silent) / length, 0, 1))
    inside = (place > first) & (place < last)
    return np.asarray(samples * np.where(inside, gain, 1.0)[:, None], np.float32)
