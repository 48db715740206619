"""Objects, scene graphs and answers as messages, and back."""

from __future__ import annotations

import array
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Polygon, Pose, Quaternion, Transform, Vector3
from nav_msgs.msg import OccupancyGrid
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.ros_image import stamp_ns
from spatial_vlm_ros.scene import graph as core
from spatial_vlm_ros.scene.box import Box


def time_message(stamp: int) -> Time:
    """Nanoseconds as a message."""
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    return Time(sec=seconds, nanosec=nanoseconds)


def header(stamp: int, frame: str) -> Header:
    """A header with ``stamp`` in nanoseconds."""
    return Header(stamp=time_message(stamp), frame_id=frame)


def yaw_quaternion(yaw: float) -> Quaternion:
    """Rotation about z by ``yaw`` radians."""
    return Quaternion(x=0.0, y=0.0, z=math.sin(yaw / 2), w=math.cos(yaw / 2))


def transform_message(matrix: NDArray[np.float64]) -> Transform:
    """A (4, 4) rigid transform."""
    x, y, z, w = map(float, Rotation.from_matrix(matrix[:3, :3]).as_quat())
    return Transform(
        translation=Vector3(**dict(zip("xyz", map(float, matrix[:3, 3]), strict=True))),
        rotation=Quaternion(x=x, y=y, z=z, w=w),
    )


def pose_message(matrix: NDArray[np.float64]) -> Pose:
    """A (4, 4) rigid transform as the pose of its source frame."""
    transform = transform_message(matrix)
    place = transform.translation
    return Pose(position=Point(x=place.x, y=place.y, z=place.z), orientation=transform.rotation)


def pose_from(message: Pose) -> NDArray[np.float64]:
    """The (4, 4) rigid transform of a pose."""
    place, turn = message.position, message.orientation
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
    matrix[:3, 3] = place.x, place.y, place.z
    return matrix


def polygon_points(polygon: Polygon) -> NDArray[np.float64] | None:
    """(n, 2) corners, x and y; None when there are fewer than three: no restriction."""
    if len(polygon.points) < 3:
        return None
    return np.array([(point.x, point.y) for point in polygon.points], float)


# -- objects ---------------------------------------------------------------------------------


def fill_box(message: Any, box: Box) -> None:
    """Write ``box`` into a ``vision_msgs/BoundingBox3D``."""
    message.center.position = Point(x=float(box.x), y=float(box.y), z=float(box.z))
    message.center.orientation = yaw_quaternion(box.yaw)
    message.size = Vector3(x=float(box.length), y=float(box.width), z=float(box.height))


def box_from(message: Any) -> Box:
    """The upright box of a ``vision_msgs/BoundingBox3D``."""
    place, turn, size = message.center.position, message.center.orientation, message.size
    yaw = 2 * math.atan2(turn.z, turn.w)
    return Box(place.x, place.y, place.z, size.x, size.y, size.z, yaw).canonical()


def object_message(item: core.SceneObject) -> ros.Object3D:
    """One remembered object."""
    message = ros.Object3D(
        id=item.id,
        state=int(item.state),
        label=item.label,
        label_score=float(item.label_score),
        colour=item.colour,
        colour_score=float(item.colour_score),
        first_seen=time_message(item.first_seen_ns),
        last_seen=time_message(item.last_seen_ns),
        observations=item.observations,
    )
    fill_box(message.bbox, item.box)
    return message


def object_from(message: ros.Object3D) -> core.SceneObject:
    """The object a message describes."""
    return core.SceneObject(
        message.id,
        message.label,
        message.label_score,
        box_from(message.bbox),
        core.ObjectState(message.state),
        message.colour,
        message.colour_score,
        stamp_ns(message.first_seen),
        stamp_ns(message.last_seen),
        message.observations,
    )


def detections_message(
    items: Iterable[core.SceneObject], stamp: int, frame: str
) -> ros.Detection3DArray:
    """Objects for the ecosystem: ``id`` stays the same over time, ``class_id`` is the label."""
    message = ros.Detection3DArray(header=header(stamp, frame))
    message.detections = [
        _detection(item.box, item.label, item.label_score, message.header, str(item.id))
        for item in items
    ]
    return message


def _detection(box: Box, label: str, score: float, stamped: Header, number: str) -> ros.Detection3D:
    detection = ros.Detection3D(header=stamped, id=number)
    fill_box(detection.bbox, box)
    hypothesis = ros.ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = label
    hypothesis.hypothesis.score = float(score)
    hypothesis.pose.pose = detection.bbox.center
    detection.results.append(hypothesis)
    return detection


# -- scene graph -----------------------------------------------------------------------------


