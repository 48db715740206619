"""Where the floor is and how much of it has been seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import FloorConfig, PointsConfig
from spatial_vlm_ros.perception.points import PointMap
from spatial_vlm_ros.scene.graph import FloorMap

_BIN = 0.02  # metres; resolution of the heights
_DEPTH = 3.0  # metres; floor lies within this below or above the scene's origin (the first camera)
_STEP = 4  # every 4th grid cell in both directions is enough
_SHARE = 0.15  # of the level surface seen must be at the floor's height
_LEVEL = 0.9  # cosine between a level surface's normal and up


class Floor:
    """Floor height from a histogram of level surfaces, and a grid of the cells seen.

    height: of the floor in the scene frame, metres; None until enough level surface was seen.
    revision grows when the height moved or the seen area grew by a tenth.
    """

    def __init__(self, config: FloorConfig, points_config: PointsConfig) -> None:
        self.config = config
        self.points_config = points_config
        self.revision = 0
        self.height: float | None = None
        self.heights = np.zeros(round(2 * _DEPTH / _BIN))
        self.cells: NDArray[np.int64] = np.empty((0, 2), np.int64)
        self._published_cells = 0

    def update(self, points: PointMap) -> None:
        """Take in the level surfaces of one frame."""
        level, depth = _level_points(points)
        if len(level) == 0:
            return
        index = np.floor((level[:, 2] + _DEPTH) / _BIN).astype(np.int64)
        inside = (index >= 0) & (index < len(self.heights))
        # A point far away stands for more area, as the square of its depth.
        self.heights += np.bincount(index[inside], depth[inside] ** 2, len(self.heights))
        self._find_height()
        if self.height is not None:
            self._mark(level[np.abs(level[:, 2] - self.height) < self.config.tolerance])

    def map(self) -> FloorMap | None:
        """The floor as an immutable grid; None while no floor was found."""
        if self.height is None or len(self.cells) == 0:
            return None
        low, high = self.cells.min(axis=0), self.cells.max(axis=0)
        seen = np.zeros((high - low + 1)[::-1], np.bool_)
        seen[self.cells[:, 1] - low[1], self.cells[:, 0] - low[0]] = True
        seen.setflags(write=False)
        x0, y0 = (low * self.config.resolution).tolist()
        return FloorMap(x0, y0, self.height, self.config.resolution, seen)

    def _find_height(self) -> None:
        """The lowest height at which a fair share of the level surface lies."""
        smooth = np.convolve(self.heights, np.ones(5), "same")
        enough = np.flatnonzero(smooth >= _SHARE * self.heights.sum())
        if len(enough) == 0 or not self.heights.any():
            return
        first = enough[0]
        window = slice(first, first + 6)
        peak = first + int(np.argmax(smooth[window]))
        window = slice(max(peak - 2, 0), peak + 3)
        centres = (np.arange(len(self.heights))[window] + 0.5) * _BIN - _DEPTH
        height = float(np.average(centres, weights=self.heights[window]))
        if self.height is None or abs(height - self.height) > 0.5 * self.config.tolerance:
            if self.height is not None and abs(height - self.height) > 2 * self.config.tolerance:
                self.cells = self.cells[:0]  # what was taken for floor was something else
            self.height = height
            self.revision += 1

    def _mark(self, floor_points: NDArray[np.float32]) -> None:
        near = np.all(np.abs(floor_points[:, :2]) < self.config.radius, axis=1)
        cells = np.floor(floor_points[near, :2] / self.config.resolution).astype(np.int64)
        packed = np.unique(np.concatenate([_pack(self.cells), _pack(cells)]))
        if len(packed) == len(self.cells):
            return
        self.cells = np.column_stack([packed >> 32, (packed & 0xFFFFFFFF) - (1 << 31)])
        if len(packed) > 1.1 * self._published_cells:
            self._published_cells = len(packed)
            self.revision += 1


def _pack(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    return (cells[:, 0] << 32) | (cells[:, 1] + (1 << 31))


def _level_points(points: PointMap) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scene points (n, 3) on level surfaces that face up, and their depth (n,)."""
    rows = np.arange(_STEP, points.depth.shape[0] - _STEP, _STEP)
    columns = np.arange(_STEP, points.depth.shape[1] - _STEP, _STEP)
    cells = rows[:, None] * points.depth.shape[1] + columns
    depth = points.depth.reshape(-1)[cells]
    grid = points.at(cells.reshape(-1)).reshape(*cells.shape, 3)
    across, down = grid[1:-1, 2:] - grid[1:-1, :-2], grid[2:, 1:-1] - grid[:-2, 1:-1]
    normal = np.cross(down, across)
    flat = normal[..., 2] > _LEVEL * np.linalg.norm(normal, axis=-1)
    for shift in (depth[1:-1, 2:], depth[1:-1, :-2], depth[2:, 1:-1], depth[:-2, 1:-1]):
        flat &= (shift > 0) & (np.abs(shift - depth[1:-1, 1:-1]) < 0.3)
    flat &= depth[1:-1, 1:-1] > 0
    return grid[1:-1, 1:-1][flat], depth[1:-1, 1:-1][flat]
