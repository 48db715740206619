"""How much of each object a drive has really shown: surface samples checked against images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from spatial_vlm_ros.frame import Intrinsics
from spatial_vlm_ros.simulation.noise import MAX_RANGE, MIN_RANGE
from spatial_vlm_ros.simulation.renderer import Rendering
from spatial_vlm_ros.simulation.world import Mesh

PER_OBJECT = 400
CONTACT = 0.05  # metres: a face with something this close before it is not exposed
DEPTH_TOLERANCE = 0.05
LEAST_COSINE = 0.1  # between line of sight and normal; flatter is not seen


@dataclass(frozen=True)
class Surfels:
    """Samples of what of each object's surface can be seen at all.

    points, normals (n, 3), map frame; ids (n,) the object of each.
    """

    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    ids: NDArray[np.int32]


def exposed_surfels(mesh: Mesh, objects: int, rng: np.random.Generator) -> Surfels:
    """Samples spread evenly over the surface of objects 1..``objects``.

    Left out are undersides (normal more than 30 degrees below level), what lies inside the object
    itself, and faces with a wall or another surface within ``CONTACT`` before them.
    """
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    chosen = []
    for number in range(1, objects + 1):
        own = np.flatnonzero(mesh.ids == number)
        share = areas[own] / areas[own].sum()
        chosen.append(rng.choice(own, size=PER_OBJECT, p=share))
    triangle = np.concatenate(chosen)
    u, v = rng.random((2, len(triangle), 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    points = a[triangle] + u * (b - a)[triangle] + v * (c - a)[triangle]
    normals, ids = mesh.normals[triangle], mesh.ids[triangle]
    keep = (normals[:, 2] > -0.5) & ~_covered(mesh, points, normals, ids)
    return Surfels(points[keep], normals[keep], ids[keep])


def _covered(
    mesh: Mesh,
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    ids: NDArray[np.int32],
) -> NDArray[np.bool_]:
    """Whether something is right before a surfel, or the surfel is inside its own object."""
    scene = EmbreeScene()
    TriangleMesh(scene, mesh.vertices.astype(np.float32), mesh.faces)
    start = (points + 1e-4 * normals).astype(np.float32)
    hits = scene.run(start, normals.astype(np.float32), output=1)
    hit = hits["primID"] >= 0
    what = np.where(hit, hits["primID"], 0)
    leaving = np.einsum("ij,ij->i", mesh.normals[what], normals) > 0
    inside = leaving & (mesh.ids[what] == ids)
    return hit & (inside | (hits["tfar"] < CONTACT))


def visible(
    surfels: Surfels,
    rendering: Rendering,
    T_map_camera: NDArray[np.float64],
    intrinsics: Intrinsics,
) -> NDArray[np.bool_]:
    """(n,) which surfels this image shows within the sensor's range."""
    to_point = surfels.points - T_map_camera[:3, 3]
    x, y, z = (to_point @ T_map_camera[:3, :3]).T
    in_range = (z > MIN_RANGE) & (z < MAX_RANGE)
    safe = np.where(in_range, z, 1.0)
    u = np.rint(intrinsics.fx * x / safe + intrinsics.cx).astype(int)
    v = np.rint(intrinsics.fy * y / safe + intrinsics.cy).astype(int)
    inside = (u >= 0) & (u < intrinsics.width) & (v >= 0) & (v < intrinsics.height)
    cosine = -np.einsum("ij,ij->i", surfels.normals, to_point) / np.linalg.norm(to_point, axis=1)
    shown = in_range & inside & (cosine > LEAST_COSINE)
    pixel = v[shown], u[shown]
    near = np.abs(rendering.depth[pixel] - z[shown]) < DEPTH_TOLERANCE
    shown[shown] = near & (rendering.ids[pixel] == surfels.ids[shown])
    return shown
