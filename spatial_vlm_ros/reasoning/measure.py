"""Measures of objects and between them: metres, degrees, square metres."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.scene import box as boxes
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import FloorMap, SceneObject

#: Differences smaller than these are no safe ground for a comparison of perceived boxes.
CLOSE_M, CLOSE_DEG, CLOSE_VOLUME = 0.05, 5.0, 0.1
#: Unseen spots of floor up to this size are counted as floor where floor is all round them [m2].
HOLE_M2 = 1.0
#: What starts higher above the floor than this does not stand on it [m].
STANDING = 0.15

EIGHT = ("front", "front-left", "left", "back-left", "back", "back-right", "right", "front-right")


def gap(a: SceneObject, b: SceneObject) -> float:
    """Metres between the nearest points of two objects' boxes."""
    return boxes.distance(a.box, b.box)


def gaps(items: Sequence[SceneObject], anchor: SceneObject) -> NDArray[np.float64]:
    """(n,) metres from each of ``items`` to ``anchor``, nearest points."""
    return boxes.distances([item.box for item in items], [anchor.box])[:, 0]


def side(box: Box, name: str) -> float:
    """A measure of a box, metres (cubic metres for "volume").

    "length" is the longer horizontal side, "width" the shorter, "height" the vertical one.
    """
    box = box.canonical()
    return {
        "length": box.length,
        "width": box.width,
        "height": box.height,
        "longest side": max(box.length, box.height),
        "volume": box.volume,
    }[name]


