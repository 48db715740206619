"""Boxes in images: how they overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ious(box: Floats, others: Floats) -> Floats:
    """(n,) intersection over union of a box (4,) with others (n, 4); 0 for empty ones.

    Each is left, top, right, bottom in pixels.
    """
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    found: Floats = shared / np.maximum(areas - shared, 1e-9)
    return found
