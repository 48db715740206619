"""Image messages to arrays."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np

from bench.harness import Row, benchmark, median_ms
from spatial_vlm_ros.ros_image import decode_color, decode_depth


def _message(encoding: str, array: np.ndarray) -> SimpleNamespace:
    height, width = array.shape[:2]
    return SimpleNamespace(
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=array.strides[0],
        data=array.tobytes(),
    )


@benchmark("decode bgr8 640x480")
def decode_bgr8() -> Row:
    """Against the calls that cv_bridge makes, without the checks."""
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    message = _message("bgr8", pixels)

    def by_opencv() -> np.ndarray:
        view = np.ndarray((480, 640, 3), np.uint8, message.data)
        return cv2.cvtColor(view, cv2.COLOR_BGR2RGB)

    assert (decode_color(message) == by_opencv()).all()
    ours = median_ms(lambda: decode_color(message), 100)
    return Row(ours, "ms", "cv_bridge's OpenCV calls", median_ms(by_opencv, 100))


@benchmark("decode 16UC1 depth 640x480")
def decode_16uc1() -> Row:
    """Against a masked division in double precision."""
    raw = np.random.default_rng(0).integers(0, 6000, (480, 640)).astype(np.uint16)
    message = _message("16UC1", raw)

    def by_division() -> np.ndarray:
        pixels = np.frombuffer(message.data, np.uint16).reshape(480, 640)
        return np.where(pixels > 0, pixels / 1000.0, np.nan)

    ours = median_ms(lambda: decode_depth(message), 100)
    return Row(ours, "ms", "float64 division", median_ms(by_division, 50))