def bearings(
    stand: NDArray[np.float64], ahead: NDArray[np.float64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n,) degrees in (-180, 180], left positive, at which ``targets`` (n, 2) lie for one who
    stands at ``stand`` (2,) and looks along ``ahead`` (2,), seen from above.
    """
    there = targets - stand
    cross = ahead[0] * there[:, 1] - ahead[1] * there[:, 0]
    degrees = np.degrees(np.arctan2(cross, there @ ahead))
    return np.where(degrees == -180.0, 180.0, degrees)


def bearing(
    stand: NDArray[np.float64], ahead: NDArray[np.float64], target: NDArray[np.float64]
) -> float:
    """:func:`bearings` of one target (2,)."""
    return float(bearings(stand, ahead, target[None])[0])


def on_side(
    side: str, degrees: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether bearings are on a side, and their degrees from its border.

    Left and right are halves (straight behind is as much a border as straight ahead), front and
    behind the quarters round that way, front-left and the like are quadrants.
    """
    left, turned = degrees > 0, np.abs(degrees)
    off_axis = np.minimum(turned, 180 - turned)
    if side in ("left", "right"):
        return left == (side == "left"), off_axis
    if side in ("front", "ahead"):
        return turned <= 45, np.abs(turned - 45)
    if side in ("back", "behind"):
        return turned >= 135, np.abs(turned - 135)
    half, hand = side.split("-")
    true = ((turned < 90) == (half == "front")) & (left == (hand == "left"))
    return true, np.minimum(off_axis, np.abs(turned - 90))


def level(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Metres between two places seen from above."""
    return float(np.linalg.norm(a - b))


def sector(degrees: float, names: Sequence[str]) -> tuple[str, float]:
    """The direction of a bearing, in the terms of ``names``, and its degrees from the border.

    As in VSI-Bench: left and right meet straight ahead; with "back" (or "behind") besides them,
    back begins at 135 degrees; front-left and the like are quadrants; front, left, back and right
    are 90 degree sectors round their axes, and all eight are 45 degree sectors. It is none of
    ``names`` where these leave the bearing out: asked "left or back", it may be right.
    """
    plain = {"behind": "back", "ahead": "front"}
    asked = {plain.get(name, name): name for name in names}
    found, margin = _sector(degrees, set(asked))
    return asked.get(found, found), margin


def _sector(degrees: float, asked: set[str]) -> tuple[str, float]:
    left, turned = "left" if degrees > 0 else "right", abs(degrees)
    half = "front" if turned < 90 else "back"
    if asked <= {"left", "right"}:
        return left, min(turned, 180 - turned)
    if asked <= {"front", "back"}:
        return half, abs(turned - 90)
    if asked <= {"left", "right", "back"}:
        found = "back" if turned >= 135 else left
        return found, abs(turned - 135) if found == "back" else min(turned, 135 - turned)
    if asked <= {"front", "left", "back", "right"}:
        found = "front" if turned <= 45 else "back" if turned >= 135 else left
        return found, min(abs(turned - 45), abs(turned - 135))
    if asked <= set(EIGHT[1::2]):
        return f"{half}-{left}", min(turned, abs(turned - 90), 180 - turned)
    off = (degrees + 22.5) % 45 - 22.5
    return EIGHT[round((degrees - off) / 45) % 8], 22.5 - abs(off)


def room_area(floor: FloorMap, objects: Sequence[SceneObject]) -> float:
    """Square metres of known floor. Rooms that are seen together are measured together."""
    return float(known_floor(floor, objects).sum() * floor.resolution**2)


def known_floor(floor: FloorMap, objects: Sequence[SceneObject]) -> NDArray[np.bool_]:
    """(rows, columns) floor that is seen, or under an object that stands on it, or a gap in it.

    A gap is unseen floor of at most ``HOLE_M2`` with known floor all round it.
    """
    known = floor.seen.copy()
    for item in objects:
        if item.box.bottom <= floor.z + STANDING:
            mark(known, floor, item.box, 0.0, True)
    _, pieces, extents, _ = cv2.connectedComponentsWithStats(
        (~known).astype(np.uint8), connectivity=4
    )
    left, top, width, height, cells = extents.T
    enclosed = (left > 0) & (top > 0)
    enclosed &= (left + width < known.shape[1]) & (top + height < known.shape[0])
    gap_in_floor = enclosed & (cells * floor.resolution**2 <= HOLE_M2)
    return np.asarray(known | (gap_in_floor[pieces] & ~known))


def mark(cells: NDArray[np.bool_], floor: FloorMap, box: Box, margin: float, value: bool) -> None:
    """Set those ``cells`` (rows, columns) to ``value`` whose centre is under the footprint grown
    by ``margin``.
    """
    rows, columns = cells.shape
    cos, sin = math.cos(box.yaw), math.sin(box.yaw)
    half_length, half_width = box.length / 2 + margin, box.width / 2 + margin
    reach_x = abs(cos) * half_length + abs(sin) * half_width
    reach_y = abs(sin) * half_length + abs(cos) * half_width
    first_x, x = _near(box.x - floor.x0, reach_x, columns, floor.resolution)
    first_y, y = _near(box.y - floor.y0, reach_y, rows, floor.resolution)
    inside = np.abs(cos * x + sin * y[:, None]) <= half_length
    inside &= np.abs(cos * y[:, None] - sin * x) <= half_width
    cells[first_y : first_y + len(y), first_x : first_x + len(x)][inside] = value


def _near(
    middle: float, reach: float, count: int, resolution: float
) -> tuple[int, NDArray[np.float64]]:
    """The first of ``count`` cells in a row that are within reach of a place on it, and where the
    centres of all of them are from there.
    """
    first = min(max(math.floor((middle - reach) / resolution), 0), count)
    stop = min(max(math.ceil((middle + reach) / resolution), first), count)
    return first, np.asarray((np.arange(first, stop) + 0.5) * resolution - middle)


def cell_centres(floor: FloorMap) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x (1, columns) and y (rows, 1) of the cells' centres, scene coordinates."""
    rows, columns = floor.seen.shape
    x = np.asarray(floor.x0 + (np.arange(columns) + 0.5) * floor.resolution, dtype=np.float64)
    y = np.asarray(floor.y0 + (np.arange(rows) + 0.5) * floor.resolution, dtype=np.float64)
    return x[None, :], y[:, None]
