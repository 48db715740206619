"""Instances from a 2D detector's boxes, each reduced to its foreground by depth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.frame import Detection
from spatial_vlm_ros.perception.points import PointMap
from spatial_vlm_ros.perception.segments import (
    NOTHING,
    SURROUNDINGS,
    Segments,
    connected,
    depth_links,
)

_CORE = 0.5  # the middle part of the box (in width and height) that shows the object for sure
_BIN = 0.06  # relative width of a bin of the depth histogram
_WITHIN = 0.7  # share of a shape that lies in a box that holds it
_ENOUGH = 0.3  # share of the nearest surface that the shapes must make up to replace it
_STRONG = 0.5  # the foreground is the nearest mode this strong compared with the strongest


def from_detections(
    detections: Sequence[Detection],
    points: PointMap,
    shapes: NDArray[np.int32],
    config: MemoryConfig,
) -> Segments:
    """Segments of the boxes' foregrounds; where two overlap, the smaller box has the cell.

    shapes: (h, w) ids of a segmentation by depth alone; a box's foreground is made of the whole
    shapes that it holds, or, holding none, of its nearest surface that is unbroken in depth.
    """
    rules, ignored = config.segmentation, Counter[str]()
    ids = np.where(shapes == SURROUNDINGS, SURROUNDINGS, NOTHING).astype(np.int32)
    right, down = depth_links(points, config.points)
    usable = points.valid & (shapes != SURROUNDINGS)
    sizes = np.bincount(shapes[shapes >= 0])
    kept: list[Detection] = []
    for box in sorted(detections, key=_area, reverse=True):
        if box.label in rules.background:
            continue
        if box.score < rules.min_score:
            ignored["detection with a low score"] += 1
            continue
        window = _window(box, points)
        surface = _nearest_surface(
            points.depth[window], usable[window], right[window], down[window]
        )
        if surface is None:
            ignored["detection without depth"] += 1
            continue
        ids[window][_whole_shapes(shapes[window], sizes, surface)] = len(kept)
        kept.append(box)
    labels, scores = tuple(box.label for box in kept), tuple(box.score for box in kept)
    return Segments(ids, labels, scores, True, ignored)


def _whole_shapes(
    shapes: NDArray[np.int32], sizes: NDArray[np.int64], surface: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """The shapes mostly in a box (h, w) and mostly on ``surface``, else ``surface`` itself."""
    inside = np.bincount(shapes[shapes >= 0], minlength=len(sizes))
    on = np.bincount(shapes[surface & (shapes >= 0)], minlength=len(sizes))
    whole = (inside >= _WITHIN * sizes) & (on >= 0.5 * inside) & (on > 0)
    mask = np.append(whole, [False, False])[shapes]  # NOTHING and SURROUNDINGS take the last two
    return mask if mask.sum() >= _ENOUGH * surface.sum() else surface


def _area(box: Detection) -> float:
    return (box.u_max - box.u_min) * (box.v_max - box.v_min)


def _window(box: Detection, points: PointMap) -> tuple[slice, slice]:
    """The box on the grid, cut to the image."""
    (height, width), step = points.depth.shape, points.stride
    edges = np.array([[box.v_min, box.v_max], [box.u_min, box.u_max]]) / step
    low, high = np.clip(np.ceil(edges), 0, [[height], [width]]).astype(int).T
    return slice(low[0], high[0]), slice(low[1], high[1])


def _nearest_surface(
    depth: NDArray[np.float32],
    usable: NDArray[np.bool_],
    right: NDArray[np.bool_],
    down: NDArray[np.bool_],
) -> NDArray[np.bool_] | None:
    """(h, w): the surface, unbroken in depth, that most of the foreground belongs to."""
    if not usable.any():
        return None
    rows, columns = (np.arange(size) - (size - 1) / 2 for size in depth.shape)
    middle = (np.abs(rows) <= _CORE * depth.shape[0] / 2)[:, None] & (
        np.abs(columns) <= _CORE * depth.shape[1] / 2
    )
    middle &= usable
    if not middle.any():
        return None
    bins = np.floor(np.log(depth, out=np.zeros_like(depth), where=usable) / _BIN).astype(int)
    lowest = bins[middle].min()
    counts = np.bincount(bins[middle] - lowest)
    counts = np.convolve(counts, [1, 2, 1])[1:-1]
    mode = lowest + np.flatnonzero(counts >= _STRONG * counts.max())[0]
    seeds = middle & (np.abs(bins - mode) <= 1)
    height, width = depth.shape
    parts = connected(right[:, : width - 1], down[: height - 1], usable)
    if not seeds.any():
        return None
    return parts == np.bincount(parts[seeds]).argmax()
