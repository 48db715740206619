"""From one window to the next: cases by hand, errors of all kinds, and points as a rival."""

from __future__ import annotations

import numpy as np
import pytest
import window_world as world

from spatial_vlm_ros.geometry.agreement import agreement, together
from spatial_vlm_ros.geometry.similarity import robust_umeyama
from spatial_vlm_ros.geometry.stitching import (
    attached,
    centre,
    middle_point,
    middle_rotation,
    unit_ratio,
)
from spatial_vlm_ros.geometry.window import Window

LOOP = world.loop()


def turned(axis: str, degrees: float) -> np.ndarray:
    """(3, 3) about an axis, as one learns it in school."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.eye(3)
    a, b = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    turn[a, a] = turn[b, b] = cos
    turn[b, a], turn[a, b] = sin, -sin
    return turn


def pose(rotation, place) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation, place
    return T


def degrees_between(a, b) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(a.T @ b) - 1) / 2, -1, 1))))


def test_depths_that_are_twice_as_large_mean_a_unit_half_as_large():
    depth = np.linspace(1, 5, 2 * 10 * 10).reshape(2, 10, 10).astype(np.float32)
    ratio, spread = unit_ratio(depth, 2 * depth, np.ones(depth.shape, bool))
    assert ratio == pytest.approx(0.5)
    assert spread <= 1e-4


def test_a_third_of_the_pixels_may_be_wrong_all_to_one_side():
    random = np.random.default_rng(0)
    found, spreads = [], []
    for _ in range(30):
        before = random.uniform(1, 5, (4, 42, 56))
        error = 0.02 * random.standard_normal(before.shape)
        error[random.random(before.shape) < 0.3] += 0.5
        after = before / 1.7 * np.exp(error)
        ratio, spread = unit_ratio(before, after, np.ones(before.shape, bool))
        found.append(np.log(ratio / 1.7))
        spreads.append(spread)
    assert np.abs(found).max() < 0.002  # the median alone is 0.011 off
    assert 0.008 < np.mean(spreads) < 0.015  # 0.02 of a pixel, four images


def test_pixels_count_where_both_windows_are_sure():
    before, after = np.ones((1, 10, 10)), np.full((1, 10, 10), 2.0)
    after[0, :5] = 7.0
    sure = np.ones(before.shape, bool)
    sure[0, :5] = False
    assert unit_ratio(before, after, sure)[0] == pytest.approx(0.5)
    sure[0, 5:] = np.arange(10) < 5  # 25 pixels
    with pytest.raises(ValueError, match="only 25 pixels"):
        unit_ratio(before, after, sure)
    with pytest.raises(ValueError, match="only 0 pixels"):
        unit_ratio(np.zeros_like(before), after, np.ones(before.shape, bool))


def test_the_centre_of_numbers():
    assert centre(np.array([1.0, 1.0, 1.0, 9.0])) == (1.0, 0.0)
    middle, deviation = centre(np.r_[np.linspace(-1, 1, 101), np.full(40, 10.0)])
    assert abs(middle) < 0.05
    assert deviation == pytest.approx(1.4826 * 0.5, rel=0.1)


def test_a_window_is_attached_by_hand():
    """A window whose x is the fixed y, in half metres, begun at (3, 0, 1)."""
    T_window = np.array([pose(np.eye(3), (k, 0, 0)) for k in range(4)])
    T_fixed = np.array([pose(turned("z", 90), (3, 0.5 * k, 1)) for k in range(4)])
    found = attached(T_fixed, T_window, 0.5)
    assert np.allclose(found.rotation, turned("z", 90))
    assert np.allclose(found.translation, (3, 0, 1))
    assert np.allclose(found.apply(np.array([2.0, 0, 4])), (3, 1, 3))
    assert np.allclose(attached(T_fixed[:1], T_window[:1], 0.5).translation, (3, 0, 1))
    with pytest.raises(ValueError, match="share no camera"):
        attached(T_fixed[:0], T_window[:0], 0.5)


@pytest.mark.parametrize("wrong", ["turn", "place", "both"])
@pytest.mark.parametrize("count", [3, 4, 6])
def test_one_camera_may_be_wrong(wrong, count):
    random = np.random.default_rng(count)
    for _ in range(40):
        rotation, move = world.noise_turn(random, 60), random.uniform(-5, 5, 3)
        T_window = np.array(
            [pose(world.noise_turn(random, 20), random.uniform(-2, 2, 3)) for _ in range(count)]
        )
        T_fixed = np.array(
            [pose(rotation @ T[:3, :3], 1.5 * rotation @ T[:3, 3] + move) for T in T_window]
        )
        for T in T_fixed:
            T[:3, :3] = world.noise_turn(random, 0.1) @ T[:3, :3]
            T[:3, 3] += 0.005 * random.standard_normal(3)
        one = random.integers(count)
        if wrong != "place":
            T_fixed[one, :3, :3] = turned("y", random.uniform(10, 170)) @ T_fixed[one, :3, :3]
        if wrong != "turn":
            T_fixed[one, :3, 3] += random.uniform(0.5, 3) * np.array([0.6, -0.8, 0])
        found = attached(T_fixed, T_window, 1.5)
        assert degrees_between(found.rotation, rotation) < 0.6
        # A turn by 0.6 degrees moves what is 2 m away by 0.02 m.
        assert np.linalg.norm(found.translation - move) < 0.06


def test_middles_of_few():
    two = middle_rotation(np.array([turned("x", 0), turned("x", 2)]))
    assert degrees_between(two, turned("x", 1)) < 1e-4
    three = middle_rotation(np.array([turned("x", 0), turned("x", 0), turned("x", 90)]))
    assert degrees_between(three, np.eye(3)) < 1e-3
    assert np.allclose(middle_point(np.array([[0.0, 0, 0], [2, 0, 0]])), (1, 0, 0))
    four = np.array([[0.0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 50, 0]])
    assert np.allclose(middle_point(four), 0, atol=1e-6)


def window(network, first: int) -> Window:
    numbers = range(first, first + 16)
    prediction = network.predict([world.numbered(n) for n in numbers])
    return Window.of([world.frame(n, None) for n in numbers], prediction, 0.3)


def test_cameras_are_surer_than_points():
    """Why points are not what windows are stitched by: both on the same windows of the loop."""
    network = world.Network(LOOP, seed=3)
    errors = {"cameras": [], "points": []}
    before = window(network, 0)
    for first in range(12, 150, 12):
        after = window(network, first)
        sure = before.sure[-4:] & after.sure[:4]
        ratio, _ = unit_ratio(before.prediction.depth[-4:], after.prediction.depth[:4], sure)
        T = [w.prediction.T_window_camera for w in (before, after)]
        points = _points(after, range(4), sure), _points(before, range(12, 16), sure)
        found = {
            "cameras": attached(T[0][-4:], T[1][:4], ratio),
            "points": robust_umeyama(*points)[0],
        }
        true = np.linalg.inv(LOOP[first - 12]) @ LOOP[first]
        for name, similarity in found.items():
            scale = similarity.scale * network.units[-2] / network.units[-1]
            place = similarity.translation * network.units[-2] - true[:3, 3]
            turn = degrees_between(similarity.rotation, true[:3, :3])
            errors[name].append((abs(np.log(scale)), turn, np.linalg.norm(place)))
        before = after
    cameras, points = (np.sqrt(np.mean(np.square(errors[n]), axis=0)) for n in errors)
    assert np.all(cameras < (0.01, 0.4, 0.06))
    assert np.all(cameras < points)


def _points(window: Window, numbers, sure) -> np.ndarray:
    camera, found = window.camera, []
    v, u = np.mgrid[: camera.height, : camera.width]
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    rays = np.stack([x, y, np.ones(u.shape)], -1)
    for known, number in zip(sure, numbers, strict=True):
        T = window.prediction.T_window_camera[number]
        points = (rays * window.prediction.depth[number][..., None])[known]
        found.append(points @ T[:3, :3].T + T[:3, 3])
    return np.concatenate(found)


def test_images_that_bear_each_other_out():
    network = world.Network(LOOP, misplaced=frozenset({24}))
    numbers = [*range(20, 28), 100, 101]
    prediction = network.predict([world.numbered(n) for n in numbers])
    shares = agreement(prediction, np.ones(prediction.depth.shape, bool))
    assert np.all(np.diag(shares) == 0)
    assert shares[0, 1] == pytest.approx(0.7 * 0.7, abs=0.1)  # both right; some wrong ones are near
    assert np.all(shares[:8, 8:] == 0)  # another corridor
    assert shares[4, [0, 1, 2, 3, 5]].max() < 0.35
    good = [True, True, True, True, False, True, True, True, False, False]
    assert together(shares, 0).tolist() == good
    assert together(shares, 3).tolist() == good
    assert together(shares[8:, 8:], 0).tolist() == [True, True]
    alone = together(np.zeros((1, 1)), 0)
    assert alone.tolist() == [True]
