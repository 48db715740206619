"""Keyframes on a topic whose latched messages always hold every one that is kept."""

from __future__ import annotations

from collections import deque

from rclpy.lifecycle import LifecycleNode

from spatial_vlm_ros.keyframes import Keyframe, KeyframeStore
from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.nodes import qos
from spatial_vlm_ros.nodes.image_conversions import keyframe_message
from spatial_vlm_ros.nodes.mapper_config import MapperConfig


class KeyframeLog:
    """Publishes each keyframe once, and again when it is about to fall out of what DDS keeps.

    DDS keeps the last messages for late subscribers, but what is thinned out is seldom the oldest.
    It is given twice the room that is needed: at least half of it is then needed no more, so that
    little has to be published again.
    """

    def __init__(self, node: LifecycleNode, config: MapperConfig) -> None:
        self._node, self._frame, self._room = node, config.scene_frame, 2 * config.keyframes.maximum
        self._publisher = qos.publisher(node, ros.Keyframe, "~/keyframes", qos.latched(self._room))
        self._log: deque[int] = deque()  # ids of what DDS keeps
        self._newest = self._revision = 0

    def close(self) -> None:
        """Stop publishing."""
        self._node.destroy_publisher(self._publisher)

    def publish(self, store: KeyframeStore) -> None:
        """Publish what is new in ``store``."""
        if store.revision == self._revision:
            return
        self._revision = store.revision
        kept = {keyframe.id: keyframe for keyframe in store.all()}
        for keyframe in kept.values():
            if keyframe.id > self._newest:
                self._newest = keyframe.id
                self._write(keyframe, kept)

    def _write(self, keyframe: Keyframe, kept: dict[int, Keyframe]) -> None:
        waiting: Keyframe | None = keyframe
        while waiting is not None:
            self._publisher.publish(keyframe_message(waiting, self._frame))
            self._log.append(waiting.id)
            pushed_out = self._log.popleft() if len(self._log) > self._room else 0
            waiting = kept.get(pushed_out)
