"""A tracker's masks as segments: what is unnamed must not be floor or wall."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from box_world import FLOOR, Block, frame, look, orbit

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.frame import LabelImage
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.perception.masks import from_masks
from spatial_vlm_ros.perception.points import PointMap, every, pixel_rays
from spatial_vlm_ros.perception.segments import NOTHING, SURROUNDINGS, UNNAMED

CONFIG = MemoryConfig(instances="tracked")
CHAIR = Block(1, "chair", (2.0, 0.0, 0.3), (0.4, 0.5, 0.6), 0.3)


def points(rows: int, columns: int) -> PointMap:
    """A wall one metre before the camera."""
    k = every(replace(frame([CHAIR], look((0, 0, 1), (1, 0, 1))).intrinsics), 1)
    grid = replace(k, width=columns, height=rows)
    image = np.zeros((rows, columns, 3), np.uint8)
    ones = np.ones((rows, columns), np.float32)
    return PointMap(1, ones, 0 * ones, image, pixel_rays(grid), grid, np.eye(4))


def test_cells_of_surroundings_go_to_named_masks_only():
    """Mask 5 is unnamed and lies on the floor with 1 of 4 cells, mask 6 with 3, mask 7 is a rug."""
    ids = np.array([[5, 5, 5, 5], [6, 6, 6, 6], [7, 7, 7, 7], [0, 0, 8, 8]], np.int32)
    around = np.array([[1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 1, 0]], np.bool_)
    shapes = np.where(around, SURROUNDINGS, 0).astype(np.int32)
    names = {5: UNNAMED, 6: UNNAMED, 7: "rug", 8: "floor"}
    image = LabelImage(ids, names, scores={7: 0.6})
    found = from_masks(image, points(4, 4), shapes, CONFIG)
    assert found.whole and found.labels == (UNNAMED, UNNAMED, "rug")
    assert found.scores == (1.0, 1.0, 0.6)
    no, out = NOTHING, SURROUNDINGS
    expected = [[out, 0, 0, 0], [out, out, out, no], [2, 2, 2, 2], [out, no, out, out]]
    assert found.ids.tolist() == expected
    assert not found.ignored


def test_an_image_without_masks_has_no_segments():
    image = LabelImage(np.zeros((4, 4), np.int32), {})
    found = from_masks(image, points(4, 4), np.full((4, 4), NOTHING, np.int32), CONFIG)
    assert found.labels == () and (found.ids == NOTHING).all()


def test_masks_make_objects_and_a_mask_of_the_floor_makes_none():
    """The chair's mask and the floor's, neither named; later the chair's gets a name."""
    memory = SpatialMemory(CONFIG)
    for step, pose in enumerate(orbit(CHAIR.center, 2.0, 1.2, np.arange(140, 221, 8))):
        seen = frame([CHAIR], pose, step)
        names = {1: "chair" if step > 5 else UNNAMED, FLOOR: UNNAMED}
        memory.observe(replace(seen, labels=LabelImage(seen.labels.ids, names)))
    (item,) = memory.graph().present()
    assert item.label == "chair"
    assert sorted(item.box.size) == pytest.approx([0.4, 0.5, 0.6], abs=0.05)
