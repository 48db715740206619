"""The nodes' TF calls over real DDS, answered by tf2_ros or by the stand-in, whichever is there."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs.msg")
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy
from rclpy.time import Time
from scipy.spatial.transform import Rotation
from tf2_msgs.msg import TFMessage

from spatial_vlm_ros.tf import tf2, tf2_standin
from spatial_vlm_ros.tf.buffer import NotConnected, TooNew, TooOld, TransformError, UnknownFrame

S = 1_000_000_000
GOLDEN = json.loads((Path(__file__).parent / "data" / "tf_golden.json").read_text())
ERRORS = {
    "LookupException": UnknownFrame,
    "ConnectivityException": NotConnected,
    "ExtrapolationException": (TooOld, TooNew),
}


def stamped(parent, child, stamp_ns, translation=(0.0, 0.0, 0.0), rotation=(0.0, 0.0, 0.0, 1.0)):
    message = TransformStamped()
    message.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
    message.header.frame_id, message.child_frame_id = parent, child
    place, turn = message.transform.translation, message.transform.rotation
    place.x, place.y, place.z = map(float, translation)
    turn.x, turn.y, turn.z, turn.w = map(float, rotation)
    return message


def filled(kind, scenario):
    buffer = kind(cache_time=Duration(seconds=scenario["cache_s"]))
    for item in scenario["transforms"]:
        put = buffer.set_transform_static if item["static"] else buffer.set_transform
        put(
            stamped(
                item["parent"],
                item["child"],
                item["stamp_ns"],
                item["translation"],
                item["rotation"],
            ),
            "golden",
        )
    if scenario["clear"]:
        buffer.clear()
    return buffer


@pytest.fixture
def context():
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=1 + os.getpid() % 100)
    yield context
    rclpy.shutdown(context=context)


@pytest.fixture
def make_node(context):
    nodes = []

    def make(name):
        nodes.append(rclpy.create_node(name, context=context))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


def spin_until(condition, *nodes, seconds=10.0):
    executor = SingleThreadedExecutor(context=nodes[0].context)
    for node in nodes:
        executor.add_node(node)
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.05)
    executor.shutdown()
    assert condition(), f"not within {seconds} s"


def test_no_stamp_never_means_the_latest_transform():
    class AnswersWithTheLatest:  # as tf2 does when asked for stamp 0
        def lookup_transform(self, target, source, stamp):
            return stamped(target, source, 5 * S)

    assert tf2.lookup(AnswersWithTheLatest(), "odom", "camera", 5 * S).shape == (4, 4)
    with pytest.raises(TransformError, match="no stamp"):
        tf2.lookup(AnswersWithTheLatest(), "odom", "camera", 0)


@pytest.mark.parametrize("scenario", GOLDEN, ids=lambda s: s["name"])
def test_standin_answers_what_the_tf2_core_answers(scenario):
    buffer = filled(tf2_standin.Buffer, scenario)
    for answer in scenario["answers"]:
        query = (answer["target"], answer["source"], Time(nanoseconds=answer["stamp_ns"]))
        assert buffer.can_transform(*query) == ("error" not in answer)
        if "error" in answer:
            with pytest.raises(getattr(tf2_standin, answer["error"])):
                buffer.lookup_transform(*query)
            continue
        message = buffer.lookup_transform(*query)
        assert (message.header.frame_id, message.child_frame_id) == query[:2]
        place, turn = message.transform.translation, message.transform.rotation
        np.testing.assert_allclose([place.x, place.y, place.z], answer["translation"], atol=1e-9)
        overlap = np.dot(answer["rotation"], [turn.x, turn.y, turn.z, turn.w])
        assert abs(overlap) == pytest.approx(1, abs=1e-12)


def test_standin_never_takes_the_latest():
    buffer = tf2_standin.Buffer()
    buffer.set_transform(stamped("odom", "base", 1 * S), "test")
    with pytest.raises(tf2_standin.LookupException, match="stamp"):
        buffer.lookup_transform("odom", "base", Time())


@pytest.mark.parametrize("scenario", GOLDEN, ids=lambda s: s["name"])
def test_lookup_answers_what_the_tf2_core_answers(scenario):
    buffer = filled(tf2.Buffer, scenario)
    for answer in scenario["answers"]:
        query = (answer["target"], answer["source"], answer["stamp_ns"])
        if "error" in answer:
            with pytest.raises(ERRORS[answer["error"]]):
                tf2.lookup(buffer, *query)
            continue
        matrix = tf2.lookup(buffer, *query)
        expected = Rotation.from_quat(answer["rotation"]).as_matrix()
        np.testing.assert_allclose(matrix[:3, 3], answer["translation"], atol=1e-9)
        np.testing.assert_allclose(matrix[:3, :3], expected, atol=1e-9)


def test_late_listener_hears_static_and_moving_transforms(make_node):
    robot, listener = make_node("robot"), make_node("listener")
    static, moving = tf2.StaticTransformBroadcaster(robot), tf2.TransformBroadcaster(robot)
    static.sendTransform(stamped("base_link", "camera", 0, (0, 0, 1)))
    static.sendTransform(stamped("map", "odom", 0, (5, 0, 0)))  # must not push out the first

    buffer = tf2.Buffer(cache_time=Duration(seconds=10))
    tf2.TransformListener(buffer, listener)
    spin_until(lambda: robot.count_subscribers("/tf") == 1, robot, listener)
    moving.sendTransform(
        [stamped("odom", "base_link", 1 * S, (0, 0, 0)), stamped("odom", "arm", 1 * S)]
    )
    moving.sendTransform(stamped("odom", "base_link", 2 * S, (2, 0, 0)))
    when = Time(nanoseconds=1_500_000_000)
    spin_until(lambda: buffer.can_transform("map", "camera", when), robot, listener)
    np.testing.assert_allclose(tf2.lookup(buffer, "map", "camera", 1_500_000_000)[:3, 3], [6, 0, 1])


def test_static_transform_sent_again_replaces(make_node):
    robot, listener = make_node("robot"), make_node("listener")
    static = tf2.StaticTransformBroadcaster(robot)
    static.sendTransform([stamped("map", "odom", 0, (1, 0, 0)), stamped("odom", "base", 0)])
    static.sendTransform(stamped("map", "odom", 0, (2, 0, 0)))
    heard = []
    qos = rclpy.qos.QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    listener.create_subscription(TFMessage, "/tf_static", heard.append, qos)
    spin_until(lambda: heard, robot, listener)
    places = {t.child_frame_id: t.transform.translation.x for t in heard[-1].transforms}
    assert places == {"odom": 2.0, "base": 0.0}


def test_broken_transform_does_not_stop_the_listener(make_node):
    robot, listener = make_node("robot"), make_node("listener")
    buffer = tf2.Buffer(cache_time=Duration(seconds=10))
    tf2.TransformListener(buffer, listener)
    moving = tf2.TransformBroadcaster(robot)
    spin_until(lambda: robot.count_subscribers("/tf") == 1, robot, listener)
    broken = stamped("odom", "base", 1 * S, (float("nan"), 0, 0))
    moving.sendTransform([broken, stamped("odom", "base", 1 * S, (3, 0, 0))])
    when = Time(nanoseconds=1 * S)
    spin_until(lambda: buffer.can_transform("odom", "base", when), robot, listener)
    assert tf2.lookup(buffer, "odom", "base", 1 * S)[0, 3] == 3


def test_a_frame_without_a_name_is_an_error():
    buffer = tf2.Buffer(cache_time=Duration(seconds=10))
    buffer.set_transform(stamped("odom", "base", 1 * S), "test")
    with pytest.raises(TransformError):
        tf2.lookup(buffer, "odom", "", 1 * S)


def test_timeout_waits_for_the_transform():
    buffer = tf2.Buffer(cache_time=Duration(seconds=10))
    buffer.set_transform(stamped("odom", "base", 1 * S), "test")
    start = time.monotonic()
    assert not buffer.can_transform(
        "odom", "base", Time(nanoseconds=2 * S), timeout=Duration(seconds=0.2)
    )
    assert 0.2 <= time.monotonic() - start < 2.0
