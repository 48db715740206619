"""A cube on a floor, seen by a moving camera: rendered exactly, by intersecting rays."""

from __future__ import annotations

import numpy as np

WIDTH, HEIGHT, FOCAL = 160, 120, 130.0
CUBE, FLOOR = 7, 1  # label ids
NAMES = {CUBE: "cube", FLOOR: "floor"}
SIDE = 0.4
CENTER = np.array([2.0, 0.0, SIDE / 2])


def camera_pose(step: int) -> np.ndarray:
    """(4, 4) T_odom_camera: 1 m up, turning around the cube by 3 degrees a step, looking at it."""
    angle = np.radians(3.0 * (step % 30) - 30.0)
    eye = CENTER + np.array([-2.0 * np.cos(angle), 2.0 * np.sin(angle), 0.8])
    forward = (CENTER - eye) / np.linalg.norm(CENTER - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    T = np.eye(4)
    T[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    T[:3, 3] = eye
    return T


def render(T_odom_camera: np.ndarray, yaw: float = 0.0, scale: int = 1):
    """(rgb uint8, depth in metres float32, label ids uint16) of a cube turned by ``yaw``.

    ``scale`` enlarges the image: 4 is 640x480.
    """
    width, height, focal = WIDTH * scale, HEIGHT * scale, FOCAL * scale
    v, u = np.mgrid[:height, :width]
    rays = np.stack(
        [(u - (width - 1) / 2) / focal, (v - (height - 1) / 2) / focal, np.ones_like(u)], -1
    )
    rays = rays @ T_odom_camera[:3, :3].T  # optical z is 1, so distances along them are depths
    eye = T_odom_camera[:3, 3]
    with np.errstate(divide="ignore"):
        floor = np.where(rays[..., 2] < 0, -eye[2] / rays[..., 2], np.inf)
        cos, sin = np.cos(yaw), np.sin(yaw)
        into_box = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        origin, way = into_box @ (eye - CENTER), rays @ into_box.T
        near, far = (-SIDE / 2 - origin) / way, (SIDE / 2 - origin) / way
    enters = np.minimum(near, far).max(-1)
    leaves = np.maximum(near, far).min(-1)
    cube = np.where((enters < leaves) & (enters > 0), enters, np.inf)
    depth = np.minimum(cube, floor)
    ids = np.where(cube < floor, CUBE, np.where(np.isfinite(floor), FLOOR, 0)).astype(np.uint16)
    rgb = np.full((height, width, 3), 60, np.uint8)
    rgb[ids == CUBE] = (200, 30, 30)
    depth = np.where(np.isfinite(depth) & (depth < 8), depth, 0)
    return rgb, depth.astype(np.float32), ids
