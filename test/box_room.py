"""A room of boxes seen by exact depth images: floor, walls, ceiling, a table, for geometry tests.

Fixed frame: z up, metres, the floor at z = 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROOM = np.array([[-3.0, -3.0, 0.0], [3.0, 3.0, 2.6]])
#: Corners of boxes that stand in it: a table's top, a cabinet.
TABLE = np.array([[0.6, -0.9, 0.70], [1.8, 0.9, 0.75]])
CABINET = np.array([[2.4, -2.9, 0.0], [2.9, -1.4, 1.2]])
SIZE = (48, 64)
K = np.array([[55.0, 0, 31.5], [0, 55.0, 23.5], [0, 0, 1]])


def camera(
    place: tuple[float, float, float], yaw: float, pitch: float = 0.0, roll: float = 0.0
) -> NDArray[np.float64]:
    """(4, 4) T_fixed_camera of an optical frame; degrees; pitch down is positive."""
    a, b, c = np.radians([yaw, pitch, roll])
    forward = np.array([np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), -np.sin(b)])
    right = np.array([np.sin(a), -np.cos(a), 0.0])
    down = np.cross(forward, right)
    T = np.eye(4)
    T[:3, 0] = np.cos(c) * right + np.sin(c) * down
    T[:3, 1] = np.cos(c) * down - np.sin(c) * right
    T[:3, 2] = forward
    T[:3, 3] = place
    return T


def depth(T_fixed_camera: NDArray[np.float64], *boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(48, 64) metres along the optical axis, of the room with these boxes in it."""
    rays = rays_camera().reshape(-1, 3) @ T_fixed_camera[:3, :3].T
    centre = T_fixed_camera[:3, 3]
    with np.errstate(divide="ignore"):
        room = ((ROOM[:, None] - centre) / rays).max(axis=0).min(axis=1)
        for low, high in boxes:
            to = np.sort(np.stack([(low - centre) / rays, (high - centre) / rays]), axis=0)
            enter, leave = to[0].max(axis=1), to[1].min(axis=1)
            room = np.where((enter < leave) & (enter > 0), np.minimum(room, enter), room)
    return room.reshape(SIZE)


def rays_camera() -> NDArray[np.float64]:
    """(48, 64, 3) points at depth 1."""
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(SIZE)], axis=-1)


def points_fixed(
    T_fixed_camera: NDArray[np.float64], depths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(48 * 64, 3) of a depth image."""
    points = (rays_camera() * depths[..., None]).reshape(-1, 3)
    return points @ T_fixed_camera[:3, :3].T + T_fixed_camera[:3, 3]
