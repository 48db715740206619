"""Real RGB-D sequences, mapped by depth alone: gravity, floor, and boxes round what is there."""

from __future__ import annotations

import json

import numpy as np
import pytest
from real_data import DATA

from spatial_vlm_ros.config import MemoryConfig, PointsConfig
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.geometry.gravity import find_floor
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.perception.points import unproject
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene_frame import inverse
from spatial_vlm_ros.sources import open_source

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"no recordings at {DATA}")
WINDOW = 12  # images
UNIT = 0.37  # of a window, in metres: no threshold may know


def window_of(frames: list[Frame]) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) and cameras (m, 4, 4) in the first camera's frame, in a unit of its own."""
    T_first = inverse(frames[0].T_fixed_camera)
    cameras = np.array([T_first @ frame.T_fixed_camera for frame in frames])
    maps = [unproject(f, T, PointsConfig()) for f, T in zip(frames, cameras, strict=True)]
    points = np.concatenate([its.points_scene[its.valid][::20] for its in maps])
    cameras[:, :3, 3] *= UNIT
    return points * UNIT, cameras


def test_gravity_and_height_are_found_in_a_walk_of_a_head():
    """Pose tells how high the head is over where it was, floor how high over the floor."""
    frames = list(open_source(DATA / "rgbd" / "dvmvs_hololens_000"))
    floors = []
    for start in range(0, len(frames) - WINDOW, WINDOW):
        floor = find_floor(*window_of(frames[start : start + WINDOW]))
        assert floor is not None, f"no floor from image {start} on"
        pose = frames[start].T_fixed_camera
        up_fixed = pose[:3, :3] @ floor.up
        assert np.degrees(np.arccos(min(1.0, up_fixed[1]))) < 1.5, f"image {start}: {up_fixed}"
        floors.append(pose[1, 3] + floor.offset / UNIT)  # y is up; the camera is at the origin
    assert len(floors) == 7
    assert np.ptp(floors) < 0.15 and -1.7 < np.median(floors) < -1.4


def test_a_desk_is_not_taken_for_the_floor():
    """The camera turns over a desk; the little floor behind it is not enough for a window."""
    frames = list(open_source(DATA / "rgbd" / "tum_fr1_rpy"))
    for start in range(0, len(frames) - WINDOW, WINDOW):
        floor = find_floor(*window_of(frames[start : start + WINDOW]))
        if floor is not None:
            height = frames[start].T_fixed_camera[2, 3] + floor.offset / UNIT
            assert height < 0.3, f"image {start}: floor {height:.2f} m high"


def test_things_on_a_desk_are_in_boxes_and_the_floor_is_the_motion_captures():
    """The motion capture has its origin on the floor; points were clicked by hand."""
    path = DATA / "gt" / "tum_fr1_rpy_reference_points.json"
    clicked = json.loads(path.read_text())["objects"]
    memory = SpatialMemory(MemoryConfig(instances="geometric"))
    for frame in open_source(DATA / "rgbd" / "tum_fr1_rpy"):
        memory.observe(frame)
    scene = memory.graph()
    T_fixed_scene = memory.T_fixed_scene
    assert scene.floor is not None
    assert abs(T_fixed_scene[2, 3] + scene.floor.z) < 0.1
    boxes = [item.box for item in scene.present()]
    out = {}
    for name, item in clicked.items():
        point = inverse(T_fixed_scene) @ [*item["surface_point_world_m"], 1.0]
        out[name] = min(outside(box, point[:3]) for box in boxes)
    far = {name: round(metres, 2) for name, metres in out.items() if metres > 0.08}
    assert len(far) <= 2, far
    assert all(max(box.size) < 3.5 for box in boxes)


def outside(box: Box, point: np.ndarray) -> float:
    """Metres from a point (3,) to the box, 0 inside."""
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    own = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) @ (point - box.center)
    return float(np.linalg.norm(np.maximum(np.abs(own) - box.size / 2, 0)))
