"""From depth image to points: unprojection, bad depth, normals, colours."""

from __future__ import annotations

import numpy as np
import pytest
from box_world import CAMERA, Block, frame, look

from spatial_vlm_ros.config import PointsConfig
from spatial_vlm_ros.frame import Frame, Intrinsics
from spatial_vlm_ros.perception.colour import name_shares
from spatial_vlm_ros.perception.geometric import surface_normals
from spatial_vlm_ros.perception.points import sigma, unproject


def flat_frame(depth: np.ndarray, T=None, camera=CAMERA) -> Frame:
    rgb = np.zeros((*depth.shape, 3), np.uint8)
    return Frame(0, rgb, depth.astype(np.float32), camera, np.eye(4) if T is None else T)


def test_pixel_to_point_by_hand():
    """Pixel (419.5, 119.5) of f = 260 at 2 m: (2, 0, 2) in the camera."""
    camera = Intrinsics(640, 240, 260.0, 260.0, 159.5, 119.5)
    depth = np.full((240, 640), 2.0)
    points = unproject(flat_frame(depth, camera=camera), np.eye(4), PointsConfig(columns=640))
    x, y, z = (points.points_scene[119, 419] + points.points_scene[120, 420]) / 2
    assert (x, y, z) == pytest.approx((2.0, 0.0, 2.0), abs=1e-5)


def test_stride_keeps_the_geometry():
    """Every second pixel unprojects to the same place as without stride."""
    scene = [Block(1, "box", (2, 0.2, 0.3), (0.4, 0.4, 0.6), 0.3)]
    seen = frame(scene, look((0, 0, 1), (2, 0, 0.3)))
    fine = unproject(seen, seen.T_fixed_camera, PointsConfig(columns=320))
    coarse = unproject(seen, seen.T_fixed_camera, PointsConfig(columns=160))
    assert (fine.stride, coarse.stride) == (1, 2)
    np.testing.assert_allclose(coarse.points_scene, fine.points_scene[::2, ::2], atol=1e-5)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -np.inf, -1.0, 0.05, 60.0, 3e38])
def test_unusable_depth(bad):
    depth = np.full((240, 320), 2.0)
    depth[100:110, 100:110] = bad
    points = unproject(flat_frame(depth), np.eye(4), PointsConfig())
    assert not points.valid[100:110, 100:110].any()
    assert points.valid.sum() == 240 * 320 - 100
    assert np.isfinite(points.points_scene).all()


def test_flying_pixels_go_and_the_near_edge_stays():
    """At a step from 1 m to 3 m with a mixed column of 2 m, the 1 m side keeps every pixel."""
    depth = np.full((240, 320), 3.0)
    depth[:, :150], depth[:, 150] = 1.0, 2.0
    points = unproject(flat_frame(depth), np.eye(4), PointsConfig())
    assert points.valid[:, :150].all()
    assert not points.valid[:, 150].any()
    assert points.valid[:, 152:].all()


def test_a_slanted_floor_has_no_flying_pixels():
    seen = frame([], look((0, 0, 1.0), (3, 0, 0)))  # at 6 m 2.3 % of the range a pixel
    points = unproject(seen, seen.T_fixed_camera, PointsConfig())
    in_range = (seen.depth > 0.15) & (seen.depth < 6.0)
    assert points.valid[in_range].mean() > 0.99
    np.testing.assert_allclose(points.points_scene[points.valid][:, 2], 0, atol=1e-4)


def test_normals_of_floor_and_box():
    block = Block(1, "box", (2, 0, 0.4), (0.8, 0.8, 0.8), 0.0)
    seen = frame([block], look((0, 0, 1.2), (2, 0, 0.4)))
    points = unproject(seen, seen.T_fixed_camera, PointsConfig())
    normals, known = surface_normals(points, sigma(points.depth, PointsConfig()))
    floor = known & (seen.labels.ids != 1) & (points.points_scene[..., 0] < 1.4)
    front = known & (np.abs(points.points_scene[..., 0] - 1.6) < 1e-3)
    front &= points.points_scene[..., 2] < 0.7
    top = known & (np.abs(points.points_scene[..., 2] - 0.8) < 1e-3)
    for cells, normal in ((floor, (0, 0, 1)), (front, (-1, 0, 0)), (top, (0, 0, 1))):
        assert cells.sum() > 100
        assert (normals[cells] @ normal > 0.98).mean() > 0.97


SHADES = {
    "red": (205, 28, 30),
    "orange": (242, 125, 15),
    "yellow": (245, 215, 40),
    "green": (35, 150, 55),
    "blue": (35, 80, 205),
    "purple": (125, 45, 170),
    "pink": (248, 145, 185),
    "brown": (118, 72, 38),
    "black": (20, 20, 22),
    "white": (240, 240, 236),
    "grey": (128, 128, 128),
}


@pytest.mark.parametrize("name", SHADES)
def test_colour_name_survives_shading(name):
    """Half of the surface lit, half at 60 %: still one name, for the surface."""
    lit = np.tile(np.array(SHADES[name], np.float64), (50, 1))
    shares = name_shares(np.vstack([lit, 0.6 * lit]).astype(np.uint8))
    assert max(shares, key=shares.get) == name
    assert shares[name] > 0.9


def test_colour_shares():
    pixels = np.array([SHADES["red"]] * 70 + [SHADES["blue"]] * 30, np.uint8)
    assert name_shares(pixels) == pytest.approx({"red": 0.7, "blue": 0.3})
    assert name_shares(np.empty((0, 3), np.uint8)) == {}
