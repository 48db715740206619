"""What a frame refuses, and what it says."""

from __future__ import annotations

import numpy as np
import pytest

from spatial_vlm_ros.frame import Frame, Intrinsics, LabelImage

CAMERA = Intrinsics(8, 6, 5.0, 5.0, 3.5, 2.5)


def make(**changes: object) -> Frame:
    parts = {
        "stamp_ns": 5,
        "rgb": np.zeros((6, 8, 3), np.uint8),
        "depth": np.ones((6, 8), np.float32),
        "intrinsics": CAMERA,
        "T_fixed_camera": np.eye(4),
    }
    return Frame(**{**parts, **changes})


def test_a_good_frame():
    seen = make(labels=LabelImage(np.zeros((6, 8), np.int32), {}))
    assert (seen.stamp_ns, seen.detections) == (5, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rgb": np.zeros((8, 6, 3), np.uint8)}, r"colour image is \(8, 6, 3\) uint8"),
        ({"rgb": np.zeros((6, 8, 3), np.float32)}, "float32, intrinsics say"),
        ({"rgb": np.zeros((6, 8), np.uint8)}, "colour image is"),
        ({"depth": np.ones((3, 4), np.float32)}, "depth image is 4x3, colour is 8x6.*aligned"),
        ({"labels": LabelImage(np.zeros((3, 4), np.int32), {})}, "label image is 4x3"),
    ],
)
def test_images_of_other_sizes(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def with_value(row: int, column: int, value: float) -> np.ndarray:
    T = np.eye(4)
    T[row, column] = value
    return T


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        (np.eye(3), "not a finite 4x4"),
        (np.zeros(16), "not a finite 4x4"),
        (with_value(0, 3, np.nan), "not a finite 4x4"),
        (with_value(1, 3, np.inf), "not a finite 4x4"),
        (with_value(0, 0, 1.1), "not a rigid transform"),  # scaled
        (with_value(0, 0, -1.0), "not a rigid transform"),  # mirrored
        (np.zeros((4, 4)), "not a rigid transform"),
    ],
)
def test_poses(pose, message):
    with pytest.raises(ValueError, match=message):
        make(T_fixed_camera=pose)


@pytest.mark.parametrize("focal", [0.0, -500.0, np.nan])
def test_an_uncalibrated_camera(focal):
    with pytest.raises(ValueError, match="not calibrated"):
        Intrinsics(8, 6, 5.0, focal, 3.5, 2.5)
    with pytest.raises(ValueError, match="not calibrated"):
        Intrinsics(8, 6, focal, 5.0, 3.5, 2.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", range(4))
def test_intrinsics_that_are_not_numbers(bad, place):
    values = [5.0, 5.0, 3.5, 2.5]
    values[place] = bad
    with pytest.raises(ValueError, match="not finite|not calibrated"):
        Intrinsics(8, 6, *values)


@pytest.mark.parametrize("size", [(0, 6), (8, -1)])
def test_an_empty_image(size):
    with pytest.raises(ValueError, match="image size"):
        Intrinsics(*size, 5.0, 5.0, 3.5, 2.5)


def test_a_resized_image_keeps_its_corners() -> None:
    """Half as wide: the middle of four pixels is at 1.5, of two at 0.5; a corner at -0.5 stays."""
    half = Intrinsics(4, 3, 10.0, 9.0, 1.5, -0.5).resized(2, 6)
    assert half == Intrinsics(2, 6, 5.0, 18.0, 0.5, -0.5)
