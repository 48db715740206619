"""The calls of tf2_ros that the nodes use, for machines without it. See :mod:`.tf2`.

One difference: stamp 0, which tf2 takes to mean "the latest", is refused; a frame is placed by
the transform at its own stamp or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from scipy.spatial.transform import Rotation
from tf2_msgs.msg import TFMessage

from spatial_vlm_ros.tf.buffer import (
    NotConnected,
    TooNew,
    TooOld,
    TransformBuffer,
    TransformError,
    UnknownFrame,
)

MOVING_QOS = QoSProfile(depth=100)
LISTEN_LATCHED_QOS = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SEND_LATCHED_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
POLL_S = 0.01


class TransformException(Exception):
    """Base of what a lookup may raise."""


class LookupException(TransformException):
    """A frame is unknown."""


class ConnectivityException(TransformException):
    """Two frames are in separate trees."""


class ExtrapolationException(TransformException):
    """The stamp lies outside the samples that are kept."""


EXCEPTIONS: dict[type[TransformError], type[TransformException]] = {
    UnknownFrame: LookupException,
    NotConnected: ConnectivityException,
    TooOld: ExtrapolationException,
    TooNew: ExtrapolationException,
}


class Buffer:
    """Transforms over time, asked and answered in messages."""

    def __init__(self, cache_time: Duration | None = None) -> None:
        self._buffer = TransformBuffer(10.0 if cache_time is None else cache_time.nanoseconds / 1e9)

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Add a moving transform; ``ValueError`` when it cannot be meant."""
        self._set(transform, static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Add a transform that holds at all times."""
        self._set(transform, static=True)

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration | None = None
    ) -> TransformStamped:
        """T_target_source at ``time``, waiting up to ``timeout`` for it."""
        stamp_ns = time.nanoseconds
        if stamp_ns == 0:
            raise LookupException("a lookup needs a stamp: the latest transform is never used")
        matrix = self._wait(target_frame, source_frame, stamp_ns, timeout)
        message = TransformStamped()
        message.header.stamp = time.to_msg()
        message.header.frame_id, message.child_frame_id = target_frame, source_frame
        place, turn = message.transform.translation, message.transform.rotation
        place.x, place.y, place.z = map(float, matrix[:3, 3])
        turn.x, turn.y, turn.z, turn.w = map(float, Rotation.from_matrix(matrix[:3, :3]).as_quat())
        return message

    def can_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration | None = None
    ) -> bool:
        """Whether :meth:`lookup_transform` would answer."""
        try:
            self.lookup_transform(target_frame, source_frame, time, timeout)
        except TransformException:
            return False
        return True

    def clear(self) -> None:
        """Forget moving transforms; static ones stay."""
        self._buffer.clear()

    def _set(self, message: TransformStamped, static: bool) -> None:
        stamp, place = message.header.stamp, message.transform.translation
        turn = message.transform.rotation
        self._buffer.set(
            message.header.frame_id,
            message.child_frame_id,
            stamp.sec * 1_000_000_000 + stamp.nanosec,
            (place.x, place.y, place.z),
            (turn.x, turn.y, turn.z, turn.w),
            static,
        )

    def _wait(
        self, target: str, source: str, stamp_ns: int, timeout: Duration | None
    ) -> NDArray[Any]:
        deadline = time.monotonic() + (0.0 if timeout is None else timeout.nanoseconds / 1e9)
        while True:
            try:
                return self._buffer.lookup(target, source, stamp_ns)
            except TransformError as error:
                if time.monotonic() >= deadline:
                    raise EXCEPTIONS[type(error)](str(error)) from error
            time.sleep(POLL_S)


class TransformListener:
    """Fills a buffer from /tf and /tf_static."""

    def __init__(
        self,
        buffer: Buffer,
        node: Node,
        *,
        qos: QoSProfile = MOVING_QOS,
        static_qos: QoSProfile = LISTEN_LATCHED_QOS,
    ) -> None:
        self._buffer, self._node = buffer, node
        group = ReentrantCallbackGroup()
        self._subscriptions = [
            node.create_subscription(TFMessage, "/tf", self._moving, qos, callback_group=group),
            node.create_subscription(
                TFMessage, "/tf_static", self._static, static_qos, callback_group=group
            ),
        ]

    def unregister(self) -> None:
        """Stop listening."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())

    def _moving(self, message: TFMessage) -> None:
        self._take(message, self._buffer.set_transform)

    def _static(self, message: TFMessage) -> None:
        self._take(message, self._buffer.set_transform_static)

    def _take(self, message: TFMessage, put: Callable[[TransformStamped, str], None]) -> None:
        for transform in message.transforms:
            try:
                put(transform, "")
            except ValueError as error:
                self._node.get_logger().error(f"ignored a {error}", throttle_duration_sec=5.0)


class TransformBroadcaster:
    """Publishes moving transforms on /tf."""

    def __init__(self, node: Node, qos: QoSProfile = MOVING_QOS) -> None:
        self._publisher = node.create_publisher(TFMessage, "/tf", qos)

    def sendTransform(self, transform: TransformStamped | list[TransformStamped]) -> None:  # noqa: N802 - tf2_ros' name
        """Publish one transform or several."""
        transforms = transform if isinstance(transform, list) else [transform]
        self._publisher.publish(TFMessage(transforms=transforms))


class StaticTransformBroadcaster:
    """Publishes transforms latched on /tf_static: late listeners get all that were ever sent."""

    def __init__(self, node: Node, qos: QoSProfile = SEND_LATCHED_QOS) -> None:
        self._publisher = node.create_publisher(TFMessage, "/tf_static", qos)
        self._sent: dict[str, TransformStamped] = {}

    def sendTransform(self, transform: TransformStamped | list[TransformStamped]) -> None:  # noqa: N802 - tf2_ros' name
        """Publish one transform or several with all earlier ones; a child's newest counts."""
        for item in transform if isinstance(transform, list) else [transform]:
            self._sent[item.child_frame_id] = item
        self._publisher.publish(TFMessage(transforms=list(self._sent.values())))
