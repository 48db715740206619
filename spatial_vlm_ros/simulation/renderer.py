"""One camera image by ray casting: colour, exact depth and instance ids (Embree)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from spatial_vlm_ros.frame import Intrinsics
from spatial_vlm_ros.simulation.shapes import Texture
from spatial_vlm_ros.simulation.world import Mesh

Floats = NDArray[np.float32]

AMBIENT = 0.62  # share of light that comes from everywhere; the rest from the nearest lamp
#: Amplitude of brightness variation, by texture.
CONTRAST = {
    Texture.PLAIN: 0.03,
    Texture.WOOD: 0.16,
    Texture.FABRIC: 0.12,
    Texture.PLASTER: 0.03,
    Texture.PLANKS: 0.22,
    Texture.TILES: 0.16,
}


@dataclass(frozen=True)
class Rendering:
    """rgb (H, W, 3) uint8; depth (H, W) float32 metres along the optical axis, 0 where nothing
    was hit; ids (H, W) int32, 0 where nothing was hit; incidence (H, W) float32, cosine of the
    angle between ray and surface normal.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    ids: NDArray[np.int32]
    incidence: NDArray[np.float32]


class Renderer:
    """Casts one ray through every pixel centre of a pinhole camera into a mesh."""

    def __init__(self, mesh: Mesh, lights: NDArray[np.float64], intrinsics: Intrinsics) -> None:
        """``lights`` (n, 3): lamps in the mesh's frame; each point is lit by its nearest."""
        self.intrinsics = intrinsics
        self._scene = EmbreeScene()
        TriangleMesh(self._scene, mesh.vertices.astype(np.float32), mesh.faces)
        # Single precision, as Embree computes: a frame is then rendered in half the time.
        self._normals, self._lights = mesh.normals.astype(np.float32), lights.astype(np.float32)
        self._albedo = _linear(mesh.rgb).astype(np.float32)
        self._turn = np.stack([np.cos(mesh.yaw), np.sin(mesh.yaw)]).astype(np.float32)
        self._texture, self._ids = mesh.texture, mesh.ids
        u, v = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
        x, y = (u - intrinsics.cx) / intrinsics.fx, (v - intrinsics.cy) / intrinsics.fy
        # z = 1, so the ray parameter at a hit is the depth.
        self._rays_camera = np.stack([x, y, np.ones(u.shape)], axis=-1).reshape(-1, 3)
        self._lengths = np.linalg.norm(self._rays_camera, axis=1).astype(np.float32)

    def render(self, T_map_camera: NDArray[np.float64]) -> Rendering:
        """The image of a camera (optical axes: x right, y down, z forward) at that pose."""
        rays = (self._rays_camera @ T_map_camera[:3, :3].T).astype(np.float32)
        origin = T_map_camera[:3, 3].astype(np.float32)
        hits = self._scene.run(np.tile(origin, (len(rays), 1)), rays, output=1)
        seen = hits["primID"] >= 0
        triangle = np.where(seen, hits["primID"], 0)
        depth = np.where(seen, hits["tfar"], np.float32(0.0))
        points = origin + rays * depth[:, None]
        normals = self._normals[triangle]
        facing = -_dot(normals, rays) / self._lengths
        normals *= np.sign(facing)[:, None]  # towards the camera, whichever face was hit
        light = seen * self._light(points, normals) * self._pattern(points, triangle)
        colour = _srgb(self._albedo[triangle] * light[:, None])
        shape = (self.intrinsics.height, self.intrinsics.width)
        rgb = cv2.GaussianBlur(colour.reshape(*shape, 3), (3, 3), 0.5)  # a lens, not a razor
        return Rendering(
            rgb=rgb.astype(np.uint8, copy=False),
            depth=depth.reshape(shape),
            ids=np.where(seen, self._ids[triangle], 0).reshape(shape).astype(np.int32),
            incidence=(np.abs(facing) * seen).reshape(shape),
        )

    def _light(self, points: Floats, normals: Floats) -> Floats:
        """(n,) brightness: ambient, more from above, and the nearest lamp with hard shadows."""
        squared = np.stack([_dot(way := lamp - points, way) for lamp in self._lights])
        to_lamp = self._lights[squared.argmin(axis=0)] - points
        reach = squared.min(axis=0)
        start = points + np.float32(2e-3) * normals
        # The ray's parameter is 1 at the lamp: what it hits beyond casts no shadow.
        blocked = self._scene.run(start, to_lamp, query="DISTANCE") < 1.0
        lambert = np.clip(_dot(normals, to_lamp) / np.sqrt(np.maximum(reach, 0.04)), 0, 1)
        sky = AMBIENT * (1.0 + 0.15 * normals[:, 2] + 0.06 * normals[:, 0])
        return sky + (1 - AMBIENT) * lambert / (1.0 + 0.03 * reach) * ~blocked

    def _pattern(self, points: Floats, triangle: NDArray[np.int64]) -> Floats:
        """(n,) brightness factor of the solid texture, in the owner's axes."""
        texture = self._texture[triangle]
        cos, sin = self._turn[:, triangle]
        x = cos * points[:, 0] + sin * points[:, 1]
        y = -sin * points[:, 0] + cos * points[:, 1]
        z = points[:, 2]
        factor = np.ones(len(points), np.float32)
        for kind, pattern in _PATTERNS.items():
            of_kind = np.flatnonzero(texture == int(kind))
            factor[of_kind] += CONTRAST[kind] * pattern(x[of_kind], y[of_kind], z[of_kind])
        return factor


