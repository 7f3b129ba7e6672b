"""Contact sheets: many pictures on one page, each with a line or two of words under it."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from postpipe.media.images import Pixels, read_image, scaled

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

CELLS = 48
"""Pictures on one page, at most."""

_AREA = 320 * 180
_GAP, _LINE, _TEXT = 16, 20, 15
_PAPER, _INK, _QUIET = (44, 44, 47), (240, 240, 240), (165, 165, 170)


def draw_sheet(cells: Sequence[tuple[Path, tuple[str, str]]]) -> bytes:
    """Return a page as JPEG: each picture file with its two lines of words, in rows, in order.

    All pictures have the cell of the first one's shape; others are fitted into it. Raises `ValueError` for a
    file that is no picture.
    """
    from PIL import Image, ImageDraw, ImageFont

    first = read_image(cells[0][0])
    aspect = min(max(first.shape[1] / first.shape[0], 0.4), 2.5)
    width, height = round((_AREA * aspect) ** 0.5), round((_AREA / aspect) ** 0.5)
    columns = min(len(cells), max(4, round((len(cells) * 1.8 / aspect) ** 0.5)))
    rows = -(-len(cells) // columns)
    pitch_x, pitch_y = width + _GAP, height + 2 * _LINE + _GAP
    page = Image.new("RGB", (columns * pitch_x + _GAP, rows * pitch_y + _GAP), _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_TEXT)
    for number, (path, lines) in enumerate(cells):
        x, y = _GAP + number % columns * pitch_x, _GAP + number // columns * pitch_y
        small = _fitted(first if number == 0 else read_image(path), width, height)
        image = Image.fromarray(small)
        page.paste(image, (x + (width - image.width) // 2, y + (height - image.height) // 2))
        for line, (text, ink) in enumerate(zip(lines, (_INK, _QUIET), strict=True)):
            draw.text((x, y + height + 4 + line * _LINE), _elided(text, font, width), ink, font)
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def _fitted(pixels: Pixels, width: int, height: int) -> np.ndarray:
    """Return the picture as 8-bit RGB, as large as fits into a cell."""
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    small = scaled(pixels, max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    if small.dtype == np.uint16:
        small = (small >> 8).astype(np.uint8)
    return np.ascontiguousarray(small[..., ::-1])


def _elided(text: str, font: FreeTypeFont | ImageFont, width: int) -> str:
    """Return the text, without its middle where it is wider than the cell: names differ at their ends.

    Accents are left out: the font that comes with Pillow has none.
    """
    text = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    if font.getlength(text) <= width:
        return text
    keep = len(text) - 1
    while keep > 2 and font.getlength(f"{text[: keep // 2]}…{text[-(keep - keep // 2) :]}") > width:
        keep -= 1
    return f"{text[: keep // 2]}…{text[-(keep - keep // 2) :]}"