def graph_message(
    scene: core.SceneGraph,
    scene_frame: str,
    fixed_frame: str,
    views: Mapping[int, Iterable[int]] = MappingProxyType({}),
) -> ros.SceneGraph:
    """The whole scene in ``scene_frame``; ``views`` has what each keyframe shows, by its id."""
    message = ros.SceneGraph(
        header=header(scene.stamp_ns, scene_frame),
        revision=scene.revision,
        fixed_frame=fixed_frame,
        objects=[object_message(item) for item in scene.objects],
        relations=[
            ros.Relation(subject=r.subject, predicate=r.predicate, object=r.object)
            for r in scene.relations
        ],
        cognitive_maps=[_cogmap_message(cogmap) for cogmap in scene.cogmaps],
        unplaced=list(scene.unplaced),
        has_floor=scene.floor is not None,
        has_robot_pose=scene.T_scene_robot is not None,
        views=[ros.View(keyframe=i, visible=list(shown)) for i, shown in views.items()],
        scale_spread=float(scene.scale_spread),
    )
    if scene.floor is not None:
        message.floor = _floor_message(scene.floor, message.header)
    if scene.T_scene_robot is not None:
        message.robot_pose = pose_message(scene.T_scene_robot)
    return message


def graph_from(message: ros.SceneGraph) -> core.SceneGraph:
    """The scene a message describes."""
    return core.SceneGraph(
        tuple(object_from(item) for item in message.objects),
        tuple(core.Relation(r.subject, r.predicate, r.object) for r in message.relations),
        tuple(_cogmap_from(cogmap) for cogmap in message.cognitive_maps),
        tuple(int(i) for i in message.unplaced),
        _floor_from(message.floor) if message.has_floor else None,
        pose_from(message.robot_pose) if message.has_robot_pose else None,
        stamp_ns(message.header.stamp),
        message.revision,
        message.scale_spread,
    )


def views_from(message: ros.SceneGraph) -> dict[int, tuple[int, ...]]:
    """The ids of the objects that each keyframe shows, by its id, oldest first."""
    return {view.keyframe: tuple(map(int, view.visible)) for view in message.views}


def _cogmap_message(cogmap: core.LocalCogMap) -> ros.LocalCogMap:
    return ros.LocalCogMap(
        anchor_a=cogmap.anchor_a,
        anchor_b=cogmap.anchor_b,
        target=cogmap.target,
        cell_b=np.array(cogmap.cell_b, np.uint8),
        cell_target=np.array(cogmap.cell_target, np.uint8),
        metres_per_cell=float(cogmap.metres_per_cell),
    )


def _cogmap_from(message: ros.LocalCogMap) -> core.LocalCogMap:
    (b_x, b_y), (x, y) = map(int, message.cell_b), map(int, message.cell_target)
    return core.LocalCogMap(
        message.anchor_a, message.anchor_b, message.target, (b_x, b_y), (x, y),
        message.metres_per_cell,
    )  # fmt: skip


def _floor_message(floor: core.FloorMap, its_header: Header) -> OccupancyGrid:
    message = OccupancyGrid(header=its_header)
    message.info.resolution = float(floor.resolution)
    message.info.height, message.info.width = map(int, floor.seen.shape)
    message.info.origin.position = Point(x=float(floor.x0), y=float(floor.y0), z=float(floor.z))
    cells = np.where(floor.seen, 0, -1).astype(np.int8)
    message.data = array.array("b", cells.tobytes())  # a numpy array is copied item by item
    return message


def _floor_from(message: OccupancyGrid) -> core.FloorMap:
    origin, info = message.info.origin.position, message.info
    seen = np.frombuffer(message.data, np.int8).reshape(info.height, info.width) == 0
    # The resolution travels as a 32-bit float; six digits are its own precision.
    return core.FloorMap(origin.x, origin.y, origin.z, round(info.resolution, 6), seen)


# -- answers ---------------------------------------------------------------------------------


def fill_result(
    result: ros.Ask.Result, answer: Answer, scene: core.SceneGraph, scene_frame: str
) -> None:
    """Write ``answer``, which was found in ``scene``, into an action's result."""
    known = {item.id: item for item in scene.objects}
    result.answered, result.answer, result.kind = answer.answered, answer.text, answer.kind
    result.confidence, result.unit = float(answer.confidence), answer.unit
    if isinstance(answer.value, (int, float)):
        result.has_value, result.value = True, float(answer.value)
        result.spread = float(answer.spread)
    result.boxes = detections_message(
        [known[i] for i in answer.objects], scene.stamp_ns, scene_frame
    )
    result.boxes.detections += [
        _detection(named.box, named.label, answer.confidence, result.boxes.header, "")
        for named in answer.boxes
    ]
    result.object_ids = list(answer.objects)
    result.evidence_ids = list(answer.evidence)
    result.evidence_stamps = [time_message(known[i].last_seen_ns) for i in answer.evidence]
    result.candidates = list(answer.candidates)
    result.scene_revision = scene.revision
    result.reasoner, result.warnings = answer.reasoner, list(answer.warnings)
    result.check, result.check_answer = answer.check, answer.check_text
    result.prompt_tokens, result.cached_tokens = answer.prompt_tokens, answer.cached_tokens
    result.first_token = float(answer.first_token_s)
    if answer.goal is not None:
        result.has_goal_pose = True
        result.goal_pose.header = header(scene.stamp_ns, scene_frame)
        goal, pose = answer.goal, result.goal_pose.pose
        pose.position = Point(x=float(goal.x), y=float(goal.y), z=float(goal.z))
        pose.orientation = yaw_quaternion(goal.yaw)
