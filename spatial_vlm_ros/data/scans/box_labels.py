"""Which object each pixel shows, told by annotated boxes: for scans without label images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.data.scans.scan import SHIFT
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.frame import Frame, LabelImage
from spatial_vlm_ros.perception.points import unproject
from spatial_vlm_ros.scene.box import Box

#: Metres by which boxes are grown: as wrong as depth is.
MARGIN = 0.02
#: Metres over the floor below which a point is of the floor, not of what stands on it.
FLOOR = 0.05
#: A box with this share of it in a larger one is of a thing in a thing, as a pillow on a sofa.
NESTED = 0.6
_NAME = "floor"


class BoxLabeller:
    """Labels the frames of one scene.

    A point that is in one box, grown by ``MARGIN``, is of that object. In several it is of none,
    for boxes do not tell of which, unless one lies in the other: then it is of the inner one. Boxes
    of surroundings, such as walls, count where no other does, and what is as low as the floor is
    floor, unless the box itself is no higher.
    """

    def __init__(self, scene: AnnotatedScene, memory: MemoryConfig) -> None:
        self._memory = memory
        surroundings = set(memory.segmentation.background)
        self._behind = [item for item in scene.objects if item.category in surroundings]
        self._objects = [item for item in scene.objects if item.category not in surroundings]
        self._inner = [
            [n for n, other in enumerate(self._objects) if _nested(other.box, item.box)]
            for item in self._objects
        ]
        self._floor_z = -np.inf if scene.floor_z is None else scene.floor_z + FLOOR
        self._names = {item.id + SHIFT: item.category for item in scene.objects}
        self._floor = max(self._names, default=0) + 1
        self._names[self._floor] = _NAME

    def __call__(self, frame: Frame, T_scene_camera: NDArray[np.float64]) -> LabelImage:
        """Objects' numbers + ``SHIFT`` in blocks of the frame's grid of points; it needs depth."""
        points = unproject(frame, T_scene_camera, self._memory.points)
        grid = np.zeros(points.valid.shape, np.int32)
        grid[points.valid] = self._of(points.points_scene[points.valid])
        height, width = frame.rgb.shape[:2]
        ids = grid.repeat(points.stride, axis=0).repeat(points.stride, axis=1)
        return LabelImage(np.ascontiguousarray(ids[:height, :width]), self._names)

    def _of(self, points_scene: NDArray[np.float32]) -> NDArray[np.int32]:
        """(n,) the labels of points (n, 3)."""
        low = points_scene[:, 2] < self._floor_z
        within = np.zeros((len(self._objects), len(points_scene)), bool)
        for number, item in enumerate(self._objects):
            within[number] = item.box.contains(points_scene, MARGIN)
            if item.box.top > self._floor_z:
                within[number] &= ~low
        own = within.copy()
        for number, inner in enumerate(self._inner):
            own[number] &= ~within[inner].any(axis=0)
        labels = np.zeros(len(points_scene), np.int32)
        for item in self._behind:
            labels[item.box.contains(points_scene, MARGIN)] = item.id + SHIFT
        labels[low] = self._floor
        labels[own.any(axis=0)] = 0
        only = own.sum(axis=0) == 1
        numbers = np.array([item.id + SHIFT for item in self._objects], np.int32)
        labels[only] = numbers[own[:, only].argmax(axis=0)]
        return labels


def _nested(inner: Box, outer: Box) -> bool:
    """By points that are spread over the inner one."""
    if inner.volume >= outer.volume:
        return False
    steps = np.linspace(-0.45, 0.45, 4)
    points = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    cos, sin = np.cos(inner.yaw), np.sin(inner.yaw)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    points_scene = (points * inner.size) @ turn.T + inner.center
    return bool(outer.contains(points_scene).mean() >= NESTED)
