"""Views of a simulated room: the same each time, and true to each other."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from spatial_vlm_ros.config import PointsConfig, ProxyConfig
from spatial_vlm_ros.perception.points import unproject
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene_frame import level_frame, motion, scene_frame
from spatial_vlm_ros.simulation.record import build
from spatial_vlm_ros.simulation.views import Views, scene_name, take_views

SEED, MOST, WIDTH, HEIGHT = 3, 6, 112, 84


@cache
def views() -> Views:
    return take_views(SEED, most=MOST, width=WIDTH, height=HEIGHT)


def inside(box: Box, points: np.ndarray, margin: float) -> np.ndarray:
    """(n,) whether points (n, 3) lie in the box made larger by ``margin`` on each side."""
    away = points - (box.x, box.y, box.z)
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    along = np.stack([away @ (cos, sin, 0), away @ (-sin, cos, 0), away[:, 2]], axis=1)
    half = np.array([box.length, box.width, box.height]) / 2
    return (np.abs(along) < half + margin).all(axis=1)


def test_they_are_the_same_each_time_and_others_of_another_seed() -> None:
    again, other = (
        take_views(seed, most=2, width=WIDTH, height=HEIGHT) for seed in (SEED, SEED + 1)
    )
    first = take_views(SEED, most=2, width=WIDTH, height=HEIGHT)
    for one, same in zip(first.frames, again.frames, strict=True):
        np.testing.assert_array_equal(one.rgb, same.rgb)
        np.testing.assert_array_equal(one.depth, same.depth)
    assert first.scene.objects == again.scene.objects
    assert first.scene.objects != other.scene.objects
    assert (first.frames[0].rgb != other.frames[0].rgb).any()


def test_frames_are_keyframes_from_start_to_end() -> None:
    every = take_views(SEED, most=None, width=28, height=28).frames
    gate = ProxyConfig()
    for before, now in pairwise(every):
        metres, degrees = motion(before.T_fixed_camera, now.T_fixed_camera)
        assert metres >= gate.keyframe_distance or degrees >= gate.keyframe_angle
        assert metres < 2 * gate.keyframe_distance
        assert degrees < 2 * gate.keyframe_angle
    few = views().frames
    assert len(few) == MOST
    assert [few[0].stamp_ns, few[-1].stamp_ns] == [every[0].stamp_ns, every[-1].stamp_ns]
    stamps = [frame.stamp_ns for frame in few]
    assert stamps == sorted(set(stamps))


def test_the_scene_is_in_the_frame_of_the_first_camera() -> None:
    scene, frames = views().scene, views().frames
    assert scene.name == f"simulated/room-{SEED}"
    np.testing.assert_allclose(level_frame(scene.T_scene_views[0]), np.eye(4), atol=1e-9)
    T_map_scene = scene_frame(frames[0].T_fixed_camera)
    for T_scene_camera, frame in zip(scene.T_scene_views, frames, strict=True):
        np.testing.assert_allclose(T_map_scene @ T_scene_camera, frame.T_fixed_camera, atol=1e-9)
    assert scene.floor_z == pytest.approx(-1.2)


def test_each_object_is_where_its_pixels_are() -> None:
    scene, frames = views().scene, views().frames
    checked = 0
    for T_scene_camera, frame in zip(scene.T_scene_views, frames, strict=True):
        points = unproject(frame, T_scene_camera, PointsConfig(columns=WIDTH))
        for item in scene.objects:
            shown = points.points_scene[(frame.labels.ids == item.id) & points.valid]
            assert frame.labels.names[item.id] == item.category
            if len(shown) >= 20:
                checked += 1
                assert inside(item.box, shown, 0.06).mean() > 0.95, item
    assert checked > 10


def test_objects_are_those_that_images_show_and_when() -> None:
    scene, frames = views().scene, views().frames
    area = WIDTH * HEIGHT / (640 * 480)
    world, _ = build(SEED, 1)
    known = {item.id for item in scene.objects}
    assert known < {item.id for item in world.objects}  # six images do not show everything
    for item in world.objects:
        shown = [((f.labels.ids == item.id) & (f.depth > 0)).sum() for f in frames]
        assert (item.id in known) == (max(shown) >= 400 * area)
        if item.id in known:
            assert scene[item.id].first_seen == next(
                n for n, pixels in enumerate(shown) if pixels >= 100 * area
            )


def test_the_outline_is_of_the_floor_that_is_seen() -> None:
    scene, frames = views().scene, views().frames
    x, y = scene.outline.T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    assert area == pytest.approx(scene.floor_area, rel=1e-3)
    names = frames[0].labels.names
    for T_scene_camera, frame in zip(scene.T_scene_views, frames, strict=True):
        points = unproject(frame, T_scene_camera, PointsConfig(columns=WIDTH))
        floor = np.isin(frame.labels.ids, [k for k, name in names.items() if name == "floor"])
        seen = points.points_scene[floor & points.valid]
        assert np.abs(seen[:, 2] - scene.floor_z).max() < 0.1
        low, high = scene.outline.min(axis=0) - 0.1, scene.outline.max(axis=0) + 0.1
        assert ((seen[:, :2] > low) & (seen[:, :2] < high)).all()


def test_several_rooms_have_a_name_of_their_own() -> None:
    assert scene_name(7) == "simulated/room-7"
    two = take_views(SEED, rooms=2, most=2, width=28, height=28).scene
    assert two.name == scene_name(SEED, 2) != scene_name(SEED)
    assert two.floor_area > views().scene.floor_area
