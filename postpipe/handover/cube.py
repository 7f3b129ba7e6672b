"""`.cube` look-up tables: those that postpipe writes, and those that users bring.

Source: Adobe, Cube LUT Specification, version 1.0 (2013); the keywords LUT_1D_INPUT_RANGE and LUT_3D_INPUT_RANGE,
and a 1-D table before a 3-D one, are DaVinci Resolve's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from postpipe.errors import SettingsError
from postpipe.look import CreativeLut

_LARGEST = {"LUT_1D_SIZE": 65536, "LUT_3D_SIZE": 256}
_CHUNK = 1 << 16
"""Lines that are read in one go."""
_ENDLESS = 1e30
"""No colour is that far from black: counts as infinite."""
_LONGEST = 4096
"""Characters of a line; a file whose lines are longer is no table."""


def write_cube(path: Path, lattice: NDArray[np.floating[Any]], *, title: str, notes: Sequence[str] = ()) -> None:
    """Write a 3-D table over 0 to 1, red fastest. `lattice`: `(size, size, size, 3)` by red, green, blue."""
    size = lattice.shape[0]
    words = title.replace('"', "'")
    lines = [f'TITLE "{_line(words)}"', *(f"# {_line(note)}" for note in notes)]
    lines += [f"LUT_3D_SIZE {size}", "DOMAIN_MIN 0.0 0.0 0.0", "DOMAIN_MAX 1.0 1.0 1.0"]
    rows = np.moveaxis(lattice, (0, 1, 2), (2, 1, 0)).reshape(-1, 3).tolist()
    lines += [f"{red:.6f} {green:.6f} {blue:.6f}" for red, green, blue in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _line(text: str) -> str:
    """Return text that stays on its line, whatever a file name holds."""
    return "".join(character if character.isprintable() else " " for character in text)


def read_cube(path: Path) -> CreativeLut:
    """Return the table of a `.cube` file: 1-D, 3-D, or 1-D followed by 3-D, of any size the format allows.

    Raises `SettingsError` that names the file, and the line where there is one, for anything else.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return _Reader(path, file).read()
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read ({error.strerror}); check the name of the LUT"]) from error


class _Reader:
    def __init__(self, path: Path, file: TextIO) -> None:
        self._path = path
        self._lines = enumerate(_short(file), start=1)
        self._number = 0
        self._sizes: dict[str, int] = {}
        self._ranges: dict[str, tuple[list[float], list[float]]] = {}
        self._title = ""

    def read(self) -> CreativeLut:
        first = self._header()
        if not self._sizes:
            raise self._fault("has no LUT_1D_SIZE and no LUT_3D_SIZE", None)
        count = self._sizes.get("LUT_1D_SIZE", 0) + self._sizes.get("LUT_3D_SIZE", 0) ** 3
        values = self._values(first, count)
        own = self._ranges.get("DOMAIN")
        points = self._sizes.get("LUT_1D_SIZE", 0)
        size = self._sizes.get("LUT_3D_SIZE", 0)
        # red is fastest in the file, and comes first in the lattice
        lattice = np.ascontiguousarray(np.moveaxis(values[points:].reshape(size, size, size, 3), (0, 1, 2), (2, 1, 0)))
        return CreativeLut(
            name=self._path.name,
            title=self._title,
            curves=values[:points].T.astype(np.float64) if points else None,
            curves_domain=_domain(self._ranges.get("LUT_1D_INPUT_RANGE") or own),
            lattice=lattice if size else None,
            lattice_domain=_domain(self._ranges.get("LUT_3D_INPUT_RANGE") or (None if points else own)),
        )

    def _fault(self, what: str, line: int | None) -> SettingsError:
        place = f"{self._path}: " if line is None else f"{self._path}: line {line}: "
        return SettingsError([f"{place}{what}; a .cube file was expected"])

    def _header(self) -> str | None:
        """Read the keywords; return the first line of numbers."""
        domain: dict[str, list[float]] = {"DOMAIN_MIN": [0.0] * 3, "DOMAIN_MAX": [1.0] * 3}
        for number, line in self._lines:
            self._number = number
            if "\0" in line:
                raise self._fault("is no text", number)
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            match words:
                case ["TITLE", *_]:
                    self._title = line.partition("TITLE")[2].strip().strip('"')
                case [("LUT_1D_SIZE" | "LUT_3D_SIZE") as key, size]:
                    if not size.isdecimal() or not 2 <= int(size) <= _LARGEST[key]:
                        raise self._fault(f"{key} {size[:20]} is not a number from 2 to {_LARGEST[key]}", number)
                    self._sizes[key] = int(size)
                case [("DOMAIN_MIN" | "DOMAIN_MAX") as key, *numbers] if len(numbers) == 3:
                    domain[key] = self._numbers(numbers, number)
                    self._ranges["DOMAIN"] = domain["DOMAIN_MIN"], domain["DOMAIN_MAX"]
                case [("LUT_1D_INPUT_RANGE" | "LUT_3D_INPUT_RANGE") as key, low, high]:
                    lowest, highest = self._numbers([low, high], number)
                    self._ranges[key] = [lowest] * 3, [highest] * 3
                case _ if len(words) == 3 and words[0][0] in "+-.0123456789nNiI":
                    self._check_ranges(number)
                    return line
                case _:
                    raise self._fault(f"{' '.join(words)[:40]!r} is not understood", number)
        return None

    def _check_ranges(self, number: int) -> None:
        for lowest, highest in self._ranges.values():
            if not all(low < high for low, high in zip(lowest, highest, strict=True)):
                raise self._fault(f"the table's range from {lowest} to {highest} is empty", number)

    def _numbers(self, words: Sequence[str], line: int) -> list[float]:
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            numbers = []
        if not numbers or not all(abs(number) < _ENDLESS for number in numbers):
            raise self._fault(f"{' '.join(words)[:40]!r} are not {len(words)} finite numbers", line)
        return numbers

    def _values(self, first: str | None, count: int) -> NDArray[np.float32]:
        """Return the rows of numbers, shape `(count, 3)`, of which `first` was read already."""
        values = np.empty((count, 3), np.float32)
        filled = 0
        lines: Iterator[tuple[int, str]] = itertools.chain([(self._number, first)] if first else [], self._lines)
        rows = ((number, line) for number, line in lines if line.strip() and not line.lstrip().startswith("#"))
        while chunk := list(itertools.islice(rows, _CHUNK)):
            if filled + len(chunk) > count:
                raise self._fault(f"there are more than the {count} rows that its size says", chunk[count - filled][0])
            try:
                numbers = np.array([line.split() for _, line in chunk], np.float64)
            except ValueError:
                numbers = np.empty(0)
            if numbers.shape != (len(chunk), 3) or not (np.abs(numbers) < _ENDLESS).all():
                numbers = np.array([self._row(line, number) for number, line in chunk])
            values[filled : filled + len(chunk)] = numbers
            filled += len(chunk)
        if filled < count:
            raise self._fault(f"has {filled} rows of the {count} that its size says; it is cut off", None)
        return values

    def _row(self, line: str, number: int) -> list[float]:
        words = line.split()
        if len(words) != 3:
            raise self._fault(f"{line.strip()[:40]!r} are not three numbers", number)
        return self._numbers(words, number)


def _short(file: TextIO) -> Iterator[str]:
    """Yield lines, too long ones in pieces: a file without line ends is never held as one."""
    while line := file.readline(_LONGEST):
        yield line


def _domain(range_: tuple[list[float], list[float]] | None) -> NDArray[np.float64] | None:
    return None if range_ is None else np.array(range_)
