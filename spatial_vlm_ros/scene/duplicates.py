"""Whether two remembered objects are one, told from their boxes and surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from spatial_vlm_ros.perception.segments import UNNAMED
from spatial_vlm_ros.scene.association import FOOT
from spatial_vlm_ros.scene.box import ious
from spatial_vlm_ros.scene.tracked import TrackedObject

_INSIDE = 0.6  # share of an object's surface in another's box that makes it a part
#: Two boxes with this overlap (IoU) are one object's.
_FILLED = 0.5
#: Metres: a leg is more slender, and at its nearest no further from the rest of its object.
_SLENDER, _TO_LEG = 0.15, 0.2


def meeting(objects: Sequence[TrackedObject]) -> list[tuple[int, int, float]]:
    """Pairs whose extents meet, near enough for a leg allowed, with the IoU of their boxes."""
    if len(objects) < 2:
        return []
    extents = np.array([item.extent for item in objects])
    reach = extents[:, 1] + _TO_LEG
    below = np.all(extents[:, None, 0] <= reach[None], axis=-1)
    rows, columns = np.nonzero(np.triu(below & below.T, 1))
    boxes = [item.box for item in objects]
    overlaps = ious(boxes, boxes)[rows, columns]
    return list(zip(rows.tolist(), columns.tolist(), overlaps.tolist(), strict=True))


def same_place(a: TrackedObject, b: TrackedObject, overlap: float) -> bool:
    """Whether one of two objects fills the other's box, or lies in it as a part of it.

    ``overlap``: IoU of the boxes. What has the same name is a part; without names only feet and
    legs are.
    """
    if overlap >= _FILLED:
        return True
    small, large = (a, b) if a.box.volume < b.box.volume else (b, a)
    if UNNAMED not in (a.label, b.label):
        return bool(large.box.contains(small.surface, 0.03).mean() >= _INSIDE)
    return _is_leg(small, large)


def _is_leg(small: TrackedObject, large: TrackedObject) -> bool:
    """Whether an object reaches into another's box from below, or stands in it, and touches it."""
    if small.box.bottom > large.box.bottom + FOOT or large.box.top < small.box.top:
        return False
    if small.box.length > _SLENDER and small.box.bottom < large.box.bottom - FOOT:
        return False
    height = large.box.top - small.box.bottom
    whole = replace(large.box, z=small.box.bottom + height / 2, height=height)
    if whole.contains(small.surface, 0.03).mean() < _INSIDE:
        return False
    gap = cKDTree(large.surface).query(small.surface, distance_upper_bound=_TO_LEG)[0]
    return bool(np.isfinite(gap).any())
