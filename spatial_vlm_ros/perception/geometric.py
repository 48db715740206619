"""Objects from RGB-D alone: surroundings are taken away, what remains is split into objects."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.perception.points import PointMap, sigma
from spatial_vlm_ros.perception.segments import (
    SURROUNDINGS,
    UNNAMED,
    Segments,
    connected,
    depth_links,
)
from spatial_vlm_ros.perception.supports import split_by_supports
from spatial_vlm_ros.perception.walls import Walls

_LEVEL = 0.85  # cosine to the vertical from which a surface is level
_REACH = 3  # grid cells to either side over which a normal is measured
_WINDOW = (5, 3)  # columns and rows averaged
_BRIDGE = 0.02  # share of the range by which the two sides of a bridged hole may differ
_UPRIGHT = 0.5  # sine of the same angle for upright surfaces
_TOP = 4  # rows of the grid that count as the image's upper edge
_TALL = 0.8  # metres from which an upright surface cut off there may be a wall
_CEILING = 2.2  # metres above the floor from which a level surface seen from below is ceiling


class GeometricSegmenter:
    """Class-agnostic segmentation of RGB-D without a model.

    Floor, walls and ceiling are removed; surfaces unbroken in depth are then single objects,
    except that what stands on a level surface is not part of it. Walls are remembered in scene
    coordinates, since most views show too little of a wall to know it for one.
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        self.walls = Walls(config.geometric)

    def segment(self, points: PointMap, floor_height: float | None) -> Segments:
        """Segments of one frame, all unnamed. ``floor_height``: scene z, None while unknown."""
        points = _bridged(points)
        noise = sigma(points.depth, self.config.points)
        normals, known = surface_normals(points, noise)
        tolerance = self.config.geometric.plane_distance + 2 * noise
        surroundings = points.depth > np.inf
        if floor_height is not None:
            surroundings = _floor_or_ceiling(points, normals, known, tolerance, floor_height)
        self.walls.update(points, normals, known, ~surroundings & points.valid, floor_height)
        on_wall, surely = self.walls.contain(points, normals, known, tolerance)
        rest = points.valid & ~surroundings & ~on_wall
        rest &= points.depth < self.config.geometric.max_range
        right, down = depth_links(points, self.config.points)
        parts = connected(right, down, rest)
        parts = split_by_supports(parts, points, normals, right, down, self.config)
        segments = self._objects(parts, points, known & (np.abs(normals[..., 2]) < _UPRIGHT))
        segments.ids[surely | surroundings] = SURROUNDINGS
        return segments

    def _objects(
        self, parts: NDArray[np.int32], points: PointMap, upright: NDArray[np.bool_]
    ) -> Segments:
        """The parts of an object's size, numbered anew.

        What is tall, upright and cut off by the image's top may be a wall as well as an object:
        it waits for a better view.
        """
        rules, ignored = self.config.geometric, Counter[str]()
        inside = parts >= 0
        count = int(parts.max(initial=-1)) + 1
        pixels = np.bincount(parts[inside], minlength=count)
        low, high = extents(parts[inside], points.points_scene[inside], count)
        longest = (high - low).max(axis=1, initial=0.0)
        enough = pixels >= self.config.segmentation.min_points
        small, large = longest < rules.min_size, longest > rules.max_size
        cut = np.bincount(parts[:_TOP][inside[:_TOP]], minlength=count) > 0
        cut &= np.bincount(parts[inside & upright], minlength=count) > 0.6 * pixels
        cut &= (high - low)[:, 2] > _TALL
        ignored["surface too large for an object"] += int((enough & large).sum())
        ignored["upright surface cut off by the image"] += int((enough & ~large & cut).sum())
        keep = enough & ~small & ~large & ~cut
        number = np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int32)
        ids = np.append(number, np.int32(-1))[parts]  # no part, -1, takes the last
        found = int(keep.sum())
        return Segments(ids, (UNNAMED,) * found, (1.0,) * found, False, ignored)


