"""The reasoner as a process of its own: actions, topics, waiting, cancelling."""

from __future__ import annotations

import signal
import time

import pytest

rclpy = pytest.importorskip("rclpy")
from action_msgs.msg import GoalStatus
from asking import Client
from geometry_msgs.msg import Point32, Polygon
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from ros_rig import LATCHED, START_NS, Robot
from std_msgs.msg import String

from spatial_vlm_msgs.msg import SceneGraph as SceneGraphMessage
from spatial_vlm_ros.nodes.conversions import graph_message, time_message
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph, SceneObject


def chairs(stamp_ns: int, *places: float) -> SceneGraphMessage:
    """A scene with one chair at each x."""
    objects = tuple(
        SceneObject(
            i + 1, "chair", 1.0, Box(x, 0.0, 0.5, 0.5, 0.4, 1.0, 0.0), ObjectState.CONFIRMED,
            "red", 1.0, stamp_ns, stamp_ns, 9,
        )
        for i, x in enumerate(places)
    )  # fmt: skip
    scene = SceneGraph(objects, (), (), (), None, None, stamp_ns, len(places))
    return graph_message(scene, "spatial_scene", "odom")


def test_question_without_a_scene_says_so_in_bounded_time(rig):
    rig.start_reasoner(scene_wait=1.0)
    client = Client(rig)
    start = time.monotonic()
    result = client.ask("How many chairs are there?")
    assert 0.9 < time.monotonic() - start < 4
    assert not result.answered
    assert result.answer == (
        "no scene received from topic /mapper/scene_graph within 1 s: is the mapper active?"
    )
    assert client.phases == ["waiting for a scene"]


def test_answers_by_action_and_by_topic(rig):
    scenes = rig.node.create_publisher(SceneGraphMessage, "/mapper/scene_graph", LATCHED)
    scenes.publish(chairs(START_NS, 1.0, 3.0))
    rig.start_reasoner()
    client = Client(rig)
    result = client.ask("How many chairs are there?")
    assert result.answered and result.has_value and result.value == 2, result.answer
    assert result.kind == "count" and result.reasoner == "geometric"
    assert list(result.object_ids) == [1, 2] and len(result.evidence_stamps) == 2
    assert result.boxes.header.frame_id == "spatial_scene"
    assert [d.id for d in result.boxes.detections] == ["1", "2"]
    assert client.phases == ["waiting for a scene", "reasoning", "reasoning"]

    left = Polygon(
        points=[Point32(x=x, y=y) for x, y in ((0.0, -1.0), (2.0, -1.0), (2.0, 1.0), (0.0, 1.0))]
    )
    inside = client.ask("How many chairs are there?", region=left)
    assert inside.value == 1 and list(inside.object_ids) == [1]

    nonsense = client.ask("How many unicorns are there?")
    assert not nonsense.answered and "unicorn" in nonsense.answer

    answers = []
    rig.node.create_subscription(String, "/reasoner/answer", answers.append, 10)
    questions = rig.node.create_publisher(String, "/reasoner/question", 10)
    rig.until(questions.get_subscription_count, 20)
    time.sleep(0.3)
    questions.publish(String(data="How many chairs are there?"))
    rig.until(lambda: answers, 20, "the answer on the topic")
    assert "2" in answers[0].data or "two" in answers[0].data.lower()


def test_scene_must_be_as_new_as_asked_for(rig):
    scenes = rig.node.create_publisher(SceneGraphMessage, "/mapper/scene_graph", LATCHED)
    scenes.publish(chairs(START_NS, 1.0))
    rig.start_reasoner(scene_wait=1.5)
    client = Client(rig)
    later = time_message(START_NS + 2_000_000_000)
    stale = client.ask("How many chairs are there?", at=later)
    assert not stale.answered and "2.000 s older than asked for" in stale.answer
    handle = client.send("How many chairs are there?", at=later)
    time.sleep(0.3)
    scenes.publish(chairs(START_NS + 2_000_000_000, 1.0, 2.0))
    assert client.result(handle).result.value == 2


