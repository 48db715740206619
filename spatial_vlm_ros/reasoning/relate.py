"""What it means to be on, under, next to, between, left of: one object against others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spatial_vlm_ros.reasoning import measure
from spatial_vlm_ros.reasoning.view import ROBOT_ID, View
from spatial_vlm_ros.scene import polygon
from spatial_vlm_ros.scene.graph import SceneObject
from spatial_vlm_ros.scene.relations import BESIDE_GAP

#: Nearest points at most this far apart are near [m].
NEAR = 1.0
#: Off the straight way from one object to another by this much is still between [m].
BETWEEN_MARGIN = 0.25

#: How the relations are said.
PHRASES = {
    "on": "on",
    "under": "under",
    "above": "above",
    "inside": "in",
    "beside": "beside",
    "near": "near",
    "between": "between",
    "left": "to the left of",
    "right": "to the right of",
    "front": "in front of",
    "behind": "behind",
}


def holds(
    relation: str, subject: SceneObject, anchors: Sequence[SceneObject], view: View
) -> tuple[bool, float]:
    """Whether ``subject`` is in ``relation`` to ``anchors`` (two for between), and how surely.

    * on, above, inside: as the scene graph has it (see ``scene/relations.py``). On is also on
      what stands on it; in a shelf or sofa is also on one of its boards.
    * beside: as the scene graph has it, or nearest points at most ``BESIDE_GAP`` apart and neither
      over, under nor in the other.
    * under: under or below in the scene graph, or carrying it.
    * near: nearest points at most ``NEAR`` apart.
    * between: seen from above, its centre lies between the two centres, over neither object, and
      off their line by no more than the objects' half breadths there, or ``BETWEEN_MARGIN`` if that
      is more; or it lies across the line.
    * left, right of an object, as the robot sees it from where it is; in front is nearer to the
      robot than the object and more so than aside; behind is further.
    * left, right of the robot: that half; in front, behind: the quarter round that way.

    Sureness is 0.5 within ``measure.CLOSE_DEG`` of the border of a direction, else 1.
    """
    if any(subject.id == anchor.id for anchor in anchors):
        return False, 1.0
    if relation == "between":
        return _between(subject, anchors[0], anchors[1]), 1.0
    anchor = anchors[0]
    if relation in ("left", "right", "front", "behind"):
        return _side(relation, subject, anchor, view)
    if relation == "near" or ROBOT_ID in (subject.id, anchor.id):
        return measure.gap(subject, anchor) <= NEAR, 1.0
    return _related(relation, subject, anchor, view), 1.0


def _related(relation: str, subject: SceneObject, anchor: SceneObject, view: View) -> bool:
    def graph_says(predicate: str, first: SceneObject, second: SceneObject) -> bool:
        return (first.id, second.id) in view.pairs.get(predicate, ())

    if relation == "under":
        below = graph_says("under", subject, anchor) or graph_says("below", subject, anchor)
        return below or graph_says("on", anchor, subject)
    if relation == "inside":
        within = anchor.box.bottom < subject.box.z < anchor.box.top
        return graph_says("inside", subject, anchor) or (
            within and graph_says("on", subject, anchor)
        )
    if relation == "beside" and measure.gap(subject, anchor) <= BESIDE_GAP:
        return not any(
            graph_says(predicate, one, other)
            for predicate in ("on", "inside", "under", "above")
            for one, other in ((subject, anchor), (anchor, subject))
        )
    return graph_says(relation, subject, anchor)


def _between(subject: SceneObject, a: SceneObject, b: SceneObject) -> bool:
    start = a.box.center[:2]
    way = b.box.center[:2] - start
    length = float(np.linalg.norm(way))
    if length == 0.0 or subject.id in (a.id, b.id):
        return False
    way /= length
    across = np.array([-way[1], way[0]])
    offset = subject.box.center[:2] - start
    share = float(offset @ way) / length
    off = abs(float(offset @ across))
    breadth_a, breadth_b, own = (
        float(np.abs((item.box.corners_bev() - item.box.center[:2]) @ across).max())
        for item in (a, b, subject)
    )
    room = max((1 - share) * breadth_a + share * breadth_b, BETWEEN_MARGIN)
    place = subject.box.center[None, :2]
    over_end = any(polygon.contains(item.box.corners_bev(), place)[0] for item in (a, b))
    return 0.0 < share < 1.0 and off <= max(room, own) and not over_end


def _side(
    relation: str, subject: SceneObject, anchor: SceneObject, view: View
) -> tuple[bool, float]:
    degrees = seen_bearing(subject, anchor, view)
    if relation in ("left", "right"):
        # Straight behind is as much a border as straight ahead.
        found, margin = measure.sector(degrees, ("left", "right"))
        return found == relation, sureness(margin)
    found, margin = measure.sector(degrees, ("front", "left", "back", "right"))
    return found == ("front" if relation == "front" else "back"), sureness(margin)


def seen_bearing(subject: SceneObject, anchor: SceneObject, view: View) -> float:
    """Degrees, left positive, of ``subject`` round ``anchor``, 0 being in front of it.

    Round the robot, front is the way it looks; round an object, front is the side towards the
    robot and left is what the robot sees on its left.
    """
    place = subject.box.center[:2]
    robot = view.robot.box.center[:2]
    if anchor.id == ROBOT_ID:
        return measure.bearing(robot, view.forward, place)
    centre = anchor.box.center[:2]
    # Looking back at the robot from the object, the robot's left is on the right: mirrored.
    return -measure.bearing(centre, robot - centre, place)


def sureness(margin_degrees: float) -> float:
    """1, or 0.5 where a bearing is too near a border to be sure of."""
    return 0.5 if margin_degrees < measure.CLOSE_DEG else 1.0
