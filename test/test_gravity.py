"""Up from the floor: the right plane, however the camera is held and whatever else is level."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from box_room import CABINET, TABLE, camera, depth, points_fixed
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from real_data import DATA
from scipy.spatial.transform import Rotation

from spatial_vlm_ros.geometry.gravity import find_floor, level, mean_up, up_from_floor
from spatial_vlm_ros.geometry.similarity import Similarity

FURNISHED = (TABLE, CABINET)
#: Seven views of one window: a slow turn at a height of 1.2 m.
VIEWS = tuple(camera((-1.5 + 0.1 * i, 0.0, 1.2), yaw=6.0 * i - 18, pitch=15) for i in range(7))


def window(cameras, boxes=FURNISHED, noise=0.0, wrong=0.0, seed=0, scale=0.4):
    """Points (n, 3), poses (n, 4, 4) in the first camera's frame, where a unit is 1/scale metres.

    noise: of depth, as a share. wrong: share of pixels whose depth is anything.
    """
    random = np.random.default_rng(seed)
    points = []
    for T in cameras:
        seen = depth(T, *boxes) * (1 + noise * random.standard_normal((48, 64)))
        off = random.random(seen.shape) < wrong
        seen[off] *= random.uniform(0.3, 1.7, np.count_nonzero(off))
        points.append(points_fixed(T, seen))
    S = Similarity(1.0, cameras[0][:3, :3].T, -cameras[0][:3, :3].T @ cameras[0][:3, 3])
    S = Similarity(scale, np.eye(3), np.zeros(3)).after(S)
    return S.apply(np.concatenate(points)), S.pose(np.array(cameras)), S.rotation[:, 2]


def degrees(a, b):
    return np.degrees(np.arccos(np.clip(a @ b, -1, 1)))


def test_a_plane_computed_by_hand():
    x, y = (c.ravel() for c in np.meshgrid(np.linspace(-1, 1, 40), np.linspace(2, 4, 40)))
    floor = np.column_stack([x, np.full_like(x, 1.5), y])  # y points down: 1.5 below the camera
    found = find_floor(floor, np.eye(4)[None])
    assert found is not None
    np.testing.assert_allclose(found.up, [0, -1, 0], atol=1e-12)
    assert found.offset == pytest.approx(-1.5)
    assert found.share == 1.0
    assert found.spread < 1e-9
    np.testing.assert_allclose(found.height(np.array([[0, 0, 0], [5, 1.0, 9]])), [1.5, 0.5])


@pytest.mark.parametrize("wrong", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.02])
def test_floor_of_a_room(noise, wrong):
    points, T, up = window(VIEWS, noise=noise, wrong=wrong)
    floor = find_floor(points, T)
    assert floor is not None
    assert degrees(floor.up, up) < 1.0
    heights = floor.height(T[:, :3, 3]) / 0.4
    np.testing.assert_allclose(heights, 1.2, rtol=0.02)
    assert np.array_equal(floor.up, up_from_floor(points, T))


@pytest.mark.parametrize("noise", [0.0, 0.015])
def test_neither_table_nor_ceiling_wins(noise):
    z = 1.3
    for T_fixed_camera, above in [
        (camera((0.0, 0.0, z), yaw=0, pitch=27), 0.7),  # the table fills half of the image
        (camera((-2.5, 0.0, z), yaw=0, pitch=-4), 2.59),  # much ceiling, a strip of floor
    ]:
        exact, T, up = window([T_fixed_camera])
        height = (exact - T[0, :3, 3]) @ up / 0.4 + z
        at_floor = np.mean(height < 0.01)
        assert 0.1 < at_floor < 0.5 * np.mean((height > above) & (height < above + 0.06))
        found = find_floor(window([T_fixed_camera], noise=noise)[0], T)
        assert found is not None
        assert degrees(found.up, up) < 1.5
        error = abs(found.height(T[0, :3, 3]) / 0.4 - z)
        assert error < 0.08 * z and error < 0.001 + 2 * found.height_spread / 0.4


@pytest.mark.parametrize(
    "what",
    [
        camera((0.0, 0.0, 1.2), yaw=0, pitch=-25),  # the ceiling
        camera((2.5, 0.0, 1.2), yaw=0),  # a wall, half a metre off
    ],
)
def test_no_floor_in_view(what):
    points, T, _ = window([what], boxes=(), noise=0.01)
    assert find_floor(points, T) is None
    assert up_from_floor(points, T) is None


def test_a_level_with_much_below_it_is_no_floor():
    """A table whose surroundings are there, but no plane: rubble, or a floor too dark to see."""
    points, T, up = window([camera((0.0, 0.0, 1.3), yaw=0, pitch=27)])
    height = (points - T[0, :3, 3]) @ up / 0.4 + 1.3
    table = points[np.abs(height - 0.75) < 0.01]
    assert find_floor(table, T) is not None  # for all that is known
    low = table - up * np.random.default_rng(0).uniform(0.02, 0.3, (len(table), 1))
    few, many = low[: len(table) // 8], low[: len(table) // 2]
    found = find_floor(np.concatenate([table, few]), T)
    assert found is not None and found.height(T[0, :3, 3]) / 0.4 == pytest.approx(0.55, abs=0.02)
    assert find_floor(np.concatenate([table, many]), T) is None


def test_the_lowest_level_wins_by_hand() -> None:
    """Of 1000 points 880 on a table 0.6 under the camera, 120 on the floor 1.2 under it."""
    random = np.random.default_rng(0)
    points = random.uniform([-1, 0, 1], [1, 0, 3], (1000, 3))
    points[:, 1] = np.where(np.arange(1000) < 880, 0.6, 1.2)
    floor = find_floor(points, np.eye(4)[None])
    assert floor is not None and floor.offset == pytest.approx(-1.2)
    assert floor.share == pytest.approx(0.12)


def test_planes_through_corners_of_things_do_not_win() -> None:
    """Views of a furnished room at random; with 20 % wrong pixels other planes have points too."""
    random = np.random.default_rng(0)
    seen = 0
    for seed in range(60):
        yaw, pitch, roll, z = random.uniform([-180, 0, -20, 0.3], [180, 25, 20, 1.8])
        x, y = random.uniform([-1, -1], [0.3, 1])
        views = [camera((x, y, z), yaw + 20 * i, pitch, roll) for i in range(3)]
        exact, T, up = window(views)
        if np.mean((exact - T[0, :3, 3]) @ up / 0.4 + z < 0.01) < 0.15:
            continue
        seen += 1
        floor = find_floor(window(views, noise=0.015, wrong=0.2, seed=seed)[0], T)
        assert floor is not None
        assert degrees(floor.up, up) < 2
        assert floor.height(T[0, :3, 3]) / 0.4 == pytest.approx(z, rel=0.05)
    assert seen > 30


def test_a_level_over_the_camera_is_no_floor() -> None:
    points = np.random.default_rng(0).uniform([-1, -1, 1], [1, -1, 3], (1000, 3))
    assert find_floor(points, np.eye(4)[None]) is None
    points[:, 1] = 1
    assert find_floor(points, np.eye(4)[None]) is not None


def test_few_or_no_points():
    assert find_floor(np.empty((0, 3)), np.eye(4)[None]) is None
    assert find_floor(np.full((500, 3), np.nan), np.eye(4)[None]) is None
    assert find_floor(np.ones((500, 3)), np.eye(4)[None]) is None


def test_up_that_is_known_narrows_the_search():
    """A ramp of 20 degrees is a floor for a camera held like that, not for one that knows up."""
    x, y = (c.ravel() for c in np.meshgrid(np.linspace(-1, 1, 40), np.linspace(2, 4, 40)))
    ramp = np.column_stack([x, 1.5 - np.tan(np.radians(20)) * (y - 3), y])
    assert find_floor(ramp, np.eye(4)[None]) is not None
    assert find_floor(ramp, np.eye(4)[None], np.array([0, -1.0, 0]), tilt=10) is None
    across = np.array([0, -1.0, -np.tan(np.radians(20))])
    found = find_floor(ramp, np.eye(4)[None], 5 * across, tilt=10)
    assert found is not None and degrees(found.up, across / np.linalg.norm(across)) < 0.01


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    pitch=st.floats(0, 25), roll=st.floats(-20, 20), yaw=st.floats(-180, 180), z=st.floats(0.3, 1.8)
)
def test_however_the_camera_is_held(pitch, roll, yaw, z):
    tilted = [camera((-0.5, 0.0, z), yaw + 20 * i, pitch, roll) for i in range(3)]
    exact, T, up = window(tilted)
    seen = np.mean((exact - T[0, :3, 3]) @ up / 0.4 + z < 0.01)
    assume(seen > 0.15 and degrees(mean_up(T), up) < 28)
    floor = find_floor(window(tilted, noise=0.01, wrong=0.2)[0], T)
    assert floor is not None
    assert degrees(floor.up, up) < 2.0
    assert floor.height(T[0, :3, 3]) / 0.4 == pytest.approx(z, rel=0.05)


def test_mean_up():
    T = np.array([camera((0, 0, 1), 0, 20), camera((0, 0, 1), 180, 20)])
    np.testing.assert_allclose(mean_up(T), [0, 0, 1], atol=1e-12)
    assert mean_up(T[:1]) @ [0, 0, 1] == pytest.approx(np.cos(np.radians(20)))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(-70, 70))
def test_level(seed, pitch):
    T_fixed_camera = camera((1.0, 2.0, 3.0), yaw=40, pitch=pitch, roll=7)
    R = Rotation.random(random_state=seed).as_matrix()
    T_window_fixed = np.eye(4)
    T_window_fixed[:3, :3], T_window_fixed[:3, 3] = R, (5.0, -1.0, 2.0)
    T_level_window = level(3 * R[:, 2], T_window_fixed @ T_fixed_camera)
    T_level_camera = T_level_window @ T_window_fixed @ T_fixed_camera
    np.testing.assert_allclose(T_level_camera[:3, 3], 0, atol=1e-9)
    np.testing.assert_allclose(T_level_window[:3, :3] @ R[:, 2], [0, 0, 1], atol=1e-9)
    forward = T_level_camera[:3, 2]
    assert abs(forward[1]) < 1e-9 and forward[0] > 0
    assert forward[2] == pytest.approx(-np.sin(np.radians(pitch)), abs=1e-9)


@pytest.mark.skipif(not DATA.exists(), reason=f"no recordings at {DATA}")
def test_floor_of_a_real_walk() -> None:
    """A headset through a lounge and a kitchen, its world's y up: always the same floor."""
    folder = DATA / "rgbd" / "dvmvs_hololens_000"
    info = json.loads((folder / "info.json").read_text())
    K, found = np.array(info["K"]).reshape(3, 3), []
    names = sorted(path.stem for path in (folder / "pose").glob("*.txt"))
    for first in range(0, len(names) - 7, 10):
        window_names, points = names[first : first + 8], []
        T = np.array([np.loadtxt(folder / "pose" / f"{name}.txt") for name in window_names])
        for name, pose in zip(window_names, T, strict=True):
            z = cv2.imread(str(folder / "depth" / f"{name}.png"), -1)[::6, ::6]
            v, u = (6 * np.argwhere(z).T - K[[1, 0], [2, 2]][:, None]) / K[[1, 0], [1, 0]][:, None]
            seen = np.stack([u, v, np.ones(len(u))], axis=1) * z[z > 0, None] * info["depth_unit_m"]
            points.append(seen @ pose[:3, :3].T + pose[:3, 3])
        floor = find_floor(np.concatenate(points), T)
        assert floor is not None
        assert degrees(floor.up, np.array([0.0, 1, 0])) < 3
        found.append(floor.height(np.array([0.0, 0, 0])))
    assert len(found) == 9
    assert np.ptp(found) < 0.12 and np.median(found) == pytest.approx(1.54, abs=0.03)
