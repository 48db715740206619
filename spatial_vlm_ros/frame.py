"""One camera frame, as everything downstream receives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole camera without distortion: pixels; pixel centres at integer coordinates."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def resized(self, width: int, height: int) -> Intrinsics:
        """Of the same image at another size: its corners stay, half a pixel outside of centres."""
        x, y = width / self.width, height / self.height
        cx, cy = (self.cx + 0.5) * x - 0.5, (self.cy + 0.5) * y - 0.5
        return Intrinsics(width, height, self.fx * x, self.fy * y, cx, cy)

    def __post_init__(self) -> None:
        if not (self.fx > 0 and self.fy > 0):  # NaN fails too
            raise ValueError(
                f"camera intrinsics have fx={self.fx}, fy={self.fy}: the camera is not calibrated"
            )
        if not np.all(np.isfinite([self.fx, self.fy, self.cx, self.cy])):
            raise ValueError(f"camera intrinsics are not finite: {self}")
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"camera intrinsics have image size {self.width}x{self.height}")


@dataclass(frozen=True)
class LabelImage:
    """Instance or class id of every pixel, from a simulator or any segmenter.

    ``ids`` is (H, W) int32, 0 = nothing; ``names`` gives the category of an id.
    ``per_instance`` tells whether one id is one object, or one class with possibly many objects.
    ``scores`` says how sure an id's name is, 0..1; 1 where it says nothing.
    """

    ids: NDArray[np.int32]
    names: Mapping[int, str]
    per_instance: bool = True
    scores: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Detection:
    """A 2D detector's axis-aligned box, pixels, half-open: u_min <= u < u_max."""

    label: str
    score: float
    u_min: float
    v_min: float
    u_max: float
    v_max: float


@dataclass(frozen=True)
class Frame:
    """What the camera saw at one instant.

    rgb: (H, W, 3) uint8 in RGB order. depth: (H, W) float32 metres along the optical axis,
    aligned to rgb; 0, NaN or inf where there is no measurement. T_fixed_camera: (4, 4), maps
    camera optical coordinates (x right, y down, z forward) to the fixed frame (z up, metres).
    Both are None while they are still to be found (``geometry/``). ``labels`` and ``detections``
    are None where that kind of input is not used. camera_frame: the name of the camera's optical
    frame, "" where it has none. scale_spread: the share (1 sigma) by which all lengths may be off
    together: 0 from a depth camera, inf where they are no metres.
    """

    stamp_ns: int
    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32] | None
    intrinsics: Intrinsics
    T_fixed_camera: NDArray[np.float64] | None
    labels: LabelImage | None = None
    detections: tuple[Detection, ...] | None = None
    camera_frame: str = ""
    scale_spread: float = 0.0

    def __post_init__(self) -> None:
        size = (self.intrinsics.height, self.intrinsics.width)
        if self.rgb.shape != (*size, 3) or self.rgb.dtype != np.uint8:
            raise ValueError(
                f"colour image is {self.rgb.shape} {self.rgb.dtype}, intrinsics say {size} uint8"
            )
        if self.depth is not None and self.depth.shape != size:
            raise ValueError(
                f"depth image is {self.depth.shape[1]}x{self.depth.shape[0]}, colour is "
                f"{size[1]}x{size[0]}: use the depth topic that is aligned to colour"
            )
        if self.labels is not None and self.labels.ids.shape != size:
            raise ValueError(
                f"label image is {self.labels.ids.shape[1]}x{self.labels.ids.shape[0]}, colour is "
                f"{size[1]}x{size[0]}"
            )
        if not self.scale_spread >= 0:
            raise ValueError(f"the spread of the scale is {self.scale_spread}, not 0 or more")
        if self.T_fixed_camera is None:
            return
        if self.T_fixed_camera.shape != (4, 4) or not np.all(np.isfinite(self.T_fixed_camera)):
            raise ValueError("camera pose is not a finite 4x4 matrix")
        rotation = self.T_fixed_camera[:3, :3]
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-3 or np.linalg.det(rotation) < 0:
            raise ValueError("camera pose is not a rigid transform (rotation is not orthonormal)")
