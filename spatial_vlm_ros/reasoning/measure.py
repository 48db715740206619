"""Measures of objects and between them: metres, degrees, square metres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

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


def bearing(
    stand: NDArray[np.float64], ahead: NDArray[np.float64], target: NDArray[np.float64]
) -> float:
    """Degrees in (-180, 180], left positive, at which ``target`` lies for one who stands at
    ``stand`` and looks along ``ahead``; all (2,), seen from above.
    """
    there = target - stand
    cross = ahead[0] * there[1] - ahead[1] * there[0]
    degrees = float(np.degrees(np.arctan2(cross, ahead @ there)))
    return 180.0 if degrees == -180.0 else degrees


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
    """Square metres of floor: seen, or under an object that stands on it, or a gap in between.

    A gap is unseen floor of at most ``HOLE_M2`` with known floor all round it. Rooms that are seen
    together are measured together.
    """
    known = floor.seen.copy()
    for item in objects:
        if item.box.bottom <= floor.z + STANDING:
            mark(known, floor, item.box, 0.0, True)
    gaps_in_floor, count = ndimage.label(ndimage.binary_fill_holes(known) & ~known)
    cells = np.bincount(gaps_in_floor.ravel(), minlength=count + 1)
    small = np.flatnonzero(cells * floor.resolution**2 <= HOLE_M2)
    known |= np.isin(gaps_in_floor, small[small > 0])
    return float(known.sum() * floor.resolution**2)


def mark(cells: NDArray[np.bool_], floor: FloorMap, box: Box, margin: float, value: bool) -> None:
    """Set those ``cells`` (rows, columns) to ``value`` whose centre is under the footprint grown
    by ``margin``.
    """
    corners = box.corners_bev()
    origin = np.array([floor.x0, floor.y0])
    low = np.floor((corners.min(axis=0) - margin * 1.5 - origin) / floor.resolution).astype(int)
    high = np.ceil((corners.max(axis=0) + margin * 1.5 - origin) / floor.resolution).astype(int)
    low, high = np.maximum(low, 0), np.maximum(high, 0)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    x, y = cell_centres(floor)
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    x, y = x[:, window[1]] - box.x, y[window[0]] - box.y
    along, across = np.abs(cos * x + sin * y), np.abs(cos * y - sin * x)
    inside = (along <= box.length / 2 + margin) & (across <= box.width / 2 + margin)
    cells[window][inside] = value


def cell_centres(floor: FloorMap) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x (1, columns) and y (rows, 1) of the cells' centres, scene coordinates."""
    rows, columns = floor.seen.shape
    x = np.asarray(floor.x0 + (np.arange(columns) + 0.5) * floor.resolution, dtype=np.float64)
    y = np.asarray(floor.y0 + (np.arange(rows) + 0.5) * floor.resolution, dtype=np.float64)
    return x[None, :], y[:, None]
