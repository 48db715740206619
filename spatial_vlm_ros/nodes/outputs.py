"""What the mapper publishes: boxes, markers, scene graph, images kept, proxies, the TF frame."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from visualization_msgs.msg import MarkerArray

from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.nodes import qos
from spatial_vlm_ros.nodes.conversions import (
    detections_message,
    graph_message,
    header,
    transform_message,
)
from spatial_vlm_ros.nodes.image_conversions import proxies_message
from spatial_vlm_ros.nodes.keyframe_log import KeyframeLog
from spatial_vlm_ros.nodes.mapper_config import MapperConfig
from spatial_vlm_ros.nodes.markers import Markers, proxy_markers
from spatial_vlm_ros.scene_frame import inverse
from spatial_vlm_ros.tf import tf2

if TYPE_CHECKING:  # needs torch
    from spatial_vlm_ros.proxies.scene_proxies import Reading


class Outputs:
    """Publishes a scene that has changed, each topic no more often than its period allows.

    ``broadcaster`` outlives this: what another one had latched would stay beside what it says.
    ``moving`` does since publishers of broadcasters cannot be closed.
    """

    def __init__(
        self,
        node: LifecycleNode,
        config: MapperConfig,
        broadcaster: tf2.StaticTransformBroadcaster,
        moving: tf2.TransformBroadcaster,
    ) -> None:
        self._node, self._config, self._markers = node, config, Markers()
        self._broadcaster = broadcaster
        self._boxes = self._publisher(ros.Detection3DArray, "~/objects", QoSProfile(depth=10))
        self._shapes = self._publisher(MarkerArray, "~/markers", qos.latched(10))
        self._graph = self._publisher(ros.SceneGraph, "~/scene_graph", qos.latched())
        self._keyframes = KeyframeLog(node, config)
        self._proxies = self._publisher(ros.ProxySequence, "~/proxies", qos.latched())
        self._dots = self._publisher(MarkerArray, "~/proxy_markers", qos.latched())
        self._moving = moving
        self._tied: NDArray[np.float64] | None = None
        self._last = {"objects": 0.0, "graph": 0.0}
        self.pending: set[str] = set()

    def close(self) -> None:
        """Stop publishing."""
        for publisher in (self._boxes, self._shapes, self._graph, self._proxies, self._dots):
            self._node.destroy_publisher(publisher)
        self._keyframes.close()

    def changed(self) -> None:
        """The objects are not those that were published."""
        self.pending |= {"objects", "graph"}

    def publish(self, memory: SpatialMemory) -> None:
        """Publish what is pending and due."""
        self._keyframes.publish(memory.keyframes)
        now = time.monotonic()
        due = {name for name in self.pending if now - self._last[name] >= self._period(name)}
        if not due:
            return
        self.pending -= due
        self._last |= dict.fromkeys(due, now)
        snapshot, frame = memory.graph(), self._config.scene_frame
        if "graph" in due:
            views = {keyframe.id: keyframe.visible for keyframe in memory.keyframes.all()}
            self._graph.publish(graph_message(snapshot, frame, self._config.tied_to, views))
        if "objects" in due:
            present, stamp = snapshot.present(), snapshot.stamp_ns
            self._boxes.publish(detections_message(present, stamp, frame))
            self._shapes.publish(self._markers.message(present, stamp, frame))

    def publish_proxies(self, reading: Reading) -> None:
        """Publish the proxies, from whatever thread."""
        frame = self._config.scene_frame
        self._proxies.publish(proxies_message(reading, frame))
        self._dots.publish(proxy_markers(reading, frame))

    def tie(self, T_fixed_scene: NDArray[np.float64] | None, stamp_ns: int) -> None:
        """Broadcast where the scene frame is in the fixed frame, if that is new."""
        if T_fixed_scene is None or T_fixed_scene is self._tied or not self._config.tied_to:
            return
        self._tied = T_fixed_scene
        message = self._place_of_scene(stamp_ns, self._config.fixed_frame, T_fixed_scene)
        self._broadcaster.sendTransform(message)

    def follow(self, frame: Frame, T_fixed_scene: NDArray[np.float64] | None) -> None:
        """Broadcast where the scene frame is, seen from the camera, where TF does not know it.

        The camera has a parent in TF already, so the scene becomes its child.
        """
        camera = frame.camera_frame.lstrip("/")
        if T_fixed_scene is None or frame.T_fixed_camera is None or self._config.tied_to:
            return
        if not camera:  # TF has no nameless frames
            return
        T_camera_scene = inverse(frame.T_fixed_camera) @ T_fixed_scene
        message = self._place_of_scene(frame.stamp_ns, camera, T_camera_scene)
        self._moving.sendTransform(message)

    def _place_of_scene(
        self, stamp_ns: int, parent: str, T_parent_scene: NDArray[np.float64]
    ) -> TransformStamped:
        return TransformStamped(
            header=header(stamp_ns, parent),
            child_frame_id=self._config.scene_frame,
            transform=transform_message(T_parent_scene),
        )

    def _period(self, name: str) -> float:
        return float(self._node.get_parameter(f"{name}_period").value)

    def _publisher(self, kind: Any, topic: str, profile: QoSProfile) -> Any:
        return qos.publisher(self._node, kind, topic, profile)
