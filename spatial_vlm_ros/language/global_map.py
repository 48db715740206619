"""One 10x10 map of the whole scene, the baseline of VSI-Bench and SpaceR: category to cells.

The grid is the smallest square, along the scene's axes and seen from above, around the middle of
the extent of all centres that holds them, cut into 10 x 10 cells: x to the right, y up, both 0..9.
A centre on the line between two cells is in the one to the right or above, one on the outermost
line in the last. Cells are never smaller than ``MIN_CELL``: with it one object, or several at one
place, are in the middle of the grid, at [5, 5]. No objects make an empty map.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.language.cogmap_text import Cell
from spatial_vlm_ros.language.names import label_words
from spatial_vlm_ros.scene.box import as_array
from spatial_vlm_ros.scene.graph import SceneObject

#: Category to the cells of its objects.
Cells = Mapping[str, Sequence[Cell]]

SIDE = 10
#: Finer cells [m] than this would show noise of the centres.
MIN_CELL = 0.01


@dataclass(frozen=True)
class SquareGrid:
    """Where the cells are: the middle of the grid, between four cells, is at (x, y) [m], scene."""

    x: float
    y: float
    metres_per_cell: float

    def coordinates(self, places_scene: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) exact places in the grid of (N, 2) ones [m]; [0, 0] is the middle of that cell."""
        from_middle = (places_scene - (self.x, self.y)) / self.metres_per_cell
        return np.asarray(from_middle + (SIDE - 1) / 2)

    def cells(self, places_scene: NDArray[np.float64]) -> NDArray[np.int64]:
        """(N, 2) cells of (N, 2) places [m]; ``ValueError`` where one is outside the grid."""
        exact = self.coordinates(places_scene)
        outside = np.abs(exact - (SIDE - 1) / 2).max(axis=1, initial=0) > SIDE / 2 + 1e-6
        if outside.any():
            raise ValueError(f"outside {self}: {places_scene[outside].tolist()}")
        # Only the outermost lines, and rounding errors there, are left to clip.
        return np.clip(np.floor(exact + 0.5).astype(np.int64), 0, SIDE - 1)


@dataclass(frozen=True)
class GlobalMap:
    """Category to cells, in the order of the objects, and the grid they are cells of."""

    cells: dict[str, tuple[Cell, ...]]
    grid: SquareGrid


def square_grid(places_scene: NDArray[np.float64]) -> SquareGrid:
    """The grid that holds (N, 2) places [m]."""
    if not len(places_scene):
        return square_grid(np.zeros((1, 2)))
    low, high = places_scene.min(axis=0), places_scene.max(axis=0)
    size = max(float((high - low).max()) / SIDE, MIN_CELL)
    x, y = (float(v) for v in (low + high) / 2)
    return SquareGrid(x, y, size)


def global_map(objects: Sequence[SceneObject]) -> GlobalMap:
    """The map of ``objects``, by their centres; categories are labels as plain words."""
    places_scene = _places(objects)
    grid = square_grid(places_scene)
    cells: dict[str, list[Cell]] = {}
    for item, (x, y) in zip(objects, grid.cells(places_scene), strict=True):
        cells.setdefault(label_words(item.label), []).append((int(x), int(y)))
    return GlobalMap({name: tuple(found) for name, found in cells.items()}, grid)


def quantisation_errors(
    objects: Sequence[SceneObject],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) distances from each exact place in the global map to its cell: in cells, in metres."""
    places_scene = _places(objects)
    grid = square_grid(places_scene)
    off = grid.coordinates(places_scene) - grid.cells(places_scene)
    in_cells = np.asarray(np.hypot(off[:, 0], off[:, 1]))
    return in_cells, in_cells * grid.metres_per_cell


def map_score(answered: Cells, truth: Cells) -> float:
    """How well a map fits, 0..1, as SpaceR scores it.

    In each category answered and true cells are matched, the nearest pair first. A match is worth
    1 - distance / (10 sqrt 2); the sum is divided by the larger number of cells. Categories weigh
    as much as they truly have objects: one that the scene does not have counts for nothing, except
    in an empty scene, where only the empty map is right.
    """
    total = sum(map(len, truth.values()))
    if not total:
        return 0.0 if any(answered.values()) else 1.0
    return sum(len(c) * _fit(answered.get(name, ()), c) for name, c in truth.items()) / total


def _fit(answered: Sequence[Cell], truth: Sequence[Cell]) -> float:
    if not answered or not truth:
        return 0.0
    pairs = sorted(
        (math.dist(p, q), i, j) for i, p in enumerate(answered) for j, q in enumerate(truth)
    )
    used_i: set[int] = set()
    used_j: set[int] = set()
    worth = 0.0
    for apart, i, j in pairs:
        if i not in used_i and j not in used_j:
            used_i.add(i)
            used_j.add(j)
            worth += 1 - apart / (SIDE * math.sqrt(2))
    return worth / max(len(answered), len(truth))


def _places(objects: Sequence[SceneObject]) -> NDArray[np.float64]:
    return as_array([item.box for item in objects])[:, :2]
