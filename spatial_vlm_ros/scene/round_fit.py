"""Round objects seen from one side: the axis of revolution tells where the far side is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.scene.box import Box

_SLICES = 8
_MAX_POINTS = 600
_MAX_RADIUS = 0.4  # metres
_ROUGH = 0.07  # share of the radius by which points may miss their circle (root mean square)
_NOISE = 0.003  # metres added to it
_KEPT = 85  # per cent of the points that are asked to fit; the rest are lids, handles, strays
_LEAST_ARC = np.radians(100.0)
_MOST_GROWTH = 2.6  # a box that would grow more is not believed


def rounded(points: NDArray[np.float32], weights: NDArray[np.float32], box: Box) -> Box:
    """``box`` of points (n, 3), grown to a square footprint when they lie on a solid of revolution.

    One vertical axis and a radius for each of several slices in height are fitted by linear least
    squares (Kasa's circle fit with a common centre); the box is returned unchanged when points
    miss their circles, lie on the box's sides as well, show too short an arc, or fill a footprint
    that is square anyway.
    """
    if box.length > 2 * _MAX_RADIUS or box.width > 0.9 * box.length or len(points) < 60:
        return box
    step = -(-len(points) // _MAX_POINTS)
    points, weights = points[::step], weights[::step]
    ground = points[:, :2].astype(np.float64) - [box.x, box.y]
    slices = np.clip(
        ((points[:, 2] - box.bottom) / box.height * _SLICES).astype(int), 0, _SLICES - 1
    )
    weights = np.minimum(weights, np.median(weights))
    fit = _common_axis(ground, slices, weights)
    if fit is None:
        return box
    center, radius, miss = fit
    largest = float(np.percentile(radius, 95))
    offset = ground - center
    angle = np.sort(np.arctan2(offset[:, 1], offset[:, 0])[radius > 0.7 * largest])
    arc = 2 * np.pi - np.max(np.diff(angle, append=angle[0] + 2 * np.pi))
    if miss > _ROUGH * largest + _NOISE or arc < _LEAST_ARC or largest > _MAX_RADIUS:
        return box
    if miss > 0.6 * _miss_of_sides(ground, box):
        return box
    side = max(2 * largest, box.length)
    if side > _MOST_GROWTH * box.width or side > 1.3 * box.length:
        return box
    x, y = center + np.array([box.x, box.y])
    return replace(box, x=float(x), y=float(y), length=side, width=side)


def _miss_of_sides(ground: NDArray[np.float64], box: Box) -> float:
    """Root mean square distance of points (n, 2), relative to the box, from its nearest side."""
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    local = np.abs(ground @ np.array([[cos, -sin], [sin, cos]]))
    miss = np.abs(local - box.size[:2] / 2).min(axis=1)
    return _root_mean_square(miss, miss <= np.percentile(miss, _KEPT))


def _root_mean_square(miss: NDArray[np.float64], keep: NDArray[np.bool_]) -> float:
    return float(np.sqrt(np.mean(miss[keep] ** 2)))


def _common_axis(
    ground: NDArray[np.float64], slices: NDArray[np.int64], weights: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float] | None:
    """Centre (2,), each point's slice radius (n,) and the root mean square miss; None if none."""
    keep = np.ones(len(ground), np.bool_)
    for _ in range(3):  # each time without the points that miss most: lids, handles, strays
        system = np.column_stack([2 * ground, np.eye(_SLICES)[slices]])
        root = np.sqrt(weights * keep)[:, None]
        squares = (ground**2).sum(axis=1) * root[:, 0]
        solution = np.linalg.lstsq(system * root, squares, rcond=None)[0]
        center = solution[:2]
        squared = solution[2:][slices] + center @ center
        radius = np.sqrt(np.maximum(squared, 0.0))
        miss = np.abs(np.linalg.norm(ground - center, axis=1) - radius)
        keep = miss <= np.percentile(miss, _KEPT)
    if not np.all(np.isfinite(solution)):
        return None
    return center, radius, _root_mean_square(miss, keep)
