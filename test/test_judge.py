"""Verdicts on answers, each case decided by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spatial_vlm_ros.frame import Intrinsics
from spatial_vlm_ros.judge import judge, stands_for
from spatial_vlm_ros.reasoning.answer import Answer, GoalPose
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.simulation.truth import TrueObject, TrueQuestion, TrueRoom, Truth

FLOOR_Z = -1.0
# A room of 6 m x 6 m: a table at (3, 0) turned by 90 degrees, and two mugs, one on it.
TABLE = Box(3.0, 0.0, -0.6, 1.6, 0.8, 0.8, np.pi / 2)
MUG_ON_TABLE = Box(3.0, 0.5, -0.15, 0.1, 0.1, 0.1, 0.0)
MUG_AWAY = Box(1.0, 2.0, -0.95, 0.1, 0.1, 0.1, 0.0)
LAMP_ABOVE = Box(2.0, 0.0, 1.2, 0.4, 0.4, 0.2, 0.0)


def _true(object_id: int, category: str, box: Box) -> TrueObject:
    return TrueObject(object_id, category, "red", "kitchen", None, box, 0, 50, 0.9)


def _truth() -> Truth:
    T_map_scene = np.eye(4)
    T_map_scene[2, 3] = -FLOOR_Z
    outline = np.array([[-3.0, -3.0], [6.0, -3.0], [6.0, 3.0], [-3.0, 3.0]])
    return Truth(
        objects=(
            _true(1, "table", TABLE),
            _true(2, "mug", MUG_ON_TABLE),
            _true(3, "mug", MUG_AWAY),
            _true(4, "lamp", LAMP_ABOVE),
        ),
        rooms=(TrueRoom("kitchen", outline, 54.0),),
        T_map_scene=T_map_scene,
        T_map_odom=np.eye(4),
        stamps_ns=np.array([0]),
        T_map_camera=np.eye(4)[None],
        intrinsics=Intrinsics(640, 480, 500.0, 500.0, 320.0, 240.0),
        arguments={},
    )


TRUTH = _truth()
# What the memory holds, under ids of its own.
BOXES = {10: TABLE, 11: Box(3.02, 0.51, -0.15, 0.1, 0.1, 0.1, 0.0), 12: MUG_AWAY}


def answer(**fields: object) -> Answer:
    return Answer(**{"text": "", "answered": True, "kind": "", **fields})  # type: ignore[arg-type]


def right(given: Answer, question: TrueQuestion) -> bool:
    verdict, why = judge(given, question, TRUTH, BOXES)
    assert why
    return verdict


@pytest.mark.parametrize(
    ("value", "unit", "verdict"),
    [(2.0, "m", True), (2.2, "m", True), (1.79, "m", False), (2.0, "", False), (None, "m", False)],
)
def test_numbers_within_tolerance_and_in_the_unit(value, unit, verdict) -> None:
    question = TrueQuestion("how far", "distance", 2.0, "m", tolerance=0.2)
    assert right(answer(value=value, unit=unit), question) is verdict


def test_lengths_may_come_in_another_unit() -> None:
    question = TrueQuestion("how long", "size", 53.0, "cm", tolerance=5.0)
    assert right(answer(value=0.5, unit="m"), question)
    assert right(answer(value=50.0, unit="cm"), question)
    assert not right(answer(value=50.0, unit="m"), question)
    assert not right(answer(value=53.0, unit="m2"), question)


def test_counts_must_be_exact() -> None:
    question = TrueQuestion("how many", "count", 2.0)
    assert right(answer(value=2), question)
    assert not right(answer(value=3), question)


def test_words_from_value_or_text() -> None:
    question = TrueQuestion(
        "where", "direction", "front-left", choices=("front-left", "front-right", "left")
    )
    assert right(answer(value="front-left"), question)
    assert not right(answer(value="left"), question)
    assert right(answer(text="It is to your front-left."), question)
    assert not right(answer(text="It is to your left."), question)
    assert not right(answer(text="Nobody knows."), question)


def test_objects_are_compared_by_what_their_boxes_stand_for() -> None:
    question = TrueQuestion("the mug on the table", "find", None, objects=(2,))
    assert right(answer(objects=(11,)), question)
    assert not right(answer(objects=(12,)), question)
    assert not right(answer(objects=(11, 12)), question)
    assert not right(answer(), question)


def test_a_box_stands_for_what_it_overlaps_or_is_near() -> None:
    assert stands_for(Box(1.1, 2.1, -0.95, 0.1, 0.1, 0.1, 0.0), TRUTH) == 3
    assert stands_for(Box(-2.0, -2.0, 0.0, 0.1, 0.1, 0.1, 0.0), TRUTH) == 0


def test_refusals() -> None:
    unknown = TrueQuestion("where is the piano", "unknown", None, answered=False)
    assert right(answer(answered=False), unknown)
    assert not right(answer(value=1), unknown)
    assert not right(answer(answered=False), TrueQuestion("how many mugs", "count", 2.0))
    which = TrueQuestion("go to the mug", "command", None, candidates=(2, 3), answered=False)
    assert right(answer(answered=False, candidates=(12, 11)), which)
    assert not right(answer(answered=False, candidates=(11,)), which)


# The table's long side lies along y: its footprint is x 2.6..3.4, y -0.8..0.8.
@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (GoalPose(2.0, 0.0, FLOOR_Z, 0.0), True),  # under the lamp, which hangs high
        (GoalPose(2.0, 0.0, FLOOR_Z, np.radians(29)), True),
        (GoalPose(2.0, 0.0, FLOOR_Z, np.radians(31)), False),
        (GoalPose(2.0, 0.75, FLOOR_Z, 0.0), True),  # faces its nearest point, not its middle
        (GoalPose(1.41, 0.0, FLOOR_Z, 0.0), True),  # 1.19 m away
        (GoalPose(1.39, 0.0, FLOOR_Z, 0.0), False),  # 1.21 m away
        (GoalPose(2.7, 0.0, FLOOR_Z, 0.0), False),  # inside it
        (GoalPose(2.0, 0.0, FLOOR_Z + 0.5, 0.0), False),  # in the air
        (None, False),
    ],
)
def test_goal_of_a_command(goal, verdict) -> None:
    question = TrueQuestion("go to the table", "command", None, objects=(1,))
    assert right(answer(goal=goal), question) is verdict


def test_goal_outside_every_room_is_wrong() -> None:
    question = TrueQuestion("go to the mug", "command", None, objects=(3,))
    assert not right(answer(goal=GoalPose(1.0, 3.05, FLOOR_Z, -np.pi / 2)), question)
