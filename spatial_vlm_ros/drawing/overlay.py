"""Boxes drawn over a camera image."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.drawing.common import (
    WHITE,
    draw_line,
    draw_names,
    object_colour,
    object_name,
)
from spatial_vlm_ros.frame import Frame, Intrinsics
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import SceneObject
from spatial_vlm_ros.scene_frame import inverse

NEAR_M = 0.05
ENOUGH_POINTS = 12
# Pairs of :meth:`Box.corners`: around the bottom, around the top, and upright.
_EDGES = [
    pair for i in range(4) for pair in ((i, (i + 1) % 4), (i + 4, (i + 1) % 4 + 4), (i, i + 4))
]


def overlay(
    frame: Frame, objects: Iterable[SceneObject], T_scene_camera: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """The frame's colour image with the boxes of all objects that it shows, farthest first.

    What is behind a wall is left out, see :func:`shown_in`. (H, W, 3) uint8 RGB.
    """
    image = frame.rgb.copy()
    shown = shown_in(frame, objects, T_scene_camera)
    shown.sort(key=lambda o: -float(np.linalg.norm(o.box.center - T_scene_camera[:3, 3])))
    T_camera_scene = inverse(T_scene_camera)
    names = []
    for item in shown:
        colour = object_colour(item.id)
        edges = box_edges(item.box, frame.intrinsics, T_camera_scene)
        for start, end in edges:
            draw_line(image, start, end, WHITE, 3)
        for start, end in edges:
            draw_line(image, start, end, colour, 2)
        if edges:
            ends = np.clip(np.reshape(edges, (-1, 2)), 0, [frame.rgb.shape[1], frame.rgb.shape[0]])
            top = np.array([ends[:, 0].mean(), ends[:, 1].min()])
            names.append((object_name(item), np.round(top).astype(np.int32), colour))
    draw_names(image, names)
    return image


def shown_in(
    frame: Frame, objects: Iterable[SceneObject], T_scene_camera: NDArray[np.float64]
) -> list[SceneObject]:
    """The objects in whose boxes the frame measured depth."""
    points_scene = _points_scene(frame, T_scene_camera)
    return [o for o in objects if o.box.contains(points_scene).sum() >= ENOUGH_POINTS]


def box_edges(
    box: Box, intrinsics: Intrinsics, T_camera_scene: NDArray[np.float64]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The box's edges as pairs of (2,) pixel positions, cut at the near plane.

    What lies behind the camera is left out: projecting it would mirror it into the picture. Ends
    may lie outside the image.
    """
    points_camera = box.corners() @ T_camera_scene[:3, :3].T + T_camera_scene[:3, 3]
    edges = []
    for i, j in _EDGES:
        start, end = points_camera[i], points_camera[j]
        if start[2] < NEAR_M and end[2] < NEAR_M:
            continue
        if start[2] < NEAR_M:
            start = _cut(start, end)
        elif end[2] < NEAR_M:
            end = _cut(end, start)
        edges.append((_project(start, intrinsics), _project(end, intrinsics)))
    return edges


def _cut(behind: NDArray[np.float64], ahead: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point where the edge from ``behind`` to ``ahead`` meets the near plane."""
    share = (NEAR_M - behind[2]) / (ahead[2] - behind[2])
    return behind + share * (ahead - behind)


def _project(point_camera: NDArray[np.float64], k: Intrinsics) -> NDArray[np.float64]:
    x, y, z = point_camera
    return np.array([k.fx * x / z + k.cx, k.fy * y / z + k.cy])


def _points_scene(
    frame: Frame, T_scene_camera: NDArray[np.float64], step: int = 3
) -> NDArray[np.float64]:
    """(N, 3) measured points of every ``step``-th pixel, scene coordinates."""
    assert frame.depth is not None  # what a memory took in has it
    rows, columns = np.mgrid[0 : frame.depth.shape[0] : step, 0 : frame.depth.shape[1] : step]
    z = frame.depth[::step, ::step].astype(float)
    good = np.isfinite(z) & (z > 0)
    k, z = frame.intrinsics, z[good]
    rays = np.stack([(columns[good] - k.cx) / k.fx, (rows[good] - k.cy) / k.fy, np.ones_like(z)], 1)
    return (rays * z[:, None]) @ T_scene_camera[:3, :3].T + T_scene_camera[:3, 3]
