"""Depth image to points: unprojection on a regular grid, bad depth removed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import PointsConfig
from spatial_vlm_ros.frame import Frame, Intrinsics

_FAR = np.float32(1e6)
_BELIEVED = 2.0  # times the range of use; cameras that report more mean that they see nothing


@dataclass(frozen=True)
class PointMap:
    """A frame's points on the grid of every ``stride``-th pixel, (h, w).

    depth: (h, w) float32 metres, 0 where unusable. beyond: (h, w) float32, depth measured beyond
    the range of use, which still proves the way there empty; 0 elsewhere. rgb: (h, w, 3) uint8.
    rays: (h, w, 3) float32, points of the optical frame at depth 1. intrinsics: of the grid, in
    grid cells.
    """

    stride: int
    depth: NDArray[np.float32]
    beyond: NDArray[np.float32]
    rgb: NDArray[np.uint8]
    rays: NDArray[np.float32]
    intrinsics: Intrinsics
    T_scene_camera: NDArray[np.float64]

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """(h, w): where there is a point."""
        return self.depth > 0

    @cached_property
    def points_scene(self) -> NDArray[np.float32]:
        """(h, w, 3) scene coordinates; the camera centre where there is no point."""
        return self.to_scene(self.rays.reshape(-1, 3) * self.depth.reshape(-1, 1)).reshape(
            self.rays.shape
        )

    def at(self, cells: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, 3) scene points of flat grid indices (n,)."""
        depth = self.depth.reshape(-1)[cells, None]
        return self.to_scene(self.rays.reshape(-1, 3)[cells] * depth)

    def to_scene(self, points_camera: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 3) optical to scene coordinates."""
        rotation = self.T_scene_camera[:3, :3].astype(np.float32)
        return points_camera @ rotation.T + self.T_scene_camera[:3, 3].astype(np.float32)


@lru_cache(maxsize=8)
def pixel_rays(intrinsics: Intrinsics) -> NDArray[np.float32]:
    """(H, W, 3): the point of the optical frame at depth 1 seen by every pixel."""
    u, v = np.arange(intrinsics.width), np.arange(intrinsics.height)
    rays = np.ones((intrinsics.height, intrinsics.width, 3), np.float32)
    rays[:, :, 0] = (u - intrinsics.cx) / intrinsics.fx
    rays[:, :, 1] = ((v - intrinsics.cy) / intrinsics.fy)[:, None]
    rays.setflags(write=False)
    return rays


def unproject(frame: Frame, T_scene_camera: NDArray[np.float64], config: PointsConfig) -> PointMap:
    """Points of a frame: (0, NaN, inf, out of range) and flying pixels have depth 0.

    ``ValueError``: the frame has no depth yet.
    """
    if frame.depth is None:
        raise ValueError("the frame has no depth: geometry.source says where it comes from")
    stride = max(1, round(frame.intrinsics.width / config.columns))
    grid = every(frame.intrinsics, stride)
    depth, beyond = _usable_depth(frame.depth, stride, config)
    return PointMap(
        stride, depth, beyond, frame.rgb[::stride, ::stride], pixel_rays(grid), grid, T_scene_camera
    )


def every(intrinsics: Intrinsics, stride: int) -> Intrinsics:
    """Intrinsics of the image made of every ``stride``-th pixel, starting with the first."""
    return Intrinsics(
        -(-intrinsics.width // stride),
        -(-intrinsics.height // stride),
        intrinsics.fx / stride,
        intrinsics.fy / stride,
        intrinsics.cx / stride,
        intrinsics.cy / stride,
    )


def sigma(depth: NDArray[np.float32], config: PointsConfig) -> NDArray[np.float32]:
    """Expected depth noise (1 sigma, metres) at a depth: the square law of stereo and ToF."""
    return config.noise * (0.4 + 0.6 * depth * depth)


def between(values: NDArray[Any], outside: float) -> NDArray[Any]:
    """(2, ...): the ends of ``values`` (n, ...) with the share ``outside`` left out at each."""
    last = len(values) - 1
    return np.sort(values, axis=0)[[round(outside * last), round((1 - outside) * last)]]


def _usable_depth(
    depth: NDArray[np.float32], stride: int, config: PointsConfig
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Every ``stride``-th depth, 0 where it is missing, out of range or a flying pixel.

    The second array has what is beyond the range, the first the rest.

    Pixels much further than a neighbour are dropped: at an edge those are mixtures of both sides.
    The near side of the edge stays, so outlines keep their place.
    """
    with np.errstate(invalid="ignore"):
        usable = (depth >= config.min_range) & (depth <= _BELIEVED * config.max_range)
    measured = np.where(usable, depth, _FAR).astype(np.float32, copy=False)
    nearest = cv2.erode(measured, np.ones((3, 3), np.uint8))[::stride, ::stride]
    grid = measured[::stride, ::stride]
    keep = (grid < _FAR) & (grid <= nearest * np.float32(1 + config.edge) + np.float32(0.01))
    in_range, none = grid <= config.max_range, np.float32(0)
    return np.where(keep & in_range, grid, none), np.where(keep & ~in_range, grid, none)
