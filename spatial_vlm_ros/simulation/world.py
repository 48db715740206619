"""The simulated building: placed objects and rooms, in the map frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon

from spatial_vlm_ros.simulation.rooms import Plan
from spatial_vlm_ros.simulation.shapes import Part, Texture
from spatial_vlm_ros.simulation.shell import surfaces


@dataclass(frozen=True)
class Placed:
    """One object standing in the map frame at x, y, z (its own origin) and yaw.

    ``parts`` are in its own frame; ``room`` indexes the plan's rooms; ``support`` is the id of the
    object it stands on, or None.
    """

    id: int
    category: str
    colour: str
    parts: Sequence[Part]
    room: int
    x: float
    y: float
    z: float
    yaw: float
    support: int | None = None

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """(2, 3) lowest and highest coordinates of the mesh in the object's own frame."""
        vertices = np.concatenate([part.vertices for part in self.parts])
        return np.array([vertices.min(axis=0), vertices.max(axis=0)])

    @property
    def size(self) -> NDArray[np.float64]:
        """(3,) extents along the object's own axes."""
        return self.bounds[1] - self.bounds[0]

    @property
    def center_map(self) -> NDArray[np.float64]:
        """(3,) middle of the tight box, map frame."""
        return self.to_map(self.bounds.mean(axis=0)[None])[0]

    @property
    def footprint(self) -> Polygon:
        """The tight box seen from above, map frame."""
        (x0, y0, _), (x1, y1, _) = self.bounds
        corners = np.array([(x0, y0, 0.0), (x1, y0, 0.0), (x1, y1, 0.0), (x0, y1, 0.0)])
        return Polygon(self.to_map(corners)[:, :2])

    @property
    def z_range(self) -> tuple[float, float]:
        """Height of lowest and highest point, map frame."""
        return float(self.z + self.bounds[0, 2]), float(self.z + self.bounds[1, 2])

    def to_map(self, points_object: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 3) points of the object's own frame in the map frame."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        rotation = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        return points_object @ rotation.T + (self.x, self.y, self.z)


@dataclass(frozen=True)
class World:
    """The plan, the rooms' names, and everything in it. Ids count from 1 without gaps."""

    plan: Plan
    room_names: tuple[str, ...]
    objects: tuple[Placed, ...]

    @cached_property
    def structure(self) -> tuple[tuple[int, str, list[Part]], ...]:
        """(id, "floor" | "wall" | "ceiling", parts in the map frame) of every room."""
        next_id = len(self.objects) + 1
        made = []
        for room in range(len(self.plan.rooms)):
            for name, parts in surfaces(self.plan, room).items():
                made.append((next_id, name, parts))
                next_id += 1
        return tuple(made)

    @property
    def names(self) -> dict[int, str]:
        """Category of every instance id, structure included."""
        objects = {item.id: item.category for item in self.objects}
        return objects | {number: name for number, name, _ in self.structure}

    def mesh(self) -> Mesh:
        """All surfaces as one triangle soup."""
        pieces = [
            Mesh.of(part, item.to_map(part.vertices), item.id, item.yaw)
            for item in self.objects
            for part in item.parts
        ]
        pieces += [
            Mesh.of(part, part.vertices, number, 0.0)
            for number, _, parts in self.structure
            for part in parts
        ]
        return Mesh.joined(pieces)

    def room_lights(self) -> NDArray[np.float64]:
        """(rooms, 3) a lamp under each ceiling, map frame."""
        spots = [shapely.point_on_surface(room.polygon) for room in self.plan.rooms]
        return np.array([(spot.x, spot.y, 2.4) for spot in spots])


@dataclass(frozen=True)
class Mesh:
    """Triangles with, for each, its paint, texture, instance id and its owner's yaw.

    vertices (v, 3) metres, map frame; faces (t, 3); rgb (t, 3) sRGB 0..255; normals (t, 3)
    outward unit vectors.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    rgb: NDArray[np.float64]
    texture: NDArray[np.int32]
    ids: NDArray[np.int32]
    yaw: NDArray[np.float64]
    normals: NDArray[np.float64]

    @staticmethod
    def of(part: Part, vertices_map: NDArray[np.float64], instance: int, yaw: float) -> Mesh:
        """One part, its vertices already in the map frame."""
        a, b, c = (vertices_map[part.faces[:, i]] for i in range(3))
        normals = np.cross(b - a, c - a)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        count = len(part.faces)
        return Mesh(
            vertices_map,
            part.faces.astype(np.int32),
            np.tile(np.array(part.rgb, float), (count, 1)),
            np.full(count, int(Texture(part.texture)), np.int32),
            np.full(count, instance, np.int32),
            np.full(count, yaw),
            normals,
        )

    @staticmethod
    def joined(pieces: list[Mesh]) -> Mesh:
        """All pieces in one, vertices renumbered."""
        starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces[:-1])])
        return Mesh(
            np.concatenate([piece.vertices for piece in pieces]),
            np.concatenate([p.faces + s for p, s in zip(pieces, starts, strict=True)]).astype(
                np.int32
            ),
            np.concatenate([piece.rgb for piece in pieces]),
            np.concatenate([piece.texture for piece in pieces]),
            np.concatenate([piece.ids for piece in pieces]),
            np.concatenate([piece.yaw for piece in pieces]),
            np.concatenate([piece.normals for piece in pieces]),
        )
