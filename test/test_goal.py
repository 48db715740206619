"""Goal poses: on seen floor, free, near, facing, on the robot's side."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hand_built_room import floor_under, graph, room, thing

from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.reasoning.goal import FAR, NEAR, ROBOT_RADIUS
from spatial_vlm_ros.scene.box import Box, distance
from spatial_vlm_ros.scene.graph import FloorMap, SceneGraph

SCENE = room()


def goal(command: str, scene: SceneGraph = SCENE) -> tuple[float, float, float]:
    answer = GeometricReasoner().ask(command, scene)
    assert answer.answered, answer.text
    assert answer.goal is not None
    assert answer.goal.z == 0.0
    return answer.goal.x, answer.goal.y, answer.goal.yaw


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("Go to the lamp.", 11),
        ("please drive over to the sofa", 1),
        ("Can you go to the chair nearest the window?", 10),
        ("Find the tv", 13),
        ("Bring me to the desk", 6),
        ("Take me to the red chair", 8),
        ("Approach the bin under the desk", 7),
        ("Go to the picture", 15),
        ("Go to the blue mug", 4),
        ("Navigate to the window", 12),
    ],
)
def test_goals_in_the_room(command: str, number: int) -> None:
    x, y, yaw = goal(command)
    target = SCENE[number].box
    pole = Box(x, y, 0.5, 0, 0, 1.0, 0)
    for item in SCENE.objects:
        grown = Box(*item.box.to_tuple()[:3], *(item.box.size), item.box.yaw)
        assert (
            distance(dataclasses.replace(pole, z=grown.z, height=0.0), grown) >= ROBOT_RADIUS - 0.04
        )
    level = dataclasses.replace(pole, z=target.z, height=0.0)
    assert distance(level, target) <= FAR
    assert yaw == pytest.approx(np.arctan2(target.y - y, target.x - x))
    floor = SCENE.floor
    assert floor is not None
    assert floor.seen[int(y / floor.resolution), int(x / floor.resolution)]


def test_it_stops_on_the_near_side() -> None:
    cube = thing(1, "box", (3.0, 1.0, 0.5, 1.0, 1.0, 1.0, 0.0))
    scene = graph((cube,), floor_under((cube,)))
    x, y, yaw = goal("go to the box", scene)
    assert x == pytest.approx(2.5 - NEAR, abs=0.06)  # robot at (1, 1)
    assert y == pytest.approx(1.0, abs=0.06)
    assert abs(yaw) < 0.1


@pytest.mark.parametrize(
    ("command", "bearing"),
    [
        ("Go to the left of the box", 90.0),
        ("Stop to the right of the box", -90.0),
        ("Drive behind the box", 180.0),
    ],
)
def test_a_side_of_an_object_is_a_quarter_as_the_robot_sees_it(
    command: str, bearing: float
) -> None:
    """The robot is at (1, 1) looking along x, the box straight ahead: its left is +y."""
    cube = thing(1, "box", (3.0, 1.0, 0.5, 0.6, 0.6, 1.0, 0.0))
    x, y, yaw = goal(command, graph((cube,), floor_under((cube,))))
    round_it = np.degrees(np.arctan2(y - 1.0, -(x - 3.0)))  # 0 is the side towards the robot
    assert abs((round_it - bearing + 180) % 360 - 180) <= 45
    assert yaw == pytest.approx(np.arctan2(1.0 - y, 3.0 - x))


def test_a_side_without_free_floor_is_said() -> None:
    answer = GeometricReasoner().ask("Go behind the sofa", SCENE)
    assert not answer.answered and "no free floor within 1.1 m behind it" in answer.text


def test_it_does_not_stop_behind_a_wall() -> None:
    """Floor on both sides of a wall at x = 2; the robot is on the side without the box."""
    seen = np.ones((80, 80), dtype=bool)
    seen[:60, 38:42] = False  # 0.2 m of wall, open for y > 3
    floor = FloorMap(0.0, 0.0, 0.0, 0.05, seen)
    cube = thing(1, "box", (2.4, 1.0, 0.3, 0.4, 0.4, 0.6, 0.0))
    x, _, _ = goal("go to the box", graph((cube,), floor))
    assert x > 2.1


def test_it_prefers_floor_that_is_connected_to_the_robot() -> None:
    seen = np.zeros((60, 120), dtype=bool)
    seen[:, :50] = True
    seen[:, 58:70] = True  # an island nearer to the box
    floor = FloorMap(0.0, 0.0, 0.0, 0.05, seen)
    cube = thing(1, "box", (2.7, 1.0, 0.3, 0.2, 0.2, 0.6, 0.0))
    x, _, _ = goal("go to the box", graph((cube,), floor))
    assert x < 2.5


def test_what_hangs_high_is_no_obstacle_and_a_low_one_is() -> None:
    target = thing(1, "box", (3.0, 1.0, 0.2, 0.2, 0.2, 0.4, 0.0))
    high = thing(2, "lamp", (2.3, 1.0, 2.2, 1.2, 1.2, 0.4, 0.0))
    low = thing(2, "lamp", (2.3, 1.0, 0.7, 1.2, 1.2, 1.4, 0.0))
    under, _, _ = goal("go to the box", graph((target, high), floor_under((target, high))))
    assert under == pytest.approx(2.2, abs=0.06)
    beside = goal("go to the box", graph((target, low), floor_under((target, low))))
    assert abs(beside[1] - 1.0) > 0.5 or beside[0] > 3.2


def test_no_floor_near_the_object_is_said() -> None:
    far = thing(1, "box", (12.0, 1.0, 0.2, 0.2, 0.2, 0.4, 0.0))
    answer = GeometricReasoner().ask("go to the box", graph((far,), floor_under((far,))))
    assert not answer.answered
    assert answer.goal is None
    assert "no free floor" in answer.text


def test_facing_turns_on_the_spot() -> None:
    x, y, yaw = goal("Face the sofa.")
    assert (x, y) == (1.0, 1.0)
    assert yaw == pytest.approx(np.arctan2(3.5, 2.0))


def test_it_keeps_its_radius_from_walls_where_there_is_room() -> None:
    """A wall at y = 0, from x = 0 to 4, the robot beside it, the box further along it."""
    seen = np.ones((60, 80), dtype=bool)
    floor = FloorMap(0.0, 0.0, 0.0, 0.05, seen)
    cube = thing(1, "box", (3.0, 0.2, 0.3, 0.4, 0.4, 0.6, 0.0))
    x, y, _ = goal("go to the box", graph((cube,), floor, robot=(0.4, 0.1, 0.0)))
    assert y >= ROBOT_RADIUS
    assert np.hypot(2.8 - x, max(y - 0.4, 0.0)) <= NEAR + 0.05


def test_a_narrow_place_is_better_than_none() -> None:
    seen = np.zeros((60, 80), dtype=bool)
    seen[20:28, :] = True  # a corridor of 0.4 m
    floor = FloorMap(0.0, 0.0, 0.0, 0.05, seen)
    cube = thing(1, "box", (3.0, 1.2, 0.3, 0.4, 0.4, 0.6, 0.0))
    x, y, _ = goal("go to the box", graph((cube,), floor, robot=(0.4, 1.2, 0.0)))
    assert 1.0 <= y <= 1.4
    assert x <= 2.5


def test_what_lies_far_in_on_a_table_is_gone_to_beside_the_table() -> None:
    table = thing(1, "table", (3.0, 2.0, 0.375, 2.0, 2.0, 0.75, 0.0))
    mug = thing(2, "mug", (3.0, 2.0, 0.8, 0.1, 0.1, 0.1, 0.0))
    x, y, yaw = goal("go to the mug", graph((table, mug), floor_under((table, mug))))
    assert 2.0 - FAR <= x <= 2.0 - ROBOT_RADIUS or 1.0 - FAR <= y <= 1.0 - ROBOT_RADIUS
    assert yaw == pytest.approx(np.arctan2(2.0 - y, 3.0 - x))
