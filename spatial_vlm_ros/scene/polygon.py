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
    """(...) area common to each pair of footprints, m2, exact to rounding.

    Seen along the sides of ``a``, the common part is the integral of y dx round ``b`` with x and y
    held within ``a``. Nothing has to be decided about which point is inside what: where edges all
    but coincide such decisions contradict each other, and this changes by no more than rounding.
    """
    a, b = a[..., 0] + 1j * a[..., 1], b[..., 0] + 1j * b[..., 1]
    length, width = a[..., 0] - a[..., 1], a[..., 1] - a[..., 2]
    # Both sides together give the direction: that of a side of 1 mm alone is vague 3 m away.
    along = length - 1j * width
    along = along / np.where(along == 0, 1.0, np.abs(along))
    start = (b - a.mean(axis=-1, keepdims=True)) * along.conj()[..., None]
    edge = np.roll(start, -1, axis=-1) - start
    half_x, half_y = np.abs(length)[..., None] / 2, np.abs(width)[..., None] / 2
    x = np.clip([start.real, start.real + edge.real], -half_x, half_x)
    way = np.divide(x - start.real, edge.real, out=np.zeros_like(x), where=edge.real != 0)
    y = start.imag + way * edge.imag
    area = ((x[0] - x[1]) * _mean_held(y[0], y[1], half_y)).sum(axis=-1)
    smaller = np.minimum(
        np.abs(length * width), np.abs((b[..., 0] - b[..., 1]) * (b[..., 1] - b[..., 2]))
    )
    return np.clip(area, 0.0, smaller)


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


def _mean_held(start: Array, end: Array, limit: Array) -> Array:
    """Mean of a value held within -limit..limit, on its way from ``start`` straight to ``end``."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    enters, leaves = np.clip(-limit, low, high), np.clip(limit, low, high)
    below, above = enters - low, high - leaves
    middle = np.clip((enters + leaves) / 2, -limit, limit)
    way = np.where(high > low, high - low, 1.0)
    return middle + (above * (limit - middle) - below * (limit + middle)) / way


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
