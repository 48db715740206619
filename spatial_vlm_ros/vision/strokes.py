"""Pictures in white on black from lines of text: strokes on a square of 100 units.

x grows to the right and y downwards, pairs are x,y. A capital draws white, a small letter black:

L line, Q closed line, P filled polygon: corners. R rectangle, B filled rectangle: two corners.
O ellipse, D filled ellipse: centre, radii. A arc: centre, radii, from,to degrees (90 is down).
G bars: two corners, columns,rows. ``~`` rounds the corners, ``2`` draws the mirror image as well.
"""

from __future__ import annotations

import itertools
import re
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]

#: Units along a side, and pixels that a unit is drawn with.
UNITS, PIXELS = 100, 4
#: Share of the distance between two bars that is free.
_GAP = 0.4
#: At most so many units of a side are cut off a rounded corner, at once.
_CUT = 6
STROKE = re.compile(r"([A-Za-z])(~?)(2?)((?: -?\d+,\d+)+)")


def drawn(strokes: str, thick: int) -> Image:
    """(UNITS * PIXELS, UNITS * PIXELS) 0 or 255. thick: units that a line is thick."""
    canvas = np.zeros((UNITS * PIXELS,) * 2, np.uint8)
    for kind, smooth, twice, pairs in STROKE.findall(strokes):
        points = np.array([pair.split(",") for pair in pairs.split()], np.float64)
        layer = np.zeros_like(canvas)
        if smooth:
            points = _rounded(points, closed=kind not in "Ll")
        _draw(layer, kind.upper(), points, thick * PIXELS)
        if twice:
            layer |= layer[:, ::-1]
        canvas = canvas | layer if kind.isupper() else canvas & ~layer
    return canvas


def _draw(layer: Image, kind: str, points: NDArray[np.float64], thick: int) -> None:
    """One stroke in white. thick: pixels."""
    pixels = np.rint(points * PIXELS).astype(np.int32)
    if kind in "LQ":
        cv2.polylines(layer, [pixels], kind == "Q", 255, thick)
    elif kind == "P":
        cv2.fillPoly(layer, [pixels], 255)
    elif kind in "RB":
        cv2.rectangle(layer, pixels[0], pixels[1], 255, thick if kind == "R" else -1)
    elif kind in "ODA":
        start, end = points[2] if kind == "A" else (0, 360)
        cv2.ellipse(layer, pixels[0], pixels[1], 0, start, end, 255, -1 if kind == "D" else thick)
    else:
        pitch = (pixels[1] - pixels[0]) / (points[2] - _GAP)
        for bar in itertools.product(*(range(int(count)) for count in points[2])):
            low = pixels[0] + bar * pitch
            high = low + (1 - _GAP) * pitch
            cv2.rectangle(layer, low.astype(int), high.astype(int), 255, -1)


def _rounded(points: NDArray[np.float64], closed: bool) -> NDArray[np.float64]:
    """Corners cut thrice at a quarter of each side (Chaikin), but not far from the corner.

    The ends of an open line stay.
    """
    for _ in range(3):
        ahead = np.roll(points, -1, axis=0)
        along = ahead - points
        length = np.linalg.norm(along, axis=1, keepdims=True)
        step = along * np.minimum(0.25, _CUT / np.maximum(length, _CUT))
        cut = np.stack([points + step, ahead - step], axis=1).reshape(-1, 2)
        points = cut if closed else np.concatenate([points[:1], cut[1:-3], points[-1:]])
    return points
