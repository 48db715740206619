"""The simulated robot: where its camera sits, and the names of its frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.frame import Intrinsics

MAP, ODOM, BASE, CAMERA = "map", "odom", "base_link", "camera_link"
OPTICAL = "camera_color_optical_frame"

CAMERA_HEIGHT = 1.2  # metres above the floor, 0.1 m before the base's centre
CAMERA_FORWARD = 0.1
CAMERA_PITCH = np.radians(15.0)  # downwards
FOCAL_SHARE = 415.0 / 640.0  # focal length per image width: 75 degrees across

#: camera_link looks along x with z up; its optical frame has x right, y down, z forward.
T_CAMERA_OPTICAL = np.array(
    [[0.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)
T_BASE_CAMERA = np.array(
    [
        [np.cos(CAMERA_PITCH), 0.0, np.sin(CAMERA_PITCH), CAMERA_FORWARD],
        [0.0, 1.0, 0.0, 0.0],
        [-np.sin(CAMERA_PITCH), 0.0, np.cos(CAMERA_PITCH), CAMERA_HEIGHT],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def base_pose(x: float, y: float, yaw: float) -> NDArray[np.float64]:
    """(4, 4) T_map_base of a robot on the floor."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array(
        [[cos, -sin, 0.0, x], [sin, cos, 0.0, y], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    )


def camera_pose(T_map_base: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, 4) T_map_camera, optical axes."""
    return T_map_base @ T_BASE_CAMERA @ T_CAMERA_OPTICAL


def camera(width: int, height: int) -> Intrinsics:
    """The robot's camera at an image size: square pixels, axis through the image's middle."""
    focal = FOCAL_SHARE * width
    return Intrinsics(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
