"""Boxes as the benchmarks about ScanNet have them: axis-aligned in the aligned scan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from spatial_vlm_ros.benchmarks.item import Item, Prediction
from spatial_vlm_ros.benchmarks.located import Corners
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene_frame import scene_frame

Numbers = tuple[float, ...]


def aligned(box: Box, scene: AnnotatedScene) -> Numbers:
    """Centre and size, six numbers in metres, of what a box of the scene frame bounds in the world
    of its scene: that of ScanNet's scenes is the aligned scan.
    """
    T_world_scene = scene_frame(scene.T_world_first, scene.up)
    points = box.corners() @ T_world_scene[:3, :3].T + T_world_scene[:3, 3]
    low, high = points.min(axis=0), points.max(axis=0)
    return (*((low + high) / 2).tolist(), *(high - low).tolist())


def placed(box: Box, frame: str, scene: AnnotatedScene | None) -> Numbers:
    """A box of the scene frame in an item's ``frame``: seven numbers there, six if aligned."""
    if frame == "scene":
        return box.to_tuple()
    if scene is None:
        raise ValueError("the pose of its scene is not known")
    return aligned(box, scene)


@lru_cache(maxsize=2000)
def boxes_of(scene: AnnotatedScene) -> Mapping[int, Numbers]:
    """All of a scene, by the object's number."""
    return {item.id: aligned(item.box, scene) for item in scene.objects}


def corners(boxes: Iterable[Sequence[float]]) -> Corners:
    """(n, 2, 3) of boxes as centre and size."""
    found = np.array([list(box) for box in boxes], float).reshape(-1, 2, 3)
    centres, sizes = found[:, 0], found[:, 1]
    return np.stack([centres - sizes / 2, centres + sizes / 2], axis=1)


def meant(item: Item, given: Prediction | None) -> Corners:
    """(n, 2, 3) boxes that were answered: as such, else those of the objects that were named, of
    which each counts once and what is no object of the scene is no box.
    """
    if given is None or given.boxes is not None:
        return corners(given.boxes if given and given.boxes else ())
    boxes = item.more["boxes"]
    return corners(
        boxes[number] for number in dict.fromkeys(given.objects or ()) if number in boxes
    )
