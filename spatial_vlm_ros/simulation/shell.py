"""The surfaces round a room: floor, ceiling and walls with the doorways cut out, map frame."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_vlm_ros.simulation.palette import Rgb
from spatial_vlm_ros.simulation.rooms import (
    DOORWAY_HEIGHT,
    DOORWAY_WIDTH,
    HEIGHT,
    Plan,
    Rect,
    Room,
    Side,
)
from spatial_vlm_ros.simulation.shapes import Part, Texture


def surfaces(plan: Plan, room: int) -> dict[str, list[Part]]:
    """The painted "floor", "wall" and "ceiling" of one room, with the doorways cut out.

    The jambs of a doorway belong to the room of lower number.
    """
    shell = plan.rooms[room]
    floor = [_level(rect, 0.0, shell.floor_rgb, shell.floor_texture) for rect in shell.rects]
    ceiling = [_level(rect, HEIGHT, (235, 235, 232), Texture.PLASTER) for rect in shell.rects]
    wall = [part for side in shell.sides() for part in _wall(side, plan.doorways, shell.wall_rgb)]
    for doorway in plan.doorways:
        if room == min(i for i, r in enumerate(plan.rooms) if _touches(r, doorway)):
            wall += _jambs(shell, doorway)
            floor.append(_level(doorway, 0.0, shell.floor_rgb, shell.floor_texture))
    return {"floor": floor, "wall": wall, "ceiling": ceiling}


def _touches(room: Room, doorway: Rect) -> bool:
    return bool(room.polygon.intersects(shapely.box(*doorway).buffer(1e-3)))


def _quad(corners: list[tuple[float, float, float]], rgb: Rgb, texture: Texture) -> Part:
    return Part(np.array(corners), np.array([[0, 1, 2], [0, 2, 3]]), rgb, texture)


def _level(rect: Rect, z: float, rgb: Rgb, texture: Texture) -> Part:
    """A horizontal rectangle: facing up at the floor, down above."""
    x0, y0, x1, y1 = rect
    corners = [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]
    return _quad(corners if z == 0.0 else corners[::-1], rgb, texture)


def _upright(
    a: NDArray[np.float64], b: NDArray[np.float64], low: float, high: float, rgb: Rgb
) -> Part:
    """A vertical rectangle over a..b, facing left of that direction."""
    corners = [(*b, low), (*a, low), (*a, high), (*b, high)]
    return _quad(corners, rgb, Texture.PLASTER)


def _wall(side: Side, doorways: tuple[Rect, ...], rgb: Rgb) -> list[Part]:
    """The wall of one side: full height between openings, lintels above them."""
    parts, reached = [], 0.0
    for low, high in sorted(_openings(side, doorways)):
        a, b = side.start + low * side.along, side.start + high * side.along
        parts.append(_upright(side.start + reached * side.along, a, 0.0, HEIGHT, rgb))
        parts.append(_upright(a, b, DOORWAY_HEIGHT, HEIGHT, rgb))
        reached = high
    parts.append(_upright(side.start + reached * side.along, side.end, 0.0, HEIGHT, rgb))
    return parts


def _openings(side: Side, doorways: tuple[Rect, ...]) -> list[tuple[float, float]]:
    """Where doorways pierce a side, as distances along it."""
    found = []
    for x0, y0, x1, y1 in doorways:
        corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) - side.start
        on_side = np.abs(corners @ side.inward) < 1e-6
        reach = corners[on_side] @ side.along
        if on_side.sum() == 2 and reach.min() > 0 and reach.max() < side.length:
            found.append((float(reach.min()), float(reach.max())))
    return found


def _jambs(shell: Room, doorway: Rect) -> list[Part]:
    """The inside of an opening: two jambs and the underside of the lintel."""
    x0, y0, x1, y1 = doorway
    ring = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])
    through = [(a, b) for a, b in pairwise(ring) if np.linalg.norm(b - a) < DOORWAY_WIDTH / 2]
    parts = [_upright(a, b, 0.0, DOORWAY_HEIGHT, shell.wall_rgb) for a, b in through]
    return [*parts, _level(doorway, DOORWAY_HEIGHT, shell.wall_rgb, Texture.PLASTER)]
