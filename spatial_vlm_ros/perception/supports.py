"""What stands on a level surface is an object of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.perception.points import PointMap, between, sigma
from spatial_vlm_ros.perception.segments import connected

_LEVEL = 0.9  # cosine to the vertical from which a surface is level
_BIN = 0.02  # metres; heights of level surfaces
_SMALL = 0.65  # an object on a support is shorter than this share of it, else it is part of it
_FLAT = 0.3  # share of a surface's area that must be seen flat; edges and things on it are not
_MIN_CELLS = 10
_ENOUGH = 300  # points tell how large a thing is


def split_by_supports(
    parts: NDArray[np.int32],
    points: PointMap,
    normals: NDArray[np.float32],
    right: NDArray[np.bool_],
    down: NDArray[np.bool_],
    config: MemoryConfig,
) -> NDArray[np.int32]:
    """``parts`` (h, w; -1 = none) with the objects on each part's level surfaces made parts.

    right, down: which grid neighbours hold together in depth. Something above a level surface
    stays part of it when it is about as long as the surface: the back of a chair or sofa.
    """
    result = parts.copy()
    following = int(parts.max(initial=-1)) + 1
    level = (normals[..., 2] > _LEVEL) & (parts >= 0)
    area = np.where(level, _cell_area(points, normals), 0)
    total = np.bincount(parts[level], area[level], minlength=following)
    windows = find_objects(parts + 1)
    needed = config.geometric.support_area
    for part in np.flatnonzero(total >= _FLAT * needed):
        box = windows[part]
        own = parts[box] == part
        height = points.points_scene[box][..., 2]
        clearance = 0.015 + 2 * sigma(points.depth[box], config.points)
        for shelf in _levels(height, level[box] & own, area[box], config):
            surface = own & (np.abs(height - shelf) < clearance) & (normals[box][..., 2] > 0.6)
            if surface.sum() < _MIN_CELLS:
                continue
            ground = between(points.points_scene[box][surface][:, :2], 0.02)
            if np.prod(np.ptp(ground, axis=0)) < needed:
                continue
            above = own & (height > shelf + clearance) & ~surface
            rows, columns = above.shape
            joined = connected(right[box][:, : columns - 1], down[box][: rows - 1], above)
            for piece, window in enumerate(find_objects(joined + 1)):
                cells = joined[window] == piece
                if cells.sum() < _MIN_CELLS:
                    continue
                if _stands_on(points.points_scene[box][window][cells], ground, shelf):
                    result[box][window][cells] = following
                    following += 1
    return result


def _cell_area(points: PointMap, normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) square metres of surface a grid cell covers."""
    camera = points.intrinsics
    towards = points.T_scene_camera[:3, 3].astype(np.float32) - points.points_scene
    length = np.sqrt(np.einsum("hwi,hwi->hw", towards, towards))
    cosine = np.abs(np.einsum("hwi,hwi->hw", normals, towards)) / np.maximum(length, 1e-6)
    return points.depth**2 / (camera.fx * camera.fy) / np.maximum(cosine, 0.1)


def _levels(
    height: NDArray[np.float32],
    level: NDArray[np.bool_],
    area: NDArray[np.float32],
    config: MemoryConfig,
) -> list[float]:
    """Heights of the level surfaces large enough to carry something, lowest first."""
    bins = np.floor(height[level] / _BIN).astype(int)
    if len(bins) == 0:
        return []
    lowest = bins.min()
    share = np.convolve(np.bincount(bins - lowest, area[level]), [1, 1, 1], "same")
    result = []
    flat, covered = height[level], area[level]
    while share.max() >= _FLAT * config.geometric.support_area:
        best = int(share.argmax())
        near = np.abs(bins - lowest - best) <= 1
        result.append(float(np.average(flat[near], weights=covered[near])))
        share[max(best - 3, 0) : best + 4] = 0
    return sorted(result)


def _stands_on(points: NDArray[np.float32], ground: NDArray[np.float32], height: float) -> bool:
    """Whether points (n, 3) are something standing on a surface at ``height``.

    ground: (2, 2) least and greatest x and y of the surface.
    """
    size = between(points[:: -(-len(points) // _ENOUGH)], 0.03)
    if size[0, 2] > height + 0.12:  # hangs in the air: its foot is hidden or elsewhere
        return False
    middle = size[:, :2].mean(axis=0)
    if np.any(middle < ground[0] - 0.05) or np.any(middle > ground[1] + 0.05):
        return False
    longest = np.ptp(size[:, :2], axis=0).max()
    return bool(longest < _SMALL * np.ptp(ground, axis=0).max())
