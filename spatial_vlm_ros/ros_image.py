"""ROS image, label and detection messages as numpy arrays.

Works on attributes alone, so it serves rclpy messages and those the ``rosbags`` library reads.
"""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.frame import Detection

# encoding -> (dtype, channels)
COLOR_ENCODINGS = {
    "rgb8": (np.uint8, 3),
    "bgr8": (np.uint8, 3),
    "rgba8": (np.uint8, 4),
    "bgra8": (np.uint8, 4),
    "mono8": (np.uint8, 1),
    "8UC1": (np.uint8, 1),
}
DEPTH_ENCODINGS = {"16UC1": (np.uint16, 1), "mono16": (np.uint16, 1), "32FC1": (np.float32, 1)}
LABEL_ENCODINGS = {
    "8UC1": (np.uint8, 1),
    "mono8": (np.uint8, 1),
    "16UC1": (np.uint16, 1),
    "mono16": (np.uint16, 1),
    "32SC1": (np.int32, 1),
}
_TO_RGB = {
    "bgr8": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "mono8": cv2.COLOR_GRAY2RGB,
    "8UC1": cv2.COLOR_GRAY2RGB,
}
_INVERSE_DEPTH = 0  # the only quantisation compressed_depth_image_transport has
_FILE_END = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}  # first bytes of a file -> its end marker


def stamp_ns(stamp: Any) -> int:
    """``builtin_interfaces/Time`` as nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def decode_color(message: Any) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of a ``sensor_msgs/Image`` or ``CompressedImage`` (jpeg, png).

    ``ValueError`` when the encoding is not one of COLOR_ENCODINGS or the data are truncated.
    """
    if hasattr(message, "encoding"):
        pixels = _pixels(message, COLOR_ENCODINGS, "colour")
        if message.encoding == "rgb8":
            return pixels
        return np.asarray(cv2.cvtColor(pixels, _TO_RGB[message.encoding]), np.uint8)
    pixels = _imdecode(bytes(message.data), cv2.IMREAD_COLOR, message.format)
    # image_transport hands bgr8 to the codec and says so; a few publishers hand it rgb8
    if "compressed rgb" in message.format:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def decode_depth(message: Any) -> NDArray[np.float32]:
    """(H, W) float32 metres; 0, NaN or inf where the camera measured nothing.

    16-bit images are millimetres and 32-bit float ones metres (REP-118). A ``CompressedImage``
    may be ``compressedDepth`` (16UC1, or 32FC1 quantised by inverse depth) or plain 16-bit png.
    ``ValueError`` when the encoding is none of these or the data are truncated.
    """
    if hasattr(message, "encoding"):
        pixels = _pixels(message, DEPTH_ENCODINGS, "depth")
        return pixels if pixels.dtype == np.float32 else _metres(pixels)
    data = bytes(message.data)
    if "compressedDepth" not in message.format:
        return _metres(_png16(data, message.format))
    if "rvl" in message.format:
        raise ValueError("compressedDepth in RVL is not supported: set the publisher to png")
    if len(data) < 12:
        raise ValueError(f"compressedDepth is truncated: {len(data)} bytes, header alone is 12")
    pixels = _png16(data[12:], message.format)
    if not message.format.startswith("32FC1"):
        return _metres(pixels)
    quantisation, a, b = struct.unpack("<iff", data[:12])
    if quantisation != _INVERSE_DEPTH:
        raise ValueError(f"compressedDepth quantisation {quantisation} is unknown")
    depth = np.zeros(pixels.shape, np.float32)
    seen = pixels > 0
    depth[seen] = a / (pixels[seen].astype(np.float32) - b)
    return depth


def decode_labels(message: Any) -> NDArray[np.int32]:
    """(H, W) int32 ids of a label image, 0 = nothing; also as losslessly compressed png."""
    if hasattr(message, "encoding"):
        return _pixels(message, LABEL_ENCODINGS, "label").astype(np.int32)
    pixels = _imdecode(bytes(message.data), cv2.IMREAD_UNCHANGED, message.format)
    if "jpeg" in message.format or "jpg" in message.format or pixels.ndim != 2:
        raise ValueError(f"compressed label image {message.format!r} is not single-channel png")
    return pixels.astype(np.int32)


