"""The scene frame (SSR section 3.3): fixed at the first camera, gravity up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: sin of 10 degrees: an optical axis whose level part is shorter points straight up or down.
_VERTICAL = 0.17

#: Right-handed axes, as columns, whose third is the named one.
_AXES = {"x": np.eye(3)[:, [1, 2, 0]], "y": np.eye(3)[:, [2, 0, 1]], "z": np.eye(3)}


def scene_frame(T_fixed_camera: NDArray[np.float64], up: str = "z") -> NDArray[np.float64]:
    """(4, 4) T_fixed_scene for the first camera, in a fixed frame whose ``up`` axis points up.

    ``up`` is "x", "y", "z" or one of them with a minus. ROS frames have z up (REP-103); recordings
    of other systems may not.
    """
    T_fixed_upright = np.eye(4)
    T_fixed_upright[:3, :3] = _AXES[up[-1]] * ((1, -1, -1) if up[0] == "-" else 1)
    return T_fixed_upright @ level_frame(inverse(T_fixed_upright) @ T_fixed_camera)


def level_frame(T_world_camera: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pose of the upright frame at a camera: (4, 4) T_world_level, world's z being up.

    Origin at the camera centre, z up, x = the optical axis projected on the ground, y = left
    (REP-103). Within 10 degrees of straight down x is where the image's top points, within 10
    degrees of straight up where its bottom points: the limits of tilting the camera over.
    """
    right_down_forward = T_world_camera[:3, :3]
    axis = right_down_forward[:, 2]
    if np.hypot(axis[0], axis[1]) < _VERTICAL:
        image_down = right_down_forward[:, 1]
        axis = -image_down if axis[2] < 0 else image_down
    x = np.array([axis[0], axis[1], 0.0])
    x /= np.linalg.norm(x)
    T_world_level = np.eye(4)
    T_world_level[:3, 0] = x
    T_world_level[:3, 1] = (-x[1], x[0], 0.0)
    T_world_level[:3, 3] = T_world_camera[:3, 3]
    return T_world_level


def motion(T_before: NDArray[np.float64], T_now: NDArray[np.float64]) -> tuple[float, float]:
    """Metres and degrees between two poses (4, 4)."""
    metres = np.linalg.norm(T_now[:3, 3] - T_before[:3, 3])
    cosine = (np.trace(T_before[:3, :3].T @ T_now[:3, :3]) - 1) / 2
    return float(metres), float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def inverse(T: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of a rigid (4, 4) transform."""
    result = np.eye(4)
    result[:3, :3] = T[:3, :3].T
    result[:3, 3] = -T[:3, :3].T @ T[:3, 3]
    return result
