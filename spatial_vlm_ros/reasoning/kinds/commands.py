"""Go there, find it, face it: an answer with a pose for a mobile base."""

from __future__ import annotations

from dataclasses import replace

from spatial_vlm_ros.reasoning import describe, measure, resolve
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.goal import FAR, facing, goal_pose
from spatial_vlm_ros.reasoning.kinds.kind import Asked, Kind, reply
from spatial_vlm_ros.reasoning.resolve import Found
from spatial_vlm_ros.reasoning.view import Unclear


def _meant(asked: Asked) -> Found:
    """The object that is meant; the nearest where any will do."""
    if not asked.gaps["x"][0].indefinite:
        return resolve.one(asked.gaps["x"], asked.view)
    found = resolve.some(asked.gaps["x"], asked.view)
    nearest = int(measure.gaps(found.objects, asked.view.robot).argmin())
    return replace(found, objects=(found.objects[nearest],))


def go(asked: Asked) -> Answer:
    """Drive to an object."""
    found = _meant(asked)
    item, floor = found.objects[0], asked.view.scene.floor
    if floor is None or not floor.seen.any():
        raise Unclear(f"I know {describe.name(item)}, but I have seen no floor to drive on.")
    beside = (item, *asked.view.carriers(item))
    goals = (goal_pose(item, asked.view.robot, floor, asked.view.objects, by) for by in beside)
    goal = next((goal for goal in goals if goal), None)
    if goal is None:
        raise Unclear(
            f"I know {describe.name(item)}, but have seen no free floor within {FAR:.1f} m of it.",
            [item],
        )
    text = f"going to {describe.name(item)}: stop at x {goal.x:.2f}, y {goal.y:.2f}, facing it."
    return reply("command", text, objects=[item], based_on=[found], goal=goal)


def face(asked: Asked) -> Answer:
    """Turn on the spot."""
    found = _meant(asked)
    item, robot = found.objects[0], asked.view.robot
    goal = facing(robot.box.center[:2], item, robot.box.bottom)
    text = f"turning to face {describe.name(item)}."
    return reply("command", text, objects=[item], based_on=[found], goal=goal)


KINDS = (
    Kind(
        "command",
        go,
        "go|drive|move|navigate|walk|come|head|travel|run|proceed|get|return|roll over|back? to|"
        "towards|toward|near|next_to|beside|by|up_to|for|in_front_of {x}",
        "find|approach|visit|reach {x}",
        "find|find_me|look_for|search_for|go_find {x}",
        "bring|take|lead|guide|drive|carry me|us over? to {x}",
        "stand|stop|park|wait|be next_to|by|beside|near|at|in_front_of {x}",
        "go|drive|move|navigate and? stand|stop? next_to|by|beside|near|at|in_front_of {x}",
    ),
    Kind(
        "command",
        face,
        "face {x}",
        "look|turn|point|rotate around? at|to|towards|toward|to_face|and_face {x}",
    ),
)
