"""The mapper's subscriptions: callbacks that only hand messages to the assembler."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from spatial_vlm_ros.assembler import FrameAssembler
from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.nodes import qos
from spatial_vlm_ros.nodes.mapper_config import MapperConfig
from spatial_vlm_ros.nodes.watchdog import Input
from spatial_vlm_ros.ros_image import label_names, stamp_ns


class Inputs:
    """Subscribes to what ``config`` needs; ``received`` is called after each message.

    While ``enabled`` is False messages are let pass by. ``streams`` counts them by input.
    """

    def __init__(
        self,
        node: LifecycleNode,
        config: MapperConfig,
        assembler: FrameAssembler,
        received: Callable[[], None],
    ) -> None:
        self._node, self._assembler, self._received = node, assembler, received
        self.enabled = True
        self.streams: dict[str, Input] = {}
        try:
            self._open(config)
        except ValueError:
            self.close()
            raise

    def close(self) -> None:
        """Unsubscribe from everything."""
        for its in self.streams.values():
            self._node.destroy_subscription(its.subscription)

    def _open(self, config: MapperConfig) -> None:
        self._image("color", "image", "compressed", config.image_transport)
        self._subscribe("camera_info", "camera_info", CameraInfo, qos.sensor())
        if "depth" in config.streams:
            self._image("depth", "depth", "compressedDepth", config.depth_transport)
        if "labels" in config.streams:
            self._image("labels", "labels", "", "raw")
        if "detections" in config.streams:
            self._subscribe("detections", "detections", ros.Detection2DArray, QoSProfile(depth=10))
        if {"labels", "detections"} & set(config.streams):
            self._subscribe("label_info", "label_info", ros.LabelInfo, qos.latched())

    def _image(self, stream: str, name: str, suffix: str, transport: str) -> None:
        if transport == "raw":
            self._subscribe(stream, name, Image, qos.sensor())
        else:  # a transport's topic extends the remapped name of the image
            topic = f"{self._node.resolve_topic_name(name)}/{suffix}"
            self._subscribe(stream, topic, CompressedImage, qos.sensor())

    def _subscribe(self, stream: str, topic: str, kind: Any, profile: QoSProfile) -> None:
        subscription = qos.subscription(
            self._node, kind, topic, lambda message: self._receive(stream, message), profile
        )
        type_name = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
        self.streams[stream] = Input(subscription, type_name)

    def _receive(self, stream: str, message: Any) -> None:
        try:
            stamp = stamp_ns(message.header.stamp)
            self.streams[stream].note(stamp)
            if stream == "label_info":
                self._assembler.set_label_names(label_names(message))
            elif self.enabled:
                self._assembler.add(stream, stamp, message, time.monotonic())
                self._received()
        except Exception:  # nothing may escape a callback
            self._node.get_logger().error(traceback.format_exc(), throttle_duration_sec=5.0)
