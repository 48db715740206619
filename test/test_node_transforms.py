"""Transforms of a restarted recording never mix with those of the one before."""

from __future__ import annotations

import pytest

rclpy = pytest.importorskip("rclpy")
from geometry_msgs.msg import TransformStamped
from rclpy.context import Context
from rclpy.node import Node
from ros_rig import START_NS, claim_domain
from tf2_msgs.msg import TFMessage

from spatial_vlm_ros.nodes.conversions import header
from spatial_vlm_ros.nodes.transforms import Transforms
from spatial_vlm_ros.tf.buffer import TooNew, TooOld


@pytest.fixture
def transforms():
    domain, claim = claim_domain()
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node = Node("listener", context=context)
    made = Transforms(node, cache_s=30.0, jump_back_s=0.5)
    yield made
    made.close()
    node.destroy_node()
    context.try_shutdown()
    claim.close()


def at(seconds: float) -> int:
    return START_NS + round(seconds * 1e9)


def move(transforms: Transforms, seconds: float, x: float, child: str = "base") -> None:
    moving = TransformStamped(header=header(at(seconds), "odom"), child_frame_id=child)
    moving.transform.translation.x = x
    transforms.take(TFMessage(transforms=[moving]), static=False)


def drive(transforms: Transforms, start: float, end: float, offset: float) -> None:
    for i in range(round(start * 10), round(end * 10) + 1):
        move(transforms, i / 10, i / 10 + offset)


def test_lookup_between_two_samples(transforms):
    drive(transforms, 0, 3, 0.0)
    assert transforms.lookup("odom", "base", at(1.05))[0, 3] == pytest.approx(1.05)


def test_transforms_jump_first(transforms):
    drive(transforms, 0, 3, 0.0)
    drive(transforms, 0, 1, 100.0)
    transforms.images_jumped()
    assert transforms.lookup("odom", "base", at(0.55))[0, 3] == pytest.approx(100.55)
    with pytest.raises(TooNew):
        transforms.lookup("odom", "base", at(2.0))


def test_images_jump_first_and_late_transforms_of_the_old_recording_follow(transforms):
    drive(transforms, 0, 2.5, 0.0)
    transforms.images_jumped()
    with pytest.raises(TooOld):
        drive(transforms, 2.6, 3, 0.0)
        transforms.lookup("odom", "base", at(0.05))
    drive(transforms, 0, 0.4, 100.0)
    with pytest.raises(TooNew):  # between 0.4 of this and 2.6 of the other lies nothing
        transforms.lookup("odom", "base", at(0.5))
    assert transforms.lookup("odom", "base", at(0.35))[0, 3] == pytest.approx(100.35)


def test_each_of_several_jumps_counts(transforms):
    for turn in range(3):
        drive(transforms, 0, 2, 10.0 * turn)
        if turn:
            transforms.images_jumped()
        found = transforms.lookup("odom", "base", at(1.0))
        assert found[0, 3] == pytest.approx(1 + 10 * turn)


def test_late_transform_of_another_publisher_is_left_out(transforms):
    for child in ("base", "arm"):
        move(transforms, 2.9, 1.0, child)
    move(transforms, 0.0, 5.0, "base")
    move(transforms, 3.0, 2.0, "arm")
    move(transforms, 0.0, 6.0, "arm")
    assert transforms.lookup("odom", "arm", at(0.0))[0, 3] == 6.0
    with pytest.raises(TooNew):
        transforms.lookup("odom", "arm", at(1.0))


def test_bad_transform_is_ignored(transforms):
    move(transforms, 0.0, 1.0)
    move(transforms, 0.1, float("nan"))
    move(transforms, 0.2, 3.0)
    assert transforms.lookup("odom", "base", at(0.1))[0, 3] == pytest.approx(2.0)
