"""Floor plans: one to three connected rooms and the doorways between them.

Everything is in the map frame: metres, z up, floor at z = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon

from spatial_vlm_ros.simulation.palette import Rgb
from spatial_vlm_ros.simulation.shapes import Texture

HEIGHT = 2.6
WALL_THICKNESS = 0.14
DOORWAY_WIDTH = 1.1
DOORWAY_HEIGHT = 2.1

Rect = tuple[float, float, float, float]  # x0, y0, x1, y1


@dataclass(frozen=True)
class Side:
    """A stretch of wall: from ``start`` to ``end``, the room on its left (``inward`` normal)."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]

    @property
    def length(self) -> float:
        """Metres."""
        return float(np.linalg.norm(self.end - self.start))

    @property
    def along(self) -> NDArray[np.float64]:
        """Unit vector from start to end."""
        return (self.end - self.start) / self.length

    @property
    def inward(self) -> NDArray[np.float64]:
        """Unit vector into the room."""
        return np.array([-self.along[1], self.along[0]])

    @property
    def middle(self) -> NDArray[np.float64]:
        """Half way along."""
        return (self.start + self.end) / 2

    @property
    def facing_yaw(self) -> float:
        """Yaw at which a piece with its back to this wall stands (its +y axis points inward)."""
        return float(np.arctan2(self.along[1], self.along[0]))


@dataclass(frozen=True)
class Room:
    """A room as a union of rectangles; ``wall_rgb`` and ``floor`` are its decoration."""

    rects: tuple[Rect, ...]
    wall_rgb: Rgb
    floor_rgb: Rgb
    floor_texture: Texture

    @property
    def polygon(self) -> Polygon:
        """Floor outline, counter-clockwise."""
        outline = shapely.unary_union([shapely.box(*rect) for rect in self.rects])
        return shapely.orient_polygons(shapely.simplify(outline, 1e-6))

    def sides(self) -> list[Side]:
        """Walls in order round the room."""
        corners = np.array(self.polygon.exterior.coords)
        return [Side(a, b) for a, b in pairwise(corners)]


@dataclass(frozen=True)
class Plan:
    """Rooms and the openings between them, each a rectangle through the wall's thickness."""

    rooms: tuple[Room, ...]
    doorways: tuple[Rect, ...]

    @property
    def floor(self) -> Polygon:
        """All walkable ground, doorways included."""
        pieces = [room.polygon for room in self.rooms]
        return shapely.unary_union(pieces + [shapely.box(*d).buffer(1e-3) for d in self.doorways])


def make_plan(rng: np.random.Generator, rooms: int) -> Plan:
    """Draw one of the layouts with that many rooms. ``ValueError`` unless ``rooms`` is 1 to 3."""
    if rooms not in LAYOUTS:
        raise ValueError(f"rooms: {rooms} is not 1, 2 or 3")
    layouts = LAYOUTS[rooms]
    rects, doorways = layouts[rng.integers(len(layouts))](rng)
    walls = rng.permutation(np.array([(226, 221, 205), (206, 216, 220), (222, 212, 208)]))
    floors = rng.permutation(
        np.array([(168, 128, 88, Texture.PLANKS), (150, 150, 146, Texture.TILES)] * 2)
    )
    made = tuple(
        Room(tuple(parts), _rgb(wall), _rgb(floor[:3]), Texture(int(floor[3])))
        for parts, wall, floor in zip(rects, walls, floors, strict=False)
    )
    return Plan(made, tuple(doorways))


def _rgb(values: NDArray[np.int64]) -> Rgb:
    red, green, blue = (int(value) for value in values)
    return red, green, blue


# Layouts ------------------------------------------------------------------------------------

Layout = tuple[list[list[Rect]], list[Rect]]


def _rectangle(rng: np.random.Generator) -> Layout:
    return [[(0.0, 0.0, rng.uniform(4.8, 5.6), rng.uniform(4.4, 5.0))]], []


def _bent(rng: np.random.Generator) -> Layout:
    """An L: a rectangle with a bay on one side."""
    x, y = rng.uniform(5.0, 5.6), rng.uniform(4.0, 4.6)
    return [[(0.0, 0.0, x, y), (0.0, y, x * rng.uniform(0.5, 0.6), y + rng.uniform(1.4, 1.8))]], []


def _side_by_side(rng: np.random.Generator) -> Layout:
    """Two rooms sharing a wall, shifted against each other."""
    ax, ay = rng.uniform(4.6, 5.4), rng.uniform(4.4, 5.0)
    shift = rng.uniform(-0.6, 0.6)
    bx0 = ax + WALL_THICKNESS
    b: Rect = (bx0, shift, bx0 + rng.uniform(4.4, 5.2), shift + rng.uniform(4.4, 5.0))
    return [[(0.0, 0.0, ax, ay)], [b]], [_opening_x(rng, ax, max(0.0, b[1]), min(ay, b[3]))]


def _bent_and_back(rng: np.random.Generator) -> Layout:
    """An L-shaped room with a rectangular one behind it."""
    [[first, bay]], _ = _bent(rng)
    by0 = -WALL_THICKNESS - rng.uniform(4.3, 4.8)
    bx0 = rng.uniform(-0.5, 0.5)
    b: Rect = (bx0, by0, bx0 + rng.uniform(4.6, 5.2), -WALL_THICKNESS)
    door = _opening_y(rng, -WALL_THICKNESS, max(0.0, b[0]), min(first[2], b[2]))
    return [[first, bay], [b]], [door]


def _row(rng: np.random.Generator) -> Layout:
    """Three rooms in a row."""
    [[a], [b]], [door] = _side_by_side(rng)
    cx0 = b[2] + WALL_THICKNESS
    c: Rect = (cx0, b[1] - 0.3, cx0 + rng.uniform(4.4, 5.0), b[1] + rng.uniform(4.2, 4.8))
    second = _opening_x(rng, b[2], max(b[1], c[1]), min(b[3], c[3]))
    return [[a], [b], [c]], [door, second]


def _corner(rng: np.random.Generator) -> Layout:
    """Three rooms round a corner."""
    [[a], [b]], [door] = _side_by_side(rng)
    cy0 = b[3] + WALL_THICKNESS
    c: Rect = (b[0], cy0, b[0] + rng.uniform(4.4, 5.0), cy0 + rng.uniform(4.2, 4.8))
    second = _opening_y(rng, b[3], b[0], min(b[2], c[2]))
    return [[a], [b], [c]], [door, second]


LAYOUTS: dict[int, tuple[Callable[[np.random.Generator], Layout], ...]] = {
    1: (_rectangle, _bent),
    2: (_side_by_side, _bent_and_back),
    3: (_row, _corner),
}


def _opening_x(rng: np.random.Generator, x: float, low: float, high: float) -> Rect:
    """A doorway through the wall that starts at ``x``, somewhere in the middle of low..high."""
    y = (low + high - DOORWAY_WIDTH) / 2 + rng.uniform(-0.8, 0.8)
    return (x, y, x + WALL_THICKNESS, y + DOORWAY_WIDTH)


def _opening_y(rng: np.random.Generator, y: float, low: float, high: float) -> Rect:
    x0, y0, x1, y1 = _opening_x(rng, y, low, high)
    return (y0, x0, y1, x1)
