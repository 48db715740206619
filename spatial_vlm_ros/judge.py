"""Tells right answers from wrong ones, given the truth of a simulated recording."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.reasoning.answer import Answer, GoalPose
from spatial_vlm_ros.reasoning.units import LENGTHS, convert
from spatial_vlm_ros.scene.box import Box, ious
from spatial_vlm_ros.simulation.truth import TrueObject, TrueQuestion, Truth

REACH_M = 1.2  # a commanded base must stop this near the object
FACING = np.radians(30.0)
FLOOR_TOLERANCE_M = 0.1
SAME_PLACE_M = 0.3  # a box that overlaps no true box may stand for one this near
HEADROOM_M = 1.8  # what hangs higher than this above the floor stops no base


def judge(
    answer: Answer, question: TrueQuestion, truth: Truth, boxes: Mapping[int, Box]
) -> tuple[bool, str]:
    """Whether ``answer`` is right, and why not. ``boxes`` are the remembered objects' by id."""
    if answer.answered != question.answered:
        return False, "refused" if question.answered else "answered what it cannot know"
    if not question.answered:
        return _same_objects(answer.candidates, question.candidates, truth, boxes)
    if question.kind == "command":
        return _obeys(answer.goal, truth[question.objects[0]], truth)
    if question.objects:
        return _same_objects(answer.objects, question.objects, truth, boxes)
    if isinstance(question.truth, str):
        said = said_word(answer, question)
        return said == question.truth.lower(), f"said {said!r}"
    return _near(answer, question)


def said_word(answer: Answer, question: TrueQuestion) -> str:
    """The word an answer gives: its bare value, else the first of the choices its text names."""
    if isinstance(answer.value, str):
        return answer.value.lower()
    words = sorted({*question.choices, str(question.truth)}, key=len, reverse=True)
    pattern = "|".join(rf"\b{re.escape(word.lower())}\b" for word in words)
    found = re.search(pattern, answer.text.lower())
    return found[0] if found else ""


def _near(answer: Answer, question: TrueQuestion) -> tuple[bool, str]:
    if not isinstance(answer.value, (int, float)) or question.truth is None:
        return False, "gave no number"
    if answer.unit != question.unit and not {answer.unit, question.unit} <= set(LENGTHS):
        return False, f"unit is {answer.unit!r}, not {question.unit!r}"
    value = convert(float(answer.value), answer.unit, question.unit)
    error = abs(value - float(question.truth))
    return error <= question.tolerance + 1e-9, f"off by {error:.3g} {question.unit}".rstrip()


def _same_objects(
    ids: Collection[int], true_ids: Collection[int], truth: Truth, boxes: Mapping[int, Box]
) -> tuple[bool, str]:
    stood_for = sorted(stands_for(boxes[i], truth) for i in ids)
    return stood_for == sorted(true_ids), f"means {_names(stood_for, truth)}"


def stands_for(box: Box, truth: Truth) -> int:
    """Id of the true object a box overlaps most, else of the nearest one; 0 for none near."""
    overlaps = ious([box], [item.box for item in truth.objects])[0]
    best = int(np.argmax(overlaps))
    if overlaps[best] > 0:
        return truth.objects[best].id
    gaps = [np.linalg.norm(box.center - item.box.center) for item in truth.objects]
    nearest = int(np.argmin(gaps))
    return truth.objects[nearest].id if gaps[nearest] <= SAME_PLACE_M else 0


def _names(true_ids: Collection[int], truth: Truth) -> str:
    return (
        ", ".join(f"{truth[i].category} {i}" if i else "nothing real" for i in true_ids) or "none"
    )


def _obeys(goal: GoalPose | None, wanted: TrueObject, truth: Truth) -> tuple[bool, str]:
    """Whether a base at ``goal`` stands free, on a room's floor, by the object and facing it."""
    if goal is None:
        return False, "gave no goal"
    place = np.array([goal.x, goal.y])
    floor_z = -truth.T_map_scene[2, 3]
    if abs(goal.z - floor_z) > FLOOR_TOLERANCE_M:
        return False, f"goal is {goal.z - floor_z:+.2f} m off the floor"
    if not any(_inside(place, room.outline_scene) for room in truth.rooms):
        return False, "goal is in no room"
    for item in truth.objects:
        starts = item.box.bottom - floor_z
        if starts < HEADROOM_M and np.linalg.norm(_gap(place, item.box)) == 0:
            return False, f"goal is inside the {item.category} {item.id}"
    gap = _gap(place, wanted.box)
    if np.linalg.norm(gap) > REACH_M:
        return False, f"goal is {np.linalg.norm(gap):.2f} m from it"
    # By a long object (a sofa) it is as good to face its nearest point as its middle.
    off = min(_turn(goal.yaw, gap), _turn(goal.yaw, wanted.box.center[:2] - place))
    return bool(off <= FACING), f"faces {np.degrees(off):.0f} degrees away from it"


def _gap(place: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    """(2,) vector from a place to the nearest point of a box's footprint; zero inside it."""
    c, s = np.cos(box.yaw), np.sin(box.yaw)
    turn = np.array([[c, -s], [s, c]])
    local = turn.T @ (place - box.center[:2])
    half = box.size[:2] / 2
    nearest: NDArray[np.float64] = turn @ (np.clip(local, -half, half) - local)
    return nearest


def _turn(yaw: float, direction: NDArray[np.float64]) -> float:
    """Angle between a heading and a direction, 0..pi."""
    angle = np.arctan2(direction[1], direction[0]) - yaw
    return float(abs((angle + np.pi) % (2 * np.pi) - np.pi))


def _inside(place: NDArray[np.float64], outline: NDArray[np.float64]) -> bool:
    contour = outline.astype(np.float32)[:, None]
    return cv2.pointPolygonTest(contour, (float(place[0]), float(place[1])), False) >= 0
