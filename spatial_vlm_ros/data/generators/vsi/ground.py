"""Where one can walk straight: between boxes and walls, seen from above."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.scene import polygon
from spatial_vlm_ros.scene.box import Box, footprints

Array = NDArray[np.float64]

#: Half the width of who walks, and how far one stops before a thing [m].
RADIUS, BEFORE = 0.2, 0.3
#: What starts higher above the floor is walked under, what ends lower is walked over [m].
HEAD, STEP = 1.4, 0.1
#: A box called wall is one where it is no thicker than this: else it goes round a corner [m].
WALL = 0.4
#: So many walls make a room whose walls are known.
WALLS = 3
#: Where walls are not known, one walks no further than this from the way of the cameras [m]: they
#: would have had to pass a wall as closely on both sides. In 60 simulated flats no walk crossed.
WALKED = 0.5


class Ground:
    """Of a scene. Walls are its outline, else boxes called wall; else ground is where the camera
    was carried.
    """

    def __init__(self, scene: AnnotatedScene) -> None:
        bottoms = [item.box.bottom for item in scene.objects]
        self.floor_z = scene.floor_z if scene.floor_z is not None else min(bottoms, default=0.0)
        thin = [
            item.box
            for item in scene.objects
            if item.category == "wall" and min(item.box.length, item.box.width) <= WALL
        ]
        walls = _edges(scene.outline) or (thin if len(thin) >= WALLS else [])
        things = [
            item
            for item in scene.objects
            if item.category not in ("wall", "floor", "ceiling")
            and item.box.bottom < self.floor_z + HEAD
            and item.box.top > self.floor_z + STEP
        ]
        self._numbers = np.array([item.id for item in things] + [-1] * len(walls))
        self._obstacles = footprints([*(item.box for item in things), *walls])
        self._way = None if walls else scene.T_scene_views[:, :2, 3]

    def stands(self, item: AnnotatedObject) -> bool:
        """Whether it is a thing on the floor that one can walk up to."""
        return item.id in self._numbers and item.box.bottom < self.floor_z + HEAD / 4

    def stop(self, start: Array, item: AnnotatedObject) -> Array | None:
        """Where one stops who walks from ``start`` (2,) straight to the middle of an object.

        None when something is in the way, or ``start`` is too near to need a walk.
        """
        way = item.box.center[:2] - start
        length = float(np.linalg.norm(way))
        entered = length * _entry(item.box, start) - BEFORE
        if entered < BEFORE:
            return None
        stop = start + way / length * entered
        corridor = footprints([_between(start, stop, 2 * RADIUS)])
        meets = polygon.gaps(corridor, self._obstacles) <= 0
        if (meets & (self._numbers != item.id)).any():
            return None
        return stop if self._way is None or self._was_walked(start, stop) else None

    def beside(self, item: AnnotatedObject, towards: Array) -> Array:
        """Where one stands by an object on the side of a place (2,)."""
        centre = item.box.center[:2]
        way = towards - centre
        length = float(np.linalg.norm(way))
        left = length * (1 - _entry(item.box, towards)) + BEFORE
        return np.asarray(centre + way / max(length, 1e-9) * left)

    def _was_walked(self, start: Array, stop: Array) -> bool:
        if self._way is None or len(self._way) < 2:
            return False
        count = max(2, int(np.ceil(np.linalg.norm(stop - start) / 0.2)))
        points = np.linspace(start, stop, count)
        a, b = self._way[:-1], self._way[1:]
        along = b - a
        share = ((points[:, None] - a) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-12)
        nearest = a + np.clip(share, 0, 1)[..., None] * along
        off = np.linalg.norm(points[:, None] - nearest, axis=-1)
        return bool((off.min(axis=1) <= WALKED).all())


def _entry(box: Box, start: Array) -> float:
    """Share of the way from ``start`` (2,) to the middle of a box at which its outline is met; 0
    when ``start`` is within.
    """
    way = start - box.center[:2]
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    own = np.abs([cos * way[0] + sin * way[1], cos * way[1] - sin * way[0]])
    reach = np.array([box.length, box.width]) / 2
    out = np.divide(reach, own, out=np.full(2, np.inf), where=own > 0).min()
    return float(max(0.0, 1.0 - out))


def _between(a: Array, b: Array, width: float) -> Box:
    """The strip on the ground from ``a`` (2,) to ``b`` (2,)."""
    (x, y), way = (a + b) / 2, b - a
    yaw = float(np.arctan2(way[1], way[0]))
    return Box(float(x), float(y), 0.0, float(np.linalg.norm(way)), width, 0.0, yaw)


def _edges(outline: Array) -> list[Box]:
    return [_between(a, b, 0.02) for a, b in zip(outline, np.roll(outline, -1, 0), strict=True)]