def _dot(a: Floats, b: Floats) -> Floats:
    """(n,) products of the rows of (n, 3) arrays."""
    return np.einsum("ij,ij->i", a, b)


def _grain(x: Floats, y: Floats, z: Floats) -> Floats:
    """Smooth blotches, -1..1."""
    return (np.sin(23 * x + 5 * y) + np.sin(19 * y - 7 * z) + np.sin(17 * z + 9 * x)) / 3


def _wood(x: Floats, y: Floats, z: Floats) -> Floats:
    """Fibres along x."""
    bend = 0.4 * np.sin(6 * x)
    return (np.sin(90 * y + bend) + np.sin(140 * z + bend) + np.sin(37 * y + 41 * z)) / 3


def _fabric(x: Floats, y: Floats, z: Floats) -> Floats:
    """A weave with blotches."""
    return 0.6 * np.sin(150 * (x + y)) * np.sin(150 * (x - y + z)) + 0.4 * _grain(x, y, z)


def _planks(x: Floats, y: Floats, z: Floats) -> Floats:
    """Boards along x, 14 cm wide, each with its own shade, dark joints."""
    row = np.floor(y / 0.14)
    board = np.floor(x / 1.3 + 0.37 * row)
    shade = np.sin(12.9898 * row + 78.233 * board)
    joint = (y / 0.14 - row < 0.04) | (x / 1.3 + 0.37 * row - board < 0.004)
    return 0.5 * shade + 0.2 * _wood(x, y, z) - 1.2 * joint


def _tiles(x: Floats, y: Floats, z: Floats) -> Floats:
    """Square tiles, 33 cm, with joints."""
    column, row = np.floor(x / 0.33), np.floor(y / 0.33)
    joint = (x / 0.33 - column < 0.025) | (y / 0.33 - row < 0.025)
    return 0.5 * np.sin(12.9898 * row + 78.233 * column) + 0.3 * _grain(x, y, z) - 1.4 * joint


_PATTERNS = {
    Texture.PLAIN: _grain,
    Texture.WOOD: _wood,
    Texture.FABRIC: _fabric,
    Texture.PLASTER: _grain,
    Texture.PLANKS: _planks,
    Texture.TILES: _tiles,
}


def _linear(srgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """0..255 sRGB to linear reflectance."""
    share = srgb / 255.0
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


_ENCODING = (
    255
    * np.where(
        (ramp := np.linspace(0, 1, 4096)) <= 0.0031308,
        12.92 * ramp,
        1.055 * ramp ** (1 / 2.4) - 0.055,
    )
).astype(np.uint8)


def _srgb(linear: Floats) -> NDArray[np.uint8]:
    """Linear light to 8-bit sRGB, by table."""
    return _ENCODING[np.clip(linear * 4095, 0, 4095).astype(np.int32)]
