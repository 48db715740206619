"""Go there, find it, face it: an answer with a pose for a mobile base."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.reasoning import describe, measure, relate, resolve
from spatial_vlm_ros.reasoning.answer import Answer, GoalPose
from spatial_vlm_ros.reasoning.goal import FAR, facing, goal_pose
from spatial_vlm_ros.reasoning.kinds.kind import Asked, Kind, reply
from spatial_vlm_ros.reasoning.resolve import Found
from spatial_vlm_ros.reasoning.view import Unclear, View
from spatial_vlm_ros.scene.graph import FloorMap, SceneObject


def _meant(asked: Asked) -> Found:
    """The object that is meant; the nearest where any will do."""
    if not asked.gaps["x"][0].indefinite:
        return resolve.one(asked.gaps["x"], asked.view)
    found = resolve.some(asked.gaps["x"], asked.view)
    nearest = int(measure.gaps(found.objects, asked.view.robot).argmin())
    return replace(found, objects=(found.objects[nearest],))


def go(asked: Asked) -> Answer:
    """Drive to an object. Nobody is sent by lengths of an unknown unit."""
    asked.view.need_metres()
    found, view = _meant(asked), asked.view
    item, floor = found.objects[0], view.scene.floor
    if floor is None or not floor.seen.any():
        known = describe.name(item)
        raise Unclear(f"I know {known}, but I have seen no floor to drive on.", [item])
    side = asked.gaps.get("side")
    among = _cells_on_side(side, item, floor, view) if side else None
    goal = goal_pose(item, view.robot, floor, view.objects, view.carriers(item), among)
    where = f"{relate.PHRASES[side]} " if side else "to "
    if goal is None:
        there = f"within {FAR:.1f} m {f'{where}it' if side else 'of it'}"
        known = describe.name(item)
        raise Unclear(f"I know {known}, but have seen no free floor {there}.", [item])
    text = f"going {where}{describe.name(item)}: stop at x {goal.x:.2f}, y {goal.y:.2f}, facing it."
    doubts = _doubts(goal, view)
    return reply("command", text, objects=[item], based_on=[found], goal=goal, doubts=doubts)


def _doubts(goal: GoalPose, view: View) -> list[str]:
    """How far off a goal may be that is measured from where the robot is."""
    robot = view.robot.box
    off = view.scale.of(math.hypot(goal.x - robot.x, goal.y - robot.y), "m")
    if off < measure.CLOSE_M:
        return []
    return [f"the goal may be off by {off:.1f} m: {view.scale.known}"]


def _cells_on_side(side: str, item: SceneObject, floor: FloorMap, view: View) -> NDArray[np.bool_]:
    """Cells of the floor map in the quarter on that side of an object, as the robot sees it."""
    x, y = np.broadcast_arrays(*measure.cell_centres(floor))
    places = np.stack([x.ravel(), y.ravel()], axis=1)
    true, off_axis = measure.on_side(side, relate.seen_bearings(places, item, view))
    quarter = true if side == "behind" else true & (off_axis >= 45)
    return quarter.reshape(x.shape)


def face(asked: Asked) -> Answer:
    """Turn on the spot."""
    asked.view.need_metres()
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
        "go|drive|move|navigate|walk|come|head|travel|run|stand|stop|park|wait|be to? "
        "{side:beside} {x}",
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
