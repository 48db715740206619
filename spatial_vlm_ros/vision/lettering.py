"""Text as a picture: white capitals and digits on a black square.

They are drawn from strokes, as the fonts of OpenCV differ between its versions.
"""

from __future__ import annotations

import textwrap

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.vision.strokes import PIXELS, UNITS, drawn

#: Thickness, and from letter to letter and from line to line, in units of a letter's height.
_THICK, _ADVANCE, _PITCH = 12, 72, 135
#: Share of the side that stays black along every edge.
_MARGIN = 0.06
_GLYPHS = {
    " ": "",
    "0": "O 50,50 22,44",
    "1": "L 30,26 52,6 52,94",
    "2": "A 50,29 23,23 180,380 L 71,37 27,94 75,94",
    "3": "A 48,28 22,22 200,450 A 48,72 25,22 270,520",
    "4": "L 62,94 62,6 24,68 78,68",
    "5": "L 72,6 34,6 31,46 A 48,65 25,29 225,510",
    "6": "O 50,67 24,27 A 72,67 46,61 180,260",
    "7": "L 26,6 74,6 42,94",
    "8": "O 50,28 20,22 O 50,72 24,22",
    "9": "O 50,33 24,27 A 28,33 46,61 0,80",
    "A": "L 22,94 50,6 78,94 L 33,64 67,64",
    "B": "L 50,6 28,6 28,94 50,94 L 28,48 50,48 A 50,27 21,21 270,450 A 50,71 23,23 270,450",
    "C": "A 52,50 26,44 50,310",
    "D": "L 48,6 28,6 28,94 48,94 A 48,50 26,44 270,450",
    "E": "L 74,6 28,6 28,94 74,94 L 28,49 66,49",
    "F": "L 74,6 28,6 28,94 L 28,49 66,49",
    "G": "A 52,50 26,44 30,310 L 75,72 75,54 56,54",
    "H": "L2 26,6 26,94 L 26,50 74,50",
    "I": "L 50,6 50,94 L 34,6 66,6 L 34,94 66,94",
    "J": "L 68,6 68,70 A 46,70 22,24 0,160",
    "K": "L 27,6 27,94 L 74,6 27,56 L 42,42 76,94",
    "L": "L 28,6 28,94 74,94",
    "M": "L 23,94 23,6 50,56 77,6 77,94",
    "N": "L 26,94 26,6 74,94 74,6",
    "O": "O 50,50 29,44",
    "P": "L 28,94 28,6 48,6 A 48,30 25,24 270,450 L 48,54 28,54",
    "Q": "O 50,50 29,44 L 56,70 78,94",
    "R": "L 28,94 28,6 48,6 A 48,30 25,24 270,450 L 28,54 48,54 76,94",
    "S": "A 50,28 22,22 90,330 A 50,72 24,22 270,510",
    "T": "L 22,6 78,6 L 50,6 50,94",
    "U": "L2 26,6 26,66 A 50,66 24,28 0,180",
    "V": "L 22,6 50,94 78,6",
    "W": "L 20,6 34,94 50,36 66,94 80,6",
    "X": "L2 24,6 76,94",
    "Y": "L2 22,6 50,52 L 50,52 50,94",
    "Z": "L 25,6 75,6 25,94 76,94",
    "\\": "L 26,6 74,94",
}


def draw_text(text: str, side: int) -> NDArray[np.uint8]:
    r"""(side, side, 3) uint8 with the words of ``text`` centred, in the lines that look largest.

    text: letters, digits and blanks. What is not ASCII is written as an escape, é as ``\XE9``.
    """
    plain = text.encode("ascii", "backslashreplace").decode().upper()
    widths = range(1, len(plain) + 1)
    wrapped = [textwrap.wrap(plain, width, break_long_words=False) for width in widths]
    page = _page(min(wrapped, key=lambda lines: max(_size(lines))))
    room = side - 2 * max(1, round(_MARGIN * side))
    height, width = (max(1, size * room // max(page.shape)) for size in page.shape)
    top, left = (side - height) // 2, (side - width) // 2
    image = np.zeros((side, side, 3), np.uint8)
    ink = cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA)
    image[top : top + height, left : left + width] = ink[..., None]
    return image


def _size(lines: list[str]) -> tuple[int, int]:
    """Height and width in units."""
    return (len(lines) - 1) * _PITCH + UNITS, max(map(len, lines)) * _ADVANCE


def _page(lines: list[str]) -> NDArray[np.uint8]:
    """The lines one below another, each centred, cut out where there is ink."""
    height, width = _size(lines)
    page = np.zeros((height * PIXELS, (width + UNITS) * PIXELS), np.uint8)
    for row, line in enumerate(lines):
        top, left = row * _PITCH, (width - len(line) * _ADVANCE) // 2
        for column, letter in enumerate(line):
            corner = slice(top * PIXELS, None), slice((left + column * _ADVANCE) * PIXELS, None)
            glyph = drawn(_GLYPHS[letter], _THICK)
            page[corner][: len(glyph), : len(glyph)] |= glyph
    x, y, w, h = cv2.boundingRect(page)
    return page[y : y + h, x : x + w]
