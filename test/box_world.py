"""Boxes on a floor, rendered exactly by intersecting rays: the memory's test scenes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatial_vlm_ros.frame import Frame, Intrinsics, LabelImage

FLOOR = 900
CAMERA = Intrinsics(320, 240, 260.0, 260.0, 159.5, 119.5)


@dataclass(frozen=True)
class Block:
    """An upright box: centre, size, yaw in the fixed frame; ``label`` None has no name."""

    id: int
    label: str | None
    center: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float = 0.0
    rgb: tuple[int, int, int] = (200, 30, 30)


def look(eye, target) -> np.ndarray:
    """(4, 4) T_fixed_camera of a camera at ``eye`` that looks at ``target``, upright."""
    eye, target = np.asarray(eye, float), np.asarray(target, float)
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    T = np.eye(4)
    T[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    T[:3, 3] = eye
    return T


def orbit(target, radius, height, angles_deg) -> list[np.ndarray]:
    """Camera poses on a circle around ``target``, at ``height`` above the floor."""
    return [
        look(
            (target[0] + radius * np.cos(a), target[1] + radius * np.sin(a), height),
            target,
        )
        for a in np.radians(angles_deg)
    ]


def render(blocks, T_fixed_camera, camera=CAMERA, floor=True):
    """Exact depth (h, w) metres (0 = nothing within 8 m), ids (h, w) and rgb (h, w, 3)."""
    v, u = np.mgrid[: camera.height, : camera.width]
    rays = np.stack(
        [(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], -1
    )
    rays, eye = rays @ T_fixed_camera[:3, :3].T, T_fixed_camera[:3, 3]
    depth, ids = np.full(u.shape, np.inf), np.zeros(u.shape, np.int32)
    rgb = np.full((*u.shape, 3), 128, np.uint8)
    with np.errstate(divide="ignore", invalid="ignore"):
        if floor:
            depth = np.where(rays[..., 2] < 0, -eye[2] / rays[..., 2], np.inf)
            ids[np.isfinite(depth)] = FLOOR
        for block in blocks:
            cos, sin = np.cos(block.yaw), np.sin(block.yaw)
            own = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
            origin, way = own @ (eye - block.center), rays @ own.T
            half = np.array(block.size) / 2
            a, b = (-half - origin) / way, (half - origin) / way
            enters, leaves = np.minimum(a, b).max(-1), np.maximum(a, b).min(-1)
            hit = (enters < leaves) & (enters > 0) & (enters < depth)
            depth, ids = np.where(hit, enters, depth), np.where(hit, block.id, ids)
            rgb[hit] = block.rgb
    return np.where(depth < 8, depth, 0).astype(np.float32), ids.astype(np.int32), rgb


def frame(
    blocks, T_fixed_camera, stamp=0, *, camera=CAMERA, noise=0.0, seed=0, per_instance=True, **more
) -> Frame:
    """A frame of the scene; ``noise`` is sigma at 1 m, growing with the square of the range."""
    depth, ids, rgb = render(blocks, T_fixed_camera, camera)
    if noise:
        rng = np.random.default_rng(1000 * seed + stamp)
        depth = depth + (depth > 0) * noise * depth**2 * rng.standard_normal(depth.shape)
    names = {block.id: block.label for block in blocks if block.label is not None}
    labels = LabelImage(ids, {**names, FLOOR: "floor"}, per_instance)
    return Frame(
        int(stamp) * 100_000_000, rgb, depth.astype(np.float32), camera, T_fixed_camera,
        **{"labels": labels, **more},
    )  # fmt: skip
