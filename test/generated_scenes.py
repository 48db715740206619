"""Annotated scenes of simulated buildings, made without a picture of them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.simulation import robot
from spatial_vlm_ros.simulation.record import build, object_truth, room_truth
from spatial_vlm_ros.simulation.truth import scene_pose

NEAR_M, HALF_VIEW_DEG = 4.0, 30.0


@lru_cache(maxsize=64)
def building(seed: int, rooms: int = 1) -> AnnotatedScene:
    """A view a second along the drive; an object is first seen from where it is near and in front,
    walls or not.
    """
    world, drive = build(seed, rooms)
    seconds = np.arange(0.0, drive.duration, 1.0)
    poses = [robot.camera_pose(robot.base_pose(*pose)) for pose in drive.pose(seconds)]
    T_map_scene = scene_pose(poses[0])
    T_scene_views = np.array([np.linalg.inv(T_map_scene) @ pose for pose in poses])
    items = [object_truth(world, item, T_map_scene, None, 0, 0.0) for item in world.objects]
    floors = room_truth(world, T_map_scene)
    return AnnotatedScene(
        name=f"simulated/room-{seed}-{rooms}",
        objects=tuple(
            AnnotatedObject(
                item.id, item.category, item.box, item.colour, first_view(item.box, T_scene_views)
            )
            for item in items
        ),
        T_world_first=poses[0],
        T_scene_views=T_scene_views,
        views=("",) * len(poses),
        floor_z=-float(T_map_scene[2, 3]),
        floor_area=sum(room.area for room in floors),
        outline=floors[0].outline_scene if rooms == 1 else None,
        license="Apache-2.0",
    )


def first_view(box: Box, T_scene_views: np.ndarray) -> int | None:
    away = box.center[:2] - T_scene_views[:, :2, 3]
    ahead = T_scene_views[:, :2, 2]
    distance = np.linalg.norm(away, axis=1)
    cos = (away * ahead).sum(axis=1) / (distance * np.linalg.norm(ahead, axis=1))
    seen = (distance < NEAR_M) & (cos > np.cos(np.radians(HALF_VIEW_DEG)))
    return int(np.flatnonzero(seen)[0]) if seen.any() else None


def _box(x: float, y: float, bottom: float, *sizes: float, yaw: float = 0.0) -> Box:
    length, width, height = sizes
    return Box(x, y, bottom + height / 2, length, width, height, yaw)


#: category, colour, box, first view. The floor is at -1; the camera looks along x.
_FLAT = {
    3: ("wall", "white", _box(4.0, 0.0, -1, 6.0, 0.1, 2.5, yaw=1.57), 0),
    7: ("couch", "blue", _box(2.0, 2.0, -1, 2.0, 0.9, 0.8), 0),
    8: ("coffee table", "", _box(2.0, 0.6, -1, 1.0, 0.6, 0.4), 0),
    12: ("desk", "white", _box(5.0, -2.0, -1, 1.4, 0.7, 0.75), 4),
    13: ("bin", "black", _box(5.0, -2.0, -1, 0.3, 0.3, 0.4), 4),
    15: ("office chair", "black", _box(5.0, -1.2, -1, 0.6, 0.6, 1.0, yaw=0.4), 5),
    16: ("office chair", "", _box(3.6, -2.2, -1, 0.6, 0.6, 1.0, yaw=-0.9), 8),
    20: ("monitor", "black", _box(5.1, -2.1, -0.25, 0.6, 0.2, 0.5), 4),
    21: ("mug", "red", _box(4.5, -1.9, -0.25, 0.1, 0.1, 0.1), 6),
    22: ("mug", "blue", _box(2.2, 0.6, -0.6, 0.1, 0.1, 0.1), 2),
    23: ("mug", "red", _box(1.8, 0.7, -0.6, 0.1, 0.1, 0.1), 2),
    24: ("mug", "green", _box(0.2, -3.0, -1, 0.1, 0.1, 0.1), None),
    30: ("books", "", _box(5.4, -1.8, -0.25, 0.3, 0.2, 0.1), 6),
    31: ("object", "", _box(1.0, -1.0, -1, 0.4, 0.4, 0.4), 3),
    32: ("picture", "pink", _box(2.0, 2.5, 0.4, 0.8, 0.05, 0.6), 1),
    33: ("stool", "green", _box(0.5, -3.5, -1, 0.4, 0.4, 0.5), None),
    34: ("rug", "red", _box(2.0, 0.0, -1, 2.0, 3.0, 0.0), 0),
}


def furnished_flat() -> AnnotatedScene:
    """One that a person annotated: sorts of things, colours missing, one without a name, one as
    thin as paper, a wall among the objects, and two that no view shows.
    """
    views = np.tile(np.eye(4), (10, 1, 1))
    items = [AnnotatedObject(n, c, box, colour, v) for n, (c, colour, box, v) in _FLAT.items()]
    return AnnotatedScene(
        name="scannet/scene0000_00",
        objects=tuple(items),
        T_world_first=np.eye(4),
        T_scene_views=views,
        views=("",) * 10,
        floor_z=-1.0,
        floor_area=42.0,
        outline=np.array([(-1.0, -4.0), (6.0, -4.0), (6.0, 3.0), (-1.0, 3.0)]),
        license="ScanNet Terms of Use",
    )
