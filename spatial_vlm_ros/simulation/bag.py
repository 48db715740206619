"""Writing the drive as the robot's drivers would have it recorded: a ROS 2 bag (MCAP)."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from scipy.spatial.transform import Rotation

from spatial_vlm_ros.frame import Intrinsics
from spatial_vlm_ros.simulation import robot
from spatial_vlm_ros.simulation.filming import Shot

COLOUR = "/camera/color/image_raw"
INFO = "/camera/color/camera_info"
DEPTH = "/camera/aligned_depth_to_color/image_raw"
LABELS = "/camera/labels/image_raw"
LABEL_INFO = "/camera/labels/label_info"
TF, TF_STATIC = "/tf", "/tf_static"

_TYPES = {
    COLOUR: "sensor_msgs/msg/Image",
    INFO: "sensor_msgs/msg/CameraInfo",
    DEPTH: "sensor_msgs/msg/Image",
    LABELS: "sensor_msgs/msg/Image",
    LABEL_INFO: "vision_msgs/msg/LabelInfo",
    TF: "tf2_msgs/msg/TFMessage",
    TF_STATIC: "tf2_msgs/msg/TFMessage",
}
_LATCHED = (LABEL_INFO, TF_STATIC)
# From stamp to log: exposure and transfer, or a segmenter's work. Nanoseconds.
_DELAY = {COLOUR: 21_000_000, INFO: 20_500_000, DEPTH: 24_000_000, LABELS: 52_000_000}
_TF_DELAY = 2_000_000

_VISION_MSGS = {
    "vision_msgs/msg/VisionClass": "uint16 class_id\nstring class_name\n",
    "vision_msgs/msg/LabelInfo": (
        "std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold\n"
    ),
}

Entry = tuple[int, str, Any]  # log time, topic, message


@dataclass(frozen=True)
class Robot:
    """What the robot publishes beside images: its odometry, camera and what its labels mean.

    ``tf_stamps_ns`` (n,) are the stamps of ``T_odom_base`` (n, 4, 4).
    """

    T_map_odom: NDArray[np.float64]
    tf_stamps_ns: NDArray[np.int64]
    T_odom_base: NDArray[np.float64]
    label_names: dict[int, str]
    intrinsics: Intrinsics


def write_bag(
    folder: Path, recorded: Robot, stamps_ns: NDArray[np.int64], shots: Iterable[Shot]
) -> None:
    """Write the bag ``folder`` (it must not exist), entries in order of their log time."""
    messages = _Messages(recorded)
    entries = heapq.merge(
        messages.latched(),
        messages.odometry(),
        messages.images(stamps_ns, shots),
        key=lambda entry: entry[0],
    )
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {
            topic: writer.add_connection(
                topic, kind, typestore=messages.store, offered_qos_profiles=[_qos(topic)]
            )
            for topic, kind in _TYPES.items()
        }
        for log_ns, topic, message in entries:
            data = messages.store.serialize_cdr(message, _TYPES[topic])
            writer.write(connections[topic], log_ns, data)


def _qos(topic: str) -> Qos:
    latched = topic in _LATCHED
    forever = QosTime(9223372036, 854775807)
    return Qos(
        QosHistory.KEEP_LAST,
        1 if latched else 100 if topic == TF else 10,
        QosReliability.RELIABLE,
        QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        forever,
        forever,
        QosLiveliness.AUTOMATIC,
        forever,
        False,
    )


class _Messages:
    """Builds the recording's messages, each kind in order of log time."""

    def __init__(self, recorded: Robot) -> None:
        self.store = get_typestore(Stores.ROS2_JAZZY)
        for name, text in _VISION_MSGS.items():
            self.store.register(get_types_from_msg(text, name))
        self._types = self.store.types
        self._robot = recorded

    def latched(self) -> Iterator[Entry]:
        """The fixed transforms and the meaning of the labels, once, before all else."""
        start = int(self._robot.tf_stamps_ns[0]) - 100_000_000
        fixed = [
            self._transform(start, robot.MAP, robot.ODOM, self._robot.T_map_odom),
            self._transform(start, robot.BASE, robot.CAMERA, robot.T_BASE_CAMERA),
            self._transform(start, robot.CAMERA, robot.OPTICAL, robot.T_CAMERA_OPTICAL),
        ]
        yield start, TF_STATIC, self._types[_TYPES[TF_STATIC]](fixed)
        kind = self._types["vision_msgs/msg/VisionClass"]
        classes = [kind(number, name) for number, name in self._robot.label_names.items()]
        header = self._header(start, robot.OPTICAL)
        yield start, LABEL_INFO, self._types[_TYPES[LABEL_INFO]](header, classes, 0.5)

    def odometry(self) -> Iterator[Entry]:
        """The moving transform."""
        poses = zip(self._robot.tf_stamps_ns, self._robot.T_odom_base, strict=True)
        for stamp, pose in poses:
            transform = self._transform(int(stamp), robot.ODOM, robot.BASE, pose)
            yield int(stamp) + _TF_DELAY, TF, self._types[_TYPES[TF]]([transform])

    def images(self, stamps_ns: NDArray[np.int64], shots: Iterable[Shot]) -> Iterator[Entry]:
        """Every shot's images and camera info; a slow topic may log after the next shot's."""
        waiting: list[Entry] = []
        for stamp, shot in zip(map(int, stamps_ns), shots, strict=True):
            while waiting and waiting[0][0] < stamp:
                yield heapq.heappop(waiting)
            for topic, message in (
                (COLOUR, self._image(stamp, shot.rgb, "rgb8")),
                (INFO, self._camera_info(stamp)),
                (DEPTH, self._image(stamp, shot.depth_mm, "16UC1")),
                (LABELS, self._image(stamp, shot.ids, "16UC1")),
            ):
                heapq.heappush(waiting, (stamp + _DELAY[topic], topic, message))
        yield from sorted(waiting, key=lambda entry: entry[0])

    def _header(self, stamp_ns: int, frame: str) -> Any:
        time = self._types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 10**9))
        return self._types["std_msgs/msg/Header"](time, frame)

    def _image(self, stamp_ns: int, pixels: NDArray[Any], encoding: str) -> Any:
        height, width = pixels.shape[:2]
        data = np.ascontiguousarray(pixels)
        little = data.astype(data.dtype.newbyteorder("<"), copy=False).view(np.uint8).ravel()
        return self._types["sensor_msgs/msg/Image"](
            self._header(stamp_ns, robot.OPTICAL),
            height,
            width,
            encoding,
            0,
            len(little) // height,
            little,
        )

    def _camera_info(self, stamp_ns: int) -> Any:
        camera = self._robot.intrinsics
        K = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]], float)
        P = np.hstack([K, np.zeros((3, 1))])
        return self._types["sensor_msgs/msg/CameraInfo"](
            self._header(stamp_ns, robot.OPTICAL),
            camera.height,
            camera.width,
            "plumb_bob",
            np.zeros(5),
            K.ravel(),
            np.eye(3).ravel(),
            P.ravel(),
            0,
            0,
            self._types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
        )

    def _transform(self, stamp_ns: int, parent: str, child: str, pose: NDArray[np.float64]) -> Any:
        x, y, z, w = map(float, Rotation.from_matrix(pose[:3, :3]).as_quat())
        message = self._types["geometry_msgs/msg/Transform"](
            self._types["geometry_msgs/msg/Vector3"](*map(float, pose[:3, 3])),
            self._types["geometry_msgs/msg/Quaternion"](x, y, z, w),
        )
        header = self._header(stamp_ns, parent)
        return self._types["geometry_msgs/msg/TransformStamped"](header, child, message)
