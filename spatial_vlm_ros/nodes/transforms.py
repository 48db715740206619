"""The transforms a node listens to, kept apart by recording when stamps run back."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from spatial_vlm_ros.nodes.interfaces import TFMessage
from spatial_vlm_ros.ros_image import stamp_ns
from spatial_vlm_ros.stamp_order import JumpDetector
from spatial_vlm_ros.tf import tf2


class Transforms:
    """Listens to /tf and /tf_static.

    A tf2 listener would sort the transforms of a restarted recording in among those of the one
    before, and interpolate between the two. Here the moving ones are forgotten when stamps run
    back by more than ``jump_back_s``.
    """

    def __init__(self, node: Node, cache_s: float, jump_back_s: float) -> None:
        self._node = node
        self._buffer = tf2.Buffer(cache_time=Duration(seconds=cache_s))
        self._stamps = JumpDetector(jump_back_s)
        self._jumps_ahead = 0  # jumps seen here and not yet in the images; negative: the reverse
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        group = ReentrantCallbackGroup()
        self._subscriptions = [
            node.create_subscription(
                TFMessage, topic, functools.partial(self.take, static=static), qos,
                callback_group=group,
            )
            for topic, static, qos in (
                ("/tf", False, QoSProfile(depth=100)),
                ("/tf_static", True, latched),
            )
        ]  # fmt: skip

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def lookup(self, target: str, source: str, stamp: int) -> NDArray[np.float64]:
        """(4, 4) T_target_source at ``stamp`` [ns], with the errors of ``tf.buffer``."""
        return tf2.lookup(self._buffer, target, source, stamp)

    def images_jumped(self) -> None:
        """The stamps of images ran back: forget, unless the transforms' own did so before."""
        self._jumps_ahead -= 1
        if self._jumps_ahead < 0:
            self._buffer.clear()

    def take(self, message: TFMessage, static: bool) -> None:
        """Add transforms; those of the recording before the last jump are left out."""
        for transform in message.transforms:
            try:
                if static:
                    self._buffer.set_transform_static(transform, "")
                    continue
                stamp = stamp_ns(transform.header.stamp)
                jumped, present = self._stamps.see(transform.child_frame_id, stamp)
                if jumped:
                    self._jumps_ahead += 1
                    self._buffer.clear()
                if present:
                    self._buffer.set_transform(transform, "")
            except Exception as error:  # nothing may escape a callback
                self._node.get_logger().error(f"ignored a {error}", throttle_duration_sec=5.0)