def _bridged(points: PointMap) -> PointMap:
    """The points with holes of one cell closed where the surface goes on across them.

    Depth warped onto a colour camera is often crossed by lines of holes, which would cut every
    surface into tiles.
    """
    depth = points.depth
    kernel = np.ones((3, 3), np.uint8)
    near = cv2.erode(np.where(points.valid, depth, np.float32(1e6)), kernel)
    far = cv2.dilate(depth, kernel)
    known = cv2.boxFilter(points.valid.astype(np.float32), -1, (3, 3), normalize=False)
    bridge = ~points.valid & (known >= 3) & (far < near * (1 + _BRIDGE))
    return replace(points, depth=np.where(bridge, (near + far) / 2, depth))


def surface_normals(
    points: PointMap, noise: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(h, w, 3) unit normals in scene coordinates towards the camera, and (h, w) where known.

    Over a plane inverse depth is linear in the image, and its gradient is the plane's normal.
    Where it is not linear, at edges and creases, there is no normal. ``noise``: (h, w) metres,
    1 sigma of the depth.
    """
    step, camera = _REACH, points.intrinsics
    inner = (slice(step, -step), slice(step, -step))
    inverse = np.divide(1, points.depth, out=np.zeros_like(points.depth), where=points.valid)
    count = cv2.boxFilter(points.valid.astype(np.float32), -1, _WINDOW, normalize=False)
    mean = cv2.boxFilter(inverse, -1, _WINDOW, normalize=False) / np.maximum(count, 1)
    mean[count < 0.4 * _WINDOW[0] * _WINDOW[1]] = np.nan
    middle = mean[inner]
    left, right = mean[inner[0], : -2 * step], mean[inner[0], 2 * step :]
    upper, lower = mean[: -2 * step, inner[1]], mean[2 * step :, inner[1]]
    bend = np.maximum(np.abs(left + right - 2 * middle), np.abs(upper + lower - 2 * middle))
    x, y = (right - left) * (camera.fx / 2 / step), (lower - upper) * (camera.fy / 2 / step)
    rays = points.rays[inner]
    z = middle - x * rays[..., 0] - y * rays[..., 1]
    with np.errstate(invalid="ignore"):
        flat = bend < middle * middle * (0.01 + noise[inner])
    normal_camera = cv2.merge([x, y, z]) / -np.sqrt(x * x + y * y + z * z)[..., None]
    known = np.zeros(points.depth.shape, np.bool_)
    known[inner] = flat & points.valid[inner]
    normal_camera[~known[inner]] = 0
    normals = np.zeros((*points.depth.shape, 3), np.float32)
    normals[inner] = cv2.transform(normal_camera, points.T_scene_camera[:3, :3].astype(np.float32))
    return normals, known


def extents(
    parts: NDArray[np.int32], points: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Least and greatest coordinates (count, 3) of the points (n, 3) of each part (n,)."""
    low = np.full((count, 3), np.inf, np.float32)
    high = np.full((count, 3), -np.inf, np.float32)
    if count == 0:
        return low, high
    order = np.argsort(parts, kind="stable")
    first = np.searchsorted(parts[order], np.arange(count))
    return (
        np.minimum.reduceat(points[order], first, axis=0),
        np.maximum.reduceat(points[order], first, axis=0),
    )


def _floor_or_ceiling(
    points: PointMap,
    normals: NDArray[np.float32],
    known: NDArray[np.bool_],
    tolerance: NDArray[np.float32],
    floor_height: float,
) -> NDArray[np.bool_]:
    """Level surface at the floor's height, anything lower, and level surface high above."""
    above = points.points_scene[..., 2] - floor_height
    upright = known & (np.abs(normals[..., 2]) < 0.5)
    floor = (above < tolerance) & ~(upright & (above > 0.015))
    return points.valid & (floor | ((above > _CEILING) & ~upright))
