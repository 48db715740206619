"""A room of 6 m by 5 m with answers that can be worked out on paper. See docs/questions.md."""

from __future__ import annotations

import numpy as np

from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import FloorMap, ObjectState, SceneGraph, SceneObject
from spatial_vlm_ros.scene.relations import relations

QUARTER = np.pi / 2
#: id: label, colour, (x, y, z, length, width, height, yaw), first seen [s]
ROOM = {
    1: ("sofa", "blue", (3.0, 4.5, 0.4, 2.0, 0.9, 0.8, 0.0), 1),
    2: ("table", "brown", (3.0, 2.0, 0.375, 1.2, 0.8, 0.75, 0.0), 2),
    3: ("mug", "red", (2.7, 2.0, 0.8, 0.1, 0.1, 0.1, 0.0), 3),
    4: ("mug", "blue", (3.3, 2.2, 0.8, 0.1, 0.1, 0.1, 0.0), 4),
    5: ("mug", "red", (5.6, 2.0, 0.8, 0.1, 0.1, 0.1, 0.0), 12),
    6: ("desk", "white", (5.6, 2.5, 0.375, 1.4, 0.7, 0.75, -QUARTER), 11),
    7: ("bin", "black", (5.6, 2.9, 0.15, 0.3, 0.3, 0.3, 0.0), 13),
    8: ("chair", "red", (2.0, 2.0, 0.45, 0.5, 0.5, 0.9, 0.0), 5),
    9: ("chair", "green", (4.0, 2.0, 0.45, 0.5, 0.5, 0.9, 0.0), 6),
    10: ("chair", "green", (5.0, 0.5, 0.45, 0.5, 0.5, 0.9, 0.0), 7),
    11: ("lamp", "yellow", (1.0, 4.5, 0.75, 0.4, 0.4, 1.5, 0.0), 14),
    12: ("window", "white", (3.0, 0.03, 1.5, 1.2, 0.06, 1.0, 0.0), 8),
    13: ("tv", "black", (0.3, 3.0, 1.1, 0.9, 0.1, 0.6, -QUARTER), 16),
    14: ("cabinet", "brown", (0.3, 3.0, 0.4, 1.0, 0.4, 0.8, -QUARTER), 15),
    15: ("picture", "green", (3.0, 4.97, 1.6, 0.6, 0.05, 0.5, 0.0), 9),
    16: ("book", "purple", (4.8, 4.6, 0.1, 0.2, 0.15, 0.05, 0.0), 18),
    17: ("box", "orange", (4.8, 4.6, 0.2, 0.5, 0.4, 0.4, 0.0), 17),
}


def thing(
    number: int,
    label: str,
    box: tuple[float, ...],
    colour: str = "",
    first_s: float = 0.0,
    state: ObjectState = ObjectState.CONFIRMED,
    score: float = 1.0,
) -> SceneObject:
    stamp = int(first_s * 1e9)
    return SceneObject(
        number, label, score, Box(*box), state, colour, 0.5 if colour else 0.0, stamp, stamp, 9
    )


def at(*places: tuple[float, float]) -> list[SceneObject]:
    """Things of no matter what kind with their centres there, seen from above; ids from 1."""
    return [thing(i, "thing", (x, y, 0, 0.1, 0.1, 0.1, 0)) for i, (x, y) in enumerate(places, 1)]


def floor_under(objects: tuple[SceneObject, ...], resolution: float = 0.05) -> FloorMap:
    """Floor of the room, not seen where something stands on it."""
    x, y = np.meshgrid(np.arange(0, 6, resolution), np.arange(0, 5, resolution))
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1) + resolution / 2
    seen = np.ones(x.size, dtype=bool)
    for item in objects:
        if item.box.bottom < 0.1:
            points[:, 2] = item.box.z
            seen &= ~item.box.contains(points)
    return FloorMap(0.0, 0.0, 0.0, resolution, seen.reshape(x.shape))


def graph(
    objects: tuple[SceneObject, ...],
    floor: FloorMap | None = None,
    robot: tuple[float, float, float] | None = (1.0, 1.0, 0.0),
) -> SceneGraph:
    """A scene with the robot at x, y, yaw and its camera 1.2 m up."""
    T_scene_robot = None
    if robot is not None:
        x, y, yaw = robot
        T_scene_robot = np.eye(4)
        T_scene_robot[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
        T_scene_robot[:3, 3] = x, y, 1.2
    return SceneGraph(objects, relations(objects), (), (), floor, T_scene_robot, 0, 1)


def room() -> SceneGraph:
    objects = tuple(
        thing(number, label, box, colour, seconds)
        for number, (label, colour, box, seconds) in ROOM.items()
    )
    return graph(objects, floor_under(objects))
