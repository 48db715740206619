"""Segments: which grid cell shows which instance, and the 3D observations cut out by them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import InstancesConfig, PointsConfig
from spatial_vlm_ros.perception.points import PointMap, between, sigma

#: What an object is called while nothing named it.
UNNAMED = "object"
#: Segment ids of cells that show no instance, and of cells that surely show surroundings.
NOTHING, SURROUNDINGS = -1, -2
_GAP = 0.02  # metres; depth step between neighbouring cells of one surface, besides noise


@dataclass(frozen=True)
class Segments:
    """Instances of one image on the grid of its :class:`PointMap`.

    ids: (h, w) int32, an index into ``labels`` and ``scores``, or NOTHING or SURROUNDINGS.
    ``whole`` tells that two segments are never two pieces of one object. ``ignored`` counts what
    the input contained and is not here, by reason.
    """

    ids: NDArray[np.int32]
    labels: tuple[str, ...]
    scores: tuple[float, ...]
    whole: bool
    ignored: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Observation:
    """One instance as one frame shows it.

    segment: its index in :class:`Segments`. points: (n, 3) float32 scene coordinates; weights:
    (n,) float32, the share of trust its depth deserves; rgb: (n, 3) uint8; pixels: grid cells it
    covers; truncated: it touches the image's border, so its extent there is not its own.
    """

    segment: int
    label: str
    score: float
    points: NDArray[np.float32]
    weights: NDArray[np.float32]
    rgb: NDArray[np.uint8]
    pixels: int
    truncated: bool

    @cached_property
    def bounds(self) -> NDArray[np.float32]:
        """(2, 3): least and greatest coordinates, the outermost 2 % left out."""
        return between(self.points, 0.02)


def observations(
    segments: Segments, points: PointMap, config: InstancesConfig, points_config: PointsConfig
) -> list[Observation]:
    """Cut every segment's points out of the map, at most ``max_points`` each."""
    usable = np.flatnonzero((segments.ids >= 0) & points.valid)
    ids = segments.ids.reshape(-1)[usable]
    usable = usable[np.argsort(ids.astype(np.uint16), kind="stable")]
    counts = np.bincount(ids, minlength=len(segments.labels))
    height, width = segments.ids.shape
    cells_of: dict[int, NDArray[np.int64]] = {}
    for segment, cells in enumerate(np.split(usable, np.cumsum(counts)[:-1])):
        if len(cells) < config.min_points:
            segments.ignored["instance with too few points"] += 1
        else:
            cells_of[segment] = cells
    if not cells_of:
        return []
    kept = [cells[:: -(-len(cells) // config.max_points)] for cells in cells_of.values()]
    every = np.concatenate(kept)
    noise = sigma(points.depth.reshape(-1)[every], points_config)
    parts = (
        points.at(every),
        np.minimum(1.0, (points_config.noise / noise) ** 2).astype(np.float32),
        points.rgb.reshape(-1, 3)[every],
    )
    ends = np.cumsum([len(cells) for cells in kept])[:-1]
    result: list[Observation] = []
    for (segment, cells), xyz, weights, rgb in zip(
        cells_of.items(), *(np.split(part, ends) for part in parts), strict=True
    ):
        columns = cells % width
        truncated = (
            cells[0] < width
            or cells[-1] >= width * (height - 1)
            or bool(columns.min() == 0 or columns.max() == width - 1)
        )
        label, score = segments.labels[segment], segments.scores[segment]
        result.append(
            Observation(segment, label, score, xyz, weights, rgb, len(cells), bool(truncated))
        )
    return result


def connected(
    right: NDArray[np.bool_], down: NDArray[np.bool_], mask: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Components 0, 1, ... of grid cells of ``mask`` (h, w), -1 elsewhere.

    right (h, w-1), down (h-1, w): whether a cell holds together with its right and lower one.
    """
    height, width = mask.shape
    lattice = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)  # cells, with links in between
    lattice[::2, ::2] = mask
    lattice[::2, 1::2] = right & mask[:, 1:] & mask[:, :-1]
    lattice[1::2, ::2] = down & mask[1:] & mask[:-1]
    _, found = cv2.connectedComponents(lattice, connectivity=4)
    return np.asarray(found[::2, ::2] - 1, np.int32)


def depth_links(
    points: PointMap, config: PointsConfig
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether grid neighbours (right, down) both have depth and lie on one surface."""
    depth, valid = points.depth, points.valid
    limit = _GAP + 2.5 * sigma(depth, config)
    right = valid[:, 1:] & valid[:, :-1] & (np.abs(np.diff(depth, axis=1)) < limit[:, 1:])
    down = valid[1:] & valid[:-1] & (np.abs(np.diff(depth, axis=0)) < limit[1:])
    return right, down
