"""Where a mobile base should stop to be by an object."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.reasoning import measure
from spatial_vlm_ros.reasoning.answer import GoalPose
from spatial_vlm_ros.scene.graph import FloorMap, SceneObject

#: Boxes are kept at least this far from the base's centre [m].
ROBOT_RADIUS = 0.3
#: What starts higher above the floor than this is driven under [m].
HEADROOM = 1.8
#: The base stops this near the object if it can, at most this far from it if it must [m].
NEAR, FAR = 0.7, 1.1
#: The straight way from the goal to the object may cross this much unknown ground [m]; more is
#: a wall.
UNKNOWN = 0.1

Cells = NDArray[np.bool_]


def goal_pose(
    target: SceneObject,
    robot: SceneObject,
    floor: FloorMap,
    objects: Sequence[SceneObject],
    carriers: Sequence[SceneObject] = (),
    among: Cells | None = None,
) -> GoalPose | None:
    """A place on seen floor by ``target``, facing it, on its side nearest to the robot.

    Outside every box grown by ``ROBOT_RADIUS``, with no wall between it and the object; if
    possible connected to where the robot is, and with known floor within ``ROBOT_RADIUS`` all
    round, on the way too. None where there is no free floor within ``FAR`` of the object, nor of
    any of the ``carriers`` that it is on, which are tried in turn. ``among``: only cells of the
    floor map that are true there.
    """
    free, known = _free(floor, objects)
    x, y = measure.cell_centres(floor)
    from_robot = np.hypot(x - robot.box.x, y - robot.box.y)
    choices = _from_best(free, floor, objects, from_robot)
    for beside in (target, *carriers):
        reach = _reach(floor, beside)
        if among is not None:
            reach = np.where(among, reach, np.inf)
        for allowed, limit in product(choices, (NEAR, FAR)):
            cells = np.argwhere(allowed & (reach <= limit))
            order = np.argsort(from_robot[tuple(cells.T)], kind="stable")
            for row, column in cells[order]:
                place = np.array([x[0, column], y[row, 0]])
                if _in_sight(place, beside, floor, known):
                    return facing(place, target, floor.z)
    return None


def facing(place: NDArray[np.float64], target: SceneObject, z: float) -> GoalPose:
    """Stand at ``place`` (2,), turned to the middle of ``target``."""
    ahead = target.box.center[:2] - place
    return GoalPose(
        float(place[0]), float(place[1]), float(z), float(np.arctan2(ahead[1], ahead[0]))
    )


def _free(floor: FloorMap, objects: Sequence[SceneObject]) -> tuple[Cells, Cells]:
    """Floor the base's centre may be on, and ground that is seen or under an object."""
    free, known = floor.seen.copy(), floor.seen.copy()
    for item in objects:
        measure.mark(known, floor, item.box, 0.0, True)
        if item.box.bottom < floor.z + HEADROOM:
            measure.mark(free, floor, item.box, ROBOT_RADIUS, False)
    return free, known


def _from_best(
    free: Cells, floor: FloorMap, objects: Sequence[SceneObject], from_robot: NDArray[np.float64]
) -> list[Cells]:
    """Cells to choose from, the best first: within the robot's reach, away from walls."""
    roomy = free & _roomy(floor, objects)
    return [_connected(roomy, from_robot), _connected(free, from_robot), roomy, free]


def _roomy(floor: FloorMap, objects: Sequence[SceneObject]) -> Cells:
    """Cells with known floor all round them, that is, no wall, within ``ROBOT_RADIUS``."""
    known = np.pad(measure.known_floor(floor, objects), 1).astype(np.uint8)
    clearance = cv2.distanceTransform(known, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    return np.asarray((clearance - 0.5) * floor.resolution >= ROBOT_RADIUS)


def _reach(floor: FloorMap, item: SceneObject) -> NDArray[np.float64]:
    """(rows, columns) metres from each cell's centre to the footprint of ``item``."""
    x, y = measure.cell_centres(floor)
    box = item.box
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    along = np.abs(cos * (x - box.x) + sin * (y - box.y)) - box.length / 2
    across = np.abs(cos * (y - box.y) - sin * (x - box.x)) - box.width / 2
    return np.asarray(np.hypot(np.maximum(along, 0.0), np.maximum(across, 0.0)))


def _connected(free: Cells, from_robot: NDArray[np.float64]) -> Cells:
    """The piece of free floor that comes nearest to the robot."""
    if not free.any():
        return free
    _, pieces = cv2.connectedComponents(free.astype(np.uint8), connectivity=8)
    nearest = np.where(free, from_robot, np.inf).argmin()
    return np.asarray(pieces == pieces.ravel()[nearest])


def _in_sight(
    place: NDArray[np.float64], target: SceneObject, floor: FloorMap, known: Cells
) -> bool:
    """Whether the straight way to the nearest point of the object runs over known ground."""
    box = target.box
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    turn = np.array([[cos, -sin], [sin, cos]])
    half = np.array([box.length, box.width]) / 2
    centre = box.center[:2]
    nearest = centre + turn @ np.clip(turn.T @ (place - centre), -half, half)
    length = float(np.linalg.norm(nearest - place))
    step = floor.resolution / 2
    share = np.linspace(0.0, 1.0, max(2, int(np.ceil(length / step))))[:, None]
    way = (1 - share) * place + share * nearest
    columns = ((way[:, 0] - floor.x0) / floor.resolution).astype(int)
    rows = ((way[:, 1] - floor.y0) / floor.resolution).astype(int)
    inside = (0 <= rows) & (rows < known.shape[0]) & (0 <= columns) & (columns < known.shape[1])
    unknown = np.ones(len(way), dtype=bool)
    unknown[inside] = ~known[rows[inside], columns[inside]]
    return bool(unknown.sum() * length / len(way) <= UNKNOWN)
