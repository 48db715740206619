"""Remembered objects held against a frame: which of their points it shows, hides or disproves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import AssociationConfig, PointsConfig
from spatial_vlm_ros.perception.points import PointMap, sigma
from spatial_vlm_ros.perception.segments import SURROUNDINGS, Segments
from spatial_vlm_ros.scene.tracked import TrackedObject
from spatial_vlm_ros.scene_frame import inverse

FEW = 8  # fewer agreeing points say nothing


@dataclass(frozen=True)
class Visibility:
    """What a frame says about n objects, counted in sampled points of each.

    sampled: (n,) points looked up. surface: (n,) depth agrees with the point. through: (n,) the
    object is not there: depth lies beyond the point, be it too far off to be used otherwise, or it
    is floor or wall that agrees with it.
    on_segment: (n, m) agreeing points per segment. points (k, 3), owners (k,), segments (k,): the
    agreeing points themselves, the object each is of and the segment it is on. Points hidden by
    something nearer, without depth or outside the image are in none of them.
    """

    sampled: NDArray[np.int64]
    surface: NDArray[np.int64]
    through: NDArray[np.int64]
    on_segment: NDArray[np.int64]
    points: NDArray[np.float32]
    owners: NDArray[np.int64]
    segments: NDArray[np.int32]

    @cached_property
    def cover(self) -> NDArray[np.float64]:
        """(n, m) share of each object's visible points that are on each segment; 0 for too few."""
        on, seen = self.on_segment, self.surface + self.through
        share = np.where(on >= FEW, on / np.maximum(seen, 1)[:, None], 0.0)
        share.setflags(write=False)
        return share


def look_up(
    objects: Sequence[TrackedObject],
    points: PointMap,
    segments: Segments,
    config: AssociationConfig,
    points_config: PointsConfig,
) -> Visibility:
    """Project objects' points into the frame and compare their depth with the measured one."""
    samples = [_sample(item, config.samples) for item in objects]
    sampled = np.array([len(sample) for sample in samples], np.int64)
    owner = np.repeat(np.arange(len(objects)), sampled)
    every = np.concatenate([np.empty((0, 3), np.float32), *samples])
    expected, cell = _project(every, points)
    inside = cell >= 0
    every, owner, expected, cell = every[inside], owner[inside], expected[inside], cell[inside]
    measured = (points.depth + points.beyond).reshape(-1)[cell]
    margin = config.depth_margin + 3 * sigma(measured, points_config)
    on_surface = (measured > 0) & (np.abs(measured - expected) <= margin)
    segment = segments.ids.reshape(-1)[cell]
    empty = on_surface & (segment == SURROUNDINGS)
    on_surface &= ~empty
    beyond = (measured > expected + margin) | empty
    claimed = on_surface & (segment >= 0)
    count, kinds = len(objects), len(segments.labels)
    pairs = owner[claimed] * kinds + segment[claimed]
    return Visibility(
        sampled,
        np.bincount(owner[on_surface], minlength=count),
        np.bincount(owner[beyond], minlength=count),
        np.bincount(pairs, minlength=count * kinds).reshape(count, kinds),
        every[claimed],
        owner[claimed],
        segment[claimed],
    )


def in_view(bounds: NDArray[np.float64], points: PointMap, max_range: float) -> NDArray[np.bool_]:
    """(n,) whether boxes (n, 2, 3) may touch the camera's view; never wrongly False."""
    center, half = bounds.mean(axis=1), (bounds[:, 1] - bounds[:, 0]) / 2
    radius = np.linalg.norm(half, axis=1)
    T_camera_scene = inverse(points.T_scene_camera)
    x, y, z = (center @ T_camera_scene[:3, :3].T + T_camera_scene[:3, 3]).T
    camera = points.intrinsics
    visible = (z > -radius) & (z < max_range + radius)
    for along, focal, middle, size in (
        (x, camera.fx, camera.cx, camera.width),
        (y, camera.fy, camera.cy, camera.height),
    ):
        for edge, sign in (((-0.5 - middle) / focal, 1), ((size - 0.5 - middle) / focal, -1)):
            visible &= sign * (along - edge * z) > -radius * np.hypot(1, edge)
    return visible


def _sample(item: TrackedObject, limit: int) -> NDArray[np.float32]:
    """At most ``limit`` points spread over the object, other ones in other frames."""
    step = -(-len(item.surface) // limit)
    return item.surface[item.observations % step :: step]


def _project(
    points_scene: NDArray[np.float32], points: PointMap
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Depth (n,) of points in the camera and the flat grid cell (n,) they fall on, -1 outside."""
    T = inverse(points.T_scene_camera).astype(np.float32)
    x, y, z = (points_scene @ T[:3, :3].T + T[:3, 3]).T
    camera = points.intrinsics
    front = z > 1e-3
    safe = np.where(front, z, np.float32(1))
    u = np.rint(camera.fx * x / safe + camera.cx)
    v = np.rint(camera.fy * y / safe + camera.cy)
    inside = front & (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    cell = np.where(inside, v * camera.width + u, -1).astype(np.int64)
    return z, cell