def test_waiting_question_can_be_cancelled_and_others_go_on(rig):
    rig.start_reasoner(scene_wait=60.0)
    client = Client(rig)
    waiting = [client.send("How many chairs are there?") for _ in range(8)]
    assert all(handle.accepted for handle in waiting)
    assert not client.send("How many chairs are there?").accepted, "more than eight at once"
    future = waiting[0].cancel_goal_async()
    rig.until(future.done, 20, "the reply")
    assert client.result(waiting[0]).status == GoalStatus.STATUS_CANCELED
    scenes = rig.node.create_publisher(SceneGraphMessage, "/mapper/scene_graph", LATCHED)
    scenes.publish(chairs(START_NS, 1.0, 2.0, 3.0))
    results = [client.result(handle) for handle in waiting[1:]]
    assert [r.status for r in results] == [GoalStatus.STATUS_SUCCEEDED] * 7
    assert [r.result.value for r in results] == [3] * 7
    assert client.ask("How many chairs are there?").value == 3


def test_waiting_questions_leave_room_for_the_scene_they_wait_for(rig):
    rig.start_reasoner(scene_wait=60.0)
    client = Client(rig)
    waiting = [client.send("How many chairs are there?") for _ in range(8)]
    questions = rig.node.create_publisher(String, "/reasoner/question", 10)
    rig.until(questions.get_subscription_count, 20)
    for _ in range(10):
        questions.publish(String(data="How many chairs are there?"))
    time.sleep(0.5)
    scenes = rig.node.create_publisher(SceneGraphMessage, "/mapper/scene_graph", LATCHED)
    scenes.publish(chairs(START_NS, 1.0))
    assert [client.result(handle).result.value for handle in waiting] == [1.0] * 8


def test_deactivation_answers_the_questions_that_wait(rig):
    rig.start_reasoner(scene_wait=60.0)
    client = Client(rig)
    results = [client.send("How many chairs are there?").get_result_async() for _ in range(3)]
    for name in ("DEACTIVATE", "CLEANUP"):
        number = getattr(Transition, f"TRANSITION_{name}")
        request = {"transition": Transition(id=number)}
        assert rig.call(ChangeState, "/reasoner/change_state", **request).success
    rig.until(lambda: all(r.done() for r in results), 5, "the results")
    assert {r.result().result.answer for r in results} == {
        "the reasoner is not active: activate it first"
    }


def test_it_can_be_ended_while_questions_wait(rig):
    rig.start_reasoner(scene_wait=60.0)
    client = Client(rig)
    assert client.send("How many chairs are there?").accepted
    start = time.monotonic()
    assert rig.end("reasoner", signal.SIGTERM) == 0
    assert time.monotonic() - start < 5


def test_unknown_reasoner_is_refused(rig):
    rig.start_reasoner(reasoner="oracle")
    assert rig.processes["reasoner"].wait(20) == 1
    assert "parameter reasoner: 'oracle' is not one of 'geometric'" in rig.log("reasoner")


def test_two_reasoners_on_one_mapper_that_is_killed_and_restarted(rig):
    robot = Robot(rig)
    rig.start_mapper()
    rig.start_reasoner()
    rig.start_reasoner("second")
    robot.wait()
    robot.drive(range(20))
    rig.until(rig.cubes, 20, "the cube")
    clients = [Client(rig), Client(rig, "second")]
    last = rig.until(lambda: rig.scenes and rig.scenes[-1].header.stamp)
    answers = [c.ask("How many cubes are there?", at=last) for c in clients]
    assert [(a.answered, a.value) for a in answers] == [(True, 1.0)] * 2
    assert answers[0].answer == answers[1].answer
    size = answers[0].boxes.detections[0].bbox.size
    assert abs(size.x - 0.4) < 0.03 and abs(size.z - 0.4) < 0.03

    rig.end("mapper", signal.SIGKILL)
    assert clients[0].ask("How many cubes are there?").value == 1, "it keeps the last scene"
    rig.scenes.clear()
    rig.health.clear()
    rig.start_mapper(name="restarted")
    rig.until(lambda: rig.health.get("state") == "active", 20, "the new mapper")
    heard = robot.drive_until_heard(40)
    robot.drive(range(heard + 1, heard + 20))
    rig.until(rig.cubes, 20, "the cube of the new mapper")
    newest = rig.scenes[-1].header.stamp
    for client in clients:
        again = client.ask("How many cubes are there?", at=newest)
        assert again.value == 1 and again.evidence_stamps[0].sec >= START_NS // 10**9 + 4
