"""Painted solids that furniture is put together from, in the piece's own frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import trimesh
from numpy.typing import NDArray

from spatial_vlm_ros.simulation.palette import Rgb


class Texture(IntEnum):
    """How strongly and in which pattern brightness varies over a surface."""

    PLAIN = 0
    WOOD = 1
    FABRIC = 2
    PLASTER = 3
    PLANKS = 4
    TILES = 5


@dataclass(frozen=True)
class Part:
    """One solid: vertices (n, 3) metres, triangles (m, 3) with outward winding, sRGB paint."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    rgb: Rgb
    texture: Texture


def block(
    size: Sequence[float], center: Sequence[float], rgb: Rgb, texture: Texture = Texture.PLAIN
) -> Part:
    """A box with edges along the axes; ``size`` and ``center`` are x, y, z in metres."""
    mesh = trimesh.creation.box(extents=size)
    return Part(np.array(mesh.vertices) + center, np.array(mesh.faces), rgb, texture)


def cone(
    radius_bottom: float,
    radius_top: float,
    height: float,
    bottom: Sequence[float],
    rgb: Rgb,
    texture: Texture = Texture.PLAIN,
    sides: int = 20,
) -> Part:
    """An upright truncated cone standing on ``bottom`` (x, y, z)."""
    mesh = trimesh.creation.cylinder(radius=1.0, height=height, sections=sides)
    vertices = np.array(mesh.vertices)
    top = vertices[:, 2] > 0
    vertices[:, :2] *= np.where(top, radius_top, radius_bottom)[:, None]
    vertices[:, 2] += height / 2
    return Part(vertices + bottom, np.array(mesh.faces), rgb, texture)


def drum(
    radius: float,
    height: float,
    bottom: Sequence[float],
    rgb: Rgb,
    texture: Texture = Texture.PLAIN,
) -> Part:
    """An upright cylinder standing on ``bottom`` (x, y, z)."""
    return cone(radius, radius, height, bottom, rgb, texture)


def ball(
    radii: Sequence[float], center: Sequence[float], rgb: Rgb, texture: Texture = Texture.PLAIN
) -> Part:
    """An ellipsoid with half axes ``radii`` along x, y, z."""
    mesh = trimesh.creation.icosphere(subdivisions=2)
    return Part(np.array(mesh.vertices) * radii + center, np.array(mesh.faces), rgb, texture)


def legs(size_x: float, size_y: float, height: float, thickness: float, rgb: Rgb) -> list[Part]:
    """Four square legs under the corners of a ``size_x`` by ``size_y`` top, standing on z = 0."""
    x, y = (size_x - thickness) / 2, (size_y - thickness) / 2
    return [
        block((thickness, thickness, height), (sx * x, sy * y, height / 2), rgb, Texture.WOOD)
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
