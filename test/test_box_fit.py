"""Boxes from points: rotated cubes, half-seen corners, thin plates, round things, noise."""

from __future__ import annotations

import numpy as np
import pytest

from spatial_vlm_ros.config import BoxConfig
from spatial_vlm_ros.scene.box import Box, iou
from spatial_vlm_ros.scene.box_fit import fit_box, moved
from spatial_vlm_ros.scene.round_fit import rounded
from spatial_vlm_ros.scene.voxel_points import VoxelPoints


def surface(box: Box, faces="xyz", count=6000, noise=0.0, seed=0) -> np.ndarray:
    """Random points on faces of a box: "x" both ends, "+x" the one at +x, and so on."""
    rng = np.random.default_rng(seed)
    sides = [(1, axis) for axis in faces.replace("-", "").replace("+", "")]
    if "+" not in faces:
        sides += [(-1, axis) for axis in faces]
    points = []
    for sign, axis in sides:
        local = rng.uniform(-0.5, 0.5, (count // len(sides), 3))
        local[:, "xyz".index(axis)] = sign * 0.5
        points.append(local * box.size)
    local = np.vstack(points)
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    turned = local @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    return (turned + box.center + noise * rng.standard_normal(local.shape)).astype(np.float32)


def fit(points: np.ndarray) -> Box:
    return fit_box(points, np.ones(len(points), np.float32), BoxConfig())


def turn(a: float, b: float, period: float) -> float:
    """Smallest angle between two yaws that are equal modulo ``period``."""
    return abs((a - b + period / 2) % period - period / 2)


@pytest.mark.parametrize("yaw", [0.0, 30.0, 45.0, 77.0, -90.0])
@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_a_cube_keeps_its_size(yaw, noise):
    cube = Box(1.0, -2.0, 0.2, 0.4, 0.4, 0.4, np.radians(yaw))
    box = fit(surface(cube, noise=noise))
    assert box.size == pytest.approx(cube.size, abs=0.02)
    assert box.center == pytest.approx(cube.center, abs=0.01)
    assert turn(box.yaw, cube.yaw, np.pi / 2) < np.radians(1.5)


@pytest.mark.parametrize("yaw", [0.0, 0.4, 1.2])
def test_length_is_the_longer_side(yaw):
    true = Box(0.0, 0.0, 0.5, 1.2, 0.5, 1.0, yaw)
    box = fit(surface(true, noise=0.003))
    assert box.length > box.width
    assert turn(box.yaw, yaw, np.pi) < np.radians(1)
    assert -np.pi / 2 <= box.yaw < np.pi / 2
    assert iou(box, true) > 0.9


@pytest.mark.parametrize("yaw", [0.0, 0.5, 1.0])
def test_two_sides_of_a_corner_give_the_box_not_its_diagonal(yaw):
    """Area alone cannot tell: the rectangle on the diagonal of a corner is just as small."""
    true = Box(0.0, 0.0, 0.4, 1.0, 0.8, 0.8, yaw)
    box = fit(surface(true, faces="+x+y", noise=0.004))
    assert turn(box.yaw, yaw, np.pi / 2) < np.radians(2)
    assert iou(box, true) > 0.85


def test_a_thin_plate_is_turned_exactly():
    true = Box(0.0, 0.0, 1.5, 0.6, 0.08, 0.45, 0.7)
    points = np.vstack([surface(true, "+y", noise=0.004), surface(true, "+x", 300, 0.004)])
    assert turn(fit(points).yaw, 0.7, np.pi) < np.radians(1.5)


def test_stray_points_do_not_inflate():
    true = Box(0.0, 0.0, 0.3, 0.5, 0.4, 0.6, 0.3)
    strays = np.random.default_rng(1).uniform(-2, 2, (12, 3)).astype(np.float32)
    box = fit(np.vstack([surface(true), strays]))
    assert iou(box, true) > 0.9


def test_one_point_has_a_box():
    box = fit(np.array([[1.0, 2.0, 3.0]], np.float32))
    assert box.center == pytest.approx([1, 2, 3])
    assert box.size == pytest.approx([0.01, 0.01, 0.01])


def test_no_points():
    with pytest.raises(ValueError, match="no points"):
        fit_box(np.empty((0, 3), np.float32), np.empty(0, np.float32), BoxConfig())


def test_moved_is_the_largest_step_of_a_corner():
    box = Box(0, 0, 0, 1.0, 0.5, 0.5, 0.0)
    assert moved(box, box) == 0
    assert moved(box, Box(0, 0, 0.1, 1.0, 0.5, 0.5, 0.0)) == pytest.approx(0.1)
    assert moved(box, Box(0, 0, 0, 1.2, 0.5, 0.5, 0.0)) == pytest.approx(0.1)
    square = Box(0, 0, 0, 1.0, 1.0, 0.5, 0.0)
    assert moved(square, Box(0, 0, 0, 1.0, 1.0, 0.5, np.pi / 2)) == pytest.approx(0, abs=1e-6)


def cylinder(radius, height, angles, noise=0.0, count=4000) -> np.ndarray:
    rng = np.random.default_rng(3)
    angle, z = rng.uniform(*angles, count), rng.uniform(0, height, count)
    points = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])
    return (points + noise * rng.standard_normal(points.shape)).astype(np.float32)


