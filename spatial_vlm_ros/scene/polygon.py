"""Exact plane geometry of rectangles seen from above, many pairs at once.

A footprint is (..., 4, 2): corners in metres, counter-clockwise. Every function broadcasts over
the leading axes, so one pair and all pairs of a scene take the same code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Metres within which a point counts as on an edge: far above rounding, far below a sensor.
TOUCH = 1e-9


def overlap_areas(a: Array, b: Array) -> Array:
    """(...) area common to each pair of footprints, m2.

    The common part is convex, and its corners are the corners of one that lie in the other and the
    crossings of their edges; sorted by angle they give its area.
    """
    a, b = np.broadcast_arrays(a, b)
    crossings, crossed = _edge_crossings(a, b)
    corners = np.concatenate([a, b, crossings], axis=-2)
    is_corner = np.concatenate([contains(b, a), contains(a, b), crossed], axis=-1)
    # What is no corner repeats one that is: repeated points add no area.
    first = np.take_along_axis(corners, is_corner.argmax(-1)[..., None, None], axis=-2)
    corners = np.where(is_corner[..., None], corners, first)
    corners = corners - corners.mean(axis=-2, keepdims=True)
    order = np.argsort(np.arctan2(corners[..., 1], corners[..., 0]), axis=-1)
    corners = np.take_along_axis(corners, order[..., None], axis=-2)
    area = 0.5 * _cross(corners, np.roll(corners, -1, axis=-2)).sum(axis=-1)
    return np.where(is_corner.any(axis=-1), np.maximum(area, 0.0), 0.0)


def contains(polygon: Array, points: Array) -> NDArray[np.bool_]:
    """(..., n): which of ``points`` (..., n, 2) lie in ``polygon`` (..., 4, 2) or on its edge."""
    along = np.roll(polygon, -1, axis=-2) - polygon
    along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), TOUCH)
    to_point = points[..., :, None, :] - polygon[..., None, :, :]
    return np.asarray((_cross(along[..., None, :, :], to_point) >= -TOUCH).all(axis=-1))


def gaps(a: Array, b: Array) -> Array:
    """(...) distance between the nearest points of each pair of footprints; 0 when they meet."""
    a, b = np.broadcast_arrays(a, b)
    apart = _separated(a, b) | _separated(b, a)
    nearest = np.minimum(_corner_edge(a, b)[0].min((-2, -1)), _corner_edge(b, a)[0].min((-2, -1)))
    return np.where(apart, nearest, 0.0)


def closest_points(a: Array, b: Array) -> tuple[Array, Array]:
    """Nearest points, (2,) on ``a`` and (2,) on ``b``, of two footprints (4, 2).

    Where they overlap it is one common point twice: the middle of their common corners.
    """
    if gaps(a, b) == 0.0:
        crossings, crossed = _edge_crossings(a, b)
        common = np.concatenate([a[contains(b, a)], b[contains(a, b)], crossings[crossed]])
        return common.mean(axis=0), common.mean(axis=0)
    from_a, on_b = _corner_edge(a, b)
    from_b, on_a = _corner_edge(b, a)
    if from_a.min() <= from_b.min():
        corner, edge = np.unravel_index(from_a.argmin(), from_a.shape)
        return a[corner], on_b[corner, edge]
    corner, edge = np.unravel_index(from_b.argmin(), from_b.shape)
    return on_a[corner, edge], b[corner]


def _cross(a: Array, b: Array) -> Array:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _edge_crossings(a: Array, b: Array) -> tuple[Array, NDArray[np.bool_]]:
    """(..., 16, 2) points where edges of ``a`` cross edges of ``b``, and whether they do."""
    start, along = a[..., :, None, :], (np.roll(a, -1, axis=-2) - a)[..., :, None, :]
    other, across = b[..., None, :, :], (np.roll(b, -1, axis=-2) - b)[..., None, :, :]
    turn = _cross(along, across)
    parallel = np.abs(turn) < 1e-15
    turn = np.where(parallel, 1.0, turn)
    t = _cross(other - start, across) / turn
    u = _cross(other - start, along) / turn
    crossed = ~parallel & (t >= 0) & (t <= 1) & (u >= 0) & (u <= 1)
    points = start + t[..., None] * along
    shape = (*crossed.shape[:-2], 16)
    return points.reshape(*shape, 2), crossed.reshape(shape)


def _separated(a: Array, b: Array) -> NDArray[np.bool_]:
    """(...) whether some edge of ``a`` has all of ``b`` strictly outside it."""
    along = np.roll(a, -1, axis=-2) - a
    side = _cross(along[..., :, None, :], b[..., None, :, :] - a[..., :, None, :])
    return np.asarray((side < 0).all(axis=-1).any(axis=-1))


def _corner_edge(a: Array, b: Array) -> tuple[Array, Array]:
    """(..., 4, 4) distance from each corner of ``a`` to each edge of ``b``, and where it ends."""
    along = (np.roll(b, -1, axis=-2) - b)[..., None, :, :]
    to_corner = a[..., :, None, :] - b[..., None, :, :]
    squared = np.maximum((along**2).sum(-1), TOUCH**2)
    t = np.clip((to_corner * along).sum(-1) / squared, 0.0, 1.0)
    foot = b[..., None, :, :] + t[..., None] * along
    return np.linalg.norm(a[..., :, None, :] - foot, axis=-1), foot