def label_names(message: Any) -> dict[int, str]:
    """Category of each id in a ``vision_msgs/LabelInfo``."""
    return {int(entry.class_id): str(entry.class_name) for entry in message.class_map}


def detections(message: Any, names: dict[int, str] | None = None) -> tuple[Detection, ...]:
    """A ``vision_msgs/Detection2DArray``, each with its best hypothesis; boxes in pixels.

    A class id that is a number is replaced by its name in ``names`` where it is there. Turned
    boxes become the upright box around them. Detections without any hypothesis are "object".
    """
    return tuple(_detection(item, names or {}) for item in message.detections)


def _detection(item: Any, names: dict[int, str]) -> Detection:
    best = max(item.results, key=lambda r: r.hypothesis.score, default=None)
    label = best.hypothesis.class_id if best else "object"
    if label.isdecimal():
        label = names.get(int(label), label)
    center, box = item.bbox.center, item.bbox
    cos, sin = abs(np.cos(center.theta)), abs(np.sin(center.theta))
    half_u = (box.size_x * cos + box.size_y * sin) / 2
    half_v = (box.size_x * sin + box.size_y * cos) / 2
    u, v = center.position.x, center.position.y
    score = float(best.hypothesis.score) if best else 0.0
    return Detection(label, score, u - half_u, v - half_v, u + half_u, v + half_v)


def _pixels(message: Any, encodings: dict[str, tuple[Any, int]], kind: str) -> NDArray[Any]:
    """The message's pixels without its row padding, in native byte order; no copy if possible."""
    if message.encoding not in encodings:
        raise ValueError(
            f"{kind} image has encoding {message.encoding!r}; supported: {', '.join(encodings)}"
        )
    dtype, channels = encodings[message.encoding]
    dtype = np.dtype(dtype).newbyteorder(">" if message.is_bigendian else "<")
    height, width, step = int(message.height), int(message.width), int(message.step)
    row = width * channels * dtype.itemsize
    if height <= 0 or width <= 0:
        raise ValueError(f"{kind} image is empty: {width}x{height}")
    if step < row:
        raise ValueError(f"{kind} image has step {step}, a row of {width} pixels needs {row} bytes")
    needed = (height - 1) * step + row
    if len(message.data) < needed:
        raise ValueError(
            f"{kind} image is truncated: {len(message.data)} bytes, "
            f"{width}x{height} {message.encoding} needs {needed}"
        )
    shape = (height, width) if channels == 1 else (height, width, channels)
    strides = (step, channels * dtype.itemsize, dtype.itemsize)[: len(shape)]
    data = message.data if isinstance(message.data, np.ndarray) else memoryview(message.data)
    pixels: NDArray[Any] = np.ndarray(shape, dtype, data, strides=strides)
    return pixels.astype(dtype.newbyteorder("="), copy=False)


def _metres(pixels: NDArray[np.uint16]) -> NDArray[np.float32]:
    return np.multiply(pixels, np.float32(0.001), dtype=np.float32)


def _png16(data: bytes, format_name: str) -> NDArray[np.uint16]:
    pixels = _imdecode(data, cv2.IMREAD_UNCHANGED, format_name)
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise ValueError(f"compressed depth {format_name!r} is not a 16-bit single-channel png")
    return pixels


def _imdecode(data: bytes, flags: int, format_name: str) -> NDArray[Any]:
    end = _FILE_END.get(data[:2])
    if end is None:
        raise ValueError(
            f"compressed image {format_name!r} ({len(data)} bytes) is neither jpeg nor png"
        )
    if end not in data[-64:]:  # decoders fill what is missing with grey, silently
        raise ValueError(
            f"compressed image {format_name!r} is truncated: {len(data)} bytes end early"
        )
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # a header that promises more pixels than OpenCV lets in
        pixels = None
    if pixels is None:
        raise ValueError(f"compressed image {format_name!r} ({len(data)} bytes) cannot be decoded")
    return pixels