def test_half_a_vase_is_completed():
    """A cylinder of radius 0.1 seen over 160 degrees: its box is 0.2 x 0.2 round its axis."""
    points = cylinder(0.1, 0.3, (-1.4, 1.4), noise=0.002)
    half = fit(points)
    assert half.width < 0.13
    box = rounded(points, np.ones(len(points), np.float32), half)
    assert (box.length, box.width) == pytest.approx((0.2, 0.2), abs=0.015)
    assert (box.x, box.y) == pytest.approx((0, 0), abs=0.01)


@pytest.mark.parametrize("size", [(0.4, 0.2, 0.3), (0.3, 0.24, 0.1), (1.2, 0.5, 0.8)])
def test_boxes_are_not_taken_for_round(size):
    points = surface(Box(0, 0, 0.15, *size, 0.4), faces="+x+y", noise=0.003)
    box = fit(points)
    assert rounded(points, np.ones(len(points), np.float32), box) == box


# Accumulated points --------------------------------------------------------------------------


def test_voxels_average_and_stay_sorted():
    """Two points of one 10 cm voxel, weights 1 and 3: their mean is a quarter off the second."""
    voxels = VoxelPoints(0.1, 100)
    voxels.add(np.array([[0.02, 0.05, 0.05]], np.float32), np.array([1.0], np.float32))
    voxels.add(
        np.array([[0.06, 0.05, 0.05], [-0.5, 0.3, 0.2]], np.float32),
        np.array([3.0, 1.0], np.float32),
    )
    assert len(voxels) == 2
    assert np.all(np.diff(voxels.keys) > 0)
    at = int(np.argmax(voxels.weights))
    assert voxels.weights[at] == 4
    assert voxels.means[at] == pytest.approx([0.05, 0.05, 0.05], abs=1e-6)


def test_voxels_are_bounded_and_keep_the_extent():
    true = Box(0, 0, 0.5, 3.0, 2.0, 1.0, 0.2)
    voxels = VoxelPoints(0.01, 500)
    for seed in range(30):
        points = surface(true, count=3000, noise=0.004, seed=seed)
        voxels.add(points, np.ones(len(points), np.float32))
        assert len(voxels) <= 500
    assert voxels.bytes_used <= 500 * (8 + 12 + 4 + 4)
    solid = voxels.clean()
    box = fit_box(voxels.means[solid], voxels.weights[solid], BoxConfig(), voxels.size)
    assert iou(box, true) > 0.85


def test_noise_from_afar_is_outweighed_by_a_near_look():
    """A wall seen from afar is 20 cm thick; once seen from near it is thin again."""
    rng = np.random.default_rng(0)
    wall = np.column_stack([rng.uniform(0, 1, 20000), np.zeros(20000), rng.uniform(0, 1, 20000)])
    far = wall.copy()
    far[:, 1] = 0.05 * rng.standard_normal(len(far))
    near = wall.copy()
    near[:, 1] = 0.002 * rng.standard_normal(len(near))
    voxels = VoxelPoints(0.02, 100_000)
    voxels.add(far.astype(np.float32), np.full(len(far), 0.002, np.float32))
    solid = voxels.clean()
    assert np.ptp(voxels.means[solid][:, 1]) > 0.2
    voxels.add(near.astype(np.float32), np.ones(len(near), np.float32))
    solid = voxels.clean()
    assert np.ptp(voxels.means[solid][:, 1]) < 0.05


def test_the_side_seen_seldom_stays():
    """A mug seen from behind five times, then from the front two thousand times, keeps its back."""
    rng = np.random.default_rng(2)
    back, front = rng.uniform(0, 0.1, (2, 200, 3)).astype(np.float32)
    back[:, 1], front[:, 1] = 0.08, 0.0
    voxels = VoxelPoints(0.015, 5000)
    for _ in range(5):
        voxels.add(back, np.full(200, 0.5, np.float32))
    for _ in range(40):
        voxels.add(front, np.full(200, 25.0, np.float32))
    voxels.trust[:] = 0.5
    solid = voxels.clean()
    assert np.ptp(voxels.means[solid][:, 1]) > 0.07


def test_disputed_voxels_go():
    voxels = VoxelPoints(0.05, 1000)
    points = surface(Box(0, 0, 0, 1, 1, 1, 0), count=3000)
    voxels.add(points, np.full(len(points), 0.1, np.float32))
    before, upper = len(voxels), points[points[:, 2] > 0.3]
    for _ in range(12):
        voxels.dispute(upper)
    assert len(voxels) < before
    assert (voxels.means[:, 2] > 0.3).sum() == 0
    assert (voxels.means[:, 2] < 0.2).sum() > 100
    assert np.all(np.diff(voxels.keys) > 0)
