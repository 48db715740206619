"""Core dataclasses survive the way through messages, also over the wire format."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

pytest.importorskip("rclpy")
from geometry_msgs.msg import Point32, Polygon
from rclpy.serialization import deserialize_message, serialize_message
from visualization_msgs.msg import Marker

from spatial_vlm_ros.keyframes import Keyframe
from spatial_vlm_ros.language.box_text import NamedBox
from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.nodes.conversions import (
    box_from,
    detections_message,
    fill_result,
    graph_from,
    graph_message,
    polygon_points,
    time_message,
    views_from,
)
from spatial_vlm_ros.nodes.image_conversions import (
    keyframe_from,
    keyframe_message,
    proxies_from,
    proxies_message,
)
from spatial_vlm_ros.nodes.markers import Markers, proxy_markers
from spatial_vlm_ros.proxies.scene_proxies import Reading
from spatial_vlm_ros.proxies.sequence import ProxySequence
from spatial_vlm_ros.reasoning.answer import Answer, GoalPose
from spatial_vlm_ros.ros_image import stamp_ns
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import (
    FloorMap,
    LocalCogMap,
    ObjectState,
    Relation,
    SceneGraph,
    SceneObject,
)
from spatial_vlm_ros.scene.region import within

STAMP = 1_700_000_000_123_456_789


def item(number: int, x: float, label: str = "chair", state=ObjectState.CONFIRMED) -> SceneObject:
    box = Box(x, 2.0, 0.5, 0.8, 0.4, 1.0, math.radians(30))
    return SceneObject(number, label, 0.75, box, state, "red", 0.5, STAMP - 5, STAMP - number, 7)


def scene() -> SceneGraph:
    seen = np.zeros((3, 5), bool)
    seen[1, 2:] = True
    T = np.eye(4)
    T[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
    T[:3, 3] = 1.5, -2.0, 1.0
    return SceneGraph(
        (item(1, 1.0), item(2, 2.0, "mug"), item(3, 3.0, "lamp", ObjectState.MISSING)),
        (Relation(2, "on", 1),),
        (LocalCogMap(1, 2, 3, (5, 2), (7, 9), 0.25),),
        (3,),
        FloorMap(-1.0, -2.0, -0.9, 0.1, seen),
        T,
        STAMP,
        42,
    )


def test_scene_graph_comes_back_the_same():
    sent = graph_message(scene(), "spatial_scene", "odom")
    message = deserialize_message(serialize_message(sent), ros.SceneGraph)
    assert message.header.frame_id == "spatial_scene" and message.fixed_frame == "odom"
    assert stamp_ns(message.header.stamp) == STAMP
    got, want = graph_from(message), scene()
    for field in ("relations", "unplaced", "stamp_ns", "revision", "cogmaps"):
        assert getattr(got, field) == getattr(want, field)
    for a, b in zip(got.objects, want.objects, strict=True):
        np.testing.assert_allclose(
            [*a.box.center, *a.box.size, a.box.yaw], [*b.box.center, *b.box.size, b.box.yaw]
        )
        assert (a.id, a.label, a.state, a.colour) == (b.id, b.label, b.state, b.colour)
        assert (a.first_seen_ns, a.last_seen_ns, a.observations) == (
            b.first_seen_ns,
            b.last_seen_ns,
            b.observations,
        )
    np.testing.assert_allclose(got.T_scene_robot, want.T_scene_robot, atol=1e-12)
    np.testing.assert_array_equal(got.floor.seen, want.floor.seen)
    assert (got.floor.x0, got.floor.y0, got.floor.z) == (-1.0, -2.0, -0.9)
    assert got.floor.resolution == 0.1


def test_scene_without_floor_and_observer():
    empty = SceneGraph((), (), (), (), None, None, 0, 0)
    got = graph_from(graph_message(empty, "spatial_scene", "odom"))
    assert got == empty


def test_detections_carry_id_label_and_orientation():
    message = detections_message(scene().present(), STAMP, "spatial_scene")
    first, second = message.detections
    assert (first.id, second.id) == ("1", "2")
    assert first.header == message.header and message.header.frame_id == "spatial_scene"
    assert second.results[0].hypothesis.class_id == "mug"
    assert second.results[0].hypothesis.score == pytest.approx(0.75)
    assert first.bbox.size.x == 0.8 and first.bbox.size.z == 1.0
    turn = first.bbox.center.orientation
    assert 2 * math.atan2(turn.z, turn.w) == pytest.approx(math.radians(30))


def test_proxies_are_halves_in_little_endian_and_background_is_0():
    sequence = ProxySequence(
        torch.tensor([[1.0, -2.0], [0.5, 65504.0]]),
        torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]]),
        torch.tensor([7, -2]),
        torch.tensor([3, 1]),
    )
    made = proxies_message(Reading(sequence, 5, STAMP, "some encoder"), "spatial_scene")
    message = deserialize_message(serialize_message(made), ros.ProxySequence)
    # 1 is 0x3C00, -2 is 0xC000, 0.5 is 0x3800, the greatest half is 0x7BFF.
    assert bytes(message.features).hex() == "003c00c00038ff7b"
    assert list(message.points) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.5]
    assert list(message.object_ids) == [7, 0]
    assert (message.count, message.dimension, message.revision) == (2, 2, 5)
    assert message.encoder == "some encoder" and message.header.frame_id == "spatial_scene"
    assert stamp_ns(message.header.stamp) == STAMP


def test_dots_of_proxies_vanish_with_the_last_of_them():
    none = torch.empty(0, dtype=torch.int64)
    empty = ProxySequence(torch.empty(0, 2), torch.empty(0, 3), none, none)
    reading = Reading(empty, 1, STAMP, "e")
    (dots,) = proxy_markers(reading, "spatial_scene").markers
    assert dots.action == Marker.DELETE and not dots.points
    made = proxies_message(reading, "spatial_scene")
    assert (made.count, made.dimension, len(made.features)) == (0, 2, 0)


def test_markers_delete_what_is_gone():
    markers = Markers()
    shown = markers.message(scene().objects[:2], STAMP, "spatial_scene").markers
    assert [(m.ns, m.id, m.action) for m in shown] == [
        ("", 0, Marker.DELETEALL),  # what an earlier mapper has left in the viewer
        ("boxes", 1, Marker.ADD),
        ("names", 1, Marker.ADD),
        ("boxes", 2, Marker.ADD),
        ("names", 2, Marker.ADD),
    ]
    after = markers.message(scene().objects[1:2], STAMP, "spatial_scene").markers
    gone = {(m.ns, m.id) for m in after if m.action == Marker.DELETE}
    assert gone == {("boxes", 1), ("names", 1)}
    assert all(m.header.frame_id == "spatial_scene" for m in [*shown, *after])
    assert not any(m.action == Marker.DELETEALL for m in after)
    assert not any(
        m.action == Marker.DELETE
        for m in markers.message(scene().objects[1:2], STAMP, "spatial_scene").markers
    )


def test_keyframe_comes_back_the_same():
    turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = turn, (1.5, -2.0, 1.0)
    points = np.arange(3 * 4 * 3, dtype=np.float32).reshape(3, 4, 3)
    points[1, 2] = np.nan
    k = np.array([[500.0, 0, 319.5], [0, 510.0, 239.5], [0, 0, 1]])
    sent = Keyframe(2**60 + 1, STAMP, "optical", b"\xff\xd8 jpeg \x00", k, T, points, (3, 9))
    wire = serialize_message(keyframe_message(sent, "spatial_scene"))
    message = deserialize_message(wire, ros.Keyframe)
    assert message.header.frame_id == message.image.header.frame_id == "optical"
    assert (message.scene_frame, message.image.format) == ("spatial_scene", "jpeg")
    assert (message.rows, message.columns) == (3, 4)
    got = keyframe_from(message)
    for name in ("id", "stamp_ns", "frame", "jpeg", "visible"):
        assert getattr(got, name) == getattr(sent, name), name
    np.testing.assert_array_equal(got.points_scene, points)
    np.testing.assert_array_equal(got.intrinsics, k)
    np.testing.assert_allclose(got.T_scene_camera, T, atol=1e-12)
    assert got.points_scene.dtype == np.float32


def test_what_keyframes_show_is_part_of_the_scene():
    views = {7: (1, 3), 2**60: ()}
    wire = serialize_message(graph_message(scene(), "spatial_scene", "odom", views))
    got = views_from(deserialize_message(wire, ros.SceneGraph))
    assert got == views and list(got) == list(views)
    assert views_from(graph_message(scene(), "spatial_scene", "odom")) == {}


def test_proxies_come_back_the_same():
    features = torch.tensor([[0.5, -1.25], [3.0, 1e-3], [0.0, 8.0]])
    points = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9.5]])
    sequence = ProxySequence(
        features, points, torch.tensor([-2, 5, 0]), torch.tensor([40, 1, 70_000])
    )
    sent = Reading(sequence, 8, STAMP, "encoder")
    wire = serialize_message(proxies_message(sent, "spatial_scene"))
    got = proxies_from(deserialize_message(wire, ros.ProxySequence))
    assert (got.revision, got.stamp_ns, got.encoder) == (8, STAMP, "encoder")
    assert torch.equal(got.sequence.features, features.half())
    assert torch.equal(got.sequence.points_scene, points)
    assert got.sequence.groups.tolist() == [0, 5, 0], "surroundings of whatever kind are 0"
    assert got.sequence.counts.tolist() == [40, 1, 70_000]
    empty = Reading(ProxySequence(*(part[:0] for part in vars(sequence).values())), 1, 0, "")
    assert len(proxies_from(proxies_message(empty, "spatial_scene")).sequence) == 0


def test_answer_becomes_a_result():
    answer = Answer(
        "1.20 m",
        True,
        "distance",
        1.2,
        "m",
        (1, 2),
        (1, 2, 3),
        (),
        GoalPose(1, 2, 0, math.pi / 2),
        0.9,
    )
    result = ros.Ask.Result()
    fill_result(result, answer, scene(), "spatial_scene")
    assert result.answered and result.answer == "1.20 m" and result.kind == "distance"
    assert result.has_value and result.value == 1.2 and result.unit == "m"
    assert list(result.object_ids) == [1, 2] and list(result.evidence_ids) == [1, 2, 3]
    assert [d.id for d in result.boxes.detections] == ["1", "2"]
    assert result.boxes.header.frame_id == "spatial_scene"
    assert [stamp_ns(s) for s in result.evidence_stamps] == [STAMP - 1, STAMP - 2, STAMP - 3]
    assert result.has_goal_pose and result.goal_pose.header.frame_id == "spatial_scene"
    assert result.goal_pose.pose.orientation.z == pytest.approx(math.sqrt(0.5))
    assert result.scene_revision == 42


def test_the_spread_of_a_number_comes_with_it():
    result = ros.Ask.Result()
    fill_result(
        result, Answer("", True, "distance", 1.2, "m", spread=0.12), scene(), "spatial_scene"
    )
    assert (result.value, result.spread) == (1.2, 0.12)
    result = ros.Ask.Result()
    fill_result(result, Answer("", True, "compare", "yes"), scene(), "spatial_scene")
    assert result.spread == 0.0


@pytest.mark.parametrize("spread", [0.0, 0.07, math.inf])
def test_the_spread_of_the_scale_comes_back_the_same(spread):
    sent = dataclasses.replace(scene(), scale_spread=spread)
    wire = serialize_message(graph_message(sent, "spatial_scene", "odom"))
    got = graph_from(deserialize_message(wire, ros.SceneGraph))
    assert got.scale_spread == spread
    assert got.metric == (spread < math.inf)


def test_answer_in_words_has_no_number():
    result = ros.Ask.Result()
    fill_result(result, Answer("left", True, "direction", "left"), scene(), "spatial_scene")
    assert result.answered and not result.has_value and not result.has_goal_pose


def test_boxes_of_no_object_come_last_and_without_an_id():
    ghost = NamedBox(Box(9.0, 8.0, 1.0, 2.0, 1.0, 0.5, 0.3), "ghost")
    answer = Answer("", True, "boxes", objects=(2,), evidence=(2,), confidence=0.25, boxes=(ghost,))
    result = ros.Ask.Result()
    fill_result(result, answer, scene(), "spatial_scene")
    known, unknown = result.boxes.detections
    assert (known.id, unknown.id) == ("2", "")
    hypotheses = [d.results[0].hypothesis for d in (known, unknown)]
    assert [h.class_id for h in hypotheses] == [scene()[2].label, "ghost"]
    assert [h.score for h in hypotheses] == [scene()[2].label_score, 0.25]
    assert box_from(unknown.bbox).yaw == pytest.approx(0.3)
    assert box_from(unknown.bbox).center.tolist() == [9.0, 8.0, 1.0]
    assert unknown.header.frame_id == "spatial_scene" and unknown.header == known.header
    assert list(result.object_ids) == [2]


def test_time_keeps_every_nanosecond():
    assert stamp_ns(time_message(STAMP)) == STAMP


def test_region_keeps_what_lies_inside():
    square = Polygon(
        points=[Point32(x=x, y=y) for x, y in ((0.0, 0.0), (2.5, 0.0), (2.5, 4.0), (0.0, 4.0))]
    )
    inside = within(scene(), polygon_points(square))
    assert [o.id for o in inside.objects] == [1, 2]
    assert inside.relations == (Relation(2, "on", 1),)
    assert inside.cogmaps == () and inside.unplaced == ()
    assert polygon_points(Polygon(points=square.points[:2])) is None
