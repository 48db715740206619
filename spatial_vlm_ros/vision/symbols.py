"""Pictograms of categories: the simplified semantic symbols of Proxy3D section 3.2.

The paper has them made by Stable Diffusion; these are drawn from a table.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.reasoning.lexicon import base_form, split_words
from spatial_vlm_ros.reasoning.vocabulary import SYNONYMS
from spatial_vlm_ros.vision.lettering import draw_text
from spatial_vlm_ros.vision.strokes import drawn
from spatial_vlm_ros.vision.symbol_strokes import STROKES

#: Units of 100 that a line is thick.
_THICK = 5
#: Synonyms without a symbol of their own, to the first of their group that has one.
_SHARED = {
    " ".join(base_form(split_words(name))): next(name for name in group if name in STROKES)
    for group in SYNONYMS
    if any(name in STROKES for name in group)
    for name in group
}


def symbol_name(category: str) -> str:
    """The category that shares its symbol: "sofa" for "Couches". ``ValueError`` without a word.

    One without a symbol keeps its name, in small letters and the singular.
    """
    name = " ".join(base_form(split_words(category)))
    if not name:
        raise ValueError(f"category {category!r} has no letter or digit")
    return name if name in STROKES else _SHARED.get(name, name)


def draw_symbol(category: str, side: int) -> NDArray[np.uint8]:
    """(side, side, 3) uint8: white on black, the symbol or, without one, the name in writing.

    ``ValueError`` when the category has no letter or digit.
    """
    name = symbol_name(category)
    if name not in STROKES:
        return draw_text(name, side)
    image = cv2.resize(drawn(STROKES[name], _THICK), (side, side), interpolation=cv2.INTER_AREA)
    return np.repeat(image[..., None], 3, axis=2)
