"""Which group of patches each cell of the grid is in: its object's, or one of surroundings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.perception.points import PointMap
from spatial_vlm_ros.perception.segments import SURROUNDINGS, Segments

#: Groups of what is no object: nothing is known of it, the floor, and other surroundings.
UNKNOWN, FLOOR, STRUCTURE = 0, -1, -2
_LEVEL = 0.1  # metres from the floor's height within which surroundings are floor


def groups_of(
    segments: Segments, shown: Mapping[int, int], points: PointMap, floor: float | None
) -> NDArray[np.int64]:
    """(h, w) the group of each grid cell; an object's is its id.

    shown: which object a segment shows. floor: its height in the scene frame, None while unknown.
    """
    owner = np.full(len(segments.labels) + 2, UNKNOWN, np.int64)  # ids below 0 take the last two
    for segment, object_id in shown.items():
        owner[segment] = object_id
    groups = owner[segments.ids]
    surroundings = segments.ids == SURROUNDINGS
    groups[surroundings] = STRUCTURE
    if floor is not None:
        groups[surroundings & (np.abs(points.points_scene[..., 2] - floor) < _LEVEL)] = FLOOR
    return groups
