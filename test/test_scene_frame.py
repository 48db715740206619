"""The scene frame of SSR section 3.3, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from box_world import look

from spatial_vlm_ros.scene_frame import inverse, level_frame, motion, scene_frame


def test_worked_case():
    """Camera at (2, 1, 1.5) along (0, 1, -0.2): x=(0,1,0), y=(-1,0,0); (1, 4, .5) -> (3, 1, -1)."""
    T_fixed_camera = look((2, 1, 1.5), (2, 2, 1.3))
    T = level_frame(T_fixed_camera)
    np.testing.assert_allclose(T[:3, :3], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(inverse(T) @ [1, 4, 0.5, 1], [3, 1, -1, 1], atol=1e-12)
    # A box of yaw 0 in the fixed frame has yaw -pi/2 in the scene.
    along = inverse(T)[:3, :3] @ [1, 0, 0]
    assert np.arctan2(along[1], along[0]) == pytest.approx(-np.pi / 2)


@pytest.mark.parametrize(
    ("optical", "image_down", "x"),
    [
        ((0, 0, -1), (-1, 0, 0), (1, 0, 0)),  # straight down: x is where the image's top points
        ((0, 0, 1), (0, 1, 0), (0, 1, 0)),  # straight up: where its bottom points
    ],
)
def test_vertical_camera(optical, image_down, x):
    T = np.eye(4)
    T[:3, :3] = np.column_stack([np.cross(image_down, optical), image_down, optical])
    np.testing.assert_allclose(level_frame(T)[:3, 0], x, atol=1e-12)


def test_vertical_is_the_limit_of_tilting():
    """Tilting a forward camera down past 80 degrees does not turn the frame."""
    for degrees in (70, 79, 81, 89.9, 90):
        tilt = np.radians(degrees)
        optical = np.array([np.cos(tilt), 0, -np.sin(tilt)])
        down = np.array([-np.sin(tilt), 0, -np.cos(tilt)])
        T = np.eye(4)
        T[:3, :3] = np.column_stack([np.cross(down, optical), down, optical])
        np.testing.assert_allclose(level_frame(T)[:3, 0], [1, 0, 0], atol=1e-9)


def test_y_down_world():
    """In a fixed frame with y down (OpenCV) a level camera along z: scene z is -y, x is z."""
    T = scene_frame(np.eye(4), up="-y")
    np.testing.assert_allclose(T[:3, :3], [[0, -1, 0], [0, 0, -1], [1, 0, 0]], atol=1e-12)
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1)


def test_motion_is_metres_and_degrees() -> None:
    """A quarter turn about z, and 3, 4, 12 metres away."""
    now = np.eye(4)
    now[:3] = [[0, -1, 0, 3], [1, 0, 0, 4], [0, 0, 1, 12]]
    assert motion(np.eye(4), now) == pytest.approx((13.0, 90.0))
    assert motion(now, now) == pytest.approx((0.0, 0.0))
