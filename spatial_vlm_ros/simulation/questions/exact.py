"""Exact measures between true boxes, made only for checking: shares no code with the reasoner."""

from __future__ import annotations

import numpy as np
from shapely.geometry import Polygon

from spatial_vlm_ros.scene.box import Box


def outline(box: Box) -> Polygon:
    """The box seen from above."""
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    return Polygon(
        [
            (
                box.x + cos * sx * box.length / 2 - sin * sy * box.width / 2,
                box.y + sin * sx * box.length / 2 + cos * sy * box.width / 2,
            )
            for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
    )


def bottom(box: Box) -> float:
    """Height of its underside, metres."""
    return box.z - box.height / 2


def top(box: Box) -> float:
    """Height of its upper side, metres."""
    return box.z + box.height / 2


def distance(a: Box, b: Box) -> float:
    """Metres between the closest points of two upright boxes, 0 where they touch or overlap.

    Upright prisms are closest where their outlines and their height ranges are.
    """
    level = outline(a).distance(outline(b))
    gap = max(0.0, bottom(a) - top(b), bottom(b) - top(a))
    return float(np.hypot(level, gap))


def bearing(stand: Box, face: Box, target: Box) -> float:
    """Degrees by which the centre of ``target`` is left (+) of the centre of ``face``, seen from
    the centre of ``stand``; in (-180, 180].
    """
    ahead = np.arctan2(face.y - stand.y, face.x - stand.x)
    there = np.arctan2(target.y - stand.y, target.x - stand.x)
    return float(180 - (180 - np.degrees(there - ahead)) % 360)


def level_distance(a: Box, b: Box) -> float:
    """Metres between two centres, seen from above."""
    return float(np.hypot(a.x - b.x, a.y - b.y))


def between(a: Box, b: Box, target: Box) -> tuple[float, float]:
    """Where ``target``'s centre lies seen from above: share of the way from a to b, and metres
    off the straight line between their centres.
    """
    way = np.array([b.x - a.x, b.y - a.y])
    off = np.array([target.x - a.x, target.y - a.y])
    length = float(np.linalg.norm(way))
    return float(off @ way) / length**2, float(abs(way[0] * off[1] - way[1] * off[0])) / length


def over(a: Box, b: Box) -> bool:
    """Whether ``a`` hangs clear above ``b``: at least 5 cm higher, more than half of the smaller
    outline shared.
    """
    shared = outline(a).intersection(outline(b)).area
    smaller = min(outline(a).area, outline(b).area)
    return bottom(a) > top(b) + 0.05 and bool(shared > 0.6 * smaller)


def rests_on(a: Box, b: Box) -> bool:
    """Whether ``a`` stands on the very top of ``b``: within 3 cm, all of its centre over it."""
    touching = abs(bottom(a) - top(b)) < 0.03
    return touching and bool(outline(b).contains(outline(a).centroid))
