"""Which group of patches the cells of a grid are in."""

from __future__ import annotations

import numpy as np

from spatial_vlm_ros.frame import Intrinsics
from spatial_vlm_ros.perception.groups import FLOOR, STRUCTURE, UNKNOWN, groups_of
from spatial_vlm_ros.perception.points import PointMap, pixel_rays
from spatial_vlm_ros.perception.segments import NOTHING, SURROUNDINGS, Segments

GRID = Intrinsics(4, 1, 1.0, 1.0, 0.0, 0.0)


def points(heights: list[float]) -> PointMap:
    """A row of four cells; the camera looks straight down from z = 2."""
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[2, 3] = 2.0
    depth = 2 - np.array([heights], np.float32)
    nothing = np.zeros_like(depth)
    return PointMap(1, depth, nothing, np.zeros((1, 4, 3), np.uint8), pixel_rays(GRID), GRID, T)


def segments(ids: list[int]) -> Segments:
    return Segments(np.array([ids], np.int32), ("cup", "chair"), (1.0, 1.0), True)


def test_objects_floor_structure_and_the_rest():
    seen = segments([0, 1, SURROUNDINGS, NOTHING])
    shown = {0: 7, 1: 12}
    found = groups_of(seen, shown, points([0.5, 0.5, 0.04, 0.0]), floor=0.0)
    assert found.tolist() == [[7, 12, FLOOR, UNKNOWN]]


def test_surroundings_off_the_floors_height_are_structure():
    seen = segments([SURROUNDINGS] * 4)
    heights = points([-0.09, 0.09, 0.11, 1.5])
    assert groups_of(seen, {}, heights, 0.0).tolist() == [[FLOOR, FLOOR, STRUCTURE, STRUCTURE]]
    assert groups_of(seen, {}, heights, None).tolist() == [[STRUCTURE] * 4]


def test_a_segment_that_shows_no_object_is_unknown():
    """Too few points for an observation."""
    assert groups_of(segments([0, 0, 1, 1]), {1: 5}, points([1.0] * 4), 0.0).tolist() == [
        [UNKNOWN, UNKNOWN, 5, 5]
    ]
