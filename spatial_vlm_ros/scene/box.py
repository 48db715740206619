"""The 7-DoF box (SSR section 3.3): centre, size and yaw, in the scene frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.scene import polygon

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Box:
    """An upright box in scene coordinates (metres, radians, z up).

    ``length`` lies along the box's own x axis, ``width`` along y, ``height`` along z; ``yaw``
    turns the box about z by the right hand. Boxes have no front, so the canonical form has
    length >= width and yaw in [-pi/2, pi/2); use :meth:`canonical`.
    """

    x: float
    y: float
    z: float
    length: float
    width: float
    height: float
    yaw: float

    @property
    def center(self) -> NDArray[np.float64]:
        """(3,) centre in scene coordinates."""
        return np.array([self.x, self.y, self.z])

    @property
    def size(self) -> NDArray[np.float64]:
        """(3,) length, width, height."""
        return np.array([self.length, self.width, self.height])

    @property
    def bottom(self) -> float:
        """z of the lower face."""
        return self.z - self.height / 2

    @property
    def top(self) -> float:
        """z of the upper face."""
        return self.z + self.height / 2

    @property
    def volume(self) -> float:
        """Cubic metres."""
        return self.length * self.width * self.height

    def canonical(self) -> Box:
        """The same box with length >= width and yaw in [-pi/2, pi/2)."""
        length, width, yaw = self.length, self.width, self.yaw
        if length < width:
            length, width, yaw = width, length, yaw + np.pi / 2
        if not -np.pi / 2 <= yaw < np.pi / 2:
            yaw = (yaw + np.pi / 2) % np.pi - np.pi / 2
            yaw = -np.pi / 2 if yaw >= np.pi / 2 else yaw  # a hair below -pi/2 rounds to pi/2
        return Box(self.x, self.y, self.z, length, width, self.height, float(yaw))

    @classmethod
    def from_tuple(cls, values: Iterable[float]) -> Box:
        """From (x, y, z, length, width, height, yaw).

        ``ValueError`` unless these are seven finite numbers and no size is negative.
        """
        numbers = [float(value) for value in values]
        if len(numbers) != 7 or not np.all(np.isfinite(numbers)):
            raise ValueError(f"a box is 7 finite numbers x, y, z, l, w, h, yaw, not {numbers}")
        if min(numbers[3:6]) < 0:
            raise ValueError(f"a box cannot have a negative size: {numbers[3:6]}")
        return cls(*numbers)

    def to_tuple(self) -> tuple[float, float, float, float, float, float, float]:
        """(x, y, z, length, width, height, yaw)."""
        return (self.x, self.y, self.z, self.length, self.width, self.height, self.yaw)

    def corners_bev(self) -> Array:
        """(4, 2) footprint: x, y of the corners, counter-clockwise, first the one at (+, +)."""
        return np.asarray(footprints([self])[0])

    def corners(self) -> Array:
        """(8, 3): the four lower corners in the order of :meth:`corners_bev`, then the upper."""
        low = np.column_stack([self.corners_bev(), np.full(4, self.bottom)])
        high = np.column_stack([low[:, :2], np.full(4, self.top)])
        return np.concatenate([low, high])

    def contains(
        self, points_scene: NDArray[np.floating[Any]], margin: float = 0.0
    ) -> NDArray[np.bool_]:
        """(n,): which of ``points_scene`` (n, 3) lie in the box grown by ``margin`` all round."""
        offset = np.asarray(points_scene, dtype=float) - self.center
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        own = np.column_stack(
            [
                cos * offset[:, 0] + sin * offset[:, 1],
                cos * offset[:, 1] - sin * offset[:, 0],
                offset[:, 2],
            ]
        )
        return np.asarray((np.abs(own) <= self.size / 2 + margin).all(axis=1))


def as_array(boxes: Sequence[Box]) -> Array:
    """(n, 7): one row x, y, z, length, width, height, yaw for each box."""
    return np.array([box.to_tuple() for box in boxes], dtype=float).reshape(-1, 7)


def footprints(boxes: Sequence[Box], margin: float = 0.0) -> Array:
    """(n, 4, 2): :meth:`Box.corners_bev` of every box, each side moved out by ``margin``."""
    return as_array(boxes)[:, None, :2] + _outlines(boxes, margin)


def distances(a: Sequence[Box], b: Sequence[Box]) -> Array:
    """(len(a), len(b)): metres between the nearest points of the boxes, 0 where they meet.

    Exact: an upright box is a footprint times a height span, so the horizontal and the vertical
    gap are independent.
    """
    level = polygon.gaps(footprints(a)[:, None], footprints(b)[None])
    (low_a, high_a), (low_b, high_b) = _spans(a), _spans(b)
    vertical = np.maximum(low_a[:, None] - high_b[None], low_b[None] - high_a[:, None])
    return np.hypot(level, np.maximum(vertical, 0.0))


def distance(a: Box, b: Box) -> float:
    """Metres between the nearest points of two boxes in 3D; 0 when they touch or overlap."""
    return float(distances([a], [b])[0, 0])


def closest_points(a: Box, b: Box) -> tuple[Array, Array]:
    """The points (3,) on ``a`` and (3,) on ``b`` that :func:`distance` is measured between."""
    on_a, on_b = polygon.closest_points(a.corners_bev(), b.corners_bev())
    low, high = max(a.bottom, b.bottom), min(a.top, b.top)
    middle = (low + high) / 2
    z_a = middle if low <= high else float(np.clip(middle, a.bottom, a.top))
    z_b = middle if low <= high else float(np.clip(middle, b.bottom, b.top))
    return np.append(on_a, z_a), np.append(on_b, z_b)


def ious(a: Sequence[Box], b: Sequence[Box]) -> Array:
    """(len(a), len(b)): volume common to two boxes over the volume they fill together, 0..1.

    Exact for any yaw. Boxes without volume have IoU 0 with everything.
    """
    rows_a, rows_b = as_array(a)[:, None], as_array(b)[None]
    # Relative to each other, or far from the origin rounding would eat into thin boxes.
    apart = rows_b[..., :3] - rows_a[..., :3]
    shorter = np.minimum(rows_a[..., 5], rows_b[..., 5])
    height = np.minimum(shorter, (rows_a[..., 5] + rows_b[..., 5]) / 2 - np.abs(apart[..., 2]))
    near = (height > 0) & _may_meet(a, b)
    rows, columns = np.nonzero(near)
    to_other = apart[near][:, None, :2]
    areas = polygon.overlap_areas(_outlines(a)[rows], _outlines(b)[columns] + to_other)
    volume_a, volume_b = (np.prod(as_array(boxes)[:, 3:6], axis=1) for boxes in (a, b))
    common = np.zeros((len(a), len(b)))
    common[near] = np.minimum(areas * height[near], np.minimum(volume_a[rows], volume_b[columns]))
    together = volume_a[:, None] + volume_b[None] - common
    filled = together > 0
    return np.divide(common, together, out=np.zeros_like(common), where=filled)


def iou(a: Box, b: Box) -> float:
    """Volume common to two boxes over the volume they fill together (rotated, exact), 0..1."""
    return float(ious([a], [b])[0, 0])


def _outlines(boxes: Sequence[Box], margin: float = 0.0) -> Array:
    """(n, 4, 2): footprints about the centre of each box."""
    _, _, _, length, width, _, yaw = as_array(boxes).T
    half_x = (length / 2 + margin)[:, None] * np.array([1.0, -1.0, -1.0, 1.0])
    half_y = (width / 2 + margin)[:, None] * np.array([1.0, 1.0, -1.0, -1.0])
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    return np.stack([cos * half_x - sin * half_y, sin * half_x + cos * half_y], axis=-1)


def _spans(boxes: Sequence[Box]) -> tuple[Array, Array]:
    """Bottoms (n,) and tops (n,)."""
    rows = as_array(boxes)
    return rows[:, 2] - rows[:, 5] / 2, rows[:, 2] + rows[:, 5] / 2


def _may_meet(a: Sequence[Box], b: Sequence[Box]) -> NDArray[np.bool_]:
    """(len(a), len(b)): whether the circles round the footprints meet."""
    rows_a, rows_b = as_array(a), as_array(b)
    reach_a, reach_b = (np.hypot(rows[:, 3], rows[:, 4]) / 2 for rows in (rows_a, rows_b))
    apart = np.linalg.norm(rows_a[:, None, :2] - rows_b[None, :, :2], axis=-1)
    return np.asarray(apart <= reach_a[:, None] + reach_b[None])
