"""Real ROS message objects without ROS, for tests: built from the types rosbags carries."""

from __future__ import annotations

from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_typestore

TYPES = get_typestore(Stores.ROS2_JAZZY).types


def header(stamp_ns: int, frame_id: str = "camera_color_optical_frame") -> Any:
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    stamp = TYPES["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return TYPES["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id)


def image(
    pixels: np.ndarray,
    encoding: str,
    *,
    stamp_ns: int = 1,
    padding: int = 0,
    big_endian: bool = False,
    frame_id: str = "camera_color_optical_frame",
) -> Any:
    """``pixels`` as sensor_msgs/Image with ``padding`` bytes of 0xAA after each row."""
    ordered = pixels.astype(pixels.dtype.newbyteorder(">" if big_endian else "<"))
    rows = np.frombuffer(ordered.tobytes(), np.uint8).reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAA)
    return TYPES["sensor_msgs/msg/Image"](
        header=header(stamp_ns, frame_id),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(big_endian),
        step=rows.shape[1],
        data=rows.ravel(),
    )


def compressed(data: bytes, format_name: str, stamp_ns: int = 1) -> Any:
    return TYPES["sensor_msgs/msg/CompressedImage"](
        header=header(stamp_ns), format=format_name, data=np.frombuffer(data, np.uint8)
    )


def camera_info(
    width: int,
    height: int,
    focal: float,
    *,
    stamp_ns: int = 1,
    distortion: tuple[float, ...] = (),
    model: str = "plumb_bob",
    p: tuple[float, ...] | None = None,
    roi: tuple[int, int, int, int] = (0, 0, 0, 0),
    binning: int = 0,
) -> Any:
    """Principal point at the image's centre; roi is x_offset, y_offset, width, height."""
    cx, cy = (width - 1) / 2, (height - 1) / 2
    x, y, roi_width, roi_height = roi
    return TYPES["sensor_msgs/msg/CameraInfo"](
        header=header(stamp_ns),
        height=height,
        width=width,
        distortion_model=model,
        d=np.array(distortion, float),
        k=np.array([focal, 0, cx, 0, focal, cy, 0, 0, 1], float),
        r=np.eye(3).ravel(),
        p=np.array(p if p is not None else [focal, 0, cx, 0, 0, focal, cy, 0, 0, 0, 1, 0], float),
        binning_x=binning,
        binning_y=binning,
        roi=TYPES["sensor_msgs/msg/RegionOfInterest"](
            x_offset=x, y_offset=y, height=roi_height, width=roi_width, do_rectify=False
        ),
    )
