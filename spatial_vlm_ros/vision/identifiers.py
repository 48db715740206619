"""Numbers of objects, as a picture and as the words ``<OBJXXX>`` (Proxy3D section 3.2)."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.vision.lettering import draw_text

#: Numbers 0 to COUNT - 1 can be written.
COUNT = 1000
_WORD = re.compile(r"<OBJ([0-9]{3})>")


def draw_number(number: int, side: int) -> NDArray[np.uint8]:
    """(side, side, 3) uint8: white digits on black, as large as fits. ``ValueError`` as below."""
    return draw_text(str(_checked(number)), side)


def identifier_text(number: int) -> str:
    """12 as "<OBJ012>". ``ValueError`` outside of 0..999."""
    return f"<OBJ{_checked(number):03d}>"


def parse_identifiers(text: str) -> list[int]:
    """The numbers of all "<OBJ012>" in a text, in their order; anything looser is passed over."""
    return [int(digits) for digits in _WORD.findall(text)]


def _checked(number: int) -> int:
    if not 0 <= number < COUNT:
        raise ValueError(f"object number {number} is outside of 0..{COUNT - 1}")
    return number
